// SPDX-License-Identifier: Apache-2.0
// bitstrata quantize with methods that choose by measured costs.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/cli/images.h"
#include "tests/cli/process.h"
#include "tests/cli/spawned.h"

namespace {

using namespace bitstrata::testing;
using nlohmann::json;
using ::testing::HasSubstr;
using Words = std::vector<std::string>;

class SearchVerb : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto program = std::filesystem::path(BITSTRATA_PROGRAM).parent_path() / "bitstrata-train";
    if (!std::filesystem::exists(program)) GTEST_SKIP() << "this build has no training";
    write_images(folder_, "train", 300);
    write_images(folder_, "t10k", 20);
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  // A search that is over in seconds.
  Words quantize(const std::string& out, const Words& more) const {
    Words words = {"quantize",      "--network", "lenet5", "--dataset", folder_.path().string(), "--threads", "1",
                   "--loss-images", "24",        "--out",  path(out)};
    words.insert(words.end(), more.begin(), more.end());
    if (std::ranges::find(more, "--widths") == more.end()) words.insert(words.end(), {"--widths", "2,4,8"});
    return words;
  }
  // A network that has learned something, in the folder "float".
  void train_on_stripes() {
    write_images(folder_, "train", 300, true);
    const Finished training = run_program({"train", "--network", "lenet5", "--dataset", folder_.path().string(),
                                           "--threads", "1", "--epochs", "6", "--batch", "16", "--out", path("float")});
    ASSERT_EQ(training.status, 0) << training.err;
  }
  json summary(const std::string& out) const { return json::parse(read_text(folder_ / out / "summary.json")); }

  TemporaryFolder folder_;
};

TEST_F(SearchVerb, PlansKeepTheirLimitsAsTheEnginesMeasure) {
  const Finished finished = run_program(
      quantize("run", {"--method", "codesign", "--limit", "latency=0.6", "--limit", "energy=0.5", "--technology",
                       "ad-pim", "--levels", "4", "--candidates", "3", "--phases", "2", "--systemc-images", "2"}));
  ASSERT_EQ(finished.status, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("measured by systemc"));
  EXPECT_THAT(finished.out, HasSubstr("values compared, 0 different"));
  const json found = summary("run");
  const auto cost = [&](const char* of, const char* what) { return found.at(of).at(what).get<double>(); };
  EXPECT_LE(cost("predicted", "cycles"), 0.6 * cost("uniform_8_8", "cycles"));
  EXPECT_LE(cost("predicted", "energy_fj"), 0.5 * cost("uniform_8_8", "energy_fj"));
  EXPECT_EQ(found.at("measured").at("cycles").at("systemc"), found.at("predicted").at("cycles"));
  EXPECT_GT(found.at("measured").at("values_compared"), 0);

  // What another verb measures on the folder is the same.
  const Finished run = run_program(
      {"run", "--network", path("run"), "--dataset", folder_.path().string(), "--technology", "ad-pim", "--json"});
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(json::parse(run.out).at("cycles"), found.at("predicted").at("cycles"));
  const std::string log = read_text(folder_ / "run/search.csv");
  EXPECT_THAT(log, HasSubstr("phase,event,cycles"));
  EXPECT_THAT(log, HasSubstr("1,candidate,"));
  EXPECT_THAT(log, HasSubstr("2,chosen,"));
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), found.at("search_steps").get<int>() + 1);
  for (const char* left : {"search.journal", "resume.safetensors", "search-1.safetensors"})
    EXPECT_FALSE(std::filesystem::exists(folder_ / "run" / left)) << left;
}

