// SPDX-License-Identifier: Apache-2.0
// How the program ends where its results cannot get out or it is interrupted: never with status 0, never with half a
// file, and with nothing of it left running.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>

#include "tests/cli/process.h"
#include "tests/cli/spawned.h"

namespace bitstrata {
namespace {

namespace fs = std::filesystem;
using testing::Spawned;
using testing::TemporaryFolder;

using Words = std::vector<std::string>;

const std::vector<Words>& printing_verbs() {
  static const std::vector<Words> verbs = {
      {"--help"},
      {"--version"},
      {"run", "--help"},
      {"list", "networks"},
      {"list", "architectures"},
      {"plan", "--network", "lenet5"},
      {"run", "--network", "lenet5", "--engine", "fast", "--quiet"},
      {"run", "--network", "lenet5", "--engine", "fast", "--quiet", "--json"},
      {"table", "--network", "lenet5", "--quiet"},
  };
  return verbs;
}

TEST(Ending, FullStandardOutputIsToldByEveryVerb) {
  const TemporaryFolder folder;
  for (const Words& words : printing_verbs()) {
    Spawned program(words, folder.path(), "/dev/full");
    EXPECT_EQ(program.wait(), 2) << fmt::format("{}", words);
    const std::string name = words[0].starts_with("-") ? "bitstrata" : "bitstrata " + words[0];
    EXPECT_EQ(program.err(), name + ": standard output did not take the results: No space left on device\n");
  }
}

TEST(Ending, ClosedStandardOutputIsToldAndGetsIntoNoFile) {
  const TemporaryFolder folder;
  Spawned program({"run", "--network", "lenet5", "--engine", "fast", "--quiet", "--out", (folder / "out").string()},
                  folder.path(), "");
  EXPECT_EQ(program.wait(), 2);
  EXPECT_EQ(program.err(), "bitstrata run: standard output did not take the results: Bad file descriptor\n");
  for (const auto& entry : fs::directory_iterator(folder / "out"))
    EXPECT_EQ(testing::read_text(entry.path()).find("lenet5 (random"), std::string::npos) << entry.path();
}

// A pipe whose reader opened it and went away, as head does.
class ReaderGone {
 public:
  explicit ReaderGone(const fs::path& pipe) {
    mkfifo(pipe.c_str(), 0600);
    reader_ = open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  }
  ~ReaderGone() { go(); }
  void go() {
    if (reader_ >= 0) close(reader_);
    reader_ = -1;
  }

