// SPDX-License-Identifier: Apache-2.0
// Commands on the serial line of bs_serial_top, with 48 words of memory behind it, and in place of the accelerator a master
// that does at each run what the host left in words 0 to 2: it reads a burst of four words from the first one's byte
// address, writes them inverted to the second one's, and then runs on for as many cycles as the third one says.
module bitstrata_top (
  input  logic clk_i, input logic rst_ni,
  input  logic s_axil_awvalid_i, output logic s_axil_awready_o, input logic [7:0] s_axil_awaddr_i, input logic [2:0] s_axil_awprot_i,
  input  logic s_axil_wvalid_i, output logic s_axil_wready_o, input logic [31:0] s_axil_wdata_i, input logic [3:0] s_axil_wstrb_i,
  output logic s_axil_bvalid_o, input logic s_axil_bready_i, output logic [1:0] s_axil_bresp_o,
  input  logic s_axil_arvalid_i, output logic s_axil_arready_o, input logic [7:0] s_axil_araddr_i, input logic [2:0] s_axil_arprot_i,
  output logic s_axil_rvalid_o, input logic s_axil_rready_i, output logic [31:0] s_axil_rdata_o, output logic [1:0] s_axil_rresp_o,
  output logic interrupt_o, output logic layer_done_o,
  output logic m_axi_arvalid_o, input logic m_axi_arready_i, output logic [15:0] m_axi_araddr_o, output logic [7:0] m_axi_arlen_o,
  output logic [2:0] m_axi_arsize_o, output logic [1:0] m_axi_arburst_o, output logic [3:0] m_axi_arcache_o, output logic [2:0] m_axi_arprot_o,
  input  logic m_axi_rvalid_i, output logic m_axi_rready_o, input logic [15:0] m_axi_rdata_i, input logic [1:0] m_axi_rresp_i,
  input  logic m_axi_rlast_i,
  output logic m_axi_awvalid_o, input logic m_axi_awready_i, output logic [15:0] m_axi_awaddr_o, output logic [7:0] m_axi_awlen_o,
  output logic [2:0] m_axi_awsize_o, output logic [1:0] m_axi_awburst_o, output logic [3:0] m_axi_awcache_o, output logic [2:0] m_axi_awprot_o,
  output logic m_axi_wvalid_o, input logic m_axi_wready_i, output logic [15:0] m_axi_wdata_o, output logic [1:0] m_axi_wstrb_o,
  output logic m_axi_wlast_o, input logic m_axi_bvalid_i, output logic m_axi_bready_o, input logic [1:0] m_axi_bresp_i
);
  integer runs = 0, resets = 0, writes = 0, answers = 0, left, i, address_cycle, now = 0;
  logic running = 1'b0, done = 1'b0, failed = 1'b0, reset = 1'b0;
  logic [15:0] jobs [0:2], words [0:3];
  logic [31:0] status;
  assign s_axil_awready_o = 1'b1;
  assign s_axil_wready_o = 1'b1;
  assign s_axil_bresp_o = 2'b00;
  assign s_axil_rresp_o = 2'b00;
  assign s_axil_arready_o = !s_axil_rvalid_o;
  assign m_axi_rready_o = 1'b1;
  assign m_axi_bready_o = 1'b1;
  assign status = {16'hffff, 12'h000, failed ? 2'd2 : 2'd0, done, running || reset};
  // What is written shows in STATUS two cycles later, behind the registers of bs_registers.
  logic run_q = 1'b0, clear_q = 1'b0;
  initial begin
    {s_axil_bvalid_o, s_axil_rvalid_o, interrupt_o, layer_done_o, m_axi_arvalid_o, m_axi_awvalid_o, m_axi_wvalid_o} = 7'd0;
    m_axi_wlast_o = 1'b0;
    m_axi_wstrb_o = 2'b11;
  end
  always @(posedge clk_i) begin
    now <= now + 1;
    if (m_axi_bvalid_i) answers <= answers + 1;
    run_q <= s_axil_awvalid_i && s_axil_wvalid_i && s_axil_awaddr_i == 8'd0 && s_axil_wdata_i == 32'd1;
    clear_q <= s_axil_awvalid_i && s_axil_wvalid_i && s_axil_awaddr_i == 8'd0 && s_axil_wdata_i == 32'd2;
    s_axil_bvalid_o <= s_axil_awvalid_i;
    s_axil_rvalid_o <= s_axil_arvalid_i && !s_axil_rvalid_o;
    if (s_axil_arvalid_i && !s_axil_rvalid_o) s_axil_rdata_o <= s_axil_araddr_i == 8'd4 ? status : 32'd0;
    if (run_q) begin
      runs <= runs + 1;
      running <= 1'b1;
      done <= 1'b0;
    end
    if (clear_q) begin
      resets <= resets + 1;
      reset <= 1'b1;
    end
  end

  task read(input logic [15:0] address, input integer beats);
    begin
      m_axi_arvalid_o <= 1'b1;
      m_axi_araddr_o <= address;
      m_axi_arlen_o <= beats - 1;
      @(posedge clk_i);
      while (!m_axi_arready_i) @(posedge clk_i);
      address_cycle = now;
      m_axi_arvalid_o <= 1'b0;
      for (i = 0; i < beats; i = i + 1) begin
        @(posedge clk_i);
        while (!m_axi_rvalid_i) @(posedge clk_i);
        if (now != address_cycle + 2 + i) $display("FAIL: word %0d of a burst comes %0d cycles behind its address", i, now - address_cycle);
        if (m_axi_rlast_i !== (i == beats - 1)) $display("FAIL: RLAST at word %0d", i);
        if (m_axi_rresp_i[1]) failed = 1'b1;
        words[i] = m_axi_rdata_i;
      end
    end
  endtask
  task write(input logic [15:0] address, input integer pause);
    begin
      m_axi_awvalid_o <= 1'b1;
      m_axi_awaddr_o <= address;
      m_axi_awlen_o <= 8'd3;
      writes = writes + 1;
      @(posedge clk_i);
      while (!m_axi_awready_i) @(posedge clk_i);
      m_axi_awvalid_o <= 1'b0;
      for (i = 0; i < 4; i = i + 1) begin
        repeat (pause) @(posedge clk_i);
        m_axi_wvalid_o <= 1'b1;
        m_axi_wdata_o <= ~words[i];
        m_axi_wlast_o <= i == 3;
        @(posedge clk_i);
        while (!m_axi_wready_i) @(posedge clk_i);
        m_axi_wvalid_o <= 1'b0;
      end
      @(posedge clk_i);
      if (!m_axi_bvalid_i) $display("FAIL: a write is not answered in the cycle behind its last word");
      if (m_axi_bresp_i[1]) failed = 1'b1;
    end
  endtask
  initial forever begin
    @(posedge clk_i);
    if (running && !done) begin
      read(16'd0, 3);
      for (i = 0; i < 3; i = i + 1) jobs[i] = words[i];
      read(jobs[0], 4);
      write(jobs[1], jobs[2] == 16'd0 ? 0 : 700);
      for (left = jobs[2]; left > 0 && !reset; left = left - 1) @(posedge clk_i);
      running <= 1'b0;
      done <= !failed && !reset;
      @(posedge clk_i);
    end
    if (reset) begin
      repeat (3) @(posedge clk_i);
      failed <= 1'b0;
      done <= 1'b0;
      reset = 1'b0;
    end
  end
endmodule

module serial_tb;
  localparam DIVIDER = `DIVIDER, WORDS = 48;
  logic clk = 1'b0, rst_n = 1'b0, rx = 1'b1;
  logic tx, start;
  always #5 clk = ~clk;
  bs_serial_top #(.MEMORY_WORDS(WORDS), .DIVIDER(DIVIDER)) dut (
    .clk_i(clk), .rst_ni(rst_n), .rx_i(rx), .tx_o(tx), .start_o(start), .layer_done_o());

  integer starts = 0, failures = 0, compared = 0;
  always @(posedge clk) if (start) starts = starts + 1;

  logic [7:0] answers [0:1023];
  integer answered = 0, taken = 0, g;
  logic [7:0] coming;
  initial forever begin
    @(negedge tx);
    repeat (DIVIDER / 2) @(posedge clk);
    for (g = 0; g < 8; g = g + 1) begin
      repeat (DIVIDER) @(posedge clk);
      coming[g] = tx;
    end
    repeat (DIVIDER) @(posedge clk);
    if (tx !== 1'b1) begin
      $display("FAIL: a character has no stop bit");
      failures = failures + 1;
    end
    answers[answered % 1024] = coming;
    answered = answered + 1;
  end

  // `late`: parts of a thousand by which the host's clock is slower.
  integer late = 0;
  task put(input [7:0] value);
    integer i;
    begin
      rx = 1'b0;
      #(10 * DIVIDER + DIVIDER * late / 100);
      for (i = 0; i < 8; i = i + 1) begin
        rx = value[i];
        #(10 * DIVIDER + DIVIDER * late / 100);
      end
      rx = 1'b1;
      #(10 * DIVIDER + DIVIDER * late / 100);
    end
  endtask
  task hold_low(input integer bits);
    begin
      rx = 1'b0;
      repeat (bits * DIVIDER) @(posedge clk);
      rx = 1'b1;
      repeat (2 * DIVIDER) @(posedge clk);
    end
  endtask
  task expect_byte(input [7:0] value, input [8*40-1:0] what);
    integer patience;
    begin
      patience = 100 * DIVIDER + 20000;
      while (answered == taken && patience > 0) begin
        @(posedge clk);
        patience = patience - 1;
      end
      compared = compared + 1;
      if (answered == taken) begin
        $display("FAIL: %0s: no answer", what);
        failures = failures + 1;
      end else begin
        if (answers[taken % 1024] !== value) begin
          $display("FAIL: %0s: %h, not %h", what, answers[taken % 1024], value);
          failures = failures + 1;
        end
        taken = taken + 1;
      end
    end
  endtask
  task expect_nothing(input [8*40-1:0] what);
    begin
      repeat (25 * DIVIDER) @(posedge clk);
      compared = compared + 1;
      if (answered != taken) begin
        $display("FAIL: %0s: an answer that nobody asked for", what);
        failures = failures + 1;
        taken = answered;
      end
    end
  endtask

  logic [15:0] model [0:WORDS-1];
  task go_to(input integer place);
    begin
      put("A");
      put(place >> 8);
      put(place);
    end
  endtask
  task write_words(input integer first, input integer count);
    integer i;
    begin
      go_to(first);
      put("W");
      put(count - 1);
      for (i = 0; i < count; i = i + 1) begin
        put(model[first + i] >> 8);
        put(model[first + i]);
      end
    end
  endtask
  task expect_words(input integer first, input integer count);
    integer i;
    begin
      go_to(first);
      put("R");
      put(count - 1);
      for (i = 0; i < count; i = i + 1) begin
        expect_byte(model[first + i] >> 8, "a word's high byte");
        expect_byte(model[first + i], "a word's low byte");
      end
    end
  endtask
  task job(input [15:0] from, input [15:0] to, input [15:0] cycles);
    begin
      model[0] = from;
      model[1] = to;
      model[2] = cycles;
      write_words(0, 3);
    end
  endtask

  integer i;
  initial begin
    #33 rst_n = 1'b1;
    repeat (4 * DIVIDER) @(posedge clk);
    put("S");
    expect_byte(8'h00, "status behind a reset");
    for (i = 0; i < WORDS; i = i + 1) model[i] = i * 16'h0f31 + 16'ha5;
    write_words(0, WORDS);
    expect_words(0, WORDS);
    expect_words(17, 1);
    // A clock that is two parts of a hundred off, either way.
    late = 20;
    expect_words(3, 2);
    late = -20;
    expect_words(5, 2);
    late = 0;
    // What is no command is ignored; so is a spike on the line.
    put("w");
    put(8'h00);
    put(8'hff);
    expect_nothing("no command");
    put("A");
    put(8'h00);
    rx = 1'b0;
    #10 rx = 1'b1;
    repeat (12 * DIVIDER) @(posedge clk);
    put(8'h07);
    put("R");
    put(8'h00);
    expect_byte(model[7] >> 8, "a word behind a spike");
    expect_byte(model[7], "a word behind a spike");
    expect_words(0, 2);
    // Behind the end nothing is written, nor at the place whose address has the same low bits.
    go_to(WORDS - 1);
    put("W");
    put(8'd1);
    put(8'h12);
    put(8'h34);
    put(8'h56);
    put(8'h78);
    model[WORDS-1] = 16'h1234;
    go_to(16'h1000 + 5);
    put("W");
    put(8'd0);
    put(8'h77);
    put(8'h77);
    expect_words(0, WORDS);

    job(16'd40, 16'd60, 16'd0);
    put("G");
    expect_byte(8'h02, "a run");
    for (i = 0; i < 4; i = i + 1) model[30 + i] = ~model[20 + i];
    expect_words(0, WORDS);
    put("S");
    expect_byte(8'h02, "status behind a run");
    // The answer comes at the run's end, not before, though the run before it ended well.
    job(16'd40, 16'd70, 16'd20000);
    put("G");
    expect_nothing("a run that goes on");
    for (i = 0; i < 4; i = i + 1) model[35 + i] = ~model[20 + i];
    // A break ends the wait, not the run.
    hold_low(13);
    expect_byte(8'h01, "status while it runs");
    put("S");
    expect_byte(8'h01, "status while it runs");
    // Memory is written in a gap of the accelerator's bursts: the write of this run takes thousands of cycles.
    model[12] = 16'h4711;
    write_words(12, 1);
    repeat (4000) @(posedge clk);  // what comes before the gap would be lost
    expect_words(20, 4);
    put("X");
    expect_byte(8'h00, "a reset");
    expect_words(0, WORDS);
    // A memory error in each direction; the burst's first words lie inside.
    job(16'd2 * (WORDS - 2), 16'd60, 16'd0);
    put("G");
    expect_byte(8'h08, "a read behind the end");
    put("X");
    expect_byte(8'h00, "a reset");
    job(16'd40, 16'd2 * (WORDS - 2), 16'd0);
    put("G");
    expect_byte(8'h08, "a write behind the end");
    model[WORDS-2] = ~model[20];
    model[WORDS-1] = ~model[21];
    put("X");
    expect_byte(8'h00, "a reset");
    job(16'd40, 16'd2 * (64 + 8), 16'd0);  // no place of these low bits either
    put("G");
    expect_byte(8'h08, "a write behind the end");
    put("X");
    expect_byte(8'h00, "a reset");
    expect_words(3, 27);
    expect_words(34, WORDS - 34);
    // A break inside every command that waits for bytes.
    put("A");
    put(8'h00);
    hold_low(13);
    put("S");
    expect_byte(8'h00, "a break in an address");
    put("W");
    hold_low(30);
    put("S");
    expect_byte(8'h00, "a break in a count");
    expect_words(20, 1);
    go_to(21);
    put("W");
    put(8'd5);
    put("S");
    hold_low(13);
    put("S");
    expect_byte(8'h00, "a break in a word");
    expect_words(20, 3);

    if (starts != 5 || dut.u_top.runs != 5 || dut.u_top.resets != 4 || dut.u_top.answers != dut.u_top.writes) begin
      $display("FAIL: %0d starts shown, %0d runs, %0d resets; %0d answers of %0d writes", starts, dut.u_top.runs,
               dut.u_top.resets, dut.u_top.answers, dut.u_top.writes);
      failures = failures + 1;
    end
    if (failures == 0) $display("PASS: %0d answers compared", compared);
    else $display("FAIL: %0d", failures);
    $finish;
  end
endmodule
