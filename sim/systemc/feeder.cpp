// SPDX-License-Identifier: Apache-2.0
#include "sim/systemc/feeder.h"

#include <algorithm>
#include <bit>

namespace bitstrata::sim::systemc {

using namespace generate;

Feeder::Feeder(const sc_core::sc_module_name& name, Fabric& fabric, const model::Architecture& architecture)
    : Unit(name, fabric, &Signals::feeder),
      most_vectors_(architecture.vectors),
      skips_(architecture.skip_planes),
      data_bits_(architecture.data_bits),
      line_words_((architecture.data_bits + 63) / 64),
      rows_(architecture.rows),
      row_words_((architecture.rows + 63) / 64),
      columns_(architecture.columns),
      code_width_(code_width(architecture)),
      banks_(static_cast<std::uint32_t>(architecture.plane_banks())),
      buffer_lines_(banks_ * static_cast<std::uint32_t>(architecture.activation_depth)) {
  vectors_.resize(static_cast<std::size_t>(2 * most_vectors_));
  for (auto& half : buffer_) half.resize(std::size_t{buffer_lines_} * static_cast<std::size_t>(line_words_));
  for (auto& place : planes_) place.resize(static_cast<std::size_t>(most_vectors_ * row_words_));
  for (auto& place : codes_) place.resize(static_cast<std::size_t>(columns_));
}

void Feeder::reset_state(FeederSignals& shown) {
  shown = {};
  for (auto& place : planes_) std::ranges::fill(place, 0);
  for (auto& place : codes_) std::ranges::fill(place, 0);
  shown.plane = planes_[0].data();
  shown.codes = codes_[0].data();
  holds_ = landing_ = false;
  claimed_ = filled_ = write_slot_ = read_slot_ = vector_ = 0;
}

// The part of the walker's window inside its row, and the lines it lies in: line x / data_bits and the one after it.
Feeder::Window Feeder::clip(const WalkerSignals& walker) const {
  Window w{.x = walker.x,
           .length = walker.length,
           .fill = walker.fill,
           .slot = walker.slot,
           .bits = bits_[walker.second],
           .second = walker.second,
           .last = walker.last,
           .tile_last = walker.tile_last,
           .block_last = walker.block_last};
  w.low = std::clamp(walker.row_begin - w.x, 0, w.length);
  // The second tensor is never read beyond its rows.
  w.high = w.second ? w.length : std::clamp(walker.row_begin + row_bits_ - w.x, 0, w.length);
  if (!walker.row_valid || w.high <= w.low) w.low = w.high = 0;
  const int width = std::countr_zero(static_cast<unsigned>(data_bits_));
  const int first_line = w.x >> width;
  if (w.high != 0) {
    w.use_this = (w.x + w.low) >> width == first_line;
    w.use_next = (w.x + w.high - 1) >> width != first_line;
  }
  return w;
}

const Word* Feeder::line(const Window& window, int line, int plane) const {
  const auto pair = static_cast<std::uint32_t>((line >> 1) * window.bits + plane);
  const std::uint32_t address = (window.slot + pair) & (buffer_lines_ - 1);
  return &buffer_[static_cast<std::size_t>(line & 1)][std::size_t{address} * static_cast<std::size_t>(line_words_)];
}

// Reads the held window's lines, this one and the next one end to end. 32-bit lines share a word.
void Feeder::read_window() {
  landed_ = held_;
  landed_.vector = vector_;
  landed_.group_end = held_.last && (vector_ + 1 == most_vectors_ || held_.tile_last || whole_codes_);
  if (held_.last) vector_ = landed_.group_end ? 0 : vector_ + 1;
  const int first_line = held_.x >> std::countr_zero(static_cast<unsigned>(data_bits_));
  for (int p = 0; p < held_.bits; ++p) {
    auto& lines = landing_lines_[static_cast<std::size_t>(p)];
    const Word* const here = line(held_, first_line, p);
    const Word* const beside = line(held_, first_line + 1, p);
    if (data_bits_ < 64) {
      lines[0] = held_.use_this ? *here : 0;
      if (held_.use_next) lines[0] |= *beside << data_bits_;
      continue;
    }
    for (int w = 0; w < line_words_; ++w) {
      const auto word = static_cast<std::size_t>(w), words = static_cast<std::size_t>(line_words_);
      if (held_.use_this) lines[word] = here[w];
      if (held_.use_next) lines[words + word] = beside[w];
    }
  }
}

// Merges the window read in the last cycle into the vector being filled. Outside the row it brings the zero point.
void Feeder::land() {
  const Window& w = landed_;
  const int offset = w.x & (data_bits_ - 1), word_count = std::max(1, 2 * data_bits_ / 64);
  vector_second_[static_cast<std::size_t>(write_slot_)] = w.second;
  Vector& planes = vector(write_slot_, w.vector);
  const bool keeps_fresh = skips_ || watches_;
  for (int i = w.fill >> 6; i < row_words_; ++i) {
    const auto word = static_cast<std::size_t>(i);
    const Word inside = mask_word(w.fill + w.low, w.fill + w.high, i);
    const Word outside = mask_word(w.fill, w.fill + w.length, i) & ~inside;
    const Word kept = w.fill == 0 ? 0 : ~Word{0};
    const int first = offset + i * 64 - w.fill;
    for (std::size_t p = 0; p < static_cast<std::size_t>(w.bits); ++p) {
      Word bits = (zero_point_ >> p & 1) != 0 ? outside : 0;
      if (inside != 0) bits |= bits_at(landing_lines_[p].data(), word_count, first) & inside;
      planes[p][word] = (planes[p][word] & kept) | bits;
      if (keeps_fresh) fresh_[p][word] = bits;
    }
  }
  if (skips_) note_planes(w);
}

// Planes and rows that a window does not reach are zero on the lines, and so is everything while none lands.
void Feeder::watch_windows() {
  for (std::size_t p = 0; p < fresh_.size(); ++p) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(row_words_); ++i) {
      const bool reached = landing_ && static_cast<int>(p) < landed_.bits && static_cast<int>(i) >= landed_.fill >> 6;
      const Word bits = reached ? fresh_[p][i] : 0;
      Word& last = watched_[p * static_cast<std::size_t>(row_words_) + i];
      toggles_.window_toggles += std::popcount(bits ^ last);
      last = bits;
    }
  }
}

