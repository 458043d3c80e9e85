// SPDX-License-Identifier: Apache-2.0
// Checks inside the design. With BS_CHECKS they end a simulation that breaks them; with BS_FORMAL, too, they are what
// a prover proves (BS_CHECK) and relies on (BS_ASSUME: what others owe this module). Without, as in synthesis, there is
// nothing. A module begins with BS_CHECKS_BEGIN and has clk_i and rst_ni; a reset suspends its checks; one without a reset
// has BS_CHECK_ALWAYS alone, or BS_CHECK_WHEN, whose condition simulators work out on its occasion only. BS_PARAMETER is of parameters alone, and ends a simulation before it begins. At most one of
// several bits is set where BS_AT_MOST_ONE(bits) is true.
`ifndef BS_CHECK
`define BS_AT_MOST_ONE(bits) (((bits) & ((bits) - 1'b1)) == '0)
`ifdef BS_FORMAL
`define BS_CHECKS_BEGIN
`define BS_CHECK(condition) always @* if (rst_ni) assert (condition);
`define BS_PARAMETER(condition)
`define BS_CHECK_ALWAYS(condition) always @* assert (condition);
`define BS_CHECK_WHEN(occasion, condition) always @* if (occasion) assert (condition);
`define BS_ASSUME(condition) always @* if (rst_ni) assume (condition);
`else
`define BS_CHECKS_BEGIN \
  logic checking_q; \
  always_ff @(posedge clk_i or negedge rst_ni) \
    if (!rst_ni) checking_q <= 1'b0; \
    else checking_q <= 1'b1;
`define BS_CHECK(condition) \
  always @(posedge clk_i) if (checking_q && !(condition)) begin \
    $display("%m, time %0t: check failed: %s", $time, `"condition`"); \
    $fatal(1); \
  end
`define BS_ASSUME(condition) `BS_CHECK(condition)
`define BS_CHECK_WHEN(occasion, condition) \
  always @(posedge clk_i) if (occasion) begin \
    if (!(condition)) begin \
      $display("%m, time %0t: check failed: %s", $time, `"condition`"); \
      $fatal(1); \
    end \
  end
`define BS_CHECK_ALWAYS(condition) \
  always @(posedge clk_i) if (!(condition)) begin \
    $display("%m, time %0t: check failed: %s", $time, `"condition`"); \
    $fatal(1); \
  end
`define BS_PARAMETER(condition) \
  initial if (!(condition)) begin \
    $display("%m, parameter out of range: %s", `"condition`"); \
    $fatal(1); \
  end
`endif
`endif
