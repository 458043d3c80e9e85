// SPDX-License-Identifier: Apache-2.0
#include "quant/price.h"

#include <algorithm>
#include <cmath>

#include "model/golden.h"

namespace bitstrata::quant {

double mac_energy_fj(const model::Network& network, const model::Plan& plan, const model::Technology& technology) {
  double energy = 0;
  const std::vector<int> nodes = network.weight_layers();
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const model::LayerPlan& layer = plan.layers.at(i);
    energy += static_cast<double>(network.macs(nodes[i])) *
              technology.mac_fj(layer.layer, layer.weight_bits, layer.activation_bits);
  }
  return energy;
}

double Score::standard_error() const { return images ? std::sqrt(accuracy() * (1 - accuracy()) / images) : 0.0; }

Score golden_score(const model::IntegerNetwork& network, const Examples& examples, int count, int threads) {
  constexpr int kChunk = 500;  // bounds the memory of codes held at once
  const int total = count > 0 ? std::min(count, examples.count()) : examples.count();
  Score score{total, 0};
  for (int start = 0; start < total; start += kChunk) {
    std::vector<model::Codes> inputs;
    for (int i = start; i < std::min(total, start + kChunk); ++i)
      inputs.push_back(encode(network.tensors.at(0), examples, i));
    const std::vector<model::Codes> outputs = model::run_batch(network, inputs, threads);
    for (std::size_t i = 0; i < outputs.size(); ++i)
      score.correct += model::argmax(outputs[i]) == examples.labels[static_cast<std::size_t>(start) + i];
  }
  return score;
}

}  // namespace bitstrata::quant
