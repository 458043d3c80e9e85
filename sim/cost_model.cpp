// SPDX-License-Identifier: Apache-2.0
#include "sim/cost_model.h"

#include <array>
#include <stdexcept>
#include <unordered_map>
#include <vector>

#include "rtl/generate/layer_program.h"
#include "sim/fast.h"
#include "sim/random_network.h"

namespace bitstrata::sim {

namespace {

using namespace model;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

// Everything a layer's events depend on.
using LayerKey = std::array<int, 36>;

LayerKey key_of(const IntegerNetwork& network, const IntegerLayer& layer) {
  const TensorFormat &in = network.tensors[at(layer.input)], &out = network.tensors[at(layer.output)];
  const TensorFormat second = layer.second < 0 ? TensorFormat{.bits = 0} : network.tensors[at(layer.second)];
  const Window& w = layer.window;
  return {static_cast<int>(layer.kind),
          layer.groups,
          layer.weight_bits,
          layer.acc_shift,
          static_cast<int>(layer.activation),
          layer.kind == LayerKind::upsample ? layer.factor[0] : 0,
          in.shape.height,
          in.shape.width,
          in.shape.channels,
          in.bits,
          static_cast<int>(in.coding),
          second.shape.height,
          second.shape.width,
          second.shape.channels,
          second.bits,
          static_cast<int>(second.coding),
          out.shape.height,
          out.shape.width,
          out.shape.channels,
          out.bits,
          w.kernel_height,
          w.kernel_width,
          w.stride_height,
          w.stride_width,
          w.pad_top,
          w.pad_bottom,
          w.pad_left,
          w.pad_right,
          w.dilation_height,
          w.dilation_width};
}

struct KeyHash {
  std::size_t operator()(const LayerKey& key) const {
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (int value : key) hash = (hash ^ static_cast<std::uint32_t>(value)) * 0x9e3779b97f4a7c15u;
    return static_cast<std::size_t>(hash ^ (hash >> 32));
  }
};

}  // namespace

class FastCostModel::Memory {
 public:
  explicit Memory(const Architecture& architecture) : architecture_(architecture), judge_(judge_of(architecture)) {
    validate(architecture);
  }

  Measurement measure(const IntegerNetwork& shapes) {
    Measurement measurement;
    measurement.origin = Origin::fast;
    measurement.architecture = architecture_.name;
    measurement.clock_mhz = architecture_.clock_mhz;
    measurement.layers.reserve(shapes.layers.size());
    for (const IntegerLayer& layer : shapes.layers) {
      measurement.layers.push_back({layer.name, layer.kind, layer.weight_bits, shapes.tensors[at(layer.input)].bits,
                                    shapes.tensors[at(layer.output)].bits, layer.macs, events_of(shapes, layer)});
    }
    return measurement;
  }

  std::int64_t predicted = 0, asked = 0;

 private:
  const Events& events_of(const IntegerNetwork& shapes, const IntegerLayer& layer) {
    ++asked;
    const auto [entry, is_new] = layers_.try_emplace(key_of(shapes, layer));
    Known& known = entry->second;
    if (is_new) {
      ++predicted;
      try {
        for (const auto& descriptor : generate::program_layer(architecture_, shapes, layer, {}, judge_).descriptors)
          known.events += predict(descriptor, architecture_);
      } catch (const std::invalid_argument& refusal) {
        known.refusal = refusal.what();
      }
    }
    if (!known.refusal.empty()) throw std::invalid_argument(known.refusal);
    return known.events;
  }

  struct Known {
    Events events;
    std::string refusal;  // where the layer does not fit
  };

  Architecture architecture_;
  generate::Judge judge_;
  std::unordered_map<LayerKey, Known, KeyHash> layers_;
};

FastCostModel::FastCostModel(const Architecture& architecture) : memory_(std::make_unique<Memory>(architecture)) {}

FastCostModel::~FastCostModel() = default;

Measurement FastCostModel::measure(const Network& network, const Plan& plan) {
  return memory_->measure(integer_shapes(network, plan));
}

Measurement FastCostModel::measure(const IntegerNetwork& shapes) { return memory_->measure(shapes); }

std::int64_t FastCostModel::predicted() const { return memory_->predicted; }
std::int64_t FastCostModel::asked() const { return memory_->asked; }

}  // namespace bitstrata::sim