 private:
  int reader_ = -1;
};

TEST(Ending, ReaderThatWentAwayEndsTheProgramQuietly) {
  const TemporaryFolder folder;
  for (const int ignored : {0, SIGPIPE}) {
    const fs::path pipe = folder / fmt::format("pipe{}", ignored);
    ReaderGone reader(pipe);
    Spawned program({"run", "--network", "resnet18", "--engine", "fast"}, folder.path(), pipe.string(), ignored);
    reader.go();  // the program was started, so it has its end of the pipe
    const int status = program.wait();
    if (ignored == 0) {
      EXPECT_EQ(status, -SIGPIPE);
      EXPECT_EQ(program.err().find("bitstrata run:"), std::string::npos) << program.err();
    } else {
      EXPECT_EQ(status, 2);
      EXPECT_NE(program.err().find("standard output did not take the results: Broken pipe\n"), std::string::npos)
          << program.err();
    }
  }
}

TEST(Ending, OutputsThatCannotBeWrittenAreRefusedBeforeTheWork) {
  const TemporaryFolder folder;
  const std::string file = folder.write("file", "x").string(), below = file + "/below/out";
  const std::string sweep = folder
                                .write("sweep.yaml",
                                       "format: bitstrata-sweep-1\nnetworks: [lenet5]\n"
                                       "technologies: [ad-pim]\n")
                                .string();
  const std::vector<std::pair<Words, std::string>> cases = {
      {{"characterize", "--architecture", "pim-16x16", "--out", folder.path().string()}, "--out: "},
      {{"characterize", "--architecture", "pim-16x16", "--out", below}, "--out: "},
      {{"characterize", "--architecture", "pim-16x16", "--out", (folder / "t").string(), "--runs", below}, "--runs: "},
      {{"run", "--network", "lenet5", "--out", below}, "--out: "},
      {{"run", "--network", "lenet5", "--out", file}, "--out: "},
      {{"verify", "--network", "lenet5", "--out", below}, "--out: "},
      {{"table", "--network", "lenet5", "--out", below}, "--out: "},
      {{"sweep", sweep, "--store", (folder / "s.sqlite").string(), "--out", below}, "--out: "},
      {{"report", folder.path().string(), "--out", below}, "--out: "},
      {{"plan", "--network", "lenet5", "--out", below}, "--out: "},
      {{"generate", "--architecture", "pim-16x16", "--out", below}, ""},
      {{"export", file, "--out", below}, "--out: "},
  };
  for (const auto& [words, flag] : cases) {
    const testing::Finished finished = testing::run_program(words);
    EXPECT_EQ(finished.status, 2) << fmt::format("{}", words);
    EXPECT_EQ(finished.error_lines(), 1) << finished.err;
    EXPECT_NE(finished.err.find(flag), std::string::npos) << finished.err;
    EXPECT_NE(finished.err.find(folder.path().string()), std::string::npos) << finished.err;
    EXPECT_EQ(finished.out, "");
  }
  EXPECT_FALSE(fs::exists(folder / "t")) << "trying a file left it";
}

bool has_folder(const fs::path& parent, const std::string& begin) {
  std::error_code missing;
  const auto entries = fs::directory_iterator(parent, missing);
  return std::any_of(fs::begin(entries), fs::end(entries), [&](const fs::directory_entry& entry) {
    return entry.path().filename().string().starts_with(begin);
  });
}

TEST(Interrupted, ToolsAndTheirFoldersGoAndAreNotBlamed) {
  for (const auto& [signal, group] : {std::pair{SIGINT, true}, {SIGTERM, false}, {SIGHUP, false}}) {
    const TemporaryFolder folder;
    Spawned program({"verify", "--network", "lenet5", "--architecture", "pim-16x16", "--images", "0", "--rtl-images",
                     "1", "--quiet"},
                    folder.path());
    ASSERT_TRUE(program.wait_until([&] {
      return has_folder(folder.path(), "bitstrata-build") && !program.descendants().empty();
    })) << program.err();
    group ? program.send_to_group(signal) : program.send(signal);
    EXPECT_EQ(program.wait(), 128 + signal);
    EXPECT_EQ(program.err(), "bitstrata verify: interrupted\n");
    EXPECT_EQ(program.left_behind(), Words{});
    EXPECT_FALSE(has_folder(folder.path(), "bitstrata-build"));
  }
}

// A compiler that is killed leaves its temporary files where they are.
TEST(Interrupted, CompilersLeaveNothing) {
  const TemporaryFolder folder;
  ASSERT_EQ(setenv("CCACHE_DISABLE", "1", 1), 0);  // so that it does compile
  Spawned program(
      {"verify", "--network", "lenet5", "--architecture", "pim-16x16", "--images", "0", "--rtl-images", "1", "--quiet"},
      folder.path());
  unsetenv("CCACHE_DISABLE");
  ASSERT_TRUE(program.wait_until([&] {
    const Words running = program.descendants();
    return std::ranges::find(running, "cc1plus\n") != running.end();
  })) << program.err();
  program.send_to_group(SIGINT);
  EXPECT_EQ(program.wait(), 130);
  EXPECT_EQ(program.left_behind(), Words{});
  EXPECT_FALSE(has_folder(folder.path(), "cc"));
  EXPECT_FALSE(has_folder(folder.path(), "bitstrata-build"));
}

TEST(Interrupted, SystemcRunsGoAndLeaveNoFolder) {
  const TemporaryFolder folder;
  Spawned program({"run", "--network", "resnet18", "--engine", "systemc", "--images", "1", "--quiet", "--out",
                   (folder / "out" / "run").string()},
                  folder.path());
  ASSERT_TRUE(program.wait_until([&] { return !program.descendants().empty(); })) << program.err();
  program.send_to_group(SIGINT);
  EXPECT_EQ(program.wait(), 130);
  EXPECT_EQ(program.err(), "bitstrata run: interrupted\n");
  EXPECT_EQ(program.left_behind(), Words{});
  EXPECT_FALSE(fs::exists(folder / "out"));
}

TEST(Interrupted, IgnoredSignalsStayIgnored) {
  const TemporaryFolder folder;
  Spawned program({"run", "--network", "resnet18", "--engine", "fast", "--quiet"}, folder.path(), "/dev/null", SIGINT);
  program.send(SIGINT);
  EXPECT_EQ(program.wait(), 0) << program.err();
}

// One compilation for all that the cache must get right, for it takes a minute.
TEST(Cache, AnyNameOfTheFolderWillDoAndDamageIsMendedOnce) {
  const TemporaryFolder folder;
  const fs::path cache = folder / "it's a \"cache\" $HOME";
  const Words words = {"verify", "--network",    "lenet5", "--architecture", "pim-16x16", "--images",
                       "0",      "--rtl-images", "1",      "--quiet"};
  const Words environment = {"BITSTRATA_CACHE=" + cache.string()};
  const testing::Finished first = testing::run_program(words, environment);
  ASSERT_EQ(first.status, 0) << first.err;
  EXPECT_EQ(first.err, "");
  fs::path library;
  for (const auto& entry : fs::directory_iterator(cache)) {
    EXPECT_FALSE(fs::is_directory(entry.path())) << entry.path();
    if (entry.path().extension() == ".so") library = entry.path();
  }
  ASSERT_FALSE(library.empty());
  const auto made = fs::last_write_time(library);
  EXPECT_EQ(testing::run_program(words, environment).status, 0);
  EXPECT_EQ(fs::last_write_time(library), made) << "a library that is right was made again";

  fs::resize_file(library, fs::file_size(library) / 2);
  const testing::Finished mended = testing::run_program(words, environment);
  EXPECT_EQ(mended.status, 0) << mended.err;
  EXPECT_EQ(mended.err, library.string() + " in the cache is damaged or incomplete: it is made again\n");
  EXPECT_EQ(mended.out, first.out);
  EXPECT_EQ(testing::run_program(words, environment).err, "");
}

}  // namespace
}  // namespace bitstrata
