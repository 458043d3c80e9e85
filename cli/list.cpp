// SPDX-License-Identifier: Apache-2.0
// bitstrata list: what the program knows by name.
#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "cli/common.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "model/architecture.h"
#include "model/fpga.h"
#include "model/fpga_parts.h"
#include "model/json_text.h"
#include "model/network.h"
#include "model/technology.h"

namespace bitstrata::cli {

namespace {

struct Listing {
  Table table;
  nlohmann::json json = nlohmann::json::array();
};

Listing networks() {
  Listing listing{Table({"network", "input", "weight layers", "parameters", "macs"}, 2)};
  for (const std::string& name : model::network_names()) {
    const model::Network network = model::build_network(name);
    const model::Shape in = network.node(0).output;
    listing.table.add({name, fmt::format("{}x{}x{}", in.height, in.width, in.channels),
                       fmt::format("{}", network.weight_layers().size()), grouped(network.total_parameters()),
                       grouped(network.total_macs())});
    listing.json.push_back({{"name", name},
                            {"input", {in.height, in.width, in.channels}},
                            {"weight_layers", network.weight_layers().size()},
                            {"parameters", network.total_parameters()},
                            {"macs", network.total_macs()}});
  }
  return listing;
}

Listing architectures() {
  Listing listing{Table(
      {"architecture", "style", "tiles", "vectors", "rows", "columns", "data_bits", "buffer kbit", "clock_mhz"}, 2)};
  for (const std::string& name : model::architecture_names()) {
    const model::Architecture a = model::load_architecture(name);
    const std::int64_t bits =
        a.activation_buffer_bits() + a.output_buffer_bits() + a.weight_buffer_bits() + a.partial_sum_bits();
    listing.table.add({name, a.style, fmt::format("{}", a.tiles), fmt::format("{}", a.vectors),
                       fmt::format("{}", a.rows), fmt::format("{}", a.columns), fmt::format("{}", a.data_bits),
                       short_number(static_cast<double>(bits) / 1024), fmt::format("{:g}", a.clock_mhz)});
    listing.json.push_back({{"name", name},
                            {"style", a.style},
                            {"tiles", a.tiles},
                            {"vectors", a.vectors},
                            {"rows", a.rows},
                            {"columns", a.columns},
                            {"data_bits", a.data_bits},
                            {"buffer_bits", bits},
                            {"clock_mhz", a.clock_mhz}});
  }
  return listing;
}

Listing technologies() {
  Listing listing{Table({"technology", "status", "error", "title"}, 4)};
  for (const std::string& name : model::technology_names()) {
    const model::Technology technology = model::load_technology(name);
    const std::string status = model::to_string(technology.status());
    const bool fitted = technology.kind == model::TechnologyKind::gate_level;
    const model::FitError& error = technology.gates.toggles_error;
    listing.table.add({name, status, fitted ? fmt::format("{:.1f}/{:.0f} %", 100 * error.mean, 100 * error.worst) : "",
                       technology.title});
    nlohmann::json entry = {
        {"name", name}, {"status", status}, {"title", technology.title}, {"rules", technology.rules}};
    if (fitted) entry["error"] = {{"mean", error.mean}, {"worst", error.worst}};
    listing.json.push_back(entry);
  }
  return listing;
}

Listing fpga_families() {
  Listing listing{Table({"family", "points", "mean/worst error of lut", "of bram", "title"}, 4)};
  const auto error = [](const model::FpgaFit& fit) {
    return fmt::format("{:.1f}/{:.0f} %", 100 * fit.mean_error, 100 * fit.worst_error);
  };
  for (const std::string& name : model::fpga_family_names()) {
    const model::FpgaFamily family = model::load_fpga_family(name);
    listing.table.add({name, fmt::format("{}", family.points), error(family.resources[0]),
                       error(family.resources[model::fpga_bram]), family.title});
    listing.json.push_back(model::facts_of(family));
  }
  return listing;
}

Listing devices() {
  std::vector<std::string> header = {"device", "family"};
  header.insert(header.end(), model::fpga_part_resources.begin(), model::fpga_part_resources.end());
  header.insert(header.end(), {"status", "source"});
  Listing listing{Table(header, 2)};
  for (const model::FpgaPart& part : model::fpga_parts()) {
    std::vector<std::string> row = {part.name, part.family};
    nlohmann::json entry = {
        {"name", part.name}, {"family", part.family}, {"status", part.status}, {"source", part.source}};
    for (std::size_t r = 0; r < part.has.size(); ++r) {
      row.push_back(grouped(part.has[r]));
      entry[model::fpga_part_resources[r]] = part.has[r];
    }
    row.insert(row.end(), {part.status, part.source});
    listing.table.add(row);
    listing.json.push_back(entry);
  }
  return listing;
}

struct Fact {
  const char* name;
  const char* meaning;
};

Listing facts(const char* title, std::initializer_list<Fact> rows) {
  Listing listing{Table({title, "meaning"}, 2)};
  for (const Fact& row : rows) {
    listing.table.add({row.name, row.meaning});
    listing.json.push_back({{"name", row.name}, {"meaning", row.meaning}});
  }
  return listing;
}

Listing datasets() {
  return facts("dataset", {{"fashion-mnist",
                            "70,000 images of 28x28; Debian package dataset-fashion-mnist, or the folder "
                            "in BITSTRATA_FASHION_MNIST"},
                           {"FOLDER", "IDX files as of MNIST: train-images-idx3-ubyte[.gz] and so on"},
                           {"FILE.yaml",
                            "a dataset.yaml (model/samples.h): CIFAR-10 and -100 binary files, folders of PNG and JPEG "
                            "images, .npy arrays, raw numbers, IDX files"}});
}

Listing methods() {
  return facts("method", {{"uniform", "one width for all layers' weights and one for all activations"},
                          {"ad", "widths from activation density, with --prune also channels"}});
}

struct Topic {
  const char* name;
  Listing (*list)();
};

constexpr Topic topics[] = {{"networks", networks},
                            {"architectures", architectures},
                            {"technologies", technologies},
                            {"fpga", fpga_families},
                            {"devices", devices},
                            {"datasets", datasets},
                            {"methods", methods}};

}  // namespace

int list(const std::vector<std::string>& arguments) {
  std::string topic;
  Common common;
  po::options_description options("options");
  options.add_options()("topic", po::value(&topic), "the word may also stand alone");
  common.add(options);
  po::positional_options_description positional;
  positional.add("topic", 1);
  po::variables_map values;
  if (!parse(arguments, options,
             {"list networks|architectures|technologies|fpga|devices|datasets|methods", "Lists what can be named.",
              "list architectures"},
             values, positional)) {
    return 0;
  }
  common.check();
  std::vector<std::string> names;
  for (const Topic& known : topics) {
    names.emplace_back(known.name);
    if (topic != known.name) continue;
    const Listing listing = known.list();
    if (common.json) {
      std::cout << model::json_text({{topic, listing.json}}) << "\n";
    } else {
      std::cout << listing.table.text();
    }
    return 0;
  }
  if (topic.empty()) throw std::invalid_argument(fmt::format("what? one of {}", fmt::join(names, ", ")));
  check_choice("topic", topic, names);
  return 2;
}

}  // namespace bitstrata::cli
