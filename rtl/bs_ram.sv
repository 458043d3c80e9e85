// SPDX-License-Identifier: Apache-2.0
// Memory with one write and one read port, both synchronous; the block-RAM idiom.
// No address is read in the cycle of its write: block RAMs differ in what that gives, and gates that would make them agree
// took more room than the rest of a small accelerator's buffers.
module bs_ram #(
  parameter WIDTH = 64,  // bits a word
  parameter DEPTH = 64   // words
) (
  input  logic                     clk_i,
  input  logic                     we_i,
  input  logic [$clog2(DEPTH)-1:0] waddr_i,
  input  logic [WIDTH-1:0]         wdata_i,
  input  logic                     re_i,
  input  logic [$clog2(DEPTH)-1:0] raddr_i,
  output logic [WIDTH-1:0]         rdata_o   // valid the cycle after re_i, held until the next read
);
  (* no_rw_check *) logic [WIDTH-1:0] mem_q [0:DEPTH-1];

  always_ff @(posedge clk_i) begin
    if (we_i) mem_q[waddr_i] <= wdata_i;
    if (re_i) rdata_o <= mem_q[raddr_i];
  end

`ifdef BS_CHECKS
  `include "bs_checks.svh"
  `BS_CHECK_ALWAYS(!(we_i && re_i && waddr_i == raddr_i))
`endif
endmodule
