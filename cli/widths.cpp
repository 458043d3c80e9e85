// SPDX-License-Identifier: Apache-2.0
#include "cli/widths.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "quant/calibration/calibrate.h"
#include "sim/random_network.h"

namespace bitstrata::cli {
namespace {

constexpr const char* mixed_plan = "mixed";
constexpr int widest = 16;

bool from_file(const WidthOptions& options) { return !options.plan.empty() && options.plan != mixed_plan; }

// What of a plan.yaml the accelerator does not have. `plan` is valid.
std::vector<std::string> beyond(const model::Plan& plan, const WidthLimits& limits) {
  std::vector<std::string> found;
  const auto check = [&](const std::string& what, int bits, int most) {
    if (bits > most) found.push_back(fmt::format("{} is {}; the accelerator has 1..{}", what, bits, most));
  };
  for (const model::LayerPlan& layer : plan.layers) {
    check(fmt::format("layer '{}': weight_bits", layer.layer), layer.weight_bits, limits.weight_bits);
    check(fmt::format("layer '{}': activation_bits", layer.layer), layer.activation_bits, limits.activation_bits);
  }
  check("output_bits", plan.output_bits, limits.activation_bits);
  return found;
}

// In what the user's plan differs from the widths that hold.
std::vector<std::string> differences(const model::Plan& asked, const model::Plan& held) {
  std::vector<std::string> found;
  const auto compare = [&](const std::string& what, int mine, int theirs) {
    if (mine != theirs) found.push_back(fmt::format("{} is {}; the file prescribes {}", what, mine, theirs));
  };
  for (std::size_t i = 0; i < held.layers.size(); ++i) {
    const model::LayerPlan &a = asked.layers[i], &b = held.layers[i];
    compare(fmt::format("layer '{}': weight_bits", a.layer), a.weight_bits, b.weight_bits);
    compare(fmt::format("layer '{}': activation_bits", a.layer), a.activation_bits, b.activation_bits);
  }
  compare("output_bits", asked.output_bits, held.output_bits);
  return found;
}

// Which widths a file leaves to the user: those in which plans with nothing in common still differ.
struct Open {
  bool weights = false, activations = false;
};

Open open_widths(const model::FloatNetwork& network) {
  const model::Plan narrow = quant::plan_of(network, model::uniform_plan(network.graph, 1, 1));
  const model::Plan wide = quant::plan_of(network, model::uniform_plan(network.graph, 16, 16));
  Open open;
  for (std::size_t i = 0; i < narrow.layers.size(); ++i) {
    open.weights = open.weights || narrow.layers[i].weight_bits != wide.layers[i].weight_bits;
    open.activations = open.activations || narrow.layers[i].activation_bits != wide.layers[i].activation_bits;
  }
  return open;
}

// Refuses what the user asks for and the file prescribes everywhere.
void check_open(const model::FloatNetwork& network, const WidthOptions& options) {
  if (from_file(options)) return;  // compared width by width
  const Open open = open_widths(network);
  std::string asked, held;
  if (options.plan == mixed_plan && !open.weights && !open.activations) {
    asked = "--plan mixed", held = "widths of its weights and tensors";
  } else if (options.weights_given && !open.weights) {
    asked = "--weight-bits", held = "widths of its weights";
  } else if (options.activations_given && !open.activations) {
    asked = "--activation-bits", held = "widths of its tensors";
  } else {
    return;
  }
  throw std::invalid_argument(fmt::format("'{}' is quantized already, and its file prescribes all {}; leave out {}",
                                          network.graph.name(), held, asked));
}

[[noreturn]] void refuse(const std::string& plan, const std::vector<std::string>& reasons) {
  throw std::invalid_argument(fmt::format("{}: {}", plan, fmt::join(reasons, "; ")));
}

}  // namespace

void WidthOptions::add(po::options_description& options) {
  options.add_options()
      // clang-format off
      ("plan", po::value(&plan),
       "plan.yaml with the widths, of a built-in network or an ONNX file that leaves widths open (bitstrata plan writes "
       "one to edit); mixed: 2 to 8 bits drawn for each layer and tensor (seeded)")
      ("weight-bits", po::value(&weight_bits)->default_value(weight_bits), "of all layers, without --plan: 1 to 16")
      ("activation-bits", po::value(&activation_bits)->default_value(activation_bits),
       "of all tensors, without --plan: 1 to 16")
      ("output-bits", po::value(&output_bits)->default_value(output_bits),
       "of the network's outputs, without a plan.yaml: 2 to 16; 0: 16, or the most that the accelerator writes");
  // clang-format on
}

void WidthOptions::check(const po::variables_map& values) {
  weights_given = !values["weight-bits"].defaulted();
  activations_given = !values["activation-bits"].defaulted();
  check_range("weight-bits", weight_bits, 1, widest);
  check_range("activation-bits", activation_bits, 1, widest);
  if (output_bits != 0) check_range("output-bits", output_bits, 2, widest);
  if (plan.empty()) return;
  if (!values["weight-bits"].defaulted() || !values["activation-bits"].defaulted() ||
      (from_file(*this) && !values["output-bits"].defaulted())) {
    throw std::invalid_argument("--plan already gives the widths; leave out --*-bits");
  }
}

bool WidthOptions::given(const po::variables_map& values) {
  return values.count("plan") != 0 || !values["weight-bits"].defaulted() || !values["activation-bits"].defaulted() ||
         !values["output-bits"].defaulted();
}

model::Plan make_plan(const model::Network& network, const WidthOptions& options, const WidthLimits& limits,
                      std::uint64_t seed, RunRecord& record) {
  model::Plan plan;
  if (from_file(options)) {
    plan = model::load_plan(options.plan);
    std::vector<std::string> wrong = model::contradictions(plan, network);
    if (wrong.empty()) wrong = beyond(plan, limits);
    if (!wrong.empty()) refuse(options.plan, wrong);
    record.add_file("plan", options.plan);
    return plan;
  }
  if (options.plan == mixed_plan) {
    const int most = std::min({8, limits.weight_bits, limits.activation_bits});
    plan = sim::random_plan(network, std::min(2, most), most, seed);
  } else {
    plan = model::uniform_plan(network, options.weight_bits, options.activation_bits);
  }
  // Where nobody asked for a width of the output, it is what the accelerator has.
  plan.output_bits =
      options.output_bits != 0 ? options.output_bits : std::min(plan.output_bits, std::max(2, limits.activation_bits));
  return plan;
}

model::Plan make_plan(const model::FloatNetwork& network, const WidthOptions& options, const WidthLimits& limits,
                      std::uint64_t seed, RunRecord& record) {
  check_open(network, options);
  model::Plan plan = make_plan(network.graph, options, limits, seed, record);
  // A table has no more than 8 bits; nobody asked for more.
  if (!from_file(options) && options.output_bits == 0)
    plan.output_bits = std::min(plan.output_bits, quant::plan_of(network).output_bits);
  model::Plan held = quant::plan_of(network, plan);
  if (from_file(options)) {
    const std::vector<std::string> wrong = differences(plan, held);
    if (!wrong.empty()) refuse(options.plan, wrong);
  } else if (options.output_bits != 0 && held.output_bits != options.output_bits) {
    throw std::invalid_argument(fmt::format("--output-bits is {}; the file prescribes {} for the output",
                                            options.output_bits, held.output_bits));
  }
  return held;
}

}  // namespace bitstrata::cli
