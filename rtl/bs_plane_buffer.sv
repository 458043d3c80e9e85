// SPDX-License-Identifier: Apache-2.0
// Buffer of bit-plane lines in BANKS memories. Address A lies in bank A mod BANKS, word A / BANKS, and plane p of a
// line at A lies at A + p: tensors of fewer bits take less room, and up to BANKS planes are reached in one cycle.
// No word is read in the cycle of its write, as in bs_ram.
module bs_plane_buffer #(
  parameter WIDTH  = 64,  // bits a line
  parameter BANKS  = 16,  // planes reached at once, power of two >= 2
  parameter DEPTH  = 64,  // words a bank, power of two
  parameter MASKED = 0,   // 1: writes obey write_mask_i bit by bit
  parameter WRITE_PLANES = BANKS,  // planes written at once: BANKS or 1
  parameter READ_PLANES  = BANKS   // planes read at once: BANKS or 1
) (
  input  logic                           clk_i,
  input  logic [WRITE_PLANES-1:0]        write_planes_i,   // planes written; none: no write
  input  logic [$clog2(BANKS*DEPTH)-1:0] write_address_i,  // of plane 0
  input  logic [WRITE_PLANES*WIDTH-1:0]  write_data_i,     // plane p at p*WIDTH
  input  logic [WIDTH-1:0]               write_mask_i,     // the same for all planes
  input  logic [READ_PLANES-1:0]         read_planes_i,
  input  logic [$clog2(BANKS*DEPTH)-1:0] read_address_i,
  output logic [READ_PLANES*WIDTH-1:0]   read_data_o       // in the next cycle only; planes not read are 0
);
  localparam ADDRESS_WIDTH = $clog2(BANKS * DEPTH);
  localparam WORD_WIDTH = $clog2(DEPTH);

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

  // Planes turned to their banks: by one bank, two, four, ..., each if its bit of the first bank is set. A multiplexer
  // of all banks for each plane would be BANKS / log2(BANKS) times larger.
  // Functions: Icarus 11 never leaves an always_comb with such a loop.
  function automatic [BANKS-1:0] banks_of(input [BANKS-1:0] planes, input [BANK_WIDTH-1:0] first);
    begin
      banks_of = planes;
      for (int k = 0; k < BANK_WIDTH; k = k + 1) begin
        if (first[k]) banks_of = (banks_of << (1 << k)) | (banks_of >> (BANKS - (1 << k)));
      end
    end
  endfunction
  logic [BANKS-1:0] write_banks, read_banks;
  logic [BANKS*WIDTH-1:0] write_data;
  if (WRITE_PLANES == BANKS) begin : g_turn_write
    function automatic [BANKS*WIDTH-1:0] turned(input [BANKS*WIDTH-1:0] planes, input [BANK_WIDTH-1:0] first);
      begin
        turned = planes;
        for (int k = 0; k < BANK_WIDTH; k = k + 1) begin
          if (first[k]) turned = (turned << (WIDTH << k)) | (turned >> (WIDTH * (BANKS - (1 << k))));
        end
      end
    endfunction
    assign write_banks = banks_of(write_planes_i, write_first);
    always_comb begin
      write_data = {(BANKS*WIDTH){1'b0}};
      if (any_write) write_data = turned(write_data_i, write_first);
    end
  end else begin : g_write
    assign write_banks = {{(BANKS-1){1'b0}}, write_planes_i[0]} << write_first;
    assign write_data = {BANKS{write_data_i[WIDTH-1:0]}};
  end
  logic [BANKS*WIDTH-1:0] bank_data;
  if (READ_PLANES == BANKS) begin : g_turn_read
    assign read_banks = banks_of(read_planes_i, read_first);
  end else begin : g_read
    assign read_banks = {{(BANKS-1){1'b0}}, read_planes_i[0]} << read_first;
  end

  for (genvar b = 0; b < BANKS; b = b + 1) begin : g_bank
    localparam [BANK_WIDTH-1:0] BANK = b;
    (* no_rw_check *) logic [WIDTH-1:0] mem_q [0:DEPTH-1];
    logic [WIDTH-1:0] data_q;
    logic read_q;  // the last read was of this bank, too
    function automatic [WORD_WIDTH-1:0] place(input [WORD_WIDTH-1:0] word, input [BANK_WIDTH-1:0] first);
      /* verilator lint_off CMPCONST */
      place = BANK < first ? word + {{(WORD_WIDTH-1){1'b0}}, 1'b1} : word;
      /* verilator lint_on CMPCONST */
    endfunction
    always_ff @(posedge clk_i) begin
      if (any_write) begin
        if (write_banks[b]) begin
          if (MASKED != 0) begin
`ifdef BS_BIT_ENABLES
            // Block RAMs with bit enables take this form.
            for (int i = 0; i < WIDTH; i = i + 1) begin
              if (write_mask_i[i]) mem_q[place(write_word, write_first)][i] <= write_data[b*WIDTH + i];
            end
`else
            // Simulators are faster with this one.
            mem_q[place(write_word, write_first)] <= (mem_q[place(write_word, write_first)] & ~write_mask_i) | (write_data[b*WIDTH +: WIDTH] & write_mask_i);
`endif
          end else begin
            mem_q[place(write_word, write_first)] <= write_data[b*WIDTH +: WIDTH];
          end
        end
      end
      if (any_read) begin
        read_q <= read_banks[b];
        if (read_banks[b]) data_q <= mem_q[place(read_word, read_first)];
      end
    end
    assign bank_data[b*WIDTH +: WIDTH] = read_q ? data_q : {WIDTH{1'b0}};
`ifdef BS_CHECKS
    `include "bs_checks.svh"
    `BS_CHECK_WHEN(any_write && any_read, !(write_banks[b] && read_banks[b]
                                            && place(write_word, write_first) == place(read_word, read_first)))
`endif
  end
  // Back to plane order, only in the cycle after a read.
  logic reading_q;
  always_ff @(posedge clk_i) reading_q <= any_read;
  if (READ_PLANES == BANKS) begin : g_turn_back
    function automatic [BANKS*WIDTH-1:0] turned(input [BANKS*WIDTH-1:0] banks, input [BANK_WIDTH-1:0] first);
      begin
        turned = banks;
        for (int k = 0; k < BANK_WIDTH; k = k + 1) begin
          if (first[k]) turned = (turned >> (WIDTH << k)) | (turned << (WIDTH * (BANKS - (1 << k))));
        end
      end
    endfunction
    always_comb begin
      read_data_o = {(BANKS*WIDTH){1'b0}};
      if (reading_q) read_data_o = turned(bank_data, read_first_q);
    end
  end else begin : g_one
    assign read_data_o = reading_q ? bank_data[read_first_q*WIDTH +: WIDTH] : {WIDTH{1'b0}};
  end
endmodule
