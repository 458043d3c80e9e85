// SPDX-License-Identifier: Apache-2.0
// bitstrata sweep as a user runs it: fronts and files, a real kill in the middle, confirmation by the other engines.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "sim/store_sqlite.h"
#include "tests/cli/process.h"

namespace {

using namespace bitstrata;
using namespace bitstrata::testing;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SweepVerb : public ::testing::Test {
 protected:
  std::string sweep(const std::string& body) {
    return folder_.write("sweep.yaml", "format: bitstrata-sweep-1\n" + body).string();
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  // Every point with its numbers: what must not depend on kills, threads and processes.
  static std::string points(const std::string& store) {
    sim::Database database(store);
    sim::Statement read(database,
                        "SELECT network || ' ' || plan || ' ' || parameters || ' ' || cycles || ' ' || energy_pj "
                        "FROM result ORDER BY 1");
    std::string text;
    while (read.step()) text += read.text(0) + "\n";
    return text;
  }
  TemporaryFolder folder_;
};

// Starts the program and leaves it running.
pid_t start_program(const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {BITSTRATA_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  if (posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ) != 0) child = -1;
  posix_spawn_file_actions_destroy(&actions);
  return child;
}

// Points belong to the code that measured them: another build of the same version has its own.
TEST_F(SweepVerb, PointsCarryTheHashOfTheCode) {
  const std::string file = sweep("networks: [lenet5]\ntechnologies: [ad-pim]\n");
  ASSERT_EQ(run_program({"sweep", file, "--store", path("s.sqlite"), "--out", path("out")}).status, 0);
  const std::string code = json::parse(read_text(path("out/run.json"))).at("code");
  EXPECT_EQ(code.size(), 40U);
  {
    sim::Database database(path("s.sqlite"));
    sim::Statement read(database, "SELECT version FROM context");
    ASSERT_TRUE(read.step());
    EXPECT_THAT(read.text(0), ::testing::EndsWith(" " + code));
  }
  {
    sim::Database database(path("s.sqlite"));
    database.execute("UPDATE context SET version = replace(version, '" + code + "', 'other code')");
  }
  const Finished again = run_program({"sweep", file, "--store", path("s.sqlite")});
  EXPECT_THAT(again.out, HasSubstr("1 points: 1 measured"));
  EXPECT_THAT(again.err, HasSubstr("the store also holds 1 points of other builds"));
}

TEST_F(SweepVerb, RefusesAStoreThatKeepsNothing) {
  const std::string file = sweep("networks: [lenet5]\n");
  for (const char* store : {"", ":memory:", "/dev/null"}) {
    const Finished finished = run_program({"sweep", file, std::string("--store=") + store});
    EXPECT_EQ(finished.status, 2) << store;
    EXPECT_EQ(finished.error_lines(), 1) << finished.err;
  }
}

// Numbers of the store that do not go together are told rather than printed.
TEST_F(SweepVerb, RefusesAStoreWhoseNumbersDisagree) {
  const std::string file = sweep("networks: [lenet5]\ntechnologies: [ad-pim]\n"), store = path("s.sqlite");
  ASSERT_EQ(run_program({"sweep", file, "--store", store}).status, 0);
  for (const auto& [change, expected] : {std::pair{"latency_us = latency_us * 2", "has latency_us"},
                                         {"latency_us = latency_us / 2, macs = macs + 1", "has 416521 macs"},
                                         {"macs = macs - 1; UPDATE energy SET clock_reached_mhz = 7.0",
                                          "has latency_us 110.265, clock_reached_mhz 7, gates_mm2 none"}}) {
    { sim::Database(store).execute(std::string("UPDATE point SET ") + change); }
    const Finished finished = run_program({"sweep", file, "--store", store, "--quiet"});
    EXPECT_EQ(finished.status, 2);
    EXPECT_THAT(finished.out, IsEmpty());
    EXPECT_EQ(finished.error_lines(), 1) << finished.err;
    EXPECT_THAT(finished.err, AllOf(HasSubstr("s.sqlite' is damaged: point 1 "), HasSubstr(expected)));
  }
}

// Gates of other hardware have the price that `run` gives them, and are marked.
TEST_F(SweepVerb, SaysWhereATechnologyIsOfOtherHardware) {
  const std::string file =
      sweep("networks: [lenet5]\narchitectures: [pim-64x64, pim-16x16]\ntechnologies: [osu018-pim-64]\n");
  const Finished table = run_program({"sweep", file, "--store", path("s.sqlite"), "--quiet", "--out", path("out")});
  ASSERT_EQ(table.status, 0) << table.err;
  EXPECT_THAT(table.out, HasSubstr("\nenergy and area of 1 of 2 points: outside the calibrated range: "));
  EXPECT_THAT(table.out, HasSubstr("rows 16, calibrated for 64"));
  EXPECT_THAT(read_text(path("out/points.csv")), AllOf(HasSubstr(",area_mm2,gates_mm2,memories_mm2,energy_note\n"),
                                                       HasSubstr(",outside\n"), HasSubstr(",\n")));
  const json front = json::parse(read_text(path("out/summary.json"))).at("fronts").at(0).at("points");
  ASSERT_EQ(front.size(), 2U);
  for (const json& point : front) {
    const std::string architecture = point.at("architecture");
    EXPECT_EQ(point.contains("energy_note"), architecture == "pim-16x16");
    const Finished run = run_program(
        {"run", "--network", "lenet5", "--architecture", architecture, "--technology", "osu018-pim-64", "--json"});
    EXPECT_NEAR(point.at("energy_pj").get<double>() /
                    json::parse(run.out).at("energy").at("osu018-pim-64").at("energy_pj").get<double>(),
                1, 1e-9);
  }
}

// The gates of osu018-pim-64 take 7.53 ns: what is asked for beyond that brings nothing, and is told.
TEST_F(SweepVerb, ClocksAreThoseThatTheGatesReach) {
  const std::string file =
      sweep("networks: [lenet5]\nparameters: {clock_mhz: [50, 200, 100000]}\ntechnologies: [osu018-pim-64, ad-pim]\n");
  const std::vector<std::string> command = {"sweep", file, "--store", path("s.sqlite"), "--quiet"};
  const auto with = [&](std::vector<std::string> words) {
    words.insert(words.begin(), command.begin(), command.end());
    const Finished finished = run_program(words);
    EXPECT_EQ(finished.status, 0) << finished.err;
    return finished.out;
  };
  EXPECT_THAT(with({}), HasSubstr("of the gates; 2 of 3 points do not reach the clock asked for\n"));
  const json summary = json::parse(with({"--json"}));
  EXPECT_EQ(summary.at("clock_missed"), 2);
  const json& points = summary.at("fronts").at(0).at("points");
  const json& fastest = points.at(0);
  const double cycles = fastest.at("cycles");
  EXPECT_EQ(fastest.at("parameters").at("clock_mhz"), 200) << "the first of two that are equal";
  EXPECT_NEAR(fastest.at("clock_reached_mhz").get<double>(), 1e3 / 7.53, 1e-9);
  EXPECT_NEAR(fastest.at("latency_us").get<double>(), cycles * 7.53e-3, 1e-9);
  EXPECT_NEAR(fastest.at("power_mw").get<double>(), 1e-3 * fastest.at("energy_pj").get<double>() / (cycles * 7.53e-3),
              1e-9);
  EXPECT_NEAR(fastest.at("tops").get<double>(), 2 * 416520 / (cycles * 7.53e-9) * 1e-12, 1e-12);
  EXPECT_NEAR(fastest.at("tops_per_w").get<double>(), 2 * 416520 / fastest.at("energy_pj").get<double>(), 1e-12);
  EXPECT_NEAR(fastest.at("area_mm2").get<double>(),
              fastest.at("gates_mm2").get<double>() + fastest.at("memories_mm2").get<double>(), 1e-9);
  EXPECT_NEAR(fastest.at("gates_mm2").get<double>(), 7.49618 + 64 * 0.123329, 1e-9);
  // A published table knows no clock.
  EXPECT_THAT(with({"--technology", "ad-pim"}),
              AllOf(HasSubstr("latency at the clock asked for: ad-pim tells no clock that is reached\n"),
                    HasSubstr("ad-pim does not tell an area: bits_on_chip")));
  const json published = json::parse(with({"--technology", "ad-pim", "--json"})).at("fronts").at(0).at("points").at(0);
  EXPECT_DOUBLE_EQ(published.at("latency_us").get<double>(), cycles / 100000);
  EXPECT_FALSE(published.contains("clock_reached_mhz"));
  EXPECT_FALSE(published.contains("area_mm2"));
}

// A table of energies a MAC cannot tell architectures apart, nor price what is wider than it lists.
TEST_F(SweepVerb, ObjectivesThatCannotDifferLeaveTheFronts) {
  folder_.write(
      "four.yaml",
      "format: bitstrata-technology-1\nname: four\ntitle: made for a test\nkind: mac_table\nmac_energy:\n  4: "
      "{value: 1, unit: fJ/MAC, source: none, conditions: none, status: recalled}\n");
  const std::string file =
      sweep("networks: [lenet5]\nparameters: {rows: [32, 64]}\nplans: [{bits: [4, 8]}]\ntechnologies: [four.yaml]\n");
  const Finished plans = run_program({"sweep", file, "--store", path("s.sqlite"), "--quiet", "--out", path("out")});
  ASSERT_EQ(plans.status, 0) << plans.err;
  EXPECT_THAT(plans.out, HasSubstr("lenet5 w4a4: 2 of 2 points, by latency_us, bits_on_chip; energy_pj is the same for "
                                   "all\n"));
  EXPECT_THAT(plans.out,
              HasSubstr("lenet5 w8a8: 2 of 2 points, by latency_us, bits_on_chip; no point has an energy\n"));
  EXPECT_THAT(plans.out,
              HasSubstr("no energy of 2 of 4 points: layer 'conv1': 8 bits are more than technology 'four'"));
  const json fronts = json::parse(read_text(path("out/summary.json"))).at("fronts");
  EXPECT_EQ(fronts.at(0).at("objectives"), json({"latency_us", "bits_on_chip"}));
  EXPECT_EQ(fronts.at(0).at("same_for_all"), json({"energy_pj"}));
  EXPECT_EQ(fronts.at(1).at("unpriced"), 2);
  // Points of both plans: those without a price are left out rather than the energy of all.
  const json both =
      json::parse(run_program({"sweep", file, "--store", path("s.sqlite"), "--front", "network", "--json"}).out);
  EXPECT_EQ(both.at("fronts").at(0).at("unpriced"), 2);
  EXPECT_EQ(both.at("unpriced").at(0).at("points"), 2);
  for (const json& point : both.at("fronts").at(0).at("points")) EXPECT_EQ(point.at("plan"), "w4a4");
  // Between plans the energy differs.
  const std::string wide =
      sweep("networks: [lenet5]\nparameters: {rows: [32, 64]}\nplans: [{bits: [4, 8]}]\ntechnologies: [ad-pim]\n");
  EXPECT_THAT(run_program({"sweep", wide, "--store", path("s.sqlite"), "--front", "network"}).out,
              HasSubstr("of 4 points, by latency_us, bits_on_chip, energy_pj\n"));
}

// Arrays of 8 bits at most write no 16-bit outputs, which uniform plans end in.
TEST_F(SweepVerb, PlansMayHaveNarrowerOutputs) {
  const std::string head = "networks: [lenet5]\narchitectures: [overlay-4x32x4]\ntechnologies: [ad-pim]\n";
  const Finished refused = run_program({"sweep", sweep(head), "--store", path("s.sqlite"), "--quiet"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("16-bit output activations; architecture 'overlay-4x32x4' supports 1 to 8; a plan "
                                     "may have narrower output_bits"));
  const Finished finished = run_program(
      {"sweep", sweep(head + "plans: [{bits: [4], output_bits: 8}]\n"), "--store", path("s.sqlite"), "--json"});
  ASSERT_EQ(finished.status, 0) << finished.err;
  const json point = json::parse(finished.out).at("fronts").at(0).at("points").at(0);
  EXPECT_EQ(point.at("plan"), "w4a4o8");
  const json run =
      json::parse(run_program({"run", "--network", "lenet5", "--architecture", "overlay-4x32x4", "--weight-bits", "4",
                               "--activation-bits", "4", "--output-bits", "8", "--json"})
                      .out);
  EXPECT_EQ(point.at("cycles"), run.at("cycles"));
}

TEST_F(SweepVerb, KeepsThePointsOfACondition) {
  const std::string file =
      sweep("networks: [lenet5]\nparameters: {rows: [16, 32, 64], clock_mhz: [100, 200]}\ntechnologies: [ad-pim]\n");
  const std::vector<std::string> command = {"sweep", file, "--store", path("s.sqlite"), "--quiet"};
  const auto with = [&](std::vector<std::string> words) {
    words.insert(words.begin(), command.begin(), command.end());
    return run_program(words);
  };
  const Finished kept = with({"--where", "rows < 64 and not clock_mhz = 100", "--out", path("out")});
  ASSERT_EQ(kept.status, 0) << kept.err;
  EXPECT_THAT(kept.out, HasSubstr("--where holds for 2 of 6 points that fit\n"));
  const std::string csv = read_text(path("out/points.csv"));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 3);
  EXPECT_EQ(json::parse(read_text(path("out/summary.json"))).at("where_not"), 4);
  // Also parameters that the sweep does not vary, and what the point is.
  EXPECT_THAT(with({"--where", "psum_depth = 256 and plan = 'w8a8'"}).out, HasSubstr("holds for 6 of 6"));
  const Finished none = with({"--where", "rows > 64"});
  EXPECT_EQ(none.status, 1);
  EXPECT_THAT(none.err, HasSubstr("--where \"rows > 64\" holds for none of 6 points"));
  // Refused before anything is measured.
  const Finished wrong = run_program({"sweep", file, "--store", path("new.sqlite"), "--where", "row < 64"});
  EXPECT_EQ(wrong.status, 2);
  EXPECT_EQ(wrong.error_lines(), 1) << wrong.err;
  EXPECT_THAT(wrong.err, HasSubstr("is 'row' (words stand in quotes); did you mean 'rows'?"));
  EXPECT_FALSE(std::filesystem::exists(path("new.sqlite")));
}

// What is picked is the accelerator of that row, for the other verbs to take.
TEST_F(SweepVerb, PicksAnArchitecture) {
  const std::string file = sweep(
      "networks: [lenet5]\narchitectures: [overlay-8x64x8]\nparameters: {columns: [4, 16], post_lanes: [2, 4]}\n"
      "plans: [{bits: [4]}]\ntechnologies: [ad-pim]\n");
  const std::vector<std::string> command = {"sweep", file, "--store", path("s.sqlite"), "--quiet"};
  const auto with = [&](std::vector<std::string> words) {
    words.insert(words.begin(), command.begin(), command.end());
    return run_program(words);
  };
  const json front = json::parse(with({"--json"}).out).at("fronts").at(0).at("points");
  ASSERT_GE(front.size(), 2U);
  const json& last = front.back();
  EXPECT_EQ(last.at("point"), front.size());
  EXPECT_EQ(last.at("architecture"), fmt::format("overlay-8x64x{}", last.at("parameters").at("columns").get<int>()));
  const std::string number = fmt::format("{}", front.size());
  const Finished picked = with({"--pick", number});
  ASSERT_EQ(picked.status, 0) << picked.err;
  folder_.write("picked.yaml", picked.out);
  EXPECT_EQ(with({"--pick", number, "--out", path("out")}).status, 0);
  EXPECT_EQ(read_text(path("out/architecture.yaml")), picked.out);
  const Finished run = run_program(
      {"run", "--network", "lenet5", "--architecture", path("picked.yaml"), "--plan", path("out/plan.yaml"), "--json"});
  ASSERT_EQ(run.status, 0) << run.err;
  const json measured = json::parse(run.out);
  EXPECT_EQ(measured.at("cycles"), last.at("cycles"));
  EXPECT_EQ(measured.at("architecture"), fmt::format("{} post_lanes={}", last.at("architecture").get<std::string>(),
                                                     last.at("parameters").at("post_lanes").get<int>()));
  const Finished beyond = with({"--pick", "99"});
  EXPECT_EQ(beyond.status, 2);
  EXPECT_THAT(beyond.err, HasSubstr(fmt::format("--pick is 99; the fronts have the points 1 to {}", front.size())));
  EXPECT_EQ(with({"--pick", "1", "--json"}).status, 2);
}

TEST_F(SweepVerb, SaysWhereNoTechnologyIsNamed) {
  const Finished finished =
      run_program({"sweep", sweep("networks: [lenet5]\ntechnologies: []\n"), "--store", path("s.sqlite"), "--quiet"});
  EXPECT_EQ(finished.status, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("\nenergy: none, the sweep names no technology; "));
}

TEST_F(SweepVerb, PrintsFrontsAndWritesFiles) {
  const std::string file = sweep(
      "networks: [lenet5]\nparameters:\n  rows: [16, 64]\n  weight_depth: [512, 3]\n"
      "plans: [{bits: [2, 8]}]\ntechnologies: [ad-pim]\n");
  const Finished first = run_program({"sweep", file, "--store", path("s.sqlite"), "--out", path("out"), "--jobs", "1"});
  ASSERT_EQ(first.status, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr("8 points: 4 measured and 4 refused now"));
  EXPECT_THAT(first.out, HasSubstr("weight_depth is 3; allowed are powers of two"));
  EXPECT_THAT(first.out, HasSubstr("Pareto front of lenet5 w2a2: 2 of 2 points"));
  EXPECT_THAT(first.out, HasSubstr("bits_on_chip"));
  EXPECT_THAT(first.err, HasSubstr("8 points: 4 architectures, 1 networks, 2 plans; 1 threads"));
  const json summary = json::parse(read_text(path("out/summary.json")));
  EXPECT_EQ(summary.at("measured"), 4);
  EXPECT_EQ(summary.at("fronts").size(), 2U);
  const json& fastest = summary.at("fronts").at(0).at("points").at(0);
  EXPECT_EQ(fastest.at("parameters").at("rows"), 64);
  // The numbers are those of bitstrata run.
  folder_.write("a.yaml", "rows: 64\n");
  const json run = json::parse(run_program({"run", "--network", "lenet5", "--weight-bits", "2", "--activation-bits",
                                            "2", "--architecture", path("a.yaml"), "--technology", "ad-pim", "--json"})
                                   .out);
  EXPECT_EQ(fastest.at("cycles"), run.at("cycles"));
  EXPECT_NEAR(fastest.at("energy_pj").get<double>(), run.at("energy").at("ad-pim").at("energy_pj").get<double>(), 1e-6);
  EXPECT_THAT(
      read_text(path("out/points.csv")),
      ::testing::StartsWith("point,architecture,rows,weight_depth,network,plan,cycles,latency_us,energy_pj,power_mw,"
                            "tops,tops_per_w,bits_on_chip\n"));
  EXPECT_TRUE(json::parse(read_text(path("out/run.json"))).contains("commit"));
  // Once more: nothing is left to do.
  const Finished second = run_program({"sweep", file, "--store", path("s.sqlite"), "--json", "--quiet"});
  EXPECT_THAT(second.err, IsEmpty());
  const json again = json::parse(second.out);
  EXPECT_EQ(again.at("measured"), 0);
  EXPECT_EQ(again.at("in_store_before"), 8);
  EXPECT_EQ(again.at("fronts"), summary.at("fronts"));
  const json one =
      json::parse(run_program({"sweep", file, "--store", path("s.sqlite"), "--json", "--front", "network"}).out);
  EXPECT_EQ(one.at("fronts").size(), 1U);
}

// Resources are columns and objectives; what was never synthesized is marked, and the errors stand in the summary.
TEST_F(SweepVerb, PredictsFpgaResources) {
  folder_.write("narrow.yaml",
                "format: bitstrata-plan-1\nnetwork: lenet5\noutput_bits: 8\nlayers:\n"
                "  - {layer: conv1, weight_bits: 4, activation_bits: 8, channels: 6}\n"
                "  - {layer: conv2, weight_bits: 4, activation_bits: 4, channels: 16}\n"
                "  - {layer: fc1, weight_bits: 4, activation_bits: 4, channels: 120}\n"
                "  - {layer: fc2, weight_bits: 4, activation_bits: 4, channels: 84}\n"
                "  - {layer: fc3, weight_bits: 4, activation_bits: 4, channels: 10}\n");
  const std::string file = sweep(
      "networks: [lenet5]\narchitectures: [overlay-4x32x4]\nparameters: {columns: [2, 4], rows: [16, 64]}\n"
      "plans: [narrow.yaml]\ntechnologies: [ad-pim]\n");
  std::map<std::string, json> summaries;
  for (const std::string family : {"xc7", "ecp5"}) {
    const Finished finished = run_program(
        {"sweep", file, "--store", path("s.sqlite"), "--fpga", family, "--out", path(family), "--jobs", "1"});
    ASSERT_EQ(finished.status, 0) << finished.err;
    EXPECT_THAT(finished.out, AllOf(HasSubstr(family + ": "), HasSubstr("synthesized architectures"),
                                    HasSubstr("mean/worst: lut "), HasSubstr("outside: what is beyond")));
    EXPECT_THAT(
        read_text(path(family + "/points.csv")),
        ::testing::StartsWith("point,architecture,columns,rows,network,plan,cycles,latency_us,energy_pj,power_mw,tops,"
                              "tops_per_w,luts,lut,"
                              "lut_ram,ff,carry,bram,dsp,outside\n"));
    summaries[family] = json::parse(read_text(path(family + "/summary.json")));
    const json& facts = summaries[family].at("fpga");
    EXPECT_EQ(facts.at("name"), family);
    EXPECT_GT(facts.at("resources").at("lut").at("worst_error"), facts.at("resources").at("lut").at("mean_error"));
    const json& points = summaries[family].at("fronts").at(0).at("points");
    ASSERT_GE(points.size(), 2U);
    for (const json& point : points) {
      const bool far = point.at("parameters").at("rows") == 64;
      EXPECT_EQ(point.at("outside"),
                far ? json({"fold", "load_rows", "rows", "strips"}) : json({"fold", "load_rows", "strips"}))
          << point;
      const double carries =
          facts.at("resources").at("carry").at("luts").get<double>() * point.at("carry").get<double>();
      EXPECT_EQ(point.at("luts").get<double>(),
                point.at("lut").get<double>() + point.at("lut_ram").get<double>() + carries);
    }
    // By rising latency, so that a slower point must be smaller.
    EXPECT_LT(points.back().at("luts"), points.front().at("luts"));
  }
  EXPECT_NE(summaries["xc7"].at("fronts"), summaries["ecp5"].at("fronts"));
}

TEST_F(SweepVerb, TellsSharesOfADevice) {
  const std::string file = sweep(
      "networks: [lenet5]\narchitectures: [overlay-4x32x4, overlay-8x64x8]\nplans: [{bits: [4], output_bits: 8}]\n"
      "technologies: [ad-pim]\n");
  const Finished finished =
      run_program({"sweep", file, "--store", path("s.sqlite"), "--device", "xc7z020", "--out", path("out"), "--quiet"});
  ASSERT_EQ(finished.status, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("recalled); 1 of 2 points take more and do not fit\n"));
  for (const json& point : json::parse(read_text(path("out/summary.json"))).at("fronts").at(0).at("points")) {
    EXPECT_NEAR(point.at("lut_percent").get<double>(), point.at("luts").get<double>() / 532, 1e-9);
    EXPECT_NEAR(point.at("bram_percent").get<double>(), point.at("bram").get<double>() / 2.8, 1e-9);
    EXPECT_EQ(point.at("fits"), point.at("architecture") == "overlay-4x32x4");
  }
  EXPECT_THAT(run_program({"sweep", file, "--store", path("s.sqlite"), "--device", "xc7z020", "--where", "fits"}).out,
              HasSubstr("--where holds for 1 of 2 points that fit"));
  const Finished other =
      run_program({"sweep", file, "--store", path("s.sqlite"), "--device", "xc7z020", "--fpga", "ecp5"});
  EXPECT_EQ(other.status, 2);
  EXPECT_THAT(other.err, HasSubstr("--device xc7z020 is of family xc7; --fpga is ecp5"));
  // One accelerator, asked in the same way.
  const Finished run =
      run_program({"run", "--network", "lenet5", "--architecture", "overlay-8x64x8", "--device", "xc7z020"});
  EXPECT_THAT(run.out, AllOf(HasSubstr("LUTs in all, "), HasSubstr("OUTSIDE THE FITTED RANGE"),
                             HasSubstr("DOES NOT FIT, for want of lut")));
  const json small = json::parse(
      run_program({"run", "--network", "lenet5", "--architecture", "overlay-4x32x4", "--fpga", "xc7", "--json"}).out);
  EXPECT_EQ(small.at("fpga").at("family"), "xc7");
  EXPECT_FALSE(small.at("fpga").contains("device"));
}

std::int64_t finished_points(const std::string& store) {
  if (!std::filesystem::exists(store)) return 0;
  sim::Database database(store);
  if (!sim::Statement(database, "SELECT 1 FROM sqlite_master WHERE name = 'point'").number()) return 0;
  return sim::Statement(database, "SELECT count(*) FROM point").number().value_or(0);
}

// SIGKILL at a moment in the middle, twice; then the sweep is finished, and has the points of one that was left alone.
TEST_F(SweepVerb, GoesOnAfterBeingKilled) {
  const std::string file = sweep(
      "networks: [lenet5, vgg_small]\n"
      "parameters: {rows: [8, 16, 24, 32, 40, 48, 56, 64], columns: [16, 32, 48, 64, 80, 96]}\n"
      "plans: [{bits: [2, 3, 4, 5, 6, 7]}]\ntechnologies: [ad-pim]\n");
  const std::string store = path("killed.sqlite");
  for (int round = 0; round < 2; ++round) {
    const pid_t child = start_program({"sweep", file, "--store", store, "--jobs", "1"});
    ASSERT_GT(child, 0);
    const std::int64_t wanted = finished_points(store) + 20;
    for (int i = 0; i < 4000 && finished_points(store) < wanted; ++i) usleep(2000);
    ASSERT_EQ(kill(child, SIGKILL), 0);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the sweep was over before it could be killed";
  }
  const Finished rest = run_program({"sweep", file, "--store", store, "--json"});
  ASSERT_EQ(rest.status, 0) << rest.err;
  const json summary = json::parse(rest.out);
  const auto total = summary.at("points").get<std::int64_t>();
  const auto before = summary.at("in_store_before").get<std::int64_t>();
  EXPECT_EQ(total, 576);
  EXPECT_GE(before, 40);
  EXPECT_LT(before, total);
  EXPECT_EQ(summary.at("measured").get<std::int64_t>() + summary.at("refused").get<std::int64_t>(), total - before);
  ASSERT_EQ(run_program({"sweep", file, "--store", path("whole.sqlite"), "--jobs", "2"}).status, 0);
  const std::string whole = points(path("whole.sqlite"));
  EXPECT_EQ(std::count(whole.begin(), whole.end(), '\n'), total);
  EXPECT_EQ(points(store), whole);
}

TEST_F(SweepVerb, ConfirmsByTheOtherEngines) {
  // Depthwise layers can be laid out in several ways, of which the measured one must be confirmed.
  const std::string file = sweep("networks: [dscnn]\narchitectures: [pim-16x16]\nplans: [{bits: [2, 3]}]\n");
  // The second of two points, and it alone.
  const Finished finished = run_program(
      {"sweep", file, "--store", path("s.sqlite"), "--confirm", "--pick", "2", "--out", path("out"), "--json"});
  ASSERT_EQ(finished.status, 0) << finished.err;
  const json confirmed = json::parse(finished.out).at("confirmed");
  ASSERT_EQ(confirmed.size(), 2U);
  for (const json& c : confirmed) {
    EXPECT_TRUE(c.at("equal").get<bool>());
    EXPECT_EQ(c.at("plan"), "w3a3");
    EXPECT_EQ(c.at("cycles"), c.at("fast_cycles"));
    EXPECT_GT(c.at("events_compared"), 0);
    EXPECT_GT(c.at("values_compared"), 0);
  }
}

TEST_F(SweepVerb, LayerListsAreSweptAndNotExecuted) {
  folder_.write("list.csv", "16,16,3,3,3,8,0,1\n16,16,8,3,3,16,1,2\n1,1,64,1,1,10,0,1\n");
  const std::string file = sweep("networks: [list.csv]\nparameters: {rows: [32, 64]}\n");
  const Finished finished = run_program({"sweep", file, "--store", path("s.sqlite"), "--confirm"});
  ASSERT_EQ(finished.status, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("2 points: 2 measured"));
  EXPECT_THAT(finished.err, HasSubstr("'list' is a list of layers and cannot be executed"));
}

TEST_F(SweepVerb, RefusesMisuse) {
  const std::string good = sweep("networks: [lenet5]\n");
  const auto refused = [&](const std::vector<std::string>& words) {
    const Finished finished = run_program(words);
    EXPECT_EQ(finished.status, 2) << finished.out;
    EXPECT_EQ(finished.error_lines(), 1) << finished.err;
    return finished.err;
  };
  EXPECT_THAT(refused({"sweep", good}), HasSubstr("--store"));
  EXPECT_THAT(refused({"sweep", good, "--store", path("s.sqlite"), "--front", "plans"}),
              HasSubstr("did you mean 'plan'?"));
  EXPECT_THAT(refused({"sweep", good, "--store", path("s.sqlite"), "--technology", "ad-pin"}),
              HasSubstr("did you mean 'ad-pim'?"));
  EXPECT_THAT(refused({"sweep", good, "--store", path("s.sqlite"), "--fpga", "ecp6"}),
              HasSubstr("did you mean 'ecp5'?"));
  EXPECT_THAT(refused({"sweep", good, "--store", good}), HasSubstr("sweep.yaml"));  // no database
  EXPECT_THAT(refused({"sweep", path("none.yaml"), "--store", path("s.sqlite")}), HasSubstr("cannot read"));
  EXPECT_THAT(refused({"sweep", sweep("networks: [lenet5]\nparameters: {row: [1]}\n"), "--store", path("s.sqlite")}),
              AllOf(HasSubstr("sweep.yaml:3"), HasSubstr("did you mean 'rows'?")));
  // A sweep of which nothing fits is no misuse, but no success either.
  const Finished nothing = run_program(
      {"sweep", sweep("networks: [lenet5]\nparameters: {rows: [5000]}\n"), "--store", path("n.sqlite"), "--quiet"});
  EXPECT_EQ(nothing.status, 1);
  EXPECT_THAT(nothing.err, HasSubstr("no point fits its architecture: architecture 'pim-5000x64': rows is 5000"));
}

}  // namespace
