// SPDX-License-Identifier: Apache-2.0
// Address generation: walks blocks, output tiles, row tiles, pixels, and the windows of a vector.
//
// A vector's rows are the layer's contiguous runs of input bits (a kernel row of a convolution, or its tap where the
// taps do not touch: dilation, groups; the outputs of a tile for operators on whole codes) packed one after the other.
// A window is the part of a run that one buffer access brings: at most DATA_WIDTH bits and no further than the
// vector's last row. One window a cycle leaves on a valid/ready port.
module bs_walker #(
  parameter STRIPS     = 0,  // 1: rows may lie in strips, each of which a segment reads as a row of its own
  parameter TILES      = 1,
  parameter ROWS       = 64,
  parameter DATA_WIDTH = 64,
  parameter CLOCK_GATING = 0,  // as in bs_column
  parameter COUNT_WIDTH = 16,  // of counts: rows, pixels, runs, tiles, channels; POSITION_WIDTH of values in a row
  parameter RING_WIDTH = 16    // of addresses of the activation buffer and their number
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                start_i,
  /* verilator lint_off UNUSEDSIGNAL */ // each unit reads its own words
  input  logic [64*32-1:0]    desc_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  logic [COUNT_WIDTH-1:0] rows_loaded_i,  // input rows in the activation buffer so far
  output logic [COUNT_WIDTH-1:0] rows_freed_o,   // input rows no longer needed
  input  logic                window_waits_i,    // the latest block's last window is taken and not read yet
  output logic                window_valid_o,
  input  logic                window_ready_i,
  output logic signed [COUNT_WIDTH+4:0] window_x_o,     // first bit in the input row; may lie outside it (padding)
  output logic [COUNT_WIDTH+3:0] window_begin_o,  // of its strip in the row; padding lies before
  output logic                window_second_o,  // of the second tensor
  output logic                window_row_valid_o,  // 0: the whole row is padding
  output logic [RING_WIDTH-1:0] window_slot_o,  // buffer address of the row
  output logic [$clog2(ROWS+1)-1:0] window_length_o,
  output logic [$clog2(ROWS+1)-1:0] window_fill_o,  // first array row it fills
  output logic                window_last_o,  // completes the vector
  output logic                window_tile_last_o,  // its pixel is the last one of the tile
  output logic                window_block_last_o  // the block ends with it
);
  `include "bs_descriptor.svh"
  localparam POSITION_WIDTH = COUNT_WIDTH + 4;
  localparam X_WIDTH = POSITION_WIDTH + 1;
  localparam Y_WIDTH = COUNT_WIDTH + 1;
  localparam FILL_WIDTH = $clog2(ROWS + 1);
  localparam [FILL_WIDTH-1:0] LINE = DATA_WIDTH < ROWS ? DATA_WIDTH[FILL_WIDTH-1:0] : ROWS[FILL_WIDTH-1:0];

  logic [COUNT_WIDTH-1:0] run_length, run_count_x, run_count_y, out_width, block_rows, out_height, blocks, k_tiles, n_tiles;
  logic [COUNT_WIDTH-1:0] in_height, rows_needed, lanes_full;
  logic [RING_WIDTH-1:0] in_ring;
  logic        whole_codes, two_inputs, has_second, broadcast;
  assign run_count_x = desc_i[F_RUN_COUNT_X +: COUNT_WIDTH];
  assign run_count_y = desc_i[F_RUN_COUNT_Y +: COUNT_WIDTH];
  assign out_width = desc_i[F_OUT_WIDTH +: COUNT_WIDTH];
  assign out_height = desc_i[F_OUT_HEIGHT +: COUNT_WIDTH];
  assign block_rows = desc_i[F_BLOCK_ROWS +: COUNT_WIDTH];
  assign blocks = desc_i[F_BLOCKS +: COUNT_WIDTH];
  assign k_tiles = desc_i[F_K_TILES +: COUNT_WIDTH];
  assign n_tiles = desc_i[F_N_TILES +: COUNT_WIDTH];
  assign in_height = desc_i[F_IN_HEIGHT +: COUNT_WIDTH];
  assign in_ring = desc_i[F_IN_RING +: RING_WIDTH];
  assign rows_needed = desc_i[F_ROWS_NEEDED +: COUNT_WIDTH];
  assign lanes_full = desc_i[F_LANES +: COUNT_WIDTH];
  assign whole_codes = desc_i[F_OPCODE +: B_OPCODE] != OP_CONVOLUTION;
  assign two_inputs = desc_i[F_OPCODE +: B_OPCODE] == OP_ADD || desc_i[F_OPCODE +: B_OPCODE] == OP_MULTIPLY;
  assign has_second = desc_i[F_SECOND];
  assign broadcast = desc_i[F_BROADCAST];

  // Loop counters, outermost first.
  logic        active_q;
  logic [COUNT_WIDTH-1:0] block_q, n_q, k_q, out_row_q, row_q, column_q;
  // Position of the block, of the pixel, and of the window inside the vector; ring_* are buffer addresses of rows.
  logic signed [COUNT_WIDTH:0] block_y_q, pixel_y_q;
  logic [RING_WIDTH-1:0] block_ring_q, pixel_ring_q;
  logic signed [X_WIDTH-1:0] pixel_x_q, second_x_q;
  logic [POSITION_WIDTH-1:0] n_x_q, segment_x_q;  // of the tile and its segment, from the pixel
  logic [COUNT_WIDTH-1:0] segment_left_q;      // outputs from this tile to the end of its segment
  // The length of the tile's runs, and what is left of the run from the window on and from the row tile's first window:
  // registers, since all of a window waits for them.
  logic [COUNT_WIDTH-1:0] run_length_q, run_left_q, tile_run_left_q;
  logic        later_segment_q;
  logic [COUNT_WIDTH-1:0] run_x_q, run_y_q, position_q, offset_y_q;
  logic [RING_WIDTH-1:0] offset_ring_q;
  logic [FILL_WIDTH-1:0] fill_q;
  logic [POSITION_WIDTH-1:0] offset_x_q;
  // Where the current row tile's first window lies in the runs.
  logic [COUNT_WIDTH-1:0] tile_run_x_q, tile_run_y_q, tile_position_q, tile_offset_y_q;
  logic [RING_WIDTH-1:0] tile_offset_ring_q;
  logic [POSITION_WIDTH-1:0] tile_offset_x_q;

  function automatic [RING_WIDTH-1:0] ring_add(input [RING_WIDTH-1:0] a, input [RING_WIDTH-1:0] b,
                                               input [RING_WIDTH-1:0] size);
    logic [RING_WIDTH:0] sum;
    begin
      sum = {1'b0, a} + {1'b0, b};
      ring_add = sum >= {1'b0, size} ? sum[RING_WIDTH-1:0] - size : sum[RING_WIDTH-1:0];
    end
  endfunction

  // Whether the rows are there that the block needs: those before its end, of those that there are.
  logic signed [COUNT_WIDTH+1:0] block_end_q;
  logic rows_there;
  assign rows_there = $signed({2'b0, rows_loaded_i}) >= block_end_q || rows_loaded_i >= rows_needed;

  // The window.
  logic [COUNT_WIDTH-1:0] length_count;
  logic [FILL_WIDTH-1:0] row_left, line_left, length;
  logic signed [COUNT_WIDTH:0] window_y;
  // Operators on whole codes have no macros but the first, so a tile has at most lanes_full outputs.
  logic segment_end, second;
  logic [COUNT_WIDTH-1:0] capacity, segment_rest, next_segment_left;
  assign capacity = whole_codes ? lanes_full : TILES[COUNT_WIDTH-1:0] * lanes_full;
  assign segment_end = segment_left_q <= capacity;
  assign segment_rest = segment_end ? desc_i[F_SEGMENT_NEXT +: COUNT_WIDTH] : segment_left_q - capacity;
  assign next_segment_left = start_i || n_last ? desc_i[F_SEGMENT_CHANNELS +: COUNT_WIDTH] : segment_rest;
  assign second = has_second && (two_inputs ? k_q != '0 : later_segment_q);
  assign run_length = whole_codes ? (next_segment_left <= lanes_full ? next_segment_left : lanes_full)
                      : desc_i[F_RUN_LENGTH +: COUNT_WIDTH];
  assign row_left = ROWS[FILL_WIDTH-1:0] - fill_q;
  assign line_left = run_left_q < {{(COUNT_WIDTH-FILL_WIDTH){1'b0}}, LINE} ? run_left_q[FILL_WIDTH-1:0] : LINE;
  assign length = row_left < line_left ? row_left : line_left;
  assign length_count = {{(COUNT_WIDTH-FILL_WIDTH){1'b0}}, length};
  assign window_y = pixel_y_q + $signed({1'b0, offset_y_q});
  assign window_valid_o = active_q && rows_there;
  assign window_second_o = second;
  assign window_x_o = (second ? second_x_q : pixel_x_q) + $signed({1'b0, n_x_q}) + $signed({1'b0, offset_x_q}) + $signed({5'b0, position_q});
  assign window_begin_o = STRIPS != 0 && desc_i[F_IN_STRIPS] ? segment_x_q : '0;
  assign window_row_valid_o = !window_y[COUNT_WIDTH] && window_y[COUNT_WIDTH-1:0] < in_height;
  assign window_slot_o = (second && broadcast ? '0 : ring_add(pixel_ring_q, offset_ring_q, in_ring))
                         + (second ? desc_i[F_SECOND_SLOT +: RING_WIDTH] : '0);
  assign window_length_o = length;
  assign window_fill_o = fill_q;

  logic run_end, k_end, vector_end, block_end_row, pixels_end, k_last, n_last;
  logic [COUNT_WIDTH-1:0] rows_left;
  assign run_end = run_left_q == length_count;
  assign k_end = run_end && run_x_q + 1'b1 == run_count_x && run_y_q + 1'b1 == run_count_y;
  assign vector_end = row_left == length || k_end || (whole_codes && run_end);
  assign window_last_o = vector_end;
  assign rows_left = out_height - out_row_q;
  assign block_end_row = row_q + 1'b1 == (rows_left < block_rows ? rows_left : block_rows);
  assign pixels_end = column_q + 1'b1 == out_width && block_end_row;
  assign window_tile_last_o = pixels_end;
  assign window_block_last_o = vector_end && pixels_end && k_last && n_last;
  assign k_last = k_q + 1'b1 == k_tiles;
  assign n_last = n_q + 1'b1 == n_tiles;

  // Window position after this one, inside the run structure.
  logic [COUNT_WIDTH-1:0] next_run_x, next_run_y, next_position, next_run_left, next_offset_y;
  logic [RING_WIDTH-1:0] next_offset_ring;
  logic [POSITION_WIDTH-1:0] next_offset_x;
  always_comb begin
    next_run_x = run_x_q;
    next_run_y = run_y_q;
    next_position = position_q + length_count;
    next_run_left = run_left_q - length_count;
    next_offset_x = offset_x_q;
    next_offset_y = offset_y_q;
    next_offset_ring = offset_ring_q;
    if (run_end) begin
      next_position = '0;
      next_run_left = run_length_q;
      next_run_x = run_x_q + 1'b1;
      next_offset_x = offset_x_q + desc_i[F_RUN_STEP_X +: POSITION_WIDTH];
      if (run_x_q + 1'b1 == run_count_x) begin
        next_run_x = '0;
        next_offset_x = '0;
        next_run_y = run_y_q + 1'b1;
        next_offset_y = offset_y_q + desc_i[F_RUN_STEP_Y +: COUNT_WIDTH];
        next_offset_ring = ring_add(offset_ring_q, desc_i[F_RUN_STEP_RING +: RING_WIDTH], in_ring);
      end
    end
  end

  logic fire, restart;
  logic [COUNT_WIDTH-1:0] rows_freed_q, rows_kept_q;  // by the latest block whose last window is taken; by the one before it
  logic signed [COUNT_WIDTH:0] start_y, next_block_y;
  logic [RING_WIDTH-1:0] next_pixel_ring;
  assign fire = window_valid_o && window_ready_i;
  assign restart = k_last;  // after this tile's pixels the walk begins again at the first run
  assign start_y = desc_i[F_PIXEL_START_Y +: Y_WIDTH];
  assign next_block_y = block_y_q + $signed({1'b0, desc_i[F_BLOCK_STEP_Y +: COUNT_WIDTH]});
  assign next_pixel_ring = ring_add(pixel_ring_q, desc_i[F_PIXEL_STEP_RING +: RING_WIDTH], in_ring);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      active_q <= 1'b0;
      rows_freed_q <= '0;
      rows_kept_q <= '0;
    end else if (start_i) begin
      active_q <= 1'b1;
      rows_freed_q <= '0;
    end else if (fire && window_block_last_o) begin
      if (block_q + 1'b1 == blocks) active_q <= 1'b0;
      rows_freed_q <= next_block_y[COUNT_WIDTH] ? '0 : next_block_y[COUNT_WIDTH-1:0];
      rows_kept_q <= rows_freed_q;
    end
  end
  assign rows_freed_o = window_waits_i ? rows_kept_q : rows_freed_q;

  logic walk_clk;
  if (CLOCK_GATING != 0) begin : g_walk_gated
    bs_clock_gate u_walk (.clk_i(clk_i), .enable_i(start_i || fire), .clk_o(walk_clk));
  end else begin : g_walk_enabled
    assign walk_clk = clk_i;
  end
  always_ff @(posedge walk_clk) begin
    if (start_i) begin
      block_q <= '0;
      n_q <= '0;
      k_q <= '0;
      out_row_q <= '0;
      row_q <= '0;
      column_q <= '0;
      block_y_q <= start_y;
      block_end_q <= {start_y[COUNT_WIDTH], start_y} + {2'b0, desc_i[F_BLOCK_SPAN +: COUNT_WIDTH]};
      pixel_y_q <= start_y;
      block_ring_q <= desc_i[F_PIXEL_START_RING +: RING_WIDTH];
      pixel_ring_q <= desc_i[F_PIXEL_START_RING +: RING_WIDTH];
      pixel_x_q <= desc_i[F_PIXEL_START_X +: X_WIDTH];
      second_x_q <= desc_i[F_SECOND_START_X +: X_WIDTH];
      n_x_q <= '0;
      segment_x_q <= '0;
      segment_left_q <= next_segment_left;
      run_length_q <= run_length;
      run_left_q <= run_length;
      tile_run_left_q <= run_length;
      later_segment_q <= 1'b0;
      run_x_q <= '0;
      run_y_q <= '0;
      position_q <= '0;
      offset_x_q <= '0;
      offset_y_q <= '0;
      offset_ring_q <= '0;
      fill_q <= '0;
      tile_run_x_q <= '0;
      tile_run_y_q <= '0;
      tile_position_q <= '0;
      tile_offset_x_q <= '0;
      tile_offset_y_q <= '0;
      tile_offset_ring_q <= '0;
    end else if (CLOCK_GATING != 0 || fire) begin
      if (!vector_end) begin
        fill_q <= fill_q + length;
        run_x_q <= next_run_x;
        run_y_q <= next_run_y;
        position_q <= next_position;
        run_left_q <= next_run_left;
        offset_x_q <= next_offset_x;
        offset_y_q <= next_offset_y;
        offset_ring_q <= next_offset_ring;
      end else begin
        fill_q <= '0;
        if (!pixels_end) begin
          // Next pixel, same row tile.
          run_x_q <= tile_run_x_q;
          run_y_q <= tile_run_y_q;
          position_q <= tile_position_q;
          run_left_q <= tile_run_left_q;
          offset_x_q <= tile_offset_x_q;
          offset_y_q <= tile_offset_y_q;
          offset_ring_q <= tile_offset_ring_q;
          if (column_q + 1'b1 == out_width) begin
            column_q <= '0;
            pixel_x_q <= desc_i[F_PIXEL_START_X +: X_WIDTH];
            second_x_q <= desc_i[F_SECOND_START_X +: X_WIDTH];
            row_q <= row_q + 1'b1;
            pixel_y_q <= pixel_y_q + $signed({1'b0, desc_i[F_PIXEL_STEP_Y +: COUNT_WIDTH]});
            pixel_ring_q <= next_pixel_ring;
          end else begin
            column_q <= column_q + 1'b1;
            pixel_x_q <= pixel_x_q + $signed({1'b0, desc_i[F_PIXEL_STEP_X +: POSITION_WIDTH]});
            second_x_q <= second_x_q + $signed({1'b0, desc_i[F_SECOND_STEP_X +: POSITION_WIDTH]});
          end
        end else begin
          // Next row tile (or the first one of the next output tile or block), first pixel of the block.
          run_x_q <= restart ? '0 : next_run_x;
          run_y_q <= restart ? '0 : next_run_y;
          position_q <= restart ? '0 : next_position;
          run_left_q <= restart ? run_length : next_run_left;
          offset_x_q <= restart ? '0 : next_offset_x;
          offset_y_q <= restart ? '0 : next_offset_y;
          offset_ring_q <= restart ? '0 : next_offset_ring;
          tile_run_x_q <= restart ? '0 : next_run_x;
          tile_run_y_q <= restart ? '0 : next_run_y;
          tile_position_q <= restart ? '0 : next_position;
          tile_run_left_q <= restart ? run_length : next_run_left;
          tile_offset_x_q <= restart ? '0 : next_offset_x;
          tile_offset_y_q <= restart ? '0 : next_offset_y;
          tile_offset_ring_q <= restart ? '0 : next_offset_ring;
          column_q <= '0;
          row_q <= '0;
          pixel_x_q <= desc_i[F_PIXEL_START_X +: X_WIDTH];
          second_x_q <= desc_i[F_SECOND_START_X +: X_WIDTH];
          k_q <= k_last ? '0 : k_q + 1'b1;
          if (k_last) begin
            n_q <= n_last ? '0 : n_q + 1'b1;
            segment_left_q <= next_segment_left;
            run_length_q <= run_length;
            later_segment_q <= !n_last && (later_segment_q || segment_end);
            if (n_last) begin
              n_x_q <= '0;
              segment_x_q <= '0;
            end else if (segment_end) begin
              n_x_q <= segment_x_q + desc_i[F_SEGMENT_STEP_X +: POSITION_WIDTH];
              segment_x_q <= segment_x_q + desc_i[F_SEGMENT_STEP_X +: POSITION_WIDTH];
            end else begin
              n_x_q <= n_x_q + desc_i[F_TILE_STEP_X +: POSITION_WIDTH];
            end
          end
          if (k_last && n_last) begin
            block_q <= block_q + 1'b1;
            out_row_q <= out_row_q + block_rows;
            block_y_q <= next_block_y;
            block_end_q <= block_end_q + $signed({2'b0, desc_i[F_BLOCK_STEP_Y +: COUNT_WIDTH]});
            pixel_y_q <= next_block_y;
            block_ring_q <= next_pixel_ring;
            pixel_ring_q <= next_pixel_ring;
          end else begin
            pixel_y_q <= block_y_q;
            pixel_ring_q <= block_ring_q;
          end
        end
      end
    end
  end
endmodule
