// SPDX-License-Identifier: Apache-2.0
// The verbs at work, with random weights and a data set of a few images made here.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "model/integer_network.h"
#include "model/plan.h"
#include "sim/random_network.h"
#include "tests/cli/images.h"
#include "tests/cli/process.h"

namespace {

using namespace bitstrata;
using namespace bitstrata::testing;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Words = std::vector<std::string>;

// A data set, and a run folder such as quantize writes.
class Verbs : public ::testing::Test {
 protected:
  Verbs() {
    write_images(folder_, "train", 24);
    write_images(folder_, "t10k", 4);
  }
  std::string data() const { return folder_.path().string(); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string trained() const {
    const model::Network network = model::build_network("lenet5");
    const model::Plan plan = model::uniform_plan(network, 3, 4);
    std::filesystem::create_directories(folder_ / "trained");
    model::save(sim::random_integer_network(network, plan, 7), folder_ / "trained" / "integer.safetensors");
    model::save(plan, folder_ / "trained" / "plan.yaml");
    folder_.write("trained/summary.json", R"({"method": "uniform", "test_accuracy": 0.5, "test_images": 4})");
    return path("trained");
  }
  TemporaryFolder folder_;
};

// A program of another build would predict cycles that this one does not measure.
TEST(Programs, OfDifferentBuildsDoNotWorkTogether) {
  const std::string training = std::string(BITSTRATA_PROGRAM) + "-train";
  const auto other = run_program({"train", "--help"}, {"BITSTRATA_CODE=other"}, training);
  EXPECT_EQ(other.status, 2);
  EXPECT_EQ(other.error_lines(), 1);
  EXPECT_THAT(other.err, HasSubstr("were built from different sources; build both"));
  EXPECT_EQ(run_program({"train", "--help"}, {}, training).status, 0);
  EXPECT_EQ(run_program({"train", "--help"}).status, 0) << "the one starts the other";
}

TEST_F(Verbs, HelpAndVersion) {
  for (const char* verb : {"list", "run", "verify", "generate", "report"}) {
    const Finished finished = run_program({verb, "--help"});
    EXPECT_EQ(finished.status, 0) << verb;
    EXPECT_THAT(finished.out, HasSubstr("example:\n  bitstrata " + std::string(verb)));
    for (const char* option : {"--seed", "--threads", "--quiet", "--json"})
      EXPECT_THAT(finished.out, HasSubstr(option));
  }
  EXPECT_THAT(run_program({"--help"}).out, HasSubstr("quantize"));
  EXPECT_THAT(run_program({"--version"}).out, ::testing::StartsWith("bitstrata "));
}

TEST_F(Verbs, ListKnowsWhatTheLibrariesKnow) {
  for (const char* topic : {"networks", "architectures", "technologies", "fpga", "datasets", "methods"}) {
    const Finished text = run_program({"list", topic});
    EXPECT_EQ(text.status, 0);
    const json listed = json::parse(run_program({"list", topic, "--json"}).out);
    ASSERT_GE(listed.at(topic).size(), 2U);
    for (const json& entry : listed[topic]) EXPECT_THAT(text.out, HasSubstr(entry.at("name").get<std::string>()));
  }
}

TEST_F(Verbs, RunFastPrintsTotalsAndStatus) {
  const Finished finished = run_program({"run", "--network", "lenet5", "--weight-bits", "4", "--activation-bits", "5"});
  EXPECT_EQ(finished.status, 0);
  EXPECT_THAT(finished.err, IsEmpty());
  EXPECT_THAT(finished.out, HasSubstr("total"));
  EXPECT_THAT(finished.out, HasSubstr("416,520"));  // MACs of LeNet-5
  EXPECT_THAT(finished.out, HasSubstr("coefficients recalled"));
  EXPECT_THAT(finished.out, Not(HasSubstr("accuracy:")));  // random weights have none
}

TEST_F(Verbs, RunWritesItsFolder) {
  const std::string out = path("runs/a");
  const Finished finished = run_program({"run", "--network", "lenet5", "--out", out, "--json", "--seed", "5"});
  ASSERT_EQ(finished.status, 0) << finished.err;
  const json summary = json::parse(finished.out);
  EXPECT_EQ(summary, json::parse(read_text(out + "/summary.json")));
  const json run = json::parse(read_text(out + "/run.json"));
  EXPECT_EQ(run.at("seed"), 5);
  EXPECT_EQ(run.at("engine"), "fast");
  for (const char* key : {"command", "version", "commit", "inputs", "tools", "peak_memory_mb", "wall_time_s"})
    EXPECT_TRUE(run.contains(key)) << key;
  EXPECT_THAT(read_text(out + "/plan.yaml"), HasSubstr("layer: fc3"));

  const std::string csv = read_text(out + "/layers.csv");
  EXPECT_THAT(csv, ::testing::StartsWith(
                       "layer,kind,weight_bits,activation_bits,macs,cycles,compute_cycles,load_cycles,store_cycles,"
                       "stall_cycles,utilization,weight_density,activation_density,latency_us,energy_pj,array_pj,"));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 8);
  // Nothing is known of densities here: the cells are empty, not zero.
  const std::string conv1 = csv.substr(csv.find("\nconv1,") + 1);
  std::vector<std::string> cells;
  std::istringstream line(conv1.substr(0, conv1.find('\n')));
  for (std::string cell; std::getline(line, cell, ',');) cells.push_back(cell);
  EXPECT_EQ(cells.at(4), "117600");
  EXPECT_EQ(cells.at(11), "");
  EXPECT_EQ(cells.at(12), "");
  // utilization as --help defines it, on one array of 64x64
  EXPECT_NEAR(std::stod(cells.at(10)), 117600.0 * 8 * 8 / (std::stod(cells.at(5)) * 64 * 64), 1e-5);
  // only the four files: no temporary names are left
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(out), {}), 4);
  // The total says what it covers: two of the seven layers are poolings, which no technology here prices.
  EXPECT_EQ(summary.at("energy").at("ad-pim").at("priced_layers"), 5);
  EXPECT_EQ(summary.at("energy").at("ad-pim").at("layers"), 7);
}

