// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/netlist.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "sim/gates/buffers.h"
#include "sim/gates/clock_domains.h"
#include "sim/gates/memory_cell.h"
#include "sim/gates/yosys_json.h"

namespace bitstrata::sim::gates {

namespace {

constexpr const char* gate_module = "bs_clock_gate";

// Elaborates instance by instance. Nets are united where a module passes a port through or drives it by a constant.
class Elaboration {
 public:
  Elaboration(const std::map<std::string, JsonModule>& modules, const Library& library)
      : modules_(modules), library_(library), united_{net_zero, net_one} {}

  Netlist run(const NetlistOptions& options) {
    const auto top = modules_.find(options.top);
    if (top == modules_.end()) throw std::runtime_error(fmt::format("there is no module '{}'", options.top));
    names_ = options.names;
    Nets nets = new_nets(top->second);
    std::map<std::string, Port> ports;
    for (const JsonPort& port : top->second.ports) ports[port.name] = {port.input, mapped(port.bits, nets)};
    netlist_.ports = std::move(ports);
    instantiate(top->second, {options.top, options.top, -1}, nets, no_gate);
    settle_nets();
    check_drivers();
    if (options.buffers != nullptr) {
      add_buffers(netlist_, *options.buffers, clocks());
      inside_gate_.resize(netlist_.cells.size());
      if (names_) netlist_.net_names.resize(netlist_.nets);
    }
    assign_domains(netlist_, {std::move(gates_), std::move(inside_gate_), std::move(memory_clocks_)});
    return std::move(netlist_);
  }

 private:
  using Nets = std::vector<NetId>;
  static constexpr std::uint32_t no_gate = ~0U;

  NetId new_net() {
    united_.push_back(static_cast<NetId>(united_.size()));
    return united_.back();
  }
  NetId find(NetId net) {
    while (united_[net] != net) net = united_[net] = united_[united_[net]];
    return net;
  }
  Nets new_nets(const JsonModule& module) {
    Nets nets(module.bits, no_net);
    nets[0] = net_zero;
    nets[1] = net_one;
    return nets;
  }
  NetId mapped(std::uint32_t bit, Nets& nets) {
    if (nets[bit] == no_net) nets[bit] = new_net();
    return nets[bit];
  }
  std::vector<NetId> mapped(const JsonBits& bits, Nets& nets) {
    std::vector<NetId> list;
    for (const std::uint32_t bit : bits) list.push_back(mapped(bit, nets));
    return list;
  }

  void instantiate(const JsonModule& module, Instance instance, Nets& nets, std::uint32_t gate) {
    const auto self = static_cast<std::uint32_t>(netlist_.instances.size());
    netlist_.instances.push_back(std::move(instance));
    std::vector<std::string>& names = netlist_.names.emplace_back();
    const std::string path = netlist_.instances[self].path;
    names.reserve(module.cells.size());  // PlacedCell::name points into it
    for (const JsonCell& cell : module.cells) {
      if (const LibertyCell* mapped_to = library_.find(cell.type)) {
        names.push_back(cell.name);
        place(cell, *mapped_to, self, &names.back(), nets, gate);
      } else if (cell.type == "$mem_v2") {
        place_memory(cell, self, nets);
      } else if (const auto inner = modules_.find(cell.type); inner != modules_.end()) {
        descend(cell, inner->second, self, path, nets);
      } else {
        throw std::runtime_error(
            fmt::format("cell {}.{} of type {} is neither in the library nor a module", path, cell.name, cell.type));
      }
    }
    if (names_) {
      for (const auto& [name, bits] : module.net_names) {
        for (std::size_t i = 0; i < bits.size(); ++i) {
          if (bits[i] >= 2 && nets[bits[i]] != no_net)
            net_names_.emplace_back(nets[bits[i]], bits.size() == 1 ? fmt::format("{}.{}", path, name)
                                                                    : fmt::format("{}.{}[{}]", path, name, i));
        }
      }
    }
  }

