// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/calibrate.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include "model/activations.h"
#include "model/stages.h"
#include "quant/calibration/ranges.h"
#include "quant/calibration/weights.h"

namespace bitstrata::quant {
namespace {

using namespace model;

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

// Inputs are observed in so many parts whatever the threads, so that sums do not depend on their number.
constexpr int parts = 16;

double to_float(double value) { return static_cast<double>(static_cast<float>(value)); }

// Where a linear layer and a convolution read one tensor.
std::vector<double> by_channel(const std::vector<double>& means, std::size_t channels) {
  std::vector<double> result(channels, 0.0);
  for (std::size_t i = 0; i < means.size(); ++i)
    result[i % channels] += means[i] * static_cast<double>(channels) / static_cast<double>(means.size());
  return result;
}

class Calibrator {
 public:
  Calibrator(const FloatNetwork& network, const Plan& plan, const CalibrationInputs& inputs,
             const CalibrationOptions& options)
      : network_(network),
        plan_(plan),
        inputs_(inputs),
        options_(options),
        layout_(lay_out(network.graph)),
        bits_(tensor_bits(layout_, plan)) {
    for (Parameters& p : network_.parameters)
      p.mean.reset(), p.product.reset(), p.written.reset();  // here every layer rounds
    for (const Step& step : layout_.steps) {
      producers_[step.output] = &step;
      // Tables give 8 bits; where no layer's width says otherwise, that is the width.
      const bool table = step.activation >= 0 && needs_table(network.graph.node(step.activation).op);
      const TensorNode& made = layout_.tensors[at(step.output)];
      if (table && made.readers.empty() && made.source == step.output)
        bits_[at(step.output)] = std::min(bits_[at(step.output)], info(Activation::table).most_bits);
    }
  }

  FloatNetwork run() {
    spread_known_grids();
    observe();
    for (std::size_t t = 0; t < layout_.tensors.size(); ++t) give_grid(static_cast<int>(t));
    for (const Step& step : layout_.steps) give_table_grid(step);
    for (const Step& step : layout_.steps)
      if (step.stage >= 0) quantize_weights(step);
    return std::move(network_);
  }

 private:
  std::optional<Grid>& grid_of_tensor(int tensor) { return network_.grids[at(layout_.tensors[at(tensor)].node)]; }

  // Grids that a file gives at one end of a pooling, joining or ReLU hold at the other end too.
  void spread_known_grids() {
    for (const Step& step : layout_.steps) {
      std::optional<Grid>& out = grid_of_tensor(step.output);
      if (out || step.activation < 0) continue;
      const std::optional<Grid>& before = network_.grids[at(network_.graph.node(step.activation).inputs[0])];
      if (before && network_.graph.node(step.activation).op == Op::relu) out = before;
    }
    for (auto step = layout_.steps.rbegin(); step != layout_.steps.rend(); ++step) {
      const Op op = network_.graph.node(step->node).op;
      const std::optional<Grid> out = grid_of_tensor(step->output);
      if (!out || step->activation >= 0 || !keeps_codes(op)) continue;
      for (const int input : step->inputs) {
        std::optional<Grid>& in = grid_of_tensor(input);
        if (!in && network_.graph.consumers(layout_.tensors[at(input)].node).size() == 1) in = out;
      }
    }
    for (const Step& step : layout_.steps) {
      const Op op = network_.graph.node(step.node).op;
      std::optional<Grid>& out = grid_of_tensor(step.output);
      if (!out && step.activation < 0 && moves_values(op)) {
        out = grid_of_tensor(step.input());
        if (out && out->floor() && !keeps_codes(op)) out->rounding = Rounding::half_up;
      }
    }
  }

  // Means are kept by channel, and by element where a linear layer reads them.
  std::size_t period(int node) const {
    const Shape shape = network_.graph.node(node).output;
    for (const int reader : network_.graph.consumers(node)) {
      if (network_.graph.node(reader).op == Op::linear) return at(shape.elements());
    }
    return at(shape.channels);
  }

