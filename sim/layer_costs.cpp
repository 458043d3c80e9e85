// SPDX-License-Identifier: Apache-2.0
#include "sim/layer_costs.h"

#include <array>
#include <optional>
#include <stdexcept>
#include <unordered_map>
#include <vector>

#include "rtl/generate/layer_program.h"
#include "rtl/generate/strips.h"
#include "sim/fast.h"

namespace bitstrata::sim {

namespace {

using namespace model;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

// Everything a layer's events depend on, and whether it fits: no names, no numbers.
using LayerKey = std::array<int, 33>;

LayerKey key_of(const Architecture& a, const IntegerNetwork& network, const IntegerLayer& layer) {
  const TensorFormat &in = network.tensors[at(layer.input)], &out = network.tensors[at(layer.output)];
  const TensorFormat second = layer.second < 0 ? TensorFormat{.bits = 0} : network.tensors[at(layer.second)];
  const Window& w = layer.window;
  const bool has_sides = enlarges(layer.kind);
  return {static_cast<int>(layer.kind),
          layer.groups,
          layer.weight_bits,
          layer.acc_shift,
          static_cast<int>(layer.activation),
          has_sides ? layer.factor[0] : 0,
          has_sides ? layer.factor[1] : 0,
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
          w.dilation_width,
          generate::strip_of(a, in),
          generate::strip_of(a, out)};
}

struct KeyHash {
  std::size_t operator()(const LayerKey& key) const {
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (int value : key) hash = (hash ^ static_cast<std::uint32_t>(value)) * 0x9e3779b97f4a7c15u;
    return static_cast<std::size_t>(hash ^ (hash >> 32));
  }
};

}  // namespace

class LayerCosts::Memory {
 public:
  explicit Memory(const Architecture& its) : architecture(its), judge_(judge_of(its)) { validate(its); }

  const Events& events(const IntegerNetwork& shapes, const IntegerLayer& layer) {
    ++asked;
    Known& known = layers_[key_of(architecture, shapes, layer)];
    // A refusal is not remembered: it names the layer that is asked for.
    if (known.descriptors.empty())
      known.descriptors = generate::program_layer(architecture, shapes, layer, {}, judge_).descriptors;
    if (!known.events) {
      ++predicted;
      known.events.emplace();
      for (const Events& events : predict(known.descriptors, architecture)) *known.events += events;
    }
    return *known.events;
  }

  void forget_events() {
    for (auto& [key, known] : layers_) known.events.reset();
  }

  const Architecture architecture;
  std::int64_t predicted = 0, asked = 0;

 private:
  struct Known {
    std::vector<generate::Descriptor> descriptors;  // the layer as the best tiling runs it
    std::optional<Events> events;
  };

  generate::Judge judge_;
  std::unordered_map<LayerKey, Known, KeyHash> layers_;
};

LayerCosts::LayerCosts(const Architecture& architecture) : memory_(std::make_unique<Memory>(architecture)) {
  if (!architecture.skip_planes) return;
  throw std::invalid_argument("architecture '" + architecture.name +
                              "': with skip_planes cycles depend on the activations; measure it on data (bitstrata "
                              "run --images), or without it");
}
LayerCosts::~LayerCosts() = default;

const Events& LayerCosts::events(const IntegerNetwork& shapes, const IntegerLayer& layer) {
  return memory_->events(shapes, layer);
}
void LayerCosts::forget_events() { memory_->forget_events(); }
const Architecture& LayerCosts::architecture() const { return memory_->architecture; }
std::int64_t LayerCosts::predicted() const { return memory_->predicted; }
std::int64_t LayerCosts::asked() const { return memory_->asked; }

}  // namespace bitstrata::sim
