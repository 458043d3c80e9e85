// SPDX-License-Identifier: Apache-2.0
#include "tests/onnx_runtime/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ostream>

#include "model/golden.h"
#include "model/onnx/onnx.h"
#include "quant/calibration/calibrate.h"
#include "tests/model/onnx_cases.h"
#include "tests/model/onnx_quantized_cases.h"

namespace bitstrata::testing {
namespace {

using model::FloatNetwork;
using model::Reals;

constexpr int inputs_each = 8;

std::vector<Array> some_inputs(const OnnxBuilder& model) {
  std::vector<Array> inputs;
  for (std::uint64_t i = 1; i <= inputs_each; ++i) inputs.push_back(random_input(model, i));
  return inputs;
}

void add(Difference& sum, const std::vector<std::int64_t>& wanted, const std::vector<std::int64_t>& got) {
  if (wanted.size() != got.size())
    throw std::runtime_error(fmt::format("{} codes instead of {}", got.size(), wanted.size()));
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const std::int64_t distance = std::abs(wanted[i] - got[i]);
    ++sum.compared;
    sum.different += distance != 0 ? 1 : 0;
    sum.largest = std::max(sum.largest, distance);
  }
}

std::vector<std::int64_t> encoded(const model::Grid& grid, const Reals& values) {
  std::vector<std::int64_t> codes;
  for (const float value : values) codes.push_back(std::llround(value / grid.scale + grid.zero_point));
  return codes;
}

// NHWC, as our networks give them.
std::vector<std::int64_t> in_our_order(const std::vector<std::int64_t>& nchw, model::Shape shape) {
  const std::size_t channels = static_cast<std::size_t>(shape.channels), pixels = nchw.size() / channels;
  std::vector<std::int64_t> result;
  for (std::size_t p = 0; p < pixels; ++p)
    for (std::size_t c = 0; c < channels; ++c) result.push_back(nchw[c * pixels + p]);
  return result;
}

void compare_ours(const Subject& subject, const std::filesystem::path& file, const ForeignResult& foreign,
                  Comparison& c) {
  const FloatNetwork network = model::import_onnx(file);
  // What a file leaves open is calibrated: tensors behind operators that the file does not quantize.
  const quant::CalibrationInputs inputs{static_cast<int>(subject.inputs.size()),
                                        [&](int i) { return to_nhwc(subject.inputs[static_cast<std::size_t>(i)]); }};
  const FloatNetwork calibrated = quant::calibrate(network, quant::plan_of(network), inputs);
  const model::IntegerNetwork integers = quant::assemble(calibrated);
  const model::Shape shape = network.graph.nodes().back().output;
  const model::Grid out{.zero_point = static_cast<int>(subject.graph.zero), .scale = subject.graph.scale};
  for (std::size_t i = 0; i < subject.inputs.size(); ++i) {
    const std::vector<std::int64_t> wanted = in_our_order(output_codes(subject.graph, foreign.outputs[i]), shape);
    const std::vector<float> input = to_nhwc(subject.inputs[i]);
    add(c.file, wanted, encoded(out, model::run(network, input)));
    const model::Codes codes =
        model::run(integers, model::encode(quant::input_grid(calibrated), model::prepare_input(calibrated, input)));
    // Where a layer of ours follows the file's last rounding, the result has another grid than the file's codes.
    const model::TensorFormat& result = integers.tensors[integers.output()];
    Reals values;
    for (const std::int32_t code : codes)
      values.push_back(static_cast<float>(result.scale * (code - result.zero_point)));
    add(c.golden, wanted, encoded(out, values));
  }
}

// Only layers whose rounding `quant::settled` writes into the file: the golden codes must come out of it.
bool ends_in_settled_layers(const FloatNetwork& network) {
  using model::Op;
  const auto& nodes = network.graph.nodes();
  return std::ranges::all_of(nodes, [](const model::Node& node) {
    return model::has_weights(node.op) || node.op == Op::input || node.op == Op::relu || node.op == Op::max_pool;
  });
}

}  // namespace

std::vector<Subject> generated_subjects(int count, std::uint64_t first) {
  std::vector<Subject> subjects;
  for (int i = 0; i < count; ++i) {
    const QuantizedForm form = i % 2 == 0 ? QuantizedForm::qdq : QuantizedForm::qlinear;
    Subject subject{
        .graph = quantized_graph(form, first + static_cast<std::uint64_t>(i / 2)), .file = "", .inputs = {}};
    subject.inputs = some_inputs(subject.graph.model);
    subjects.push_back(std::move(subject));
  }
  return subjects;
}

