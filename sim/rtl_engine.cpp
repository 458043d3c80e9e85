// SPDX-License-Identifier: Apache-2.0
// Host of the Verilated RTL: loads the compiled accelerator, drives its registers, steps clock and memory.
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "model/network.h"
#include "rtl/generate/registers.h"
#include "sim/axi_memory.h"
#include "sim/engine.h"
#include "sim/fast.h"
#include "sim/random_network.h"
#include "sim/rtl_build.h"
#include "sim/rtl_shim.h"
#include "sim/run_memory.h"

namespace bitstrata::sim {

namespace {

class RtlEngine final : public Engine {
 public:
  explicit RtlEngine(const std::filesystem::path& path, bool toggles = false) {
    library_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library_) throw std::runtime_error(fmt::format("cannot load {}: {}", path.string(), dlerror()));
    load(create_, "bs_create");
    load(destroy_, "bs_destroy");
    load(settle_, "bs_settle");
    load(edge_, "bs_edge");
    load(set_reset_, "bs_set_reset");
    load(control_, "bs_control");
    load(control_done_, "bs_control_done");
    load(events_, "bs_events");
    if (toggles) load(toggles_, "bs_toggles");
    model_ = create_();
  }
  ~RtlEngine() override {
    destroy_(model_);
    dlclose(library_);
  }
  RtlEngine(const RtlEngine&) = delete;
  RtlEngine& operator=(const RtlEngine&) = delete;

  // Has an instrumented library write what its code counted.
  void write_profile() {
    void (*write)() = nullptr;
    load(write, "bs_profile");
    write();
  }

  model::Origin origin() const override { return model::Origin::rtl; }

  using Engine::run;
  RunResult run(const generate::Program& program, std::span<const model::Codes> inputs,
                const MemoryBehaviour& behaviour, const ShowLayer& show) override {
    check_base(program.architecture, behaviour);
    RunMemory contents(program, inputs, show);
    constants_ = constants_of(program.architecture);
    if (toggles_ != nullptr) {  // count from registers that hold what power-up leaves
      destroy_(model_);
      model_ = create_();
    }
    if (!std::exchange(clean_, false) || toggles_ != nullptr) reset();
    write_register(generate::R_WATCHDOG, watchdog);
    write_register(generate::R_LIMIT, limit);
    write_register(generate::R_INTERRUPT, 3);  // enabled, and nothing pending from before
    write_register(generate::R_LIST, program.list_address);
    write_register(generate::R_BASE, static_cast<std::uint32_t>(behaviour.base));
    write_register(generate::R_BASE_HIGH, static_cast<std::uint32_t>(behaviour.base >> 32));
    start();

    RunResult result;
    AxiMemory memory(program.architecture, behaviour, contents.bytes());
    model::Events before;
    model::Toggles toggled;
    const auto step = [&] {
      bool layer_done = false;
      const bool interrupt = cycle(memory, layer_done);
      if (layer_done) {
        const model::Events now = events();
        model::Events layer;
        for (auto member : model::event_members) layer.*member = now.*member - before.*member;
        before = now;
        result.descriptors.push_back(layer);
        if (toggles_ != nullptr) {
          result.toggles.push_back(toggles() - toggled);
          toggled += result.toggles.back();
        }
        contents.descriptor_done();
      }
      return interrupt;
    };
    // The interrupt comes a cycle behind the status.
    while (!result.reset && result.end_cycle < 0) {
      if (memory.cycle() == behaviour.reset_at) {
        result.reset = true;
        result.at_reset = memory.state();
      } else if (step()) {
        result.end_cycle = memory.cycle() - 2;
      }
    }
    unsigned status = 0;
    if (!result.reset && !transfer(false, generate::R_STATUS, 0, status, 1000, step)) throw silent_registers();
    result.error = static_cast<RunError>((status >> 2) & 3);
    if (!result.reset && result.error == RunError::none) {
      check_event_registers(before);
    } else {
      clean_ = recover(memory, result.reset, step);
    }
    result.last_transfer = memory.last_transfer();
    result.masked_beats = memory.masked_beats();
    result.layers = events_of_layers(program, result.descriptors);
    contents.stopped();
    return result;
  }

 private:
  static std::logic_error silent_registers() { return std::logic_error("the accelerator's registers do not answer"); }