TEST_F(SearchVerb, ArraysAreChosenWithTheirPlans) {
  folder_.write("arrays.yaml",
                "format: bitstrata-sweep-1\narchitectures: [pim-64x64]\n"
                "parameters: {rows: [16, 32, 128], columns: [64]}\n");
  const Finished finished = run_program(
      quantize("run", {"--method", "program", "--limit", "latency=0.8", "--architectures", path("arrays.yaml"),
                       "--architecture", "pim-64x64", "--limit", "area=1.01", "--systemc-images", "1"}));
  ASSERT_EQ(finished.status, 0) << finished.err;
  const json found = summary("run"), arrays = found.at("arrays");
  EXPECT_EQ(arrays.at("architectures"), 3);
  const std::string csv = read_text(folder_ / "run/arrays.csv");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + arrays.at("pairs").get<int>());
  EXPECT_THAT(csv, HasSubstr("\"pim-128x64\",1,1,"));
  const std::string chosen = arrays.at("chosen").at("architecture");
  EXPECT_THAT(chosen, ::testing::AnyOf("pim-16x64", "pim-32x64", "pim-128x64"));
  EXPECT_EQ(found.at("architecture"), chosen);
  EXPECT_LE(arrays.at("chosen").at("loss").get<double>(), arrays.at("array_first").at("loss").get<double>());
  EXPECT_EQ(found.at("measured").at("cycles").at("systemc"), found.at("predicted").at("cycles"));
  // The limit is a share of the array that was named, at its clock.
  const Finished reference = run_program({"run", "--network", "lenet5", "--json"});
  EXPECT_LE(found.at("predicted").at("cycles").get<double>(),
            0.8 * json::parse(reference.out).at("cycles").get<double>());
  const Finished run = run_program({"run", "--network", path("run"), "--dataset", folder_.path().string(),
                                    "--architecture", path("run/architecture.yaml"), "--json"});
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(json::parse(run.out).at("cycles"), found.at("predicted").at("cycles"));
}

// What `table` writes is read back: the board at hand is then our own accelerator, layer by layer.
TEST_F(SearchVerb, ACostTableTakesThePlaceOfTheArchitecture) {
  ASSERT_EQ(run_program({"table", "--network", "lenet5", "--out", path("table")}).status, 0);
  const Finished finished = run_program(
      quantize("run", {"--method", "program", "--limit", "latency=0.5", "--cost-table", path("table/cycles.npy")}));
  ASSERT_EQ(finished.status, 0) << finished.err;
  const json found = summary("run");
  EXPECT_TRUE(found.at("architecture").is_null());
  EXPECT_TRUE(found.at("measured").is_null());
  EXPECT_LE(found.at("predicted").at("cycles").get<double>(), 0.5 * found.at("uniform_8_8").at("cycles").get<double>());
}

// A second search goes on from what the first one learned and kept: channels, then widths.
TEST_F(SearchVerb, GoesOnFromAQuantizedRun) {
  const Finished first = run_program(quantize(
      "first",
      {"--method",           "codesign", "--limit",           "latency=0.8", "--widths",   "8", "--levels",     "4",
       "--minimum-channels", "2",        "--phases",          "1",           "--settling", "0", "--candidates", "2",
       "--systemc-images",   "0",        "--finetune-epochs", "1",           "--trials",   "0"}));
  ASSERT_EQ(first.status, 0) << first.err;
  const json pruned = summary("first");
  const Finished whole = run_program({"run", "--network", "lenet5", "--json"});
  ASSERT_LT(pruned.at("parameters"), json::parse(whole.out).at("parameters"));
  Words second =
      quantize("second", {"--method", "codesign", "--limit", "latency=0.7", "--phases", "1", "--settling", "0",
                          "--candidates", "2", "--systemc-images", "1", "--finetune-epochs", "1", "--trials", "2"});
  second[2] = path("first");
  const Finished went_on = run_program(second);
  ASSERT_EQ(went_on.status, 0) << went_on.err;
  const json found = summary("second");
  EXPECT_EQ(found.at("parameters"), pruned.at("parameters"));
  EXPECT_EQ(found.at("uniform_8_8").at("cycles"), pruned.at("predicted").at("cycles"));
  EXPECT_EQ(found.at("measured").at("cycles").at("systemc"), found.at("predicted").at("cycles"));
  for (std::size_t i = 0; i < found.at("layers").size(); ++i)
    EXPECT_EQ(found.at("layers")[i].at("channels"), pruned.at("layers")[i].at("channels"));
  // What it learned is where the second one begins; its float passes are nobody's teacher.
  const auto refused = [&](const Words& more, const std::string& reason) {
    Words words = second;
    words.insert(words.end(), more.begin(), more.end());
    const Finished finished = run_program(words);
    EXPECT_EQ(finished.status, 2);
    EXPECT_THAT(finished.err, HasSubstr(reason));
  };
  refused({"--distill", "0.5"}, "--distill: '" + path("first") + "' was trained under quantization");
  refused({"--against", "teacher"}, "--against teacher: ");
  refused({"--sensitivity", "kl"}, "--sensitivity kl: ");
  std::ranges::replace(second, path("second"), path("first"));
  refused({}, "is the folder that the run starts from");
  const Finished uniform = run_program({"quantize", "--network", path("first"), "--dataset", folder_.path().string(),
                                        "--method", "uniform", "--out", path("uniform")});
  EXPECT_EQ(uniform.status, 2);
  EXPECT_THAT(uniform.err, HasSubstr("--method uniform starts from a float network"));
}

