// SPDX-License-Identifier: Apache-2.0
// From a float network to integers without training: ranges are observed on some inputs, weights are rounded, and what
// results runs on the accelerator. Grids and weight codes that a file prescribes are kept. Needs no LibTorch.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "model/float_network.h"
#include "model/plan.h"

namespace bitstrata::quant {

// How the range of a tensor follows from the values it was seen to take.
enum class RangeMethod {
  max,         // the extremes
  percentile,  // the extremes without the outermost (100 - percentile) % on each side
  mse,         // the clipping with the smallest squared error
  kl,          // the clipping with the smallest Kullback-Leibler divergence of the histograms
};

// By name; throws std::invalid_argument with the known names.
RangeMethod range_method(const std::string& name);

struct CalibrationOptions {
  RangeMethod method = RangeMethod::max;
  double percentile = 99.99;
  bool per_channel = true;   // a weight scale for every output channel, else one for the layer
  bool correct_bias = true;  // the mean error that rounded weights make on the inputs goes into the bias
  int threads = 0;           // 0: one a core
};

// Inputs of the network, made when they are asked for (from several threads at once).
struct CalibrationInputs {
  int count = 0;
  std::function<model::Reals(int)> get;
};

// Widths of a network from a file: its own, and `weight_bits` and `activation_bits` where it leaves them open.
model::Plan plan_of(const model::FloatNetwork& network, int weight_bits = 8, int activation_bits = 8);
// Its own widths, and those of `open` where the file leaves them open. `open` is valid for the network's graph.
model::Plan plan_of(const model::FloatNetwork& network, model::Plan open);

// The network with a grid for every tensor and codes for all weights. Throws std::invalid_argument where the plan does
// not fit, where a width cannot be had (activations by table give at most 8 bits), or where `inputs` is empty but
// needed.
model::FloatNetwork calibrate(const model::FloatNetwork& network, const model::Plan& plan,
                              const CalibrationInputs& inputs, const CalibrationOptions& options = {});

// The integers of a network that has all its grids and codes; validated. Throws std::invalid_argument naming the layer
// that lacks one, or whose scales lie outside what 16-bit multipliers reach. Where a code is few units of an
// accumulator, biases get fraction bits (acc_shift), as many as accumulators of `accumulator_bits` have room for: then
// their rounding moves a result by at most 2^-13 of a code, or by 2^-8 of a unit where that is more.
model::IntegerNetwork assemble(const model::FloatNetwork& network, int accumulator_bits = 48);

// The float network that `assemble` makes these integers of again (scales as 32-bit floats, as files hold them). Throws
// std::invalid_argument naming a layer that cannot be told from its integers alone: activations other than clipping,
// sums, products and joinings.
model::FloatNetwork float_of(const model::IntegerNetwork& integers);

// `network`, whose integers are `integers`, with the scales and biases that these apply in its convolutions and linear
// layers that end there or in a ReLU. A file written from it then gives the codes of the integers in programs that
// calculate in floats, as far as these layers go and floats of 32 bits reach. Throws std::invalid_argument where the
// two do not belong together.
model::FloatNetwork settled(model::FloatNetwork network, const model::IntegerNetwork& integers);

// The format of the network's input: what a host encodes with.
inline const model::Grid& input_grid(const model::FloatNetwork& calibrated) { return calibrated.grids.at(0).value(); }

// Calls work(i) for 0 .. count-1 on `threads` threads; the first exception is passed on.
void for_each_index(int count, int threads, const std::function<void(int)>& work);

}  // namespace bitstrata::quant
