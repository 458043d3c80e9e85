// SPDX-License-Identifier: Apache-2.0
#include "quant/checkpoint.h"

#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace bitstrata::quant {

namespace {

using nlohmann::json;
using torch::Tensor;

constexpr const char* kMomentum = "momentum.";

std::map<std::string, Tensor> tensors_under(const TensorFile& file, const std::string& prefix) {
  std::map<std::string, Tensor> result;
  for (const auto& [name, data] : file.tensors)
    if (name.rfind(prefix, 0) == 0) result[name.substr(prefix.size())] = to_tensor(data);
  return result;
}

std::vector<Tensor> zeros_like_all(const Module& module) {
  std::vector<Tensor> zeros;
  for (const auto& [name, tensor] : module.parameters()) zeros.push_back(torch::zeros_like(tensor.detach()));
  return zeros;
}

}  // namespace

TrainingState TrainingState::clone() const {
  std::vector<Tensor> copies = momentum;
  Module copy = module.with_channels(all_channels(module.groups()), &copies);
  return {std::move(copy), std::move(copies)};
}

TensorData to_data(const Tensor& tensor) {
  const Tensor flat = tensor.detach().contiguous();
  TensorData data;
  data.type = flat.scalar_type() == torch::kFloat64 ? "F64" : flat.scalar_type() == torch::kInt64 ? "I64" : "F32";
  data.shape = flat.sizes().vec();
  data.bytes.assign(static_cast<const char*>(flat.data_ptr()), flat.nbytes());
  return data;
}

Tensor to_tensor(const TensorData& data) {
  const auto type = data.type == "F64" ? torch::kFloat64 : data.type == "I64" ? torch::kInt64 : torch::kFloat32;
  Tensor tensor = torch::empty(data.shape, type);
  std::memcpy(tensor.data_ptr(), data.bytes.data(), data.bytes.size());
  return tensor;
}

void put_state(TensorFile& file, const std::string& prefix, const TrainingState& state) {
  for (const auto& [name, tensor] : state.module.state()) file.tensors[prefix + name] = to_data(tensor);
  const auto parameters = state.module.parameters();
  for (std::size_t i = 0; i < state.momentum.size(); ++i)
    file.tensors[prefix + kMomentum + parameters[i].first] = to_data(state.momentum[i]);
  const model::Plan& plan = state.module.plan();
  json layers = json::array();
  for (const model::LayerPlan& layer : plan.layers) layers.push_back({layer.weight_bits, layer.activation_bits});
  file.metadata[prefix + "plan"] =
      json{{"layers", layers}, {"output_bits", plan.output_bits}, {"channels", channels_of(state.module.network())}}
          .dump();
}

TrainingState take_state(const TensorFile& file, const std::string& prefix, const model::Network& base,
                         const QuantizeOptions& options, bool weights_only) {
  const auto found = file.metadata.find(prefix + "plan");
  if (found == file.metadata.end()) throw std::runtime_error("it holds no training state of this program");
  const json description = json::parse(found->second);
  TrainingState state{Module(base.with_channels(description.at("channels")), 0), {}};
  state.module.options = options;
  std::map<std::string, Tensor> tensors;
  std::map<std::string, Tensor> momentum;
  for (auto& [name, tensor] : tensors_under(file, prefix)) {
    if (name.rfind(kMomentum, 0) == 0)
      momentum[name.substr(std::strlen(kMomentum))] = tensor;
    else
      tensors[name] = tensor;
  }
  if (weights_only) {  // steps belong to the plan they were learned under
    std::erase_if(tensors, [](const auto& entry) { return is_step(entry.first) || of_calibration(entry.first); });
    for (const auto& [name, tensor] : state.module.parameters())
      if (is_step(name)) tensors[name] = tensor.detach().clone();
  } else {
    model::Plan plan = state.module.plan();
    for (std::size_t i = 0; i < plan.layers.size(); ++i) {
      plan.layers[i].weight_bits = description.at("layers").at(i).at(0);
      plan.layers[i].activation_bits = description.at("layers").at(i).at(1);
    }
    plan.output_bits = description.at("output_bits");
    state.module.set_plan(plan);
  }
  state.module.load_state(tensors);
  state.momentum = zeros_like_all(state.module);
  if (weights_only) {
    state.module.forget_ranges();
    return state;
  }
  const auto parameters = state.module.parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const auto entry = momentum.find(parameters[i].first);
    if (entry == momentum.end() || entry->second.sizes() != parameters[i].second.sizes())
      throw std::runtime_error("the momentum of '" + parameters[i].first + "' is missing or has another shape");
    state.momentum[i] = entry->second;
  }
  return state;
}

}  // namespace bitstrata::quant
