// SPDX-License-Identifier: Apache-2.0
// One column of the array: ROWS one-bit weight cells, AND with the broadcast activation plane, popcount, and its part of
// what the columns of an output share: in every plane their counts are joined first, weighted by their places, and the
// sum is accumulated once, in the output's first column (planes come most significant first, so the shift is a constant
// 1). Level l of the joiner adds what the column 2^l on holds, where this column is the even end of a pair inside one
// output. Two levels come before a register and two behind it. INDEX says which levels a column may ever have to join: an
// output of w columns begins at a multiple of w only.
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
  // Role of this column for the layer's weight width, registered when configure_i is set; gated: by the clock of roles.
  input  logic                    role_clk_i,
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
  output logic signed [EIGHT_WIDTH-1:0] eight_o,  // where INDEX - 8 may join it
  output logic signed [ACC_WIDTH-1:0]   acc_o
);

  // The widest output that begins at this column: its sums are as narrow as that says.
  function automatic integer widest_output(input integer index);
    widest_output = 1;
    for (integer w = 2; w <= MAX_WEIGHT_BITS; w = w + 1) if (index % w == 0) widest_output = w;
  endfunction
  // Whether at some weight width the column joins 2^level columns with the 2^level next ones.
  function automatic joins(input integer index, input integer level);
    joins = 1'b0;
    for (integer w = 2; w <= MAX_WEIGHT_BITS; w = w + 1)
      if (index % w % (1 << (level + 1)) == 0 && index % w + (1 << level) < w) joins = 1'b1;
  endfunction
  localparam WIDEST = widest_output(INDEX);
  localparam OWN_WIDTH = ACC_WIDTH - (MAX_WEIGHT_BITS - WIDEST);  // of the accumulator
  localparam [3:0] JOINS = {joins(INDEX, 3), joins(INDEX, 2), joins(INDEX, 1), joins(INDEX, 0)};

  // Position of this column's bit in its output's weight (INDEX mod weight_bits, least significant first) decides its
  // role. No column follows that of the sign bit, so where it joins, it joins alone: its count is subtracted there.
  logic [3:0] position;
  logic [3:0] adds_q, subtracts_q;
  logic       fourth_q, first_q;  // holds the sum of up to four columns, of all of an output
  always_ff @(posedge role_clk_i) begin
    if (CLOCK_GATING != 0 || configure_i) begin
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

  // The joiner. What is not to be added is 0. What no other column reads is worked out in the functions that the
  // registers call: simulators then do it where a register loads only, an eighth of the columns at 8-bit weights.
  logic signed [PAIR_WIDTH-1:0] one_wide;
  assign one_wide = {{(PAIR_WIDTH - COUNT_WIDTH){1'b0}}, count_q};
  if (JOINS[0]) begin : g_pair
    logic signed [PAIR_WIDTH-1:0] pair_addend;
    assign pair_addend = adds_q[0] ? {{(PAIR_WIDTH - COUNT_WIDTH - 1){1'b0}}, one_1_i, 1'b0} : {PAIR_WIDTH{1'b0}};
    assign pair_o = subtracts_q[0] ? one_wide - pair_addend : one_wide + pair_addend;
  end else begin : g_no_pair
    assign pair_o = one_wide;
    logic unused;
    assign unused = ^{one_1_i, adds_q[0], subtracts_q[0]};
  end

  /* verilator lint_off UNUSEDSIGNAL */ // top bits that repeat the sign; what the level does not join
  function automatic signed [FOUR_WIDTH-1:0] four_of(
      input signed [PAIR_WIDTH-1:0] near_pair, input signed [PAIR_WIDTH-1:0] far_pair, input adds, input subtracts);
    logic signed [FOUR_WIDTH-1:0] near_wide, far_wide;
    begin
      near_wide = {{(FOUR_WIDTH - PAIR_WIDTH + 1){near_pair[PAIR_WIDTH-1]}}, near_pair[PAIR_WIDTH-2:0]};
      far_wide = {{(FOUR_WIDTH - PAIR_WIDTH + 1){far_pair[PAIR_WIDTH-1]}}, far_pair[PAIR_WIDTH-2:0]};
      far_wide = adds ? far_wide << 2 : {FOUR_WIDTH{1'b0}};
      four_of = !JOINS[1] ? near_wide : subtracts ? near_wide - far_wide : near_wide + far_wide;
    end
  endfunction
  function automatic signed [EIGHT_WIDTH-1:0] eight_of(
      input signed [FOUR_WIDTH-1:0] near_four, input signed [FOUR_WIDTH-1:0] far_four, input adds, input subtracts);
    logic signed [EIGHT_WIDTH-1:0] near_wide, far_wide;
    begin
      near_wide = {{(EIGHT_WIDTH - FOUR_WIDTH + 1){near_four[FOUR_WIDTH-1]}}, near_four[FOUR_WIDTH-2:0]};
      far_wide = {{(EIGHT_WIDTH - FOUR_WIDTH + 1){far_four[FOUR_WIDTH-1]}}, far_four[FOUR_WIDTH-2:0]};
      far_wide = adds ? far_wide << 4 : {EIGHT_WIDTH{1'b0}};
      eight_of = !JOINS[2] ? near_wide : subtracts ? near_wide - far_wide : near_wide + far_wide;
    end
  endfunction
  function automatic signed [SUM_WIDTH-1:0] sum_of(
      input signed [EIGHT_WIDTH-1:0] near_eight, input signed [EIGHT_WIDTH-1:0] far_eight, input adds, input subtracts);
    logic signed [SUM_WIDTH-1:0] near_wide, far_wide;
    begin
      near_wide = {{(SUM_WIDTH - EIGHT_WIDTH + 1){near_eight[EIGHT_WIDTH-1]}}, near_eight[EIGHT_WIDTH-2:0]};
      far_wide = {{(SUM_WIDTH - EIGHT_WIDTH + 1){far_eight[EIGHT_WIDTH-1]}}, far_eight[EIGHT_WIDTH-2:0]};
      far_wide = adds ? far_wide << 8 : {SUM_WIDTH{1'b0}};
      sum_of = !JOINS[3] ? near_wide : subtracts ? near_wide - far_wide : near_wide + far_wide;
    end
  endfunction
  /* verilator lint_on UNUSEDSIGNAL */
  logic signed [FOUR_WIDTH-1:0] four_q;
  always_ff @(posedge four_clk) begin
    if (CLOCK_GATING != 0 || count_valid_i) begin
      if (CLOCK_GATING != 0 || (enable_i && fourth_q)) four_q <= four_of(pair_o, pair_2_i, adds_q[1], subtracts_q[1]);
    end
  end
  assign four_o = four_q;

  localparam EIGHT_READ = INDEX >= 8 && joins(INDEX >= 8 ? INDEX - 8 : 0, 3);  // by the column that joins them
  assign eight_o = EIGHT_READ ? eight_of(four_q, four_4_i, adds_q[2], subtracts_q[2]) : {EIGHT_WIDTH{1'b0}};

  logic signed [OWN_WIDTH-1:0] acc_q;
  function automatic signed [OWN_WIDTH-1:0] augend_of(
      input signed [OWN_WIDTH-1:0] acc, input first, input [1:0] fold);
    augend_of = first ? {OWN_WIDTH{1'b0}} : FOLD == 4 && fold == 2'd2 ? acc << 4 : FOLD != 1 && fold == 2'd1 ? acc << 2 : acc << 1;
  endfunction
  /* verilator lint_off WIDTH */ // what the output's width leaves of the sum, or its sign again
  /* verilator lint_off UNUSEDSIGNAL */
  function automatic signed [OWN_WIDTH-1:0] addend_of(input signed [SUM_WIDTH-1:0] sum, input negative);
    logic signed [OWN_WIDTH-1:0] own;
    begin
      own = sum;
      addend_of = negative ? -own : own;
    end
  endfunction
  /* verilator lint_on UNUSEDSIGNAL */
  /* verilator lint_on WIDTH */
  always_ff @(posedge acc_clk) begin
    if (CLOCK_GATING != 0 || sum_valid_i) begin
      if (CLOCK_GATING != 0 || (enable_i && first_q))
        acc_q <= augend_of(acc_q, sum_first_i, sum_fold_i)
                 + addend_of(sum_of(eight_of(four_q, four_4_i, adds_q[2], subtracts_q[2]), eight_8_i, adds_q[3], subtracts_q[3]),
                             sum_negative_i);
    end
  end
  assign acc_o = {{(ACC_WIDTH - OWN_WIDTH + 1){acc_q[OWN_WIDTH-1]}}, acc_q[OWN_WIDTH-2:0]};
  if (FOLD == 1) begin : g_no_fold
    logic unused;
    assign unused = ^{fold_i, sum_fold_i};
  end
`ifdef BS_TOGGLES
  logic signed [SUM_WIDTH-1:0] sum;
  logic signed [OWN_WIDTH-1:0] own_augend, own_addend;
  logic signed [ACC_WIDTH-1:0] augend, addend;
  assign sum = sum_of(eight_of(four_q, four_4_i, adds_q[2], subtracts_q[2]), eight_8_i, adds_q[3], subtracts_q[3]);
  assign own_augend = augend_of(acc_q, sum_first_i, sum_fold_i);
  assign own_addend = addend_of(sum, sum_negative_i);
  assign augend = {{(ACC_WIDTH - OWN_WIDTH + 1){own_augend[OWN_WIDTH-1]}}, own_augend[OWN_WIDTH-2:0]};
  assign addend = {{(ACC_WIDTH - OWN_WIDTH + 1){own_addend[OWN_WIDTH-1]}}, own_addend[OWN_WIDTH-2:0]};
`endif
endmodule
