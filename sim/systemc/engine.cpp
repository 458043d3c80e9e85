// SPDX-License-Identifier: Apache-2.0
// The SystemC model as an engine. SystemC elaborates once a process, so every run has a child process of its own: the
// caller never elaborates, engines of any architectures live side by side, and nothing is left behind by a run. The
// child works in place on the accelerator's memory, which it shares with the caller, and waits after every layer until
// the caller has made the next one ready.
#include "sim/engine.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

#include "model/interrupt.h"
#include "sim/run_memory.h"
#include "sim/systemc/accelerator.h"
#include "sim/systemc/trace.h"

// The SystemC library brings a main() that calls this. A program whose own main() lies in an archive linked after
// SystemC would get that one and silently do nothing.
int sc_main(int, char**) {
  std::fputs("linked wrongly: main() of the SystemC library instead of the program's\n", stderr);
  return 2;
}

namespace bitstrata::sim {

namespace {

// What a child tells: a layer that is done, after which it waits for the answer; at the end the toggles of all of them,
// where they were counted, and how the run ended.
struct Message {
  enum class Kind { layer, toggles, end, failure } kind = Kind::layer;
  model::Events events;             // layer
  model::Toggles toggles;           // toggles
  RunError error = RunError::none;  // end
  std::int64_t end_cycle = -1, last_transfer = -1, masked_beats = 0;
  bool reset = false;
  char text[512] = {};  // failure
};

// Both ends of a line between a run and its child.
class Line {
 public:
  Line() {
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends_) != 0)
      throw std::system_error(errno, std::generic_category(), "line to a SystemC run");
  }
  ~Line() { close_end(0), close_end(1); }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  int end(int which) const { return ends_[which]; }
  void close_end(int which) {
    if (ends_[which] >= 0) close(ends_[which]);
    ends_[which] = -1;
  }

 private:
  int ends_[2] = {-1, -1};
};

// False where the other end is gone.
template <class T>
bool send_whole(int line, const T& what) {
  ssize_t sent = -1;
  do sent = send(line, &what, sizeof(what), MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(sizeof(what));
}
template <class T>
bool receive_whole(int line, T& what) {
  ssize_t got = -1;
  do got = recv(line, &what, sizeof(what), 0);
  while (got < 0 && errno == EINTR);
  return got == static_cast<ssize_t>(sizeof(what));
}

// A run as its child sees it.
struct ChildRun {
  const generate::Program* program = nullptr;
  std::span<std::uint8_t> memory;
};

void run_in_child(const model::Architecture& architecture, std::span<const ChildRun> runs,
                  const MemoryBehaviour& behaviour, std::uint32_t watchdog, std::uint32_t limit,
                  const SystemcOptions& options, int line) {
  setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);
  // The memory's timing is the program's, not a property of the accelerator.
  model::Architecture timed = architecture;
  timed.memory = runs.front().program->architecture.memory;
  systemc::Accelerator accelerator("accelerator", timed, options.checked);
  std::optional<systemc::Trace> trace;
  if (!options.trace.empty()) trace.emplace("trace", options.trace).cycles(accelerator.cycles);
  if (options.toggles) accelerator.watch_toggles();
  for (const ChildRun& run : runs) {
    const std::size_t counted_before = accelerator.toggles().size();
    accelerator.run(behaviour, run.memory, run.program->list_address, watchdog, limit,
                    [&](const model::Events& events) {
                      char go = 0;
                      if (!send_whole(line, Message{.events = events}) || !receive_whole(line, go))
                        _exit(1);  // nobody wants to know
                    });
    const bool ends = accelerator.error() != RunError::none || accelerator.was_reset() || &run == &runs.back();
    if (ends) trace.reset();  // whoever hears of the last run's end finds the file
    for (std::size_t d = counted_before; d < accelerator.toggles().size(); ++d)
      send_whole(line, Message{.kind = Message::Kind::toggles, .toggles = accelerator.toggles()[d]});
    send_whole(line, Message{.kind = Message::Kind::end,
                             .error = accelerator.error(),
                             .end_cycle = accelerator.end_cycle(),
                             .last_transfer = accelerator.last_transfer(),
                             .masked_beats = accelerator.masked_beats(),
                             .reset = accelerator.was_reset()});
    if (ends) return;
  }
}

