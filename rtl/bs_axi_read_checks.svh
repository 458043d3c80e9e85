// SPDX-License-Identifier: Apache-2.0
// What bs_axi_read owes AXI, and what it relies on; part of its body under BS_CHECKS.
  logic ar_waits_q, halted_q;
  logic [ADDRESS_WIDTH+7:0] ar_shown_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      ar_waits_q <= 1'b0;
      halted_q <= 1'b0;
    end else begin
      ar_waits_q <= m_axi_arvalid_o && !m_axi_arready_i;
      halted_q <= halt_i;
    end
  end
  always_ff @(posedge clk_i) ar_shown_q <= {m_axi_arlen_o, m_axi_araddr_o};
  `BS_CHECK(!ar_waits_q || (m_axi_arvalid_o && {m_axi_arlen_o, m_axi_araddr_o} == ar_shown_q))
  `BS_ASSUME(!halted_q || halt_i)

  `BS_ASSUME(!cmd_valid_i || (cmd_beats_i != '0 && cmd_address_i[SIZE-1:0] == {SIZE{1'b0}} && base_i[11:0] == 12'd0))
  `BS_CHECK(!active_q || (beats_q != '0 && address_q[SIZE-1:0] == {SIZE{1'b0}}))
  `BS_CHECK(!m_axi_arvalid_o || ({24'd0, m_axi_arlen_o} < BURST_BEATS && {24'd0, m_axi_arlen_o} < {{(32-BEATS_WIDTH){1'b0}}, beats_q}))
  `BS_CHECK(!m_axi_arvalid_o || {20'd0, m_axi_araddr_o[11:0]} + (({24'd0, m_axi_arlen_o} + 32'd1) << SIZE) <= 32'd4096)

  `BS_ASSUME(!m_axi_rvalid_i || in_flight_q != '0)
  /* verilator lint_off CMPCONST */
  `BS_CHECK({{(32-FLIGHT_WIDTH){1'b0}}, in_flight_q} <= OUTSTANDING)
  /* verilator lint_on CMPCONST */
  `BS_CHECK(shown_q == ar_waits_q && (!shown_q || (active_q && in_flight_q < OUTSTANDING[FLIGHT_WIDTH-1:0])))
  `BS_CHECK(busy_o || (in_flight_q == '0 && !ar_waits_q))
  `BS_CHECK(m_axi_rready_o)
