// SPDX-License-Identifier: Apache-2.0
// Counters of structural events, cumulative over a run, in the order of model/events.h (a test compares the two).
module bs_events #(
  parameter ENABLE = 1,
  parameter OVERLAY = 0
) (
  input  logic        clk_i,
  input  logic        clear_i,
  input  logic        running_i,
  input  logic        loader_busy_i,
  input  logic        array_busy_i,
  input  logic        post_busy_i,
  input  logic        store_busy_i,
  input  logic        array_waiting_i,
  input  logic        vector_i,
  input  logic [7:0]  group_size_i,   // vectors that start, and the ones whose planes are broadcast
  input  logic        plane_i,
  input  logic [4:0]  weight_bits_i,
  input  logic [15:0] lanes_i,        // outputs of the tile
  input  logic [15:0] rows_i,         // rows of the row tile
  input  logic        accumulate_i,
  input  logic        accumulate_first_i,
  input  logic [3:0]  post_outputs_i,
  input  logic [4:0]  out_bits_i,
  input  logic        weight_row_i,   // a word of the weight buffer is written to the array
  input  logic [3:0]  word_rows_i,  // pim: rows in it
  input  logic [15:0] weight_lanes_i, // outputs of the macro it goes to
  input  logic        window_i,
  input  logic [5:0]  activation_lines_read_i,
  input  logic        activation_line_written_i,
  input  logic        weight_line_written_i,
  input  logic        output_line_read_i,
  input  logic        memory_read_i,
  input  logic        memory_write_i,
  input  logic [4:0]  select_i,
  output logic [47:0] value_o
);
  localparam COUNT = 24;
  if (ENABLE != 0) begin : g_counters
    logic [47:0] count_q [0:COUNT-1] /* verilator public_flat_rd */;
    logic [15:0] factor;
    logic [20:0] columns;
    logic [36:0] cells;
    logic [20:0] joins;    // of the plane
    logic [19:0] written;  // weight bits of a word that is loaded
    // Columns, or dot units, at work.
    if (OVERLAY == 0) begin : g_style_columns
      assign factor = {11'd0, weight_bits_i};
      assign joins = columns - {5'd0, lanes_i};
      assign written = {4'd0, weight_lanes_i} * {15'd0, weight_bits_i} * {16'd0, word_rows_i};
    end else begin : g_style_dots
      assign factor = {8'd0, group_size_i};
      assign joins = 21'd0;
      assign written = {4'd0, rows_i};
      logic unused_style;
      assign unused_style = ^{weight_bits_i, weight_lanes_i, word_rows_i};
    end
    assign columns = lanes_i * factor;
    assign cells = columns * {5'd0, rows_i};
    always_ff @(posedge clk_i) begin
      if (clear_i) begin
        for (int i = 0; i < COUNT; i = i + 1) count_q[i] <= 48'd0;
      end else if (running_i) begin
        count_q[0] <= count_q[0] + 48'd1;
        if (loader_busy_i) count_q[1] <= count_q[1] + 48'd1;
        if (array_busy_i) count_q[2] <= count_q[2] + 48'd1;
        if (post_busy_i) count_q[3] <= count_q[3] + 48'd1;
        if (store_busy_i) count_q[4] <= count_q[4] + 48'd1;
        if (array_waiting_i) count_q[5] <= count_q[5] + 48'd1;
        if (vector_i) begin
          count_q[6] <= count_q[6] + {40'd0, group_size_i};
        end
        if (plane_i) begin
          count_q[7] <= count_q[7] + 48'd1;
          count_q[8] <= count_q[8] + {27'd0, columns};
          count_q[9] <= count_q[9] + {11'd0, cells};
          count_q[10] <= count_q[10] + {27'd0, joins};
        end
        if (accumulate_i) begin
          if (!accumulate_first_i) count_q[11] <= count_q[11] + {32'd0, lanes_i};
          count_q[12] <= count_q[12] + {32'd0, lanes_i};
        end
        if (post_busy_i) begin
          count_q[13] <= count_q[13] + {44'd0, post_outputs_i};
          count_q[20] <= count_q[20] + {39'd0, {5'd0, post_outputs_i} * {4'd0, out_bits_i}};
        end
        if (weight_row_i) begin
          count_q[14] <= count_q[14] + {28'd0, written};
          count_q[18] <= count_q[18] + 48'd1;
        end
        if (window_i) begin
          count_q[15] <= count_q[15] + 48'd1;
          count_q[16] <= count_q[16] + {42'd0, activation_lines_read_i};
        end
        if (activation_line_written_i) count_q[17] <= count_q[17] + 48'd1;
        if (weight_line_written_i) count_q[19] <= count_q[19] + 48'd1;
        if (output_line_read_i) count_q[21] <= count_q[21] + 48'd1;
        if (memory_read_i) count_q[22] <= count_q[22] + 48'd1;
        if (memory_write_i) count_q[23] <= count_q[23] + 48'd1;
      end
    end
    assign value_o = select_i < COUNT ? count_q[select_i] : 48'd0;
  end else begin : g_none
    assign value_o = 48'd0;
    logic unused;
    assign unused = ^{clk_i, clear_i, running_i, loader_busy_i, array_busy_i, post_busy_i, store_busy_i,
                      array_waiting_i, vector_i, group_size_i, plane_i, weight_bits_i, lanes_i, rows_i, accumulate_i,
                      accumulate_first_i, post_outputs_i, out_bits_i, weight_row_i, word_rows_i, weight_lanes_i, window_i,
                      activation_lines_read_i, activation_line_written_i, weight_line_written_i, output_line_read_i,
                      memory_read_i, memory_write_i, select_i};
  end
endmodule
