// SPDX-License-Identifier: Apache-2.0
// One column of the array: ROWS one-bit weight cells, AND with the broadcast activation plane, popcount, and its part of
// what the columns of an output share: in every plane their counts are joined first, weighted by their places, and the
// sum is accumulated once, in the output's first column (planes come most significant first, so the shift is a constant
// 1). Level l of the joiner adds what the column 2^l on holds, where this column is the even end of a pair inside one
// output. Two levels come before a register and two behind it.
//
// A plane on act_i in cycle t is counted at its end, joined up to four columns at the end of t+1, accumulated at the end
// of t+2, and may be taken in t+3.
module bs_column #(
  parameter ROWS      = 64,  // cells
  parameter FOLD = 1,        // most planes on act_i, each in a part of the rows
  parameter COUNT_WIDTH = 7, // of their weighted counts
  parameter LOAD_ROWS = 1,   // cells that are written at once
  parameter MAX_WEIGHT_BITS = 16,
  parameter PAIR_WIDTH  = 10, // of sums of up to two, four, eight columns and of all of an output, two's complement
  parameter FOUR_WIDTH  = 12,
  parameter EIGHT_WIDTH = 16,
  parameter SUM_WIDTH   = 23,
  parameter ACC_WIDTH   = 40, // Horner accumulator of an output
  parameter INDEX     = 0,   // position in the macro
  parameter POPCOUNT_TREE = 0, // 1: bs_products in place of $countones
  parameter CLOCK_GATING = 0   // 1: registers are clocked when they load, by gates in place of enables
) (
  input  logic                    clk_i,
  // Role of this column for the layer's weight width, registered when configure_i is set.
  input  logic                    configure_i,
  input  logic [4:0]              weight_bits_i,
  // Weight cells: LOAD_ROWS neighbours a cycle; gated: by the clocks of their rows.
  input  logic [ROWS-1:0]         cell_clk_i,
  input  logic                    weight_we_i,
  input  logic [$clog2(ROWS)-1:0] weight_row_i,
  input  logic [LOAD_ROWS-1:0]    weight_bits_of_rows_i,
  // Plane pipeline: a plane on the cells, its counts, their sums. enable_i: the column belongs to an output of this tile.
  input  logic                    enable_i,
  input  logic                    plane_valid_i,
  input  logic [ROWS-1:0]         act_i,
  input  logic [1:0]              fold_i,          // log2 of the planes on it
  input  logic                    count_valid_i,
  input  logic                    sum_valid_i,
  input  logic                    sum_first_i,     // first plane of a vector
  input  logic [1:0]              sum_fold_i,      // and of those in the sums
  input  logic                    sum_negative_i,  // sign plane of two's complement activations
  // What columns INDEX+1, +2, +4 and +8 hold at the joiner's levels.
  input  logic [COUNT_WIDTH-1:0]        one_1_i,
  input  logic signed [PAIR_WIDTH-1:0]  pair_2_i,
  input  logic signed [FOUR_WIDTH-1:0]  four_4_i,
  input  logic signed [EIGHT_WIDTH-1:0] eight_8_i,
  output logic [COUNT_WIDTH-1:0]        one_o,
  output logic signed [PAIR_WIDTH-1:0]  pair_o,
  output logic signed [FOUR_WIDTH-1:0]  four_o,
  output logic signed [EIGHT_WIDTH-1:0] eight_o,
  output logic signed [SUM_WIDTH-1:0]   sum_o,
  output logic signed [ACC_WIDTH-1:0]   acc_o
);

  // Position of this column's bit in its output's weight (INDEX mod weight_bits, least significant first) decides its
  // role. No column follows that of the sign bit, so where it joins, it joins alone: its count is subtracted there.
  logic [3:0] position;
  logic [3:0] adds_q, subtracts_q;
  logic       fourth_q, first_q;  // holds the sum of up to four columns, of all of an output
  always_ff @(posedge clk_i) begin
    if (configure_i) begin
      /* verilator lint_off WIDTH */     // constants below 16
      /* verilator lint_off BLKSEQ */    // an intermediate of this block
      case (weight_bits_i)
        5'd1: position = INDEX % 1;
        5'd2: position = INDEX % 2;
        5'd3: position = INDEX % 3;
        5'd4: position = INDEX % 4;
        5'd5: position = INDEX % 5;
        5'd6: position = INDEX % 6;
        5'd7: position = INDEX % 7;
        5'd8: position = INDEX % 8;
        5'd9: position = INDEX % 9;
        5'd10: position = INDEX % 10;
        5'd11: position = INDEX % 11;
        5'd12: position = INDEX % 12;
        5'd13: position = INDEX % 13;
        5'd14: position = INDEX % 14;
        5'd15: position = INDEX % 15;
        default: position = INDEX % 16;
      endcase
      /* verilator lint_on BLKSEQ */
      /* verilator lint_on WIDTH */
      adds_q[0] <= !position[0] && ({1'b0, position} + 5'd1 < weight_bits_i);
      adds_q[1] <= position[1:0] == 2'd0 && ({1'b0, position} + 5'd2 < weight_bits_i);
      adds_q[2] <= position[2:0] == 3'd0 && ({1'b0, position} + 5'd4 < weight_bits_i);
      adds_q[3] <= position == 4'd0 && weight_bits_i > 5'd8;
      subtracts_q[0] <= !position[0] && {1'b0, position} + 5'd2 == weight_bits_i;
      subtracts_q[1] <= position[1:0] == 2'd0 && {1'b0, position} + 5'd3 == weight_bits_i;
      subtracts_q[2] <= position[2:0] == 3'd0 && {1'b0, position} + 5'd5 == weight_bits_i;
      subtracts_q[3] <= position == 4'd0 && weight_bits_i == 5'd9;
      fourth_q <= position[1:0] == 2'd0;
      first_q <= position == 4'd0;
    end
  end

  logic [ROWS-1:0] cells;
  logic count_clk, four_clk, acc_clk;
  if (CLOCK_GATING != 0) begin : g_gated
    for (genvar r = 0; r < ROWS; r = r + 1) begin : g_cell
      logic cell_q;
      always_ff @(posedge cell_clk_i[r]) cell_q <= weight_bits_of_rows_i[r % LOAD_ROWS];
      assign cells[r] = cell_q;
    end
    bs_clock_gate u_count (.clk_i(clk_i), .enable_i(plane_valid_i && enable_i), .clk_o(count_clk));
    bs_clock_gate u_four (.clk_i(clk_i), .enable_i(count_valid_i && enable_i && fourth_q), .clk_o(four_clk));
    bs_clock_gate u_acc (.clk_i(clk_i), .enable_i(sum_valid_i && enable_i && first_q), .clk_o(acc_clk));
    logic unused;
    assign unused = ^{weight_we_i, weight_row_i};
  end else begin : g_enabled
    logic [ROWS-1:0] cell_q;
    always_ff @(posedge clk_i) begin
      if (weight_we_i) cell_q[weight_row_i * LOAD_ROWS +: LOAD_ROWS] <= weight_bits_of_rows_i;
    end
    assign cells = cell_q;
    assign count_clk = clk_i;
    assign four_clk = clk_i;
    assign acc_clk = clk_i;
    logic unused;
    assign unused = ^cell_clk_i;
  end

  // Tests of signals that all columns share come first: simulators then skip all idle columns at once. The products
  // have a name because Icarus 11 counts wrongly in $countones of an expression.
  logic [COUNT_WIDTH-1:0] count_q;
  if (POPCOUNT_TREE != 0) begin : g_tree
    logic [COUNT_WIDTH-1:0] count;
    bs_products #(.ROWS(ROWS), .FOLD(FOLD), .COUNT_WIDTH(COUNT_WIDTH)) u_products (
      .act_i(act_i), .weight_i(cells), .fold_i(fold_i), .count_o(count));
    always_ff @(posedge count_clk) begin
      if (CLOCK_GATING != 0 || (plane_valid_i && enable_i)) count_q <= count;
    end
  end else if (FOLD == 1) begin : g_countones
    logic [ROWS-1:0] products;
    always_ff @(posedge count_clk) begin
      if (CLOCK_GATING != 0 || plane_valid_i) begin
        if (CLOCK_GATING != 0 || enable_i) begin
          /* verilator lint_off BLKSEQ */ // an intermediate of this block
          products = act_i & cells;
          /* verilator lint_on BLKSEQ */
          count_q <= $countones(products);
        end
      end
    end
  end else begin : g_weighted
    localparam PART = ROWS / FOLD;
    localparam LAST = FOLD - 1;
    logic [ROWS-1:0] products;
    logic [ROWS/2-1:0] low, high;
    logic [PART-1:0] first, second, third, fourth;
    always_ff @(posedge count_clk) begin
      if (CLOCK_GATING != 0 || plane_valid_i) begin
        if (CLOCK_GATING != 0 || enable_i) begin
          /* verilator lint_off BLKSEQ */ // intermediates of this block
          /* verilator lint_off WIDTH */  // $countones has 32 bits
          products = act_i & cells;
          if (fold_i == 2'd0) begin
            count_q <= $countones(products);
          end else if (FOLD == 2 || fold_i == 2'd1) begin
            low = products[0 +: ROWS/2];
            high = products[ROWS/2 +: ROWS/2];
            count_q <= $countones(low) + 2 * $countones(high);
          end else begin
            first = products[0 +: PART];
            second = products[PART +: PART];
            third = products[(LAST - 1)*PART +: PART];
            fourth = products[LAST*PART +: PART];
            count_q <= $countones(first) + 2 * $countones(second) + 4 * $countones(third) + 8 * $countones(fourth);
          end
          /* verilator lint_on WIDTH */
          /* verilator lint_on BLKSEQ */
        end
      end
    end
  end

  assign one_o = count_q;

  // The joiner. What is not to be added is 0.
  logic signed [PAIR_WIDTH-1:0] one_wide;
  assign one_wide = {{(PAIR_WIDTH - COUNT_WIDTH){1'b0}}, count_q};
  if (MAX_WEIGHT_BITS > 1) begin : g_pair
    logic signed [PAIR_WIDTH-1:0] pair_addend;
    assign pair_addend = adds_q[0] ? {{(PAIR_WIDTH - COUNT_WIDTH - 1){1'b0}}, one_1_i, 1'b0} : {PAIR_WIDTH{1'b0}};
    assign pair_o = subtracts_q[0] ? one_wide - pair_addend : one_wide + pair_addend;
  end else begin : g_no_pair
    assign pair_o = one_wide;
    logic unused;
    assign unused = ^{one_1_i, adds_q[0], subtracts_q[0]};
  end
  logic signed [FOUR_WIDTH-1:0] four, four_q;
  logic signed [FOUR_WIDTH-1:0] pair_o_wide;
  assign pair_o_wide = {{(FOUR_WIDTH - PAIR_WIDTH + 1){pair_o[PAIR_WIDTH-1]}}, pair_o[PAIR_WIDTH-2:0]};
  if (MAX_WEIGHT_BITS > 2) begin : g_four
    logic signed [FOUR_WIDTH-1:0] four_addend;
    /* verilator lint_off UNUSEDSIGNAL */ // the top bits repeat the sign
    logic [PAIR_WIDTH+FOUR_WIDTH-1:0] far;
    /* verilator lint_on UNUSEDSIGNAL */
    assign far = {{FOUR_WIDTH{pair_2_i[PAIR_WIDTH-1]}}, pair_2_i};
    assign four_addend = adds_q[1] ? {far[FOUR_WIDTH-2-1:0], 2'd0} : {FOUR_WIDTH{1'b0}};
    assign four = subtracts_q[1] ? pair_o_wide - four_addend : pair_o_wide + four_addend;
  end else begin : g_no_four
    assign four = pair_o_wide;
    logic unused;
    assign unused = ^{pair_2_i, adds_q[1], subtracts_q[1]};
  end
  always_ff @(posedge four_clk) begin
    if (CLOCK_GATING != 0 || count_valid_i) begin
      if (CLOCK_GATING != 0 || (enable_i && fourth_q)) four_q <= four;
    end
  end
  assign four_o = four_q;
  logic signed [EIGHT_WIDTH-1:0] four_q_wide;
  assign four_q_wide = {{(EIGHT_WIDTH - FOUR_WIDTH + 1){four_q[FOUR_WIDTH-1]}}, four_q[FOUR_WIDTH-2:0]};
  if (MAX_WEIGHT_BITS > 4) begin : g_eight
    logic signed [EIGHT_WIDTH-1:0] eight_addend;
    /* verilator lint_off UNUSEDSIGNAL */ // the top bits repeat the sign
    logic [FOUR_WIDTH+EIGHT_WIDTH-1:0] far;
    /* verilator lint_on UNUSEDSIGNAL */
    assign far = {{EIGHT_WIDTH{four_4_i[FOUR_WIDTH-1]}}, four_4_i};
    assign eight_addend = adds_q[2] ? {far[EIGHT_WIDTH-4-1:0], 4'd0} : {EIGHT_WIDTH{1'b0}};
    assign eight_o = subtracts_q[2] ? four_q_wide - eight_addend : four_q_wide + eight_addend;
  end else begin : g_no_eight
    assign eight_o = four_q_wide;
    logic unused;
    assign unused = ^{four_4_i, adds_q[2], subtracts_q[2]};
  end
  logic signed [SUM_WIDTH-1:0] eight_o_wide;
  assign eight_o_wide = {{(SUM_WIDTH - EIGHT_WIDTH + 1){eight_o[EIGHT_WIDTH-1]}}, eight_o[EIGHT_WIDTH-2:0]};
  if (MAX_WEIGHT_BITS > 8) begin : g_sum
    logic signed [SUM_WIDTH-1:0] sum_addend;
    /* verilator lint_off UNUSEDSIGNAL */ // the top bits repeat the sign
    logic [EIGHT_WIDTH+SUM_WIDTH-1:0] far;
    /* verilator lint_on UNUSEDSIGNAL */
    assign far = {{SUM_WIDTH{eight_8_i[EIGHT_WIDTH-1]}}, eight_8_i};
    assign sum_addend = adds_q[3] ? {far[SUM_WIDTH-8-1:0], 8'd0} : {SUM_WIDTH{1'b0}};
    assign sum_o = subtracts_q[3] ? eight_o_wide - sum_addend : eight_o_wide + sum_addend;
  end else begin : g_no_sum
    assign sum_o = eight_o_wide;
    logic unused;
    assign unused = ^{eight_8_i, adds_q[3], subtracts_q[3]};
  end

  logic signed [ACC_WIDTH-1:0] acc_q, sum_wide, augend, addend;
  assign sum_wide = {{(ACC_WIDTH - SUM_WIDTH){sum_o[SUM_WIDTH-1]}}, sum_o};
  assign augend = sum_first_i ? {ACC_WIDTH{1'b0}}
                  : FOLD == 4 && sum_fold_i == 2'd2 ? {acc_q[ACC_WIDTH-5:0], 4'd0}
                  : FOLD != 1 && sum_fold_i == 2'd1 ? {acc_q[ACC_WIDTH-3:0], 2'd0} : {acc_q[ACC_WIDTH-2:0], 1'b0};
  assign addend = sum_negative_i ? -sum_wide : sum_wide;
  always_ff @(posedge acc_clk) begin
    if (CLOCK_GATING != 0 || sum_valid_i) begin
      if (CLOCK_GATING != 0 || (enable_i && first_q)) acc_q <= augend + addend;
    end
  end
  assign acc_o = acc_q;
  if (FOLD == 1) begin : g_no_fold
    logic unused;
    assign unused = ^{fold_i, sum_fold_i};
  end
endmodule
