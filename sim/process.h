// SPDX-License-Identifier: Apache-2.0
// Tools of others as child processes: words as they are, never through a shell, and gone when this program goes.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "model/interrupt.h"

namespace bitstrata::sim {

struct Finished {
  int status = 0;      // exit status; 128 and the signal where one ended it; 127 where it could not be started
  std::string output;  // of stdout and stderr together, as they came
};

// Runs a program of the PATH in `folder`, with the file `input` as its standard input, and waits for it. It and what it
// starts are a process group, which is killed when this program is interrupted (model/interrupt.h), and keep their
// temporary files in `temporary` (empty: where this program does), for a killed tool takes none of them away. Throws
// std::runtime_error where the system has no more processes.
Finished run_tool(const std::vector<std::string>& words, const std::filesystem::path& folder = ".",
                  const std::filesystem::path& input = "/dev/null", const std::filesystem::path& temporary = {});

// A folder in which any tool can work: makefiles and the scripts of tools split paths at spaces and take apostrophes
// for quotes. `wanted` where its path is harmless, else the system's folder for temporary files, else /tmp.
std::filesystem::path harmless_folder(const std::filesystem::path& wanted);

// A new folder, removed with its contents at the end of the object's life and when the program is interrupted.
class WorkFolder {
 public:
  // Below `parent`, which is made where it is missing; the name begins with `name`. Throws std::runtime_error.
  WorkFolder(const std::filesystem::path& parent, const std::string& name);
  ~WorkFolder();
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // A folder in it for the temporary files of tools that run in it.
  std::filesystem::path temporary() const;

 private:
  std::filesystem::path path_;
  std::optional<model::WhenInterrupted> interrupted_;
};

}  // namespace bitstrata::sim
