// SPDX-License-Identifier: Apache-2.0
// The end of a requantization: twice a value, without fraction, is rounded to the value, which gets an offset and is
// clipped. The limits are compared with while it is rounded, as the signs of differences: what the layer decides of them
// does not wait for the value.
module bs_clip #(
  parameter WIDTH = 66,
  parameter LIMIT_WIDTH = 18  // of offset, limits and result, two's complement; WIDTH > LIMIT_WIDTH + 2
) (
  input  logic signed [WIDTH-1:0]       doubled_i,
  input  logic                          negative_i,  // its sign, which may come earlier
  input  logic signed [LIMIT_WIDTH-1:0] offset_i,
  input  logic signed [LIMIT_WIDTH-1:0] low_i,
  input  logic signed [LIMIT_WIDTH-1:0] high_i,
  output logic signed [LIMIT_WIDTH-1:0] value_o
);
  localparam SUM_WIDTH = LIMIT_WIDTH + 2;
  // What has more bits than LIMIT_WIDTH and a sign lies beyond all limits, with and without offset.
  logic beyond;
  assign beyond = doubled_i[WIDTH-1:LIMIT_WIDTH+1] != {(WIDTH-LIMIT_WIDTH-1){negative_i}};

  logic signed [SUM_WIDTH-1:0] floor, half, offset, above_low, above_high;
  /* verilator lint_off UNUSEDSIGNAL */ // signs of differences, and what is within the limits
  logic signed [SUM_WIDTH-1:0] rounded, from_low, from_high;
  /* verilator lint_on UNUSEDSIGNAL */
  assign floor = {{2{negative_i}}, doubled_i[LIMIT_WIDTH:1]};
  assign half = {{(SUM_WIDTH-1){1'b0}}, doubled_i[0]};
  assign offset = {{2{offset_i[LIMIT_WIDTH-1]}}, offset_i};
  assign above_low = offset - {{2{low_i[LIMIT_WIDTH-1]}}, low_i};
  assign above_high = offset - {{2{high_i[LIMIT_WIDTH-1]}}, high_i};
  assign rounded = floor + offset + half;
  assign from_low = floor + above_low + half;    // below 0: too low
  assign from_high = floor + above_high + half;  // not below 0: at the limit or above
  always_comb begin
    value_o = rounded[LIMIT_WIDTH-1:0];
    if (beyond ? negative_i : from_low[SUM_WIDTH-1]) value_o = low_i;
    else if (beyond || !from_high[SUM_WIDTH-1]) value_o = high_i;
  end
endmodule
