// SPDX-License-Identifier: Apache-2.0
// Runs the descriptor list: fetch, check, start the units, wait for the barrier (all of the layer's output stored and
// answered), next. Ends with done, or with an error: bad descriptor, an address that is no multiple of a beat's bytes or a
// base that is none of a page's, memory error response, or no progress for watchdog_i cycles. After an error the
// accelerator must be reset (control register) before it is started again.
module bs_sequencer #(
  parameter DATA_WIDTH = 64,
  parameter MAX_WEIGHT_BITS = 16,
  parameter MAX_ACTIVATION_BITS = 16,
  parameter VECTOR_UNIT = 1,
  parameter SWISH_UNIT = 1,
  parameter TABLE_UNIT = 1,
  parameter CLOCK_GATING = 0,  // as in bs_column
  parameter CONFIGURATION = 0,  // hash that lists must carry; 0: any
  parameter ADDRESS_WIDTH = 32,
  parameter LIST_WIDTH = ADDRESS_WIDTH < 32 ? ADDRESS_WIDTH : 32
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                run_i,             // pulse
  input  logic [LIST_WIDTH-1:0] list_address_i,
  input  logic [ADDRESS_WIDTH-1:0] base_i,       // where the addresses of lists are counted from
  input  logic [31:0]         watchdog_i,        // 0: never
  input  logic [31:0]         limit_i,           // cycles of a run; 0: any
  output logic                running_o,
  output logic                done_o,            // level, until the next run
  output logic [1:0]          error_o,           // 0 none, 1 descriptor or address, 2 memory, 3 no progress or too long
  output logic [15:0]         layer_o,           // layers finished in this run
  output logic                layer_done_o,      // pulse
  // Descriptor fetch.
  output logic                fetch_o,
  output logic [LIST_WIDTH-1:0] fetch_address_o,
  output logic [ADDRESS_WIDTH-1:0] base_o,       // of the run
  input  logic                fetch_beat_i,
  input  logic [DATA_WIDTH-1:0] fetch_data_i,
  // Layer.
  output logic [64*32-1:0]    desc_o,
  output logic                configure_o,       // the cycle before start_o
  output logic                start_o,
  input  logic                layer_stored_i,
  input  logic                progress_i,        // something moved this cycle
  input  logic                memory_error_i
);
  `include "bs_descriptor.svh"
  localparam LAST_BEAT = DESC_WORDS * 32 / DATA_WIDTH - 1;
  localparam SIZE = $clog2(DATA_WIDTH / 8);

  typedef enum logic [2:0] {IDLE, FETCH, RECEIVE, CHECK, CONFIGURE, RUN, DONE, ERROR} state_e;
  state_e state_q;
  logic [64*32-1:0] desc_q;
  logic [6:0] beat_q;
  logic [LIST_WIDTH-1:0] address_q;
  logic [31:0] idle_cycles_q, run_cycles_q;
  logic [ADDRESS_WIDTH-1:12] base_q;
  logic [15:0] layer_q;
  logic [1:0] error_q;
  assign desc_o = desc_q;

  // Words are checked as they come, so that fields need no registers for what no unit reads. What depends on a word that
  // may come later, or in the same beat, waits for the last beat.
  localparam WORDS = DATA_WIDTH >= 32 ? DATA_WIDTH / 32 : 1;  // that come at once
  logic receive;
  logic [6:0] first_place;  // of them
  logic [WORDS*32-1:0] words;
  logic good;
  if (DATA_WIDTH < 32) begin : g_halves
    logic [DATA_WIDTH-1:0] low_q;
    always_ff @(posedge clk_i) if (fetch_beat_i) low_q <= fetch_data_i;
    assign words = {fetch_data_i, low_q};
    assign first_place = {1'b0, beat_q[6:1]};
    assign receive = state_q == RECEIVE && fetch_beat_i && beat_q[0];
  end else begin : g_whole
    assign words = fetch_data_i;
    assign first_place = beat_q * WORDS[6:0];
    assign receive = state_q == RECEIVE && fetch_beat_i;
  end
  // What is wrong of a word, if it is one that says so: a word of every descriptor, the width of the weights, the width of
  // the second tensor. A function of the cycles in which words come, so that simulators do not ask in the others.
  function automatic [2:0] wrong(input [31:0] value, input [5:0] place, input second);
    logic [7:0] opcode;
    logic [4:0] weight_bits, activation_bits, output_bits, second_bits;
    logic [1:0] activation;
    logic two_inputs, known, first_good, widths_good, activation_good, second_beats_good, configuration_good;
    begin
      opcode = value[F_OPCODE % 32 +: B_OPCODE];
      weight_bits = value[F_WEIGHT_BITS % 32 +: B_WEIGHT_BITS];
      activation_bits = value[F_ACTIVATION_BITS % 32 +: B_ACTIVATION_BITS];
      output_bits = value[F_OUTPUT_BITS % 32 +: B_OUTPUT_BITS];
      second_bits = value[F_SECOND_BITS % 32 +: B_SECOND_BITS];
      activation = value[F_ACTIVATION % 32 +: B_ACTIVATION];
      two_inputs = opcode == OP_ADD || opcode == OP_MULTIPLY;
      known = opcode == OP_CONVOLUTION || opcode == OP_MAX_POOL || opcode == OP_AVERAGE_POOL || opcode == OP_COPY
              || (two_inputs && VECTOR_UNIT != 0);
      first_good = value[F_MAGIC % 32 +: B_MAGIC] == DESC_MAGIC && known && (!two_inputs || value[F_SECOND % 32]);
      widths_good = activation_bits != 5'd0 && activation_bits <= MAX_ACTIVATION_BITS[4:0]
                    && output_bits != 5'd0 && output_bits <= MAX_ACTIVATION_BITS[4:0];
      activation_good = (activation != ACT_SWISH || SWISH_UNIT != 0) && (activation != ACT_TABLE || TABLE_UNIT != 0);
      second_beats_good = !second || value[F_SECOND_ROW_BEATS % 32 +: B_SECOND_ROW_BEATS] != {B_SECOND_ROW_BEATS{1'b0}};
      configuration_good = CONFIGURATION == 0 || value == CONFIGURATION[31:0];
      // No loop may be empty and no command without beats, because the units count up to these; bursts are of whole
      // beats, so where a row or tile begins must be one, too.
      wrong[0] = !(`BS_COUNT_GOOD(place, value) && `BS_BEAT_GOOD(place, value, SIZE)
                   && (place != F_OPCODE[10:5] || first_good) && (place != F_OUTPUT_BITS[10:5] || widths_good)
                   && (place != F_ACTIVATION[10:5] || activation_good)
                   && (place != F_SECOND_ROW_BEATS[10:5] || second_beats_good)
                   && (place != F_CONFIGURATION[10:5] || configuration_good));
      wrong[1] = place == F_WEIGHT_BITS[10:5] && !(weight_bits != 5'd0 && weight_bits <= MAX_WEIGHT_BITS[4:0]);
      wrong[2] = place == F_SECOND_BITS[10:5] && !(second_bits != 5'd0 && second_bits <= MAX_ACTIVATION_BITS[4:0]);
    end
  endfunction
  logic [2:0] wrong_words, wrong_q;  // as wrong() says, of the words that come, and of the descriptor so far
  always_ff @(posedge clk_i) begin
    if (state_q == FETCH) begin
      wrong_q <= 3'd0;
    end else if (receive) begin
      /* verilator lint_off BLKSEQ */ // an intermediate of this block
      wrong_words = wrong_q;
      for (int i = 0; i < WORDS; i = i + 1)
        wrong_words = wrong_words | wrong(words[i*32 +: 32], first_place[5:0] + i[5:0], desc_q[F_SECOND]);
      /* verilator lint_on BLKSEQ */
      wrong_q <= wrong_words;
    end
  end
  assign good = !wrong_q[0] && (desc_q[F_OPCODE +: B_OPCODE] != OP_CONVOLUTION || !wrong_q[1])
                && (!desc_q[F_SECOND] || !wrong_q[2]);

  logic begins_well;
  // Bursts are cut at pages of the list's addresses, which must be pages of memory.
  assign begins_well = list_address_i[SIZE-1:0] == {SIZE{1'b0}} && base_i[11:0] == 12'd0;

  logic stuck, active;
  assign active = state_q == FETCH || state_q == RECEIVE || state_q == RUN;
  assign stuck = active && ((watchdog_i != 32'd0 && idle_cycles_q == watchdog_i)
                            || (limit_i != 32'd0 && run_cycles_q >= limit_i));
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      idle_cycles_q <= 32'd0;
      run_cycles_q <= 32'd0;
    end else begin
      idle_cycles_q <= !active || progress_i ? 32'd0 : idle_cycles_q + 32'd1;
      run_cycles_q <= running_o ? run_cycles_q + 32'd1 : 32'd0;
    end
  end

  assign fetch_o = state_q == FETCH;
  assign fetch_address_o = address_q;
  assign base_o = {base_q, 12'd0};
  assign configure_o = state_q == CHECK && good;
  assign start_o = state_q == CONFIGURE;
  assign layer_done_o = state_q == RUN && layer_stored_i && !memory_error_i;
  assign running_o = state_q != IDLE && state_q != DONE && state_q != ERROR;
  assign done_o = state_q == DONE;
  assign error_o = error_q;
  assign layer_o = layer_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= IDLE;
      error_q <= 2'd0;
      layer_q <= 16'd0;
      beat_q <= 7'd0;
    end else if (active && memory_error_i) begin
      state_q <= ERROR;
      error_q <= 2'd2;
    end else if (stuck) begin
      state_q <= ERROR;
      error_q <= 2'd3;
    end else begin
      unique case (state_q)
        IDLE, DONE: begin
          if (run_i) begin
            state_q <= begins_well ? FETCH : ERROR;
            if (!begins_well) error_q <= 2'd1;
            layer_q <= 16'd0;
          end
        end
        FETCH: begin
          state_q <= RECEIVE;
          beat_q <= 7'd0;
        end
        RECEIVE: begin
          if (fetch_beat_i) begin
            beat_q <= beat_q + 7'd1;
            if (beat_q == LAST_BEAT[6:0]) state_q <= CHECK;
          end
        end
        CHECK: begin
          state_q <= good ? CONFIGURE : ERROR;
          if (!good) error_q <= 2'd1;
        end
        CONFIGURE: state_q <= RUN;
        RUN: begin
          if (layer_stored_i) begin
            layer_q <= layer_q + 16'd1;
            state_q <= desc_q[F_LAST] ? DONE : FETCH;
          end
        end
        default: state_q <= ERROR;
      endcase
    end
  end
  always_ff @(posedge clk_i) begin
    if (run_i && (state_q == IDLE || state_q == DONE)) begin
      address_q <= list_address_i;
      base_q <= base_i[ADDRESS_WIDTH-1:12];
    end else if (layer_done_o) address_q <= address_q + DESC_STRIDE[LIST_WIDTH-1:0];
  end
  logic desc_clk;
  if (CLOCK_GATING != 0) begin : g_gated
    bs_clock_gate u_desc (.clk_i(clk_i), .enable_i(receive), .clk_o(desc_clk));
  end else begin : g_enabled
    assign desc_clk = clk_i;
  end
  // Every word is written by itself: a register that shifted would need all bits of a word for those of the word below.
  for (genvar w = 0; w < DESC_WORDS; w = w + 1) begin : g_word
    localparam FIRST = w / WORDS * WORDS;
    // Opcodes that are known need three bits.
    localparam [31:0] KEPT = w == F_OPCODE / 32 ? ~(32'hf8 << (F_OPCODE % 32)) : 32'hffffffff;
    always_ff @(posedge desc_clk) begin
      if ((CLOCK_GATING != 0 || receive) && first_place == FIRST[6:0]) desc_q[w*32 +: 32] <= words[(w % WORDS)*32 +: 32] & KEPT;
    end
  end
endmodule
