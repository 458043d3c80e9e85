// SPDX-License-Identifier: Apache-2.0
#include "quant/search.h"

#include <fmt/format.h>

namespace bitstrata::quant {

using nlohmann::json;

json to_json(const model::Plan& plan) {
  json layers = json::array();
  for (const model::LayerPlan& layer : plan.layers)
    layers.push_back({{"layer", layer.layer},
                      {"weight_bits", layer.weight_bits},
                      {"activation_bits", layer.activation_bits},
                      {"channels", layer.channels}});
  return {{"network", plan.network}, {"output_bits", plan.output_bits}, {"layers", layers}};
}

model::Plan plan_from(const json& j) {
  model::Plan plan;
  plan.network = j.at("network");
  plan.output_bits = j.at("output_bits");
  for (const json& layer : j.at("layers"))
    plan.layers.push_back(
        {layer.at("layer"), layer.at("weight_bits"), layer.at("activation_bits"), layer.at("channels")});
  return plan;
}

json to_json(const SearchStep& step) {
  return {{"iteration", step.iteration}, {"event", step.event},        {"epochs", step.epochs},
          {"passes", step.passes},       {"accuracy", step.accuracy},  {"price", step.price},
          {"macs", step.macs},           {"plan", to_json(step.plan)}, {"density", step.density}};
}

SearchStep step_from(const json& j) {
  return {j.at("iteration"), j.at("event"), j.at("epochs"),          j.at("passes"), j.at("accuracy"),
          j.at("price"),     j.at("macs"),  plan_from(j.at("plan")), j.at("density")};
}

std::string to_csv(const std::vector<SearchStep>& log, const std::string& price_column) {
  std::string text =
      "iteration,event,epochs,training_passes,validation_accuracy,layer,activation_density,weight_bits,activation_bits,"
      "channels,"
      "network_macs," +
      price_column + "\n";
  for (const SearchStep& step : log)
    for (std::size_t i = 0; i < step.plan.layers.size(); ++i) {
      const model::LayerPlan& layer = step.plan.layers[i];
      text +=
          fmt::format("{},{},{},{:.4g},{:.4f},{},{:.4f},{},{},{},{},{:.6g}\n", step.iteration, step.event, step.epochs,
                      step.passes, step.accuracy, layer.layer, i < step.density.size() ? step.density[i] : 0.0,
                      layer.weight_bits, layer.activation_bits, layer.channels, step.macs, step.price);
    }
  return text;
}

}  // namespace bitstrata::quant
