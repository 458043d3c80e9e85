// SPDX-License-Identifier: Apache-2.0
// bs_ram with a write mask for every bit (output lines are filled a few channels at a time).
module bs_ram_masked #(
  parameter WIDTH = 64,  // bits a word
  parameter DEPTH = 32   // words
) (
  input  logic                     clk_i,
  input  logic                     we_i,
  input  logic [$clog2(DEPTH)-1:0] waddr_i,
  input  logic [WIDTH-1:0]         wdata_i,
  input  logic [WIDTH-1:0]         wmask_i,  // 1: this bit is written
  input  logic                     re_i,
  input  logic [$clog2(DEPTH)-1:0] raddr_i,
  output logic [WIDTH-1:0]         rdata_o   // valid the cycle after re_i, held until the next read
);
  logic [WIDTH-1:0] mem_q [0:DEPTH-1];

  always_ff @(posedge clk_i) begin
    if (we_i) mem_q[waddr_i] <= (mem_q[waddr_i] & ~wmask_i) | (wdata_i & wmask_i);
    if (re_i) rdata_o <= mem_q[raddr_i];
  end
endmodule
