// SPDX-License-Identifier: Apache-2.0
// Simulation only: the windows the feeder gathers, as they land in its vectors; zero in between.
`ifdef BS_TOGGLES
bind bs_feeder bs_toggles #(.KIND(10), .WIDTH(BANKS*ROWS)) u_windows (
  .clk_i(clk_i), .rst_ni(rst_ni), .sample_i(1'b1), .value_i(window_rows));
`endif