  // Observes the nodes whose values decide something.
  void observe() {
    std::set<int> nodes;
    for (std::size_t t = 0; t < layout_.tensors.size(); ++t) {
      if (!grid_of_tensor(static_cast<int>(t)) && layout_.tensors[t].source == static_cast<int>(t))
        nodes.insert(layout_.tensors[t].node);
    }
    const bool ranges = !nodes.empty();
    for (const Step& step : layout_.steps) {
      if (lacks_table_grid(step)) nodes.insert(network_.graph.node(step.activation).inputs[0]);
      if (step.stage >= 0 && options_.correct_bias && network_.parameters[at(step.node)].weight_bits == 0) {
        nodes.insert(network_.graph.node(step.node).inputs[0]);
      }
    }
    if (nodes.empty()) return;
    if (inputs_.count < 1) throw std::invalid_argument("calibration needs at least one input");
    const auto pass = [&](auto visit) {
      std::vector<std::map<int, Observation>> partial(parts);
      for (std::map<int, Observation>& part : partial)
        for (const int node : nodes) part[node] = observed_[node];
      for_each_index(parts, options_.threads, [&](int part) {
        for (int i = part; i < inputs_.count; i += parts) {
          const std::vector<Reals> values = run_all(network_, inputs_.get(i));
          for (auto& [node, observation] : partial[at(part)]) visit(node, observation, values[at(node)]);
        }
      });
      return partial;
    };
    for (const int node : nodes) observed_[node] = {};
    const auto seen = pass([&](int node, Observation& o, const Reals& values) { o.see(values, period(node)); });
    for (const auto& part : seen)
      for (const auto& [node, observation] : part) observed_[node].merge_seen(observation);
    if (!ranges || options_.method == RangeMethod::max) return;
    const auto counted = pass([](int, Observation& o, const Reals& values) { o.count(values); });
    for (const auto& part : counted)
      for (const auto& [node, observation] : part) observed_[node].merge_counted(observation);
  }

  // May a zero point be folded into this step's bias without loss, so that a one-sided range can use all its codes?
  bool takes_zero_point(const Step& step) const {
    if (step.activation >= 0) {
      const Activation ending = ending_of(network_.graph.node(step.activation).op);
      return ending == Activation::hard_swish || ending == Activation::table;
    }
    const Op op = network_.graph.node(step.node).op;
    return has_weights(op) || combines_codes(op);
  }

  // Values that a layer of its own rounds and nothing else reads have 16 bits until then: rounded twice, few of them
  // end at another code than rounded once.
  std::optional<Grid> finer_than_its_rounding(int node) const {
    const std::vector<int> readers = network_.graph.consumers(node);
    if (readers.size() != 1) return {};
    const Node& reader = network_.graph.node(readers[0]);
    const std::optional<Grid>& grid = network_.grids[at(readers[0])];
    if (reader.op != Op::average_pool || reader.window != Window{} || !grid || grid->coding == Coding::bipolar)
      return {};
    const CodeRange range = grid->range();
    const int reach = std::max({range.high - grid->zero_point, grid->zero_point - range.low, 1});
    Grid fine{.bits = 16, .coding = Coding::twos_complement};
    fine.scale = grid->scale * std::exp2(-std::floor(std::log2(32767.0 / reach)));
    return fine;
  }

