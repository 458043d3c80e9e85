// SPDX-License-Identifier: Apache-2.0
// The units of a layer as recurrences over their items: commands and bursts, row tiles, vectors, output tiles, blocks.
// Units wait for each other only through counters that never fall, so the time of an item is the latest of a few
// earlier times. The streamer visits its row tiles in order; the loader, the feeder, post-processing and the store
// are evaluated as far as the visited tile needs them, which is never further than what has been visited allows.
//
// Cycle 0 is the sequencer's FETCH state. A register written by an event of cycle t is seen from cycle t + 1 on.
#include "sim/fast.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "sim/fast_layer.h"
#include "sim/fast_ports.h"

namespace bitstrata::sim {

namespace {

using namespace generate;

constexpr int commands_in_flight = 4;  // of the loader
constexpr int post_latency = 8;        // bs_post: from a group's entry to the write of its bits

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

// Rows the streamer has loaded into the array: runs of consecutive cycles.
class RowsTaken {
 public:
  void add(Cycle first, int rows) {
    runs_.push_back({total_, first});
    total_ += rows;
  }
  // Cycle in which row `count` (the first is 1) was loaded; counts asked for never fall.
  Cycle time_of(std::int64_t count) {
    if (count > total_) throw std::invalid_argument("the weight buffer is too small for a weight tile");
    while (at_ + 1 < runs_.size() && runs_[at_ + 1].before < count) ++at_;
    return runs_[at_].first + (count - 1 - runs_[at_].before);
  }

 private:
  struct Run {
    std::int64_t before;
    Cycle first;
  };
  std::vector<Run> runs_;
  std::size_t at_ = 0;
  std::int64_t total_ = 0;
};

// bs_loader with the read master: parameters, the one pixel of a second tensor, then for every block its input rows and
// its weight tiles.
class Loader {
 public:
  // `start`: first cycle of state PARAMETERS. `rows_freed`: per block walked, the cycle from which its rows count as
  // freed.
  Loader(const FastLayer& layer, ReadPort& port, RowsTaken& taken, const std::vector<Cycle>& rows_freed, Cycle start)
      : layer_(layer),
        port_(port),
        taken_(taken),
        rows_freed_(rows_freed),
        cursor_(start),
        row_address_(layer.descriptor()[D_IN_ADDRESS]),
        second_address_(layer.descriptor()[D_SECOND_ADDRESS]),
        weight_address_(layer.descriptor()[D_WEIGHT_ADDRESS]) {
    issue(layer.descriptor()[D_PARAM_ADDRESS], layer.param_beats);
    if (layer.second && layer.broadcast) issue(second_address_, layer.second_beats);
  }

  // Cycle of the last beat of input row `row`, of weight tile `tile` (numbered in the order of loading).
  Cycle row_loaded(int row) { return loaded(rows_, row); }
  Cycle weights_loaded(std::int64_t tile) { return loaded(weights_, tile); }
  // Last cycle in which the loader is busy, when everything is loaded.
  Cycle finish() {
    while (!idle_) step();
    return std::max(cursor_ - 1, last_beat_);
  }

 private:
  Cycle loaded(const std::vector<Cycle>& times, std::int64_t index) {
    while (at(index) >= times.size()) {
      if (idle_) throw std::invalid_argument("the array needs more rows or weights than the layer loads");
      step();
    }
    return times[at(index)];
  }

  void issue(std::uint32_t address, std::int64_t beats) {
    const Cycle slot = last_beats_[issued_ % commands_in_flight] + 1;
    const Cycle fire = std::max({cursor_, port_.ready(), slot});
    last_beat_ = port_.read(fire, address, beats);
    last_beats_[issued_++ % commands_in_flight] = last_beat_;
    cursor_ = fire + 1;
  }

