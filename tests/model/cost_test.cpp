// SPDX-License-Identifier: Apache-2.0
// Measurements and events: sums, time, and the three views of the event table.
#include "model/cost.h"

#include <gtest/gtest.h>

#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;

TEST(Events, EveryMemberIsSummed) {
  Events a, b;
  std::int64_t value = 1;
  for (auto member : event_members) {
    a.*member = value;
    b.*member = 1000 * value;
    ++value;
  }
  a += b;
  value = 1;
  for (auto member : event_members) EXPECT_EQ(a.*member, 1001 * value++);
  EXPECT_EQ(event_names.size(), event_members.size());
  EXPECT_EQ(event_meanings.size(), event_members.size());
  EXPECT_EQ(event_names.front(), "cycles");
}

TEST(Measurement, TotalsAndLatency) {
  Measurement m{.origin = Origin::systemc, .clock_mhz = 200};
  m.layers.resize(2);
  m.layers[0].events.cycles = 1500;
  m.layers[1].events.cycles = 500;
  m.layers[1].events.vectors = 7;
  EXPECT_EQ(m.total().cycles, 2000);
  EXPECT_EQ(m.total().vectors, 7);
  EXPECT_DOUBLE_EQ(m.latency_us(), 10.0);
  m.clock_mhz = 0;
  EXPECT_THROW(m.latency_us(), std::logic_error);
}

TEST(Measurement, LatencyIsAnImagesShare) {
  Measurement m{.clock_mhz = 200, .batch = 4};
  m.layers.resize(2);
  m.layers[0].events.cycles = 1500;
  m.layers[1].events.cycles = 500;
  EXPECT_DOUBLE_EQ(m.latency_us(), 2.5);
  EXPECT_DOUBLE_EQ(m.latency_us(m.layers[0]), 1.875);
}

TEST(Origin, HasWords) {
  EXPECT_STREQ(to_string(Origin::rtl), "rtl");
  EXPECT_STREQ(to_string(Origin::systemc), "systemc");
  EXPECT_STREQ(to_string(Origin::fast), "fast");
  EXPECT_STREQ(to_string(Origin::table), "table");
}

}  // namespace
}  // namespace bitstrata::testing
