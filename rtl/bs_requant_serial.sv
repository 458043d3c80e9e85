// SPDX-License-Identifier: Apache-2.0
// What bs_requant does, bit after bit, for devices without multipliers: one adder and registers that move right in place of
// a multiplier and shifters. One value at a time, without the optional units. cycle_i counts from the group's entry:
//
//   1                   the sum is there
//   2 to 8              moved up, 0 to 7 places
//   9                   plus bias
//   10                  the multiplier is chosen by the sign
//   11 to 26            multiplied, lowest bit of the multiplier first
//   27 to ACC_WIDTH+43  moved right by the shift at most; the last bit that leaves rounds
//   ACC_WIDTH+44        clipped
//   ACC_WIDTH+45        the code is there
module bs_requant_serial #(
  parameter ACC_WIDTH = 48,
  parameter MAX_ACTIVATION_BITS = 16
) (
  input  logic                        clk_i,
  input  logic [6:0]                  cycle_i,
  /* verilator lint_off UNUSEDSIGNAL */
  input  logic [64*32-1:0]            desc_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  logic signed [ACC_WIDTH-1:0] acc_i,    // in cycle 1
  input  logic [ACC_WIDTH+37:0]       param_i,  // from cycle 1 on: {multiplier of negative values, shift, multiplier, bias}
  output logic [MAX_ACTIVATION_BITS-1:0] code_o
);
  `include "bs_descriptor.svh"
  localparam CODE_WIDTH = MAX_ACTIVATION_BITS + 1;
  localparam PRODUCT_WIDTH = ACC_WIDTH + 17;
  localparam CLIP = ACC_WIDTH + 44;

  logic signed [ACC_WIDTH-1:0] value_q, bias;
  logic signed [PRODUCT_WIDTH-1:0] product_q, next_product;  // the multiplier's bits that are left lie in the low ones
  logic signed [ACC_WIDTH:0] sum, addend;
  logic [5:0] left_q;  // places to move right
  logic round_q;       // the bit that left last
  logic [2:0] places_q;
  logic leaky, multiplies;
  logic [15:0] multiplier;
  assign bias = param_i[ACC_WIDTH-1:0];
  assign leaky = desc_i[F_ACTIVATION +: B_ACTIVATION] == ACT_LEAKY && value_q[ACC_WIDTH-1];
  assign multiplier = leaky ? param_i[ACC_WIDTH+22 +: 16] : param_i[ACC_WIDTH +: 16];
  assign multiplies = cycle_i < 7'd27;
  assign addend = product_q[0] && multiplies ? {value_q[ACC_WIDTH-1], value_q} : '0;
  assign sum = product_q[PRODUCT_WIDTH-1:16] + addend;
  assign next_product = {sum[ACC_WIDTH], sum, product_q[15:1]};

  always_ff @(posedge clk_i) begin
    if (cycle_i == 7'd1) begin
      value_q <= acc_i;
      places_q <= desc_i[F_ACC_SHIFT +: B_ACC_SHIFT];
    end else if (cycle_i < 7'd9) begin
      if (places_q != 3'd0) begin
        value_q <= value_q <<< 1;
        places_q <= places_q - 3'd1;
      end
    end else if (cycle_i == 7'd9) begin
      value_q <= value_q + bias;
    end
    if (cycle_i == 7'd10) begin
      product_q <= {{(PRODUCT_WIDTH-16){1'b0}}, multiplier};
      left_q <= param_i[ACC_WIDTH+16 +: 6];
      round_q <= 1'b0;
    end else if (multiplies || left_q != 6'd0) begin
      product_q <= next_product;
      if (!multiplies) begin
        left_q <= left_q - 6'd1;
        round_q <= product_q[0];
      end
    end
  end

  // What is beyond the codes' range is at a limit; the rest is narrow, also behind the rounding.
  logic signed [CODE_WIDTH-1:0] low, high;
  logic signed [CODE_WIDTH:0] rounded, low_wide, high_wide;
  logic fits;
  assign low = desc_i[F_CLIP_LOW +: CODE_WIDTH];
  assign high = desc_i[F_CLIP_HIGH +: CODE_WIDTH];
  assign low_wide = {low[CODE_WIDTH-1], low};
  assign high_wide = {high[CODE_WIDTH-1], high};
  assign fits = product_q[PRODUCT_WIDTH-1:CODE_WIDTH-1] == {(PRODUCT_WIDTH-CODE_WIDTH+1){product_q[PRODUCT_WIDTH-1]}};
  assign rounded = {product_q[CODE_WIDTH-1], product_q[CODE_WIDTH-1:0]} + {{CODE_WIDTH{1'b0}}, round_q};
  logic [MAX_ACTIVATION_BITS-1:0] code_q;
  always_ff @(posedge clk_i) begin
    if (cycle_i == CLIP[6:0]) begin
      if (fits ? rounded < low_wide : product_q[PRODUCT_WIDTH-1]) code_q <= low[MAX_ACTIVATION_BITS-1:0];
      else if (!fits || rounded > high_wide) code_q <= high[MAX_ACTIVATION_BITS-1:0];
      else code_q <= rounded[MAX_ACTIVATION_BITS-1:0];
    end
  end
  assign code_o = code_q;
endmodule
