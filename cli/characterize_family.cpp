// SPDX-License-Identifier: Apache-2.0
#include "cli/characterize_family.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "model/progress.h"
#include "model/yaml_reader.h"
#include "sim/gates/measure.h"
#include "sim/process.h"

namespace bitstrata::cli {

namespace fs = std::filesystem;
using sim::gates::GateMeasurement;

namespace {

constexpr const char* format = "bitstrata-family-1";

// A name is that of a file, too.
void check_name(const model::YamlReader& entry, const std::string& name) {
  const auto good = [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.'; };
  if (name.empty() || name[0] == '.' || !std::ranges::all_of(name, good))
    entry.fail(fmt::format("'{}' must be letters, digits, '-', '_' and '.'", name));
}

void set(model::Architecture& architecture, const model::YamlReader& parameters) {
  for (const auto& [key, value] : parameters.members())
    if (key != "name") model::set_parameter(architecture, key, value);
}

std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

// The measurement of the architecture itself, whatever has its name.
GateMeasurement load(const fs::path& file, const model::Architecture& architecture) {
  GateMeasurement m = sim::gates::load_measurement(file);
  const model::Architecture expected = sim::gates::calibrated_architecture(architecture, m.architecture.columns);
  const auto had = model::parameters_of(m.architecture), asked = model::parameters_of(expected);
  for (const auto& [key, value] : asked.items()) {
    if (had.at(key) != value)
      throw std::runtime_error(fmt::format("{} is of {} {}, '{}' has {}; remove it to measure again", file.string(),
                                           key, had.at(key).dump(), architecture.name, value.dump()));
  }
  m.architecture.name = architecture.name;
  return m;
}

}  // namespace

std::vector<model::Architecture> read_family(const std::string& file) {
  const model::YamlReader top = model::YamlReader::from_file(file);
  top.check_keys({"format", "base", "parameters", "architectures"});
  top.check_format(format);
  std::string base = "pim-64x64";
  top.read("base", base);
  model::Architecture common = model::load_architecture(base);
  if (top.has("parameters")) set(common, top.at("parameters"));
  std::vector<model::Architecture> all;
  std::set<std::string> names;
  for (const model::YamlReader& entry : top.at("architectures").items()) {
    model::Architecture architecture = common;
    architecture.name = entry.at("name").as_string();
    check_name(entry.at("name"), architecture.name);
    if (!names.insert(architecture.name).second)
      entry.at("name").fail(fmt::format("'{}' is the name of an architecture before", architecture.name));
    set(architecture, entry);
    try {
      model::validate(architecture);
    } catch (const std::invalid_argument& e) {
      entry.fail(e.what());
    }
    all.push_back(architecture);
  }
  if (all.size() < 4)
    top.at("architectures").fail(fmt::format("has {} architectures; a family needs four at least", all.size()));
  return all;
}

std::vector<GateMeasurement> measure_family(const std::vector<model::Architecture>& architectures, const FamilyRun& run,
                                            const Common& common) {
  const fs::path folder = run.folder;
  fs::create_directories(folder);
  const auto file_of = [&](const model::Architecture& a) { return folder / (a.name + ".json"); };
  std::vector<const model::Architecture*> missing;
  for (const model::Architecture& a : architectures)
    if (!fs::exists(file_of(a))) missing.push_back(&a);
  say(common, fmt::format("{} of {} architectures are measured already", architectures.size() - missing.size(),
                          architectures.size()));
  const sim::WorkFolder work(fs::temp_directory_path(), "bitstrata-family");
  model::Progress progress("architectures on gates", static_cast<std::int64_t>(missing.size()), common.quiet);
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::string failure;
  const auto measure = [&] {
    for (std::size_t i = next++; i < missing.size(); i = next++) {
      const model::Architecture& a = *missing[i];
      const fs::path architecture = work.path() / (a.name + ".yaml");
      {
        const std::lock_guard lock(mutex);
        model::save(a, architecture);
      }
      std::vector<std::string> words = {fs::read_symlink("/proc/self/exe").string(),
                                        "characterize",
                                        "--architecture",
                                        architecture.string(),
                                        "--measurement",
                                        file_of(a).string(),
                                        "--quiet",
                                        "--out",
                                        (work.path() / (a.name + "-technology.yaml")).string()};
      words.insert(words.end(), run.words.begin(), run.words.end());
      const sim::Finished finished = sim::run_tool(words);
      const std::lock_guard lock(mutex);
      progress.advance(1, a.name);
      if (finished.status != 0 && failure.empty())
        failure = fmt::format("architecture '{}': {}", a.name, last_line(finished.output));
    }
  };
  std::vector<std::future<void>> others;
  for (int job = 1; job < run.jobs; ++job) others.push_back(std::async(std::launch::async, measure));
  measure();
  for (auto& other : others) other.get();
  progress.finish();
  if (!failure.empty()) throw std::runtime_error(failure);
  std::vector<GateMeasurement> all;
  for (const model::Architecture& a : architectures) all.push_back(load(file_of(a), a));
  return all;
}

std::string left_out_csv(const std::vector<GateMeasurement>& measurements, const sim::gates::Family& family) {
  std::string text =
      "architecture,cells,flip_flops,area_mm2,area_error_percent,leakage_error_percent,clock_ns,clock_error_percent,"
      "runs,energy_mean_error_percent,energy_worst_error_percent,worst_run,structural_mean_error_percent,"
      "structural_worst_error_percent";
  for (const auto& [part, error] : family.left_out[0].parts) text += fmt::format(",{}_error_percent_of_all", part);
  text += "\n";
  for (std::size_t i = 0; i < measurements.size(); ++i) {
    const GateMeasurement& m = measurements[i];
    const sim::gates::LeftOut& e = family.left_out[i];
    text += fmt::format("{},{},{},{:.5f},{:.2f},{:.2f},{:.3f},{:.2f},{},{:.2f},{:.2f},\"{}\",{:.2f},{:.2f}",
                        m.architecture.name, m.cells(), m.flip_flops(), 1e6 * m.area(), 100 * e.area, 100 * e.leakage,
                        1e9 * m.clock_period, 100 * e.clock, e.energy.points, 100 * e.energy.mean, 100 * e.energy.worst,
                        e.energy.worst_point, 100 * e.structural_energy.mean, 100 * e.structural_energy.worst);
    for (const auto& [part, error] : e.parts) text += fmt::format(",{:.2f}", 100 * error);
    text += "\n";
  }
  return text;
}

}  // namespace bitstrata::cli
