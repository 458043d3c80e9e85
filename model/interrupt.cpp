// SPDX-License-Identifier: Apache-2.0
#include "model/interrupt.h"

#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <thread>

namespace bitstrata::model {

namespace {

struct Registry {
  std::recursive_mutex mutex;
  std::list<std::function<void()>> cleanings;
};

// Never destroyed: the thread that waits for signals lives as long as the process.
Registry& registry() {
  static auto* const only = new Registry;
  return *only;
}

// Programs started by nohup, or in the background of a script, ignore some signals: they go on doing so.
bool is_ignored(int signal) {
  struct sigaction action {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

void end_on_signals(const std::string& name) {
  sigset_t signals;
  sigemptyset(&signals);
  bool any = false;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    if (is_ignored(signal)) continue;
    sigaddset(&signals, signal);
    any = true;
  }
  if (!any) return;
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // of this thread and of all that it will start
  registry();
  std::thread([name, signals] {
    int signal = 0;
    while (sigwait(&signals, &signal) != 0) {
    }
    // Held until the end: whoever finishes meanwhile waits in a destructor instead of telling of a failure.
    registry().mutex.lock();
    auto& cleanings = registry().cleanings;
    for (auto clean = cleanings.rbegin(); clean != cleanings.rend(); ++clean) (*clean)();
    // A progress bar may stand in the line.
    std::fputs(fmt::format("{}{}: interrupted\n", isatty(STDERR_FILENO) == 1 ? "\r\x1b[K" : "", name).c_str(), stderr);
    _exit(128 + signal);  // other threads are at work; destructors would pull the ground from under them
  }).detach();
}

std::unique_lock<std::recursive_mutex> hold_interrupts() {
  return std::unique_lock<std::recursive_mutex>(registry().mutex);
}

WhenInterrupted::WhenInterrupted(std::function<void()> clean) {
  const auto held = hold_interrupts();
  place_ = registry().cleanings.insert(registry().cleanings.end(), std::move(clean));
}

WhenInterrupted::~WhenInterrupted() {
  const auto held = hold_interrupts();
  registry().cleanings.erase(place_);
}

}  // namespace bitstrata::model
