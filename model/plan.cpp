// SPDX-License-Identifier: Apache-2.0
// Precision plans: checks against the network, and the YAML file.
#include "model/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "model/output_file.h"
#include "model/stages.h"
#include "model/yaml_reader.h"

namespace bitstrata::model {
namespace {

constexpr const char* format_name = "bitstrata-plan-1";
constexpr int widest = 16;

bool allowed(int bits) { return bits >= 1 && bits <= widest; }

std::string wrong_bits(const std::string& layer, const char* key, int bits) {
  return fmt::format("layer '{}': {} is {}; allowed is 1..{}", layer, key, bits, widest);
}

// What of the plan's layers is not what the network has, in words: layers that one of the two lacks, else those that
// stand elsewhere.
std::vector<std::string> wrong_layers(const Plan& plan, const Network& network) {
  std::vector<std::string> wrong, planned, known;
  for (const LayerPlan& layer : plan.layers) planned.push_back(layer.layer);
  for (const int index : network.weight_layers()) known.push_back(network.node(index).name);
  if (planned == known) return wrong;
  const auto differences = [&](const std::vector<std::string>& from, const std::vector<std::string>& other,
                               const char* words) {
    for (auto named = from.begin(); named != from.end(); ++named) {
      const std::string& name = *named;
      if (std::find(from.begin(), named, name) != named) continue;  // said already
      const auto here = std::count(from.begin(), from.end(), name),
                 there = std::count(other.begin(), other.end(), name);
      if (here > there)
        wrong.push_back(there > 0 ? fmt::format("the plan has layer '{}' {} times", name, here)
                                  : fmt::format("{} layer '{}'", words, name));
    }
  };
  differences(known, planned, "the plan lacks");
  differences(planned, known, "the network does not have the plan's");
  const bool all_there = wrong.empty();
  for (std::size_t i = 0; all_there && i < known.size(); ++i) {
    if (planned[i] == known[i]) continue;
    wrong.push_back(fmt::format("layer {} of the plan is '{}'; in network '{}' it is '{}'", i + 1, planned[i],
                                network.name(), known[i]));
  }
  return wrong;
}

}  // namespace

Plan uniform_plan(const Network& network, int weight_bits, int activation_bits) {
  Plan plan{.network = network.name(), .layers = {}};
  for (int index : network.weight_layers()) {
    const Node& node = network.node(index);
    plan.layers.push_back({node.name, weight_bits, activation_bits, node.out_channels});
  }
  validate(plan, network);
  return plan;
}

std::vector<std::string> contradictions(const Plan& plan, const Network& network) {
  std::vector<std::string> found;
  const bool other = plan.network != network.name();
  if (other) found.push_back(fmt::format("the plan is for network '{}', not for '{}'", plan.network, network.name()));
  if (plan.output_bits < 2 || plan.output_bits > widest) {
    found.push_back(fmt::format("output_bits is {}; allowed is 2..{} (two's complement)", plan.output_bits, widest));
  }
  // What is said of a layer counts only where it is clear which one is meant. Nobody wants to read that all the layers
  // of another network are others.
  const std::vector<std::string> wrong = wrong_layers(plan, network);
  if (!other) found.insert(found.end(), wrong.begin(), wrong.end());
  if (!wrong.empty()) return found;
  const std::vector<int> layers = network.weight_layers();
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const LayerPlan& layer = plan.layers[i];
    const Node& node = network.node(layers[i]);
    for (const auto& [key, bits] :
         {std::pair("weight_bits", layer.weight_bits), std::pair("activation_bits", layer.activation_bits)}) {
      if (!allowed(bits)) found.push_back(wrong_bits(layer.layer, key, bits));
    }
    if (layer.channels < 0 || layer.channels > node.out_channels) {
      found.push_back(fmt::format("layer '{}': channels is {}; allowed is 1..{} (0 or none: all)", layer.layer,
                                  layer.channels, node.out_channels));
    } else if (i + 1 == layers.size() && layer.channels != 0 && layer.channels != node.out_channels) {
      found.push_back(fmt::format("layer '{}': the last layer keeps its {} channels, not {}", layer.layer,
                                  node.out_channels, layer.channels));
    }
  }
  for (const TensorNode& tensor : lay_out(network).tensors) {
    for (int reader : tensor.readers) {
      const LayerPlan &first = plan.layers[tensor.readers[0]], &layer = plan.layers[reader];
      if (layer.activation_bits == first.activation_bits) continue;
      found.push_back(
          fmt::format("layer '{}': activation_bits is {}, but '{}' reads the same tensor with {}; they must be equal",
                      layer.layer, layer.activation_bits, first.layer, first.activation_bits));
    }
  }
  return found;
}

