// SPDX-License-Identifier: Apache-2.0
// What bs_axi_write owes AXI, and what it relies on; part of its body under BS_CHECKS.

  // ------------------------------------------------------------------ what is on show stays
  logic aw_waits_q, w_waits_q, data_waits_q, halted_q;
  logic [ADDRESS_WIDTH+7:0] aw_shown_q;
  logic [DATA_WIDTH+DATA_WIDTH/8:0] w_shown_q;
  logic [DATA_WIDTH-1:0] data_shown_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      aw_waits_q <= 1'b0;
      w_waits_q <= 1'b0;
      data_waits_q <= 1'b0;
      halted_q <= 1'b0;
    end else begin
      aw_waits_q <= m_axi_awvalid_o && !m_axi_awready_i;
      w_waits_q <= m_axi_wvalid_o && !m_axi_wready_i;
      data_waits_q <= data_valid_i && !data_ready_o;
      halted_q <= halt_i;
    end
  end
  always_ff @(posedge clk_i) begin
    aw_shown_q <= {m_axi_awlen_o, m_axi_awaddr_o};
    w_shown_q <= {m_axi_wlast_o, m_axi_wstrb_o, m_axi_wdata_o};
    data_shown_q <= data_i;
  end
  `BS_CHECK(!aw_waits_q || (m_axi_awvalid_o && {m_axi_awlen_o, m_axi_awaddr_o} == aw_shown_q))
  `BS_CHECK(!w_waits_q || (m_axi_wvalid_o && {m_axi_wlast_o, m_axi_wstrb_o, m_axi_wdata_o} == w_shown_q))
  `BS_ASSUME(!data_waits_q || (data_valid_i && data_i == data_shown_q))
  `BS_ASSUME(!halted_q || halt_i)

  // ------------------------------------------------------------------ bursts: whole, aligned, inside a page
  `BS_ASSUME(!cmd_valid_i || (cmd_beats_i != '0 && cmd_address_i[SIZE-1:0] == {SIZE{1'b0}} && base_i[11:0] == 12'd0))
  `BS_CHECK(!active_q || (beats_q != '0 && address_q[SIZE-1:0] == {SIZE{1'b0}}))
  `BS_CHECK(!m_axi_awvalid_o || ({24'd0, m_axi_awlen_o} < BURST_BEATS && {24'd0, m_axi_awlen_o} < {{(32-BEATS_WIDTH){1'b0}}, beats_q}))
  `BS_CHECK(!m_axi_awvalid_o || {20'd0, m_axi_awaddr_o[11:0]} + (({24'd0, m_axi_awlen_o} + 32'd1) << SIZE) <= 32'd4096)

  // ------------------------------------------------------------------ data follow addresses on show, answers follow both
  // Bursts shown in an earlier cycle whose last beat has not gone, and those whose last beat has gone unanswered.
  logic [5:0] owed_q, sent_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      owed_q <= 6'd0;
      sent_q <= 6'd0;
    end else begin
      owed_q <= owed_q + {5'd0, aw_show} - {5'd0, w_fire && m_axi_wlast_o};
      sent_q <= sent_q + {5'd0, w_fire && m_axi_wlast_o} - {5'd0, b_fire};
    end
  end
  // Whether AWREADY was there has no part in it.
  `BS_CHECK(m_axi_wvalid_o == ((data_valid_i || fill_q) && owed_q != 6'd0))
  `BS_ASSUME(!m_axi_bvalid_i || (sent_q != 6'd0 && in_flight_q != '0))
  `BS_CHECK(busy_o || (owed_q == 6'd0 && sent_q == 6'd0))
  /* verilator lint_off CMPCONST */
  `BS_CHECK({{(32-FLIGHT_WIDTH){1'b0}}, in_flight_q} <= OUTSTANDING && owed_q <= OUTSTANDING[5:0] && sent_q <= OUTSTANDING[5:0])
  /* verilator lint_on CMPCONST */
  // How these counts and the design's own hang together.
  `BS_CHECK(shown_q == aw_waits_q && (!shown_q || (active_q && in_flight_q < OUTSTANDING[FLIGHT_WIDTH-1:0])))
  `BS_CHECK(owed_q == {{(6-FLIGHT_WIDTH){1'b0}}, to_send_q} + {5'd0, in_burst_q})
  `BS_CHECK(owed_q + sent_q == {{(6-FLIGHT_WIDTH){1'b0}}, in_flight_q} + {5'd0, aw_waits_q})
  `BS_CHECK(length_in_q == length_out_q + (OUTSTANDING == 1 ? '0 : to_send_q[PLACE_WIDTH-1:0]))

  // ------------------------------------------------------------------ WLAST, of one burst at a time; a prover's of any
  logic track, tracked_q;
  logic [5:0] ahead_q;   // bursts whose last beat goes before
  logic [7:0] left_q;    // beats of the burst, minus 1
  logic [PLACE_WIDTH-1:0] place;
  `ifdef BS_FORMAL
  assign track = track_i;
  `else
  assign track = 1'b1;
  `endif
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      tracked_q <= 1'b0;
      ahead_q <= 6'd0;
      left_q <= 8'd0;
    end else if (tracked_q) begin
      if (w_fire && ahead_q == 6'd0) begin
        left_q <= left_q - 8'd1;
        if (left_q == 8'd0) tracked_q <= 1'b0;
      end else if (w_fire && m_axi_wlast_o) ahead_q <= ahead_q - 6'd1;
    end else if (aw_show && track) begin
      tracked_q <= 1'b1;
      ahead_q <= owed_q - {5'd0, w_fire && m_axi_wlast_o};
      left_q <= m_axi_awlen_o;
    end
  end
  `BS_CHECK(!(tracked_q && m_axi_wvalid_o && ahead_q == 6'd0) || m_axi_wlast_o == (left_q == 8'd0))
  `BS_CHECK(!tracked_q || ahead_q < owed_q)
  assign place = OUTSTANDING == 1 ? length_out_q : length_out_q + ahead_q[PLACE_WIDTH-1:0] - {{(PLACE_WIDTH-1){1'b0}}, in_burst_q};
  `BS_CHECK(!tracked_q || left_q == {{(8-LENGTH_WIDTH){1'b0}}, in_burst_q && ahead_q == 6'd0 ? burst_left_q : length_q[place]})
