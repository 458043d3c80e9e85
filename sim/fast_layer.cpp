// SPDX-License-Identifier: Apache-2.0
#include "sim/fast_layer.h"

#include <algorithm>
#include <bit>
#include <map>
#include <stdexcept>
#include <tuple>

namespace bitstrata::sim {

namespace {

using namespace generate;

int low16(const Descriptor& d, DescriptorWord word) { return static_cast<int>(d[word] & 0xffffu); }
int low24(const Descriptor& d, DescriptorWord word) { return static_cast<int>(d[word] & 0xffffffu); }
int ceil_div(int a, int b) { return (a + b - 1) / b; }

// Lines of a row that hold valid bits of the window [x, x + size): 0, 1 or 2 (bs_feeder).
int lines_of_window(std::int64_t x, std::int64_t size, std::int64_t row_bits, int line_shift) {
  const std::int64_t first = std::max<std::int64_t>(x, 0);
  const std::int64_t last = std::min(x + size, row_bits) - 1;
  if (last < first) return 0;
  const std::int64_t line = x >> line_shift;
  return ((first >> line_shift) == line ? 1 : 0) + ((last >> line_shift) != line ? 1 : 0);
}

}  // namespace

FastLayer::FastLayer(const Descriptor& d, const model::Architecture& a)
    : values(d.opcode() != OP_CONVOLUTION),
      resident(d.control(C_RESIDENT)),
      keeps_weights(d.keeps_weights()),
      second(d.control(C_SECOND)),
      broadcast(d.control(C_BROADCAST)),
      carry_in(d.control(C_CARRY_IN)),
      carry_out(d.control(C_CARRY_OUT)),
      weight_bits(d.weight_bits()),
      activation_bits(d.activation_bits()),
      second_bits(static_cast<int>(d[D_WIDTHS] >> 24 & 31)),
      output_bits(d.output_bits()),
      array_rows(a.rows),
      macros_built(values ? 1 : a.tiles),  // operators on single values use the first macro only
      weight_depth(a.weight_depth),
      line_bits(a.data_bits),
      post_lanes(a.post_lanes),
      weight_row_beats(ceil_div(a.columns, a.data_bits)),
      blocks(low16(d, D_BLOCKS)),
      k_tiles(low16(d, D_K_TILES)),
      n_tiles(low16(d, D_N_TILES)),
      out_width(low16(d, D_OUT_WIDTH)),
      out_height(low16(d, D_OUT_HEIGHT)),
      block_rows(low16(d, D_BLOCK_ROWS)),
      lanes(low16(d, D_LANES)),
      out_row_beats(low24(d, D_OUT_ROW_BEATS)),
      in_slots(low16(d, D_IN_SLOTS)),
      rows_needed(low16(d, D_ROWS_NEEDED)),
      row_beats(low24(d, D_IN_ROW_BEATS)),
      second_beats(low24(d, D_SECOND_ROW_BEATS)),
      param_beats(low24(d, D_PARAM_BEATS)),
      fetch_beats(DESCRIPTOR_WORDS * 32 / a.data_bits),
      vector_interval(low16(d, D_VECTOR_INTERVAL)),
      join_steps(weight_bits > 8   ? 4
                 : weight_bits > 4 ? 3
                 : weight_bits > 2 ? 2
                                   : 1),
      descriptor_(d),
      two_inputs_(d.opcode() == OP_ADD || d.opcode() == OP_MULTIPLY),
      rows_last_(low16(d, D_ROWS_LAST)) {
  if (blocks < 1 || k_tiles < 1 || n_tiles < 1 || out_width < 1 || out_height < 1 || block_rows < 1 || lanes < 1 ||
      in_slots < 1 || vector_interval < 1 || row_beats < 1 || param_beats < 1 || out_row_beats < 1) {
    throw std::invalid_argument("descriptor with an empty loop");
  }
  lay_tiles();
}

// Output tiles in their order: they do not cross segments.
void FastLayer::lay_tiles() {
  const Descriptor& d = descriptor_;
  const int capacity = macros_built * lanes, next = low16(d, D_SEGMENT_NEXT);
  int left = low16(d, D_SEGMENT_CHANNELS), segment = 0;
  if (left < 1 || next < 1) throw std::invalid_argument("descriptor with an empty segment");
  std::int64_t x = 0, segment_x = 0;
  for (int n = 0; n < n_tiles; ++n) {
    const int outputs = std::min(capacity, left);
    const int run = values ? outputs : low16(d, D_RUN_LENGTH);
    std::size_t w = 0;
    while (w < walks_.size() && walks_[w].run_length != run) ++w;
    if (w == walks_.size()) walks_.push_back({run, walk(run)});
    tiles_.push_back({outputs, segment, x, w});
    left -= outputs;
    if (left == 0) {
      left = next;
      ++segment;
      x = segment_x += d[D_SEGMENT_STEP_X] & 0xfffffu;
    } else {
      x += d[D_TILE_STEP_X] & 0xfffffu;
    }
  }
}

int FastLayer::need(int block) const {
  const int end = descriptor_.as_signed(D_PIXEL_START_Y) + block * low16(descriptor_, D_BLOCK_STEP_Y) +
                  low16(descriptor_, D_BLOCK_SPAN);
  return std::clamp(end, 0, rows_needed);
}

int FastLayer::freed_after(int block) const {
  return std::max(0, descriptor_.as_signed(D_PIXEL_START_Y) + (block + 1) * low16(descriptor_, D_BLOCK_STEP_Y));
}

int FastLayer::rows_in_block(int block) const { return std::min(block_rows, out_height - block * block_rows); }

int FastLayer::macros_used(int n) const { return std::max(1, ceil_div(tile_outputs(n), lanes)); }

int FastLayer::macro_outputs(int n, int macro) const { return std::clamp(tile_outputs(n) - macro * lanes, 0, lanes); }

int FastLayer::post_groups(int n) const {
  int groups = 0;
  for (int macro = 0; macro < macros_used(n); ++macro)
    groups += std::max(1, ceil_div(macro_outputs(n, macro), post_lanes));
  return groups;
}

// The walk of bs_walker over the runs of a pixel, cut into row tiles and windows.
std::vector<std::vector<GatherWindow>> FastLayer::walk(int run_length) const {
  const Descriptor& d = descriptor_;
  const int count_x = low16(d, D_RUN_COUNT_X), count_y = low16(d, D_RUN_COUNT_Y);
  const std::int64_t step_x = d[D_RUN_STEP_X] & 0xfffffu;
  const int step_y = low16(d, D_RUN_STEP_Y);
  if (run_length < 1) throw std::invalid_argument("descriptor with an empty run");
  std::vector<std::vector<GatherWindow>> tiles(static_cast<std::size_t>(k_tiles));
  int run_x = 0, run_y = 0, position = 0;
  for (auto& tile : tiles) {
    int fill = 0;
    for (bool vector_end = false; !vector_end;) {
      const int size = std::min({line_bits, run_length - position, array_rows - fill});
      tile.push_back({run_x * step_x + position, std::int64_t{run_y} * step_y, size});
      position += size;
      fill += size;
      const bool run_end = position == run_length;
      vector_end = fill == array_rows || (values && run_end);
      if (!run_end) continue;
      position = 0;
      if (++run_x == count_x) {
        run_x = 0;
        if (++run_y == count_y) vector_end = true;
      }
    }
  }
  return tiles;
}

// Lines, of all planes, read for all vectors of output tile n.
std::int64_t FastLayer::bits_read(int n) const {
  const Descriptor& d = descriptor_;
  const int line_shift = std::bit_width(static_cast<unsigned>(line_bits)) - 1;
  const std::int64_t row_bits = d[D_IN_ROW_BITS] & 0xfffffu, endless = std::int64_t{1} << 40;
  const int start_y = d.as_signed(D_PIXEL_START_Y), in_height = low16(d, D_IN_HEIGHT);
  const int step_y = low16(d, D_PIXEL_STEP_Y), block_step = low16(d, D_BLOCK_STEP_Y);
  // Output rows whose input row at offset y exists.
  std::map<std::int64_t, std::int64_t> rows_at;
  std::int64_t total = 0;
  for (int k = 0; k < k_tiles; ++k) {
    const bool other = of_second(n, k);
    const std::int64_t start_x =
        d.as_signed(other ? D_SECOND_START_X : D_PIXEL_START_X) + tiles_[static_cast<std::size_t>(n)].x;
    const std::int64_t step_x = d[other ? D_SECOND_STEP_X : D_PIXEL_STEP_X] & 0xfffffu;
    for (const auto& window : windows(n, k)) {
      const auto [rows, is_new] = rows_at.try_emplace(window.y, 0);
      if (is_new) {
        for (int y = 0; y < out_height; ++y) {
          const std::int64_t at = start_y + y / block_rows * block_step + y % block_rows * step_y + window.y;
          rows->second += at >= 0 && at < in_height ? 1 : 0;
        }
      }
      if (rows->second == 0) continue;
      std::int64_t lines = 0;
      for (int x = 0; x < out_width; ++x) {
        lines += lines_of_window(start_x + window.x + x * step_x, window.size, other ? endless : row_bits, line_shift);
      }
      total += lines * rows->second * (other ? second_bits : activation_bits);
    }
  }
  return total;
}

void FastLayer::add_counts(model::Events& e) const {
  const std::int64_t pixels = std::int64_t{out_width} * out_height;
  const std::int64_t planes = values ? 0 : activation_bits;
  // An output tile's lines repeat where neither its place in the row nor its runs change.
  std::map<std::tuple<std::int64_t, std::size_t, bool>, std::int64_t> lines;
  for (int n = 0; n < n_tiles; ++n) {
    const Tile& tile = tiles_[static_cast<std::size_t>(n)];
    const std::int64_t outputs = tile.outputs, columns = outputs * weight_bits;
    std::int64_t rows = 0, window_count = 0;
    for (int k = 0; k < k_tiles; ++k) {
      rows += tile_rows(k);
      window_count += static_cast<std::int64_t>(windows(n, k).size());
    }
    const std::int64_t vectors = pixels * k_tiles;
    e.vectors += vectors;
    e.plane_steps += vectors * planes;
    e.column_steps += vectors * planes * columns;
    e.cell_steps += pixels * planes * columns * rows;
    if (!values) e.joiner_adds += vectors * (columns - outputs);
    e.accumulator_reads += (vectors - (carry_in ? 0 : pixels)) * outputs;
    e.accumulator_writes += vectors * outputs;
    if (!carry_out) {
      e.post_outputs += pixels * outputs;
      e.output_bits_written += pixels * outputs * output_bits;
      e.post_cycles += pixels * post_groups(n);
    }
    if (!values) {
      e.weight_cells_written += blocks * rows * columns;
      e.weight_rows_read += blocks * rows * macros_used(n);
      const int loads = keeps_weights ? 0 : resident ? 1 : blocks;
      e.weight_lines_written += loads * rows * macros_used(n) * weight_row_beats;
    }
    e.window_reads += pixels * window_count;
    const auto [known, is_new] = lines.try_emplace({tile.x, tile.walk, of_second(n, 0)}, 0);
    if (is_new) known->second = bits_read(n);
    e.activation_lines_read += known->second;
  }
  e.compute_cycles = e.weight_rows_read + (values ? e.vectors : e.plane_steps);
  e.activation_lines_written =
      std::int64_t{need(blocks - 1)} * (row_beats + (second && !broadcast ? second_beats : 0)) +
      (second && broadcast ? second_beats : 0);
  if (!carry_out) e.output_lines_read = e.memory_lines_written = std::int64_t{out_height} * out_row_beats;
  e.memory_lines_read = std::int64_t{fetch_beats} + param_beats + e.activation_lines_written + e.weight_lines_written;
}

}  // namespace bitstrata::sim
