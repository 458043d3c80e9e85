// SPDX-License-Identifier: Apache-2.0
// Toggles and skipped planes of a trainer's network on training images, for the prices that a search asks for.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/common.h"
#include "model/architecture.h"
#include "model/golden.h"
#include "model/technology.h"
#include "quant/search/search_space.h"
#include "quant/trainer.h"
#include "sim/plan_statistics.h"

namespace bitstrata::cli {

// Do prices on the architecture depend on what the layers' data are?
bool needs_data(const model::Architecture& architecture, const model::Technology* technology);

struct StatisticsOptions {
  model::Plan uniform;  // 8/8, which limits are shares of; it need not lie in the space
  const model::Technology* technology = nullptr;
  int calibration_images = 0;  // that activation ranges start from
  int images = 8;              // that layers are run on
};

// Layers are run alone, by the SystemC model, at every pair of widths that they can have in the space, with the weights
// that the network has now, at the pair's width, and the codes that it gives them where its other weights have 8 bits.
// What was gathered lies in a file, which a run that is resumed goes on from.
class DataStatistics {
 public:
  // All but `options` are referred to. Without `resumed` the file is begun anew. Throws std::invalid_argument where it
  // should be there and is not, or is damaged.
  DataStatistics(quant::Trainer& trainer, const quant::TrainingData& data, const quant::SearchSpace& space,
                 const StatisticsOptions& options, const std::filesystem::path& file, bool resumed,
                 const Common& common);

  // Those of the architecture; gathered where they are not known. Good for as long as this lives.
  const sim::PlanStatistics& of(const model::Architecture& architecture);
  // Those of an architecture with the same kind of rows: what they are for an event is nearly the same, however many
  // columns and macros there are.
  const sim::PlanStatistics& like(const model::Architecture& architecture);

  // Images, runs of a layer, cycles and CPU seconds so far, of all that was gathered by this process and before.
  nlohmann::json report() const;

 private:
  const sim::PlanStatistics& gather(const std::string& key, const model::Architecture& architecture);
  // All tensors of some training images, with ranges that fit the plan.
  std::vector<std::vector<model::Codes>> images_under(const model::Plan& plan);
  void save() const;

  quant::Trainer& trainer_;
  const quant::TrainingData& data_;
  const quant::SearchSpace& space_;
  const StatisticsOptions options_;
  const std::filesystem::path file_;
  const Common& common_;
  std::map<std::string, sim::PlanStatistics> known_;
  std::map<std::string, bool> complete_;
  std::int64_t cycles_ = 0;
  double seconds_ = 0;
};

}  // namespace bitstrata::cli
