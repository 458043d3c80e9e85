#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Synthesis with Yosys: run_yosys.sh [generic|ice40]. Logs, cell counts and netlists go to synth/build.
set -eu
cd "$(dirname "$0")/.."
mkdir -p synth/build
case "${1:-generic}" in
  generic) script=yosys.ys ;;
  ice40) script=yosys_ice40.ys ;;
  *)
    echo "usage: run_yosys.sh [generic|ice40]" >&2
    exit 2
    ;;
esac
yosys -q -l "synth/build/${1:-generic}.log" "synth/$script"
cat "synth/build/${1:-generic}.stat"
