// SPDX-License-Identifier: Apache-2.0
// ONNX files and data of one's own on the command line.
#include "model/onnx/onnx.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "quant/calibration/calibrate.h"
#include "tests/cli/process.h"
#include "tests/model/onnx_space_cases.h"

namespace {

using namespace bitstrata::testing;
using nlohmann::json;
using ::testing::HasSubstr;
using Words = std::vector<std::string>;
using Dims = std::vector<std::int64_t>;

// A small network, sixteen samples, and labels that the float network itself gives.
class OnnxFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    OnnxBuilder m({1, 3, 8, 8});
    const std::string a = m.node(
        "Relu", {m.node("Conv", {"x", m.random({6, 3, 3, 3}, 0.5), m.random({6}, 0.2)}, {{"pads", Dims{1, 1, 1, 1}}})});
    const std::string p = m.node("MaxPool", {a}, {{"kernel_shape", Dims{2, 2}}, {"strides", Dims{2, 2}}});
    const std::string scores_of =
        m.node("Gemm", {m.node("Flatten", {p}), m.random({5, 96}), m.random({5})}, {{"transB", 1}});
    const OnnxBuilder same = m;
    m.node("Softmax", {scores_of});
    network = m.save(folder / "small.onnx").string();
    std::string pixels, labels;
    for (int i = 0; i < 16; ++i) {
      Array input = random_input(m, static_cast<std::uint64_t>(i) + 1);
      for (double& value : input.values) {
        pixels += static_cast<char>(static_cast<int>(value * 255));
        value = static_cast<int>(value * 255) / 255.0;
      }
      const std::vector<double> scores = same.run(input).values;
      labels += static_cast<char>(std::max_element(scores.begin(), scores.end()) - scores.begin());
    }
    folder.write("x.bin", pixels);
    folder.write("y.bin", labels);
    dataset =
        folder
            .write("data.yaml",
                   "format: bitstrata-dataset-1\nname: mine\nkind: raw\ntype: uint8\nshape: [8, 8, 3]\nlayout: nchw\n"
                   "scale: 0.00392156862745098\ntest: {images: x.bin, labels: y.bin}\n")
            .string();
  }

  // The one JSON object a verb prints.
  json result(Words words) {
    words.emplace_back("--json");
    words.emplace_back("--quiet");
    const Finished finished = run_program(words);
    EXPECT_EQ(finished.status, 0) << finished.err;
    return json::parse(finished.out, nullptr, false);
  }

  void expect_refusal(const Words& words, const Words& parts) {
    const Finished finished = run_program(words);
    EXPECT_EQ(finished.status, 2) << finished.out;
    EXPECT_EQ(finished.error_lines(), 1) << finished.err;
    for (const std::string& part : parts) EXPECT_THAT(finished.err, HasSubstr(part));
  }

  TemporaryFolder folder;
  std::string network, dataset;
};

TEST_F(OnnxFiles, EvaluateCountsFloatAndIntegers) {
  const json wide = result({"evaluate", "--network", network, "--dataset", dataset});
  EXPECT_EQ(wide["images"], 16);
  EXPECT_EQ(wide["float"]["correct"], 16);
  EXPECT_GE(wide["integer"]["correct"], 14);
  const json narrow = result({"evaluate", "--network", network, "--dataset", dataset, "--weight-bits", "2",
                              "--activation-bits", "1", "--calibration", "mse"});
  EXPECT_LE(narrow["integer"]["correct"], wide["integer"]["correct"]);
}

TEST_F(OnnxFiles, RunAndVerifyExecuteTheSamples) {
  const json run = result({"run", "--network", network, "--dataset", dataset, "--images", "16", "--engine", "fast"});
  EXPECT_EQ(run["network"], "small");
  EXPECT_EQ(run["weights"], "trained");
  EXPECT_EQ(run["images"]["source"], "mine");
  EXPECT_GE(run["images"]["correct"], 14);
  EXPECT_EQ(run["macs"], 8 * 8 * 6 * 27 + 96 * 5);
  const Finished verify = run_program({"verify", "--network", network, "--dataset", dataset, "--architecture",
                                       "pim-16x16", "--images", "2", "--rtl-images", "0"});
  EXPECT_EQ(verify.status, 0) << verify.out;
  EXPECT_THAT(verify.out, HasSubstr("0 values and 0 events different"));
  EXPECT_THAT(verify.err, HasSubstr("Softmax"));
}

