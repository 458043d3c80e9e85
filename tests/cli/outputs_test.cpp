// SPDX-License-Identifier: Apache-2.0
// What ONNX files give: chosen and joined outputs, their values as NumPy files, labels, widths and plans.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>

#include "tests/cli/process.h"
#include "tests/model/onnx_builder.h"

namespace {

using namespace bitstrata::testing;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Words = std::vector<std::string>;
using Dims = std::vector<std::int64_t>;

constexpr int samples = 5;

// The values of a NumPy file behind its header, which must say `type` and `shape`.
template <typename T>
std::vector<T> read_npy(const std::filesystem::path& file, const std::string& type, const std::string& shape) {
  const std::string bytes = read_text(file);
  const std::size_t end = bytes.find('\n');
  EXPECT_THAT(bytes.substr(0, end), HasSubstr(fmt::format("'{}'", type))) << file;
  EXPECT_THAT(bytes.substr(0, end), HasSubstr(fmt::format("'shape': ({},)", shape))) << file;
  std::vector<T> values((bytes.size() - end - 1) / sizeof(T));
  std::memcpy(values.data(), bytes.data() + end + 1, values.size() * sizeof(T));
  return values;
}

// A network with images at its end and a branch: `head` 1x3x4x4, `side` 1x2x4x4, `mean` 1x3x1x1.
class Outputs : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string stem =
        model_.node("Relu", {model_.node("Conv", {"x", model_.random({4, 2, 3, 3}), model_.random({4})})});
    side_ = model_.node("Conv", {stem, model_.random({2, 4, 1, 1}), model_.random({2})});
    head_ = model_.node("Conv", {stem, model_.random({3, 4, 1, 1}), model_.random({3})});
    mean_ = model_.node("GlobalAveragePool", {head_});
    model_.output(head_);
    network_ = model_.save(folder_ / "net.onnx").string();
    std::string pixels;
    for (int i = 0; i < samples; ++i) {
      Array input = random_input(model_, static_cast<std::uint64_t>(i) + 1);
      for (double& value : input.values) {
        pixels += static_cast<char>(static_cast<int>(value * 255));
        value = static_cast<int>(value * 255);
      }
      inputs_.push_back(input);
    }
    folder_.write("x.bin", pixels);
    dataset_ = write_dataset("data.yaml", "");
  }

  std::string write_dataset(const std::string& name, const std::string& labels) {
    return folder_
        .write(name,
               "format: bitstrata-dataset-1\nname: mine\nkind: raw\ntype: uint8\nshape: [6, 6, 2]\n"
               "layout: nchw\ntest: {images: x.bin" +
                   labels + "}\n")
        .string();
  }

  json result(Words words) {
    words.insert(words.end(), {"--json", "--quiet"});
    const Finished finished = run_program(words);
    EXPECT_EQ(finished.status, 0) << finished.err;
    return json::parse(finished.out, nullptr, false);
  }

  void expect_refusal(const Words& words, const Words& parts) {
    const Finished finished = run_program(words);
    EXPECT_EQ(finished.status, 2) << finished.out;
    EXPECT_EQ(finished.error_lines(), 1) << finished.err;
    EXPECT_EQ(finished.out, "");
    for (const std::string& part : parts) EXPECT_THAT(finished.err, HasSubstr(part));
  }

  std::string path(const char* name) const { return (folder_ / name).string(); }

  TemporaryFolder folder_;
  OnnxBuilder model_{{1, 2, 6, 6}};
  std::string side_, head_, mean_, network_, dataset_;
  std::vector<Array> inputs_;
};

