// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <stdexcept>

namespace bitstrata::sim::gates {

namespace {

constexpr struct {
  CellFunction function;
  int inputs;
  TruthTable table;
} known_functions[] = {
#define X(name, inputs, text)                                                                                      \
  {CellFunction::name, inputs,                                                                                     \
   [](TruthTable a, [[maybe_unused]] TruthTable b, [[maybe_unused]] TruthTable c, [[maybe_unused]] TruthTable d) { \
     return text;                                                                                                  \
   }(input_table[0], input_table[1], input_table[2], input_table[3])},
    BITSTRATA_CELL_FUNCTIONS(X)
#undef X
};

// How an output of a library cell is evaluated: `pins` are the cell's inputs in the order of the function's.
struct Form {
  CellFunction function = CellFunction::table;
  std::vector<int> pins;
  TruthTable table = 0;  // over `pins`
};

// The table with input i taken from pins[i].
TruthTable permuted(TruthTable table, const std::vector<int>& pins) {
  TruthTable result = 0;
  for (int row = 0; row < 1 << max_inputs; ++row) {
    int from = 0;
    for (std::size_t i = 0; i < pins.size(); ++i) from |= ((row >> i) & 1) << pins[i];
    result |= ((table >> from) & 1) << row;
  }
  return result;
}

Form form_of(const CellOutput& output, std::size_t inputs) {
  Form form;
  for (int k = 0; k < static_cast<int>(inputs); ++k)
    if (depends_on(output.function, k)) form.pins.push_back(k);
  std::vector<int> pins = form.pins;
  do {
    const TruthTable table = permuted(output.function, pins);
    for (const auto& known : known_functions) {
      if (known.inputs == static_cast<int>(pins.size()) && known.table == table) return {known.function, pins, table};
    }
  } while (std::ranges::next_permutation(pins).found);
  form.table = permuted(output.function, form.pins);
  return form;
}

// What is evaluated, before it has its place.
struct Draft {
  NodeKind kind;
  std::uint32_t index;  // cell or memory
  std::uint32_t output = 0;
};

class Builder {
 public:
  Builder(const Netlist& netlist, const Timing& timing, Schedule& schedule)
      : netlist_(netlist), timing_(timing), s_(schedule) {}

  void build() {
    collect();
    order();
    number();
    s_.memory_node.assign(netlist_.memories.size(), -1);
    s_.nodes.reserve(drafts_.size());
    std::vector<std::int32_t> flop_node(netlist_.cells.size(), -1);
    for (const Draft& draft : drafts_) {
      const auto self = static_cast<std::int32_t>(s_.nodes.size());
      if (draft.kind == NodeKind::flop) flop_node[draft.index] = self;
      if (draft.kind == NodeKind::memory) s_.memory_node[draft.index] = self;
      s_.nodes.push_back(node(draft));
    }
    flops(flop_node);
    fanouts();
  }

 private:
  bool clear_or_preset(const LibertyCell& cell) const { return cell.clear != 0 || cell.preset != 0; }

  void collect() {
    std::vector<bool> in_gate(netlist_.cells.size());
    for (const ClockDomain& domain : netlist_.domains)
      for (const std::uint32_t cell : domain.cells) in_gate[cell] = true;
    for (std::uint32_t i = 0; i < netlist_.cells.size(); ++i) {
      const PlacedCell& cell = netlist_.cells[i];
      if (in_gate[i]) continue;
      if (cell.cell->kind == CellKind::flip_flop) {
        if (clear_or_preset(*cell.cell)) drafts_.push_back({NodeKind::flop, i});
        continue;
      }
      for (std::uint32_t o = 0; o < cell.outputs.size(); ++o)
        if (cell.outputs[o] != no_net) drafts_.push_back({NodeKind::gate, i, o});
    }
    for (std::uint32_t i = 0; i < netlist_.memories.size(); ++i) {
      const auto& synchronous = netlist_.memories[i].synchronous;
      if (std::ranges::find(synchronous, false) != synchronous.end()) drafts_.push_back({NodeKind::memory, i});
    }
  }

  const Form& form(const Draft& draft) {
    const PlacedCell& cell = netlist_.cells[draft.index];
    const auto key = std::pair(cell.cell, draft.output);
    auto found = forms_.find(key);
    if (found == forms_.end())
      found = forms_.emplace(key, form_of(cell.cell->outputs[draft.output], cell.inputs.size())).first;
    return found->second;
  }

