// SPDX-License-Identifier: Apache-2.0
// Requantization of one output: clip((((acc << acc_shift) + bias) * multiplier + 2^(shift-1)) >> shift), where
// adding 2^(shift-1) is done as one half of the last bit shifted out, so that no shift is too long for the product.
// Four register stages: the code leaves LATENCY = 4 cycles after the accumulator came in.
module bs_requant #(
  parameter ACC_WIDTH = 48,
  parameter MAX_ACTIVATION_BITS = 16
) (
  input  logic                        clk_i,
  input  logic [3:0]                  valid_i,  // stages 1..4 hold something
  input  logic                        acc_shift_i,
  input  logic signed [MAX_ACTIVATION_BITS+1:0] clip_low_i,
  input  logic signed [MAX_ACTIVATION_BITS+1:0] clip_high_i,
  input  logic signed [ACC_WIDTH-1:0] acc_i,
  input  logic [ACC_WIDTH+21:0]       param_i,  // {shift, multiplier, bias}
  output logic [MAX_ACTIVATION_BITS-1:0] code_o
);
  localparam PRODUCT_WIDTH = ACC_WIDTH + 17;
  localparam CODE_WIDTH = MAX_ACTIVATION_BITS + 2;

  logic signed [ACC_WIDTH-1:0] value_q;
  logic [15:0] multiplier_q;
  logic [5:0] shift_1_q, shift_2_q;
  logic signed [PRODUCT_WIDTH-1:0] product_q, rounded_q;
  logic [MAX_ACTIVATION_BITS-1:0] code_q;
  logic signed [ACC_WIDTH-1:0] acc_shifted, bias;
  logic signed [PRODUCT_WIDTH-1:0] value_ext, multiplier_ext, doubled, nearest;
  assign acc_shifted = acc_shift_i ? {acc_i[ACC_WIDTH-2:0], 1'b0} : acc_i;
  assign bias = param_i[ACC_WIDTH-1:0];
  assign value_ext = {{17{value_q[ACC_WIDTH-1]}}, value_q};
  assign multiplier_ext = {{(PRODUCT_WIDTH-16){1'b0}}, multiplier_q};
  // Used where the shift is not 0. Signed by themselves: a concatenation beside them would make the shift unsigned.
  assign doubled = product_q >>> (shift_2_q - 6'd1);
  assign nearest = doubled + $signed({{(PRODUCT_WIDTH-1){1'b0}}, 1'b1});

  logic signed [PRODUCT_WIDTH-1:0] low_ext, high_ext;
  assign low_ext = {{(PRODUCT_WIDTH-CODE_WIDTH){clip_low_i[CODE_WIDTH-1]}}, clip_low_i};
  assign high_ext = {{(PRODUCT_WIDTH-CODE_WIDTH){clip_high_i[CODE_WIDTH-1]}}, clip_high_i};

  always_ff @(posedge clk_i) begin
    if (valid_i[0]) begin
      value_q <= acc_shifted + bias;
      multiplier_q <= param_i[ACC_WIDTH +: 16];
      shift_1_q <= param_i[ACC_WIDTH+16 +: 6];
    end
    if (valid_i[1]) begin
      product_q <= value_ext * multiplier_ext;
      shift_2_q <= shift_1_q;
    end
    if (valid_i[2]) begin
      rounded_q <= shift_2_q == 6'd0 ? product_q : nearest >>> 1;
    end
    if (valid_i[3]) begin
      if (rounded_q < low_ext) code_q <= clip_low_i[MAX_ACTIVATION_BITS-1:0];
      else if (rounded_q > high_ext) code_q <= clip_high_i[MAX_ACTIVATION_BITS-1:0];
      else code_q <= rounded_q[MAX_ACTIVATION_BITS-1:0];
    end
  end
  assign code_o = code_q;
endmodule
