// SPDX-License-Identifier: Apache-2.0
// Activation-sum unit: the sum of a vector's activations, from plane counts, in step with the columns.
// Outputs of -1/+1 weights need it: sum((2b-1)*a) = 2*sum(b*a) - sum(a). One unit a vector serves all macros; at
// other widths it is told nothing.
module bs_sum_unit #(
  parameter ROWS      = 64,
  parameter ACC_WIDTH = 24,  // two's complement
  parameter CLOCK_GATING = 0 // as in bs_column
) (
  input  logic            clk_i,
  input  logic            plane_valid_i,
  input  logic [ROWS-1:0] act_i,
  input  logic            count_valid_i,
  input  logic            count_first_i,
  input  logic            count_negative_i,
  input  logic            join_valid_i,  // captured with the columns' accumulators
  output logic signed [ACC_WIDTH-1:0] sum_o
);
  localparam COUNT_WIDTH = $clog2(ROWS + 1);

  logic [COUNT_WIDTH-1:0] count_q;
  logic signed [ACC_WIDTH-1:0] acc_q, sum_q, count_ext, acc_shifted;
  assign count_ext = {{(ACC_WIDTH - COUNT_WIDTH){1'b0}}, count_q};
  assign acc_shifted = count_first_i ? {ACC_WIDTH{1'b0}} : {acc_q[ACC_WIDTH-2:0], 1'b0};

  // Where there is nothing to sum the tree stands still. Named for Icarus as in bs_column.
  logic [ROWS-1:0] summed;
  assign summed = act_i & {ROWS{plane_valid_i}};
  logic sum_clk;
  if (CLOCK_GATING != 0) begin : g_gated
    bs_clock_gate u_sum (.clk_i(clk_i), .enable_i(plane_valid_i || count_valid_i || join_valid_i), .clk_o(sum_clk));
  end else begin : g_enabled
    assign sum_clk = clk_i;
  end
  always_ff @(posedge sum_clk) begin
    if (plane_valid_i) count_q <= $countones(summed);
    if (count_valid_i) acc_q <= count_negative_i ? acc_shifted - count_ext : acc_shifted + count_ext;
    if (join_valid_i) sum_q <= acc_q;
  end
  assign sum_o = sum_q;
endmodule
