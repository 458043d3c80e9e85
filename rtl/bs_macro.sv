// SPDX-License-Identifier: Apache-2.0
// One macro: COLUMNS columns, the joiner that combines `weight_bits` neighbouring columns into an output
// (output j: columns j*weight_bits ..), and one lane of partial sums an output.
module bs_macro #(
  parameter ROWS       = 64,
  parameter COLUMNS    = 64,
  parameter MAX_WEIGHT_BITS = 16,
  parameter MAX_ACTIVATION_BITS = 16,
  parameter ACC_WIDTH  = 48,  // partial sums
  parameter PSUM_DEPTH = 256, // pixels a half
  parameter POST_LANES = 4    // lanes post-processing reads at once
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,
  input  logic                    configure_i,
  input  logic [4:0]              weight_bits_i,
  input  logic [$clog2(COLUMNS+1)-1:0] lanes_i,  // outputs of this tile in this macro; changes while drained
  input  logic                    weight_we_i,
  input  logic [$clog2(ROWS)-1:0] weight_row_i,
  input  logic [COLUMNS-1:0]      weight_data_i,
  input  logic                    plane_valid_i,
  input  logic [ROWS-1:0]         act_i,
  input  logic                    count_valid_i,
  input  logic                    count_first_i,
  input  logic                    count_negative_i,
  input  logic                    join_valid_i,
  input  logic [1:0]              join_step_i,
  // Accumulation of the joined outputs, or (pooling) of the codes on code_i.
  input  logic                    accumulate_i,
  input  logic                    codes_i,
  input  logic                    maximum_i,
  input  logic                    first_i,
  input  logic                    half_i,
  input  logic [$clog2(PSUM_DEPTH)-1:0] pixel_i,
  input  logic signed [MAX_ACTIVATION_BITS+$clog2(ROWS+1):0] sum_i,
  input  logic [COLUMNS*(MAX_ACTIVATION_BITS+1)-1:0] code_i,  // two's complement
  // Post-processing reads lanes read_group_i * POST_LANES and following.
  input  logic                    read_i,
  input  logic                    read_half_i,
  input  logic [$clog2(PSUM_DEPTH)-1:0] read_pixel_i,
  input  logic [$clog2(COLUMNS)-1:0]    read_group_i,
  output logic [POST_LANES*ACC_WIDTH-1:0] read_data_o  // the cycle after read_i
);
  localparam COLUMN_WIDTH = MAX_ACTIVATION_BITS + $clog2(ROWS + 1) + 1;
  localparam JOIN_WIDTH = COLUMN_WIDTH + MAX_WEIGHT_BITS;
  localparam CODE_WIDTH = MAX_ACTIVATION_BITS + 1;
  localparam VALUE_WIDTH = JOIN_WIDTH < ACC_WIDTH ? JOIN_WIDTH : ACC_WIDTH;
  localparam GROUPS = (COLUMNS + POST_LANES - 1) / POST_LANES;

  // Columns below lanes * weight_bits take part in this tile. Entries past the last column are zero.
  logic signed [COLUMN_WIDTH-1:0] acc  [0:COLUMNS];
  logic signed [JOIN_WIDTH-1:0]   joined [0:COLUMNS+7];
  assign acc[COLUMNS] = {COLUMN_WIDTH{1'b0}};
  for (genvar e = COLUMNS; e < COLUMNS + 8; e = e + 1) begin : g_edge
    assign joined[e] = {JOIN_WIDTH{1'b0}};
  end

  logic [COLUMNS-1:0] enable_q;
  always_ff @(posedge clk_i) enable_q <= ~({COLUMNS{1'b1}} << (lanes_i * {{($clog2(COLUMNS+1)){1'b0}}, weight_bits_i}));

  for (genvar c = 0; c < COLUMNS; c = c + 1) begin : g_column
    logic signed [COLUMN_WIDTH-1:0] column_acc;
    logic signed [JOIN_WIDTH-1:0]   column_joined;
    bs_column #(
      .ROWS(ROWS), .ACC_WIDTH(COLUMN_WIDTH), .JOIN_WIDTH(JOIN_WIDTH), .INDEX(c)
    ) u_column (
      .clk_i(clk_i), .configure_i(configure_i), .weight_bits_i(weight_bits_i),
      .weight_we_i(weight_we_i), .weight_row_i(weight_row_i), .weight_bit_i(weight_data_i[c]),
      .enable_i(enable_q[c]), .plane_valid_i(plane_valid_i), .act_i(act_i),
      .count_valid_i(count_valid_i), .count_first_i(count_first_i), .count_negative_i(count_negative_i),
      .join_valid_i(join_valid_i), .join_step_i(join_step_i),
      .acc_1_i(acc[c+1]), .join_2_i(joined[c+2]), .join_4_i(joined[c+4]), .join_8_i(joined[c+8]),
      .acc_o(column_acc), .join_o(column_joined));
    assign acc[c] = column_acc;
    assign joined[c] = column_joined;
  end

  wire signed [ACC_WIDTH-1:0] read_0 [0:GROUPS*POST_LANES-1];
  wire signed [ACC_WIDTH-1:0] read_1 [0:GROUPS*POST_LANES-1];
  for (genvar j = 0; j < COLUMNS; j = j + 1) begin : g_lane
    logic signed [JOIN_WIDTH-1:0] value_q;
    localparam LANE = j;
    /* verilator lint_off WIDTH */
    localparam [$clog2(COLUMNS)-1:0] GROUP = j / POST_LANES;
    /* verilator lint_on WIDTH */
    logic signed [ACC_WIDTH-1:0] data_0, data_1;
    always_ff @(posedge clk_i) begin
      if (accumulate_i && lanes_i > j) begin
        if (codes_i) begin
          value_q <= {{(JOIN_WIDTH - CODE_WIDTH){code_i[j*CODE_WIDTH+CODE_WIDTH-1]}},
                      code_i[j*CODE_WIDTH +: CODE_WIDTH]};
        end else begin
          case (weight_bits_i)
            5'd2: value_q <= joined[j*2 < COLUMNS ? j*2 : COLUMNS];
            5'd3: value_q <= joined[j*3 < COLUMNS ? j*3 : COLUMNS];
            5'd4: value_q <= joined[j*4 < COLUMNS ? j*4 : COLUMNS];
            5'd5: value_q <= joined[j*5 < COLUMNS ? j*5 : COLUMNS];
            5'd6: value_q <= joined[j*6 < COLUMNS ? j*6 : COLUMNS];
            5'd7: value_q <= joined[j*7 < COLUMNS ? j*7 : COLUMNS];
            5'd8: value_q <= joined[j*8 < COLUMNS ? j*8 : COLUMNS];
            5'd9: value_q <= joined[j*9 < COLUMNS ? j*9 : COLUMNS];
            5'd10: value_q <= joined[j*10 < COLUMNS ? j*10 : COLUMNS];
            5'd11: value_q <= joined[j*11 < COLUMNS ? j*11 : COLUMNS];
            5'd12: value_q <= joined[j*12 < COLUMNS ? j*12 : COLUMNS];
            5'd13: value_q <= joined[j*13 < COLUMNS ? j*13 : COLUMNS];
            5'd14: value_q <= joined[j*14 < COLUMNS ? j*14 : COLUMNS];
            5'd15: value_q <= joined[j*15 < COLUMNS ? j*15 : COLUMNS];
            5'd16: value_q <= joined[j*16 < COLUMNS ? j*16 : COLUMNS];
            // -1/+1 weights: sum((2b-1)*a) = 2*sum(b*a) - sum(a)
            default: value_q <= {joined[j][JOIN_WIDTH-2:0], 1'b0}
                                - {{(JOIN_WIDTH - COLUMN_WIDTH){sum_i[COLUMN_WIDTH-1]}}, sum_i};
          endcase
        end
      end
    end
    bs_lane #(.IN_WIDTH(VALUE_WIDTH), .ACC_WIDTH(ACC_WIDTH), .DEPTH(PSUM_DEPTH)) u_lane (
      .clk_i(clk_i), .rst_ni(rst_ni), .valid_i(accumulate_i && lanes_i > j), .maximum_i(maximum_i),
      .first_i(first_i), .half_i(half_i), .pixel_i(pixel_i), .value_i(value_q[VALUE_WIDTH-1:0]),
      .read_i(read_i && read_group_i == GROUP), .read_half_i(read_half_i),
      .read_pixel_i(read_pixel_i), .read_data_0_o(data_0), .read_data_1_o(data_1));
    assign read_0[LANE] = data_0;
    assign read_1[LANE] = data_1;
  end
  for (genvar e = COLUMNS; e < GROUPS * POST_LANES; e = e + 1) begin : g_no_lane
    assign read_0[e] = {ACC_WIDTH{1'b0}};
    assign read_1[e] = {ACC_WIDTH{1'b0}};
  end

  logic read_half_q;
  logic [$clog2(COLUMNS)-1:0] read_group_q;
  always_ff @(posedge clk_i) begin
    if (read_i) begin
      read_half_q <= read_half_i;
      read_group_q <= read_group_i;
    end
  end
  for (genvar p = 0; p < POST_LANES; p = p + 1) begin : g_read
    assign read_data_o[p*ACC_WIDTH +: ACC_WIDTH] = read_half_q ? read_1[read_group_q * POST_LANES + p]
                                                               : read_0[read_group_q * POST_LANES + p];
  end
endmodule
