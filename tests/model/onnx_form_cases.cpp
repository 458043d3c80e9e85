// SPDX-License-Identifier: Apache-2.0
// Operators with their attributes written out, in the versions that differ: what for_each_variant changes.
#include <fmt/format.h>

#include "tests/model/onnx_cases.h"

namespace bitstrata::testing {
namespace {

using Dims = std::vector<std::int64_t>;

class Table {
 public:
  void row(const std::string& name, int opset, void (*make)(OnnxBuilder&), Dims input = {1, 3, 7, 6}) {
    OnnxCase made{name, OnnxBuilder(std::move(input)), 0, false};
    made.model.opset(opset);
    make(made.model);
    add(std::move(made));
  }
  void add(OnnxCase made) { rows_.push_back(std::move(made)); }
  std::vector<OnnxCase> take() { return std::move(rows_); }

 private:
  std::vector<OnnxCase> rows_;
};

std::string first(OnnxBuilder& m, std::int64_t channels = 4) {
  return m.node("Conv", {"x", m.random({channels, 3, 1, 1}, 0.6), m.random({channels}, 0.2)});
}

std::string last(OnnxBuilder& m, const std::string& x, std::int64_t channels = 4) {
  return m.node("Conv", {x, m.random({3, channels, 1, 1}, 0.6)});
}

// A matrix behind whatever is left of the image.
std::string classify(OnnxBuilder& m, const std::string& x, std::int64_t values) {
  return m.node("Gemm", {m.node("Flatten", {x}), m.random({values, 5}, 0.5)});
}

void windows(Table& t) {
  t.row("ConvWrittenOut", 13,
        [](OnnxBuilder& m) {
          m.node("Conv", {"x", m.random({4, 4, 3, 2}, 0.6), m.random({4}, 0.2)},
                 {{"auto_pad", "NOTSET"},
                  {"dilations", Dims{1, 1}},
                  {"group", 1},
                  {"kernel_shape", Dims{3, 2}},
                  {"pads", Dims{1, 0, 1, 1}},
                  {"strides", Dims{1, 1}}});
        },
        {1, 4, 9, 8});
  t.row("ConvOfDefaults", 11,
        [](OnnxBuilder& m) {
          m.node("Relu", {m.node("Conv", {"x", m.random({4, 4, 3, 2}, 0.6)})});
        },
        {1, 4, 9, 8});
  t.row("ConvOfASignal", 13,
        [](OnnxBuilder& m) {
          const std::string a = m.node("Conv", {"x", m.random({4, 3, 3}, 0.6), m.random({4}, 0.2)},
                                       {{"dilations", Dims{1}}, {"pads", Dims{1, 1}}, {"strides", Dims{1}}});
          const std::string b = m.node("MaxPool", {a}, {{"kernel_shape", Dims{2}}, {"strides", Dims{2}}});
          m.node("AveragePool", {b}, {{"kernel_shape", Dims{2}}, {"pads", Dims{1, 0}}, {"strides", Dims{1}}});
        },
        {1, 3, 13});
  for (const int opset : {8, 12}) {
    t.row(fmt::format("MaxPoolWrittenOut{}", opset), opset, [](OnnxBuilder& m) {
      m.node("MaxPool", {first(m)},
             {{"kernel_shape", Dims{3, 2}}, {"pads", Dims{1, 0, 1, 1}}, {"storage_order", 0}, {"strides", Dims{2, 1}}});
    });
  }
  t.row("AveragePoolWrittenOut", 19, [](OnnxBuilder& m) {
    m.node("AveragePool", {first(m)},
           {{"kernel_shape", Dims{3, 2}},
            {"ceil_mode", 0},
            {"count_include_pad", 0},
            {"pads", Dims{1, 0, 1, 1}},
            {"strides", Dims{2, 1}}});
  });
  t.row("AveragePoolOverPadding", 11, [](OnnxBuilder& m) {
    m.node(
        "AveragePool", {first(m)},
        {{"kernel_shape", Dims{3, 3}}, {"count_include_pad", 1}, {"pads", Dims{1, 1, 1, 1}}, {"strides", Dims{2, 2}}});
  });
  t.row("TransposedWrittenOut", 13,
        [](OnnxBuilder& m) {
          m.node("ConvTranspose", {"x", m.random({4, 4, 3, 3}, 0.5), m.random({4}, 0.2)},
                 {{"auto_pad", "NOTSET"},
                  {"dilations", Dims{1, 1}},
                  {"kernel_shape", Dims{3, 3}},
                  {"output_padding", Dims{0, 0}},
                  {"pads", Dims{0, 0, 0, 0}},
                  {"strides", Dims{2, 2}}});
        },
        {1, 4, 5, 4});
  t.row("TransposedOfAShape", 11,
        [](OnnxBuilder& m) {
          m.node("ConvTranspose", {"x", m.random({4, 4, 3, 3}, 0.5)},
                 {{"output_shape", Dims{10, 8}}, {"strides", Dims{2, 2}}});
        },
        {1, 4, 5, 4});
  t.row("TransposedOfASignal", 13,
        [](OnnxBuilder& m) {
          m.node("ConvTranspose", {"x", m.random({4, 4, 3}, 0.5)}, {{"pads", Dims{0, 0}}, {"strides", Dims{2}}});
        },
        {1, 4, 9});
}

void images(Table& t) {
  for (const char* coordinates : {"asymmetric", "half_pixel"}) {
    for (const bool linear : {false, true}) {
      for (const int opset : {11, 19}) {
        OnnxCase made{fmt::format("Resize{}{}{}", linear ? "Linear" : "Nearest", coordinates, opset),
                      OnnxBuilder({1, 3, 4, 5}), 0, false};
        OnnxBuilder& m = made.model;
        m.opset(opset);
        m.node("Resize", {first(m), m.constant({0}, {}), m.constant({4}, {1, 1, 2, 2})},
               {{"mode", linear ? "linear" : "nearest"},
                {"coordinate_transformation_mode", coordinates},
                {"nearest_mode", coordinates[0] == 'a' ? "floor" : "round_prefer_floor"}});
        t.add(std::move(made));
      }
    }
  }
  t.row("ResizeToSizes", 13,
        [](OnnxBuilder& m) {
          m.node("Resize", {first(m), "", "", m.ints({1, 4, 8, 10})},
                 {{"mode", "nearest"}, {"coordinate_transformation_mode", "asymmetric"}, {"nearest_mode", "floor"}});
        },
        {1, 3, 4, 5});
  t.row("ResizeOfAxes", 18,
        [](OnnxBuilder& m) {
          m.node("Resize", {first(m), "", m.constant({2}, {2, 3})},
                 {{"axes", Dims{2, 3}},
                  {"mode", "nearest"},
                  {"coordinate_transformation_mode", "asymmetric"},
                  {"nearest_mode", "floor"}});
        },
        {1, 3, 4, 5});
  t.row("ResizeToSizesOfAxes", 18,
        [](OnnxBuilder& m) {
          m.node("Resize", {first(m), "", "", m.ints({8, 10})},
                 {{"axes", Dims{2, 3}}, {"keep_aspect_ratio_policy", "stretch"}, {"mode", "nearest"}});
        },
        {1, 3, 4, 5});
  t.row("ResizeOfTen", 10,
        [](OnnxBuilder& m) {
          m.node("Resize", {first(m), m.constant({4}, {1, 1, 2, 2})}, {{"mode", "nearest"}});
        },
        {1, 3, 4, 5});
  t.row("Upsample", 9,
        [](OnnxBuilder& m) {
          m.node("Upsample", {first(m), m.constant({4}, {1, 1, 2, 2})}, {{"mode", "nearest"}});
        },
        {1, 3, 4, 5});
  t.row("PadOfTen", 10, [](OnnxBuilder& m) {
    const std::string a =
        m.node("Pad", {"x"}, {{"mode", "constant"}, {"pads", Dims{0, 0, 1, 1, 0, 0, 1, 1}}, {"value", 0.0}});
    m.node("Conv", {a, m.random({4, 3, 3, 3}, 0.4)});
  });
  t.row("PadOfThirteen", 13, [](OnnxBuilder& m) {
    const std::string a =
        m.node("Pad", {first(m), m.ints({0, 0, 1, 1, 0, 0, 1, 1}), m.constant({1}, {0})}, {{"mode", "constant"}});
    last(m, a);
  });
  t.row("PadOfAxes", 18, [](OnnxBuilder& m) {
    last(m, m.node("Pad", {first(m), m.ints({1, 0, 0, 2}), "", m.ints({2, 3})}));
  });
  t.row("PadIntoPooling", 13, [](OnnxBuilder& m) {
    m.node("MaxPool", {m.node("Pad", {m.node("Relu", {first(m)}), m.ints({0, 0, 1, 1, 0, 0, 1, 1})})},
           {{"kernel_shape", Dims{3, 3}}});
  });
  t.row("DepthToSpaceOfDefaults", 13, [](OnnxBuilder& m) {
    last(m, m.node("DepthToSpace", {first(m, 16)}, {{"blocksize", 2}}));
  });
  t.row("SpaceToDepth", 13,
        [](OnnxBuilder& m) {
          m.node("SpaceToDepth", {first(m)}, {{"blocksize", 2}});
        },
        {1, 3, 8, 4});
}

void shapes(Table& t) {
  for (const char* op : {"ReduceMean", "ReduceMax"}) {
    for (const bool image : {true, false}) {
      for (const int opset : {11, 13, 18}) {
        OnnxCase made{fmt::format("{}{}{}", op, image ? "Image" : "Vector", opset), OnnxBuilder({1, 3, 7, 6}), 0,
                      false};
        OnnxBuilder& m = made.model;
        m.opset(opset);
        Attrs attributes = {{"keepdims", image ? 1 : 0}};
        std::vector<std::string> inputs = {first(m)};
        if (opset == 18) inputs.push_back(m.ints({2, 3}));
        if (opset != 18) attributes.emplace("axes", Dims{2, 3});
        const std::string a = m.node(op, inputs, attributes);
        if (!image) m.node("Gemm", {a, m.random({4, 5})});
        t.add(std::move(made));
      }
    }
  }
  t.row("ReduceMeanOfARow", 13,
        [](OnnxBuilder& m) {
          const std::string a = m.node("Relu", {m.node("MatMul", {"x", m.random({6, 4})})});
          m.node("ReduceMean", {a}, {{"axes", Dims{1}}, {"keepdims", 0}});
        },
        {1, 5, 6});
  t.row("SqueezeOfEleven", 11, [](OnnxBuilder& m) {
    const std::string a = m.node("Squeeze", {m.node("GlobalAveragePool", {first(m)})}, {{"axes", Dims{2, 3}}});
    m.node("Unsqueeze", {m.node("Gemm", {a, m.random({4, 5})})}, {{"axes", Dims{2, 3}}});
  });
  t.row("SqueezeOfThirteen", 13, [](OnnxBuilder& m) {
    const std::string a = m.node("Squeeze", {m.node("GlobalAveragePool", {first(m)}), m.ints({2, 3})});
    m.node("Unsqueeze", {m.node("Gemm", {a, m.random({4, 5})}), m.ints({2, 3})});
  });
  t.row("FlattenAnImage", 13, [](OnnxBuilder& m) {
    m.node("MatMul", {m.node("Flatten", {first(m)}, {{"axis", 1}}), m.random({168, 5}, 0.2)});
  });
  t.row("FlattenAtTheEnd", 13, [](OnnxBuilder& m) { m.node("Flatten", {first(m)}, {{"axis", 1}}); });
  t.row("ReshapeWithCopies", 14, [](OnnxBuilder& m) {
    m.node("Gemm", {m.node("Reshape", {first(m), m.ints({0, -1})}, {{"allowzero", 0}}), m.random({168, 5}, 0.2)});
  });
  t.row("ReshapeAtTheEnd", 14, [](OnnxBuilder& m) { m.node("Reshape", {first(m), m.ints({1, 4, 6, 7})}); });
  t.row("ShapeOfSides", 15, [](OnnxBuilder& m) {
    const std::string x = first(m), sides = m.node("Shape", {x}, {{"start", 0}, {"end", 2}});
    m.node("Reshape", {x, m.node("Concat", {sides, m.ints({-1})}, {{"axis", 0}})});
  });
  t.row("TransposeAtTheEnd", 13, [](OnnxBuilder& m) { m.node("Transpose", {first(m)}, {{"perm", Dims{0, 2, 3, 1}}}); });
  t.row("TransposeOfRows", 13,
        [](OnnxBuilder& m) {
          m.node("Relu", {m.node("Transpose", {m.node("MatMul", {"x", m.random({6, 5})})}, {{"perm", Dims{0, 2, 1}}})});
        },
        {1, 5, 6});
  t.row("SplitOfEleven", 11, [](OnnxBuilder& m) {
    const std::string a = m.node("Split", {first(m, 6)}, {{"axis", 1}, {"split", Dims{3, 3}}}, "", 2);
    m.node("Sub", {a, a.substr(0, a.size() - 1) + "1"});
  });
  t.row("SplitOfThirteen", 13, [](OnnxBuilder& m) {
    const std::string a = m.node("Split", {first(m, 6), m.ints({2, 4})}, {{"axis", 1}}, "", 2);
    m.node("Concat", {a.substr(0, a.size() - 1) + "1", m.node("Relu", {a})}, {{"axis", 1}});
  });
  t.row("SplitOfEighteen", 18, [](OnnxBuilder& m) {
    const std::string a = m.node("Split", {first(m, 5)}, {{"axis", 1}, {"num_outputs", 2}}, "", 2);
    m.node("Concat", {a.substr(0, a.size() - 1) + "1", m.node("Relu", {a})}, {{"axis", 1}});
  });
  t.row("SliceOfNine", 9, [](OnnxBuilder& m) {
    m.node("Relu", {m.node("Slice", {first(m)}, {{"axes", Dims{1}}, {"ends", Dims{3}}, {"starts", Dims{1}}})});
  });
  t.row("SliceOfThirteen", 13, [](OnnxBuilder& m) {
    m.node("Relu", {m.node("Slice", {first(m), m.ints({1}), m.ints({4}), m.ints({1}), m.ints({1})})});
  });
  t.row("ConcatOfImages", 13, [](OnnxBuilder& m) {
    const std::string a = first(m);
    m.node("Concat", {a, m.node("Relu", {a})}, {{"axis", 1}});
  });
}

void values(Table& t) {
  t.row("GemmWrittenOut", 11,
        [](OnnxBuilder& m) {
          m.node("Gemm", {"x", m.random({6, 6}), m.random({6})},
                 {{"alpha", 0.75}, {"beta", 1.25}, {"transA", 0}, {"transB", 0}});
        },
        {1, 6});
  t.row("GemmOfAColumn", 13, [](OnnxBuilder& m) {
    const std::string a = m.node("Reshape", {first(m), m.ints({168, 1})});
    m.node("Gemm", {a, m.random({5, 1}, 0.2), m.random({1, 5})}, {{"transA", 0}, {"transB", 1}});
  });
  t.row("GemmOfARow", 13, [](OnnxBuilder& m) {
    const std::string a = m.node("Reshape", {first(m), m.ints({1, -1})});
    m.node("Gemm", {a, m.random({5, 168}, 0.2), m.random({1, 5})}, {{"transA", 0}, {"transB", 1}});
  });
  t.row("GemmOfABias", 13,
        [](OnnxBuilder& m) {
          m.node("Relu", {m.node("Gemm", {"x", m.random({6, 6}), m.scalar(0.25)}, {{"transB", 0}})});
        },
        {1, 6});
  for (const int opset : {8, 9, 15}) {
    t.row(fmt::format("BatchNorm{}", opset), opset, [](OnnxBuilder& m) {
      m.node("BatchNormalization",
             {first(m), m.random({4}), m.random({4}), m.random({4}), m.constant({4}, {0.5, 0.75, 1, 1.25})},
             {{"epsilon", 0.01}, {"momentum", 0.9}});
    });
  }
  t.row("BatchNormFirst", 13, [](OnnxBuilder& m) {
    last(m,
         m.node("BatchNormalization",
                {"x", m.random({3}), m.random({3}), m.random({3}), m.constant({3}, {0.5, 0.75, 1})},
                {{"epsilon", 0.01}}),
         3);
  });
  t.row("ClipOfSix", 10, [](OnnxBuilder& m) { m.node("Clip", {first(m)}, {{"max", 0.5}, {"min", 0.0}}); });
  t.row("ClipWithoutLimits", 13, [](OnnxBuilder& m) { m.node("Clip", {first(m)}); });
  t.row("DropoutOfSeven", 10, [](OnnxBuilder& m) {
    m.node("Relu", {m.node("Dropout", {first(m)}, {{"ratio", 0.5}})});
  });
  t.row("DropoutOfThirteen", 13, [](OnnxBuilder& m) {
    m.node("Relu", {m.node("Dropout", {first(m), m.scalar(0.5)}, {{"seed", 3}})});
  });
  t.row("CastToFloat", 13, [](OnnxBuilder& m) { m.node("Relu", {m.node("Cast", {first(m)}, {{"to", 1}})}); });
  for (const char* op : {"Softmax", "LogSoftmax"}) {
    for (const int opset : {11, 13}) {
      OnnxCase made{fmt::format("{}{}", op, opset), OnnxBuilder({1, 3, 7, 6}), 0, false};
      made.model.opset(opset);
      made.model.node(op, {classify(made.model, first(made.model), 168)}, {{"axis", 1}});
      t.add(std::move(made));
    }
  }
  t.row("ArgMax", 13, [](OnnxBuilder& m) {
    m.node("ArgMax", {classify(m, first(m), 168)}, {{"axis", 1}, {"keepdims", 0}});
  });
  t.row("ScalesOfShapes", 13, [](OnnxBuilder& m) {
    const std::string a = m.node("Mul", {first(m), m.random({1, 4, 1, 1})}),
                      b = m.node("Sub", {a, m.random({4, 1, 1})});
    const std::string c = m.node("Div", {b, m.constant({1}, {0.75})}), d = m.node("Sub", {m.scalar(0.5), c});
    m.node("PRelu", {m.node("Add", {d, m.scalar(0.25)}), m.constant({4, 1, 1}, {0.1, 0.2, 0.3, 0.4})});
  });
  t.row("ScalesOfRows", 13,
        [](OnnxBuilder& m) {
          const std::string a = m.node("MatMul", {"x", m.random({4, 4})});
          m.node("Relu", {m.node("Mul", {m.node("Add", {a, m.random({4})}), m.random({1, 1, 4})})});
        },
        {1, 4, 4});
  t.row("SumOfThree", 13,
        [](OnnxBuilder& m) {
          const std::string a = first(m), b = m.node("Relu", {a});
          m.node("Sum", {a, m.node("Neg", {b}), m.node("GlobalMaxPool", {b})});
        },
        {1, 3, 6, 6});
}

}  // namespace

std::vector<OnnxCase> onnx_form_cases() {
  Table t;
  windows(t);
  images(t);
  shapes(t);
  values(t);
  return t.take();
}

}  // namespace bitstrata::testing
