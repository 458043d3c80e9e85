// SPDX-License-Identifier: Apache-2.0
#include "quant/export.h"

#include "quant/integers.h"

namespace bitstrata::quant {

namespace {

template <typename T>
std::vector<T> to_vector(const torch::Tensor& values) {
  const torch::Tensor flat = values.contiguous();
  const std::int64_t* data = flat.data_ptr<std::int64_t>();
  return {data, data + flat.numel()};
}

model::TensorFormat format_of(const Grid& grid, model::Shape shape) {
  model::TensorFormat format;
  format.shape = shape;
  format.bits = grid.bits;
  format.coding = grid.coding;
  format.scale = grid.unit();
  format.zero_point = grid.coding == model::Coding::bipolar ? 0 : static_cast<int>(grid.offset);
  return format;
}

}  // namespace

model::IntegerNetwork export_integers(const Module& module) {
  const ModuleIntegers integers = integers_of(module);
  const Layout& layout = module.layout();
  const model::Network& network = module.network();
  model::IntegerNetwork result;
  result.name = network.name();
  for (std::size_t t = 0; t < layout.tensors.size(); ++t)
    result.tensors.push_back(format_of(integers.tensors[t], network.node(layout.tensors[t].node).output));
  for (const Step& step : layout.steps) {
    const model::Node& node = network.node(step.node);
    const Grid& output = integers.tensors[step.output];
    model::IntegerLayer layer;
    layer.name = node.name;
    layer.input = step.input();
    layer.output = step.output;
    layer.window = node.window;
    layer.macs = network.macs(step.node);
    layer.clip_low = static_cast<std::int32_t>(output.low);
    layer.clip_high = static_cast<std::int32_t>(output.high);
    StageIntegers stage;
    if (step.stage >= 0) {
      stage = integers.stages[step.stage];
      layer.kind = model::LayerKind::convolution;
      layer.groups = node.op == model::Op::linear ? 1 : node.groups;
      layer.weight_bits = module.plan().layers[step.stage].weight_bits;
      layer.acc_shift = stage.acc_shift;
      layer.weights = to_vector<std::int16_t>(stage.weights.permute({0, 2, 3, 1}));  // [out][ky][kx][in]
      if (node.op == model::Op::linear) {
        const model::Shape input = network.input_shape(step.node);
        layer.window = {input.height, input.width};
      }
    } else if (node.op == model::Op::average_pool) {
      layer.kind = model::LayerKind::average_pool;
      stage = average_integers(node.window, node.output.channels);
    } else {
      layer.kind = model::LayerKind::max_pool;
      stage = average_integers({}, node.output.channels);  // one tap: multiplier 1, shift 0
    }
    layer.bias = to_vector<std::int64_t>(stage.bias);
    layer.multiplier = to_vector<std::uint16_t>(stage.multiplier);
    layer.shift = to_vector<std::uint8_t>(stage.shift);
    result.layers.push_back(std::move(layer));
  }
  model::validate(result);
  return result;
}

}  // namespace bitstrata::quant
