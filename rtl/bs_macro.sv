// SPDX-License-Identifier: Apache-2.0
// One macro: COLUMNS columns, which join the counts of `weight_bits` neighbours into an output
// (output j: columns j*weight_bits ..), and one lane of partial sums an output.
// Operators on whole codes bring these in place of joined outputs; their sums or maxima are kept.
// Style overlay: VECTORS x COLUMNS dot units in place of columns and joiner, and a memory of weight planes an output.
module bs_macro #(
  parameter OVERLAY    = 0,
  parameter WEIGHT_WIDTH = 64,  // of a word of the weight buffer
  parameter FOLD       = 1,     // pim: as in bs_column
  parameter LOAD_ROWS  = 1,     // pim: rows in it
  parameter VECTORS    = 1,
  parameter ROWS       = 64,
  parameter COLUMNS    = 64,
  parameter MAX_WEIGHT_BITS = 16,
  parameter MAX_ACTIVATION_BITS = 16,
  parameter ACC_WIDTH  = 48,  // partial sums
  parameter PSUM_DEPTH = 256, // pixels a half
  parameter POST_LANES = 4,   // lanes post-processing reads at once
  parameter POPCOUNT_TREE = 0, // as in bs_column
  parameter CLOCK_GATING = 0
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,
  input  logic                    configure_i,
  input  logic [4:0]              weight_bits_i,
  input  logic [$clog2(COLUMNS+1)-1:0] lanes_i,  // outputs of this tile in this macro; changes while drained
  input  logic                    weight_we_i,
  input  logic [$clog2(ROWS)-1:0] weight_row_i,  // word of a macro's weights: LOAD_ROWS rows
  input  logic [$clog2(COLUMNS)-1:0] weight_lane_i,   // overlay: the output, and the plane of its weights
  input  logic [3:0]              weight_plane_i,
  input  logic [WEIGHT_WIDTH-1:0] weight_data_i,
  input  logic                    plane_valid_i,
  input  logic [VECTORS*ROWS-1:0] act_i,
  input  logic [1:0]              fold_i,             // pim: log2 of the planes on act_i, and of those in the sums
  input  logic [1:0]              sum_fold_i,
  input  logic [3:0]              weight_select_i,    // overlay: plane of the weights that meets act_i
  input  logic [7:0]              group_count_i,      // overlay: vectors on act_i, and of the counts
  input  logic [7:0]              group_add_i,
  input  logic                    count_valid_i,
  input  logic                    count_first_i,
  input  logic                    count_negative_i,
  input  logic                    count_shift_i,      // overlay
  input  logic                    join_valid_i,
  input  logic                    sum_valid_i,        // pim: sums of the counts
  input  logic                    sum_first_i,
  input  logic                    sum_negative_i,
  input  logic [(VECTORS > 1 ? $clog2(VECTORS) : 1)-1:0] vector_i,  // overlay: whose sums are accumulated
  // Accumulation of the joined outputs, or (codes_i) of the codes on code_i.
  input  logic                    accumulate_i,
  input  logic                    codes_i,
  input  logic                    codes_high_i,  // CODE_WIDTH places up
  input  logic                    maximum_i,
  input  logic                    first_i,
  input  logic                    half_i,
  input  logic [$clog2(PSUM_DEPTH)-1:0] pixel_i,
  input  logic signed [MAX_ACTIVATION_BITS+$clog2(ROWS+1):0] sum_i,
  input  logic [COLUMNS*(MAX_ACTIVATION_BITS+1)-1:0] code_i,  // two's complement
  // Post-processing reads lanes read_group_i * POST_LANES and following.
  input  logic                    read_i,
  input  logic                    read_half_i,
  input  logic [$clog2(PSUM_DEPTH)-1:0] read_pixel_i,
  /* verilator lint_off UNUSEDSIGNAL */ // groups are fewer than columns
  input  logic [$clog2(COLUMNS)-1:0]    read_group_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output logic [POST_LANES*ACC_WIDTH-1:0] read_data_o  // the cycle after read_i
);
  localparam COLUMN_WIDTH = MAX_ACTIVATION_BITS + $clog2(ROWS + 1) + 1;
  localparam JOIN_WIDTH = COLUMN_WIDTH + MAX_WEIGHT_BITS < 10 ? 10 : COLUMN_WIDTH + MAX_WEIGHT_BITS;
  localparam CODE_WIDTH = MAX_ACTIVATION_BITS + 1;
  localparam WIDEST = JOIN_WIDTH < 2 * CODE_WIDTH ? 2 * CODE_WIDTH : JOIN_WIDTH;
  localparam VALUE_WIDTH = WIDEST < ACC_WIDTH ? WIDEST : ACC_WIDTH;  // of what is accumulated
  localparam LANE_WIDTH = $clog2(COLUMNS + 1);
  localparam GROUPS = (COLUMNS + POST_LANES - 1) / POST_LANES;
  localparam GROUP_WIDTH = GROUPS > 1 ? $clog2(GROUPS) : 1;
  localparam PLANE_WIDTH = MAX_WEIGHT_BITS > 1 ? $clog2(MAX_WEIGHT_BITS) : 1;

  function automatic signed [WIDEST-1:0] widen(input [JOIN_WIDTH-1:0] value);
    widen = {{(WIDEST - JOIN_WIDTH){value[JOIN_WIDTH-1]}}, value};
  endfunction

  // Columns (overlay: outputs) of this tile take part. The style's bodies below say how many columns an output has.
  logic [4:0] output_columns;
  logic [COLUMNS-1:0] enable_q;
  always_ff @(posedge clk_i)
    enable_q <= ~({COLUMNS{1'b1}} << (lanes_i * {{($clog2(COLUMNS+1)){1'b0}}, output_columns}));

  // Joined outputs by their first column; overlay: the sums of vector_i by output. Entries past the last are zero.
  wire signed [JOIN_WIDTH-1:0] joined [0:COLUMNS+7];
  for (genvar e = COLUMNS; e < COLUMNS + 8; e = e + 1) begin : g_edge
    assign joined[e] = {JOIN_WIDTH{1'b0}};
  end
  if (OVERLAY == 0) begin : g_columns
    assign output_columns = weight_bits_i;
    logic role_clk;
    if (CLOCK_GATING != 0) begin : g_gated
      bs_clock_gate u_roles (.clk_i(clk_i), .enable_i(configure_i), .clk_o(role_clk));
    end else begin : g_enabled
      assign role_clk = clk_i;
    end
    logic [ROWS-1:0] cell_clk;
    for (genvar r = 0; r < ROWS; r = r + 1) begin : g_row
      if (CLOCK_GATING != 0) begin : g_gated
        localparam WORD = r / LOAD_ROWS;
        bs_clock_gate u_row (.clk_i(clk_i), .enable_i(weight_we_i && weight_row_i == WORD[$clog2(ROWS)-1:0]), .clk_o(cell_clk[r]));
      end else begin : g_enabled
        assign cell_clk[r] = 1'b0;
      end
    end
    // Widths of sums of 2, 4, 8 and all columns of an output.
    localparam COUNT_WIDTH = $clog2(ROWS + 1) + (FOLD == 4 ? 1 : 0);
    localparam PAIR_WIDTH = COUNT_WIDTH + (MAX_WEIGHT_BITS < 3 ? MAX_WEIGHT_BITS : 3);
    localparam FOUR_WIDTH = COUNT_WIDTH + (MAX_WEIGHT_BITS < 5 ? MAX_WEIGHT_BITS : 5);
    localparam EIGHT_WIDTH = COUNT_WIDTH + (MAX_WEIGHT_BITS < 9 ? MAX_WEIGHT_BITS : 9);
    localparam OUTPUT_WIDTH = COUNT_WIDTH + MAX_WEIGHT_BITS;
    wire [COUNT_WIDTH-1:0] one [0:COLUMNS];
    wire signed [PAIR_WIDTH-1:0] pair [0:COLUMNS+1];
    wire signed [FOUR_WIDTH-1:0] four [0:COLUMNS+3];
    wire signed [EIGHT_WIDTH-1:0] eight [0:COLUMNS+7];
    assign one[COLUMNS] = {COUNT_WIDTH{1'b0}};
    for (genvar e = COLUMNS; e < COLUMNS + 8; e = e + 1) begin : g_zero
      if (e < COLUMNS + 2) begin : g_pair
        assign pair[e] = {PAIR_WIDTH{1'b0}};
      end
      if (e < COLUMNS + 4) begin : g_four
        assign four[e] = {FOUR_WIDTH{1'b0}};
      end
      assign eight[e] = {EIGHT_WIDTH{1'b0}};
    end
    for (genvar c = 0; c < COLUMNS; c = c + 1) begin : g_column
      logic [LOAD_ROWS-1:0] weight_bits;
      for (genvar r = 0; r < LOAD_ROWS; r = r + 1) begin : g_bit
        assign weight_bits[r] = weight_data_i[r*COLUMNS + c];
      end
      logic [COUNT_WIDTH-1:0] column_one;
      logic signed [PAIR_WIDTH-1:0] column_pair;
      logic signed [FOUR_WIDTH-1:0] column_four;
      logic signed [EIGHT_WIDTH-1:0] column_eight;
      logic signed [JOIN_WIDTH-1:0] column_acc;
      bs_column #(
        .ROWS(ROWS), .FOLD(FOLD), .COUNT_WIDTH(COUNT_WIDTH), .LOAD_ROWS(LOAD_ROWS), .MAX_WEIGHT_BITS(MAX_WEIGHT_BITS), .PAIR_WIDTH(PAIR_WIDTH), .FOUR_WIDTH(FOUR_WIDTH),
        .EIGHT_WIDTH(EIGHT_WIDTH), .SUM_WIDTH(OUTPUT_WIDTH), .ACC_WIDTH(JOIN_WIDTH), .INDEX(c),
        .POPCOUNT_TREE(POPCOUNT_TREE), .CLOCK_GATING(CLOCK_GATING)
      ) u_column (
        .clk_i(clk_i), .role_clk_i(role_clk), .configure_i(configure_i), .weight_bits_i(weight_bits_i),
        .cell_clk_i(cell_clk), .weight_we_i(weight_we_i), .weight_row_i(weight_row_i), .weight_bits_of_rows_i(weight_bits),
        .enable_i(enable_q[c]), .plane_valid_i(plane_valid_i), .act_i(act_i), .fold_i(fold_i), .sum_fold_i(sum_fold_i),
        .count_valid_i(count_valid_i), .sum_valid_i(sum_valid_i), .sum_first_i(sum_first_i),
        .sum_negative_i(sum_negative_i), .one_1_i(one[c+1]), .pair_2_i(pair[c+2]), .four_4_i(four[c+4]),
        .eight_8_i(eight[c+8]), .one_o(column_one), .pair_o(column_pair), .four_o(column_four), .eight_o(column_eight),
        .acc_o(column_acc));
      assign one[c] = column_one;
      assign pair[c] = column_pair;
      assign four[c] = column_four;
      assign eight[c] = column_eight;
      assign joined[c] = column_acc;
`ifdef BS_TOGGLES
      bs_toggles #(.KIND(2), .WIDTH(ROWS)) u_products (
        .clk_i(clk_i), .rst_ni(rst_ni), .sample_i(1'b1), .value_i(act_i & u_column.cells));
      bs_tree_toggles #(.KIND(3), .WIDTH(ROWS)) u_tree (
        .clk_i(clk_i), .rst_ni(rst_ni), .fold_i(fold_i), .bits_i(act_i & u_column.cells));
      bs_toggles #(.KIND(4), .WIDTH(COUNT_WIDTH)) u_counts (
        .clk_i(clk_i), .rst_ni(rst_ni), .sample_i(1'b1), .value_i(u_column.count_q));
      bs_toggles #(.KIND(5), .WIDTH(2*JOIN_WIDTH)) u_operands (
        .clk_i(clk_i), .rst_ni(rst_ni), .sample_i(sum_valid_i && enable_q[c] && u_column.first_q),
        .value_i({u_column.augend, u_column.addend}));
      bs_toggles #(.KIND(6), .WIDTH(JOIN_WIDTH)) u_accumulators (
        .clk_i(clk_i), .rst_ni(rst_ni), .sample_i(1'b1), .value_i(column_acc));
      bs_toggles #(.KIND(7), .WIDTH(FOUR_WIDTH)) u_fours (
        .clk_i(clk_i), .rst_ni(rst_ni), .sample_i(1'b1), .value_i(column_four));
      bs_toggles #(.KIND(7), .WIDTH(OUTPUT_WIDTH)) u_sums (
        .clk_i(clk_i), .rst_ni(rst_ni), .sample_i(sum_valid_i && enable_q[c] && u_column.first_q), .value_i(u_column.sum));
      bs_toggles #(.KIND(9), .WIDTH(ROWS)) u_weights (
        .clk_i(clk_i), .rst_ni(rst_ni), .sample_i(1'b1), .value_i(u_column.cells));
`endif
    end
    logic unused;
    assign unused = ^{weight_lane_i, weight_plane_i, weight_select_i, group_count_i, group_add_i, count_first_i,
                      count_negative_i, count_shift_i, join_valid_i, vector_i};
  end else begin : g_dots
    assign output_columns = 5'd1;
    logic [VECTORS-1:0] counted, added;
    assign counted = ~({VECTORS{1'b1}} << group_count_i);
    assign added = ~({VECTORS{1'b1}} << group_add_i);
    for (genvar c = 0; c < COLUMNS; c = c + 1) begin : g_output
      localparam [$clog2(COLUMNS)-1:0] LANE = c;
      // Read in the cycle of its use: few words, and the last one may have been written in the cycle before.
      logic [ROWS-1:0] planes_q [0:MAX_WEIGHT_BITS-1];
      logic [ROWS-1:0] weight;
      always_ff @(posedge clk_i) begin
        if (weight_we_i) begin
          if (weight_lane_i == LANE) planes_q[weight_plane_i[PLANE_WIDTH-1:0]] <= weight_data_i;
        end
      end
      assign weight = planes_q[weight_select_i[PLANE_WIDTH-1:0]];
      wire signed [JOIN_WIDTH-1:0] held [0:VECTORS-1];
      for (genvar v = 0; v < VECTORS; v = v + 1) begin : g_vector
        logic signed [JOIN_WIDTH-1:0] dot_held;
        bs_dot #(
          .ROWS(ROWS), .ACC_WIDTH(JOIN_WIDTH), .POPCOUNT_TREE(POPCOUNT_TREE), .CLOCK_GATING(CLOCK_GATING)
        ) u_dot (
          .clk_i(clk_i), .plane_valid_i(plane_valid_i), .count_enable_i(enable_q[c] && counted[v]),
          .act_i(act_i[v*ROWS +: ROWS]), .weight_i(weight), .count_valid_i(count_valid_i),
          .add_enable_i(enable_q[c] && added[v]), .count_first_i(count_first_i), .count_shift_i(count_shift_i),
          .count_negative_i(count_negative_i), .capture_i(join_valid_i), .held_o(dot_held));
        assign held[v] = dot_held;
`ifdef BS_TOGGLES
        bs_toggles #(.KIND(2), .WIDTH(ROWS)) u_products (
          .clk_i(clk_i), .rst_ni(rst_ni), .sample_i(1'b1), .value_i(act_i[v*ROWS +: ROWS] & weight));
        bs_tree_toggles #(.KIND(3), .WIDTH(ROWS)) u_tree (
          .clk_i(clk_i), .rst_ni(rst_ni), .fold_i(2'd0), .bits_i(act_i[v*ROWS +: ROWS] & weight));
        bs_toggles #(.KIND(4), .WIDTH($clog2(ROWS+1))) u_counts (
          .clk_i(clk_i), .rst_ni(rst_ni), .sample_i(1'b1), .value_i(u_dot.count_q));
        bs_toggles #(.KIND(5), .WIDTH(2*JOIN_WIDTH)) u_operands (
          .clk_i(clk_i), .rst_ni(rst_ni), .sample_i(count_valid_i && enable_q[c] && added[v]),
          .value_i({u_dot.augend, u_dot.addend}));
        bs_toggles #(.KIND(6), .WIDTH(JOIN_WIDTH)) u_accumulators (
          .clk_i(clk_i), .rst_ni(rst_ni), .sample_i(1'b1), .value_i(u_dot.acc_q));
        bs_toggles #(.KIND(7), .WIDTH(JOIN_WIDTH)) u_held (
          .clk_i(clk_i), .rst_ni(rst_ni), .sample_i(1'b1), .value_i(dot_held));
`endif
      end
`ifdef BS_TOGGLES
      bs_toggles #(.KIND(1), .WIDTH(ROWS)) u_weight_lines (
        .clk_i(clk_i), .rst_ni(rst_ni), .sample_i(1'b1), .value_i(weight));
      for (genvar p = 0; p < MAX_WEIGHT_BITS; p = p + 1) begin : g_plane
        bs_toggles #(.KIND(9), .WIDTH(ROWS)) u_weights (
          .clk_i(clk_i), .rst_ni(rst_ni), .sample_i(1'b1), .value_i(planes_q[p]));
      end
`endif
      if (VECTORS > 1) begin : g_choose
        assign joined[c] = held[vector_i];
      end else begin : g_one
        assign joined[c] = held[0];
      end
    end
    logic unused;
    assign unused = ^{fold_i, sum_fold_i, configure_i, weight_row_i, sum_valid_i, sum_first_i, sum_negative_i, vector_i, weight_plane_i, weight_select_i};
  end

  logic [$clog2(PSUM_DEPTH)-1:0] address_0, address_1;
  assign address_0 = read_i && !read_half_i ? read_pixel_i : pixel_i;
  assign address_1 = read_i && read_half_i ? read_pixel_i : pixel_i;
  // A half is read either to accumulate or by post-processing, never for both in one cycle.
  logic sums_0, sums_1, post_0, post_1;
  assign sums_0 = accumulate_i && !first_i && !half_i;
  assign sums_1 = accumulate_i && !first_i && half_i;
  assign post_0 = read_i && !read_half_i;
  assign post_1 = read_i && read_half_i;

  // Control of the accumulate step, one cycle after the values' registers were told to load.
  logic added_q, added_first_q, added_half_q;
  logic [$clog2(PSUM_DEPTH)-1:0] added_pixel_q;
  logic read_half_q;
  logic [GROUP_WIDTH-1:0] read_group_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) added_q <= 1'b0;
    else added_q <= accumulate_i;
  end
  always_ff @(posedge clk_i) begin
    if (accumulate_i) begin
      added_first_q <= first_i;
      added_half_q <= half_i;
      added_pixel_q <= pixel_i;
    end
    if (read_i) begin
      read_half_q <= read_half_i;
      read_group_q <= read_group_i[GROUP_WIDTH-1:0];
    end
  end

  // Lanes in groups of POST_LANES, one memory word a group and pixel, in two halves: one accumulates while the other is
  // post-processed. A pixel's partial sums are read in the cycle of accumulate_i and written at the end of the next, so
  // the same pixel must not come again in the next cycle (the schedule keeps vectors of one pixel further apart).
  wire [POST_LANES*ACC_WIDTH-1:0] data_0 [0:GROUPS-1];
  wire [POST_LANES*ACC_WIDTH-1:0] data_1 [0:GROUPS-1];
  for (genvar g = 0; g < GROUPS; g = g + 1) begin : g_group
    localparam FIRST = g * POST_LANES;
    /* verilator lint_off WIDTH */
    localparam [GROUP_WIDTH-1:0] GROUP = g;
    /* verilator lint_on WIDTH */

    wire signed [VALUE_WIDTH-1:0] values [0:POST_LANES-1];
    for (genvar l = 0; l < POST_LANES; l = l + 1) begin : g_lane
      localparam LANE = FIRST + l;
      if (LANE < COLUMNS) begin : g_column_lane
        logic signed [WIDEST-1:0] value_q;
        logic [CODE_WIDTH-1:0] code;
        logic value_clk;
        assign code = code_i[LANE*CODE_WIDTH +: CODE_WIDTH];
        if (CLOCK_GATING != 0) begin : g_gated
          bs_clock_gate u_value (
            .clk_i(clk_i), .enable_i(accumulate_i && lanes_i > LANE[LANE_WIDTH-1:0]), .clk_o(value_clk));
        end else begin : g_enabled
          assign value_clk = clk_i;
        end
        always_ff @(posedge value_clk) begin
          if (CLOCK_GATING != 0 || accumulate_i) begin
            if (CLOCK_GATING != 0 || lanes_i > LANE[LANE_WIDTH-1:0]) begin
              if (codes_i) begin
                value_q <= codes_high_i ? {{(WIDEST - 2*CODE_WIDTH){code[CODE_WIDTH-1]}}, code, {CODE_WIDTH{1'b0}}}
                                        : {{(WIDEST - CODE_WIDTH){code[CODE_WIDTH-1]}}, code};
              end else begin
                case (output_columns)
                  5'd2: value_q <= widen(joined[LANE*2 < COLUMNS ? LANE*2 : COLUMNS]);
                  5'd3: value_q <= widen(joined[LANE*3 < COLUMNS ? LANE*3 : COLUMNS]);
                  5'd4: value_q <= widen(joined[LANE*4 < COLUMNS ? LANE*4 : COLUMNS]);
                  5'd5: value_q <= widen(joined[LANE*5 < COLUMNS ? LANE*5 : COLUMNS]);
                  5'd6: value_q <= widen(joined[LANE*6 < COLUMNS ? LANE*6 : COLUMNS]);
                  5'd7: value_q <= widen(joined[LANE*7 < COLUMNS ? LANE*7 : COLUMNS]);
                  5'd8: value_q <= widen(joined[LANE*8 < COLUMNS ? LANE*8 : COLUMNS]);
                  5'd9: value_q <= widen(joined[LANE*9 < COLUMNS ? LANE*9 : COLUMNS]);
                  5'd10: value_q <= widen(joined[LANE*10 < COLUMNS ? LANE*10 : COLUMNS]);
                  5'd11: value_q <= widen(joined[LANE*11 < COLUMNS ? LANE*11 : COLUMNS]);
                  5'd12: value_q <= widen(joined[LANE*12 < COLUMNS ? LANE*12 : COLUMNS]);
                  5'd13: value_q <= widen(joined[LANE*13 < COLUMNS ? LANE*13 : COLUMNS]);
                  5'd14: value_q <= widen(joined[LANE*14 < COLUMNS ? LANE*14 : COLUMNS]);
                  5'd15: value_q <= widen(joined[LANE*15 < COLUMNS ? LANE*15 : COLUMNS]);
                  5'd16: value_q <= widen(joined[LANE*16 < COLUMNS ? LANE*16 : COLUMNS]);
                  default: value_q <= widen(joined[LANE]);
                endcase
                // -1/+1 weights: sum((2b-1)*a) = 2*sum(b*a) - sum(a)
                if (weight_bits_i == 5'd1) value_q <= widen({joined[LANE][JOIN_WIDTH-2:0], 1'b0}
                                                            - {{(JOIN_WIDTH - COLUMN_WIDTH){sum_i[COLUMN_WIDTH-1]}}, sum_i});
              end
            end
          end
        end
        assign values[l] = value_q[VALUE_WIDTH-1:0];
`ifdef BS_TOGGLES
        bs_toggles #(.KIND(8), .WIDTH(WIDEST)) u_outputs (
          .clk_i(clk_i), .rst_ni(rst_ni), .sample_i(1'b1), .value_i(value_q));
`endif
      end else begin : g_no_lane
        assign values[l] = {VALUE_WIDTH{1'b0}};
      end
    end

    (* no_rw_check *) logic [POST_LANES*ACC_WIDTH-1:0] mem_0_q [0:PSUM_DEPTH-1];
    (* no_rw_check *) logic [POST_LANES*ACC_WIDTH-1:0] mem_1_q [0:PSUM_DEPTH-1];
    logic [POST_LANES*ACC_WIDTH-1:0] data_0_q, data_1_q, word;
    // Whether a half's read wants this group's words.
    function automatic of_group(input sums, input post);
      of_group = (sums && lanes_i > FIRST[LANE_WIDTH-1:0]) || (post && read_group_i[GROUP_WIDTH-1:0] == GROUP);
    endfunction
    logic signed [ACC_WIDTH-1:0] partial, value;
    always_ff @(posedge clk_i) begin
      if (added_q) begin
        if (lanes_i > FIRST[LANE_WIDTH-1:0]) begin
          /* verilator lint_off BLKSEQ */ // intermediates of this block
          for (int l = 0; l < POST_LANES; l = l + 1) begin
            partial = added_half_q ? data_1_q[l*ACC_WIDTH +: ACC_WIDTH] : data_0_q[l*ACC_WIDTH +: ACC_WIDTH];
            value = {{(ACC_WIDTH - VALUE_WIDTH){values[l][VALUE_WIDTH-1]}}, values[l]};
            word[l*ACC_WIDTH +: ACC_WIDTH] = added_first_q ? value
                                           : !maximum_i ? partial + value
                                           : value > partial ? value : partial;
          end
          /* verilator lint_on BLKSEQ */
          if (added_half_q) mem_1_q[added_pixel_q] <= word;
          else mem_0_q[added_pixel_q] <= word;
        end
      end
      if (sums_0 || post_0) begin
        if (of_group(sums_0, post_0)) data_0_q <= mem_0_q[address_0];
      end
      if (sums_1 || post_1) begin
        if (of_group(sums_1, post_1)) data_1_q <= mem_1_q[address_1];
      end
    end
`ifdef BS_CHECKS
    `include "bs_checks.svh"
    `BS_CHECK_WHEN(added_q, !(lanes_i > FIRST[LANE_WIDTH-1:0] && !added_half_q && of_group(sums_0, post_0)
                              && address_0 == added_pixel_q))
    `BS_CHECK_WHEN(added_q, !(lanes_i > FIRST[LANE_WIDTH-1:0] && added_half_q && of_group(sums_1, post_1)
                              && address_1 == added_pixel_q))
`endif
    assign data_0[g] = data_0_q;
    assign data_1[g] = data_1_q;
  end
  assign read_data_o = read_half_q ? data_1[read_group_q] : data_0[read_group_q];
endmodule
