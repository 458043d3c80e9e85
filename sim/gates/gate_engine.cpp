// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/gate_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <stdexcept>

#include "rtl/generate/registers.h"
#include "sim/axi_memory.h"

namespace bitstrata::sim::gates {

namespace {

// The event counters begin to count with the second cycle after the one that offers the write to CONTROL.
constexpr std::int64_t start_cycles = 1;

using Square = std::array<Word, lanes>;

// Rows become columns; Warren, Hacker's Delight, 7-3.
void transpose(Square& square) {
  Word mask = 0x00000000FFFFFFFF;
  for (unsigned step = 32; step != 0; step >>= 1, mask ^= mask << step) {
    for (unsigned k = 0; k < lanes; k = ((k | step) + 1) & ~step) {
      const Word swap = ((square[k] >> step) ^ square[k | step]) & mask;
      square[k] ^= swap << step;
      square[k | step] ^= swap;
    }
  }
}

}  // namespace

// A memory a stream behind one timing: that of AxiMemory with the first stream's. The bursts under way are followed
// here to know which beat is read or written.
class GateEngine::Memories {
 public:
  Memories(const model::Architecture& architecture, const MemoryBehaviour& behaviour,
           std::vector<std::vector<std::uint8_t>>& bytes)
      : bytes_(bytes),
        beat_(static_cast<std::size_t>(architecture.data_bits / 8)),
        base_(behaviour.base),
        timing_(architecture, behaviour, bytes[0]) {}

  const AxiSlaveSignals& signals() const { return timing_.signals(); }

  // Bit b of the beat read in this cycle, in all streams; streams beyond the jobs repeat them.
  void read(std::span<Word> bits) const {
    const std::size_t address = reads_.front().address;
    for (std::size_t part = 0; part < bits.size(); part += lanes) {
      const std::size_t size = std::min<std::size_t>(bits.size() - part, lanes) / 8;
      Square square{};
      for (std::size_t l = 0; l < lanes; ++l) {
        const auto& bytes = bytes_[l % bytes_.size()];
        if (address + beat_ <= bytes.size()) std::memcpy(&square[l], bytes.data() + address + part / 8, size);
      }
      transpose(square);
      std::copy_n(square.begin(), size * 8, bits.begin() + static_cast<std::ptrdiff_t>(part));
    }
  }

  // `bits`: of the data offered, in all streams.
  void clock(const AxiMasterSignals& master, std::span<const Word> bits) {
    const AxiSlaveSignals s = signals();
    if (s.rvalid) advance(reads_);
    if (master.arvalid && s.arready) reads_.push_back({master.araddr - base_, master.arlen + 1});
    if (master.wvalid && s.wready && !writes_.empty()) {
      write(writes_.front().address, bits);
      advance(writes_);
    }
    if (master.awvalid && s.awready) writes_.push_back({master.awaddr - base_, master.awlen + 1});
    timing_.clock(master);
  }

 private:
  struct Burst {
    std::uint64_t address;  // counted from the base
    int beats;
  };
  void advance(std::deque<Burst>& bursts) const {
    bursts.front().address += beat_;
    if (--bursts.front().beats == 0) bursts.pop_front();
  }
  void write(std::size_t address, std::span<const Word> bits) {
    for (std::size_t part = 0; part < bits.size(); part += lanes) {
      const std::size_t size = std::min<std::size_t>(bits.size() - part, lanes) / 8;
      Square square{};
      std::copy_n(bits.begin() + static_cast<std::ptrdiff_t>(part), size * 8, square.begin());
      transpose(square);
      for (std::size_t l = 0; l < bytes_.size(); ++l) {
        if (address + beat_ <= bytes_[l].size()) std::memcpy(bytes_[l].data() + address + part / 8, &square[l], size);
      }
    }
  }

