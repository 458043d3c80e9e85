// SPDX-License-Identifier: Apache-2.0
#include "sim/plan_cost.h"

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>
#include <unordered_map>
#include <vector>

#include "model/channel_groups.h"
#include "model/stages.h"
#include "sim/energy.h"
#include "sim/layer_costs.h"
#include "sim/random_network.h"

namespace bitstrata::sim {

namespace {

constexpr std::size_t widths = 17;  // 0 to 16

std::size_t at(int index) { return static_cast<std::size_t>(index); }

}  // namespace

class PlanCost::Tables {
 public:
  Tables(const model::Network& network, const model::Architecture& architecture, const model::Technology* technology,
         const PlanStatistics* statistics)
      : costs(statistics != nullptr ? without_skipping(architecture) : architecture),
        network_(network),
        layout_(model::lay_out(network)),
        groups_(model::channel_groups(network, layout_)),
        shapes_(integer_shapes(network, model::uniform_plan(network, 8, 8))) {
    if (technology) technology_ = *technology;
    if (statistics) statistics_ = *statistics;
    for (const model::IntegerLayer& layer : shapes_.layers) {
      Layer entry;
      const auto stage = std::ranges::find(layout_.stages, layer.name, &model::Stage::name);
      if (stage != layout_.stages.end()) entry.stage = static_cast<int>(stage - layout_.stages.begin());
      // Tensors of chained joins have the format of the join's result.
      entry.input = source(layer.input);
      entry.second = layer.second < 0 ? -1 : source(layer.second);
      entry.output = source(layer.output);
      entry.prices.assign(widths * widths * widths, {-1, 0});
      layers_.push_back(std::move(entry));
    }
    prices_.resize(layers_.size());
  }

  std::vector<model::PricedLayer> layers() const {
    std::vector<model::PricedLayer> result;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const Layer& layer = layers_[i];
      result.push_back({shapes_.layers[i].name, layer.stage, {layer.input, layer.output}});
      if (layer.second >= 0) result.back().tensors.push_back(layer.second);
    }
    return result;
  }

  const std::vector<model::LayerPrice>& prices(const model::Plan& plan) {
    if (plan.layers.size() != layout_.stages.size())
      throw std::invalid_argument("the plan has another number of layers than network '" + network_.name() + "'");
    const std::vector<int> bits = model::tensor_bits(layout_, plan);
    const bool whole = keeps_all(plan);
    if (!whole) follow_channels(plan);
    for (std::size_t i = 0; i < layers_.size(); ++i) prices_[i] = price_layer(i, plan, bits, whole);
    return prices_;
  }

  std::optional<model::LayerPrice> price(std::size_t layer, const model::Plan& plan) {
    const bool whole = keeps_all(plan);
    if (!whole) follow_channels(plan);
    const std::vector<int> bits = model::tensor_bits(layout_, plan);
    try {
      return price_layer(layer, plan, bits, whole);
    } catch (const std::invalid_argument&) {
      return std::nullopt;
    }
  }