TEST_F(Outputs, FilesHaveTheOrderOfTheOnnxFile) {
  const json said =
      result({"evaluate", "--network", network_, "--dataset", dataset_, "--outputs", path("y.npy"), "--images", "4"});
  const auto as_file = read_npy<float>(folder_ / "y.npy", "<f4", "4, 3, 4, 4");
  const auto unrounded = read_npy<float>(folder_ / "y.float.npy", "<f4", "4, 3, 4, 4");
  const auto codes = read_npy<std::int32_t>(folder_ / "y.codes.npy", "<i4", "4, 3, 4, 4");
  ASSERT_EQ(as_file.size(), 4 * 48U);
  ASSERT_EQ(codes.size(), as_file.size());
  EXPECT_EQ(unrounded, as_file);  // nothing in this file rounds
  double largest = 0;
  std::int64_t different = 0, widest = 0;
  for (std::size_t i = 0; i < as_file.size(); ++i) {
    const double right = model_.run(inputs_[i / 48]).values[i % 48];
    EXPECT_NEAR(as_file[i], right, 1e-4 * std::abs(right) + 1e-3) << i;
    largest = std::max(largest, std::abs(right));
    const auto wanted = static_cast<std::int64_t>(std::floor(as_file[i] / said["codes"]["scale"].get<double>() + 0.5));
    const std::int64_t difference = std::abs(wanted - codes[i]);
    different += difference != 0 ? 1 : 0;
    widest = std::max(widest, difference);
  }
  // What is printed is what the files say; 8-bit weights and tensors are near the float values, not equal to them.
  EXPECT_EQ(said["codes"]["compared"], 4 * 48);
  EXPECT_EQ(said["codes"]["different"], different);
  EXPECT_EQ(said["codes"]["largest_difference"], widest);
  EXPECT_GT(different, 0);
  EXPECT_LT(static_cast<double>(widest) * said["codes"]["scale"].get<double>(), 0.05 * largest);
  EXPECT_FALSE(said.contains("float"));  // there are no labels
}

TEST_F(Outputs, QuantizedFilesGiveRoundedAndUnroundedValues) {
  const std::string quantized = result({"export", network_, "--dataset", dataset_, "--weight-bits", "4",
                                        "--activation-bits", "4", "--out", path("q")})["file"];
  const json said = result({"evaluate", "--network", quantized, "--dataset", dataset_, "--outputs", path("y.npy")});
  EXPECT_EQ(said["codes"]["compared"], samples * 48);
  EXPECT_LE(said["codes"]["largest_difference"], 1);
  const auto as_file = read_npy<float>(folder_ / "y.npy", "<f4", "5, 3, 4, 4");
  const auto codes = read_npy<std::int32_t>(folder_ / "y.codes.npy", "<i4", "5, 3, 4, 4");
  const double scale = said["codes"]["scale"];
  for (std::size_t i = 0; i < codes.size(); ++i) EXPECT_NEAR(as_file[i], scale * codes[i], 1.01 * scale) << i;
  EXPECT_NE(read_npy<float>(folder_ / "y.float.npy", "<f4", "5, 3, 4, 4"), as_file);
}

// An array of samples has the whole shape that the file gives one of them; only a batch of 1 gives way to the samples.
TEST_F(Outputs, ShapesAreThoseOfTheFileWithoutItsBatch) {
  const std::string plain = path("plain.npy"), moved = path("moved.npy");
  const auto values_of = [&](const std::function<std::string(OnnxBuilder&)>& end, const std::string& shape) {
    OnnxBuilder m = model_;
    m.output(end(m));
    const std::string file = m.save(folder_ / "moved.onnx").string();
    const Finished finished =
        run_program({"evaluate", "--network", file, "--dataset", dataset_, "--outputs", moved, "--quiet"});
    EXPECT_EQ(finished.status, 0) << finished.err;
    EXPECT_THAT(finished.err, Not(HasSubstr("left to the host"))) << shape;
    return read_npy<float>(moved, "<f4", shape);
  };
  result({"evaluate", "--network", network_, "--dataset", dataset_, "--outputs", plain});
  const auto wanted = read_npy<float>(plain, "<f4", "5, 3, 4, 4");
  const auto reshaped = [&](const Dims& sizes) {
    return [this, sizes](OnnxBuilder& m) { return m.node("Reshape", {head_, m.ints(sizes)}); };
  };
  EXPECT_EQ(values_of(reshaped({3, 16}), "5, 3, 16"), wanted);
  EXPECT_EQ(values_of(reshaped({48, 1}), "5, 48, 1"), wanted);
  EXPECT_EQ(values_of(reshaped({-1}), "5, 48"), wanted);
  EXPECT_EQ(values_of(reshaped({1, 48}), "5, 48"), wanted);
  EXPECT_EQ(values_of(
                [this](OnnxBuilder& m) {
                  return m.node("Transpose", {head_}, {{"perm", Dims{1, 0, 2, 3}}});
                },
                "5, 3, 1, 4, 4"),
            wanted);
  EXPECT_EQ(values_of(
                [this](OnnxBuilder& m) {
                  return m.node("Squeeze", {head_, m.ints({0})});
                },
                "5, 3, 4, 4"),
            wanted);
  // A single number.
  const auto one = values_of(
      [this](OnnxBuilder& m) {
        return m.node("Squeeze", {m.node("GlobalAveragePool", {m.node("Conv", {head_, m.random({1, 3, 1, 1})})})});
      },
      "5");
  EXPECT_EQ(one.size(), 5U);
}

