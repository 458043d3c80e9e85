// SPDX-License-Identifier: Apache-2.0
// Runs descriptor lists on the gates of a synthesized accelerator, up to 64 at once: programs of equal lists, so of the
// same layers, shapes and widths, with weights and activations of their own. They march in step, which is checked: the
// accelerator's control outputs must agree in all streams.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "sim/engine.h"
#include "sim/gates/simulator.h"

namespace bitstrata::sim::gates {

struct GateJob {
  const generate::Program* program = nullptr;
  std::vector<model::Codes> inputs;  // as many as the program's batch
};

struct GateRun {
  RunError error = RunError::none;
  std::vector<std::int64_t> cycles;                             // of each descriptor finished, as model::Events::cycles
  std::vector<std::vector<std::vector<model::Codes>>> tensors;  // [job][image][tensor]
};

class GateEngine {
 public:
  // `simulator` must be of a netlist whose top is bitstrata_top; it may run jobs one after another. Throws
  // std::runtime_error where a port is missing or has another width.
  GateEngine(Simulator& simulator, const model::Architecture& architecture);

  // Stream l runs job l modulo their number. `layer_done(i)`: descriptor i has just been finished; the place to read
  // and clear the simulator's counts, whose counting and timing is otherwise the caller's. Throws std::invalid_argument
  // where there are no jobs, more than 64, or of different lists; std::runtime_error where streams part.
  GateRun run(std::span<const GateJob> jobs, const MemoryBehaviour& behaviour = {},
              const std::function<void(std::size_t)>& layer_done = {});

  // Cycles without progress after which the accelerator gives up (WATCHDOG register).
  std::uint32_t watchdog = 100000;

 private:
  class Memories;
  const std::vector<NetId>& port(const char* name, std::size_t width) const;
  void set(const std::vector<NetId>& port, std::uint64_t value);
  std::uint64_t get(const char* name, const std::vector<NetId>& port) const;
  void reset();
  void offer_write(unsigned address, unsigned data);
  void write_register(unsigned address, unsigned data);
  unsigned read_register(unsigned address);
  bool cycle(Memories& memories, bool& layer_done);

  Simulator& simulator_;
  model::Architecture architecture_;
};

}  // namespace bitstrata::sim::gates
