// SPDX-License-Identifier: Apache-2.0
#include "cli/train/arrays.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "quant/search/method.h"
#include "sim/plan_cost.h"
#include "sim/sweep.h"

namespace bitstrata::cli {

using nlohmann::json;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

class Choice {
 public:
  Choice(const quant::SearchSpace& space, const model::Architecture& reference, const quant::Costs& allowed,
         quant::LossOracle& oracle, const ArraysOptions& options)
      : space_(space), reference_(reference), allowed_(allowed), oracle_(oracle), options_(options) {
    for (const model::Architecture& architecture : options.architectures) {
      const bool data = options.statistics != nullptr && needs_data(architecture, options.technology);
      prices_.push_back(std::make_unique<sim::PlanCost>(space.network(), architecture, options.technology,
                                                        data ? &options.statistics->like(architecture) : nullptr));
      arrays_.push_back({architecture.name, architecture.clock_mhz,
                         static_cast<double>(sim::bits_on_chip(architecture)), prices_.back().get()});
    }
  }

  ArrayChoice run() {
    const quant::Losses losses = quant::monotone(oracle_.single_changes(space_, space_.largest(), quant::any_reach));
    const double area =
        options_.area_share > 0 ? options_.area_share * static_cast<double>(sim::bits_on_chip(reference_)) : infinity;
    const quant::ArrayLimits limits = {allowed_[0] / reference_.clock_mhz, allowed_[1], allowed_[2], area};
    // The limits themselves, and looser and tighter ones for the front.
    pairs_ = quant::pair_arrays(space_, arrays_, losses, limits, {1, 0.5, 0.7, 1.4, 2}, options_.program);
    mark_front();
    ArrayChoice choice;
    choice.csv = to_csv();
    const auto verdict = quant::judge_pairs(space_, pairs_, options_.confirmed, oracle_);
    if (!verdict)
      throw std::invalid_argument(
          fmt::format("no plan keeps the limits on any of the {} architectures", arrays_.size()));
    json confirmed = json::array();
    for (const quant::JudgedPair& judged : verdict->confirmed) confirmed.push_back(to_json(judged));
    const std::size_t fastest = pairs_[verdict->fastest].array;
    choice.architecture = options_.architectures[pairs_[verdict->chosen.pair].array];
    choice.report = {
        {"architectures", arrays_.size()},
        {"pairs", pairs_.size()},
        {"front", std::ranges::count(front_, true)},
        {"confirmed", confirmed},
        {"chosen", to_json(verdict->chosen)},
        {"array_first", verdict->array_first ? to_json(*verdict->array_first)
                                             : json{{"architecture", arrays_[fastest].name}, {"keeps_limits", false}}}};
    return choice;
  }

 private:
  void mark_front() {
    front_.assign(pairs_.size(), false);
    std::vector<std::vector<double>> objectives;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      if (!pairs_[i].feasible) continue;
      objectives.push_back(
          {pairs_[i].predicted, pairs_[i].latency_us, pairs_[i].costs[1], arrays_[pairs_[i].array].area});
      places.push_back(i);
    }
    for (const std::size_t i : sim::pareto_front(objectives)) front_[places[i]] = true;
  }

  json to_json(const quant::JudgedPair& judged) const {
    const quant::ArrayPair& pair = pairs_[judged.pair];
    return {{"architecture", arrays_[pair.array].name},
            {"predicted_loss_change", pair.predicted},
            {"loss", judged.loss},
            {"latency_us", pair.latency_us},
            {"uniform_8_8_latency_us", pair.uniform_latency_us},
            {"energy_fj", pair.costs[1] > 0 ? json(pair.costs[1]) : json(nullptr)},
            {"bits_on_chip", arrays_[pair.array].area}};
  }

  std::string to_csv() const {
    std::string text =
        "architecture,part_of_limits,keeps_limits,front,predicted_loss_change,cycles,latency_us,energy_fj,weight_bits,"
        "bits_on_chip,uniform_8_8_latency_us\n";
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      const quant::ArrayPair& pair = pairs_[i];
      text += fmt::format("\"{}\",{},{},", arrays_[pair.array].name, pair.part, pair.feasible ? 1 : 0);
      text += pair.feasible ? fmt::format("{},{:.6g},{:.0f},{:.6g},{},{:.0f},", front_[i] ? 1 : 0, pair.predicted,
                                          pair.costs[0], pair.latency_us,
                                          pair.costs[1] > 0 ? fmt::format("{:.6g}", pair.costs[1]) : "", pair.costs[2])
                            : ",,,,,,";
      text += fmt::format("{:.0f},{:.6g}\n", arrays_[pair.array].area, pair.uniform_latency_us);
    }
    return text;
  }

  const quant::SearchSpace& space_;
  const model::Architecture& reference_;
  const quant::Costs& allowed_;
  quant::LossOracle& oracle_;
  const ArraysOptions& options_;
  std::vector<std::unique_ptr<sim::PlanCost>> prices_;
  std::vector<quant::ArrayCandidate> arrays_;
  std::vector<quant::ArrayPair> pairs_;
  std::vector<bool> front_;  // by pair: no other is as good in loss, latency, energy and area and better in one
};

}  // namespace

ArrayChoice choose_array(const quant::SearchSpace& space, const model::Architecture& reference,
                         const quant::Costs& allowed, quant::LossOracle& oracle, const ArraysOptions& options) {
  return Choice(space, reference, allowed, oracle, options).run();
}

}  // namespace bitstrata::cli
