// SPDX-License-Identifier: Apache-2.0
// Written by scripts/contract from rtl/generate/registers.h: change that. Words of the control registers.
// Meanings: docs/registers.md.
/* verilator lint_off UNUSEDPARAM */
localparam [31:0] VERSION = 32'hB1750004;
localparam [5:0] R_CONTROL = 6'd0;
localparam [5:0] R_STATUS = 6'd1;
localparam [5:0] R_INTERRUPT = 6'd2;
localparam [5:0] R_LIST = 6'd3;
localparam [5:0] R_WATCHDOG = 6'd4;
localparam [5:0] R_VERSION = 6'd5;
localparam [5:0] R_SHAPE = 6'd6;
localparam [5:0] R_SELECT = 6'd7;
localparam [5:0] R_EVENT_LOW = 6'd8;
localparam [5:0] R_EVENT_HIGH = 6'd9;
localparam [5:0] R_STYLE = 6'd10;
localparam [5:0] R_CONFIGURATION = 6'd11;
localparam [5:0] R_CAPABILITIES = 6'd12;
localparam [5:0] R_LIMIT = 6'd13;
localparam [5:0] R_BASE = 6'd14;
localparam [5:0] R_BASE_HIGH = 6'd15;
/* verilator lint_on UNUSEDPARAM */
