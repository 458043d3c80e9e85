// SPDX-License-Identifier: Apache-2.0
// Simulation only: counts the bits of a value that change from one sample to the next, for the toggle events of
// model/events.h. Reset begins from zero.
`ifdef BS_TOGGLES
import "DPI-C" function void bs_toggle(input int kind, input int bits);

module bs_toggles #(
  parameter KIND  = 0,  // position in model/events.h
  parameter WIDTH = 64
) (
  input logic             clk_i,
  input logic             rst_ni,
  input logic             sample_i,
  input logic [WIDTH-1:0] value_i
);
  logic [WIDTH-1:0] last_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      last_q <= {WIDTH{1'b0}};
    end else if (sample_i && value_i != last_q) begin
      bs_toggle(KIND, $countones(value_i ^ last_q));
      last_q <= value_i;
    end
  end
endmodule
`endif
