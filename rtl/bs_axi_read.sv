// SPDX-License-Identifier: Apache-2.0
// AXI4 read master: turns (address, beats) commands into INCR bursts, in order, several in flight.
// Data beats come out in order and are never refused: the commander makes room first.
// A command is taken the cycle cmd_valid_i and cmd_ready_o are high; its first address is driven in the next cycle.
// halt_i: no new burst; busy_o falls when those under way have come in, and a reset is safe for the bus then. halt_i may
// fall only with a reset.
module bs_axi_read #(
  parameter ADDRESS_WIDTH = 32,
  parameter LIST_WIDTH = ADDRESS_WIDTH < 32 ? ADDRESS_WIDTH : 32,  // of addresses in descriptors
  parameter DATA_WIDTH  = 64,
  parameter BURST_BEATS = 16,  // longest burst; BURST_BEATS * DATA_WIDTH / 8 <= 4096
  parameter OUTSTANDING = 4    // bursts in flight
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  cmd_valid_i,
  output logic                  cmd_ready_o,
  input  logic [ADDRESS_WIDTH-1:0] base_i,      // multiple of 4096: cmd_address_i is counted from here
  input  logic [LIST_WIDTH-1:0] cmd_address_i,  // multiple of DATA_WIDTH/8
  input  logic [(LIST_WIDTH-$clog2(DATA_WIDTH/8) < 24 ? LIST_WIDTH-$clog2(DATA_WIDTH/8) : 24)-1:0] cmd_beats_i,    // at least 1
  output logic                  data_valid_o,
  output logic [DATA_WIDTH-1:0] data_o,
  output logic                  error_o,        // pulse: error response
  input  logic                  halt_i,
  output logic                  busy_o,
  // AXI4
  output logic                  m_axi_arvalid_o,
  input  logic                  m_axi_arready_i,
  output logic [ADDRESS_WIDTH-1:0] m_axi_araddr_o,
  output logic [7:0]            m_axi_arlen_o,
  input  logic                  m_axi_rvalid_i,
  output logic                  m_axi_rready_o,
  input  logic [DATA_WIDTH-1:0] m_axi_rdata_i,
  input  logic [1:0]            m_axi_rresp_i,
  input  logic                  m_axi_rlast_i
);
  localparam SIZE = $clog2(DATA_WIDTH / 8);  // log2 of bytes a beat
  localparam PAGE_BEATS = 4096 >> SIZE;      // a burst must not cross a 4 KiB boundary
  localparam PAGE_WIDTH = 12 - SIZE;
  localparam BEATS_WIDTH = LIST_WIDTH - SIZE < 24 ? LIST_WIDTH - SIZE : 24;
  localparam BURST_WIDTH = $clog2(BURST_BEATS + 1);
  localparam FLIGHT_WIDTH = $clog2(OUTSTANDING + 1);

  logic        active_q;
  logic [ADDRESS_WIDTH-1:0] address_q;
  logic [BEATS_WIDTH-1:0] beats_q;
  logic [FLIGHT_WIDTH-1:0] in_flight_q;

  logic [ADDRESS_WIDTH:0] offset;  // the command's address, a bit wider than needed for tools that know no empty fields
  assign offset = {{(ADDRESS_WIDTH + 1 - LIST_WIDTH){1'b0}}, cmd_address_i};

  // Length of the next burst.
  logic [PAGE_WIDTH:0] page_left;
  logic [BURST_WIDTH-1:0] burst;
  always_comb begin
    page_left = PAGE_BEATS[PAGE_WIDTH:0] - {1'b0, address_q[11:SIZE]};
    burst = BURST_BEATS[BURST_WIDTH-1:0];
    if (beats_q < {{(BEATS_WIDTH-BURST_WIDTH){1'b0}}, burst}) burst = beats_q[BURST_WIDTH-1:0];
    if (page_left < {{(PAGE_WIDTH+1-BURST_WIDTH){1'b0}}, burst}) burst = page_left[BURST_WIDTH-1:0];
  end
  logic [BEATS_WIDTH-1:0] beats_left;  // behind this burst
  assign beats_left = beats_q - {{(BEATS_WIDTH-BURST_WIDTH){1'b0}}, burst};
  /* verilator lint_off UNUSEDSIGNAL */ // arlen has eight bits
  logic [8:0] burst_minus_1;
  /* verilator lint_on UNUSEDSIGNAL */
  assign burst_minus_1 = {{(9-BURST_WIDTH){1'b0}}, burst} - 9'd1;

  logic ar_fire, r_fire;
  logic shown_q;  // an address was shown and not taken: it must stay
  assign m_axi_arvalid_o = active_q && in_flight_q < OUTSTANDING[FLIGHT_WIDTH-1:0] && (!halt_i || shown_q);
  assign m_axi_araddr_o = address_q;
  assign m_axi_arlen_o = burst_minus_1[7:0];
  assign m_axi_rready_o = 1'b1;
  assign ar_fire = m_axi_arvalid_o && m_axi_arready_i;
  assign r_fire = m_axi_rvalid_i;
  assign cmd_ready_o = !active_q;
  assign data_valid_o = r_fire;
  assign data_o = m_axi_rdata_i;
  assign error_o = r_fire && m_axi_rresp_i[1];
  assign busy_o = m_axi_arvalid_o || in_flight_q != '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      active_q <= 1'b0;
      in_flight_q <= '0;
      shown_q <= 1'b0;
    end else begin
      shown_q <= m_axi_arvalid_o && !m_axi_arready_i;
      if (cmd_valid_i && cmd_ready_o) active_q <= 1'b1;
      else if (ar_fire && beats_left == '0) active_q <= 1'b0;
      if (ar_fire && !(r_fire && m_axi_rlast_i)) in_flight_q <= in_flight_q + 1'b1;
      else if (!ar_fire && r_fire && m_axi_rlast_i) in_flight_q <= in_flight_q - 1'b1;
    end
  end
  always_ff @(posedge clk_i) begin
    if (cmd_valid_i && cmd_ready_o) begin
      address_q <= {base_i[ADDRESS_WIDTH-1:12] + offset[ADDRESS_WIDTH-1:12], offset[11:0]};
      beats_q <= cmd_beats_i;
    end else if (ar_fire) begin
      address_q <= address_q + {{(ADDRESS_WIDTH-BURST_WIDTH-SIZE){1'b0}}, burst, {SIZE{1'b0}}};
      beats_q <= beats_left;
    end
  end

  logic unused;
  assign unused = ^{m_axi_rresp_i[0], base_i[11:0], offset[ADDRESS_WIDTH]};

`ifdef BS_CHECKS
  `include "bs_checks.svh"
  `BS_CHECKS_BEGIN
  `include "bs_axi_read_checks.svh"
`endif
endmodule