  void descend(const JsonCell& cell, const JsonModule& module, std::uint32_t parent, const std::string& path,
               Nets& outer) {
    Nets nets = new_nets(module);
    for (const JsonPort& port : module.ports) {
      if (port.both) throw std::runtime_error("port " + port.name + " has both directions");
      const JsonBits* bits = cell.find(port.name);
      if (!bits) continue;
      for (std::size_t i = 0; i < std::min(bits->size(), port.bits.size()); ++i) {
        NetId& inside = nets[port.bits[i]];
        const NetId outside = mapped((*bits)[i], outer);
        if (inside == no_net) {
          inside = outside;
        } else {
          const NetId a = find(inside), b = find(outside);
          united_[std::max(a, b)] = std::min(a, b);
        }
      }
    }
    const std::string plain = plain_module_name(cell.type);
    std::uint32_t gate = no_gate;
    if (plain == gate_module) {
      const auto port = [&](const char* name) {
        const auto found = std::ranges::find(module.ports, name, &JsonPort::name);
        if (found == module.ports.end() || found->bits.size() != 1)
          throw std::runtime_error(fmt::format("clock gate {}.{} has no port {}", path, cell.name, name));
        return mapped(found->bits[0], nets);
      };
      gate = static_cast<std::uint32_t>(gates_.size());
      port("enable_i");
      gates_.push_back({static_cast<std::uint32_t>(netlist_.instances.size()), port("clk_i"), port("clk_o"), {}});
    }
    instantiate(module, {path + "." + cell.name, plain, static_cast<int>(parent)}, nets, gate);
  }

  void place(const JsonCell& source, const LibertyCell& cell, std::uint32_t instance, const std::string* name,
             Nets& nets, std::uint32_t gate) {
    PlacedCell placed;
    placed.cell = &cell;
    placed.instance = instance;
    placed.name = name;
    const auto refuse = [&](const std::string& why) {
      throw std::runtime_error(fmt::format("cell {} of type {}: {}", netlist_.name(placed), cell.name, why));
    };
    if (cell.kind == CellKind::unusable) refuse(cell.unusable);
    if (cell.kind == CellKind::latch && gate == no_gate) refuse(fmt::format("a latch outside of {}", gate_module));
    if (cell.kind == CellKind::clock_gate && gate == no_gate)
      refuse(fmt::format("a clock gate outside of {}", gate_module));
    if (cell.kind == CellKind::flip_flop && gate != no_gate) refuse(fmt::format("a flip-flop inside {}", gate_module));
    for (const CellInput& input : cell.inputs) {
      const JsonBits* bits = source.find(input.name);
      placed.inputs.push_back(bits && bits->size() == 1 ? mapped(bits->front(), nets) : net_zero);
    }
    for (const CellOutput& output : cell.outputs) {
      const JsonBits* bits = source.find(output.name);
      placed.outputs.push_back(bits && bits->size() == 1 ? mapped(bits->front(), nets) : no_net);
    }
    const auto index = static_cast<std::uint32_t>(netlist_.cells.size());
    if (gate != no_gate) gates_[gate].cells.push_back(index);
    inside_gate_.push_back(gate != no_gate);
    netlist_.cells.push_back(std::move(placed));
  }

  void place_memory(const JsonCell& source, std::uint32_t instance, Nets& nets) {
    const auto connected = [&](const char* port) {
      const JsonBits* bits = source.find(port);
      return bits ? mapped(*bits, nets) : std::vector<NetId>{};
    };
    try {
      netlist_.memories.push_back(read_memory_cell(source, connected));
    } catch (const std::invalid_argument& e) {
      throw std::runtime_error(
          fmt::format("memory {}.{}: {}", netlist_.instances[instance].path, source.name, e.what()));
    }
    netlist_.memories.back().instance = instance;
    memory_clocks_.push_back({connected("RD_CLK"), connected("WR_CLK")});
  }

