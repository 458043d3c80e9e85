// SPDX-License-Identifier: Apache-2.0
// bitstrata table: its cells against bitstrata run, HAQ's layout, layer lists, refused widths, misuse.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "tests/cli/process.h"

namespace {

using namespace bitstrata;
using namespace bitstrata::testing;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A NumPy file: its header and its numbers of eight bytes.
template <typename T>
struct Array {
  std::string header;
  std::vector<T> values;
  explicit Array(const std::filesystem::path& file) {
    const std::string bytes = read_text(file);
    if (bytes.size() < 10 || bytes.substr(0, 8) != std::string("\x93NUMPY\x01\x00", 8)) return;
    const std::size_t length = static_cast<unsigned char>(bytes[8]) + 256U * static_cast<unsigned char>(bytes[9]);
    header = bytes.substr(10, length);
    values.resize((bytes.size() - 10 - length) / sizeof(T));
    std::memcpy(values.data(), bytes.data() + 10 + length, values.size() * sizeof(T));
  }
};

class TableVerb : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  TemporaryFolder folder_;
};

TEST_F(TableVerb, CellsAreThoseOfUniformPlans) {
  const Finished finished = run_program({"table", "--network", "lenet5", "--technology", "ad-pim", "--max-weight-bits",
                                         "5", "--max-activation-bits", "4", "--out", path("out")});
  ASSERT_EQ(finished.status, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("a layer writes as many bits as it reads"));
  EXPECT_THAT(finished.out, HasSubstr("16 plans of random widths"));
  const Array<std::int64_t> cycles(path("out/cycles.npy"));
  EXPECT_THAT(cycles.header, StartsWith("{'descr': '<i8', 'fortran_order': False, 'shape': (5, 5, 4,), }"));
  EXPECT_EQ((cycles.header.size() + 10) % 64, 0U);
  ASSERT_EQ(cycles.values.size(), 100U);
  const Array<double> energy(path("out/energy_ad-pim.npy"));
  ASSERT_EQ(energy.values.size(), 100U);
  int compared = 0;
  for (const auto& [w, a] : {std::pair{1, 1}, {5, 2}, {3, 4}}) {
    const json run =
        json::parse(run_program({"run", "--network", "lenet5", "--weight-bits", fmt::format("{}", w),
                                 "--activation-bits", fmt::format("{}", a), "--technology", "ad-pim", "--json"})
                        .out);
    std::size_t layer = 0;
    for (const json& row : run.at("layers")) {
      if (row.at("kind") != "convolution") continue;
      const std::size_t cell = (layer++ * 5 + static_cast<std::size_t>(w) - 1) * 4 + static_cast<std::size_t>(a) - 1;
      EXPECT_EQ(cycles.values[cell], row.at("events").at("cycles")) << row.at("layer") << " " << w << "/" << a;
      EXPECT_NEAR(energy.values[cell], row.at("energy_pj").at("ad-pim").get<double>(), 1e-6);
      ++compared;
    }
  }
  EXPECT_EQ(compared, 15);
  const std::string csv = read_text(path("out/table.csv"));
  EXPECT_THAT(csv,
              StartsWith("layer,kind,weight_bits,activation_bits,output_bits,macs,cycles,latency_us,energy_ad-pim_pj,"
                         "refused\nconv1,convolution,1,1,1,117600,"));
  EXPECT_THAT(csv, HasSubstr("\nfc3,convolution,5,4,16,840,"));  // the network's output
  EXPECT_THAT(csv, HasSubstr("\npool1,max_pool,,4,4,0,"));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 5 * 20 + 2 * 4);
}

