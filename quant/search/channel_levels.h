// SPDX-License-Identifier: Apache-2.0
// How many channels a search may keep of every group.
#pragma once

#include <vector>

#include "model/channel_groups.h"
#include "model/plan_prices.h"

namespace bitstrata::quant {

// By channel group of the network: at most `most` counts, ascending, all channels included, none below `least` nor
// below an eighth; empty for groups whose channels all stay. Counts lie where the network's measured cycles (8/8, all
// other channels kept) step down: between two steps the larger count costs the same. Of the steps those nearest to even
// shares of the channels are taken.
std::vector<std::vector<int>> channel_levels(const model::Network& network, model::PlanPrices& prices, int most,
                                             int least);

}  // namespace bitstrata::quant