  std::vector<NetId> inputs(const Draft& draft) {
    std::vector<NetId> nets;
    if (draft.kind == NodeKind::memory) {
      const PlacedMemory& m = netlist_.memories[draft.index];
      for (std::size_t p = 0; p < m.synchronous.size(); ++p) {
        const auto first = m.read_address.begin() + static_cast<std::ptrdiff_t>(p) * m.address_bits;
        if (!m.synchronous[p]) nets.insert(nets.end(), first, first + m.address_bits);
      }
      return nets;
    }
    const PlacedCell& cell = netlist_.cells[draft.index];
    if (draft.kind == NodeKind::flop) {
      for (int k = 0; k < static_cast<int>(cell.inputs.size()); ++k) {
        if (depends_on(cell.cell->clear, k) || depends_on(cell.cell->preset, k))
          nets.push_back(cell.inputs[static_cast<std::size_t>(k)]);
      }
      return nets;
    }
    for (const int pin : form(draft).pins) nets.push_back(cell.inputs[static_cast<std::size_t>(pin)]);
    return nets;
  }
  std::vector<NetId> outputs(const Draft& draft) const {
    if (draft.kind == NodeKind::gate) return {netlist_.cells[draft.index].outputs[draft.output]};
    std::vector<NetId> nets;
    if (draft.kind == NodeKind::flop) {
      nets = netlist_.cells[draft.index].outputs;
    } else {
      const PlacedMemory& m = netlist_.memories[draft.index];
      for (std::size_t i = 0; i < m.read_data.size(); ++i)
        if (!m.synchronous[i / static_cast<std::size_t>(m.width)]) nets.push_back(m.read_data[i]);
    }
    std::erase(nets, no_net);
    return nets;
  }

  // Drivers first. A stack, not a queue, keeps cones of logic together.
  void order() {
    std::vector<std::int32_t> driver(netlist_.nets, -1);
    std::vector<std::vector<std::uint32_t>> readers(netlist_.nets);
    std::vector<std::uint32_t> missing(drafts_.size()), ready;
    for (std::uint32_t i = 0; i < drafts_.size(); ++i)
      for (const NetId net : outputs(drafts_[i])) driver[net] = static_cast<std::int32_t>(i);
    for (std::uint32_t i = 0; i < drafts_.size(); ++i) {
      for (const NetId net : inputs(drafts_[i])) {
        if (driver[net] < 0) continue;
        readers[net].push_back(i);
        ++missing[i];
      }
    }
    for (std::uint32_t i = static_cast<std::uint32_t>(drafts_.size()); i-- > 0;)
      if (missing[i] == 0) ready.push_back(i);
    std::vector<Draft> sorted;
    sorted.reserve(drafts_.size());
    while (!ready.empty()) {
      const std::uint32_t i = ready.back();
      ready.pop_back();
      sorted.push_back(drafts_[i]);
      for (const NetId net : outputs(drafts_[i])) {
        for (const std::uint32_t reader : readers[net])
          if (--missing[reader] == 0) ready.push_back(reader);
      }
    }
    if (sorted.size() != drafts_.size()) refuse_loop(driver, missing);
    drafts_ = std::move(sorted);
  }

  // From any node that waits for a driver, back through drivers that wait: that ends in the loop.
  [[noreturn]] void refuse_loop(const std::vector<std::int32_t>& driver, const std::vector<std::uint32_t>& missing) {
    auto at = static_cast<std::size_t>(std::ranges::find_if(missing, [](auto m) { return m != 0; }) - missing.begin());
    std::vector<bool> seen(drafts_.size());
    while (!seen[at]) {
      seen[at] = true;
      for (const NetId net : inputs(drafts_[at])) {
        if (driver[net] < 0 || missing[static_cast<std::size_t>(driver[net])] == 0) continue;
        at = static_cast<std::size_t>(driver[net]);
        break;
      }
    }
    const Draft& draft = drafts_[at];
    if (draft.kind == NodeKind::memory) {
      const PlacedMemory& m = netlist_.memories[draft.index];
      throw std::runtime_error(
          fmt::format("memory {}.{} is part of a combinational loop", netlist_.instances[m.instance].path, m.name));
    }
    throw std::runtime_error(
        fmt::format("cell {} is part of a combinational loop", netlist_.name(netlist_.cells[draft.index])));
  }

  void number() {
    s_.slot.assign(netlist_.nets, Flop::none);
    Slot next = 0;
    std::vector<NetId> driven;
    for (const Draft& draft : drafts_)
      for (const NetId net : outputs(draft)) driven.push_back(net);
    std::vector<bool> is_driven(netlist_.nets);
    for (const NetId net : driven) is_driven[net] = true;
    for (NetId net = 0; net < netlist_.nets; ++net)
      if (!is_driven[net]) s_.slot[net] = next++;
    for (const NetId net : driven) s_.slot[net] = next++;
  }

