// SPDX-License-Identifier: Apache-2.0
// Load unit: fetches descriptors, then for a layer its parameters and, block after block, the input rows and weight
// tiles the block needs, as far ahead as the buffers have room. One read command each: the parameters (with the table
// of the activation behind them), an input row, the row of the second tensor beside it, the rows of one macro's weight
// tile. The one pixel of a second tensor that meets all others is loaded once, after the parameters.
module bs_loader #(
  parameter OVERLAY      = 0,
  parameter WEIGHT_WIDTH = 64,  // of a word of the weight buffer
  parameter LOAD_ROWS    = 1,   // pim: rows in it
  parameter TILES        = 1,
  parameter ROWS         = 64,
  parameter COLUMNS      = 64,
  parameter DATA_WIDTH   = 64,
  parameter BANKS        = 16,
  parameter ACTIVATION_DEPTH = 64,
  parameter WEIGHT_DEPTH = 512,  // words
  parameter PARAMETER_DEPTH = 256,
  parameter POST_LANES   = 4,
  parameter TABLE_UNIT   = 1,
  parameter ACC_WIDTH    = 48,
  parameter MAX_WEIGHT_BITS = 16,
  parameter MAX_ACTIVATION_BITS = 16,
  parameter CLOCK_GATING = 0,   // as in bs_column
  parameter COUNT_WIDTH  = 16,  // as in bs_walker
  parameter LIST_WIDTH   = 32   // of the addresses in descriptors
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  // Descriptor fetch.
  input  logic                fetch_i,
  input  logic [LIST_WIDTH-1:0] fetch_address_i,
  output logic                fetch_beat_o,
  output logic [DATA_WIDTH-1:0] fetch_data_o,
  // Layer.
  input  logic                start_i,
  /* verilator lint_off UNUSEDSIGNAL */
  input  logic [64*32-1:0]    desc_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  logic [COUNT_WIDTH-1:0] rows_freed_i,     // input rows the feeder no longer needs
  input  logic                weight_row_freed_i,  // pulse
  output logic [COUNT_WIDTH-1:0] rows_loaded_o,
  output logic [$clog2(WEIGHT_DEPTH):0] weight_rows_loaded_o,  // modulo twice the buffer's words
  output logic                busy_o,
  // Read master.
  output logic                cmd_valid_o,
  input  logic                cmd_ready_i,
  output logic [LIST_WIDTH-1:0] cmd_address_o,
  output logic [(LIST_WIDTH-$clog2(DATA_WIDTH/8) < 24 ? LIST_WIDTH-$clog2(DATA_WIDTH/8) : 24)-1:0] cmd_beats_o,
  input  logic                data_valid_i,
  input  logic [DATA_WIDTH-1:0] data_i,
  // Activation buffer.
  output logic                act_write_even_o,
  output logic                act_write_odd_o,
  output logic [$clog2(BANKS*ACTIVATION_DEPTH)-1:0] act_address_o,
  // Weight buffer, one piece of DATA_WIDTH bits of a row.
  output logic [(WEIGHT_WIDTH+DATA_WIDTH-1)/DATA_WIDTH-1:0] weight_write_o,
  output logic [$clog2(WEIGHT_DEPTH)-1:0] weight_address_o,
  output logic                weight_beat_o,
  // Parameter buffer.
  output logic [POST_LANES-1:0] param_write_o,
  output logic [$clog2(PARAMETER_DEPTH)-1:0] param_address_o,
  output logic [ACC_WIDTH+37:0] param_data_o,  // {multiplier of negative values, shift, multiplier, bias}
  // Table of the activation: DATA_WIDTH / 8 entries a word.
  output logic                table_write_o,
  output logic [$clog2(2048/DATA_WIDTH)-1:0] table_address_o,
  output logic [DATA_WIDTH-1:0] data_o         // to the activation and weight buffers and the table
);
  `include "bs_descriptor.svh"
  localparam PIECES = (WEIGHT_WIDTH + DATA_WIDTH - 1) / DATA_WIDTH;  // beats of a weight row
  localparam RECORD_BEATS = DATA_WIDTH >= 128 ? 1 : 128 / DATA_WIDTH;
  localparam BYTES = DATA_WIDTH / 8;
  localparam BYTES_LOG = $clog2(BYTES);
  localparam FETCH_BEATS = DESC_WORDS * 32 / DATA_WIDTH;
  localparam ADDRESS_WIDTH = $clog2(BANKS * ACTIVATION_DEPTH);
  localparam BEATS_WIDTH = LIST_WIDTH - BYTES_LOG < 24 ? LIST_WIDTH - BYTES_LOG : 24;  // no command is longer than memory
  localparam HELD_WIDTH = $clog2(WEIGHT_DEPTH) + 1;  // of words of the weight buffer
  localparam RING_WIDTH = ADDRESS_WIDTH + 1;
  localparam Y_WIDTH = COUNT_WIDTH + 1;
  localparam BITS_WIDTH = $clog2(MAX_ACTIVATION_BITS + 1);
  localparam WEIGHT_BITS_WIDTH = $clog2(MAX_WEIGHT_BITS + 1);
  localparam [COUNT_WIDTH-1:0] ONE = 1;
  localparam TILE_WIDTH = TILES > 1 ? $clog2(TILES) : 1;
  localparam PIECE_WIDTH = PIECES > 1 ? $clog2(PIECES) : 1;
  localparam ROWS_WIDTH = $clog2((OVERLAY != 0 ? COLUMNS * MAX_WEIGHT_BITS : ROWS) + 1);  // of words of a tile's weights
  localparam FREE_WIDTH = (HELD_WIDTH > ROWS_WIDTH ? HELD_WIDTH : ROWS_WIDTH) + 1;
  localparam LANE_BITS = POST_LANES > 1 ? $clog2(POST_LANES) : 1;

  localparam TABLE_BEATS = 2048 / DATA_WIDTH;
  localparam TABLE_ADDRESS = $clog2(TABLE_BEATS);
  localparam [2:0] TO_DESCRIPTOR = 3'd0, TO_PARAMETERS = 3'd1, TO_ACTIVATIONS = 3'd2, TO_WEIGHTS = 3'd3,
                   TO_SECOND = 3'd4;

  logic whole_codes, resident, second, broadcast;
  logic [RING_WIDTH-1:0] in_ring, in_slot;
  logic [COUNT_WIDTH-1:0] in_slots, rows_needed, blocks, k_tiles, n_tiles, segment_first, segment_next;
  logic [COUNT_WIDTH-1:0] lanes_full;
  logic [BITS_WIDTH-1:0] first_bits, second_bits, bits;
  logic [BEATS_WIDTH-1:0] row_beats, param_beats, second_beats;
  assign whole_codes = desc_i[F_OPCODE +: B_OPCODE] != OP_CONVOLUTION;
  assign resident = desc_i[F_RESIDENT];
  assign second = desc_i[F_SECOND];
  assign broadcast = desc_i[F_BROADCAST];
  assign first_bits = desc_i[F_ACTIVATION_BITS +: BITS_WIDTH];
  assign second_bits = desc_i[F_SECOND_BITS +: BITS_WIDTH];
  assign second_beats = desc_i[F_SECOND_ROW_BEATS +: BEATS_WIDTH];
  assign in_ring = desc_i[F_IN_RING +: RING_WIDTH];
  assign in_slot = desc_i[F_IN_SLOT +: RING_WIDTH];
  assign in_slots = desc_i[F_IN_SLOTS +: COUNT_WIDTH];
  assign rows_needed = desc_i[F_ROWS_NEEDED +: COUNT_WIDTH];
  assign blocks = desc_i[F_BLOCKS +: COUNT_WIDTH];
  assign k_tiles = desc_i[F_K_TILES +: COUNT_WIDTH];
  assign n_tiles = desc_i[F_N_TILES +: COUNT_WIDTH];
  assign segment_first = desc_i[F_SEGMENT_CHANNELS +: COUNT_WIDTH];
  assign segment_next = desc_i[F_SEGMENT_NEXT +: COUNT_WIDTH];
  assign lanes_full = desc_i[F_LANES +: COUNT_WIDTH];
  assign row_beats = desc_i[F_IN_ROW_BEATS +: BEATS_WIDTH];
  assign param_beats = desc_i[F_PARAM_BEATS +: BEATS_WIDTH];

  // ------------------------------------------------------------------ commands
  typedef enum logic [2:0] {IDLE, FETCH, PARAMETERS, ONE_PIXEL, INPUT_ROWS, WEIGHTS} state_e;
  state_e state_q;
  logic [COUNT_WIDTH-1:0] block_q, row_q, segment_left_q;
  logic [COUNT_WIDTH-1:0] n_left_q, k_left_q;  // output tiles of the block and row tiles of the output tile from this one on
  logic [TILE_WIDTH-1:0] t_q;
  logic beside_q;  // the next row command is the second tensor's
  logic signed [COUNT_WIDTH+1:0] block_end_q;  // input row behind those that the block needs; there may be fewer
  logic [LIST_WIDTH-1:0] row_address_q, second_address_q, weight_address_q;
  logic [HELD_WIDTH-1:0] weight_rows_held_q;  // rows commanded and not freed

  logic signed [COUNT_WIDTH:0] start_y;
  logic [COUNT_WIDTH-1:0] rows_waiting;
  assign start_y = desc_i[F_PIXEL_START_Y +: Y_WIDTH];
  assign rows_waiting = row_q - rows_freed_i;
  logic n_done, k_done, t_done, fire;
  // Words of a tile's weights: overlay has one for every plane of every output. A register later they are soon enough: the
  // read master takes no two commands in neighbouring cycles.
  logic [ROWS_WIDTH-1:0] tile_rows, tile_rows_q;
  always_ff @(posedge clk_i) tile_rows_q <= tile_rows;
  if (OVERLAY != 0) begin : g_output_planes
    localparam LANE_WIDTH = $clog2(COLUMNS + 1);
    logic [LANE_WIDTH-1:0] outputs;
    assign outputs = segment_left_q < lanes_full ? segment_left_q[LANE_WIDTH-1:0] : lanes_full[LANE_WIDTH-1:0];
    assign tile_rows = {{(ROWS_WIDTH-LANE_WIDTH){1'b0}}, outputs}
                       * {{(ROWS_WIDTH-WEIGHT_BITS_WIDTH){1'b0}}, desc_i[F_WEIGHT_BITS +: WEIGHT_BITS_WIDTH]};
  end else begin : g_rows
    localparam LAST_ROW = LOAD_ROWS - 1;  // of a word
    /* verilator lint_off UNUSEDSIGNAL */ // a tile's words are no more than its rows
    logic [ROWS_WIDTH:0] words;
    /* verilator lint_on UNUSEDSIGNAL */
    assign words = ({1'b0, k_done ? desc_i[F_ROWS_LAST +: ROWS_WIDTH] : ROWS[ROWS_WIDTH-1:0]} + LAST_ROW[ROWS_WIDTH:0])
                   >> $clog2(LOAD_ROWS);
    assign tile_rows = words[ROWS_WIDTH-1:0];
  end
  if (TILES > 1) begin : g_macros
    logic [COUNT_WIDTH-1:0] placed_q;  // channels of the output tile up to this macro
    always_ff @(posedge clk_i) begin
      if (start_i) placed_q <= lanes_full;
      else if (state_q == WEIGHTS && fire) placed_q <= t_done ? lanes_full : placed_q + lanes_full;
    end
    assign t_done = {{(32-TILE_WIDTH){1'b0}}, t_q} == TILES - 1 || segment_left_q <= placed_q;
  end else begin : g_one_macro
    assign t_done = 1'b1;
  end

  logic slot_free, weights_free, rows_done, weights_last, queue_ready;
  logic [FREE_WIDTH-1:0] rows_wide;
  assign rows_done = $signed({2'b0, row_q}) >= block_end_q || row_q >= rows_needed;
  // Rows the feeder has freed may be ahead of the rows loaded (strides larger than the kernel).
  assign slot_free = rows_freed_i > row_q || rows_waiting < in_slots;
  assign rows_wide = {{(FREE_WIDTH-ROWS_WIDTH){1'b0}}, tile_rows_q};
  assign weights_free = {{(FREE_WIDTH-HELD_WIDTH){1'b0}}, weight_rows_held_q} + rows_wide <= WEIGHT_DEPTH[FREE_WIDTH-1:0];
  assign k_done = k_left_q == ONE;
  assign n_done = n_left_q == ONE;
  assign weights_last = t_done && k_done && n_done;

  /* verilator lint_off UNUSEDSIGNAL */ // a tile's weights fit the memory
  logic [23:0] weight_beats_wide;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [BEATS_WIDTH-1:0] weight_beats;
  assign weight_beats_wide = {{(24-ROWS_WIDTH){1'b0}}, tile_rows_q} * PIECES[23:0];
  assign weight_beats = weight_beats_wide[BEATS_WIDTH-1:0];

  logic want;
  always_comb begin
    want = 1'b0;
    cmd_address_o = fetch_address_i;
    cmd_beats_o = FETCH_BEATS[BEATS_WIDTH-1:0];
    unique case (state_q)
      FETCH: want = 1'b1;
      PARAMETERS: begin
        want = 1'b1;
        cmd_address_o = desc_i[F_PARAM_ADDRESS +: LIST_WIDTH];
        cmd_beats_o = param_beats;
      end
      ONE_PIXEL: begin
        want = 1'b1;
        cmd_address_o = second_address_q;
        cmd_beats_o = second_beats;
      end
      INPUT_ROWS: begin
        want = beside_q || (!rows_done && slot_free);
        cmd_address_o = beside_q ? second_address_q : row_address_q;
        cmd_beats_o = beside_q ? second_beats : row_beats;
      end
      WEIGHTS: begin
        want = weights_free;
        cmd_address_o = weight_address_q;
        cmd_beats_o = weight_beats;
      end
      default: want = 1'b0;
    endcase
  end
  assign cmd_valid_o = want && queue_ready;
  assign fire = cmd_valid_o && cmd_ready_i;

  logic block_last, weights_wanted, rows_end;
  assign block_last = block_q + 1'b1 == blocks;
  assign weights_wanted = !whole_codes && !desc_i[F_KEEP_WEIGHTS] && (!resident || block_q == '0);
  assign rows_end = rows_done && !beside_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= IDLE;
    end else begin
      unique case (state_q)
        IDLE: begin
          if (fetch_i) state_q <= FETCH;
          else if (start_i) state_q <= PARAMETERS;
        end
        FETCH: if (fire) state_q <= IDLE;
        PARAMETERS: if (fire) state_q <= second && broadcast ? ONE_PIXEL : INPUT_ROWS;
        ONE_PIXEL: if (fire) state_q <= INPUT_ROWS;
        INPUT_ROWS: begin
          if (rows_end) begin
            if (weights_wanted) state_q <= WEIGHTS;
            else if (block_last) state_q <= IDLE;
          end
        end
        WEIGHTS: if (fire && weights_last) state_q <= block_last ? IDLE : INPUT_ROWS;
        default: state_q <= IDLE;
      endcase
    end
  end

  logic next_block;
  logic [HELD_WIDTH-1:0] rows_held;  // but for the row that is freed, which the array says late
  assign rows_held = weight_rows_held_q + (state_q == WEIGHTS && fire ? rows_wide[HELD_WIDTH-1:0] : '0);
  assign next_block = (state_q == INPUT_ROWS && rows_end && !weights_wanted)
                      || (state_q == WEIGHTS && fire && weights_last);
  logic command_clk;
  if (CLOCK_GATING != 0) begin : g_command_gated
    bs_clock_gate u_command (.clk_i(clk_i), .enable_i(start_i || fire || next_block || weight_row_freed_i), .clk_o(command_clk));
  end else begin : g_command_enabled
    assign command_clk = clk_i;
  end
  always_ff @(posedge command_clk) begin
    if (start_i) begin
      block_q <= '0;
      n_left_q <= n_tiles;
      k_left_q <= k_tiles;
      t_q <= '0;
      row_q <= '0;
      beside_q <= 1'b0;
      segment_left_q <= segment_first;
      second_address_q <= desc_i[F_SECOND_ADDRESS +: LIST_WIDTH];
      block_end_q <= {start_y[COUNT_WIDTH], start_y} + {2'b0, desc_i[F_BLOCK_SPAN +: COUNT_WIDTH]};
      row_address_q <= desc_i[F_IN_ADDRESS +: LIST_WIDTH];
      weight_address_q <= desc_i[F_WEIGHT_ADDRESS +: LIST_WIDTH];
    end else begin
      if (state_q == INPUT_ROWS && fire) begin
        beside_q <= second && !broadcast && !beside_q;
        if (beside_q) begin
          second_address_q <= second_address_q + desc_i[F_SECOND_ROW_STRIDE +: LIST_WIDTH];
        end else begin
          row_q <= row_q + 1'b1;
          row_address_q <= row_address_q + desc_i[F_IN_ROW_STRIDE +: LIST_WIDTH];
        end
      end
      if (state_q == WEIGHTS && fire) begin
        weight_address_q <= weight_address_q
                            + {{(LIST_WIDTH-BEATS_WIDTH-BYTES_LOG){1'b0}}, weight_beats, {BYTES_LOG{1'b0}}};
        t_q <= t_done ? '0 : t_q + 1'b1;
        if (t_done) begin
          k_left_q <= k_done ? k_tiles : k_left_q - 1'b1;
          if (k_done) begin
            n_left_q <= n_done ? n_tiles : n_left_q - 1'b1;
            segment_left_q <= n_done ? segment_first
                              : segment_left_q <= TILES[COUNT_WIDTH-1:0] * lanes_full ? segment_next
                              : segment_left_q - TILES[COUNT_WIDTH-1:0] * lanes_full;
            if (n_done) weight_address_q <= desc_i[F_WEIGHT_ADDRESS +: LIST_WIDTH];
          end
        end
      end
      if (next_block) begin
        block_q <= block_q + 1'b1;
        block_end_q <= block_end_q + $signed({2'b0, desc_i[F_BLOCK_STEP_Y +: COUNT_WIDTH]});
      end
    end
    if (start_i) weight_rows_held_q <= '0;
    else weight_rows_held_q <= weight_row_freed_i ? rows_held - 1'b1 : rows_held;
  end

  // ------------------------------------------------------------------ queue of commands in flight
  logic [2:0] kind;
  localparam ENTRY_WIDTH = BEATS_WIDTH + 3;
  // Kind and beats, the oldest first; a vector, since Icarus 11 does not see words of an array that are written one by one.
  logic [4*ENTRY_WIDTH-1:0] queue_q;
  logic [2:0] queue_count_q;
  logic pop;
  always_comb begin
    unique case (state_q)
      PARAMETERS: kind = TO_PARAMETERS;
      ONE_PIXEL: kind = TO_SECOND;
      INPUT_ROWS: kind = beside_q ? TO_SECOND : TO_ACTIVATIONS;
      WEIGHTS: kind = TO_WEIGHTS;
      default: kind = TO_DESCRIPTOR;
    endcase
  end
  assign queue_ready = queue_count_q != 3'd4;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      queue_count_q <= 3'd0;
    end else begin
      if (fire && !pop) queue_count_q <= queue_count_q + 3'd1;
      else if (!fire && pop) queue_count_q <= queue_count_q - 3'd1;
    end
  end
  logic [2:0] queue_place;  // of a new one
  assign queue_place = queue_count_q - {2'd0, pop};
  logic queue_clk;
  if (CLOCK_GATING != 0) begin : g_queue_gated
    bs_clock_gate u_queue (.clk_i(clk_i), .enable_i(fire || pop), .clk_o(queue_clk));
  end else begin : g_queue_enabled
    assign queue_clk = clk_i;
  end
  for (genvar i = 0; i < 4; i = i + 1) begin : g_queue
    logic [ENTRY_WIDTH-1:0] behind;
    assign behind = i < 3 ? queue_q[(i < 3 ? i + 1 : 3)*ENTRY_WIDTH +: ENTRY_WIDTH] : {ENTRY_WIDTH{1'b0}};
    always_ff @(posedge queue_clk) begin
      if (fire && queue_place == i[2:0]) queue_q[i*ENTRY_WIDTH +: ENTRY_WIDTH] <= {kind, cmd_beats_o};
      else if (pop) queue_q[i*ENTRY_WIDTH +: ENTRY_WIDTH] <= behind;
    end
  end
  assign busy_o = state_q != IDLE || queue_count_q != 3'd0;

  // ------------------------------------------------------------------ data
  logic [2:0] to;
  logic [BEATS_WIDTH-1:0] beat_q;
  logic [BEATS_WIDTH-1:0] beats;  // of the command whose data come
  assign {to, beats} = queue_q[0 +: ENTRY_WIDTH];
  assign pop = data_valid_i && beat_q + 1'b1 == beats;
  assign data_o = data_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) beat_q <= '0;
    else if (data_valid_i) beat_q <= pop ? '0 : beat_q + 1'b1;
  end

  assign fetch_beat_o = data_valid_i && to == TO_DESCRIPTOR;
  assign fetch_data_o = data_i;

  // Input rows: lines of a row one after the other, planes of a line one after the other. A row of the second tensor
  // lies behind the first one's in the same slot; its one pixel has a place of its own.
  logic data_clk;
  if (CLOCK_GATING != 0) begin : g_data_gated
    bs_clock_gate u_data (.clk_i(clk_i), .enable_i(start_i || data_valid_i), .clk_o(data_clk));
  end else begin : g_data_enabled
    assign data_clk = clk_i;
  end
  logic [BITS_WIDTH-1:0] plane_q;
  logic odd_q;
  logic [RING_WIDTH-1:0] slot_q, pair_q, next_slot;
  logic [RING_WIDTH:0] next_slot_sum;
  logic act_beat, plane_end, to_second, row_complete;
  assign to_second = to == TO_SECOND;
  assign act_beat = data_valid_i && (to == TO_ACTIVATIONS || to_second);
  assign bits = to_second ? second_bits : first_bits;
  assign row_complete = act_beat && pop && (second && !broadcast ? to_second : !to_second);
  assign plane_end = plane_q + 1'b1 == bits;
  assign act_write_even_o = act_beat && !odd_q;
  assign act_write_odd_o = act_beat && odd_q;
  /* verilator lint_off UNUSEDSIGNAL */ // addresses fit by construction of the descriptor
  logic [RING_WIDTH-1:0] act_address;
  /* verilator lint_on UNUSEDSIGNAL */
  assign act_address = (to_second && broadcast ? '0 : slot_q) + (to_second ? desc_i[F_SECOND_SLOT +: RING_WIDTH] : '0)
                       + pair_q + {{(RING_WIDTH-BITS_WIDTH){1'b0}}, plane_q};
  assign act_address_o = act_address[ADDRESS_WIDTH-1:0];
  assign next_slot_sum = {1'b0, slot_q} + {1'b0, in_slot};
  assign next_slot = next_slot_sum >= {1'b0, in_ring} ? next_slot_sum[RING_WIDTH-1:0] - in_ring : next_slot_sum[RING_WIDTH-1:0];
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) rows_loaded_o <= '0;
    else if (start_i) rows_loaded_o <= '0;
    else if (row_complete) rows_loaded_o <= rows_loaded_o + 1'b1;
  end
  always_ff @(posedge data_clk) begin
    if (start_i) begin
      plane_q <= '0;
      odd_q <= 1'b0;
      slot_q <= '0;
      pair_q <= '0;
    end else if (act_beat) begin
      plane_q <= plane_end ? '0 : plane_q + 1'b1;
      if (plane_end) begin
        odd_q <= !odd_q;
        if (odd_q) pair_q <= pair_q + {{(RING_WIDTH-BITS_WIDTH){1'b0}}, bits};
      end
      if (pop) begin
        odd_q <= 1'b0;
        pair_q <= '0;
        if (row_complete) slot_q <= next_slot;
      end
    end
  end

  // Weight rows.
  logic [PIECE_WIDTH-1:0] piece_q;
  logic piece_end, weight_beat;
  logic [$clog2(WEIGHT_DEPTH)-1:0] weight_row_q;
  assign weight_beat = data_valid_i && to == TO_WEIGHTS;
  assign piece_end = PIECES == 1 || {{(32-PIECE_WIDTH){1'b0}}, piece_q} == PIECES - 1;
  assign weight_write_o = weight_beat ? {{(PIECES-1){1'b0}}, 1'b1} << piece_q : {PIECES{1'b0}};
  assign weight_address_o = weight_row_q;
  assign weight_beat_o = weight_beat;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) weight_rows_loaded_o <= '0;
    else if (start_i) weight_rows_loaded_o <= '0;
    else if (weight_beat && piece_end) weight_rows_loaded_o <= weight_rows_loaded_o + 1'b1;
  end
  always_ff @(posedge data_clk) begin
    if (start_i) begin
      piece_q <= '0;
      weight_row_q <= {$clog2(WEIGHT_DEPTH){1'b0}};
    end else if (weight_beat) begin
      piece_q <= piece_end ? '0 : piece_q + 1'b1;
      if (piece_end) weight_row_q <= weight_row_q + 1'b1;
    end
  end

  // Parameter records of 128 bits: bias in 0..47, multiplier in 48..63, shift in 64..69, the multiplier of negative
  // values in 80..95. The last beats are the table, where the activation has one.
  /* verilator lint_off UNUSEDSIGNAL */ // unused bits between the fields
  logic [127:0] record;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [2:0] record_beat_q;
  logic [LANE_BITS-1:0] param_lane_q;
  logic [$clog2(PARAMETER_DEPTH)-1:0] param_row_q;
  logic param_beat, table_beat, record_end;
  logic [TABLE_ADDRESS-1:0] table_q;
  assign table_beat = TABLE_UNIT != 0 && data_valid_i && to == TO_PARAMETERS && desc_i[F_ACTIVATION +: B_ACTIVATION] == ACT_TABLE
                      && beat_q + TABLE_BEATS[BEATS_WIDTH-1:0] >= beats;
  assign table_write_o = table_beat;
  assign table_address_o = table_q;
  if (DATA_WIDTH >= 128) begin : g_whole_record
    assign record = data_i[127:0];
  end else begin : g_record_pieces
    // Words by themselves, as in bs_sequencer; the last beat is there when the record is written.
    logic [127-DATA_WIDTH:0] record_q;
    for (genvar i = 0; i < RECORD_BEATS - 1; i = i + 1) begin : g_piece
      always_ff @(posedge data_clk) if (param_beat && record_beat_q == i[2:0]) record_q[i*DATA_WIDTH +: DATA_WIDTH] <= data_i;
    end
    assign record = {data_i, record_q};
  end
  assign param_beat = data_valid_i && to == TO_PARAMETERS && !table_beat;
  assign record_end = record_beat_q + 3'd1 == RECORD_BEATS[2:0];
  assign param_write_o = param_beat && record_end ? {{(POST_LANES-1){1'b0}}, 1'b1} << param_lane_q
                                                  : {POST_LANES{1'b0}};
  assign param_address_o = param_row_q;
  assign param_data_o = {record[95:80], record[69:64], record[63:48], record[ACC_WIDTH-1:0]};
  always_ff @(posedge data_clk) begin
    if (start_i) begin
      record_beat_q <= 3'd0;
      param_lane_q <= {LANE_BITS{1'b0}};
      param_row_q <= {$clog2(PARAMETER_DEPTH){1'b0}};
      table_q <= {TABLE_ADDRESS{1'b0}};
    end else if (table_beat) begin
      table_q <= table_q + 1'b1;
    end else if (param_beat) begin
      record_beat_q <= record_end ? 3'd0 : record_beat_q + 3'd1;
      if (record_end) begin
        if ({{(32 - LANE_BITS){1'b0}}, param_lane_q} == POST_LANES - 1) begin
          param_lane_q <= {LANE_BITS{1'b0}};
          param_row_q <= param_row_q + 1'b1;
        end else begin
          param_lane_q <= param_lane_q + 1'b1;
        end
      end
    end
  end

`ifdef BS_CHECKS
  `include "bs_checks.svh"
  `BS_CHECKS_BEGIN
  `BS_CHECK(queue_count_q <= 3'd4)
  `BS_CHECK(!data_valid_i || (queue_count_q != 3'd0 && beat_q < beats))
  `BS_CHECK({{(32-HELD_WIDTH){1'b0}}, weight_rows_held_q} <= WEIGHT_DEPTH)
  `BS_CHECK(state_q != WEIGHTS || !fire || tile_rows_q == tile_rows)
  `BS_CHECK(!weight_row_freed_i || weight_rows_held_q != '0)
  // A beat has one place.
  `BS_CHECK(`BS_AT_MOST_ONE({fetch_beat_o, act_write_even_o, act_write_odd_o, weight_beat, param_beat, table_beat}))
  `BS_CHECK(`BS_AT_MOST_ONE(weight_write_o) && `BS_AT_MOST_ONE(param_write_o))
`endif
endmodule
