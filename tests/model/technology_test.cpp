// SPDX-License-Identifier: Apache-2.0
// Technologies: the published numbers, their status, and refusals of files that leave something out.
#include "model/technology.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

TEST(AdPim, HoldsThePublishedTable) {
  const Technology t = load_technology("ad-pim");
  EXPECT_EQ(t.kind, TechnologyKind::mac_table);
  ASSERT_EQ(t.mac_energy.size(), 4U);
  EXPECT_EQ(t.mac_energy.at(2).value, 2.942);
  EXPECT_EQ(t.mac_energy.at(4).value, 16.968);
  EXPECT_EQ(t.mac_energy.at(8).value, 66.714);
  EXPECT_EQ(t.mac_energy.at(16).value, 276.676);
  EXPECT_EQ(t.mac_energy.at(16).unit, "fJ/MAC");
  EXPECT_EQ(t.status(), Status::recalled);
  EXPECT_TRUE(t.coefficients.empty());
}

TEST(Colonnade, HoldsTheMeasuredMacro) {
  const Technology t = load_technology("colonnade-65nm");
  ASSERT_EQ(t.mac_energy.size(), 16U);
  EXPECT_EQ(t.mac_fj("a", 1, 1), 68.10);
  EXPECT_EQ(t.mac_fj("a", 8, 8), 1169.7);
  EXPECT_EQ(t.mac_fj("a", 3, 5), 591.1);
  EXPECT_EQ(t.mac_fj("a", 16, 16), 3995.2);
  EXPECT_EQ(t.status(), Status::cited);
}

TEST(MacMemory, HoldsThePublishedLines) {
  const Technology t = load_technology("45nm-mac-memory");
  EXPECT_EQ(t.kind, TechnologyKind::mac_memory);
  EXPECT_DOUBLE_EQ(t.coefficients.at("mac_slope").value, 3.1 / 32);
  EXPECT_DOUBLE_EQ(t.coefficients.at("mac_offset").value, 0.1);
  EXPECT_DOUBLE_EQ(t.coefficients.at("access_slope").value, 2.5);
  EXPECT_EQ(t.status(), Status::recalled);
}

TEST(Technology, PricesMacs) {
  const Technology table = load_technology("ad-pim"), line = load_technology("45nm-mac-memory");
  EXPECT_EQ(table.mac_fj("a", 3, 2), 16.968);  // as 4 bits
  EXPECT_DOUBLE_EQ(line.mac_fj("a", 3, 2), 1e3 * (3.1 * 3 / 32 + 0.1));
  EXPECT_DOUBLE_EQ(line.mac_fj("a", 5, 16), 1650);
  try {
    load_technology("osu018-pim-64").mac_fj("a", 8, 8);
    ADD_FAILURE() << "gates price no MACs";
  } catch (const std::invalid_argument& error) {
    EXPECT_THAT(error.what(), HasSubstr("'osu018-pim-64' prices runs of an accelerator, not MACs"));
  }
}

TEST(BuiltIns, EveryCoefficientExplainsItself) {
  EXPECT_THAT(technology_names(),
              UnorderedElementsAre("ad-pim", "45nm-mac-memory", "colonnade-65nm", "osu018-pim-64",
                                   "osu018-pim-64-gated", "osu018-overlay-64-gated", "osu018-pim-64-gated-skip",
                                   "osu018-overlay-64", "osu035-pim-64-gated", "osu035-overlay-64-gated",
                                   "osu035-pim-16x32-gated", "sky130-pim-gated"));
  int checked = 0;
  for (const std::string& name : technology_names()) {
    const Technology t = load_technology(name);
    EXPECT_EQ(t.name, name);
    EXPECT_FALSE(t.title.empty());
    EXPECT_GE(t.rules.size(), 3U);
    std::vector<Coefficient> all;
    for (const auto& [bits, c] : t.mac_energy) all.push_back(c);
    for (const auto& [key, c] : t.coefficients) all.push_back(c);
    for (const Coefficient& c : all) {
      EXPECT_FALSE(c.unit.empty() || c.source.empty() || c.conditions.empty()) << name;
      ++checked;
    }
  }
  EXPECT_EQ(checked, 77);
}

