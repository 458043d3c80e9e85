// SPDX-License-Identifier: Apache-2.0
// Self-checking testbench of @BOARD_TOP@: a host on the serial line, as rtl/bs_serial_top.sv describes its commands. It loads
// the memory image, runs the network on every image, BATCH images a run, reads all layers' output tensors back and compares
// them with golden vectors, and each layer's cycles with the prediction. Run it from the design's folder by
// sim/run_serial.sh. Ends with one line, PASS: or FAIL:, and for FAIL with a status that is not 0.
/* verilator lint_off WIDTH */   // counts and indices are plain integers
/* verilator lint_off BLKSEQ */  // a host, not a circuit
module tb_serial;
  localparam DATA_WIDTH     = @DATA_WIDTH@;
  localparam DIVIDER        = @DIVIDER@;   // clock cycles of a bit of the line
  localparam LAYERS         = @LAYERS@;
  localparam RUNS           = @RUNS@;
  localparam BATCH          = @BATCH@;
  localparam MEMORY_BEATS   = @MEMORY_BEATS@;   // beats: words of DATA_WIDTH bits
  localparam INPUT_BEAT     = @INPUT_BEAT@;     // where the input tensor lies in memory
  localparam INPUT_BEATS    = @INPUT_BEATS@;
  localparam OUTPUT_BEATS   = @OUTPUT_BEATS@;   // all layers' outputs of one run
  localparam COMPARE_CYCLES = @COMPARE_CYCLES@;  // 0: sim/tensors.hex holds no prediction
  localparam [63:0] TIMEOUT = 64'd@TIMEOUT@;   // cycles for one answer

  logic [DATA_WIDTH-1:0] memory   [0:MEMORY_BEATS-1];  // what the host sends
  logic [DATA_WIDTH-1:0] seen     [0:MEMORY_BEATS-1];  // what it reads back
  logic [DATA_WIDTH-1:0] images   [0:RUNS*INPUT_BEATS-1];
  logic [DATA_WIDTH-1:0] expected [0:RUNS*OUTPUT_BEATS-1];
  // Eight words a descriptor: first beat, lines a row, planes a line, rows (0: its layer goes on in the next one), bits a
  // row, first beat in `expected`, cycles, 0.
  logic [31:0] tensors [0:LAYERS*8-1];

  logic clk = 1'b0, rx = 1'b1;
  logic tx, start, layer_done;
  always #5 clk = ~clk;
  @BOARD_TOP@ dut (.clk_i(clk), .rx_i(rx), .tx_o(tx), .start_o(start), .layer_done_o(layer_done));

  task fail(input [8*72-1:0] reason);
    begin
      $display("FAIL: %0s", reason);
      $fatal(1);
    end
  endtask

  // ------------------------------------------------------------------ cycles of each layer
  // From the fetch of its descriptor, two cycles after the register write that starts the run, to its barrier.
  logic [63:0] count = 64'd0, last_barrier = 64'd0;
  logic [63:0] layer_cycles [0:LAYERS-1];
  integer layers_done = 0;
  always @(posedge clk) begin
    count <= count + 64'd1;
    if (start === 1'b1) begin
      last_barrier <= count + 64'd1;
      layers_done <= 0;
    end else if (layer_done === 1'b1) begin
      if (layers_done < LAYERS) layer_cycles[layers_done] <= count - last_barrier;
      last_barrier <= count;
      layers_done <= layers_done + 1;
    end
  end

  // ------------------------------------------------------------------ characters on the line
  logic [7:0] answers [0:1023];
  integer answered = 0, taken = 0;
  logic [7:0] coming;
  integer g;
  initial begin
    forever begin
      @(negedge tx);
      repeat (DIVIDER / 2) @(posedge clk);
      if (tx !== 1'b0) fail("a start bit is too short");
      for (g = 0; g < 8; g = g + 1) begin
        repeat (DIVIDER) @(posedge clk);
        coming[g] = tx;
      end
      repeat (DIVIDER) @(posedge clk);
      if (tx !== 1'b1) fail("a character has no stop bit");
      answers[answered % 1024] = coming;
      answered = answered + 1;
    end
  end

  // Signals change at the falling edge, far from the edge that samples them.
  task put(input [7:0] value);
    integer i;
    begin
      rx = 1'b0;
      repeat (DIVIDER) @(negedge clk);
      for (i = 0; i < 8; i = i + 1) begin
        rx = value[i];
        repeat (DIVIDER) @(negedge clk);
      end
      rx = 1'b1;
      repeat (DIVIDER) @(negedge clk);
    end
  endtask

  task get(output [7:0] value);
    logic [63:0] since;
    begin
      since = count;
      while (answered == taken) begin
        @(negedge clk);
        if (count - since > TIMEOUT) fail("no answer");
      end
      value = answers[taken % 1024];
      taken = taken + 1;
    end
  endtask

  // ------------------------------------------------------------------ commands
  task go_to(input integer beat);
    begin
      put("A");
      put(beat >> 8);
      put(beat);
    end
  endtask

  task write_beats(input integer first, input integer beats);
    integer i, b;
    begin
      go_to(first);
      for (i = 0; i < beats; i = i + 1) begin
        if (i % 256 == 0) begin
          put("W");
          put(beats - i > 256 ? 255 : beats - i - 1);
        end
        for (b = DATA_WIDTH / 8 - 1; b >= 0; b = b - 1) put(memory[first + i] >> 8 * b);
      end
    end
  endtask

  task read_beats(input integer first, input integer beats);
    integer i, b;
    logic [7:0] value;
    begin
      go_to(first);
      for (i = 0; i < beats; i = i + 1) begin
        if (i % 256 == 0) begin
          put("R");
          put(beats - i > 256 ? 255 : beats - i - 1);
        end
        for (b = 0; b < DATA_WIDTH / 8; b = b + 1) begin
          get(value);
          seen[first + i] = {seen[first + i], value};
        end
      end
    end
  endtask

  task expect_status(input [7:0] command, input [7:0] status, input [8*72-1:0] otherwise);
    logic [7:0] value;
    begin
      put(command);
      get(value);
      if (value !== status) begin
        $display("status %h where %h is right", value, status);
        fail(otherwise);
      end
    end
  endtask

  // ------------------------------------------------------------------ comparison
  integer failures = 0, bytes_compared = 0, cycles_compared = 0;
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

  function automatic integer beats_of(input integer layer);
    beats_of = tensors[layer*8 + 1] * tensors[layer*8 + 2] * tensors[layer*8 + 3];
  endfunction

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
            if ((seen[at] & mask) !== (expected[from] & mask)) begin
              mismatch(run, layer, row, line, plane, expected[from] & mask, seen[at] & mask);
            end
            bytes_compared = bytes_compared + (bits + 7) / 8;
            at = at + 1;
            from = from + 1;
          end
        end
      end
    end
  endtask

  integer run, layer, i, last;
  logic [63:0] total_cycles = 64'd0, line_cycles = 64'd0, begun;
  initial begin
    $readmemh("sim/memory.hex", memory);
    $readmemh("sim/images.hex", images);
    $readmemh("sim/expected.hex", expected);
    $readmemh("sim/tensors.hex", tensors);
    repeat (20) @(negedge clk);  // the reset behind the configuration
    expect_status("S", 8'h00, "the status behind a reset is not 0");
    put("W");
    put(8'd9);
    put("S");  // half a word
    rx = 1'b0;
    repeat (12 * DIVIDER) @(negedge clk);  // a break
    rx = 1'b1;
    repeat (2 * DIVIDER) @(negedge clk);
    expect_status("S", 8'h00, "a break does not end a command");

    write_beats(0, MEMORY_BEATS);
    // A list of another accelerator is refused, and a reset forgets it.
    memory[0] = ~memory[0];
    write_beats(0, 1);
    expect_status("G", 8'h04, "a damaged list does not end with error 1");
    expect_status("X", 8'h00, "a reset does not clear an error");
    memory[0] = ~memory[0];
    write_beats(0, 1);

    for (run = 0; run < RUNS; run = run + 1) begin
      // The outputs' places take the inverse of what must come, so that nothing passes unwritten.
      last = 0;
      for (layer = 0; layer < LAYERS; layer = layer + 1) begin
        for (i = 0; i < beats_of(layer); i = i + 1) begin
          memory[tensors[layer*8] + i] = ~expected[run*OUTPUT_BEATS + tensors[layer*8 + 5] + i];
        end
        if (beats_of(layer) != 0) begin
          write_beats(tensors[layer*8], beats_of(layer));
          last = layer;
        end
      end
      for (i = 0; i < INPUT_BEATS; i = i + 1) memory[INPUT_BEAT + i] = images[run*INPUT_BEATS + i];
      // What a host does for every image.
      begun = count;
      write_beats(INPUT_BEAT, INPUT_BEATS);
      expect_status("G", 8'h02, "STATUS: the run is not done (4 descriptor or address, 8 memory, c no progress)");
      read_beats(tensors[last*8], beats_of(last));
      line_cycles = line_cycles + count - begun;
      if (layers_done != LAYERS) fail("not all layers were run");
      for (layer = 0; layer < LAYERS; layer = layer + 1) begin
        if (layer != last && beats_of(layer) != 0) read_beats(tensors[layer*8], beats_of(layer));
        compare_layer(run, layer);
        total_cycles = total_cycles + layer_cycles[layer];
        if (COMPARE_CYCLES != 0) begin
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

    if (failures != 0 || bytes_compared == 0) begin
      $display("FAIL: %0d mismatches in %0d bytes of %0d layers, %0d images", failures, bytes_compared, LAYERS,
               RUNS * BATCH);
      $fatal(1);
    end
    $display("PASS: %0d bytes of %0d layers compared, %0d cycles, %0d images; cycles of %0d layer runs as predicted; %0d cycles with the serial line",
             bytes_compared, LAYERS, total_cycles, RUNS * BATCH, cycles_compared, line_cycles);
    $finish;
  end
endmodule
