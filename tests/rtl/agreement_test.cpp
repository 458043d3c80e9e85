// SPDX-License-Identifier: Apache-2.0
// What is written once for C++ and once for SystemVerilog must be the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <regex>
#include <string>

#include "model/events.h"
#include "model/integer_network.h"
#include "rtl/generate/descriptor.h"
#include "rtl/generate/rtl_files.h"

namespace bitstrata::generate {
namespace {

std::string text_of(std::string_view name) {
  for (const auto& file : rtl_files()) {
    if (file.name == name) return std::string(file.text);
  }
  throw std::runtime_error("no file " + std::string(name));
}

// localparam NAME = value; with decimal, 8'd and 16'h values.
std::map<std::string, long> constants(const std::string& text) {
  static const std::regex pattern(R"(localparam (\w+) = (?:\d+'([dh]))?(\w+);)");
  std::map<std::string, long> result;
  for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) {
    const std::string value = (*it)[3];
    if (!std::isdigit(static_cast<unsigned char>(value[0])) && (*it)[2] != "h") continue;
    result[(*it)[1]] = std::stol(value, nullptr, (*it)[2] == "h" ? 16 : 10);
  }
  return result;
}

TEST(Agreement, DescriptorWords) {
  const auto found = constants(text_of("bs_descriptor.svh"));
  std::map<std::string, long> expected = {{"DESC_WORDS", DESCRIPTOR_WORDS},
                                          {"DESC_MAGIC", descriptor_magic},
                                          {"OP_CONVOLUTION", OP_CONVOLUTION},
                                          {"OP_MAX_POOL", OP_MAX_POOL},
                                          {"OP_AVERAGE_POOL", OP_AVERAGE_POOL},
                                          {"C_LAST", C_LAST},
                                          {"C_RESIDENT", C_RESIDENT},
                                          {"C_SIGNED", C_SIGNED},
                                          {"OP_ADD", OP_ADD},
                                          {"OP_MULTIPLY", OP_MULTIPLY},
                                          {"OP_COPY", OP_COPY},
                                          {"C_SECOND", C_SECOND},
                                          {"C_BROADCAST", C_BROADCAST},
                                          {"C_CARRY_IN", C_CARRY_IN},
                                          {"C_CARRY_OUT", C_CARRY_OUT},
                                          {"O_ACC_SHIFT", O_ACC_SHIFT},
                                          {"O_KEEP_WEIGHTS", O_KEEP_WEIGHTS}};
  for (const auto& [name, activation] : {std::pair{"ACT_LEAKY", model::Activation::leaky},
                                         {"ACT_SWISH", model::Activation::hard_swish},
                                         {"ACT_TABLE", model::Activation::table}})
    expected[name] = static_cast<long>(activation);
  for (std::size_t i = 0; i < descriptor_word_names.size(); ++i) {
    expected["D_" + std::string(descriptor_word_names[i])] = static_cast<long>(i);
  }
  EXPECT_EQ(found, expected);
  EXPECT_EQ(constants(text_of("bs_sequencer.sv")).at("STRIDE"), descriptor_stride);
  std::cout << "compared: " << expected.size() + 1 << " constants\n";
}

TEST(Agreement, EventCounters) {
  const std::string text = text_of("bs_events.sv");
  const long count = constants(text).at("COUNT");
  EXPECT_EQ(count, static_cast<long>(model::event_names.size()));
  int compared = 0;
  for (long i = 0; i < count; ++i, ++compared) {
    EXPECT_NE(text.find("count_q[" + std::to_string(i) + "] <="), std::string::npos) << "nothing counts event " << i;
  }
  EXPECT_EQ(text.find("count_q[" + std::to_string(count) + "]"), std::string::npos);
  EXPECT_GT(compared, 0);
  std::cout << "compared: " << compared << " counters\n";
}

TEST(Agreement, TopHasEveryParameter) {
  const std::string top = text_of("bs_top.sv");
  static const std::regex pattern(R"(\n  parameter (\w+))");
  std::vector<std::string> declared;
  for (std::sregex_iterator it(top.begin(), top.end(), pattern), end; it != end; ++it) declared.push_back((*it)[1]);
  std::vector<std::string> given;
  for (const auto& [name, value] : rtl_parameters(model::Architecture{})) given.push_back(name);
  std::sort(declared.begin(), declared.end());
  std::sort(given.begin(), given.end());
  EXPECT_EQ(declared, given);
  EXPECT_FALSE(given.empty());
  std::cout << "compared: " << given.size() << " parameters\n";
}

}  // namespace
}  // namespace bitstrata::generate
