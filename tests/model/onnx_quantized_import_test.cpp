// SPDX-License-Identifier: Apache-2.0
// Quantized files run as they say, against the reference executor: the same codes, or a refusal with its reason.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <iostream>

#include "model/onnx/onnx.h"
#include "tests/model/onnx_quantized_cases.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;

// Compares the codes of 6 inputs; adds those compared to `count`.
void expect_equal_codes(const QuantizedGraph& graph, const FloatNetwork& network, std::size_t& count) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const Array input = random_input(graph.model, seed);
    Array wanted = graph.model.run(input);
    if (graph.image) {
      const std::vector<float> turned = to_nhwc(wanted);
      wanted.values.assign(turned.begin(), turned.end());
    }
    const std::vector<std::int64_t> codes = output_codes(graph, wanted.values);
    const Reals values = run(network, to_nhwc(input));
    ASSERT_EQ(values.size(), codes.size());
    std::size_t different = 0;
    std::int64_t largest = 0;
    for (std::size_t i = 0; i < codes.size(); ++i) {
      const std::int64_t distance = std::abs(std::llround(values[i] / graph.scale + graph.zero) - codes[i]);
      different += distance != 0 ? 1 : 0;
      largest = std::max(largest, distance);
    }
    EXPECT_EQ(different, 0U) << "of " << codes.size() << ", by up to " << largest << ", seed " << seed;
    count += codes.size();
  }
}

TEST(OnnxQuantizedImport, GivesTheReferencesCodesOrSaysWhyNot) {
  const TemporaryFolder folder;
  std::size_t compared = 0, refused = 0;
  for (const QuantizedCase& tested : quantized_cases()) {
    SCOPED_TRACE(tested.graph.name);
    if (tested.reference_only || !tested.graph.exact) continue;
    const auto file = tested.graph.model.save(folder / "model.onnx");
    if (!tested.refused.empty()) {
      EXPECT_THAT(message_of<std::runtime_error>([&] { import_onnx(file); }), ::testing::HasSubstr(tested.refused));
      ++refused;
      continue;
    }
    try {
      expect_equal_codes(tested.graph, import_onnx(file), compared);
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
  }
  std::cout << fmt::format("{} files, {} of them refused; {} codes compared\n", quantized_cases().size(), refused,
                           compared);
  EXPECT_GT(compared, 10000U);
}

TEST(OnnxQuantizedImport, DrawnGraphsGiveTheReferencesCodes) {
  const TemporaryFolder folder;
  std::size_t compared = 0;
  for (std::uint64_t seed = 100; seed < 220; ++seed) {
    const QuantizedGraph graph = quantized_graph(seed % 2 == 0 ? QuantizedForm::qdq : QuantizedForm::qlinear, seed);
    if (!graph.exact) continue;  // sums of floats depend on their order
    SCOPED_TRACE(fmt::format("{}: {}; {}; {}", graph.name, graph.weights, graph.activations, graph.operators));
    try {
      expect_equal_codes(graph, import_onnx(graph.model.save(folder / "model.onnx")), compared);
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
  }
  std::cout << compared << " codes compared\n";
  EXPECT_GT(compared, 10000U);
}

}  // namespace
}  // namespace bitstrata::testing
