// SPDX-License-Identifier: Apache-2.0
// Every row of model/operators.h: its name goes through files and back, and what the row says of an operator is what
// golden arithmetic, files and descriptors of a small network do. A new operator is tested as soon as it has a row.
#include "model/operators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "model/activations.h"
#include "model/golden.h"
#include "model/onnx/onnx.h"
#include "model/stages.h"
#include "quant/calibration/calibrate.h"
#include "rtl/generate/program.h"
#include "sim/engine.h"
#include "sim/random_network.h"
#include "tests/model/temporary.h"
#include "tests/sim/arrays.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::HasSubstr;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

// Adds the operator behind node `from`; `other` has the same shape.
int add_operator(Network& network, Op op, int from, int other) {
  const std::string name = "tested";
  if (op == Op::leaky_relu) return network.add_leaky_relu(from, name, 0.25);
  if (is_activation(op)) {
    const Function& row = *function_of(op);
    return network.add_activation(from, name, op, row.alpha, row.gamma);
  }
  if (op == Op::linear) return network.add_linear(from, name, 6);
  const Window window{.kernel_height = 2, .kernel_width = 2, .stride_height = 2, .stride_width = 2};
  switch (operands(*info(op).kind)) {
    case Operands::window:
      return has_weights(op) ? network.add_convolution(from, name, 6, window)
                             : network.add_pool(from, name, op, window);
    case Operands::pair:
    case Operands::pair_or_pixel:
      return network.add_elementwise(from, other, name, op);
    case Operands::joined:
      return network.add_concatenate({from, other}, name);
    case Operands::enlarged:
      return network.add_upsample(from, name, 3);
    case Operands::spread:
      return network.add_depth_to_space(from, name, {2, 2});
  }
  return -1;
}

// The operator between convolutions. `alone`: others read what is in front of it, so that no layer takes it.
FloatNetwork network_of(Op op, bool alone = false) {
  FloatNetwork network;
  Network& graph = network.graph = Network(to_string(op));
  const int input = graph.add_input({4, 4, 3});
  const bool two = combines_codes(op) || joins_channels(op);
  const int first = graph.add_convolution(input, "first", 8, {});
  const int second = two ? graph.add_convolution(input, "second", 8, {}) : -1;
  const int end = graph.add_convolution(add_operator(graph, op, first, second), "end", 5, {});
  if (alone) graph.add_concatenate({end, graph.add_convolution(first, "beside", 5, {})}, "both");
  network.parameters.resize(graph.nodes().size());
  network.grids.resize(graph.nodes().size());
  std::uint64_t state = 17;
  const auto draw = [&state] {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return static_cast<float>(static_cast<double>(state >> 40) / 8388608.0 - 1);
  };
  for (const int node : graph.weight_layers()) {
    Parameters& p = network.parameters[at(node)];
    const auto outputs = at(graph.node(node).out_channels);
    p.bias.resize(outputs);
    p.weights.resize(at(static_cast<int>(graph.parameters(node))) - outputs);
    for (float& weight : p.weights) weight = draw();
    for (float& bias : p.bias) bias = 0.5F * draw();
  }
  return network;
}

Reals image(int seed) {
  Reals values(4 * 4 * 3);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(std::sin(1.7 * static_cast<double>(i) + 5 * seed));
  return values;
}

FloatNetwork calibrated(const FloatNetwork& network) {
  Plan plan = quant::plan_of(network);
  plan.output_bits = 8;
  return quant::calibrate(network, plan, {8, [](int i) { return image(i); }});
}

// All operators that files and layers can have: a batch norm is folded before.
std::vector<Op> tested_ops() {
  std::vector<Op> ops;
  for (const Op op : all_ops)
    if (op != Op::input && op != Op::batch_norm) ops.push_back(op);
  return ops;
}

Architecture array() {
  Architecture a = test::narrow_array();
  a.activation_depth = a.weight_depth = a.psum_depth = 256;
  a.output_depth = 64;
  a.accumulator_bits = 32;
  return a;
}

