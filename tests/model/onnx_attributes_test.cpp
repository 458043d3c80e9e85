// SPDX-License-Identifier: Apache-2.0
// The table of attributes against ONNX's own schemas.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/defs/schema.h>

#include <map>
#include <set>
#include <string>

#include "model/onnx/attributes.h"

namespace bitstrata::testing {
namespace {

using ::testing::IsSubsetOf;
using Names = std::map<std::string, std::set<std::string>>;

// What ONNX has added since the installed library: [operator][attribute].
const Names& newer() {
  static const Names names = {
      {"AveragePool", {"dilations"}},
      {"Cast", {"saturate", "round_mode"}},
      {"DequantizeLinear", {"block_size", "output_dtype"}},
      {"QLinearConv", {"channels_last"}},  // ONNX Runtime's operator of this name
      {"QuantizeLinear", {"block_size", "output_dtype", "precision", "saturate"}},
      {"ReduceMax", {"noop_with_empty_axes"}},
      {"ReduceMean", {"noop_with_empty_axes"}},
      {"Resize", {"antialias", "axes", "keep_aspect_ratio_policy"}},
      {"Split", {"num_outputs"}},
  };
  return names;
}

TEST(OnnxAttributes, AreThoseOfTheSchemas) {
  Names schemas;
  for (const onnx::OpSchema& schema : onnx::OpSchemaRegistry::get_all_schemas_with_history()) {
    if (!schema.domain().empty()) continue;
    std::set<std::string>& names = schemas[schema.Name()];
    for (const auto& attribute : schema.attributes()) names.insert(attribute.first);
  }
  int compared = 0;
  for (const auto& [op, known] : model::interchange::known_attributes()) {
    const auto schema = schemas.find(op);
    if (schema == schemas.end()) continue;
    ++compared;
    EXPECT_THAT(schema->second, IsSubsetOf(known)) << op;
    std::set<std::string> all = schema->second;
    if (const auto added = newer().find(op); added != newer().end())
      all.insert(added->second.begin(), added->second.end());
    EXPECT_THAT(known, IsSubsetOf(all)) << op;
  }
  EXPECT_GE(compared, 50);
}

}  // namespace
}  // namespace bitstrata::testing
