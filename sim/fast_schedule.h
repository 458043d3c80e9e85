// SPDX-License-Identifier: Apache-2.0
// The units of a layer as recurrences over their items: commands and bursts, row tiles, vectors, output tiles, blocks.
// Units wait for each other only through counters that never fall, so the time of an item is the latest of a few
// earlier times. The streamer visits its row tiles in order; the loader, the feeder, post-processing and the store
// are evaluated as far as the visited tile needs them, which is never further than what has been visited allows.
//
// A layer is mostly alike steps, so row tiles and output tiles are taken one by one only until a state comes back that
// was there before, with all its times moved by one shift: from then on everything repeats, and the loop leaps over
// the repetitions. The output tiles of a block are not taken at all where an earlier block began them in the same
// state.
//
// Cycle 0 is the sequencer's FETCH state. A register written by an event of cycle t is seen from cycle t + 1 on.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "model/events.h"
#include "sim/fast_layer.h"
#include "sim/fast_loader.h"
#include "sim/fast_planes.h"
#include "sim/fast_ports.h"
#include "sim/fast_vectors.h"

namespace bitstrata::sim {

// The array and post-processing between two output tiles.
struct Tiles {
  Vectors vectors;
  Cycle state;                     // the streamer is in state TILE from here on
  Cycle array_idle = never_yet;    // the array is empty from here on
  Cycle freed = never_yet;         // post-processing has read the accumulators of the latest tile
  Cycle freed_before = never_yet;  // and those of the one before it
  Cycle post_free = never_yet;     // the next output group may enter post-processing from here on
  Cycle rows_free = never_yet;     // the input rows of the latest block count as freed from here on

  void shift(Cycle by) {
    vectors.shift(by);
    for (Cycle* time : {&state, &array_idle, &freed, &freed_before, &post_free, &rows_free}) shift_time(*time, by);
  }
  void add_to(StateKey& key) const {
    vectors.add_to(key);
    for (const Cycle time : {array_idle, freed, freed_before, post_free}) key.add_time(time);
  }
};

// One layer from FETCH to barrier.
class FastSchedule {
 public:
  // `planes`: with skip_planes, what is streamed of each vector.
  FastSchedule(const FastLayer& layer, const model::Architecture& architecture, Pace pace,
               const PlaneCounts* planes = nullptr);

  // Visits everything, unless it sees on the way that the layer takes `limit` cycles or more: false.
  bool finish(Cycle limit);

  Cycle cycles() const { return barrier_ + 1; }
  void add_times(model::Events& events);

 private:
  // Leaps over blocks from `block` on that repeat the ones before; returns the next one to take.
  int leap_blocks(int block);
  // What the store of `block` and of the blocks behind it depends on.
  void add_store_to(StateKey& key, int block) const;
  // The output tiles of a block.
  void compute(int block);

  // The output tiles of a block behind the first.
  struct Remainder {
    StateKey key;  // at their beginning
    Tiles end;
    std::optional<FastLoader::Flow> flow;  // where the block streams weights
  };
  void go_on_as(const Remainder& earlier, int block);

  // Leaps over output tiles from `n` on that repeat the ones before; returns the next one to take.
  int leap_tiles(int block, int n);

  // Leaps over row tiles from `k` on in the same way; `state` is the streamer's.
  int leap_rows(int block, int n, int k, Cycle& state);

  // Output tile n of a block: its row tiles, then its post-processing.
  void tile(int block, int n);

  // The vectors of a row tile, of each of which some planes are streamed.
  void stream(int block, int n, int k, Cycle state);

  // Store of a block, row by row. It is busy from the cycle after the pulse to the last answer.
  void store(int block);

  static constexpr int worth_keeping = 8;  // row tiles that cost more than comparing states

  const FastLayer& layer_;
  const PlaneCounts* const planes_;
  std::size_t next_planes_ = 0;
  model::Events streamed_;  // of planes
  const bool leaps_;
  ReadPort read_port_;
  const Cycle fetched_, run_;
  std::vector<Cycle> rows_freed_;  // per block
  FastLoader loader_;
  WritePort write_port_;
  Tiles tiles_;
  Cycle rows_there_ = never_yet;  // the input rows of the block
  std::array<Cycle, 2> outputs_freed_{never_yet,
                                      never_yet};  // the output half of the latest even and odd block is read out
  std::uint32_t out_address_;
  Cycle last_read_ = never_yet, answered_ = never_yet, barrier_ = never_yet, store_cycles_ = 0;
  std::vector<Cycle> stored_before_;  // per block: store_cycles_ as it begins
  Repeat blocks_, output_tiles_, row_tiles_;
  StateKey key_;
  std::array<Remainder, 2> remainders_;
};

}  // namespace bitstrata::sim