std::string refusal(const IntegerNetwork& network, const Architecture& architecture) {
  try {
    generate::lower(network, architecture);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

const IntegerLayer& layer_called(const IntegerNetwork& network, const std::string& name) {
  const auto found = std::ranges::find(network.layers, name, &IntegerLayer::name);
  if (found == network.layers.end()) throw std::runtime_error("no layer is called " + name);
  return *found;
}

// One layer of the kind, whose accumulators are its codes.
IntegerNetwork bare(LayerKind kind) {
  IntegerNetwork network{.name = "bare", .tensors = {{.shape = {4, 4, 4}}}, .layers = {}};
  IntegerLayer layer{.name = "bare", .kind = kind, .output = 1};
  Shape output{4, 4, 4};
  if (has_window(kind)) {
    layer.window = {.kernel_height = 2, .kernel_width = 2, .stride_height = 2, .stride_width = 2};
    output = {2, 2, 4};
  }
  if (has_weights(kind)) {
    layer.weight_bits = 2;
    layer.weights = std::vector<std::int16_t>(4 * 2 * 2 * 4, 1);
    layer.macs = 4 * 2 * 2 * output.elements();
  }
  if (has_two_inputs(kind)) {
    network.tensors.push_back({.shape = {4, 4, 4}});
    // A layer in front, as a network has one input.
    IntegerLayer copy{.name = "copy", .kind = LayerKind::max_pool, .output = 1};
    copy.bias.assign(4, 0);
    copy.multiplier.assign(4, 1);
    copy.shift.assign(4, 0);
    copy.clip_high = 255;
    network.layers.push_back(copy);
    layer.second = 1;
    layer.output = 2;
  }
  if (combines_codes(kind)) layer.factor = {1, 1};
  if (joins_channels(kind)) output.channels = 8;
  if (enlarges(kind)) layer.factor = {2, operands(kind) == Operands::spread ? 2 : 0};
  if (operands(kind) == Operands::enlarged) output = {8, 8, 4};
  if (operands(kind) == Operands::spread) output = {8, 8, 1};
  layer.bias.assign(at(output.channels), 0);
  layer.multiplier.assign(at(output.channels), 1);
  layer.shift.assign(at(output.channels), 0);
  layer.clip_high = 255;
  network.tensors.push_back({.shape = output});
  network.layers.push_back(layer);
  return network;
}

TEST(Operators, NamesAreTheirOwnAndComeBackFromFiles) {
  std::set<std::string> names;
  for (const Op op : all_ops) EXPECT_TRUE(names.insert(to_string(op)).second) << to_string(op);
  // A kind of layer is called as the operator of the graph that it comes from.
  for (const LayerKind kind : all_layer_kinds) EXPECT_EQ(names.count(to_string(kind)), 1U) << to_string(kind);

  const TemporaryFolder folder;
  for (const LayerKind kind : all_layer_kinds) {
    IntegerNetwork network = bare(kind);
    for (const Activation activation : all_activations) {
      SCOPED_TRACE(std::string(to_string(kind)) + " " + to_string(activation));
      IntegerLayer& layer = network.layers.back();
      layer.activation = activation;
      layer.negative_multiplier.assign(activation == Activation::leaky ? layer.bias.size() : 0, 1);
      layer.table.assign(activation == Activation::table ? 256 : 0, 0);
      save(network, folder / "network");
      const IntegerNetwork back = load_integer_network(folder / "network");
      EXPECT_EQ(back.layers.back().kind, kind);
      EXPECT_EQ(back.layers.back().activation, activation);
      // The word in the file is the row's name.
      EXPECT_THAT(read_text(folder / "network"), HasSubstr("kind\\\":\\\"" + std::string(to_string(kind)) + "\\\""));
    }
  }
}

// With even codes, of which any two make more than the largest code, only a layer that keeps codes gives even ones.
TEST(Operators, KeptCodesWeightsAndInputsAreThoseOfTheArithmetic) {
  for (const LayerKind kind : all_layer_kinds) {
    SCOPED_TRACE(to_string(kind));
    IntegerNetwork network = bare(kind);
    validate(network);
    Codes input;
    for (int i = 0; i < 64; ++i) input.push_back(130 + 2 * (i * 29 % 60));
    const std::vector<Codes> tensors = run_all(network, input);
    const Codes& output = tensors.back();
    const bool kept =
        std::ranges::all_of(output, [&](std::int32_t code) { return std::ranges::find(input, code) != input.end(); });
    EXPECT_EQ(kept, keeps_codes(kind));
    // Two inputs, neither more nor fewer.
    IntegerLayer& layer = network.layers.back();
    layer.second = has_two_inputs(kind) ? -1 : 0;
    EXPECT_THROW(validate(network), std::invalid_argument);
    layer.second = has_two_inputs(kind) ? 1 : -1;
    // One pixel meets all others only where the row says so.
    if (combines_codes(kind)) {
      IntegerNetwork pixel = network;
      pixel.tensors[1].shape = {1, 1, 4};
      pixel.layers[0].window = {.kernel_height = 4, .kernel_width = 4};
      if (operands(kind) == Operands::pair_or_pixel) {
        EXPECT_NO_THROW(validate(pixel));
      } else {
        EXPECT_THROW(validate(pixel), std::invalid_argument);
      }
    }
    // Windows, and weights.
    IntegerNetwork windowed = network;
    windowed.layers.back().window.dilation_height = 2;
    if (!has_window(kind)) {
      EXPECT_THROW(validate(windowed), std::invalid_argument);
    }
    IntegerNetwork weighted = network;
    weighted.layers.back().weight_bits = has_weights(kind) ? 0 : 2;
    EXPECT_THROW(validate(weighted), std::invalid_argument);
    EXPECT_LE(*std::ranges::max_element(output), accumulator_bound(network, layer));
    // What the descriptor tells the accelerator.
    const generate::Program program = generate::lower(network, array());
    EXPECT_EQ(!program.descriptors.back().whole_codes(), has_weights(kind));
    EXPECT_EQ(program.descriptors.back().get<generate::F_SECOND>(), has_two_inputs(kind));
  }
}

// The units that bs_sequencer asks of a descriptor, an architecture without them, and one without all others.
TEST(Operators, NeedTheUnitsThatTheirDescriptorsAskFor) {
  for (const Op op : tested_ops()) {
    SCOPED_TRACE(to_string(op));
    const FloatNetwork network = network_of(op);
    Plan plan = uniform_plan(network.graph, 4, 4);
    plan.output_bits = 8;
    const IntegerNetwork integers = sim::random_integer_network(network.graph, plan, 1);
    const auto taken = std::ranges::find_if(integers.layers, [&](const IntegerLayer& layer) {
      return layer.name == (is_activation(op) ? "first" : "tested");
    });
    ASSERT_NE(taken, integers.layers.end());
    if (is_activation(op)) {
      EXPECT_EQ(taken->activation, ending_of(op));
    } else {
      EXPECT_EQ(taken->kind, info(op).kind);
    }

    const generate::Program program = generate::lower(integers, array());
    const auto d =
        program.descriptors[program.descriptors_of(at(static_cast<int>(taken - integers.layers.begin()))).first];
    const OptionalUnit unit = is_activation(op) ? unit_of(ending_of(op)) : unit_of(*info(op).kind);
    EXPECT_EQ(d.opcode() == generate::OP_ADD || d.opcode() == generate::OP_MULTIPLY, unit == OptionalUnit::vector);
    EXPECT_EQ(d.get<generate::F_ACTIVATION>() == 2, unit == OptionalUnit::swish);
    EXPECT_EQ(d.get<generate::F_ACTIVATION>() == 3, unit == OptionalUnit::table);

    Architecture all = array(), without = array();
    all.vector_unit = unit == OptionalUnit::vector;
    all.swish_unit = unit == OptionalUnit::swish;
    all.table_unit = unit == OptionalUnit::table;
    EXPECT_EQ(refusal(integers, all), "");
    without.vector_unit = unit != OptionalUnit::vector;
    without.swish_unit = unit != OptionalUnit::swish;
    without.table_unit = unit != OptionalUnit::table;
    const char* keys[] = {"", "(vector_unit: false)", "(swish_unit: false)", "(table_unit: false)"};
    EXPECT_THAT(refusal(integers, without), HasSubstr(keys[static_cast<int>(unit)]));
    if (unit == OptionalUnit::none) {
      EXPECT_EQ(refusal(integers, without), "");
    }
  }
}

// Calibrated integers against the float run on the same grids, the accelerator's model against the integers, and
// integers of the ONNX file that is written against both.
TEST(Operators, FloatIntegersAndAcceleratorAgree) {
  const TemporaryFolder folder;
  const auto engine = sim::make_systemc_engine(array());
  for (const Op op : tested_ops()) {
    for (const bool alone : {false, true}) {
      if (alone && !is_activation(op)) continue;
      SCOPED_TRACE(std::string(to_string(op)) + (alone ? " alone" : ""));
      const FloatNetwork network = calibrated(network_of(op, alone));
      const IntegerNetwork integers = quant::assemble(network, array().accumulator_bits);
      EXPECT_NO_THROW(layer_called(integers, alone || !is_activation(op) ? "tested" : "first"));
      const generate::Program program = generate::lower(integers, array());
      const Layout layout = lay_out(network.graph);
      std::int64_t codes = 0, differ = 0;
      for (int i = 0; i < 3; ++i) {
        const std::vector<Reals> values = run_all(network, image(20 + i));
        const Codes input = encode(quant::input_grid(network), image(20 + i));
        const std::vector<Codes> golden = run_all(integers, input);
        for (std::size_t t = 0; t < layout.tensors.size(); ++t) {
          const auto node = at(layout.tensors[t].node);
          const std::vector<std::int32_t> expected = encode(*network.grids[node], values[node]);
          // Halves fall either way, and a code that did moves those that are made of it.
          for (std::size_t k = 0; k < expected.size(); ++k) {
            ++codes;
            differ += expected[k] != golden[t][k] ? 1 : 0;
            EXPECT_LE(std::abs(expected[k] - golden[t][k]), 2) << "tensor " << t;
          }
        }
        const sim::RunResult run = engine->run(program, input);
        ASSERT_EQ(run.error, sim::RunError::none);
        EXPECT_EQ(run.tensors.front(), golden);
      }
      EXPECT_LE(differ, codes / 20);
      write_onnx(network, OnnxStyle::qdq, folder / "tested.onnx");
      const FloatNetwork back = import_onnx(folder / "tested.onnx");
      const IntegerNetwork again =
          quant::assemble(quant::calibrate(back, quant::plan_of(back), {}), array().accumulator_bits);
      const Codes input = encode(quant::input_grid(network), image(31));
      EXPECT_EQ(run(again, input), run(integers, input));
    }
  }
}

}  // namespace
}  // namespace bitstrata::testing