TEST_F(Verbs, SystemcAgreesWithFastAndGolden) {
  const json fast = json::parse(run_program({"run", "--network", "lenet5", "--json"}).out);
  const json systemc = json::parse(
      run_program({"run", "--network", "lenet5", "--engine", "systemc", "--images", "2", "--dataset", data(), "--json"})
          .out);
  EXPECT_EQ(fast.at("cycles"), systemc.at("cycles"));
  EXPECT_EQ(fast.at("layers"), systemc.at("layers"));
  EXPECT_EQ(systemc.at("outputs_equal_to_golden"), 20);
  EXPECT_GT(systemc.at("cycles_per_cpu_second").get<double>(), 0);
}

TEST_F(Verbs, MixedPlansAreDrawnBySeed) {
  const auto plan = [&](const char* seed, const std::string& out) {
    EXPECT_EQ(run_program({"run", "--network", "resnet8", "--plan", "mixed", "--seed", seed, "--out", out}).status, 0);
    return read_text(out + "/plan.yaml");
  };
  const std::string first = plan("1", path("mixed-1"));
  EXPECT_EQ(first, plan("1", path("mixed-1-again")));
  EXPECT_NE(first, plan("2", path("mixed-2")));
}

TEST_F(Verbs, SkippedPlanesAreCountedInData) {
  const std::string skip = path("skip.yaml");
  std::ofstream(skip) << "{style: overlay, rows: 20, columns: 5, vectors: 3, skip_planes: true}\n";
  const auto run_on = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"run", "--network", "lenet5", "--architecture", skip, "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Finished finished = run_program(arguments);
    EXPECT_EQ(finished.status, 0) << finished.err;
    return json::parse(finished.out);
  };
  const json bound = run_on({}), fast = run_on({"--dataset", data(), "--images", "2"});
  const json systemc = run_on({"--dataset", data(), "--images", "2", "--engine", "systemc"});
  EXPECT_EQ(fast.at("layers"), systemc.at("layers"));
  EXPECT_LT(fast.at("cycles"), bound.at("cycles"));
  EXPECT_THAT(bound.at("cycles_note"), HasSubstr("upper bound"));
  EXPECT_EQ(fast.at("cycles_note"), "cycles and events are the mean of 2 images");
  const json batches = run_on({"--dataset", data(), "--images", "4", "--batch", "2"});
  EXPECT_EQ(batches.at("layers"),
            run_on({"--dataset", data(), "--images", "4", "--batch", "2", "--engine", "systemc", "--threads", "2"})
                .at("layers"));
  const Finished table = run_program({"table", "--network", "lenet5", "--architecture", skip});
  EXPECT_EQ(table.status, 2);
  EXPECT_THAT(table.err, HasSubstr("with skip_planes cycles depend on the activations"));
}