TEST_F(SearchVerb, EveryMethodHasARow) {
  const Finished help = run_program({"quantize", "--method", "greedy", "--help"});
  ASSERT_EQ(help.status, 0);
  int methods = 0;
  for (const char* method : {"codesign", "greedy", "program", "uniform-pairs", "random", "density"}) {
    SCOPED_TRACE(method);
    EXPECT_THAT(help.out, HasSubstr(fmt::format("\n  {} ", method)));
    Words more = {"--method", method, "--limit", "size=0.6", "--systemc-images", "0", "--quiet"};
    if (method == std::string("random")) more.insert(more.end(), {"--passes", "200"});
    const Finished finished = run_program(quantize(method, more));
    ASSERT_EQ(finished.status, 0) << finished.err;
    const json found = summary(method);
    EXPECT_EQ(found.at("method"), method);
    EXPECT_LE(found.at("predicted").at("weight_bits").get<double>(),
              0.6 * found.at("uniform_8_8").at("weight_bits").get<double>());
    EXPECT_TRUE(found.at("measured").is_null());
    ++methods;
  }
  EXPECT_EQ(methods, 6);
}

TEST_F(SearchVerb, SensitivityIsChosenByName) {
  const Finished help = run_program({"quantize", "--method", "program", "--help"});
  for (const std::string name : {"loss", "kl", "gradient", "mse", "mse-exp", "hessian", "steps", "density", "mask"}) {
    SCOPED_TRACE(name);
    EXPECT_THAT(help.out, HasSubstr(fmt::format("\n  {:<14} ", name)));
    const Finished finished =
        run_program(quantize(name, {"--method", "program", "--limit", "latency=0.6", "--levels", "3", "--sensitivity",
                                    name, "--systemc-images", "0", "--quiet"}));
    ASSERT_EQ(finished.status, 0) << finished.err;
    EXPECT_EQ(summary(name).at("sensitivity"), name);
    EXPECT_LE(summary(name).at("predicted").at("cycles").get<double>(),
              0.6 * summary(name).at("uniform_8_8").at("cycles").get<double>());
  }
}

