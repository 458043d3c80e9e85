// SPDX-License-Identifier: Apache-2.0
// The contract between software and hardware: every field of a layer's descriptor. Accessors in C++ (descriptor.h), the
// RTL's bs_descriptor.svh and docs/descriptor.md come from this list (contract.h).
#pragma once

// X(name, word, lowest bit, bits, signed, rule, what it says): `signed` is 1 for two's complement. A descriptor that
// breaks a field's rule is refused as a bad one: a `count` is not 0, because units count up to it, and `beat` is a
// multiple of a beat's bytes. Bits that no field has are 0.
#define BITSTRATA_DESCRIPTOR_FIELDS(X)                                                                                 \
  X(OPCODE, 0, 0, 8, 0, any, "what the layer does (opcodes below)")                                                    \
  X(LAST, 0, 8, 1, 0, any, "last descriptor of the list")                                                              \
  X(RESIDENT, 0, 9, 1, 0, any, "the weight buffer holds the whole layer: weights are loaded once, not once a block")   \
  X(SIGNED, 0, 10, 1, 0, any, "codes of the input tensor are two's complement")                                        \
  X(IN_STRIPS, 0, 11, 1, 0, any, "segments are strips: each ends with its own row, behind which taps read padding")    \
  X(SECOND, 0, 12, 1, 0, any, "a second tensor is read")                                                               \
  X(BROADCAST, 0, 13, 1, 0, any, "the second tensor is one pixel, which meets every pixel of the first")               \
  X(CARRY_IN, 0, 14, 1, 0, any, "partial sums go on where the descriptor before left them")                            \
  X(CARRY_OUT, 0, 15, 1, 0, any, "partial sums stay for the next descriptor: nothing is post-processed or stored")     \
  X(MAGIC, 0, 16, 16, 0, any, "0xB175; anything else is no descriptor")                                                \
  X(WEIGHT_BITS, 1, 0, 5, 0, any, "of a weight, 1 to the array's most; 1 without weights")                             \
  X(ACTIVATION_BITS, 1, 8, 5, 0, any, "of a value of the input tensor")                                                \
  X(OUTPUT_BITS, 1, 16, 5, 0, any, "of a value of the output tensor")                                                  \
  X(SECOND_BITS, 1, 24, 5, 0, any, "of a value of the second tensor")                                                  \
  X(SECOND_SIGNED, 1, 29, 1, 0, any, "codes of the second tensor are two's complement")                                \
  X(IN_ADDRESS, 2, 0, 32, 0, beat, "byte address of the first line that is read of the first row")                     \
  X(WEIGHT_ADDRESS, 3, 0, 32, 0, beat, "byte address of the weights")                                                  \
  X(PARAM_ADDRESS, 4, 0, 32, 0, beat, "byte address of the requantization records")                                    \
  X(OUT_ADDRESS, 5, 0, 32, 0, beat, "byte address of the first line of the first output row")                          \
  X(IN_ROW_BEATS, 6, 0, 24, 0, count, "beats of an input row as it is loaded: lines times planes")                     \
  X(IN_HEIGHT, 7, 0, 16, 0, any, "rows of the input; taps outside 0 to this read padding")                             \
  X(IN_ROW_BITS, 8, 0, 20, 0, any, "values of an input row, pixels times channels; taps outside read padding")         \
  X(IN_SLOT, 9, 0, 16, 0, any, "activation buffer addresses from row to row: line pairs times planes")                 \
  X(IN_RING, 10, 0, 16, 0, any, "addresses that the rows take in all; behind them they begin again at 0")              \
  X(IN_SLOTS, 11, 0, 16, 0, count, "rows that the ring holds")                                                         \
  X(RUN_LENGTH, 12, 0, 16, 0, count, "values of a run: neighbouring bits of an input row that fill rows of the array") \
  X(RUN_COUNT_X, 13, 0, 16, 0, count, "runs of a vector in one input row")                                             \
  X(RUN_STEP_X, 14, 0, 20, 0, any, "values from one of them to the next")                                              \
  X(RUN_COUNT_Y, 15, 0, 16, 0, count, "input rows that a vector has runs in")                                          \
  X(RUN_STEP_Y, 16, 0, 16, 0, any, "rows from one of them to the next")                                                \
  X(RUN_STEP_RING, 17, 0, 16, 0, any, "the same as addresses of the ring")                                             \
  X(PIXEL_STEP_X, 18, 0, 20, 0, any, "values from an output pixel's first input value to the next pixel's")            \
  X(PIXEL_START_X, 19, 0, 21, 1, any, "place of the first pixel's first value in the loaded row")                      \
  X(PIXEL_STEP_Y, 20, 0, 16, 0, any, "input rows from output row to output row")                                       \
  X(PIXEL_STEP_RING, 21, 0, 16, 0, any, "the same as addresses of the ring")                                           \
  X(PIXEL_START_Y, 22, 0, 17, 1, any, "input row of the first output row's first tap")                                 \
  X(PIXEL_START_RING, 23, 0, 16, 0, any, "its address in the ring")                                                    \
  X(OUT_WIDTH, 24, 0, 16, 0, count, "pixels of an output row")                                                         \
  X(OUT_HEIGHT, 25, 0, 16, 0, count, "output rows")                                                                    \
  X(BLOCK_ROWS, 26, 0, 16, 0, count, "output rows of a block; the last may have fewer")                                \
  X(BLOCKS, 27, 0, 16, 0, count, "blocks of output rows")                                                              \
  X(BLOCK_STEP_Y, 28, 0, 16, 0, any, "input rows from block to block")                                                 \
  X(BLOCK_SPAN, 29, 0, 16, 0, any, "input rows that a block reaches over")                                             \
  X(ROWS_NEEDED, 30, 0, 16, 0, any, "input rows that are read in all")                                                 \
  X(K_TILES, 31, 0, 16, 0, count, "row tiles: times that the array's rows are filled for one output")                  \
  X(N_TILES, 32, 0, 16, 0, count, "output tiles: times that the array's columns are filled")                           \
  X(OUT_STEP, 33, 0, 16, 0, count, "values from an output pixel to the next one")                                      \
  X(OUT_RUN, 33, 16, 16, 0, any, "outputs of a tile that lie side by side; 0: all of them")                            \
  X(LANES, 34, 0, 16, 0, count, "outputs of a macro's tile: columns divided by the weight's bits")                     \
  X(OUT_JUMP, 34, 16, 16, 0, any, "values between two runs of outputs")                                                \
  X(TILE_STEP_X, 35, 0, 20, 0, any, "input values from output tile to output tile within a segment")                   \
  X(ROWS_LAST, 36, 0, 16, 0, count, "values of the last row tile")                                                     \
  X(OUT_TILE_STEP, 36, 16, 16, 0, any, "values from output tile to output tile; 0: as many as the tile has outputs")   \
  X(VECTOR_INTERVAL, 37, 0, 16, 0, count, "least cycles between the last planes of two vectors")                       \
  X(FOLD, 37, 16, 2, 0, any,                                                                                           \
    "the last row tile's vectors stream 2^FOLD planes at once, each in such a part of the rows")                       \
  X(PARAM_BEATS, 38, 0, 24, 0, count, "beats of the requantization records and of an activation's table")              \
  X(OUT_ROW_LINES, 39, 0, 16, 0, count, "lines of an output row")                                                      \
  X(OUT_ROW_BITS, 40, 0, 32, 0, any, "values of an output row, of which the bits beyond its last full line are used")  \
  X(OUT_SLOT, 41, 0, 16, 0, any, "output buffer addresses from row to row")                                            \
  X(CLIP_LOW, 42, 0, 18, 1, any, "least output code")                                                                  \
  X(CLIP_HIGH, 43, 0, 18, 1, any, "largest output code")                                                               \
  X(ZERO_POINT, 44, 0, 16, 0, any, "code that padding reads, plane by plane")                                          \
  X(CONFIGURATION, 45, 0, 32, 0, any, "hash of the accelerator that the list was made for (register CONFIGURATION)")   \
  X(OUT_ROW_BEATS, 46, 0, 24, 0, count, "beats of an output row: lines times planes")                                  \
  X(OUT_ROW_STRIDE, 47, 0, 32, 0, beat, "bytes from output row to output row")                                         \
  X(IN_ROW_STRIDE, 48, 0, 32, 0, beat, "bytes from a loaded input row to the next")                                    \
  X(SECOND_ADDRESS, 49, 0, 32, 0, beat, "byte address of the first line that is read of the second tensor")            \
  X(SECOND_ROW_BEATS, 50, 0, 24, 0, any, "beats of a row of the second tensor")                                        \
  X(SECOND_ROW_STRIDE, 51, 0, 32, 0, beat, "bytes from row to row of the second tensor")                               \
  X(SECOND_SLOT, 52, 0, 16, 0, any, "addresses from the first tensor's row to the second's in the activation buffer")  \
  X(SECOND_START_X, 53, 0, 21, 1, any, "place of the first pixel's first value in the second tensor's loaded row")     \
  X(SECOND_STEP_X, 54, 0, 20, 0, any, "values from pixel to pixel of the second tensor")                               \
  X(SEGMENT_CHANNELS, 55, 0, 16, 0, count, "output channels of the first segment")                                     \
  X(SEGMENT_NEXT, 56, 0, 16, 0, count, "output channels of each later segment")                                        \
  X(SEGMENT_STEP_X, 57, 0, 20, 0, any, "input values from segment to segment")                                         \
  X(PSUM_STEP, 58, 0, 32, 0, any, "carried sums: lane addresses from output tile to output tile")                      \
  X(ACTIVATION, 59, 0, 2, 0, any, "activation: 0 none or clipping, 1 leaky ReLU, 2 hard swish, 3 by table")            \
  X(ACC_SHIFT, 59, 4, 3, 0, any, "places that sums move up before the bias, for biases of finer scale")                \
  X(SWISH_SHIFT, 59, 8, 5, 0, any, "hard swish: places that the product moves down")                                   \
  X(KEEP_WEIGHTS, 59, 16, 1, 0, any, "the weight buffer holds the layer from the descriptor before")                   \
  X(SHARED_RECORDS, 59, 17, 1, 0, any,                                                                                 \
    "all runs of a tile have the records of its first: pixels of the same channels")                                   \
  X(SWISH_THREE, 60, 0, 16, 0, any, "hard swish: the code of 3")                                                       \
  X(SWISH_SIX, 60, 16, 16, 0, any, "hard swish: the code of 6")                                                        \
  X(SWISH_OFFSET, 61, 0, 18, 1, any, "hard swish: the output's zero point")                                            \
  X(FACTOR_0, 62, 0, 17, 1, any, "add, concatenation: multiplier of the first tensor")                                 \
  X(FACTOR_1, 63, 0, 17, 1, any, "add, concatenation: multiplier of the second tensor")

// X(name, value, what it does)
#define BITSTRATA_OPCODES(X)                                             \
  X(CONVOLUTION, 1, "convolution or linear layer: products of weights")  \
  X(MAX_POOL, 2, "largest value of a window")                            \
  X(AVERAGE_POOL, 3, "mean of a window")                                 \
  X(ADD, 4, "sum of two tensors")                                        \
  X(MULTIPLY, 5, "product of two tensors, or of a tensor and one pixel") \
  X(COPY, 6, "values as they are, rescaled: concatenation, upsampling, depth to space")

// X(name, value, what it does): values of ACTIVATION, as model::Activation.
#define BITSTRATA_ACTIVATIONS(X)                                \
  X(CLIP, 0, "none, or clipping alone")                         \
  X(LEAKY, 1, "negative values have a multiplier of their own") \
  X(SWISH, 2, "hard swish")                                     \
  X(TABLE, 3, "by a table of 256 entries behind the records")
