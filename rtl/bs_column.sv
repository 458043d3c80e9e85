// SPDX-License-Identifier: Apache-2.0
// One column of the array: ROWS one-bit weight cells, AND with the broadcast activation plane, popcount,
// and a Horner accumulator (planes come most significant first, so the shift is a constant 1). The column
// also holds one register of the joiner, the log-step reduction that combines the columns of one output.
//
// A plane on act_i in cycle t is counted at its end, accumulated at the end of t+1, and may be captured in
// t+2: latency from plane to accumulator COLUMN_LATENCY = 2.
module bs_column #(
  parameter ROWS      = 64,  // cells
  parameter ACC_WIDTH = 24,  // Horner accumulator, two's complement
  parameter JOIN_WIDTH = 40, // joined output, two's complement
  parameter INDEX     = 0,   // position in the macro
  parameter POPCOUNT_TREE = 0, // 1: bs_products in place of $countones
  parameter CLOCK_GATING = 0   // 1: registers are clocked when they load, by gates in place of enables
) (
  input  logic                    clk_i,
  // Role of this column for the layer's weight width, registered when configure_i is set.
  input  logic                    configure_i,
  input  logic [4:0]              weight_bits_i,
  // Weight cells: one row a cycle; gated: by the clock of the row.
  input  logic [ROWS-1:0]         cell_clk_i,
  input  logic                    weight_we_i,
  input  logic [$clog2(ROWS)-1:0] weight_row_i,
  input  logic                    weight_bit_i,
  // Plane pipeline. enable_i: the column belongs to an output of this tile.
  input  logic                    enable_i,
  input  logic                    plane_valid_i,
  input  logic [ROWS-1:0]         act_i,
  input  logic                    count_valid_i,
  input  logic                    count_first_i,     // first plane of a vector
  input  logic                    count_negative_i,  // sign plane of two's complement activations
  // Joiner: in step 0 the accumulators are captured and pairs added, in step l values 2^l columns apart.
  input  logic                    join_valid_i,
  input  logic [1:0]              join_step_i,
  input  logic signed [ACC_WIDTH-1:0]  acc_1_i,  // accumulator of column INDEX+1
  /* verilator lint_off UNUSEDSIGNAL */ // their top bits repeat the sign
  input  logic signed [JOIN_WIDTH-1:0] join_2_i, // joiner registers of columns INDEX+2, +4, +8
  input  logic signed [JOIN_WIDTH-1:0] join_4_i,
  input  logic signed [JOIN_WIDTH-1:0] join_8_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output logic signed [ACC_WIDTH-1:0]  acc_o,
  output logic signed [JOIN_WIDTH-1:0] join_o
);
  localparam COUNT_WIDTH = $clog2(ROWS + 1);

  // Position of this column's bit in its output's weight (INDEX mod weight_bits, least significant first) decides its
  // role: step l of the joiner adds the register 2^l columns on where this column is the even end of a pair inside
  // one output; the column of the sign bit counts negatively.
  logic [3:0] position;
  logic [3:0] adds_q;
  logic       sign_column_q;
  always_ff @(posedge clk_i) begin
    if (configure_i) begin
      /* verilator lint_off WIDTH */     // constants below 16
      /* verilator lint_off BLKSEQ */    // an intermediate of this block
      case (weight_bits_i)
        5'd1: position = INDEX % 1;
        5'd2: position = INDEX % 2;
        5'd3: position = INDEX % 3;
        5'd4: position = INDEX % 4;
        5'd5: position = INDEX % 5;
        5'd6: position = INDEX % 6;
        5'd7: position = INDEX % 7;
        5'd8: position = INDEX % 8;
        5'd9: position = INDEX % 9;
        5'd10: position = INDEX % 10;
        5'd11: position = INDEX % 11;
        5'd12: position = INDEX % 12;
        5'd13: position = INDEX % 13;
        5'd14: position = INDEX % 14;
        5'd15: position = INDEX % 15;
        default: position = INDEX % 16;
      endcase
      /* verilator lint_on BLKSEQ */
      /* verilator lint_on WIDTH */
      adds_q[0] <= !position[0] && ({1'b0, position} + 5'd1 < weight_bits_i);
      adds_q[1] <= position[1:0] == 2'd0 && ({1'b0, position} + 5'd2 < weight_bits_i);
      adds_q[2] <= position[2:0] == 3'd0 && ({1'b0, position} + 5'd4 < weight_bits_i);
      adds_q[3] <= position == 4'd0 && weight_bits_i > 5'd8;
      sign_column_q <= ({1'b0, position} + 5'd1 == weight_bits_i) && weight_bits_i != 5'd1;
    end
  end

  logic [ROWS-1:0] cells;
  logic count_clk, acc_clk, join_clk;
  if (CLOCK_GATING != 0) begin : g_gated
    for (genvar r = 0; r < ROWS; r = r + 1) begin : g_cell
      logic cell_q;
      always_ff @(posedge cell_clk_i[r]) cell_q <= weight_bit_i;
      assign cells[r] = cell_q;
    end
    bs_clock_gate u_count (.clk_i(clk_i), .enable_i(plane_valid_i && enable_i), .clk_o(count_clk));
    bs_clock_gate u_acc (.clk_i(clk_i), .enable_i(count_valid_i && enable_i), .clk_o(acc_clk));
    bs_clock_gate u_join (.clk_i(clk_i), .enable_i(join_valid_i && enable_i), .clk_o(join_clk));
    logic unused;
    assign unused = ^{weight_we_i, weight_row_i};
  end else begin : g_enabled
    logic [ROWS-1:0] cell_q;
    always_ff @(posedge clk_i) begin
      if (weight_we_i) cell_q[weight_row_i] <= weight_bit_i;
    end
    assign cells = cell_q;
    assign count_clk = clk_i;
    assign acc_clk = clk_i;
    assign join_clk = clk_i;
    logic unused;
    assign unused = ^cell_clk_i;
  end

  // Tests of signals that all columns share come first: simulators then skip all idle columns at once. The products
  // have a name because Icarus 11 counts wrongly in $countones of an expression.
  logic [COUNT_WIDTH-1:0] count_q;
  if (POPCOUNT_TREE != 0) begin : g_tree
    logic [COUNT_WIDTH-1:0] count;
    bs_products #(.ROWS(ROWS)) u_products (.act_i(act_i), .weight_i(cells), .count_o(count));
    always_ff @(posedge count_clk) begin
      if (CLOCK_GATING != 0 || (plane_valid_i && enable_i)) count_q <= count;
    end
  end else begin : g_countones
    logic [ROWS-1:0] products;
    always_ff @(posedge count_clk) begin
      if (CLOCK_GATING != 0 || plane_valid_i) begin
        if (CLOCK_GATING != 0 || enable_i) begin
          /* verilator lint_off BLKSEQ */ // an intermediate of this block
          products = act_i & cells;
          /* verilator lint_on BLKSEQ */
          count_q <= $countones(products);
        end
      end
    end
  end

  logic signed [ACC_WIDTH-1:0] acc_q;
  logic signed [ACC_WIDTH-1:0] count_ext, augend, addend;
  assign count_ext = {{(ACC_WIDTH - COUNT_WIDTH){1'b0}}, count_q};
  assign augend = count_first_i ? {ACC_WIDTH{1'b0}} : {acc_q[ACC_WIDTH-2:0], 1'b0};
  assign addend = count_negative_i ^ sign_column_q ? -count_ext : count_ext;
  always_ff @(posedge acc_clk) begin
    if (CLOCK_GATING != 0 || count_valid_i) begin
      if (CLOCK_GATING != 0 || enable_i) acc_q <= augend + addend;
    end
  end
  assign acc_o = acc_q;

  logic signed [JOIN_WIDTH-1:0] join_q, join_addend;
  assign join_addend = !adds_q[join_step_i] ? {JOIN_WIDTH{1'b0}}
                       : join_step_i == 2'd0 ? {{(JOIN_WIDTH - ACC_WIDTH - 1){acc_1_i[ACC_WIDTH-1]}}, acc_1_i, 1'b0}
                       : join_step_i == 2'd1 ? {join_2_i[JOIN_WIDTH-3:0], 2'b0}
                       : join_step_i == 2'd2 ? {join_4_i[JOIN_WIDTH-5:0], 4'b0}
                                             : {join_8_i[JOIN_WIDTH-9:0], 8'b0};
  always_ff @(posedge join_clk) begin
    if (CLOCK_GATING != 0 || join_valid_i) begin
      if (CLOCK_GATING != 0 || enable_i) begin
        join_q <= (join_step_i == 2'd0 ? {{(JOIN_WIDTH - ACC_WIDTH){acc_q[ACC_WIDTH-1]}}, acc_q} : join_q)
                  + join_addend;
      end
    end
  end
  assign join_o = join_q;
endmodule
