// SPDX-License-Identifier: Apache-2.0
#include "tests/model/onnx_space_cases.h"

#include <random>

namespace bitstrata::testing {
namespace {

using Dims = std::vector<std::int64_t>;

std::string convolution(OnnxBuilder& m, const std::string& x, std::int64_t in, std::int64_t out,
                        std::int64_t kernel = 3, int groups = 1) {
  return m.node("Conv", {x, m.random({out, in / groups, kernel, kernel}, 0.4), m.random({out}, 0.2)},
                {{"pads", Dims(4, kernel / 2)}, {"group", groups}});
}

// 3 x 5 x 4 to `channels`, rectified.
std::string first(OnnxBuilder& m, std::int64_t channels) { return m.node("Relu", {convolution(m, "x", 3, channels)}); }

std::string spread(OnnxBuilder& m, const std::string& x, const char* mode = "DCR", int block = 2) {
  return m.node("DepthToSpace", {x}, {{"blocksize", block}, {"mode", mode}});
}

// A ConvTranspose of 3x3 kernels by twos.
std::string enlarge(OnnxBuilder& m, const std::string& x, std::int64_t in, std::int64_t out, Dims pads, Dims more) {
  return m.node("ConvTranspose", {x, m.random({in, out, 3, 3}, 0.4), m.random({out}, 0.2)},
                {{"strides", Dims{2, 2}}, {"pads", std::move(pads)}, {"output_padding", std::move(more)}});
}

class Table {
 public:
  void row(const char* name, int nodes, void (*make)(OnnxBuilder&), bool image = true, Dims input = {1, 3, 5, 4}) {
    OnnxCase made{name, OnnxBuilder(std::move(input)), nodes, image};
    make(made.model);
    rows_.push_back(std::move(made));
  }
  std::vector<OnnxCase> take() { return std::move(rows_); }

