// SPDX-License-Identifier: Apache-2.0
#include "quant/search/channel_levels.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "model/stages.h"

namespace bitstrata::quant {

namespace {

constexpr int most_tried = 64;  // counts of a group: each is a network to be priced

}  // namespace

std::vector<std::vector<int>> channel_levels(const model::Network& network, model::PlanPrices& prices, int most,
                                             int least) {
  const model::Layout layout = model::lay_out(network);
  const model::ChannelGroups groups = model::channel_groups(network, layout);
  std::vector<int> all;
  for (const model::ChannelGroup& group : groups.groups) all.push_back(group.size);
  std::vector<std::vector<int>> levels(groups.groups.size());
  for (std::size_t g = 0; g < levels.size(); ++g) {
    const model::ChannelGroup& group = groups.groups[g];
    const int lowest = std::max({least, (group.size + 7) / 8, 1});
    if (!group.fixed.empty() || lowest >= group.size || most < 2) continue;
    const int stride = (group.size + most_tried - 1) / most_tried;
    std::vector<int> steps;  // descending, without all
    std::int64_t above = -1;
    for (int count = group.size; count >= lowest; count -= stride) {
      std::vector<int> counts = all;
      counts[g] = count;
      model::Plan plan = model::uniform_plan(network, 8, 8);
      model::set_channels(groups, counts, plan);
      const std::int64_t cycles = prices.total(plan).cycles;
      if (above >= 0 && cycles < above) steps.push_back(count);
      if (above < 0 || cycles < above) above = cycles;
    }
    std::vector<int>& chosen = levels[g];
    for (int n = 1; n < most; ++n) {
      const double wanted = static_cast<double>(group.size) * n / most;
      const auto nearest = std::ranges::min_element(steps, {}, [&](int count) { return std::abs(count - wanted); });
      if (nearest != steps.end() && std::ranges::find(chosen, *nearest) == chosen.end()) chosen.push_back(*nearest);
    }
    if (chosen.empty()) continue;
    chosen.push_back(group.size);
    std::ranges::sort(chosen);
  }
  return levels;
}

}  // namespace bitstrata::quant
