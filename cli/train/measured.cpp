// SPDX-License-Identifier: Apache-2.0
#include "cli/train/measured.h"

#include <fmt/format.h>

#include <iostream>
#include <map>

#include "sim/process.h"

namespace bitstrata::cli {

using nlohmann::json;

json measure(const MeasureOptions& options, std::int64_t predicted_cycles) {
  if (options.systemc_images == 0 && options.rtl_images == 0) return nullptr;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "bitstrata";
  const std::vector<std::string> words = {program.string(), "verify",
                                          "--network",      options.folder.string(),
                                          "--dataset",      options.dataset,
                                          "--architecture", options.architecture,
                                          "--images",       fmt::format("{}", options.systemc_images),
                                          "--rtl-images",   fmt::format("{}", options.rtl_images),
                                          "--seed",         fmt::format("{}", options.seed),
                                          "--quiet",        "--json"};
  const sim::Finished finished = sim::run_tool(words);
  const json verified = json::parse(finished.output, nullptr, false);
  if (finished.status != 0 || verified.is_discarded())
    throw CheckFailed(fmt::format("the plan could not be verified on the engines: {}", finished.output));
  std::map<std::string, std::int64_t> cycles;
  for (const json& layer : verified.at("layers"))
    for (const auto& [engine, count] : layer.at("cycles").items()) cycles[engine] += count.get<std::int64_t>();
  json measured = {{"images", verified.at("images")},
                   {"values_compared", verified.at("values").at("compared")},
                   {"values_different", verified.at("values").at("different")},
                   {"predicted_cycles", predicted_cycles}};
  for (const auto& [engine, count] : cycles) {
    measured["cycles"][engine] = count;
    if (count != predicted_cycles)
      throw CheckFailed(
          fmt::format("the search predicted {} cycles, the engine '{}' measures {}", predicted_cycles, engine, count));
  }
  if (cycles.empty()) throw CheckFailed("no engine measured cycles");
  return measured;
}

void print_search(const Common& common, const json& summary) {
  if (common.json) {
    std::cout << summary.dump() << "\n";
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
  const json& measured = summary.at("measured");
  if (measured.is_null()) return;
  for (const auto& [engine, cycles] : measured.at("cycles").items())
    fmt::print("measured by {}: {} cycles, as predicted\n", engine, cycles.get<std::int64_t>());
  fmt::print("{} values compared, {} different\n", measured.at("values_compared").get<std::int64_t>(),
             measured.at("values_different").get<std::int64_t>());
}

}  // namespace bitstrata::cli
