// SPDX-License-Identifier: Apache-2.0
#include "model/output_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <filesystem>
#include <string>

#include "tests/model/temporary.h"

namespace bitstrata::model {
namespace {

namespace fs = std::filesystem;
using testing::read_text;
using testing::TemporaryFolder;

// While it lives, no file grows beyond `bytes`: writing fails as on a full disk.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : handler_(signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

std::ptrdiff_t files_in(const TemporaryFolder& folder) {
  return std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator());
}

TEST(OutputFile, HasAllPartsOneBehindTheOther) {
  const TemporaryFolder folder;
  write_whole(folder / "f", {"one ", "", "two"});
  EXPECT_EQ(read_text(folder / "f"), "one two");
  write_whole(folder / "f", "new");
  EXPECT_EQ(read_text(folder / "f"), "new");
  EXPECT_EQ(files_in(folder), 1);
}

TEST(OutputFile, FullDiskLeavesTheOldFile) {
  const TemporaryFolder folder;
  const fs::path file = folder.write("f", "old");
  std::string message;
  {
    const FullDisk full(1000);
    message = testing::message_of<std::runtime_error>([&] { write_whole(file, std::string(5000, 'x')); });
  }
  EXPECT_EQ(message, "cannot write " + file.string() + ": File too large");
  EXPECT_EQ(read_text(file), "old");
  EXPECT_EQ(files_in(folder), 1);
}

TEST(OutputFile, IsNotThereUntilPublished) {
  const TemporaryFolder folder;
  {
    OutputFile dropped(folder / "f", {"text"});
    EXPECT_FALSE(fs::exists(folder / "f"));
  }
  EXPECT_EQ(files_in(folder), 0);
  OutputFile kept(folder / "f", {"text"});
  kept.publish();
  EXPECT_EQ(read_text(folder / "f"), "text");
  EXPECT_EQ(files_in(folder), 1);
}

TEST(OutputFile, KeepsLinksAndPermissions) {
  const TemporaryFolder folder;
  const fs::path file = folder.write("f", "old");
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink("f", folder / "link");
  write_whole(folder / "link", "new");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(read_text(file), "new");
  EXPECT_EQ(fs::status(file).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST(OutputFile, DevicesAreWrittenStraight) {
  EXPECT_NO_THROW(write_whole("/dev/null", "text"));
  EXPECT_EQ(testing::message_of<std::runtime_error>([] { write_whole("/dev/full", "text"); }),
            "cannot write /dev/full: No space left on device");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST(CheckWritable, TellsWhatIsInTheWayAndLeavesNothing) {
  const TemporaryFolder folder;
  const fs::path file = folder.write("file", "x");
  EXPECT_EQ(testing::message_of<std::runtime_error>([&] { check_writable(folder.path()); }),
            "cannot write " + folder.path().string() + ": Is a directory");
  EXPECT_EQ(testing::message_of<std::runtime_error>([&] { check_writable(file / "below"); }),
            "cannot write " + (file / "below").string() + ": Not a directory");
  EXPECT_NO_THROW(check_writable(folder / "new"));
  EXPECT_NO_THROW(check_writable(file));
  EXPECT_EQ(read_text(file), "x");
  EXPECT_EQ(files_in(folder), 1);
}

}  // namespace
}  // namespace bitstrata::model