  // Issues the next command or ends the block.
  void step() {
    if (!in_weights_) {
      const int row = static_cast<int>(rows_.size());
      if (row < layer_.need(block_)) {
        cursor_ = std::max(cursor_, slot_free(row));
        issue(row_address_, layer_.row_beats);
        row_address_ += layer_.descriptor()[D_IN_ROW_STRIDE];
        if (layer_.second && !layer_.broadcast) {
          issue(second_address_, layer_.second_beats);
          second_address_ += layer_.descriptor()[D_SECOND_ROW_STRIDE];
        }
        rows_.push_back(last_beat_);
        return;
      }
      ++cursor_;  // the cycle that finds the rows complete
      in_weights_ = !layer_.values && !layer_.keeps_weights && (!layer_.resident || block_ == 0);
      if (!in_weights_) next_block();
      return;
    }
    const int rows = layer_.tile_rows(k_);
    const std::int64_t must_be_free = commanded_ + rows - layer_.weight_depth;
    if (must_be_free > 0) {
      if (layer_.resident) throw std::invalid_argument("the weight buffer does not hold the resident layer");
      cursor_ = std::max(cursor_, taken_.time_of(must_be_free) + 1);
    }
    const std::int64_t beats = std::int64_t{rows} * layer_.weight_row_beats;
    issue(weight_address_, beats);
    weight_address_ += static_cast<std::uint32_t>(beats * (layer_.line_bits / 8));
    commanded_ += rows;
    weights_.push_back(last_beat_);
    if (++macro_ < layer_.macros_used(n_)) return;
    macro_ = 0;
    if (++k_ < layer_.k_tiles) return;
    k_ = 0;
    if (++n_ < layer_.n_tiles) return;
    n_ = 0;
    weight_address_ = layer_.descriptor()[D_WEIGHT_ADDRESS];
    in_weights_ = false;
    next_block();
  }

  void next_block() { idle_ = ++block_ == layer_.blocks; }

  // First cycle in which the buffer has room for input row `row`.
  Cycle slot_free(int row) {
    const int freed = row - layer_.in_slots + 1;
    if (freed <= 0) return never_yet;
    while (layer_.freed_after(freed_block_) < freed) {
      if (++freed_block_ >= layer_.blocks)
        throw std::invalid_argument("the activation buffer is too small for a block");
    }
    if (at(freed_block_) >= rows_freed_.size()) {
      throw std::invalid_argument("the activation buffer is too small for a block");
    }
    return rows_freed_[at(freed_block_)];
  }

  const FastLayer& layer_;
  ReadPort& port_;
  RowsTaken& taken_;
  const std::vector<Cycle>& rows_freed_;
  Cycle cursor_;  // first cycle in which the current state can act
  std::uint32_t row_address_, second_address_, weight_address_;
  Cycle last_beats_[commands_in_flight] = {never_yet, never_yet, never_yet, never_yet};
  std::size_t issued_ = 0;
  Cycle last_beat_ = never_yet;
  std::vector<Cycle> rows_, weights_;
  std::int64_t commanded_ = 0;
  int block_ = 0, n_ = 0, k_ = 0, macro_ = 0, freed_block_ = 0;
  bool in_weights_ = false, idle_ = false;
};

// bs_feeder and the streaming state of bs_streamer: vectors, two staged ahead.
struct Vectors {
  Cycle read = never_yet;         // last window read of the latest vector
  Cycle read_before = never_yet;  // and of the one before it
  Cycle start = never_yet;        // its first plane
  Cycle end = never_yet;          // its last plane: its staging slot is free again
  Cycle end_before = never_yet;

