// SPDX-License-Identifier: Apache-2.0
// AXI4-Lite registers (32 bits): docs/registers.md. WSTRB chooses bytes, protection is ignored; others read 0, and
// writes to them are ignored.
// All outputs are registers: no READY depends on a VALID of its cycle. Address and data of a write come in any order.
module bs_registers #(
  parameter ROWS    = 64,
  parameter COLUMNS = 64,
  parameter TILES   = 1,
  parameter OVERLAY = 0,
  parameter VECTORS = 1,
  parameter CONFIGURATION = 0,
  parameter CAPABILITIES  = 0,
  parameter ADDRESS_WIDTH = 32,  // 16 to 64
  parameter LIST_WIDTH = ADDRESS_WIDTH < 32 ? ADDRESS_WIDTH : 32
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        s_axil_awvalid_i,
  output logic        s_axil_awready_o,
  input  logic [7:0]  s_axil_awaddr_i,
  input  logic [2:0]  s_axil_awprot_i,
  input  logic        s_axil_wvalid_i,
  output logic        s_axil_wready_o,
  input  logic [31:0] s_axil_wdata_i,
  input  logic [3:0]  s_axil_wstrb_i,
  output logic        s_axil_bvalid_o,
  input  logic        s_axil_bready_i,
  output logic [1:0]  s_axil_bresp_o,
  input  logic        s_axil_arvalid_i,
  output logic        s_axil_arready_o,
  input  logic [7:0]  s_axil_araddr_i,
  input  logic [2:0]  s_axil_arprot_i,
  output logic        s_axil_rvalid_o,
  input  logic        s_axil_rready_i,
  output logic [31:0] s_axil_rdata_o,
  output logic [1:0]  s_axil_rresp_o,
  output logic        run_o,           // pulse
  output logic        clear_o,         // pulse: reset the accelerator
  output logic [LIST_WIDTH-1:0] list_address_o,
  output logic [63:0] base_o,          // bits beyond ADDRESS_WIDTH are 0
  output logic [31:0] watchdog_o,
  output logic [31:0] limit_o,
  output logic [4:0]  event_select_o,
  input  logic [47:0] event_i,
  input  logic        running_i,
  input  logic        done_i,
  input  logic [1:0]  error_i,
  input  logic [15:0] layers_i,
  output logic        interrupt_o
);
  `include "bs_registers.svh"

  // A write's address or data that come alone, or before the last answer is gone, are held.
  logic aw_held_q, w_held_q, write, read;
  logic [5:0] word_q, write_word, read_word;
  logic [31:0] data_q, data;
  logic [3:0] strobes_q, strobes;
  logic enable_q, pending_q, ended_q;
  assign s_axil_awready_o = !aw_held_q;
  assign s_axil_wready_o = !w_held_q;
  assign s_axil_arready_o = !s_axil_rvalid_o;
  assign write = (aw_held_q || s_axil_awvalid_i) && (w_held_q || s_axil_wvalid_i)
                 && (!s_axil_bvalid_o || s_axil_bready_i);
  assign read = s_axil_arvalid_i && !s_axil_rvalid_o;
  assign write_word = aw_held_q ? word_q : s_axil_awaddr_i[7:2];
  assign data = w_held_q ? data_q : s_axil_wdata_i;
  assign strobes = w_held_q ? strobes_q : s_axil_wstrb_i;
  assign s_axil_bresp_o = 2'b00;
  assign s_axil_rresp_o = 2'b00;
  assign read_word = s_axil_araddr_i[7:2];
  assign interrupt_o = enable_q && pending_q;

  logic [31:0] byte_mask;
  assign byte_mask = {{8{strobes[3]}}, {8{strobes[2]}}, {8{strobes[1]}}, {8{strobes[0]}}};

  localparam [63:0] ADDRESS_MASK = {64{1'b1}} >> (64 - ADDRESS_WIDTH);
  logic ended;
  assign ended = done_i || error_i != 2'd0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      aw_held_q <= 1'b0;
      w_held_q <= 1'b0;
      s_axil_bvalid_o <= 1'b0;
      s_axil_rvalid_o <= 1'b0;
      run_o <= 1'b0;
      clear_o <= 1'b0;
      enable_q <= 1'b0;
      pending_q <= 1'b0;
      ended_q <= 1'b0;
      list_address_o <= '0;
      base_o <= 64'd0;
      watchdog_o <= 32'd1000000;
      limit_o <= 32'd0;
      event_select_o <= 5'd0;
      s_axil_rdata_o <= 32'd0;
    end else begin
      aw_held_q <= (aw_held_q || s_axil_awvalid_i) && !write;
      w_held_q <= (w_held_q || s_axil_wvalid_i) && !write;
      s_axil_bvalid_o <= write || (s_axil_bvalid_o && !s_axil_bready_i);
      s_axil_rvalid_o <= read || (s_axil_rvalid_o && !s_axil_rready_i);
      run_o <= write && write_word == R_CONTROL && strobes[0] && data[0];
      clear_o <= write && write_word == R_CONTROL && strobes[0] && data[1];
      ended_q <= ended;
      if (ended && !ended_q) pending_q <= 1'b1;
      else if (write && write_word == R_INTERRUPT && strobes[0] && data[1]) pending_q <= 1'b0;
      if (write) begin
        case (write_word)
          R_INTERRUPT: if (strobes[0]) enable_q <= data[0];
          R_LIST: list_address_o <= (list_address_o & ~byte_mask[LIST_WIDTH-1:0]) | (data[LIST_WIDTH-1:0] & byte_mask[LIST_WIDTH-1:0]);
          R_WATCHDOG: watchdog_o <= (watchdog_o & ~byte_mask) | (data & byte_mask);
          R_SELECT: if (strobes[0]) event_select_o <= data[4:0];
          R_LIMIT: limit_o <= (limit_o & ~byte_mask) | (data & byte_mask);
          R_BASE: base_o[31:0] <= ((base_o[31:0] & ~byte_mask) | (data & byte_mask)) & ADDRESS_MASK[31:0];
          R_BASE_HIGH: base_o[63:32] <= ((base_o[63:32] & ~byte_mask) | (data & byte_mask)) & ADDRESS_MASK[63:32];
          default: ;
        endcase
      end
      if (read) begin
        case (read_word)
          R_STATUS: s_axil_rdata_o <= {layers_i, 12'd0, error_i, done_i, running_i};
          R_INTERRUPT: s_axil_rdata_o <= {30'd0, pending_q, enable_q};
          R_LIST: s_axil_rdata_o <= {{(32-LIST_WIDTH){1'b0}}, list_address_o};
          R_WATCHDOG: s_axil_rdata_o <= watchdog_o;
          R_VERSION: s_axil_rdata_o <= VERSION;
          R_SHAPE: s_axil_rdata_o <= {TILES[7:0], COLUMNS[11:0], ROWS[11:0]};
          R_SELECT: s_axil_rdata_o <= {27'd0, event_select_o};
          R_EVENT_LOW: s_axil_rdata_o <= event_i[31:0];
          R_EVENT_HIGH: s_axil_rdata_o <= {16'd0, event_i[47:32]};
          R_STYLE: s_axil_rdata_o <= {16'd0, VECTORS[7:0], 7'd0, OVERLAY[0]};
          R_CONFIGURATION: s_axil_rdata_o <= CONFIGURATION[31:0];
          R_CAPABILITIES: s_axil_rdata_o <= CAPABILITIES[31:0];
          R_LIMIT: s_axil_rdata_o <= limit_o;
          R_BASE: s_axil_rdata_o <= base_o[31:0];
          R_BASE_HIGH: s_axil_rdata_o <= base_o[63:32];
          default: s_axil_rdata_o <= 32'd0;
        endcase
      end
    end
  end

  // What is held counts only with its flag.
  always_ff @(posedge clk_i) begin
    if (!aw_held_q) word_q <= s_axil_awaddr_i[7:2];
    if (!w_held_q) begin
      data_q <= s_axil_wdata_i;
      strobes_q <= s_axil_wstrb_i;
    end
  end

  logic unused;
  assign unused = ^{s_axil_awaddr_i[1:0], s_axil_araddr_i[1:0], s_axil_awprot_i, s_axil_arprot_i};

`ifdef BS_CHECKS
  `include "bs_checks.svh"
  `BS_CHECKS_BEGIN
  logic b_waits_q, r_waits_q;
  logic [33:0] r_shown_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      b_waits_q <= 1'b0;
      r_waits_q <= 1'b0;
    end else begin
      b_waits_q <= s_axil_bvalid_o && !s_axil_bready_i;
      r_waits_q <= s_axil_rvalid_o && !s_axil_rready_i;
    end
  end
  always_ff @(posedge clk_i) r_shown_q <= {s_axil_rresp_o, s_axil_rdata_o};
  `BS_CHECK(!b_waits_q || (s_axil_bvalid_o && s_axil_bresp_o == 2'b00))
  `BS_CHECK(!r_waits_q || (s_axil_rvalid_o && {s_axil_rresp_o, s_axil_rdata_o} == r_shown_q))
  // An answer for every write, and for nothing else: what is taken is held or answered.
  logic [1:0] addresses_q, words_q;  // taken, not answered
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      addresses_q <= 2'd0;
      words_q <= 2'd0;
    end else begin
      addresses_q <= addresses_q + {1'b0, s_axil_awvalid_i && s_axil_awready_o} - {1'b0, s_axil_bvalid_o && s_axil_bready_i};
      words_q <= words_q + {1'b0, s_axil_wvalid_i && s_axil_wready_o} - {1'b0, s_axil_bvalid_o && s_axil_bready_i};
    end
  end
  `BS_CHECK(addresses_q == {1'b0, aw_held_q} + {1'b0, s_axil_bvalid_o} && words_q == {1'b0, w_held_q} + {1'b0, s_axil_bvalid_o})
`endif
endmodule
