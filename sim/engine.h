// SPDX-License-Identifier: Apache-2.0
// What the two engines that execute data share: a program goes in, tensors and per-layer events come out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "model/cost.h"
#include "model/golden.h"
#include "rtl/generate/program.h"

namespace bitstrata::sim {

// When the memory takes a write's address and its data.
enum class WriteOrder {
  address_first,       // data wait for their burst's address
  either,              // both as they come, so data may be far ahead
  data_first,          // an address waits until all data of its burst were taken
  address_after_data,  // an address waits until data of its burst are shown, and these wait for the address
};

// How the memory behind the AXI4 port behaves beyond Architecture::memory, and what goes wrong in a run. Same seed:
// same stalls in every engine. All of it is legal AXI.
struct MemoryBehaviour {
  // Address of the image's first byte (register BASE). The accelerator refuses what is no multiple of 4096.
  std::uint64_t base = 0;
  std::uint64_t stall_seed = 0;
  double stall_probability = 0;  // of each channel in each cycle
  // READY of a channel comes only in a cycle behind one that showed VALID.
  bool ar_after_valid = false, aw_after_valid = false, w_after_valid = false;
  WriteOrder write_order = WriteOrder::address_first;
  // Fault injection.
  std::int64_t fail_read_at = -1;   // this data beat (counted from 0) carries an error response
  std::int64_t fail_write_at = -1;  // this write response is an error
  std::uint8_t fail_response = 2;   // which: 2 SLVERR, 3 DECERR
  std::int64_t hang_read_at = -1;   // from this data beat on, nothing more is answered
  // In this cycle (counted from 0) software writes the reset bit of CONTROL, unless the run has ended.
  std::int64_t reset_at = -1;
};

enum class RunError { none = 0, descriptor = 1, memory = 2, no_progress = 3 };

const char* to_string(RunError error);

// What the memory saw of the bus at one moment.
struct BusState {
  bool read_address_waits = false, write_address_waits = false;  // VALID is up and READY was not
  int reads = 0;                                                 // bursts addressed whose data are not all there
  int data_not_begun = 0;                                        // write bursts addressed without a beat
  int in_burst = 0;                                              // write bursts with some of their beats
  int unanswered = 0;                                            // write bursts with all of them
  std::uint64_t last_read = 0;  // address of the last read burst, counted from the base
};

struct RunResult {
  RunError error = RunError::none;
  // Cycles of the memory, counted from 0: in which STATUS first shows done or an error (-1 after a reset), and the last
  // one with a transfer on any of its channels, which may be later after an error or reset.
  std::int64_t end_cycle = -1, last_transfer = -1;
  std::int64_t masked_beats = 0;           // write beats without a strobe, which end bursts
  bool reset = false;                      // software's reset came before the end
  BusState at_reset;                       // of the rtl engine
  std::vector<model::Events> descriptors;  // of those finished
  std::vector<model::Events> layers;       // of the layers finished: sums over their descriptors, so over the batch
  std::vector<model::Toggles> toggles;     // of the descriptors finished, where the engine counts them
  // [image][tensor], tensors as Program::formats; 0 is the input. Empty where the layers were shown.
  std::vector<std::vector<model::Codes>> tensors;
};

// Told of the layers of a run in their order, in the thread that called run(): the codes of layer `layer`'s output, an
// image of the batch each. The accelerator stands still meanwhile. After an error the layers that were not done follow,
// with what memory holds of them.
using ShowLayer = std::function<void(std::size_t layer, const std::vector<model::Codes>& images)>;

// For engines that hold all of a program's memory at once: its image with the inputs in their places, where memory is
// zero (throws std::invalid_argument where there are not as many as the program's batch), and what is there after a
// run.
void place_inputs(const generate::Program& program, std::span<const model::Codes> inputs,
                  std::span<std::uint8_t> memory);
std::vector<std::vector<model::Codes>> read_tensors(const generate::Program& program,
                                                    std::span<const std::uint8_t> memory);
// Throws std::invalid_argument where the architecture's addresses do not reach the memory's base.
void check_base(const model::Architecture& architecture, const MemoryBehaviour& behaviour);
// Throws where place_inputs would.
void check_inputs(const generate::Program& program, std::span<const model::Codes> inputs);

// Sums over the descriptors of each layer that is finished.
std::vector<model::Events> events_of_layers(const generate::Program& program,
                                            const std::vector<model::Events>& descriptors);

class Engine {
 public:
  virtual ~Engine() = default;
  virtual model::Origin origin() const = 0;
  // Runs the whole list on the images of a batch. The accelerator is reset first. Throws std::invalid_argument where
  // there are not as many inputs as the program's batch, std::runtime_error only where the engine itself fails, and
  // what `show` throws; errors of the accelerator come back in the result.
  virtual RunResult run(const generate::Program& program, std::span<const model::Codes> inputs,
                        const MemoryBehaviour& behaviour, const ShowLayer& show) = 0;
  // Keeps the tensors of all layers.
  RunResult run(const generate::Program& program, std::span<const model::Codes> inputs,
                const MemoryBehaviour& behaviour);
  // A program and its inputs.
  struct Job {
    const generate::Program* program = nullptr;
    std::span<const model::Codes> inputs;
  };
  // Several runs, one after the other, on memory without stalls: events and toggles alone. The nets whose toggles are
  // counted hold at the start of a run what they held at the end of the one before, where the engine keeps it. Ends
  // with the first run that ends in an error.
  virtual std::vector<RunResult> run_each(std::span<const Job> jobs);
  // A batch of one.
  RunResult run(const generate::Program& program, const model::Codes& input, const MemoryBehaviour& behaviour = {}) {
    return run(program, std::span(&input, 1), behaviour);
  }
  // Cycles without progress after which the accelerator gives up (WATCHDOG register).
  std::uint32_t watchdog = 100000;
  std::uint32_t limit = 0;  // cycles of a run, which end it with RunError::no_progress; 0: none
};

// The Verilated RTL of `architecture`, compiled on first use and cached by content hash under cache_folder(). With
// toggles it is another library, some times slower.
std::unique_ptr<Engine> make_rtl_engine(const model::Architecture& architecture, bool toggles);
inline std::unique_ptr<Engine> make_rtl_engine(const model::Architecture& architecture) {
  return make_rtl_engine(architecture, false);
}
struct SystemcOptions {
  bool toggles = false;
  // Modules at rest are asked nevertheless, all of them in another order at every edge: std::runtime_error where one at
  // rest would have shown something else. Some times slower.
  bool checked = false;
  // VCD file with the signals of every cycle, written anew by each run; its name ends with .vcd. Empty: none.
  std::filesystem::path trace;
};
// The SystemC model. SystemC elaborates once a process, so every run() works in a child process of its own (fork).
std::unique_ptr<Engine> make_systemc_engine(const model::Architecture& architecture, const SystemcOptions& options);
std::unique_ptr<Engine> make_systemc_engine(const model::Architecture& architecture, bool toggles);
inline std::unique_ptr<Engine> make_systemc_engine(const model::Architecture& architecture) {
  return make_systemc_engine(architecture, false);
}

}  // namespace bitstrata::sim
