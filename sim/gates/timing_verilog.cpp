// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/timing_verilog.h"

#include <fmt/format.h>

#include <fstream>
#include <stdexcept>

#include "sim/gates/boolean.h"
#include "sim/gates/plain_cells.h"

namespace bitstrata::sim::gates {

namespace {

PlainStorage plain_flip_flop(const Library& library) {
  auto best = smallest_storage(library, CellKind::flip_flop);
  if (!best)
    throw std::runtime_error(
        fmt::format("library '{}' has no flip-flop that stores an input at the rising edge", library.name));
  return *best;
}

class Writer {
 public:
  Writer(const Netlist& netlist, const Library& library, const std::filesystem::path& file)
      : netlist_(netlist), flip_flop_(plain_flip_flop(library)), out_(file, std::ios::binary) {
    for (NetId net = 0; net < netlist.nets; ++net) names_.push_back(fmt::format("n{}", net));
    names_[net_zero] = "1'b0";
    names_[net_one] = "1'b1";
  }

  bool write() {
    std::string ports;
    for (const auto& [name, port] : netlist_.ports) {
      if (!port.input) continue;
      for (std::size_t i = 0; i < port.bits.size(); ++i) {
        std::string& net = names_[port.bits[i]];
        net = port.bits.size() == 1 ? name : fmt::format("{}_{}", name, i);
        ports += (ports.empty() ? "" : ", ") + net;
      }
    }
    out_ << fmt::format("module {} ({});\n  input {};\n", netlist_.instances.at(0).module, ports, ports);
    for (const PlacedCell& cell : netlist_.cells) {
      std::string pins;
      const auto connect = [&](const std::string& pin, NetId net) {
        if (net != no_net) pins += fmt::format("{}.{}({})", pins.empty() ? "" : ", ", pin, names_[net]);
      };
      for (std::size_t k = 0; k < cell.inputs.size(); ++k) connect(cell.cell->inputs[k].name, cell.inputs[k]);
      for (std::size_t o = 0; o < cell.outputs.size(); ++o) connect(cell.cell->outputs[o].name, cell.outputs[o]);
      // The module tells a reader of the report where a path runs.
      out_ << fmt::format("  {} c{}_{} ({});\n", cell.cell->name, cells_++, netlist_.instances[cell.instance].module,
                          pins);
    }
    for (const ClockDomain& domain : netlist_.domains) gate(domain);
    for (const PlacedMemory& m : netlist_.memories) memory(m);
    out_ << "endmodule\n";
    out_.close();
    return out_.good();
  }

 private:
  void flip_flop(NetId clock, const std::string& data, const std::string& out) {
    const LibertyCell& cell = *flip_flop_.cell;
    out_ << fmt::format("  {} c{} (.{}({}), .{}({}), .{}({}){});\n", cell.name, cells_++,
                        cell.inputs[flip_flop_.control].name, names_[clock], cell.inputs[flip_flop_.data].name, data,
                        cell.outputs[flip_flop_.output].name, out, tied_pins(flip_flop_));
  }

  // What a gate latches must be there before the edge that it lets pass, as if a flip-flop took it.
  void gate(const ClockDomain& domain) {
    for (const std::uint32_t index : domain.cells) {
      const PlacedCell& cell = netlist_.cells[index];
      if (cell.cell->kind != CellKind::latch && cell.cell->kind != CellKind::clock_gate) continue;
      for (std::size_t k = 0; k < cell.inputs.size(); ++k) {
        if (depends_on(cell.cell->next_state, static_cast<int>(k)) && cell.inputs[k] > net_one)
          flip_flop(netlist_.domains[domain.parent].clock, names_[cell.inputs[k]], fmt::format("h{}", cells_));
      }
    }
  }

  void memory(const PlacedMemory& m) {
    const NetId clock = netlist_.domains.at(m.write_domain.empty() ? 0 : m.write_domain[0]).clock;
    std::string held;
    for (const auto* list : {&m.read_enable, &m.read_address, &m.write_enable, &m.write_address, &m.write_data}) {
      for (std::size_t i = 0; i < list->size(); ++i) {
        if (i > 0 && (*list)[i] == (*list)[i - 1]) continue;  // a word's bits share an enable
        held = fmt::format("h{}", cells_);
        flip_flop(clock, names_[(*list)[i]], held);
      }
    }
    for (const NetId net : m.read_data) {
      if (net > net_one && net != no_net) flip_flop(clock, held, names_[net]);
    }
  }

  const Netlist& netlist_;
  const PlainStorage flip_flop_;
  std::ofstream out_;
  std::vector<std::string> names_;
  std::size_t cells_ = 0;
};

}  // namespace

void write_timing_verilog(const Netlist& netlist, const Library& library, const std::filesystem::path& file) {
  if (!Writer(netlist, library, file).write()) throw std::runtime_error("cannot write " + file.string());
}

}  // namespace bitstrata::sim::gates
