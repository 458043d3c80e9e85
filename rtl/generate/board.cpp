// SPDX-License-Identifier: Apache-2.0
#include "rtl/generate/board.h"

#include <fmt/format.h>

#include <stdexcept>

namespace bitstrata::generate {

namespace {

const std::vector<Board>& boards() {
  static const std::vector<Board> all = {
      // Pins: Lattice EB85 (iCE40HX-8K breakout board). The FTDI chip's second port is the serial line; 2 Mbit/s divide
      // its clock without a rest.
      {.name = "hx8k",
       .text = "Lattice iCE40HX-8K breakout board, ICE40HX8K-B-EVN",
       .architecture = "pim-4x4-hx8k",
       .device = "hx8k",
       .package = "ct256",
       .clock_mhz = 12,
       .divider = 6,
       .memory_bytes = 4096,
       .cells = 7680,
       .block_rams = 32,
       .pins = {{"clk_i", "J3"}, {"rx_i", "B10"}, {"tx_o", "B12"}, {"start_o", "C16"}, {"layer_done_o", "D16"}}}};
  return all;
}

}  // namespace

const Board& board_of(const std::string& name) {
  std::string names;
  for (const Board& board : boards()) {
    if (board.name == name) return board;
    names += (names.empty() ? "" : ", ") + board.name;
  }
  throw std::invalid_argument(fmt::format("no board '{}'; there is {}", name, names));
}

void check_board(const Board& board, const model::Architecture& a, const Program* program) {
  const auto require = [&](bool good, const std::string& what) {
    if (!good)
      throw std::invalid_argument(fmt::format("architecture '{}' does not suit board {}: {}; {} does", a.name,
                                              board.name, what, board.architecture));
  };
  // The memory behind bs_serial_top: predicted cycles are those of its timing.
  const model::MemoryTiming& m = a.memory;
  require(m.read_latency == 2 && m.write_latency == 1 && m.beat_interval == 1,
          fmt::format("memory is {{read_latency: {}, write_latency: {}, beat_interval: {}}}, on chip it is 2, 1 and 1",
                      m.read_latency, m.write_latency, m.beat_interval));
  require(a.outstanding == 1,
          fmt::format("outstanding is {}, and the memory on chip takes one burst at a time", a.outstanding));
  require(a.address_width <= 32,
          fmt::format("address_width is {}, and the memory on chip has at most 32 bits of addresses", a.address_width));
  if (program == nullptr) return;
  if (program->list_address != 0) throw std::logic_error("the list of a board's program is not at address 0");
  if (program->memory_bytes > static_cast<std::size_t>(board.memory_bytes))
    throw std::invalid_argument(fmt::format(
        "the memory image takes {} bytes, and board {} has {} on chip: a smaller network, narrower widths or fewer "
        "--layers fit",
        program->memory_bytes, board.name, board.memory_bytes));
}

}  // namespace bitstrata::generate
