// SPDX-License-Identifier: Apache-2.0
// The SystemC model as an engine. SystemC elaborates once a process, so every run has a child process of its own: the
// caller never elaborates, engines of any architectures live side by side, and nothing is left behind by a run. The
// child works in place on memory shared with the caller: results, then the accelerator's memory.
#include "sim/engine.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "sim/systemc/accelerator.h"

// The SystemC library brings a main() that calls this. A program whose own main() lies in an archive linked after
// SystemC would get that one and silently do nothing.
int sc_main(int, char**) {
  std::fputs("linked wrongly: main() of the SystemC library instead of the program's\n", stderr);
  return 2;
}

namespace bitstrata::sim {

namespace {

struct Header {
  bool finished = false;
  RunError error = RunError::none;
  std::size_t layers = 0;
  char message[512] = {};
};

// Header, events and toggles of `layers` layers, `bytes` bytes of the accelerator's memory.
class SharedRun {
 public:
  SharedRun(std::size_t layers, std::size_t bytes)
      : most_layers_(layers),
        bytes_(bytes),
        size_(sizeof(Header) + layers * (sizeof(model::Events) + sizeof(model::Toggles)) + bytes) {
    base_ = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (base_ == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "memory for a SystemC run");
    new (base_) Header;
  }
  ~SharedRun() { munmap(base_, size_); }
  SharedRun(const SharedRun&) = delete;
  SharedRun& operator=(const SharedRun&) = delete;

  Header& header() { return *static_cast<Header*>(base_); }
  model::Events* events() { return reinterpret_cast<model::Events*>(static_cast<char*>(base_) + sizeof(Header)); }
  model::Toggles* toggles() { return reinterpret_cast<model::Toggles*>(events() + most_layers_); }
  std::size_t most_layers() const { return most_layers_; }
  std::span<std::uint8_t> memory() { return {reinterpret_cast<std::uint8_t*>(toggles() + most_layers_), bytes_}; }

 private:
  void* base_;
  std::size_t most_layers_, bytes_, size_;
};

void run_in_child(const model::Architecture& architecture, const generate::Program& program,
                  const MemoryBehaviour& behaviour, std::uint32_t watchdog, bool toggles, SharedRun& shared) {
  setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);
  // The memory's timing is the program's, not a property of the accelerator.
  model::Architecture timed = architecture;
  timed.memory = program.architecture.memory;
  systemc::Accelerator accelerator("accelerator", timed);
  if (toggles) accelerator.watch_toggles();
  accelerator.run(behaviour, shared.memory(), program.list_address, watchdog);
  const auto& layers = accelerator.layers();
  if (layers.size() > shared.most_layers()) {
    throw std::runtime_error(fmt::format("{} layers ran; the program has {}", layers.size(), shared.most_layers()));
  }
  std::memcpy(shared.events(), layers.data(), layers.size() * sizeof(model::Events));
  std::copy(accelerator.toggles().begin(), accelerator.toggles().end(), shared.toggles());
  shared.header().layers = layers.size();
  shared.header().error = accelerator.error();
  shared.header().finished = true;
}

class SystemcEngine final : public Engine {
 public:
  SystemcEngine(const model::Architecture& architecture, bool toggles)
      : architecture_(architecture), toggles_(toggles) {
    model::validate(architecture);
  }

  model::Origin origin() const override { return model::Origin::systemc; }

  using Engine::run;
  RunResult run(const generate::Program& program, std::span<const model::Codes> inputs,
                const MemoryBehaviour& behaviour) override {
    SharedRun shared(program.descriptors.size(), program.image.size());
    place_inputs(program, inputs, shared.memory());
    work(program, behaviour, shared);

    const Header& header = shared.header();
    RunResult result{.error = header.error};
    result.descriptors.assign(shared.events(), shared.events() + header.layers);
    if (toggles_) result.toggles.assign(shared.toggles(), shared.toggles() + header.layers);
    result.layers = events_of_layers(program, result.descriptors);
    result.tensors = read_tensors(program, shared.memory());
    return result;
  }

 private:
  void work(const generate::Program& program, const MemoryBehaviour& behaviour, SharedRun& shared) {
    Header& header = shared.header();
    const pid_t child = fork();
    if (child < 0) throw std::system_error(errno, std::generic_category(), "process for a SystemC run");
    if (child == 0) {
      try {
        run_in_child(architecture_, program, behaviour, watchdog, toggles_, shared);
      } catch (const std::exception& error) {
        std::strncpy(header.message, error.what(), sizeof(header.message) - 1);
      }
      _exit(0);  // no destructors or handlers of the caller's process
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
      if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "process of a SystemC run");
    }
    if (header.finished) return;
    if (header.message[0] != '\0') throw std::runtime_error(fmt::format("SystemC model: {}", header.message));
    throw std::runtime_error(fmt::format("SystemC model: its process ended with status {:#x}", status));
  }

  model::Architecture architecture_;
  bool toggles_;
};

}  // namespace

std::unique_ptr<Engine> make_systemc_engine(const model::Architecture& architecture, bool toggles) {
  return std::make_unique<SystemcEngine>(architecture, toggles);
}

}  // namespace bitstrata::sim
