// SPDX-License-Identifier: Apache-2.0
#include "cli/train/data_statistics.h"

#include <fmt/format.h>

#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "cli/run_folder.h"
#include "cli/train/session.h"
#include "model/digest.h"
#include "model/output_file.h"
#include "model/progress.h"
#include "quant/calibration/calibrate.h"
#include "sim/random_network.h"

namespace bitstrata::cli {

using nlohmann::json;
using sim::PlanStatistics;

namespace {

constexpr const char* format = "bitstrata-statistics-1";
constexpr int usual_bits = 8;  // of the weights in front of a layer whose inputs are looked at

// Widths of all variables of a kind, and those of uniform 8/8.
std::set<int> widths_of(const quant::SearchSpace& space, quant::Variable::Kind kind) {
  std::set<int> widths;
  for (const quant::Variable& variable : space.variables())
    if (variable.kind == kind) widths.insert(variable.values.begin(), variable.values.end());
  return widths;
}

// The layers of the network whose statistics at its widths are missing, with their keys.
std::vector<std::pair<std::size_t, PlanStatistics::Key>> missing(const model::IntegerNetwork& shapes,
                                                                 const PlanStatistics& known,
                                                                 const std::set<PlanStatistics::Key>& claimed) {
  std::vector<std::pair<std::size_t, PlanStatistics::Key>> layers;
  for (std::size_t l = 0; l < shapes.layers.size(); ++l) {
    const PlanStatistics::Key key = PlanStatistics::key(shapes, shapes.layers[l], l);
    if (!known.has(key) && !claimed.contains(key)) layers.emplace_back(l, key);
  }
  return layers;
}

// A network at a pair of widths, and what is to be found out with it.
struct Part {
  model::IntegerNetwork network;
  std::vector<std::size_t> layers = {};
  std::vector<PlanStatistics::Key> keys = {};
  std::vector<sim::LayerStatistics> statistics = {};
  std::int64_t cycles = 0;
};

}  // namespace

bool needs_data(const model::Architecture& architecture, const model::Technology* technology) {
  return architecture.skip_planes || (technology != nullptr && technology->kind == model::TechnologyKind::gate_level);
}

DataStatistics::DataStatistics(quant::Trainer& trainer, const quant::TrainingData& data,
                               const quant::SearchSpace& space, const StatisticsOptions& options,
                               const std::filesystem::path& file, bool resumed, const Common& common)
    : trainer_(trainer), data_(data), space_(space), options_(options), file_(file), common_(common) {
  if (!resumed) {
    save();
    return;
  }
  try {
    const json content = read_json(file_);
    if (content.at("format") != format) throw std::invalid_argument("it has another format");
    for (const auto& [key, entry] : content.at("architectures").items()) known_[key] = PlanStatistics::from_json(entry);
    cycles_ = content.at("cycles");
    seconds_ = content.at("cpu_seconds");
  } catch (const std::exception& error) {
    throw std::invalid_argument(fmt::format(
        "--resume: {} is missing or damaged ({}), and the weights it was gathered from may have been trained on since; "
        "run without --resume",
        file_.string(), error.what()));
  }
}

const PlanStatistics& DataStatistics::of(const model::Architecture& architecture) {
  return gather(model::digest_of(model::parameters_of(architecture).dump()), architecture);
}

const PlanStatistics& DataStatistics::like(const model::Architecture& a) {
  return gather(fmt::format("{} rows={} vectors={} planes_at_once={} skip_planes={}", a.style, a.rows, a.vectors,
                            a.planes_at_once(), a.skip_planes),
                a);
}

const PlanStatistics& DataStatistics::gather(const std::string& key, const model::Architecture& architecture) {
  PlanStatistics& known = known_[key];
  if (std::exchange(complete_[key], true)) return known;
  const model::Network& network = space_.network();
  // By width of the activations, so that ranges and codes are found once for each.
  struct Step {
    model::Plan inputs;              // what the layers' input codes come from
    std::vector<model::Plan> plans;  // what their weights come from
  };
  std::vector<Step> steps = {{options_.uniform, {options_.uniform}}};
  const auto in_space = [&](int weight_bits, int activation_bits) {
    return space_.plan(space_.point(model::uniform_plan(network, weight_bits, activation_bits)));
  };
  for (const int activations : widths_of(space_, quant::Variable::Kind::tensor)) {
    Step& step = steps.emplace_back(Step{in_space(usual_bits, activations), {}});
    for (const int weights : widths_of(space_, quant::Variable::Kind::weights))
      step.plans.push_back(in_space(weights, activations));
  }
  const bool toggles = options_.technology != nullptr && options_.technology->kind == model::TechnologyKind::gate_level;
  model::Progress progress("statistics", static_cast<std::int64_t>(steps.size()), common_.quiet);
  bool kept = false;
  for (const Step& step : steps) {
    const double start = cpu_seconds();
    std::vector<Part> parts;
    std::set<PlanStatistics::Key> claimed;
    std::vector<std::vector<model::Codes>> images;
    for (const model::Plan& plan : step.plans) {
      if (missing(sim::integer_shapes(network, plan), known, claimed).empty()) continue;
      if (!std::exchange(kept, true)) trainer_.keep();
      if (images.empty()) images = images_under(step.inputs);
      trainer_.apply(plan);
      Part part{.network = trainer_.integers()};
      for (const auto& [layer, widths] : missing(part.network, known, claimed)) {
        part.layers.push_back(layer);
        part.keys.push_back(widths);
        claimed.insert(widths);
      }
      parts.push_back(std::move(part));
    }
    quant::for_each_index(static_cast<int>(parts.size()), common_.threads, [&](int i) {
      Part& part = parts[static_cast<std::size_t>(i)];
      const auto engine = sim::make_systemc_engine(architecture, toggles);
      part.statistics =
          sim::layer_statistics(*engine, architecture, part.network, part.layers, images, {}, part.cycles);
    });
    for (const Part& part : parts) {
      for (std::size_t i = 0; i < part.keys.size(); ++i) known.set(part.keys[i], part.statistics[i]);
      cycles_ += part.cycles;
    }
    if (!parts.empty()) {
      seconds_ += cpu_seconds() - start;
      save();
    }
    progress.advance(1);
  }
  progress.finish();
  if (kept) trainer_.restore();
  return known;
}

std::vector<std::vector<model::Codes>> DataStatistics::images_under(const model::Plan& plan) {
  trainer_.apply(plan);
  trainer_.calibrate(options_.calibration_images, quant::calibration_batch);
  const model::IntegerNetwork integers = trainer_.integers();
  const int count = std::min(options_.images, data_.train.count());
  std::vector<std::vector<model::Codes>> images;
  for (int i = 0; i < count; ++i) {
    const auto example = static_cast<int>(std::int64_t{i} * data_.train.count() / count);
    images.push_back(model::run_all(integers, quant::encode(integers.tensors.at(0), data_.train, example)));
  }
  return images;
}

void DataStatistics::save() const {
  json architectures = json::object();
  for (const auto& [key, statistics] : known_) architectures[key] = statistics.to_json();
  model::write_whole(file_, json{{"format", format},
                                 {"images", options_.images},
                                 {"cycles", cycles_},
                                 {"cpu_seconds", seconds_},
                                 {"architectures", architectures}}
                                .dump());
}

json DataStatistics::report() const {
  std::size_t runs = 0;
  for (const auto& [key, statistics] : known_) runs += statistics.size();
  return {{"images", options_.images}, {"layer_runs", runs}, {"cycles", cycles_}, {"cpu_seconds", seconds_}};
}

}  // namespace bitstrata::cli
