// SPDX-License-Identifier: Apache-2.0
// One image through a network, layer by layer.
#include <fmt/format.h>

#include <stdexcept>
#include <utility>

#include "model/golden.h"
#include "model/golden_check.h"

namespace bitstrata::model {

namespace {

std::size_t at(int tensor) { return static_cast<std::size_t>(tensor); }

}  // namespace

Inference::Inference(const IntegerNetwork& network, Codes input)
    : network_(network), tensors_(network.tensors.size()), last_reader_(network.tensors.size(), 0) {
  if (network.layers.empty()) throw std::invalid_argument(fmt::format("network '{}' has no layers", network.name));
  check_codes(network.tensors.at(0), input, fmt::format("network '{}'", network.name));
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    for (const int tensor : {network.layers[i].input, network.layers[i].second})
      if (tensor >= 0) last_reader_.at(at(tensor)) = i;
  }
  tensors_[0] = std::move(input);
}

const Codes& Inference::input() const { return tensors_.at(at(network_.layers.at(next_).input)); }

const Codes& Inference::step() {
  if (next_ > 0) {
    const IntegerLayer& done = network_.layers[next_ - 1];
    for (const int tensor : {done.input, done.second, done.output})
      if (tensor >= 0 && last_reader_[at(tensor)] < next_) Codes().swap(tensors_[at(tensor)]);
  }
  const IntegerLayer& layer = network_.layers.at(next_++);
  const Codes none;
  const Codes& second = layer.second < 0 ? none : tensors_[at(layer.second)];
  Codes& output = tensors_[at(layer.output)];
  output = run_layer(network_, layer, tensors_[at(layer.input)], second);
  return output;
}

std::vector<Codes> run_all(const IntegerNetwork& network, const Codes& input) {
  Inference inference(network, input);
  std::vector<Codes> tensors(network.tensors.size());
  tensors[0] = input;
  for (const IntegerLayer& layer : network.layers) tensors[at(layer.output)] = inference.step();
  return tensors;
}

Codes run(const IntegerNetwork& network, const Codes& input) {
  Inference inference(network, input);
  for (std::size_t i = 1; i < network.layers.size(); ++i) inference.step();
  return inference.step();
}

}  // namespace bitstrata::model
