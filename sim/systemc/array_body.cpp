// SPDX-License-Identifier: Apache-2.0
#include "sim/systemc/array_body.h"

#include "sim/systemc/dots.h"

namespace bitstrata::sim::systemc {

namespace {

class Columns final : public ArrayBody {
 public:
  explicit Columns(const model::Architecture& architecture) : ArrayBody(architecture) {}

  void reset() override {
    for (Macro& macro : macros()) macro.reset();
  }
  void watch(const model::Architecture& architecture) override {
    for (Macro& macro : macros()) macro.watch(architecture);
  }
  model::Toggles toggles() const override {
    model::Toggles sums;
    for (const Macro& macro : macros()) sums += *macro.toggles();
    sums.activation_toggles /= static_cast<std::int64_t>(macros().size());  // macros share the lines of the planes
    return sums;
  }
  void settle(const PlaneStage& counting, const Word* planes) override {
    for (Macro& macro : macros()) macro.settle(planes, counting.fold);
  }
  void write_word(int t, int word, std::span<const Word> bits) override { macro(t).write_word(word, bits); }
  void configure(int weight_bits) override {
    weight_bits_ = weight_bits;
    for (Macro& macro : macros()) macro.configure(weight_bits);
  }
  void step(const PlaneStages& stages, const TileOutputs& outputs, const Word* planes) override {
    const PlaneStage &sum = stages.summing, &add = stages.adding_up;
    int t = 0;
    for (Macro& macro : macros()) {
      const int columns = outputs.of_macro(t++) * weight_bits_;
      if (columns == 0) break;
      if (sum.valid) macro.sum(columns, sum.first, sum.negative, sum.fold, stages.joining);
      if (add.valid) macro.accumulate(columns, add.first, add.negative, add.fold);
      if (stages.counting.valid) macro.count(columns, planes, stages.counting.fold);
    }
  }
  void take(int t, int lanes, int, std::int64_t activation_sum) override {
    macro(t).take_joined(lanes, activation_sum);
  }

 private:
  int weight_bits_ = 0;
};

class DotUnits final : public ArrayBody {
 public:
  explicit DotUnits(const model::Architecture& architecture) : ArrayBody(architecture), dots_(architecture) {}

  void reset() override {
    macro(0).reset();
    dots_.reset();
  }
  void watch(const model::Architecture& architecture) override {
    dots_.watch(architecture);
    macro(0).watch(architecture);
  }
  model::Toggles toggles() const override {
    model::Toggles sums = *dots_.toggles();
    sums += *macros().front().toggles();
    return sums;
  }
  void settle(const PlaneStage& counting, const Word* planes) override {
    dots_.settle(counting.vectors, counting.weight_plane, planes);
  }
  void write_word(int, int word, std::span<const Word> bits) override {
    dots_.write_plane(word / weight_bits_, word % weight_bits_, bits.data());
  }
  void configure(int weight_bits) override {
    weight_bits_ = weight_bits;
    macro(0).configure(weight_bits);
  }
  void step(const PlaneStages& stages, const TileOutputs& outputs, const Word* planes) override {
    const PlaneStage &add = stages.adding_up, &count = stages.counting;
    const int here = outputs.of_macro(0);
    if (stages.joining) dots_.capture();
    if (add.valid) dots_.accumulate(add.vectors, here, add.first, add.shift, add.negative);
    if (count.valid) dots_.count(count.vectors, here, count.weight_plane, planes);
  }
  void take(int t, int lanes, int vector, std::int64_t activation_sum) override {
    macro(t).take_sums(lanes, dots_.held(vector), activation_sum);
  }

 private:
  Dots dots_;
  int weight_bits_ = 0;
};

}  // namespace

std::unique_ptr<ArrayBody> make_array_body(const model::Architecture& architecture) {
  if (architecture.overlay()) return std::make_unique<DotUnits>(architecture);
  return std::make_unique<Columns>(architecture);
}

}  // namespace bitstrata::sim::systemc