  void give_grid(int tensor) {
    std::optional<Grid>& grid = grid_of_tensor(tensor);
    if (grid) return;
    const TensorNode& info = layout_.tensors[at(tensor)];
    if (info.source != tensor) {
      grid = grid_of_tensor(info.source);
      if (grid && grid->floor()) grid->rounding = Rounding::half_up;
      return;
    }
    if (const auto fine = finer_than_its_rounding(info.node)) {
      grid = fine;
      return;
    }
    const Observation& seen = observed_.at(info.node);
    const bool input = tensor == 0;
    const bool positive = input ? seen.extremes().low >= 0 : info.rectified;
    const int bits = bits_[at(tensor)];
    const auto found = producers_.find(tensor);
    Grid made{.bits = bits};
    if (input) made.rounding = Rounding::half_even_step;  // hosts quantize the input as ONNX does
    if (bits == 1 && !positive) {
      made.coding = Coding::bipolar;
      made.scale = to_float(seen.mean_magnitude() > 0 ? seen.mean_magnitude() : least_reach());
      grid = made;
      return;
    }
    const Range extremes = seen.extremes();
    const double larger = std::max(std::abs(extremes.low), std::abs(extremes.high));
    const double smaller = std::min(std::max(0.0, -extremes.low), std::max(0.0, extremes.high));
    // The output is compared and ranked by hosts, which expect two's complement.
    const bool one_sided =
        !positive && !info.is_output && (input || takes_zero_point(*found->second)) && smaller < 0.6 * larger;
    const bool symmetric = !positive && !one_sided;
    const int levels = (1 << bits) - 1;
    Range range = seen.choose(options_.method, options_.percentile, levels, symmetric);
    if (const double bound = known_bound(found); bound > 0) range = {-bound, bound};
    const double top = symmetric ? std::exp2(bits - 1) - 1 : static_cast<double>(levels);
    double reach = 0;
    if (symmetric) {
      made.coding = Coding::twos_complement;
      reach = std::max(std::abs(range.low), std::abs(range.high));
    } else {
      range.low = positive ? 0 : std::min(range.low, 0.0);
      reach = std::max(range.high, 0.0) - range.low;
    }
    made.scale = to_float(std::max(reach > 0 ? reach : least_reach(), 1e-30) / top);
    if (one_sided) made.zero_point = static_cast<int>(std::clamp(std::nearbyint(-range.low / made.scale), 0.0, top));
    grid = made;
  }

  // What was never anything but 0 gets the range of the network's smallest tensor: with a larger one, what it is added
  // to would lose its codes.
  double least_reach() const {
    double least = 0;
    for (const auto& [node, seen] : observed_) {
      const double reach = std::max(std::abs(seen.extremes().low), std::abs(seen.extremes().high));
      if (reach > 0 && (least == 0 || reach < least)) least = reach;
    }
    return least > 0 ? least : 1;
  }

  // Sigmoids reach 1 whatever was seen; 0 for results of no such bound.
  double known_bound(std::map<int, const Step*>::const_iterator producer) const {
    if (producer == producers_.end() || producer->second->activation < 0) return 0;
    return bound_of(network_.graph.node(producer->second->activation).op);
  }

  bool lacks_table_grid(const Step& step) const {
    if (step.activation < 0 || step.activation == step.node) return false;
    const Node& node = network_.graph.node(step.activation);
    const std::optional<Grid>& grid = network_.grids[at(node.inputs[0])];
    return needs_table(node.op) && !(grid && grid->bits == 8 && grid->coding == Coding::twos_complement);
  }

  // The 8-bit grid that indexes a table, over what was seen in front of it.
  void give_table_grid(const Step& step) {
    if (!lacks_table_grid(step)) return;
    const Node& node = network_.graph.node(step.activation);
    std::optional<Grid>& grid = network_.grids[at(node.inputs[0])];
    Range range = observed_.at(node.inputs[0]).extremes();
    const Function& table = *function_of(node.op);
    range.low = std::clamp(range.low, table.flat_low, -1e-3);
    range.high = std::clamp(range.high, 1e-3, table.flat_high);
    Grid made{.bits = 8, .coding = Coding::twos_complement};
    made.scale = to_float((range.high - range.low) / 255);
    made.zero_point = static_cast<int>(std::clamp(std::nearbyint(-128 - range.low / made.scale), -128.0, 127.0));
    grid = made;
  }

