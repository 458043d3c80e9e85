// SPDX-License-Identifier: Apache-2.0
// The interface of all searches: a trainable network and a price go in; a plan, its price, its accuracy and a log of
// every step come out.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "quant/trainable.h"

namespace bitstrata::quant {

// What a plan costs, in the unit the caller chose: measured by a model::CostModel, or from a published table.
using Price = std::function<double(const model::Network&, const model::Plan&)>;

// What every search is given beside its own options.
struct SearchProblem {
  std::vector<int> allowed_bits;  // ascending; empty: 1..16
  Price price;
};

struct SearchStep {
  int iteration = 0;
  std::string event;    // what was decided: "accepted", "dead layer", "accuracy fell", ...
  int epochs = 0;       // trained in this iteration
  double passes = 0;    // over the training images in these epochs
  double accuracy = 0;  // validation, 0..1
  double price = 0;
  std::int64_t macs = 0;
  model::Plan plan;             // that was trained in this iteration
  std::vector<double> density;  // measured under it, per layer
};

class Search {
 public:
  virtual ~Search() = default;
  // One epoch of training with what is decided after it. Between two steps the search may be stored.
  virtual void step(Trainable& network) = 0;
  // The network is then in the best accepted state.
  virtual bool done() const = 0;
  virtual const std::vector<SearchStep>& log() const = 0;
  virtual nlohmann::json state() const = 0;
  virtual void resume(const nlohmann::json& state) = 0;
};

nlohmann::json to_json(const model::Plan& plan);
model::Plan plan_from(const nlohmann::json& json);
nlohmann::json to_json(const SearchStep& step);
SearchStep step_from(const nlohmann::json& json);

// One row a layer and iteration: iteration, event, epochs, training_passes, validation_accuracy, layer, density, bits,
// channels, macs, price.
std::string to_csv(const std::vector<SearchStep>& log, const std::string& price_column);

}  // namespace bitstrata::quant
