// SPDX-License-Identifier: Apache-2.0
// Simulation only: the windows the feeder gathers, as they land in its vectors, and the lines they come from, zero in
// between; and what turns these into place.
`ifdef BS_TOGGLES
module bs_window_toggles #(
  parameter BANKS = 16,
  parameter WIDTH = 64
) (
  input logic                   clk_i,
  input logic                   rst_ni,
  input logic                   landing_i,
  input logic [4:0]             bits_i,
  input logic                   odd_i,
  input logic [WIDTH-1:0]       from_this_i,  // 1: bit of the window's first line
  input logic [BANKS*WIDTH-1:0] even_i,
  input logic [BANKS*WIDTH-1:0] odd_lines_i
);
  logic [BANKS*WIDTH-1:0] lines;
  always_comb begin
    lines = {(BANKS*WIDTH){1'b0}};
    for (int p = 0; p < BANKS; p = p + 1) begin
      if (landing_i && bits_i > p[4:0]) begin
        lines[p*WIDTH +: WIDTH] =
            ((odd_i ? odd_lines_i[p*WIDTH +: WIDTH] : even_i[p*WIDTH +: WIDTH]) & from_this_i)
            | ((odd_i ? even_i[p*WIDTH +: WIDTH] : odd_lines_i[p*WIDTH +: WIDTH]) & ~from_this_i);
      end
    end
  end
  bs_toggles #(.KIND(12), .WIDTH(BANKS*WIDTH)) u_lines (
    .clk_i(clk_i), .rst_ni(rst_ni), .sample_i(1'b1), .value_i(lines));
endmodule

bind bs_feeder bs_window_toggles #(.BANKS(BANKS), .WIDTH(DATA_WIDTH)) u_line_toggles (
  .clk_i(clk_i), .rst_ni(rst_ni), .landing_i(landing_q), .bits_i({{(5-BITS_WIDTH){1'b0}}, bits_l}), .odd_i(odd_l), .from_this_i(from_this),
  .even_i(read_even_data_i), .odd_lines_i(read_odd_data_i));
bind bs_feeder bs_toggles #(.KIND(14), .WIDTH(BANK_WIDTH)) u_even_banks (
  .clk_i(clk_i), .rst_ni(rst_ni), .sample_i(|read_even_planes_o), .value_i(read_even_address_o[BANK_WIDTH-1:0]));
bind bs_feeder bs_toggles #(.KIND(14), .WIDTH(BANK_WIDTH)) u_odd_banks (
  .clk_i(clk_i), .rst_ni(rst_ni), .sample_i(|read_odd_planes_o), .value_i(read_odd_address_o[BANK_WIDTH-1:0]));
bind bs_feeder bs_toggles #(.KIND(14), .WIDTH(LINE_WIDTH)) u_rotations (
  .clk_i(clk_i), .rst_ni(rst_ni), .sample_i(read), .value_i(offset - fill_line));

bind bs_feeder bs_toggles #(.KIND(10), .WIDTH(BANKS*ROWS)) u_windows (
  .clk_i(clk_i), .rst_ni(rst_ni), .sample_i(1'b1), .value_i(window_rows));
`endif
