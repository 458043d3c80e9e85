// SPDX-License-Identifier: Apache-2.0
// The program under test as a process that the test watches and signals, and all that it started.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/model/temporary.h"

namespace bitstrata::testing {

class Spawned {
 public:
  // stdout goes to `out`, a file or device; empty: it is closed. The process has a process group of its own, and
  // `temporary` is its cache and its folder for temporary files. `ignored`: a signal that it is told to ignore; 0:
  // none.
  Spawned(const std::vector<std::string>& arguments, const std::filesystem::path& temporary,
          const std::string& out = "/dev/null", int ignored = 0)
      : err_(folder_ / "err"), mark_("BITSTRATA_TEST_MARK=" + folder_.path().string()) {
    std::vector<std::string> words = {BITSTRATA_PROGRAM};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<std::string> variables = {mark_, "BITSTRATA_CACHE=" + temporary.string(),
                                          "TMPDIR=" + temporary.string()};
    std::vector<char*> argv, envp;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    for (std::string& variable : variables) envp.push_back(variable.data());
    for (char** variable = environ; *variable != nullptr; ++variable) {
      const std::string text = *variable;
      if (!text.starts_with("BITSTRATA_CACHE=") && !text.starts_with("TMPDIR=")) envp.push_back(*variable);
    }
    envp.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (out.empty()) {
      posix_spawn_file_actions_addclose(&actions, STDOUT_FILENO);
    } else {
      posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out.c_str(), O_WRONLY | O_CREAT, 0600);
    }
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err_.c_str(), O_WRONLY | O_CREAT, 0600);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    const auto before = ignored != 0 ? signal(ignored, SIG_IGN) : SIG_DFL;
    if (posix_spawn(&process_, argv[0], &actions, &attributes, argv.data(), envp.data()) != 0) process_ = 0;
    if (ignored != 0) signal(ignored, before);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
  }
  ~Spawned() {
    if (process_ > 0) kill(-process_, SIGKILL), wait();
  }
  Spawned(const Spawned&) = delete;
  Spawned& operator=(const Spawned&) = delete;

  // False where `condition` does not come true within two minutes or the process has ended before.
  bool wait_until(const std::function<bool()>& condition) const {
    for (int i = 0; i < 12000; ++i) {
      if (condition()) return true;
      siginfo_t info{};
      if (waitid(P_PID, static_cast<id_t>(process_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0)
        return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  void send(int signal) const { kill(process_, signal); }
  void send_to_group(int signal) const { kill(-process_, signal); }

  // The exit status, or minus the signal that ended it.
  int wait() {
    int status = 0;
    waitpid(process_, &status, 0);
    process_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  std::string err() const { return read_text(err_); }

  // Processes that this one started, or that those started, which still run: they have its environment.
  std::vector<std::string> descendants() const {
    std::vector<std::string> found;
    std::error_code gone;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", gone)) {
      if (entry.path().filename() == std::to_string(process_)) continue;
      if (read_text(entry.path() / "environ").find(mark_) != std::string::npos)
        found.push_back(read_text(entry.path() / "comm"));
    }
    return found;
  }
  // What is left of them a moment after the end: the system takes a killed process away in its own time.
  std::vector<std::string> left_behind() const {
    for (int i = 0; i < 200 && !descendants().empty(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return descendants();
  }

 private:
  TemporaryFolder folder_;
  std::filesystem::path err_;
  std::string mark_;
  pid_t process_ = 0;
};

}  // namespace bitstrata::testing
