// SPDX-License-Identifier: Apache-2.0
// A sweep on more than one machine, as users start it: shards and their stores joined, tasks of a Slurm job array, and
// mpirun, of which a rank or all are killed. What is stored in the end is what one process stores that is left alone.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "sim/store_sqlite.h"
#include "tests/cli/process.h"

namespace {

using namespace bitstrata;
using namespace bitstrata::testing;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace fs = std::filesystem;

// Half of the architectures cannot be, which is a result as well.
constexpr const char* small =
    "networks: [lenet5, vgg_small]\nparameters: {rows: [8, 16, 32, 64], weight_depth: [512, 3]}\n"
    "plans: [{bits: [2, 4, 8]}]\ntechnologies: [ad-pim]\n";
// Long enough to be hit by a kill.
constexpr const char* large =
    "networks: [resnet18]\nparameters: {rows: [8, 16, 24, 32, 40, 48, 56, 64], columns: [16, 32, 48, 64, 80, 96]}\n"
    "plans: [{bits: [2, 3, 4, 5, 6, 7]}]\ntechnologies: [ad-pim]\n";

std::string path_of_tool(const std::string& name) {
  std::stringstream folders(std::getenv("PATH"));
  for (std::string folder; std::getline(folders, folder, ':');)
    if (fs::exists(fs::path(folder) / name)) return fs::path(folder) / name;
  return {};
}

class SweepSpread : public ::testing::Test {
 protected:
  std::string sweep(const std::string& body) {
    return folder_.write("sweep.yaml", "format: bitstrata-sweep-1\n" + body).string();
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  Finished refused(const std::vector<std::string>& words, const std::vector<std::string>& environment = {}) {
    const Finished finished = run_program(words, environment);
    EXPECT_EQ(finished.status, 2) << finished.out;
    EXPECT_EQ(finished.error_lines(), 1) << finished.err;
    EXPECT_THAT(finished.out, IsEmpty());
    return finished;
  }
  // Rows of all tables; prints how many.
  static void expect_equal(const std::string& whole, const std::string& other) {
    const Finished compared = run_program({whole, other}, {}, BITSTRATA_COMPARE_STORES);
    EXPECT_EQ(compared.status, 0) << compared.out << compared.err;
    std::cout << compared.out;
  }
  static std::int64_t finished_points(const std::string& store) {
    if (!fs::exists(store)) return 0;
    sim::Database database(store);
    if (!sim::Statement(database, "SELECT 1 FROM sqlite_master WHERE name = 'point'").number()) return 0;
    return sim::Statement(database, "SELECT count(*) FROM point").number().value_or(0);
  }
  TemporaryFolder folder_;
};

std::vector<std::string> array_task(int id, int count, int first, int last) {
  return {fmt::format("SLURM_ARRAY_TASK_ID={}", id), fmt::format("SLURM_ARRAY_TASK_COUNT={}", count),
          fmt::format("SLURM_ARRAY_TASK_MIN={}", first), fmt::format("SLURM_ARRAY_TASK_MAX={}", last)};
}

TEST_F(SweepSpread, ShardsJoinedAreTheWholeSweep) {
  const std::string file = sweep(small);
  ASSERT_EQ(run_program({"sweep", file, "--store", path("whole.sqlite")}).status, 0);
  std::int64_t total = 0;
  for (const char* shard : {"1/3", "2/3", "3/3"}) {
    const Finished finished =
        run_program({"sweep", file, "--store", path("part-%a.sqlite"), "--shard", shard, "--json", "--quiet"});
    ASSERT_EQ(finished.status, 0) << finished.err;
    const json counts = json::parse(finished.out);
    EXPECT_EQ(counts.at("shard"), shard);
    EXPECT_GT(counts.at("points"), 0);
    EXPECT_EQ(counts.at("measured").get<int>() + counts.at("refused").get<int>(), counts.at("points"));
    EXPECT_FALSE(counts.contains("fronts")) << "of a part they say nothing";
    total += counts.at("points").get<std::int64_t>();
  }
  EXPECT_EQ(total, 48);
  // A shard that is there is not measured again.
  const Finished again = run_program({"sweep", file, "--store", path("part-%a.sqlite"), "--shard", "2/3"});
  EXPECT_THAT(again.out, AllOf(HasSubstr("shard 2/3: "), HasSubstr(": 0 measured and 0 refused now")));
  EXPECT_THAT(again.err, HasSubstr("bitstrata sweep --merge"));
  const std::vector<std::string> merge = {
      "sweep",   "--merge",         path("part-1.sqlite"), path("part-2.sqlite"), path("part-3.sqlite"),
      "--store", path("all.sqlite")};
  EXPECT_THAT(run_program(merge).out, HasSubstr("3 stores: 48 points, 48 of them new; "));
  expect_equal(path("whole.sqlite"), path("all.sqlite"));
  EXPECT_THAT(run_program(merge).out, HasSubstr("3 stores: 48 points, 0 of them new; "));
  expect_equal(path("whole.sqlite"), path("all.sqlite"));
  const json joined = json::parse(run_program({"sweep", file, "--store", path("all.sqlite"), "--json"}).out);
  const json whole = json::parse(run_program({"sweep", file, "--store", path("whole.sqlite"), "--json"}).out);
  EXPECT_EQ(joined.at("in_store_before"), 48);
  EXPECT_EQ(joined.at("fronts"), whole.at("fronts"));
}

// Failed points stay: in the shards' stores, through the merge, and nothing measures them again.
TEST_F(SweepSpread, RefusedPointsStay) {
  const std::string file =
      sweep("networks: [lenet5]\nparameters: {weight_depth: [3, 5, 7, 9]}\ntechnologies: [ad-pim]\n");
  for (const char* shard : {"1/2", "2/2"}) {
    // Nothing of it fits, which an array's task is not to fail for.
    EXPECT_EQ(run_program({"sweep", file, "--store", path("part-%a.sqlite"), "--shard", shard}).status, 0);
  }
  ASSERT_EQ(
      run_program({"sweep", "--merge", path("part-1.sqlite"), path("part-2.sqlite"), "--store", path("all.sqlite")})
          .status,
      0);
  const Finished finished = run_program({"sweep", file, "--store", path("all.sqlite"), "--quiet"});
  EXPECT_EQ(finished.status, 1);
  EXPECT_THAT(finished.out, HasSubstr("4 points: 0 measured and 0 refused now"));
  EXPECT_THAT(finished.err, HasSubstr("weight_depth is 3; allowed are powers of two"));
}

TEST_F(SweepSpread, TasksOfASlurmArrayAreShards) {
  const std::string file = sweep(small);
  ASSERT_EQ(run_program({"sweep", file, "--store", path("whole.sqlite")}).status, 0);
  const std::vector<std::pair<int, const char*>> tasks = {{10, "1/3"}, {12, "2/3"}, {14, "3/3"}};
  std::vector<std::string> merge = {"sweep", "--store", path("all.sqlite"), "--merge"};
  for (const auto& [id, shard] : tasks) {
    // By the placeholder, and by the shell.
    const std::string store = id == 12 ? path("part-012.sqlite") : path("part-%a.sqlite");
    const Finished finished = run_program({"sweep", file, "--store", store}, array_task(id, 3, 10, 14));
    ASSERT_EQ(finished.status, 0) << finished.err;
    EXPECT_THAT(finished.err, HasSubstr(fmt::format("task {} of a Slurm job array: shard {}", id, shard)));
    EXPECT_THAT(finished.out, HasSubstr(fmt::format("shard {}: ", shard)));
    merge.push_back(path(id == 12 ? "part-012.sqlite" : fmt::format("part-{}.sqlite", id)));
  }
  ASSERT_EQ(run_program(merge).status, 0);
  expect_equal(path("whole.sqlite"), path("all.sqlite"));
  // --shard is stronger than Slurm.
  const Finished all = run_program({"sweep", file, "--store", path("one.sqlite"), "--shard", "1/1", "--quiet"},
                                   array_task(10, 3, 10, 14));
  EXPECT_THAT(all.out, AllOf(HasSubstr("48 points: "), HasSubstr("Pareto front")));
  // An array whose numbers tell no position; the part is named.
  EXPECT_THAT(refused({"sweep", file, "--store", path("odd-%a.sqlite")}, array_task(3, 3, 1, 7)).err,
              HasSubstr("has no position"));
  EXPECT_EQ(
      run_program({"sweep", file, "--store", path("odd-%a.sqlite"), "--shard", "2/3"}, array_task(3, 3, 1, 7)).status,
      0);
  EXPECT_TRUE(fs::exists(path("odd-2.sqlite")));
  EXPECT_THAT(refused({"sweep", file, "--store", "points.sqlite", "--shard", "2/3"}, array_task(3, 3, 1, 7)).err,
              HasSubstr("would share the store 'points.sqlite'"));
  EXPECT_THAT(refused({"sweep", file, "--store", "points.sqlite"}, array_task(10, 3, 10, 14)).err,
              HasSubstr("would share the store 'points.sqlite', which must not be; give each its own: --store "
                        "points-%a.sqlite"));
  EXPECT_FALSE(fs::exists("points.sqlite"));
}

TEST_F(SweepSpread, RefusesMisuse) {
  const std::string file = sweep(small), store = path("s.sqlite");
  EXPECT_THAT(refused({"sweep", file, "--store", store, "--shard", "0/4"}).err, HasSubstr("from 1/N to N/N"));
  EXPECT_THAT(refused({"sweep", file, "--store", path("s-%a.sqlite")}).err,
              HasSubstr("%a stands for the number of a shard"));
  for (const auto& option : std::vector<std::vector<std::string>>{{"--confirm"},
                                                                  {"--out", path("out")},
                                                                  {"--front", "network"},
                                                                  {"--technology", "ad-pim"},
                                                                  {"--fpga", "xc7"}}) {
    std::vector<std::string> words = {"sweep", file, "--store", store, "--shard", "1/4"};
    words.insert(words.end(), option.begin(), option.end());
    EXPECT_THAT(refused(words).err, HasSubstr(option[0] + " needs the whole sweep, and this is shard 1/4"));
  }
  EXPECT_THAT(refused({"sweep", "--store", store}).err, HasSubstr("--sweep is missing"));
  EXPECT_THAT(refused({"sweep", file, "--merge", store, "--store", store}).err,
              HasSubstr("--sweep does not go with --merge"));
  EXPECT_THAT(refused({"sweep", "--merge", path("none.sqlite"), "--store", store}).err,
              HasSubstr("there is no store '" + path("none.sqlite")));
  EXPECT_THAT(refused({"sweep", "--merge", file, "--store", store}).err, HasSubstr("sweep.yaml"));
  EXPECT_THAT(refused({"sweep", "--merge", "--store", store}).err, HasSubstr("--merge lacks the stores"));
  EXPECT_FALSE(fs::exists(store));
}

// Processes that were started together and cannot speak with each other would do the same work.
TEST_F(SweepSpread, RefusesCopiesOfItself) {
  const std::string file = sweep(small), store = path("s.sqlite");
  EXPECT_THAT(refused({"sweep", file, "--store", store}, {"SLURM_STEP_NUM_TASKS=4", "SLURM_PROCID=0"}).err,
              HasSubstr("4 processes were started together, and each would do the same work: start them by mpirun"));
  // One of them tells it.
  const Finished second = run_program({"sweep", file, "--store", store}, {"SLURM_STEP_NUM_TASKS=4", "SLURM_PROCID=1"});
  EXPECT_EQ(second.status, 0);
  EXPECT_THAT(second.out + second.err, IsEmpty());
  EXPECT_FALSE(fs::exists(store));
  EXPECT_EQ(
      run_program({"sweep", file, "--store", path("part.sqlite"), "--shard", "1/4"}, {"SLURM_STEP_NUM_TASKS=4"}).status,
      0)
      << "shards are no copies";
  // A program without the library that knows MPI.
  fs::copy_file(BITSTRATA_PROGRAM, path("bitstrata"));
  const Finished lonely = run_program({"sweep", file, "--store", store},
                                      {"OMPI_COMM_WORLD_SIZE=2", "OMPI_COMM_WORLD_RANK=0"}, path("bitstrata"));
  EXPECT_EQ(lonely.status, 2);
  EXPECT_EQ(lonely.error_lines(), 1) << lonely.err;
  EXPECT_THAT(lonely.err, AllOf(HasSubstr("2 processes were started together"), HasSubstr("this build has no MPI")));
  EXPECT_FALSE(fs::exists(store));
}

class SweepUnderMpirun : public SweepSpread {
 protected:
  void SetUp() override {
    mpirun_ = path_of_tool("mpirun");
    if (mpirun_.empty()) GTEST_SKIP() << "there is no mpirun (openmpi-bin)";
    if (!fs::exists(fs::path(BITSTRATA_PROGRAM).parent_path() / "bitstrata-mpi.so"))
      GTEST_SKIP() << "this build has no MPI (libopenmpi-dev)";
  }
  std::vector<std::string> environment() const {
    return {"OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", "BITSTRATA_TEST_MARK=" + mark()};
  }
  std::string mark() const { return path(""); }
  std::vector<std::string> ranks(int count, std::vector<std::string> words) const {
    std::vector<std::string> all = {"-n",   std::to_string(count), "--oversubscribe", "--bind-to",
                                    "none", BITSTRATA_PROGRAM};
    all.insert(all.end(), words.begin(), words.end());
    return all;
  }
  Finished run_ranks(int count, const std::vector<std::string>& words) const {
    return run_program(ranks(count, words), environment(), mpirun_);
  }
  // The process of a rank, or 0.
  pid_t process_of(int rank) const {
    std::error_code gone;
    for (const auto& entry : fs::directory_iterator("/proc", gone)) {
      const std::string variables = read_text(entry.path() / "environ");
      if (variables.find(mark()) != std::string::npos &&
          variables.find(fmt::format("OMPI_COMM_WORLD_RANK={}", rank)) != std::string::npos)
        return std::stoi(entry.path().filename());
    }
    return 0;
  }
  // Starts a sweep, and once it has some points calls `stroke` with the process of mpirun; returns its exit status.
  int struck(const std::string& file, const std::string& store, const std::function<void(pid_t)>& stroke) const {
    std::vector<std::string> words = ranks(2, {"sweep", file, "--store", store, "--quiet"});
    words.insert(words.begin(), mpirun_);
    const pid_t child = fork();
    if (child == 0) {
      for (const std::string& variable : environment()) putenv(strdup(variable.c_str()));
      const int nowhere = open("/dev/null", O_RDWR);
      for (const int end : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(nowhere, end);
      std::vector<char*> argv;
      for (std::string& word : words) argv.push_back(word.data());
      argv.push_back(nullptr);
      execv(argv[0], argv.data());
      _exit(127);
    }
    for (int i = 0; i < 30000 && finished_points(store) < 20; ++i) usleep(2000);
    stroke(child);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  // Finishes what was struck and holds it against a sweep that was left alone.
  void expect_whole(const std::string& file, const std::string& store) {
    const std::int64_t kept = finished_points(store);
    EXPECT_GE(kept, 20);
    EXPECT_LT(kept, 288) << "the sweep was over before it was struck";
    const json rest = json::parse(run_ranks(2, {"sweep", file, "--store", store, "--json", "--quiet"}).out);
    EXPECT_EQ(rest.at("in_store_before"), kept) << "what was finished is not lost";
    EXPECT_EQ(rest.at("measured").get<std::int64_t>() + rest.at("refused").get<std::int64_t>(), 288 - kept);
    ASSERT_EQ(run_program({"sweep", file, "--store", path("whole.sqlite"), "--quiet"}).status, 0);
    expect_equal(path("whole.sqlite"), store);
  }
  std::string mpirun_;
};

TEST_F(SweepUnderMpirun, RanksDivideTheWork) {
  const std::string file = sweep(large);
  ASSERT_EQ(run_program({"sweep", file, "--store", path("whole.sqlite"), "--quiet"}).status, 0);
  const Finished finished = run_ranks(3, {"sweep", file, "--store", path("mpi.sqlite"), "--json"});
  ASSERT_EQ(finished.status, 0) << finished.err;
  const json summary = json::parse(finished.out);
  EXPECT_EQ(summary.at("measured").get<int>() + summary.at("refused").get<int>(), 288);
  std::int64_t sum = 0;
  ASSERT_EQ(summary.at("by_rank").size(), 3U);
  for (const json& points : summary.at("by_rank")) {
    EXPECT_GT(points, 0) << summary.at("by_rank");
    sum += points.get<std::int64_t>();
  }
  EXPECT_EQ(sum, 288);
  EXPECT_THAT(finished.err, AllOf(HasSubstr("; 3 ranks\n"), HasSubstr("points by rank: ")));
  expect_equal(path("whole.sqlite"), path("mpi.sqlite"));
  // One process has written.
  sim::Database database(path("mpi.sqlite"));
  EXPECT_EQ(sim::Statement(database, "SELECT count(*) FROM run").number(), 1);
  EXPECT_EQ(sim::Statement(database, "SELECT count(*) FROM claim").number(), 0);
  // Started again, there is nothing to do; the fronts are those of one process.
  const json again = json::parse(run_ranks(2, {"sweep", file, "--store", path("mpi.sqlite"), "--json"}).out);
  EXPECT_EQ(again.at("in_store_before"), 288);
  const json alone = json::parse(run_program({"sweep", file, "--store", path("whole.sqlite"), "--json"}).out);
  EXPECT_EQ(again.at("fronts"), alone.at("fronts"));
}

TEST_F(SweepUnderMpirun, ShardsHaveRanks) {
  const std::string file = sweep(large);
  ASSERT_EQ(run_program({"sweep", file, "--store", path("alone.sqlite"), "--shard", "2/3"}).status, 0);
  const Finished finished = run_ranks(2, {"sweep", file, "--store", path("mpi.sqlite"), "--shard", "2/3", "--json"});
  ASSERT_EQ(finished.status, 0) << finished.err;
  const json counts = json::parse(finished.out);
  EXPECT_LT(counts.at("points"), 288);
  EXPECT_EQ(counts.at("measured"), counts.at("points"));
  EXPECT_EQ(finished_points(path("mpi.sqlite")), counts.at("points"));
  expect_equal(path("alone.sqlite"), path("mpi.sqlite"));
}

TEST_F(SweepUnderMpirun, TellsErrorsOnce) {
  const std::string wrong = folder_.write("wrong.yaml", "format: bitstrata-sweep-1\nnetworks: [lenet]\n").string();
  for (const auto& [words, expected] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"sweep", wrong, "--store", path("s.sqlite")}, "did you mean 'lenet5'?"},
           {{"sweep", sweep(small), "--store", path("s.sqlite"), "--jobs", "2"},
            "each of its processes measures on one"},
           {{"sweep", "--merge", path("none.sqlite"), "--store", path("s.sqlite")}, "there is no store"}}) {
    const Finished finished = run_ranks(2, words);
    EXPECT_EQ(finished.status, 2);
    const std::size_t first = finished.err.find("bitstrata sweep: ");
    ASSERT_NE(first, std::string::npos) << finished.err;
    EXPECT_THAT(finished.err, HasSubstr(expected));
    EXPECT_EQ(finished.err.find("bitstrata sweep: ", first + 1), std::string::npos) << finished.err;
  }
}

// What a rank reads on its own machine may be something else.
TEST_F(SweepUnderMpirun, RefusesRanksWithOtherFiles) {
  for (const char* rank : {"0", "1"}) fs::create_directory(folder_ / rank);
  const auto script =
      folder_.write("start", "#!/bin/sh\ncd \"" + folder_.path().string() + "/$OMPI_COMM_WORLD_RANK\" && exec " +
                                 BITSTRATA_PROGRAM + " sweep sweep.yaml --store s.sqlite --quiet\n");
  fs::permissions(script, fs::perms::owner_all);
  const std::string text = std::string("format: bitstrata-sweep-1\n") + large;
  folder_.write("0/sweep.yaml", text);
  const auto run = [&] {
    return run_program({"-n", "2", "--oversubscribe", "--bind-to", "none", script.string()}, environment(), mpirun_);
  };
  folder_.write("1/sweep.yaml", text + "\n");  // the same sweep
  EXPECT_EQ(run().status, 0);
  std::string other = text;
  other.replace(other.find("96]"), 3, "95]");
  folder_.write("1/sweep.yaml", other);
  fs::remove(folder_ / "0/s.sqlite");
  Finished finished = run();
  EXPECT_EQ(finished.status, 2);
  EXPECT_THAT(finished.err,
              HasSubstr("bitstrata sweep: rank 1 runs another build, or reads another sweep, than rank 0"));
  fs::remove(folder_ / "1/sweep.yaml");
  fs::remove(folder_ / "0/s.sqlite");
  finished = run();
  EXPECT_EQ(finished.status, 2);
  EXPECT_THAT(finished.err, HasSubstr("bitstrata sweep: rank 1: cannot read sweep.yaml"));
}

TEST_F(SweepUnderMpirun, ARankThatDiesLosesNothing) {
  const std::string file = sweep(large), store = path("s.sqlite");
  EXPECT_NE(struck(file, store,
                   [&](pid_t) {
                     const pid_t rank = process_of(1);
                     ASSERT_GT(rank, 0);
                     kill(rank, SIGKILL);
                   }),
            0);
  expect_whole(file, store);
}

TEST_F(SweepUnderMpirun, StopsAndGoesOn) {
  const std::string file = sweep(large), store = path("s.sqlite");
  EXPECT_NE(struck(file, store, [](pid_t mpirun) { kill(mpirun, SIGTERM); }), 0);
  for (int i = 0; i < 500 && process_of(0) + process_of(1) > 0; ++i) usleep(10000);
  EXPECT_EQ(process_of(0) + process_of(1), 0) << "a rank is left";
  expect_whole(file, store);
}

}  // namespace
