// SPDX-License-Identifier: Apache-2.0
// One output lane: adds joined outputs (or, for pooling, takes sums and maxima of codes) into partial sums.
// Two halves of DEPTH pixels: one accumulates while the other is post-processed.
//
// valid_i in cycle t reads the partial sum; value_i is given in t+1 and the result written at the end of t+1.
// The same pixel must not come again in t+1 (the array's schedule keeps vectors of one pixel further apart).
module bs_lane #(
  parameter IN_WIDTH  = 40,  // joined output, two's complement
  parameter ACC_WIDTH = 48,  // partial sum, two's complement
  parameter DEPTH     = 256  // pixels a half
) (
  input  logic                     clk_i,
  input  logic                     rst_ni,
  input  logic                     valid_i,
  input  logic                     maximum_i,  // 1: keep the larger, 0: add; constant during a layer
  input  logic                     first_i,    // the pixel's first value: nothing to read
  input  logic                     half_i,
  input  logic [$clog2(DEPTH)-1:0] pixel_i,
  input  logic signed [IN_WIDTH-1:0] value_i,  // the cycle after valid_i
  // Post-processing reads the half that does not accumulate.
  input  logic                     read_i,
  input  logic                     read_half_i,
  input  logic [$clog2(DEPTH)-1:0] read_pixel_i,
  output logic signed [ACC_WIDTH-1:0] read_data_0_o,  // the cycle after read_i, of either half
  output logic signed [ACC_WIDTH-1:0] read_data_1_o
);
  logic valid_q, first_q, half_q;
  logic [$clog2(DEPTH)-1:0] pixel_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= 1'b0;
    else valid_q <= valid_i;
  end
  always_ff @(posedge clk_i) begin
    if (valid_i) begin
      first_q <= first_i;
      half_q <= half_i;
      pixel_q <= pixel_i;
    end
  end

  logic signed [ACC_WIDTH-1:0] partial, value_ext, result;
  assign partial = half_q ? read_data_1_o : read_data_0_o;
  assign value_ext = {{(ACC_WIDTH - IN_WIDTH){value_i[IN_WIDTH-1]}}, value_i};
  assign result = first_q ? value_ext
                : maximum_i ? (value_ext > partial ? value_ext : partial)
                : partial + value_ext;

  logic accumulate_read;
  assign accumulate_read = valid_i && !first_i;
  bs_ram #(.WIDTH(ACC_WIDTH), .DEPTH(DEPTH)) u_half_0 (
    .clk_i(clk_i), .we_i(valid_q && !half_q), .waddr_i(pixel_q), .wdata_i(result),
    .re_i((accumulate_read && !half_i) || (read_i && !read_half_i)),
    .raddr_i((accumulate_read && !half_i) ? pixel_i : read_pixel_i), .rdata_o(read_data_0_o));
  bs_ram #(.WIDTH(ACC_WIDTH), .DEPTH(DEPTH)) u_half_1 (
    .clk_i(clk_i), .we_i(valid_q && half_q), .waddr_i(pixel_q), .wdata_i(result),
    .re_i((accumulate_read && half_i) || (read_i && read_half_i)),
    .raddr_i((accumulate_read && half_i) ? pixel_i : read_pixel_i), .rdata_o(read_data_1_o));
endmodule
