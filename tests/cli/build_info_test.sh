#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The hash of what computes: the same for the same sources, another one when a source, the compiler or a flag changes.
#   build_info_test.sh CMAKE ROOT
set -euo pipefail
cmake=$1 root=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{cli,model,quant,rtl,sim}
echo 'int f() { return 1; }' >"$work/model/f.cpp"
echo 'text' >"$work/model/README.md"

code() { # code COMPILER_VERSION FLAGS
  "$cmake" -DSOURCE_DIR="$work" -DTEMPLATE="$root/cli/train/build_info.cpp.in" -DOUTPUT="$work/out.cpp" \
    -DBITSTRATA_VERSION=1 -DCMAKE_CXX_COMPILER_ID=GNU -DCMAKE_CXX_COMPILER_VERSION="$1" -DBUILD_FLAGS="$2" \
    -P "$root/cli/train/build_info.cmake"
  sed -n 's/.*code = "\([0-9a-f]\{40\}\)".*/\1/p' "$work/out.cpp"
}
fail() { echo "build_info: $*" >&2; exit 1; }

first=$(code 12 Release)
[[ ${#first} == 40 ]] || fail "no hash: '$first'"
[[ $(code 12 Release) == "$first" ]] || fail "the same sources give another hash"
echo 'other text' >"$work/model/README.md"
[[ $(code 12 Release) == "$first" ]] || fail "a README computes nothing, but changes the hash"
[[ $(code 13 Release) != "$first" ]] || fail "another compiler gives the same hash"
[[ $(code 12 Debug) != "$first" ]] || fail "other flags give the same hash"
echo 'int f() { return 2; }' >"$work/model/f.cpp"
[[ $(code 12 Release) != "$first" ]] || fail "a changed source gives the same hash"
echo 'int f() { return 1; }' >"$work/model/f.cpp"
touch "$work/sim/new.cpp"
[[ $(code 12 Release) != "$first" ]] || fail "a new source gives the same hash"