  // `count` vectors of `windows` windows and `planes` cycles each. Windows exist from cycle `valid` on, the streamer
  // takes vectors from cycle `stream` on. Stops as soon as a vector only repeats the one before it, later: then all
  // others do.
  void run(std::int64_t count, int windows, int planes, int interval, Cycle valid, Cycle stream) {
    for (std::int64_t i = 0; i < count; ++i) {
      const Vectors last = *this;
      // A window is registered a cycle before it is read; the first one waits for a staging slot.
      const Cycle first_read = std::max({last.read + 1, valid + 1, last.end_before});
      read_before = last.read;
      read = first_read + windows - 1;
      start = std::max({read + 2, last.end + 1, last.start + interval, stream});
      end_before = last.end;
      end = start + planes - 1;
      // From the second vector on `valid` and `stream` lie in the past and the step depends on differences only.
      const Cycle shift = start - last.start;
      if (i > 0 && read - last.read == shift && end_before - last.end_before == shift) {
        const Cycle jump = (count - 1 - i) * shift;
        read += jump;
        start += jump;
        end += jump;
        if (jump > 0) {
          read_before = read - shift;
          end_before = end - shift;
        }
        return;
      }
    }
  }
};

}  // namespace

model::Events predict(const Descriptor& descriptor, const model::Architecture& architecture) {
  const FastLayer layer(descriptor, architecture);
  model::Events events;
  layer.add_counts(events);

  // FETCH in 0, the loader's command in 1; after the last beat CHECK, CONFIGURE (start), RUN.
  ReadPort read_port(architecture);
  const Cycle fetched = read_port.read(1, 0, layer.fetch_beats);
  const Cycle run = fetched + 3;

  std::vector<Cycle> rows_freed;
  RowsTaken rows_taken;
  Loader loader(layer, read_port, rows_taken, rows_freed, run);
  WritePort write_port(architecture);
  Vectors vectors;

  std::vector<Cycle> halves_freed;   // per output tile: its accumulators are read out
  std::vector<Cycle> outputs_freed;  // per block: its output half is read out
  Cycle tile_state = run;            // the streamer is in state TILE from here on
  Cycle array_idle = never_yet;      // the array is empty from here on
  Cycle post_free = run;             // post-processing can start a tile from here on
  Cycle busy_until = never_yet, answered = never_yet;
  std::uint32_t out_address = descriptor[D_OUT_ADDRESS];
  std::int64_t weight_tile = 0;
  const int planes = layer.values ? 1 : layer.activation_bits;
  Cycle last_read = never_yet, barrier = never_yet;

  for (int block = 0; block < layer.blocks; ++block) {
    const int need = layer.need(block), pixels = layer.pixels_in_block(block);
    bool rows_known = false;
    Cycle rows_there = run;
    for (int n = 0; n < layer.n_tiles; ++n) {
      const std::size_t tile = halves_freed.size();
      Cycle state = tile_state;
      if (tile >= 2) state = std::max(state, halves_freed[tile - 2] + 1);
      ++state;
      for (int k = 0; k < layer.k_tiles; ++k) {
        if (!layer.values) {
          for (int macro = 0; macro < layer.macros_used(n); ++macro) {
            Cycle first = state;
            if (!layer.keeps_weights && (!layer.resident || block == 0))
              first = std::max(first, loader.weights_loaded(weight_tile++) + 1);
            rows_taken.add(first, layer.tile_rows(k));
            state = first + layer.tile_rows(k);
          }
        }
        if (k == 0) state = std::max(state, array_idle) + 1;
        if (!rows_known) {
          if (need > 0) rows_there = std::max(run, loader.row_loaded(need - 1) + 1);
          rows_known = true;
        }
        const int windows = static_cast<int>(layer.windows(n, k).size());
        vectors.run(pixels, windows, planes, layer.vector_interval, rows_there, state);
        if (n + 1 == layer.n_tiles && k + 1 == layer.k_tiles) {
          // The walker hands over a window a cycle before its read, or when the one before it is read.
          const Cycle last_window = windows > 1 ? vectors.read - 1 : std::max(vectors.read_before, rows_there);
          rows_freed.push_back(last_window + 1);
        }
        state = vectors.end + 1;
      }
      tile_state = state;
      array_idle = vectors.end + (layer.values ? 2 : layer.join_steps + 5);

      // Post-processing of the tile.
      const Cycle tile_done = array_idle - 1;
      Cycle post_start = std::max(tile_done + 1, post_free);
      if (layer.carry_out) {  // the partial sums stay
        halves_freed.push_back(post_start);
        post_free = post_start + 1;
        barrier = post_start + 1;
        continue;
      }
      if (n == 0 && block >= 2) post_start = std::max(post_start, outputs_freed[at(block - 2)] + 1);
      const Cycle post_end = post_start + std::int64_t{pixels} * layer.post_groups(n);
      halves_freed.push_back(post_end);
      post_free = post_end + 1;
    }
    if (layer.carry_out) continue;
    // Store of the block, row by row. It is busy from the cycle after the pulse to the last answer.
    const Cycle block_ready = halves_freed.back() + post_latency + 1;
    for (int row = 0; row < layer.rows_in_block(block); ++row) {
      const Cycle taken = std::max({block_ready, last_read + 1, write_port.ready()});
      const auto times = write_port.write(taken, out_address, layer.out_row_beats);
      out_address += descriptor[D_OUT_ROW_STRIDE];
      last_read = times.read_out;
      answered = times.answered;
    }
    outputs_freed.push_back(last_read);
    events.store_cycles += answered - std::max(block_ready, busy_until + 1) + 1;
    busy_until = answered;
    barrier = answered + 1;
  }

  events.cycles = barrier + 1;
  events.load_cycles = fetched + loader.finish() - run + 1;
  events.stall_cycles = tile_state - run - events.compute_cycles;
  return events;
}

std::vector<model::Events> predict(const generate::Program& program) {
  std::vector<model::Events> events;
  events.reserve(program.descriptors.size());
  for (const Descriptor& descriptor : program.descriptors) events.push_back(predict(descriptor, program.architecture));
  return events;
}

generate::Judge judge_of(const model::Architecture& architecture) {
  return [architecture](const std::vector<Descriptor>& descriptors) {
    std::int64_t cycles = 0;
    for (const Descriptor& descriptor : descriptors) cycles += predict(descriptor, architecture).cycles;
    return cycles;
  };
}

generate::Program lower(const model::IntegerNetwork& network, const model::Architecture& architecture) {
  return generate::lower(network, architecture, judge_of(architecture));
}

}  // namespace bitstrata::sim