TEST_F(Verbs, TrainedFolderHasAccuracyAndDensities) {
  const std::string network = trained(), out = path("cost");
  const Finished finished =
      run_program({"run", "--network", network, "--dataset", data(), "--images", "4", "--out", out, "--quiet"});
  ASSERT_EQ(finished.status, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("of 4 images"));
  const json summary = json::parse(read_text(out + "/summary.json"));
  EXPECT_EQ(summary.at("weights"), "trained");
  EXPECT_EQ(summary.at("test_accuracy"), 0.5);  // carried over from the folder
  EXPECT_EQ(summary.at("images").at("count"), 4);
  const std::string csv = read_text(out + "/layers.csv");
  EXPECT_THAT(csv, ::testing::ContainsRegex("\nconv1,convolution,3,4,117600,[0-9]+,[0-9]+,[0-9]+,[0-9]+,[0-9]+,"
                                            "0\\.[0-9]+,0\\.[0-9]+,0\\.[0-9]+,"));
  EXPECT_EQ(run_program({"run", "--network", network, "--weight-bits", "4"}).status, 2);
  EXPECT_EQ(run_program({"run", "--network", network, "--dataset", data(), "--images", "5"}).status, 2);
}

TEST_F(Verbs, VerifyComparesEverything) {
  const Finished finished = run_program({"verify", "--network", "lenet5", "--weight-bits", "3", "--activation-bits",
                                         "5", "--dataset", "random", "--images", "2", "--rtl-images", "0"});
  EXPECT_EQ(finished.status, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("equal: 16,188 values and 336 events compared, 0 values and 0 events different"));
}

// Cycles are those of a run; latency and energy an image's, whatever the batch.
TEST_F(Verbs, RunOfABatchHasTheNumbersOfAnImage) {
  const Words words = {"run", "--network", "lenet5", "--dataset", "random", "--json"};
  const auto batch = [&](Words more) {
    more.insert(more.begin(), words.begin(), words.end());
    const Finished finished = run_program(more);
    EXPECT_EQ(finished.status, 0) << finished.err;
    return json::parse(finished.out);
  };
  const json one = batch({}), four = batch({"--batch", "4", "--out", path("four")});
  const json executed = batch({"--batch", "4", "--engine", "systemc", "--images", "8"});
  EXPECT_EQ(one.at("batch"), 1);
  EXPECT_EQ(one.at("cycles_per_image"), one.at("cycles"));
  EXPECT_EQ(four.at("batch"), 4);
  EXPECT_EQ(four.at("cycles_per_image").get<double>(), four.at("cycles").get<double>() / 4);
  EXPECT_LT(four.at("latency_us"), one.at("latency_us"));
  EXPECT_DOUBLE_EQ(four.at("latency_us"),
                   four.at("cycles_per_image").get<double>() / four.at("clock_mhz").get<double>());
  EXPECT_EQ(four.at("macs"), one.at("macs"));
  for (const auto& [technology, entry] : one.at("energy").items()) {
    const json& batched = four.at("energy").at(technology);
    for (const char* same : {"energy_pj", "parts", "tops_per_w"}) EXPECT_EQ(batched.at(same), entry.at(same));
    EXPECT_EQ(batched.at("latency_us"), four.at("latency_us"));
    EXPECT_GT(batched.at("power_mw"), entry.at("power_mw")) << "the same energy in less time";
  }
  EXPECT_EQ(four.at("layers"), executed.at("layers"));
  EXPECT_EQ(executed.at("outputs_equal_to_golden"), 80);
  std::istringstream csv(read_text(path("four") + "/layers.csv"));
  std::string line;
  std::getline(csv, line);
  EXPECT_THAT(line, ::testing::EndsWith(",batch"));
  while (std::getline(csv, line)) EXPECT_THAT(line, ::testing::EndsWith(",4"));
  const Finished text = run_program({"run", "--network", "lenet5", "--batch", "4"});
  EXPECT_THAT(text.out, HasSubstr("batch of 4: cycles are those of a run of 4 images"));
  const Finished report = run_program({"report", path("four"), "--format", "md"});
  EXPECT_THAT(report.out, HasSubstr("images a run"));
}

