// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/plain_cells.h"

#include <fmt/format.h>

#include <algorithm>

namespace bitstrata::sim::gates {

namespace {

// The table where input k is `value`.
TruthTable restricted(TruthTable table, std::size_t k, bool value) {
  const int step = 1 << k;
  const TruthTable half = value ? table & input_table[k] : table & ~input_table[k];
  return value ? half | (half >> step) : half | (half << step);
}

// How `cell` stores input `data` alone, if it does with its further inputs tied to `values`.
std::optional<PlainStorage> stored(const LibertyCell& cell, std::size_t data, std::size_t control, unsigned values) {
  PlainStorage use{&cell, data, control, true, std::vector<bool>(cell.inputs.size()), 0};
  TruthTable next = cell.next_state, force = cell.clear | cell.preset, enable = cell.enable;
  for (std::size_t k = 0; k < cell.inputs.size(); ++k) {
    if (k == data || k == control) continue;
    use.tie[k] = (values & 1) != 0;
    values >>= 1;
    for (TruthTable* table : {&next, &force, &enable}) *table = restricted(*table, k, use.tie[k]);
  }
  if (next != input_table[data] || force != 0) return std::nullopt;
  use.active_high = enable == input_table[control];
  if (!use.active_high && enable != ~input_table[control]) return std::nullopt;
  const auto plain = std::ranges::find(cell.outputs, false, &CellOutput::inverted);
  if (plain != cell.outputs.end()) use.output = static_cast<std::size_t>(plain - cell.outputs.begin());
  return use;
}

std::optional<PlainStorage> plain_storage(const LibertyCell& cell) {
  if (cell.outputs.empty()) return std::nullopt;
  const std::size_t inputs = cell.inputs.size();
  for (std::size_t data = 0; data < inputs; ++data) {
    for (std::size_t control = 0; control < inputs; ++control) {
      if (control == data || (cell.kind == CellKind::flip_flop && static_cast<int>(control) != cell.clock)) continue;
      for (unsigned values = 0; values < 1U << (inputs - 2); ++values)
        if (auto use = stored(cell, data, control, values)) return use;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<PlainStorage> smallest_storage(const Library& library, CellKind kind) {
  std::optional<PlainStorage> best;
  const auto cost = [](const LibertyCell& cell) { return std::pair(cell.area, cell.inputs.size()); };
  for (const auto& [name, cell] : library.cells) {
    if (cell.kind != kind || cell.avoided || (best && cost(*best->cell) <= cost(cell))) continue;
    if (auto use = plain_storage(cell)) best = std::move(use);
  }
  return best;
}

const LibertyCell* smallest_clock_gate(const Library& library) {
  const LibertyCell* best = nullptr;
  for (const auto& [name, cell] : library.cells) {
    if (cell.kind != CellKind::clock_gate) continue;
    if (best == nullptr || std::pair(cell.avoided, cell.area) < std::pair(best->avoided, best->area)) best = &cell;
  }
  return best;
}

std::string tied_pins(const PlainStorage& storage) {
  std::string text;
  for (std::size_t k = 0; k < storage.tie.size(); ++k) {
    if (k != storage.data && k != storage.control)
      text += fmt::format(", .{}(1'b{})", storage.cell->inputs[k].name, storage.tie[k] ? 1 : 0);
  }
  return text;
}

}  // namespace bitstrata::sim::gates
