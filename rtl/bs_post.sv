// SPDX-License-Identifier: Apache-2.0
// Post-processing: reads finished partial sums POST_LANES at a time, requantizes them, and lays the codes as bits of
// the output row's plane lines. One group of lanes enters a cycle, or every INTERVAL cycles; its bits are written
// POST_LATENCY cycles later.
module bs_post #(
  parameter STRIPS     = 0,  // 1: a tile's outputs may lie in runs apart from each other
  parameter TILES      = 1,
  parameter COLUMNS    = 64,
  parameter DATA_WIDTH = 64,
  parameter BANKS      = 16,
  parameter MAX_ACTIVATION_BITS = 16,
  parameter ACC_WIDTH  = 48,
  parameter PSUM_DEPTH = 256,
  parameter PARAMETER_DEPTH = 256,
  parameter OUTPUT_DEPTH = 32,  // words of an output plane bank, per half
  parameter POST_LANES = 4,
  parameter VECTOR_UNIT = 1,
  parameter SWISH_UNIT = 1,
  parameter TABLE_UNIT = 1,
  parameter CLOCK_GATING = 0,  // as in bs_column
  parameter COUNT_WIDTH = 16,  // as in bs_walker
  parameter SERIAL_REQUANTIZER = 0  // 1: one value at a time, INTERVAL cycles each
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                start_i,
  /* verilator lint_off UNUSEDSIGNAL */
  input  logic [64*32-1:0]    desc_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  logic                tile_done_i,    // pulse: another tile's partial sums are complete
  output logic                half_freed_o,   // pulse: an accumulator half is read out
  input  logic                store_freed_i,  // pulse: an output half is stored
  output logic                block_done_o,   // pulse: the block's last bits are being written
  output logic                carried_o,      // level: the partial sums of all tiles stay for the next descriptor
  // Partial sums.
  output logic [TILES-1:0]    read_o,
  output logic                read_half_o,
  output logic [$clog2(PSUM_DEPTH)-1:0] read_pixel_o,
  output logic [$clog2(COLUMNS)-1:0]    read_group_o,
  input  logic [POST_LANES*ACC_WIDTH-1:0] read_data_i,
  // Parameters: POST_LANES records a word.
  output logic                param_read_o,
  output logic [$clog2(PARAMETER_DEPTH)-1:0] param_address_o,
  input  logic [POST_LANES*(ACC_WIDTH+38)-1:0] param_data_i,
  // Table of the activation.
  input  logic                table_write_i,
  input  logic [$clog2(2048/DATA_WIDTH)-1:0] table_address_i,
  input  logic [DATA_WIDTH-1:0] table_data_i,
  // Output buffer.
  output logic [BANKS-1:0]    write_even_planes_o,
  output logic [BANKS-1:0]    write_odd_planes_o,
  output logic [$clog2(BANKS*OUTPUT_DEPTH*2)-1:0] write_even_address_o,
  output logic [$clog2(BANKS*OUTPUT_DEPTH*2)-1:0] write_odd_address_o,
  output logic [BANKS*DATA_WIDTH-1:0] write_even_data_o,
  output logic [BANKS*DATA_WIDTH-1:0] write_odd_data_o,
  output logic [DATA_WIDTH-1:0] write_even_mask_o,
  output logic [DATA_WIDTH-1:0] write_odd_mask_o,
  // Events.
  output logic                group_o,   // a group enters
  output logic [3:0]          outputs_o  // outputs in it
);
  `include "bs_descriptor.svh"
  localparam REQUANT_LATENCY = 10;  // of bs_requant: from a sum to its code
  localparam PARAM_STAGE = 3;       // of it: the one before the first that takes parameters
  localparam INTERVAL = SERIAL_REQUANTIZER != 0 ? ACC_WIDTH + 46 : 1;
  localparam POST_LATENCY = SERIAL_REQUANTIZER != 0 ? INTERVAL - 1 : REQUANT_LATENCY + 1;
  localparam POSITION_WIDTH = COUNT_WIDTH + 4;  // of a bit in an output row
  localparam BITS_WIDTH = $clog2(MAX_ACTIVATION_BITS + 1);
  localparam LANE_WIDTH = $clog2(COLUMNS + 1);
  localparam OUTPUTS_WIDTH = $clog2(POST_LANES + 1);
  localparam TILE_WIDTH = TILES > 1 ? $clog2(TILES) : 1;
  localparam LINE_WIDTH = $clog2(DATA_WIDTH);
  localparam ADDRESS_WIDTH = $clog2(BANKS * OUTPUT_DEPTH);  // within a half
  localparam PIXEL_WIDTH = $clog2(PSUM_DEPTH);
  localparam GROUP_WIDTH = $clog2(COLUMNS);
  localparam PARAM_WIDTH = $clog2(PARAMETER_DEPTH);
  localparam RECORD_WIDTH = ACC_WIDTH + 38;

  logic [BITS_WIDTH-1:0] out_bits;
  logic [COUNT_WIDTH-1:0] out_width, out_height, block_rows, blocks, n_tiles, out_step, lanes_full;
  logic [COUNT_WIDTH-1:0] out_run, out_jump, out_tile_step;
  logic shared_records;
  logic [COUNT_WIDTH-1:0] segment_first, segment_next;
  logic [ADDRESS_WIDTH-1:0] out_slot;
  logic carry_out;
  assign out_bits = desc_i[F_OUTPUT_BITS +: BITS_WIDTH];
  assign out_width = desc_i[F_OUT_WIDTH +: COUNT_WIDTH];
  assign out_height = desc_i[F_OUT_HEIGHT +: COUNT_WIDTH];
  assign block_rows = desc_i[F_BLOCK_ROWS +: COUNT_WIDTH];
  assign blocks = desc_i[F_BLOCKS +: COUNT_WIDTH];
  assign n_tiles = desc_i[F_N_TILES +: COUNT_WIDTH];
  assign out_step = desc_i[F_OUT_STEP +: COUNT_WIDTH];
  assign out_run = STRIPS != 0 ? desc_i[F_OUT_RUN +: COUNT_WIDTH] : '0;
  assign out_jump = STRIPS != 0 ? desc_i[F_OUT_JUMP +: COUNT_WIDTH] : '0;
  assign out_tile_step = STRIPS != 0 ? desc_i[F_OUT_TILE_STEP +: COUNT_WIDTH] : '0;
  assign shared_records = STRIPS != 0 && desc_i[F_SHARED_RECORDS];
  assign lanes_full = desc_i[F_LANES +: COUNT_WIDTH];
  assign segment_first = desc_i[F_SEGMENT_CHANNELS +: COUNT_WIDTH];
  assign segment_next = desc_i[F_SEGMENT_NEXT +: COUNT_WIDTH];
  assign carry_out = desc_i[F_CARRY_OUT];
  assign out_slot = desc_i[F_OUT_SLOT +: ADDRESS_WIDTH];

  // ------------------------------------------------------------------ loops: block, output tile, pixel, macro, group
  logic running_q, left_q;
  logic enter;          // a group enters
  logic entered;        // in the last cycle
  logic [COUNT_WIDTH-1:0] block_q, n_q, out_row_q, row_q, column_q;
  logic [TILE_WIDTH-1:0] tile_q;
  logic [LANE_WIDTH-1:0] lane_q;  // of the group's first output
  logic [COUNT_WIDTH-1:0] segment_left_q;    // channels from this tile to the end of its segment
  logic [COUNT_WIDTH-1:0] pixel_left_q;      // channels of this tile from this macro on
  logic [POSITION_WIDTH-1:0] pixel_bit_q;       // first bit of the pixel in its row
  logic [POSITION_WIDTH-1:0] tile_bit_q;        // first channel of the tile
  logic [POSITION_WIDTH-1:0] place_q;           // first bit of the group from the tile's
  logic [COUNT_WIDTH-1:0] run_q;             // outputs of its run before the group
  logic [ADDRESS_WIDTH-1:0] row_slot_q;  // buffer address of the row
  logic [PIXEL_WIDTH-1:0] pixel_q, base_q;  // within the tile, and where its partial sums begin
  logic [PARAM_WIDTH-1:0] param_tile_q, param_q;
  logic half_q, out_half_q;
  logic [1:0] tiles_ready_q, out_halves_used_q;

  logic [COUNT_WIDTH-1:0] tile_channels, segment_rest, rows_left;
  logic [LANE_WIDTH-1:0] macro_lanes, lanes_here;
  logic [OUTPUTS_WIDTH-1:0] outputs_here;
  // With one macro these say nothing more, nor does the place where outputs lie side by side.
  logic [COUNT_WIDTH-1:0] pixel_left;
  logic [POSITION_WIDTH-1:0] place;
  logic run_ends;  // with the group: a run's outputs are a multiple of POST_LANES
  assign pixel_left = TILES == 1 ? tile_channels : pixel_left_q;
  assign place = TILES == 1 && STRIPS == 0 ? {{(POSITION_WIDTH-LANE_WIDTH){1'b0}}, lane_q} : place_q;
  logic group_last, macro_last, row_last, pixels_last, n_last, tile_end, block_end;
  logic start_tile;
  logic whole_codes;
  logic [COUNT_WIDTH-1:0] capacity;  // outputs of a tile; operators on whole codes use the first macro only
  assign whole_codes = desc_i[F_OPCODE +: B_OPCODE] != OP_CONVOLUTION;
  assign capacity = whole_codes ? lanes_full : TILES[COUNT_WIDTH-1:0] * lanes_full;
  assign macro_lanes = pixel_left < lanes_full ? pixel_left[LANE_WIDTH-1:0] : lanes_full[LANE_WIDTH-1:0];
  assign lanes_here = macro_lanes - lane_q;
  assign group_last = {{(32-LANE_WIDTH){1'b0}}, lanes_here} <= POST_LANES;
  assign run_ends = out_run != '0 && {{(32-COUNT_WIDTH){1'b0}}, out_run - run_q} <= POST_LANES;
  assign macro_last = TILES == 1 || whole_codes || {{(32-TILE_WIDTH){1'b0}}, tile_q} == TILES - 1 || pixel_left <= lanes_full;
  assign tile_channels = segment_left_q < capacity ? segment_left_q : capacity;
  assign segment_rest = segment_left_q - tile_channels;
  assign rows_left = out_height - out_row_q;
  assign row_last = column_q + 1'b1 == out_width;
  assign pixels_last = row_last && row_q + 1'b1 == (rows_left < block_rows ? rows_left : block_rows);
  assign n_last = n_q + 1'b1 == n_tiles;
  // Partial sums that stay need no reading: their tile ends as it starts.
  assign tile_end = (enter && group_last && macro_last && pixels_last) || (start_tile && carry_out);
  assign block_end = tile_end && n_last;
  assign start_tile = left_q && !running_q && tiles_ready_q != 2'd0 && (n_q != '0 || out_halves_used_q != 2'd2);

  /* verilator lint_off UNUSEDSIGNAL */
  logic [LANE_WIDTH+3:0] next_lane;
  /* verilator lint_on UNUSEDSIGNAL */
  assign next_lane = {4'd0, lane_q} + POST_LANES[LANE_WIDTH+3:0];

  logic start_block;
  assign start_block = start_tile && n_q == '0 && !carry_out;
  assign carried_o = carry_out && !left_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      running_q <= 1'b0;
      left_q <= 1'b0;
      tiles_ready_q <= 2'd0;
      out_halves_used_q <= 2'd0;
      half_q <= 1'b0;
      out_half_q <= 1'b0;
    end else begin
      if (start_i) left_q <= 1'b1;
      else if (block_end && block_q + 1'b1 == blocks) left_q <= 1'b0;
      if (start_tile) running_q <= !carry_out;
      else if (tile_end) running_q <= 1'b0;
      if (tile_done_i && !start_tile) tiles_ready_q <= tiles_ready_q + 2'd1;
      else if (!tile_done_i && start_tile) tiles_ready_q <= tiles_ready_q - 2'd1;
      if (start_block && !store_freed_i) out_halves_used_q <= out_halves_used_q + 2'd1;
      else if (!start_block && store_freed_i) out_halves_used_q <= out_halves_used_q - 2'd1;
      if (start_i) half_q <= 1'b0;
      else if (tile_end) half_q <= !half_q;
      if (start_i) out_half_q <= 1'b0;
      else if (block_end) out_half_q <= !out_half_q;
    end
  end

  logic loop_clk;
  if (CLOCK_GATING != 0) begin : g_loop_gated
    bs_clock_gate u_loop (.clk_i(clk_i), .enable_i(start_i || start_tile || running_q), .clk_o(loop_clk));
  end else begin : g_loop_enabled
    assign loop_clk = clk_i;
  end
  always_ff @(posedge loop_clk) begin
    if (start_i) begin
      block_q <= '0;
      n_q <= '0;
      out_row_q <= '0;
      segment_left_q <= segment_first;
      base_q <= {PIXEL_WIDTH{1'b0}};
      tile_bit_q <= '0;
      param_tile_q <= {PARAM_WIDTH{1'b0}};
    end else if (tile_end) begin
      n_q <= n_last ? '0 : n_q + 1'b1;
      segment_left_q <= n_last ? segment_first : segment_rest == '0 ? segment_next : segment_rest;
      tile_bit_q <= n_last ? '0 : tile_bit_q + {4'd0, out_tile_step != '0 ? out_tile_step : tile_channels};
      param_tile_q <= n_last ? {PARAM_WIDTH{1'b0}} : param_q + 1'b1;
      // Tiles whose partial sums stay take turns in the halves, one step further every two tiles.
      if (n_last) base_q <= {PIXEL_WIDTH{1'b0}};
      else if (half_q) base_q <= base_q + desc_i[F_PSUM_STEP +: PIXEL_WIDTH];
      if (n_last) begin
        block_q <= block_q + 1'b1;
        out_row_q <= out_row_q + block_rows;
      end
    end
    if (start_tile) begin
      row_q <= '0;
      column_q <= '0;
      tile_q <= '0;
      lane_q <= '0;
      pixel_q <= {PIXEL_WIDTH{1'b0}};
      pixel_left_q <= tile_channels;
      pixel_bit_q <= '0;
      place_q <= '0;
      run_q <= '0;
      row_slot_q <= '0;
      param_q <= param_tile_q;
    end else if (enter) begin
      lane_q <= group_last ? '0 : next_lane[LANE_WIDTH-1:0];
      param_q <= run_ends && shared_records ? param_tile_q : param_q + 1'b1;
      place_q <= place_q + {{(POSITION_WIDTH-OUTPUTS_WIDTH){1'b0}}, outputs_here} + (run_ends ? {4'd0, out_jump} : '0);
      run_q <= run_ends ? '0 : run_q + {{(COUNT_WIDTH-OUTPUTS_WIDTH){1'b0}}, outputs_here};
      if (group_last) begin
        tile_q <= tile_q + 1'b1;
        pixel_left_q <= pixel_left_q - lanes_full;
        if (macro_last) begin
          tile_q <= '0;
          pixel_left_q <= tile_channels;
          place_q <= '0;
          run_q <= '0;
          param_q <= param_tile_q;
          pixel_q <= pixel_q + 1'b1;
          column_q <= row_last ? '0 : column_q + 1'b1;
          pixel_bit_q <= row_last ? '0 : pixel_bit_q + {4'd0, out_step};
          if (row_last) begin
            row_q <= row_q + 1'b1;
            row_slot_q <= row_slot_q + out_slot;
          end
        end
      end
    end
  end

  /* verilator lint_off UNUSEDSIGNAL */ // past the last group nothing is read
  logic [LANE_WIDTH+GROUP_WIDTH-1:0] group;
  /* verilator lint_on UNUSEDSIGNAL */
  assign group = {{GROUP_WIDTH{1'b0}}, lane_q} >> $clog2(POST_LANES);
  assign read_o = enter ? {{(TILES-1){1'b0}}, 1'b1} << tile_q : {TILES{1'b0}};
  assign read_half_o = half_q;
  assign read_pixel_o = base_q + pixel_q;
  assign read_group_o = group[GROUP_WIDTH-1:0];
  assign half_freed_o = tile_end;
  assign group_o = enter;
  if (OUTPUTS_WIDTH <= LANE_WIDTH) begin : g_cut
    assign outputs_here = group_last ? lanes_here[OUTPUTS_WIDTH-1:0] : POST_LANES[OUTPUTS_WIDTH-1:0];
  end else begin : g_extend
    assign outputs_here = group_last ? {{(OUTPUTS_WIDTH-LANE_WIDTH){1'b0}}, lanes_here} : POST_LANES[OUTPUTS_WIDTH-1:0];
  end
  assign outputs_o = {{(4-OUTPUTS_WIDTH){1'b0}}, outputs_here};

  // ------------------------------------------------------------------ pipeline
  // Where the codes go: half, outputs, first bit of the line, parity of the line, its address.
  localparam TOKEN_WIDTH = 1 + OUTPUTS_WIDTH + LINE_WIDTH + 1 + ADDRESS_WIDTH;
  logic [OUTPUTS_WIDTH-1:0] outputs_q;  // of the stages before the requantizers' last one
  logic [POSITION_WIDTH-1:0] first_bit_q;
  logic [ADDRESS_WIDTH-1:0] first_row_q;
  logic first_half_q;
  always_ff @(posedge loop_clk) begin
    if (enter) begin
      first_bit_q <= pixel_bit_q + tile_bit_q + place;
      first_row_q <= row_slot_q;
      outputs_q <= outputs_here;
      first_half_q <= out_half_q;
    end
  end
  logic [POSITION_WIDTH-1-LINE_WIDTH:0] line;
  /* verilator lint_off UNUSEDSIGNAL */ // lines fit the buffer by construction of the descriptor
  logic [POSITION_WIDTH+ADDRESS_WIDTH-2-LINE_WIDTH:0] pair_wide;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [ADDRESS_WIDTH-1:0] pair_address;
  assign line = first_bit_q[POSITION_WIDTH-1:LINE_WIDTH];
  assign pair_wide = {{ADDRESS_WIDTH{1'b0}}, line[POSITION_WIDTH-1-LINE_WIDTH:1]};
  assign pair_address = first_row_q + pair_wide[ADDRESS_WIDTH-1:0] * {{(ADDRESS_WIDTH-BITS_WIDTH){1'b0}}, out_bits};
  logic [TOKEN_WIDTH-1:0] token, token_out;  // of the group that entered in the last cycle, of the one that is written
  logic write;
  assign token = {first_half_q, outputs_q, first_bit_q[LINE_WIDTH-1:0], line[0], pair_address};
  logic [POST_LANES*MAX_ACTIVATION_BITS-1:0] codes;
  /* verilator lint_off UNUSEDSIGNAL */ // for bs_sum_toggles
  logic records_there;  // the parameters of a group
  logic [OUTPUTS_WIDTH-1:0] records_outputs;
  /* verilator lint_on UNUSEDSIGNAL */
  if (SERIAL_REQUANTIZER != 0) begin : g_serial
    logic [TOKEN_WIDTH-1:0] token_q;
    logic last_q;
    logic [6:0] cycle_q;  // since a group entered; 0: the next one may
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) cycle_q <= 7'd0;
      else if (enter) cycle_q <= 7'd1;
      else if (cycle_q != 7'd0) cycle_q <= cycle_q == INTERVAL[6:0] - 7'd1 ? 7'd0 : cycle_q + 7'd1;
    end
    always_ff @(posedge clk_i) begin
      if (enter) last_q <= block_end;
      if (entered) token_q <= token;
    end
    assign enter = running_q && cycle_q == 7'd0;
    assign entered = cycle_q == 7'd1;
    assign write = cycle_q == POST_LATENCY[6:0];
    assign block_done_o = write && last_q;
    assign token_out = token_q;
    assign param_read_o = enter;
    assign param_address_o = param_q;
    assign records_there = entered;
    assign records_outputs = outputs_q;
    bs_requant_serial #(.ACC_WIDTH(ACC_WIDTH), .MAX_ACTIVATION_BITS(MAX_ACTIVATION_BITS)) u_requant (
      .clk_i(clk_i), .cycle_i(cycle_q), .desc_i(desc_i), .acc_i(read_data_i[ACC_WIDTH-1:0]),
      .param_i(param_data_i[RECORD_WIDTH-1:0]), .code_o(codes[MAX_ACTIVATION_BITS-1:0]));
    logic unused;
    assign unused = ^{table_write_i, table_address_i, table_data_i};
  end else begin : g_parallel
    logic [POST_LATENCY-1:0] valid_q, last_q;
    logic [TOKEN_WIDTH-1:0] token_q [1:POST_LATENCY-1];
    assign enter = running_q;
    assign entered = valid_q[0];
    assign write = valid_q[POST_LATENCY-1];
    assign block_done_o = last_q[POST_LATENCY-1];
    assign token_out = token_q[POST_LATENCY-1];
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        valid_q <= {POST_LATENCY{1'b0}};
        last_q <= {POST_LATENCY{1'b0}};
      end else begin
        valid_q <= {valid_q[POST_LATENCY-2:0], enter};
        last_q <= {last_q[POST_LATENCY-2:0], block_end && !carry_out};
      end
    end
    logic token_clk;
    if (CLOCK_GATING != 0) begin : g_token_gated
      bs_clock_gate u_token (.clk_i(clk_i), .enable_i(running_q || |valid_q), .clk_o(token_clk));
    end else begin : g_token_enabled
      assign token_clk = clk_i;
    end
    always_ff @(posedge token_clk)
      if (entered) token_q[1] <= token;
    for (genvar i = 2; i < POST_LATENCY; i = i + 1) begin : g_token
      always_ff @(posedge token_clk) if (valid_q[i-1]) token_q[i] <= token_q[i-1];
    end
    // The requantizers take parameters as they leave the buffer.
    logic [PARAM_WIDTH-1:0] param_address_q [0:PARAM_STAGE-1];
    always_ff @(posedge token_clk) begin
      if (enter) param_address_q[0] <= param_q;
      for (int i = 1; i < PARAM_STAGE; i = i + 1) if (valid_q[i-1]) param_address_q[i] <= param_address_q[i-1];
    end
    assign param_read_o = valid_q[PARAM_STAGE-1];
    assign param_address_o = param_address_q[PARAM_STAGE-1];
    assign records_there = valid_q[PARAM_STAGE];
    assign records_outputs = token_q[PARAM_STAGE][TOKEN_WIDTH-2 -: OUTPUTS_WIDTH];
    for (genvar l = 0; l < POST_LANES; l = l + 1) begin : g_requant
      // Lanes that the last group of a pixel leaves empty stand still.
      logic [REQUANT_LATENCY-1:0] valid;
      for (genvar i = 0; i < REQUANT_LATENCY; i = i + 1) begin : g_stage
        logic [OUTPUTS_WIDTH-1:0] outputs;
        if (i == 0) begin : g_first
          assign outputs = outputs_q;
        end else begin : g_later
          assign outputs = token_q[i][TOKEN_WIDTH-2 -: OUTPUTS_WIDTH];
        end
        assign valid[i] = valid_q[i] && outputs > l[OUTPUTS_WIDTH-1:0];
      end
      logic requant_clk;
      if (CLOCK_GATING != 0) begin : g_gated
        bs_clock_gate u_gate (.clk_i(clk_i), .enable_i(|valid || table_write_i), .clk_o(requant_clk));
      end else begin : g_enabled
        assign requant_clk = clk_i;
      end
      bs_requant #(
        .ACC_WIDTH(ACC_WIDTH), .DATA_WIDTH(DATA_WIDTH), .MAX_ACTIVATION_BITS(MAX_ACTIVATION_BITS),
        .VECTOR_UNIT(VECTOR_UNIT), .SWISH_UNIT(SWISH_UNIT), .TABLE_UNIT(TABLE_UNIT)
      ) u_requant (
        .clk_i(requant_clk), .valid_i(valid), .desc_i(desc_i),
        .acc_i(read_data_i[l*ACC_WIDTH +: ACC_WIDTH]), .param_i(param_data_i[l*RECORD_WIDTH +: RECORD_WIDTH]),
        .table_write_i(table_write_i), .table_address_i(table_address_i), .table_data_i(table_data_i),
        .code_o(codes[l*MAX_ACTIVATION_BITS +: MAX_ACTIVATION_BITS]));
    end
  end

  // ------------------------------------------------------------------ slicing into planes
  logic [LINE_WIDTH-1:0] offset;
  logic [ADDRESS_WIDTH-1:0] address_this, address_next;
  logic [OUTPUTS_WIDTH-1:0] outputs;
  logic out_half, odd;
  assign {out_half, outputs, offset, odd, address_this} = token_out;
  // The line after an odd one is of the next pair.
  assign address_next = odd ? address_this + {{(ADDRESS_WIDTH-BITS_WIDTH){1'b0}}, out_bits} : address_this;

  logic [BANKS-1:0] planes;
  logic [2*DATA_WIDTH-1:0] mask;
  logic spills;
  assign planes = write ? ~({BANKS{1'b1}} << out_bits) : {BANKS{1'b0}};
  assign mask = ~({(2*DATA_WIDTH){1'b1}} << outputs) << offset;
  // With one lane no group reaches the next line, and what the other half of the buffer is told matters not.
  assign spills = POST_LANES > 1 && |mask[2*DATA_WIDTH-1:DATA_WIDTH];
  assign write_even_planes_o = odd ? (spills ? planes : {BANKS{1'b0}}) : planes;
  assign write_odd_planes_o = odd ? planes : (spills ? planes : {BANKS{1'b0}});
  assign write_even_address_o = {out_half, odd && POST_LANES > 1 ? address_next : address_this};
  assign write_odd_address_o = {out_half, odd || POST_LANES == 1 ? address_this : address_next};
  assign write_even_mask_o = odd && POST_LANES > 1 ? mask[2*DATA_WIDTH-1:DATA_WIDTH] : mask[DATA_WIDTH-1:0];
  assign write_odd_mask_o = odd || POST_LANES == 1 ? mask[DATA_WIDTH-1:0] : mask[2*DATA_WIDTH-1:DATA_WIDTH];
  // The mask says where bits are written, so each place of a line has the only one of the lanes' bits that may go there:
  // the lanes' bits turned by the first one's place, again and again.
  logic [POST_LANES-1:0] bits;
  /* verilator lint_off UNUSEDSIGNAL */
  logic [2*POST_LANES-1:0] turned;
  logic [LINE_WIDTH-1:0] turn;
  /* verilator lint_on UNUSEDSIGNAL */
  assign turn = offset & (POST_LANES[LINE_WIDTH-1:0] - 1'b1);
  always_comb begin
    write_even_data_o = {(BANKS*DATA_WIDTH){1'b0}};
    bits = {POST_LANES{1'b0}};
    turned = {(2*POST_LANES){1'b0}};
    if (write) begin
      for (int p = 0; p < MAX_ACTIVATION_BITS; p = p + 1) begin
        if (out_bits > p[BITS_WIDTH-1:0]) begin
          for (int l = 0; l < POST_LANES; l = l + 1) bits[l] = codes[l*MAX_ACTIVATION_BITS + p];
          turned = {bits, bits} << turn;
          write_even_data_o[p*DATA_WIDTH +: DATA_WIDTH] = {(DATA_WIDTH/POST_LANES){turned[2*POST_LANES-1:POST_LANES]}};
        end
      end
    end
  end
  assign write_odd_data_o = write_even_data_o;

`ifdef BS_CHECKS
  `include "bs_checks.svh"
  `BS_CHECKS_BEGIN
  `BS_CHECK(tiles_ready_q <= 2'd2 && !(tile_done_i && !start_tile && tiles_ready_q == 2'd2))
  `BS_CHECK(out_halves_used_q <= 2'd2 && !(store_freed_i && out_halves_used_q == 2'd0))
  `BS_CHECK(`BS_AT_MOST_ONE(read_o))
  `BS_CHECK(!running_q || out_run == '0 || run_q + {{(COUNT_WIDTH-OUTPUTS_WIDTH){1'b0}}, outputs_here} <= out_run)
`endif
endmodule
