// SPDX-License-Identifier: Apache-2.0
// Yosys and OpenSTA, whose scripts split paths, with a cache and a library of awkward names. Two minutes of CPU.
#include <gmock/gmock.h>

#include <cstdlib>

#include "sim/gates/buffers.h"
#include "sim/gates/liberty.h"
#include "sim/gates/netlist.h"
#include "sim/gates/synthesis.h"
#include "tests/sim/gates.h"

namespace {

using namespace bitstrata;
using namespace bitstrata::sim::gates;
using namespace bitstrata::testing;

TEST(Synthesis, TakesAnyNameOfTheCacheAndOfTheLibrary) {
  if (!have_library() || !have("yosys") || !have("sta")) GTEST_SKIP() << "yosys, sta or osu018 are missing";
  const TemporaryFolder folder;
  const std::filesystem::path cache = folder / "it's a \"cache\" $HOME", liberty = folder / "it's {a} library;.lib";
  std::filesystem::copy_file(osu018, liberty);
  ASSERT_EQ(setenv("BITSTRATA_CACHE", cache.c_str(), 1), 0);
  const model::Architecture a = small_architecture();
  const Library library = read_liberty(liberty);
  const Synthesis made = synthesize(a, library, 1e-8);
  EXPECT_EQ(made.netlist.parent_path().parent_path(), cache);
  EXPECT_GT(made.seconds, 0);
  const TimingOptions options;
  const BufferRule rule = buffer_rule(library, options);
  const Netlist netlist = read_netlist(made.netlist, library, {.buffers = &rule});
  EXPECT_GT(netlist.cells.size(), 1000U);
  const double period = clock_period(netlist, library);
  EXPECT_GT(period, 1e-9);
  EXPECT_LT(period, 1e-7);
  EXPECT_EQ(synthesize(a, library, 1e-8).seconds, 0) << "what is in the cache was made again";
}

}  // namespace
