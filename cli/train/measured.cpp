// SPDX-License-Identifier: Apache-2.0
#include "cli/train/measured.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>
#include <utility>
#include <vector>

#include "model/json_text.h"
#include "sim/process.h"

namespace bitstrata::cli {

using nlohmann::json;

namespace {

// What the program prints on a folder's integers as JSON, of a verb that is to end well.
json ask(const std::string& verb, const MeasureOptions& options, const std::vector<std::string>& more) {
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "bitstrata";
  std::vector<std::string> words = {program.string(), verb,
                                    "--network",      options.folder.string(),
                                    "--dataset",      options.dataset,
                                    "--architecture", options.architecture,
                                    "--seed",         fmt::format("{}", options.seed),
                                    "--quiet",        "--json"};
  words.insert(words.end(), more.begin(), more.end());
  const sim::Finished finished = sim::run_tool(words);
  json answer = json::parse(finished.output, nullptr, false);
  if (finished.status != 0 || answer.is_discarded())
    throw CheckFailed(fmt::format("the plan could not be verified on the engines: {}", finished.output));
  return answer;
}

// `predicted` against `measured`, as a share of what is measured.
double error_of(double predicted, double measured) { return measured == 0 ? 0 : (predicted - measured) / measured; }

// Cycles and energy of an engine on some images.
json measure_on(const std::string& engine, int images, const MeasureOptions& options, const quant::Costs& predicted) {
  std::vector<std::string> words = {"--engine", engine, "--images", fmt::format("{}", images)};
  if (!options.technology.empty()) words.insert(words.end(), {"--technology", options.technology});
  const json run = ask("run", options, words);
  json measured = {{"cycles", run.at("cycles")}};
  measured["cycles_error"] = error_of(predicted[0], run.at("cycles"));
  if (options.technology.empty()) return measured;
  const json& energy = run.at("energy").front();
  const double femtojoules = 1000 * energy.at("energy_pj").get<double>();
  measured["energy_fj"] = femtojoules;
  measured["energy_error"] = error_of(predicted[1], femtojoules);
  if (energy.contains("standard_error_pj"))
    measured["energy_standard_error_fj"] = 1000 * energy.at("standard_error_pj").get<double>();
  if (!options.counts_toggles && !options.skips_planes && std::abs(measured["energy_error"].get<double>()) > 1e-9)
    throw CheckFailed(fmt::format("the search predicted {:.6g} uJ, the engine '{}' measures {:.6g}",
                                  predicted[1] * 1e-9, engine, femtojoules * 1e-9));
  return measured;
}

std::string percent(double share) { return fmt::format("{:+.2f} %", 100 * share); }

void print_measured(const json& summary) {
  const json& measured = summary.at("measured");
  if (measured.is_null()) return;
  const json engines = measured.value("engines", json::object());
  for (const auto& [engine, cycles] : measured.at("cycles").items()) {
    const json costs = engines.value(engine, json::object());
    const double off = costs.value("cycles_error", 0.0);
    fmt::print("measured by {}: {} cycles, {}", engine, cycles.get<std::int64_t>(),
               off == 0 ? "as predicted" : fmt::format("prediction {}", percent(off)));
    if (costs.contains("energy_fj")) {
      fmt::print("; {:.2f} uJ", 1e-9 * costs.at("energy_fj").get<double>());
      if (costs.contains("energy_standard_error_fj"))
        fmt::print(" +- {:.2f}", 1e-9 * costs.at("energy_standard_error_fj").get<double>());
      fmt::print(", prediction {} ({} image{})", percent(costs.at("energy_error")), costs.at("images").get<int>(),
                 costs.at("images") == 1 ? "" : "s");
    }
    fmt::print("\n");
  }
  for (const json& limit : measured.value("over_limits", json::array()))
    fmt::print("measured {} exceeds its limit by {:.2f} %: the prediction's error\n",
               limit.at("what").get<std::string>(), 100 * limit.at("by").get<double>());
  fmt::print("{} values compared, {} different\n", measured.at("values_compared").get<std::int64_t>(),
             measured.at("values_different").get<std::int64_t>());
}

}  // namespace

json measure(const MeasureOptions& options, const quant::Costs& predicted, const quant::Costs& allowed) {
  if (options.systemc_images == 0 && options.rtl_images == 0) return nullptr;
  const json verified = ask(
      "verify", options,
      {"--images", fmt::format("{}", options.systemc_images), "--rtl-images", fmt::format("{}", options.rtl_images)});
  json measured = {{"images", verified.at("images")},
                   {"values_compared", verified.at("values").at("compared")},
                   {"values_different", verified.at("values").at("different")},
                   {"predicted_cycles", static_cast<std::int64_t>(predicted[0])}};
  std::map<std::string, std::int64_t> cycles;
  for (const json& layer : verified.at("layers"))
    for (const auto& [engine, count] : layer.at("cycles").items()) cycles[engine] += count.get<std::int64_t>();
  if (cycles.empty()) throw CheckFailed("no engine measured cycles");
  if (!options.skips_planes)
    for (const auto& [engine, count] : cycles) {
      // The schedule that searches ask is no measurement, but it must say the same.
      if (engine != "fast") measured["cycles"][engine] = count;
      if (static_cast<double>(count) != predicted[0])
        throw CheckFailed(fmt::format("the search predicted {:.0f} cycles, the engine '{}' measures {}", predicted[0],
                                      engine, count));
    }
  if (!options.skips_planes && options.technology.empty()) return measured;
  quant::Costs most = {};
  const std::pair<const char*, int> engines[] = {{"systemc", options.systemc_images}, {"rtl", options.rtl_images}};
  for (const auto& [engine, images] : engines) {
    if (images == 0) continue;
    const json costs = measure_on(engine, images, options, predicted);
    measured["cycles"][engine] = costs.at("cycles");
    most[0] = std::max(most[0], costs.at("cycles").get<double>());
    if (costs.contains("energy_fj")) most[1] = std::max(most[1], costs.at("energy_fj").get<double>());
    measured["engines"][engine] = costs;
    measured["engines"][engine]["images"] = images;
  }
  json over = json::array();
  if (most[0] > allowed[0]) over.push_back({{"what", "latency"}, {"by", most[0] / allowed[0] - 1}});
  if (most[1] > allowed[1]) over.push_back({{"what", "energy"}, {"by", most[1] / allowed[1] - 1}});
  measured["over_limits"] = over;
  return measured;
}

void print_search(const Common& common, const json& summary) {
  if (common.json) {
    std::cout << model::json_text(summary) << "\n";
    return;
  }
  const auto cost = [&](const char* of, const char* what) { return summary.at(of).at(what).get<double>(); };
  const auto share = [&](const char* what) { return cost("predicted", what) / cost("uniform_8_8", what); };
  fmt::print("{}: test (golden integers, {} images) {:.2f} % +- {:.2f}; {:.0f} cycles ({:.3f} of uniform 8/8)",
             summary.at("method").get<std::string>(), summary.at("test_images").get<std::int64_t>(),
             100 * summary.at("test_accuracy").get<double>(), 100 * summary.at("test_standard_error").get<double>(),
             cost("predicted", "cycles"), share("cycles"));
  if (!summary.at("technology").is_null())
    fmt::print(", {:.2f} uJ ({:.3f}; {})", cost("predicted", "energy_fj") * 1e-9, share("energy_fj"),
               summary.at("technology").get<std::string>());
  fmt::print(", weights {:.1f} kB ({:.3f})\n", cost("predicted", "weight_bits") / 8000, share("weight_bits"));
  fmt::print("costs: {} questions, {:.2f} % of the search's CPU time{}",
             summary.at("cost_questions").get<std::int64_t>(), 100 * summary.at("cost_share").get<double>(),
             summary.at("resumed").get<bool>() ? " since it was resumed" : "");
  if (const json& statistics = summary.at("statistics"); !statistics.is_null())
    fmt::print("; statistics of data, {} runs of a layer before it: {:.1f} CPU s",
               statistics.at("layer_runs").get<std::int64_t>(), statistics.at("cpu_seconds").get<double>());
  fmt::print("\n");
  print_measured(summary);
  if (const json& note = summary.at("note"); !note.is_null()) fmt::print("note: {}\n", note.get<std::string>());
}

}  // namespace bitstrata::cli