TEST_F(Verbs, VerifyRunsBatches) {
  const Words words = {"verify", "--network",    "lenet5", "--weight-bits", "3", "--activation-bits", "5", "--dataset",
                       "random", "--rtl-images", "0",      "--batch",       "3"};
  const Finished finished = run_program(words);
  EXPECT_EQ(finished.status, 0) << finished.err;
  // A batch of three images by default: values of three, events of one run.
  EXPECT_THAT(finished.out, HasSubstr("equal: 24,282 values and 168 events compared, 0 values and 0 events different"));
  EXPECT_THAT(finished.out, HasSubstr("cycles: of the first batch of 3 images"));
  EXPECT_THAT(finished.out, HasSubstr("cycles an image (of a batch / 3)"));
}

TEST_F(Verbs, VerifyWithRtlUnderStalls) {
  const Finished finished = run_program(
      {"verify", "--network", "lenet5", "--architecture", "pim-16x16", "--weight-bits", "2", "--activation-bits",
       "3",      "--dataset", "random", "--images",       "1",         "--rtl-images",  "1", "--stall-probability",
       "0.2",    "--json",    "--out",  path("verified")});
  ASSERT_EQ(finished.status, 0) << finished.err << finished.out;
  const json result = json::parse(finished.out);
  EXPECT_TRUE(result.at("passed"));
  const json& conv1 = result.at("layers").at(0);
  EXPECT_EQ(conv1.at("values").at("rtl-systemc").at("compared"), 4704);
  EXPECT_EQ(conv1.at("events").at("rtl-systemc").at("compared"), 24);
  EXPECT_EQ(conv1.at("events").at("rtl-fast").at("compared"), 18);  // not the six that stalls change
  EXPECT_EQ(conv1.at("cycles").at("rtl"), conv1.at("cycles").at("systemc"));
  EXPECT_GT(conv1.at("cycles").at("rtl"), conv1.at("cycles").at("fast"));
}

TEST_F(Verbs, VerifyOfNothingFails) {
  for (const char* batch : {"1", "2"}) {
    const Finished finished = run_program({"verify", "--network", "lenet5", "--dataset", "random", "--images", "0",
                                           "--rtl-images", "0", "--batch", batch});
    EXPECT_EQ(finished.status, 1);
    EXPECT_THAT(finished.out, HasSubstr("NOT EQUAL: 0 values"));
  }
}

TEST_F(Verbs, ReportJoinsRuns) {
  for (const char* bits : {"16", "4"}) {
    ASSERT_EQ(run_program({"run", "--network", "lenet5", "--weight-bits", bits, "--activation-bits", bits, "--out",
                           path(fmt::format("w{}", bits))})
                  .status,
              0);
  }
  // The reference is found by its widths, not by its place.
  const Finished joined = run_program({"report", path("w4"), path("w16"), "--format", "csv", "--json"});
  ASSERT_EQ(joined.status, 0) << joined.err;
  const json report = json::parse(joined.out);
  EXPECT_EQ(report.at("reference"), "w16");
  EXPECT_EQ(report.at("rows").at(0).at("mean_weight_bits"), 4);
  EXPECT_THAT(run_program({"report", path("w4"), path("w16"), "--format", "csv"}).out,
              HasSubstr("\nw4,lenet5,random weights,pim-64x64,fast,,,,4,4,61706,416520,245880,"));
  const Finished page =
      run_program({"report", path("w4"), path("w16"), "--format", "html", "--format", "md", "--out", path("report")});
  ASSERT_EQ(page.status, 0) << page.err;
  const std::string html = read_text(folder_ / "report/report.html");
  EXPECT_THAT(read_text(folder_ / "report/report.md"), HasSubstr("| w4 | lenet5 |"));
  EXPECT_THAT(html, HasSubstr("1.00x"));
  EXPECT_THAT(html, HasSubstr("recalled"));
  EXPECT_THAT(html, HasSubstr("arXiv 2101.04354"));
  EXPECT_THAT(html, ::testing::AnyOf(HasSubstr("<svg"), HasSubstr("No pictures: ")));
  EXPECT_EQ(run_program({"report", path("w4"), "--reference", "w5"}).status, 2);
}

