// SPDX-License-Identifier: Apache-2.0
// Random networks that an architecture takes, and comparisons of what engines say of them. A comparison returns how
// many numbers were compared.
#pragma once

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "rtl/generate/program.h"
#include "sim/fast.h"
#include "tests/sim/random_layers.h"

namespace bitstrata::test {

// Draws networks until the architecture's buffers take one.
struct Draw {
  Draw(std::uint64_t number, const model::Architecture& architecture) : random(number) {
    while (true) {
      network = random_network(random, architecture);
      input = random_codes(random, network.tensors[0]);
      try {
        program = sim::lower(network, architecture);
        return;
      } catch (const std::invalid_argument&) {
        ++refused;
      }
    }
  }
  Random random;
  model::IntegerNetwork network;
  model::Codes input;
  generate::Program program;
  int refused = 0;
};

inline std::int64_t compare_tensors(const std::vector<model::Codes>& got, const std::vector<model::Codes>& wanted) {
  std::int64_t compared = 0;
  EXPECT_EQ(got.size(), wanted.size());
  for (std::size_t t = 1; t < wanted.size() && t < got.size(); ++t) {
    EXPECT_EQ(got[t], wanted[t]) << "tensor " << t;
    compared += static_cast<std::int64_t>(wanted[t].size());
  }
  return compared;
}

inline std::int64_t compare_events(const std::vector<model::Events>& got, const std::vector<model::Events>& wanted) {
  EXPECT_EQ(got.size(), wanted.size());
  for (std::size_t l = 0; l < wanted.size() && l < got.size(); ++l) {
    for (std::size_t e = 0; e < model::event_members.size(); ++e) {
      EXPECT_EQ(got[l].*model::event_members[e], wanted[l].*model::event_members[e])
          << "layer " << l << ", " << model::event_names[e];
    }
  }
  return static_cast<std::int64_t>(wanted.size() * model::event_members.size());
}

}  // namespace bitstrata::test