TEST_F(Outputs, AnyTensorIsTheOutputAndSeveralAreJoined) {
  const auto values_of = [&](const Words& outputs, const std::string& shape) {
    Words words = {"evaluate", "--network", network_, "--dataset", dataset_, "--outputs", path("y.npy")};
    for (const std::string& output : outputs) words.insert(words.end(), {"--output", output});
    result(words);
    return read_npy<float>(folder_ / "y.npy", "<f4", shape);
  };
  const auto head = values_of({head_}, "5, 3, 4, 4"), side = values_of({side_}, "5, 2, 4, 4");
  std::vector<float> joined;
  for (int i = 0; i < samples; ++i) {
    joined.insert(joined.end(), side.begin() + 32 * i, side.begin() + 32 * (i + 1));
    joined.insert(joined.end(), head.begin() + 48 * i, head.begin() + 48 * (i + 1));
  }
  EXPECT_EQ(values_of({side_, head_}, "5, 5, 4, 4"), joined);
  EXPECT_EQ(result({"run", "--network", network_, "--output", mean_})["layers"].size(), 3U);
  EXPECT_THAT(run_program({"table", "--network", network_, "--output", side_, "--quiet"}).out,
              AllOf(HasSubstr("n_" + side_), Not(HasSubstr("n_" + head_))));
  const Finished verified = run_program({"verify", "--network", network_, "--output", side_, "--output", head_,
                                         "--architecture", "pim-16x16", "--rtl-images", "0", "--quiet"});
  EXPECT_EQ(verified.status, 0) << verified.err;
  EXPECT_THAT(verified.out, HasSubstr("calibration max on 8 random inputs, seed 1"));
}

TEST_F(Outputs, TheFirstOfSeveralOutputsIsUsedWithANote) {
  model_.second_output(side_);
  const std::string network = model_.save(folder_ / "two.onnx").string();
  const Finished run = run_program({"run", "--network", network, "--json"});
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(json::parse(run.out)["layers"].size(), 2U);
  EXPECT_THAT(run.err, HasSubstr("of 2 outputs, the first one is used: '" + head_ + "' (--output takes others: '" +
                                 side_ + "')"));
}

TEST_F(Outputs, OutputsThatAreNotThereOrDoNotJoinAreNamed) {
  expect_refusal(
      {"run", "--network", network_, "--output", head_ + "x", "--quiet"},
      {"no node writes '" + head_ + "x'", "the file's outputs are '" + head_ + "'", "did you mean '" + head_ + "'"});
  expect_refusal({"run", "--network", network_, "--output", head_, "--output", mean_, "--quiet"},
                 {"'" + head_ + "' of 1x3x4x4", "'" + mean_ + "' of 1x3x1x1", "cannot be joined"});
  expect_refusal({"run", "--network", network_, "--output", head_, "--output", head_, "--quiet"}, {"given twice"});
}

TEST_F(Outputs, WhatCannotBeWrittenIsRefusedAtOnce) {
  folder_.write("file", "");
  expect_refusal({"evaluate", "--network", network_, "--dataset", dataset_, "--outputs", path("file/y.npy"), "--quiet"},
                 {"--outputs", "cannot write"});
  expect_refusal({"evaluate", "--network", network_, "--dataset", dataset_, "--quiet"},
                 {"no test samples with labels"});
}

