// SPDX-License-Identifier: Apache-2.0
// Means that differ at the border of the image, tensors of one channel that meet many, and branches.
#include "tests/model/onnx_cases.h"

namespace bitstrata::testing {
namespace {

using Dims = std::vector<std::int64_t>;

// Behind a convolution to four channels of a 7x6 image.
OnnxCase behind(const char* name, const char* op, const Attrs& attributes, int nodes, int opset = 13) {
  OnnxCase made{name, OnnxBuilder({1, 3, 7, 6}), nodes, true};
  OnnxBuilder& m = made.model;
  m.opset(opset);
  const std::string x = m.node("Conv", {"x", m.random({4, 3, 1, 1}, 0.6), m.random({4}, 0.2)});
  m.node(op, {x}, attributes);
  return made;
}

OnnxCase enlarged(const char* name, int factor, const char* coordinates) {
  OnnxCase made{name, OnnxBuilder({1, 2, 4, 3}), 0, true};
  OnnxBuilder& m = made.model;
  const std::string x = m.node("Conv", {"x", m.random({3, 2, 1, 1}, 0.6), m.random({3}, 0.2)});
  const double f = factor;
  m.node("Resize", {x, "", m.constant({4}, {1, 1, f, f})},
         {{"mode", "linear"}, {"coordinate_transformation_mode", coordinates}});
  return made;
}

}  // namespace

void add_border_cases(std::vector<OnnxCase>& cases) {
  const Attrs pads3 = {{"kernel_shape", Dims{3, 3}}, {"pads", Dims{1, 1, 1, 1}}};
  const auto with = [](Attrs base, const Attrs& more) {
    base.insert(more.begin(), more.end());
    return base;
  };
  // The input, convolution, sums, ones, divisors, product.
  cases.push_back(behind("AverageWithoutPadding", "AveragePool", pads3, 6));
  cases.push_back(behind("AverageWithoutUnevenPadding", "AveragePool",
                         {{"kernel_shape", Dims{3, 2}}, {"pads", Dims{2, 0, 1, 1}}, {"strides", Dims{2, 2}}}, 0));
  cases.push_back(behind("AverageThatNeverReachesItsPadding", "AveragePool",
                         {{"kernel_shape", Dims{2, 2}}, {"pads", Dims{0, 0, 0, 1}}, {"strides", Dims{2, 2}}}, 3));
  cases.push_back(behind("AverageOfCeilMode", "AveragePool",
                         {{"kernel_shape", Dims{3, 3}}, {"strides", Dims{3, 2}}, {"ceil_mode", 1}}, 0));
  cases.push_back(behind("AverageOfCeilModeAndPadding", "AveragePool",
                         with(pads3, {{"strides", Dims{2, 2}}, {"ceil_mode", 1}}), 0));
  cases.push_back(behind("AverageOfCeilModeOverPadding", "AveragePool",
                         with(pads3, {{"strides", Dims{3, 2}}, {"ceil_mode", 1}, {"count_include_pad", 1}}), 0, 19));
  cases.push_back(behind("LargestOfCeilMode", "MaxPool",
                         {{"kernel_shape", Dims{3, 3}}, {"strides", Dims{3, 2}}, {"ceil_mode", 1}}, 3));
  cases.push_back(enlarged("LinearTwiceHalfPixel", 2, "half_pixel"));
  cases.push_back(enlarged("LinearThriceHalfPixel", 3, "half_pixel"));
  cases.push_back(enlarged("LinearFourTimesHalfPixel", 4, "half_pixel"));
  cases.push_back(enlarged("LinearTwiceAsymmetric", 2, "asymmetric"));
  cases.push_back(enlarged("LinearThriceAsymmetric", 3, "asymmetric"));
  for (const char* op : {"Mul", "Add"}) {
    OnnxCase made{std::string("SpatialAttentionBy") + op, OnnxBuilder({1, 3, 5, 4}), 0, true};
    OnnxBuilder& m = made.model;
    const std::string x = m.node("Relu", {m.node("Conv", {"x", m.random({4, 3, 1, 1}, 0.6)})});
    const std::string gate = m.node("Sigmoid", {m.node("Conv", {x, m.random({1, 4, 1, 1}, 0.6)})});
    m.node(op, {gate, x});
    cases.push_back(std::move(made));
  }
}

void add_branch_cases(std::vector<OnnxCase>& cases) {
  // Both branches give their tensors the same names, and one reads a constant from around them.
  for (const bool then : {true, false}) {
    OnnxCase made{then ? "IfOfAConstant" : "IfNotOfAConstant", OnnxBuilder({1, 3, 5, 4}), 0, true};
    OnnxBuilder& m = made.model;
    const std::string x = m.node("Conv", {"x", m.random({4, 3, 1, 1}, 0.6)}), half = m.scalar(0.5);
    OnnxBuilder a = OnnxBuilder::branch("branch_"), b = OnnxBuilder::branch("branch_");
    a.node("Conv", {a.node("Relu", {x}), a.random({4, 4, 1, 1})});
    b.node("Add", {b.node("Mul", {x, half}), b.scalar(0.25)});
    const std::string y = m.node("If", {m.scalar(then ? 1 : 0, 9)}, {{"then_branch", a}, {"else_branch", b}});
    m.node("Relu", {y});
    cases.push_back(std::move(made));
  }
  // The condition follows from a shape, the branch holds another If, and the branch not taken an operator that is not
  // supported.
  OnnxCase made{"IfOfAShape", OnnxBuilder({1, 3, 5, 4}), 0, true};
  OnnxBuilder& m = made.model;
  const std::string x = m.node("Conv", {"x", m.random({4, 3, 1, 1}, 0.6)});
  const std::string side = m.node("Gather", {m.node("Shape", {x}), m.constant({}, {2}, 7)});
  const std::string five = m.node("Equal", {side, m.constant({}, {5}, 7)});
  OnnxBuilder deep = OnnxBuilder::branch("deep_"), other = OnnxBuilder::branch("other_"),
              a = OnnxBuilder::branch("then_"), b = OnnxBuilder::branch("else_");
  deep.node("Relu", {x});
  other.node("Einsum", {x});
  const std::string inner = a.node("If", {five}, {{"then_branch", deep}, {"else_branch", other}});
  a.node("Sigmoid", {inner});
  b.node("Einsum", {x});
  m.node("If", {five}, {{"then_branch", a}, {"else_branch", b}});
  cases.push_back(std::move(made));
}

}  // namespace bitstrata::testing
