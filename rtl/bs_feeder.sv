// SPDX-License-Identifier: Apache-2.0
// Gathers windows from the activation buffer into vectors of ROWS activations, all planes at once, two groups of VECTORS
// vectors deep. A group ends early with the tile; operators on whole codes have one vector a group.
//
// A window taken from the walker is registered, read from the buffer when its group's slot is free, and lands in
// the slot in the cycle after the read: a group whose last window is read in cycle t is ready in t+2.
module bs_feeder #(
  parameter STRIPS     = 0,   // as in bs_walker
  parameter TILES      = 1,
  parameter VECTORS    = 1,   // of a group
  parameter FOLD       = 1,   // most planes of a vector at once, each in a part of the rows (VECTORS = 1, no skipping)
  parameter SKIP_PLANES = 0,  // 1: tell how many leading planes of a group are zero or repeat the sign
  parameter ROWS       = 64,
  parameter COLUMNS    = 64,
  parameter DATA_WIDTH = 64,
  parameter BANKS      = 16,  // planes
  parameter MAX_ACTIVATION_BITS = 16,
  parameter DEPTH      = 64,  // words of a plane bank
  parameter CLOCK_GATING = 0  // as in bs_column
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                start_i,
  /* verilator lint_off UNUSEDSIGNAL */
  input  logic [64*32-1:0]    desc_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  logic [15:0]         rows_loaded_i,
  output logic [15:0]         rows_freed_o,
  // Activation buffer, read side.
  output logic [BANKS-1:0]    read_even_planes_o,
  output logic [BANKS-1:0]    read_odd_planes_o,
  output logic [$clog2(BANKS*DEPTH)-1:0] read_even_address_o,
  output logic [$clog2(BANKS*DEPTH)-1:0] read_odd_address_o,
  input  logic [BANKS*DATA_WIDTH-1:0]    read_even_data_i,
  input  logic [BANKS*DATA_WIDTH-1:0]    read_odd_data_i,
  // The oldest group.
  output logic                vector_ready_o,
  input  logic [$clog2(BANKS)-1:0] plane_select_i,
  input  logic [1:0]          fold_i,  // log2 of the planes at once, from plane_select_i on
  output logic [VECTORS*ROWS-1:0] plane_o,
  output logic [7:0]          group_size_o,                   // vectors
  output logic                group_last_o,                   // the tile ends with it
  output logic [4:0]          top_plane_o,                    // its first plane that matters (SKIP_PLANES)
  output logic [COLUMNS*(MAX_ACTIVATION_BITS+1)-1:0] code_o,  // whole codes: those of its vector, two's complement
  input  logic                release_i,                      // the group is used up at the end of this cycle
  // Events.
  output logic                window_o,      // a window is read
  output logic [5:0]          lines_read_o   // lines read for it
);
  `include "bs_descriptor.svh"
  localparam ADDRESS_WIDTH = $clog2(BANKS * DEPTH);
  localparam LINE_WIDTH = $clog2(DATA_WIDTH);
  localparam CODE_WIDTH = MAX_ACTIVATION_BITS + 1;
  localparam BANK_WIDTH = $clog2(BANKS);
  localparam COPIES = (ROWS + DATA_WIDTH - 1) / DATA_WIDTH;  // of a line over the array's rows

  // Width and sign of the first and of the second tensor.
  logic [4:0] first_bits, second_bits;
  logic whole_codes, signed_codes, second_signed;
  assign first_bits = desc_i[F_ACTIVATION_BITS +: B_ACTIVATION_BITS];
  assign second_bits = desc_i[F_SECOND_BITS +: B_SECOND_BITS];
  assign second_signed = desc_i[F_SECOND_SIGNED];
  assign whole_codes = desc_i[F_OPCODE +: B_OPCODE] != OP_CONVOLUTION;
  assign signed_codes = desc_i[F_SIGNED];

  // Walker and its output register.
  logic window_valid, window_take, window_second, window_row_valid, window_last, window_tile_last;
  logic signed [20:0] window_x;
  /* verilator lint_off UNUSEDSIGNAL */ // addresses fit the buffer by construction of the descriptor
  logic [15:0] window_slot;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [10:0] window_length, window_fill;
  logic [19:0] window_begin;
  bs_walker #(.STRIPS(STRIPS), .TILES(TILES), .ROWS(ROWS), .DATA_WIDTH(DATA_WIDTH)) u_walker (
    .clk_i(clk_i), .rst_ni(rst_ni), .start_i(start_i), .desc_i(desc_i), .rows_loaded_i(rows_loaded_i),
    .rows_freed_o(rows_freed_o), .window_valid_o(window_valid), .window_ready_i(window_take),
    .window_x_o(window_x), .window_begin_o(window_begin), .window_second_o(window_second), .window_row_valid_o(window_row_valid), .window_slot_o(window_slot),
    .window_length_o(window_length), .window_fill_o(window_fill), .window_last_o(window_last),
    .window_tile_last_o(window_tile_last));

  logic signed [20:0] row_bits;  // of a row, or strip
  assign row_bits = $signed({1'b0, desc_i[F_IN_ROW_BITS +: B_IN_ROW_BITS]});
  logic hold_q, second_q, row_valid_q, last_q, tile_last_q;
  logic signed [20:0] x_q, begin_q, row_end_q;  // its row, or strip, is [begin, end)
  logic [ADDRESS_WIDTH-1:0] slot_q;
  logic [10:0] length_q, fill_q;
  logic read;
  assign window_take = window_valid && (!hold_q || read);
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) hold_q <= 1'b0;
    else hold_q <= window_take || (hold_q && !read);
  end
  always_ff @(posedge clk_i) begin
    if (window_take) begin
      second_q <= window_second;
      row_valid_q <= window_row_valid;
      last_q <= window_last;
      tile_last_q <= window_tile_last;
      x_q <= window_x;
      begin_q <= {1'b0, window_begin};
      row_end_q <= row_bits + $signed({1'b0, window_begin});
      slot_q <= window_slot[ADDRESS_WIDTH-1:0];
      length_q <= window_length;
      fill_q <= window_fill;
    end
  end

  // A group's first window claims a slot; release frees one in the same cycle, since data land a cycle later.
  localparam VECTOR_WIDTH = VECTORS > 1 ? $clog2(VECTORS) : 1;
  logic [VECTOR_WIDTH-1:0] vector_q, vector_l;  // of the group
  logic group_first, group_end, tile_last_l;
  assign group_first = fill_q == 11'd0 && (VECTORS == 1 || vector_q == {VECTOR_WIDTH{1'b0}});
  assign group_end = last_q && (VECTORS == 1 || {{(32 - VECTOR_WIDTH){1'b0}}, vector_q} == VECTORS - 1 || tile_last_q
                                || whole_codes);
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) vector_q <= {VECTOR_WIDTH{1'b0}};
    else if (read && last_q) vector_q <= group_end ? {VECTOR_WIDTH{1'b0}} : vector_q + 1'b1;
  end
  logic [1:0] claimed_q, filled_q;
  logic write_slot_q, read_slot_q, landing_q, landing_last_q;
  assign read = hold_q && (!group_first || claimed_q != 2'd2 || release_i);
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      claimed_q <= 2'd0;
      filled_q <= 2'd0;
      read_slot_q <= 1'b0;
      write_slot_q <= 1'b0;
      landing_q <= 1'b0;
    end else begin
      landing_q <= read;
      if (read && group_first && !release_i) claimed_q <= claimed_q + 2'd1;
      else if (!(read && group_first) && release_i) claimed_q <= claimed_q - 2'd1;
      if (landing_q && landing_last_q && !release_i) filled_q <= filled_q + 2'd1;
      else if (!(landing_q && landing_last_q) && release_i) filled_q <= filled_q - 2'd1;
      if (release_i) read_slot_q <= !read_slot_q;
      if (landing_q && landing_last_q) write_slot_q <= !write_slot_q;
    end
  end
  assign vector_ready_o = filled_q != 2'd0;

  // Part of the window inside the row, or strip: bits [low, high) of it. The rest is padding.
  logic signed [20:0] low_limit, high_limit;
  logic [10:0] low, high;
  assign low_limit = begin_q - x_q;
  assign high_limit = row_end_q - x_q;
  always_comb begin
    low = 11'd0;
    if (low_limit > 21'sd0) low = low_limit > $signed({10'b0, length_q}) ? length_q : low_limit[10:0];
    high = length_q;
    if (!second_q && high_limit < $signed({10'b0, length_q})) high = high_limit[20] ? 11'd0 : high_limit[10:0];
    if (!row_valid_q || high <= low) begin
      low = 11'd0;
      high = 11'd0;
    end
  end

  // Lines the valid part lies in: `line` (of window bit 0) and the one after it. From the window itself and the ends of its
  // row, or strip, and not from its valid part, which would come late. A window is no longer than a line.
  /* verilator lint_off UNUSEDSIGNAL */ // signs, and lines
  logic signed [20:0] window_end, last_row_bit;
  logic [11:0] offset_end;
  /* verilator lint_on UNUSEDSIGNAL */
  logic signed [20-LINE_WIDTH:0] line, first_line, last_line;
  logic [LINE_WIDTH-1:0] offset;
  logic any, early, crosses, use_this, use_next;
  assign line = x_q[20:LINE_WIDTH];
  assign offset = x_q[LINE_WIDTH-1:0];
  assign window_end = x_q + $signed({10'b0, length_q});
  assign last_row_bit = row_end_q - 21'sd1;
  assign first_line = begin_q[20:LINE_WIDTH];
  assign last_line = last_row_bit[20:LINE_WIDTH];
  assign offset_end = {{(12-LINE_WIDTH){1'b0}}, offset} + {1'b0, length_q} - 12'd1;
  assign crosses = |offset_end[11:LINE_WIDTH] && (second_q || line < last_line);
  assign early = x_q < begin_q;  // it begins in front of its row
  assign any = row_valid_q && (early ? window_end > begin_q : second_q || x_q < row_end_q);
  assign use_this = any && (!early || line == first_line);
  assign use_next = any && crosses;

  logic [4:0] bits;  // of the window's tensor
  assign bits = second_q ? second_bits : first_bits;

  // Buffer addresses of the two: lines form pairs of an even and an odd one. Behind an odd line the even one is the next
  // pair's.
  logic odd;
  logic [ADDRESS_WIDTH-1:0] pair, pairs_before, bits_wide;
  assign odd = line[0];
  if (20 - LINE_WIDTH >= ADDRESS_WIDTH) begin : g_pair_cut
    assign pair = line[ADDRESS_WIDTH:1];
  end else begin : g_pair_extend
    assign pair = {{(ADDRESS_WIDTH - 20 + LINE_WIDTH){line[20-LINE_WIDTH]}}, line[20-LINE_WIDTH:1]};
  end
  assign bits_wide = {{(ADDRESS_WIDTH-5){1'b0}}, bits};
  assign pairs_before = pair * bits_wide;  // in addresses

  logic [BANKS-1:0] planes;
  assign planes = ~({BANKS{1'b1}} << bits);
  assign read_even_planes_o = read && (odd ? use_next : use_this) ? planes : {BANKS{1'b0}};
  assign read_odd_planes_o = read && (odd ? use_this : use_next) ? planes : {BANKS{1'b0}};
  assign read_even_address_o = (odd ? slot_q + bits_wide : slot_q) + pairs_before;
  assign read_odd_address_o = slot_q + pairs_before;
  assign window_o = read;
  assign lines_read_o = (use_this ? {1'b0, bits} : 6'd0) + (use_next ? {1'b0, bits} : 6'd0);

  // Landing: rotate the line to the vector's rows and merge.
  logic odd_l, clear_l, second_l;
  logic [4:0] bits_l;
  logic slot_second_q [0:1];  // the vector is of the second tensor
  logic [LINE_WIDTH-1:0] offset_l, rotate_l;
  logic [10:0] length_l, fill_l, low_l, high_l;
  always_ff @(posedge clk_i) begin
    if (read) begin
      odd_l <= odd;
      second_l <= second_q;
      bits_l <= bits;
      clear_l <= fill_q == 11'd0;
      offset_l <= offset;
      rotate_l <= offset - fill_q[LINE_WIDTH-1:0];
      length_l <= length_q;
      fill_l <= fill_q;
      low_l <= low;
      high_l <= high;
      landing_last_q <= group_end;
      vector_l <= vector_q;
      tile_last_l <= tile_last_q;
    end
  end

  /* verilator lint_off MULTIDRIVEN */ // gated: every word has a clock of its own
  logic [ROWS-1:0] slot_data_q [0:VECTORS*2*BANKS-1];  // vector v, slot s, plane p at (2*v + s)*BANKS + p
  /* verilator lint_on MULTIDRIVEN */
  logic [ROWS-1:0] rows_window, rows_valid;
  logic [DATA_WIDTH-1:0] from_this;            // 1: bit of the window's first line
  assign rows_window = ({ROWS{1'b1}} << fill_l) & ~({ROWS{1'b1}} << (fill_l + length_l));
  assign rows_valid = ({ROWS{1'b1}} << (fill_l + low_l)) & ~({ROWS{1'b1}} << (fill_l + high_l));
  assign from_this = {DATA_WIDTH{1'b1}} << offset_l;

  /* verilator lint_off UNUSEDSIGNAL */ // read where planes are skipped
  logic [BANKS*ROWS-1:0] window_rows;          // the window that lands, plane by plane
  /* verilator lint_on UNUSEDSIGNAL */
  for (genvar p = 0; p < BANKS; p = p + 1) begin : g_plane
    logic [DATA_WIDTH-1:0] even_line, odd_line, merged;
    /* verilator lint_off UNUSEDSIGNAL */
    logic [2*DATA_WIDTH-1:0] turned;
    logic [COPIES*DATA_WIDTH-1:0] spread;
    /* verilator lint_on UNUSEDSIGNAL */
    logic [ROWS-1:0] rows;
    assign window_rows[p*ROWS +: ROWS] = rows;
    assign even_line = read_even_data_i[p*DATA_WIDTH +: DATA_WIDTH];
    assign odd_line = read_odd_data_i[p*DATA_WIDTH +: DATA_WIDTH];
    always_comb begin
      merged = {DATA_WIDTH{1'b0}};
      turned = {(2*DATA_WIDTH){1'b0}};
      spread = {(COPIES*DATA_WIDTH){1'b0}};
      rows = {ROWS{1'b0}};
      if (landing_q && bits_l > p) begin
        merged = odd_l ? (odd_line & from_this) | (even_line & ~from_this)
                       : (even_line & from_this) | (odd_line & ~from_this);
        turned = {merged, merged} >> rotate_l;
        spread = {COPIES{turned[DATA_WIDTH-1:0]}};
        rows = (spread[ROWS-1:0] & rows_valid) | (rows_window & ~rows_valid & {ROWS{desc_i[F_ZERO_POINT + p]}});
      end
    end
    for (genvar v = 0; v < VECTORS; v = v + 1) begin : g_vector
      localparam FIRST = 2 * v * BANKS + p;
      if (CLOCK_GATING != 0) begin : g_gated
        for (genvar s = 0; s < 2; s = s + 1) begin : g_slot
          logic load, slot_clk;
          assign load = landing_q && bits_l > p && write_slot_q == (s == 1)
                        && (VECTORS == 1 || {{(32 - VECTOR_WIDTH){1'b0}}, vector_l} == v);
          bs_clock_gate u_slot (.clk_i(clk_i), .enable_i(load), .clk_o(slot_clk));
          always_ff @(posedge slot_clk)
            slot_data_q[FIRST + s*BANKS] <= clear_l ? rows : slot_data_q[FIRST + s*BANKS] | rows;
        end
      end else begin : g_enabled
        always_ff @(posedge clk_i) begin
          if (landing_q && bits_l > p && (VECTORS == 1 || {{(32 - VECTOR_WIDTH){1'b0}}, vector_l} == v)) begin
            if (write_slot_q) slot_data_q[FIRST + BANKS] <= clear_l ? rows : slot_data_q[FIRST + BANKS] | rows;
            else slot_data_q[FIRST] <= clear_l ? rows : slot_data_q[FIRST] | rows;
          end
        end
      end
    end
  end

  if (FOLD == 1) begin : g_no_fold
    logic unused_fold;
    assign unused_fold = ^fold_i;
  end
  for (genvar v = 0; v < VECTORS; v = v + 1) begin : g_planes_out
    if (FOLD != 1) begin : g_fold
      // Part p of the rows shows the vector's first rows of plane plane_select_i + s, where it is part s of fewer, larger
      // ones a part of these. Planes above the highest are empty; the sign plane is turned over, so that no count is
      // subtracted.
      localparam PART = ROWS / FOLD;
      for (genvar p = 0; p < FOLD; p = p + 1) begin : g_part
        logic [1:0] s;
        logic [4:0] plane;
        /* verilator lint_off UNUSEDSIGNAL */ // a part shows few of them
        logic [ROWS-1:0] rows;
        /* verilator lint_on UNUSEDSIGNAL */
        logic [PART-1:0] chosen;
        localparam [1:0] OF_QUARTERS = p, OF_HALVES = FOLD == 4 ? p / 2 : p;
        localparam IN_HALF = FOLD == 4 ? p % 2 : 0;
        assign s = fold_i == 2'd0 ? 2'd0 : fold_i == 2'd1 ? OF_HALVES : OF_QUARTERS;
        assign plane = {{(5 - BANK_WIDTH){1'b0}}, plane_select_i} + {3'd0, s};
        assign rows = plane > top_plane_o ? {ROWS{1'b0}}
                    : read_slot_q ? slot_data_q[(2 * v + 1) * BANKS + {27'd0, plane}]
                                  : slot_data_q[2 * v * BANKS + {27'd0, plane}];
        assign chosen = fold_i == 2'd0 ? rows[p*PART +: PART]
                      : fold_i == 2'd1 ? rows[IN_HALF*PART +: PART] : rows[0 +: PART];
        assign plane_o[v*ROWS + p*PART +: PART] = chosen ^ {PART{fold_i != 2'd0 && signed_codes && plane == top_plane_o}};
      end
    end else begin : g_whole
    assign plane_o[v*ROWS +: ROWS] =
        read_slot_q ? slot_data_q[(2 * v + 1) * BANKS + {{(32 - BANK_WIDTH){1'b0}}, plane_select_i}]
                    : slot_data_q[2 * v * BANKS + {{(32 - BANK_WIDTH){1'b0}}, plane_select_i}];
    end
  end

  // A plane matters where a bit of it differs from the sign plane, or is not zero where codes are unsigned. Values
  // begin at the highest such plane; two's complement ones one plane above it, which is as good a sign plane.
  if (SKIP_PLANES != 0) begin : g_skip
    logic [BANKS-1:0] matters;
    logic [BANKS-1:0] matters_0_q, matters_1_q, of_group;  // by slot
    logic first_l;
    /* verilator lint_off UNUSEDSIGNAL */ // no wider than the banks
    logic [4:0] sign_plane_l;
    /* verilator lint_on UNUSEDSIGNAL */
    logic [ROWS-1:0] signs;
    assign sign_plane_l = bits_l - 5'd1;
    assign signs = signed_codes ? window_rows[sign_plane_l[BANK_WIDTH-1:0]*ROWS +: ROWS] : {ROWS{1'b0}};
    for (genvar p = 0; p < BANKS; p = p + 1) begin : g_matters
      assign matters[p] = bits_l > p && window_rows[p*ROWS +: ROWS] != signs;
    end
    always_ff @(posedge clk_i) begin
      if (read) first_l <= group_first;
      if (landing_q && !write_slot_q) matters_0_q <= first_l ? matters : matters_0_q | matters;
      if (landing_q && write_slot_q) matters_1_q <= first_l ? matters : matters_1_q | matters;
    end
    assign of_group = read_slot_q ? matters_1_q : matters_0_q;
    // A function: Icarus 11 never leaves an always_comb with this loop.
    function automatic [4:0] top_of(input [BANKS-1:0] used, input up);
      begin
        top_of = 5'd0;
        for (int p = 0; p < BANKS; p = p + 1) if (used[p]) top_of = p[4:0] + {4'd0, up};
      end
    endfunction
    assign top_plane_o = top_of(of_group, signed_codes);
  end else begin : g_all_planes
    assign top_plane_o = first_bits - 5'd1;
  end

  logic group_last_q [0:1];
  always_ff @(posedge clk_i) if (landing_q && landing_last_q) group_last_q[write_slot_q] <= tile_last_l;
  assign group_last_o = group_last_q[read_slot_q];
  if (VECTORS > 1) begin : g_group
    logic [VECTOR_WIDTH-1:0] top_vector_q [0:1];
    always_ff @(posedge clk_i) if (landing_q && landing_last_q) top_vector_q[write_slot_q] <= vector_l;
    assign group_size_o = {{(8 - VECTOR_WIDTH){1'b0}}, top_vector_q[read_slot_q]} + 8'd1;
  end else begin : g_single
    assign group_size_o = 8'd1;
    logic unused;
    assign unused = vector_l[0];
  end

  always_ff @(posedge clk_i) if (landing_q) slot_second_q[write_slot_q] <= second_l;

  // Codes are read plane by plane, with constant indices but for the sign plane: a read by a variable index is a
  // multiplexer of all planes, and one for every bit of every code would swamp synthesis.
  logic [ROWS-1:0] code_plane, sign_plane;
  logic [4:0] code_bits;
  logic code_signed;
  assign code_bits = slot_second_q[read_slot_q] ? second_bits : first_bits;
  assign code_signed = slot_second_q[read_slot_q] ? second_signed : signed_codes;
  always_comb begin
    code_o = {(COLUMNS*CODE_WIDTH){1'b0}};
    code_plane = {ROWS{1'b0}};
    sign_plane = {ROWS{1'b0}};
    if (whole_codes && vector_ready_o) begin
      if (code_signed) sign_plane = slot_data_q[(read_slot_q ? BANKS : 0) + {27'd0, code_bits} - 1];
      for (int p = 0; p < CODE_WIDTH; p = p + 1) begin
        if (p < MAX_ACTIVATION_BITS && code_bits > p[4:0]) begin
          code_plane = read_slot_q ? slot_data_q[p < BANKS ? BANKS + p : 0] : slot_data_q[p < BANKS ? p : 0];
        end else begin
          code_plane = sign_plane;
        end
        for (int j = 0; j < COLUMNS && j < ROWS; j = j + 1) code_o[j*CODE_WIDTH + p] = code_plane[j];
      end
    end
  end

`ifdef BS_CHECKS
  `include "bs_checks.svh"
  `BS_CHECKS_BEGIN
  // Two slots: filled ones are claimed, and only a filled one is released.
  `BS_CHECK(claimed_q <= 2'd2 && filled_q <= claimed_q)
  `BS_CHECK(!release_i || filled_q != 2'd0)
  `BS_CHECK(!(landing_q && landing_last_q) || filled_q != claimed_q)
`endif
endmodule