  void quantize_weights(const Step& step) {
    Parameters& p = network_.parameters[at(step.node)];
    if (p.weight_bits != 0) return;
    const Node& node = network_.graph.node(step.node);
    const Grid& in = *grid_of_tensor(step.input());
    const std::vector<float> before = p.weights;
    p.weight_bits = plan_.layers.at(at(step.stage)).weight_bits;
    // The phases of a transposed convolution share windows of which each uses its part.
    if (p.weight_bits == 1 && p.transposed && std::count(p.weights.begin(), p.weights.end(), 0.0F) > 0) {
      throw std::invalid_argument(fmt::format(
          "layer '{}' is a transposed convolution whose phases need weights of 0, which 1 bit cannot hold; give it 2",
          node.name));
    }
    p.scales = weight_scales(p, static_cast<std::size_t>(node.out_channels), options_.per_channel, in.scale);
    round_weights(p);
    if (options_.correct_bias) {
      std::vector<double> means = observed_.at(node.inputs[0]).means();
      const auto channels = at(network_.graph.input_shape(step.node).channels);
      if (node.op != Op::linear && means.size() > channels) means = by_channel(means, channels);
      correct_bias(p, before, node, means, channels);
    }
    // The accelerator adds the bias in units of its accumulator.
    for (std::size_t n = 0; n < p.bias.size(); ++n) {
      const double unit = in.scale * p.scales[n];
      p.bias[n] = static_cast<float>(std::nearbyint(p.bias[n] / unit) * unit);
    }
  }

  FloatNetwork network_;
  const Plan& plan_;
  const CalibrationInputs& inputs_;
  const CalibrationOptions& options_;
  Layout layout_;
  std::vector<int> bits_;
  std::map<int, const Step*> producers_;  // by tensor
  std::map<int, Observation> observed_;   // by node
};

}  // namespace

void for_each_index(int count, int threads, const std::function<void(int)>& work) {
  const int wanted = threads > 0 ? threads : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  std::atomic<int> next = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  const auto loop = [&] {
    for (int i = next++; i < count; i = next++) {
      try {
        work(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
        next = count;
      }
    }
  };
  std::vector<std::thread> helpers;
  for (int i = 1; i < std::min(wanted, count); ++i) helpers.emplace_back(loop);
  loop();
  for (std::thread& helper : helpers) helper.join();
  if (failure) std::rethrow_exception(failure);
}

Plan plan_of(const FloatNetwork& network, int weight_bits, int activation_bits) {
  Plan plan = uniform_plan(network.graph, weight_bits, activation_bits);
  // Tables give 8 bits; who names no width of the output gets that.
  if (needs_table(network.graph.nodes().back().op)) plan.output_bits = info(Activation::table).most_bits;
  return plan_of(network, std::move(plan));
}

Plan plan_of(const FloatNetwork& network, Plan plan) {
  const Layout layout = lay_out(network.graph);
  for (const Step& step : layout.steps) {
    if (step.stage < 0) continue;
    const Parameters& p = network.parameters[at(step.node)];
    LayerPlan& layer = plan.layers[at(step.stage)];
    if (p.weight_bits != 0) layer.weight_bits = p.weight_bits;
    const int own = layout.tensors[at(step.input())].node, source = layout.source(step.input()).node;
    const auto& grid = network.grids[at(own)] ? network.grids[at(own)] : network.grids[at(source)];
    if (grid) layer.activation_bits = grid->bits;
  }
  tie_widths(layout, plan);
  const auto& last = network.grids.back();
  if (last) plan.output_bits = std::max(2, last->bits);
  return plan;
}

FloatNetwork calibrate(const FloatNetwork& network, const Plan& plan, const CalibrationInputs& inputs,
                       const CalibrationOptions& options) {
  validate(plan, network.graph);
  std::vector<std::string> removed;
  for (std::size_t i = 0; i < plan.layers.size(); ++i) {
    const Node& node = network.graph.node(network.graph.weight_layers()[i]);
    if (plan.layers[i].channels != 0 && plan.layers[i].channels != node.out_channels)
      removed.push_back(fmt::format("'{}' ({} of {})", node.name, plan.layers[i].channels, node.out_channels));
  }
  if (!removed.empty()) {
    throw std::invalid_argument(fmt::format("a plan that removes channels needs training; calibration keeps all: {}",
                                            fmt::join(removed, ", ")));
  }
  return Calibrator(network, plan, inputs, options).run();
}

}  // namespace bitstrata::quant
