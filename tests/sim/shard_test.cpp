// SPDX-License-Identifier: Apache-2.0
// Shards: every point in exactly one, the same one on every machine; what users write, and what Slurm tells.
#include "sim/shard.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <vector>

#include "model/digest.h"
#include "tests/model/temporary.h"

namespace bitstrata::sim {
namespace {

using bitstrata::testing::message_of;
using ::testing::HasSubstr;

TEST(Shard, HoldsEveryPointInExactlyOnePart) {
  for (const int count : {1, 2, 3, 4, 7, 64}) {
    std::vector<int> sizes(static_cast<std::size_t>(count));
    for (int point = 0; point < 6400; ++point) {
      const std::string architecture = model::digest_of(fmt::format("rows {}", point / 16));
      const std::string plan = model::digest_of(fmt::format("w{}", point % 16));
      int parts = 0;
      for (int number = 1; number <= count; ++number) {
        const bool here = Shard{number, count}.holds(architecture, model::digest_of("net"), plan);
        parts += here ? 1 : 0;
        sizes[static_cast<std::size_t>(number - 1)] += here ? 1 : 0;
      }
      ASSERT_EQ(parts, 1);
    }
    // A binomial distribution's six standard deviations are never left.
    const double mean = 6400.0 / count, most = 6 * std::sqrt(mean);
    for (const int size : sizes) EXPECT_NEAR(size, mean, count == 1 ? 0 : most) << count;
  }
}

// Counted by hand: Python's hashlib.sha1 of the three texts one behind the other, its first 8 bytes as a number.
TEST(Shard, IsTheSameOnEveryMachine) {
  const std::map<std::string, std::uint64_t> known = {{"w8a8", 12633130503340851260U}, {"w2a4", 16448238710138555123U}};
  for (const auto& [plan, hash] : known) {
    for (const int count : {2, 3, 5, 100}) {
      const int number = static_cast<int>(hash % static_cast<std::uint64_t>(count)) + 1;
      EXPECT_TRUE((Shard{number, count}.holds("array", "lenet5", plan))) << plan << " of " << count;
    }
  }
}

TEST(Shard, ReadsWhatUsersWrite) {
  EXPECT_EQ(parse_shard("1/1"), (Shard{1, 1}));
  EXPECT_EQ(parse_shard("4/4"), (Shard{4, 4}));
  EXPECT_EQ(parse_shard("2/16").text(), "2/16");
  for (const char* wrong : {"", "/", "1", "0/4", "5/4", "1/0", "-1/4", "1/4/2", "1.5/4", " 1/4", "1/4 ", "a/b", "1/",
                            "/4", "1/100001", "99999999999/4"}) {
    const std::string message = message_of<std::invalid_argument>([&] { parse_shard(wrong); });
    EXPECT_THAT(message, HasSubstr(fmt::format("--shard is '{}'; it is I/N, from 1/N to N/N", wrong)));
  }
}

class SlurmArray : public ::testing::Test {
 protected:
  static void set(const char* id, const char* count, const char* first, const char* last) {
    const std::pair<const char*, const char*> variables[] = {{"SLURM_ARRAY_TASK_ID", id},
                                                             {"SLURM_ARRAY_TASK_COUNT", count},
                                                             {"SLURM_ARRAY_TASK_MIN", first},
                                                             {"SLURM_ARRAY_TASK_MAX", last}};
    for (const auto& [name, value] : variables) value == nullptr ? unsetenv(name) : setenv(name, value, 1);
  }
  void SetUp() override { set(nullptr, nullptr, nullptr, nullptr); }
  void TearDown() override { set(nullptr, nullptr, nullptr, nullptr); }
};

TEST_F(SlurmArray, TellsThePartOfATask) {
  EXPECT_FALSE(slurm_array_task());
  set("1", "4", "1", "4");
  EXPECT_EQ(slurm_array_task()->shard, (Shard{1, 4}));
  set("4", "4", "1", "4");
  EXPECT_EQ(slurm_array_task()->shard, (Shard{4, 4}));
  set("0", "4", "0", "3");
  EXPECT_EQ(slurm_array_task()->shard, (Shard{1, 4}));
  set("15", "4", "0", "15");  // --array=0-15:5
  EXPECT_EQ(slurm_array_task()->shard, (Shard{4, 4}));
  EXPECT_EQ(slurm_array_task()->id, 15);
  set("7", "1", "7", "7");  // --array=7 has one task, which has all
  EXPECT_TRUE(slurm_array_task()->shard.whole());
}

TEST_F(SlurmArray, RefusesWhatHasNoPosition) {
  set("3", "3", "1", "7");  // --array=1,3,7: evenly spaced it would be 1, 4, 7
  EXPECT_THAT(message_of<std::invalid_argument>([] { slurm_array_task(); }),
              HasSubstr("task 3 of the Slurm job array 1-7 of 3 tasks has no position"));
  set("4", "4", "1", "6");
  EXPECT_THAT(message_of<std::invalid_argument>([] { slurm_array_task(); }), HasSubstr("has no position"));
  set("9", "4", "1", "4");
  EXPECT_THAT(message_of<std::invalid_argument>([] { slurm_array_task(); }), HasSubstr("has no position"));
  set("x", "4", "1", "4");
  EXPECT_THAT(message_of<std::invalid_argument>([] { slurm_array_task(); }), HasSubstr("SLURM_ARRAY_TASK_ID is 'x'"));
  set("1", nullptr, "1", "4");
  EXPECT_THAT(message_of<std::invalid_argument>([] { slurm_array_task(); }), HasSubstr("SLURM_ARRAY_TASK_COUNT is ''"));
}

}  // namespace
}  // namespace bitstrata::sim
