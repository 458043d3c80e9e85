// SPDX-License-Identifier: Apache-2.0
// AXI4 write master: turns (address, beats) commands into INCR bursts; addresses may run ahead of data by
// OUTSTANDING bursts. Data come by valid/ready, and valid data must not change. A command is taken when the previous
// one is wholly addressed. Data of a burst go out from the cycle behind the one that first shows its address, whether
// it is taken or not: a slave may take data first, or wait for data before it takes an address.
// halt_i: no new burst, and those shown end with beats without strobes, which write nothing; only a beat that is shown
// already stays as it is. busy_o falls when all are answered, and a reset is safe for the bus then. halt_i may fall
// only with a reset.
module bs_axi_write #(
  parameter ADDRESS_WIDTH = 32,
  parameter LIST_WIDTH = ADDRESS_WIDTH < 32 ? ADDRESS_WIDTH : 32,  // of addresses in descriptors
  parameter DATA_WIDTH  = 64,
  parameter BURST_BEATS = 16,
  parameter OUTSTANDING = 4
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  cmd_valid_i,
  output logic                  cmd_ready_o,
  input  logic [ADDRESS_WIDTH-1:0] base_i,      // multiple of 4096: cmd_address_i is counted from here
  input  logic [LIST_WIDTH-1:0] cmd_address_i,
  input  logic [(LIST_WIDTH-$clog2(DATA_WIDTH/8) < 24 ? LIST_WIDTH-$clog2(DATA_WIDTH/8) : 24)-1:0] cmd_beats_i,  // at least 1
  input  logic                  data_valid_i,
  output logic                  data_ready_o,
  input  logic [DATA_WIDTH-1:0] data_i,
  output logic                  error_o,  // pulse: error response
  input  logic                  halt_i,
  output logic                  busy_o,
  output logic                  idle_o,  // every command is addressed and answered
