// SPDX-License-Identifier: Apache-2.0
// Simulation only: the nodes of a popcount's tree, 64 bits at a time: bs_popcount's, as the words of a SWAR popcount.
`ifdef BS_TOGGLES
module bs_tree_toggles #(
  parameter KIND  = 0,
  parameter WIDTH = 64
) (
  input logic             clk_i,
  input logic             rst_ni,
  input logic [1:0]       fold_i,  // log2 of the planes in bits_i, as in bs_products
  input logic [WIDTH-1:0] bits_i
);
  // Places that the upper one of the last halves, and of the last quarters, moves up.
  logic [1:0] of_halves, of_quarters;
  assign of_halves = fold_i;
  assign of_quarters = fold_i == 2'd2 ? 2'd1 : 2'd0;
  for (genvar w = 0; w < (WIDTH + 63) / 64; w = w + 1) begin : g_word
    localparam BITS = WIDTH - 64 * w < 64 ? WIDTH - 64 * w : 64;
    logic [63:0] bits, pairs, fours, eights, sixteens, halves, all;
    assign bits = {{(64 - BITS){1'b0}}, bits_i[64*w +: BITS]};
    assign pairs = (bits & 64'h5555555555555555) + (((bits >> 1) & 64'h5555555555555555) << (WIDTH == 2 ? of_halves : WIDTH == 4 ? of_quarters : 2'd0));
    assign fours = (pairs & 64'h3333333333333333) + (((pairs >> 2) & 64'h3333333333333333) << (WIDTH == 4 ? of_halves : WIDTH == 8 ? of_quarters : 2'd0));
    assign eights = (fours & 64'h0f0f0f0f0f0f0f0f) + (((fours >> 4) & 64'h0f0f0f0f0f0f0f0f) << (WIDTH == 8 ? of_halves : WIDTH == 16 ? of_quarters : 2'd0));
    assign sixteens = (eights & 64'h00ff00ff00ff00ff) + (((eights >> 8) & 64'h00ff00ff00ff00ff) << (WIDTH == 16 ? of_halves : WIDTH == 32 ? of_quarters : 2'd0));
    assign halves = (sixteens & 64'h0000ffff0000ffff) + (((sixteens >> 16) & 64'h0000ffff0000ffff) << (WIDTH == 32 ? of_halves : WIDTH == 64 ? of_quarters : 2'd0));
    assign all = {32'd0, halves[31:0]} + ({32'd0, halves[63:32]} << (WIDTH == 64 ? of_halves : WIDTH == 128 ? of_quarters : 2'd0));
    bs_toggles #(.KIND(KIND), .WIDTH(384)) u_nodes (
      .clk_i(clk_i), .rst_ni(rst_ni), .sample_i(1'b1), .value_i({pairs, fours, eights, sixteens, halves, all}));
  end
endmodule
`endif