std::vector<Subject> case_subjects() {
  std::vector<Subject> subjects;
  for (QuantizedCase& tested : quantized_cases()) {
    Subject subject{.graph = std::move(tested.graph), .file = "", .inputs = {}};
    subject.reference_only = tested.reference_only;
    subject.refused = std::move(tested.refused);
    subject.apart = tested.apart;
    subject.inputs = some_inputs(subject.graph.model);
    subjects.push_back(std::move(subject));
  }
  return subjects;
}

std::vector<Subject> exported_subjects(const std::filesystem::path& folder) {
  struct Widths {
    int weights, activations, output;
    bool per_channel;
  };
  std::vector<Subject> subjects;
  const std::filesystem::path plain = folder / "plain.onnx";
  for (const OnnxCase& tested : onnx_cases()) {
    const FloatNetwork network = model::import_onnx(tested.model.save(plain));
    const quant::CalibrationInputs inputs{
        4, [&](int i) { return to_nhwc(random_input(tested.model, static_cast<std::uint64_t>(i) + 1)); }};
    for (const auto& [weights, activations, output, per_channel] :
         {Widths{8, 8, 16, true}, {8, 8, 8, false}, {4, 6, 6, true}, {3, 4, 8, false}}) {
      model::Plan plan = quant::plan_of(network, weights, activations);
      plan.output_bits = output;
      FloatNetwork calibrated = quant::calibrate(network, plan, inputs, {.per_channel = per_channel});
      calibrated = quant::settled(calibrated, quant::assemble(calibrated));
      Subject subject{
          {.name = fmt::format("export-{}-w{}a{}o{}{}", tested.name, weights, activations, output,
                               per_channel ? "" : "-tensor"),
           .model = tested.model,
           .form = fmt::format("exported, weights {} bit, activations {}, output {}", weights, activations, output),
           .weights = fmt::format("{} bit per {}", weights, per_channel ? "channel" : "tensor"),
           .activations = fmt::format("{} bit, output {}", activations, output),
           .operators = tested.name},
          folder / fmt::format("exported_{}.onnx", subjects.size()),
          some_inputs(tested.model)};
      model::write_onnx(calibrated, model::OnnxStyle::qdq, subject.file);
      subject.graph.scale = calibrated.grids.back()->scale;
      subject.graph.zero = calibrated.grids.back()->zero_point;
      subject.golden_too = ends_in_settled_layers(calibrated);
      subjects.push_back(std::move(subject));
    }
  }
  return subjects;
}

std::vector<Comparison> compare(const ForeignRuntime& runtime, const std::filesystem::path& folder,
                                const std::vector<Subject>& subjects) {
  std::vector<ForeignJob> jobs;
  for (const Subject& subject : subjects) {
    const std::filesystem::path file =
        subject.file.empty() ? subject.graph.model.save(folder / (subject.graph.name + ".onnx")) : subject.file;
    jobs.push_back({file, subject.inputs});
  }
  const std::vector<ForeignResult> foreign = run_foreign(runtime, folder, jobs);
  std::vector<Comparison> comparisons;
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    const QuantizedGraph& graph = subjects[i].graph;
    Comparison c{.name = graph.name,
                 .form = graph.form,
                 .weights = graph.weights,
                 .activations = graph.activations,
                 .operators = graph.operators,
                 .exact = graph.exact,
                 .generated = subjects[i].file.empty(),
                 .reference_only = subjects[i].reference_only,
                 .golden_too = subjects[i].golden_too,
                 .apart = subjects[i].apart,
                 .refused = {},
                 .reference = {},
                 .file = {},
                 .golden = {}};
    try {
      if (!foreign[i].refused.empty()) throw std::runtime_error("ONNX Runtime: " + foreign[i].refused);
      if (c.generated) {
        for (std::size_t k = 0; k < subjects[i].inputs.size(); ++k)
          add(c.reference, output_codes(graph, foreign[i].outputs[k]),
              output_codes(graph, graph.model.run(subjects[i].inputs[k]).values));
      }
      if (!c.reference_only) compare_ours(subjects[i], jobs[i].model, foreign[i], c);
    } catch (const std::exception& error) {
      c.refused = error.what();
      c.owed = !subjects[i].refused.empty() && c.refused.find(subjects[i].refused) != std::string::npos;
    }
    comparisons.push_back(std::move(c));
  }
  return comparisons;
}

}  // namespace bitstrata::testing
