// SPDX-License-Identifier: Apache-2.0
// Runs the program under test as a process of its own.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "tests/model/temporary.h"

namespace bitstrata::testing {

struct Finished {
  int status = -1;
  std::string out, err;
  std::ptrdiff_t error_lines() const { return std::count(err.begin(), err.end(), '\n'); }
};

// `environment`: "NAME=VALUE", besides the caller's and instead of variables of the same name there.
inline Finished run_program(const std::vector<std::string>& arguments, const std::vector<std::string>& environment = {},
                            const std::string& program = BITSTRATA_PROGRAM) {
  const TemporaryFolder folder;
  std::vector<std::string> words = {program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv, envp;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<std::string> variables = environment;
  for (std::string& variable : variables) envp.push_back(variable.data());
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string name(*variable, std::strcspn(*variable, "=") + 1);
    const auto replaced = [&](const std::string& other) { return other.starts_with(name); };
    if (std::ranges::none_of(environment, replaced)) envp.push_back(*variable);
  }
  envp.push_back(nullptr);

  const std::string out = (folder / "out").string(), err = (folder / "err").string();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out.c_str(), O_WRONLY | O_CREAT, 0600);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err.c_str(), O_WRONLY | O_CREAT, 0600);
  pid_t child = 0;
  Finished finished;
  if (posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), envp.data()) == 0) {
    int status = 0;
    waitpid(child, &status, 0);
    finished.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  posix_spawn_file_actions_destroy(&actions);
  finished.out = read_text(out);
  finished.err = read_text(err);
  return finished;
}

}  // namespace bitstrata::testing
