// SPDX-License-Identifier: Apache-2.0
// One-bit products of two planes and their number: the body of columns and dot units that gate-level flows take
// (POPCOUNT_TREE); simulators and FPGA tools do better with $countones.
module bs_products #(
  parameter ROWS = 64
) (
  input  logic [ROWS-1:0]           act_i,
  input  logic [ROWS-1:0]           weight_i,
  output logic [$clog2(ROWS+1)-1:0] count_o
);
  bs_popcount #(.WIDTH(ROWS)) u_popcount (.bits_i(act_i & weight_i), .count_o(count_o));
endmodule
