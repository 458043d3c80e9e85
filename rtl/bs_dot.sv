// SPDX-License-Identifier: Apache-2.0
// One dot unit of the style overlay: ROWS bit products of an activation plane and a weight plane a cycle, popcount, and
// one accumulator. Pairs of planes come in the order of falling sums of their places (diagonals), so that one shift by
// one a diagonal does for all of them, without a barrel shifter (Umuroglu et al., "Optimizing Bit-Serial Matrix
// Multiplication for Reconfigurable Computing", TRETS 2019).
//
// Planes on act_i and weight_i in cycle t are counted at its end, accumulated at the end of t+1, and may be captured
// in t+2. The captured sum stays while the next vectors are accumulated.
module bs_dot #(
  parameter ROWS      = 64,  // bit products
  parameter ACC_WIDTH = 40,  // two's complement
  parameter POPCOUNT_TREE = 0, // as in bs_column
  parameter CLOCK_GATING = 0
) (
  input  logic            clk_i,
  input  logic            plane_valid_i,
  input  logic            count_enable_i,  // the unit's vector and output exist
  input  logic [ROWS-1:0] act_i,
  input  logic [ROWS-1:0] weight_i,
  input  logic            count_valid_i,
  input  logic            add_enable_i,
  input  logic            count_first_i,     // first pair of a vector
  input  logic            count_shift_i,     // first pair of a further diagonal
  input  logic            count_negative_i,  // one of the planes, not both, is a sign plane
  input  logic            capture_i,
  output logic signed [ACC_WIDTH-1:0] held_o
);
  localparam COUNT_WIDTH = $clog2(ROWS + 1);

  logic count_clk, acc_clk, held_clk;
  if (CLOCK_GATING != 0) begin : g_gated
    bs_clock_gate u_count (.clk_i(clk_i), .enable_i(plane_valid_i && count_enable_i), .clk_o(count_clk));
    bs_clock_gate u_acc (.clk_i(clk_i), .enable_i(count_valid_i && add_enable_i), .clk_o(acc_clk));
    bs_clock_gate u_held (.clk_i(clk_i), .enable_i(capture_i), .clk_o(held_clk));
  end else begin : g_enabled
    assign count_clk = clk_i;
    assign acc_clk = clk_i;
    assign held_clk = clk_i;
  end

  logic [COUNT_WIDTH-1:0] count_q;
  if (POPCOUNT_TREE != 0) begin : g_tree
    logic [COUNT_WIDTH-1:0] count;
    bs_products #(.ROWS(ROWS)) u_products (
      .act_i(act_i), .weight_i(weight_i), .fold_i(2'd0), .count_o(count));
    always_ff @(posedge count_clk) begin
      if (CLOCK_GATING != 0 || (plane_valid_i && count_enable_i)) count_q <= count;
    end
  end else begin : g_countones
    logic [ROWS-1:0] products;
    always_ff @(posedge count_clk) begin
      if (CLOCK_GATING != 0 || plane_valid_i) begin
        if (CLOCK_GATING != 0 || count_enable_i) begin
          /* verilator lint_off BLKSEQ */ // an intermediate of this block, named for Icarus as in bs_column
          products = act_i & weight_i;
          /* verilator lint_on BLKSEQ */
          count_q <= $countones(products);
        end
      end
    end
  end

  logic signed [ACC_WIDTH-1:0] acc_q, held_q, count_ext, augend, addend;
  assign count_ext = {{(ACC_WIDTH - COUNT_WIDTH){1'b0}}, count_q};
  assign augend = count_first_i ? {ACC_WIDTH{1'b0}} : count_shift_i ? {acc_q[ACC_WIDTH-2:0], 1'b0} : acc_q;
  assign addend = count_negative_i ? -count_ext : count_ext;
  always_ff @(posedge acc_clk) begin
    if (CLOCK_GATING != 0 || count_valid_i) begin
      if (CLOCK_GATING != 0 || add_enable_i) acc_q <= augend + addend;
    end
  end
  always_ff @(posedge held_clk) if (CLOCK_GATING != 0 || capture_i) held_q <= acc_q;
  assign held_o = held_q;
endmodule
