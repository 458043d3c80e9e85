// SPDX-License-Identifier: Apache-2.0
// From one accumulated value to its code, as model/integer_network.h defines it: combination of two operands (adds and
// products), bias, scale and rounding, activation. LATENCY = 7 cycles.
//
//   stage 1  value of the two operands A (low CODE_WIDTH bits of the sum) and B (above them), or the sum itself
//   stage 2  shifted up by 0 to 7 places, so that biases have fraction bits, plus bias
//   stage 3  times the multiplier (leaky activations: that of negative values where the value is negative)
//   stage 4  shifted right and rounded: 2^(shift-1) is added as one half of the last bit shifted out, so that no shift
//            is too long for the product
//   stage 5  clipped: to the codes, to 16 bits (hard swish), to 8 bits (table)
//   stage 6  hard swish: times its gate; table: looked up
//   stage 7  hard swish: shifted, rounded, clipped
module bs_requant #(
  parameter ACC_WIDTH = 48,
  parameter DATA_WIDTH = 64,
  parameter MAX_ACTIVATION_BITS = 16,
  parameter VECTOR_UNIT = 1,
  parameter SWISH_UNIT = 1,
  parameter TABLE_UNIT = 1
) (
  input  logic                        clk_i,
  input  logic [6:0]                  valid_i,  // stages 1..7 take something
  /* verilator lint_off UNUSEDSIGNAL */
  input  logic [64*32-1:0]            desc_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  logic signed [ACC_WIDTH-1:0] acc_i,
  input  logic [ACC_WIDTH+37:0]       param_i,  // {multiplier of negative values, shift, multiplier, bias}
  // Table: one word of DATA_WIDTH / 8 entries.
  input  logic                        table_write_i,
  input  logic [$clog2(2048/DATA_WIDTH)-1:0] table_address_i,
  input  logic [DATA_WIDTH-1:0]       table_data_i,
  output logic [MAX_ACTIVATION_BITS-1:0] code_o
);
  `include "bs_descriptor.svh"
  localparam PRODUCT_WIDTH = ACC_WIDTH + 17;
  localparam CODE_WIDTH = MAX_ACTIVATION_BITS + 1;
  localparam LIMIT_WIDTH = 18;  // of what stage 5 leaves: codes, 16-bit values and table indices are narrower

  logic [1:0] activation;
  logic two_inputs, multiply;
  assign activation = desc_i[F_ACTIVATION +: B_ACTIVATION];
  assign two_inputs = desc_i[F_OPCODE +: B_OPCODE] == OP_ADD || desc_i[F_OPCODE +: B_OPCODE] == OP_MULTIPLY;
  assign multiply = desc_i[F_OPCODE +: B_OPCODE] == OP_MULTIPLY;
  logic signed [LIMIT_WIDTH-1:0] clip_low, clip_high;
  assign clip_low = desc_i[F_CLIP_LOW +: LIMIT_WIDTH];
  assign clip_high = desc_i[F_CLIP_HIGH +: LIMIT_WIDTH];

  // ------------------------------------------------------------------ stage 1
  logic signed [ACC_WIDTH-1:0] sum_q;
  logic [ACC_WIDTH+37:0] param_1_q;
  if (VECTOR_UNIT != 0 && ACC_WIDTH >= 2 * CODE_WIDTH) begin : g_combine
    localparam TERM_WIDTH = 17 + CODE_WIDTH;  // product of a factor and a code; codes have 17 bits at most
    localparam WIDE = TERM_WIDTH + 2 > ACC_WIDTH ? TERM_WIDTH + 2 : ACC_WIDTH;
    logic signed [CODE_WIDTH-1:0] a, b, times_a;
    logic signed [16:0] factor_0, factor_1;
    // Each product by itself, so that its operands stay narrow and signed.
    logic signed [TERM_WIDTH-1:0] term_a, term_b, term_ab;
    /* verilator lint_off UNUSEDSIGNAL */
    logic signed [WIDE-1:0] combined;
    /* verilator lint_on UNUSEDSIGNAL */
    // 0 where there are no two operands: the multipliers would follow every sum.
    assign a = two_inputs ? acc_i[CODE_WIDTH-1:0] : {CODE_WIDTH{1'b0}};
    // B was added above A, which borrowed from it where it is negative.
    assign b = two_inputs ? acc_i[2*CODE_WIDTH-1:CODE_WIDTH] + {{(CODE_WIDTH-1){1'b0}}, a[CODE_WIDTH-1]}
                          : {CODE_WIDTH{1'b0}};
    assign factor_0 = desc_i[F_FACTOR_0 +: B_FACTOR_0];
    assign factor_1 = desc_i[F_FACTOR_1 +: B_FACTOR_1];
    assign times_a = multiply ? b : {CODE_WIDTH{1'b0}};
    assign term_a = factor_0 * a;
    assign term_b = factor_1 * b;
    assign term_ab = a * times_a;
    assign combined = {{(WIDE-TERM_WIDTH){term_a[TERM_WIDTH-1]}}, term_a} + {{(WIDE-TERM_WIDTH){term_b[TERM_WIDTH-1]}}, term_b}
                    + {{(WIDE-TERM_WIDTH){term_ab[TERM_WIDTH-1]}}, term_ab};
    always_ff @(posedge clk_i) if (valid_i[0]) sum_q <= two_inputs ? combined[ACC_WIDTH-1:0] : acc_i;
  end else begin : g_sum
    always_ff @(posedge clk_i) if (valid_i[0]) sum_q <= acc_i;
    logic unused;
    assign unused = multiply ^ two_inputs;
  end
  always_ff @(posedge clk_i) if (valid_i[0]) param_1_q <= param_i;

  // ------------------------------------------------------------------ stages 2 to 5
  logic signed [ACC_WIDTH-1:0] value_q, shifted_sum, bias;
  logic [15:0] multiplier_q, negative_multiplier_q, multiplier;
  logic [5:0] shift_2_q, shift_3_q;
  logic signed [PRODUCT_WIDTH-1:0] product_q, rounded_q, value_ext, multiplier_ext, doubled, nearest;
  assign shifted_sum = sum_q <<< desc_i[F_ACC_SHIFT +: B_ACC_SHIFT];
  assign bias = param_1_q[ACC_WIDTH-1:0];
  assign multiplier = activation == ACT_LEAKY && value_q[ACC_WIDTH-1] ? negative_multiplier_q : multiplier_q;
  assign value_ext = {{17{value_q[ACC_WIDTH-1]}}, value_q};
  assign multiplier_ext = {{(PRODUCT_WIDTH-16){1'b0}}, multiplier};
  // Used where the shift is not 0. Signed by themselves: a concatenation beside them would make the shift unsigned.
  assign doubled = product_q >>> (shift_3_q - 6'd1);
  assign nearest = doubled + $signed({{(PRODUCT_WIDTH-1){1'b0}}, 1'b1});

  logic signed [LIMIT_WIDTH-1:0] low, high, limited_q;
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
  logic signed [PRODUCT_WIDTH-1:0] low_ext, high_ext;
  assign low_ext = {{(PRODUCT_WIDTH-LIMIT_WIDTH){low[LIMIT_WIDTH-1]}}, low};
  assign high_ext = {{(PRODUCT_WIDTH-LIMIT_WIDTH){high[LIMIT_WIDTH-1]}}, high};

  always_ff @(posedge clk_i) begin
    if (valid_i[1]) begin
      value_q <= shifted_sum + bias;
      multiplier_q <= param_1_q[ACC_WIDTH +: 16];
      shift_2_q <= param_1_q[ACC_WIDTH+16 +: 6];
      negative_multiplier_q <= param_1_q[ACC_WIDTH+22 +: 16];
    end
    if (valid_i[2]) begin
      product_q <= value_ext * multiplier_ext;
      shift_3_q <= shift_2_q;
    end
    if (valid_i[3]) begin
      rounded_q <= shift_3_q == 6'd0 ? product_q : nearest >>> 1;
    end
    if (valid_i[4]) begin
      if (rounded_q < low_ext) limited_q <= low;
      else if (rounded_q > high_ext) limited_q <= high;
      else limited_q <= rounded_q[LIMIT_WIDTH-1:0];
    end
  end

  // ------------------------------------------------------------------ stages 6 and 7
  /* verilator lint_off UNUSEDSIGNAL */ // codes are narrower
  logic signed [LIMIT_WIDTH-1:0] passed_q;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [MAX_ACTIVATION_BITS-1:0] swish_code, table_code, code_q;
  always_ff @(posedge clk_i) begin
    if (valid_i[5]) passed_q <= limited_q;
    if (valid_i[6]) begin
      code_q <= activation == ACT_SWISH ? swish_code
              : activation == ACT_TABLE ? table_code : passed_q[MAX_ACTIVATION_BITS-1:0];
    end
  end
  assign code_o = code_q;

  if (SWISH_UNIT != 0) begin : g_swish
    localparam WIDE = 36;  // 16-bit value times 16-bit gate, signed, plus offset
    logic signed [LIMIT_WIDTH:0] opened;
    logic [15:0] three, six, gate;
    logic [4:0] shift;
    logic signed [LIMIT_WIDTH-1:0] value;
    logic signed [16:0] gate_signed;
    logic signed [WIDE-1:0] gated_q, gated_doubled, gated_nearest, gated_rounded, rounded, offset, low_wide, high_wide;
    assign three = desc_i[F_SWISH_THREE +: B_SWISH_THREE];
    assign six = desc_i[F_SWISH_SIX +: B_SWISH_SIX];
    assign shift = desc_i[F_SWISH_SHIFT +: B_SWISH_SHIFT];
    assign offset = {{(WIDE-18){desc_i[F_SWISH_OFFSET + B_SWISH_OFFSET - 1]}}, desc_i[F_SWISH_OFFSET +: B_SWISH_OFFSET]};
    assign opened = {limited_q[LIMIT_WIDTH-1], limited_q} + {3'b0, three};
    always_comb begin
      gate = opened[15:0];
      if (opened < 0) gate = 16'd0;
      else if (opened > $signed({3'b0, six})) gate = six;
    end
    // 0 for other activations: the multiplier would follow every value.
    assign value = activation == ACT_SWISH ? limited_q : {LIMIT_WIDTH{1'b0}};
    assign gate_signed = {1'b0, gate};
    always_ff @(posedge clk_i) begin
      if (valid_i[5] && activation == ACT_SWISH) gated_q <= value * gate_signed;
    end
    assign gated_doubled = gated_q >>> (shift - 5'd1);
    assign gated_nearest = gated_doubled + $signed({{(WIDE-1){1'b0}}, 1'b1});
    assign gated_rounded = shift == 5'd0 ? gated_q : gated_nearest >>> 1;
    assign rounded = gated_rounded + offset;
    assign low_wide = {{(WIDE-LIMIT_WIDTH){clip_low[LIMIT_WIDTH-1]}}, clip_low};
    assign high_wide = {{(WIDE-LIMIT_WIDTH){clip_high[LIMIT_WIDTH-1]}}, clip_high};
    assign swish_code = rounded < low_wide ? clip_low[MAX_ACTIVATION_BITS-1:0]
                        : rounded > high_wide ? clip_high[MAX_ACTIVATION_BITS-1:0]
                        : rounded[MAX_ACTIVATION_BITS-1:0];
  end else begin : g_no_swish
    assign swish_code = {MAX_ACTIVATION_BITS{1'b0}};
  end

  if (TABLE_UNIT != 0) begin : g_table
    localparam ENTRIES = DATA_WIDTH / 8;  // a word
    localparam ENTRY_WIDTH = $clog2(ENTRIES);
    logic [7:0] index;
    logic [ENTRY_WIDTH-1:0] entry_q;
    logic [DATA_WIDTH-1:0] word;
    /* verilator lint_off UNUSEDSIGNAL */
    logic [MAX_ACTIVATION_BITS+7:0] entry;
    /* verilator lint_on UNUSEDSIGNAL */
    assign index = {!limited_q[7], limited_q[6:0]};  // plus 128
    always_ff @(posedge clk_i) if (valid_i[5]) entry_q <= index[ENTRY_WIDTH-1:0];
    bs_ram #(.WIDTH(DATA_WIDTH), .DEPTH(2048 / DATA_WIDTH)) u_table (
      .clk_i(clk_i), .we_i(table_write_i), .waddr_i(table_address_i), .wdata_i(table_data_i),
      .re_i(valid_i[5] && activation == ACT_TABLE), .raddr_i(index[7:ENTRY_WIDTH]), .rdata_o(word));
    assign entry = {{MAX_ACTIVATION_BITS{1'b0}}, word[entry_q*8 +: 8]};
    assign table_code = entry[MAX_ACTIVATION_BITS-1:0];
  end else begin : g_no_table
    assign table_code = {MAX_ACTIVATION_BITS{1'b0}};
    logic unused;
    assign unused = ^{table_write_i, table_address_i, table_data_i};
  end
endmodule
