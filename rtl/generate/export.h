// SPDX-License-Identifier: Apache-2.0
// The hand-over: a folder with the configured Verilog, its documentation, scripts for synthesis, and, where a network
// is given, a self-checking testbench with golden vectors of that network.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "model/architecture.h"
#include "model/golden.h"
#include "model/interrupt.h"
#include "rtl/generate/board.h"
#include "rtl/generate/program.h"

namespace bitstrata::generate {

// What the testbench runs and what must come out.
struct TestVectors {
  std::string network;  // its name, and in words where weights and images come from
  std::string weights;
  std::string images;
  Program program;
  // [image][tensor], golden values; tensor 0 is the input. A number of whole batches of the program.
  std::vector<std::vector<model::Codes>> tensors;
  std::vector<std::int64_t> cycles;  // predicted, one a descriptor; empty: cycles are not compared
};

// Who made the folder, for its README.
struct Provenance {
  std::string command;
  std::string version;
};

// Icarus' measured speed in cycles a second for an array of this size, within a factor of two or so.
double icarus_cycles_per_second(const model::Architecture& architecture);

// A new folder that appears whole or not at all: files are written beside it and it gets its name at the end.
class DesignFolder {
 public:
  // Throws std::invalid_argument when `folder` exists and is not empty (`replace`: and is no design made by this
  // program either), std::runtime_error when it cannot be made.
  DesignFolder(std::filesystem::path folder, bool replace);
  ~DesignFolder();  // removes what was not published, and the parents made for it
  DesignFolder(const DesignFolder&) = delete;
  DesignFolder& operator=(const DesignFolder&) = delete;

  const std::filesystem::path& work() const { return work_; }
  void publish();

 private:
  void discard();

  std::filesystem::path folder_, work_;
  std::optional<model::WhenInterrupted> interrupted_;
  std::vector<std::filesystem::path> made_;  // parents that did not exist before, outermost first
  bool replace_;
  bool published_ = false;
};

// Writes the design into `folder` and returns the files' names relative to it, sorted. `vectors` may be null: no
// testbench then. With a board its top module, scripts and, with vectors, a testbench on its serial line come too.
// Throws std::runtime_error naming a file that cannot be written, and what check_board throws.
std::vector<std::string> write_design(const model::Architecture& architecture, const TestVectors* vectors,
                                      const Provenance& provenance, const std::filesystem::path& folder,
                                      const Board* board = nullptr);

}  // namespace bitstrata::generate
