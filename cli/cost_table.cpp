// SPDX-License-Identifier: Apache-2.0
#include "cli/cost_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>

#include "model/stages.h"
#include "sim/energy.h"

namespace bitstrata::cli {

namespace {

using model::IntegerLayer;
using model::IntegerNetwork;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

// The layer with tensors of its own.
IntegerNetwork alone(const IntegerNetwork& network, std::size_t index, int output_bits) {
  IntegerLayer layer = network.layers[index];
  IntegerNetwork result{.name = network.name, .tensors = {network.tensors[at(layer.input)]}, .layers = {}};
  layer.input = 0;
  if (layer.second >= 0) {
    result.tensors.push_back(network.tensors[at(layer.second)]);
    layer.second = 1;
  }
  result.tensors.push_back(network.tensors[at(layer.output)]);
  layer.output = static_cast<int>(result.tensors.size()) - 1;
  if (output_bits != 0) {
    model::TensorFormat& out = result.tensors.back();
    out.bits = output_bits;
    if (out.coding != model::Coding::unsigned_code) {
      out.coding = output_bits == 1 ? model::Coding::bipolar : model::Coding::twos_complement;
    }
    const model::CodeRange range = model::code_range(out.coding, out.bits);
    layer.clip_low = range.low;
    layer.clip_high = range.high;
  }
  result.layers.push_back(std::move(layer));
  return result;
}

class Maker {
 public:
  Maker(CostTable& table, sim::FastCostModel& cost, const std::vector<model::Technology>& technologies)
      : table_(table), cost_(cost), technologies_(technologies) {}

  void add_rows(const IntegerNetwork& shapes) {
    for (const IntegerLayer& layer : shapes.layers) {
      const bool weights = has_weights(layer.kind);
      const auto cells = at(weights ? table_.weight_bits * table_.activation_bits : table_.activation_bits);
      TableRow row{.layer = layer.name, .kind = layer.kind, .macs = layer.macs};
      row.cycles.assign(cells, -1);
      row.output_bits.assign(cells, 0);
      row.energy_pj.assign(technologies_.size(), std::vector<double>(cells, std::numeric_limits<double>::quiet_NaN()));
      row.refusal.assign(cells, "");
      std::vector<TableRow>& rows = weights ? table_.layers : table_.others;
      places_.push_back({weights, rows.size()});
      rows.push_back(std::move(row));
    }
  }

  // All layers at widths w and a.
  void fill(const IntegerNetwork& shapes, int w, int a) {
    if (table_.output_bits == 0) {
      try {
        const model::Measurement whole = cost_.measure(shapes);
        for (std::size_t i = 0; i < shapes.layers.size(); ++i) take(shapes, i, whole.layers[i], w, a);
        return;
      } catch (const std::invalid_argument&) {
        // One layer is refused; the others are measured by themselves.
      }
    }
    for (std::size_t i = 0; i < shapes.layers.size(); ++i) {
      try {
        // Poolings hand their input's width on, joins their inputs': only layers with weights choose an output.
        const bool weights = has_weights(shapes.layers[i].kind);
        const bool last = table_.graph && i + 1 == shapes.layers.size();
        const IntegerNetwork single = alone(shapes, i, weights && !last ? table_.output_bits : 0);
        take(shapes, i, cost_.measure(single).layers.front(), w, a);
      } catch (const std::invalid_argument& error) {
        TableRow& row = row_of(i);
        row.refusal[cell_of(row, w, a)] = error.what();
      }
    }
  }

 private:
  TableRow& row_of(std::size_t layer) {
    return (places_[layer].weights ? table_.layers : table_.others)[places_[layer].row];
  }
  std::size_t cell_of(const TableRow& row, int w, int a) const {
    return has_weights(row.kind) ? table_.cell(w, a) : at(a - 1);
  }
  void take(const IntegerNetwork& shapes, std::size_t index, const model::LayerMeasurement& measured, int w, int a) {
    TableRow& row = row_of(index);
    const std::size_t cell = cell_of(row, w, a);
    if (row.cycles[cell] >= 0) return;  // a layer without weights, at another w
    row.cycles[cell] = measured.events.cycles;
    row.output_bits[cell] = measured.output_bits;
    const sim::LayerGeometry geometry = sim::geometry_of(shapes, shapes.layers[index]);
    for (std::size_t t = 0; t < technologies_.size(); ++t) {
      try {
        const sim::EnergyParts parts = sim::price(measured, geometry, technologies_[t], {&cost_.architecture()}).parts;
        if (parts.any()) row.energy_pj[t][cell] = parts.total_pj();
      } catch (const std::invalid_argument&) {
        // Wider than the technology knows: stays without a price.
      }
    }
  }

