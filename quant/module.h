// SPDX-License-Identifier: Apache-2.0
// The trainable network: one set of weights, run in float or fake-quantized (internal: includes LibTorch).
#pragma once

#include <torch/torch.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/channel_groups.h"
#include "model/float_network.h"
#include "model/network.h"
#include "model/plan.h"
#include "model/stages.h"
#include "quant/fake_quantize.h"
#include "quant/options.h"

namespace bitstrata::quant {

using model::ChannelGroup;
using model::ChannelGroups;
using model::KeptChannels;
using model::Layout;
using model::Stage;
using model::Step;
using model::TensorNode;

// Weights of one stage. A linear layer is a convolution whose kernel is its whole input. With batch norm there is no
// bias (its shift takes that place) and the four norm tensors are defined, else only `bias` is.
struct StageWeights {
  torch::Tensor weight;  // [out][in/groups][ky][kx]
  torch::Tensor bias;
  torch::Tensor gamma, beta, running_mean, running_var;
  torch::Tensor step;  // [out], learned (fake_quantize.h); 0: not yet
  // [out], or undefined. In front of batch norm and bias: what quantized results lack to the float network's means.
  torch::Tensor mean, shift;
  bool normalised() const { return gamma.defined(); }
};

// Is this the name of a learned step among Module::parameters()?
bool is_step(const std::string& parameter);
// Is this one of the means and shifts among Module::state()?
bool of_calibration(const std::string& tensor);

// Non-zero and total elements of every tensor, as the next layer reads it.
struct DensityCount {
  std::vector<std::int64_t> nonzero, total;    // by tensor
  std::vector<torch::Tensor> channel_nonzero;  // by tensor: [channels], int64; filled where `per_channel`
  bool per_channel = false;
};

// Rounded weights and activations move the mean of every channel, which costs points of accuracy at few bits. Where no
// training makes up for it, the float network's means are taken once and matched under every plan (after Nagel et al.,
// Data-Free Quantization Through Weight Equalization and Bias Correction, 2019; here of the whole layer, with all that
// is rounded before it).
enum class Means {
  leave,  // results are shifted by what was found
  take,   // remember the means of this float pass
  match,  // find the shifts anew, so that this quantized pass has the means of the float network
};

// Widths between those of the plan and wider ones: what is rounded is (1 - share) of the plan's rounding and `share` of
// the wider one's (FracBits, Yang and Jin, AAAI 2021). Shares are tensors of one value, undefined where both widths are
// the same.
struct Between {
  std::vector<int> weight_bits, tensor_bits;    // the wider ones, by stage and by tensor
  std::vector<torch::Tensor> weights, tensors;  // shares, by stage and by tensor that has a format of its own
};

struct ForwardOptions {
  bool quantized = false;         // fake-quantize by plan and ranges
  bool batch_statistics = false;  // batch norm by the batch's own statistics, running ones follow
  double norm_momentum = 0.1;     // share of this batch in the running statistics
  double observe = 0.0;           // share of this batch's range in the tensors' ranges; 0 leaves them alone
  int observed_values = 4096;     // about so many of a tensor decide its range
  Means means = Means::leave;
  double means_share = 1.0;  // of this batch in means and shifts
  const Between* between = nullptr;
  DensityCount* density = nullptr;
  std::vector<torch::Tensor>* codes = nullptr;    // takes the codes of all tensors (of a quantized pass), as floats
  std::vector<torch::Tensor>* results = nullptr;  // by step: takes what it gives before it is rounded
};

// Batch norm and quantization. While training, batch norm stays alive: weights are quantized as the accelerator will
// hold them, multiplied by gamma/sqrt(running_var+eps) (the folded domain), divided by that factor again, and batch
// norm follows with batch statistics. So the codes trained with are the codes exported, no second convolution is
// needed, and with frozen or evaluated batch norm the result is exactly the folded layer.
//
// Learned steps (QuantizeOptions::quantizer) begin as what the ranges give, at start_steps(); from then on they decide
// instead of the ranges, and are what is exported. The image, whose codes are fixed, the outputs, which training does
// not round, and the indices of tables keep their ranges.
//
// Each step's result is rounded where the accelerator rounds it: behind its activation, and in front of a function
// that is a table, whose index has 8 bits.
class Module {
 public:
  static constexpr double kNormEpsilon = 1e-5;

  // He-normal weights from `seed`. Throws std::invalid_argument naming a node that training does not know.
  Module(model::Network network, std::uint64_t seed);
  // With the weights of `network`, whose batch norms are folded. Throws std::invalid_argument where weights are
  // missing.
  explicit Module(const model::FloatNetwork& network);

  // `images`: bytes, whose values are byte / 255, or values as the network's input node has them;
  // [n][channel][y][x]. Returns the last node's values, [n][elements]; logits are left unrounded.
  torch::Tensor forward(const torch::Tensor& images, const ForwardOptions& options);

  // All tensors of one batch, and their grids where they are rounded.
  struct Values {
    std::vector<torch::Tensor> tensors;
    std::vector<TrainingGrid> grids;
    std::vector<TrainingGrid> wider;  // of Between
  };
  // The input's values; the first thing of a forward pass.
  Values begin(const torch::Tensor& images, const ForwardOptions& options);
  // Steps `first` and on, from the values that earlier ones left: what changes behind a step is found without the steps
  // in front of it.
  void run(Values& values, std::size_t first, const ForwardOptions& options);
  // Step `index` alone.
  void run_step(std::size_t index, Values& values, const ForwardOptions& options);
  // run_step where what the step gives before it is rounded is known.
  void round_step(std::size_t index, torch::Tensor result, Values& values, const ForwardOptions& options);
  // What step `index` gives before it is rounded to its tensor's grid.
  torch::Tensor unrounded(std::size_t index, const Values& values, const ForwardOptions& options);

