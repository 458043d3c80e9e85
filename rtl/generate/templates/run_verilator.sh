#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The testbench under Verilator 5. Plus arguments of the testbench may follow. Status 0: PASS.
set -eu
cd "$(dirname "$0")/.."
mkdir -p sim/build
OBJCACHE="$(command -v ccache || true)" verilator --binary --timing -j 0 -O3 --x-assign fast --noassert +define+BS_CHECKS \
  -MAKEFLAGS "OPT_FAST=-O1 OPT_GLOBAL=-O1 OPT_SLOW=-O0" --top-module tb_bitstrata -Mdir sim/build/verilator \
  -o tb_bitstrata -f rtl/files.f sim/tb_bitstrata.sv >sim/build/verilator.log 2>&1 || {
  cat sim/build/verilator.log >&2
  exit 1
}
exec sim/build/verilator/tb_bitstrata "$@"