 private:
  std::vector<OnnxCase> rows_;
};

void blocks(Table& t) {
  // Input, convolution, ReLU, depth to space, convolution: the order of columns first goes into the first weights.
  t.row("Rows", 5, [](OnnxBuilder& m) { convolution(m, spread(m, first(m, 8)), 2, 3); });
  t.row("Columns", 5, [](OnnxBuilder& m) { convolution(m, spread(m, first(m, 8), "CRD"), 2, 3); });
  t.row("ColumnsBehindPooling", 6, [](OnnxBuilder& m) {
    const std::string a = m.node("MaxPool", {first(m, 18)}, {{"kernel_shape", Dims{2, 2}}});
    convolution(m, spread(m, a, "CRD", 3), 2, 3);
  });
  t.row("ColumnsBehindGroups", 6, [](OnnxBuilder& m) {  // whose outputs cannot change places
    const std::string a = m.node("Relu", {convolution(m, "x", 3, 12, 3, 3)});
    convolution(m, spread(m, a, "CRD"), 3, 3);
  });
  t.row("ColumnsOfWhatOthersRead", 8, [](OnnxBuilder& m) {
    const std::string a = first(m, 8);
    m.node("Relu", {m.node("Add", {spread(m, a, "CRD"), spread(m, a)})});
  });
  t.row("ColumnsBeforeTheActivation", 8, [](OnnxBuilder& m) {  // the convolution has two readers
    const std::string a = convolution(m, "x", 3, 8);
    const std::string b = convolution(m, a, 8, 8, 1);
    m.node("Concat", {spread(m, m.node("Relu", {a}), "CRD"), spread(m, b)}, {{"axis", 1}});
  });
  t.row("OfTheInput", 3, [](OnnxBuilder& m) { convolution(m, spread(m, "x"), 2, 3); }, true, {1, 8, 4, 5});
  t.row("ReadTwice", 8, [](OnnxBuilder& m) {  // one image for both
    const std::string a = spread(m, first(m, 8));
    m.node("Add", {convolution(m, a, 2, 2), m.node("Relu", {convolution(m, a, 2, 2, 1)})});
  });
  t.row("AtTheEnd", 4, [](OnnxBuilder& m) { spread(m, first(m, 12)); });
  t.row("ScaledColumnsBehindGroups", 6, [](OnnxBuilder& m) {
    const std::string a = m.node("Relu", {convolution(m, "x", 3, 12, 3, 3)});
    convolution(m, m.node("Mul", {spread(m, a, "CRD"), m.scalar(0.25)}), 3, 3);
  });
  t.row("IntoPooling", 5, [](OnnxBuilder& m) {
    m.node("MaxPool", {spread(m, first(m, 8))}, {{"kernel_shape", Dims{3, 3}}, {"strides", Dims{2, 2}}});
  });
  t.row("IntoAverage", 5, [](OnnxBuilder& m) { m.node("GlobalAveragePool", {spread(m, first(m, 8))}); });
  t.row("NotOfSinglePixels", 5, [](OnnxBuilder& m) {  // their channels are shuffled, no rows
    const std::string a = m.node("GlobalAveragePool", {first(m, 6)});
    const std::string parts = m.node("Reshape", {a, m.ints({1, 2, 3, 1, 1})});
    const std::string turned = m.node("Transpose", {parts}, {{"perm", Dims{0, 2, 1, 3, 4}}});
    convolution(m, m.node("Reshape", {turned, m.ints({1, 6, 1, 1})}), 6, 3, 1);
  });
  t.row(
      "IntoMatrix", 4,
      [](OnnxBuilder& m) {  // whose weights take the order
        m.node("MatMul", {m.node("Flatten", {spread(m, first(m, 8), "CRD")}), m.random({160, 5})});
      },
      false);
  t.row("IntoBatchNorm", 5, [](OnnxBuilder& m) {  // belongs to the convolution in front
    const std::string a = spread(m, convolution(m, "x", 3, 8));
    const std::string b =
        m.node("BatchNormalization", {a, m.random({2}), m.random({2}), m.random({2}), m.constant({2}, {0.5, 0.75})});
    convolution(m, m.node("Relu", {m.node("Add", {b, m.random({2, 1, 1})})}), 2, 3);
  });
  t.row("IntoSlice", 6, [](OnnxBuilder& m) {
    const std::string a = m.node("Slice", {spread(m, first(m, 16)), m.ints({1}), m.ints({4}), m.ints({1})});
    convolution(m, a, 3, 2);
  });
  t.row("IntoPad", 5, [](OnnxBuilder& m) {
    const std::string a = m.node("Pad", {spread(m, first(m, 8)), m.ints({0, 0, 1, 0, 0, 0, 2, 1})});
    m.node("Conv", {a, m.random({3, 2, 3, 2})});
  });
  t.row("SpelledOut", 5, [](OnnxBuilder& m) {  // blocks of one row and three columns
    const std::string parts = m.node("Reshape", {first(m, 6), m.ints({1, 3, 2, 5, 4})});
    const std::string turned = m.node("Transpose", {parts}, {{"perm", Dims{0, 2, 3, 4, 1}}});
    convolution(m, m.node("Reshape", {turned, m.ints({1, 2, 5, 12})}), 2, 3);
  });
  t.row("SpaceToDepth", 5,
        [](OnnxBuilder& m) {
          convolution(m, m.node("SpaceToDepth", {first(m, 2)}, {{"blocksize", 2}}), 8, 3);
        },
        true, {1, 3, 4, 6});
  t.row("OneColumn", 5, [](OnnxBuilder& m) { convolution(m, spread(m, first(m, 8)), 2, 3); }, true, {1, 3, 5, 1});
}

void transposed(Table& t) {
  t.row("Transposed", 4, [](OnnxBuilder& m) { m.node("Relu", {enlarge(m, "x", 3, 4, {1, 1, 1, 1}, {1, 1})}); });
  // What is cut off comes behind the functions that belong to the layer in front.
  t.row("TransposedAndCut", 6, [](OnnxBuilder& m) {
    const std::string a = enlarge(m, "x", 3, 4, {1, 1, 1, 1}, {0, 0});
    const std::string b = m.node(
        "BatchNormalization", {a, m.random({4}), m.random({4}), m.random({4}), m.constant({4}, {0.5, 0.75, 1, 1.25})});
    convolution(m, m.node("Relu", {b}), 4, 3);
  });
  t.row("CutForTwoReaders", 0, [](OnnxBuilder& m) {
    const std::string a = enlarge(m, "x", 3, 4, {0, 1, 1, 1}, {0, 0});
    m.node("Add", {m.node("Relu", {a}), convolution(m, a, 4, 4)});
  });
  t.row("TransposedTwice", 0, [](OnnxBuilder& m) {
    const std::string a = m.node("LeakyRelu", {enlarge(m, "x", 3, 4, {0, 0, 0, 0}, {0, 0})}, {{"alpha", 0.2}});
    m.node("Tanh", {enlarge(m, a, 4, 3, {1, 1, 1, 1}, {1, 0})});
  });
  t.row("TransposedThenColumns", 0, [](OnnxBuilder& m) {
    const std::string a = m.node("Relu", {enlarge(m, "x", 3, 8, {1, 1, 1, 1}, {1, 1})});
    convolution(m, spread(m, a, "CRD"), 2, 3);
  });
  t.row("TransposedByUnits", 3, [](OnnxBuilder& m) {  // a convolution with its kernel turned round
    m.node("Relu", {m.node("ConvTranspose", {"x", m.random({3, 4, 3, 2})}, {{"pads", Dims{1, 0, 1, 1}}})});
  });
}

}  // namespace

std::vector<OnnxCase> onnx_space_cases() {
  Table t;
  blocks(t);
  transposed(t);
  return t.take();
}

OnnxCase random_transposed_convolution(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto pick = [&](int low, int high) {
    return low + static_cast<int>(random() % static_cast<std::uint64_t>(high - low + 1));
  };
  const int groups = pick(1, 3), in = groups * pick(1, 3), each = pick(1, 3), kh = pick(1, 5), kw = pick(1, 4);
  const int sh = pick(1, 4), sw = pick(1, 3);
  OnnxCase made{"random", OnnxBuilder({1, in, pick(3, 6), pick(4, 7)}), 0, true};
  Attrs attributes = {{"group", groups}, {"strides", Dims{sh, sw}}, {"dilations", Dims{pick(1, 3), pick(1, 2)}}};
  const Dims more = {pick(0, sh - 1), pick(0, sw - 1)};
  switch (pick(0, 4)) {
    case 0:
      attributes.emplace("auto_pad", "SAME_UPPER");
      break;
    case 1:
      attributes.emplace("auto_pad", "SAME_LOWER");
      break;
    case 2:
      attributes.emplace("output_shape", Dims{2 * sh + pick(0, 2), 3 * sw + pick(0, 2)});
      break;
    default:
      attributes.emplace("pads", Dims{pick(0, 1), pick(0, 1), pick(0, 1), pick(0, 1)});
      attributes.emplace("output_padding", more);
  }
  OnnxBuilder& m = made.model;
  m.node("ConvTranspose", {"x", m.random({in, each, kh, kw}), m.random({groups * each})}, attributes);
  return made;
}

OnnxBuilder unet() {
  OnnxBuilder m({1, 2, 12, 16});
  const auto halve = [&](const std::string& x) {
    return m.node("MaxPool", {x}, {{"kernel_shape", Dims{2, 2}}, {"strides", Dims{2, 2}}});
  };
  const auto rectified = [&](const std::string& x, std::int64_t in, std::int64_t out) {
    return m.node("Relu", {convolution(m, x, in, out)});
  };
  const auto up = [&](const std::string& x, std::int64_t in, std::int64_t out) {
    return m.node("ConvTranspose", {x, m.random({in, out, 2, 2}, 0.4), m.random({out}, 0.2)},
                  {{"strides", Dims{2, 2}}});
  };
  const std::string a = rectified("x", 2, 4), b = rectified(halve(a), 4, 6), c = rectified(halve(b), 6, 8);
  const std::string d = rectified(m.node("Concat", {up(c, 8, 6), b}, {{"axis", 1}}), 12, 6);
  const std::string e = rectified(m.node("Concat", {up(d, 6, 4), a}, {{"axis", 1}}), 8, 4);
  convolution(m, e, 4, 2, 1);
  return m;
}

}  // namespace bitstrata::testing