// The gates of osu018-pim-64 take 7.53 ns, those of osu035-pim-64-gated 12.28; 200 MHz are asked for.
TEST_F(Verbs, LatencyIsThatOfTheClockReached) {
  const Finished text = run_program({"run", "--network", "lenet5", "--technology", "osu018-pim-64", "--technology",
                                     "osu035-pim-64-gated", "--technology", "ad-pim", "--out", path("gates")});
  ASSERT_EQ(text.status, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("latency at 132.8 MHz, the slower of the clock asked for and osu018-pim-64's\n"));
  EXPECT_THAT(text.out, HasSubstr(" us at 81.43 MHz, which the gates reach (200 MHz are asked for): "));
  EXPECT_THAT(text.out, HasSubstr(" us at 200 MHz, the clock asked for: "));
  const json summary = json::parse(read_text(path("gates/summary.json")));
  const double cycles = summary.at("cycles");
  EXPECT_EQ(summary.at("clock_mhz"), 200);
  EXPECT_NEAR(summary.at("clock_reached_mhz").get<double>(), 1e3 / 7.53, 1e-9);
  EXPECT_NEAR(summary.at("latency_us").get<double>(), cycles * 7.53e-3, 1e-9);
  const json &slow = summary.at("energy").at("osu035-pim-64-gated"), &published = summary.at("energy").at("ad-pim");
  EXPECT_NEAR(slow.at("latency_us").get<double>(), cycles * 12.28e-3, 1e-9);
  EXPECT_NEAR(slow.at("gates_mm2").get<double>(), 31.0769 + 64 * 0.451215, 1e-9);
  EXPECT_NEAR(slow.at("power_mw").get<double>(),
              1e-3 * slow.at("energy_pj").get<double>() / slow.at("latency_us").get<double>(), 1e-9);
  EXPECT_NEAR(slow.at("tops_per_w").get<double>(), 2 * 416520 / slow.at("energy_pj").get<double>(), 1e-12);
  EXPECT_NEAR(published.at("latency_us").get<double>(), cycles / 200, 1e-9);
  EXPECT_FALSE(published.contains("clock_reached_mhz"));
  EXPECT_FALSE(published.contains("area_mm2"));
  // By layer, too.
  double sum = 0;
  for (const json& layer : summary.at("layers")) sum += layer.at("latency_us").get<double>();
  EXPECT_NEAR(sum, cycles * 7.53e-3, 1e-6);
  EXPECT_THAT(
      read_text(path("gates/layers.csv")),
      HasSubstr(",energy_osu035-pim-64-gated_pj,latency_osu035-pim-64-gated_us,energy_ad-pim_pj,latency_ad-pim_us,"
                "batch\n"));
  // Reports keep it.
  const std::string note = "gates: the gates of osu018-pim-64 reach 132.8 of the 200 MHz asked for: ";
  EXPECT_THAT(run_program({"report", path("gates"), "--format", "md"}).out, HasSubstr("\n" + note));
  EXPECT_THAT(run_program({"report", path("gates"), "--format", "html"}).out, HasSubstr(note));
  EXPECT_THAT(
      run_program({"report", path("gates"), "--format", "csv"}).out,
      HasSubstr(fmt::format(",{},200,{},{},", summary.at("cycles").get<int>(),
                            summary.at("clock_reached_mhz").get<double>(), summary.at("latency_us").get<double>())));
  // Gates that are fast enough run at the clock asked for.
  folder_.write("slow.yaml", "clock_mhz: 50\n");
  const json fine = json::parse(run_program({"run", "--network", "lenet5", "--technology", "osu018-pim-64",
                                             "--architecture", path("slow.yaml"), "--json"})
                                    .out);
  EXPECT_NEAR(fine.at("latency_us").get<double>(), cycles / 50, 1e-9);
}

TEST_F(Verbs, ReportKeepsItsNumbersWithoutPython) {
  ASSERT_EQ(run_program({"run", "--network", "lenet5", "--out", path("w8")}).status, 0);
  const Finished page =
      run_program({"report", path("w8"), "--out", path("report")}, {"BITSTRATA_PYTHON=/nowhere/python"});
  EXPECT_EQ(page.status, 0);
  EXPECT_THAT(page.err, HasSubstr("python3-matplotlib"));
  EXPECT_THAT(read_text(folder_ / "report/report.html"), HasSubstr("No pictures: "));
}

