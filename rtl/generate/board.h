// SPDX-License-Identifier: Apache-2.0
// Boards that hold a whole accelerator: its memory on chip, a serial line to the host (rtl/bs_serial_top.sv).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/architecture.h"
#include "rtl/generate/program.h"

namespace bitstrata::generate {

struct Board {
  std::string name;                                                 // as in --board
  std::string text;                                                 // what it is, for people
  std::string architecture;                                         // the built-in one that fits it
  std::string device, package;                                      // words of nextpnr-ice40
  int clock_mhz = 0;                                                // of the oscillator on the board
  int divider = 0;                                                  // clock cycles of a bit of the serial line
  int memory_bytes = 0;                                             // on chip, behind the accelerator
  int cells = 0, block_rams = 0;                                    // of the device
  std::vector<std::pair<std::string_view, std::string_view>> pins;  // port, pin

  std::string top() const { return "bitstrata_" + name; }
  long baud() const { return 1'000'000L * clock_mhz / divider; }
};

// Throws std::invalid_argument, with the names there are, for an unknown one.
const Board& board_of(const std::string& name);

// Throws std::invalid_argument where the board's memory is not the one that the architecture describes (`memory`,
// `outstanding`, addresses), or the program's memory image is larger than it; says what would be right. `program` may
// be null. Whether the device has cells enough only its tools can say.
void check_board(const Board& board, const model::Architecture& architecture, const Program* program);

}  // namespace bitstrata::generate
