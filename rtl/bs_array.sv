// SPDX-License-Identifier: Apache-2.0
// The array: TILES macros that see the same activation planes, the activation-sum unit, and the control
// tokens that travel with a vector.
//
// A plane issued in cycle t is on the columns in t+1 (counted), t+2 (joined up to four columns) and t+3 (joined and
// accumulated). After a vector's last plane the outputs reach their partial sums in t+4 (read) and t+5 (written).
//
// Style overlay: VECTORS x COLUMNS dot units see a plane of a vector and a plane of an output's weights each. After a
// group's last pair of planes in cycle t the sums are captured in t+3, and reach their partial sums one vector after the
// other from t+4 on: the next group's last pair must not come before t+VECTORS.
module bs_array #(
  parameter OVERLAY    = 0,
  parameter WEIGHT_WIDTH = 64,  // of a word of the weight buffer
  parameter FOLD       = 1,     // pim: as in bs_column
  parameter LOAD_ROWS  = 1,     // pim: rows in it
  parameter VECTORS    = 1,
  parameter TILES      = 1,
  parameter ROWS       = 64,
  parameter COLUMNS    = 64,
  parameter MAX_WEIGHT_BITS = 16,
  parameter MAX_ACTIVATION_BITS = 16,
  parameter ACC_WIDTH  = 48,
  parameter PSUM_DEPTH = 256,
  parameter POST_LANES = 4,
  parameter POPCOUNT_TREE = 0,
  parameter CLOCK_GATING = 0
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,
  // Layer configuration, constant while the layer runs; configure_i pulses before it starts.
  input  logic                    configure_i,
  input  logic [4:0]              weight_bits_i,
  input  logic                    maximum_i,
  // Outputs of this tile in each macro.
  input  logic [TILES*$clog2(COLUMNS+1)-1:0] lanes_i,
  // Weight rows.
  input  logic [TILES-1:0]        weight_we_i,
  input  logic [$clog2(ROWS)-1:0] weight_row_i,
  input  logic [$clog2(COLUMNS)-1:0] weight_lane_i,
  input  logic [3:0]              weight_plane_i,
  input  logic [WEIGHT_WIDTH-1:0] weight_data_i,
  // Issue of a plane, or (operators on whole codes) of all codes of a vector at once.
  input  logic                    plane_i,
  input  logic                    codes_i,
  input  logic                    codes_high_i,
  input  logic [VECTORS*ROWS-1:0] act_i,
  input  logic [7:0]              group_size_i,
  input  logic [COLUMNS*(MAX_ACTIVATION_BITS+1)-1:0] code_i,
  input  logic [1:0]              fold_i,  // log2 of the planes on act_i
  input  logic                    plane_first_i,
  input  logic                    plane_last_i,
  input  logic                    plane_negative_i,
  input  logic                    plane_shift_i,
  input  logic [3:0]              weight_select_i,
  input  logic                    first_i,      // the pixel's first value in this tile
  input  logic                    tile_last_i,  // last vector of the tile
  input  logic                    half_i,
  input  logic [$clog2(PSUM_DEPTH)-1:0] pixel_i,
  output logic                    busy_o,       // planes or outputs are on the way
  output logic                    tile_done_o,  // pulse: the tile's last partial sums are being written
  output logic                    accumulate_o, // pulse: outputs reach their partial sums
  output logic                    accumulate_first_o,
  // Post-processing.
  input  logic [TILES-1:0]        read_i,
  input  logic                    read_half_i,
  input  logic [$clog2(PSUM_DEPTH)-1:0] read_pixel_i,
  input  logic [$clog2(COLUMNS)-1:0]    read_group_i,
  output logic [POST_LANES*ACC_WIDTH-1:0] read_data_o
);
  localparam PIXEL_WIDTH = $clog2(PSUM_DEPTH);
  localparam LANE_WIDTH = $clog2(COLUMNS + 1);
  localparam SUM_WIDTH = MAX_ACTIVATION_BITS + $clog2(ROWS + 1) + 1;

  // Tokens: {vectors, tile_last, first, half, pixel}.
  localparam TOKEN_WIDTH = PIXEL_WIDTH + 11;
  localparam VECTOR_WIDTH = VECTORS > 1 ? $clog2(VECTORS) : 1;
  logic [TOKEN_WIDTH-1:0] token_1_q, token_2_q, token_join_q, token_add_q, token;
  logic [VECTORS*ROWS-1:0] act_q;
  logic valid_1_q, first_1_q, last_1_q, negative_1_q, shift_1_q;
  logic valid_2_q, first_2_q, last_2_q, negative_2_q, shift_2_q;
  logic valid_3_q, first_3_q, negative_3_q;
  logic [3:0] select_1_q;
  logic [1:0] fold_1_q, fold_2_q, fold_3_q;
  logic joining_q, adding_q, added_q, added_last_q;
  logic [7:0] vector_q;  // of the group, whose sums reach the partial sums
  logic group_end;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_1_q <= 1'b0;
      valid_2_q <= 1'b0;
      valid_3_q <= 1'b0;
      joining_q <= 1'b0;
      adding_q <= 1'b0;
      added_q <= 1'b0;
    end else begin
      valid_1_q <= plane_i;
      valid_2_q <= valid_1_q;
      valid_3_q <= valid_2_q;
      joining_q <= valid_2_q && last_2_q;
      adding_q <= joining_q || (adding_q && !group_end);
      added_q <= accumulate_o;
    end
  end

  // The lines of vectors that a group lacks stay as they are.
  for (genvar v = 0; v < VECTORS; v = v + 1) begin : g_lines
    logic act_clk, load;
    logic [ROWS-1:0] line_q;
    assign load = plane_i && (VECTORS == 1 || group_size_i > v);
    if (CLOCK_GATING != 0) begin : g_gated
      bs_clock_gate u_act (.clk_i(clk_i), .enable_i(load), .clk_o(act_clk));
    end else begin : g_enabled
      assign act_clk = clk_i;
    end
    always_ff @(posedge act_clk) if (CLOCK_GATING != 0 || load) line_q <= act_i[v*ROWS +: ROWS];
    assign act_q[v*ROWS +: ROWS] = line_q;
  end
