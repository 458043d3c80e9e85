// SPDX-License-Identifier: Apache-2.0
// FPGA resources: the program's predictions are those that scripts/fpga fitted and the errors those that its points
// have; what was not fitted is said to be outside; files that leave something out are refused.
#include "model/fpga.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <iostream>
#include <sstream>

#include "model/fpga_parts.h"
#include "model/yaml_reader.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// A synthesized architecture of results/fpga/resources.csv: its columns by name.
using Point = std::map<std::string, std::string>;

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream stream(line);
  for (std::string cell; std::getline(stream, cell, ',');) cells.push_back(cell);
  return cells;
}

std::vector<Point> points_of(const std::string& family) {
  std::ifstream file(BITSTRATA_FPGA_POINTS);
  std::string line;
  std::getline(file, line);
  const std::vector<std::string> names = cells_of(line);
  std::vector<Point> points;
  while (std::getline(file, line)) {
    const std::vector<std::string> cells = cells_of(line);
    Point point;
    for (std::size_t i = 0; i < names.size(); ++i) point[names[i]] = i < cells.size() ? cells[i] : "";
    if (point["family"] == family) points.push_back(point);
  }
  return points;
}

Architecture architecture_of(const Point& point) {
  Architecture a;
  for (const std::string& key : architecture_keys()) {
    if (!point.contains(key)) continue;
    const std::string& cell = point.at(key);
    const std::string value = cell == "True" ? "true" : cell == "False" ? "false" : cell;
    set_parameter(a, key, YamlReader::from_text("v: " + value + "\n", "point").at("v"));
  }
  validate(a);
  return a;
}

class Family : public ::testing::TestWithParam<const char*> {};

TEST_P(Family, PredictsWhatTheScriptFitted) {
  const FpgaFamily family = load_fpga_family(GetParam());
  const std::vector<Point> points = points_of(GetParam());
  EXPECT_EQ(static_cast<std::size_t>(family.points), points.size());
  int compared = 0;
  for (const Point& point : points) {
    const FpgaUse use = predict_fpga(family, architecture_of(point));
    EXPECT_THAT(use.outside, IsEmpty()) << point.at("point");
    for (std::size_t i = 0; i < fpga_resource_names.size(); ++i) {
      // Halves may be rounded either way.
      EXPECT_NEAR(use.resources[i], std::stod(point.at(std::string("predicted_") + fpga_resource_names[i])), 1)
          << point.at("point") << " " << fpga_resource_names[i];
      ++compared;
    }
  }
  std::cout << compared << " predictions of " << points.size() << " architectures compared\n";
  EXPECT_GE(compared, 60);
}

// A point that helped to fit is predicted at least about as well as one that did not.
TEST_P(Family, IsAsGoodOnItsPointsAsItSays) {
  const FpgaFamily family = load_fpga_family(GetParam());
  const std::vector<Point> points = points_of(GetParam());
  int compared = 0;
  for (std::size_t i = 0; i < fpga_resource_names.size(); ++i) {
    double sum = 0, worst = 0;
    int counted = 0;
    for (const Point& point : points) {
      const double measured = std::stod(point.at(fpga_resource_names[i]));
      if (measured == 0) continue;
      const double error = std::abs(predict_fpga(family, architecture_of(point)).resources[i] / measured - 1);
      sum += error;
      worst = std::max(worst, error);
      ++counted;
    }
    ASSERT_GT(counted, 0);
    EXPECT_LE(sum / counted, family.resources[i].mean_error + 0.01) << fpga_resource_names[i];
    EXPECT_LE(worst, family.resources[i].worst_error + 0.01) << fpga_resource_names[i];
    compared += counted;
  }
  std::cout << compared << " predictions compared with synthesis\n";
}

TEST_P(Family, SaysWhereItsNumbersComeFrom) {
  const FpgaFamily family = load_fpga_family(GetParam());
  EXPECT_EQ(family.name, GetParam());
  EXPECT_THAT(family.tools, HasSubstr("Yosys"));
  EXPECT_THAT(family.source, HasSubstr("results/fpga"));
  EXPECT_FALSE(family.title.empty() || family.rules.empty());
  for (const FpgaFit& fit : family.resources) {
    EXPECT_FALSE(fit.unit.empty() || fit.coefficients.empty());
    EXPECT_GE(fit.worst_error, fit.mean_error);
    // Far fewer terms than points.
    EXPECT_LE(2 * fit.coefficients.size(), static_cast<std::size_t>(family.points));
  }
}

TEST_P(Family, SaysWhatIsOutside) {
  const FpgaFamily family = load_fpga_family(GetParam());
  Architecture a = architecture_of(points_of(GetParam()).front());
  const FpgaUse inside = predict_fpga(family, a);
  a.rows = 256;
  a.clock_gating = true;
  const FpgaUse outside = predict_fpga(family, a);
  EXPECT_THAT(outside.outside, ::testing::IsSupersetOf({"clock_gating", "rows"}));
  EXPECT_GT(outside.luts, inside.luts);
  EXPECT_EQ(inside.luts, inside.resources[0] + inside.resources[1] + family.resources[3].luts * inside.resources[3]);
}

INSTANTIATE_TEST_SUITE_P(Fpga, Family, ::testing::Values("xc7", "ecp5"),
                         [](const auto& family) { return family.param; });