// SIGKILL in the middle of a search that also trains: resumed, it ends as one that was left alone.
TEST_F(SearchVerb, GoesOnAfterBeingKilled) {
  const Words search = {"--method", "codesign", "--limit",           "latency=0.5", "--levels",         "3",
                        "--phases", "3",        "--candidates",      "2",           "--systemc-images", "0",
                        "--epochs", "1",        "--finetune-epochs", "1",           "--trials",         "2"};
  ASSERT_EQ(run_program(quantize("whole", search)).status, 0);
  EXPECT_THAT(read_text(folder_ / "whole/search.csv"), HasSubstr("\n3,trial,"));
  Words resumed = quantize("killed", search);
  resumed.emplace_back("--resume");
  int answers = 0;
  for (const int wanted : {2, 6}) {
    Spawned child(resumed, folder_ / "temporary");
    ASSERT_TRUE(child.wait_until([&] {
      if (!std::filesystem::exists(folder_ / "killed/search.journal")) return false;
      const std::string journal = read_text(folder_ / "killed/search.journal");
      answers = static_cast<int>(std::count(journal.begin(), journal.end(), '\n'));
      return answers >= wanted;
    }));
    child.send_to_group(SIGKILL);
    child.wait();
    ASSERT_TRUE(std::filesystem::exists(folder_ / "killed/search.journal")) << "it was over before it could be killed";
  }
  // Answers of one sensitivity are none of another.
  Words other = resumed;
  other.insert(other.end(), {"--sensitivity", "kl"});
  const Finished changed = run_program(other);
  EXPECT_EQ(changed.status, 2);
  EXPECT_THAT(changed.err, HasSubstr("the interrupted run had sensitivity = \"loss\", not \"kl\""));
  const Finished rest = run_program(resumed);
  ASSERT_EQ(rest.status, 0) << rest.err;
  for (const char* file : {"plan.yaml", "search.csv"})
    EXPECT_EQ(read_text(folder_ / "killed" / file), read_text(folder_ / "whole" / file)) << file;
  for (const char* key : {"test_accuracy", "validation_accuracy", "search_loss"})
    EXPECT_EQ(summary("killed").at(key), summary("whole").at(key)) << key;
  EXPECT_DOUBLE_EQ(summary("killed").at("forward_passes").get<double>(),  // a sum, in another order
                   summary("whole").at("forward_passes").get<double>());
  EXPECT_THAT(run_program(resumed).err, HasSubstr("the run is finished"));
  const Finished late = run_program(other);
  EXPECT_EQ(late.status, 2);
  EXPECT_THAT(late.err, HasSubstr("the finished run had sensitivity = \"loss\", not \"kl\""));
}

// Fine-tuning at a rate that destroys the network is told of, and what was better before it is handed over.
TEST_F(SearchVerb, FineTuningThatFailsIsToldOf) {
  int told = 0;
  for (const char* rate : {"0.02", "30"}) {
    SCOPED_TRACE(rate);
    const Finished finished = run_program(quantize(
        rate, {"--method", "codesign", "--limit", "size=0.9", "--phases", "1", "--candidates", "1", "--sensitivity",
               "loss", "--systemc-images", "0", "--finetune-epochs", "3", "--learning-rate", rate}));
    ASSERT_EQ(finished.status, 0) << finished.err;
    const json found = summary(rate);
    const double kept = found.at("validation_accuracy"), last = found.at("finetune").back().at("validation_accuracy");
    EXPECT_GE(kept, last);
    const bool tells = finished.err.find("which is kept") != std::string::npos;
    if (kept > last) {
      EXPECT_TRUE(tells) << finished.err;
      EXPECT_THAT(finished.err, HasSubstr(fmt::format("validation {:.2f} %", 100 * kept)));
      ++told;
    }
  }
  EXPECT_GT(told, 0);
}

// A network that was never trained answers by chance whatever the plan is; a trained one's plan does not.
TEST_F(SearchVerb, PlansThatAnswerByChanceAreToldOf) {
  const Words search = {"--method", "uniform-pairs", "--limit", "size=0.9", "--systemc-images", "0"};
  const Finished chance = run_program(quantize("chance", search));
  ASSERT_EQ(chance.status, 0) << chance.err;
  EXPECT_THAT(chance.out, HasSubstr("note: "));
  EXPECT_THAT(chance.out,
              HasSubstr("no more than by guessing: the limits are too tight for weights that are not trained"));
  EXPECT_FALSE(summary("chance").at("note").is_null());
  train_on_stripes();
  Words trained = quantize("trained", search);
  trained[2] = path("float");
  const Finished better = run_program(trained);
  ASSERT_EQ(better.status, 0) << better.err;
  EXPECT_TRUE(summary("trained").at("note").is_null()) << summary("trained").at("note");
  EXPECT_THAT(better.out, Not(HasSubstr("note: ")));
}