  std::int64_t cycles(const model::Plan& plan) {
    std::int64_t total = 0;
    for (const model::LayerPrice& price : prices(plan)) total += price.cycles;
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
  // A layer with the formats of its tensors, whose widths are set when it is priced.
  struct Alone {
    model::IntegerLayer layer;
    model::TensorFormat input, second, output;
  };
  struct Layer {
    int stage = -1, input = 0, second = -1, output = 0;  // tensors of the layout
    // With all channels, by widths of weights (or second input), input, output; -1 cycles: not known.
    std::vector<model::LayerPrice> prices;
    // With fewer: by place, and the channels of both inputs and the output.
    std::unordered_map<std::uint64_t, model::LayerPrice> pruned;
    std::unordered_map<std::uint64_t, Alone> shapes;  // by these channels
    std::uint64_t channels = 0;                       // of the plan that is being priced
    bool keeps_all = true;
    static std::uint64_t place(int first, int in, int out) { return (at(first) * widths + at(in)) * widths + at(out); }
    const model::LayerPrice& known(int first, int in, int out) const { return prices[place(first, in, out)]; }
  };

  model::LayerPrice price_layer(std::size_t index, const model::Plan& plan, const std::vector<int>& bits, bool whole) {
    Layer& layer = layers_[index];
    const int first = layer.stage >= 0    ? plan.layers[at(layer.stage)].weight_bits
                      : layer.second >= 0 ? bits[at(layer.second)]
                                          : 0;
    const int in = bits[at(layer.input)], out = bits[at(layer.output)];
    if (at(first) >= widths || at(in) >= widths || at(out) >= widths) model::validate(plan, network_);
    if (whole || layer.keeps_all) {
      const model::LayerPrice& known = layer.known(first, in, out);
      if (known.cycles < 0) model::validate(plan, network_);
      return known.cycles >= 0 ? known : predict_layer(index, first, in, out);
    }
    const std::uint64_t place = Layer::place(first, in, out) << 48 | layer.channels;
    const auto known = layer.pruned.find(place);
    if (known != layer.pruned.end()) return known->second;
    if (!layer.shapes.contains(layer.channels)) shape_layers(plan);
    return layer.pruned[place] = predict(index, layer.shapes.at(layer.channels), first, in, out);
  }

  // Takes down what all layers are with the channels of `plan`: widths change no more than formats of it.
  void shape_layers(const model::Plan& plan) {
    const model::IntegerNetwork pruned = integer_shapes(model::planned_network(network_, plan), plan);
    for (std::size_t i = 0; i < layers_.size(); ++i)
      layers_[i].shapes.try_emplace(layers_[i].channels, alone(pruned, i));
  }

  bool keeps_all(const model::Plan& plan) const {
    for (std::size_t s = 0; s < layout_.stages.size(); ++s) {
      const int all = network_.node(layout_.stages[s].weight).output.channels;
      if (plan.layers[s].channels != 0 && plan.layers[s].channels != all) return false;
    }
    return true;
  }

  // Sets the channels of every layer's tensors under a plan that removes some.
  void follow_channels(const model::Plan& plan) {
    model::validate(plan, network_);
    const std::vector<int> counts = model::group_counts(groups_, plan);
    const auto channels = [&](int tensor) {
      std::uint64_t sum = 0;
      for (const int part : groups_.nodes[at(layout_.tensors[at(tensor)].node)]) sum += at(counts[at(part)]);
      return sum;
    };
    const auto all = [&](int tensor) { return at(network_.node(layout_.tensors[at(tensor)].node).output.channels); };
    for (Layer& layer : layers_) {
      layer.channels = 0;
      layer.keeps_all = true;
      for (const int tensor : {layer.input, layer.second, layer.output}) {
        layer.channels <<= 16;
        if (tensor < 0) continue;
        const std::uint64_t kept = channels(tensor);
        layer.keeps_all = layer.keeps_all && kept == all(tensor);
        layer.channels |= kept & 0xffff;
      }
    }
  }

  model::LayerPrice price_of(const model::IntegerNetwork& shapes, const model::IntegerLayer& layer, std::size_t index) {
    const auto bits = [&](int tensor) { return shapes.tensors[at(tensor)].bits; };
    model::LayerMeasurement measured{.layer = layer.name,
                                     .kind = layer.kind,
                                     .weight_bits = layer.weight_bits,
                                     .activation_bits = bits(layer.input),
                                     .output_bits = bits(layer.output),
                                     .macs = layer.macs,
                                     .events = costs.events(shapes, layer)};
    if (statistics_) {
      const LayerStatistics* known = statistics_->find(PlanStatistics::key(shapes, layer, index));
      if (known == nullptr)
        throw std::logic_error("no statistics of layer '" + layer.name + "' at " + std::to_string(layer.weight_bits) +
                               "/" + std::to_string(measured.activation_bits) + " bits");
      measured.events = known->expected(measured.events);
      measured.toggles = known->toggles_of(measured.events);
    }
    model::LayerPrice price{measured.events.cycles, 0};
    if (!technology_) return price;
    const EnergyParts parts =
        sim::price(measured, geometry_of(shapes, layer), *technology_, {&costs.architecture(), 1}).parts;
    if (parts.any()) price.energy_fj = 1000 * parts.total_pj();
    return price;
  }

  int source(int tensor) const {
    if (at(tensor) < layout_.tensors.size()) return tensor;
    for (const model::IntegerLayer& layer : shapes_.layers)
      if (layer.input == tensor) return source(layer.output);
    throw std::logic_error("a tensor that nothing reads");
  }

  void try_layer(std::size_t index, int first, int in, int out) {
    try {
      if (layers_[index].known(first, in, out).cycles < 0) predict_layer(index, first, in, out);
    } catch (const std::invalid_argument&) {
      // Refused: a plan that asks for it is told why.
    }
  }

  Alone alone(const model::IntegerNetwork& shapes, std::size_t index) const {
    Alone found{shapes.layers.at(index), {}, {}, {}};
    const auto format = [&](int tensor) { return shapes.tensors[at(tensor)]; };
    found.input = format(found.layer.input);
    if (found.layer.second >= 0) found.second = format(found.layer.second);
    found.output = format(found.layer.output);
    return found;
  }

  const model::LayerPrice& predict_layer(std::size_t index, int first, int in, int out) {
    return layers_[index].prices[Layer::place(first, in, out)] = predict(index, alone(shapes_, index), first, in, out);
  }

  // The layer by itself, as integer_shapes would make it at these widths.
  model::LayerPrice predict(std::size_t index, const Alone& shape, int first, int in, int out) {
    const Layer& entry = layers_[index];
    model::IntegerLayer layer = shape.layer;
    model::IntegerNetwork network{.name = network_.name(), .tensors = {}, .layers = {}};
    const auto add = [&](model::TensorFormat format, int source, int bits) {
      format.bits = bits;
      format.coding = coding_of(layout_.source(source).rectified, bits);
      network.tensors.push_back(format);
      return static_cast<int>(network.tensors.size()) - 1;
    };
    layer.input = add(shape.input, entry.input, in);
    if (entry.second >= 0) layer.second = add(shape.second, entry.second, first);
    layer.output = add(shape.output, entry.output, out);
    if (entry.stage >= 0) layer.weight_bits = first;
    fit_to_tensors(layer, network);
    return price_of(network, layer, index);
  }

  model::Network network_;
  model::Layout layout_;
  model::ChannelGroups groups_;
  model::IntegerNetwork shapes_;
  std::optional<model::Technology> technology_;
  std::optional<PlanStatistics> statistics_;
  std::vector<Layer> layers_;
  std::vector<model::LayerPrice> prices_;
};

PlanCost::PlanCost(const model::Network& network, const model::Architecture& architecture,
                   const model::Technology* technology, const PlanStatistics* statistics)
    : tables_(std::make_unique<Tables>(network, architecture, technology, statistics)) {}

std::vector<model::PricedLayer> PlanCost::layers() const { return tables_->layers(); }

const std::vector<model::LayerPrice>& PlanCost::prices(const model::Plan& plan) { return tables_->prices(plan); }

std::optional<model::LayerPrice> PlanCost::price(std::size_t layer, const model::Plan& plan) {
  return tables_->price(layer, plan);
}

PlanCost::~PlanCost() = default;

std::int64_t PlanCost::cycles(const model::Plan& plan) { return tables_->cycles(plan); }

std::int64_t PlanCost::predicted() const { return tables_->costs.predicted(); }

void PlanCost::prepare(int widest) { tables_->prepare(widest); }

}  // namespace bitstrata::sim