TEST_F(OnnxFiles, UNetsRunOnAllEngines) {
  const std::string file = unet().save(folder / "unet.onnx").string();
  const json verified = result({"verify", "--network", file, "--architecture", "pim-16x16", "--weight-bits", "4",
                                "--activation-bits", "5", "--images", "1", "--rtl-images", "1"});
  EXPECT_EQ(verified["passed"], true);
  std::size_t spread = 0;
  for (const json& layer : verified["layers"]) {
    if (!layer["layer"].get<std::string>().ends_with("_space")) continue;
    ++spread;
    EXPECT_GT(layer["values"]["rtl-golden"]["compared"], 0);
    EXPECT_EQ(layer["cycles"]["rtl"], layer["cycles"]["systemc"]);
    EXPECT_EQ(layer["cycles"]["rtl"], layer["cycles"]["fast"]);
  }
  EXPECT_EQ(spread, 2U);
}

TEST_F(OnnxFiles, WithoutSamplesHardwareStillRuns) {
  const json run = result({"run", "--network", network, "--weight-bits", "3", "--calibration-images", "4"});
  EXPECT_GT(run["cycles"], 0);
  EXPECT_FALSE(run.contains("images"));
}

TEST_F(OnnxFiles, ExportedFilesComeBack) {
  for (const char* format : {"onnx", "qonnx"}) {
    const json written = result({"export", network, "--dataset", dataset, "--weight-bits", "4", "--format", format,
                                 "--out", (folder / format).string()});
    EXPECT_EQ(written["outputs_different"], 0);
    EXPECT_GT(written["outputs_compared"], 0);
    const json again = result({"evaluate", "--network", written["file"], "--dataset", dataset});
    EXPECT_EQ(again["float"]["correct"], again["integer"]["correct"]);
  }
}

TEST_F(OnnxFiles, IntegersOfARunFolderAreExported) {
  using namespace bitstrata;
  const model::FloatNetwork imported = model::import_onnx(network);
  const quant::CalibrationInputs inputs{4, [](int i) { return model::Reals(192, 0.2F * static_cast<float>(i)); }};
  std::filesystem::create_directories(folder / "run");
  model::save(quant::assemble(quant::calibrate(imported, quant::plan_of(imported, 3, 5), inputs)),
              folder / "run/integer.safetensors");
  for (const char* format : {"onnx", "qonnx"}) {
    const json written =
        result({"export", (folder / "run").string(), "--format", format, "--out", (folder / format).string()});
    EXPECT_EQ(written["outputs_different"], 0);
    EXPECT_EQ(written["outputs_compared"], 8 * 5);
  }
}

TEST_F(OnnxFiles, PlansGiveWidthsAndQuantizedFilesTakeNone) {
  const std::string plan = folder
                               .write("plan.yaml",
                                      "format: bitstrata-plan-1\nnetwork: small\noutput_bits: 12\nlayers:\n"
                                      "  - {layer: n_Conv_0_0, weight_bits: 5, activation_bits: 8}\n"
                                      "  - {layer: n_Gemm_4_0, weight_bits: 7, activation_bits: 6}\n")
                               .string();
  const json run = result({"run", "--network", network, "--plan", plan});
  EXPECT_EQ(run["layers"][0]["weight_bits"], 5);
  EXPECT_EQ(run["layers"][0]["output_bits"], 6);
  EXPECT_EQ(run["layers"].back()["output_bits"], 12);
  const json written =
      result({"export", network, "--format", "qonnx", "--plan", plan, "--out", (folder / "q").string()});
  const std::string quantized = written["file"];
  EXPECT_EQ(result({"run", "--network", quantized})["layers"][0]["weight_bits"], 5);
  // Its own widths may be said, others and those of all layers not.
  EXPECT_EQ(result({"run", "--network", quantized, "--plan", plan})["layers"][0]["weight_bits"], 5);
  const std::string own = (folder / "own.yaml").string();
  EXPECT_EQ(run_program({"plan", "--network", quantized, "--out", own, "--quiet"}).status, 0);
  EXPECT_EQ(result({"run", "--network", quantized, "--plan", own})["cycles"], run["cycles"]);
  const std::string other =
      folder.write("other.yaml", std::regex_replace(read_text(own), std::regex("weight_bits: 5"), "weight_bits: 4"))
          .string();
  expect_refusal({"run", "--network", quantized, "--plan", other, "--quiet"},
                 {"layer 'n_Conv_0_0': weight_bits is 4; the file prescribes 5"});
  for (const char* verb : {"run", "plan", "verify"}) {
    expect_refusal(
        {verb, "--network", quantized, "--weight-bits", "4", "--quiet"},
        {"is quantized already, and its file prescribes all widths of its weights; leave out --weight-bits"});
    expect_refusal({verb, "--network", quantized, "--activation-bits", "8", "--quiet"},
                   {"leave out --activation-bits"});
    expect_refusal({verb, "--network", quantized, "--plan", "mixed", "--quiet"}, {"leave out --plan mixed"});
  }
  expect_refusal({"export", quantized, "--plan", "mixed", "--quiet", "--out", (folder / "again").string()},
                 {"leave out --plan mixed"});
  expect_refusal({"table", "--network", quantized}, {"quantized already and cannot have the widths of a table"});
}

