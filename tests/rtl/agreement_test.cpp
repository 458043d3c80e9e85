// SPDX-License-Identifier: Apache-2.0
// What is written once for C++ and once for SystemVerilog must be the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <regex>
#include <string>

#include "model/events.h"
#include "model/integer_network.h"
#include "rtl/generate/contract.h"
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

std::string read_whole(const char* name) {
  std::ifstream stream(std::filesystem::path(BITSTRATA_SOURCE) / name);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// localparam NAME = value;
std::map<std::string, long> constants(const std::string& text) {
  static const std::regex pattern(R"(localparam (\w+) = (\d+);)");
  std::map<std::string, long> result;
  for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it)
    result[(*it)[1]] = std::stol((*it)[2]);
  return result;
}

// What stands in the tree is what the tables say; scripts/contract writes it.
TEST(Contract, FilesAreThoseOfTheTables) {
  int compared = 0;
  for (const auto& [name, text] : {std::pair{"rtl/bs_descriptor.svh", descriptor_svh()},
                                   {"docs/descriptor.md", descriptor_page()},
                                   {"rtl/bs_registers.svh", registers_svh()},
                                   {"docs/registers.md", registers_page()}}) {
    if (const char* root = std::getenv("BITSTRATA_WRITE_CONTRACT"))
      std::ofstream(std::filesystem::path(root) / name) << text;
    else
      EXPECT_EQ(read_whole(name), text) << name << " is not what scripts/contract writes";
    compared += static_cast<int>(text.size());
  }
  std::cout << "compared: " << compared << " characters\n";
}

// What decides whether a list runs rightly is in the hash, and only that.
TEST(Contract, ConfigurationIsThatOfLists) {
  using A = model::Architecture;
  const A base;
  const std::uint32_t hash = configuration_of(base);
  int tried = 0;
  const auto expect_in_hash = [&](bool matters, const auto& change) {
    A other;
    change(other);
    ASSERT_NE(rtl_parameters(other), rtl_parameters(base));
    EXPECT_EQ(configuration_of(other) != hash, matters) << tried;
    ++tried;
  };
  for (int A::*member : {&A::tiles, &A::rows, &A::columns, &A::max_weight_bits, &A::max_activation_bits,
                         &A::accumulator_bits, &A::data_bits, &A::activation_depth, &A::output_depth, &A::weight_depth,
                         &A::psum_depth, &A::parameter_depth, &A::post_lanes, &A::vectors})
    expect_in_hash(true, [&](A& a) { a.*member *= 2; });
  for (bool A::*member : {&A::vector_unit, &A::swish_unit, &A::table_unit, &A::strips, &A::skip_planes})
    expect_in_hash(true, [&](A& a) { a.*member = !(a.*member); });
  for (int A::*member : {&A::fold, &A::load_rows}) expect_in_hash(true, [&](A& a) { a.*member /= 2; });
  expect_in_hash(true, [](A& a) { a.style = "overlay"; });
  expect_in_hash(true, [](A& a) { a.count_bits = 15; });
  expect_in_hash(true, [](A& a) { a.address_width = 31; });
  --tried;  // which is tried with others below
  for (int A::*member : {&A::burst_beats, &A::outstanding, &A::address_width})
    expect_in_hash(false, [&](A& a) { a.*member *= 2; });
  for (bool A::*member : {&A::event_counters, &A::popcount_tree, &A::clock_gating, &A::serial_requantizer})
    expect_in_hash(false, [&](A& a) { a.*member = !(a.*member); });
  // Banks follow the widths, and the hash is a parameter itself.
  EXPECT_EQ(static_cast<std::size_t>(tried) + 2, rtl_parameters(base).size());
}

TEST(Contract, FieldsDoNotOverlap) {
  std::array<std::uint32_t, descriptor_words> taken{};
  for (const FieldInfo& field : descriptor_fields) {
    ASSERT_TRUE(field.word >= 0 && field.word < descriptor_words && field.low + field.bits <= 32) << field.name;
    std::uint32_t& word = taken.at(static_cast<std::size_t>(field.word));
    EXPECT_EQ(word & field.mask() << field.low, 0U) << field.name;
    word |= field.mask() << field.low;
  }
  for (const auto& [activation, value] : {std::pair{model::Activation::clip, 0},
                                          {model::Activation::leaky, 1},
                                          {model::Activation::hard_swish, 2},
                                          {model::Activation::table, 3}})
    EXPECT_EQ(static_cast<int>(activation), value) << "ACTIVATION's values are written out for people";
}

// Each field alone, at its bounds: what is set is read, nothing else moves, and what does not fit is refused.
TEST(Contract, FieldsHoldWhatTheySay) {
  int compared = 0;
  for (std::size_t i = 0; i < descriptor_fields.size(); ++i) {
    const FieldInfo& of = descriptor_fields[i];
    const auto field = static_cast<Field>(i);
    for (const std::int64_t value : {of.is_signed ? of.least() : 0, std::int64_t{0}, of.most()}) {
      Descriptor d;
      d.words.fill(0xffffffff);
      d.set(field, value);
      EXPECT_EQ(d.get(field), value) << of.name;
      for (std::size_t w = 0; w < d.words.size(); ++w)
        EXPECT_EQ(d.words[w] | (static_cast<int>(w) == of.word ? of.mask() << of.low : 0), 0xffffffff) << of.name;
      ++compared;
    }
    Descriptor d;
    EXPECT_THROW(d.set(field, of.most() + 1), std::invalid_argument) << of.name;
    EXPECT_THROW(d.set(field, of.is_signed ? of.least() - 1 : -1), std::invalid_argument) << of.name;
  }
  Descriptor d;
  d.set(F_PIXEL_START_X, -5);
  EXPECT_EQ(d.get<F_PIXEL_START_X>(), -5);
  EXPECT_EQ(d.words[19], 0x1ffffbU);
  d.set(F_OUT_ADDRESS, 0xfffffff0);
  d.advance(F_OUT_ADDRESS, 0x20);
  EXPECT_EQ(d.get<F_OUT_ADDRESS>(), 0x10U);
  d.set(F_SWISH_SIX, 0xabcd);
  EXPECT_EQ(d.words[60], 0xabcd0000U);
  EXPECT_EQ(d.get<F_SWISH_SIX>(), 0xabcd);
  std::cout << "compared: " << compared << " values\n";
}

// The RTL reads fields by their names alone, never by a place of its own.
TEST(Contract, RtlHasNoPlacesOfItsOwn) {
  static const std::regex slice(R"(\bdesc(?:_[iq])?\[([^\]]*)\])");
  int compared = 0;
  for (const auto& file : rtl_files()) {
    const std::string text(file.text);
    if (file.name == "bs_descriptor.svh") continue;
    for (std::sregex_iterator it(text.begin(), text.end(), slice), end; it != end; ++it, ++compared) {
      const std::string inside = (*it)[1];
      static const std::regex named(
          R"(F_\w+|F_(\w+) \+: (?:B_\1|[A-Z_]+)|F_ZERO_POINT \+ p|F_(\w+) \+ B_\2 - 1|w\*32 \+: 32)");
      EXPECT_TRUE(std::regex_match(inside, named)) << file.name << ": " << inside;
    }
  }
  EXPECT_GT(compared, 100);
  std::cout << "compared: " << compared << " reads\n";
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
