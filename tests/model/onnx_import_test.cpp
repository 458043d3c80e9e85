// SPDX-License-Identifier: Apache-2.0
// Imported networks against the plain execution of the same files, and what the importer refuses.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>

#include "model/onnx/onnx.h"
#include "tests/model/onnx_cases.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::HasSubstr;
using Dims = std::vector<std::int64_t>;

// The largest difference between the imported network and the reference; adds the values compared to `values`.
double difference(const OnnxBuilder& builder, const FloatNetwork& network, std::uint64_t seed, std::size_t& values,
                  bool image) {
  const Array input = random_input(builder, seed);
  const Array expected = builder.run(input);
  const std::vector<float> wanted =
      image ? to_nhwc(expected) : std::vector<float>(expected.values.begin(), expected.values.end());
  const Reals result = run(network, to_nhwc(input));
  EXPECT_EQ(result.size(), wanted.size());
  double largest = 0;
  for (std::size_t i = 0; i < std::min(result.size(), wanted.size()); ++i)
    largest = std::max(largest, std::abs(double{result[i]} - wanted[i]));
  values += wanted.size();
  return largest;
}

TEST(OnnxImport, EveryOperatorAsItsSpecificationTells) {
  const TemporaryFolder folder;
  std::size_t values = 0;
  for (const OnnxCase& tested : onnx_cases()) {
    SCOPED_TRACE(tested.name);
    const FloatNetwork network = import_onnx(tested.model.save(folder / "model.onnx"));
    EXPECT_EQ(network.graph.name(), "model");
    if (tested.nodes != 0) {
      EXPECT_EQ(network.graph.nodes().size(), static_cast<std::size_t>(tested.nodes));
    }
    for (std::uint64_t seed = 1; seed <= 3; ++seed)
      EXPECT_LT(difference(tested.model, network, seed, values, tested.image), 2e-5);
  }
  std::cout << onnx_cases().size() << " models, " << values << " values compared\n";
  EXPECT_GT(values, 9000U);
}

TEST(OnnxImport, RandomConvolutions) {
  const TemporaryFolder folder;
  std::size_t values = 0;
  for (std::uint64_t seed = 1; seed <= 120; ++seed) {
    SCOPED_TRACE(seed);
    const OnnxCase tested = random_convolution(seed);
    const FloatNetwork network = import_onnx(tested.model.save(folder / "model.onnx"));
    EXPECT_LT(difference(tested.model, network, seed, values, true), 2e-5);
  }
  std::cout << values << " values compared\n";
  EXPECT_GT(values, 5000U);
}

