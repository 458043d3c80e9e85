// SPDX-License-Identifier: Apache-2.0
// Self-checking testbench of bitstrata_top: a driver on the AXI4-Lite registers and a memory on the AXI4 port. It runs
// the network on every image, BATCH images a run, and compares all layers' output tensors with golden vectors, and each
// layer's cycles with the prediction. Run it from the design's folder by sim/run_icarus.sh or sim/run_verilator.sh. Ends
// with one line, PASS: or FAIL:, and for FAIL with a status that is not 0.
//
// Plus arguments: +read_latency=N +write_latency=N +beat_interval=N (cycles; as in the architecture unless given) and
// +stall_percent=N (probability that a channel of the memory pauses, each cycle), +ready_after_valid=1 (READY comes only
// behind VALID) and +address_after_data=1 (AWREADY comes only behind WVALID of the burst). Values hold whatever these
// are; cycles are compared only where the memory behaves as the architecture says. +base=HEX puts the memory there (a
// multiple of 1000; register BASE), which changes no cycle. The accelerator is held to the AXI4
// protocol: what VALID shows stays until READY.
/* verilator lint_off WIDTH */     // counts and indices are plain integers
/* verilator lint_off BLKSEQ */    // the memory is a model, not a circuit
/* verilator lint_off UNUSEDSIGNAL */
module tb_bitstrata;
  localparam DATA_WIDTH    = @DATA_WIDTH@;
  localparam ADDRESS_WIDTH = @ADDRESS_WIDTH@;
  localparam LAYERS        = @LAYERS@;
  localparam RUNS          = @RUNS@;
  localparam BATCH         = @BATCH@;   // images a run; their tensors follow each other, as one with BATCH times the rows
  localparam MEMORY_BEATS  = @MEMORY_BEATS@;   // beats: words of DATA_WIDTH bits
  localparam INPUT_BEAT    = @INPUT_BEAT@;     // where the input tensor lies in memory
  localparam INPUT_BEATS   = @INPUT_BEATS@;
  localparam OUTPUT_BEATS  = @OUTPUT_BEATS@;   // all layers' outputs of one run
  localparam COMPARE_CYCLES = @COMPARE_CYCLES@;  // 0: sim/tensors.hex holds no prediction
  localparam [31:0] LIST_ADDRESS = 32'h@LIST_ADDRESS@;
  `include "bs_registers.svh"
  localparam [31:0] SHAPE    = 32'h@SHAPE@;
  localparam [31:0] STYLE    = 32'h@STYLE@;
  localparam [31:0] WATCHDOG = 32'd@WATCHDOG@;  // cycles without progress
  localparam [63:0] TIMEOUT  = 64'd@TIMEOUT@;   // cycles for one run

  localparam BEAT_BYTES = DATA_WIDTH / 8;
  localparam BEAT_SHIFT = $clog2(BEAT_BYTES);

  logic [DATA_WIDTH-1:0] memory   [0:MEMORY_BEATS-1];
  logic [DATA_WIDTH-1:0] images   [0:RUNS*INPUT_BEATS-1];
  logic [DATA_WIDTH-1:0] expected [0:RUNS*OUTPUT_BEATS-1];
  // Eight words a descriptor: first beat, lines a row, planes a line, rows (0: its layer goes on in the next one), bits a
  // row, first beat in `expected`, cycles, 0.
  logic [31:0] tensors [0:LAYERS*8-1];

  logic clk = 1'b0;
  logic rst_n = 1'b0;
  always #5 clk = ~clk;

  // ------------------------------------------------------------------ device
  logic awvalid = 1'b0, wvalid = 1'b0, arvalid = 1'b0;
  logic [7:0] awaddr = 8'd0, araddr = 8'd0;
  logic [31:0] wdata = 32'd0, rdata;
  logic awready, wready, arready, bvalid, rvalid, interrupt, layer_done;
  logic [1:0] bresp, rresp;
  logic m_arvalid, m_rready, m_awvalid, m_wvalid, m_wlast, m_bready;
  logic m_arready = 1'b0, m_rvalid = 1'b0, m_rlast = 1'b0, m_awready = 1'b0, m_wready = 1'b0, m_bvalid = 1'b0;
  logic [ADDRESS_WIDTH-1:0] m_araddr, m_awaddr;
  logic [7:0] m_arlen, m_awlen;
  logic [2:0] m_arsize, m_awsize, m_arprot, m_awprot;
  logic [3:0] m_arcache, m_awcache;
  logic [1:0] m_arburst, m_awburst, m_rresp = 2'b00, m_bresp = 2'b00;
  logic [DATA_WIDTH-1:0] m_rdata = {DATA_WIDTH{1'b0}}, m_wdata;
  logic [DATA_WIDTH/8-1:0] m_wstrb;
  bitstrata_top dut (
    .clk_i(clk), .rst_ni(rst_n),
    .s_axil_awvalid_i(awvalid), .s_axil_awready_o(awready), .s_axil_awaddr_i(awaddr),
    .s_axil_awprot_i(3'b000), .s_axil_wvalid_i(wvalid), .s_axil_wready_o(wready), .s_axil_wdata_i(wdata),
    .s_axil_wstrb_i(4'b1111),
    .s_axil_bvalid_o(bvalid), .s_axil_bready_i(1'b1), .s_axil_bresp_o(bresp),
    .s_axil_arvalid_i(arvalid), .s_axil_arready_o(arready), .s_axil_araddr_i(araddr), .s_axil_arprot_i(3'b000),
    .s_axil_rvalid_o(rvalid), .s_axil_rready_i(1'b1), .s_axil_rdata_o(rdata), .s_axil_rresp_o(rresp),
    .interrupt_o(interrupt), .layer_done_o(layer_done),
    .m_axi_arvalid_o(m_arvalid), .m_axi_arready_i(m_arready), .m_axi_araddr_o(m_araddr),
    .m_axi_arlen_o(m_arlen), .m_axi_arsize_o(m_arsize), .m_axi_arburst_o(m_arburst), .m_axi_arcache_o(m_arcache), .m_axi_arprot_o(m_arprot),
    .m_axi_rvalid_i(m_rvalid), .m_axi_rready_o(m_rready), .m_axi_rdata_i(m_rdata), .m_axi_rresp_i(m_rresp),
    .m_axi_rlast_i(m_rlast),
    .m_axi_awvalid_o(m_awvalid), .m_axi_awready_i(m_awready), .m_axi_awaddr_o(m_awaddr),
    .m_axi_awlen_o(m_awlen), .m_axi_awsize_o(m_awsize), .m_axi_awburst_o(m_awburst), .m_axi_awcache_o(m_awcache), .m_axi_awprot_o(m_awprot),
    .m_axi_wvalid_o(m_wvalid), .m_axi_wready_i(m_wready), .m_axi_wdata_o(m_wdata), .m_axi_wstrb_o(m_wstrb),
    .m_axi_wlast_o(m_wlast), .m_axi_bvalid_i(m_bvalid), .m_axi_bready_o(m_bready), .m_axi_bresp_i(m_bresp));

  // ------------------------------------------------------------------ memory
  // A read address accepted in cycle t gives its first beat no earlier than t + read_latency and no earlier than
  // beat_interval after the previous beat; bursts are served in order. A write beat is accepted beat_interval cycles
  // after the previous one; the response comes write_latency after the last.
  localparam QUEUE = 32;  // bursts in flight; the device has at most 16 a direction
  integer read_latency = @READ_LATENCY@;
  integer write_latency = @WRITE_LATENCY@;
  integer beat_interval = @BEAT_INTERVAL@;
  integer stall_percent = 0;
  integer ready_after_valid = 0, address_after_data = 0;
  logic [63:0] base = 64'd0;  // of the memory; the queues' addresses are counted from there
  logic [63:0] read_address [0:QUEUE-1], write_address [0:QUEUE-1];
  integer read_left [0:QUEUE-1], write_left [0:QUEUE-1];
  logic [63:0] read_ready [0:QUEUE-1], answer_ready [0:QUEUE-1];
  logic [1:0] write_answer [0:QUEUE-1], answer [0:QUEUE-1];
  integer read_head = 0, reads = 0, write_head = 0, writes = 0, answer_head = 0, answers = 0, slot = 0;
  logic [63:0] now = 64'd0, next_read = 64'd0, next_write = 64'd0;
  integer violations = 0;  // of the AXI4 protocol

  function automatic logic go(input integer percent);
    go = percent == 0 || ($urandom % 100) >= percent;
  endfunction
  // A burst must be of full beats, aligned, inside one 4 KiB page.
  function automatic logic legal(input [63:0] address, input [7:0] length, input [2:0] size, input [1:0] burst);
    legal = {29'd0, size} == BEAT_SHIFT && burst == 2'b01 && address % BEAT_BYTES == 0
            && {20'd0, address[11:0]} + ({24'd0, length} + 1) * BEAT_BYTES <= 4096;
  endfunction

  // What waits for READY may not change.
  logic ar_waits = 1'b0, aw_waits = 1'b0, w_waits = 1'b0;
  logic [ADDRESS_WIDTH+7:0] ar_shown, aw_shown;
  logic [DATA_WIDTH+BEAT_BYTES:0] w_shown;
  task changed(input [8*2-1:0] channel);
    begin
      violations = violations + 1;
      if (violations < 10) $display("cycle %0d: channel %0s changes before READY", now, channel);
    end
  endtask
  always @(posedge clk) begin
    if (ar_waits && (m_arvalid !== 1'b1 || {m_arlen, m_araddr} !== ar_shown)) changed("AR");
    if (aw_waits && (m_awvalid !== 1'b1 || {m_awlen, m_awaddr} !== aw_shown)) changed("AW");
    if (w_waits && (m_wvalid !== 1'b1 || {m_wlast, m_wstrb, m_wdata} !== w_shown)) changed("W");
    ar_waits <= rst_n && m_arvalid && !m_arready;
    aw_waits <= rst_n && m_awvalid && !m_awready;
    w_waits <= rst_n && m_wvalid && !m_wready;
    ar_shown <= {m_arlen, m_araddr};
    aw_shown <= {m_awlen, m_awaddr};
    w_shown <= {m_wlast, m_wstrb, m_wdata};
  end

  // State first, as of the cycle that ends; then the signals of the next one.
  always @(posedge clk) begin
    if (m_rvalid && m_rready) begin
      read_address[read_head] = read_address[read_head] + BEAT_BYTES;
      read_left[read_head] = read_left[read_head] - 1;
      next_read = now + beat_interval;
      if (m_rlast) begin
        read_head = (read_head + 1) % QUEUE;
        reads = reads - 1;
      end
    end
    if (m_arvalid && m_arready) begin
      slot = (read_head + reads) % QUEUE;
      read_address[slot] = m_araddr - base;
      read_left[slot] = m_arlen + 1;
      read_ready[slot] = now + read_latency;
      reads = reads + 1;
      if (!legal(m_araddr, m_arlen, m_arsize, m_arburst)) violations = violations + 1;
    end
    if (m_wvalid && m_wready) begin
      if (writes == 0 || m_wlast !== (write_left[write_head] == 1) || m_wstrb !== {BEAT_BYTES{1'b1}}) begin
        violations = violations + 1;
      end
      if (writes != 0) begin
        if (write_address[write_head] >> BEAT_SHIFT < MEMORY_BEATS) begin
          memory[write_address[write_head] >> BEAT_SHIFT] = m_wdata;
        end else begin
          write_answer[write_head] = 2'b11;
        end
        write_address[write_head] = write_address[write_head] + BEAT_BYTES;
        write_left[write_head] = write_left[write_head] - 1;
        next_write = now + beat_interval;
        if (write_left[write_head] == 0) begin
          slot = (answer_head + answers) % QUEUE;
          answer[slot] = write_answer[write_head];
          answer_ready[slot] = now + write_latency;
          answers = answers + 1;
          write_head = (write_head + 1) % QUEUE;
          writes = writes - 1;
        end
      end
    end
    if (m_bvalid && m_bready) begin
      answer_head = (answer_head + 1) % QUEUE;
      answers = answers - 1;
    end
    if (m_awvalid && m_awready) begin
      slot = (write_head + writes) % QUEUE;
      write_address[slot] = m_awaddr - base;
      write_left[slot] = m_awlen + 1;
      write_answer[slot] = 2'b00;
      writes = writes + 1;
      if (!legal(m_awaddr, m_awlen, m_awsize, m_awburst)) violations = violations + 1;
    end
    now = now + 64'd1;

    m_arready <= rst_n && reads < QUEUE && go(stall_percent)
                 && (ready_after_valid == 0 || (m_arvalid && !m_arready));
    m_awready <= rst_n && writes < QUEUE && go(stall_percent)
                 && (ready_after_valid == 0 || (m_awvalid && !m_awready))
                 && (address_after_data == 0 || (writes == 0 && m_wvalid && !m_wready));
    m_wready <= rst_n && writes != 0 && now >= next_write && go(stall_percent)
                && (ready_after_valid == 0 || (m_wvalid && !m_wready));
    // A beat once shown stays until it is taken.
    if (!(m_rvalid && !m_rready)) begin
      m_rvalid <= 1'b0;
      m_rlast <= 1'b0;
      if (reads != 0 && now >= read_ready[read_head] && now >= next_read && go(stall_percent)) begin
        m_rvalid <= 1'b1;
        m_rlast <= read_left[read_head] == 1;
        if (read_address[read_head] >> BEAT_SHIFT < MEMORY_BEATS) begin
          m_rdata <= memory[read_address[read_head] >> BEAT_SHIFT];
          m_rresp <= 2'b00;
        end else begin
          m_rresp <= 2'b11;
        end
      end
    end
    if (!(m_bvalid && !m_bready)) begin
      m_bvalid <= 1'b0;
      if (answers != 0 && now >= answer_ready[answer_head] && go(stall_percent)) begin
        m_bvalid <= 1'b1;
        m_bresp <= answer[answer_head];
      end
    end
  end

  // ------------------------------------------------------------------ cycles of each layer
  // From the fetch of its descriptor, two cycles after the register write that starts the run, to its barrier.
  logic [63:0] count = 64'd0, last_barrier = 64'd0;
  logic [63:0] layer_cycles [0:LAYERS-1];
  integer layers_done = 0;
  always @(posedge clk) begin
    count <= count + 64'd1;
    if (awvalid && awready && awaddr == {R_CONTROL, 2'b00} && wdata[0]) begin
      last_barrier <= count + 64'd1;
      layers_done <= 0;
    end else if (layer_done) begin
      if (layers_done < LAYERS) layer_cycles[layers_done] <= count - last_barrier;
      last_barrier <= count;
      layers_done <= layers_done + 1;
    end
  end

  // ------------------------------------------------------------------ driver
  integer failures = 0;
  integer bytes_compared = 0;
  integer cycles_compared = 0;
  logic [63:0] total_cycles = 64'd0, waited;
  logic [31:0] value;

  // Signals change at the falling edge, far from the edge that samples them.
  task write_register(input [7:0] address, input [31:0] data);
    logic taken;
    begin
      @(negedge clk);
      awaddr = address;
      wdata = data;
      awvalid = 1'b1;
      wvalid = 1'b1;
      taken = 1'b0;
      while (!taken) begin
        @(posedge clk);
        taken = awready && wready;
      end
      @(negedge clk);
      awvalid = 1'b0;
      wvalid = 1'b0;
      while (!bvalid) @(negedge clk);
      if (bresp !== 2'b00) fail("a register write was answered with an error");
    end
  endtask

  task read_register(input [7:0] address, output [31:0] data);
    logic taken;
    begin
      @(negedge clk);
      araddr = address;
      arvalid = 1'b1;
      taken = 1'b0;
      while (!taken) begin
        @(posedge clk);
        taken = arready;
      end
      @(negedge clk);
      arvalid = 1'b0;
      while (!rvalid) @(negedge clk);
      data = rdata;
      if (rresp !== 2'b00) fail("a register read was answered with an error");
    end
  endtask

  task fail(input [8*72-1:0] reason);
    begin
      $display("FAIL: %0s", reason);
      $fatal(1);
    end
  endtask

  // Shows the first differences and counts the others.
  task mismatch(input integer run, input integer layer, input integer row, input integer line, input integer plane,
                input [DATA_WIDTH-1:0] want, input [DATA_WIDTH-1:0] got);
    begin
      if (failures < 10) begin
        $display("run %0d layer %0d row %0d line %0d plane %0d: expected %h, memory holds %h", run, layer, row,
                 line, plane, want, got);
      end
      failures = failures + 1;
    end
  endtask

  // Lines are compared up to the row's last bit; what follows it in the last line has no meaning.
  task compare_layer(input integer run, input integer layer);
    integer row, line, plane, at, from, bits;
    logic [DATA_WIDTH-1:0] mask;
    begin
      at = tensors[layer*8];
      from = run * OUTPUT_BEATS + tensors[layer*8 + 5];
      for (row = 0; row < tensors[layer*8 + 3]; row = row + 1) begin
        for (line = 0; line < tensors[layer*8 + 1]; line = line + 1) begin
          bits = tensors[layer*8 + 4] - line * DATA_WIDTH;
          if (bits > DATA_WIDTH) bits = DATA_WIDTH;
          mask = {DATA_WIDTH{1'b1}} >> (DATA_WIDTH - bits);
          for (plane = 0; plane < tensors[layer*8 + 2]; plane = plane + 1) begin
            if ((memory[at] & mask) !== (expected[from] & mask)) begin
              mismatch(run, layer, row, line, plane, expected[from] & mask, memory[at] & mask);
            end
            bytes_compared = bytes_compared + (bits + 7) / 8;
            at = at + 1;
            from = from + 1;
          end
        end
      end
    end
  endtask

  // The input goes to its place; the outputs' places take the inverse of what must come, so that nothing passes
  // unwritten.
  task prepare(input integer run);
    integer layer, i, beats;
    begin
      for (i = 0; i < INPUT_BEATS; i = i + 1) memory[INPUT_BEAT + i] = images[run*INPUT_BEATS + i];
      for (layer = 0; layer < LAYERS; layer = layer + 1) begin
        beats = tensors[layer*8 + 1] * tensors[layer*8 + 2] * tensors[layer*8 + 3];
        for (i = 0; i < beats; i = i + 1) begin
          memory[tensors[layer*8] + i] = ~expected[run*OUTPUT_BEATS + tensors[layer*8 + 5] + i];
        end
      end
    end
  endtask

  logic compare_cycles;
  integer run, layer;
  initial begin
    compare_cycles = COMPARE_CYCLES != 0;
    if ($value$plusargs("read_latency=%d", read_latency)) compare_cycles = 1'b0;
    if ($value$plusargs("write_latency=%d", write_latency)) compare_cycles = 1'b0;
    if ($value$plusargs("beat_interval=%d", beat_interval)) compare_cycles = 1'b0;
    if ($value$plusargs("stall_percent=%d", stall_percent)) compare_cycles = 1'b0;
    if ($value$plusargs("ready_after_valid=%d", ready_after_valid)) compare_cycles = 1'b0;
    if ($value$plusargs("address_after_data=%d", address_after_data)) compare_cycles = 1'b0;
    if ($value$plusargs("base=%h", base) && base[63:ADDRESS_WIDTH-1] >> 1 != 0) fail("the base is beyond the addresses");
    $readmemh("sim/memory.hex", memory);
    $readmemh("sim/images.hex", images);
    $readmemh("sim/expected.hex", expected);
    $readmemh("sim/tensors.hex", tensors);
    repeat (3) @(negedge clk);
    rst_n = 1'b1;
    repeat (2) @(negedge clk);

    read_register({R_VERSION, 2'b00}, value);
    if (value !== VERSION) fail("the VERSION register is not the one this testbench was made for");
    read_register({R_SHAPE, 2'b00}, value);
    if (value !== SHAPE) fail("the SHAPE register is not the one this testbench was made for");
    read_register({R_STYLE, 2'b00}, value);
    if (value !== STYLE) fail("the STYLE register is not the one this testbench was made for");
    write_register({R_WATCHDOG, 2'b00}, WATCHDOG);
    write_register({R_LIST, 2'b00}, LIST_ADDRESS);
    write_register({R_BASE, 2'b00}, base[31:0]);
    write_register({R_BASE_HIGH, 2'b00}, base[63:32]);

    for (run = 0; run < RUNS; run = run + 1) begin
      prepare(run);
      write_register({R_INTERRUPT, 2'b00}, 32'd3);  // enable, and clear what is pending
      write_register({R_CONTROL, 2'b00}, 32'd1);
      waited = 64'd0;
      while (!interrupt && waited < TIMEOUT) begin
        @(negedge clk);
        waited = waited + 64'd1;
      end
      if (!interrupt) fail("no interrupt: the accelerator hangs");
      read_register({R_STATUS, 2'b00}, value);
      if (value[3:2] == 2'd1) fail("STATUS: bad descriptor or address");
      if (value[3:2] == 2'd2) fail("STATUS: memory error response");
      if (value[3:2] == 2'd3) fail("STATUS: no progress (watchdog)");
      if (value[1:0] !== 2'b10) fail("STATUS: the interrupt came, but the run is not done");
      if (value[31:16] !== LAYERS || layers_done != LAYERS) fail("STATUS: not all layers were run");
      for (layer = 0; layer < LAYERS; layer = layer + 1) begin
        compare_layer(run, layer);
        total_cycles = total_cycles + layer_cycles[layer];
        if (compare_cycles) begin
          cycles_compared = cycles_compared + 1;
          if (layer_cycles[layer] !== {32'd0, tensors[layer*8 + 6]}) begin
            if (failures < 10) begin
              $display("run %0d layer %0d: %0d cycles, predicted %0d", run, layer, layer_cycles[layer],
                       tensors[layer*8 + 6]);
            end
            failures = failures + 1;
          end
        end
      end
    end

    if (violations != 0) begin
      $display("%0d violations of the AXI4 protocol", violations);
      failures = failures + violations;
    end
    if (failures != 0 || bytes_compared == 0) begin
      $display("FAIL: %0d mismatches in %0d bytes of %0d layers, %0d images", failures, bytes_compared, LAYERS,
               RUNS * BATCH);
      $fatal(1);
    end
    $display("PASS: %0d bytes of %0d layers compared, %0d cycles, %0d images; cycles of %0d layer runs as predicted",
             bytes_compared, LAYERS, total_cycles, RUNS * BATCH, cycles_compared);
    $finish;
  end
endmodule