// 7.53 ns, where 5 are asked for.
TEST_F(TableVerb, LatencyIsThatOfTheClockReached) {
  const Finished finished = run_program({"table", "--network", "lenet5", "--technology", "osu018-pim-64",
                                         "--max-weight-bits", "1", "--max-activation-bits", "1", "--out", path("out")});
  ASSERT_EQ(finished.status, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("the gates of osu018-pim-64 reach 132.8 of the 200 MHz asked for"));
  const json summary = json::parse(read_text(path("out/summary.json")));
  EXPECT_NEAR(summary.at("clock_reached_mhz").get<double>(), 1e3 / 7.53, 1e-9);
  const std::string csv = read_text(path("out/table.csv"));
  const Array<std::int64_t> cycles(path("out/cycles.npy"));
  const std::int64_t first = cycles.values.at(0);
  EXPECT_THAT(csv, HasSubstr(fmt::format(",{},{:.6g},", first, static_cast<double>(first) * 7.53e-3)));
}

// The network's output is as wide as run has it: what the accelerator writes, of 16 bits at most.
TEST_F(TableVerb, NarrowAcceleratorsHaveATable) {
  const Finished finished =
      run_program({"table", "--network", "lenet5", "--architecture", "overlay-4x32x4", "--technology", "ad-pim",
                   "--max-weight-bits", "2", "--max-activation-bits", "2", "--out", path("out")});
  ASSERT_EQ(finished.status, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("the network's output: 8 bits"));
  EXPECT_EQ(json::parse(read_text(path("out/summary.json"))).at("refused_cells"), 0);
  EXPECT_THAT(read_text(path("out/table.csv")), HasSubstr("\nfc3,convolution,2,2,8,840,"));
}

TEST_F(TableVerb, SumsAreComparedWithTheNetwork) {
  const auto errors = [](const std::string& output_bits) {
    return json::parse(run_program({"table", "--network", "vgg_small", "--output-bits", output_bits, "--check-plans",
                                    "8", "--json"})
                           .out)
        .at("sums_against_network");
  };
  const json same = errors("0"), wide = errors("16");
  EXPECT_EQ(same.at("plans"), 8);
  EXPECT_LT(same.at("mean_absolute_percent"), 5);
  // A table that takes every output for 16 bits wide overestimates.
  EXPECT_GT(wide.at("mean_percent"), same.at("mean_absolute_percent"));
}

TEST_F(TableVerb, TakesLayerLists) {
  folder_.write("net.csv",
                "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"
                "a, 18, 18, 3, 3, 4, 8, 1,\nb, 1, 1, 1, 1, 128, 10, 1,\n");
  const Finished finished = run_program({"table", "--network", path("net.csv"), "--max-weight-bits", "2",
                                         "--max-activation-bits", "3", "--out", path("out"), "--json"});
  ASSERT_EQ(finished.status, 0) << finished.err;
  EXPECT_EQ(json::parse(finished.out).at("layers"), json({"a", "b"}));
  const Array<std::int64_t> cycles(path("out/cycles.npy"));
  ASSERT_EQ(cycles.values.size(), 12U);
  for (const std::int64_t value : cycles.values) EXPECT_GT(value, 0);
  EXPECT_EQ(json::parse(finished.out).at("output_width"), "a layer writes as many bits as it reads (activation_bits)");
  // A fixed output width holds for the last line of a list, too: nothing makes it the network's output.
  const Finished fixed = run_program({"table", "--network", path("net.csv"), "--max-weight-bits", "1",
                                      "--max-activation-bits", "1", "--output-bits", "9", "--out", path("fixed")});
  ASSERT_EQ(fixed.status, 0) << fixed.err;
  EXPECT_THAT(read_text(path("fixed/table.csv")), HasSubstr("\nb,convolution,1,1,9,1280,"));
}

// JSON is UTF-8, names of files and layers need not be.
TEST_F(TableVerb, NamesOfOtherBytesAreReplaced) {
  folder_.write("net.csv", "Layer,M,N,K\na\xff\xfe,4,8,16\n");
  const std::string out = path("out\xff");
  const Finished finished = run_program({"table", "--network", path("net.csv"), "--max-weight-bits", "1",
                                         "--max-activation-bits", "1", "--out", out, "--json"});
  ASSERT_EQ(finished.status, 0) << finished.err;
  EXPECT_EQ(json::parse(finished.out).at("layers"), json({"a\ufffd\ufffd"}));
  EXPECT_EQ(json::parse(read_text(out + "/summary.json")).at("layers"), json({"a\ufffd\ufffd"}));
}

