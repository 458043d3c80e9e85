// SPDX-License-Identifier: Apache-2.0
// Activation buffer and the gathering of windows into vectors: rtl/bs_feeder.sv and its two bs_plane_buffer.
#pragma once

#include "sim/systemc/lines.h"
#include "sim/systemc/unit.h"

namespace bitstrata::sim::systemc {

class Feeder final : public Unit<FeederSignals> {
 public:
  Feeder(const sc_core::sc_module_name& name, Fabric& fabric, const model::Architecture& architecture);

  bool active(const Signals& now) const { return now.plane() || moves(now); }

  // Starts to count toggles of windows and of their lines; the counts so far, kept up to date.
  const model::Toggles& watch_from_now() {
    watches_ = true;
    watched_.assign(fresh_.size() * static_cast<std::size_t>(row_words_), 0);
    watched_lines_.assign(fresh_.size() * static_cast<std::size_t>(line_words_), 0);
    return toggles_;
  }

 private:
  static constexpr int most_planes = 16;
  using Vector = std::array<std::array<Word, most_rows / 64>, most_planes>;

  // A window, with the part of it inside the row, [low, high) of its bits, and the lines that part lies in.
  struct Window {
    int x = 0, length = 0, fill = 0, low = 0, high = 0;
    std::uint32_t slot = 0;
    int bits = 0;  // of its tensor
    bool second = false;
    bool last = false, use_this = false, use_next = false;
    bool tile_last = false, block_last = false;
    int vector = 0;  // of its group; with `last`, whether it completes the group
    bool group_end = false;
  };

  void reset_state(FeederSignals& shown) override;
  void clock_edge(const Signals& now, FeederSignals& next) override;
  // Whether anything but the array's register changes.
  bool moves(const Signals& now) const {
    return now.window_read() || now.release() || landing_ || now.window_take() ||
           now.beat_for(ReadTarget::activations) || now.sequencer.start || watches_;
  }
  Window clip(const WalkerSignals& walker) const;
  void read_window();
  void land();
  void watch_windows();
  void watch_lines();
  void watch_selects();
  void note_planes(const Window& window);
  int top_plane() const;
  void show_plane(const Signals& now, FeederSignals& next);
  void show_parts(const PlaneStep& step, Word* to) const;
  void show_codes(bool high, FeederSignals& next);
  const Word* line(const Window& window, int line, int plane) const;

  // Registers of the array, each in two places: the one that is shown and the one that is loaded next.
  std::array<std::vector<Word>, 2> planes_;
  std::array<std::vector<std::int64_t>, 2> codes_;
  bool next_place_ = false;

  Vector& vector(int slot, int v) { return vectors_[static_cast<std::size_t>(slot * most_vectors_ + v)]; }
  const Vector& vector(int slot, int v) const { return vectors_[static_cast<std::size_t>(slot * most_vectors_ + v)]; }

  const int most_vectors_;
  const bool skips_;
  const int data_bits_, line_words_, rows_, row_words_, columns_, code_width_;
  const std::uint32_t banks_, buffer_lines_;  // planes reached at once, lines of each parity
  std::array<std::vector<Word>, 2> buffer_;   // even and odd lines; a line at address a begins at a * line_words_
  // Layer.
  int row_bits_ = 0;
  bool whole_codes_ = false;   // one vector a group
  std::array<int, 2> bits_{};  // of the first and the second tensor
  std::array<bool, 2> signed_{};
  std::uint32_t zero_point_ = 0;
  // Window taken from the walker; window read in the last cycle, with its lines' data by plane (this line, next line).
  bool holds_ = false, landing_ = false;
  Window held_, landed_;
  std::array<std::array<Word, 8>, most_planes> landing_lines_{};
  Vector fresh_{};  // the landing window's part of its vector
  bool watches_ = false;
  std::vector<Word> watched_, watched_lines_;  // as they were in the last cycle
  std::array<Word, 3> selects_{};              // first banks of even and odd lines, rotation
  model::Toggles toggles_;
  // Two groups of vectors: vector v of slot s at s * group + v.
  std::vector<Vector> vectors_;
  std::array<int, 2> group_size_{};
  std::array<unsigned, 2> matters_{};  // planes of the group that a value needs
  std::array<bool, 2> group_last_{};
  int vector_ = 0;                       // of the group, that the next window to be read belongs to
  std::array<bool, 2> vector_second_{};  // of the second tensor
  int claimed_ = 0, filled_ = 0, write_slot_ = 0, read_slot_ = 0;
};

}  // namespace bitstrata::sim::systemc
