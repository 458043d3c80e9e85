// SPDX-License-Identifier: Apache-2.0
#include "sim/fast_layer.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <stdexcept>

namespace bitstrata::sim {

namespace {

using namespace generate;

int ceil_div(int a, int b) { return (a + b - 1) / b; }

// Lines that hold bits of the window [x, x + size) which lie in [begin, end): 0, 1 or 2 (bs_feeder).
int lines_of_window(std::int64_t x, std::int64_t size, std::int64_t begin, std::int64_t end, int line_shift) {
  const std::int64_t first = std::max(x, begin);
  const std::int64_t last = std::min(x + size, end) - 1;
  if (last < first) return 0;
  const std::int64_t line = x >> line_shift;
  return ((first >> line_shift) == line ? 1 : 0) + ((last >> line_shift) != line ? 1 : 0);
}

}  // namespace

FastLayer::FastLayer(const Descriptor& d, const model::Architecture& a)
    : whole_codes(d.whole_codes()),
      resident(d.get<F_RESIDENT>()),
      keeps_weights(d.get<F_KEEP_WEIGHTS>()),
      second(d.get<F_SECOND>()),
      broadcast(d.get<F_BROADCAST>()),
      carry_in(d.get<F_CARRY_IN>()),
      carry_out(d.get<F_CARRY_OUT>()),
      strips(d.get<F_IN_STRIPS>()),
      weight_bits(d.weight_bits()),
      activation_bits(d.activation_bits()),
      second_bits(d.get<F_SECOND_BITS>()),
      output_bits(d.output_bits()),
      style(a.rules()),
      vectors(whole_codes ? 1 : a.vectors),
      array_rows(a.rows),
      macros_built(whole_codes ? 1 : a.tiles),  // operators on whole codes use the first macro only
      weight_depth(a.weight_words()),
      line_bits(a.data_bits),
      post_lanes(a.post_lanes),
      post_interval(a.post_interval()),
      post_latency(a.post_latency()),
      weight_row_beats(ceil_div(a.weight_word_bits(), a.data_bits)),
      blocks(d.get<F_BLOCKS>()),
      k_tiles(d.get<F_K_TILES>()),
      n_tiles(d.get<F_N_TILES>()),
      out_width(d.get<F_OUT_WIDTH>()),
      out_height(d.get<F_OUT_HEIGHT>()),
      block_rows(d.get<F_BLOCK_ROWS>()),
      lanes(d.get<F_LANES>()),
      out_row_beats(d.get<F_OUT_ROW_BEATS>()),
      in_slots(d.get<F_IN_SLOTS>()),
      rows_needed(d.get<F_ROWS_NEEDED>()),
      row_beats(d.get<F_IN_ROW_BEATS>()),
      second_beats(d.get<F_SECOND_ROW_BEATS>()),
      param_beats(d.get<F_PARAM_BEATS>()),
      fetch_beats(descriptor_words * 32 / a.data_bits),
      fold(d.get<F_FOLD>()),
      vector_cycles(whole_codes ? 1 : style.vector_cycles(weight_bits, activation_bits)),
      least_interval(d.get<F_VECTOR_INTERVAL>()),
      descriptor_(d),
      two_inputs_(d.opcode() == OP_ADD || d.opcode() == OP_MULTIPLY),
      rows_last_(d.get<F_ROWS_LAST>()) {
  if (blocks < 1 || k_tiles < 1 || n_tiles < 1 || out_width < 1 || out_height < 1 || block_rows < 1 || lanes < 1 ||
      in_slots < 1 || vector_cycles < 1 || row_beats < 1 || param_beats < 1 || out_row_beats < 1) {
    throw std::invalid_argument("descriptor with an empty loop");
  }
  lay_tiles(a);
}

// Output tiles in their order: they do not cross segments.
void FastLayer::lay_tiles(const model::Architecture& a) {
  const Descriptor& d = descriptor_;
  const int capacity = macros_built * lanes, next = d.get<F_SEGMENT_NEXT>();
  int left = d.get<F_SEGMENT_CHANNELS>(), segment = 0;
  if (left < 1 || next < 1) throw std::invalid_argument("descriptor with an empty segment");
  std::int64_t x = 0, segment_x = 0;
  weight_rows_ = 0;
  tiles_.reserve(static_cast<std::size_t>(n_tiles));
  for (int n = 0; n < n_tiles; ++n) {
    const int outputs = std::min(capacity, left);
    const int run = whole_codes ? outputs : d.get<F_RUN_LENGTH>();
    std::size_t w = 0;
    while (w < walks_.size() && walks_[w].run_length != run) ++w;
    if (w == walks_.size()) walks_.push_back(walk(run));
    // All macros but the last are full.
    const int macros = std::max(1, ceil_div(outputs, lanes)), last = outputs - (macros - 1) * lanes;
    const int groups = (macros - 1) * ceil_div(lanes, post_lanes) + std::max(1, ceil_div(last, post_lanes));
    const auto rows_of = [&](int k) {
      return static_cast<int>(a.words_of_weights(outputs, weight_bits, tile_rows(k)));
    };
    tiles_.push_back({outputs, segment, macros, groups, rows_of(0), rows_of(k_tiles - 1), x, w});
    if (!whole_codes) weight_rows_ += macros * all_load_rows(n);
    left -= outputs;
    if (left == 0) {
      left = next;
      ++segment;
      x = segment_x += d.get<F_SEGMENT_STEP_X>();
    } else {
      x += d.get<F_TILE_STEP_X>();
    }
  }
}

int FastLayer::need(int block) const {
  const int end =
      descriptor_.get<F_PIXEL_START_Y>() + block * descriptor_.get<F_BLOCK_STEP_Y>() + descriptor_.get<F_BLOCK_SPAN>();
  return std::clamp(end, 0, rows_needed);
}

int FastLayer::freed_after(int block) const {
  return std::max(0, descriptor_.get<F_PIXEL_START_Y>() + (block + 1) * descriptor_.get<F_BLOCK_STEP_Y>());
}

int FastLayer::block_step() const { return descriptor_.get<F_BLOCK_STEP_Y>(); }

int FastLayer::steady_until(int first) const {
  const int start = descriptor_.get<F_PIXEL_START_Y>() + descriptor_.get<F_BLOCK_SPAN>();
  if (first < 0 || start + first * block_step() <= 0) return first;
  const int left = rows_needed - start;
  return block_step() == 0 ? blocks : std::clamp(left / block_step() + 1, first, blocks);
}

int FastLayer::rows_in_block(int block) const { return std::min(block_rows, out_height - block * block_rows); }

// The walk of bs_walker over the runs of a pixel, cut into row tiles and windows.
FastLayer::Walk FastLayer::walk(int run_length) const {
  const Descriptor& d = descriptor_;
  const int count_x = d.get<F_RUN_COUNT_X>(), count_y = d.get<F_RUN_COUNT_Y>();
  const std::int64_t step_x = d.get<F_RUN_STEP_X>();
  const int step_y = d.get<F_RUN_STEP_Y>();
  if (run_length < 1) throw std::invalid_argument("descriptor with an empty run");
  Walk walk{.run_length = run_length, .windows = {}, .ends = {}};
  walk.windows.reserve(static_cast<std::size_t>(2 * k_tiles));
  walk.ends.reserve(static_cast<std::size_t>(k_tiles + 1));
  walk.ends.push_back(0);
  int run_x = 0, run_y = 0, position = 0;
  for (int k = 0; k < k_tiles; ++k) {
    int fill = 0;
    for (bool vector_end = false; !vector_end;) {
      const int size = std::min({line_bits, run_length - position, array_rows - fill});
      walk.windows.push_back({run_x * step_x + position, std::int64_t{run_y} * step_y, size});
      position += size;
      fill += size;
      const bool run_end = position == run_length;
      vector_end = fill == array_rows || (whole_codes && run_end);
      if (!run_end) continue;
      position = 0;
      if (++run_x == count_x) {
        run_x = 0;
        if (++run_y == count_y) vector_end = true;
      }
    }
    walk.ends.push_back(static_cast<int>(walk.windows.size()));
  }
  return walk;
}

// Output rows whose input row at offset y exists.
std::int64_t FastLayer::rows_at(std::int64_t window_y) const {
  const Descriptor& d = descriptor_;
  const std::int64_t in_height = d.get<F_IN_HEIGHT>(), step = d.get<F_PIXEL_STEP_Y>();
  const std::int64_t block_step = d.get<F_BLOCK_STEP_Y>(), first = d.get<F_PIXEL_START_Y>() + window_y;
  // Rows that lie `step` apart: those before 0 and those before in_height are counted.
  const auto before = [&](std::int64_t from, std::int64_t rows, std::int64_t end) {
    if (step == 0) return from < end ? rows : 0;
    return std::clamp<std::int64_t>((end - from + step - 1) / step, 0, rows);
  };
  const auto inside = [&](std::int64_t from, std::int64_t rows) {
    const auto below_end = from < in_height ? before(from, rows, in_height) : 0;
    return below_end - (from < 0 ? before(from, rows, 0) : 0);
  };
  if (block_step == block_rows * step) return inside(first, out_height);
  std::int64_t rows = 0;
  for (int block = 0, y = 0; y < out_height; ++block, y += block_rows)
    rows += inside(first + block * block_step, std::min(block_rows, out_height - y));
  return rows;
}

// Lines that the windows [x, x + size), and so on `step` bits apart, of an output row's pixels read of a row, or strip,
// that is [begin, end).
std::int64_t FastLayer::lines_at(std::int64_t x, std::int64_t step, std::int64_t size, std::int64_t begin,
                                 std::int64_t end) const {
  const int shift = std::bit_width(static_cast<unsigned>(line_bits)) - 1;
  // Windows that lie inside the row read the same lines again when they are a whole number of lines further on.
  const std::int64_t period = line_bits / std::gcd<std::int64_t>(line_bits, step);
  std::int64_t lines = 0;
  for (std::int64_t left = out_width; left > 0;) {
    const std::int64_t inside = x < begin ? 0 : step == 0 ? left : std::min(left, (end - size - x) / step + 1);
    if (x + size > end || inside < 2 * period) {
      lines += lines_of_window(x, size, begin, end, shift);
      x += step, --left;
      continue;
    }
    std::int64_t turn = 0;
    for (std::int64_t i = 0; i < period; ++i) turn += lines_of_window(x + i * step, size, begin, end, shift);
    const std::int64_t turns = inside / period;
    lines += turns * turn;
    x += turns * period * step, left -= turns * period;
  }
  return lines;
}

// Lines, of all planes, read for all vectors of output tile n.
std::int64_t FastLayer::lines_read(int n) const {
  const Descriptor& d = descriptor_;
  const Tile& tile = tiles_[static_cast<std::size_t>(n)];
  const Walk& walk = walks_[tile.walk];
  const std::int64_t row_bits = d.get<F_IN_ROW_BITS>(), endless = std::int64_t{1} << 40;
  const std::int64_t begin = row_begin(n);
  std::int64_t total = 0, y = -1, rows = 0;
  for (int k = 0; k < k_tiles; ++k) {
    const bool other = of_second(n, k);
    const std::int64_t start_x = (other ? d.get<F_SECOND_START_X>() : d.get<F_PIXEL_START_X>()) + tile.x;
    const std::int64_t step_x = other ? d.get<F_SECOND_STEP_X>() : d.get<F_PIXEL_STEP_X>();
    for (int w = walk.ends[static_cast<std::size_t>(k)]; w < walk.ends[static_cast<std::size_t>(k) + 1]; ++w) {
      const GatherWindow& window = walk.windows[static_cast<std::size_t>(w)];
      if (window.y != y) rows = rows_at(y = window.y);
      if (rows == 0) continue;
      total += rows * (other ? second_bits : activation_bits) *
               lines_at(start_x + window.x, step_x, window.size, begin, other ? endless : begin + row_bits);
    }
  }
  return total;
}

std::int64_t FastLayer::compute_cycles_of(int block) const {
  const std::int64_t cycles = std::int64_t{k_tiles - 1} * vector_cycles + cycles_of(k_tiles - 1);
  return groups_in_block(block) * n_tiles * cycles + weight_rows_;
}

std::int64_t FastLayer::compute_cycles() const {
  return (blocks - 1) * compute_cycles_of(0) + compute_cycles_of(blocks - 1);
}

std::int64_t FastLayer::lines_loaded() const {
  const std::int64_t rows = std::int64_t{need(blocks - 1)} * (row_beats + (second && !broadcast ? second_beats : 0)) +
                            (second && broadcast ? second_beats : 0);
  const int loads = whole_codes || keeps_weights ? 0 : resident ? 1 : blocks;
  return fetch_beats + param_beats + rows + loads * weight_rows_ * weight_row_beats;
}

void FastLayer::add_counts(model::Events& e) const {
  const std::int64_t pixels = std::int64_t{out_width} * out_height;
  // Steps of a vector through all row tiles, its planes in them, and the rows that these meet.
  const int last = k_tiles - 1;
  const std::int64_t steps = whole_codes ? 0 : std::int64_t{last} * vector_cycles + cycles_of(last);
  const std::int64_t planes = whole_codes ? 0 : std::int64_t{last} * activation_bits + plane_steps(last);
  const std::int64_t cells =
      whole_codes ? 0
                  : std::int64_t{last} * activation_bits * array_rows + std::int64_t{plane_steps(last)} * rows_last_;
  const std::int64_t rows = all_rows();
  const std::int64_t groups = std::int64_t{blocks - 1} * groups_in_block(0) + groups_in_block(blocks - 1);
  std::int64_t lines = 0;
  for (int n = 0; n < n_tiles; ++n) {
    const Tile& tile = tiles_[static_cast<std::size_t>(n)];
    const std::int64_t outputs = tile.outputs, columns = outputs * weight_bits, macros = macros_used(n);
    const std::int64_t taps = pixels * k_tiles;  // vectors
    e.vectors += taps;
    e.plane_steps += groups * steps;
    e.column_steps += pixels * planes * columns;  // overlay: the same products, in more steps of fewer units
    e.cell_steps += pixels * cells * columns;
    if (!whole_codes) {
      e.joiner_adds += pixels * (last * style.joiner_adds(weight_bits, activation_bits, outputs) +
                                 style.joiner_adds(weight_bits, plane_steps(last), outputs));
    }
    e.accumulator_reads += (taps - (carry_in ? 0 : pixels)) * outputs;
    e.accumulator_writes += taps * outputs;
    if (!carry_out) {
      e.post_outputs += pixels * outputs;
      e.output_bits_written += pixels * outputs * output_bits;
      e.post_cycles += pixels * post_groups(n);
    }
    if (!whole_codes) {
      e.weight_cells_written += blocks * rows * columns;
      e.weight_rows_read += blocks * macros * all_load_rows(n);
      const int loads = keeps_weights ? 0 : resident ? 1 : blocks;
      e.weight_lines_written += loads * macros * all_load_rows(n) * weight_row_beats;
    }
    e.window_reads += pixels * walks_[tile.walk].ends.back();
    // A tile reads what the one before it did where its place in the row, its runs and its tensor are the same.
    const Tile& before = tiles_[static_cast<std::size_t>(std::max(0, n - 1))];
    const bool same = n > 0 && before.x == tile.x && before.walk == tile.walk && of_second(n - 1, 0) == of_second(n, 0);
    if (!same) lines = lines_read(n);
    e.activation_lines_read += lines;
  }
  e.compute_cycles = compute_cycles();
  e.activation_lines_written =
      std::int64_t{need(blocks - 1)} * (row_beats + (second && !broadcast ? second_beats : 0)) +
      (second && broadcast ? second_beats : 0);
  if (!carry_out) e.output_lines_read = e.memory_lines_written = std::int64_t{out_height} * out_row_beats;
  e.memory_lines_read = lines_loaded();
}

}  // namespace bitstrata::sim