TEST_F(Outputs, LabelsAreClasses) {
  const auto labelled = [&](const std::string& labels) {
    folder_.write("y.bin", labels);
    return write_dataset("labelled.yaml", ", labels: y.bin");
  };
  const Words words = {"--network", network_, "--output", mean_, "--quiet"};
  const auto with = [&](const std::string& verb, const std::string& labels) {
    Words all = {verb, "--dataset", labelled(labels)};
    all.insert(all.end(), words.begin(), words.end());
    if (verb == "run") all.insert(all.end(), {"--images", "5"});
    return all;
  };
  for (const char* verb : {"evaluate", "run"}) {
    expect_refusal(with(verb, std::string("\x00\x02\x01\x03\x04", 5)),
                   {"data set 'mine'", "label of sample 3 (counted from 0) is 3", "3 outputs are the classes 0..2"});
    EXPECT_EQ(run_program(with(verb, std::string("\x00\x02\x01\x02\x00", 5))).status, 0);
  }
  expect_refusal(with("evaluate", std::string("\x00\x02", 2)), {"2 labels for 5 samples"});
  // Classes that are told are not passed over where the network has others.
  for (const auto& [classes, note] : {std::pair{"3", ""}, {"7", "has 7 classes, the network 3 outputs"}}) {
    const std::string set = write_dataset("told.yaml", ", labels: y.bin}\nclasses: " + std::string(classes) + " #");
    folder_.write("y.bin", std::string("\x00\x02\x01\x02\x00", 5));
    for (const std::string verb : {"evaluate", "run"}) {
      Words all = {verb, "--dataset", set, "--network", network_, "--output", mean_};
      if (verb == "run") all.insert(all.end(), {"--images", "5"});
      const Finished finished = run_program(all);
      EXPECT_EQ(finished.status, 0) << finished.err;
      if (*note != 0)
        EXPECT_THAT(finished.err, HasSubstr(note)) << verb;
      else
        EXPECT_THAT(finished.err, Not(HasSubstr("classes"))) << verb;
    }
  }
}

// Outputs of several pixels lie otherwise here than in the file, whose order labels follow.
TEST_F(Outputs, ClassesAreCountedAsTheFileDoes) {
  result({"evaluate", "--network", network_, "--dataset", dataset_, "--outputs", path("y.npy")});
  const auto largest = [&](const auto& values) {
    std::string labels;
    for (std::size_t i = 0; i < samples; ++i) {
      const auto first = values.begin() + static_cast<std::ptrdiff_t>(48 * i);
      labels += static_cast<char>(std::max_element(first, first + 48) - first);
    }
    return labels;
  };
  folder_.write("y.bin", largest(read_npy<float>(folder_ / "y.npy", "<f4", "5, 3, 4, 4")));
  const std::string as_file = write_dataset("file.yaml", ", labels: y.bin");
  EXPECT_EQ(result({"evaluate", "--network", network_, "--dataset", as_file})["float"]["correct"], samples);
  folder_.write("y.bin", largest(read_npy<std::int32_t>(folder_ / "y.codes.npy", "<i4", "5, 3, 4, 4")));
  EXPECT_EQ(result({"evaluate", "--network", network_, "--dataset", as_file})["integer"]["correct"], samples);
  EXPECT_EQ(result({"run", "--network", network_, "--dataset", as_file, "--images", "5"})["images"]["accuracy"], 1.0);
  if (!std::filesystem::exists(std::filesystem::path(BITSTRATA_PROGRAM).parent_path() / "bitstrata-train"))
    GTEST_SKIP() << "this build has no training";
  // A run folder does not keep the file's order.
  expect_refusal({"quantize", "--network", network_, "--dataset", as_file, "--method", "codesign", "--limit",
                  "latency=0.5", "--quiet", "--out", path("q")},
                 {"outputs of 1x3x4x4 are in another order here"});
}

TEST_F(Outputs, RunSaysWhatItCalibratedOn) {
  const Finished random = run_program({"run", "--network", network_, "--calibration", "mse", "--quiet"});
  EXPECT_THAT(random.out, HasSubstr("calibration mse on 8 random inputs, seed 1"));
  const json run = result({"run", "--network", network_, "--dataset", dataset_, "--calibration-images", "3"});
  EXPECT_EQ(run["calibration"]["on"], "3 test samples of mine");
  EXPECT_EQ(run["calibration"]["method"], "max");
  EXPECT_THAT(run_program({"run", "--network", "lenet5", "--quiet"}).out, Not(HasSubstr("calibration")));
  const json generated = result({"generate", "--network", network_, "--out", path("design")});
  EXPECT_THAT(generated["weights"].get<std::string>(), HasSubstr("calibration max on 8 random inputs"));
}

