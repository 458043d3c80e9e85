#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The testbench under Icarus Verilog. Plus arguments of the testbench may follow. Status 0: PASS.
set -eu
cd "$(dirname "$0")/.."
mkdir -p sim/build
# Icarus 11 says "sorry" where it widens a sensitivity list; the result is the same, so only true messages are shown.
if ! iverilog -g2012 -s tb_bitstrata -c rtl/files.f -o sim/build/tb_bitstrata.vvp sim/tb_bitstrata.sv \
    2>sim/build/icarus.log; then
  cat sim/build/icarus.log >&2
  exit 1
fi
grep -v 'constant selects in always_\* processes are not currently supported' sim/build/icarus.log >&2 || true
exec vvp -N sim/build/tb_bitstrata.vvp "$@"
