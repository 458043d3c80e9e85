// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <sstream>
#include <stdexcept>

#include "model/digest.h"
#include "sim/random_network.h"

namespace bitstrata::sim {

namespace fs = std::filesystem;
using model::YamlReader;

namespace {

constexpr const char* format_name = "bitstrata-sweep-1";
constexpr const char* of_file = "file";  // the plan of networks whose files prescribe their widths
constexpr std::int64_t most_points = 100'000'000;

// A word of the sweep's file: what stands beside it comes first, then what the program knows by that name.
std::string beside(const std::string& word, const fs::path& folder) {
  const fs::path file = folder / word;
  std::error_code unknown;  // no file has a name that is too long
  return fs::exists(file, unknown) ? file.string() : word;
}

// Turns what a name or a value is refused with into an error with file and line.
template <typename Call>
auto at_line(const YamlReader& where, Call call) {
  try {
    return call();
  } catch (const std::exception& error) {
    where.fail(error.what());
  }
}

std::vector<int> widths(const YamlReader& map, const std::string& key) {
  std::vector<int> values;
  const YamlReader list = map.at(key);
  for (const YamlReader& item : list.items()) {
    const int bits = item.as_int();
    if (bits < 1 || bits > 16) item.fail(fmt::format("{} is {}; allowed is 1..16", key, bits));
    if (std::find(values.begin(), values.end(), bits) != values.end())
      item.fail(fmt::format("{} names {} twice", key, bits));
    values.push_back(bits);
  }
  if (values.empty()) list.fail(fmt::format("'{}' is empty; it needs at least one width", key));
  return values;
}

void read_uniform(const YamlReader& entry, std::vector<SweepPlan>& plans) {
  entry.check_keys({"bits", "weight_bits", "activation_bits", "output_bits"});
  int output = 0;
  if (entry.has("output_bits")) {
    output = entry.at("output_bits").as_int();
    if (output < 2 || output > 16)
      entry.at("output_bits").fail(fmt::format("output_bits is {}; allowed is 2..16", output));
  }
  const auto add = [&](int w, int a) {
    plans.push_back({.label = fmt::format("w{}a{}{}", w, a, output == 0 ? "" : fmt::format("o{}", output)),
                     .weight_bits = w,
                     .activation_bits = a,
                     .output_bits = output,
                     .listed = {}});
  };
  if (entry.has("bits")) {
    if (entry.has("weight_bits") || entry.has("activation_bits")) {
      entry.fail("'bits' sets both widths; leave out weight_bits and activation_bits");
    }
    for (const int bits : widths(entry, "bits")) add(bits, bits);
    return;
  }
  for (const int w : widths(entry, "weight_bits")) {
    for (const int a : widths(entry, "activation_bits")) add(w, a);
  }
}

void read_listed(const YamlReader& entry, const fs::path& folder, const std::vector<SweepNetwork>& networks,
                 std::vector<SweepPlan>& plans) {
  const std::string word = entry.as_string();
  at_line(entry, [&] {
    model::Plan plan = model::load_plan(beside(word, folder));
    const auto network =
        std::find_if(networks.begin(), networks.end(), [&](const SweepNetwork& n) { return n.name() == plan.network; });
    if (network == networks.end()) {
      throw std::invalid_argument(
          fmt::format("the plan '{}' is for network '{}', which the sweep does not name", word, plan.network));
    }
    if (network->prescribed() != nullptr) {
      throw std::invalid_argument(
          fmt::format("network '{}' is quantized already, its file prescribes the widths: its plan is '{}'",
                      network->name(), of_file));
    }
    network->shapes(plan);  // throws where the plan does not fit the network
    plans.push_back({.label = fs::path(word).stem().string(), .weight_bits = 0, .activation_bits = 0, .listed = plan});
    return 0;
  });
}

void read_plans(const YamlReader& top, const fs::path& folder, Sweep& sweep) {
  if (!top.has("plans")) {
    const auto quantized = [](const SweepNetwork& network) { return network.prescribed() != nullptr; };
    if (!std::ranges::all_of(sweep.networks, quantized))
      sweep.plans.push_back({.label = "w8a8", .weight_bits = 8, .activation_bits = 8, .listed = {}});
    if (std::ranges::any_of(sweep.networks, quantized)) sweep.plans.push_back({.label = of_file, .of_file = true});
    return;
  }
  std::set<std::string> labels;
  for (const YamlReader& entry : top.at("plans").items()) {
    const std::size_t before = sweep.plans.size();
    if (entry.is_map()) {
      read_uniform(entry, sweep.plans);
    } else if (entry.as_string() == of_file) {
      sweep.plans.push_back({.label = of_file, .of_file = true});
    } else {
      read_listed(entry, folder, sweep.networks, sweep.plans);
    }
    for (std::size_t i = before; i < sweep.plans.size(); ++i) {
      if (!labels.insert(sweep.plans[i].label).second) {
        entry.fail(fmt::format("plan '{}' is there already", sweep.plans[i].label));
      }
    }
  }
  if (sweep.plans.empty()) top.at("plans").fail("'plans' is empty; leave it out for 8 bits everywhere");
  for (const SweepNetwork& network : sweep.networks) {
    const auto fits = [&](const SweepPlan& plan) { return plan.fits(network); };
    if (network.prescribed() != nullptr && std::ranges::none_of(sweep.plans, fits)) {
      top.at("plans").fail(
          fmt::format("network '{}' is quantized already, its file prescribes the widths; it needs the plan '{}'",
                      network.name(), of_file));
    }
  }
  for (const SweepPlan& plan : sweep.plans) {
    const auto fits = [&](const SweepNetwork& network) { return plan.fits(network); };
    if (plan.of_file && std::ranges::none_of(sweep.networks, fits))
      top.at("plans").fail(fmt::format("the plan '{}' is of quantized ONNX files, and the sweep has none", of_file));
  }
}

void read_axes(const YamlReader& top, Sweep& sweep) {
  if (!top.has("parameters")) return;
  const YamlReader parameters = top.at("parameters");
  parameters.check_keys(model::architecture_keys());
  for (const auto& [key, list] : parameters.members()) {
    const std::vector<YamlReader> values = list.items();
    if (values.empty()) list.fail(fmt::format("'{}' is empty; it needs at least one value", key));
    std::set<std::string> seen;
    for (const YamlReader& value : values) {
      model::Architecture trial = sweep.bases.front();
      model::set_parameter(trial, key, value);  // of the right kind?
      if (!seen.insert(model::parameters_of(trial)[key].dump()).second) {
        value.fail(fmt::format("'{}' takes the value {} twice", key, model::parameters_of(trial)[key].dump()));
      }
    }
    sweep.axes.emplace_back(key, values);
  }
}

YamlReader read_top(const fs::path& file) {
  YamlReader top = YamlReader::from_file(file);
  top.check_keys({"format", "networks", "architectures", "parameters", "plans", "technologies"});
  top.check_format(format_name);
  return top;
}

void read_bases(const YamlReader& top, const fs::path& folder, Sweep& sweep) {
  if (top.has("architectures")) {
    for (const YamlReader& item : top.at("architectures").items()) {
      const std::string word = item.as_string();
      sweep.bases.push_back(at_line(item, [&] { return model::load_architecture(beside(word, folder)); }));
    }
  } else {
    sweep.bases.emplace_back();
  }
  if (sweep.bases.empty()) top.at("architectures").fail("'architectures' is empty; leave it out for pim-64x64");
}

// Two of one name could not be told apart, and two that are the same accelerators would be measured as one.
void check_bases(const YamlReader& top, const Sweep& sweep) {
  if (!top.has("architectures")) return;
  const std::vector<YamlReader> items = top.at("architectures").items();
  std::set<std::string> names;
  std::map<std::string, std::string> known;  // parameters that the sweep does not set -> name
  for (std::size_t i = 0; i < sweep.bases.size(); ++i) {
    const model::Architecture& base = sweep.bases[i];
    if (!names.insert(base.name).second) items[i].fail(fmt::format("architecture '{}' is there already", base.name));
    nlohmann::json parameters = model::parameters_of(base);
    for (const auto& [key, values] : sweep.axes) parameters.erase(key);
    const auto [same, added] = known.emplace(parameters.dump(), base.name);
    if (!added) {
      items[i].fail(fmt::format("architecture '{}' is the same as '{}'{}", base.name, same->second,
                                sweep.axes.empty() ? "" : " but for what 'parameters' sets in both"));
    }
  }
}

}  // namespace

SweepNetwork SweepNetwork::load(const std::string& name) {
  if (model::is_layer_list(name)) {
    model::LayerList list = model::load_layer_list(name);
    std::string identity = list.name + " " + model::digest_of_file(name);
    return {std::move(list), std::move(identity)};
  }
  // Built-in networks change with the program's code only, and that is part of a point already.
  return {model::build_network(name), name};
}

const std::string& SweepNetwork::name() const {
  return std::visit(
      [](const auto& what) -> const std::string& {
        if constexpr (std::is_same_v<std::decay_t<decltype(what)>, model::LayerList>) {
          return what.name;
        } else {
          return what.name();
        }
      },
      what_);
}

model::Plan SweepNetwork::uniform_plan(int weight_bits, int activation_bits) const {
  return std::visit([&](const auto& what) { return model::uniform_plan(what, weight_bits, activation_bits); }, what_);
}

model::IntegerNetwork SweepNetwork::shapes(const model::Plan& plan) const {
  // Networks' integer_shapes is in this namespace, layer lists' in theirs.
  return std::visit([&](const auto& what) { return integer_shapes(what, plan); }, what_);
}

std::int64_t SweepNetwork::macs() const {
  return std::visit([](const auto& what) { return what.total_macs(); }, what_);
}

std::vector<std::string> SweepNetwork::notes() const {
  const auto* list = std::get_if<model::LayerList>(&what_);
  return list != nullptr ? list->notes : std::vector<std::string>{};
}

std::string SweepPlan::identity() const {
  if (!listed) return label;
  return listed->network + " " + model::digest_of(model::to_text(*listed));
}

bool SweepPlan::fits(const SweepNetwork& network) const {
  if (of_file != (network.prescribed() != nullptr)) return false;
  return !listed || listed->network == network.name();
}

model::IntegerNetwork SweepPlan::layers(const SweepNetwork& network) const {
  return of_file ? *network.prescribed() : network.shapes(for_network(network));
}

model::Plan SweepPlan::for_network(const SweepNetwork& network) const {
  if (listed) return *listed;
  model::Plan plan = network.uniform_plan(weight_bits, activation_bits);
  if (output_bits != 0) plan.output_bits = output_bits;
  return plan;
}

std::int64_t Sweep::architectures() const {
  auto count = static_cast<std::int64_t>(bases.size());
  for (const auto& [key, values] : axes) {
    count *= static_cast<std::int64_t>(values.size());
    if (count > most_points) break;
  }
  return count;
}

const model::Architecture& Sweep::base_of(std::int64_t index) const {
  const std::int64_t combinations = architectures() / static_cast<std::int64_t>(bases.size());
  return bases.at(static_cast<std::size_t>(index / combinations));
}

std::string Sweep::base_name(std::int64_t index) const {
  const model::Architecture& base = base_of(index);
  const std::optional<std::string> rest = model::behind_array_name(base);
  if (!rest || std::ranges::none_of(axes, [](const auto& axis) { return model::in_array_name(axis.first); }))
    return base.name;
  const std::string array = model::array_name(combination(index));
  // Where the sweep sets all in which the names of two bases differ, they end in one name.
  const std::int64_t combinations = architectures() / static_cast<std::int64_t>(bases.size());
  std::int64_t alike = 0;
  for (std::int64_t other = index % combinations; other < architectures(); other += combinations)
    alike += model::behind_array_name(base_of(other)) == rest && model::array_name(combination(other)) == array ? 1 : 0;
  return array + *rest + (alike > 1 ? " of " + base.name : "");
}

model::Architecture Sweep::combination(std::int64_t index) const {
  // The last axis varies fastest, as in a table whose rows are sorted.
  std::vector<std::size_t> digits(axes.size());
  for (std::size_t i = axes.size(); i-- > 0;) {
    const auto count = static_cast<std::int64_t>(axes[i].second.size());
    digits[i] = static_cast<std::size_t>(index % count);
    index /= count;
  }
  model::Architecture result = bases.at(static_cast<std::size_t>(index));
  for (std::size_t i = 0; i < axes.size(); ++i) model::set_parameter(result, axes[i].first, axes[i].second[digits[i]]);
  return result;
}

model::Architecture Sweep::architecture(std::int64_t index) const {
  model::Architecture result = combination(index);
  const bool told = model::behind_array_name(base_of(index)).has_value();
  result.name = base_name(index);
  const nlohmann::json parameters = model::parameters_of(result);
  for (const auto& [key, values] : axes)
    if (!told || !model::in_array_name(key)) result.name += fmt::format(" {}={}", key, parameters.at(key).dump());
  return result;
}

std::int64_t Sweep::points() const {
  std::int64_t pairs = 0;
  for (const SweepNetwork& network : networks) {
    for (const SweepPlan& plan : plans) pairs += plan.fits(network) ? 1 : 0;
  }
  return architectures() * pairs;
}

std::string Sweep::technology_identity() const {
  std::string text;
  for (const model::Technology& technology : technologies) {
    text += fmt::format("{}{}:{}", text.empty() ? "" : " ", technology.name, technology.digest);
  }
  return text;
}

std::set<std::string> Sweep::technology_names() const {
  std::set<std::string> names;
  for (const model::Technology& technology : technologies) names.insert(technology.name);
  return names;
}

std::vector<model::Architecture> load_sweep_architectures(const fs::path& file) {
  const YamlReader top = read_top(file);
  Sweep sweep;
  read_bases(top, file.parent_path(), sweep);
  read_axes(top, sweep);
  check_bases(top, sweep);
  if (sweep.architectures() > most_points)
    top.fail(fmt::format("the sweep has more than {} architectures", most_points));
  std::vector<model::Architecture> valid;
  for (std::int64_t i = 0; i < sweep.architectures(); ++i) {
    model::Architecture architecture = sweep.architecture(i);
    try {
      model::validate(architecture);
    } catch (const std::invalid_argument&) {
      continue;  // some combinations contradict each other
    }
    valid.push_back(std::move(architecture));
  }
  if (valid.empty()) top.fail("no combination of the parameters is an architecture");
  return valid;
}

Sweep load_sweep(const fs::path& file, const NetworkLoader& load_network) {
  const YamlReader top = read_top(file);
  const fs::path folder = file.parent_path();
  Sweep sweep;
  for (const YamlReader& item : top.at("networks").items()) {
    const std::string word = item.as_string();
    sweep.networks.push_back(at_line(item, [&] { return load_network(beside(word, folder)); }));
    for (std::size_t i = 0; i + 1 < sweep.networks.size(); ++i) {
      if (sweep.networks[i].name() == sweep.networks.back().name()) {
        item.fail(fmt::format("network '{}' is there already", sweep.networks[i].name()));
      }
    }
  }
  if (sweep.networks.empty()) top.at("networks").fail("'networks' is empty");
  read_bases(top, folder, sweep);
  read_axes(top, sweep);
  check_bases(top, sweep);
  read_plans(top, folder, sweep);
  if (top.has("technologies")) {
    for (const YamlReader& item : top.at("technologies").items()) {
      const std::string word = item.as_string();
      model::Technology technology = at_line(item, [&] { return model::load_technology(beside(word, folder)); });
      if (sweep.technology_names().contains(technology.name))
        item.fail(fmt::format("technology '{}' is given twice", technology.name));
      sweep.technologies.push_back(std::move(technology));
    }
  } else {
    for (const std::string& name : model::technology_names())
      sweep.technologies.push_back(model::load_technology(name));
  }
  if (sweep.points() > most_points) {
    top.fail(fmt::format("the sweep has more than {} points", most_points));
  }
  return sweep;
}

std::int64_t bits_on_chip(const model::Architecture& a) {
  return a.cell_bits() + a.activation_buffer_bits() + a.output_buffer_bits() + a.weight_buffer_bits() +
         a.partial_sum_bits();
}

std::vector<std::size_t> pareto_front(const std::vector<std::vector<double>>& points) {
  // Sorted by the first objective, then the others, a point can only be beaten by one before it.
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return points[a] < points[b]; });
  std::vector<std::size_t> front;
  for (const std::size_t candidate : order) {
    const bool beaten = std::any_of(front.begin(), front.end(), [&](std::size_t other) {
      return std::equal(points[other].begin(), points[other].end(), points[candidate].begin(),
                        [](double a, double b) { return a <= b; });
    });
    if (!beaten) front.push_back(candidate);
  }
  return front;
}

}  // namespace bitstrata::sim