  // Numbers the nets anew, one number for all that were united.
  void settle_nets() {
    std::vector<NetId> numbers(united_.size(), no_net);
    numbers[net_zero] = net_zero;
    numbers[net_one] = net_one;
    if (find(net_one) != net_one) throw std::runtime_error("a net is driven by both constants");
    netlist_.nets = 2;
    const auto renumber = [&](NetId& net) {
      if (net == no_net) return;
      NetId& number = numbers[find(net)];
      if (number == no_net) number = netlist_.nets++;
      net = number;
    };
    const auto renumber_all = [&](std::vector<NetId>& list) { std::ranges::for_each(list, renumber); };
    for (auto& [name, port] : netlist_.ports) renumber_all(port.bits);
    for (PlacedCell& cell : netlist_.cells) {
      renumber_all(cell.inputs);
      renumber_all(cell.outputs);
    }
    for (std::size_t i = 0; i < netlist_.memories.size(); ++i) {
      PlacedMemory& m = netlist_.memories[i];
      for (auto* list : {&m.read_enable, &m.read_address, &m.read_data, &m.write_enable, &m.write_address,
                         &m.write_data, &memory_clocks_[i].read, &memory_clocks_[i].write})
        renumber_all(*list);
    }
    for (ClockGate& gate : gates_) {
      renumber(gate.in);
      renumber(gate.out);
    }
    if (!names_) return;
    netlist_.net_names.resize(netlist_.nets);
    for (auto& [net, name] : net_names_) {
      const NetId number = numbers[find(net)];
      if (number != no_net && netlist_.net_names[number].empty()) netlist_.net_names[number] = std::move(name);
    }
  }

  void check_drivers() {
    std::vector<bool> driven(netlist_.nets);
    driven[net_zero] = driven[net_one] = true;
    const auto drive = [&](NetId net, const auto& who) {
      if (net == no_net) return;
      if (driven[net]) throw std::runtime_error(fmt::format("{} drives a net that has a driver already", who()));
      driven[net] = true;
    };
    for (const auto& [name, port] : netlist_.ports) {
      for (const NetId net : port.bits)
        if (port.input) drive(net, [&] { return "input port " + name; });
    }
    for (const PlacedCell& cell : netlist_.cells)
      for (const NetId net : cell.outputs) drive(net, [&] { return "cell " + netlist_.name(cell); });
    for (const PlacedMemory& m : netlist_.memories)
      for (const NetId net : m.read_data)
        drive(net, [&] { return "memory " + netlist_.instances[m.instance].path + "." + m.name; });
  }

  std::vector<NetId> clocks() const {
    std::vector<NetId> list;
    for (std::size_t i = 0; i < netlist_.cells.size(); ++i) {
      const PlacedCell& cell = netlist_.cells[i];
      if (cell.cell->kind == CellKind::flip_flop)
        list.push_back(cell.inputs[static_cast<std::size_t>(cell.cell->clock)]);
    }
    for (const ClockGate& gate : gates_) {
      list.push_back(gate.in);
      list.push_back(gate.out);
    }
    for (const MemoryClocks& memory : memory_clocks_) {
      list.insert(list.end(), memory.read.begin(), memory.read.end());
      list.insert(list.end(), memory.write.begin(), memory.write.end());
    }
    return list;
  }

  const std::map<std::string, JsonModule>& modules_;
  const Library& library_;
  Netlist netlist_;
  bool names_ = false;
  std::vector<NetId> united_;  // parent of each net among those it is united with
  std::vector<std::pair<NetId, std::string>> net_names_;
  std::vector<ClockGate> gates_;
  std::vector<bool> inside_gate_;  // by cell
  std::vector<MemoryClocks> memory_clocks_;
};

}  // namespace

Netlist read_netlist(const std::filesystem::path& file, const Library& library, const NetlistOptions& options) {
  const std::map<std::string, JsonModule> modules = read_yosys_json(file, options.names);
  try {
    return Elaboration(modules, library).run(options);
  } catch (const std::runtime_error& e) {
    throw std::runtime_error(fmt::format("{}: {}", file.string(), e.what()));
  }
}

}  // namespace bitstrata::sim::gates
