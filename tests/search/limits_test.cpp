// SPDX-License-Identifier: Apache-2.0
#include "quant/search/limits.h"

#include <gtest/gtest.h>

#include <cmath>

namespace bitstrata::quant {
namespace {

std::string refusal(const std::string& text) {
  try {
    parse_limit(text);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Limits, SharesAndUnitsAreRead) {
  const Limit share = parse_limit("latency=0.6");
  EXPECT_EQ(share.quantity, Quantity::latency);
  EXPECT_TRUE(share.share);
  EXPECT_EQ(share.value, 0.6);
  const std::tuple<const char*, Quantity, double> units[] = {{"latency=2.5ms", Quantity::latency, 2.5e-3},
                                                             {"latency=3s", Quantity::latency, 3},
                                                             {"latency=7us", Quantity::latency, 7e-6},
                                                             {"latency=9ns", Quantity::latency, 9e-9},
                                                             {"energy=40uJ", Quantity::energy, 40e-6},
                                                             {"energy=1e3pJ", Quantity::energy, 1e-9},
                                                             {"energy=2nJ", Quantity::energy, 2e-9},
                                                             {"energy=2mJ", Quantity::energy, 2e-3},
                                                             {"size=1.2MB", Quantity::size, 1.2e6},
                                                             {"size=100kB", Quantity::size, 1e5},
                                                             {"size=5B", Quantity::size, 5}};
  for (const auto& [text, quantity, value] : units) {
    const Limit limit = parse_limit(text);
    EXPECT_EQ(limit.quantity, quantity) << text;
    EXPECT_FALSE(limit.share) << text;
    EXPECT_DOUBLE_EQ(limit.value, value) << text;
  }
}

TEST(Limits, AreaIsAShareAndNoCostOfAPlan) {
  const Limit area = parse_limit("area=1.1");
  EXPECT_EQ(area.quantity, Quantity::area);
  EXPECT_EQ(area.value, 1.1);
  const Costs allowed = resolve({area, parse_limit("latency=0.5")}, {100, 10, 1}, 200);
  EXPECT_EQ(allowed[0], 50);
  EXPECT_TRUE(std::isinf(allowed[1]) && std::isinf(allowed[2]));
}

TEST(Limits, NothingIsAShareOfNothing) {
  try {
    resolve({parse_limit("latency=0.5")}, {0, 10, 1}, 200);
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("whose latency is 0"), std::string::npos) << error.what();
  }
}

TEST(Limits, OthersAreRefusedWithTheReason) {
  const std::pair<const char*, const char*> cases[] = {{"latency", "has no '='"},
                                                       {"speed=0.6", "limits 'speed'"},
                                                       {"latency=", "has no number"},
                                                       {"latency=fast", "has no number"},
                                                       {"latency=nan", "has no number"},
                                                       {"latency=inf", "has no number"},
                                                       {"latency=0", "is not above 0"},
                                                       {"latency=0,5", "has a comma"},
                                                       {"latency=064", "begins with a 0"},
                                                       {"latency=-0.5", "is not above 0"},
                                                       {"latency=10", "must lie below 10"},
                                                       {"latency=40uJ", "has a unit of energy"},
                                                       {"size=3m", "has the unknown unit 'm'"},
                                                       {"area=2mm2", "is no share"}};
  for (const auto& [text, part] : cases) {
    EXPECT_NE(refusal(text).find(part), std::string::npos) << text << ": " << refusal(text);
    EXPECT_NE(refusal(text).find("latency=2.5ms"), std::string::npos) << "says what a limit looks like";
  }
}

TEST(Limits, BecomeCostsOfOneImage) {
  const Costs uniform{1000, 5e9, 8e5};
  const Costs allowed =
      resolve({parse_limit("latency=0.6"), parse_limit("energy=2uJ"), parse_limit("size=50kB")}, uniform, 200);
  EXPECT_DOUBLE_EQ(allowed[0], 600);
  EXPECT_DOUBLE_EQ(allowed[1], 2e9);
  EXPECT_DOUBLE_EQ(allowed[2], 4e5);
  EXPECT_DOUBLE_EQ(resolve({parse_limit("latency=2us")}, uniform, 200)[0], 400);
  EXPECT_TRUE(std::isinf(resolve({}, uniform, 200)[1]));
  EXPECT_TRUE(within({600, 2e9, 4e5}, allowed));
  EXPECT_FALSE(within({600, 2.1e9, 4e5}, allowed));
  EXPECT_THROW(resolve({parse_limit("latency=0.6"), parse_limit("latency=1us")}, uniform, 200), std::invalid_argument);
  EXPECT_THROW(resolve({parse_limit("energy=0.6")}, {1000, 0, 8e5}, 200), std::invalid_argument);
  EXPECT_EQ(
      to_text({500, 1e9, 1e5}, resolve({parse_limit("latency=0.6"), parse_limit("size=0.5")}, uniform, 200), uniform),
      "latency 500 cycles (0.5000 of 8/8), size 12500 bytes (0.1250 of 8/8)");
}

}  // namespace
}  // namespace bitstrata::quant
