// SPDX-License-Identifier: Apache-2.0
// The scoreboard of verify fails hard and says where; tables align and quote.
#include "cli/comparison.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "cli/compared_run.h"
#include "model/network.h"
#include "model/plan.h"
#include "sim/random_network.h"

namespace {

using namespace bitstrata;
using ::testing::ElementsAre;

class ComparisonTest : public ::testing::Test {
 protected:
  ComparisonTest() {
    const model::Network network = model::build_network("lenet5");
    workload_.network = sim::random_integer_network(network, model::uniform_plan(network, 4, 4), 1);
    for (const auto& tensor : workload_.network.tensors) {
      tensors_.emplace_back(static_cast<std::size_t>(tensor.shape.elements()));
    }
    events_.resize(workload_.network.layers.size());
  }
  void compare_values(cli::Comparison& comparison, const cli::Pair& pair, const std::vector<model::Codes>& other) {
    cli::ValueComparison values(workload_.network, 0, pair);
    for (std::size_t l = 0; l < workload_.network.layers.size(); ++l) {
      const auto tensor = static_cast<std::size_t>(workload_.network.layers[l].output);
      values.add(l, tensors_[tensor], other[tensor]);
    }
    comparison.add_values(values);
  }
  cli::Workload workload_;
  std::vector<model::Codes> tensors_;
  std::vector<model::Events> events_;
};

TEST_F(ComparisonTest, EqualPasses) {
  cli::Comparison comparison(workload_);
  compare_values(comparison, {"rtl", "golden"}, tensors_);
  comparison.compare_events(0, {"rtl", "fast"}, events_, events_, true);
  EXPECT_TRUE(comparison.passed());
  EXPECT_EQ(comparison.values().compared, 8094);
  EXPECT_EQ(comparison.events().compared, 7 * 24);
}

TEST_F(ComparisonTest, OneCodeFails) {
  cli::Comparison comparison(workload_);
  std::vector<model::Codes> other = tensors_;
  other[1][28 * 6 * 2 + 6 * 5 + 3] = 9;  // of conv1's 28x28x6
  compare_values(comparison, {"rtl", "golden"}, other);
  comparison.compare_events(0, {"rtl", "fast"}, events_, events_, true);
  EXPECT_FALSE(comparison.passed());
  EXPECT_EQ(comparison.values().different, 1);
  EXPECT_THAT(comparison.differences(), ElementsAre("image 0, layer 'conv1', y 2, x 5, channel 3: rtl 0, golden 9"));
}

TEST_F(ComparisonTest, OneCycleFailsUnlessTimingIsLeftOut) {
  std::vector<model::Events> other = events_;
  other[6].cycles = 1;
  cli::Comparison strict(workload_), loose(workload_);
  compare_values(strict, {"rtl", "golden"}, tensors_);
  compare_values(loose, {"rtl", "golden"}, tensors_);
  strict.compare_events(0, {"rtl", "fast"}, events_, other, true);
  loose.compare_events(0, {"rtl", "fast"}, events_, other, false);
  EXPECT_FALSE(strict.passed());
  EXPECT_THAT(strict.differences(), ElementsAre("image 0, layer 'fc3', event cycles: rtl 0, fast 1"));
  EXPECT_TRUE(loose.passed());
  EXPECT_EQ(loose.events().compared, 7 * 18);
}

TEST_F(ComparisonTest, NothingOrUnfinishedFails) {
  cli::Comparison nothing(workload_), unfinished(workload_);
  EXPECT_FALSE(nothing.passed());
  events_.pop_back();
  compare_values(unfinished, {"rtl", "golden"}, tensors_);
  unfinished.compare_events(0, {"rtl", "fast"}, events_, events_, true);
  EXPECT_FALSE(unfinished.passed());
  EXPECT_EQ(unfinished.failures().size(), 1U);
}

// Layer by layer, of a batch: the second engine is compared with what the first gave, also where that is not golden.
TEST_F(ComparisonTest, EnginesMeetLayerByLayer) {
  const model::IntegerNetwork& network = workload_.network;
  std::vector<model::Codes> images;
  for (int i = 0; i < 2; ++i) {
    images.emplace_back(static_cast<std::size_t>(network.tensors[0].shape.elements()), i + 1);
  }
  std::vector<std::vector<model::Codes>> golden;
  for (const model::Codes& image : images) golden.push_back(model::run_all(network, image));
  const auto run = [&](cli::ComparedRun& compared, std::size_t place) {
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
      std::vector<model::Codes> shown;
      for (const auto& tensors : golden) shown.push_back(tensors[static_cast<std::size_t>(network.layers[l].output)]);
      if (l == 1) shown[1][3] = -7;  // both engines have this one wrong
      if (l == 1 && place > 0) shown[1][place] = -9;
      compared.add(l, shown);
    }
  };
  std::vector<cli::FinishedRun> finished;
  cli::ComparedRun one(workload_, images, 4, finished, "systemc");
  run(one, 0);
  finished.push_back(one.finish(events_));
  cli::ComparedRun two(workload_, images, 4, finished, "rtl");
  run(two, 8);
  cli::Comparison comparison(workload_);
  for (const auto* values : {&one.with_golden(), &two.with_golden(), &two.with_other(0)})
    for (const cli::ValueComparison& image : *values) comparison.add_values(image);
  const model::Codes& right = golden[1][static_cast<std::size_t>(network.layers[1].output)];
  EXPECT_EQ(comparison.values().compared, 3 * 2 * 8094);
  EXPECT_THAT(comparison.differences(),
              ElementsAre(fmt::format("image 5, layer 'pool1', y 0, x 0, channel 3: systemc -7, golden {}", right[3]),
                          fmt::format("image 5, layer 'pool1', y 0, x 0, channel 3: rtl -7, golden {}", right[3]),
                          fmt::format("image 5, layer 'pool1', y 0, x 1, channel 2: rtl -9, golden {}", right[8]),
                          fmt::format("image 5, layer 'pool1', y 0, x 1, channel 2: rtl -9, systemc {}", right[8])));
}

