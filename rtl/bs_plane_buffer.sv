// SPDX-License-Identifier: Apache-2.0
// Buffer of bit-plane lines in BANKS memories. Address A lies in bank A mod BANKS, word A / BANKS, and plane p of a
// line at A lies at A + p: tensors of fewer bits take less room, and up to BANKS planes are reached in one cycle.
module bs_plane_buffer #(
  parameter WIDTH  = 64,  // bits a line
  parameter BANKS  = 16,  // planes reached at once, power of two >= 2
  parameter DEPTH  = 64,  // words a bank, power of two
  parameter MASKED = 0    // 1: writes obey write_mask_i bit by bit
) (
  input  logic                           clk_i,
  input  logic [BANKS-1:0]               write_planes_i,   // planes written; none: no write
  input  logic [$clog2(BANKS*DEPTH)-1:0] write_address_i,  // of plane 0
  input  logic [BANKS*WIDTH-1:0]         write_data_i,     // plane p at p*WIDTH
  input  logic [WIDTH-1:0]               write_mask_i,     // the same for all planes
  input  logic [BANKS-1:0]               read_planes_i,
  input  logic [$clog2(BANKS*DEPTH)-1:0] read_address_i,
  output logic [BANKS*WIDTH-1:0]         read_data_o       // in the next cycle only; planes not read are undefined
);
  localparam ADDRESS_WIDTH = $clog2(BANKS * DEPTH);
  localparam WORD_WIDTH = $clog2(DEPTH);

  wire [WIDTH-1:0] bank_data [0:BANKS-1];

  localparam BANK_WIDTH = $clog2(BANKS);
  logic [BANK_WIDTH-1:0] write_first, read_first, read_first_q;
  logic [WORD_WIDTH-1:0] write_word, read_word;
  logic any_read, any_write;
  assign write_first = write_address_i[BANK_WIDTH-1:0];
  assign write_word = write_address_i[ADDRESS_WIDTH-1:BANK_WIDTH];
  assign read_first = read_address_i[BANK_WIDTH-1:0];
  assign read_word = read_address_i[ADDRESS_WIDTH-1:BANK_WIDTH];
  assign any_read = |read_planes_i;
  assign any_write = |write_planes_i;
  always_ff @(posedge clk_i) if (any_read) read_first_q <= read_first;

  for (genvar b = 0; b < BANKS; b = b + 1) begin : g_bank
    localparam [BANK_WIDTH-1:0] BANK = b;
    logic [WIDTH-1:0] mem_q [0:DEPTH-1];
    logic [WIDTH-1:0] data_q;
    logic [BANK_WIDTH-1:0] write_plane, read_plane;
    logic [WORD_WIDTH-1:0] write_at, read_at;
    assign write_plane = BANK - write_first;
    assign read_plane = BANK - read_first;
    /* verilator lint_off CMPCONST */
    assign write_at = BANK < write_first ? write_word + {{(WORD_WIDTH-1){1'b0}}, 1'b1} : write_word;
    assign read_at = BANK < read_first ? read_word + {{(WORD_WIDTH-1){1'b0}}, 1'b1} : read_word;
    /* verilator lint_on CMPCONST */
    always_ff @(posedge clk_i) begin
      if (any_write) begin
        if (write_planes_i[write_plane]) begin
          if (MASKED != 0) begin
`ifdef BS_BIT_ENABLES
            // As block RAMs with bit enables take it.
            for (int i = 0; i < WIDTH; i = i + 1) begin
              if (write_mask_i[i]) mem_q[write_at][i] <= write_data_i[write_plane*WIDTH + i];
            end
`else
            // As simulators are fast with.
            mem_q[write_at] <= (mem_q[write_at] & ~write_mask_i)
                               | (write_data_i[write_plane*WIDTH +: WIDTH] & write_mask_i);
`endif
          end else begin
            mem_q[write_at] <= write_data_i[write_plane*WIDTH +: WIDTH];
          end
        end
      end
      if (any_read) begin
        if (read_planes_i[read_plane]) data_q <= mem_q[read_at];
      end
    end
    assign bank_data[b] = data_q;
  end
  // Back to plane order, only in the cycle after a read.
  logic reading_q;
  logic [BANK_WIDTH-1:0] from;
  always_ff @(posedge clk_i) reading_q <= any_read;
  always_comb begin
    read_data_o = {(BANKS*WIDTH){1'b0}};
    from = read_first_q;
    if (reading_q) begin
      for (int p = 0; p < BANKS; p = p + 1) begin
        from = read_first_q + p[BANK_WIDTH-1:0];
        read_data_o[p*WIDTH +: WIDTH] = bank_data[from];
      end
    end
  end
endmodule
