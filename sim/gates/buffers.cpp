// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/buffers.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace bitstrata::sim::gates {

namespace {

bool is_buffer(const LibertyCell& cell) {
  return cell.kind == CellKind::combinational && !cell.avoided && cell.inputs.size() == 1 && cell.outputs.size() == 1 &&
         cell.outputs[0].function == input_table[0];
}

// One pin, or those of a memory's word that share a net.
struct Sink {
  NetId* pins = nullptr;
  std::uint32_t count = 1, instance = 0;
  double load = 0;
};

class Trees {
 public:
  Trees(Netlist& netlist, const BufferRule& rule) : netlist_(netlist), rule_(rule), sinks_(netlist.nets) {
    for (const Instance& instance : netlist.instances)
      depth_.push_back(instance.parent < 0 ? 0 : depth_[static_cast<std::size_t>(instance.parent)] + 1);
    for (PlacedCell& cell : netlist.cells) {
      for (std::size_t k = 0; k < cell.inputs.size(); ++k)
        add({&cell.inputs[k], 1, cell.instance, cell.cell->inputs[k].capacitance + rule.wire});
    }
    for (PlacedMemory& m : netlist.memories) {
      for (auto* list : {&m.read_enable, &m.read_address, &m.write_enable, &m.write_address, &m.write_data}) {
        for (std::size_t i = 0; i < list->size();) {
          std::uint32_t count = 1;
          while (i + count < list->size() && (*list)[i + count] == (*list)[i]) ++count;
          add({&(*list)[i], count, m.instance, rule.memory_pin + rule.wire});
          i += count;
        }
      }
    }
  }

  // Buffers put in for a net; its sinks, then, are the roots of its tree.
  int build(NetId net) {
    std::vector<Sink> sinks = std::move(sinks_[net]);
    double load = 0;
    for (const Sink& sink : sinks) load += sink.load;
    int added = 0;
    while (load > rule_.most) {
      std::vector<Sink> level;
      double above = 0;
      for (std::size_t first = 0, next = 0; first < sinks.size(); first = next) {
        double group = 0;
        do {
          group += sinks[next++].load;
        } while (next < sinks.size() && group + sinks[next].load <= rule_.most);
        level.push_back(buffer(net, {&sinks[first], next - first}));
        above += level.back().load;
        ++added;
      }
      const bool less = above < load;
      sinks = std::move(level);
      load = above;
      if (!less) break;  // sinks as heavy as buffers
    }
    return added;
  }

  // Cells that were made; the sinks of their inputs keep pointing into them.
  std::vector<PlacedCell> take() { return std::move(made_); }

 private:
  void add(const Sink& sink) {
    if (*sink.pins > net_one) sinks_[*sink.pins].push_back(sink);
  }

  std::uint32_t around(std::uint32_t a, std::uint32_t b) const {
    while (a != b) {
      std::uint32_t& deeper = depth_[a] >= depth_[b] ? a : b;
      deeper = static_cast<std::uint32_t>(netlist_.instances[deeper].parent);
    }
    return a;
  }

  // Puts a buffer between the net and some of its sinks; it is a sink itself.
  Sink buffer(NetId net, std::span<const Sink> driven) {
    const NetId out = netlist_.nets++;
    std::uint32_t instance = driven[0].instance;
    for (const Sink& sink : driven) {
      std::fill_n(sink.pins, sink.count, out);
      instance = around(instance, sink.instance);
    }
    PlacedCell& cell = made_.emplace_back();
    cell.cell = rule_.cell;
    cell.instance = instance;
    cell.name = &netlist_.names.emplace_back(1, fmt::format("buffer{}", out)).front();
    cell.inputs = {net};
    cell.outputs = {out};
    return {cell.inputs.data(), 1, instance, rule_.cell->inputs[0].capacitance + rule_.wire};
  }

  Netlist& netlist_;
  const BufferRule& rule_;
  std::vector<int> depth_;  // by instance
  std::vector<std::vector<Sink>> sinks_;
  std::vector<PlacedCell> made_;
};

}  // namespace

const LibertyCell* smallest_buffer(const Library& library) {
  const LibertyCell* best = nullptr;
  for (const auto& [name, cell] : library.cells) {
    if (is_buffer(cell) && (best == nullptr || cell.area < best->area)) best = &cell;
  }
  return best;
}

BufferRule buffer_rule(const Library& library, const TimingOptions& options) {
  const LibertyCell* const smallest = smallest_buffer(library);
  if (smallest == nullptr) throw std::runtime_error(fmt::format("library '{}' has no buffer", library.name));
  BufferRule rule{nullptr, 8 * (smallest->inputs[0].capacitance + options.wire), options.wire, options.memory_pin};
  double least = std::numeric_limits<double>::infinity();
  for (const auto& [name, cell] : library.cells) {
    if (!is_buffer(cell) || cell.area > 8 * smallest->area) continue;  // pads look like buffers, too
    const double delay = cell.outputs[0].delay.at(0).mean(rule.most, options.slew);
    if (delay < least) {
      least = delay;
      rule.cell = &cell;
    }
  }
  return rule;
}

int add_buffers(Netlist& netlist, const BufferRule& rule, const std::vector<NetId>& clocks) {
  std::vector<bool> is_clock(netlist.nets);
  for (const NetId net : clocks) is_clock[net] = true;
  const NetId before = netlist.nets;
  Trees trees(netlist, rule);
  int added = 0;
  for (NetId net = net_one + 1; net < before; ++net) {
    if (!is_clock[net]) added += trees.build(net);
  }
  for (PlacedCell& cell : trees.take()) netlist.cells.push_back(std::move(cell));
  return added;
}

}  // namespace bitstrata::sim::gates
