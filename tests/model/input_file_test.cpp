// SPDX-License-Identifier: Apache-2.0
// Devices, which may have no end, are read by none of the readers. /dev/null stands for them: it has an end.
#include "model/input_file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>
#include <functional>
#include <thread>

#include "model/dataset.h"
#include "model/digest.h"
#include "model/layer_lists.h"
#include "model/npy_file.h"
#include "model/yaml_reader.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::HasSubstr;

TEST(InputFile, DevicesAreRefusedByEveryReader) {
  const TemporaryFolder folder;
  std::filesystem::create_symlink("/dev/null", folder / "link.csv");
  const std::vector<std::function<void()>> readers = {
      [] { refuse_device("/dev/zero"); },
      [] { YamlReader::from_file("/dev/null"); },
      [] { read_bytes("/dev/null"); },
      [] { digest_of_file("/dev/null"); },
      [&] { load_layer_list(folder / "link.csv"); },
      [] { read_idx("/dev/null", "/dev/null"); },
  };
  for (const auto& read : readers)
    EXPECT_THAT(message_of<std::runtime_error>(read), HasSubstr(": it is a device; name a file or a pipe"));
}

TEST(InputFile, PipesAreRead) {
  const TemporaryFolder folder;
  const auto pipe = folder / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  std::jthread writer([&] { std::ofstream(pipe) << "rows: 3\n"; });
  EXPECT_EQ(YamlReader::from_file(pipe).at("rows").as_int(), 3);
}

}  // namespace
}  // namespace bitstrata::testing
