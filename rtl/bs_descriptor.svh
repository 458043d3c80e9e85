// SPDX-License-Identifier: Apache-2.0
// Written by scripts/contract from rtl/generate/descriptor_fields.h: change that. Fields of a layer's descriptor:
// F_NAME is the place of its lowest bit, B_NAME its bits. Meanings: docs/descriptor.md.
/* verilator lint_off UNUSEDPARAM */
localparam DESC_WORDS = 64;
localparam DESC_STRIDE = 256;  // bytes from one descriptor to the next
localparam DESC_MAGIC = 16'hB175;
localparam F_OPCODE = 0;
localparam B_OPCODE = 8;
localparam F_LAST = 8;
localparam F_RESIDENT = 9;
localparam F_SIGNED = 10;
localparam F_IN_STRIPS = 11;
localparam F_SECOND = 12;
localparam F_BROADCAST = 13;
localparam F_CARRY_IN = 14;
localparam F_CARRY_OUT = 15;
localparam F_MAGIC = 16;
localparam B_MAGIC = 16;
localparam F_WEIGHT_BITS = 32;
localparam B_WEIGHT_BITS = 5;
localparam F_ACTIVATION_BITS = 40;
localparam B_ACTIVATION_BITS = 5;
localparam F_OUTPUT_BITS = 48;
localparam B_OUTPUT_BITS = 5;
localparam F_SECOND_BITS = 56;
localparam B_SECOND_BITS = 5;
localparam F_SECOND_SIGNED = 61;
localparam F_IN_ADDRESS = 64;
localparam B_IN_ADDRESS = 32;
localparam F_WEIGHT_ADDRESS = 96;
localparam B_WEIGHT_ADDRESS = 32;
localparam F_PARAM_ADDRESS = 128;
localparam B_PARAM_ADDRESS = 32;
localparam F_OUT_ADDRESS = 160;
localparam B_OUT_ADDRESS = 32;
localparam F_IN_ROW_BEATS = 192;
localparam B_IN_ROW_BEATS = 24;
localparam F_IN_HEIGHT = 224;
localparam B_IN_HEIGHT = 16;
localparam F_IN_ROW_BITS = 256;
localparam B_IN_ROW_BITS = 20;
localparam F_IN_SLOT = 288;
localparam B_IN_SLOT = 16;
localparam F_IN_RING = 320;
localparam B_IN_RING = 16;
localparam F_IN_SLOTS = 352;
localparam B_IN_SLOTS = 16;
localparam F_RUN_LENGTH = 384;
localparam B_RUN_LENGTH = 16;
localparam F_RUN_COUNT_X = 416;
localparam B_RUN_COUNT_X = 16;
localparam F_RUN_STEP_X = 448;
localparam B_RUN_STEP_X = 20;
localparam F_RUN_COUNT_Y = 480;
localparam B_RUN_COUNT_Y = 16;
localparam F_RUN_STEP_Y = 512;
localparam B_RUN_STEP_Y = 16;
localparam F_RUN_STEP_RING = 544;
localparam B_RUN_STEP_RING = 16;
localparam F_PIXEL_STEP_X = 576;
localparam B_PIXEL_STEP_X = 20;
localparam F_PIXEL_START_X = 608;
localparam B_PIXEL_START_X = 21;
localparam F_PIXEL_STEP_Y = 640;
localparam B_PIXEL_STEP_Y = 16;
localparam F_PIXEL_STEP_RING = 672;
localparam B_PIXEL_STEP_RING = 16;
localparam F_PIXEL_START_Y = 704;
localparam B_PIXEL_START_Y = 17;
localparam F_PIXEL_START_RING = 736;
localparam B_PIXEL_START_RING = 16;
localparam F_OUT_WIDTH = 768;
localparam B_OUT_WIDTH = 16;
localparam F_OUT_HEIGHT = 800;
localparam B_OUT_HEIGHT = 16;
localparam F_BLOCK_ROWS = 832;
localparam B_BLOCK_ROWS = 16;
localparam F_BLOCKS = 864;
localparam B_BLOCKS = 16;
localparam F_BLOCK_STEP_Y = 896;
localparam B_BLOCK_STEP_Y = 16;
localparam F_BLOCK_SPAN = 928;
localparam B_BLOCK_SPAN = 16;
localparam F_ROWS_NEEDED = 960;
localparam B_ROWS_NEEDED = 16;
localparam F_K_TILES = 992;
localparam B_K_TILES = 16;
localparam F_N_TILES = 1024;
localparam B_N_TILES = 16;
localparam F_OUT_STEP = 1056;
localparam B_OUT_STEP = 16;
localparam F_OUT_RUN = 1072;
localparam B_OUT_RUN = 16;
localparam F_LANES = 1088;
localparam B_LANES = 16;
localparam F_OUT_JUMP = 1104;
localparam B_OUT_JUMP = 16;
localparam F_TILE_STEP_X = 1120;
localparam B_TILE_STEP_X = 20;
localparam F_ROWS_LAST = 1152;
localparam B_ROWS_LAST = 16;
localparam F_OUT_TILE_STEP = 1168;
localparam B_OUT_TILE_STEP = 16;
localparam F_VECTOR_INTERVAL = 1184;
localparam B_VECTOR_INTERVAL = 16;
localparam F_FOLD = 1200;
localparam B_FOLD = 2;
localparam F_PARAM_BEATS = 1216;
localparam B_PARAM_BEATS = 24;
localparam F_OUT_ROW_LINES = 1248;
localparam B_OUT_ROW_LINES = 16;
localparam F_OUT_ROW_BITS = 1280;
localparam B_OUT_ROW_BITS = 32;
localparam F_OUT_SLOT = 1312;
localparam B_OUT_SLOT = 16;
localparam F_CLIP_LOW = 1344;
localparam B_CLIP_LOW = 18;
localparam F_CLIP_HIGH = 1376;
localparam B_CLIP_HIGH = 18;
localparam F_ZERO_POINT = 1408;
localparam B_ZERO_POINT = 16;
localparam F_CONFIGURATION = 1440;
localparam B_CONFIGURATION = 32;
localparam F_OUT_ROW_BEATS = 1472;
localparam B_OUT_ROW_BEATS = 24;
localparam F_OUT_ROW_STRIDE = 1504;
localparam B_OUT_ROW_STRIDE = 32;
localparam F_IN_ROW_STRIDE = 1536;
localparam B_IN_ROW_STRIDE = 32;
localparam F_SECOND_ADDRESS = 1568;
localparam B_SECOND_ADDRESS = 32;
localparam F_SECOND_ROW_BEATS = 1600;
localparam B_SECOND_ROW_BEATS = 24;
localparam F_SECOND_ROW_STRIDE = 1632;
localparam B_SECOND_ROW_STRIDE = 32;
localparam F_SECOND_SLOT = 1664;
localparam B_SECOND_SLOT = 16;
localparam F_SECOND_START_X = 1696;
localparam B_SECOND_START_X = 21;
localparam F_SECOND_STEP_X = 1728;
localparam B_SECOND_STEP_X = 20;
localparam F_SEGMENT_CHANNELS = 1760;
localparam B_SEGMENT_CHANNELS = 16;
localparam F_SEGMENT_NEXT = 1792;
localparam B_SEGMENT_NEXT = 16;
localparam F_SEGMENT_STEP_X = 1824;
localparam B_SEGMENT_STEP_X = 20;
localparam F_PSUM_STEP = 1856;
localparam B_PSUM_STEP = 32;
localparam F_ACTIVATION = 1888;
localparam B_ACTIVATION = 2;
localparam F_ACC_SHIFT = 1892;
localparam B_ACC_SHIFT = 3;
localparam F_SWISH_SHIFT = 1896;
localparam B_SWISH_SHIFT = 5;
localparam F_KEEP_WEIGHTS = 1904;
localparam F_SHARED_RECORDS = 1905;
localparam F_SWISH_THREE = 1920;
localparam B_SWISH_THREE = 16;
localparam F_SWISH_SIX = 1936;
localparam B_SWISH_SIX = 16;
localparam F_SWISH_OFFSET = 1952;
localparam B_SWISH_OFFSET = 18;
localparam F_FACTOR_0 = 1984;
localparam B_FACTOR_0 = 17;
localparam F_FACTOR_1 = 2016;
localparam B_FACTOR_1 = 17;
localparam OP_CONVOLUTION = 8'd1;  // convolution or linear layer: products of weights
localparam OP_MAX_POOL = 8'd2;  // largest value of a window
localparam OP_AVERAGE_POOL = 8'd3;  // mean of a window
localparam OP_ADD = 8'd4;  // sum of two tensors
localparam OP_MULTIPLY = 8'd5;  // product of two tensors, or of a tensor and one pixel
localparam OP_COPY = 8'd6;  // values as they are, rescaled: concatenation, upsampling, depth to space
localparam ACT_CLIP = 2'd0;  // none, or clipping alone
localparam ACT_LEAKY = 2'd1;  // negative values have a multiplier of their own
localparam ACT_SWISH = 2'd2;  // hard swish
localparam ACT_TABLE = 2'd3;  // by a table of 256 entries behind the records
/* verilator lint_on UNUSEDPARAM */

