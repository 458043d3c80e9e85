// SPDX-License-Identifier: Apache-2.0
// Ctrl-C and SIGTERM while the program trains: nothing stands half written, nothing runs on, and the same command with
// --resume ends as one that was left alone.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <set>

#include "tests/cli/images.h"
#include "tests/cli/process.h"
#include "tests/cli/spawned.h"

namespace {

using namespace bitstrata::testing;
using ::testing::EndsWith;
using Words = std::vector<std::string>;
namespace fs = std::filesystem;

class InterruptedTraining : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(fs::path(BITSTRATA_PROGRAM).parent_path() / "bitstrata-train"))
      GTEST_SKIP() << "this build has no training";
    write_images(folder_, "train", 300);
    write_images(folder_, "t10k", 20);
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  Words training(const Words& verb, const std::string& out) const {
    Words words = verb;
    words.insert(words.end(), {"--dataset", folder_.path().string(), "--threads", "1", "--quiet", "--out", path(out)});
    return words;
  }

  // Stops the run twice where it has saved what it has, ends it, and compares it with the run that was left alone.
  void expect_resumption(const Words& verb, const Words& files) {
    const Finished whole = run_program(training(verb, "whole"));
    ASSERT_EQ(whole.status, 0) << whole.err;
    Words words = training(verb, "stopped");
    words.emplace_back("--resume");
    const fs::path state = folder_ / "stopped/resume.safetensors";
    for (const int signal : {SIGINT, SIGTERM}) {
      const bool before = fs::exists(state);
      const fs::file_time_type time = before ? fs::last_write_time(state) : fs::file_time_type{};
      Spawned program(words, folder_ / "temporary");
      ASSERT_TRUE(program.wait_until([&] {
        std::error_code missing;
        const auto now = fs::last_write_time(state, missing);
        return !missing && (!before || now != time);
      })) << "it was over before it could be stopped: "
          << program.err();
      signal == SIGINT ? program.send_to_group(signal) : program.send(signal);
      EXPECT_EQ(program.wait(), 128 + signal);
      EXPECT_THAT(program.err(), EndsWith(fmt::format("bitstrata {}: interrupted\n", verb[0])));
      EXPECT_EQ(program.left_behind(), Words{});
      std::set<std::string> left;
      for (const auto& entry : fs::directory_iterator(folder_ / "stopped")) left.insert(entry.path().filename());
      EXPECT_EQ(left, std::set<std::string>{"resume.safetensors"});
    }
    const Finished rest = run_program(words);
    ASSERT_EQ(rest.status, 0) << rest.err;
    EXPECT_EQ(rest.out, whole.out);
    EXPECT_FALSE(fs::exists(state));
    for (const std::string& file : files)
      EXPECT_EQ(read_text(folder_ / "stopped" / file), read_text(folder_ / "whole" / file)) << file;
    fs::remove_all(folder_ / "stopped");
  }

  TemporaryFolder folder_;
};

TEST_F(InterruptedTraining, OfFloatsGoesOn) {
  expect_resumption({"train", "--network", "lenet5", "--epochs", "16"}, {"float.safetensors"});
}

TEST_F(InterruptedTraining, OfCodesGoesOn) {
  const Words floats = {"train", "--network", "lenet5", "--epochs", "1"};
  ASSERT_EQ(run_program(training(floats, "float")).status, 0);
  expect_resumption({"quantize", "--network", path("float"), "--method", "uniform", "--weight-bits", "3",
                     "--activation-bits", "4", "--finetune-epochs", "16"},
                    {"integer.safetensors", "plan.yaml"});
}

}  // namespace
