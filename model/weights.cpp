// SPDX-License-Identifier: Apache-2.0
#include "model/weights.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <stdexcept>

namespace bitstrata::model {

struct Weights::Content {
  std::vector<std::int16_t> kept;
  Source source;  // where they are not kept
  std::mutex mutex;
  std::size_t magnitudes_each = 0;  // 0: not gathered yet
  std::vector<std::int64_t> magnitudes;
};

Weights::Weights(std::vector<std::int16_t> values) : size_(values.size()) {
  if (values.empty()) return;
  content_ = std::make_shared<Content>();
  content_->kept = std::move(values);
}

Weights::Weights(std::size_t size, Source source) : size_(size) {
  if (size == 0) return;
  content_ = std::make_shared<Content>();
  content_->source = std::move(source);
}

WeightBlock Weights::block(std::size_t first, std::size_t count) const {
  if (first > size_ || count > size_ - first) throw std::out_of_range("weights past the last one");
  if (count == 0) return WeightBlock(std::vector<std::int16_t>{});
  if (!content_->source) return {content_, std::span(content_->kept).subspan(first, count)};
  std::vector<std::int16_t> made(count);
  content_->source(first, made);
  return WeightBlock(std::move(made));
}

void Weights::for_each_block(std::size_t each,
                             const std::function<void(std::size_t, const WeightBlock&)>& visit) const {
  const std::size_t step = std::max<std::size_t>(1, usual_block / std::max<std::size_t>(1, each)) * each;
  for (std::size_t first = 0; first < size_; first += step) visit(first, block(first, std::min(step, size_ - first)));
}

std::vector<std::int64_t> Weights::magnitudes(std::size_t each) const {
  if (size_ == 0 || each == 0) return {};
  const std::lock_guard lock(content_->mutex);
  if (content_->magnitudes_each != each) {
    std::vector<std::int64_t> sums((size_ + each - 1) / each, 0);
    for_each_block(each, [&](std::size_t first, const WeightBlock& block) {
      for (std::size_t i = 0; i < block.size(); i += each) {
        std::int64_t sum = 0;
        for (std::size_t k = i; k < std::min(block.size(), i + each); ++k) sum += std::abs(int{block[k]});
        sums[(first + i) / each] = sum;
      }
    });
    content_->magnitudes = std::move(sums);
    content_->magnitudes_each = each;
  }
  return content_->magnitudes;
}

bool Weights::operator==(const Weights& other) const {
  if (size_ != other.size_) return false;
  if (content_ == other.content_) return true;
  bool equal = true;
  for_each_block(1, [&](std::size_t first, const WeightBlock& block) {
    equal = equal && std::ranges::equal(block, other.block(first, block.size()));
  });
  return equal;
}

void Weights::push_back(std::int16_t value) {
  own().push_back(value);
  ++size_;
}

void Weights::pop_back() {
  own().pop_back();
  --size_;
}

std::vector<std::int16_t>& Weights::own() {
  if (!content_) content_ = std::make_shared<Content>();
  if (content_->source || content_.use_count() > 1) {
    const WeightBlock values = all();
    auto copy = std::make_shared<Content>();
    copy->kept.assign(values.begin(), values.end());
    content_ = std::move(copy);
  }
  content_->magnitudes_each = 0;
  return content_->kept;
}

}  // namespace bitstrata::model
