// SPDX-License-Identifier: Apache-2.0
// The images of `bitstrata run` on an engine: what they cost and what they show.
#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <vector>

#include "cli/workload.h"
#include "model/cost.h"
#include "model/golden.h"

namespace bitstrata::cli {

// What images show: accuracy, and the share of codes that are not zero.
class Tally {
 public:
  explicit Tally(const Workload& workload)
      : network_(workload.network),
        layout_(workload.imported ? &workload.imported->output : nullptr),
        nonzero_(network_.tensors.size()) {}

  // An image, and what it gives; its tensors one after the other, in any order.
  void add_image(const model::Codes& image) {
    add_tensor(0, image);
    const std::lock_guard lock(mutex_);
    ++images_;
  }
  void add_tensor(std::size_t tensor, const model::Codes& codes) {
    const std::int32_t zero = network_.tensors[tensor].zero_point;
    const std::int64_t others = std::ranges::count_if(codes, [&](std::int32_t code) { return code != zero; });
    const std::lock_guard lock(mutex_);
    nonzero_[tensor] += others;
  }
  void add_answer(const model::Codes& output, int label) {
    const std::lock_guard lock(mutex_);
    correct_ += (layout_ != nullptr ? layout_->largest(output) : model::argmax(output)) == label ? 1 : 0;
  }
  // Counts image `image`, whose label is among `labels` where there are any.
  void add_layer(std::size_t layer, const model::Codes& output, const std::vector<int>& labels, std::size_t image) {
    add_tensor(static_cast<std::size_t>(network_.layers[layer].output), output);
    if (layer + 1 == network_.layers.size() && !labels.empty()) add_answer(output, labels[image]);
  }

  int images() const { return images_; }
  int correct() const { return correct_; }
  double density(int tensor) const {
    const model::TensorFormat& format = network_.tensors[static_cast<std::size_t>(tensor)];
    if (format.coding == model::Coding::bipolar) return 1;  // a code stands for -1 or +1, never for zero
    return static_cast<double>(nonzero_[static_cast<std::size_t>(tensor)]) /
           (static_cast<double>(format.shape.elements()) * images_);
  }

 private:
  const model::IntegerNetwork& network_;
  const model::OutputLayout* layout_;  // of an ONNX file's output, whose order labels follow
  std::mutex mutex_;
  std::vector<std::int64_t> nonzero_;  // per tensor
  int images_ = 0, correct_ = 0;
};

// Events of a run, of one batch of images.
struct Execution {
  std::vector<model::Events> events;
  double cycles_per_cpu_second = 0;  // 0: no data were executed
  std::int64_t outputs_compared = 0;
  std::vector<std::vector<model::Toggles>> toggles;  // [run][layer], where they were counted
};

// The images in batches, several at once. `engine`: fast (predicts; the images go through the golden arithmetic),
// systemc or rtl, which count toggles if asked to. Throws CheckFailed where outputs differ from golden or cycles
// between runs.
Execution execute_images(const std::string& engine, const Common& common, const Workload& workload,
                         const Inputs& inputs, Tally& tally, bool toggles = false);

}  // namespace bitstrata::cli
