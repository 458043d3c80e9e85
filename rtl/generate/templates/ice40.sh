#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Bitstream for the board @BOARD@ with Yosys, nextpnr and icepack: ice40.sh [synth]. With `synth` it ends behind Yosys. All
# goes to synth/build; iceprog writes the bitstream to the board. Another status than 0: it does not fit, or is too slow
# for the board's clock.
set -eu
cd "$(dirname "$0")/.."
mkdir -p synth/build
out=synth/build/@BOARD_TOP@
case "${1:-all}" in
  all | synth) ;;
  *)
    echo "usage: ice40.sh [synth]" >&2
    exit 2
    ;;
esac
rm -f "$out".*
# BS_BIT_ENABLES: buffers as block RAMs with write enables of bits. Nets of single bits: carries are no loops to a simulator.
yosys -q -l "$out.synth.log" -p "read_verilog -sv -DBS_BIT_ENABLES -Irtl -defer @RTL_SOURCES@; \
  hierarchy -check -top @BOARD_TOP@; synth_ice40 -abc2 -top @BOARD_TOP@ -json $out.json; check -assert; \
  tee -o $out.stat stat; splitnets; write_verilog -noattr $out.v" >/dev/null
[ "${1:-all}" = synth ] && exit 0
nextpnr-ice40 --@DEVICE@ --package @PACKAGE@ --json "$out.json" --pcf synth/@BOARD@.pcf --freq @CLOCK_MHZ@ --seed "${SEED:-1}" \
  --asc "$out.asc" --report "$out.report.json" >"$out.place.log" 2>&1 || {
  grep -E 'ERROR|ICESTORM_LC|ICESTORM_RAM' "$out.place.log" >&2
  exit 1
}
icepack "$out.asc" "$out.bin"
grep -E 'ICESTORM_LC|ICESTORM_RAM' "$out.place.log" | tail -2
grep 'Max frequency' "$out.place.log" | tail -1
echo "$out.bin"
