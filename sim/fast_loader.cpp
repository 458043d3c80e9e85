// SPDX-License-Identifier: Apache-2.0
#include "sim/fast_loader.h"

#include <algorithm>
#include <stdexcept>

namespace bitstrata::sim {

using namespace generate;

namespace {

constexpr std::size_t forgotten_runs = 16;  // kept before they are cleared away together

}  // namespace

void RowsTaken::add(Cycle first, int rows) {
  if (at_ >= forgotten_runs) {
    runs_.erase(runs_.begin(), runs_.begin() + static_cast<std::ptrdiff_t>(at_));
    at_ = 0;
  }
  Run* const last = runs_.empty() ? nullptr : &runs_.back();
  if (last != nullptr && last->rows == rows && (last->loads == 1 || first == last->first + last->loads * last->step)) {
    if (last->loads == 1) last->step = first - last->first;
    ++last->loads;
  } else {
    runs_.push_back({.before = total_, .first = first, .rows = rows, .loads = 1, .step = 0});
  }
  total_ += rows;
}

Cycle RowsTaken::time_of(std::int64_t count) {
  if (count > total_) throw std::invalid_argument("the weight buffer is too small for a weight tile");
  while (at_ + 1 < runs_.size() && runs_[at_ + 1].before < count) ++at_;
  // Nobody asks for the loads before this one again.
  Run& run = runs_[at_];
  const std::int64_t done = (count - 1 - run.before) / run.rows;
  run.before += done * run.rows;
  run.first += done * run.step;
  run.loads -= done;
  return run.first + (count - 1 - run.before);
}

void RowsTaken::shift(Cycle by, std::int64_t rows) {
  for (std::size_t i = at_; i < runs_.size(); ++i) runs_[i].before += rows, runs_[i].first += by;
  total_ += rows;
}

void RowsTaken::add_to(StateKey& key) const {
  for (std::size_t i = at_; i < runs_.size(); ++i) {
    const Run& run = runs_[i];
    if (i == at_) key.add_number(total_ - run.before);  // of the others it follows
    key.add_time(run.first);
    key.add_number(run.loads << 32 | run.rows);
    key.add_number(run.step);
  }
}

FastLoader::FastLoader(const FastLayer& layer, const ReadPort& port, const std::vector<Cycle>& rows_freed, Cycle start)
    : layer_(layer),
      rows_freed_(rows_freed),
      flow_{.port = port, .cursor = start, .taken = {}, .weight_address = layer.descriptor().get<F_WEIGHT_ADDRESS>()},
      row_address_(layer.descriptor().get<F_IN_ADDRESS>()),
      second_address_(layer.descriptor().get<F_SECOND_ADDRESS>()) {
  issue(layer.descriptor().get<F_PARAM_ADDRESS>(), layer.param_beats);
  if (layer.second && layer.broadcast) issue(second_address_, layer.second_beats);
}

Cycle FastLoader::rows_loaded(int block) {
  const int need = layer_.need(block);
  while (rows_ < need) {
    if (flow_.idle) throw std::invalid_argument("the array needs more rows than the layer loads");
    step();
  }
  return row_loaded_;
}

Cycle FastLoader::weights_loaded() {
  while (!flow_.in_weights) {
    if (flow_.idle) throw std::invalid_argument("the array needs more weights than the layer loads");
    step();
  }
  load_weights();
  return flow_.weights;
}

Cycle FastLoader::finish() {
  while (!flow_.idle) step();
  return std::max(flow_.cursor - 1, flow_.last_beat);
}

void FastLoader::issue(std::uint32_t address, std::int64_t beats) {
  Cycle& slot = flow_.slots[flow_.issued++ % flow_.slots.size()];
  const Cycle fire = std::max({flow_.cursor, flow_.port.ready(), slot + 1});
  slot = flow_.last_beat = flow_.port.read(fire, address, beats);
  flow_.cursor = fire + 1;
}

// Issues the next command or ends the block.
void FastLoader::step() {
  if (flow_.in_weights) return load_weights();
  if (rows_ < layer_.need(flow_.block)) return load_row();
  ++flow_.cursor;  // the cycle that finds the rows complete
  flow_.in_weights = streams(flow_.block);
  if (!flow_.in_weights) next_block();
}

void FastLoader::load_row() {
  flow_.cursor = std::max(flow_.cursor, slot_free(rows_));
  issue(row_address_, layer_.row_beats);
  row_address_ += layer_.descriptor().get<F_IN_ROW_STRIDE>();
  if (layer_.second && !layer_.broadcast) {
    issue(second_address_, layer_.second_beats);
    second_address_ += layer_.descriptor().get<F_SECOND_ROW_STRIDE>();
  }
  ++rows_;
  row_loaded_ = flow_.last_beat;
}

void FastLoader::load_weights() {
  const int rows = layer_.load_rows(flow_.n, flow_.k);
  const std::int64_t must_be_free = flow_.commanded + rows - layer_.weight_depth;
  if (must_be_free > 0) {
    if (layer_.resident) throw std::invalid_argument("the weight buffer does not hold the resident layer");
    flow_.cursor = std::max(flow_.cursor, flow_.taken.time_of(must_be_free) + 1);
  }
  const std::int64_t beats = std::int64_t{rows} * layer_.weight_row_beats;
  issue(flow_.weight_address, beats);
  flow_.weight_address += flow_.port.bursts().bytes(beats);
  flow_.commanded += rows;
  flow_.weights = flow_.last_beat;
  if (++flow_.macro < layer_.macros_used(flow_.n)) return;
  flow_.macro = 0;
  if (++flow_.k < layer_.k_tiles) return;
  flow_.k = 0;
  if (++flow_.n == layer_.n_tiles) end_weights();
}

void FastLoader::end_weights() {
  flow_.n = 0;
  flow_.weight_address = layer_.descriptor().get<F_WEIGHT_ADDRESS>();
  flow_.in_weights = false;
  next_block();
}

// First cycle in which the buffer has room for input row `row`.
Cycle FastLoader::slot_free(int row) {
  const int freed = row - layer_.in_slots + 1;
  if (freed <= 0) return never_yet;
  while (layer_.freed_after(freed_block_) < freed) {
    if (++freed_block_ >= layer_.blocks) throw std::invalid_argument("the activation buffer is too small for a block");
  }
  if (static_cast<std::size_t>(freed_block_) >= rows_freed_.size()) {
    throw std::invalid_argument("the activation buffer is too small for a block");
  }
  return rows_freed_[static_cast<std::size_t>(freed_block_)];
}

void FastLoader::add_to(StateKey& key, bool whole_tiles) const {
  flow_.port.add_to(key);
  key.add_time(flow_.cursor);
  for (std::size_t i = 0; i < flow_.slots.size(); ++i)
    key.add_time(flow_.slots[(flow_.issued + i) % flow_.slots.size()]);
  key.add_time(flow_.last_beat);
  key.add_time(flow_.weights);
  flow_.taken.add_to(key);
  key.add_number(std::min<std::int64_t>(flow_.commanded, layer_.weight_depth));
  key.add_number(weight_place(whole_tiles));
}

std::uint32_t FastLoader::weight_place(bool whole_tiles) const {
  // Row tiles but the last are of one size.
  const Bursts& bursts = flow_.port.bursts();
  const std::int64_t row = layer_.weight_row_beats;
  std::uint32_t place = bursts.place(flow_.weight_address, layer_.load_rows(flow_.n, 0) * row);
  if (whole_tiles && place == Bursts::page_bytes)
    place = bursts.place(flow_.weight_address, layer_.load_rows(flow_.n, layer_.k_tiles - 1) * row);
  return place;
}

void FastLoader::leap(Cycle by, std::int64_t rows, int n_tiles, int k_tiles) {
  flow_.port.shift(by);
  shift_time(flow_.cursor, by);
  for (Cycle& slot : flow_.slots) shift_time(slot, by);
  shift_time(flow_.last_beat, by);
  shift_time(flow_.weights, by);
  flow_.taken.shift(by, rows);
  flow_.commanded += rows;
  flow_.weight_address += flow_.port.bursts().bytes(rows * layer_.weight_row_beats);
  flow_.k += k_tiles;
  flow_.n += n_tiles;
  if (flow_.n == layer_.n_tiles) end_weights();
}

void FastLoader::add_block_to(StateKey& key, int block, Cycle array_read) const {
  const bool weights = streams(block), rows = loads_rows();
  key.add_number(weights);
  key.add_number(rows);
  if (rows || row_loaded_ >= array_read) key.add_time(row_loaded_);
  if (weights) add_to(key, true);
  if (!rows) return;
  if (!weights) {
    flow_.port.add_to(key);
    key.add_time(flow_.cursor);
    for (std::size_t i = 0; i < flow_.slots.size(); ++i)
      key.add_time(flow_.slots[(flow_.issued + i) % flow_.slots.size()]);
    key.add_time(flow_.last_beat);
  }
  key.add_number(block - flow_.block);
  key.add_number(rows_ - layer_.need(block));
  const Bursts& bursts = flow_.port.bursts();
  key.add_number(bursts.place(row_address_, layer_.row_beats, layer_.descriptor().get<F_IN_ROW_STRIDE>()));
  if (layer_.second && !layer_.broadcast)
    key.add_number(bursts.place(second_address_, layer_.second_beats, layer_.descriptor().get<F_SECOND_ROW_STRIDE>()));
  if (!waits_for_slots()) return;
  key.add_number(block - freed_block_);
  key.add_times(std::span(rows_freed_).subspan(static_cast<std::size_t>(freed_block_)));
}

int FastLoader::alike_until(int block, int period) const {
  if (!loads_rows()) return layer_.blocks;
  const int end = layer_.steady_until(block - period - 1);
  if (!waits_for_slots()) return end;
  // Rows that found an empty slot did not wait as later ones do.
  const bool waited = rows_ - period * layer_.block_step() >= layer_.in_slots && freed_block_ >= period &&
                      layer_.freed_after(freed_block_ - period) > 0;
  return waited ? end : block;
}

void FastLoader::leap_blocks(Cycle by, int blocks) {
  const bool rows = loads_rows();
  if (!rows && !streams(flow_.block)) return;
  // The rows of weights commanded and taken count from here on.
  leap(by, 0, 0, 0);
  flow_.block += blocks;
  if (!rows) return;
  const int loaded = blocks * layer_.block_step();
  rows_ += loaded;
  shift_time(row_loaded_, by);
  row_address_ += static_cast<std::uint32_t>(loaded) * layer_.descriptor().get<F_IN_ROW_STRIDE>();
  second_address_ += static_cast<std::uint32_t>(loaded) * layer_.descriptor().get<F_SECOND_ROW_STRIDE>();
  if (waits_for_slots()) freed_block_ += blocks;
}

void FastLoader::set_flow(const Flow& earlier, Cycle by, int block) {
  flow_ = earlier;
  leap(by, 0, 0, 0);
  flow_.block = block + 1;
  flow_.idle = flow_.block == layer_.blocks;
}

}  // namespace bitstrata::sim