TEST(TableTest, AlignsQuotesAndGroups) {
  cli::Table table({"layer", "cycles"});
  table.add({"conv1", "7"});
  table.add({"a \"b\", c", "12345"});
  EXPECT_EQ(table.text(), "layer     cycles\n----------------\nconv1          7\na \"b\", c   12345\n");
  EXPECT_EQ(table.csv(), "layer,cycles\nconv1,7\n\"a \"\"b\"\", c\",12345\n");
  EXPECT_EQ(cli::grouped(-1234567), "-1,234,567");
  EXPECT_EQ(cli::grouped(999), "999");
  EXPECT_EQ(cli::short_number(0.00123456), "0.001235");
  EXPECT_EQ(cli::short_number(123456.7), "123457");
}

TEST(Table, CutsLongWordsForPeopleOnlyAndKeepsThemApart) {
  const std::string middle(60, 'x'), one = "block1/" + middle + "/conv1", two = "block1/" + middle + "/conv2";
  cli::Table table({"layer", "cycles"});
  table.add({one, "1"});
  table.add({two, "2"});
  const std::string cut = "block1/xxxxxxxxxxxx...xxxxxxxxxxxx/conv1";
  ASSERT_EQ(cut.size(), 40U);
  EXPECT_NE(table.text().find(cut + "       1\n"), std::string::npos) << table.text();
  EXPECT_EQ(table.text().find(one), std::string::npos);
  for (const std::string& text : {table.csv(), table.markdown()}) EXPECT_NE(text.find(one), std::string::npos);
  // What differs in the middle only keeps it.
  table.add({"block1/" + std::string(30, 'x') + "y" + std::string(29, 'x') + "/conv1", "3"});
  EXPECT_NE(table.text().find("xyx"), std::string::npos) << table.text();
}

}  // namespace
