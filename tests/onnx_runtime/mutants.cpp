// SPDX-License-Identifier: Apache-2.0
#include "tests/onnx_runtime/mutants.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <random>

#include "model/onnx/onnx.h"
#include "tests/model/onnx_cases.h"
#include "tests/model/onnx_space_cases.h"
#include "tests/model/onnx_variants.h"

namespace bitstrata::testing {
namespace {

namespace fs = std::filesystem;

// What may differ, as a share of the largest value: sums of a few hundred products in 32-bit floats, and tables of
// functions.
constexpr double rounding = 2e-5;

std::vector<float> in_our_order(const Array& input, model::ChannelOrder order) {
  if (order == model::ChannelOrder::first) return to_nhwc(input);
  return {input.values.begin(), input.values.end()};
}

// How the two results differ; empty: not beyond rounding.
std::string difference(const std::vector<double>& foreign, const std::vector<std::int64_t>& foreign_dims,
                       const model::Reals& ours, const model::OutputLayout& layout) {
  if (layout.dims != foreign_dims)
    return fmt::format("sides {} instead of {}", fmt::join(layout.dims, "x"), fmt::join(foreign_dims, "x"));
  if (layout.places.size() != foreign.size())
    return fmt::format("{} values instead of {}", layout.places.size(), foreign.size());
  double size = 1, largest = 0;
  for (const double value : foreign)
    if (std::isfinite(value)) size = std::max(size, std::abs(value));
  std::size_t different = 0;
  for (std::size_t i = 0; i < foreign.size(); ++i) {
    const double value = ours.at(static_cast<std::size_t>(layout.places[i]));
    if (value == foreign[i] || (std::isnan(value) && std::isnan(foreign[i]))) continue;
    const double apart = std::abs(value - foreign[i]);
    if (apart <= rounding * size) continue;
    ++different;
    largest = std::isnan(apart) ? apart : std::max(largest, apart);
  }
  return different == 0 ? "" : fmt::format("{} of {} values by up to {:.3g}", different, foreign.size(), largest);
}

Judgement judged(Mutant mutant, const ForeignResult& foreign) {
  Judgement result{std::move(mutant), Verdict::equal, ""};
  const Mutant& tested = result.mutant;
  try {
    model::OutputLayout layout;
    const model::FloatNetwork network = model::import_onnx(tested.file, {.file_order = true}, &layout);
    if (!foreign.refused.empty()) {
      result.verdict = Verdict::foreign_only;
      result.reason = fmt::format("{} of {}: {}", tested.attribute, tested.op, foreign.refused);
      return result;
    }
    std::string apart;
    for (std::size_t i = 0; i < tested.inputs.size() && apart.empty(); ++i) {
      const model::Reals ours = model::run(network, in_our_order(tested.inputs[i], network.input_order));
      apart = difference(foreign.outputs.at(i), foreign.dims, ours, layout);
    }
    if (apart.empty()) return result;
    result.verdict = network.notes.empty() ? Verdict::differs : Verdict::noted;
    result.reason = network.notes.empty() ? apart : fmt::format("{}", fmt::join(network.notes, "; "));
  } catch (const std::exception& error) {
    result.verdict = foreign.refused.empty() ? Verdict::refused : Verdict::both_refuse;
    result.reason = error.what();
    if (const auto at = result.reason.find(".onnx: "); at != std::string::npos) result.reason.erase(0, at + 7);
  }
  return result;
}

}  // namespace

std::vector<Mutant> float_mutants(const fs::path& folder, std::uint64_t every, std::uint64_t seed) {
  std::vector<OnnxCase> models = onnx_form_cases();
  for (const auto& more : {onnx_cases(), onnx_space_cases()}) models.insert(models.end(), more.begin(), more.end());
  std::mt19937_64 draw(seed);
  std::vector<Mutant> mutants;
  for (const OnnxCase& tested : models) {
    std::vector<Array> inputs = {random_input(tested.model, 1), random_input(tested.model, 2)};
    for (Array& input : inputs)  // of both signs
      for (double& value : input.values) value = static_cast<float>(2 * value - 1);
    const auto add = [&](const Variant& variant) {
      for (Array& input : inputs) input.type = variant.input_type;
      const fs::path file = folder / fmt::format("mutant_{}.onnx", mutants.size());
      std::ofstream(file, std::ios::binary) << variant.bytes;
      mutants.push_back({tested.name, variant.op, variant.attribute, variant.change, file, inputs});
    };
    const std::string bytes = tested.model.bytes();
    add({"model", "as it is", "", bytes});
    for_each_variant(bytes, [&](const Variant& variant) {
      if (draw() % every == 0) add(variant);
    });
  }
  return mutants;
}

std::vector<Judgement> judge(const ForeignRuntime& runtime, const fs::path& folder, std::vector<Mutant> mutants) {
  std::vector<ForeignJob> jobs;
  for (const Mutant& mutant : mutants) jobs.push_back({mutant.file, mutant.inputs});
  const std::vector<ForeignResult> foreign = run_foreign(runtime, folder, jobs);
  std::vector<Judgement> judgements;
  for (std::size_t i = 0; i < mutants.size(); ++i) judgements.push_back(judged(std::move(mutants[i]), foreign[i]));
  return judgements;
}

}  // namespace bitstrata::testing
