// SPDX-License-Identifier: Apache-2.0
// Clock gate: clk_o follows clk_i in the cycles whose enable was set before they began. The one place to swap bodies:
// BS_CLOCK_GATE_CELL   a library's gating cell, by its name, with pins of the usual names (Sky130, Nangate45, ASAP7 and
//                      most vendors have one); define BS_CLOCK_GATE_PORTS where the pins are called otherwise
// BS_CLOCK_GATE_BUFGCE the clock buffer of Xilinx FPGAs; they have few, so gate macros there and no columns
// default              latch and AND, for simulation and for libraries without a gating cell
module bs_clock_gate (
  input  logic clk_i,
  input  logic enable_i,  // settled before the rising edge
  output logic clk_o
);
`ifdef BS_CLOCK_GATE_CELL
`ifndef BS_CLOCK_GATE_PORTS
`define BS_CLOCK_GATE_PORTS (.CLK(clk_i), .GATE(enable_i), .GCLK(clk_o))
`endif
  `BS_CLOCK_GATE_CELL u_gate `BS_CLOCK_GATE_PORTS;
`elsif BS_CLOCK_GATE_BUFGCE
  BUFGCE u_gate (.I(clk_i), .CE(enable_i), .O(clk_o));
`else
  logic enabled;
  always_latch if (!clk_i) enabled = enable_i;
  assign clk_o = clk_i & enabled;
`endif
endmodule