TEST(Status, TheWeakestCounts) {
  Technology t;
  t.mac_energy[2].status = Status::measured;
  EXPECT_EQ(t.status(), Status::measured);
  t.mac_energy[4].status = Status::cited;
  EXPECT_EQ(t.status(), Status::cited);
  t.coefficients["x"].status = Status::recalled;
  EXPECT_EQ(t.status(), Status::recalled);
  EXPECT_STREQ(to_string(Status::measured), "measured");
  EXPECT_STREQ(to_string(Status::recalled), "recalled");
}

TEST(LoadTechnology, ReadsFilesAndAnswersSlips) {
  const TemporaryFolder folder;
  const std::string head = "format: bitstrata-technology-1\nname: mine\ntitle: mine\nkind: mac_table\nmac_energy:\n";
  const std::string entry =
      "  8:\n    value: 1.5\n    unit: fJ/MAC\n    source: bench\n    conditions: 1 V\n    status: measured\n";
  const auto load = [&](const std::string& text) { return load_technology(folder.write("t.yaml", text)); };
  const auto message = [&](const std::string& text) { return message_of<std::runtime_error>([&] { load(text); }); };
  const Technology good = load(head + entry);
  EXPECT_EQ(good.mac_energy.at(8).value, 1.5);
  EXPECT_EQ(good.status(), Status::measured);

  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = head + entry;
    return text.replace(text.find(from), from.size(), to);
  };
  EXPECT_THAT(message(with("    source: bench\n", "")), EndsWith("t.yaml:6: missing key 'source'"));
  EXPECT_THAT(message(with("source: bench", "source: ''")), EndsWith("t.yaml:9: 'source' is empty"));
  EXPECT_THAT(message(with("unit: fJ/MAC", "unit: pJ/MAC")),
              EndsWith("t.yaml:8: unit is 'pJ/MAC'; here it must be 'fJ/MAC'"));
  EXPECT_THAT(message(with("status: measured", "status: mesured")),
              EndsWith("t.yaml:11: 'mesured' is not one of measured, cited, recalled; did you mean 'measured'?"));
  EXPECT_THAT(message(with("value: 1.5", "value: -1")), EndsWith("t.yaml:7: an energy cannot be negative"));
  EXPECT_THAT(message(with("  8:", "  17:")), EndsWith("t.yaml:6: '17' is no width; widths are 1..16 bits"));
  EXPECT_THAT(message(with("kind: mac_table", "kind: mac_tabel")), HasSubstr("did you mean 'mac_table'?"));
  EXPECT_THAT(message(with("kind: mac_table", "kind: mac_memory")),
              EndsWith("kind mac_memory has 'coefficients', not 'mac_energy'"));
  EXPECT_THAT(message(with("    value", "    valeu")), EndsWith("t.yaml:7; did you mean 'value'?"));
  EXPECT_THAT(message(head + entry + entry), HasSubstr("key '8' stands twice, again in"));
  EXPECT_THAT(message(with("  8:", "  08:")), EndsWith("'08' is no width; widths are 1..16 bits"));
  EXPECT_THAT(message_of<std::runtime_error>([] { load_technology("ad-pin"); }), EndsWith("did you mean 'ad-pim'?"));
}

TEST(Files, TextsMayHaveLinesAndNamesMayNot) {
  const TemporaryFolder folder;
  const auto load = [&](const std::string& name, const std::string& source) {
    return load_technology(folder
                               .write("t.yaml", "format: bitstrata-technology-1\nname: " + name +
                                                    "\ntitle: T\nkind: mac_table\nrules:\n  - |\n    one\n    two\n"
                                                    "mac_energy:\n  8: {value: 1, unit: fJ/MAC, source: " +
                                                    source + ", conditions: c, status: cited}\n")
                               .string());
  };
  const Technology read = load("mine", "\"a\\nb\"");
  EXPECT_EQ(read.rules.at(0), "one\ntwo\n");
  EXPECT_EQ(read.mac_energy.at(8).source, "a\nb");
  EXPECT_THAT(message_of<std::runtime_error>([&] { load("\"a\\nb\"", "s"); }),
              HasSubstr("t.yaml:2: 'name' is 'a?b', with a line end"));
  EXPECT_THAT(message_of<std::runtime_error>([&] { load("\"\"", "s"); }), HasSubstr("'name' is empty"));
}

}  // namespace
}  // namespace bitstrata::testing
