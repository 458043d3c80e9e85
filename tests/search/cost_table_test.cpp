// SPDX-License-Identifier: Apache-2.0
// Latencies of another board.
#include "quant/search/cost_table.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "quant/search/plan_search.h"
#include "quant/search/program.h"
#include "tests/model/temporary.h"
#include "tests/search/problem.h"

namespace bitstrata::quant {
namespace {

using ::testing::HasSubstr;

std::int64_t latency(int layer, int weight_bits, int activation_bits) {
  return 1000 * (layer + 1) + 37 * weight_bits * activation_bits + 5 * weight_bits;
}

std::string csv(int layers, int widest) {
  std::string text = "layer,weight_bits,activation_bits,cycles\n";
  for (int l = 0; l < layers; ++l)
    for (int w = 1; w <= widest; ++w)
      for (int a = 1; a <= widest; ++a) text += fmt::format("{},{},{},{}\n", l, w, a, latency(l, w, a));
  return text;
}

// Version 1 of the format, int64 or float64.
template <typename T>
std::string npy(const std::string& type, int layers, int widest) {
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}, {}, {}), }}", type, layers, widest, widest);
  header.resize((10 + header.size() + 64) / 64 * 64 - 11, ' ');
  header += '\n';
  std::string bytes = std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header;
  for (int l = 0; l < layers; ++l)
    for (int w = 1; w <= widest; ++w)
      for (int a = 1; a <= widest; ++a) {
        const T value = static_cast<T>(latency(l, w, a)) - static_cast<T>(std::is_floating_point_v<T> ? 0.5 : 0);
        bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
      }
  return bytes;
}

TEST(CostTable, PricesPlansInEveryFormOfFile) {
  const testing::TemporaryFolder folder;
  const model::Network network = test::small_network();
  int compared = 0;
  for (const auto& file : {folder.write("t.csv", csv(3, 8)), folder.write("i.npy", npy<std::int64_t>("<i8", 3, 8)),
                           folder.write("f.npy", npy<double>("<f8", 3, 8))}) {
    TablePrices prices(file, network);
    ASSERT_EQ(prices.layers().size(), 3U);
    for (const auto& [w, a] : {std::pair{2, 5}, {8, 8}, {1, 7}}) {
      model::Plan plan = model::uniform_plan(network, w, a);
      const std::vector<model::LayerPrice>& found = prices.prices(plan);
      for (int l = 0; l < 3; ++l) EXPECT_EQ(found[static_cast<std::size_t>(l)].cycles, latency(l, w, a)) << file;
      ++compared;
    }
    EXPECT_FALSE(prices.price(1, model::uniform_plan(network, 9, 8)));
    EXPECT_THAT(testing::message_of<std::invalid_argument>([&] { prices.prices(model::uniform_plan(network, 9, 8)); }),
                HasSubstr("no latency of layer 'a' at 9 and 8 bits"));
  }
  EXPECT_EQ(compared, 9);
}

TEST(CostTable, TakesNoNumberThatIsNoLatency) {
  const testing::TemporaryFolder folder;
  const model::Network network = test::small_network();
  const std::string sound = csv(3, 8), cell = fmt::format("1,2,2,{}\n", latency(1, 2, 2));
  const auto with = [&](const std::string& value) {
    std::string text = sound;
    return folder.write("t.csv", text.replace(text.find(cell), cell.size(), "1,2,2," + value + "\n"));
  };
  for (const char* value : {"-1", "nan"})
    EXPECT_FALSE(TablePrices(with(value), network).price(1, model::uniform_plan(network, 2, 2))) << value;
  for (const char* value : {"-5", "inf", "1e15"})
    EXPECT_THAT(testing::message_of<std::runtime_error>([&] { TablePrices(with(value), network); }),
                HasSubstr("line 75: "))
        << value;
}

TEST(CostTable, SteersASearch) {
  const testing::TemporaryFolder folder;
  test::Problem problem("pim-64x64", 3);
  SpaceOptions options;
  options.weight_bits = {2, 5, 8};
  options.activation_bits = {2, 4, 8};
  const SearchSpace space(problem.network, options);
  TablePrices prices(folder.write("t.csv", csv(3, 8)), problem.network);
  PlanCosts costs(space, prices);
  Losses losses(space.variables().size());
  for (std::size_t v = 0; v < losses.size(); ++v) losses[v] = {1.0 + 0.1 * static_cast<double>(v), 0.4, 0.0};
  const Costs uniform = costs.total(space.largest());
  EXPECT_EQ(uniform[0], 1000 * 6 + 3 * (37 * 64 + 40));
  const ProgramResult found = solve(space, costs, losses, {0.8 * uniform[0], INFINITY, INFINITY});
  ASSERT_TRUE(found.feasible);
  EXPECT_TRUE(found.proven);
  EXPECT_LE(costs.total(found.point)[0], 0.8 * uniform[0]);
  EXPECT_GT(found.loss, 0);
}

TEST(CostTable, DamageIsNamed) {
  const testing::TemporaryFolder folder;
  const model::Network network = test::small_network();
  const auto refusal = [&](const std::string& name, const std::string& text) {
    return testing::message_of<std::runtime_error>([&] { TablePrices(folder.write(name, text), network); });
  };
  EXPECT_THAT(refusal("a.csv", csv(4, 2)), HasSubstr("a.csv: has 4 layers, the network has 3 with weights"));
  EXPECT_THAT(refusal("a.csv", csv(2, 2)), HasSubstr("has 2 layers, the network has 3"));
  EXPECT_THAT(refusal("a.csv", "layer,w,a,cycles\n"), HasSubstr("not with the headings layer,weight_bits"));
  EXPECT_THAT(refusal("a.csv", ""), HasSubstr("cannot be read, or is empty"));
  EXPECT_THAT(refusal("a.csv", csv(3, 2) + "0,1,1,7\n"), HasSubstr("line 14: layer and widths stand twice"));
  for (const char* line : {"0,17,1,5", "0,1,0,5", "-1,1,1,5", "0,1,1", "0,1,1,5,6", "0,1.5,1,5", "x,1,1,5"})
    EXPECT_THAT(refusal("a.csv", csv(3, 2) + line + "\n"), HasSubstr(fmt::format("line 14: '{}' is no layer", line)));
  EXPECT_THAT(refusal("a.npy", npy<std::int64_t>("<i8", 2, 4)), HasSubstr("has 2 layers, the network has 3"));
  EXPECT_THAT(refusal("a.npy", npy<std::int64_t>("<i8", 3, 17)), HasSubstr("at most 16 bits"));
}

}  // namespace
}  // namespace bitstrata::quant
