// SPDX-License-Identifier: Apache-2.0
// Number of ones, as a tree of adders of least width: pairs of neighbours, pairs of pairs, ... Its nodes are the fields
// of the words of a SWAR popcount, whose changes the simulators count (model/events.h).
module bs_popcount #(
  parameter WIDTH = 64
) (
  input  logic [WIDTH-1:0]           bits_i,
  output logic [$clog2(WIDTH+1)-1:0] count_o
);
  localparam LEVELS = $clog2(WIDTH);
  localparam LEAVES = 1 << LEVELS;  // those past WIDTH are zero
  for (genvar l = 0; l <= LEVELS; l = l + 1) begin : g_level
    logic [(LEAVES>>l)*(l+1)-1:0] nodes;  // l+1 bits each
    if (l == 0) begin : g_leaves
      assign nodes[WIDTH-1:0] = bits_i;
      if (LEAVES > WIDTH) begin : g_zero
        assign nodes[LEAVES-1:WIDTH] = {(LEAVES - WIDTH){1'b0}};
      end
    end else begin : g_sums
      for (genvar n = 0; n < LEAVES >> l; n = n + 1) begin : g_node
        assign nodes[n*(l+1) +: l+1] = {1'b0, g_level[l-1].nodes[2*n*l +: l]} + {1'b0, g_level[l-1].nodes[(2*n+1)*l +: l]};
      end
    end
  end
  // Below a power of two the top bit of the last node is zero.
  if (LEAVES > WIDTH) begin : g_narrow
    assign count_o = g_level[LEVELS].nodes[LEVELS-1:0];
    logic unused;
    assign unused = g_level[LEVELS].nodes[LEVELS];
  end else begin : g_whole
    assign count_o = g_level[LEVELS].nodes;
  end
endmodule
