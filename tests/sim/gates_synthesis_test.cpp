// SPDX-License-Identifier: Apache-2.0
// Synthesis of the smallest accelerator, in a cache folder whose name Yosys' ABC would take for a quote.
#include <gtest/gtest.h>

#include <cstdlib>

#include "sim/gates/liberty.h"
#include "sim/gates/synthesis.h"
#include "tests/model/temporary.h"
#include "tests/sim/gates.h"

namespace {

using namespace bitstrata;
using namespace bitstrata::testing;

namespace fs = std::filesystem;

TEST(Synthesis, TakesACacheFolderOfAnyNameAndLeavesNothingElse) {
  if (!have_library() || !have("yosys")) GTEST_SKIP() << "yosys or osu018 are missing";
  const TemporaryFolder folder;
  fs::create_directory(folder / "tmp");
  ASSERT_EQ(setenv("BITSTRATA_CACHE", (folder / "the cache's").c_str(), 1), 0);
  ASSERT_EQ(setenv("TMPDIR", (folder / "tmp").c_str(), 1), 0);
  model::Architecture architecture;
  architecture.rows = architecture.columns = 4;
  architecture.max_weight_bits = architecture.max_activation_bits = 2;
  architecture.accumulator_bits = 16;
  architecture.data_bits = 32;
  architecture.activation_depth = architecture.output_depth = architecture.weight_depth = architecture.psum_depth = 4;
  architecture.parameter_depth = 4;
  architecture.post_lanes = architecture.burst_beats = architecture.outstanding = 1;
  architecture.event_counters = false;
  const sim::gates::Library library = sim::gates::read_liberty(osu018);
  const sim::gates::Synthesis made = sim::gates::synthesize(architecture, osu018, library, 10e-9);
  EXPECT_GT(made.seconds, 0);
  EXPECT_TRUE(fs::exists(made.netlist));
  EXPECT_EQ(made.netlist.parent_path().parent_path(), folder / "the cache's");
  EXPECT_TRUE(fs::is_empty(folder / "tmp"));
  EXPECT_EQ(sim::gates::synthesize(architecture, osu018, library, 10e-9).seconds, 0) << "it was made again";
}

}  // namespace
