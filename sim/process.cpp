// SPDX-License-Identifier: Apache-2.0
#include "sim/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <thread>

namespace bitstrata::sim {

namespace fs = std::filesystem;

namespace {

std::string all_of(int descriptor) {
  std::string text;
  std::array<char, 4096> buffer;
  while (true) {
    const ssize_t n = read(descriptor, buffer.data(), buffer.size());
    if (n > 0) text.append(buffer.data(), static_cast<std::size_t>(n));
    if (n == 0 || (n < 0 && errno != EINTR)) return text;
  }
}

fs::path make_folder(const fs::path& parent, const std::string& name) {
  std::error_code failed;
  fs::create_directories(parent, failed);
  std::string pattern = (fs::absolute(parent) / (name + "-XXXXXX")).string();
  if (failed || mkdtemp(pattern.data()) == nullptr) {
    throw std::runtime_error(fmt::format("cannot make a folder in {}: {}", parent.string(),
                                         failed ? failed.message() : std::strerror(errno)));
  }
  return pattern;
}

// This program's environment, with what tells tools where to keep temporary files.
std::vector<std::string> environment_with(const fs::path& temporary) {
  const std::array<std::string, 2> names = {"TMPDIR=", "CCACHE_TEMPDIR="};
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    if (std::none_of(names.begin(), names.end(), [&](const std::string& name) { return text.starts_with(name); }))
      variables.emplace_back(text);
  }
  for (const std::string& name : names) variables.push_back(name + temporary.string());
  return variables;
}

}  // namespace

fs::path harmless_folder(const fs::path& wanted) {
  constexpr const char* harmless = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-+";
  const auto fits = [&](const fs::path& path) {
    return path.string().find_first_not_of(harmless) == std::string::npos;
  };
  if (const fs::path path = fs::absolute(wanted); fits(path)) return path;
  std::error_code none;
  const fs::path path = fs::temp_directory_path(none);
  return !none && fits(path) ? path : "/tmp";
}

Finished run_tool(const std::vector<std::string>& words, const fs::path& folder, const fs::path& input,
                  const fs::path& temporary) {
  std::vector<char*> argv;
  std::vector<std::string> copies = words;
  for (std::string& word : copies) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<std::string> variables;
  std::vector<char*> envp;
  if (!temporary.empty()) {
    variables = environment_with(temporary);
    for (std::string& variable : variables) envp.push_back(variable.data());
    envp.push_back(nullptr);
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error(fmt::format("cannot start {}", words.at(0)));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, input.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  // This program blocks the signals that it waits for and ignores broken pipes; tools expect neither.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, pipes;
  sigemptyset(&none);
  sigemptyset(&pipes);
  sigaddset(&pipes, SIGPIPE);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &pipes);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t child = 0;
  // Held from the start of the child until it is registered, so that none outlives an interruption in between.
  auto held = model::hold_interrupts();
  const int failed =
      posix_spawnp(&child, argv[0], &actions, &attributes, argv.data(), envp.empty() ? environ : envp.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (failed != 0) {
    close(ends[0]);
    return {.status = 127, .output = fmt::format("{}: {}\n", words[0], std::strerror(failed))};
  }
  std::optional<model::WhenInterrupted> interrupted;
  interrupted.emplace([child] { kill(-child, SIGKILL); });
  held.unlock();
  Finished finished{.status = 0, .output = all_of(ends[0])};
  close(ends[0]);
  // It is no longer registered when its number becomes free for another process.
  siginfo_t info{};
  while (waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
  interrupted.reset();
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  finished.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return finished;
}

WorkFolder::WorkFolder(const fs::path& parent, const std::string& name) {
  const auto held = model::hold_interrupts();
  path_ = make_folder(parent, name);
  interrupted_.emplace([folder = path_] {
    // A tool that was killed this moment may write once more.
    std::error_code failed;
    for (int attempt = 0; attempt < 100 && fs::exists(folder, failed); ++attempt) {
      fs::remove_all(folder, failed);
      if (failed) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
}

fs::path WorkFolder::temporary() const {
  const fs::path folder = path_ / "temporary";
  fs::create_directories(folder);
  return folder;
}

WorkFolder::~WorkFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace bitstrata::sim
