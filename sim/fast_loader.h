// SPDX-License-Identifier: Apache-2.0
// bs_loader with the read master: parameters, the one pixel of a second tensor, then for every block its input rows and
// its weight tiles. Evaluated as far as the array asks: at every tile of the array the loader has issued exactly the
// commands up to that tile's weights.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "sim/fast_layer.h"
#include "sim/fast_ports.h"

namespace bitstrata::sim {

// Rows the streamer has loaded into the array: loads of consecutive cycles. Loads are mostly alike and equally far
// apart, so neighbours are kept as one run of them: the buffer may hold the rows of hundreds of loads.
class RowsTaken {
 public:
  void add(Cycle first, int rows);
  // Cycle in which row `count` (the first is 1) was loaded; counts asked for never fall. Throws std::invalid_argument
  // where it was not.
  Cycle time_of(std::int64_t count);
  void shift(Cycle by, std::int64_t rows);
  void add_to(StateKey& key) const;

 private:
  // `loads` loads of `rows` rows each, which begin `step` cycles apart.
  struct Run {
    std::int64_t before;  // rows loaded before the first of them
    Cycle first;
    int rows;
    std::int64_t loads;
    Cycle step;  // 0: of a single load
  };
  std::vector<Run> runs_;
  std::size_t at_ = 0;
  std::int64_t total_ = 0;
};

class FastLoader {
 public:
  // `start`: first cycle of state PARAMETERS. `rows_freed`: per block walked, the cycle from which its rows count as
  // freed.
  FastLoader(const FastLayer& layer, const ReadPort& port, const std::vector<Cycle>& rows_freed, Cycle start);

  // Cycle of the last beat of the last input row that block `block` needs (at least one), of the next weight tile.
  Cycle rows_loaded(int block);
  Cycle weights_loaded();
  // The array loads a weight tile's rows from cycle `first` on, one a cycle.
  void take(Cycle first, int rows) {
    if (!layer_.resident && !layer_.keeps_weights) flow_.taken.add(first, rows);
  }
  // Last cycle in which the loader is busy, when everything is loaded.
  Cycle finish();
  // Block `block` waits for weights of its own.
  bool streams(int block) const {
    return !layer_.whole_codes && !layer_.keeps_weights && (!layer_.resident || block == 0);
  }

  // What changes while weights are loaded, and nothing else: the loader between the first weight tile of a block and
  // the first row of the next block.
  struct Flow {
    ReadPort port;
    Cycle cursor;  // first cycle in which the current state can act
    std::array<Cycle, 4> slots{never_yet, never_yet, never_yet, never_yet};  // last beats of the commands in flight
    std::size_t issued = 0;
    Cycle last_beat = never_yet, weights = never_yet;
    RowsTaken taken;
    std::int64_t commanded = 0;  // weight rows
    std::uint32_t weight_address;
    int block = 0, n = 0, k = 0, macro = 0;
    bool in_weights = false, idle = false;
  };
  const Flow& flow() const { return flow_; }
  // The state at the end of block `block`, which is that of an earlier block, `by` cycles later.
  void set_flow(const Flow& earlier, Cycle by, int block);
  // What the times of the weight tiles to come depend on. `whole_tiles`: past the end of this output tile.
  void add_to(StateKey& key, bool whole_tiles) const;
  // The part of that which says where the bursts to come are cut.
  std::uint32_t weight_place(bool whole_tiles) const;
  // What the times from the beginning of block `block` on depend on, all blocks being alike. `array_read`: the array
  // has read the last but one of its vectors' windows there; rows that were loaded before do not hold it up any more.
  void add_block_to(StateKey& key, int block, Cycle array_read) const;
  // Whether there are input rows to load still.
  bool loads_rows() const { return rows_ < layer_.rows_needed; }
  // The block behind the last one that, like all from `block` - `period` on, finds rows to load and rows freed as the
  // one before it did; `block` where there is none. For blocks that begin in the state of an earlier one.
  int alike_until(int block, int period) const;
  // Sets the state as if `blocks` more blocks had passed in `by` cycles.
  void leap_blocks(Cycle by, int blocks);
  // Sets the state as if `rows` more rows of weights had been commanded and taken in `by` cycles: row tiles or output
  // tiles of the block that repeat those before them.
  void leap(Cycle by, std::int64_t rows, int n_tiles, int k_tiles);

 private:
  void issue(std::uint32_t address, std::int64_t beats);
  void step();
  void load_row();
  void load_weights();
  void end_weights();
  void next_block() { flow_.idle = ++flow_.block == layer_.blocks; }
  Cycle slot_free(int row);
  bool waits_for_slots() const { return layer_.rows_needed > layer_.in_slots; }

  const FastLayer& layer_;
  const std::vector<Cycle>& rows_freed_;
  Flow flow_;
  // Input rows.
  int rows_ = 0, freed_block_ = 0;
  Cycle row_loaded_ = never_yet;  // the latest
  std::uint32_t row_address_, second_address_;
};

}  // namespace bitstrata::sim
