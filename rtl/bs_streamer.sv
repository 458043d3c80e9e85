// SPDX-License-Identifier: Apache-2.0
// Array control: loads weight tiles and streams vectors, plane by plane, most significant first.
//
// For every block, output tile and row tile: one cycle a weight row, then a cycle a plane of a vector; last planes of
// vectors are at least VECTOR_INTERVAL cycles apart. Loading follows the last plane of the previous row tile without a
// gap; a new output tile takes one more cycle and waits until the array is drained and an accumulator half is free.
//
// Style overlay: a weight row is one plane of one output's weights, and a group of vectors takes
// weight_bits * activation_bits cycles: all pairs of planes, by falling sums of their places.
module bs_streamer #(
  parameter OVERLAY    = 0,
  parameter SKIP_PLANES = 0,  // 1: top_plane_i is a vector's own, 0: the layer's
  parameter TILES      = 1,
  parameter ROWS       = 64,
  parameter COLUMNS    = 64,
  parameter BANKS      = 16,
  parameter FOLD       = 1,  // pim: most planes of a vector at once, where it fills such a part of the rows
  parameter LOAD_ROWS  = 1,  // pim: rows of the array in a word of the weight buffer
  parameter WEIGHT_DEPTH = 512,  // words
  parameter PSUM_DEPTH = 256,
  parameter VECTORS    = 1,
  parameter MAX_WEIGHT_BITS = 16,
  parameter COUNT_WIDTH = 16  // as in bs_walker
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                start_i,
  /* verilator lint_off UNUSEDSIGNAL */
  input  logic [64*32-1:0]    desc_i,
  /* verilator lint_on UNUSEDSIGNAL */
  // Weight buffer.
  input  logic [$clog2(WEIGHT_DEPTH):0] weight_rows_loaded_i,  // since the layer began, modulo twice the buffer's rows
  output logic                weight_read_o,
  output logic [$clog2(WEIGHT_DEPTH)-1:0] weight_read_address_o,
  output logic                weight_row_freed_o,
  output logic [TILES-1:0]    weight_we_o,     // the cycle after weight_read_o
  output logic [$clog2(ROWS)-1:0] weight_row_o,     // pim
  output logic [$clog2(COLUMNS)-1:0] weight_lane_o, // overlay: the output, and the plane of its weights
  output logic [3:0]          weight_plane_o,
  // Feeder.
  input  logic                vector_ready_i,
  input  logic [7:0]          group_size_i,
  input  logic                group_last_i,    // the tile ends with the group
  input  logic [4:0]          top_plane_i,     // first plane of the vector that is streamed
  output logic [$clog2(BANKS)-1:0] plane_select_o,
  output logic                release_o,
  // Array.
  input  logic                array_busy_i,
  output logic                plane_o,
  output logic                codes_o,
  output logic                codes_high_o,    // of the second operand: they go beside the first one's
  output logic [1:0]          fold_o,          // log2 of the planes at once, of which plane_select_o is the lowest
  output logic                plane_first_o,
  output logic                plane_last_o,
  output logic                plane_negative_o,
  output logic                plane_shift_o,   // overlay: first pair of a further diagonal
  output logic [3:0]          weight_select_o, // overlay: plane of the weights
  output logic                first_o,
  output logic                tile_last_o,
  output logic                half_o,
  output logic [$clog2(PSUM_DEPTH)-1:0] pixel_o,
  output logic [TILES*$clog2(COLUMNS+1)-1:0] lanes_o,
  // Accumulator halves.
  input  logic                half_freed_i,
  // Events.
  output logic                vector_o,        // a vector (overlay: group) starts
  output logic [15:0]         lanes_total_o,   // outputs of the tile
  output logic [15:0]         weight_lanes_o,  // outputs of the macro whose rows are loaded
  output logic [15:0]         tile_rows_o,     // rows of the row tile
  output logic [3:0]          word_rows_o,   // pim: of them in the word that is read
  output logic                busy_o,          // loads a row or streams
  output logic                waiting_o        // active and not busy
);
  `include "bs_descriptor.svh"
  localparam LANE_WIDTH = $clog2(COLUMNS + 1);
  localparam PIXEL_WIDTH = $clog2(PSUM_DEPTH);
  localparam HELD_WIDTH = $clog2(WEIGHT_DEPTH) + 1;  // of words of the weight buffer
  localparam ROWS_WIDTH = $clog2((OVERLAY != 0 ? COLUMNS * MAX_WEIGHT_BITS : ROWS) + 1);  // of words of a tile's weights
  localparam THERE_WIDTH = HELD_WIDTH > ROWS_WIDTH ? HELD_WIDTH : ROWS_WIDTH;
  localparam TILE_ROWS_WIDTH = $clog2(ROWS + 1);
  localparam TILE_WIDTH = TILES > 1 ? $clog2(TILES) : 1;
  localparam INTERVAL_WIDTH = $clog2((VECTORS > 2 ? VECTORS : 2) + 1);
  localparam BITS_WIDTH = $clog2(MAX_WEIGHT_BITS + 1);

  typedef enum logic [2:0] {IDLE, TILE, LOAD, DRAIN, STREAM} state_e;
  state_e state_q;

  logic [4:0] weight_bits;
  logic whole_codes, signed_codes, resident, two_inputs;
  logic [COUNT_WIDTH-1:0] blocks, k_tiles, n_tiles, lanes_full;
  logic [COUNT_WIDTH-1:0] segment_first, segment_next;
  logic [TILE_ROWS_WIDTH-1:0] rows_last, tile_rows;
  logic [INTERVAL_WIDTH-1:0] interval;
  assign weight_bits = {{(5-BITS_WIDTH){1'b0}}, desc_i[F_WEIGHT_BITS +: BITS_WIDTH]};
  assign whole_codes = desc_i[F_OPCODE +: B_OPCODE] != OP_CONVOLUTION;
  assign signed_codes = desc_i[F_SIGNED];
  assign resident = desc_i[F_RESIDENT];
  assign blocks = desc_i[F_BLOCKS +: COUNT_WIDTH];
  assign k_tiles = desc_i[F_K_TILES +: COUNT_WIDTH];
  assign n_tiles = desc_i[F_N_TILES +: COUNT_WIDTH];
  assign segment_first = desc_i[F_SEGMENT_CHANNELS +: COUNT_WIDTH];
  assign segment_next = desc_i[F_SEGMENT_NEXT +: COUNT_WIDTH];
  assign two_inputs = desc_i[F_OPCODE +: B_OPCODE] == OP_ADD || desc_i[F_OPCODE +: B_OPCODE] == OP_MULTIPLY;
  assign lanes_full = desc_i[F_LANES +: COUNT_WIDTH];
  assign rows_last = desc_i[F_ROWS_LAST +: TILE_ROWS_WIDTH];
  assign interval = desc_i[F_VECTOR_INTERVAL +: INTERVAL_WIDTH];

  logic [COUNT_WIDTH-1:0] block_q, n_q, k_q, segment_left_q;
  logic [ROWS_WIDTH-1:0] weight_row_q, load_rows;  // of the weight buffer, for a row tile of a macro
  logic [TILE_WIDTH-1:0] weight_tile_q;
  logic [INTERVAL_WIDTH-1:0] rest_q;
  logic [PIXEL_WIDTH-1:0] pixel_q, base_q;  // within the tile, and where its partial sums begin
  logic [HELD_WIDTH-1:0] rows_taken_q, rows_waiting;
  logic [$clog2(WEIGHT_DEPTH)-1:0] read_address_q;
  logic [1:0] halves_used_q;
  logic half_q;

  logic k_last, n_last, k_first;
  assign k_first = k_q == '0;
  assign k_last = k_q + 1'b1 == k_tiles;
  assign n_last = n_q + 1'b1 == n_tiles;
  assign tile_rows = k_last ? rows_last : ROWS[TILE_ROWS_WIDTH-1:0];

  // Outputs of this tile in each macro, first macro first.
  logic [TILES*LANE_WIDTH-1:0] lanes, lanes_q;
  wire [COUNT_WIDTH-1:0] lanes_left [0:TILES];  // outputs of the segment not placed before macro t
  for (genvar t = 0; t <= TILES; t = t + 1) begin : g_lanes
    logic [COUNT_WIDTH-1:0] placed, left;
    // Operators on whole codes use the first macro only.
    assign placed = whole_codes && t > 0 ? lanes_full : t[COUNT_WIDTH-1:0] * lanes_full;
    assign left = segment_left_q > placed ? segment_left_q - placed : '0;
    assign lanes_left[t] = left;
    if (t < TILES) begin : g_macro
      /* verilator lint_off UNUSEDSIGNAL */
      logic [COUNT_WIDTH-1:0] here;
      /* verilator lint_on UNUSEDSIGNAL */
      assign here = whole_codes && t > 0 ? '0 : left < lanes_full ? left : lanes_full;
      assign lanes[t*LANE_WIDTH +: LANE_WIDTH] = here[LANE_WIDTH-1:0];
    end
  end
  logic [COUNT_WIDTH-1:0] lanes_now, lanes_total_q, macro_lanes;
  assign lanes_now = segment_left_q - lanes_left[TILES];
  assign lanes_o = lanes_q;
  assign lanes_total_o = {{(16-COUNT_WIDTH){1'b0}}, lanes_total_q};
  assign tile_rows_o = {{(16-TILE_ROWS_WIDTH){1'b0}}, tile_rows};
  if (LOAD_ROWS != 1) begin : g_words
    localparam LEFT_WIDTH = TILE_ROWS_WIDTH > 4 ? TILE_ROWS_WIDTH : 4;
    logic [LEFT_WIDTH-1:0] rows_left;  // of the tile from the word on
    assign rows_left = {{(LEFT_WIDTH-TILE_ROWS_WIDTH){1'b0}}, tile_rows}
                       - ({{(LEFT_WIDTH-ROWS_WIDTH){1'b0}}, weight_row_q} << $clog2(LOAD_ROWS));
    assign word_rows_o = rows_left < LOAD_ROWS[LEFT_WIDTH-1:0] ? rows_left[3:0] : LOAD_ROWS[3:0];
  end else begin : g_rows
    assign word_rows_o = 4'd1;
  end

  // Weight rows.
  logic rows_there, load_row, load_last_row, load_last;
  logic next_macro_used;
  always_comb begin
    next_macro_used = 1'b0;
    for (int t = 1; t < TILES; t = t + 1) begin
      if ({{(32-TILE_WIDTH){1'b0}}, weight_tile_q} == t - 1 && lanes_left[t] != '0) next_macro_used = 1'b1;
    end
  end
  logic [COUNT_WIDTH-1:0] macro_left;  // channels not placed before the macro whose rows are loaded
  always_comb begin
    macro_left = lanes_left[0];
    for (int t = 1; t < TILES; t = t + 1) if ({{(32-TILE_WIDTH){1'b0}}, weight_tile_q} == t) macro_left = lanes_left[t];
  end
  assign macro_lanes = macro_left < lanes_full ? macro_left : lanes_full;
  assign weight_lanes_o = {{(16-COUNT_WIDTH){1'b0}}, macro_lanes};
  assign rows_waiting = weight_rows_loaded_i - rows_taken_q;
  assign rows_there = (resident && (block_q != '0 || desc_i[F_KEEP_WEIGHTS]))
                      || {{(THERE_WIDTH-HELD_WIDTH){1'b0}}, rows_waiting} >= {{(THERE_WIDTH-ROWS_WIDTH){1'b0}}, load_rows};
  assign load_row = state_q == LOAD && (weight_row_q != '0 || rows_there);
  assign load_last_row = load_row && weight_row_q + 1'b1 == load_rows;
  assign load_last = load_last_row && !next_macro_used;
  assign weight_read_o = load_row;
  assign weight_read_address_o = read_address_q;
  assign weight_row_freed_o = load_row && !resident;

  // Vectors. The order of their planes is the style's: what is issued now, and whether anything of the vector (overlay: group)
  // was issued before.
  logic vector_start, vector_end, in_vector, block_last, pixels_end;
  logic [9:0] planes_last;  // cycles from the first issue to the last one of the vector that may start
  logic [9:0] vector_last;
  if (OVERLAY == 0) begin : g_planes
    // Planes by falling place, 2^fold_o at once. plane_q counts the steps left after the one issued now; the first one is
    // issued with vector_start. A word of the weight buffer is LOAD_ROWS of the tile's rows.
    logic [$clog2(BANKS)-1:0] plane_q;
    localparam LAST_ROW = LOAD_ROWS - 1;  // of a word
    /* verilator lint_off UNUSEDSIGNAL */ // a tile's words are no more than its rows
    logic [ROWS_WIDTH:0] words;
    /* verilator lint_on UNUSEDSIGNAL */
    assign words = ({1'b0, tile_rows} + LAST_ROW[ROWS_WIDTH:0]) >> $clog2(LOAD_ROWS);
    assign load_rows = words[ROWS_WIDTH-1:0];
    logic [4:0] top_step;
    logic [$clog2(BANKS)-1:0] step;
    assign fold_o = FOLD != 1 && k_last ? desc_i[F_FOLD +: B_FOLD] : 2'd0;
    assign top_step = top_plane_i >> fold_o;
    assign planes_last = {5'd0, top_step};
    assign in_vector = plane_q != {$clog2(BANKS){1'b0}};
    assign step = in_vector ? plane_q - 1'b1 : top_step[$clog2(BANKS)-1:0];
    assign plane_select_o = step << fold_o;
    assign plane_last_o = in_vector ? plane_q == {{($clog2(BANKS)-1){1'b0}}, 1'b1} : top_step == 5'd0;
    assign plane_negative_o = !in_vector && signed_codes && fold_o == 2'd0;
    assign plane_shift_o = 1'b0;
    assign weight_select_o = 4'd0;
    assign weight_lane_o = {$clog2(COLUMNS){1'b0}};
    assign weight_plane_o = 4'd0;
    logic unused;
    assign unused = ^weight_bits;
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) plane_q <= {$clog2(BANKS){1'b0}};
      else if (vector_start && !whole_codes) plane_q <= top_step[$clog2(BANKS)-1:0];
      else if (in_vector) plane_q <= plane_q - 1'b1;
    end
  end else begin : g_pairs
    // Pairs of planes by falling sum of their places, diagonal after diagonal: the one that is issued, and the one after
    // it. A row of the weight buffer is one plane of one output.
    logic [3:0] top_weight, pair_weight, pair_weight_q, next_weight;
    assign top_weight = weight_bits[3:0] - 4'd1;
    logic [3:0] pair_activation, pair_activation_q, next_activation;
    logic [4:0] diagonal, diagonal_q, next_diagonal;
    logic pairs_q, shift_q, diagonal_end;
    assign fold_o = 2'd0;
    // Products come a cycle ahead of their use: an output tile begins with TILE before LOAD, and a layer with both.
    logic [ROWS_WIDTH-1:0] load_rows_q;
    always_ff @(posedge clk_i)
      load_rows_q <= {{(ROWS_WIDTH-LANE_WIDTH){1'b0}}, macro_lanes[LANE_WIDTH-1:0]} * {{(ROWS_WIDTH-BITS_WIDTH){1'b0}}, weight_bits[BITS_WIDTH-1:0]};
    assign load_rows = load_rows_q;
    logic [9:0] pairs;
    assign pairs = ({5'd0, top_plane_i} + 10'd1) * {5'd0, weight_bits} - 10'd1;
    if (SKIP_PLANES != 0) begin : g_of_vector
      assign planes_last = pairs;
    end else begin : g_of_layer
      logic [9:0] planes_last_q;
      always_ff @(posedge clk_i) planes_last_q <= pairs;
      assign planes_last = planes_last_q;
    end
    assign in_vector = pairs_q;
    assign pair_weight = pairs_q ? pair_weight_q : top_weight;
    assign pair_activation = pairs_q ? pair_activation_q : top_plane_i[3:0];
    assign diagonal = pairs_q ? diagonal_q : {1'b0, top_weight} + {1'b0, top_plane_i[3:0]};
    assign diagonal_end = pair_weight == 4'd0 || pair_activation == top_plane_i[3:0];
    assign next_diagonal = diagonal_end ? diagonal - 5'd1 : diagonal;
    always_comb begin
      if (!diagonal_end) next_weight = pair_weight - 4'd1;
      else if (next_diagonal > {1'b0, top_weight}) next_weight = top_weight;
      else next_weight = next_diagonal[3:0];
      next_activation = next_diagonal[3:0] - next_weight;
    end
    assign plane_select_o = pair_activation[$clog2(BANKS)-1:0];
    assign plane_last_o = diagonal == 5'd0;
    assign plane_negative_o = (signed_codes && pair_activation == top_plane_i[3:0])
                              ^ (weight_bits != 5'd1 && pair_weight == top_weight);
    assign plane_shift_o = pairs_q && shift_q;
    assign weight_select_o = pair_weight;
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) pairs_q <= 1'b0;
      else if (plane_o) pairs_q <= diagonal != 5'd0;
    end
    always_ff @(posedge clk_i) begin
      if (plane_o) begin
        pair_weight_q <= next_weight;
        pair_activation_q <= next_activation;
        diagonal_q <= next_diagonal;
        shift_q <= diagonal_end;
      end
    end
    // Which output's plane the weight row is.
    logic [$clog2(COLUMNS)-1:0] load_lane_q;
    logic [3:0] load_plane_q;
    always_ff @(posedge clk_i) begin
      weight_lane_o <= load_lane_q;
      weight_plane_o <= load_plane_q;
      if (start_i || load_last_row) begin
        load_lane_q <= {$clog2(COLUMNS){1'b0}};
        load_plane_q <= 4'd0;
      end else if (load_row) begin
        load_plane_q <= load_plane_q == top_weight ? 4'd0 : load_plane_q + 4'd1;
        if (load_plane_q == top_weight) load_lane_q <= load_lane_q + 1'b1;
      end
    end
  end

  // Last planes come at least `interval` cycles apart: rest_q is what is left of that.
  assign vector_last = whole_codes ? 10'd0 : planes_last;
  assign vector_start = state_q == STREAM && !in_vector && vector_ready_i && {{(10-INTERVAL_WIDTH){1'b0}}, rest_q} <= vector_last;
  assign plane_o = (vector_start && !whole_codes) || (state_q == STREAM && in_vector);
  assign codes_o = vector_start && whole_codes;
  assign codes_high_o = two_inputs && !k_first;
  assign plane_first_o = !in_vector;
  assign vector_end = (plane_o && plane_last_o) || codes_o;
  assign release_o = vector_end;
  assign vector_o = vector_start;
  assign block_last = block_q + 1'b1 == blocks;
  assign pixels_end = group_last_i;
  assign first_o = k_first && !desc_i[F_CARRY_IN];
  assign tile_last_o = k_last && pixels_end;
  assign half_o = half_q;
  assign pixel_o = base_q + pixel_q;
  assign busy_o = load_row || plane_o || codes_o;
  assign waiting_o = state_q != IDLE && !busy_o;

  /* verilator lint_off UNUSEDSIGNAL */ // groups are no larger than the tile's pixels
  logic [PIXEL_WIDTH+7:0] group_wide;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [PIXEL_WIDTH-1:0] group_step;
  assign group_wide = {{PIXEL_WIDTH{1'b0}}, group_size_i};
  assign group_step = group_wide[PIXEL_WIDTH-1:0];

  logic tile_leave;
  assign tile_leave = state_q == TILE && halves_used_q != 2'd2;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= IDLE;
      rest_q <= '0;
      halves_used_q <= 2'd0;
      half_q <= 1'b0;
    end else begin
      unique case (state_q)
        IDLE: if (start_i) state_q <= TILE;
        TILE: if (tile_leave) state_q <= whole_codes ? DRAIN : LOAD;
        LOAD: if (load_last) state_q <= k_first ? DRAIN : STREAM;
        DRAIN: if (!array_busy_i) state_q <= STREAM;
        STREAM: begin
          if (vector_end && pixels_end) begin
            if (!k_last) state_q <= whole_codes ? STREAM : LOAD;
            else if (n_last && block_last) state_q <= IDLE;
            else state_q <= TILE;
          end
        end
        default: state_q <= IDLE;
      endcase
      if (vector_end) rest_q <= interval - 1'b1;
      else if (rest_q != '0) rest_q <= rest_q - 1'b1;
      if (tile_leave && !half_freed_i) halves_used_q <= halves_used_q + 2'd1;
      else if (!tile_leave && half_freed_i) halves_used_q <= halves_used_q - 2'd1;
      if (start_i) half_q <= 1'b0;
      else if (vector_end && pixels_end && k_last) half_q <= !half_q;
    end
  end

  // A row of the weight buffer is a row of the array (pim).
  /* verilator lint_off UNUSEDSIGNAL */
  logic [ROWS_WIDTH+$clog2(ROWS)-1:0] row_place;
  /* verilator lint_on UNUSEDSIGNAL */
  assign row_place = {{($clog2(ROWS)){1'b0}}, weight_row_q};
  logic [TILES-1:0] we_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) we_q <= {TILES{1'b0}};
    else we_q <= load_row ? {{(TILES-1){1'b0}}, 1'b1} << weight_tile_q : {TILES{1'b0}};
  end
  assign weight_we_o = we_q;

  always_ff @(posedge clk_i) begin
    weight_row_o <= row_place[$clog2(ROWS)-1:0];
    if (start_i) begin
      block_q <= '0;
      n_q <= '0;
      k_q <= '0;
      pixel_q <= {PIXEL_WIDTH{1'b0}};
      base_q <= {PIXEL_WIDTH{1'b0}};
      segment_left_q <= segment_first;
      weight_row_q <= '0;
      weight_tile_q <= '0;
      rows_taken_q <= '0;
      read_address_q <= {$clog2(WEIGHT_DEPTH){1'b0}};
    end else begin
      if (state_q == DRAIN && !array_busy_i) begin
        lanes_q <= lanes;
        lanes_total_q <= lanes_now;
      end
      if (load_row) begin
        read_address_q <= read_address_q + 1'b1;
        rows_taken_q <= rows_taken_q + 1'b1;
        weight_row_q <= load_last_row ? '0 : weight_row_q + 1'b1;
        if (load_last_row) weight_tile_q <= load_last ? '0 : weight_tile_q + 1'b1;
      end
      if (vector_end) begin
        pixel_q <= pixel_q + group_step;
        if (pixels_end) begin
          pixel_q <= {PIXEL_WIDTH{1'b0}};
          k_q <= k_last ? '0 : k_q + 1'b1;
          if (k_last) begin
            n_q <= n_last ? '0 : n_q + 1'b1;
            segment_left_q <= n_last ? segment_first
                              : lanes_left[TILES] == '0 ? segment_next : lanes_left[TILES];
            // Tiles whose partial sums stay take turns in the halves, one step further every two tiles.
            if (n_last) base_q <= {PIXEL_WIDTH{1'b0}};
            else if (half_q) base_q <= base_q + desc_i[F_PSUM_STEP +: PIXEL_WIDTH];
          end
          if (k_last && n_last) begin
            block_q <= block_q + 1'b1;
            if (resident) read_address_q <= {$clog2(WEIGHT_DEPTH){1'b0}};
          end
        end
      end
    end
  end

`ifdef BS_CHECKS
  `include "bs_checks.svh"
  `BS_CHECKS_BEGIN
  `BS_CHECK(halves_used_q <= 2'd2 && !(half_freed_i && halves_used_q == 2'd0))
  `BS_CHECK(`BS_AT_MOST_ONE(weight_we_o) && !(plane_o && codes_o))
  `BS_CHECK(!release_o || vector_ready_i)
  `BS_CHECK(state_q == IDLE || ({16'd0, lanes_total_o} <= TILES * COLUMNS && {16'd0, tile_rows_o} <= ROWS))
`endif
endmodule
