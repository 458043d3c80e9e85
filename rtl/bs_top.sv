// SPDX-License-Identifier: Apache-2.0
// The accelerator: AXI4-Lite registers, an AXI4 master for memory, and the units of a layer:
// loader -> buffers -> feeder -> array -> post-processing -> output buffer -> store.
module bs_top #(
  parameter OVERLAY    = 0,    // style: 0 pim, 1 overlay
  parameter VECTORS    = 1,    // overlay: vectors at once (dm)
  parameter STRIPS     = 0,   // 1: tensors before depthwise convolutions may lie in strips of channels
  parameter SKIP_PLANES = 0,   // 1: leading planes that are zero or repeat the sign are not streamed
  parameter TILES      = 1,    // macros (overlay: 1)
  parameter ROWS       = 64,   // cells of a column (overlay: bit products of a dot unit, dk)
  parameter COLUMNS    = 64,   // columns of a macro (overlay: outputs at once, dn)
  parameter MAX_WEIGHT_BITS = 16,
  parameter MAX_ACTIVATION_BITS = 16,
  parameter BANKS      = 16,   // plane banks: power of two >= MAX_ACTIVATION_BITS, at least 2
  parameter ACC_WIDTH  = 48,
  parameter DATA_WIDTH = 64,
  parameter ADDRESS_WIDTH = 32,  // of memory, 16 to 64
  parameter COUNT_WIDTH = 16,  // of counts of rows, pixels, tiles and channels; places in a row have four bits more
  parameter ACTIVATION_DEPTH = 64,
  parameter OUTPUT_DEPTH = 32,
  parameter FOLD       = 1,     // pim: most planes of a short vector at once: 1, 2, 4
  parameter LOAD_ROWS  = 1,     // pim: rows of the array in a word of the weight buffer, written at once
  parameter WEIGHT_DEPTH = 512,
  parameter PSUM_DEPTH = 256,
  parameter PARAMETER_DEPTH = 256,
  parameter POST_LANES = 4,
  parameter BURST_BEATS = 16,
  parameter OUTSTANDING = 4,
  parameter VECTOR_UNIT = 1,   // adds and products of two tensors
  parameter SWISH_UNIT = 1,    // hard swish
  parameter TABLE_UNIT = 1,    // activations by table
  parameter EVENT_COUNTERS = 1,
  parameter POPCOUNT_TREE = 0,  // 1: popcounts as trees of adders in place of $countones
  parameter CLOCK_GATING = 0,   // 1: the array's and the widest other registers are clocked when they load
  parameter SERIAL_REQUANTIZER = 0,  // 1: one lane without multipliers, ACC_WIDTH + 46 cycles a value
  parameter CONFIGURATION = 0   // hash that descriptor lists carry; 0: they are not checked
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  // Control: AXI4-Lite
  input  logic                  s_axil_awvalid_i,
  output logic                  s_axil_awready_o,
  input  logic [7:0]            s_axil_awaddr_i,
  input  logic [2:0]            s_axil_awprot_i,
  input  logic                  s_axil_wvalid_i,
  output logic                  s_axil_wready_o,
  input  logic [31:0]           s_axil_wdata_i,
  input  logic [3:0]            s_axil_wstrb_i,
  output logic                  s_axil_bvalid_o,
  input  logic                  s_axil_bready_i,
  output logic [1:0]            s_axil_bresp_o,
  input  logic                  s_axil_arvalid_i,
  output logic                  s_axil_arready_o,
  input  logic [7:0]            s_axil_araddr_i,
  input  logic [2:0]            s_axil_arprot_i,
  output logic                  s_axil_rvalid_o,
  input  logic                  s_axil_rready_i,
  output logic [31:0]           s_axil_rdata_o,
  output logic [1:0]            s_axil_rresp_o,
  output logic                  interrupt_o,
  output logic                  layer_done_o,  // pulse at each layer's barrier
  // Memory: AXI4, INCR bursts of full beats
  output logic                  m_axi_arvalid_o,
  input  logic                  m_axi_arready_i,
  output logic [ADDRESS_WIDTH-1:0] m_axi_araddr_o,
  output logic [7:0]            m_axi_arlen_o,
  output logic [2:0]            m_axi_arsize_o,
  output logic [1:0]            m_axi_arburst_o,
  output logic [3:0]            m_axi_arcache_o,
  output logic [2:0]            m_axi_arprot_o,
  input  logic                  m_axi_rvalid_i,
  output logic                  m_axi_rready_o,
  input  logic [DATA_WIDTH-1:0] m_axi_rdata_i,
  input  logic [1:0]            m_axi_rresp_i,
  input  logic                  m_axi_rlast_i,
  output logic                  m_axi_awvalid_o,
  input  logic                  m_axi_awready_i,
  output logic [ADDRESS_WIDTH-1:0] m_axi_awaddr_o,
  output logic [7:0]            m_axi_awlen_o,
  output logic [2:0]            m_axi_awsize_o,
  output logic [1:0]            m_axi_awburst_o,
  output logic [3:0]            m_axi_awcache_o,
  output logic [2:0]            m_axi_awprot_o,
  output logic                  m_axi_wvalid_o,
  input  logic                  m_axi_wready_i,
  output logic [DATA_WIDTH-1:0] m_axi_wdata_o,
  output logic [DATA_WIDTH/8-1:0] m_axi_wstrb_o,
  output logic                  m_axi_wlast_o,
  input  logic                  m_axi_bvalid_i,
  output logic                  m_axi_bready_o,
  input  logic [1:0]            m_axi_bresp_i
);
  `include "bs_descriptor.svh"
  localparam WEIGHT_WIDTH = OVERLAY != 0 ? ROWS : LOAD_ROWS * COLUMNS;
  localparam WEIGHT_WORDS = WEIGHT_DEPTH / LOAD_ROWS;
  localparam PIECES = (WEIGHT_WIDTH + DATA_WIDTH - 1) / DATA_WIDTH;
  localparam RECORD_WIDTH = ACC_WIDTH + 38;
  localparam CODE_WIDTH = MAX_ACTIVATION_BITS + 1;
  localparam LIST_WIDTH = ADDRESS_WIDTH < 32 ? ADDRESS_WIDTH : 32;  // of addresses in descriptors
  localparam BEATS_WIDTH = LIST_WIDTH - $clog2(DATA_WIDTH / 8) < 24 ? LIST_WIDTH - $clog2(DATA_WIDTH / 8) : 24;

  localparam [31:0] SIZE_LOG = $clog2(DATA_WIDTH / 8);
  localparam CAPABILITIES = MAX_WEIGHT_BITS | MAX_ACTIVATION_BITS << 5 | SIZE_LOG << 10 | (VECTOR_UNIT != 0 ? 1 : 0) << 16
                            | (SWISH_UNIT != 0 ? 1 : 0) << 17 | (TABLE_UNIT != 0 ? 1 : 0) << 18
                            | (SKIP_PLANES != 0 ? 1 : 0) << 19 | (EVENT_COUNTERS != 0 ? 1 : 0) << 20
                            | ADDRESS_WIDTH << 21 | (STRIPS != 0 ? 1 : 0) << 28;
  assign m_axi_arsize_o = SIZE_LOG[2:0];
  assign m_axi_awsize_o = SIZE_LOG[2:0];
  assign m_axi_arburst_o = 2'b01;
  assign m_axi_arcache_o = 4'b0011;  // normal, bufferable, not cached
  assign m_axi_arprot_o = 3'b000;    // data, secure, unprivileged
  assign m_axi_awburst_o = 2'b01;
  assign m_axi_awcache_o = 4'b0011;  // normal, bufferable, not cached
  assign m_axi_awprot_o = 3'b000;    // data, secure, unprivileged

  // ------------------------------------------------------------------ control
  logic run, clear, running, done, layer_done, configure, start, fetch, fetch_beat, layer_stored, memory_error;
  logic [31:0] watchdog, limit;
  logic [LIST_WIDTH-1:0] list_address, fetch_address;
  /* verilator lint_off UNUSEDSIGNAL */ // bits beyond ADDRESS_WIDTH are 0
  logic [63:0] base_register;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [ADDRESS_WIDTH-1:0] base;
  logic [1:0] error;
  logic [15:0] layers;
  logic [4:0] event_select;
  logic [47:0] event_value;
  logic [DATA_WIDTH-1:0] fetch_data;
  logic [64*32-1:0] desc;
  // The reset register lets the memory bursts under way end, then resets every unit; the registers themselves keep
  // their values. An error lets them end, too. Either shows as running until memory is left alone: software may give
  // buffers to others then.
  logic unit_rst_n, halt_q, halt, read_busy, write_busy, units_running;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      unit_rst_n <= 1'b0;
      halt_q <= 1'b0;
    end else begin
      halt_q <= clear || (halt_q && (read_busy || write_busy));
      unit_rst_n <= !(halt_q && !read_busy && !write_busy);
    end
  end
  assign halt = halt_q || error != 2'd0;
  assign running = units_running || halt_q || !unit_rst_n || read_busy || write_busy;
  bs_registers #(
    .ROWS(ROWS), .COLUMNS(COLUMNS), .TILES(TILES), .OVERLAY(OVERLAY), .VECTORS(VECTORS),
    .CONFIGURATION(CONFIGURATION), .CAPABILITIES(CAPABILITIES), .ADDRESS_WIDTH(ADDRESS_WIDTH)
  ) u_registers (
    .clk_i(clk_i), .rst_ni(rst_ni),
    .s_axil_awvalid_i(s_axil_awvalid_i), .s_axil_awready_o(s_axil_awready_o), .s_axil_awaddr_i(s_axil_awaddr_i),
    .s_axil_awprot_i(s_axil_awprot_i), .s_axil_wvalid_i(s_axil_wvalid_i), .s_axil_wready_o(s_axil_wready_o),
    .s_axil_wdata_i(s_axil_wdata_i), .s_axil_wstrb_i(s_axil_wstrb_i), .s_axil_bvalid_o(s_axil_bvalid_o),
    .s_axil_bready_i(s_axil_bready_i), .s_axil_bresp_o(s_axil_bresp_o), .s_axil_arvalid_i(s_axil_arvalid_i),
    .s_axil_arready_o(s_axil_arready_o), .s_axil_araddr_i(s_axil_araddr_i), .s_axil_arprot_i(s_axil_arprot_i),
    .s_axil_rvalid_o(s_axil_rvalid_o), .s_axil_rready_i(s_axil_rready_i), .s_axil_rdata_o(s_axil_rdata_o),
    .s_axil_rresp_o(s_axil_rresp_o), .run_o(run), .clear_o(clear), .list_address_o(list_address), .base_o(base_register),
    .watchdog_o(watchdog), .limit_o(limit), .event_select_o(event_select), .event_i(event_value), .running_i(running),
    .done_i(done), .error_i(error), .layers_i(layers), .interrupt_o(interrupt_o));
  assign layer_done_o = layer_done;

  logic progress;
  bs_sequencer #(
    .DATA_WIDTH(DATA_WIDTH), .MAX_WEIGHT_BITS(MAX_WEIGHT_BITS), .MAX_ACTIVATION_BITS(MAX_ACTIVATION_BITS),
    .VECTOR_UNIT(VECTOR_UNIT), .SWISH_UNIT(SWISH_UNIT), .TABLE_UNIT(TABLE_UNIT),
    .CLOCK_GATING(CLOCK_GATING), .CONFIGURATION(CONFIGURATION), .ADDRESS_WIDTH(ADDRESS_WIDTH)
  ) u_sequencer (
    .clk_i(clk_i), .rst_ni(unit_rst_n), .run_i(run && !running), .list_address_i(list_address),
    .base_i(base_register[ADDRESS_WIDTH-1:0]), .base_o(base), .watchdog_i(watchdog),
    .limit_i(limit), .running_o(units_running), .done_o(done), .error_o(error), .layer_o(layers), .layer_done_o(layer_done),
    .fetch_o(fetch), .fetch_address_o(fetch_address), .fetch_beat_i(fetch_beat), .fetch_data_i(fetch_data),
    .desc_o(desc), .configure_o(configure), .start_o(start), .layer_stored_i(layer_stored),
    .progress_i(progress), .memory_error_i(memory_error));

  // ------------------------------------------------------------------ memory ports
  logic read_cmd_valid, read_cmd_ready, read_data_valid, read_error;
  logic [LIST_WIDTH-1:0] read_cmd_address, write_cmd_address;
  logic [BEATS_WIDTH-1:0] read_cmd_beats, write_cmd_beats;
  logic [DATA_WIDTH-1:0] read_data, write_data;
  logic write_cmd_valid, write_cmd_ready, write_data_valid, write_data_ready, write_error, write_idle;
  bs_axi_read #(
    .ADDRESS_WIDTH(ADDRESS_WIDTH), .LIST_WIDTH(LIST_WIDTH), .DATA_WIDTH(DATA_WIDTH), .BURST_BEATS(BURST_BEATS),
    .OUTSTANDING(OUTSTANDING)
  ) u_axi_read (
    .clk_i(clk_i), .rst_ni(unit_rst_n), .cmd_valid_i(read_cmd_valid), .cmd_ready_o(read_cmd_ready),
    .base_i(base), .cmd_address_i(read_cmd_address), .cmd_beats_i(read_cmd_beats), .data_valid_o(read_data_valid),
    .data_o(read_data), .error_o(read_error), .halt_i(halt), .busy_o(read_busy),
    .m_axi_arvalid_o(m_axi_arvalid_o), .m_axi_arready_i(m_axi_arready_i), .m_axi_araddr_o(m_axi_araddr_o),
    .m_axi_arlen_o(m_axi_arlen_o), .m_axi_rvalid_i(m_axi_rvalid_i), .m_axi_rready_o(m_axi_rready_o),
    .m_axi_rdata_i(m_axi_rdata_i), .m_axi_rresp_i(m_axi_rresp_i), .m_axi_rlast_i(m_axi_rlast_i));
  bs_axi_write #(
    .ADDRESS_WIDTH(ADDRESS_WIDTH), .LIST_WIDTH(LIST_WIDTH), .DATA_WIDTH(DATA_WIDTH), .BURST_BEATS(BURST_BEATS),
    .OUTSTANDING(OUTSTANDING)
  ) u_axi_write (
    .clk_i(clk_i), .rst_ni(unit_rst_n), .cmd_valid_i(write_cmd_valid), .cmd_ready_o(write_cmd_ready),
    .base_i(base), .cmd_address_i(write_cmd_address), .cmd_beats_i(write_cmd_beats), .data_valid_i(write_data_valid),
    .data_ready_o(write_data_ready), .data_i(write_data), .error_o(write_error), .halt_i(halt), .busy_o(write_busy),
    .idle_o(write_idle),
    .m_axi_awvalid_o(m_axi_awvalid_o), .m_axi_awready_i(m_axi_awready_i), .m_axi_awaddr_o(m_axi_awaddr_o),
    .m_axi_awlen_o(m_axi_awlen_o), .m_axi_wvalid_o(m_axi_wvalid_o), .m_axi_wready_i(m_axi_wready_i),
    .m_axi_wdata_o(m_axi_wdata_o), .m_axi_wstrb_o(m_axi_wstrb_o), .m_axi_wlast_o(m_axi_wlast_o),
    .m_axi_bvalid_i(m_axi_bvalid_i), .m_axi_bready_o(m_axi_bready_o), .m_axi_bresp_i(m_axi_bresp_i));
  assign memory_error = read_error || write_error;

  // ------------------------------------------------------------------ loader and buffers
  logic [COUNT_WIDTH-1:0] rows_loaded, rows_freed;
  logic [$clog2(WEIGHT_WORDS):0] weight_rows_loaded;
  logic loader_busy, act_write_even, act_write_odd, weight_row_freed, weight_beat;
  logic [$clog2(BANKS*ACTIVATION_DEPTH)-1:0] act_write_address;
  logic [PIECES-1:0] weight_write;
  logic [$clog2(WEIGHT_WORDS)-1:0] weight_write_address, weight_read_address;
  logic [POST_LANES-1:0] param_write;
  logic [$clog2(PARAMETER_DEPTH)-1:0] param_write_address, param_read_address;
  logic [RECORD_WIDTH-1:0] param_write_data;
  logic table_write;
  logic [$clog2(2048/DATA_WIDTH)-1:0] table_write_address;
  logic [DATA_WIDTH-1:0] load_data;
  bs_loader #(
    .OVERLAY(OVERLAY), .WEIGHT_WIDTH(WEIGHT_WIDTH), .LOAD_ROWS(LOAD_ROWS), .TILES(TILES), .ROWS(ROWS), .COLUMNS(COLUMNS),
    .DATA_WIDTH(DATA_WIDTH), .BANKS(BANKS), .MAX_WEIGHT_BITS(MAX_WEIGHT_BITS), .MAX_ACTIVATION_BITS(MAX_ACTIVATION_BITS),
    .TABLE_UNIT(TABLE_UNIT), .COUNT_WIDTH(COUNT_WIDTH), .LIST_WIDTH(LIST_WIDTH), .ACTIVATION_DEPTH(ACTIVATION_DEPTH),
    .WEIGHT_DEPTH(WEIGHT_WORDS), .PARAMETER_DEPTH(PARAMETER_DEPTH),
    .POST_LANES(POST_LANES), .ACC_WIDTH(ACC_WIDTH), .CLOCK_GATING(CLOCK_GATING)
  ) u_loader (
    .clk_i(clk_i), .rst_ni(unit_rst_n), .fetch_i(fetch), .fetch_address_i(fetch_address),
    .fetch_beat_o(fetch_beat), .fetch_data_o(fetch_data), .start_i(start), .desc_i(desc),
    .rows_freed_i(rows_freed), .weight_row_freed_i(weight_row_freed), .rows_loaded_o(rows_loaded),
    .weight_rows_loaded_o(weight_rows_loaded), .busy_o(loader_busy), .cmd_valid_o(read_cmd_valid),
    .cmd_ready_i(read_cmd_ready), .cmd_address_o(read_cmd_address), .cmd_beats_o(read_cmd_beats),
    .data_valid_i(read_data_valid), .data_i(read_data), .act_write_even_o(act_write_even),
    .act_write_odd_o(act_write_odd), .act_address_o(act_write_address), .weight_write_o(weight_write),
    .weight_address_o(weight_write_address), .weight_beat_o(weight_beat), .param_write_o(param_write),
    .param_address_o(param_write_address), .param_data_o(param_write_data), .table_write_o(table_write),
    .table_address_o(table_write_address), .data_o(load_data));

  logic [BANKS-1:0] act_even_planes, act_odd_planes;
  logic [$clog2(BANKS*ACTIVATION_DEPTH)-1:0] act_even_address, act_odd_address;
  logic [BANKS*DATA_WIDTH-1:0] act_even_data, act_odd_data;
  bs_plane_buffer #(.WIDTH(DATA_WIDTH), .BANKS(BANKS), .DEPTH(ACTIVATION_DEPTH), .WRITE_PLANES(1)) u_activations_even (
    .clk_i(clk_i), .write_planes_i(act_write_even), .write_address_i(act_write_address),
    .write_data_i(load_data), .write_mask_i({DATA_WIDTH{1'b1}}),
    .read_planes_i(act_even_planes), .read_address_i(act_even_address), .read_data_o(act_even_data));
  bs_plane_buffer #(.WIDTH(DATA_WIDTH), .BANKS(BANKS), .DEPTH(ACTIVATION_DEPTH), .WRITE_PLANES(1)) u_activations_odd (
    .clk_i(clk_i), .write_planes_i(act_write_odd), .write_address_i(act_write_address),
    .write_data_i(load_data), .write_mask_i({DATA_WIDTH{1'b1}}),
    .read_planes_i(act_odd_planes), .read_address_i(act_odd_address), .read_data_o(act_odd_data));

  logic weight_read;
  /* verilator lint_off UNUSEDSIGNAL */ // the last piece may be wider than the columns left
  logic [PIECES*DATA_WIDTH-1:0] weight_row_data;
  /* verilator lint_on UNUSEDSIGNAL */
  for (genvar i = 0; i < PIECES; i = i + 1) begin : g_weights
    bs_ram #(.WIDTH(DATA_WIDTH), .DEPTH(WEIGHT_WORDS)) u_weights (
      .clk_i(clk_i), .we_i(weight_write[i]), .waddr_i(weight_write_address), .wdata_i(load_data),
      .re_i(weight_read), .raddr_i(weight_read_address), .rdata_o(weight_row_data[i*DATA_WIDTH +: DATA_WIDTH]));
  end
  logic param_read;
  logic [POST_LANES*RECORD_WIDTH-1:0] param_data;
  for (genvar i = 0; i < POST_LANES; i = i + 1) begin : g_parameters
    bs_ram #(.WIDTH(RECORD_WIDTH), .DEPTH(PARAMETER_DEPTH)) u_parameters (
      .clk_i(clk_i), .we_i(param_write[i]), .waddr_i(param_write_address), .wdata_i(param_write_data),
      .re_i(param_read), .raddr_i(param_read_address), .rdata_o(param_data[i*RECORD_WIDTH +: RECORD_WIDTH]));
  end

  // ------------------------------------------------------------------ feeder, streamer, array
  logic vector_ready, release_vector, window;
  logic [$clog2(BANKS)-1:0] plane_select;
  logic [1:0] fold;
  logic [VECTORS*ROWS-1:0] plane_rows;
  logic [7:0] group_size;
  logic [4:0] top_plane;
  logic group_last;
  logic [COLUMNS*CODE_WIDTH-1:0] codes_data;
  logic [5:0] lines_read;
  bs_feeder #(
    .STRIPS(STRIPS), .FOLD(FOLD), .TILES(TILES), .VECTORS(VECTORS), .SKIP_PLANES(SKIP_PLANES), .ROWS(ROWS), .COLUMNS(COLUMNS), .DATA_WIDTH(DATA_WIDTH), .BANKS(BANKS),
    .MAX_ACTIVATION_BITS(MAX_ACTIVATION_BITS), .DEPTH(ACTIVATION_DEPTH), .CLOCK_GATING(CLOCK_GATING),
    .COUNT_WIDTH(COUNT_WIDTH)
  ) u_feeder (
    .clk_i(clk_i), .rst_ni(unit_rst_n), .start_i(start), .desc_i(desc), .rows_loaded_i(rows_loaded),
    .rows_freed_o(rows_freed), .read_even_planes_o(act_even_planes), .read_odd_planes_o(act_odd_planes),
    .read_even_address_o(act_even_address), .read_odd_address_o(act_odd_address),
    .read_even_data_i(act_even_data), .read_odd_data_i(act_odd_data), .vector_ready_o(vector_ready),
    .plane_select_i(plane_select), .fold_i(fold), .plane_o(plane_rows), .group_size_o(group_size), .group_last_o(group_last), .top_plane_o(top_plane), .code_o(codes_data), .release_i(release_vector),
    .window_o(window), .lines_read_o(lines_read));

  logic [TILES-1:0] weight_we;
  logic [$clog2(ROWS)-1:0] weight_row;
  logic [$clog2(COLUMNS)-1:0] weight_lane;
  logic [3:0] weight_plane, weight_select;
  logic plane_shift;
  logic array_busy, plane, codes, codes_high, plane_first, plane_last, plane_negative, first, tile_last, half, half_freed;
  logic [$clog2(PSUM_DEPTH)-1:0] pixel;
  logic [TILES*$clog2(COLUMNS+1)-1:0] lanes;
  logic vector, stream_busy, stream_waiting, tile_done, accumulate, accumulate_first;
  logic [15:0] lanes_total, tile_rows, weight_lanes;
  logic [3:0] word_rows;
  bs_streamer #(
    .OVERLAY(OVERLAY), .SKIP_PLANES(SKIP_PLANES), .FOLD(FOLD), .LOAD_ROWS(LOAD_ROWS), .TILES(TILES), .ROWS(ROWS), .COLUMNS(COLUMNS), .BANKS(BANKS), .WEIGHT_DEPTH(WEIGHT_WORDS), .PSUM_DEPTH(PSUM_DEPTH),
    .VECTORS(VECTORS), .MAX_WEIGHT_BITS(MAX_WEIGHT_BITS), .COUNT_WIDTH(COUNT_WIDTH)
  ) u_streamer (
    .clk_i(clk_i), .rst_ni(unit_rst_n), .start_i(start), .desc_i(desc),
    .weight_rows_loaded_i(weight_rows_loaded), .weight_read_o(weight_read),
    .weight_read_address_o(weight_read_address), .weight_row_freed_o(weight_row_freed), .weight_we_o(weight_we),
    .weight_row_o(weight_row), .weight_lane_o(weight_lane), .weight_plane_o(weight_plane),
    .vector_ready_i(vector_ready), .group_size_i(group_size), .group_last_i(group_last), .top_plane_i(top_plane), .plane_select_o(plane_select), .fold_o(fold),
    .release_o(release_vector), .array_busy_i(array_busy), .plane_o(plane), .codes_o(codes), .codes_high_o(codes_high),
    .plane_first_o(plane_first), .plane_last_o(plane_last), .plane_negative_o(plane_negative), .plane_shift_o(plane_shift),
    .weight_select_o(weight_select), .first_o(first),
    .tile_last_o(tile_last), .half_o(half), .pixel_o(pixel), .lanes_o(lanes), .half_freed_i(half_freed),
    .vector_o(vector), .lanes_total_o(lanes_total), .weight_lanes_o(weight_lanes), .tile_rows_o(tile_rows), .word_rows_o(word_rows),
    .busy_o(stream_busy), .waiting_o(stream_waiting));

  logic [TILES-1:0] psum_read;
  logic psum_read_half;
  logic [$clog2(PSUM_DEPTH)-1:0] psum_read_pixel;
  logic [$clog2(COLUMNS)-1:0] psum_read_group;
  logic [POST_LANES*ACC_WIDTH-1:0] psum_data;
  bs_array #(
    .OVERLAY(OVERLAY), .WEIGHT_WIDTH(WEIGHT_WIDTH), .FOLD(FOLD), .LOAD_ROWS(LOAD_ROWS), .VECTORS(VECTORS), .TILES(TILES), .ROWS(ROWS), .COLUMNS(COLUMNS), .MAX_WEIGHT_BITS(MAX_WEIGHT_BITS),
    .MAX_ACTIVATION_BITS(MAX_ACTIVATION_BITS), .ACC_WIDTH(ACC_WIDTH), .PSUM_DEPTH(PSUM_DEPTH), .POST_LANES(POST_LANES),
    .POPCOUNT_TREE(POPCOUNT_TREE), .CLOCK_GATING(CLOCK_GATING)
  ) u_array (
    .clk_i(clk_i), .rst_ni(unit_rst_n), .configure_i(configure), .weight_bits_i(desc[F_WEIGHT_BITS +: B_WEIGHT_BITS]),
    .maximum_i(desc[F_OPCODE +: B_OPCODE] == OP_MAX_POOL), .lanes_i(lanes), .weight_we_i(weight_we),
    .weight_row_i(weight_row), .weight_lane_i(weight_lane), .weight_plane_i(weight_plane),
    .weight_data_i(weight_row_data[WEIGHT_WIDTH-1:0]), .group_size_i(group_size), .plane_shift_i(plane_shift),
    .weight_select_i(weight_select), .plane_i(plane), .codes_i(codes), .codes_high_i(codes_high),
    .act_i(plane_rows), .fold_i(fold), .code_i(codes_data), .plane_first_i(plane_first), .plane_last_i(plane_last),
    .plane_negative_i(plane_negative), .first_i(first), .tile_last_i(tile_last), .half_i(half), .pixel_i(pixel),
    .busy_o(array_busy), .tile_done_o(tile_done), .accumulate_o(accumulate), .accumulate_first_o(accumulate_first),
    .read_i(psum_read), .read_half_i(psum_read_half), .read_pixel_i(psum_read_pixel),
    .read_group_i(psum_read_group), .read_data_o(psum_data));

  // ------------------------------------------------------------------ post-processing, output buffer, store
  localparam OUT_ADDRESS_WIDTH = $clog2(BANKS * OUTPUT_DEPTH * 2);
  logic block_done, carried, stored, store_freed, group, store_busy, out_read_even, out_read_odd;
  logic [3:0] group_outputs;
  logic [BANKS-1:0] out_even_planes, out_odd_planes;
  logic [OUT_ADDRESS_WIDTH-1:0] out_even_address, out_odd_address, out_read_address;
  logic [BANKS*DATA_WIDTH-1:0] out_even_data, out_odd_data;
  logic [DATA_WIDTH-1:0] out_even_mask, out_odd_mask;
  logic [DATA_WIDTH-1:0] out_even_lines, out_odd_lines;  // the store unit reads plane by plane
  bs_post #(
    .STRIPS(STRIPS), .TILES(TILES), .COLUMNS(COLUMNS), .DATA_WIDTH(DATA_WIDTH), .BANKS(BANKS),
    .MAX_ACTIVATION_BITS(MAX_ACTIVATION_BITS), .ACC_WIDTH(ACC_WIDTH), .PSUM_DEPTH(PSUM_DEPTH),
    .PARAMETER_DEPTH(PARAMETER_DEPTH), .OUTPUT_DEPTH(OUTPUT_DEPTH), .POST_LANES(POST_LANES),
    .VECTOR_UNIT(VECTOR_UNIT), .SWISH_UNIT(SWISH_UNIT), .TABLE_UNIT(TABLE_UNIT),
    .CLOCK_GATING(CLOCK_GATING), .COUNT_WIDTH(COUNT_WIDTH), .SERIAL_REQUANTIZER(SERIAL_REQUANTIZER)
  ) u_post (
    .clk_i(clk_i), .rst_ni(unit_rst_n), .start_i(start), .desc_i(desc), .tile_done_i(tile_done),
    .half_freed_o(half_freed), .store_freed_i(store_freed), .block_done_o(block_done), .carried_o(carried), .read_o(psum_read),
    .read_half_o(psum_read_half), .read_pixel_o(psum_read_pixel), .read_group_o(psum_read_group),
    .read_data_i(psum_data), .param_read_o(param_read), .param_address_o(param_read_address),
    .param_data_i(param_data), .table_write_i(table_write), .table_address_i(table_write_address),
    .table_data_i(load_data), .write_even_planes_o(out_even_planes), .write_odd_planes_o(out_odd_planes),
    .write_even_address_o(out_even_address), .write_odd_address_o(out_odd_address),
    .write_even_data_o(out_even_data), .write_odd_data_o(out_odd_data), .write_even_mask_o(out_even_mask),
    .write_odd_mask_o(out_odd_mask), .group_o(group), .outputs_o(group_outputs));
  bs_plane_buffer #(.WIDTH(DATA_WIDTH), .BANKS(BANKS), .DEPTH(2*OUTPUT_DEPTH), .MASKED(1), .READ_PLANES(1)) u_outputs_even (
    .clk_i(clk_i), .write_planes_i(out_even_planes), .write_address_i(out_even_address),
    .write_data_i(out_even_data), .write_mask_i(out_even_mask),
    .read_planes_i(out_read_even), .read_address_i(out_read_address),
    .read_data_o(out_even_lines));
  bs_plane_buffer #(.WIDTH(DATA_WIDTH), .BANKS(BANKS), .DEPTH(2*OUTPUT_DEPTH), .MASKED(1), .READ_PLANES(1)) u_outputs_odd (
    .clk_i(clk_i), .write_planes_i(out_odd_planes), .write_address_i(out_odd_address),
    .write_data_i(out_odd_data), .write_mask_i(out_odd_mask),
    .read_planes_i(out_read_odd), .read_address_i(out_read_address),
    .read_data_o(out_odd_lines));
  bs_store #(
    .DATA_WIDTH(DATA_WIDTH), .BANKS(BANKS), .OUTPUT_DEPTH(OUTPUT_DEPTH), .MAX_ACTIVATION_BITS(MAX_ACTIVATION_BITS),
    .CLOCK_GATING(CLOCK_GATING), .COUNT_WIDTH(COUNT_WIDTH), .LIST_WIDTH(LIST_WIDTH)
  ) u_store (
    .clk_i(clk_i), .rst_ni(unit_rst_n), .start_i(start), .desc_i(desc), .block_done_i(block_done),
    .half_freed_o(store_freed), .layer_done_o(stored), .busy_o(store_busy), .read_even_o(out_read_even),
    .read_odd_o(out_read_odd), .read_address_o(out_read_address),
    .read_even_data_i(out_even_lines), .read_odd_data_i(out_odd_lines),
    .cmd_valid_o(write_cmd_valid), .cmd_ready_i(write_cmd_ready), .idle_i(write_idle),
    .cmd_address_o(write_cmd_address), .cmd_beats_o(write_cmd_beats), .data_valid_o(write_data_valid), .data_ready_i(write_data_ready),
    .data_o(write_data));

  assign layer_stored = desc[F_CARRY_OUT] ? carried : stored;

  // ------------------------------------------------------------------ progress and events
  logic memory_write;
  assign memory_write = m_axi_wvalid_o && m_axi_wready_i;
  assign progress = (m_axi_arvalid_o && m_axi_arready_i) || read_data_valid || (m_axi_awvalid_o && m_axi_awready_i)
                    || memory_write || m_axi_bvalid_i || stream_busy || group;
  bs_events #(.ENABLE(EVENT_COUNTERS), .OVERLAY(OVERLAY)) u_events (
    .clk_i(clk_i), .clear_i(run && !running), .running_i(units_running), .loader_busy_i(loader_busy), .array_busy_i(stream_busy),
    .post_busy_i(group), .store_busy_i(store_busy), .array_waiting_i(stream_waiting), .vector_i(vector), .group_size_i(group_size),
    .plane_i(plane), .weight_bits_i(desc[F_WEIGHT_BITS +: B_WEIGHT_BITS]),
    .lanes_i(lanes_total), .rows_i(tile_rows),
    .accumulate_i(accumulate), .accumulate_first_i(accumulate_first), .post_outputs_i(group_outputs),
    .out_bits_i(desc[F_OUTPUT_BITS +: B_OUTPUT_BITS]), .weight_row_i(weight_read), .word_rows_i(word_rows), .weight_lanes_i(weight_lanes),
    .window_i(window), .activation_lines_read_i(lines_read),
    .activation_line_written_i(act_write_even || act_write_odd), .weight_line_written_i(weight_beat),
    .output_line_read_i(out_read_even || out_read_odd), .memory_read_i(read_data_valid),
    .memory_write_i(memory_write), .select_i(event_select), .value_o(event_value));

`ifdef BS_CHECKS
  `include "bs_checks.svh"
  `BS_CHECKS_BEGIN
  `include "bs_parameter_checks.svh"
  // No output is unknown where it says something.
  `BS_CHECK(^{s_axil_awready_o, s_axil_wready_o, s_axil_bvalid_o, s_axil_arready_o, s_axil_rvalid_o} !== 1'bx)
  `BS_CHECK(!s_axil_rvalid_o || ^{s_axil_rdata_o, s_axil_rresp_o} !== 1'bx)
  `BS_CHECK(^{interrupt_o, layer_done_o, m_axi_arvalid_o, m_axi_rready_o, m_axi_awvalid_o, m_axi_wvalid_o, m_axi_bready_o} !== 1'bx)
  `BS_CHECK(!m_axi_arvalid_o || ^{m_axi_araddr_o, m_axi_arlen_o} !== 1'bx)
  `BS_CHECK(!m_axi_awvalid_o || ^{m_axi_awaddr_o, m_axi_awlen_o} !== 1'bx)
  `BS_CHECK(!m_axi_wvalid_o || ^{m_axi_wdata_o, m_axi_wstrb_o, m_axi_wlast_o} !== 1'bx)
`endif
endmodule
