#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/demo with programs that only pretend: it keeps what made each result, and neither a failing search nor an
# interrupt leaves anything running.
#   demo_test.sh SOURCE_FOLDER
set -euo pipefail
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/scripts" "$root/tools" "$root/build/release/bin"
cp "$1/scripts/demo" "$root/scripts/"
printf '#!/bin/sh\nexit 0\n' >"$root/tools/cmake"
cat >"$root/build/release/bin/bitstrata" <<'STUB'
#!/usr/bin/env bash
words=" $* "
for out in "$@"; do :; done # --out comes last, but for report
case $words in
  *" report "*) out=${words##* --out }; out=${out% } ;;
esac
mkdir -p "$out"
case $words in
  *" --method ad --prune "*)
    echo $$ >"$PIDS/pruned"
    ${PRUNED:-true} || exit 1
    ;;
  *" --method ad "*)
    echo $$ >"$PIDS/ad"
    ${AD:-true} || exit 1
    ;;
  *" generate "*)
    mkdir -p "$out/sim"
    printf '#!/bin/sh\necho PASS\n' >"$out/sim/run_verilator.sh"
    chmod +x "$out/sim/run_verilator.sh"
    ;;
esac
for file in run.json summary.json plan.yaml search.csv; do echo "$file of $*" >"$out/$file"; done
case $words in
  *" run "*) echo '{"cycles": 300, "clock_mhz": 200.0, "energy": {"ad-pim": {"energy_pj": 7.5}}}' >"$out/summary.json" ;;
esac
STUB
chmod +x "$root/tools/cmake" "$root/build/release/bin/bitstrata"
export PATH=$root/tools:$PATH PIDS=$root

fail() {
  echo "FAIL: $*" >&2
  cat "$root/log" >&2
  exit 1
}
gone() { # whether the searches of the last demo have ended, within a second or so
  for _ in {1..20}; do
    local left=0 name
    for name in ad pruned; do
      if [[ -f $root/$name ]] && kill -0 "$(cat "$root/$name")" 2>/dev/null; then left=1; fi
    done
    if ((!left)); then return 0; fi
    sleep 0.1
  done
  return 1
}
expect_failure() { # expect_failure VARIABLE=VALUE...: the demo ends by itself, at once and with a failure
  local status=0
  env "$@" timeout 20 "$root/scripts/demo" --skip-setup >"$root/log" 2>&1 || status=$?
  case $status in
    0) fail "with $*: a search failed, the demo did not" ;;
    124) fail "with $*: a search failed, the demo went on" ;;
  esac
}
fresh() { rm -rf "$root/out" "$root/ad" "$root/pruned"; }

fresh
expect_failure "AD=false" "PRUNED=sleep 60"
gone || fail "the second search outlives the first one's failure"
fresh
expect_failure "AD=sleep 60" "PRUNED=false"
gone || fail "the first search outlives the second one's failure"
fresh
AD="sleep 60" PRUNED="sleep 60" "$root/scripts/demo" --skip-setup >"$root/log" 2>&1 &
demo=$!
for _ in {1..100}; do
  if [[ -f $root/ad && -f $root/pruned ]]; then break; fi
  sleep 0.1
done
kill -TERM "$demo"
wait "$demo" && fail "the demo was ended, but calls itself good"
gone || fail "a search outlives the demo"
fresh
timeout 60 "$root/scripts/demo" --skip-setup >"$root/log" 2>&1 || fail "the demo fails"
for row in float w16a16 w8a8 ad ad_pruned codesign_latency codesign_energy; do
  for file in run_$row.json summary_$row.json plan_$row.yaml; do
    [[ -s $root/results/demo/$file ]] || fail "results/demo has no $file"
  done
done
# The measured searches get what activation density's plan cost.
grep -q -- "--limit latency=1.5us" "$root/results/demo/run_codesign_latency.json" || fail "another limit of latency"
grep -q -- "--limit energy=7.5pJ" "$root/results/demo/run_codesign_energy.json" || fail "another limit of energy"
echo "demo: fails, stops and keeps its records as it should"