`ifndef BS_COUNT_GOOD
// Of the word `value` at `place`: no loop may be empty and no command without beats, units count up to these.
`define BS_COUNT_GOOD(place, value) \
  (!(place == 6'd6 && value[0 +: 24] == 24'd0) \
   && !(place == 6'd11 && value[0 +: 16] == 16'd0) \
   && !(place == 6'd12 && value[0 +: 16] == 16'd0) \
   && !(place == 6'd13 && value[0 +: 16] == 16'd0) \
   && !(place == 6'd15 && value[0 +: 16] == 16'd0) \
   && !(place == 6'd24 && value[0 +: 16] == 16'd0) \
   && !(place == 6'd25 && value[0 +: 16] == 16'd0) \
   && !(place == 6'd26 && value[0 +: 16] == 16'd0) \
   && !(place == 6'd27 && value[0 +: 16] == 16'd0) \
   && !(place == 6'd31 && value[0 +: 16] == 16'd0) \
   && !(place == 6'd32 && value[0 +: 16] == 16'd0) \
   && !(place == 6'd33 && value[0 +: 16] == 16'd0) \
   && !(place == 6'd34 && value[0 +: 16] == 16'd0) \
   && !(place == 6'd36 && value[0 +: 16] == 16'd0) \
   && !(place == 6'd37 && value[0 +: 16] == 16'd0) \
   && !(place == 6'd38 && value[0 +: 24] == 24'd0) \
   && !(place == 6'd39 && value[0 +: 16] == 16'd0) \
   && !(place == 6'd46 && value[0 +: 24] == 24'd0) \
   && !(place == 6'd55 && value[0 +: 16] == 16'd0) \
   && !(place == 6'd56 && value[0 +: 16] == 16'd0))
// The low `size` bits of all that must be multiples of a beat's bytes.
`define BS_BEAT_GOOD(place, value, size) \
  (!(place == 6'd2 && value[0 +: size] != {size{1'b0}}) \
   && !(place == 6'd3 && value[0 +: size] != {size{1'b0}}) \
   && !(place == 6'd4 && value[0 +: size] != {size{1'b0}}) \
   && !(place == 6'd5 && value[0 +: size] != {size{1'b0}}) \
   && !(place == 6'd47 && value[0 +: size] != {size{1'b0}}) \
   && !(place == 6'd48 && value[0 +: size] != {size{1'b0}}) \
   && !(place == 6'd49 && value[0 +: size] != {size{1'b0}}) \
   && !(place == 6'd51 && value[0 +: size] != {size{1'b0}}))
`endif
