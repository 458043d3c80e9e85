// SPDX-License-Identifier: Apache-2.0
// Which channels can only be removed together: those that additions and products join, and what a depthwise layer
// makes of them. One implementation for all searches.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/plan.h"
#include "model/stages.h"

namespace bitstrata::model {

// Channels with one fate. Index k of a group is the same channel in every tensor that holds the group.
struct ChannelGroup {
  int size = 0;             // channels
  std::vector<int> stages;  // that write it, in network order; empty: the network's input
  std::string fixed;        // why no channel of it can be removed; empty: they can
};

struct ChannelGroups {
  std::vector<ChannelGroup> groups;
  // By node: the groups whose channels lie behind one another in its value.
  std::vector<std::vector<int>> nodes;
  // By stage: the same of the tensor that it reads, and of the one it writes.
  std::vector<std::vector<int>> inputs, outputs;
};

// `layout` is that of `network`.
ChannelGroups channel_groups(const Network& network, const Layout& layout);

// How many channels of every group `plan` keeps: the most that one of its stages asks for, all of a fixed group.
std::vector<int> group_counts(const ChannelGroups& groups, const Plan& plan);

// Sets the channels of the plan's layers from those of the groups.
void set_channels(const ChannelGroups& groups, const std::vector<int>& counts, Plan& plan);

// Kept channels of every group, ascending.
using KeptChannels = std::vector<std::vector<std::int64_t>>;

KeptChannels all_channels(const ChannelGroups& groups);

// Where the kept channels lie in a tensor that is made of `parts`.
std::vector<std::int64_t> positions(const ChannelGroups& groups, const std::vector<int>& parts,
                                    const KeptChannels& kept);

}  // namespace bitstrata::model
