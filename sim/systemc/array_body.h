// SPDX-License-Identifier: Apache-2.0
// What the style makes of the array between the planes and the lanes: columns with their joiner, or dot units with
// their weight planes. Free of SystemC: the array's process calls it stage by stage.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/events.h"
#include "sim/systemc/macro.h"

namespace bitstrata::sim::systemc {

// A plane in the pipeline; `vectors`: of its group.
struct PlaneStage {
  bool valid = false, first = false, last = false, negative = false, shift = false;
  int weight_plane = 0, fold = 0, vectors = 1;
};

// Outputs of a tile of `channels` outputs, in macros that hold `full` of them.
struct TileOutputs {
  int channels = 0, full = 0;
  int of_macro(int t) const { return std::clamp(channels - t * full, 0, full); }
};

// The stages of a cycle: planes on the cells, counts that are added up (pim: up to four columns; overlay: in the dot
// units), pim: sums that are joined and accumulated; `joining`: the last plane's sums are complete.
struct PlaneStages {
  PlaneStage counting, adding_up, summing;
  bool joining = false;
  bool any() const { return joining || summing.valid || adding_up.valid || counting.valid; }
};

class ArrayBody {
 public:
  virtual ~ArrayBody() = default;

  virtual void reset() = 0;
  // From now on toggles are counted; `toggles` has their sums.
  virtual void watch(const model::Architecture& architecture) = 0;
  virtual model::Toggles toggles() const = 0;
  // The nets between registers in this cycle, if they are watched: `planes`, where the array's registers took some at
  // the last edge, meet the weights.
  virtual void settle(const PlaneStage& counting, const Word* planes) = 0;
  // A word of the weight buffer goes to macro t; before a layer, how wide its weights are.
  virtual void write_word(int t, int word, std::span<const Word> bits) = 0;
  virtual void configure(int weight_bits) = 0;
  // All stages, each from what the one before held in this cycle.
  virtual void step(const PlaneStages& stages, const TileOutputs& outputs, const Word* planes) = 0;
  // The first `lanes` lanes of macro t take their outputs' sums of a vector.
  virtual void take(int t, int lanes, int vector, std::int64_t activation_sum) = 0;

  std::vector<Macro>& macros() { return macros_; }
  const std::vector<Macro>& macros() const { return macros_; }

 protected:
  explicit ArrayBody(const model::Architecture& architecture)
      : macros_(static_cast<std::size_t>(architecture.tiles), Macro(architecture)) {}
  Macro& macro(int t) { return macros_[static_cast<std::size_t>(t)]; }

 private:
  std::vector<Macro> macros_;  // overlay: one, for its lanes
};

std::unique_ptr<ArrayBody> make_array_body(const model::Architecture& architecture);

}  // namespace bitstrata::sim::systemc
