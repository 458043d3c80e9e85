// SPDX-License-Identifier: Apache-2.0
// One engine's run of a batch, compared with golden and with the engines before it layer by layer, so that no more than
// a layer's tensors and those that golden still reads are ever there.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cli/comparison.h"
#include "model/golden.h"

namespace bitstrata::cli {

// Where an engine's codes are not golden: nowhere, as long as all is well.
struct Deviation {
  std::size_t place;
  std::int32_t code;
};
using Deviations = std::vector<Deviation>;

// What is kept of an engine that has run, for later ones to be compared with.
struct FinishedRun {
  std::string name;
  std::vector<std::vector<Deviations>> images;  // [image][layer]
  std::vector<model::Events> layers;
};

class ComparedRun {
 public:
  // Engine `name` on `images`, the first of which is image `first`; `workload` and `earlier` are referred to.
  ComparedRun(const Workload& workload, std::span<const model::Codes> images, int first,
              const std::vector<FinishedRun>& earlier, const std::string& name);

  // A sim::ShowLayer: takes all layers in their order.
  void add(std::size_t layer, const std::vector<model::Codes>& images);

  // An image each.
  const std::vector<ValueComparison>& with_golden() const { return with_golden_; }
  const std::vector<ValueComparison>& with_other(std::size_t earlier) const { return with_others_[earlier]; }
  FinishedRun finish(std::vector<model::Events> layers);

 private:
  const std::vector<FinishedRun>& earlier_;
  std::vector<model::Inference> golden_;
  std::vector<ValueComparison> with_golden_;
  std::vector<std::vector<ValueComparison>> with_others_;
  FinishedRun finished_;
};

}  // namespace bitstrata::cli