  // Everything that is trained / everything that must be stored, by name ("conv1.weight", "range.conv1", ...).
  std::vector<std::pair<std::string, torch::Tensor>> parameters() const;
  std::map<std::string, torch::Tensor> state() const;
  // Throws std::runtime_error naming the tensor that is missing, left over or of another shape.
  void load_state(const std::map<std::string, torch::Tensor>& state);

  // The factor batch norm multiplies the weights by, and what it adds: folded weight = weight * gain, bias.
  torch::Tensor folding_gain(int stage) const;
  torch::Tensor folded_weight(int stage) const;
  torch::Tensor folded_bias(int stage) const;
  // The scales of the folded weights under the plan, [channels], and what the weights are when rounded to them.
  torch::Tensor scale_of_weights(int stage) const;
  torch::Tensor rounded_weight(int stage) const;

  // Were the float network's means taken?
  bool has_means() const;
  // Shifts become part of biases and statistics, and means are forgotten: training goes on from there.
  void settle_means();

  // Sets the widths. Ranges of tensors whose width changed, and learned steps of tensors and weights, are found anew:
  // what is best to clip depends on the width.
  void set_plan(const model::Plan& plan);
  // Takes the present scales and ranges as steps to be learned from now on, where there are none yet and the width is
  // at most QuantizeOptions::widest_learned; wider ones follow ranges. Throws std::logic_error when a range is not
  // known.
  void start_steps();
  // Keeps learned steps of weights within an eighth of the step that gives the largest weight the largest code, and 1.5
  // times it; for behind each change of weights or steps.
  void bound_steps();

  // The network with only the `kept` channels of each group, the rest cut out of every tensor. The same cut is applied
  // to `parallel`, tensors that run parallel to parameters() (momentum).
  Module with_channels(const KeptChannels& kept, std::vector<torch::Tensor>* parallel) const;

  // Grids of all tensors, in tensor order, and the weight scales they follow from.
  struct Grids {
    std::vector<TrainingGrid> tensors;
    std::vector<std::optional<TrainingGrid>> tables;  // per tensor: of the index of the table that makes it
    std::vector<torch::Tensor> weight_scales;         // per stage, of folded weights
  };
  Grids grids() const;

  const model::Network& network() const { return network_; }
  const Layout& layout() const { return layout_; }
  const ChannelGroups& groups() const { return groups_; }
  const model::Plan& plan() const { return plan_; }
  const StageWeights& stage(int index) const { return weights_.at(static_cast<std::size_t>(index)); }
  StageWeights& stage(int index) { return weights_.at(static_cast<std::size_t>(index)); }
  const std::vector<std::optional<Range>>& ranges() const { return ranges_; }
  // The values that float inputs take; those of bytes lie between 0 and 1.
  void set_input_range(double low, double high);
  bool ranges_ready() const;
  void forget_ranges();

  QuantizeOptions options;

 private:
  explicit Module(model::Network network);
  // What the weights of a stage are multiplied by, and their scales behind that; undefined in a float pass.
  struct StageScale {
    torch::Tensor gain, scale;
    double largest = 0;
  };
  torch::Tensor run_stage(const Step& step, const torch::Tensor& input, const TrainingGrid& input_grid,
                          const StageScale& scale, const ForwardOptions& forward);
  torch::Tensor evaluate(const Step& step, const Values& values, const StageScale& scale,
                         const ForwardOptions& forward);
  void observe(const Step& step, const torch::Tensor& values, const ForwardOptions& options);
  // The range of a step's tensor at `bits`, as it is seen in `values`.
  Range seen_range(const Step& step, const torch::Tensor& values, int bits, int samples) const;
  StageScale scale_of(int stage) const;
  void finish(const Step& step, torch::Tensor output, const StageScale& scale, Values& values,
              const ForwardOptions& forward);
  // Does the tensor, or do the stage's weights, have a learned step?
  bool learned(int tensor) const;
  bool learned_weights(int stage) const;
  torch::Tensor largest_step(int stage) const;
  TrainingGrid tensor_grid(int tensor, double smallest_step) const;
  model::Coding coding(int tensor, int bits) const;
  double smallest_step(const Step& step, const std::vector<TrainingGrid>& grids, const StageScale& scale) const;
  bool by_table(const Step& step) const;
  void clip_input();
  bool shares_format(const Step& step) const;

  model::Network network_;
  Layout layout_;
  ChannelGroups groups_;
  model::Plan plan_;
  std::vector<int> bits_;  // per tensor
  std::vector<StageWeights> weights_;
  std::vector<std::optional<Range>> ranges_;        // per tensor; those of source tensors count
  std::optional<Range> input_extremes_;             // of float inputs; none where inputs are bytes
  std::vector<std::optional<Range>> table_ranges_;  // per tensor: in front of the table that makes it
  std::vector<torch::Tensor> steps_;                // per tensor: [1], learned; 0: not yet
  std::vector<int> rounded_;  // tensors that training rounds to a grid of their own: their steps can be learned
};

}  // namespace bitstrata::quant
