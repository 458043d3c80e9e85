#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The testbench of the board under Verilator 5: run_serial.sh [rtl|netlist]. rtl (default): the design with the checks in
# it; netlist: the cells that synth/ice40.sh left in synth/build. Status 0: PASS.
set -eu
cd "$(dirname "$0")/.."
mkdir -p sim/build
what=${1:-rtl}
case "$what" in
  rtl) sources="+define+BS_CHECKS -f rtl/files.f rtl/bs_serial_top.sv rtl/@BOARD_TOP@.sv" ;;
  netlist)
    if [ ! -f synth/build/@BOARD_TOP@.v ]; then
      echo "run_serial.sh: no netlist; synth/ice40.sh makes it" >&2
      exit 2
    fi
    # Verilator 5.006 takes no values of ports that are not connected; Yosys connects all.
    sources="-Wno-fatal -Wno-lint -Wno-style -Wno-MULTITOP -DNO_ICE40_DEFAULT_ASSIGNMENTS synth/build/@BOARD_TOP@.v $(dirname "$(command -v yosys)")/../share/yosys/ice40/cells_sim.v"
    ;;
  *)
    echo "usage: run_serial.sh [rtl|netlist]" >&2
    exit 2
    ;;
esac
# Compiling is what takes the time here: without optimization.
# shellcheck disable=SC2086 # words of a list
OBJCACHE="$(command -v ccache || true)" verilator --binary --timing -j 0 -O3 --x-assign fast --noassert \
  -MAKEFLAGS "OPT_FAST=-O0 OPT_GLOBAL=-O0 OPT_SLOW=-O0" --top-module tb_serial -Mdir "sim/build/serial_$what" \
  -o tb_serial $sources sim/tb_serial.sv >"sim/build/serial_$what.log" 2>&1 || {
  cat "sim/build/serial_$what.log" >&2
  exit 1
}
exec "sim/build/serial_$what/tb_serial"