TEST_F(TableVerb, RefusedWidthsAreMarked) {
  folder_.write("narrow.yaml", "max_weight_bits: 3\n");
  const Finished finished = run_program({"table", "--network", "lenet5", "--architecture", path("narrow.yaml"),
                                         "--max-weight-bits", "4", "--max-activation-bits", "1", "--out", path("out")});
  ASSERT_EQ(finished.status, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("5 cells are refused, for example: "));
  const Array<std::int64_t> cycles(path("out/cycles.npy"));
  ASSERT_EQ(cycles.values.size(), 20U);
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(cycles.values[i] == -1, i % 4 == 3) << i;
}

TEST_F(TableVerb, ARefusedLayerLeavesNoTotal) {
  folder_.write("list.csv", "Layer,M,N,K\nsmall,4,8,16\nhuge,4,200000,2000000\n");
  const Finished finished = run_program({"table", "--network", path("list.csv"), "--max-weight-bits", "1",
                                         "--max-activation-bits", "1", "--check-plans", "0", "--out", path("out")});
  ASSERT_EQ(finished.status, 0) << finished.err;
  EXPECT_THAT(finished.out, ::testing::ContainsRegex("\ntotal +-\n"));
  EXPECT_THAT(finished.out, HasSubstr("1 cells are refused, for example: layer 'huge': "));
  EXPECT_THAT(finished.out, HasSubstr("a column with a refused layer has no total"));
  EXPECT_THAT(read_text(path("out/table.csv")), HasSubstr("addresses of 32 bits reach 4294967296"));
}

TEST_F(TableVerb, NothingToPriceIsAnError) {
  folder_.write("list.csv", "Layer,M,N,K\nhuge,4,200000,2000000\nlarge,4,300000,2000000\n");
  for (const char* form : {"--quiet", "--json"}) {
    const Finished finished = run_program({"table", "--network", path("list.csv"), "--max-weight-bits", "2",
                                           "--max-activation-bits", "1", "--out", path("out"), form});
    EXPECT_EQ(finished.status, 2) << form;
    EXPECT_EQ(finished.out, "");
    EXPECT_EQ(finished.error_lines(), 1) << finished.err;
    EXPECT_THAT(finished.err, HasSubstr("no cell of the table can be priced, for example: layer 'huge': "));
    EXPECT_FALSE(std::filesystem::exists(path("out")));
  }
}

// Whether the file is there or not: what it would be is no network.
TEST_F(TableVerb, OtherVerbsSayWhereListsBelong) {
  folder_.write("list.csv", "Layer,M,N,K\nsmall,4,8,16\n");
  for (const char* verb : {"run", "verify", "generate", "evaluate", "quantize", "export"}) {
    const Finished finished = run_program({verb, "--network", path("list.csv")});
    EXPECT_EQ(finished.status, 2) << verb;
    EXPECT_EQ(finished.error_lines(), 1) << verb << ": " << finished.err;
    EXPECT_THAT(finished.err, HasSubstr("list.csv' is a list of layers: ")) << verb;
    EXPECT_THAT(finished.err, HasSubstr("bitstrata table --network")) << verb;
  }
  EXPECT_THAT(run_program({"run", "--network=some.csv"}).err, HasSubstr("'some.csv' is a list of layers"));
}

TEST_F(TableVerb, RefusesMisuse) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"table"},
                                             {"table", "--network", "lenet"},
                                             {"table", "--network", "none.csv"},
                                             {"table", "--network", "lenet5", "--max-weight-bits", "17"},
                                             {"table", "--network", "lenet5", "--output-bits", "-1"},
                                             {"table", "--network", "lenet5", "--architecture", "pim"}}) {
    const Finished finished = run_program(words);
    EXPECT_EQ(finished.status, 2) << finished.out;
    EXPECT_EQ(finished.error_lines(), 1) << finished.err;
  }
}

}  // namespace
