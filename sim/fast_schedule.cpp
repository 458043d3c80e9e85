// SPDX-License-Identifier: Apache-2.0
#include "sim/fast_schedule.h"

#include <algorithm>

namespace bitstrata::sim {

using namespace generate;

namespace {

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

}  // namespace

FastSchedule::FastSchedule(const FastLayer& layer, const model::Architecture& architecture, Pace pace,
                           const PlaneCounts* planes)
    : layer_(layer),
      planes_(planes),
      leaps_(pace == Pace::leaping),
      read_port_(architecture, pace),
      // FETCH in 0, the loader's command in 1; after the last beat CHECK, CONFIGURE (start), RUN.
      fetched_(read_port_.read(1, 0, layer.fetch_beats)),
      run_(fetched_ + 3),
      loader_(layer, read_port_, rows_freed_, run_),
      write_port_(architecture, pace),
      tiles_{.vectors = {}, .state = run_},
      out_address_(layer.descriptor().get<F_OUT_ADDRESS>()) {
  rows_freed_.reserve(at(layer.blocks));
  stored_before_.reserve(at(layer.blocks));
}

bool FastSchedule::finish(Cycle limit) {
  Cycle computing = layer_.compute_cycles();
  for (int block = 0; block < layer_.blocks; ++block) {
    if (leaps_ && block > 0) {
      const int next = leap_blocks(block);
      computing -= (next - block) * layer_.compute_cycles_of(block);
      block = next;
    }
    if (tiles_.state + computing >= limit) return false;
    computing -= layer_.compute_cycles_of(block);
    compute(block);
    rows_freed_.push_back(tiles_.rows_free);
    stored_before_.push_back(store_cycles_);
    if (layer_.carry_out) {
      barrier_ = tiles_.freed + 1;
    } else {
      store(block);
    }
  }
  return cycles() < limit;
}

void FastSchedule::add_times(model::Events& events) {
  if (planes_ != nullptr) {
    events.compute_cycles += streamed_.plane_steps - events.plane_steps;
    events.plane_steps = streamed_.plane_steps;
    events.column_steps = streamed_.column_steps;
    events.cell_steps = streamed_.cell_steps;
    events.joiner_adds = streamed_.joiner_adds;
  }
  events.cycles = cycles();
  events.load_cycles = fetched_ + loader_.finish() - run_ + 1;
  events.store_cycles = store_cycles_;
  events.stall_cycles = tiles_.state - run_ - events.compute_cycles;
}

// The last block may have fewer rows, and so is always taken.
int FastSchedule::leap_blocks(int block) {
  const int period = blocks_.period(block, tiles_.state, tiles_.freed - tiles_.state, [&](StateKey& key) {
    tiles_.add_to(key);
    loader_.add_block_to(key, block, tiles_.vectors.read_before);
    if (!layer_.carry_out) add_store_to(key, block);
  });
  if (period == 0) return block;
  const int times = (std::min(layer_.blocks - 1, loader_.alike_until(block, period)) - block) / period;
  if (times <= 0) return block;
  const int leapt = times * period;
  const Cycle by = times * blocks_.shift();
  tiles_.shift(by);
  loader_.leap_blocks(by, leapt);
  write_port_.shift(by);
  for (Cycle* time : {&outputs_freed_[0], &outputs_freed_[1], &last_read_, &answered_, &barrier_})
    shift_time(*time, by);
  if (leapt % 2 != 0) std::swap(outputs_freed_[0], outputs_freed_[1]);
  out_address_ += static_cast<std::uint32_t>(leapt * layer_.block_rows) * layer_.descriptor().get<F_OUT_ROW_STRIDE>();
  const Cycle stored = store_cycles_ - stored_before_[at(block - period)];
  for (int i = 0; i < leapt; ++i) {
    rows_freed_.push_back(rows_freed_[rows_freed_.size() - at(period)] + blocks_.shift());
    stored_before_.push_back(stored_before_[stored_before_.size() - at(period)] + stored);
  }
  store_cycles_ += times * stored;
  blocks_.restart();
  return block + leapt;
}

void FastSchedule::add_store_to(StateKey& key, int block) const {
  write_port_.add_to(key);
  for (const Cycle time : {outputs_freed_[at(block % 2)], outputs_freed_[at((block + 1) % 2)], last_read_, answered_})
    key.add_time(time);
  key.add_number(
      write_port_.bursts().place(out_address_, layer_.out_row_beats, layer_.descriptor().get<F_OUT_ROW_STRIDE>()));
}

void FastSchedule::compute(int block) {
  rows_there_ = run_;
  tile(block, 0);
  Remainder* kept = nullptr;
  if (leaps_ && (layer_.n_tiles - 1) * layer_.k_tiles >= worth_keeping && layer_.blocks > 1) {
    key_.begin(tiles_.state);
    tiles_.add_to(key_);
    key_.add_number(layer_.pixels_in_block(block));
    key_.add_number(loader_.streams(block));
    if (loader_.streams(block)) loader_.add_to(key_, true);
    for (const Remainder& earlier : remainders_) {
      if (earlier.key == key_) return go_on_as(earlier, block);
    }
    kept = &remainders_[at(block) % remainders_.size()];
    kept->key = key_;
  }
  output_tiles_.restart();
  for (int n = 1; n < layer_.n_tiles; ++n) {
    if (leaps_) n = leap_tiles(block, n);
    if (n < layer_.n_tiles) tile(block, n);
  }
  // Rows are free in the cycle in which the block's last window is read, which the walker handed over a cycle before.
  // Where that begins a group, it may have had to wait for a slot: then they are in the cycle after its read.
  const int* const ends = layer_.window_ends(layer_.n_tiles - 1) + layer_.k_tiles;
  const Vectors& vectors = tiles_.vectors;
  const bool alone = (ends[0] - ends[-1]) * layer_.last_group(block) == 1;
  const Cycle held = std::max(vectors.read_before, rows_there_) + 1;
  tiles_.rows_free = alone && vectors.slot >= held ? vectors.read + 1 : vectors.read;
  if (kept == nullptr) return;
  kept->end = tiles_;
  if (loader_.streams(block)) kept->flow = loader_.flow();
}

void FastSchedule::go_on_as(const Remainder& earlier, int block) {
  const Cycle by = tiles_.state - earlier.key.now();
  tiles_ = earlier.end;
  tiles_.shift(by);
  if (loader_.streams(block)) loader_.set_flow(*earlier.flow, by, block);
}

int FastSchedule::leap_tiles(int block, int n) {
  const bool streams = loader_.streams(block);
  // Where bursts are cut by pages, few states can be alike.
  const Cycle hash = (tiles_.freed - tiles_.state) * Bursts::page_bytes + (streams ? loader_.weight_place(true) : 0);
  const int period = output_tiles_.period(n, tiles_.state, hash, [&](StateKey& key) {
    tiles_.add_to(key);
    if (streams) loader_.add_to(key, true);
  });
  if (period == 0) return n;
  int end = n;
  while (end < layer_.n_tiles && layer_.same_shape(end, end - period)) ++end;
  const int times = (end - n) / period;
  if (times == 0) return n;
  tiles_.shift(times * output_tiles_.shift());
  if (streams) {
    std::int64_t rows = 0;
    for (int i = n - period; i < n; ++i) rows += layer_.macros_used(i) * layer_.all_load_rows(i);
    loader_.leap(times * output_tiles_.shift(), times * rows, times * period, 0);
  }
  output_tiles_.restart();
  return n + times * period;
}

int FastSchedule::leap_rows(int block, int n, int k, Cycle& state) {
  const bool streams = loader_.streams(block);
  const Cycle hash = streams ? loader_.flow().cursor - state : tiles_.vectors.read - state;
  const int period = row_tiles_.period(k, state, hash, [&](StateKey& key) {
    tiles_.vectors.add_to(key);
    if (streams) loader_.add_to(key, false);
  });
  if (period == 0) return k;
  const int* const ends = layer_.window_ends(n);
  const auto windows = [&](int tile) { return ends[tile + 1] - ends[tile]; };
  int end = k;
  while (end + 1 < layer_.k_tiles && windows(end) == windows(end - period)) ++end;
  const int times = (end - k) / period;
  if (times == 0) return k;
  const Cycle by = times * row_tiles_.shift();
  state += by;
  tiles_.vectors.shift(by);
  if (streams) {
    const std::int64_t rows = std::int64_t{times} * period * layer_.macros_used(n) * layer_.load_rows(n, 0);
    loader_.leap(by, rows, 0, times * period);
  }
  row_tiles_.restart();
  return k + times * period;
}

void FastSchedule::tile(int block, int n) {
  const int pixels = layer_.pixels_in_block(block), macros = layer_.macros_used(n);
  const int* const ends = layer_.window_ends(n);
  const int groups = pixels / layer_.vectors, rest = pixels % layer_.vectors;
  const bool streams = loader_.streams(block);
  Cycle state = std::max(tiles_.state, tiles_.freed_before + 1) + 1;
  row_tiles_.restart();
  // While the loader waits for room that the tile before gave back, nothing repeats.
  const int settled = streams ? 1 + layer_.weight_depth / (layer_.load_rows(n, 0) * macros) : 1;
  for (int k = 0; k < layer_.k_tiles; ++k) {
    if (leaps_ && k >= settled && k + worth_keeping < layer_.k_tiles) k = leap_rows(block, n, k, state);
    if (!layer_.whole_codes) {
      const int rows = layer_.load_rows(n, k);
      for (int macro = 0; macro < macros; ++macro) {
        if (streams) state = std::max(state, loader_.weights_loaded() + 1);
        loader_.take(state, rows);
        state += rows;
      }
    }
    if (k == 0) state = std::max(state, tiles_.array_idle) + 1;
    if (n == 0 && k == 0 && layer_.need(block) > 0) rows_there_ = std::max(run_, loader_.rows_loaded(block) + 1);
    // Vectors come in groups, of which the last may be smaller.
    int windows = (ends[k + 1] - ends[k]) * std::min(layer_.vectors, pixels);
    const int planes = layer_.cycles_of(k), interval = std::max(layer_.least_interval, planes);
    Vectors& vectors = tiles_.vectors;
    if (planes_ != nullptr) {
      stream(block, n, k, state);
      state = vectors.end + 1;
      continue;
    }
    if (groups > 0) vectors.run(groups, windows, planes, interval, rows_there_, state, leaps_);
    if (rest > 0) {
      windows = (ends[k + 1] - ends[k]) * rest;
      vectors.run(1, windows, planes, interval, rows_there_, state, leaps_);
    }
    state = vectors.end + 1;
  }
  tiles_.state = state;
  const int last_steps = layer_.style.sum_cycles(layer_.last_group(block));
  tiles_.array_idle = tiles_.vectors.end + (layer_.whole_codes ? 2 : last_steps + 5);

  // The array's last result is written the cycle before.
  Cycle post_start = std::max(tiles_.array_idle, tiles_.freed + 1);
  tiles_.freed_before = tiles_.freed;
  if (layer_.carry_out) {  // the partial sums stay
    tiles_.freed = post_start;
  } else {
    if (n == 0) post_start = std::max(post_start, outputs_freed_[at(block % 2)] + 1);
    const Cycle first = std::max(post_start + 1, tiles_.post_free);
    tiles_.freed = first + (std::int64_t{pixels} * layer_.post_groups(n) - 1) * layer_.post_interval;
    tiles_.post_free = tiles_.freed + layer_.post_interval;
  }
}

void FastSchedule::stream(int block, int n, int k, Cycle state) {
  const int* const ends = layer_.window_ends(n);
  std::int64_t steps = 0, products = 0;  // cycles of planes; times the vectors and outputs
  for (int left = layer_.pixels_in_block(block); left > 0; left -= layer_.vectors) {
    const int size = std::min(left, layer_.vectors), planes = planes_->at(next_planes_++);
    const int cycles = layer_.style.vector_cycles(layer_.weight_bits, planes);
    tiles_.vectors.run(1, (ends[k + 1] - ends[k]) * size, cycles, layer_.least_interval, rows_there_, state, false);
    steps += cycles;
    products += std::int64_t{planes} * size;
    streamed_.joiner_adds += size * layer_.style.joiner_adds(layer_.weight_bits, planes, layer_.outputs(n));
  }
  products *= std::int64_t{layer_.outputs(n)} * layer_.weight_bits;
  streamed_.plane_steps += steps;
  streamed_.column_steps += products;
  streamed_.cell_steps += products * layer_.tile_rows(k);
}

void FastSchedule::store(int block) {
  const Cycle block_ready = tiles_.freed + layer_.post_latency + 1, busy_until = answered_;
  for (int row = 0; row < layer_.rows_in_block(block); ++row) {
    const Cycle taken = std::max({block_ready, last_read_ + 1, write_port_.ready()});
    const auto times = write_port_.write(taken, out_address_, layer_.out_row_beats);
    out_address_ += layer_.descriptor().get<F_OUT_ROW_STRIDE>();
    last_read_ = times.read_out;
    answered_ = times.answered;
  }
  outputs_freed_[at(block % 2)] = last_read_;
  store_cycles_ += answered_ - std::max(block_ready, busy_until + 1) + 1;
  barrier_ = answered_ + 1;
}

}  // namespace bitstrata::sim
