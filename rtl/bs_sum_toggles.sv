// SPDX-License-Identifier: Apache-2.0
// Simulation only: the sums that the requantizers take and their parameters, lane by lane, from one to the next.
`ifdef BS_TOGGLES
module bs_sum_toggles #(
  parameter LANES = 4,
  parameter WIDTH = 48,
  parameter RECORD_WIDTH = 86
) (
  input logic                   clk_i,
  input logic                   rst_ni,
  input logic                   valid_i,
  input logic [3:0]             outputs_i,  // lanes that have one
  input logic [LANES*WIDTH-1:0] sums_i,
  input logic                   records_valid_i,
  input logic [3:0]             records_outputs_i,
  input logic [LANES*RECORD_WIDTH-1:0] records_i
);
  for (genvar l = 0; l < LANES; l = l + 1) begin : g_lane
    bs_toggles #(.KIND(11), .WIDTH(WIDTH)) u_sum (
      .clk_i(clk_i), .rst_ni(rst_ni), .sample_i(valid_i && outputs_i > l), .value_i(sums_i[l*WIDTH +: WIDTH]));
    bs_toggles #(.KIND(13), .WIDTH(RECORD_WIDTH)) u_record (
      .clk_i(clk_i), .rst_ni(rst_ni), .sample_i(records_valid_i && records_outputs_i > l),
      .value_i(records_i[l*RECORD_WIDTH +: RECORD_WIDTH]));
  end
endmodule

bind bs_post bs_sum_toggles #(.LANES(POST_LANES), .WIDTH(ACC_WIDTH), .RECORD_WIDTH(RECORD_WIDTH)) u_sums (
  .clk_i(clk_i), .rst_ni(rst_ni), .valid_i(entered), .outputs_i({{(4-OUTPUTS_WIDTH){1'b0}}, outputs_q}), .sums_i(read_data_i),
  .records_valid_i(records_there), .records_outputs_i({{(4-OUTPUTS_WIDTH){1'b0}}, records_outputs}), .records_i(param_data_i));
`endif
