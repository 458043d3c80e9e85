// SPDX-License-Identifier: Apache-2.0
// Store unit: sends finished blocks of output rows to memory, row after row, line after line, plane after plane.
// A row is one command of the write master. Bits past the end of a row are sent as zeros.
module bs_store #(
  parameter DATA_WIDTH = 64,
  parameter BANKS      = 16,
  parameter OUTPUT_DEPTH = 32,
  parameter MAX_ACTIVATION_BITS = 16,
  parameter CLOCK_GATING = 0,  // as in bs_column
  parameter COUNT_WIDTH = 16,  // as in bs_walker
  parameter LIST_WIDTH = 32    // of the addresses in descriptors
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                start_i,
  /* verilator lint_off UNUSEDSIGNAL */
  input  logic [64*32-1:0]    desc_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  logic                block_done_i,   // pulse: another block is in the output buffer
  output logic                half_freed_o,   // pulse: a block has been read out
  output logic                layer_done_o,   // level: all blocks are stored and answered
  output logic                busy_o,
  // Output buffer.
  output logic                read_even_o,
  output logic                read_odd_o,
  output logic [$clog2(BANKS*OUTPUT_DEPTH*2)-1:0] read_address_o,
  input  logic [DATA_WIDTH-1:0] read_even_data_i,
  input  logic [DATA_WIDTH-1:0] read_odd_data_i,
  // Write master.
  output logic                cmd_valid_o,
  input  logic                cmd_ready_i,
  input  logic                idle_i,         // everything commanded is answered
  output logic [LIST_WIDTH-1:0] cmd_address_o,
  output logic [(LIST_WIDTH-$clog2(DATA_WIDTH/8) < 24 ? LIST_WIDTH-$clog2(DATA_WIDTH/8) : 24)-1:0] cmd_beats_o,
  output logic                data_valid_o,
  input  logic                data_ready_i,
  output logic [DATA_WIDTH-1:0] data_o
);
  `include "bs_descriptor.svh"
  localparam LINE_WIDTH = $clog2(DATA_WIDTH);
  localparam ADDRESS_WIDTH = $clog2(BANKS * OUTPUT_DEPTH);
  localparam BITS_WIDTH = $clog2(MAX_ACTIVATION_BITS + 1);
  localparam BEATS_WIDTH = LIST_WIDTH - $clog2(DATA_WIDTH / 8) < 24 ? LIST_WIDTH - $clog2(DATA_WIDTH / 8) : 24;

  logic [BITS_WIDTH-1:0] out_bits;
  logic [COUNT_WIDTH-1:0] out_height, block_rows, blocks, row_lines;
  logic [ADDRESS_WIDTH-1:0] out_slot;
  logic [LINE_WIDTH-1:0] tail_bits;
  assign out_bits = desc_i[F_OUTPUT_BITS +: BITS_WIDTH];
  assign out_height = desc_i[F_OUT_HEIGHT +: COUNT_WIDTH];
  assign block_rows = desc_i[F_BLOCK_ROWS +: COUNT_WIDTH];
  assign blocks = desc_i[F_BLOCKS +: COUNT_WIDTH];
  assign row_lines = desc_i[F_OUT_ROW_LINES +: COUNT_WIDTH];
  assign out_slot = desc_i[F_OUT_SLOT +: ADDRESS_WIDTH];
  assign tail_bits = desc_i[F_OUT_ROW_BITS +: LINE_WIDTH];

  // ------------------------------------------------------------------ blocks and rows
  logic reading_q, half_q;
  logic [1:0] blocks_ready_q;
  logic [COUNT_WIDTH-1:0] block_q, out_row_q, row_q, line_q;
  logic [BITS_WIDTH-1:0] plane_q;
  logic [ADDRESS_WIDTH-1:0] row_slot_q, pair_q;  // addresses wrap where nothing is read any more
  logic [LIST_WIDTH-1:0] address_q;
  logic take, read, read_row_last, read_last;
  logic [COUNT_WIDTH-1:0] rows_left, rows_here;
  assign rows_left = out_height - out_row_q;
  assign rows_here = rows_left < block_rows ? rows_left : block_rows;
  // A row is commanded and its reading begins in the same cycle, when the write master takes commands.
  assign cmd_valid_o = blocks_ready_q != 2'd0 && !reading_q;
  assign cmd_address_o = address_q;
  assign cmd_beats_o = desc_i[F_OUT_ROW_BEATS +: BEATS_WIDTH];
  assign take = cmd_valid_o && cmd_ready_i;

  logic plane_end, line_end, row_end;
  assign plane_end = plane_q + 1'b1 == out_bits;
  assign line_end = line_q + 1'b1 == row_lines;
  assign row_end = row_q + 1'b1 == rows_here;
  assign read_row_last = read && plane_end && line_end;
  assign read_last = read_row_last && row_end;
  assign half_freed_o = read_last;
  assign layer_done_o = block_q == blocks && idle_i;
  assign busy_o = blocks_ready_q != 2'd0 || !idle_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      reading_q <= 1'b0;
      half_q <= 1'b0;
      blocks_ready_q <= 2'd0;
    end else begin
      if (take) reading_q <= 1'b1;
      else if (read_row_last) reading_q <= 1'b0;
      if (start_i) half_q <= 1'b0;
      else if (read_last) half_q <= !half_q;
      if (block_done_i && !read_last) blocks_ready_q <= blocks_ready_q + 2'd1;
      else if (!block_done_i && read_last) blocks_ready_q <= blocks_ready_q - 2'd1;
    end
  end

  logic loop_clk;
  if (CLOCK_GATING != 0) begin : g_loop_gated
    bs_clock_gate u_loop (.clk_i(clk_i), .enable_i(start_i || take || read), .clk_o(loop_clk));
  end else begin : g_loop_enabled
    assign loop_clk = clk_i;
  end
  always_ff @(posedge loop_clk) begin
    if (start_i) begin
      block_q <= '0;
      out_row_q <= '0;
      row_q <= '0;
      line_q <= '0;
      plane_q <= '0;
      row_slot_q <= '0;
      pair_q <= '0;
      address_q <= desc_i[F_OUT_ADDRESS +: LIST_WIDTH];
    end else begin
      if (take) address_q <= address_q + desc_i[F_OUT_ROW_STRIDE +: LIST_WIDTH];
      if (read) begin
        plane_q <= plane_end ? '0 : plane_q + 1'b1;
        if (plane_end) begin
          line_q <= line_q + 1'b1;
          if (line_q[0]) pair_q <= pair_q + {{(ADDRESS_WIDTH-BITS_WIDTH){1'b0}}, out_bits};
          if (line_end) begin
            line_q <= '0;
            pair_q <= '0;
            row_q <= row_q + 1'b1;
            row_slot_q <= row_slot_q + out_slot;
            if (row_end) begin
              row_q <= '0;
              row_slot_q <= '0;
              block_q <= block_q + 1'b1;
              out_row_q <= out_row_q + block_rows;
            end
          end
        end
      end
    end
  end

  // ------------------------------------------------------------------ reading into a queue of four lines
  logic arriving_q, arriving_tail_q;
  logic [4*DATA_WIDTH-1:0] queue_q;  // the oldest line first, as in bs_loader
  logic [2:0] queue_count_q;
  logic pop;
  logic [DATA_WIDTH-1:0] arriving, tail_mask;
  assign read = reading_q && queue_count_q + {2'd0, arriving_q} < 3'd4;
  assign read_even_o = read && !line_q[0];
  assign read_odd_o = read && line_q[0];
  logic [ADDRESS_WIDTH-1:0] address;
  assign address = row_slot_q + pair_q + {{(ADDRESS_WIDTH-BITS_WIDTH){1'b0}}, plane_q};
  assign read_address_o = {half_q, address};
  assign tail_mask = arriving_tail_q && tail_bits != {LINE_WIDTH{1'b0}} ? ~({DATA_WIDTH{1'b1}} << tail_bits)
                                                                      : {DATA_WIDTH{1'b1}};
  // What is not read is zero.
  assign arriving = (read_odd_data_i | read_even_data_i) & tail_mask;
  assign pop = data_valid_o && data_ready_i;
  assign data_valid_o = queue_count_q != 3'd0;
  assign data_o = queue_q[0 +: DATA_WIDTH];
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      arriving_q <= 1'b0;
      queue_count_q <= 3'd0;
    end else begin
      arriving_q <= read;
      if (arriving_q && !pop) queue_count_q <= queue_count_q + 3'd1;
      else if (!arriving_q && pop) queue_count_q <= queue_count_q - 3'd1;
    end
  end
  always_ff @(posedge clk_i) begin
    if (read) begin
      arriving_tail_q <= line_end;
    end
  end
  logic [2:0] place;  // of the line that arrives
  assign place = queue_count_q - {2'd0, pop};
  logic queue_clk;
  if (CLOCK_GATING != 0) begin : g_queue_gated
    bs_clock_gate u_queue (.clk_i(clk_i), .enable_i(arriving_q || pop), .clk_o(queue_clk));
  end else begin : g_queue_enabled
    assign queue_clk = clk_i;
  end
  for (genvar i = 0; i < 4; i = i + 1) begin : g_queue
    logic [DATA_WIDTH-1:0] behind;
    assign behind = i < 3 ? queue_q[(i < 3 ? i + 1 : 3)*DATA_WIDTH +: DATA_WIDTH] : {DATA_WIDTH{1'b0}};
    always_ff @(posedge queue_clk) begin
      if (arriving_q && place == i[2:0]) queue_q[i*DATA_WIDTH +: DATA_WIDTH] <= arriving;
      else if (pop) queue_q[i*DATA_WIDTH +: DATA_WIDTH] <= behind;
    end
  end

`ifdef BS_CHECKS
  // The write master relies on data that stay until they are taken.
  `include "bs_checks.svh"
  `BS_CHECKS_BEGIN
  `BS_ASSUME(!block_done_i || blocks_ready_q != 2'd2)  // a block needs a free half
  `BS_CHECK(blocks_ready_q <= 2'd2 && !(reading_q && blocks_ready_q == 2'd0))
  logic waits_q;
  logic [DATA_WIDTH-1:0] shown_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) waits_q <= 1'b0;
    else waits_q <= data_valid_o && !data_ready_i;
  end
  always_ff @(posedge clk_i) shown_q <= data_o;
  `BS_CHECK(!waits_q || (data_valid_o && data_o == shown_q))
  `BS_CHECK({1'b0, queue_count_q} + {3'd0, arriving_q} <= 4'd4)
`endif
endmodule
