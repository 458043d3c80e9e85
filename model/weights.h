// SPDX-License-Identifier: Apache-2.0
// The weights of a layer: kept in memory, or obtained block by block, each time they are read, from whoever has or
// makes them. Whoever reads large networks takes blocks, so that what it needs does not depend on a layer's size.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

namespace bitstrata::model {

// Neighbouring weights, in memory for as long as this lives.
class WeightBlock {
 public:
  WeightBlock(std::shared_ptr<const void> keeps, std::span<const std::int16_t> values)
      : keeps_(std::move(keeps)), values_(values) {}
  explicit WeightBlock(std::vector<std::int16_t> made) : made_(std::move(made)), values_(made_) {}
  WeightBlock(WeightBlock&&) = default;  // the span stays: moving a vector keeps its elements where they are
  WeightBlock& operator=(WeightBlock&&) = default;
  WeightBlock(const WeightBlock&) = delete;
  WeightBlock& operator=(const WeightBlock&) = delete;

  std::size_t size() const { return values_.size(); }
  const std::int16_t* data() const { return values_.data(); }
  std::int16_t operator[](std::size_t index) const { return values_[index]; }
  auto begin() const { return values_.begin(); }
  auto end() const { return values_.end(); }

 private:
  std::shared_ptr<const void> keeps_;
  std::vector<std::int16_t> made_;
  std::span<const std::int16_t> values_;
};

// A value: copies share their content until one of them is changed.
class Weights {
 public:
  // Fills `block` with the weights from number `first` on; the same ones every time, from several threads at once.
  using Source = std::function<void(std::size_t first, std::span<std::int16_t> block)>;
  // A network's weights are kept up to this many in all; more come from their Source.
  static constexpr std::int64_t most_kept = std::int64_t{1} << 22;
  // A block of this many is small beside a program's own memory.
  static constexpr std::size_t usual_block = std::size_t{1} << 18;

  Weights() = default;
  Weights(std::vector<std::int16_t> values);  // NOLINT: weights are often a vector
  Weights(std::initializer_list<std::int16_t> values) : Weights(std::vector<std::int16_t>(values)) {}
  Weights(std::size_t size, Source source);

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Throws what the source throws.
  WeightBlock block(std::size_t first, std::size_t count) const;
  WeightBlock all() const { return block(0, size_); }
  // Calls visit(first, block) for all of them, in blocks of whole groups of `each` neighbouring weights.
  void for_each_block(std::size_t each, const std::function<void(std::size_t, const WeightBlock&)>& visit) const;
  // Sums of |weight| of the groups of `each` neighbouring weights: of the channels, for all that bounds need to know.
  // Gathered once.
  std::vector<std::int64_t> magnitudes(std::size_t each) const;
  bool operator==(const Weights& other) const;

  // Changes; weights of a source are fetched and kept then.
  std::int16_t& operator[](std::size_t index) { return own()[index]; }
  void assign(std::size_t count, std::int16_t value) { *this = std::vector<std::int16_t>(count, value); }
  void push_back(std::int16_t value);
  void pop_back();

 private:
  struct Content;
  std::vector<std::int16_t>& own();

  std::size_t size_ = 0;
  std::shared_ptr<Content> content_;
};

}  // namespace bitstrata::model