// The two lines merged into one: from the window's offset on the first one, before it the next one.
void Feeder::watch_lines() {
  const int offset = landed_.x & (data_bits_ - 1);
  for (std::size_t p = 0; p < fresh_.size(); ++p) {
    const bool reached = landing_ && static_cast<int>(p) < landed_.bits;
    const Word* const lines = landing_lines_[p].data();
    for (int i = 0; i < line_words_; ++i) {
      Word bits = 0;
      if (reached) {
        const Word from_this = mask_word(offset, data_bits_, i);
        const Word next = data_bits_ < 64 ? lines[0] >> data_bits_ : lines[line_words_ + i];
        if (landed_.use_this) bits |= lines[i] & from_this;
        if (landed_.use_next) bits |= next & mask_word(0, offset, i);
      }
      Word& last = watched_lines_[p * static_cast<std::size_t>(line_words_) + static_cast<std::size_t>(i)];
      toggles_.line_toggles += std::popcount(bits ^ last);
      last = bits;
    }
  }
}

// Where the planes of the window being read begin among the banks, and how far they are rotated.
void Feeder::watch_selects() {
  const auto select = [&](std::size_t which, Word value) {
    toggles_.select_toggles += std::popcount(value ^ selects_[which]);
    selects_[which] = value;
  };
  const int first = held_.x >> std::countr_zero(static_cast<unsigned>(data_bits_));
  for (const int line : {first, first + 1}) {
    if (line == first ? !held_.use_this : !held_.use_next) continue;
    const auto address = held_.slot + static_cast<std::uint32_t>((line >> 1) * held_.bits);
    select(static_cast<std::size_t>(line & 1), address & (banks_ - 1));
  }
  select(2, static_cast<Word>(held_.x - held_.fill) & static_cast<Word>(data_bits_ - 1));
}

// A plane matters where a bit of it differs from the sign, or is not zero where codes are unsigned.
void Feeder::note_planes(const Window& w) {
  unsigned matters = 0;
  const auto& signs = fresh_[static_cast<std::size_t>(w.bits - 1)];
  for (int p = 0; p < w.bits; ++p) {
    const auto& plane = fresh_[static_cast<std::size_t>(p)];
    Word differences = 0;
    for (auto i = static_cast<std::size_t>(w.fill >> 6); i < static_cast<std::size_t>(row_words_); ++i) {
      differences |= signed_[0] ? plane[i] ^ signs[i] : plane[i];
    }
    if (differences != 0) matters |= 1U << p;
  }
  unsigned& all = matters_[static_cast<std::size_t>(write_slot_)];
  all = w.fill == 0 && w.vector == 0 ? matters : all | matters;
}

// Values begin at the highest plane that matters, signed ones with a plane of signs above it.
int Feeder::top_plane() const {
  const unsigned matters = matters_[static_cast<std::size_t>(read_slot_)];
  return matters == 0 ? 0 : std::bit_width(matters) - 1 + (signed_[0] ? 1 : 0);
}

void Feeder::show_plane(const Signals& now, FeederSignals& next) {
  next_place_ = !next_place_;
  Word* to = planes_[next_place_].data();
  next.plane = to;
  const PlaneStep step = now.plane_step();
  if (step.fold != 0) {
    show_parts(step, to);
    return;
  }
  for (int v = 0; v < group_size_[static_cast<std::size_t>(read_slot_)]; ++v, to += row_words_) {
    const auto& from = vector(read_slot_, v)[static_cast<std::size_t>(step.activation)];
    for (int w = 0; w < row_words_; ++w) to[w] = from[static_cast<std::size_t>(w)];
  }
}

