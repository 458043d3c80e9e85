// SPDX-License-Identifier: Apache-2.0
// The dot units of the style overlay with their weight planes (rtl/bs_macro.sv, bs_dot.sv) as arrays over vectors and
// outputs. Free of SystemC: the array's process calls it stage by stage, last pipeline stage first.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/architecture.h"
#include "sim/systemc/lines.h"
#include "sim/systemc/toggles.h"

namespace bitstrata::sim::systemc {

class Dots {
 public:
  explicit Dots(const model::Architecture& architecture);

  void reset();
  void write_plane(int output, int plane, const Word* bits);
  // Stages work on the first `vectors` vectors, whose planes lie one behind the other, and `outputs` outputs.
  void count(int vectors, int outputs, int weight_plane, const Word* activations);
  void accumulate(int vectors, int outputs, bool first, bool shift, bool negative);
  void capture();
  // From now on toggles are counted.
  void watch(const model::Architecture& architecture) { toggles_.emplace(architecture); }
  const model::Toggles* toggles() const { return toggles_ ? &toggles_->sums() : nullptr; }
  // The nets between registers in this cycle, if they are watched: `activations`, where the array's registers took
  // planes of `vectors` vectors at the last edge, meet plane `weight_plane` of the weights.
  void settle(int vectors, int weight_plane, const Word* activations);
  // Captured sums of a vector, by output.
  const std::int64_t* held(int vector) const { return &held_[at(vector)]; }

 private:
  std::size_t at(int vector) const { return static_cast<std::size_t>(vector) * static_cast<std::size_t>(outputs_); }

  int outputs_, row_words_;
  // Word w of plane p of output n at ((p * row_words) + w) * outputs + n: a plane's words of all outputs are
  // neighbours.
  std::vector<Word> planes_;
  std::vector<std::int64_t> counts_, sums_, held_;
  std::optional<ArrayToggles> toggles_;
  bool written_ = false;  // a plane was written at the last edge
};

}  // namespace bitstrata::sim::systemc
