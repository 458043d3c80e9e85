// SPDX-License-Identifier: Apache-2.0
// The conditions of `sweep --where`, on points whose columns are made by hand.
#include "cli/condition.h"

#include <gmock/gmock.h>

namespace bitstrata::cli {
namespace {

using ::testing::HasSubstr;

// A point of number n has n luts and latency n / 2; that of number 3 has no energy.
std::vector<Column> columns() {
  return {{"luts", [](const SweepPoint& p) { return Cell(p.number); }},
          {"latency_us", [](const SweepPoint& p) { return Cell(static_cast<double>(p.number) / 2); }},
          {"energy_pj", [](const SweepPoint& p) { return p.number == 3 ? Cell() : Cell(100.0); }},
          {"network", [](const SweepPoint& p) { return Cell(std::string(p.number == 1 ? "lenet5" : "resnet8")); }},
          {"memory.read_latency", [](const SweepPoint&) { return Cell(std::int64_t{20}); }},
          {"clock_gating", [](const SweepPoint& p) { return Cell(p.number == 2); }}};
}

// Which of the points 1 to 4 it holds for.
std::string chosen(const std::string& text) {
  const Condition condition(text, columns());
  std::string numbers;
  for (int n = 1; n <= 4; ++n) {
    SweepPoint point;
    point.number = n;
    if (condition.holds(point)) numbers += static_cast<char>('0' + n);
  }
  return numbers;
}

std::string refusal(const std::string& text) {
  try {
    return "chose " + chosen(text);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

TEST(Condition, ComparesColumnsAndValues) {
  EXPECT_EQ(chosen("luts < 3"), "12");
  EXPECT_EQ(chosen("luts<=3"), "123");
  EXPECT_EQ(chosen("3 > luts"), "12");
  EXPECT_EQ(chosen("latency_us >= 1.5e0"), "34");
  EXPECT_EQ(chosen("luts == 2"), "2");
  EXPECT_EQ(chosen("luts = 2"), "2");
  EXPECT_EQ(chosen("luts != 2"), "134");
  EXPECT_EQ(chosen("luts > -1"), "1234");
  EXPECT_EQ(chosen("network == 'lenet5'"), "1");
  EXPECT_EQ(chosen("network != \"lenet5\""), "234");
  EXPECT_EQ(chosen("memory.read_latency = 20"), "1234");
  EXPECT_EQ(chosen("clock_gating"), "2");
  EXPECT_EQ(chosen("clock_gating == false"), "134");
  EXPECT_EQ(chosen("latency_us < luts"), "1234");
}

TEST(Condition, AndBindsBeforeOrAndNotBeforeBoth) {
  EXPECT_EQ(chosen("luts = 1 or luts = 2 and latency_us > 9"), "1");
  EXPECT_EQ(chosen("(luts = 1 or luts = 2) and latency_us < 1"), "1");
  EXPECT_EQ(chosen("not luts = 1 and luts < 3"), "2");
  EXPECT_EQ(chosen("not (luts = 1 and luts < 3)"), "234");
  EXPECT_EQ(chosen("not not luts = 1"), "1");
}

// Neither a comparison nor its opposite holds for what is not known; an alternative that is known does.
TEST(Condition, LeavesOutWhatIsNotKnown) {
  EXPECT_EQ(chosen("energy_pj < 200"), "124");
  EXPECT_EQ(chosen("not energy_pj > 200"), "124");
  EXPECT_EQ(chosen("energy_pj > 200 or luts = 3"), "3");
  EXPECT_EQ(chosen("not (energy_pj > 200 and luts = 4)"), "1234");
}

TEST(Condition, SaysWhatItDoesNotUnderstand) {
  EXPECT_THAT(refusal("latencyus < 5"),
              HasSubstr("is 'latencyus' (words stand in quotes); did you mean 'latency_us'?"));
  EXPECT_THAT(refusal("luts < 'many'"), HasSubstr("luts is a number, and 'many' is words"));
  EXPECT_THAT(refusal("network < 'm'"), HasSubstr("network is words, which has no order; it takes == and !="));
  EXPECT_THAT(refusal("luts"), HasSubstr("luts is a number and no condition"));
  EXPECT_THAT(refusal("1 < luts < 3"), HasSubstr("'<' at place 10 stands where and, or, or the end is expected"));
  EXPECT_THAT(refusal("luts < 3 luts"), HasSubstr("'luts' at place 10 stands where and, or, or the end"));
  EXPECT_THAT(refusal("(luts < 3"), HasSubstr("it ends where ')' is expected"));
  EXPECT_THAT(refusal("luts <"), HasSubstr("it ends where a column or a value is expected"));
  EXPECT_THAT(refusal("luts < and"), HasSubstr("'and' at place 8 stands where a column or a value"));
  EXPECT_THAT(refusal("luts < 5.000.000"), HasSubstr("'5.000.000' at place 8 is no number"));
  EXPECT_THAT(refusal("luts < 53,200"), HasSubstr("',' at place 10 is not understood"));
  EXPECT_THAT(refusal("network = 'lenet5"), HasSubstr("the ' at place 11 has no end"));
  EXPECT_THAT(refusal(" "), HasSubstr("it ends where a column or a value is expected"));
  EXPECT_THAT(refusal("luts < 3; drop"), HasSubstr("';' at place 9"));
  EXPECT_THAT(refusal(std::string(10000, '(')), HasSubstr("more than 100 brackets and nots in each other"));
}

}  // namespace
}  // namespace bitstrata::cli
