// SPDX-License-Identifier: Apache-2.0
// From one accumulated value to its code, as model/integer_network.h defines it: combination of two operands (adds and
// products), bias, scale and rounding, activation. A sum on acc_i in cycle t is a code in t+10.
//
//   stage 1  the sum, out of the macros' multiplexers; of two operands A (low CODE_WIDTH bits) and B (above them): B made
//            whole
//   stage 2  products of A and B with their factors and with each other
//   stage 3  the value of A and B, which is the sum of the products
//   stage 4  shifted up by 0 to 7 places, so that biases have fraction bits, plus bias; its multiplier (leaky
//            activations: that of negative values where the value is negative)
//   stage 5  both halves times the multiplier
//   stage 6  the product, out of its halves
//   stage 7  shifted right, rounded, clipped: to the codes, to 16 bits (hard swish), to 8 bits (table)
//   stage 8  hard swish: its gate; table: looked up
//   stage 9  hard swish: times the gate
//   stage 10 hard swish: shifted right, rounded, with its offset, clipped
module bs_requant #(
  parameter ACC_WIDTH = 48,
  parameter DATA_WIDTH = 64,
  parameter MAX_ACTIVATION_BITS = 16,
  parameter VECTOR_UNIT = 1,
  parameter SWISH_UNIT = 1,
  parameter TABLE_UNIT = 1
) (
  input  logic                        clk_i,
  input  logic [9:0]                  valid_i,  // stages 1..10 take something
  /* verilator lint_off UNUSEDSIGNAL */
  input  logic [64*32-1:0]            desc_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  logic signed [ACC_WIDTH-1:0] acc_i,
  input  logic [ACC_WIDTH+37:0]       param_i,  // for stage 4: {multiplier of negative values, shift, multiplier, bias}
  // Table: one word of DATA_WIDTH / 8 entries.
  input  logic                        table_write_i,
  input  logic [$clog2(2048/DATA_WIDTH)-1:0] table_address_i,
  input  logic [DATA_WIDTH-1:0]       table_data_i,
  output logic [MAX_ACTIVATION_BITS-1:0] code_o
);
  `include "bs_descriptor.svh"
  localparam PRODUCT_WIDTH = ACC_WIDTH + 17;
  localparam CODE_WIDTH = MAX_ACTIVATION_BITS + 1;
  // Bits of what stage 7 leaves: codes with a sign, or the 16-bit values and table indices of units.
  localparam LIMIT_WIDTH = SWISH_UNIT != 0 || TABLE_UNIT != 0 ? 18 : CODE_WIDTH;

  logic [1:0] activation;
  logic two_inputs, multiply;
  assign activation = desc_i[F_ACTIVATION +: B_ACTIVATION];
  assign two_inputs = desc_i[F_OPCODE +: B_OPCODE] == OP_ADD || desc_i[F_OPCODE +: B_OPCODE] == OP_MULTIPLY;
  assign multiply = desc_i[F_OPCODE +: B_OPCODE] == OP_MULTIPLY;
  logic signed [LIMIT_WIDTH-1:0] clip_low, clip_high;
  assign clip_low = desc_i[F_CLIP_LOW +: LIMIT_WIDTH];
  assign clip_high = desc_i[F_CLIP_HIGH +: LIMIT_WIDTH];

  // What the layer decides, decoded ahead into registers, as the multipliers would wait for it. They load with the layer's
  // first sum in stage 1, and no earlier stage asks for them.
  logic two_inputs_q, multiply_q, swish_q;
  always_ff @(posedge clk_i) begin
    two_inputs_q <= two_inputs;
    multiply_q <= multiply;
    swish_q <= activation == ACT_SWISH;
  end

  // ------------------------------------------------------------------ stages 1 to 3
  logic signed [ACC_WIDTH-1:0] acc_q, sum_q;
  if (VECTOR_UNIT != 0 && ACC_WIDTH >= 2 * CODE_WIDTH) begin : g_combine
    localparam TERM_WIDTH = 17 + CODE_WIDTH;  // product of a factor and a code; codes have 17 bits at most
    localparam WIDE = TERM_WIDTH + 2;         // their sum
    localparam WIDEST = WIDE > ACC_WIDTH ? WIDE : ACC_WIDTH;
    logic [ACC_WIDTH-1:0] taken;
    logic signed [CODE_WIDTH-1:0] a, b, times_a;
    logic signed [16:0] factor_0, factor_1;
    // Each product by itself, so that its operands stay narrow and signed.
    logic signed [TERM_WIDTH-1:0] term_ab, term_a_q, term_b_q;
    logic signed [WIDEST-1:0] rest_q;  // the third product, or the sum that needs none
    logic signed [WIDE-1:0] combined;
    /* verilator lint_off UNUSEDSIGNAL */
    logic signed [WIDEST-1:0] combined_wide;
    /* verilator lint_on UNUSEDSIGNAL */
    // B was added above A, which borrowed from it where it is negative.
    always_comb begin
      taken = acc_i;
      if (two_inputs) taken[2*CODE_WIDTH-1:CODE_WIDTH] = acc_i[2*CODE_WIDTH-1:CODE_WIDTH]
                                                         + {{(CODE_WIDTH-1){1'b0}}, acc_i[CODE_WIDTH-1]};
    end
    // 0 where there are no two operands: the multipliers would follow every sum.
    assign a = two_inputs_q ? acc_q[CODE_WIDTH-1:0] : {CODE_WIDTH{1'b0}};
    assign b = two_inputs_q ? acc_q[2*CODE_WIDTH-1:CODE_WIDTH] : {CODE_WIDTH{1'b0}};
    assign factor_0 = desc_i[F_FACTOR_0 +: B_FACTOR_0];
    assign factor_1 = desc_i[F_FACTOR_1 +: B_FACTOR_1];
    assign times_a = multiply_q ? acc_q[2*CODE_WIDTH-1:CODE_WIDTH] : {CODE_WIDTH{1'b0}};
    assign term_ab = a * times_a;
    assign combined = {{2{term_a_q[TERM_WIDTH-1]}}, term_a_q} + {{2{term_b_q[TERM_WIDTH-1]}}, term_b_q} + rest_q[WIDE-1:0];
    if (WIDEST > WIDE) begin : g_extend
      assign combined_wide = {{(WIDEST-WIDE){combined[WIDE-1]}}, combined};
    end else begin : g_whole
      assign combined_wide = combined;
    end
    always_ff @(posedge clk_i) begin
      if (valid_i[0]) acc_q <= taken;
      if (valid_i[1]) begin
        rest_q <= two_inputs_q ? {{(WIDEST-TERM_WIDTH){term_ab[TERM_WIDTH-1]}}, term_ab}
                               : {{(WIDEST-ACC_WIDTH+1){acc_q[ACC_WIDTH-1]}}, acc_q[ACC_WIDTH-2:0]};
        if (two_inputs_q) begin
          term_a_q <= factor_0 * a;
          term_b_q <= factor_1 * b;
        end
      end
      if (valid_i[2]) sum_q <= two_inputs_q ? combined_wide[ACC_WIDTH-1:0] : rest_q[ACC_WIDTH-1:0];
    end
  end else begin : g_sum
    logic signed [ACC_WIDTH-1:0] rest_q;
    always_ff @(posedge clk_i) begin
      if (valid_i[0]) acc_q <= acc_i;
      if (valid_i[1]) rest_q <= acc_q;
      if (valid_i[2]) sum_q <= rest_q;
    end
    logic unused;
    assign unused = multiply_q ^ two_inputs_q;
  end

  // ------------------------------------------------------------------ stages 4 to 7
  localparam HALF = ACC_WIDTH / 2;
  localparam LOW_WIDTH = HALF + 16;               // of the products of a value's halves
  localparam HIGH_WIDTH = ACC_WIDTH - HALF + 17;
  logic signed [ACC_WIDTH-1:0] value, value_q, shifted_sum, bias;
  logic [15:0] multiplier_q;
  logic [5:0] shift_4_q, shift_5_q, shift_6_q;
  logic [LOW_WIDTH-1:0] low_product_q;
  logic signed [HIGH_WIDTH-1:0] high_product_q, carried;
  logic signed [16:0] multiplier;
  logic signed [ACC_WIDTH-HALF-1:0] high_value;
  logic signed [PRODUCT_WIDTH-1:0] product_q;
  logic signed [PRODUCT_WIDTH:0] doubled;
  assign shifted_sum = sum_q <<< desc_i[F_ACC_SHIFT +: B_ACC_SHIFT];
  assign bias = param_i[ACC_WIDTH-1:0];
  assign value = shifted_sum + bias;
  assign multiplier = {1'b0, multiplier_q};
  assign high_value = value_q[ACC_WIDTH-1:HALF];
  assign carried = {{(HIGH_WIDTH-16){1'b0}}, low_product_q[LOW_WIDTH-1:HALF]};
  // With the last bit that is shifted out, which rounds: so no shift is too long for the product.
  assign doubled = $signed({product_q, 1'b0}) >>> shift_6_q;

  logic signed [LIMIT_WIDTH-1:0] low, high, limited, limited_q;
  if (SWISH_UNIT != 0 || TABLE_UNIT != 0) begin : g_limits
    always_comb begin
      low = clip_low;
      high = clip_high;
      if (activation == ACT_SWISH) begin
        low = -18'sd32768;
        high = 18'sd32767;
      end else if (activation == ACT_TABLE) begin
        low = -18'sd128;
        high = 18'sd127;
      end
    end
  end else begin : g_codes
    assign low = clip_low;
    assign high = clip_high;
  end
  bs_clip #(.WIDTH(PRODUCT_WIDTH + 1), .LIMIT_WIDTH(LIMIT_WIDTH)) u_limit (
    .doubled_i(doubled), .negative_i(product_q[PRODUCT_WIDTH-1]), .offset_i({LIMIT_WIDTH{1'b0}}), .low_i(low), .high_i(high),
    .value_o(limited));

  always_ff @(posedge clk_i) begin
    if (valid_i[3]) begin
      value_q <= value;
      multiplier_q <= activation == ACT_LEAKY && value[ACC_WIDTH-1] ? param_i[ACC_WIDTH+22 +: 16] : param_i[ACC_WIDTH +: 16];
      shift_4_q <= param_i[ACC_WIDTH+16 +: 6];
    end
    if (valid_i[4]) begin
      low_product_q <= {{16{1'b0}}, value_q[HALF-1:0]} * {{HALF{1'b0}}, multiplier_q};
      high_product_q <= high_value * multiplier;
      shift_5_q <= shift_4_q;
    end
    if (valid_i[5]) begin
      product_q <= {high_product_q + carried, low_product_q[HALF-1:0]};
      shift_6_q <= shift_5_q;
    end
    if (valid_i[6]) limited_q <= limited;
  end

  // ------------------------------------------------------------------ stages 8 to 10
  /* verilator lint_off UNUSEDSIGNAL */ // codes are narrower
  logic signed [LIMIT_WIDTH-1:0] passed_q, swish_code;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [MAX_ACTIVATION_BITS-1:0] table_code, ready_q, code_q;
  always_ff @(posedge clk_i) begin
    if (valid_i[7]) passed_q <= limited_q;
    if (valid_i[8] && !swish_q) ready_q <= activation == ACT_TABLE ? table_code : passed_q[MAX_ACTIVATION_BITS-1:0];
    if (valid_i[9]) code_q <= swish_q ? swish_code[MAX_ACTIVATION_BITS-1:0] : ready_q;
  end
  assign code_o = code_q;

  if (SWISH_UNIT != 0) begin : g_swish
    localparam GATED_WIDTH = 32;  // 16-bit value times 16-bit gate
    logic signed [LIMIT_WIDTH:0] opened;
    logic [15:0] three, six, gate_q;
    logic [4:0] shift;
    logic signed [15:0] operand;
    logic signed [16:0] gate;
    logic signed [GATED_WIDTH-1:0] gated_q;
    logic signed [GATED_WIDTH:0] gated_doubled;
    assign three = desc_i[F_SWISH_THREE +: B_SWISH_THREE];
    assign six = desc_i[F_SWISH_SIX +: B_SWISH_SIX];
    assign shift = desc_i[F_SWISH_SHIFT +: B_SWISH_SHIFT];
    assign opened = {limited_q[LIMIT_WIDTH-1], limited_q} + {3'b0, three};
    // 0 for other activations: the multiplier would follow every value.
    assign operand = swish_q ? passed_q[15:0] : 16'd0;
    assign gate = {1'b0, gate_q};
    always_ff @(posedge clk_i) begin
      if (valid_i[7] && swish_q) begin
        if (opened < 0) gate_q <= 16'd0;
        else if (opened > $signed({3'b0, six})) gate_q <= six;
        else gate_q <= opened[15:0];
      end
      if (valid_i[8] && swish_q) gated_q <= operand * gate;
    end
    assign gated_doubled = $signed({gated_q, 1'b0}) >>> shift;
    bs_clip #(.WIDTH(GATED_WIDTH + 1), .LIMIT_WIDTH(LIMIT_WIDTH)) u_swish (
      .doubled_i(gated_doubled), .negative_i(gated_q[GATED_WIDTH-1]), .offset_i(desc_i[F_SWISH_OFFSET +: B_SWISH_OFFSET]),
      .low_i(clip_low), .high_i(clip_high), .value_o(swish_code));
  end else begin : g_no_swish
    assign swish_code = {LIMIT_WIDTH{1'b0}};
  end

  if (TABLE_UNIT != 0) begin : g_table
    localparam ENTRIES = DATA_WIDTH / 8;  // a word
    localparam ENTRY_WIDTH = $clog2(ENTRIES);
    logic [7:ENTRY_WIDTH] index;  // of the word
    logic [DATA_WIDTH-1:0] word;
    /* verilator lint_off UNUSEDSIGNAL */
    logic [MAX_ACTIVATION_BITS+7:0] entry;
    /* verilator lint_on UNUSEDSIGNAL */
    assign index = {!limited_q[7], limited_q[6:ENTRY_WIDTH]};  // plus 128
    bs_ram #(.WIDTH(DATA_WIDTH), .DEPTH(2048 / DATA_WIDTH)) u_table (
      .clk_i(clk_i), .we_i(table_write_i), .waddr_i(table_address_i), .wdata_i(table_data_i),
      .re_i(valid_i[7] && activation == ACT_TABLE), .raddr_i(index), .rdata_o(word));
    assign entry = {{MAX_ACTIVATION_BITS{1'b0}}, word[passed_q[ENTRY_WIDTH-1:0]*8 +: 8]};
    assign table_code = entry[MAX_ACTIVATION_BITS-1:0];
  end else begin : g_no_table
    assign table_code = {MAX_ACTIVATION_BITS{1'b0}};
    logic unused;
    assign unused = ^{table_write_i, table_address_i, table_data_i};
  end
endmodule
