// SPDX-License-Identifier: Apache-2.0
// What an ONNX file holds beside its graph: tensors in files of their own, and the widths that our writer notes.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <algorithm>

#include "model/onnx/onnx.h"
#include "tests/model/onnx_builder.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::HasSubstr;

using Entries = std::vector<std::pair<std::string, std::string>>;

class OnnxExternalData : public ::testing::Test {
 protected:
  OnnxExternalData() : builder_({1, 3, 4, 4}) {
    builder_.node("Conv", {"x", builder_.random({2, 3, 3, 3})});
    inside_ = import_onnx(builder_.save(folder_ / "inside.onnx"));
  }

  // The model inside, with its weights, 54 floats, in a file of their own behind `before` other bytes.
  std::filesystem::path save(const Entries& entries, std::size_t before = 0) {
    onnx::ModelProto model;
    EXPECT_TRUE(model.ParseFromString(builder_.bytes()));
    onnx::TensorProto& weights = *model.mutable_graph()->mutable_initializer(0);
    EXPECT_EQ(weights.float_data_size(), 54);
    std::string bytes(before, 'x');
    for (const float value : weights.float_data())
      bytes.append(reinterpret_cast<const char*>(&value), sizeof value);  // both are little-endian
    folder_.write("weights.bin", bytes);
    weights.clear_float_data();
    weights.set_data_location(onnx::TensorProto::EXTERNAL);
    for (const auto& [key, value] : entries) {
      auto& entry = *weights.add_external_data();
      entry.set_key(key);
      entry.set_value(value);
    }
    return folder_.write("outside.onnx", model.SerializeAsString());
  }
  std::string refusal(const Entries& entries) {
    return message_of<std::runtime_error>([&] { import_onnx(save(entries)); });
  }

  TemporaryFolder folder_;
  OnnxBuilder builder_;
  FloatNetwork inside_;
};

TEST_F(OnnxExternalData, WeightsAreThoseInside) {
  const std::string bytes = std::to_string(54 * sizeof(float));
  int compared = 0;
  const auto expect_same = [&](const Entries& entries, std::size_t before) {
    const FloatNetwork outside = import_onnx(save(entries, before));
    ASSERT_EQ(outside.parameters.size(), inside_.parameters.size());
    EXPECT_EQ(outside.parameters[1].weights, inside_.parameters[1].weights);
    EXPECT_EQ(outside.parameters[1].weights.size(), 54U);
    ++compared;
  };
  expect_same({{"location", "weights.bin"}}, 0);
  expect_same({{"location", "weights.bin"}, {"offset", "0"}, {"length", bytes}}, 0);
  expect_same({{"location", "weights.bin"}, {"offset", "4096"}, {"length", bytes}}, 4096);
  expect_same({{"location", "weights.bin"}, {"offset", "7"}, {"checksum", "of no interest"}}, 7);
  EXPECT_EQ(compared, 4);
}

TEST_F(OnnxExternalData, WhatIsNotThereIsRefused) {
  EXPECT_THAT(refusal({}), HasSubstr("outside the model's folder"));
  EXPECT_THAT(refusal({{"location", "/etc/passwd"}}), HasSubstr("lies in '/etc/passwd', outside the model's folder"));
  EXPECT_THAT(refusal({{"location", "a/../../weights.bin"}}), HasSubstr("outside the model's folder"));
  EXPECT_THAT(refusal({{"location", "other.bin"}}), HasSubstr("other.bin is missing or short"));
  EXPECT_THAT(refusal({{"location", "weights.bin"}, {"offset", "217"}}), HasSubstr("weights.bin is missing or short"));
  EXPECT_THAT(refusal({{"location", "weights.bin"}, {"length", "217"}}), HasSubstr("weights.bin is short"));
  EXPECT_THAT(refusal({{"location", "weights.bin"}, {"offset", "4"}, {"length", "216"}}), HasSubstr("is short"));
  EXPECT_THAT(refusal({{"location", "weights.bin"}, {"offset", "4"}}), HasSubstr("needs 216 bytes, the file has 212"));
  for (const char* number : {"12abc", "", "-4", "1e2", "99999999999999999999999"}) {
    EXPECT_THAT(refusal({{"location", "weights.bin"}, {"offset", number}}),
                HasSubstr(fmt::format("offset '{}' is no number of bytes", number)));
  }
}

// Our writer notes widths that ONNX has no type for; a damaged note must not become another width.
TEST(OnnxNotedWidth, IsReadOrRefused) {
  OnnxBuilder m({1, 3, 4, 4});
  const std::string zero = m.scalar(0, 2);
  const std::string codes = m.node("QuantizeLinear", {"x", m.scalar(0.25), zero});
  m.node("Conv", {m.node("DequantizeLinear", {codes, m.scalar(0.25), zero}), m.random({2, 3, 3, 3})});
  const TemporaryFolder folder;
  const auto with_note = [&](const std::string& note) {
    onnx::ModelProto model;
    EXPECT_TRUE(model.ParseFromString(m.bytes()));
    auto& entry = *model.add_metadata_props();
    entry.set_key("bitstrata.bits." + codes);
    entry.set_value(note);
    return folder.write("noted.onnx", model.SerializeAsString());
  };
  const auto bits = [&](const std::string& note) {
    const FloatNetwork network = import_onnx(with_note(note));
    const auto grid = std::ranges::find_if(network.grids, [](const auto& g) { return g.has_value(); });
    return grid == network.grids.end() ? 0 : (*grid)->bits;
  };
  EXPECT_EQ(bits("8"), 8);
  EXPECT_EQ(bits("5"), 5);
  for (const char* note : {"", "0", "9", "17", "5bits", "5  narrow", "narrow", "five", "-5", "+5"}) {
    EXPECT_THAT(message_of<std::runtime_error>([&] { import_onnx(with_note(note)); }),
                HasSubstr(fmt::format("the file notes its width as '{}'; it is 1 to 8 bits", note)));
  }
}

}  // namespace
}  // namespace bitstrata::testing