TEST_F(Verbs, ReportShowsLargeSeedsWhole) {
  ASSERT_EQ(run_program({"run", "--network", "lenet5", "--seed", "5000000000", "--out", path("run")}).status, 0);
  const Finished page = run_program({"report", path("run")}, {"BITSTRATA_PYTHON=/nowhere/python"});
  EXPECT_EQ(page.status, 0);
  EXPECT_THAT(page.out, HasSubstr("<td>5000000000</td>"));
  EXPECT_THAT(page.out, HasSubstr("Totals cover array_pj of 5 of 7 layers"));
}

TEST_F(Verbs, QuietLeavesTheResultOnStdout) {
  const Finished finished =
      run_program({"generate", "--architecture", "pim-16x16", "--out", path("design"), "--quiet"});
  EXPECT_EQ(finished.status, 0);
  EXPECT_THAT(finished.err, IsEmpty());
  EXPECT_THAT(finished.out, HasSubstr("files of architecture pim-16x16"));
}

// Tools of these names, found before all others.
class Tools {
 public:
  explicit Tools(std::filesystem::path folder) : folder_(std::move(folder)) {}
  void write(const std::string& name, const std::string& script) const {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / name) << "#!/bin/sh\n" << script << "\n";
    std::filesystem::permissions(folder_ / name, std::filesystem::perms::owner_all);
  }
  std::string path() const { return fmt::format("PATH={}:{}", folder_.string(), std::getenv("PATH")); }

 private:
  std::filesystem::path folder_;
};

TEST_F(Verbs, RtlThatDoesNotCompileIsOneLineAndALog) {
  const Words verify = {"verify",   "--network", "lenet5",       "--dataset", "random",
                        "--images", "0",         "--rtl-images", "1",         "--quiet"};
  const std::regex log("the tools' output is in (.*/rtl-([0-9a-f]{16})\\.log)\n");
  std::set<std::string> hashes;
  for (const char* version : {"12.2", "13.1", "12.2"}) {
    const Tools tools(folder_ / version);
    tools.write("verilator", "[ \"$1\" = --version ] && exit 0; echo first line; echo second line; exit 1");
    tools.write("g++", fmt::format("echo version {}", version));
    const Finished finished = run_program(verify, {tools.path(), "BITSTRATA_CACHE=" + path("cache")});
    EXPECT_EQ(finished.status, 2);
    EXPECT_EQ(finished.error_lines(), 1) << finished.err;
    std::smatch found;
    ASSERT_TRUE(std::regex_search(finished.err, found, log)) << finished.err;
    EXPECT_EQ(read_text(found[1].str()), "first line\nsecond line\n");
    hashes.insert(found[2]);
  }
  EXPECT_EQ(hashes.size(), 2U) << "another compiler makes another library";
}

bool has_training() {
  return std::filesystem::exists(std::filesystem::path(BITSTRATA_PROGRAM).parent_path() / "bitstrata-train");
}

