// SPDX-License-Identifier: Apache-2.0
#include "cli/compared_run.h"

#include <utility>

namespace bitstrata::cli {

namespace {

Deviations deviations(const model::Codes& codes, const model::Codes& golden) {
  Deviations found;
  for (std::size_t i = 0; i < golden.size(); ++i) {
    if (codes[i] != golden[i]) found.push_back({i, codes[i]});
  }
  return found;
}

model::Codes with(const Deviations& found, model::Codes golden) {
  for (const Deviation& d : found) golden[d.place] = d.code;
  return golden;
}

// With one other side, an image each.
std::vector<ValueComparison> comparisons(const Workload& workload, std::size_t images, int first, const Pair& pair) {
  std::vector<ValueComparison> all;
  for (std::size_t i = 0; i < images; ++i) all.emplace_back(workload.network, first + static_cast<int>(i), pair);
  return all;
}

}  // namespace

ComparedRun::ComparedRun(const Workload& workload, std::span<const model::Codes> images, int first,
                         const std::vector<FinishedRun>& earlier, const std::string& name)
    : earlier_(earlier),
      with_golden_(comparisons(workload, images.size(), first, {name, "golden"})),
      finished_{name, std::vector<std::vector<Deviations>>(images.size()), {}} {
  for (const model::Codes& image : images) golden_.emplace_back(workload.network, image);
  for (const FinishedRun& other : earlier)
    with_others_.push_back(comparisons(workload, images.size(), first, {name, other.name}));
}

void ComparedRun::add(std::size_t layer, const std::vector<model::Codes>& images) {
  for (std::size_t i = 0; i < images.size(); ++i) {
    const model::Codes& golden = golden_.at(i).step();
    with_golden_[i].add(layer, images[i], golden);
    for (std::size_t e = 0; e < earlier_.size(); ++e) {
      const Deviations& found = earlier_[e].images[i].at(layer);
      if (found.empty()) {
        with_others_[e][i].add(layer, images[i], golden);
      } else {
        with_others_[e][i].add(layer, images[i], with(found, golden));
      }
    }
    finished_.images[i].push_back(deviations(images[i], golden));
  }
}

FinishedRun ComparedRun::finish(std::vector<model::Events> layers) {
  finished_.layers = std::move(layers);
  return std::move(finished_);
}

}  // namespace bitstrata::cli
