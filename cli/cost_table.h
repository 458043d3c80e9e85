// SPDX-License-Identifier: Apache-2.0
// What every layer of a network costs at every pair of widths: [layer][weight bits - 1][activation bits - 1], the
// layout of HAQ's latency tables.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/architecture.h"
#include "model/cost.h"
#include "model/technology.h"
#include "sim/cost_model.h"
#include "sim/sweep.h"

namespace bitstrata::cli {

struct TableRow {
  std::string layer;
  model::LayerKind kind = model::LayerKind::convolution;
  std::int64_t macs = 0;
  // Per cell; rows without weights have one cell an activation width.
  std::vector<std::int64_t> cycles;  // -1: the accelerator does not do it
  std::vector<int> output_bits;
  std::vector<std::vector<double>> energy_pj;  // [technology][cell]; not a number where it has no price
  std::vector<std::string> refusal;            // why cycles is -1
};

// A layer's store traffic depends on the width of its output, which a table of two widths cannot tell. Either the
// output is as wide as the layer's input (the network's output: 16 bits, or the
// most that the accelerator writes), so that the rows of a uniform plan add up to
// exactly what the network takes; or all outputs have one fixed width.
struct CostTable {
  int weight_bits = 8, activation_bits = 8;  // the largest
  int output_bits = 0;                       // 0: as wide as the input
  int network_output_bits = 16;              // of the last layer, as run has it
  bool graph = true;                         // else a list of layers, which has no last one
  std::vector<std::string> technologies;
  std::vector<TableRow> layers;  // with weights, in the network's order
  std::vector<TableRow> others;  // pooling, adds, ...: their cost depends on the activation width alone
  std::size_t cell(int w, int a) const { return static_cast<std::size_t>((w - 1) * activation_bits + a - 1); }
  std::string assumption() const;  // about output widths, in words
};

CostTable make_cost_table(const sim::SweepNetwork& network, sim::FastCostModel& cost,
                          const std::vector<model::Technology>& technologies, int weight_bits, int activation_bits,
                          int output_bits);

// Sums of table cells against whole networks under plans of random widths.
struct TableError {
  int plans = 0, refused = 0;  // refused: plans that the accelerator, and so no sum, can do
  double mean_percent = 0;     // of (sum - network) / network
  double mean_absolute_percent = 0, largest_percent = 0;
};
TableError check_sums(const CostTable& table, const sim::SweepNetwork& network, sim::FastCostModel& cost, int plans,
                      std::uint64_t seed);

}  // namespace bitstrata::cli
