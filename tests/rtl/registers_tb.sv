// SPDX-License-Identifier: Apache-2.0
// Random transfers on the register block: address and data of a write in either order and any distance, answers taken
// late, byte strobes, protection bits that mean nothing. What is read is compared with a model of the registers.
module registers_tb;
  logic clk = 1'b0, rst_n = 1'b0;
  always #5 clk = ~clk;

  logic awvalid = 1'b0, wvalid = 1'b0, bready = 1'b0, arvalid = 1'b0, rready = 1'b0;
  logic awready, wready, bvalid, arready, rvalid, run, clear, interrupt, done = 1'b0;
  logic [7:0] awaddr = 8'd0, araddr = 8'd0;
  logic [2:0] awprot = 3'd0, arprot = 3'd0;
  logic [31:0] wdata = 32'd0, rdata, list, watchdog, limit;
  logic [3:0] wstrb = 4'd0;
  logic [1:0] bresp, rresp;
  logic [4:0] select;
  logic [63:0] base;
  bs_registers #(.ADDRESS_WIDTH(40)) dut (
    .clk_i(clk), .rst_ni(rst_n),
    .s_axil_awvalid_i(awvalid), .s_axil_awready_o(awready), .s_axil_awaddr_i(awaddr), .s_axil_awprot_i(awprot),
    .s_axil_wvalid_i(wvalid), .s_axil_wready_o(wready), .s_axil_wdata_i(wdata), .s_axil_wstrb_i(wstrb),
    .s_axil_bvalid_o(bvalid), .s_axil_bready_i(bready), .s_axil_bresp_o(bresp),
    .s_axil_arvalid_i(arvalid), .s_axil_arready_o(arready), .s_axil_araddr_i(araddr), .s_axil_arprot_i(arprot),
    .s_axil_rvalid_o(rvalid), .s_axil_rready_i(rready), .s_axil_rdata_o(rdata), .s_axil_rresp_o(rresp),
    .run_o(run), .clear_o(clear), .list_address_o(list), .base_o(base), .watchdog_o(watchdog), .limit_o(limit), .event_select_o(select),
    .event_i(48'hABCD_1234_5678), .running_i(1'b0), .done_i(done), .error_i(2'd0), .layers_i(16'd7),
    .interrupt_o(interrupt));

  integer runs = 0, clears = 0, reads = 0, writes = 0, early = 0, late = 0, failures = 0;
  always @(posedge clk) begin
    if (run) runs = runs + 1;
    if (clear) clears = clears + 1;
  end

  task wait_cycles(input integer count);
    repeat (count) @(negedge clk);
  endtask
  task show_address(input [7:0] address);
    begin
      awaddr = address;
      awprot = $urandom;
      awvalid = 1'b1;
      @(posedge clk);
      while (!awready) @(posedge clk);
      @(negedge clk);
      awvalid = 1'b0;
      awaddr = $urandom;
    end
  endtask
  task show_data(input [31:0] data, input [3:0] strobes);
    begin
      wdata = data;
      wstrb = strobes;
      wvalid = 1'b1;
      @(posedge clk);
      while (!wready) @(posedge clk);
      @(negedge clk);
      wvalid = 1'b0;
      wdata = $urandom;
      wstrb = $urandom;
    end
  endtask
  task write(input [7:0] address, input [31:0] data, input [3:0] strobes);
    integer distance;
    begin
      distance = $urandom % 4;
      @(negedge clk);
      case ($urandom % 3)
        0: begin
          fork
            show_address(address);
            show_data(data, strobes);
          join
        end
        1: begin
          show_address(address);
          early = early + 1;
          wait_cycles(distance);
          if (bvalid) fail("a write is answered before its data are there");
          show_data(data, strobes);
        end
        default: begin
          show_data(data, strobes);
          late = late + 1;
          wait_cycles(distance);
          if (bvalid) fail("a write is answered before its address is there");
          show_address(address);
        end
      endcase
      wait_cycles($urandom % 4);
      if (!bvalid || bresp !== 2'b00) fail("a write is not answered, or its answer does not stay");
      bready = 1'b1;
      @(negedge clk);
      bready = 1'b0;
      if (bvalid) fail("a write is answered twice");
      writes = writes + 1;
    end
  endtask
  task read(input [7:0] address, input [31:0] want);
    begin
      @(negedge clk);
      araddr = address;
      arprot = $urandom;
      arvalid = 1'b1;
      @(posedge clk);
      while (!arready) @(posedge clk);
      @(negedge clk);
      arvalid = 1'b0;
      araddr = $urandom;
      wait_cycles($urandom % 4);
      if (!rvalid || rresp !== 2'b00) fail("a read is not answered, or its answer does not stay");
      if (rdata !== want) begin
        $display("register %h: %h, not %h", address, rdata, want);
        failures = failures + 1;
      end
      rready = 1'b1;
      @(negedge clk);
      rready = 1'b0;
      reads = reads + 1;
    end
  endtask
  task fail(input [8*64-1:0] reason);
    begin
      $display("%0s", reason);
      failures = failures + 1;
    end
  endtask

  logic [63:0] model_base = 64'd0;  // of 40 bits
  logic [31:0] model_list = 32'd0, model_watchdog = 32'd1000000, model_limit = 32'd0, data, mask;
  logic [4:0] model_select = 5'd0;
  logic model_enable = 1'b0;
  logic [3:0] strobes;
  integer i, model_runs = 0, model_clears = 0;
  initial begin
    wait_cycles(3);
    rst_n = 1'b1;
    wait_cycles(2);
    if (!awready || !wready || !arready) fail("READY waits for VALID");
    for (i = 0; i < 600; i = i + 1) begin
      data = $urandom;
      strobes = $urandom;
      mask = {{8{strobes[3]}}, {8{strobes[2]}}, {8{strobes[1]}}, {8{strobes[0]}}};
      case ($urandom % 9)
        0: begin
          write(8'h0C, data, strobes);
          model_list = (model_list & ~mask) | (data & mask);
        end
        1: begin
          write(8'h10, data, strobes);
          model_watchdog = (model_watchdog & ~mask) | (data & mask);
        end
        2: begin
          write(8'h1C, data, strobes);
          if (strobes[0]) model_select = data[4:0];
        end
        3: begin
          write(8'h08, data, strobes);
          if (strobes[0]) model_enable = data[0];
        end
        4: begin
          write(8'h00, data, strobes);
          if (strobes[0] && data[0]) model_runs = model_runs + 1;
          if (strobes[0] && data[1]) model_clears = model_clears + 1;
        end
        5: begin
          write(8'h38, data, strobes);
          model_base[31:0] = (model_base[31:0] & ~mask) | (data & mask);
        end
        6: begin
          write(8'h3C, data, strobes);
          model_base[39:32] = (model_base[39:32] & ~mask[7:0]) | (data[7:0] & mask[7:0]);
        end
        7: begin
          write(8'h34, data, strobes);
          model_limit = (model_limit & ~mask) | (data & mask);
        end
        default: write(8'h40 + {data[5:2], 2'b00}, data, strobes);  // nothing there
      endcase
      read(8'h0C, model_list);
      read(8'h10, model_watchdog);
      read(8'h1C, {27'd0, model_select});
      read(8'h08, {31'd0, model_enable});
      read(8'h34, model_limit);
      if (limit !== model_limit) fail("the limit is not what was written");
      read(8'h38, model_base[31:0]);
      read(8'h3C, model_base[63:32]);
      if (base !== model_base) fail("the base is not what was written");
      read(8'h04, 32'h0007_0000);
      read(8'h20, 32'h1234_5678);
      read(8'h24, 32'h0000_ABCD);
    end
    if (runs != model_runs || clears != model_clears) fail("CONTROL: other pulses than were written");
    if (failures != 0 || early == 0 || late == 0 || runs == 0 || clears == 0) begin
      $display("FAIL: %0d failures", failures);
      $fatal(1);
    end
    $display("PASS: %0d reads compared, %0d writes (address first %0d, data first %0d), %0d runs, %0d resets", reads,
             writes, early, late, runs, clears);
    $finish;
  end
endmodule
