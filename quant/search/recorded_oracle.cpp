// SPDX-License-Identifier: Apache-2.0
#include "quant/search/recorded_oracle.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <stdexcept>

namespace bitstrata::quant {

using nlohmann::json;

namespace {

json widths(const model::Plan& plan) {
  json layers = json::array();
  for (const model::LayerPlan& layer : plan.layers)
    layers.push_back({layer.weight_bits, layer.activation_bits, layer.channels});
  return layers;
}

// JSON has no infinity.
json to_json(const Losses& losses) {
  json curves = json::array();
  for (const std::vector<double>& curve : losses) {
    json values = json::array();
    for (const double loss : curve) values.push_back(std::isfinite(loss) ? json(loss) : json(nullptr));
    curves.push_back(std::move(values));
  }
  return curves;
}

Losses losses_from(const json& curves) {
  Losses losses;
  for (const json& curve : curves) {
    losses.emplace_back();
    for (const json& loss : curve)
      losses.back().push_back(loss.is_null() ? std::numeric_limits<double>::infinity() : loss.get<double>());
  }
  return losses;
}

}  // namespace

RecordedOracle::RecordedOracle(LossOracle& inner, std::filesystem::path journal, bool resume, States states)
    : inner_(inner), file_(std::move(journal)), states_(std::move(states)) {
  if (resume) {
    std::ifstream stream(file_);
    std::string line;
    while (std::getline(stream, line) && !stream.eof()) {
      json entry = json::parse(line, nullptr, false);
      if (entry.is_discarded()) break;
      known_.push_back(std::move(entry));
    }
  }
  // Written anew without what was cut off.
  stream_.open(file_, std::ios::trunc);
  for (const json& entry : known_) stream_ << entry.dump() << "\n";
  if (!stream_.flush()) throw std::runtime_error(fmt::format("cannot write {}", file_.string()));
}

json RecordedOracle::answer(const json& question, const std::function<json()>& ask) {
  if (next_ < known_.size()) {
    const json& entry = known_[next_];
    if (entry.value("question", json()) != question || !entry.contains("answer") || !entry.contains("passes"))
      throw std::invalid_argument(
          fmt::format("{}:{}: the journal is of another search; remove it to begin anew", file_.string(), next_ + 1));
    ++next_;
    passes_ = entry["passes"];
    return entry["answer"];
  }
  if (!live_) {
    live_ = true;
    if (trained_ > 0) states_.restore(trained_);
    before_ = inner_.passes() - passes_;
  }
  json given = ask();
  passes_ = inner_.passes() - before_;
  stream_ << json{{"question", question}, {"answer", given}, {"passes", passes_}}.dump() << "\n";
  if (!stream_.flush()) throw std::runtime_error(fmt::format("cannot write {}", file_.string()));
  return given;
}

double RecordedOracle::loss_of(const char* question, const model::Plan& plan, const std::function<double()>& ask) {
  const json given = answer({{question, widths(plan)}}, [&]() -> json {
    const double loss = ask();
    return std::isfinite(loss) ? json(loss) : json(nullptr);
  });
  return given.is_null() ? std::numeric_limits<double>::infinity() : given.get<double>();
}

double RecordedOracle::loss(const model::Plan& plan) {
  return loss_of("loss", plan, [&] { return inner_.loss(plan); });
}

double RecordedOracle::trial(const model::Plan& plan) {
  return loss_of("trial", plan, [&] { return inner_.trial(plan); });
}

Losses RecordedOracle::single_changes(const SearchSpace& space, const Point& point, int reach) {
  return losses_from(answer({{"changes", point}, {"reach", reach}},
                            [&] { return to_json(inner_.single_changes(space, point, reach)); }));
}

Slopes RecordedOracle::slopes(const SearchSpace& space, const std::vector<double>& places, int turn) {
  const json given = answer({{"slopes", places}, {"turn", turn}}, [&]() -> json {
    const Slopes slopes = inner_.slopes(space, places, turn);
    return {{"loss", slopes.loss}, {"slopes", slopes.by_variable}};
  });
  return {given.at("loss"), given.at("slopes")};
}

std::vector<double> RecordedOracle::densities(const model::Plan& plan) {
  return answer({{"densities", widths(plan)}}, [&] { return json(inner_.densities(plan)); });
}

void RecordedOracle::adapt(const model::Plan& plan) {
  answer({{"adapt", widths(plan)}}, [&] {
    inner_.adapt(plan);
    states_.keep(trained_ + 1);
    return json(true);
  });
  ++trained_;
}

}  // namespace bitstrata::quant