  // Where the row of a layer is.
  struct Place {
    bool weights;
    std::size_t row;
  };
  CostTable& table_;
  std::vector<Place> places_;
  sim::FastCostModel& cost_;
  const std::vector<model::Technology>& technologies_;
};

}  // namespace

std::string CostTable::assumption() const {
  const std::string last = graph ? fmt::format("; the network's output: {} bits", network_output_bits) : "";
  if (output_bits != 0) return fmt::format("every layer writes {} bits, whatever it reads{}", output_bits, last);
  return fmt::format("a layer writes as many bits as it reads (activation_bits{})", last);
}

CostTable make_cost_table(const sim::SweepNetwork& network, sim::FastCostModel& cost,
                          const std::vector<model::Technology>& technologies, int weight_bits, int activation_bits,
                          int output_bits) {
  CostTable table{.weight_bits = weight_bits,
                  .activation_bits = activation_bits,
                  .output_bits = output_bits,
                  .network_output_bits = std::min(16, std::max(2, cost.architecture().max_activation_bits)),
                  .graph = network.graph() != nullptr};
  for (const model::Technology& technology : technologies) table.technologies.push_back(technology.name);
  Maker maker(table, cost, technologies);
  for (int a = 1; a <= activation_bits; ++a) {
    // Weights' widths change nothing else of the layers, so the graph is walked once an activation width.
    model::Plan plan = network.uniform_plan(8, a);
    plan.output_bits = table.network_output_bits;
    IntegerNetwork shapes = network.shapes(plan);
    if (a == 1) maker.add_rows(shapes);
    for (int w = 1; w <= weight_bits; ++w) {
      for (IntegerLayer& layer : shapes.layers) {
        if (has_weights(layer.kind)) layer.weight_bits = w;
      }
      maker.fill(shapes, w, a);
    }
  }
  return table;
}

TableError check_sums(const CostTable& table, const sim::SweepNetwork& network, sim::FastCostModel& cost, int plans,
                      std::uint64_t seed) {
  TableError error;
  std::mt19937_64 random(seed);
  const auto pick = [&](int most) { return 1 + static_cast<int>(random() % static_cast<std::uint64_t>(most)); };
  std::vector<model::Layout> layout;  // one, of a graph
  if (network.graph() != nullptr) layout.push_back(model::lay_out(*network.graph()));
  for (int i = 0; i < plans; ++i) {
    model::Plan plan = network.uniform_plan(8, 8);
    plan.output_bits = table.network_output_bits;
    for (model::LayerPlan& layer : plan.layers) {
      layer.weight_bits = pick(table.weight_bits);
      layer.activation_bits = pick(table.activation_bits);
    }
    if (!layout.empty()) model::tie_widths(layout.front(), plan);
    const IntegerNetwork shapes = network.shapes(plan);
    model::Measurement measured;
    try {
      measured = cost.measure(shapes);
    } catch (const std::invalid_argument&) {
      ++error.refused;
      continue;
    }
    double sum = 0;
    std::size_t weights = 0, others = 0;
    for (const IntegerLayer& layer : shapes.layers) {
      const int a = shapes.tensors[at(layer.input)].bits;
      if (has_weights(layer.kind)) {
        sum += static_cast<double>(table.layers[weights++].cycles[table.cell(layer.weight_bits, a)]);
      } else {
        // Joins at the end of the network may be wider than the table: its last column is the nearest.
        sum += static_cast<double>(table.others[others++].cycles[at(std::min(a, table.activation_bits) - 1)]);
      }
    }
    const auto whole = static_cast<double>(measured.total().cycles);
    const double percent = 100 * (sum - whole) / whole;
    ++error.plans;
    error.mean_percent += percent;
    error.mean_absolute_percent += std::abs(percent);
    if (std::abs(percent) > std::abs(error.largest_percent)) error.largest_percent = percent;
  }
  if (error.plans > 0) {
    error.mean_percent /= error.plans;
    error.mean_absolute_percent /= error.plans;
  }
  return error;
}

}  // namespace bitstrata::cli
