// SPDX-License-Identifier: Apache-2.0
// Tensor files: round trip, damage, and writing that is all or nothing.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "quant/tensor_file.h"
#include "tests/quant/support.h"

namespace bitstrata::quant {
namespace {

std::string read(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream content;
  content << stream.rdbuf();
  return content.str();
}

TensorFile example() {
  TensorFile file;
  file.tensors["a"] = {"F32", {2, 1}, std::string("\0\0\200?\0\0\0@", 8)};
  file.tensors["b"] = {"I64", {}, std::string(8, '\1')};
  file.metadata = {{"format", "x"}, {"note", "{\"k\": \"v\"}"}};
  return file;
}

TEST(TensorFile, ComesBackAsWritten) {
  const auto file = test::scratch_folder() / "t.safetensors";
  save(example(), file);
  const TensorFile back = load_tensor_file(file);
  EXPECT_EQ(back.metadata, example().metadata);
  ASSERT_EQ(back.tensors.size(), 2U);
  EXPECT_EQ(back.tensors.at("a").bytes, example().tensors.at("a").bytes);
  EXPECT_EQ(back.tensors.at("a").shape, (std::vector<std::int64_t>{2, 1}));
}

TEST(TensorFile, EveryDamagedByteIsNoticed) {
  const auto folder = test::scratch_folder();
  save(example(), folder / "good");
  const std::string good = read(folder / "good");
  int noticed = 0;
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 4);
    std::ofstream(folder / "bad", std::ios::binary) << bad;
    try {
      const TensorFile back = load_tensor_file(folder / "bad");
      // Only a byte of the header's own spelling may pass, and only when it names the same things.
      EXPECT_EQ(back.tensors.at("a").bytes, example().tensors.at("a").bytes) << "byte " << i;
    } catch (const std::exception& error) {
      ++noticed;
    }
  }
  EXPECT_GT(noticed, static_cast<int>(good.size()) * 3 / 4);
}

TEST(TensorFile, EveryTruncationIsNamed) {
  const auto folder = test::scratch_folder();
  save(example(), folder / "good");
  const std::string good = read(folder / "good");
  for (std::size_t i = 0; i < good.size(); i += 3) {
    std::ofstream(folder / "bad", std::ios::binary) << good.substr(0, i);
    try {
      load_tensor_file(folder / "bad");
      FAIL() << "accepted after " << i << " bytes";
    } catch (const std::runtime_error& error) {
      EXPECT_NE(std::string(error.what()).find("bad"), std::string::npos);
    }
  }
}

TEST(TensorFile, SizesBeyond64BitsAreRefused) {
  const auto file = test::scratch_folder() / "t.safetensors";
  // 8 * 2^28 * 2^28 * 2^5 bytes are 2^64, which wraps around to the 0 bytes that are there.
  const std::string header = R"({"a": {"dtype": "F64", "shape": [268435456, 268435456, 32], "data_offsets": [0, 0]}})";
  const std::uint64_t length = header.size();
  std::ofstream(file, std::ios::binary) << std::string(reinterpret_cast<const char*>(&length), 8) << header;
  try {
    load_tensor_file(file);
    FAIL() << "accepted";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("tensor 'a' has more bytes than 64 bits count"), std::string::npos);
  }
}

}  // namespace
}  // namespace bitstrata::quant