`ifdef BS_TOGGLES
  bs_toggles #(.KIND(0), .WIDTH(VECTORS*ROWS)) u_activations (
    .clk_i(clk_i), .rst_ni(rst_ni), .sample_i(1'b1), .value_i(act_q));
`endif

  always_ff @(posedge clk_i) begin
    if (plane_i) begin
      first_1_q <= plane_first_i;
      last_1_q <= plane_last_i;
      negative_1_q <= plane_negative_i;
      shift_1_q <= plane_shift_i;
      select_1_q <= weight_select_i;
      fold_1_q <= fold_i;
      token_1_q <= {group_size_i, tile_last_i, first_i, half_i, pixel_i};
    end
    if (valid_1_q) begin
      first_2_q <= first_1_q;
      last_2_q <= last_1_q;
      negative_2_q <= negative_1_q;
      shift_2_q <= shift_1_q;
      fold_2_q <= fold_1_q;
      token_2_q <= token_1_q;
    end
    if (valid_2_q) begin
      first_3_q <= first_2_q;
      negative_3_q <= negative_2_q;
      fold_3_q <= fold_2_q;
    end
    if (valid_2_q && last_2_q) token_join_q <= token_2_q;
    if (joining_q) token_add_q <= token_join_q;
    added_last_q <= accumulate_o && token[PIXEL_WIDTH+2] && group_end;
  end

  if (VECTORS > 1) begin : g_vectors
    always_ff @(posedge clk_i) vector_q <= joining_q ? 8'd0 : vector_q + 8'd1;
  end else begin : g_one_vector
    assign vector_q = 8'd0;
  end

  // Whole codes skip the columns: they are accumulated in the cycle of their issue.
  assign token = codes_i ? {8'd1, tile_last_i, first_i, half_i, pixel_i} : token_add_q;
  assign group_end = codes_i || vector_q + 8'd1 == token_add_q[TOKEN_WIDTH-1 -: 8];
  logic [PIXEL_WIDTH-1:0] pixel;
  /* verilator lint_off UNUSEDSIGNAL */ // no tile has so many pixels
  logic [PIXEL_WIDTH+7:0] vector_wide;
  /* verilator lint_on UNUSEDSIGNAL */
  assign vector_wide = {{PIXEL_WIDTH{1'b0}}, vector_q};
  assign pixel = codes_i ? token[PIXEL_WIDTH-1:0] : token[PIXEL_WIDTH-1:0] + vector_wide[PIXEL_WIDTH-1:0];
  assign accumulate_o = adding_q || codes_i;
  assign accumulate_first_o = token[PIXEL_WIDTH+1];
  assign busy_o = valid_1_q || valid_2_q || joining_q || adding_q || added_q;
  assign tile_done_o = added_q && added_last_q;

  wire signed [SUM_WIDTH-1:0] sums [0:VECTORS-1];
  wire signed [SUM_WIDTH-1:0] sum;
  for (genvar v = 0; v < VECTORS; v = v + 1) begin : g_sum
    logic signed [SUM_WIDTH-1:0] vector_sum;
    bs_sum_unit #(.ROWS(ROWS), .ACC_WIDTH(SUM_WIDTH), .CLOCK_GATING(CLOCK_GATING)) u_sum (
      .clk_i(clk_i), .plane_valid_i(valid_1_q && weight_bits_i == 5'd1), .act_i(act_q[v*ROWS +: ROWS]),
      .count_valid_i(valid_2_q && weight_bits_i == 5'd1), .count_first_i(first_2_q),
      .count_negative_i(negative_2_q), .join_valid_i(joining_q && weight_bits_i == 5'd1), .sum_o(vector_sum));
    assign sums[v] = vector_sum;
  end
  if (VECTORS > 1) begin : g_choose_sum
    assign sum = sums[vector_q[VECTOR_WIDTH-1:0]];
  end else begin : g_one_sum
    assign sum = sums[0];
  end

  logic [POST_LANES*ACC_WIDTH-1:0] macro_data [0:TILES-1];
  for (genvar t = 0; t < TILES; t = t + 1) begin : g_macro
    logic [POST_LANES*ACC_WIDTH-1:0] data;
    bs_macro #(
      .OVERLAY(OVERLAY), .WEIGHT_WIDTH(WEIGHT_WIDTH), .FOLD(FOLD), .LOAD_ROWS(LOAD_ROWS), .VECTORS(VECTORS), .ROWS(ROWS), .COLUMNS(COLUMNS), .MAX_WEIGHT_BITS(MAX_WEIGHT_BITS),
      .MAX_ACTIVATION_BITS(MAX_ACTIVATION_BITS), .ACC_WIDTH(ACC_WIDTH), .PSUM_DEPTH(PSUM_DEPTH),
      .POST_LANES(POST_LANES), .POPCOUNT_TREE(POPCOUNT_TREE), .CLOCK_GATING(CLOCK_GATING)
    ) u_macro (
      .clk_i(clk_i), .rst_ni(rst_ni), .configure_i(configure_i), .weight_bits_i(weight_bits_i),
      .lanes_i(lanes_i[t*LANE_WIDTH +: LANE_WIDTH]),
      .weight_we_i(weight_we_i[t]), .weight_row_i(weight_row_i), .weight_lane_i(weight_lane_i),
      .weight_plane_i(weight_plane_i), .weight_data_i(weight_data_i), .weight_select_i(select_1_q), .fold_i(fold_1_q), .sum_fold_i(fold_3_q),
      .group_count_i(token_1_q[TOKEN_WIDTH-1 -: 8]), .group_add_i(token_2_q[TOKEN_WIDTH-1 -: 8]),
      .vector_i(vector_q[VECTOR_WIDTH-1:0]), .count_shift_i(shift_2_q),
      .plane_valid_i(valid_1_q), .act_i(act_q), .count_valid_i(valid_2_q), .count_first_i(first_2_q),
      .count_negative_i(negative_2_q), .join_valid_i(joining_q), .sum_valid_i(valid_3_q), .sum_first_i(first_3_q),
      .sum_negative_i(negative_3_q),
      .accumulate_i(accumulate_o), .codes_i(codes_i), .codes_high_i(codes_high_i), .maximum_i(maximum_i),
      .first_i(token[PIXEL_WIDTH+1]), .half_i(token[PIXEL_WIDTH]), .pixel_i(pixel),
      .sum_i(sum), .code_i(code_i),
      .read_i(read_i[t]), .read_half_i(read_half_i), .read_pixel_i(read_pixel_i),
      .read_group_i(read_group_i), .read_data_o(data));
    assign macro_data[t] = data;
  end

  if (TILES == 1) begin : g_one
    assign read_data_o = macro_data[0];
  end else begin : g_many
    logic [$clog2(TILES)-1:0] read_tile, read_tile_q;
    always_comb begin
      read_tile = {$clog2(TILES){1'b0}};
      for (int i = 0; i < TILES; i = i + 1) if (read_i[i]) read_tile = i[$clog2(TILES)-1:0];
    end
    always_ff @(posedge clk_i) if (|read_i) read_tile_q <= read_tile;
    assign read_data_o = macro_data[read_tile_q];
  end
endmodule
