// SPDX-License-Identifier: Apache-2.0
#include "sim/cost_model.h"

#include <array>
#include <unordered_map>
#include <utility>
#include <vector>

#include "rtl/generate/program.h"
#include "sim/fast.h"
#include "sim/random_network.h"

namespace bitstrata::sim {

namespace {

using namespace model;
using generate::Descriptor;

constexpr std::uint32_t page_bytes = 4096;

// Everything a layer's descriptor depends on but its addresses and its numbers.
using LayerKey = std::array<int, 28>;

LayerKey key_of(const IntegerLayer& layer, const TensorFormat& in, const TensorFormat& out) {
  const Window& w = layer.window;
  return {static_cast<int>(layer.kind),
          layer.groups,
          layer.weight_bits,
          layer.acc_shift,
          in.shape.height,
          in.shape.width,
          in.shape.channels,
          in.bits,
          static_cast<int>(in.coding),
          in.zero_point,
          out.shape.height,
          out.shape.width,
          out.shape.channels,
          out.bits,
          static_cast<int>(out.coding),
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
          layer.clip_low,
          layer.clip_high,
          out.zero_point};
}

struct KeyHash {
  std::size_t operator()(const LayerKey& key) const {
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (int value : key) hash = (hash ^ static_cast<std::uint32_t>(value)) * 0x9e3779b97f4a7c15u;
    return static_cast<std::size_t>(hash ^ (hash >> 32));
  }
};

// A layer lowered on its own: its descriptor, the room its regions take, and its events at the places seen so far.
struct KnownLayer {
  Descriptor descriptor;
  std::uint32_t list_bytes = 0;  // of a list of one descriptor: the alignment of all regions, at least a stride
  std::uint32_t in_bytes = 0, out_bytes = 0, param_bytes = 0, weight_bytes = 0;
  std::unordered_map<std::uint64_t, Events> events;  // by addresses within their pages
};

}  // namespace

class FastCostModel::Memory {
 public:
  Memory(const Architecture& architecture, std::uint64_t seed) : architecture_(architecture), seed_(seed) {}

  Measurement measure(const IntegerNetwork& shapes) {
    std::vector<KnownLayer*> known;
    std::vector<std::uint32_t> tensor_bytes(shapes.tensors.size(), 0);
    for (std::size_t i = 0; i < shapes.layers.size(); ++i) {
      known.push_back(&find(shapes, i));
      tensor_bytes[at(shapes.layers[i].input)] = known.back()->in_bytes;
      tensor_bytes[at(shapes.layers[i].output)] = known.back()->out_bytes;
    }
    // The places `lower` would give: the list, the tensors, then each layer's parameters and weights.
    const std::uint32_t unit = known.front()->list_bytes;
    const auto list = static_cast<std::uint32_t>(shapes.layers.size()) * generate::descriptor_stride;
    std::uint32_t next = (list + unit - 1) / unit * unit;
    std::vector<std::uint32_t> address;
    for (std::uint32_t bytes : tensor_bytes) address.push_back(std::exchange(next, next + bytes));

    Measurement measurement;
    measurement.origin = Origin::fast;
    measurement.architecture = architecture_.name;
    measurement.clock_mhz = architecture_.clock_mhz;
    measurement.layers.reserve(shapes.layers.size());
    for (std::size_t i = 0; i < shapes.layers.size(); ++i) {
      const IntegerLayer& layer = shapes.layers[i];
      KnownLayer& found = *known[i];
      const std::uint32_t param = std::exchange(next, next + found.param_bytes);
      const std::uint32_t weight = std::exchange(next, next + found.weight_bytes);
      const Events events = events_at(found, address[at(layer.input)], address[at(layer.output)], param, weight);
      measurement.layers.push_back({layer.name, layer.kind, layer.weight_bits, shapes.tensors[at(layer.input)].bits,
                                    shapes.tensors[at(layer.output)].bits, layer.macs, events});
    }
    return measurement;
  }

  std::int64_t predicted = 0, asked = 0;

 private:
  static std::size_t at(int index) { return static_cast<std::size_t>(index); }

  KnownLayer& find(const IntegerNetwork& shapes, std::size_t index) {
    const IntegerLayer& layer = shapes.layers[index];
    const TensorFormat& in = shapes.tensors[at(layer.input)];
    const TensorFormat& out = shapes.tensors[at(layer.output)];
    const LayerKey key = key_of(layer, in, out);
    if (const auto old = layers_.find(key); old != layers_.end()) return old->second;
    IntegerNetwork alone{.name = shapes.name, .tensors = {in, out}, .layers = {layer}};
    alone.layers[0].input = 0;
    alone.layers[0].output = 1;
    randomize_layer(alone, 0, seed_);
    const generate::Program program = generate::lower(alone, architecture_);
    const Descriptor& d = program.layers.at(0);
    const auto end = static_cast<std::uint32_t>(program.image.size());
    const bool convolution = layer.kind == LayerKind::convolution;
    const std::uint32_t weights = convolution ? d[generate::D_WEIGHT_ADDRESS] : end;
    return layers_
        .emplace(key, KnownLayer{.descriptor = d,
                                 .list_bytes = program.tensors[0].address - program.list_address,
                                 .in_bytes = program.tensors[1].address - program.tensors[0].address,
                                 .out_bytes = d[generate::D_PARAM_ADDRESS] - program.tensors[1].address,
                                 .param_bytes = weights - d[generate::D_PARAM_ADDRESS],
                                 .weight_bytes = end - weights,
                                 .events = {}})
        .first->second;
  }

  Events events_at(KnownLayer& layer, std::uint32_t in, std::uint32_t out, std::uint32_t param, std::uint32_t weight) {
    ++asked;
    std::uint64_t place = 0;
    for (std::uint32_t address : {in, out, param, weight}) place = place * page_bytes + address % page_bytes;
    if (const auto old = layer.events.find(place); old != layer.events.end()) return old->second;
    Descriptor d = layer.descriptor;
    d[generate::D_IN_ADDRESS] = in;
    d[generate::D_OUT_ADDRESS] = out;
    d[generate::D_PARAM_ADDRESS] = param;
    d[generate::D_WEIGHT_ADDRESS] = weight;
    ++predicted;
    return layer.events.emplace(place, predict(d, architecture_)).first->second;
  }

  Architecture architecture_;
  std::uint64_t seed_;
  std::unordered_map<LayerKey, KnownLayer, KeyHash> layers_;
};

FastCostModel::FastCostModel(const Architecture& architecture, std::uint64_t seed)
    : memory_(std::make_unique<Memory>(architecture, seed)) {}

FastCostModel::~FastCostModel() = default;

Measurement FastCostModel::measure(const Network& network, const Plan& plan) {
  return memory_->measure(integer_shapes(network, plan));
}

Measurement FastCostModel::measure(const IntegerNetwork& shapes) { return memory_->measure(shapes); }

std::int64_t FastCostModel::predicted() const { return memory_->predicted; }
std::int64_t FastCostModel::asked() const { return memory_->asked; }

}  // namespace bitstrata::sim
