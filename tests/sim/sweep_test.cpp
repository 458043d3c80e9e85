// SPDX-License-Identifier: Apache-2.0
// Sweeps: the points a file describes, their numbers against the cost model's, refusals, a front, and two processes
// that share a store of which one is killed.
#include "sim/sweep.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <set>

#include "sim/cost_model.h"
#include "sim/store_sqlite.h"
#include "tests/model/temporary.h"

namespace bitstrata::sim {
namespace {

using bitstrata::testing::message_of;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class SweepTest : public ::testing::Test {
 protected:
  Sweep load(const std::string& body) {
    return load_sweep(folder_.write("sweep.yaml", "format: bitstrata-sweep-1\n" + body));
  }
  std::string refusal(const std::string& body) {
    return message_of<std::runtime_error>([&] { load(body); });
  }
  StoreContext context(const Sweep& sweep) const {
    return {.version = "1",
            .commit = "c",
            .command = "",
            .engine = "fast",
            .technologies = sweep.technology_identity(),
            .technology_names = sweep.technology_names()};
  }
  std::filesystem::path file() const { return folder_ / "store.sqlite"; }
  bitstrata::testing::TemporaryFolder folder_;
};

const auto silent = [](const SweepState&) {};

TEST_F(SweepTest, EnumeratesEveryCombination) {
  folder_.write("small.csv", "8,8,3,3,3,16,0,1\n1,1,16,1,1,10,0,1\n");
  const Sweep sweep = load(
      "networks: [lenet5, small.csv]\n"
      "architectures: [pim-32x32, pim-64x64]\n"
      "parameters:\n  rows: [16, 32, 64]\n  memory.read_latency: [5, 50]\n"
      "plans:\n  - bits: [4, 8]\n  - {weight_bits: [2], activation_bits: [3, 5]}\n");
  EXPECT_EQ(sweep.architectures(), 12);
  EXPECT_EQ(sweep.points(), 12 * 2 * 4);
  std::set<std::string> names;
  for (std::int64_t i = 0; i < sweep.architectures(); ++i) names.insert(sweep.architecture(i).name);
  EXPECT_THAT(names, SizeIs(12));
  const model::Architecture last = sweep.architecture(11);
  EXPECT_EQ(last.name, "pim-64x64 memory.read_latency=50");
  EXPECT_EQ(last.columns, 64);
  EXPECT_EQ(last.memory.read_latency, 50);
  EXPECT_EQ(sweep.plans[3].label, "w2a5");
  EXPECT_EQ(sweep.technologies.size(), model::technology_names().size());
}

// By the real parameters of the array; what else is set stands behind.
TEST_F(SweepTest, NamesArchitecturesAfterTheirArrays) {
  const auto names = [&](const std::string& body) {
    const Sweep sweep = load("networks: [lenet5]\n" + body);
    std::vector<std::string> all;
    for (std::int64_t i = 0; i < sweep.architectures(); ++i) all.push_back(sweep.architecture(i).name);
    return all;
  };
  EXPECT_THAT(names("architectures: [overlay-8x64x8]\nparameters: {rows: [128], columns: [16], clock_mhz: [100]}\n"),
              ElementsAre("overlay-8x128x16 clock_mhz=100.0"));
  EXPECT_THAT(names("architectures: [pim-64x64-gated]\nparameters: {tiles: [1, 2], rows: [16]}\n"),
              ElementsAre("pim-16x64-gated", "pim-2x16x64-gated"));
  EXPECT_THAT(names("architectures: [pim-32x32, pim-64x64]\nparameters: {rows: [16]}\n"),
              ElementsAre("pim-16x32", "pim-16x64"));
  EXPECT_THAT(names("architectures: [pim-32x32, pim-64x64]\nparameters: {rows: [16], columns: [16]}\n"),
              ElementsAre("pim-16x16 of pim-32x32", "pim-16x16 of pim-64x64"));
  folder_.write("mine.yaml", "rows: 32\n");
  EXPECT_THAT(names("architectures: [mine.yaml]\nparameters: {rows: [16, 48]}\n"),
              ElementsAre("mine rows=16", "mine rows=48"));
}

TEST_F(SweepTest, PlansMayHaveNarrowerOutputs) {
  const Sweep sweep = load("networks: [lenet5]\nplans: [{bits: [4], output_bits: 6}, {bits: [4]}]\n");
  ASSERT_THAT(sweep.plans, SizeIs(2));
  EXPECT_EQ(sweep.plans[0].label, "w4a4o6");
  EXPECT_EQ(sweep.plans[0].for_network(sweep.networks[0]).output_bits, 6);
  EXPECT_EQ(sweep.plans[1].label, "w4a4");
  EXPECT_EQ(sweep.plans[1].for_network(sweep.networks[0]).output_bits, 16);
  EXPECT_THAT(refusal("networks: [lenet5]\nplans: [{bits: [4], output_bits: 1}]\n"),
              HasSubstr("output_bits is 1; allowed is 2..16"));
}

// Two of one name, and two that are one accelerator.
TEST_F(SweepTest, RefusesWhatStandsTwice) {
  const std::string network = "networks: [lenet5]\n";
  EXPECT_THAT(refusal(network + "technologies:\n  - ad-pim\n  - ad-pim\n"),
              HasSubstr("sweep.yaml:5: technology 'ad-pim' is given twice"));
  EXPECT_THAT(refusal(network + "architectures:\n  - pim-64x64\n  - pim-64x64\n"),
              HasSubstr("sweep.yaml:5: architecture 'pim-64x64' is there already"));
  folder_.write("other.yaml", "name: other\nrows: 64\n");
  folder_.write("plain.yaml", "name: plain\n");
  EXPECT_THAT(refusal(network + "architectures: [plain.yaml, other.yaml]\n"),
              HasSubstr("sweep.yaml:3: architecture 'other' is the same as 'plain'"));
  folder_.write("other.yaml", "name: other\nrows: 32\n");
  EXPECT_EQ(load(network + "architectures: [plain.yaml, other.yaml]\n").architectures(), 2);
  EXPECT_THAT(refusal(network + "architectures: [plain.yaml, other.yaml]\nparameters: {rows: [16, 48]}\n"),
              HasSubstr("sweep.yaml:3: architecture 'other' is the same as 'plain' but for what 'parameters' sets"));
  EXPECT_EQ(
      load(network + "architectures: [plain.yaml, other.yaml]\nparameters: {columns: [16, 48]}\n").architectures(), 4);
}

TEST_F(SweepTest, MeasuresWhatTheCostModelMeasures) {
  const Sweep sweep =
      load("networks: [lenet5]\nparameters: {rows: [16, 32]}\nplans: [{bits: [3]}]\ntechnologies: [ad-pim]\n");
  PointStore store(file(), context(sweep));
  const SweepState state = run_sweep(sweep, store, 2, silent);
  EXPECT_EQ(state.done, 2);
  EXPECT_EQ(state.left(), 0);
  const model::Network network = model::build_network("lenet5");
  for (const StoredPoint& point : store.points(store.network("lenet5", "lenet5"))) {
    bool found = false;
    for (std::int64_t i = 0; i < 2; ++i) {
      const model::Architecture a = sweep.architecture(i);
      if (store.architecture(a) != point.identity.architecture) continue;
      const auto measurement = FastCostModel(a).measure(network, model::uniform_plan(network, 3, 3));
      EXPECT_EQ(point.cycles, measurement.total().cycles);
      EXPECT_DOUBLE_EQ(point.latency_us, measurement.latency_us());
      found = true;
    }
    EXPECT_TRUE(found);
    EXPECT_EQ(point.macs, network.total_macs());
    ASSERT_THAT(point.energies, SizeIs(1));
    EXPECT_GT(point.energies[0].energy_pj.value(), 0);
    EXPECT_EQ(point.energies[0].note, "covers 5 of 7 layers");  // poolings have no price
  }
  // Nothing is left to do, and nothing is done again.
  const SweepState again = run_sweep(sweep, store, 1, silent);
  EXPECT_EQ(again.before, 2);
  EXPECT_EQ(again.done, 0);
}

// Each thing that a number depends on, changed in turn, is measured again; going back finds the first points.
TEST_F(SweepTest, MeasuresAgainWhatChanged) {
  model::Technology technology = model::load_technology("osu018-pim-64");
  const auto write_technology = [&] { model::save_gate_level(technology, folder_ / "tech.yaml"); };
  const std::string list = "8,8,3,3,3,16,0,1\n", architecture = "rows: 64\ncolumns: 64\n";
  const auto write_plan = [&](int bits) {
    model::save(model::uniform_plan(model::build_network("lenet5"), bits, 6), folder_ / "mine.yaml");
  };
  write_technology();
  write_plan(5);
  folder_.write("list.csv", list);
  folder_.write("mine_array.yaml", architecture);
  std::string version = "1";
  // Points measured now, and the energy of the network under the plan.
  const auto measure = [&] {
    const Sweep sweep = load(
        "networks: [lenet5, list.csv]\narchitectures: [mine_array.yaml]\nplans: [{bits: [8]}, mine.yaml]\n"
        "technologies: [tech.yaml]\n");
    StoreContext who = context(sweep);
    who.version = version;
    PointStore store(file(), who);
    const SweepState state = run_sweep(sweep, store, 1, silent);
    double energy = 0;
    for (const StoredPoint& point : store.points(store.network("lenet5", "lenet5")))
      energy += point.energies.at(0).energy_pj.value_or(0);
    return std::pair(state.done, energy);
  };
  const auto [first, energy] = measure();
  EXPECT_EQ(first, 3);  // lenet5 with two plans, the list with one
  EXPECT_GT(energy, 0);
  EXPECT_EQ(measure().first, 0);

  const model::Technology before = technology;
  for (auto& [part, terms] : technology.gates.with_toggles)
    for (model::EnergyTerm& term : terms) term.joules *= 10;
  for (auto& [part, terms] : technology.gates.structural)
    for (model::EnergyTerm& term : terms) term.joules *= 10;
  write_technology();
  const auto [again, larger] = measure();
  EXPECT_EQ(again, 3);
  EXPECT_GT(larger, 2 * energy);
  technology.gates.voltage *= 1.5;
  write_technology();
  EXPECT_EQ(measure().first, 3) << "any number of the file";
  technology = before;
  write_technology();
  EXPECT_EQ(measure(), std::pair(std::int64_t{0}, energy));

  folder_.write("list.csv", "8,8,3,3,3,32,0,1\n");
  EXPECT_EQ(measure().first, 1);
  folder_.write("list.csv", list);
  EXPECT_EQ(measure().first, 0);
  write_plan(4);
  EXPECT_EQ(measure().first, 1);
  write_plan(5);
  EXPECT_EQ(measure().first, 0);
  folder_.write("mine_array.yaml", "rows: 64\ncolumns: 32\n");
  EXPECT_EQ(measure().first, 3);
  folder_.write("mine_array.yaml", architecture);
  EXPECT_EQ(measure().first, 0);
  version = "1 of other code";
  EXPECT_EQ(measure().first, 3);
}

TEST_F(SweepTest, RecordsWhatDoesNotFit) {
  // A weight buffer of 3 rows is no power of two; 16-bit weights need 16 columns.
  const Sweep sweep =
      load("networks: [lenet5]\nparameters: {weight_depth: [3, 512], max_weight_bits: [8]}\nplans: [{bits: [8, 9]}]\n");
  PointStore store(file(), context(sweep));
  const SweepState state = run_sweep(sweep, store, 1, silent);
  EXPECT_EQ(state.done, 1);
  EXPECT_EQ(state.refused, 3);
  int reasons = 0;
  for (const StoredPoint& point : store.points(store.network("lenet5", "lenet5"))) {
    if (!point.refused) continue;
    reasons += point.reason.find("weight_depth is 3") != std::string::npos ? 1 : 0;
    EXPECT_FALSE(point.reason.empty());
  }
  EXPECT_EQ(reasons, 2);
  EXPECT_EQ(run_sweep(sweep, store, 1, silent).before, 4) << "a refusal is a result as well";
}

TEST_F(SweepTest, RefusalsNameFileAndLine) {
  EXPECT_THAT(refusal("netwroks: [lenet5]\n"), AllOf(HasSubstr("unknown key 'netwroks'"), HasSubstr("sweep.yaml:2"),
                                                     HasSubstr("did you mean 'networks'?")));
  EXPECT_THAT(refusal("networks: [lenet]\n"), AllOf(HasSubstr("sweep.yaml:2"), HasSubstr("did you mean 'lenet5'?")));
  EXPECT_THAT(refusal("networks: [lenet5]\nparameters:\n  rosw: [1]\n"),
              AllOf(HasSubstr("sweep.yaml:4"), HasSubstr("did you mean 'rows'?")));
  EXPECT_THAT(refusal("networks: [lenet5]\nparameters:\n  rows: [16, many]\n"),
              AllOf(HasSubstr("sweep.yaml:4"), HasSubstr("must be a whole number")));
  EXPECT_THAT(refusal("networks: [lenet5]\nparameters: {rows: [16, 16]}\n"), HasSubstr("takes the value 16 twice"));
  EXPECT_THAT(refusal("networks: [lenet5, lenet5]\n"), HasSubstr("network 'lenet5' is there already"));
  EXPECT_THAT(refusal("networks: [lenet5]\nplans: [{bits: [17]}]\n"), HasSubstr("bits is 17; allowed is 1..16"));
  EXPECT_THAT(refusal("networks: [lenet5]\nplans: [{bits: [4, 8, 4]}]\n"), HasSubstr("bits names 4 twice"));
  const std::string long_name(5000, 'x');  // longer than a file's name may be
  EXPECT_THAT(refusal("networks: [" + long_name + "]\n"), HasSubstr("sweep.yaml:2: unknown network 'xxx"));
  EXPECT_THAT(refusal("networks: [lenet5]\narchitectures: [" + long_name + "]\n"), HasSubstr("no architecture 'xxx"));
  EXPECT_THAT(refusal("networks: [lenet5]\ntechnologies: [" + long_name + "]\n"), HasSubstr("no technology 'xxx"));
  EXPECT_THAT(refusal("networks: [lenet5]\nplans: [{bits: [4]}, {bits: [4]}]\n"),
              HasSubstr("plan 'w4a4' is there already"));
  EXPECT_THAT(refusal("networks: [lenet5]\nplans: [{weight_bit: [4], activation_bits: [4]}]\n"),
              HasSubstr("did you mean 'weight_bits'?"));
  EXPECT_THAT(refusal("networks: [lenet5]\nplans: [none.yaml]\n"),
              AllOf(HasSubstr("sweep.yaml:3"), HasSubstr("none.yaml")));
  EXPECT_THAT(refusal("networks: [lenet5]\narchitectures: [pim-64]\n"), HasSubstr("did you mean 'pim-64x64'?"));
  EXPECT_THAT(refusal("networks: []\n"), HasSubstr("'networks' is empty"));
}

TEST_F(SweepTest, ListedPlansBelongToTheirNetwork) {
  const model::Network network = model::build_network("lenet5");
  model::save(model::uniform_plan(network, 5, 6), folder_ / "mine.yaml");
  const Sweep sweep = load("networks: [lenet5, vgg_small]\nplans: [{bits: [8]}, mine.yaml]\n");
  EXPECT_EQ(sweep.points(), 3);
  EXPECT_THAT(refusal("networks: [vgg_small]\nplans: [mine.yaml]\n"),
              HasSubstr("is for network 'lenet5', which the sweep does not name"));
}

TEST(ParetoFront, HoldsWhatNothingBeats) {
  EXPECT_THAT(pareto_front({{3, 1}, {1, 3}, {2, 2}, {2, 3}, {3, 3}, {1, 4}}), ElementsAre(1, 2, 0));
  EXPECT_THAT(pareto_front({{1, 1}, {1, 1}}), ElementsAre(0));
  EXPECT_THAT(pareto_front({{1, 5, 2}, {1, 5, 1}, {2, 4, 9}}), ElementsAre(1, 2));
  EXPECT_THAT(pareto_front({}), ::testing::IsEmpty());
}

// Two processes work on one store; one of them is killed in the middle, its unit is taken over, and in the end every
// point is there once.
TEST_F(SweepTest, SharedByTwoProcessesOneOfThemKilled) {
  const Sweep sweep = load(
      "networks: [resnet18]\n"
      "parameters: {rows: [16, 24, 32, 40, 48, 56, 64, 72], columns: [16, 32, 48, 64]}\n"
      "plans: [{bits: [2, 8]}]\ntechnologies: [ad-pim]\n");
  ASSERT_EQ(sweep.points(), 64);
  const pid_t child = fork();
  if (child == 0) {
    PointStore store(file(), context(sweep));
    run_sweep(sweep, store, 1, silent);
    _exit(0);
  }
  // The child is killed as soon as it has finished something.
  const auto finished = [&]() -> std::int64_t {
    if (!std::filesystem::exists(file())) return 0;
    Database database(file());
    if (!Statement(database, "SELECT 1 FROM sqlite_master WHERE name = 'point'").number()) return 0;
    return Statement(database, "SELECT count(*) FROM point").number().value_or(0);
  };
  for (int i = 0; i < 2000 && finished() == 0; ++i) usleep(5000);
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  const std::int64_t kept = finished();
  EXPECT_GT(kept, 0);
  EXPECT_LT(kept, 64) << "the child was done before it was killed: nothing is shown";
  EXPECT_TRUE(WIFSIGNALED(status));
  PointStore store(file(), context(sweep));
  const SweepState state = run_sweep(sweep, store, 2, silent);
  EXPECT_EQ(state.before, kept);
  EXPECT_EQ(state.done + state.refused, 64 - kept);
  EXPECT_THAT(store.points(store.network("resnet18", "resnet18")), SizeIs(64));
  std::cout << kept << " points kept, " << state.done << " added at " << state.rate() << " points/s\n";
}

TEST_F(SweepTest, TwoProcessesDivideTheWork) {
  const Sweep sweep = load(
      "networks: [resnet18]\nparameters: {rows: [16, 24, 32, 40, 48, 56, 64, 72], columns: [16, 32, 48, 64]}\n"
      "plans: [{bits: [2, 8]}]\ntechnologies: [ad-pim]\n");
  // Both open the store before either begins, and the network is large enough that the work lasts seconds: neither is
  // through with it before the other has run at all.
  int ready[2], go[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(go), 0);
  char byte = 0;
  const pid_t child = fork();
  if (child == 0) {
    PointStore store(file(), context(sweep));
    if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1) _exit(2);
    const SweepState state = run_sweep(sweep, store, 1, silent);
    _exit(state.left() == 0 && state.done > 0 ? 0 : 1);
  }
  PointStore store(file(), context(sweep));
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ASSERT_EQ(write(go[1], &byte, 1), 1);
  for (const int end : {ready[0], ready[1], go[0], go[1]}) close(end);
  const SweepState state = run_sweep(sweep, store, 1, silent);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0) << "the other process did nothing, or left something";
  EXPECT_EQ(state.left(), 0);
  EXPECT_GT(state.done, 0);
  EXPECT_GT(state.before + state.elsewhere, 0);
  EXPECT_THAT(store.points(store.network("resnet18", "resnet18")), SizeIs(64));
  std::cout << state.done << " points here, " << state.before + state.elsewhere << " by the other process\n";
}

}  // namespace
}  // namespace bitstrata::sim
