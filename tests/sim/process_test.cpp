// SPDX-License-Identifier: Apache-2.0
// Where tools work and keep their temporary files.
#include "sim/process.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace bitstrata::sim {
namespace {

const char* const print = "echo \"$TMPDIR $CCACHE_TEMPDIR $HOME\"";

TEST(RunTool, KeepsTemporaryFilesInTheFolderAndTheRestOfTheEnvironment) {
  unsetenv("CCACHE_TEMPDIR");
  ASSERT_EQ(setenv("HOME", "/home", 1), 0);
  ASSERT_EQ(setenv("TMPDIR", "/ours", 1), 0);
  EXPECT_EQ(run_tool({"sh", "-c", print}).output, "/ours  /home\n");
  EXPECT_EQ(run_tool({"sh", "-c", print}, ".", "/dev/null", "/theirs").output, "/theirs /theirs /home\n");
}

TEST(WorkFolder, HasAFolderForTemporaryFilesThatGoesWithIt) {
  std::filesystem::path temporary;
  {
    const WorkFolder folder("/tmp", "bitstrata-test");
    temporary = folder.temporary();
    EXPECT_TRUE(std::filesystem::is_directory(temporary));
    EXPECT_EQ(folder.temporary(), temporary);
  }
  EXPECT_FALSE(std::filesystem::exists(temporary.parent_path()));
}

TEST(HarmlessFolder, IsTheWantedOneUnlessToolsWouldMistakeItsName) {
  ASSERT_EQ(setenv("TMPDIR", "/var/tmp", 1), 0);
  EXPECT_EQ(harmless_folder("/some/Cache-1.0_a+b"), "/some/Cache-1.0_a+b");
  EXPECT_EQ(harmless_folder("cache"), std::filesystem::current_path() / "cache");
  for (const char* name : {"/ca che", "/che's", "/a\"b", "/$HOME", "/a;b", "/\xc3\xa9"})
    EXPECT_EQ(harmless_folder(name), "/var/tmp") << name;
  // The system's own folder may have such a name, or be missing.
  for (const char* name : {"/tmp/bitstrata's", "/nowhere"}) {
    ASSERT_EQ(setenv("TMPDIR", name, 1), 0);
    std::filesystem::create_directory("/tmp/bitstrata's");
    EXPECT_EQ(harmless_folder("/che's"), "/tmp") << name;
  }
  std::filesystem::remove("/tmp/bitstrata's");
}

}  // namespace
}  // namespace bitstrata::sim
