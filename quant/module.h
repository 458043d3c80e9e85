// SPDX-License-Identifier: Apache-2.0
// The trainable network: one set of weights, run in float or fake-quantized (internal: includes LibTorch).
#pragma once

#include <torch/torch.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "model/network.h"
#include "model/plan.h"
#include "model/stages.h"
#include "quant/fake_quantize.h"
#include "quant/options.h"

namespace bitstrata::quant {

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
  bool normalised() const { return gamma.defined(); }
};

// Non-zero and total elements behind each stage, of the tensors as the next layer reads them.
struct DensityCount {
  std::vector<std::int64_t> nonzero, total;
  std::vector<torch::Tensor> channel_nonzero;  // [channels], int64; filled where `per_channel`
  bool per_channel = false;
};

struct ForwardOptions {
  bool quantized = false;         // fake-quantize by plan and ranges
  bool batch_statistics = false;  // batch norm by the batch's own statistics, running ones follow
  double norm_momentum = 0.1;     // share of this batch in the running statistics
  double observe = 0.0;           // share of this batch's range in the tensors' ranges; 0 leaves them alone
  DensityCount* density = nullptr;
  std::vector<torch::Tensor>* codes = nullptr;  // takes the codes of all tensors (of a quantized pass), as floats
};

// Batch norm and quantization. While training, batch norm stays alive: weights are quantized as the accelerator will
// hold them, multiplied by gamma/sqrt(running_var+eps) (the folded domain), divided by that factor again, and batch
// norm follows with batch statistics. So the codes trained with are the codes exported, no second convolution is
// needed, and with frozen or evaluated batch norm the result is exactly the folded layer.
class Module {
 public:
  static constexpr double kNormEpsilon = 1e-5;

  // He-normal weights from `seed`.
  Module(model::Network network, std::uint64_t seed);

  // `images`: bytes, [n][channel][y][x]. Returns logits [n][classes].
  torch::Tensor forward(const torch::Tensor& images, const ForwardOptions& options);

  // Everything that is trained / everything that must be stored, by name ("conv1.weight", "range.conv1", ...).
  std::vector<std::pair<std::string, torch::Tensor>> parameters() const;
  std::map<std::string, torch::Tensor> state() const;
  // Throws std::runtime_error naming the tensor that is missing, left over or of another shape.
  void load_state(const std::map<std::string, torch::Tensor>& state);

  // The factor batch norm multiplies the weights by, and what it adds: folded weight = weight * gain, bias.
  torch::Tensor folding_gain(int stage) const;
  torch::Tensor folded_weight(int stage) const;
  torch::Tensor folded_bias(int stage) const;

  // Sets the widths; ranges of tensors whose width changed are found anew.
  void set_plan(const model::Plan& plan);

  // The network with only `kept[stage]` output channels of each stage (ascending indices), the rest cut out of every
  // tensor. `cut` applies the same cut to tensors that run parallel to parameters() (momentum).
  Module with_channels(const std::vector<std::vector<std::int64_t>>& kept, std::vector<torch::Tensor>* parallel) const;

  // Grids of all tensors, in tensor order, and the weight scales they follow from.
  struct Grids {
    std::vector<Grid> tensors;
    std::vector<torch::Tensor> weight_scales;  // per stage, of folded weights
  };
  Grids grids() const;

  const model::Network& network() const { return network_; }
  const Layout& layout() const { return layout_; }
  const model::Plan& plan() const { return plan_; }
  const StageWeights& stage(int index) const { return weights_.at(static_cast<std::size_t>(index)); }
  StageWeights& stage(int index) { return weights_.at(static_cast<std::size_t>(index)); }
  const std::vector<Range>& ranges() const { return ranges_; }
  bool ranges_ready() const;
  void forget_ranges();

  QuantizeOptions options;

 private:
  torch::Tensor run_stage(const Step& step, const torch::Tensor& input, const Grid& input_grid,
                          const torch::Tensor& scale, const ForwardOptions& options);
  Grid tensor_grid(int tensor, double smallest_step) const;
  double smallest_step(double unit, const torch::Tensor& scale) const;

  model::Network network_;
  Layout layout_;
  model::Plan plan_;
  std::vector<int> bits_;  // per tensor
  std::vector<StageWeights> weights_;
  std::vector<Range> ranges_;  // per tensor; those of source tensors count
};

// Shared by the float and the exact path. `padding` fills the border.
torch::Tensor convolve(const torch::Tensor& input, const torch::Tensor& weight, const model::Node& node,
                       double padding);
torch::Tensor pool_max(const torch::Tensor& input, const model::Window& window);
torch::Tensor pool_sum(const torch::Tensor& input, const model::Window& window);

}  // namespace bitstrata::quant