// A technology of gates: toggles of real codes are behind the prices, and the engine counts what comes out.
TEST_F(SearchVerb, EnergiesComeFromTogglesOfTheData) {
  const Words search = {"--method",         "program",
                        "--limit",          "energy=0.6",
                        "--architecture",   "pim-64x64-gated",
                        "--technology",     "osu018-pim-64-gated",
                        "--systemc-images", "3"};
  const Finished finished = run_program(quantize("run", search));
  ASSERT_EQ(finished.status, 0) << finished.err;
  const json found = summary("run"), measured = found.at("measured").at("engines").at("systemc");
  const double predicted = found.at("predicted").at("energy_fj"), counted = measured.at("energy_fj");
  EXPECT_LE(predicted, 0.6 * found.at("uniform_8_8").at("energy_fj").get<double>());
  EXPECT_EQ(measured.at("images"), 3);
  EXPECT_NEAR(measured.at("energy_error").get<double>(), predicted / counted - 1, 1e-12);
  EXPECT_LT(std::abs(measured.at("energy_error").get<double>()), 0.03);
  EXPECT_EQ(measured.at("cycles"), found.at("predicted").at("cycles"));
  const double allowed = 0.6 * found.at("uniform_8_8").at("energy_fj").get<double>();
  EXPECT_EQ(found.at("measured").at("over_limits").size(), counted > allowed ? 1U : 0U);
  EXPECT_THAT(finished.out, HasSubstr(fmt::format("; {:.2f} uJ +- ", 1e-9 * counted)));
  EXPECT_THAT(finished.out, HasSubstr(fmt::format("prediction {:+.2f} % (3 images)",
                                                  100 * measured.at("energy_error").get<double>())));
  // Five layers with weights and two poolings, at 3 x 3 pairs of widths or 3 widths.
  EXPECT_EQ(found.at("statistics").at("layer_runs"), 5 * 9 + 2 * 3);
  EXPECT_GT(found.at("statistics").at("cpu_seconds"), 0);
  EXPECT_DOUBLE_EQ(found.at("cost_share").get<double>(),
                   found.at("cost_cpu_seconds").get<double>() / found.at("search_cpu_seconds").get<double>());
  EXPECT_THAT(finished.out, HasSubstr(fmt::format("costs: {} questions, {:.2f} % of the search's CPU time",
                                                  found.at("cost_questions").get<int>(),
                                                  100 * found.at("cost_share").get<double>())));
  // The other verb counts the same on the same images.
  const Finished run = run_program({"run", "--network", path("run"), "--dataset", folder_.path().string(),
                                    "--architecture", "pim-64x64-gated", "--technology", "osu018-pim-64-gated",
                                    "--engine", "systemc", "--images", "3", "--json"});
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_DOUBLE_EQ(json::parse(run.out).at("energy").at("osu018-pim-64-gated").at("energy_pj").get<double>() * 1000,
                   counted);
}

TEST_F(SearchVerb, ArraysAreChosenByTogglesOfTheData) {
  folder_.write("arrays.yaml",
                "format: bitstrata-sweep-1\narchitectures: [pim-64x64-gated]\nparameters: {columns: [32, 64]}\n");
  const Finished finished = run_program(quantize(
      "run", {"--method", "program", "--limit", "energy=0.6", "--architectures", path("arrays.yaml"), "--architecture",
              "pim-64x64-gated", "--technology", "osu018-pim-64-gated", "--systemc-images", "2"}));
  ASSERT_EQ(finished.status, 0) << finished.err;
  const json found = summary("run"), measured = found.at("measured").at("engines").at("systemc");
  EXPECT_EQ(found.at("arrays").at("architectures"), 2);
  EXPECT_LT(std::abs(measured.at("energy_error").get<double>()), 0.03);
  EXPECT_EQ(measured.at("cycles"), found.at("predicted").at("cycles"));
  // Those of the array named first, one for all that toggle alike, and the chosen one's where it is another.
  const json gathered = json::parse(read_text(folder_ / "run/statistics.json")).at("architectures");
  const bool first = read_text(folder_ / "run/architecture.yaml").find("columns: 64") != std::string::npos;
  EXPECT_EQ(gathered.size(), first ? 2U : 3U);
}

