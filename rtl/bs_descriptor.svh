// SPDX-License-Identifier: Apache-2.0
// Words of a layer descriptor (32 bits each, little endian). rtl/generate/descriptor.h is the same list for
// C++; a test compares the two. Meanings: docs/architecture.md.
/* verilator lint_off UNUSEDPARAM */
localparam DESC_WORDS = 48;
localparam D_CONTROL = 0;
localparam D_WIDTHS = 1;
localparam D_IN_ADDRESS = 2;
localparam D_WEIGHT_ADDRESS = 3;
localparam D_PARAM_ADDRESS = 4;
localparam D_OUT_ADDRESS = 5;
localparam D_IN_ROW_BEATS = 6;
localparam D_IN_HEIGHT = 7;
localparam D_IN_ROW_BITS = 8;
localparam D_IN_SLOT = 9;
localparam D_IN_RING = 10;
localparam D_IN_SLOTS = 11;
localparam D_RUN_LENGTH = 12;
localparam D_RUN_COUNT_X = 13;
localparam D_RUN_STEP_X = 14;
localparam D_RUN_COUNT_Y = 15;
localparam D_RUN_STEP_Y = 16;
localparam D_RUN_STEP_RING = 17;
localparam D_PIXEL_STEP_X = 18;
localparam D_PIXEL_START_X = 19;
localparam D_PIXEL_STEP_Y = 20;
localparam D_PIXEL_STEP_RING = 21;
localparam D_PIXEL_START_Y = 22;
localparam D_PIXEL_START_RING = 23;
localparam D_OUT_WIDTH = 24;
localparam D_OUT_HEIGHT = 25;
localparam D_BLOCK_ROWS = 26;
localparam D_BLOCKS = 27;
localparam D_BLOCK_STEP_Y = 28;
localparam D_BLOCK_SPAN = 29;
localparam D_ROWS_NEEDED = 30;
localparam D_K_TILES = 31;
localparam D_N_TILES = 32;
localparam D_OUT_CHANNELS = 33;
localparam D_LANES = 34;
localparam D_TILE_STEP_X = 35;
localparam D_ROWS_LAST = 36;
localparam D_VECTOR_INTERVAL = 37;
localparam D_PARAM_BEATS = 38;
localparam D_OUT_ROW_LINES = 39;
localparam D_OUT_ROW_BITS = 40;
localparam D_OUT_SLOT = 41;
localparam D_CLIP_LOW = 42;
localparam D_CLIP_HIGH = 43;
localparam D_ZERO_POINT = 44;
localparam D_RUN_LENGTH_LAST = 45;
localparam D_BLOCK_BEATS = 46;
localparam D_LAST_BLOCK_BEATS = 47;

localparam DESC_MAGIC = 16'hB175;
localparam OP_CONVOLUTION = 8'd1;
localparam OP_MAX_POOL = 8'd2;
localparam OP_AVERAGE_POOL = 8'd3;
// Bits of D_CONTROL.
localparam C_LAST = 8;        // last descriptor of the list
localparam C_RESIDENT = 9;    // the weight buffer holds the whole layer: load once
localparam C_SIGNED = 10;     // activations are two's complement
localparam C_ACC_SHIFT = 11;  // accumulators are doubled before the bias (bipolar activations)
/* verilator lint_on UNUSEDPARAM */