TEST_F(Outputs, OutputWidthIsAskedForOrFits) {
  const auto bits = [&](Words words) {
    words.insert(words.begin(), {"run", "--network", network_});
    return result(words)["layers"].back()["output_bits"].get<int>();
  };
  EXPECT_EQ(bits({}), 16);
  EXPECT_EQ(bits({"--architecture", "overlay-4x32x4"}), 8);
  EXPECT_EQ(bits({"--output-bits", "5"}), 5);
  EXPECT_EQ(bits({"--plan", "mixed", "--output-bits", "7"}), 7);
}

TEST_F(Outputs, MixedPlansAreDrawnAsForBuiltInNetworks) {
  const auto widths = [&](const char* seed) {
    const json run =
        result({"run", "--network", network_, "--output", side_, "--output", head_, "--plan", "mixed", "--seed", seed});
    std::vector<int> all;
    for (const json& layer : run["layers"]) {
      if (layer.contains("weight_bits")) all.push_back(layer["weight_bits"]);
    }
    return all;
  };
  EXPECT_EQ(widths("1"), widths("1"));
  EXPECT_NE(widths("1"), widths("2"));
  EXPECT_EQ(widths("1").size(), 3U);
}

TEST_F(Outputs, PlansComeToEditAndContradictionsComeTogether) {
  const auto text = run_program({"plan", "--network", network_, "--weight-bits", "5", "--quiet"});
  ASSERT_EQ(text.status, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("weight_bits: 5, activation_bits: 8, channels: 4"));
  std::string plan = folder_.write("plan.yaml", text.out).string();
  EXPECT_EQ(result({"run", "--network", network_, "--plan", plan})["layers"][1]["weight_bits"], 5);
  // The default widths are too wide for this accelerator, and the file says so of all at once.
  const auto wide = run_program({"plan", "--network", network_, "--weight-bits", "9", "--out", path("wide.yaml")});
  ASSERT_EQ(wide.status, 0) << wide.err;
  expect_refusal(
      {"run", "--network", network_, "--plan", path("wide.yaml"), "--architecture", "overlay-4x32x4", "--quiet"},
      {"wide.yaml: layer 'n_Conv_0_0': weight_bits is 9; the accelerator has 1..8; layer '",
       "output_bits is 16; the accelerator has 1..8"});
  const auto fitting = run_program({"plan", "--network", network_, "--architecture", "overlay-4x32x4"});
  EXPECT_THAT(fitting.out, HasSubstr("output_bits: 8"));
  expect_refusal({"plan", "--network", network_, "--out", path(".")}, {"a folder"});
}

// A file that rounds its weights and leaves the tensors open.
TEST_F(Outputs, PlansOfPartlyQuantizedFilesKeepWhatTheFileSays) {
  OnnxBuilder m({1, 2, 6, 6});
  const std::string scale = m.scalar(0.125), zero = m.scalar(0), four = m.scalar(4);
  const std::string weights =
      m.node("Quant", {m.random({3, 2, 3, 3}), scale, zero, four},
             {{"signed", 1}, {"narrow", 0}, {"rounding_mode", "ROUND"}}, "qonnx.custom_op.general");
  m.node("Conv", {m.node("Relu", {m.node("Conv", {"x", weights})}), m.random({2, 3, 1, 1})});
  const std::string network = m.save(folder_ / "partly.onnx").string();
  const auto asked =
      run_program({"plan", "--network", network, "--weight-bits", "6", "--activation-bits", "5", "--quiet"});
  ASSERT_EQ(asked.status, 0) << asked.err;
  EXPECT_THAT(asked.out, HasSubstr("weight_bits: 4, activation_bits: 5"));
  EXPECT_THAT(asked.out, HasSubstr("weight_bits: 6, activation_bits: 5"));
  const std::string plan = folder_.write("partly.yaml", asked.out).string();
  const json run = result({"run", "--network", network, "--plan", plan});
  EXPECT_EQ(run["layers"][0]["weight_bits"], 4);
  EXPECT_EQ(run["layers"][1]["weight_bits"], 6);
  std::string other = asked.out;
  other.replace(other.find("weight_bits: 4"), 14, "weight_bits: 7");
  expect_refusal({"run", "--network", network, "--plan", folder_.write("other.yaml", other).string(), "--quiet"},
                 {"other.yaml", "weight_bits is 7; the file prescribes 4"});
}

}  // namespace
