// SPDX-License-Identifier: Apache-2.0
// A generated design goes through its own synthesis script. Minutes, even for the smallest design: Yosys spends its
// time on the buffers.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>

#include "tests/cli/process.h"

namespace {

using namespace bitstrata::testing;
using ::testing::HasSubstr;

TEST(GeneratedDesign, GoesThroughItsYosysScript) {
  const TemporaryFolder folder;
  folder.write("small.yaml",
               "format: bitstrata-architecture-1\nrows: 4\ncolumns: 4\nmax_weight_bits: 2\nmax_activation_bits: 2\n"
               "accumulator_bits: 16\ndata_bits: 32\nactivation_depth: 4\noutput_depth: 4\nweight_depth: 4\n"
               "psum_depth: 4\nparameter_depth: 4\npost_lanes: 1\nburst_beats: 1\noutstanding: 1\n"
               "event_counters: false\n");
  const std::string design = (folder / "design").string();
  const Finished generated =
      run_program({"generate", "--architecture", (folder / "small.yaml").string(), "--out", design});
  ASSERT_EQ(generated.status, 0) << generated.err;
  EXPECT_EQ(std::system(fmt::format("'{0}/synth/run_yosys.sh' > '{0}/log' 2>&1", design).c_str()), 0)
      << read_text(folder / "design/log");
  EXPECT_THAT(read_text(folder / "design/synth/build/generic.stat"), HasSubstr("Number of cells"));
  EXPECT_THAT(read_text(folder / "design/synth/build/bitstrata_generic.v"), HasSubstr("module bitstrata_top"));
}

}  // namespace