// SIGKILL while statistics are gathered: the next run goes on with those that are there, and ends as an undisturbed
// one.
TEST_F(SearchVerb, StatisticsGoOnAfterBeingKilled) {
  Words search = {"--method",         "program",
                  "--limit",          "energy=0.6",
                  "--architecture",   "pim-64x64-gated",
                  "--technology",     "osu018-pim-64-gated",
                  "--systemc-images", "0"};
  ASSERT_EQ(run_program(quantize("whole", search)).status, 0);
  Words resumed = quantize("killed", search);
  resumed.emplace_back("--resume");
  const auto rows = [&] {
    const std::filesystem::path file = folder_ / "killed/statistics.json";
    if (!std::filesystem::exists(file)) return std::size_t{0};
    std::size_t count = 0;
    const json stored = json::parse(read_text(file));
    for (const auto& [key, entry] : stored.at("architectures").items()) count += entry.at("rows").size();
    return count;
  };
  {
    Spawned child(resumed, folder_ / "temporary");
    ASSERT_TRUE(child.wait_until([&] { return rows() > 0; }));
    child.send_to_group(SIGKILL);
    child.wait();
  }
  ASSERT_LT(rows(), 51U) << "it was over before it could be killed";
  // Without them nobody knows what the weights were that the search began with.
  std::filesystem::rename(folder_ / "killed/statistics.json", folder_ / "away");
  const Finished refused = run_program(resumed);
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("statistics.json is missing or damaged"));
  EXPECT_THAT(refused.err, HasSubstr("run without --resume"));
  std::filesystem::rename(folder_ / "away", folder_ / "killed/statistics.json");
  // A mark, in place of one of those that are known: it shows that they are not gathered again.
  json stored = json::parse(read_text(folder_ / "killed/statistics.json"));
  stored["cpu_seconds"] = stored["cpu_seconds"].get<double>() + 1000;
  folder_.write("killed/statistics.json", stored.dump());
  const Finished rest = run_program(resumed);
  ASSERT_EQ(rest.status, 0) << rest.err;
  EXPECT_THAT(rest.out, HasSubstr("% of the search's CPU time since it was resumed; statistics of data, 51 runs"));
  EXPECT_GT(summary("killed").at("statistics").at("cpu_seconds"), 1000);
  EXPECT_EQ(summary("killed").at("statistics").at("cycles"), summary("whole").at("statistics").at("cycles"));
  EXPECT_EQ(summary("killed").at("predicted"), summary("whole").at("predicted"));
  const auto gathered = [&](const char* run) {
    return json::parse(read_text(folder_ / run / "statistics.json")).at("architectures");
  };
  EXPECT_EQ(gathered("killed"), gathered("whole"));
  EXPECT_EQ(read_text(folder_ / "killed/plan.yaml"), read_text(folder_ / "whole/plan.yaml"));
}

// Cycles depend on data where planes are skipped: they are predicted by how many of them are empty.
TEST_F(SearchVerb, ArraysThatSkipPlanesAreSearchedBySkippedPlanes) {
  folder_.write("skip.yaml", "format: bitstrata-architecture-1\nname: skip\nskip_planes: true\n");
  const Finished finished =
      run_program(quantize("run", {"--method", "program", "--limit", "latency=0.6", "--architecture", path("skip.yaml"),
                                   "--systemc-images", "3"}));
  ASSERT_EQ(finished.status, 0) << finished.err;
  const json found = summary("run"), measured = found.at("measured").at("engines").at("systemc");
  EXPECT_LT(std::abs(measured.at("cycles_error").get<double>()), 0.03);
  EXPECT_THAT(finished.out, HasSubstr("cycles, prediction"));
  // Without statistics it would have been what is the most.
  const Finished most = run_program({"run", "--network", path("run"), "--dataset", folder_.path().string(),
                                     "--architecture", path("skip.yaml"), "--images", "0", "--json"});
  ASSERT_EQ(most.status, 0) << most.err;
  EXPECT_GT(json::parse(most.out).at("cycles"), found.at("predicted").at("cycles"));
}