  template <class F>
  void load(F& function, const char* name) {
    function = reinterpret_cast<F>(dlsym(library_, name));
    if (!function) throw std::runtime_error(fmt::format("the compiled RTL lacks {}", name));
  }

  // PROT: data, secure, unprivileged; CACHE: normal memory, bufferable; BURST: INCR; SIZE: a whole beat.
  static unsigned constants_of(const model::Architecture& architecture) {
    const auto size = static_cast<unsigned>(std::countr_zero(static_cast<unsigned>(architecture.data_bits) / 8));
    const unsigned channel = 0u << 9 | 3u << 5 | 1u << 3 | size;
    return channel << 16 | channel;
  }

  void idle_cycle() {
    const RtlSlaveSignals in{};
    RtlMasterSignals out{};
    settle_(model_, &in, &out);
    edge_(model_);
  }

  void reset() {
    control_(model_, 0, 0, 0, 0);
    set_reset_(model_, 1);
    for (int i = 0; i < 3; ++i) idle_cycle();
    set_reset_(model_, 0);
    for (int i = 0; i < 2; ++i) idle_cycle();
  }

  // A register access while `step` makes the clock cycles; true when it was answered within `patience` of them.
  template <class Step>
  bool transfer(bool write, unsigned address, unsigned data, unsigned& answer, int patience, Step step) {
    control_(model_, write, !write, address, data);
    step();
    control_(model_, 0, 0, 0, 0);
    while (!control_done_(model_, &answer)) {
      if (patience-- == 0) return false;
      step();
    }
    step();  // takes the answer
    return true;
  }
  unsigned transfer(bool write, unsigned address, unsigned data) {
    unsigned answer = 0;
    if (!transfer(write, address, data, answer, 1000, [this] { idle_cycle(); })) throw silent_registers();
    return answer;
  }
  void write_register(unsigned address, unsigned data) { transfer(true, address, data); }
  unsigned read_register(unsigned address) { return transfer(false, address, 0); }
  // The counters as software reads them, beside those read out of the model.
  void check_event_registers(const model::Events& counted) {
    for (std::size_t i = 0; i < model::event_members.size(); ++i) {
      write_register(generate::R_SELECT, static_cast<unsigned>(i));
      const std::int64_t low = read_register(generate::R_EVENT_LOW), high = read_register(generate::R_EVENT_HIGH);
      if ((high << 32 | low) == counted.*model::event_members[i]) continue;
      throw std::logic_error(fmt::format("register EVENT of '{}' reads {}, {} were counted", model::event_names[i],
                                         high << 32 | low, counted.*model::event_members[i]));
    }
  }
  // Bursts under way of a failed or interrupted run must end, whatever they were, and STATUS must show it no sooner
  // than it is true; then the reset register must bring the accelerator back. Returns false where the memory does not
  // let the bursts end: only the reset pin helps then. After an interrupted run the reset register is what interrupts.
  template <class Step>
  bool recover(AxiMemory& memory, bool interrupted, Step step) {
    unsigned answer = 0;
    if (interrupted) transfer(true, generate::R_CONTROL, 2, answer, 1000, step);
    if (!stops(memory, step)) return false;
    const std::int64_t stopped = memory.cycle();
    if (!interrupted) transfer(true, generate::R_CONTROL, 2, answer, 1000, step);
    if (!stops(memory, step)) return false;
    for (int i = 0; i < 100; ++i) step();
    if (memory.last_transfer() >= stopped)
      throw std::logic_error("the accelerator used memory although STATUS showed that it stands still");
    return true;
  }
  // Waits until STATUS shows that the accelerator stands still.
  template <class Step>
  bool stops(AxiMemory& memory, Step step) {
    unsigned answer = 0;
    while (!memory.hangs()) {
      if (!transfer(false, generate::R_STATUS, 0, answer, 1000, step)) throw silent_registers();
      if ((answer & 1) != 0) continue;
      if (!memory.quiet())
        throw std::logic_error("STATUS shows that the accelerator stands still, and bursts are under way");
      return true;
    }
    return false;
  }

  // One cycle of the write; everything after it is stepped together with the memory.
  void start() {
    control_(model_, 1, 0, generate::R_CONTROL, 1);
    idle_cycle();
    control_(model_, 0, 0, 0, 0);
  }