  std::vector<std::vector<std::uint8_t>>& bytes_;
  std::size_t beat_;
  std::uint64_t base_;
  AxiMemory timing_;
  std::deque<Burst> reads_, writes_;
};

GateEngine::GateEngine(Simulator& simulator, const model::Architecture& architecture)
    : simulator_(simulator), architecture_(architecture) {
  const auto data = static_cast<std::size_t>(architecture.data_bits);
  port("m_axi_rdata_i", data);
  port("m_axi_wdata_o", data);
}

const std::vector<NetId>& GateEngine::port(const char* name, std::size_t width) const {
  const auto& ports = simulator_.netlist().ports;
  const auto found = ports.find(name);
  if (found == ports.end() || found->second.bits.size() != width)
    throw std::runtime_error(fmt::format("the netlist has no port {} of {} bits", name, width));
  return found->second.bits;
}

void GateEngine::set(const std::vector<NetId>& port, std::uint64_t value) {
  for (std::size_t b = 0; b < port.size(); ++b) simulator_.set(port[b], Word{0} - ((value >> b) & 1));
}

std::uint64_t GateEngine::get(const char* name, const std::vector<NetId>& port) const {
  std::uint64_t value = 0;
  for (std::size_t b = 0; b < port.size(); ++b) {
    const Word word = simulator_.get(port[b]);
    if (word != 0 && word != all_lanes)
      throw std::runtime_error(fmt::format("bit {} of {} differs between streams 0 and {}", b, name,
                                           std::countr_zero((word & 1) != 0 ? ~word : word)));
    value |= (word & 1) << b;
  }
  return value;
}

void GateEngine::reset() {
  for (const auto& [name, port] : simulator_.netlist().ports) {
    if (!port.input || name == "clk_i") continue;
    // An input is set once a cycle.
    set(port.bits, name == "s_axil_bready_i" || name == "s_axil_rready_i" ? 1 : name == "s_axil_wstrb_i" ? 15 : 0);
  }
  for (int i = 0; i < 3; ++i) simulator_.cycle();
  set(port("rst_ni", 1), 1);
  for (int i = 0; i < 2; ++i) simulator_.cycle();
}

// Offers a register's write in the next cycle.
void GateEngine::offer_write(unsigned address, unsigned data) {
  set(port("s_axil_awvalid_i", 1), 1);
  set(port("s_axil_wvalid_i", 1), 1);
  set(port("s_axil_awaddr_i", 8), address);
  set(port("s_axil_wdata_i", 32), data);
  simulator_.cycle();
  set(port("s_axil_awvalid_i", 1), 0);
  set(port("s_axil_wvalid_i", 1), 0);
}

void GateEngine::write_register(unsigned address, unsigned data) {
  offer_write(address, data);
  for (int patience = 1000; patience > 0; --patience) {
    simulator_.cycle();
    if (get("s_axil_bvalid_o", port("s_axil_bvalid_o", 1)) != 0) return;
  }
  throw std::runtime_error("the accelerator's registers do not answer");
}

unsigned GateEngine::read_register(unsigned address) {
  set(port("s_axil_arvalid_i", 1), 1);
  set(port("s_axil_araddr_i", 8), address);
  simulator_.cycle();
  set(port("s_axil_arvalid_i", 1), 0);
  for (int patience = 1000; patience > 0; --patience) {
    simulator_.cycle();
    if (get("s_axil_rvalid_o", port("s_axil_rvalid_o", 1)) != 0)
      return static_cast<unsigned>(get("s_axil_rdata_o", port("s_axil_rdata_o", 32)));
  }
  throw std::runtime_error("the accelerator's registers do not answer");
}

// One clock cycle with the memories; returns the interrupt line.
bool GateEngine::cycle(Memories& memories, bool& layer_done) {
  const auto data = static_cast<std::size_t>(architecture_.data_bits);
  const AxiSlaveSignals& s = memories.signals();
  set(port("m_axi_arready_i", 1), s.arready);
  set(port("m_axi_rvalid_i", 1), s.rvalid);
  set(port("m_axi_rlast_i", 1), s.rlast);
  set(port("m_axi_rresp_i", 2), s.rresp);
  set(port("m_axi_awready_i", 1), s.awready);
  set(port("m_axi_wready_i", 1), s.wready);
  set(port("m_axi_bvalid_i", 1), s.bvalid);
  set(port("m_axi_bresp_i", 2), s.bresp);
  std::vector<Word> bits(data);
  if (s.rvalid) {  // otherwise the bus holds the last beat
    memories.read(bits);
    const auto& bus = port("m_axi_rdata_i", data);
    for (std::size_t b = 0; b < data; ++b) simulator_.set(bus[b], bits[b]);
  }
  simulator_.cycle();
  const auto value = [&](const char* name, std::size_t width) { return get(name, port(name, width)); };
  AxiMasterSignals m;
  m.arvalid = value("m_axi_arvalid_o", 1) != 0;
  m.awvalid = value("m_axi_awvalid_o", 1) != 0;
  m.wvalid = value("m_axi_wvalid_o", 1) != 0;
  if (m.arvalid) {
    m.araddr = value("m_axi_araddr_o", static_cast<std::size_t>(architecture_.address_width));
    m.arlen = static_cast<std::uint8_t>(value("m_axi_arlen_o", 8));
  }
  if (m.awvalid) {
    m.awaddr = value("m_axi_awaddr_o", static_cast<std::size_t>(architecture_.address_width));
    m.awlen = static_cast<std::uint8_t>(value("m_axi_awlen_o", 8));
  }
  if (m.wvalid) {
    m.wlast = value("m_axi_wlast_o", 1) != 0;
    const auto& bus = port("m_axi_wdata_o", data);
    for (std::size_t b = 0; b < data; ++b) {
      bits[b] = simulator_.get(bus[b]);
      m.wdata[b / 64] |= (bits[b] & 1) << (b % 64);  // the first stream's, which AxiMemory writes itself
    }
  }
  layer_done = value("layer_done_o", 1) != 0;
  const bool interrupt = value("interrupt_o", 1) != 0;
  memories.clock(m, bits);
  return interrupt;
}

GateRun GateEngine::run(std::span<const GateJob> jobs, const MemoryBehaviour& behaviour,
                        const std::function<void(std::size_t)>& layer_done) {
  if (jobs.empty() || jobs.size() > static_cast<std::size_t>(lanes))
    throw std::invalid_argument(fmt::format("{} programs for {} streams", jobs.size(), lanes));
  const generate::Program& first = *jobs[0].program;
  std::vector<std::vector<std::uint8_t>> bytes;
  for (const GateJob& job : jobs) {
    const bool equal = std::ranges::equal(job.program->descriptors, first.descriptors, {}, &generate::Descriptor::words,
                                          &generate::Descriptor::words);
    if (!equal || job.program->list_address != first.list_address)
      throw std::invalid_argument("the programs of a run have different descriptor lists");
    bytes.emplace_back(job.program->memory_bytes);
    place_inputs(*job.program, job.inputs, bytes.back());
  }
  reset();
  write_register(generate::R_WATCHDOG, watchdog);
  write_register(generate::R_INTERRUPT, 3);  // enabled, and nothing pending from before
  write_register(generate::R_LIST, first.list_address);
  check_base(architecture_, behaviour);
  write_register(generate::R_BASE, static_cast<std::uint32_t>(behaviour.base));
  write_register(generate::R_BASE_HIGH, static_cast<std::uint32_t>(behaviour.base >> 32));
  offer_write(generate::R_CONTROL, 1);

  GateRun result;
  Memories memories(architecture_, behaviour, bytes);
  std::int64_t cycles = 0, last = start_cycles;
  try {
    for (bool interrupt = false; !interrupt;) {
      bool done = false;
      if (cycles == start_cycles && started) started();
      interrupt = cycle(memories, done);
      ++cycles;
      if (!done) continue;
      result.cycles.push_back(cycles - last);
      last = cycles;
      if (layer_done) layer_done(result.cycles.size() - 1);
    }
  } catch (const std::runtime_error& e) {
    throw std::runtime_error(fmt::format("cycle {}: {}", cycles, e.what()));
  }
  result.error = static_cast<RunError>((read_register(generate::R_STATUS) >> 2) & 3);
  for (std::size_t j = 0; j < jobs.size(); ++j) result.tensors.push_back(read_tensors(*jobs[j].program, bytes[j]));
  return result;
}

}  // namespace bitstrata::sim::gates