TEST_F(Verbs, FromTrainingToCost) {
  if (!has_training()) GTEST_SKIP() << "this build has no training";
  write_images(folder_, "train", 300);
  write_images(folder_, "t10k", 50);
  const Words train = {"train", "--network", "lenet5", "--dataset", data(),       "--epochs",
                       "1",     "--threads", "1",      "--out",     path("float")};
  const Finished trained = run_program(train);
  ASSERT_EQ(trained.status, 0) << trained.err;
  EXPECT_THAT(trained.out, HasSubstr("float validation accuracy"));
  const std::string weights = read_text(folder_ / "float/float.safetensors");

  // Resuming what is finished leaves it alone; other options are no resumption.
  const auto with = [](Words words, const Words& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  const Finished again = run_program(with(train, {"--resume"}));
  EXPECT_EQ(again.status, 0);
  EXPECT_THAT(again.err, HasSubstr("the run is finished"));
  EXPECT_EQ(again.out, trained.out);
  const Finished other = run_program(with(train, {"--resume", "--seed", "2"}));
  EXPECT_EQ(other.status, 2);
  EXPECT_THAT(other.err, HasSubstr("the finished run had seed = 1, not 2"));
  EXPECT_EQ(read_text(folder_ / "float/float.safetensors"), weights);

  const Words quantize = {"quantize",
                          "--network",
                          path("float"),
                          "--dataset",
                          data(),
                          "--method",
                          "uniform",
                          "--out",
                          path("w4"),
                          "--weight-bits",
                          "4",
                          "--activation-bits",
                          "5",
                          "--threads",
                          "1",
                          "--finetune-epochs",
                          "1",
                          "--quantizer",
                          "lsq",
                          "--distill",
                          "0.5",
                          "--technology",
                          "45nm-mac-memory"};
  const Finished quantized = run_program(quantize);
  ASSERT_EQ(quantized.status, 0) << quantized.err;
  const json summary = json::parse(read_text(folder_ / "w4/summary.json"));
  EXPECT_EQ(summary.at("training"), json({{"quantizer", "lsq"}, {"distill", 0.5}, {"temperature", 2.0}}));
  EXPECT_EQ(json::parse(read_text(folder_ / "w4/run.json")).at("options").at("quantizer"), "lsq");
  EXPECT_EQ(summary.at("mac_energy_technology"), "45nm-mac-memory");
  EXPECT_NEAR(summary.at("mac_energy_fj").get<double>(), summary.at("macs").get<double>() * 584.375, 1);  // of 5 bits
  EXPECT_THAT(quantized.err, HasSubstr("quantizer lsq, distillation 0.5 at temperature 2"));
  // Codes behind the input: 4704 + 1176 + 1600 + 400 + 120 + 84 + 10 of each of 50 images.
  EXPECT_EQ(summary.at("fake_quantization").at("codes_compared"), 50 * 8094);
  EXPECT_GT(summary.at("fake_quantization").at("codes_equal"), 50 * 8094 * 95 / 100);
  EXPECT_THAT(quantized.out, HasSubstr("of 404700 codes equal those of the golden integers"));
  EXPECT_THAT(read_text(folder_ / "w4/plan.yaml"), HasSubstr("weight_bits: 4, activation_bits: 5"));
  EXPECT_THAT(run_program(with(quantize, {"--resume"})).err, HasSubstr("the run is finished"));
  EXPECT_EQ(run_program(with(quantize, {"--resume"})).out, quantized.out);
  const Finished replaced = run_program(quantize);
  EXPECT_EQ(replaced.status, 0);
  EXPECT_THAT(replaced.err, HasSubstr("replaces the finished run"));

  const Finished evaluated = run_program({"evaluate", "--network", path("w4"), "--dataset", data(), "--json"});
  ASSERT_EQ(evaluated.status, 0) << evaluated.err;
  const json accuracy = json::parse(evaluated.out);
  EXPECT_EQ(accuracy.at("images"), 50);
  EXPECT_EQ(accuracy.at("test_accuracy"), summary.at("test_accuracy"));

  const Finished cost = run_program(
      {"run", "--network", path("w4"), "--dataset", data(), "--engine", "systemc", "--images", "2", "--json"});
  ASSERT_EQ(cost.status, 0) << cost.err;
  EXPECT_EQ(json::parse(cost.out).at("outputs_equal_to_golden"), 20);
  EXPECT_EQ(json::parse(cost.out).at("test_accuracy"), summary.at("test_accuracy"));

  // Contents decide what may be resumed: first other weights under the same name, then another data set.
  const Words anew = {"train",     "--network", "lenet5", "--dataset", data(),  "--epochs",   "1",
                      "--threads", "1",         "--seed", "2",         "--out", path("float")};
  ASSERT_EQ(run_program(anew).status, 0);
  EXPECT_THAT(run_program(with(quantize, {"--resume"})).err,
              HasSubstr("the start is another one than the finished run's: beginning anew"));
  write_images(folder_, "train", 310);
  EXPECT_THAT(run_program(with(anew, {"--resume"})).err,
              HasSubstr("the data set is another one than the finished run's: beginning anew"));
  EXPECT_THAT(run_program(with(anew, {"--resume"})).err, HasSubstr("the run is finished"));
}

TEST_F(Verbs, TrainingIsAProgramOfItsOwn) {
  if (has_training()) {
    EXPECT_THAT(run_program({"train", "--help"}).out, HasSubstr("usage: bitstrata train"));
    return;
  }
  for (const char* verb : {"train", "quantize", "evaluate"}) {
    const Finished finished = run_program({verb, "--network", "lenet5"});
    EXPECT_EQ(finished.status, 2);
    EXPECT_EQ(finished.error_lines(), 1);
    EXPECT_THAT(finished.err, HasSubstr("-DBITSTRATA_TRAINING=OFF"));
  }
}

}  // namespace
