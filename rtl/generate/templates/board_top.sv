// SPDX-License-Identifier: Apache-2.0
// The accelerator on the board @BOARD@ (@BOARD_TEXT@): bs_serial_top, whose header describes the commands on the line, with
// @MEMORY_BYTES@ bytes of memory and @BAUD@ bits a second at @CLOCK_MHZ@ MHz.
module @BOARD_TOP@ (
  input  logic clk_i,
  input  logic rx_i,
  output logic tx_o,
  output logic start_o,      // pulses, for a logic analyser: a run starts, a layer is done
  output logic layer_done_o
);
  // The device's configuration leaves 0 in registers: a reset of eight cycles.
  logic [3:0] reset_q = 4'd0;
  always_ff @(posedge clk_i) if (!reset_q[3]) reset_q <= reset_q + 4'd1;
  bs_serial_top #(
    .DATA_WIDTH(@DATA_WIDTH@), .ADDRESS_WIDTH(@ADDRESS_WIDTH@), .MEMORY_WORDS(@MEMORY_WORDS@), .DIVIDER(@DIVIDER@)
  ) u_serial (
    .clk_i(clk_i), .rst_ni(reset_q[3]), .rx_i(rx_i), .tx_o(tx_o), .start_o(start_o), .layer_done_o(layer_done_o));
endmodule
