// SPDX-License-Identifier: Apache-2.0
// One-bit products of two planes and their number: the body of columns and dot units that gate-level flows take
// (POPCOUNT_TREE); simulators and FPGA tools do better with $countones. With FOLD > 1 the rows hold 2^fold_i planes of
// activations, each in a part of its own, the lowest first: the sums of the last halves and quarters are weighted.
module bs_products #(
  parameter ROWS = 64,
  parameter FOLD = 1,
  parameter COUNT_WIDTH = $clog2(ROWS + 1)
) (
  input  logic [ROWS-1:0]        act_i,
  input  logic [ROWS-1:0]        weight_i,
  input  logic [1:0]             fold_i,
  output logic [COUNT_WIDTH-1:0] count_o
);
  logic [ROWS-1:0] products;
  assign products = act_i & weight_i;
  if (FOLD == 1) begin : g_whole
    bs_popcount #(.WIDTH(ROWS)) u_popcount (.bits_i(products), .count_o(count_o));
    logic unused;
    assign unused = ^fold_i;
  end else begin : g_parts
    localparam PART = ROWS / FOLD;
    localparam PART_WIDTH = $clog2(PART + 1);
    logic [COUNT_WIDTH-1:0] of_part [0:FOLD-1];
    for (genvar p = 0; p < FOLD; p = p + 1) begin : g_part
      logic [PART_WIDTH-1:0] count;
      bs_popcount #(.WIDTH(PART)) u_popcount (.bits_i(products[p*PART +: PART]), .count_o(count));
      assign of_part[p] = {{(COUNT_WIDTH - PART_WIDTH){1'b0}}, count};
    end
    logic [COUNT_WIDTH-1:0] low, high;
    if (FOLD == 4) begin : g_quarters
      assign low = of_part[0] + (fold_i == 2'd2 ? of_part[1] << 1 : of_part[1]);
      assign high = of_part[2] + (fold_i == 2'd2 ? of_part[3] << 1 : of_part[3]);
    end else begin : g_halves
      assign low = of_part[0];
      assign high = of_part[1];
    end
    assign count_o = low + (fold_i == 2'd0 ? high : fold_i == 2'd1 ? high << 1 : high << 2);
  end
endmodule
