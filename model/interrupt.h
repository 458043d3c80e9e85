// SPDX-License-Identifier: Apache-2.0
// Ctrl-C, SIGTERM and a terminal that goes (SIGHUP): what a run leaves half done is taken away before the program ends.
#pragma once

#include <functional>
#include <list>
#include <mutex>
#include <string>

namespace bitstrata::model {

// From here on SIGINT, SIGTERM and SIGHUP run what `WhenInterrupted` objects hold, print "NAME: interrupted" and end
// the program with status 130, 143 or 129. To be called once, before any thread is started: a thread of its own waits
// for the signals, for a signal handler may neither remove folders nor allocate. Without this call signals do what they
// do by default; signals that the program was told to ignore stay ignored.
void end_on_signals(const std::string& name);

// What must not be parted by the end of the program, such as starting a process and registering what ends it, is done
// while this is held.
[[nodiscard]] std::unique_lock<std::recursive_mutex> hold_interrupts();

// While it lives, its function is called when the program is interrupted; the last made first. The function runs in
// another thread than the one that made it, and must not throw. A destructor waits while the program is being ended:
// what was stopped is not taken for a failure of its own.
class WhenInterrupted {
 public:
  explicit WhenInterrupted(std::function<void()> clean);
  ~WhenInterrupted();
  WhenInterrupted(const WhenInterrupted&) = delete;
  WhenInterrupted& operator=(const WhenInterrupted&) = delete;

 private:
  std::list<std::function<void()>>::iterator place_;
};

}  // namespace bitstrata::model