TEST_F(SearchVerb, MisuseIsOneLine) {
  const std::vector<std::pair<Words, std::vector<std::string>>> cases = {
      {{"--method", "codesing", "--limit", "latency=0.5"}, {"did you mean 'codesign'"}},
      {{"--method", "codesign"}, {"--limit is missing", "latency=0.6"}},
      {{"--method", "codesign", "--limit", "speed=2"}, {"speed=2", "latency"}},
      {{"--method", "codesign", "--limit", "latency=0.5", "--limit", "latency=0.4"}, {"latency", "twice"}},
      {{"--method", "codesign", "--limit", "energy=0.5"}, {"--limit energy=0.5 needs a --technology"}},
      {{"--method", "codesign", "--limit", "area=1.5", "--limit", "area=1.2", "--architectures", "a.yaml"},
       {"area", "twice"}},
      {{"--method", "codesign", "--limit", "area=0.5"}, {"--limit area=0.5 needs --architectures"}},
      {{"--method", "codesign", "--limit", "latency=0.5", "--widths", "8,4"}, {"--widths is '8,4'", "2-8"}},
      {{"--method", "codesign", "--limit", "latency=0.5", "--widths", "2-17"}, {"--widths is '2-17'"}},
      {{"--method", "codesign", "--limit", "latency=0.5", "--sensitivity", "gradients"},
       {"--sensitivity is 'gradients'", "mse-exp", "did you mean 'gradient'"}},
      {{"--method", "codesign", "--limit", "latency=0.5", "--sensitivity", "hessian", "--against", "teacher"},
       {"--sensitivity hessian takes gradients", "take kl or mse"}},
      {{"--method", "random", "--limit", "latency=0.5", "--sensitivity", "kl"}, {"--sensitivity", "--method codesign"}},
      {{"--method", "greedy", "--limit", "latency=0.5", "--candidates", "3"}, {"--candidates", "--method codesign"}},
      {{"--method", "codesign", "--limit", "latency=0.5", "--trials", "3"},
       {"--trials is without effect here", "--epochs and --finetune-epochs"}},
      {{"--method", "codesign", "--limit", "latency=0.5", "--learning-rate", "1"},
       {"--learning-rate", "--finetune-epochs"}},
      {{"--method", "codesign", "--limit", "latency=2ms", "--cost-table", "@"}, {"have no unit"}},
      {{"--method", "codesign", "--limit", "latency=0.5", "--cost-table", "t.csv", "--levels", "4"},
       {"--levels", "not of a --cost-table"}},
      {{"--method", "codesign", "--limit", "latency=0.5", "--weight-bits", "4"},
       {"--weight-bits belongs to --method uniform", "--widths"}},
      {{"--method", "ad", "--limit", "latency=0.5"}, {"--limit belongs to", "--method codesign"}},
      {{"--method", "codesign", "--limit", "latency=0.01"},
       {"no plan keeps latency=0.01", "the nearest that 'codesign' found takes"}},
  };
  for (const auto& [more, expected] : cases) {
    const Finished finished = run_program(quantize("refused", more));
    SCOPED_TRACE(fmt::format("{}", fmt::join(more, " ")));
    EXPECT_EQ(finished.status, 2);
    EXPECT_EQ(finished.out, "");
    const std::string last = finished.err.substr(finished.err.rfind('\n', finished.err.size() - 2) + 1);
    for (const std::string& part : expected) EXPECT_THAT(last, HasSubstr(part));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "refused/plan.yaml"));
  }
}

}  // namespace