// The process that a run works in.
class Child {
 public:
  // `work` gets the child's end of the line.
  template <class Work>
  explicit Child(Work work) {
    // Held from the start of the child until it is registered, so that none outlives an interruption in between: it
    // blocks the signals that this program waits for.
    const auto held = model::hold_interrupts();
    process_ = fork();
    if (process_ < 0) throw std::system_error(errno, std::generic_category(), "process for a SystemC run");
    if (process_ != 0) {
      interrupted_.emplace([process = process_] { kill(process, SIGKILL); });
      line_.close_end(1);
      return;
    }
    // The lines of runs in other threads came along; an end that stays open here would keep them waiting.
    constexpr int own = 3;
    dup2(line_.end(1), own);
    close_range(own + 1, ~0U, 0);
    try {
      work(own);
    } catch (const std::exception& error) {
      Message message{.kind = Message::Kind::failure};
      std::strncpy(message.text, error.what(), sizeof(message.text) - 1);
      send_whole(own, message);
    }
    _exit(0);  // no destructors or handlers of the caller's process
  }
  ~Child() {
    if (process_ > 0) kill(process_, SIGKILL);  // it has told all, or nobody wants to know
    wait();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // The next message; throws where the child has failed.
  Message next() {
    Message message;
    if (!receive_whole(line_.end(0), message))
      throw std::runtime_error(fmt::format("SystemC model: its process ended with status {:#x}", wait()));
    if (message.kind == Message::Kind::failure)
      throw std::runtime_error(fmt::format("SystemC model: {}", message.text));
    return message;
  }
  void go_on() { send_whole(line_.end(0), char{1}); }

 private:
  // Its status.
  int wait() {
    line_.close_end(0);
    int status = 0;
    interrupted_.reset();
    if (process_ > 0) {
      while (waitpid(process_, &status, 0) < 0 && errno == EINTR) continue;
    }
    process_ = 0;
    return status;
  }

  Line line_;
  pid_t process_ = 0;
  std::optional<model::WhenInterrupted> interrupted_;
};

class SystemcEngine final : public Engine {
 public:
  SystemcEngine(const model::Architecture& architecture, const SystemcOptions& options)
      : architecture_(architecture), options_(options) {
    model::validate(architecture);
  }

  model::Origin origin() const override { return model::Origin::systemc; }

  using Engine::run;
  RunResult run(const generate::Program& program, std::span<const model::Codes> inputs,
                const MemoryBehaviour& behaviour, const ShowLayer& show) override {
    check_base(architecture_, behaviour);
    RunMemory memory(program, inputs, show);
    const ChildRun alone{&program, memory.bytes()};
    Child child([&](int line) {
      run_in_child(architecture_, {&alone, 1}, behaviour, watchdog, limit, options_, line);
    });
    return follow(child, program, memory);
  }

  // A child for all of them: a process is made once, and the model elaborated.
  std::vector<RunResult> run_each(std::span<const Job> jobs) override {
    std::vector<RunResult> results;
    if (jobs.empty()) return results;
    const ShowLayer unseen = [](std::size_t, const std::vector<model::Codes>&) {};
    std::vector<std::unique_ptr<RunMemory>> memories;
    std::vector<ChildRun> runs;
    for (const Job& job : jobs) {
      memories.push_back(std::make_unique<RunMemory>(*job.program, job.inputs, unseen));
      runs.push_back({job.program, memories.back()->bytes()});
    }
    Child child([&](int line) { run_in_child(architecture_, runs, {}, watchdog, limit, options_, line); });
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      results.push_back(follow(child, *jobs[i].program, *memories[i]));
      if (results.back().error != RunError::none) break;
    }
    return results;
  }

 private:
  // What the child tells of a run, until that ends.
  static RunResult follow(Child& child, const generate::Program& program, RunMemory& memory) {
    RunResult result;
    while (true) {
      const Message message = child.next();
      if (message.kind == Message::Kind::end) {
        result.error = message.error;
        result.end_cycle = message.end_cycle;
        result.last_transfer = message.last_transfer;
        result.masked_beats = message.masked_beats;
        result.reset = message.reset;
        break;
      }
      if (message.kind == Message::Kind::toggles) {
        result.toggles.push_back(message.toggles);
        continue;
      }
      result.descriptors.push_back(message.events);
      memory.descriptor_done();
      child.go_on();
    }
    result.layers = events_of_layers(program, result.descriptors);
    memory.stopped();
    return result;
  }

  model::Architecture architecture_;
  SystemcOptions options_;
};

}  // namespace

std::unique_ptr<Engine> make_systemc_engine(const model::Architecture& architecture, const SystemcOptions& options) {
  return std::make_unique<SystemcEngine>(architecture, options);
}

std::unique_ptr<Engine> make_systemc_engine(const model::Architecture& architecture, bool toggles) {
  return make_systemc_engine(architecture, SystemcOptions{.toggles = toggles});
}

}  // namespace bitstrata::sim