  // One clock cycle with the memory; returns the interrupt line.
  bool cycle(AxiMemory& memory, bool& layer_done) {
    const AxiSlaveSignals& s = memory.signals();
    RtlSlaveSignals in;
    in.arready = s.arready;
    in.rvalid = s.rvalid;
    in.rlast = s.rlast;
    in.rresp = s.rresp;
    in.awready = s.awready;
    in.wready = s.wready;
    in.bvalid = s.bvalid;
    in.bresp = s.bresp;
    std::memcpy(in.rdata, s.rdata.data(), sizeof(in.rdata));
    RtlMasterSignals out{};  // a bus may be narrower than its place
    settle_(model_, &in, &out);
    AxiMasterSignals m;
    m.arvalid = out.arvalid;
    m.araddr = out.araddr;
    m.arlen = out.arlen;
    m.awvalid = out.awvalid;
    m.awaddr = out.awaddr;
    m.awlen = out.awlen;
    m.wvalid = out.wvalid;
    m.wlast = out.wlast;
    m.wstrb = out.wstrb;
    if (out.constants != constants_)
      throw std::logic_error(
          fmt::format("the master's constant outputs are {:#x} and not {:#x}", out.constants, constants_));
    if (m.wvalid) std::memcpy(m.wdata.data(), out.wdata, sizeof(out.wdata));
    layer_done = out.layer_done;
    edge_(model_);
    memory.clock(m);
    return out.interrupt;
  }

  model::Events events() {
    std::array<long long, model::event_members.size()> counts;
    events_(model_, counts.data());
    model::Events e;
    for (std::size_t i = 0; i < counts.size(); ++i) e.*model::event_members[i] = counts[i];
    return e;
  }

  model::Toggles toggles() {
    std::array<long long, 16> counts;
    toggles_(model_, counts.data());
    model::Toggles t;
    for (std::size_t i = 0; i < model::toggle_members.size(); ++i) t.*model::toggle_members[i] = counts[i];
    return t;
  }

  unsigned constants_ = 0;
  bool clean_ = false;  // reset through the register after the last run
  void* library_ = nullptr;
  void* model_ = nullptr;
  void* (*create_)() = nullptr;
  void (*destroy_)(void*) = nullptr;
  void (*settle_)(void*, const RtlSlaveSignals*, RtlMasterSignals*) = nullptr;
  void (*edge_)(void*) = nullptr;
  void (*set_reset_)(void*, int) = nullptr;
  void (*control_)(void*, int, int, unsigned, unsigned) = nullptr;
  int (*control_done_)(void*, unsigned*) = nullptr;
  void (*events_)(void*, long long*) = nullptr;
  void (*toggles_)(void*, long long*) = nullptr;  // where they are counted
};

// What the compiler should make fast: convolutions of several widths, pooling, adding, linear layers. An architecture
// that does not take one of the networks is profiled with the others.
void exercise(const model::Architecture& architecture, const std::filesystem::path& library) {
  RtlEngine engine(library);
  model::Architecture quick = architecture;
  quick.memory = {};  // no part of the hardware: a slow memory would only make this long
  for (const auto& [name, bits] : {std::pair("vgg_small", 8), std::pair("vgg_small", 3), std::pair("resnet8", 8)}) {
    try {
      const model::Network network = model::build_network(name);
      model::Plan plan = model::uniform_plan(network, bits, bits);
      plan.output_bits = std::min(plan.output_bits, architecture.max_activation_bits);
      const generate::Program program = lower(random_integer_network(network, plan, 1), quick);
      model::Codes image(static_cast<std::size_t>(program.formats[0].shape.elements()));
      for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<std::int32_t>(i * 29 % (1U << bits));
      engine.run(program, image);
    } catch (const std::invalid_argument&) {
      continue;
    }
  }
  engine.write_profile();
}

}  // namespace

std::unique_ptr<Engine> make_rtl_engine(const model::Architecture& architecture, bool toggles) {
  const auto library =
      build_rtl(architecture, toggles, [&](const std::filesystem::path& file) { exercise(architecture, file); });
  return std::make_unique<RtlEngine>(library, toggles);
}

}  // namespace bitstrata::sim