// A sweep prices a quantized file at the widths that it has, as run does.
TEST_F(OnnxFiles, QuantizedFilesAreSweptAsTheyAre) {
  const json written = result({"export", network, "--weight-bits", "5", "--activation-bits", "6", "--dataset", dataset,
                               "--out", (folder / "q").string()});
  const std::string quantized = written["file"];
  const auto swept = [&](const std::string& plans) {
    const std::string file =
        folder.write("sweep.yaml", "format: bitstrata-sweep-1\nnetworks: [" + quantized + "]\n" + plans).string();
    return std::vector<std::string>{"sweep", file, "--store", (folder / "points.sqlite").string()};
  };
  const json run = result({"run", "--network", quantized});
  for (const std::string plans : {"", "plans: [file]\n"}) {
    const json sweep = result(swept(plans));
    ASSERT_EQ(sweep["fronts"].size(), 1U) << sweep;
    EXPECT_EQ(sweep["fronts"][0]["points"][0]["plan"], "file");
    EXPECT_EQ(sweep["fronts"][0]["points"][0]["cycles"], run["cycles"]);
  }
  expect_refusal(swept("plans: [bits: [4, 8]]\n"),
                 {"sweep.yaml:3", "is quantized already", "it needs the plan 'file'"});
}

TEST_F(OnnxFiles, DataSetsSayHowAVectorIsRead) {
  OnnxBuilder m({1, 192});
  m.node("Gemm", {"x", m.random({5, 192}), m.random({5}, 0.1)}, {{"transB", 1}});
  const std::string file = m.save(folder / "vector.onnx").string();
  const std::string pixels = read_text(folder / "x.bin");
  std::string labels;
  for (std::size_t i = 0; i < 16; ++i) {
    Array input{{1, 192}, {}};
    for (std::size_t k = 0; k < 192; ++k)
      input.values.push_back(static_cast<unsigned char>(pixels[i * 192 + k]) / 255.0);
    const std::vector<double> scores = m.run(input).values;
    labels += static_cast<char>(std::max_element(scores.begin(), scores.end()) - scores.begin());
  }
  folder.write("y.bin", labels);
  for (const std::string rule : {"", "flat_order: nchw\n", "flat_order: nhwc\n"}) {
    const std::string data = folder.write("vector.yaml", read_text(dataset) + rule).string();
    const Finished finished = run_program({"evaluate", "--network", file, "--dataset", data, "--json"});
    ASSERT_EQ(finished.status, 0) << finished.err;
    const int correct = json::parse(finished.out)["float"]["correct"];
    EXPECT_EQ(correct == 16, rule != "flat_order: nhwc\n") << correct;
    EXPECT_EQ(
        finished.err.find("samples of 8x8x3 come as channel, row, column; 'flat_order: nchw' or ") != std::string::npos,
        rule.empty())
        << finished.err;
  }
}

TEST_F(OnnxFiles, MisuseIsOneLine) {
  folder.write("damaged.onnx", "not a model at all");
  OnnxBuilder odd({1, 3, 8, 8});
  odd.node("Einsum", {"x"});
  odd.save(folder / "odd.onnx");
  OnnxBuilder open({0, 3, 0, 8});
  open.node("Conv", {"x", open.random({2, 3, 1, 1})});
  open.save(folder / "open.onnx");
  const auto file = [&](const char* name) { return (folder / name).string(); };
  expect_refusal({"run", "--network", file("nothing.onnx")}, {"nothing.onnx", "missing"});
  expect_refusal({"run", "--network", file("damaged.onnx")}, {"damaged.onnx", "not an ONNX model"});
  expect_refusal({"run", "--network", file("odd.onnx")}, {"Einsum node 'n_Einsum_0_0'", "not supported"});
  expect_refusal({"run", "--network", file("open.onnx")}, {"--input-shape"});
  expect_refusal({"run", "--network", file("open.onnx"), "--input-shape", "1,3,x,8"}, {"--input-shape is '1,3,x,8'"});
  expect_refusal({"run", "--network", file("open.onnx"), "--input-shape", "1,3,8,8,"}, {"--input-shape is '1,3,8,8,'"});
  EXPECT_EQ(run_program({"run", "--network", file("open.onnx"), "--input-shape", "1,3,8,8", "--quiet"}).status, 0);
  expect_refusal({"run", "--network", network, "--calibration", "mes"}, {"did you mean 'mse'"});
  expect_refusal({"run", "--network", "lenet5", "--calibration-images", "5"}, {"belongs to networks from ONNX files"});
  expect_refusal({"run", "--network", network, "--dataset", file("no.yaml"), "--quiet"}, {"no.yaml", "missing"});
  expect_refusal({"evaluate", "--network", network, "--dataset", "random", "--quiet"}, {"no right answers"});
  expect_refusal({"export", network, "--format", "onyx", "--out", file("o")}, {"did you mean 'onnx'"});
}

}  // namespace
