// SPDX-License-Identifier: Apache-2.0
#include "sim/plan_cost.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "model/stages.h"
#include "sim/layer_costs.h"
#include "sim/random_network.h"

namespace bitstrata::sim {

namespace {

constexpr std::size_t widths = 17;  // 0 to 16

std::size_t at(int index) { return static_cast<std::size_t>(index); }

}  // namespace

class PlanCost::Tables {
 public:
  Tables(const model::Network& network, const model::Architecture& architecture)
      : costs(architecture),
        network_(network),
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
      const Layer& layer = layers_[i];
      const int first = layer.stage >= 0    ? plan.layers[at(layer.stage)].weight_bits
                        : layer.second >= 0 ? bits[at(layer.second)]
                                            : 0;
      const int in = bits[at(layer.input)], out = bits[at(layer.output)];
      if (at(first) >= widths || at(in) >= widths || at(out) >= widths) model::validate(plan, network_);
      const std::int64_t known = layer.known(first, in, out);
      if (known < 0) model::validate(plan, network_);
      total += known >= 0 ? known : predict_layer(i, first, in, out);
    }
    return total;
  }

  void prepare(int widest) {
    const int output_bits = model::uniform_plan(network_, 8, 8).output_bits;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const Layer& layer = layers_[i];
      const bool two = layer.stage >= 0 || layer.second >= 0, last = layout_.source(layer.output).is_output;
      const bool passes = layout_.tensors[at(layer.input)].source == layout_.tensors[at(layer.output)].source;
      for (int first = two ? 1 : 0; first <= (two ? widest : 0); ++first) {
        for (int in = 1; in <= widest; ++in) {
          if (last || passes) {
            try_layer(i, first, in, last ? output_bits : in);
          } else {
            for (int out = 1; out <= widest; ++out) try_layer(i, first, in, out);
          }
        }
      }
    }
  }

  LayerCosts costs;

 private:
  struct Layer {
    int stage = -1, input = 0, second = -1, output = 0;  // tensors of the layout
    std::vector<std::int64_t> cycles;  // by widths of weights (or second input), input, output; -1: not known
    static std::size_t place(int first, int in, int out) { return (at(first) * widths + at(in)) * widths + at(out); }
    std::int64_t known(int first, int in, int out) const { return cycles[place(first, in, out)]; }
  };

  int source(int tensor) const {
    if (at(tensor) < layout_.tensors.size()) return tensor;
    for (const model::IntegerLayer& layer : shapes_.layers)
      if (layer.input == tensor) return source(layer.output);
    throw std::logic_error("a tensor that nothing reads");
  }

  void try_layer(std::size_t index, int first, int in, int out) {
    try {
      if (layers_[index].known(first, in, out) < 0) predict_layer(index, first, in, out);
    } catch (const std::invalid_argument&) {
      // Refused: a plan that asks for it is told why.
    }
  }

  // The layer by itself, as integer_shapes would make it at these widths.
  std::int64_t predict_layer(std::size_t index, int first, int in, int out) {
    const Layer& entry = layers_[index];
    model::IntegerLayer layer = shapes_.layers[index];
    model::IntegerNetwork alone{.name = network_.name(), .tensors = {}, .layers = {}};
    const auto add = [&](int tensor, int source, int bits) {
      model::TensorFormat format = shapes_.tensors[at(tensor)];
      format.bits = bits;
      format.coding = coding_of(layout_.source(source).rectified, bits);
      alone.tensors.push_back(format);
      return static_cast<int>(alone.tensors.size()) - 1;
    };
    layer.input = add(layer.input, entry.input, in);
    if (entry.second >= 0) layer.second = add(layer.second, entry.second, first);
    layer.output = add(layer.output, entry.output, out);
    if (entry.stage >= 0) layer.weight_bits = first;
    fit_to_tensors(layer, alone);
    return layers_[index].cycles[Layer::place(first, in, out)] = costs.events(alone, layer).cycles;
  }

  model::Network network_;
  model::Layout layout_;
  model::IntegerNetwork shapes_;
  std::vector<Layer> layers_;
};

PlanCost::PlanCost(const model::Network& network, const model::Architecture& architecture)
    : tables_(std::make_unique<Tables>(network, architecture)) {}

PlanCost::~PlanCost() = default;

std::int64_t PlanCost::cycles(const model::Plan& plan) { return tables_->cycles(plan); }

std::int64_t PlanCost::predicted() const { return tables_->costs.predicted(); }

void PlanCost::prepare(int widest) { tables_->prepare(widest); }

}  // namespace bitstrata::sim