TEST(OnnxImport, ImagesWithChannelsLastKeepTheirOrder) {
  // TensorFlow's exporter writes them so: the input is N,H,W,C and is turned round at once.
  const TemporaryFolder folder;
  OnnxBuilder m({1, 5, 6, 3});
  const std::string x = m.node("Transpose", {"x"}, {{"perm", Dims{0, 3, 1, 2}}});
  m.node("Conv", {x, m.random({4, 3, 3, 3})});
  const FloatNetwork network = import_onnx(m.save(folder / "model.onnx"));
  EXPECT_EQ(network.graph.node(0).output, (Shape{5, 6, 3}));
  const Array input = random_input(m, 1);
  const std::vector<float> expected = to_nhwc(m.run(input));
  const Reals result = run(network, std::vector<float>(input.values.begin(), input.values.end()));
  ASSERT_EQ(result.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(result[i], expected[i], 1e-5);
}

TEST(OnnxImport, ShuffledCodesStayAsTheyAre) {
  const TemporaryFolder folder;
  OnnxBuilder m({1, 3, 4, 4});
  const auto zero = [&] { return m.scalar(0, 3); };
  const std::string y = m.node("Conv", {"x", m.random({6, 3, 1, 1})});
  const std::string codes = m.node("QuantizeLinear", {y, m.scalar(0.03125), zero()});
  const std::string values = m.node("DequantizeLinear", {codes, m.scalar(0.03125), zero()});
  const std::string parted = m.node("Reshape", {values, m.ints({1, 2, 3, 4, 4})});
  const std::string turned = m.node("Transpose", {parted}, {{"perm", Dims{0, 2, 1, 3, 4}}});
  m.node("MaxPool", {m.node("Reshape", {turned, m.ints({1, 6, 4, 4})})}, {{"kernel_shape", Dims{2, 2}}});
  const FloatNetwork network = import_onnx(m.save(folder / "model.onnx"));
  ASSERT_EQ(network.graph.nodes().size(), 4U);  // the third moves the channels
  ASSERT_TRUE(network.grids[2].has_value());
  EXPECT_EQ(network.grids[2]->scale, 0.03125);
  EXPECT_EQ(network.grids[2]->coding, Coding::twos_complement);
  const std::vector<Reals> all = run_all(network, to_nhwc(random_input(m, 1)));
  for (std::size_t pixel = 0; pixel < 16; ++pixel)
    for (std::size_t c = 0; c < 6; ++c) EXPECT_EQ(all[2][pixel * 6 + c], all[1][pixel * 6 + c / 2 + c % 2 * 3]);
}

TEST(OnnxImport, RowsOfTheInputArePixels) {
  // 1 x rows x features, as token models have it: the features stand last.
  const TemporaryFolder folder;
  OnnxBuilder m({1, 5, 8});
  const std::string h = m.node("Relu", {m.node("Add", {m.node("MatMul", {"x", m.random({8, 6})}), m.random({6})})});
  m.node("MatMul", {h, m.random({6, 3})});
  const FloatNetwork network = import_onnx(m.save(folder / "model.onnx"));
  EXPECT_EQ(network.graph.node(0).output, (Shape{1, 5, 8}));
  EXPECT_EQ(network.graph.nodes().size(), 4U);
  EXPECT_TRUE(network.notes.empty());
  const Array input = random_input(m, 1), expected = m.run(input);
  const Reals result = run(network, std::vector<float>(input.values.begin(), input.values.end()));
  ASSERT_EQ(result.size(), expected.values.size());
  for (std::size_t i = 0; i < result.size(); ++i) EXPECT_NEAR(result[i], expected.values[i], 1e-5);
}

TEST(OnnxImport, ShapeArithmeticFoldsAway) {
  const TemporaryFolder folder;
  OnnxBuilder m({0, 3, 4, 5});
  const std::string conv = m.node("Conv", {"x", m.random({4, 3, 1, 1})});
  const std::string batch = m.node("Gather", {m.node("Shape", {conv}), m.scalar(0, 7)}, {{"axis", 0}});
  const std::string shape = m.node("Concat", {m.node("Unsqueeze", {batch, m.ints({0})}), m.ints({-1})}, {{"axis", 0}});
  m.node("Gemm", {m.node("Reshape", {conv, shape}), m.random({2, 80})}, {{"transB", 1}});
  const FloatNetwork network = import_onnx(m.save(folder / "model.onnx"));
  EXPECT_EQ(network.graph.nodes().size(), 3U);
}

TEST(OnnxImport, OpenSidesAreAskedFor) {
  const TemporaryFolder folder;
  OnnxBuilder m({0, 3, 0, 0});
  m.node("Conv", {"x", m.random({4, 3, 1, 1})});
  const auto file = m.save(folder / "model.onnx");
  EXPECT_THAT(message_of<std::runtime_error>([&] { import_onnx(file); }), HasSubstr("--input-shape"));
  EXPECT_EQ(import_onnx(file, {{1, 3, 7, 8}, {}}).graph.node(0).output, (Shape{7, 8, 3}));
}

TEST(OnnxImport, SoftmaxIsLeftToTheHost) {
  const TemporaryFolder folder;
  OnnxBuilder m({1, 12});
  m.node("Softmax", {m.node("Gemm", {"x", m.random({12, 3})})});
  const FloatNetwork network = import_onnx(m.save(folder / "model.onnx"));
  EXPECT_EQ(network.graph.nodes().size(), 2U);
  ASSERT_EQ(network.notes.size(), 1U);
  EXPECT_THAT(network.notes[0], HasSubstr("Softmax"));
}

TEST(OnnxImport, QuantizersKeepTheirScalesAndWidths) {
  const TemporaryFolder folder;
  OnnxBuilder m({1, 3, 4, 4});
  const std::string in = m.node("QuantizeLinear", {"x", m.scalar(0.01), m.scalar(0, 2)});
  const std::string x = m.node("DequantizeLinear", {in, m.scalar(0.01), m.scalar(0, 2)});
  std::vector<double> codes;
  for (int i = 0; i < 12; ++i) codes.push_back(i * 17 - 90);
  const std::string w = m.node(
      "DequantizeLinear",
      {m.constant({4, 3, 1, 1}, codes, 3), m.constant({4}, {0.1, 0.2, 0.3, 0.4}), m.constant({4}, {0, 0, 0, 0}, 3)},
      {{"axis", 0}});
  const std::string y = m.node("Relu", {m.node("Conv", {x, w})});
  m.node("DequantizeLinear",
         {m.node("QuantizeLinear", {y, m.scalar(0.5), m.scalar(-128, 3)}), m.scalar(0.5), m.scalar(-128, 3)});
  const FloatNetwork network = import_onnx(m.save(folder / "model.onnx"));
  ASSERT_EQ(network.graph.nodes().size(), 3U);
  EXPECT_EQ(network.grids[0]->scale, static_cast<double>(0.01F));
  EXPECT_EQ(network.grids[2]->coding, Coding::twos_complement);
  EXPECT_EQ(network.grids[2]->zero_point, -128);
  EXPECT_EQ(network.parameters[1].weight_bits, 8);
  EXPECT_EQ(network.parameters[1].scales[2], static_cast<double>(0.3F));
}

TEST(OnnxImport, QLinearOperatorsAreTheirFloatCounterparts) {
  const TemporaryFolder folder;
  OnnxBuilder m({1, 2, 4, 4});
  const auto zero = [&] { return m.scalar(0, 3); };
  const std::string x = m.node("QuantizeLinear", {"x", m.scalar(0.0625), zero()});
  const std::string w = m.constant({3, 2, 1, 1}, {1, -2, 3, 4, -5, 6}, 3);
  const std::string y = m.node("QLinearConv", {x, m.scalar(0.0625), zero(), w, m.scalar(0.5), zero(), m.scalar(0.25),
                                               zero(), m.constant({3}, {8, 0, -8}, 6)});
  const std::string p = m.node("MaxPool", {y}, {{"kernel_shape", Dims{4, 4}}});
  const std::string g = m.constant({2, 3}, {1, 2, 3, -1, -2, -3}, 3);
  const std::string z = m.node("QGemm",
                               {m.node("Flatten", {p}), m.scalar(0.25), zero(), g, m.scalar(0.125), zero(),
                                m.constant({2}, {32, 0}, 6), m.scalar(0.5), zero()},
                               {{"transB", 1}}, "com.microsoft");
  m.node("DequantizeLinear", {z, m.scalar(0.5), zero()});
  const FloatNetwork network = import_onnx(m.save(folder / "model.onnx"));
  ASSERT_EQ(network.graph.nodes().size(), 4U);
  // All of x is 0.5: the convolution gives 0.5 * (0.5 - 1) + 0.25 = 0, 0.5 * 3.5 = 1.75, 0.5 * 0.5 - 0.25 = 0.
  const Reals result = run(network, std::vector<float>(32, 0.5F));
  EXPECT_THAT(result, ::testing::ElementsAre(1.5F, -0.5F));  // 2 * 1.75 / 8 + 1 = 1.4375, -0.4375, in halves
}

TEST(OnnxImport, QonnxWidths) {
  const TemporaryFolder folder;
  OnnxBuilder m({1, 8});
  const std::string domain = "qonnx.custom_op.general";
  const Attrs is_signed = {{"signed", 1}, {"narrow", 1}, {"rounding_mode", "ROUND"}};
  const auto quant = [&](const std::string& x, double scale, double bits, const Attrs& a) {
    return m.node("Quant", {x, m.scalar(scale), m.scalar(0), m.scalar(bits)}, a, domain);
  };
  const std::string x = quant("x", 0.25, 3, {{"signed", 0}, {"narrow", 0}});
  const std::string h =
      m.node("MatMul", {x, m.node("Transpose", {quant(m.random({6, 8}), 0.5, 2, is_signed)}, {{"perm", Dims{1, 0}}})});
  const std::string b = m.node("BipolarQuant", {h, m.scalar(0.5)}, {}, domain);
  m.node("MatMul", {b, m.node("BipolarQuant", {m.random({6, 4}), m.scalar(0.125)}, {}, domain)});
  const FloatNetwork network = import_onnx(m.save(folder / "model.onnx"));
  ASSERT_EQ(network.graph.nodes().size(), 3U);
  EXPECT_EQ(network.grids[0]->bits, 3);
  EXPECT_EQ(network.parameters[1].weight_bits, 2);
  EXPECT_EQ(network.grids[1]->coding, Coding::bipolar);
  EXPECT_EQ(network.parameters[2].weight_bits, 1);
  for (const float w : network.parameters[2].weights) EXPECT_EQ(std::abs(w), 0.125F);
}

TEST(OnnxImport, QonnxRoundsHalvesAwayFromZero) {
  const TemporaryFolder folder;
  const auto run_with = [&](const char* mode, double zero) {
    OnnxBuilder m({1, 6});
    const std::string quantized =
        m.node("Quant", {"x", m.scalar(0.5), m.scalar(zero), m.scalar(4)},
               {{"signed", 1}, {"narrow", 0}, {"rounding_mode", mode}}, "qonnx.custom_op.general");
    m.node("Mul", {quantized, m.constant({1}, {2})});
    return run(import_onnx(m.save(folder / "model.onnx")), Reals{0.25F, -0.25F, 0.75F, -0.75F, 100, -100});
  };
  using ::testing::ElementsAre;
  EXPECT_THAT(run_with("HALF_UP", 0), ElementsAre(1, -1, 2, -2, 7, -8));
  EXPECT_THAT(run_with("ROUND", 0), ElementsAre(0, 0, 2, -2, 7, -8));
  EXPECT_EQ(run_with("half_up", 0), run_with("HALF_UP", 0));
  EXPECT_THAT(run_with("HALF_UP", 1), ElementsAre(1, 0, 2, -2, 6, -9));
  EXPECT_THAT(message_of<std::runtime_error>([&] { run_with("UP", 0); }),
              HasSubstr("rounding_mode 'UP' is not supported; ROUND (HALF_EVEN), HALF_UP and FLOOR are"));
}

// An operator whose definition lies in the file is not unknown.
TEST(OnnxImport, FunctionsOfTheFileAreNamedAsSuch) {
  OnnxBuilder m({1, 6});
  m.node("MyLeaky", {"x"}, {}, "my");
  const TemporaryFolder folder;
  // A FunctionProto of that name and domain in ModelProto.functions, field 25.
  const std::string function = "\x0A\x07MyLeaky\x52\x02my";
  const auto file =
      folder.write("function.onnx", m.bytes() + "\xCA\x01" + static_cast<char>(function.size()) + function);
  EXPECT_THAT(message_of<std::runtime_error>([&] { import_onnx(file); }),
              HasSubstr("the file defines it as a function, and functions are not read; inline them first"));
  EXPECT_THAT(message_of<std::runtime_error>([&] { import_onnx(m.save(folder / "plain.onnx")); }),
              ::testing::EndsWith("the operator is not supported"));
}

// Both versions, by qonnx's own definition: floor(round(x / scale) / 2^k), limited to the output's codes by the second.
TEST(OnnxImport, QonnxTruncates) {
  const TemporaryFolder folder;
  const std::string general = "qonnx.custom_op.general";
  const auto run_with = [&](const std::vector<double>& numbers, Attrs attributes) {
    OnnxBuilder m({1, 6});
    const std::string codes =
        m.node("Quant", {"x", m.scalar(0.25), m.scalar(0), m.scalar(8)}, {{"signed", 1}, {"narrow", 0}}, general);
    std::vector<std::string> inputs = {codes};
    for (const double number : numbers) inputs.push_back(m.scalar(number));
    attributes.insert({"rounding_mode", "FLOOR"});
    m.node("Trunc", inputs, attributes, general);
    return run(import_onnx(m.save(folder / "model.onnx")), Reals{0.75F, 1, 4.75F, -0.25F, 31, -32});
  };
  using ::testing::ElementsAre;
  // From 8 to 6 bits at one scale.
  EXPECT_THAT(run_with({0.25, 0, 8, 6}, {}), ElementsAre(0, 0.25F, 1, -0.25F, 7.75F, -8));
  // Scale 0.25 to 1: the values stay; to 4 bits they are limited.
  EXPECT_THAT(run_with({0.25, 0, 8, 1, 6}, {{"signed", 1}, {"narrow", 0}}), ElementsAre(0, 1, 4, -1, 31, -32));
  EXPECT_THAT(run_with({0.25, 0, 8, 1, 4}, {{"signed", 1}, {"narrow", 0}}), ElementsAre(0, 1, 4, -1, 7, -8));
  EXPECT_THAT(run_with({0.25, 0, 8, 1, 4}, {{"signed", 1}, {"narrow", 1}}), ElementsAre(0, 1, 4, -1, 7, -7));
  EXPECT_THAT(run_with({0.25, 0, 8, 1, 4}, {{"signed", 0}, {"narrow", 0}}), ElementsAre(0, 1, 4, 0, 15, 0));
  EXPECT_THAT(message_of<std::runtime_error>([&] {
                run_with({0.25, 0, 8, -1, 4}, {});
              }),
              HasSubstr("from scale 0.25 to -1 is not supported"));
}

TEST(OnnxImport, RefusesWithOperatorAndNode) {
  const TemporaryFolder folder;
  const auto refusal = [&](const OnnxBuilder& m) {
    return message_of<std::runtime_error>([&] { import_onnx(m.save(folder / "model.onnx")); });
  };
  const auto shuffled = [](OnnxBuilder& m) {
    const std::string apart = m.node("Reshape", {"x", m.ints({1, 2, 2, 4, 4})});
    const std::string turned = m.node("Transpose", {apart}, {{"perm", Dims{0, 2, 1, 3, 4}}});
    return m.node("Reshape", {turned, m.ints({1, 4, 4, 4})});
  };
  OnnxBuilder biases({1, 4, 4, 4});
  biases.node("Conv", {shuffled(biases), biases.random({4, 1, 3, 3}), biases.random({2})}, {{"group", 4}});
  EXPECT_THAT(refusal(biases), HasSubstr("has 2 biases for 4 outputs"));
  OnnxBuilder empty({1, 4, 4, 4});
  empty.node("Conv", {shuffled(empty), empty.constant({0, 4, 1, 1}, {})});
  EXPECT_THAT(refusal(empty), HasSubstr("Conv node"));
  OnnxBuilder twice({1, 4, 4, 4});
  const std::string padded = twice.node("Pad", {"x", twice.ints({1, 1, 1, 1}), "", twice.ints({2, -2})});
  twice.node("Conv", {padded, twice.random({2, 4, 1, 1})});
  EXPECT_THAT(refusal(twice), HasSubstr("names axis 2 twice"));
  OnnxBuilder branches({1, 4, 4, 4});
  branches.node("Add", {"x", branches.node("If", {branches.constant({}, {1}, 9)})});
  EXPECT_THAT(refusal(branches), HasSubstr("has no then_branch"));
  OnnxBuilder open({1, 4, 4, 4}), branch = OnnxBuilder::branch("branch_");
  branch.node("Relu", {"x"});
  open.node("If", {open.node("Conv", {"x", open.random({1, 4, 4, 4})})},
            {{"then_branch", branch}, {"else_branch", branch}});
  EXPECT_THAT(refusal(open), HasSubstr("its condition 'Conv_0_0' depends on the values of the network's input"));
  OnnxBuilder corners({1, 4, 4, 4});
  corners.node("Resize", {"x", "", corners.constant({4}, {1, 1, 2, 2})},
               {{"mode", "linear"}, {"coordinate_transformation_mode", "align_corners"}});
  EXPECT_THAT(refusal(corners), HasSubstr("linear with align_corners coordinates is not supported"));
  OnnxBuilder padding({1, 4, 4, 4});
  padding.node("AveragePool", {"x"}, {{"kernel_shape", Dims{2, 2}}, {"pads", Dims{2, 0, 0, 0}}});
  EXPECT_THAT(refusal(padding), HasSubstr("a window lies in the padding alone"));
  OnnxBuilder gelu({1, 4, 4, 4});
  gelu.node("Gelu", {"x"}, {{"approximate", "fast"}});
  EXPECT_THAT(refusal(gelu), HasSubstr("approximate is 'fast'; it must be 'none' or 'tanh'"));
  OnnxBuilder celu({1, 4, 4, 4});
  celu.node("Celu", {"x"}, {{"alpha", 0.0}});
  EXPECT_THAT(refusal(celu), HasSubstr("alpha is 0, by which it divides"));
  OnnxBuilder unknown({1, 3, 4, 4});
  unknown.node("Einsum", {"x"});
  EXPECT_THAT(refusal(unknown), ::testing::AllOf(HasSubstr("model.onnx"), HasSubstr("Einsum node 'n_Einsum_0_0'"),
                                                 HasSubstr("not supported")));
  OnnxBuilder several({1, 3, 4, 4});
  several.node("Einsum", {several.node("LRN", {several.node("Einsum", {several.node("Relux", {"x"}, {}, "acme")})})});
  EXPECT_THAT(refusal(several),
              ::testing::AllOf(HasSubstr("these operators are not supported: "),
                               HasSubstr("Relux of domain 'acme' (node 'n_Relux_"), HasSubstr("Einsum (2 nodes, the "),
                               HasSubstr("LRN (node 'n_LRN_"), HasSubstr("does not divide"),
                               ::testing::Not(HasSubstr("did you mean"))));
  OnnxBuilder features({1, 3, 4, 4});
  std::vector<double> variance(48, 1);
  variance[5] = 2;
  const auto ones = [&] { return features.constant({48}, std::vector<double>(48, 1)); };
  features.node("Relu",
                {features.node("BatchNormalization",
                               {features.node("Flatten", {features.node("Conv", {"x", features.random({3, 3, 1, 1})})}),
                                ones(), ones(), ones(), features.constant({48}, variance)})});
  EXPECT_THAT(refusal(features), HasSubstr("differs from pixel to pixel"));
  OnnxBuilder domain({1, 3, 4, 4});
  domain.node("Relu", {"x"}, {}, "acme");
  EXPECT_THAT(refusal(domain), HasSubstr("acme"));
  OnnxBuilder moved({1, 4, 4, 4});
  moved.node("Conv",
             {moved.node("Reshape", {moved.node("Conv", {"x", moved.random({4, 4, 1, 1})}), moved.ints({1, 4, 8, 2})}),
              moved.random({2, 4, 1, 1})});
  EXPECT_THAT(refusal(moved), HasSubstr("no image"));
  OnnxBuilder misfit({1, 3, 4, 4});
  misfit.node("Conv", {"x", misfit.random({4, 5, 1, 1})});
  EXPECT_THAT(refusal(misfit), HasSubstr("do not fit 3 channels"));
  OnnxBuilder missing({1, 3, 4, 4});
  missing.node("Add", {"x", "nothing"});
  EXPECT_THAT(refusal(missing), HasSubstr("nothing"));
}

TEST(OnnxImport, DamagedFilesEndInOneException) {
  const TemporaryFolder folder;
  OnnxBuilder m({1, 3, 6, 6});
  m.node("Conv", {"x", m.random({4, 3, 3, 3}), m.random({4})}, {{"pads", Dims{1, 1, 1, 1}}});
  const std::string whole = m.bytes();
  std::uint64_t state = 5;
  int refused = 0, taken = 0;
  for (int i = 0; i < 400; ++i) {
    std::string bytes = whole;
    state = state * 6364136223846793005U + 1442695040888963407U;
    if (i % 4 == 0) {
      bytes.resize((state >> 33) % bytes.size());
    } else {
      bytes[(state >> 33) % bytes.size()] = static_cast<char>(state >> 20);
    }
    folder.write("damaged.onnx", bytes);
    try {
      import_onnx(folder / "damaged.onnx");
      ++taken;  // a changed weight is no damage that can be seen
    } catch (const std::runtime_error& error) {
      ++refused;
      EXPECT_THAT(error.what(), HasSubstr("damaged.onnx"));
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
  }
  std::cout << refused << " refused, " << taken << " taken\n";
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace bitstrata::testing
