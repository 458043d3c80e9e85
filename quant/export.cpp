// SPDX-License-Identifier: Apache-2.0
#include "quant/export.h"

#include <stdexcept>

#include "quant/calibration/calibrate.h"

namespace bitstrata::quant {

namespace {

using torch::Tensor;

template <typename T>
std::vector<T> to_vector(const Tensor& values) {
  const Tensor flat = values.contiguous();
  const T* data = flat.data_ptr<T>();
  return {data, data + flat.numel()};
}

model::Grid to_model(const TrainingGrid& grid) {
  const bool bipolar = grid.coding == model::Coding::bipolar;
  return {.bits = grid.bits,
          .coding = grid.coding,
          .zero_point = bipolar ? 0 : static_cast<int>(grid.offset),
          .scale = grid.unit()};
}

}  // namespace

model::FloatNetwork float_network(const Module& module) {
  if (!module.ranges_ready())
    throw std::invalid_argument("the network's activation ranges are not calibrated: quantize it first");
  const torch::NoGradGuard no_grad;
  const Module::Grids grids = module.grids();
  model::FloatNetwork result;
  result.graph = module.network();
  result.parameters.resize(result.graph.nodes().size());
  result.grids.resize(result.graph.nodes().size());
  const Layout& layout = module.layout();
  const auto grid_of = [&](int node) -> std::optional<model::Grid>& {
    return result.grids.at(static_cast<std::size_t>(node));
  };
  for (std::size_t t = 0; t < layout.tensors.size(); ++t) {
    grid_of(layout.tensors[t].node) = to_model(grids.tensors[t]);
    if (!grids.tables[t]) continue;
    grid_of(result.graph.node(layout.tensors[t].node).inputs[0]) = to_model(*grids.tables[t]);
  }
  grid_of(0)->rounding = model::Rounding::half_even_step;  // as hosts quantize what they feed
  for (std::size_t s = 0; s < layout.stages.size(); ++s) {
    const int stage = static_cast<int>(s), bits = module.plan().layers[s].weight_bits;
    model::Parameters& parameters = result.parameters.at(static_cast<std::size_t>(layout.stages[s].weight));
    const Tensor scales = grids.weight_scales[s].to(torch::kFloat64);
    // In 32 bits, as training rounds them.
    const Tensor codes = weight_codes(module.folded_weight(stage), grids.weight_scales[s], bits);
    const Tensor values =
        (codes.to(torch::kFloat64) * scales.view({-1, 1, 1, 1})).permute({0, 2, 3, 1}).to(torch::kFloat32);
    parameters.weights = to_vector<float>(values);  // [out][ky][kx][in]
    parameters.bias = to_vector<float>(module.folded_bias(stage));
    parameters.weight_bits = bits;
    parameters.scales = to_vector<double>(scales);
  }
  return result;
}

model::IntegerNetwork export_integers(const Module& module, int accumulator_bits) {
  return assemble(float_network(module), accumulator_bits);
}

}  // namespace bitstrata::quant