// The planes from step.activation on, one in each part of the rows; those above the highest are empty, and a sign plane
// is turned over.
void Feeder::show_parts(const PlaneStep& step, Word* to) const {
  const int part = rows_ >> step.fold, top = bits_[0] - 1;
  std::fill_n(to, row_words_, Word{0});
  for (int s = 0; s < 1 << step.fold && step.activation + s <= top; ++s) {
    const int plane = step.activation + s;
    const auto& from = vector(read_slot_, 0)[static_cast<std::size_t>(plane)];
    for (int w = 0; w < row_words_; ++w) {
      const Word rows = mask_word(s * part, (s + 1) * part, w);
      if (rows == 0) continue;
      Word bits = bits_at(from.data(), row_words_, w * 64 - s * part);
      if (signed_[0] && plane == top) bits = ~bits;
      to[w] |= bits & rows;
    }
  }
}

void Feeder::show_codes(bool high, FeederSignals& next) {
  next_place_ = !next_place_;
  std::int64_t* const to = codes_[next_place_].data();
  next.codes = to;
  const Vector& codes = vector(read_slot_, 0);
  const bool second = vector_second_[static_cast<std::size_t>(read_slot_)];
  const int bits = bits_[second], up = high ? code_width_ : 0;
  const int lanes = std::min(columns_, row_words_ * 64);
  for (int j = 0; j < lanes; ++j) {
    const auto word = static_cast<std::size_t>(j >> 6);
    std::int64_t code = 0;
    for (int p = 0; p < bits; ++p) {
      const auto bit = static_cast<std::int64_t>(codes[static_cast<std::size_t>(p)][word] >> (j & 63) & 1);
      code += p == bits - 1 && signed_[second] ? -(bit << p) : bit << p;
    }
    to[j] = code * (std::int64_t{1} << up);
  }
}

void Feeder::clock_edge(const Signals& now, FeederSignals& next) {
  const bool read = now.window_read(), release = now.release();
  const bool claim = read && held_.fill == 0 && vector_ == 0, completes = landing_ && landed_.group_end;
  // What the array takes is read before the buffers change.
  if (now.plane()) show_plane(now, next);
  if (!moves(now)) return;
  if (now.codes()) show_codes(now.streamer.codes_high, next);
  if (landing_) land();
  if (watches_) {
    watch_windows();
    watch_lines();
  }
  const int completed_vector = landed_.vector;
  const bool completed_last = landed_.tile_last;
  if (read) {
    if (watches_) watch_selects();
    read_window();
  }
  landing_ = read;
  if (now.beat_for(ReadTarget::activations)) {
    const std::uint32_t address = now.loader.activation_address & (buffer_lines_ - 1);
    const auto at = std::size_t{address} * static_cast<std::size_t>(line_words_);
    Word* to = &buffer_[now.loader.activation_odd][at];
    std::copy_n(now.memory.rdata.begin(), line_words_, to);
    if (data_bits_ < 64) *to &= (Word{1} << data_bits_) - 1;
  }
  claimed_ += static_cast<int>(claim) - static_cast<int>(release);
  filled_ += static_cast<int>(completes) - static_cast<int>(release);
  if (completes) {
    group_size_[static_cast<std::size_t>(write_slot_)] = completed_vector + 1;
    group_last_[static_cast<std::size_t>(write_slot_)] = completed_last;
    write_slot_ ^= 1;
  }
  if (release) read_slot_ ^= 1;
  if (now.window_take()) {
    held_ = clip(now.walker);
    holds_ = true;
  } else if (read) {
    holds_ = false;
  }
  if (now.sequencer.start) {
    const Descriptor& d = now.sequencer.descriptor;
    bits_ = {d.activation_bits(), second_bits(d)};
    row_bits_ = d.get<F_IN_ROW_BITS>();
    signed_ = {d.get<F_SIGNED>(), d.get<F_SECOND_SIGNED>()};
    zero_point_ = d.get<F_ZERO_POINT>();
    whole_codes_ = d.whole_codes();
  }
  next.holds = holds_;
  next.may_read = holds_ && (held_.fill != 0 || vector_ != 0 || claimed_ != 2);
  next.window_waits = holds_ && !next.may_read && held_.block_last;
  next.lines = static_cast<std::uint8_t>((held_.use_this + held_.use_next) * held_.bits);
  next.vector_ready = filled_ != 0;
  next.group_size = static_cast<std::uint8_t>(group_size_[static_cast<std::size_t>(read_slot_)]);
  next.group_last = group_last_[static_cast<std::size_t>(read_slot_)];
  next.top_plane = static_cast<std::uint8_t>(skips_ ? top_plane() : bits_[0] - 1);
}

}  // namespace bitstrata::sim::systemc
