// SPDX-License-Identifier: Apache-2.0
#include "sim/plan_cost.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "model/stages.h"
#include "rtl/generate/layer_program.h"
#include "sim/fast.h"
#include "sim/random_network.h"

namespace bitstrata::sim {

namespace {

constexpr std::size_t widths = 17;  // 0 to 16

std::size_t at(int index) { return static_cast<std::size_t>(index); }

}  // namespace

class PlanCost::Tables {
 public:
  Tables(const model::Network& network, const model::Architecture& architecture)
      : network_(network),
        architecture_(architecture),
        judge_(judge_of(architecture)),
        layout_(model::lay_out(network)),
        shapes_(integer_shapes(network, model::uniform_plan(network, 8, 8))) {
    for (const model::IntegerLayer& layer : shapes_.layers) {
      Layer entry;
      const auto stage = std::ranges::find(layout_.stages, layer.name, &model::Stage::name);
      if (stage != layout_.stages.end()) entry.stage = static_cast<int>(stage - layout_.stages.begin());
      // Tensors of chained joins have the format of the join's result.
      entry.input = source(layer.input);
      entry.second = layer.second < 0 ? -1 : source(layer.second);
      entry.output = source(layer.output);
      entry.cycles.assign(widths * widths * widths, -1);
      layers_.push_back(std::move(entry));
    }
  }

  std::int64_t cycles(const model::Plan& plan) {
    if (plan.layers.size() != layout_.stages.size())
      throw std::invalid_argument("the plan has another number of layers than network '" + network_.name() + "'");
    const std::vector<int> bits = model::tensor_bits(layout_, plan);
    std::int64_t total = 0;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      Layer& layer = layers_[i];
      const int first = layer.stage >= 0 ? plan.layers[at(layer.stage)].weight_bits
                        : layer.second >= 0 ? bits[at(layer.second)] : 0;
      const int in = bits[at(layer.input)], out = bits[at(layer.output)];
      std::int64_t& known = layer.cycles[(at(first) * widths + at(in)) * widths + at(out)];
      if (known < 0) known = predict_layer(i, plan);
      total += known;
    }
    return total;
  }

  std::int64_t predicted = 0;

 private:
  struct Layer {
    int stage = -1, input = 0, second = -1, output = 0;  // tensors of the layout
    std::vector<std::int64_t> cycles;  // by widths of weights (or second input), input, output; -1: not known
  };

  int source(int tensor) const {
    if (at(tensor) < layout_.tensors.size()) return tensor;
    for (const model::IntegerLayer& layer : shapes_.layers)
      if (layer.input == tensor) return source(layer.output);
    throw std::logic_error("a tensor that nothing reads");
  }

  std::int64_t predict_layer(std::size_t index, const model::Plan& plan) {
    const model::IntegerNetwork shapes = integer_shapes(network_, plan);
    ++predicted;
    std::int64_t cycles = 0;
    for (const auto& d : generate::program_layer(architecture_, shapes, shapes.layers[index], {}, judge_).descriptors)
      cycles += predict(d, architecture_).cycles;
    return cycles;
  }

  model::Network network_;
  model::Architecture architecture_;
  generate::Judge judge_;
  model::Layout layout_;
  model::IntegerNetwork shapes_;
  std::vector<Layer> layers_;
};

PlanCost::PlanCost(const model::Network& network, const model::Architecture& architecture)
    : tables_(std::make_unique<Tables>(network, architecture)) {}

PlanCost::~PlanCost() = default;

std::int64_t PlanCost::cycles(const model::Plan& plan) { return tables_->cycles(plan); }

std::int64_t PlanCost::predicted() const { return tables_->predicted; }

}  // namespace bitstrata::sim