`ifdef BS_FORMAL
  input  logic                  track_i,  // the prover's choice of a burst
`endif
  // AXI4
  output logic                  m_axi_awvalid_o,
  input  logic                  m_axi_awready_i,
  output logic [ADDRESS_WIDTH-1:0] m_axi_awaddr_o,
  output logic [7:0]            m_axi_awlen_o,
  output logic                  m_axi_wvalid_o,
  input  logic                  m_axi_wready_i,
  output logic [DATA_WIDTH-1:0] m_axi_wdata_o,
  output logic [DATA_WIDTH/8-1:0] m_axi_wstrb_o,
  output logic                  m_axi_wlast_o,
  input  logic                  m_axi_bvalid_i,
  output logic                  m_axi_bready_o,
  input  logic [1:0]            m_axi_bresp_i
);
  localparam SIZE = $clog2(DATA_WIDTH / 8);
  localparam PAGE_BEATS = 4096 >> SIZE;
  localparam PAGE_WIDTH = 12 - SIZE;
  localparam BEATS_WIDTH = LIST_WIDTH - SIZE < 24 ? LIST_WIDTH - SIZE : 24;
  localparam BURST_WIDTH = $clog2(BURST_BEATS + 1);
  localparam FLIGHT_WIDTH = $clog2(OUTSTANDING + 1);
  localparam PLACE_WIDTH = OUTSTANDING > 1 ? $clog2(OUTSTANDING) : 1;  // of bursts that are shown and not begun
  localparam LENGTH_WIDTH = BURST_BEATS > 1 ? $clog2(BURST_BEATS) : 1;

  logic        active_q;           // addresses of the command are left
  logic [ADDRESS_WIDTH-1:0] address_q;          // next burst's address
  logic [BEATS_WIDTH-1:0] beats_q;            // beats not yet addressed
  logic [LENGTH_WIDTH-1:0] length_q [0:2**PLACE_WIDTH-1];  // of the bursts shown and not begun, minus 1
  logic [PLACE_WIDTH-1:0] length_in_q, length_out_q;
  logic [LENGTH_WIDTH-1:0] burst_left_q, length;          // beats left in the data burst, minus 1
  logic        in_burst_q;
  logic [FLIGHT_WIDTH-1:0] in_flight_q;        // addressed, not answered
  logic [FLIGHT_WIDTH-1:0] to_send_q;          // address shown, data not begun
  logic        fill_q;             // beats carry no strobes

  logic [ADDRESS_WIDTH:0] offset;  // the command's address, as in bs_axi_read
  assign offset = {{(ADDRESS_WIDTH + 1 - LIST_WIDTH){1'b0}}, cmd_address_i};

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
  /* verilator lint_off UNUSEDSIGNAL */ // awlen has eight bits
  logic [8:0] burst_minus_1;
  /* verilator lint_on UNUSEDSIGNAL */
  assign burst_minus_1 = {{(9-BURST_WIDTH){1'b0}}, burst} - 9'd1;

  logic aw_show, aw_fire, w_fire, b_fire, w_start, may_send;
  logic shown_q;  // an address was shown and not taken: it must stay
  assign m_axi_awvalid_o = active_q && in_flight_q < OUTSTANDING[FLIGHT_WIDTH-1:0] && (!halt_i || shown_q);
  assign m_axi_awaddr_o = address_q;
  assign m_axi_awlen_o = burst_minus_1[7:0];
  assign aw_show = m_axi_awvalid_o && !shown_q;
  assign aw_fire = m_axi_awvalid_o && m_axi_awready_i;
  assign may_send = in_burst_q || to_send_q != '0;
  assign m_axi_wvalid_o = (data_valid_i || fill_q) && may_send;
  assign m_axi_wdata_o = fill_q ? {DATA_WIDTH{1'b0}} : data_i;
  assign m_axi_wstrb_o = {(DATA_WIDTH / 8){!fill_q}};
  assign length = in_burst_q ? burst_left_q : length_q[length_out_q];
  assign m_axi_wlast_o = length == '0;
  assign w_fire = m_axi_wvalid_o && m_axi_wready_i;
  assign w_start = w_fire && !in_burst_q;
  assign data_ready_o = m_axi_wready_i && may_send && !fill_q;
  assign m_axi_bready_o = 1'b1;
  assign b_fire = m_axi_bvalid_i;
  assign error_o = b_fire && m_axi_bresp_i[1];
  assign cmd_ready_o = !active_q;
  assign idle_o = !active_q && in_flight_q == '0;
  assign busy_o = m_axi_awvalid_o || in_flight_q != '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      active_q <= 1'b0;
      in_burst_q <= 1'b0;
      in_flight_q <= '0;
      to_send_q <= '0;
      shown_q <= 1'b0;
      fill_q <= 1'b0;
      length_in_q <= '0;
      length_out_q <= '0;
    end else begin
      shown_q <= m_axi_awvalid_o && !m_axi_awready_i;
      if (cmd_valid_i && cmd_ready_o) active_q <= 1'b1;
      else if (aw_fire && beats_left == '0) active_q <= 1'b0;
      if (aw_fire && !b_fire) in_flight_q <= in_flight_q + 1'b1;
      else if (!aw_fire && b_fire) in_flight_q <= in_flight_q - 1'b1;
      if (aw_show && !w_start) to_send_q <= to_send_q + 1'b1;
      else if (!aw_show && w_start) to_send_q <= to_send_q - 1'b1;
      // A beat that waits is not changed.
      if (halt_i && !(m_axi_wvalid_o && !m_axi_wready_i)) fill_q <= 1'b1;
      if (aw_show && OUTSTANDING > 1) length_in_q <= length_in_q + 1'b1;
      if (w_start && OUTSTANDING > 1) length_out_q <= length_out_q + 1'b1;
      if (w_fire) in_burst_q <= !m_axi_wlast_o;
    end
  end
  always_ff @(posedge clk_i) begin
    if (cmd_valid_i && cmd_ready_o) begin
      address_q <= {base_i[ADDRESS_WIDTH-1:12] + offset[ADDRESS_WIDTH-1:12], offset[11:0]};
      beats_q <= cmd_beats_i;
    end else if (aw_fire) begin
      address_q <= address_q + {{(ADDRESS_WIDTH-BURST_WIDTH-SIZE){1'b0}}, burst, {SIZE{1'b0}}};
      beats_q <= beats_left;
    end
    if (aw_show) length_q[length_in_q] <= burst_minus_1[LENGTH_WIDTH-1:0];
    if (w_fire) burst_left_q <= length - 1'b1;
  end

  logic unused;
  assign unused = ^{m_axi_bresp_i[0], base_i[11:0], offset[ADDRESS_WIDTH]};

`ifdef BS_CHECKS
  `include "bs_checks.svh"
  `BS_CHECKS_BEGIN
  `include "bs_axi_write_checks.svh"
`endif
endmodule
