#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The testbench under Icarus Verilog. Plus arguments of the testbench may follow. Status 0: PASS.
set -eu
cd "$(dirname "$0")/.."
mkdir -p sim/build
# Icarus 11 remarks on constructs it takes in its own way, with the same result: those lines are left out.
if ! iverilog -g2012 -DBS_CHECKS -s tb_bitstrata -c rtl/files.f -o sim/build/tb_bitstrata.vvp sim/tb_bitstrata.sv \
    2>sim/build/icarus.log; then
  cat sim/build/icarus.log >&2
  exit 1
fi
grep -v -e 'constant selects in always_\* processes are not currently supported' \
  -e 'Case unique/unique0 qualities are ignored' \
  -e 'A for statement must use the index' sim/build/icarus.log >&2 || true
exec vvp -N sim/build/tb_bitstrata.vvp "$@"