TEST(FpgaFamilies, AreThoseWithPoints) {
  EXPECT_THAT(fpga_family_names(), UnorderedElementsAre("ecp5", "xc7"));
  EXPECT_THAT(message_of<std::runtime_error>([] { load_fpga_family("xc6"); }),
              AllOf(HasSubstr("no FPGA family 'xc6'"), HasSubstr("did you mean 'xc7'?")));
}

TEST(FpgaFamilies, FilesThatAreWrongAreRefused) {
  const TemporaryFolder folder;
  const std::string good = read_text(std::filesystem::path(BITSTRATA_FPGA_DEVICES) / "xc7.yaml");
  EXPECT_EQ(load_fpga_family(folder.write("good.yaml", good).string()).name, "xc7");
  const auto refused = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    return message_of<std::runtime_error>([&] { load_fpga_family(folder.write("bad.yaml", text).string()); });
  };
  EXPECT_THAT(refused("{shell:", "{shel:"),
              AllOf(HasSubstr("bad.yaml:"), HasSubstr("'shel' is nothing that is counted")));
  EXPECT_THAT(refused("{shell: ", "{shell: -"), HasSubstr("must not be negative"));
  EXPECT_THAT(refused("  rows: [", "  row: ["), HasSubstr("'row' is no parameter with a range"));
  EXPECT_THAT(refused("mean:", "median:"), HasSubstr("median"));
  EXPECT_THAT(refused("  dsp:", "  mul:"), HasSubstr("mul"));
}

// One lane without units, 16 x 16 cells, 32-bit lines, 8 buffers of 64 words.
Architecture small_architecture() {
  Architecture a;
  a.max_activation_bits = 4;
  a.max_weight_bits = 4;
  a.rows = a.columns = 16;
  a.data_bits = 32;
  a.weight_depth = a.psum_depth = a.parameter_depth = 32;
  a.accumulator_bits = 24;
  a.post_lanes = 1;
  a.activation_depth = 64;
  a.output_depth = 32;
  a.vector_unit = a.swish_unit = a.table_unit = a.event_counters = false;
  return a;
}

// Buffers by hand: 8 banks of 64 words of 32 bits are cheaper in LUTs on Xilinx; 4,096 words are not.
// One device of each family, by the numbers of its data sheet; LUTs are those of logic, memory and carries.
TEST(FpgaParts, TellSharesOfADevice) {
  const FpgaPart part = find_fpga_part("xc7z020");
  EXPECT_EQ(part.family, "xc7");
  EXPECT_EQ(part.has, (std::array{53200, 106400, 280, 220}));
  EXPECT_EQ(find_fpga_part("lfe5u-85f").has, (std::array{83640, 83640, 208, 156}));
  FpgaUse use;
  use.resources = {20000, 3300, 10640, 900, 140, 55};
  use.luts = 26600;
  const FpgaShare share = share_of(part, use);
  EXPECT_EQ(share.used, (std::array{26600.0, 10640.0, 140.0, 55.0}));
  EXPECT_EQ(share.percent, (std::array{50.0, 10.0, 50.0, 25.0}));
  EXPECT_TRUE(share.fits());
  EXPECT_EQ(share_text(part, share),
            "26600 of 53200 lut (50 %), 10640 of 106400 ff (10 %), 140 of 280 bram (50 %), 55 of 220 dsp (25 %)");
  use.resources[fpga_bram] = 281;
  EXPECT_FALSE(share_of(part, use).fits());
  EXPECT_THAT(share_text(part, share_of(part, use)), ::testing::EndsWith("DOES NOT FIT, for want of bram"));
  try {
    find_fpga_part("xc7z002");
    ADD_FAILURE() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'xc7z020'?"));
  }
  // Every device is of a family that is known.
  for (const FpgaPart& one : fpga_parts()) EXPECT_NO_THROW(load_fpga_family(one.family)) << one.name;
}

TEST(FpgaMemories, BecomeBlockRamsWhereThatIsCheaper) {
  const FpgaFamily family = load_fpga_family("xc7");
  Architecture a = small_architecture();
  EXPECT_EQ(predict_fpga(family, a).resources[fpga_bram], 0);
  a.activation_depth = 4096;  // 8 banks of 4,096 x 32 bits: 8 block RAMs of 4,096 x 4 each
  EXPECT_EQ(predict_fpga(family, a).resources[fpga_bram], 64);
}

// Products by hand: DSP48E1 multiply 25 x 18 bits.
TEST(FpgaMultipliers, FollowTheWidthsOfProducts) {
  const FpgaFamily family = load_fpga_family("xc7");
  const auto multipliers = [&](const Architecture& a) { return predict_fpga(family, a).resources.back(); };
  Architecture a = small_architecture();
  EXPECT_EQ(multipliers(a), 3);  // channels, columns, the requantizer; addresses of 8 and 7 bits stay LUTs
  a.activation_depth = 128;
  EXPECT_EQ(multipliers(a), 5);  // even and odd lines have addresses of 9 bits now
  a.accumulator_bits = 48;
  EXPECT_EQ(multipliers(a), 7);  // sums of 25 bits and two slices of 17
  a.vector_unit = true;
  EXPECT_EQ(multipliers(a), 10);
  a.post_lanes = 2;
  EXPECT_EQ(multipliers(a), 16);
}

}  // namespace
}  // namespace bitstrata::testing
