// SPDX-License-Identifier: Apache-2.0
// A whole accelerator for a small FPGA: bitstrata_top (bs_top as an architecture configures it) with its memory on chip,
// behind a serial line of eight data bits, no parity, one stop bit. No processor and no bus leave the chip.
//
// The host sends commands, a byte each with what belongs to it; numbers and memory words come high byte first:
//   'A' high low     the next word to write or read
//   'W' n words...   writes n + 1 words (n is a byte) of DATA_WIDTH bits, and moves on behind each
//   'R' n            is answered with n + 1 words, and moves on behind each
//   'G'              runs the descriptor list at address 0, and is answered with the status when the run has ended
//   'X'              resets the accelerator, and is answered with the status when memory is left alone
//   'S'              is answered with the status at once
// The status is the low byte of register STATUS (docs/registers.md): 0x02 done, 0x04, 0x08, 0x0c an error, bit 0 running.
// Other bytes are ignored, as are those that come before an answer is complete. A break (the line low for more than a
// character) makes the next byte a command whatever was awaited, and ends the wait of 'G' and 'X': their answer comes at
// once. It neither writes nor resets anything.
// Memory belongs to the accelerator while it runs: 'W' and 'R' wait for a gap between its bursts then, and lose bytes where
// there is none. Behind the memory's end nothing is written, 'R' has an answer without a meaning, and the accelerator meets
// an error: a list that goes there ends with error 2.
// A word is lost without a sign where the line loses a byte: a host that cannot trust its line reads back what it wrote.
//
// Timing as the accelerator sees it, in cycles: a burst's first word two cycles behind its address and a word in each
// cycle from then on; a write's answer in the cycle behind its last word. One burst at a time, each direction.
module bs_serial_top #(
  parameter DATA_WIDTH    = 16,    // as in bitstrata_top; a memory word
  parameter ADDRESS_WIDTH = 16,    // as in bitstrata_top, at most 32
  parameter MEMORY_WORDS  = 2048,  // at most 65536, and no more than addresses reach
  parameter DIVIDER       = 104    // clock cycles of a bit of the line, at least 4
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic rx_i,          // may change at any time
  output logic tx_o,
  output logic start_o,       // pulse: the write that starts a run
  output logic layer_done_o   // pulse at each layer's barrier
);
  localparam SIZE = $clog2(DATA_WIDTH / 8);
  localparam WORD_WIDTH = ADDRESS_WIDTH - SIZE;  // of a word's address
  localparam PLACE_WIDTH = $clog2(MEMORY_WORDS);
  localparam COUNT_WIDTH = $clog2(DIVIDER);
  `include "bs_registers.svh"
  localparam [COUNT_WIDTH-1:0] BIT = DIVIDER[COUNT_WIDTH-1:0] - 1'b1, HALF_BIT = BIT >> 1;

  // ------------------------------------------------------------------ serial line
  logic [1:0] rx_sync_q;
  logic [COUNT_WIDTH-1:0] rx_count_q, tx_count_q;
  logic [3:0] rx_bit_q, tx_bit_q;  // 0: between characters, 11: until a break ends
  logic [7:0] rx_q;
  logic [8:0] tx_q;
  logic received_q, break_q;       // pulses: a character is in rx_q; one had no stop bit
  logic send, tx_free;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      rx_sync_q <= 2'b11;
      rx_bit_q <= 4'd0;
      received_q <= 1'b0;
      break_q <= 1'b0;
    end else begin
      rx_sync_q <= {rx_i, rx_sync_q[1]};
      received_q <= 1'b0;
      break_q <= 1'b0;
      if (rx_bit_q == 4'd0) begin
        if (!rx_sync_q[0]) rx_bit_q <= 4'd1;
      end else if (rx_bit_q == 4'd11) begin
        if (rx_sync_q[0]) rx_bit_q <= 4'd0;
      end else if (rx_count_q == '0) begin
        rx_bit_q <= rx_bit_q + 4'd1;
        if (rx_bit_q == 4'd1 && rx_sync_q[0]) rx_bit_q <= 4'd0;  // a spike, no start bit
        if (rx_bit_q == 4'd10) begin
          rx_bit_q <= rx_sync_q[0] ? 4'd0 : 4'd11;
          received_q <= rx_sync_q[0];
          break_q <= !rx_sync_q[0];
        end
      end
    end
  end
  // Bits are taken in their middles: the start bit's goes out at the end of rx_q again, the stop bit's does not go in.
  always_ff @(posedge clk_i) begin
    if (rx_bit_q == 4'd0) rx_count_q <= HALF_BIT;
    else if (rx_count_q == '0) rx_count_q <= BIT;
    else rx_count_q <= rx_count_q - 1'b1;
    if (rx_count_q == '0 && rx_bit_q != 4'd10) rx_q <= {rx_sync_q[0], rx_q[7:1]};
  end

  logic [DATA_WIDTH-1:0] word_q;  // a word on its way in or out, by its high byte
  assign tx_free = tx_bit_q == 4'd0;
  assign tx_o = tx_q[0];
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      tx_q <= 9'h1ff;
      tx_bit_q <= 4'd0;
    end else if (tx_free) begin
      if (send) begin
        tx_q <= {word_q[DATA_WIDTH-1 -: 8], 1'b0};
        tx_bit_q <= 4'd10;
      end
    end else if (tx_count_q == '0) begin
      tx_q <= {1'b1, tx_q[8:1]};
      tx_bit_q <= tx_bit_q - 4'd1;
    end
  end
  always_ff @(posedge clk_i) tx_count_q <= tx_free || tx_count_q == '0 ? BIT : tx_count_q - 1'b1;

  // ------------------------------------------------------------------ commands
  localparam [2:0] COMMAND = 3'd0, COUNT = 3'd1, BYTES = 3'd2, ACCESS = 3'd3, TAKE = 3'd4, SEND = 3'd5, CONTROL = 3'd6,
                   STATUS = 3'd7;
  localparam [1:0] ADDRESS = 2'd0, WRITE = 2'd1, READ = 2'd2, ANSWER = 2'd3;
  logic [2:0] state_q;
  logic [1:0] job_q;               // what the bytes or the answer are
  logic [7:0] words_q;             // left behind this one
  logic [SIZE-1:0] bytes_q;        // left of this one behind the next byte
  logic [15:0] place_q;            // the word to write or read
  logic reset_q;                   // CONTROL: a reset, else a run
  logic settling_q;                // STATUS may still show what was before
  logic until_q;                   // wait until nothing runs
  logic asked_q;                   // STATUS is being read
  logic memory_free, turn, axil_awready, axil_arready, axil_rvalid;
  /* verilator lint_off UNUSEDSIGNAL */ // the status is the low byte
  logic [31:0] axil_rdata;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [DATA_WIDTH-1:0] memory_data;
  localparam [SIZE-1:0] WORD_BYTES = {SIZE{1'b1}}, ADDRESS_BYTES = 1;  // minus 1
  assign turn = state_q == ACCESS && memory_free;
  assign send = state_q == SEND && tx_free;
  assign start_o = state_q == CONTROL && axil_awready && !reset_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= COMMAND;
      asked_q <= 1'b0;
    end else begin
      case (state_q)
        COMMAND: begin
          if (received_q) begin
            case (rx_q)
              "A": state_q <= BYTES;
              "W", "R": state_q <= COUNT;
              "G", "X": state_q <= CONTROL;
              "S": state_q <= STATUS;
              default: ;
            endcase
          end
        end
        COUNT: begin
          if (break_q) state_q <= COMMAND;
          else if (received_q) state_q <= job_q == WRITE ? BYTES : ACCESS;
        end
        BYTES: begin
          if (break_q) state_q <= COMMAND;
          else if (received_q && bytes_q == '0) state_q <= job_q == WRITE ? ACCESS : COMMAND;
        end
        ACCESS: if (turn) state_q <= job_q == READ ? TAKE : words_q == 8'd0 ? COMMAND : BYTES;
        TAKE: state_q <= SEND;
        SEND: if (tx_free && bytes_q == '0) state_q <= job_q == ANSWER || words_q == 8'd0 ? COMMAND : ACCESS;
        CONTROL: if (axil_awready) state_q <= STATUS;
        default: begin
          if (axil_arready) asked_q <= 1'b1;
          if (axil_rvalid) begin
            asked_q <= 1'b0;
            if (!settling_q && !(until_q && axil_rdata[0])) state_q <= SEND;
          end
        end
      endcase
    end
  end
  always_ff @(posedge clk_i) begin
    case (state_q)
      COMMAND: begin
        job_q <= rx_q == "A" ? ADDRESS : rx_q == "W" ? WRITE : rx_q == "R" ? READ : ANSWER;
        reset_q <= rx_q == "X";
        settling_q <= rx_q != "S";
        until_q <= rx_q != "S";
        bytes_q <= ADDRESS_BYTES;
      end
      COUNT: begin
        words_q <= rx_q;
        bytes_q <= WORD_BYTES;
      end
      BYTES: begin
        if (received_q) begin
          word_q <= {word_q[DATA_WIDTH-9:0], rx_q};
          bytes_q <= bytes_q - 1'b1;
          if (bytes_q == '0 && job_q == ADDRESS) place_q <= {word_q[7:0], rx_q};
        end
      end
      ACCESS: begin
        bytes_q <= WORD_BYTES;
        if (turn) place_q <= place_q + 16'd1;
        if (turn && job_q == WRITE) words_q <= words_q - 8'd1;
      end
      TAKE: word_q <= memory_data;
      SEND: begin
        if (tx_free) begin
          word_q <= {word_q[DATA_WIDTH-9:0], 8'd0};
          bytes_q <= bytes_q - 1'b1;
          if (bytes_q == '0) words_q <= words_q - 8'd1;
        end
      end
      default: begin
        word_q[DATA_WIDTH-1 -: 8] <= axil_rdata[7:0];
        bytes_q <= '0;
        if (axil_rvalid) settling_q <= 1'b0;
        if (break_q) until_q <= 1'b0;
      end
    endcase
  end

  // ------------------------------------------------------------------ accelerator
  logic m_arvalid, m_awvalid, m_wvalid, m_wlast;
  logic [ADDRESS_WIDTH-1:0] m_araddr, m_awaddr;
  logic [7:0] m_arlen;
  logic [DATA_WIDTH-1:0] m_wdata;
  logic [DATA_WIDTH/8-1:0] m_wstrb;
  logic reading_q, writing_q, rvalid_q, rlast_q, rinside_q, bvalid_q, winside_q;
  /* verilator lint_off PINCONNECTEMPTY */
  bitstrata_top u_top (
    .clk_i(clk_i), .rst_ni(rst_ni),
    .s_axil_awvalid_i(state_q == CONTROL), .s_axil_awready_o(axil_awready), .s_axil_awaddr_i({R_CONTROL, 2'b00}),
    .s_axil_awprot_i(3'b000), .s_axil_wvalid_i(state_q == CONTROL), .s_axil_wready_o(),
    .s_axil_wdata_i({30'd0, reset_q, !reset_q}), .s_axil_wstrb_i(4'b0001),
    .s_axil_bvalid_o(), .s_axil_bready_i(1'b1), .s_axil_bresp_o(),
    .s_axil_arvalid_i(state_q == STATUS && !asked_q), .s_axil_arready_o(axil_arready),
    .s_axil_araddr_i({R_STATUS, 2'b00}), .s_axil_arprot_i(3'b000),
    .s_axil_rvalid_o(axil_rvalid), .s_axil_rready_i(1'b1), .s_axil_rdata_o(axil_rdata), .s_axil_rresp_o(),
    .interrupt_o(), .layer_done_o(layer_done_o),
    .m_axi_arvalid_o(m_arvalid), .m_axi_arready_i(!reading_q), .m_axi_araddr_o(m_araddr), .m_axi_arlen_o(m_arlen),
    .m_axi_arsize_o(), .m_axi_arburst_o(), .m_axi_arcache_o(), .m_axi_arprot_o(),
    .m_axi_rvalid_i(rvalid_q), .m_axi_rready_o(), .m_axi_rdata_i(memory_data), .m_axi_rresp_i({2{!rinside_q}}),
    .m_axi_rlast_i(rlast_q),
    .m_axi_awvalid_o(m_awvalid), .m_axi_awready_i(!writing_q), .m_axi_awaddr_o(m_awaddr), .m_axi_awlen_o(),
    .m_axi_awsize_o(), .m_axi_awburst_o(), .m_axi_awcache_o(), .m_axi_awprot_o(),
    .m_axi_wvalid_o(m_wvalid), .m_axi_wready_i(writing_q), .m_axi_wdata_o(m_wdata), .m_axi_wstrb_o(m_wstrb),
    .m_axi_wlast_o(m_wlast), .m_axi_bvalid_i(bvalid_q), .m_axi_bready_o(), .m_axi_bresp_i({2{!winside_q}}));
  /* verilator lint_on PINCONNECTEMPTY */

  // ------------------------------------------------------------------ memory
  // The accelerator takes every word and every answer in its cycle (bs_axi_read, bs_axi_write): nothing waits here.
  localparam [WORD_WIDTH:0] WORDS = MEMORY_WORDS[WORD_WIDTH:0];
  logic [WORD_WIDTH-1:0] read_word_q, write_word_q;
  logic [7:0] read_left_q;
  logic read_inside, write_inside, place_inside, write_beat;
  assign read_inside = {1'b0, read_word_q} < WORDS;
  assign write_inside = {1'b0, write_word_q} < WORDS;
  assign place_inside = {1'b0, place_q} < MEMORY_WORDS[16:0];
  assign write_beat = writing_q && m_wvalid;
  assign memory_free = !reading_q && !writing_q;
  bs_ram #(.WIDTH(DATA_WIDTH), .DEPTH(MEMORY_WORDS)) u_memory (
    .clk_i(clk_i),
    .we_i((write_beat && write_inside && m_wstrb[0]) || (turn && job_q == WRITE && place_inside)),
    .waddr_i(writing_q ? write_word_q[PLACE_WIDTH-1:0] : place_q[PLACE_WIDTH-1:0]), .wdata_i(writing_q ? m_wdata : word_q),
    .re_i(reading_q || (turn && job_q == READ)),
    .raddr_i(reading_q ? read_word_q[PLACE_WIDTH-1:0] : place_q[PLACE_WIDTH-1:0]), .rdata_o(memory_data));
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      reading_q <= 1'b0;
      writing_q <= 1'b0;
      rvalid_q <= 1'b0;
      bvalid_q <= 1'b0;
    end else begin
      reading_q <= reading_q ? read_left_q != 8'd0 : m_arvalid;
      rvalid_q <= reading_q;
      writing_q <= writing_q ? !(m_wvalid && m_wlast) : m_awvalid;
      bvalid_q <= write_beat && m_wlast;
    end
  end
  always_ff @(posedge clk_i) begin
    read_word_q <= reading_q ? read_word_q + 1'b1 : m_araddr[ADDRESS_WIDTH-1:SIZE];
    read_left_q <= reading_q ? read_left_q - 8'd1 : m_arlen;
    rlast_q <= read_left_q == 8'd0;
    rinside_q <= read_inside;
    if (!writing_q) begin
      write_word_q <= m_awaddr[ADDRESS_WIDTH-1:SIZE];
      winside_q <= 1'b1;
    end else if (m_wvalid) begin
      write_word_q <= write_word_q + 1'b1;
      if (!write_inside) winside_q <= 1'b0;
    end
  end

  logic unused;
  assign unused = ^{m_araddr[SIZE-1:0], m_awaddr[SIZE-1:0], m_wstrb};

`ifdef BS_CHECKS
  `include "bs_checks.svh"
  `BS_CHECKS_BEGIN
  `BS_PARAMETER(DATA_WIDTH >= 16 && ADDRESS_WIDTH <= 32 && DIVIDER >= 4)
  `BS_PARAMETER(MEMORY_WORDS >= 2 && MEMORY_WORDS <= 65536 && PLACE_WIDTH <= WORD_WIDTH)
  // No write is half a word.
  `BS_CHECK(!write_beat || m_wstrb == {(DATA_WIDTH/8){m_wstrb[0]}})
`endif
endmodule