  ScheduledNode node(const Draft& draft) {
    ScheduledNode node;
    node.kind = draft.kind;
    node.index = draft.index;
    if (draft.kind != NodeKind::gate) return node;  // a flop's index follows in flops()
    const PlacedCell& cell = netlist_.cells[draft.index];
    const Form& how = form(draft);
    TableNode wide;
    wide.inputs = static_cast<int>(how.pins.size());
    wide.table = how.table;
    wide.out = s_.slot[cell.outputs[draft.output]];
    for (std::size_t i = 0; i < how.pins.size(); ++i) {
      const auto pin = static_cast<std::size_t>(how.pins[i]);
      wide.in[i] = s_.slot[cell.inputs[pin]];
      wide.delay[i] = timing_.of(draft.index, draft.output, cell.inputs.size(), pin);
      wide.inertia = i == 0 ? wide.delay[i] : std::min(wide.inertia, wide.delay[i]);
    }
    node.function = how.function;
    if (how.function == CellFunction::table) {
      node.kind = NodeKind::table;
      node.index = static_cast<std::uint32_t>(s_.tables.size());
      s_.tables.push_back(wide);
    } else {
      std::copy_n(wide.in.begin(), how.pins.size(), node.in.begin());
      std::copy_n(wide.delay.begin(), how.pins.size(), node.delay.begin());
      node.out = wide.out;
      node.inertia = wide.inertia;
    }
    return node;
  }

  void flops(const std::vector<std::int32_t>& node_of) {
    std::vector<std::vector<std::uint32_t>> cells(netlist_.domains.size());
    for (std::uint32_t i = 0; i < netlist_.cells.size(); ++i) {
      const PlacedCell& placed = netlist_.cells[i];
      if (placed.cell->kind == CellKind::flip_flop) cells[placed.domain].push_back(i);
    }
    for (const auto& domain : cells) {
      s_.first_flop.push_back(static_cast<std::uint32_t>(s_.flops.size()));
      for (const std::uint32_t i : domain) {
        const PlacedCell& placed = netlist_.cells[i];
        const LibertyCell& cell = *placed.cell;
        Flop flop;
        for (std::size_t o = 0; o < placed.outputs.size(); ++o) {
          if (placed.outputs[o] == no_net) continue;
          const std::size_t which = cell.outputs[o].inverted ? 1 : 0;
          flop.out[which] = s_.slot[placed.outputs[o]];
          flop.delay[which] = timing_.of(i, o, placed.inputs.size(), static_cast<std::size_t>(cell.clock));
        }
        const auto* const data = std::ranges::find(input_table, cell.next_state);
        if (data != std::end(input_table) && !clear_or_preset(cell)) {
          flop.data = s_.slot[placed.inputs[static_cast<std::size_t>(data - input_table)]];
        } else {
          FlopFunction function{{}, static_cast<int>(placed.inputs.size()), cell.next_state, cell.clear, cell.preset};
          for (std::size_t k = 0; k < placed.inputs.size(); ++k) function.in[k] = s_.slot[placed.inputs[k]];
          flop.function = static_cast<std::int32_t>(s_.functions.size());
          s_.functions.push_back(function);
        }
        flop.node = node_of[i];
        if (flop.node >= 0)
          s_.nodes[static_cast<std::size_t>(flop.node)].index = static_cast<std::uint32_t>(s_.flops.size());
        s_.flops.push_back(flop);
      }
    }
    s_.first_flop.push_back(static_cast<std::uint32_t>(s_.flops.size()));
  }

  void fanouts() {
    s_.first_fanout.assign(netlist_.nets + 1, 0);
    std::vector<std::pair<Slot, std::uint32_t>> edges;
    for (std::uint32_t i = 0; i < drafts_.size(); ++i)
      for (const NetId net : inputs(drafts_[i])) edges.emplace_back(s_.slot[net], i);
    std::ranges::sort(edges);
    const auto repeated = std::ranges::unique(edges);
    edges.erase(repeated.begin(), repeated.end());
    for (const auto& [slot, node] : edges) {
      ++s_.first_fanout[slot + 1];
      s_.fanout.push_back(node);
    }
    std::partial_sum(s_.first_fanout.begin(), s_.first_fanout.end(), s_.first_fanout.begin());
  }

  const Netlist& netlist_;
  const Timing& timing_;
  Schedule& s_;
  std::vector<Draft> drafts_;
  std::map<std::pair<const LibertyCell*, std::uint32_t>, Form> forms_;
};

}  // namespace

Schedule::Schedule(const Netlist& netlist, const Timing& timing) { Builder(netlist, timing, *this).build(); }

}  // namespace bitstrata::sim::gates
