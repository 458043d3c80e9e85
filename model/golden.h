// SPDX-License-Identifier: Apache-2.0
// The referee: exact integer inference. Every engine's outputs are compared with this, code for code.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/integer_network.h"

namespace bitstrata::model {

// Codes of one image's tensor, [y][x][channel].
using Codes = std::vector<std::int32_t>;

// The code of one accumulator: bias, scale, rounding and activation of IntegerLayer.
std::int32_t requantize(const IntegerLayer& layer, int channel, std::int64_t accumulator);

// All functions below throw std::invalid_argument when an input's size or codes contradict its tensor format. They
// expect a network that passes `validate`.

// Plain nested loops in int64, the definition itself; slow, used to check the fast path. `second` is the other input
// of layers that have two.
Codes run_layer_reference(const IntegerNetwork& network, const IntegerLayer& layer, const Codes& input,
                          const Codes& second = {});

// Same result through matrix products, exact in float where the sums stay below 2^24 and in double where they stay
// below 2^53, else through the reference.
Codes run_layer(const IntegerNetwork& network, const IntegerLayer& layer, const Codes& input, const Codes& second = {});

// One image, layer by layer; of the tensors only those are kept that a later layer reads.
class Inference {
 public:
  // `network` is referred to.
  Inference(const IntegerNetwork& network, Codes input);

  // What the next layer reads; of its two inputs the first.
  const Codes& input() const;
  // The next layer's output; until the next step.
  const Codes& step();

 private:
  const IntegerNetwork& network_;
  std::vector<Codes> tensors_;            // empty: not written yet, or not read any more
  std::vector<std::size_t> last_reader_;  // per tensor
  std::size_t next_ = 0;
};

// All tensors of one image, indexed as network.tensors (entry 0 is the input).
std::vector<Codes> run_all(const IntegerNetwork& network, const Codes& input);

// The output tensor of one image.
Codes run(const IntegerNetwork& network, const Codes& input);

// The output tensors of many images, in their order, on `threads` threads (0: one a core).
std::vector<Codes> run_batch(const IntegerNetwork& network, std::span<const Codes> inputs, int threads = 0);

// Index of the largest output code (the first one among equals).
int argmax(const Codes& output);

// Image pixels (0..255, NHWC) as codes of the network's input tensor: round_half_up(pixel * (2^bits - 1) / 255)
// for unsigned inputs of zero zero-point. Throws std::invalid_argument for other input formats.
Codes encode_image(const TensorFormat& input, std::span<const std::uint8_t> pixels);

// Are the codes of the network's input tensor those of pixels worth pixel / 255, as `encode_image` makes them?
bool takes_pixels(const TensorFormat& input);

// Values of a sample (NHWC) as codes of the network's input tensor: the nearest one, halves to even, as hosts that
// follow ONNX make them.
Codes encode_values(const TensorFormat& input, std::span<const float> values);

}  // namespace bitstrata::model
