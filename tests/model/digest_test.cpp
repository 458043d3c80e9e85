// SPDX-License-Identifier: Apache-2.0
// Digests against those of FIPS 180-1's examples.
#include "model/digest.h"

#include <gtest/gtest.h>

#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

TEST(Digest, IsSha1) {
  EXPECT_EQ(model::digest_of("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(model::digest_of(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

TEST(Digest, ReadsWholeFiles) {
  const TemporaryFolder folder;
  EXPECT_EQ(model::digest_of_file(folder.write("f", "abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(model::digest_of_file(folder.write("empty", "")), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  EXPECT_EQ(message_of<std::runtime_error>([&] { model::digest_of_file("/no/such/file"); }),
            "cannot read /no/such/file");
}

}  // namespace
}  // namespace bitstrata::testing
