// SPDX-License-Identifier: Apache-2.0
// Memories of technologies against the macros that their coefficients come from.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "sim/gates/characterize.h"
#include "sim/gates/liberty.h"

namespace bitstrata::sim::gates {
namespace {

Library at(double voltage) {
  Library library;
  library.voltage = voltage;
  return library;
}

model::GateLevel memories(double feature, double voltage) {
  model::GateLevel g;
  set_memories(g, at(voltage), {feature, "lpddr4"});
  return g;
}

// Liberty files of VLSIDA/sky130_sram_macros, port 0, TT, 1.8 V, 25 C: pJ of a write and a read.
struct Macro {
  int words, bits;
  double write, read;
};
constexpr Macro macros[] = {{256, 32, 4.811986, 4.656097},
                            {512, 32, 5.347443, 5.127148},
                            {1024, 32, 7.149745, 7.085848},
                            {1024, 8, 3.131025, 3.517849}};

TEST(Memories, AreThoseOfTheMacros) {
  const model::GateLevel g = memories(130e-9, 1.8);
  for (const auto& [words, bits, write, read] : macros) {
    const double joules = g.memory_cycle + bits * g.memory_access * std::sqrt(1.0 * words * bits);
    EXPECT_NEAR(joules / ((write + read) / 2 * 1e-12), 1, 0.062) << words << " x " << bits;
  }
  // Outlines in um: LEF files of the 1 and 2 KB macros, ISCAS 2023, table I, of those of 4 and 8 KB.
  const struct {
    double bits, width, height;
  } outlines[] = {{8192, 479.78, 397.5},
                  {8192, 455.3, 446.46},
                  {16384, 683.1, 416.54},
                  {32768, 693.9, 668.8},
                  {65536, 1093.8, 720.5}};
  for (const auto& [bits, width, height] : outlines)
    EXPECT_NEAR((g.memory_block + bits * g.memory_area) / (width * height * 1e-12), 1, 0.035) << bits;
  EXPECT_NEAR(g.memory_leakage, 83.5e-12, 1e-15);
}

TEST(Memories, ScaleWithNodeAndVoltage) {
  const model::GateLevel from = memories(130e-9, 1.8), to = memories(65e-9, 0.9);
  EXPECT_NEAR(to.memory_cycle / from.memory_cycle, 1.0 / 8, 1e-12);
  EXPECT_NEAR(to.memory_access / from.memory_access, 1.0 / 8, 1e-12);
  EXPECT_NEAR(to.memory_block / from.memory_block, 1.0 / 4, 1e-12);
  EXPECT_NEAR(to.memory_area / from.memory_area, 1.0 / 4, 1e-12);
  EXPECT_EQ(to.memory_leakage, from.memory_leakage);
}

}  // namespace
}  // namespace bitstrata::sim::gates
