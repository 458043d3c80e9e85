// SPDX-License-Identifier: Apache-2.0
// bitstrata table: the layer x weight-bits x activation-bits table of cycles and energy.
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <iostream>
#include <stdexcept>

#include "cli/cost_table.h"
#include "cli/imported.h"
#include "cli/npy.h"
#include "cli/pricing.h"
#include "cli/run_folder.h"
#include "cli/sweep_front.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "model/json_text.h"
#include "sim/physical.h"

namespace bitstrata::cli {

using nlohmann::json;

namespace {

struct Options {
  std::string network, architecture = "pim-64x64", out;
  std::vector<std::string> outputs, technologies;
  int weight_bits = 8, activation_bits = 8, output_bits = 0, plans = 16;
  Common common;
};

bool read(const std::vector<std::string>& arguments, Options& o) {
  po::options_description options("options");
  options.add_options()
      // clang-format off
      ("network", po::value(&o.network)->required(),
       "built-in network, ONNX file, or list of layers: SCALE-Sim topology or NeuroSim NetWork.csv")
      ("output", po::value(&o.outputs)->composing(),
       "of ONNX networks: the tensor that is the result; may be repeated; default: the file's first output")
      ("architecture", po::value(&o.architecture)->default_value(o.architecture), "built-in name or YAML file")
      ("technology", po::value(&o.technologies)->composing(),
       "built-in name or YAML file; may be repeated; default: all built-in ones")
      ("max-weight-bits", po::value(&o.weight_bits)->default_value(o.weight_bits), "the table has the widths 1 to this")
      ("max-activation-bits", po::value(&o.activation_bits)->default_value(o.activation_bits), "likewise")
      ("output-bits", po::value(&o.output_bits)->default_value(o.output_bits),
       "width of every layer's output; 0: as wide as its input")
      ("check-plans", po::value(&o.plans)->default_value(o.plans),
       "plans of random widths whose sums of table cells are compared with the whole network")
      ("out", po::value(&o.out),
       "folder to write: table.csv, cycles.npy and energy_T.npy in HAQ's layout [layer][weight bits - 1][activation "
       "bits - 1], summary.json, run.json");
  // clang-format on
  o.common.add(options);
  po::variables_map values;
  if (!parse(
          arguments, options,
          {"table --network N [--architecture A] [--technology T] [--out DIR]",
           "Cycles and energy of every layer at every pair of widths, by the fast engine. Layers without weights have\n"
           "rows in table.csv only. What the accelerator does not do is -1 in cycles.npy, not a number in energies.",
           "table --network lenet5 --architecture pim-64x64 --out out/table"},
          values)) {
    return false;
  }
  check_range("max-weight-bits", o.weight_bits, 1, 16);
  check_range("max-activation-bits", o.activation_bits, 1, 16);
  check_range("output-bits", o.output_bits, 0, 16);
  check_range("check-plans", o.plans, 0, 1e6);
  if (!o.outputs.empty() && !is_onnx(o.network))
    throw std::invalid_argument("--output belongs to networks from ONNX files");
  o.common.check();
  return true;
}

std::string number(double value) { return std::isnan(value) ? "" : fmt::format("{:.6g}", value); }

Table csv_table(const CostTable& table, const sim::Clock& clock) {
  std::vector<std::string> header = {"layer",       "kind", "weight_bits", "activation_bits",
                                     "output_bits", "macs", "cycles",      "latency_us"};
  for (const std::string& technology : table.technologies) header.push_back(fmt::format("energy_{}_pj", technology));
  header.emplace_back("refused");
  Table csv(header);
  const auto add = [&](const TableRow& row, int w, int a, std::size_t cell) {
    const bool known = row.cycles[cell] >= 0;
    std::vector<std::string> cells = {row.layer,
                                      to_string(row.kind),
                                      w > 0 ? fmt::format("{}", w) : "",
                                      fmt::format("{}", a),
                                      known ? fmt::format("{}", row.output_bits[cell]) : "",
                                      fmt::format("{}", row.macs),
                                      known ? fmt::format("{}", row.cycles[cell]) : "",
                                      known ? number(clock.latency_us(row.cycles[cell])) : ""};
    for (const auto& energies : row.energy_pj) cells.push_back(number(energies[cell]));
    cells.push_back(row.refusal[cell]);
    csv.add(cells);
  };
  for (const TableRow& row : table.layers) {
    for (int w = 1; w <= table.weight_bits; ++w) {
      for (int a = 1; a <= table.activation_bits; ++a) add(row, w, a, table.cell(w, a));
    }
  }
  for (const TableRow& row : table.others) {
    for (int a = 1; a <= table.activation_bits; ++a) add(row, 0, a, static_cast<std::size_t>(a - 1));
  }
  return csv;
}

template <typename T, typename Cells>
std::vector<T> flat(const CostTable& table, Cells cells) {
  std::vector<T> values;
  for (const TableRow& row : table.layers) values.insert(values.end(), cells(row).begin(), cells(row).end());
  return values;
}

void print(const CostTable& table, const std::string& network, const model::Architecture& a) {
  // The diagonal shows the shape; the whole is in the files.
  std::vector<int> shown;
  for (int bits = 1; bits <= std::min(table.weight_bits, table.activation_bits); bits *= 2) shown.push_back(bits);
  std::vector<std::string> header = {"layer", "kind", "macs"};
  for (const int bits : shown) header.push_back(fmt::format("{}/{}", bits, bits));
  Table text(header, 2);
  std::vector<std::int64_t> sums(shown.size(), 0);  // -1: a layer of them is refused, and the rest is no total
  const auto add = [&](const TableRow& row) {
    std::vector<std::string> cells = {row.layer, to_string(row.kind), grouped(row.macs)};
    for (std::size_t i = 0; i < shown.size(); ++i) {
      const bool weights = has_weights(row.kind);
      const std::int64_t cycles =
          row.cycles[weights ? table.cell(shown[i], shown[i]) : static_cast<std::size_t>(shown[i] - 1)];
      cells.push_back(cycles < 0 ? "-" : grouped(cycles));
      sums[i] = cycles < 0 || sums[i] < 0 ? -1 : sums[i] + cycles;
    }
    text.add(cells);
  };
  for (const TableRow& row : table.layers) add(row);
  for (const TableRow& row : table.others) add(row);
  std::vector<std::string> total = {"total", "", ""};
  for (const std::int64_t sum : sums) total.push_back(sum < 0 ? "-" : grouped(sum));
  text.add_total(total);
  fmt::print("{} on {} ({}, {:g} MHz): cycles at weight/activation bits\n\n{}\n{}\n", network, a.name, a.array_text(),
             a.clock_mhz, text.text(), table.assumption());
}

// Cells that the accelerator does not do: those of layers with weights, or of all where there are no such layers.
struct Refusals {
  std::int64_t count = 0;
  bool all = true;
  std::string example;
};

Refusals refusals_of(const CostTable& table) {
  Refusals refusals;
  for (const TableRow& row : table.layers.empty() ? table.others : table.layers) {
    for (std::size_t c = 0; c < row.cycles.size(); ++c) {
      if (row.cycles[c] >= 0) {
        refusals.all = false;
      } else if (refusals.count++ == 0) {
        refusals.example = row.refusal[c];
      }
    }
  }
  return refusals;
}

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int table(const std::vector<std::string>& arguments) {
  Options o;
  if (!read(arguments, o)) return 0;
  RunRecord record("table", arguments, o.common);
  OutputFolder folder(o.out);
  const sim::SweepNetwork network = load_shapes(o.network, o.outputs);
  for (const std::string& note : network.notes()) say(o.common, note);
  if (network.prescribed() != nullptr) {
    throw std::invalid_argument(fmt::format(
        "'{}' is quantized already and cannot have the widths of a table; run prices those of its file", o.network));
  }
  record.add_file("network", o.network);
  const model::Architecture architecture = model::load_architecture(o.architecture);
  record.add_file("architecture", o.architecture);
  const std::vector<model::Technology> technologies = load_technologies(o.technologies, record);

  sim::FastCostModel cost(architecture);
  CostTable table;
  const auto make = [&] {
    table = make_cost_table(network, cost, technologies, o.weight_bits, o.activation_bits, o.output_bits);
  };
  const double cold = seconds_of(make);
  const Refusals refusals = refusals_of(table);
  if (refusals.all) {
    throw std::runtime_error(fmt::format("{} on {}: no cell of the table can be priced, for example: {}",
                                         network.name(), architecture.name, refusals.example));
  }
  cost.forget_events();
  const double tiled = seconds_of(make), warm = seconds_of(make);
  const TableError error = check_sums(table, network, cost, o.plans, o.common.seed);

  const sim::Clock clock = sim::clock_of(architecture, technologies.at(0));
  const std::vector<std::size_t> shape = {table.layers.size(), static_cast<std::size_t>(o.weight_bits),
                                          static_cast<std::size_t>(o.activation_bits)};
  json summary = {{"network", network.name()},
                  {"architecture", architecture.name},
                  {"clock_mhz", architecture.clock_mhz},
                  {"shape", shape},
                  {"layout", "[layer][weight_bits - 1][activation_bits - 1]"},
                  {"output_width", table.assumption()},
                  {"layers", json::array()},
                  {"layers_without_weights", json::array()},
                  {"refused_cells", refusals.count},
                  {"seconds_cold", cold},
                  {"seconds_tilings_known", tiled},
                  {"seconds_warm", warm},
                  {"sums_against_network",
                   {{"plans", error.plans},
                    {"refused_plans", error.refused},
                    {"mean_percent", error.mean_percent},
                    {"mean_absolute_percent", error.mean_absolute_percent},
                    {"largest_percent", error.largest_percent}}}};
  if (clock.reached_mhz) summary["clock_reached_mhz"] = *clock.reached_mhz;
  for (const TableRow& row : table.layers) summary["layers"].push_back(row.layer);
  for (const TableRow& row : table.others) summary["layers_without_weights"].push_back(row.layer);
  if (folder.wanted()) {
    folder.add("table.csv", csv_table(table, clock).csv());
    folder.add("cycles.npy", npy(std::span<const std::int64_t>(flat<std::int64_t>(
                                     table, [](const TableRow& row) -> const auto& { return row.cycles; })),
                                 shape));
    for (std::size_t t = 0; t < technologies.size(); ++t) {
      const std::vector<double> energies = flat<double>(
          table, [&](const TableRow& row) -> const auto& { return row.energy_pj[t]; });
      folder.add(fmt::format("energy_{}.npy", technologies[t].name), npy(std::span(energies), shape));
    }
    folder.add("summary.json", summary);
    folder.add("run.json", record.to_json("fast"));
    folder.publish();
  }
  if (o.common.json) {
    std::cout << model::json_text(summary) << "\n";
    return 0;
  }
  print(table, network.name(), architecture);
  if (!clock.met()) {
    fmt::print("the gates of {} reach {:.1f} of the {:g} MHz asked for, which latency_us in table.csv is at\n",
               technologies[0].name, *clock.reached_mhz, clock.asked_mhz);
  }
  if (refusals.count > 0) {
    fmt::print("{} cells are refused, for example: {}\na column with a refused layer has no total\n",
               grouped(refusals.count), refusals.example);
  }
  if (error.plans > 0) {
    fmt::print(
        "sums of cells against the whole network, {} plans of random widths: {:+.3f} % on average, {:.3f} % in "
        "absolute terms, {:+.3f} % at most\n",
        error.plans, error.mean_percent, error.mean_absolute_percent, error.largest_percent);
  }
  if (error.refused > 0) fmt::print("{} further plans do not fit the accelerator\n", error.refused);
  fmt::print(
      "{} x {} x {} cells in {:.3g} ms with the search for tilings, in {:.3g} ms with tilings known and layers "
      "predicted "
      "again, in {:.3g} ms with all layers known\n",
      shape[0], shape[1], shape[2], 1e3 * cold, 1e3 * tiled, 1e3 * warm);
  return 0;
}

}  // namespace bitstrata::cli
