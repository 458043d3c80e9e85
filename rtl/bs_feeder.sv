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
  parameter COUNT_WIDTH = 16,  // as in bs_walker
  parameter CLOCK_GATING = 0  // as in bs_column
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                start_i,
  /* verilator lint_off UNUSEDSIGNAL */
  input  logic [64*32-1:0]    desc_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  logic [COUNT_WIDTH-1:0] rows_loaded_i,
  output logic [COUNT_WIDTH-1:0] rows_freed_o,
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
  localparam X_WIDTH = COUNT_WIDTH + 5;
  localparam POSITION_WIDTH = COUNT_WIDTH + 4;
  localparam FILL_WIDTH = $clog2(ROWS + 1);  // of places in a vector
  localparam BITS_WIDTH = $clog2(MAX_ACTIVATION_BITS + 1);
  localparam COPIES = (ROWS + DATA_WIDTH - 1) / DATA_WIDTH;  // of a line over the array's rows

  // Width and sign of the first and of the second tensor.
  logic [BITS_WIDTH-1:0] first_bits, second_bits;
  logic whole_codes, signed_codes, second_signed;
  assign first_bits = desc_i[F_ACTIVATION_BITS +: BITS_WIDTH];
  assign second_bits = desc_i[F_SECOND_BITS +: BITS_WIDTH];
  assign second_signed = desc_i[F_SECOND_SIGNED];
  assign whole_codes = desc_i[F_OPCODE +: B_OPCODE] != OP_CONVOLUTION;
  assign signed_codes = desc_i[F_SIGNED];

  // Walker and its output register.
  logic window_valid, window_take, window_second, window_row_valid, window_last, window_tile_last, window_block_last;
  logic window_waits;
  logic signed [X_WIDTH-1:0] window_x;
  /* verilator lint_off UNUSEDSIGNAL */ // addresses fit the buffer by construction of the descriptor
  logic [ADDRESS_WIDTH:0] window_slot;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [FILL_WIDTH-1:0] window_length, window_fill;
  logic [POSITION_WIDTH-1:0] window_begin;
  bs_walker #(
    .STRIPS(STRIPS), .TILES(TILES), .ROWS(ROWS), .DATA_WIDTH(DATA_WIDTH), .CLOCK_GATING(CLOCK_GATING),
    .COUNT_WIDTH(COUNT_WIDTH), .RING_WIDTH(ADDRESS_WIDTH+1)
  ) u_walker (
    .clk_i(clk_i), .rst_ni(rst_ni), .start_i(start_i), .desc_i(desc_i), .rows_loaded_i(rows_loaded_i),
    .rows_freed_o(rows_freed_o), .window_waits_i(window_waits), .window_valid_o(window_valid), .window_ready_i(window_take),
    .window_x_o(window_x), .window_begin_o(window_begin), .window_second_o(window_second), .window_row_valid_o(window_row_valid), .window_slot_o(window_slot),
    .window_length_o(window_length), .window_fill_o(window_fill), .window_last_o(window_last),
    .window_tile_last_o(window_tile_last), .window_block_last_o(window_block_last));

  logic signed [X_WIDTH-1:0] row_bits;  // of a row, or strip
  assign row_bits = $signed({1'b0, desc_i[F_IN_ROW_BITS +: POSITION_WIDTH]});
  logic hold_q, second_q, row_valid_q, last_q, tile_last_q, block_last_q;
  logic signed [X_WIDTH-1:0] x_q, row_begin, row_end;  // its row, or strip, is [begin, end)
  logic [ADDRESS_WIDTH-1:0] slot_q;
  logic [FILL_WIDTH-1:0] length_q, fill_q;
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
      block_last_q <= window_block_last;
      x_q <= window_x;
      slot_q <= window_slot[ADDRESS_WIDTH-1:0];
      length_q <= window_length;
      fill_q <= window_fill;
    end
  end

  if (STRIPS != 0) begin : g_strip
    logic signed [X_WIDTH-1:0] begin_q, end_q;
    always_ff @(posedge clk_i) begin
      if (window_take) begin
        begin_q <= {1'b0, window_begin};
        end_q <= row_bits + $signed({1'b0, window_begin});
      end
    end
    assign row_begin = begin_q;
    assign row_end = end_q;
  end else begin : g_row
    assign row_begin = '0;
    assign row_end = row_bits;
    logic unused_begin;
    assign unused_begin = ^window_begin;
  end
  logic early;  // it begins in front of its row
  assign early = x_q < row_begin;

  // A group's first window claims a slot; release frees one in the same cycle, since data land a cycle later.
  localparam VECTOR_WIDTH = VECTORS > 1 ? $clog2(VECTORS) : 1;
  logic [VECTOR_WIDTH-1:0] vector_q, vector_l;  // of the group
  logic group_first, group_end, tile_last_l;
  assign group_first = fill_q == '0 && (VECTORS == 1 || vector_q == {VECTOR_WIDTH{1'b0}});
  assign group_end = last_q && (VECTORS == 1 || {{(32 - VECTOR_WIDTH){1'b0}}, vector_q} == VECTORS - 1 || tile_last_q
                                || whole_codes);
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) vector_q <= {VECTOR_WIDTH{1'b0}};
    else if (read && last_q) vector_q <= group_end ? {VECTOR_WIDTH{1'b0}} : vector_q + 1'b1;
  end
  logic [1:0] claimed_q, filled_q;
  logic write_slot_q, read_slot_q, landing_q, landing_last_q;
  assign read = hold_q && (!group_first || claimed_q != 2'd2 || release_i);
  // The block's rows stay until its last window is read. (Until the cycle after that where it waited for a slot: the
  // release comes late in a cycle.)
  assign window_waits = hold_q && block_last_q && group_first && claimed_q == 2'd2;
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
  logic signed [X_WIDTH-1:0] low_limit, high_limit, length_wide;
  logic [FILL_WIDTH-1:0] low, high;
  assign low_limit = row_begin - x_q;
  assign high_limit = row_end - x_q;
  assign length_wide = $signed({{(X_WIDTH-FILL_WIDTH){1'b0}}, length_q});
  always_comb begin
    low = '0;
    if (early) low = low_limit > length_wide ? length_q : low_limit[FILL_WIDTH-1:0];
    high = length_q;
    if (!second_q && high_limit < length_wide) high = high_limit[X_WIDTH-1] ? '0 : high_limit[FILL_WIDTH-1:0];
    if (!row_valid_q || high <= low) begin
      low = '0;
      high = '0;
    end
  end

  // Lines the valid part lies in: `line` (of window bit 0) and the one after it. From the window itself and the ends of its
  // row, or strip, and not from its valid part, which would come late. A window is no longer than a line.
  localparam END_WIDTH = (LINE_WIDTH > FILL_WIDTH ? LINE_WIDTH : FILL_WIDTH) + 1;
  /* verilator lint_off UNUSEDSIGNAL */ // signs, and lines
  logic signed [X_WIDTH-1:0] window_end, last_row_bit;
  logic [END_WIDTH-1:0] offset_end;
  /* verilator lint_on UNUSEDSIGNAL */
  logic signed [X_WIDTH-1-LINE_WIDTH:0] line, first_line, last_line;
  logic [LINE_WIDTH-1:0] offset;
  logic any, crosses, use_this, use_next;
  assign line = x_q[X_WIDTH-1:LINE_WIDTH];
  assign offset = x_q[LINE_WIDTH-1:0];
  assign window_end = x_q + length_wide;
  assign last_row_bit = row_end - $signed({{(X_WIDTH-1){1'b0}}, 1'b1});
  assign first_line = row_begin[X_WIDTH-1:LINE_WIDTH];
  assign last_line = last_row_bit[X_WIDTH-1:LINE_WIDTH];
  assign offset_end = {{(END_WIDTH-LINE_WIDTH){1'b0}}, offset} + {{(END_WIDTH-FILL_WIDTH){1'b0}}, length_q}
                      - {{(END_WIDTH-1){1'b0}}, 1'b1};
  assign crosses = |offset_end[END_WIDTH-1:LINE_WIDTH] && (second_q || line < last_line);
  assign any = row_valid_q && (early ? window_end > row_begin : second_q || x_q < row_end);
  assign use_this = any && (!early || line == first_line);
  assign use_next = any && crosses;

  logic [BITS_WIDTH-1:0] bits;  // of the window's tensor
  assign bits = second_q ? second_bits : first_bits;

  // Buffer addresses of the two: lines form pairs of an even and an odd one. Behind an odd line the even one is the next
  // pair's.
  /* verilator lint_off UNUSEDSIGNAL */ // pairs fit the buffer by construction of the descriptor
  logic [X_WIDTH+ADDRESS_WIDTH-2-LINE_WIDTH:0] pair_wide;
  /* verilator lint_on UNUSEDSIGNAL */
  logic odd;
  logic [ADDRESS_WIDTH-1:0] pairs_before, bits_wide;
  assign odd = line[0];
  assign pair_wide = {{ADDRESS_WIDTH{line[X_WIDTH-1-LINE_WIDTH]}}, line[X_WIDTH-1-LINE_WIDTH:1]};
  assign bits_wide = {{(ADDRESS_WIDTH-BITS_WIDTH){1'b0}}, bits};
  assign pairs_before = pair_wide[ADDRESS_WIDTH-1:0] * bits_wide;  // in addresses

  logic [BANKS-1:0] planes;
  assign planes = ~({BANKS{1'b1}} << bits);
  assign read_even_planes_o = read && (odd ? use_next : use_this) ? planes : {BANKS{1'b0}};
  assign read_odd_planes_o = read && (odd ? use_this : use_next) ? planes : {BANKS{1'b0}};
  assign read_even_address_o = (odd ? slot_q + bits_wide : slot_q) + pairs_before;
  assign read_odd_address_o = slot_q + pairs_before;
  assign window_o = read;
  assign lines_read_o = (use_this ? {{(6-BITS_WIDTH){1'b0}}, bits} : 6'd0) + (use_next ? {{(6-BITS_WIDTH){1'b0}}, bits} : 6'd0);

  // Landing: rotate the line to the vector's rows and merge.
  logic odd_l, clear_l, second_l;
  logic [BITS_WIDTH-1:0] bits_l;
  logic slot_second_q [0:1];  // the vector is of the second tensor
  logic [LINE_WIDTH-1:0] offset_l, rotate_l;
  logic [FILL_WIDTH-1:0] length_l, fill_l, low_l, high_l;
  logic [LINE_WIDTH-1:0] fill_line;  // place in a line that the window is turned to
  if (FILL_WIDTH >= LINE_WIDTH) begin : g_fill_cut
    assign fill_line = fill_q[LINE_WIDTH-1:0];
  end else begin : g_fill_extend
    assign fill_line = {{(LINE_WIDTH-FILL_WIDTH){1'b0}}, fill_q};
  end
  always_ff @(posedge clk_i) begin
    if (read) begin
      odd_l <= odd;
      second_l <= second_q;
      bits_l <= bits;
      clear_l <= fill_q == '0;
      offset_l <= offset;
      rotate_l <= offset - fill_line;
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
  /* verilator lint_off CMPCONST */ // a bank beyond the planes has none
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
    logic [BITS_WIDTH-1:0] sign_plane_l;
    /* verilator lint_on UNUSEDSIGNAL */
    logic [ROWS-1:0] signs;
    assign sign_plane_l = bits_l - 1'b1;
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
    assign top_plane_o = {{(5-BITS_WIDTH){1'b0}}, first_bits} - 5'd1;
  end

  /* verilator lint_on CMPCONST */

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
  logic [BITS_WIDTH-1:0] code_bits;
  logic code_signed;
  assign code_bits = slot_second_q[read_slot_q] ? second_bits : first_bits;
  assign code_signed = slot_second_q[read_slot_q] ? second_signed : signed_codes;
  always_comb begin
    code_o = {(COLUMNS*CODE_WIDTH){1'b0}};
    code_plane = {ROWS{1'b0}};
    sign_plane = {ROWS{1'b0}};
    if (whole_codes && vector_ready_o) begin
      if (code_signed) sign_plane = slot_data_q[(read_slot_q ? BANKS : 0) + {{(32-BITS_WIDTH){1'b0}}, code_bits} - 1];
      for (int p = 0; p < CODE_WIDTH; p = p + 1) begin
        if (p < MAX_ACTIVATION_BITS && code_bits > p[BITS_WIDTH-1:0]) begin
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