void validate(const Plan& plan, const Network& network) {
  const std::vector<std::string> found = contradictions(plan, network);
  if (!found.empty()) throw std::invalid_argument(fmt::format("{}", fmt::join(found, "; ")));
}

Network planned_network(const Network& network, const Plan& plan) {
  validate(plan, network);
  std::vector<int> channels;
  const std::vector<int> layers = network.weight_layers();
  for (std::size_t i = 0; i < layers.size(); ++i) {
    channels.push_back(plan.layers[i].channels != 0 ? plan.layers[i].channels : network.node(layers[i]).out_channels);
  }
  return network.with_channels(channels);
}

std::string to_text(const Plan& plan) {
  YAML::Emitter out;
  out << YAML::BeginMap;
  out << YAML::Key << "format" << YAML::Value << format_name;
  out << YAML::Key << "network" << YAML::Value << plan.network;
  out << YAML::Key << "output_bits" << YAML::Value << plan.output_bits;
  out << YAML::Key << "layers" << YAML::Value << YAML::BeginSeq;
  for (const LayerPlan& layer : plan.layers) {
    out << YAML::Flow << YAML::BeginMap;
    out << YAML::Key << "layer" << YAML::Value << layer.layer;
    out << YAML::Key << "weight_bits" << YAML::Value << layer.weight_bits;
    out << YAML::Key << "activation_bits" << YAML::Value << layer.activation_bits;
    if (layer.channels != 0) out << YAML::Key << "channels" << YAML::Value << layer.channels;
    out << YAML::EndMap;
  }
  out << YAML::EndSeq << YAML::EndMap;
  return fmt::format("{}\n", out.c_str());
}

void save(const Plan& plan, const std::filesystem::path& file) { write_whole(file, to_text(plan)); }

Plan load_plan(const std::filesystem::path& file) {
  const YamlReader top = YamlReader::from_file(file);
  top.check_keys({"format", "network", "output_bits", "layers"});
  top.check_format(format_name);
  Plan plan;
  plan.network = top.at("network").as_string();
  top.read("output_bits", plan.output_bits);
  std::vector<std::string> wrong;
  std::optional<YamlReader> first;  // with something wrong
  for (const YamlReader& item : top.at("layers").items()) {
    item.check_keys({"layer", "weight_bits", "activation_bits", "channels"});
    LayerPlan layer;
    layer.layer = item.at("layer").as_string();
    layer.weight_bits = item.at("weight_bits").as_int();
    layer.activation_bits = item.at("activation_bits").as_int();
    item.read("channels", layer.channels);
    const auto found = [&](const std::string& text) {
      wrong.push_back(wrong.empty() ? text : fmt::format("line {}: {}", item.line(), text));
      if (wrong.size() == 1) first = item;
    };
    if (!allowed(layer.weight_bits)) found(wrong_bits(layer.layer, "weight_bits", layer.weight_bits));
    if (!allowed(layer.activation_bits)) found(wrong_bits(layer.layer, "activation_bits", layer.activation_bits));
    if (layer.channels < 0) found(fmt::format("layer '{}': channels is {}", layer.layer, layer.channels));
    plan.layers.push_back(layer);
  }
  if (first) first->fail(fmt::format("{}", fmt::join(wrong, "; ")));
  return plan;
}

}  // namespace bitstrata::model
