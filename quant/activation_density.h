// SPDX-License-Identifier: Apache-2.0
// Activation-density quantization and pruning (Vasquez et al., DATE 2021): k <- round(k * AD) while training.
#pragma once

#include "model/technology.h"
#include "quant/search.h"

namespace bitstrata::quant {

// Which density drives layer l's width k_l, the width of its weights and of its input tensor.
//
// The paper counts AD_l behind layer l's own ReLU and scales k_l by it: `output`, the default. Reasons for keeping it:
// it is the published rule, and the same AD_l then drives the layer's width and its channels C_l, so a layer that says
// little becomes both narrow and thin. `input` takes the density of the tensor the layer reads, which is the tensor
// whose width changes: an alternative for hardware where zeros in the operand matter most. Either way weights and input
// share one width, because the published PIM table prices unequal widths at the larger one.
enum class DensityOf { output, input };

// By weight layer: of what it writes and of what it reads.
struct Densities {
  std::vector<double> outputs, inputs;
};

struct ActivationDensityOptions {
  int initial_bits = 16;         // first and last layer keep it
  int floor_bits = 3;            // the bare rule halves widths for ever: post-ReLU density stays near one half
  int max_iterations = 8;        // the first trains at initial_bits
  int epochs_per_iteration = 3;  // at most; an iteration ends earlier when densities saturate
  double saturation = 0.02;      // largest change of a layer's density between two epochs that counts as flat
  double max_drop = 0.03;        // of validation accuracy below the best iteration, else back to the last good bits
  double dead_density = 0.001;   // a layer at or below it is dead
  bool prune = false;            // C <- round(C * AD) in the same loop
  int minimum_channels = 4;
  DensityOf density_of = DensityOf::output;
  EpochSchedule schedule;  // of every epoch
};

// Iterations of: train until the densities are flat, judge, accept or go back, shrink. Where widths and channels shrank
// together and accuracy fell, the last good state is tried again with new widths alone before the search ends.
class ActivationDensity final : public Search {
 public:
  ActivationDensity(ActivationDensityOptions options, SearchProblem problem);

  void step(Trainable& network) override;
  bool done() const override { return done_; }
  const std::vector<SearchStep>& log() const override { return log_; }
  nlohmann::json state() const override;
  void resume(const nlohmann::json& state) override;

  // The rule itself: widths and channels that follow `plan` under `density`.
  model::Plan shrink(const model::Network& network, const model::Plan& plan, const Densities& density,
                     bool channels) const;

 private:
  void begin(Trainable& network);
  void judge(Trainable& network);
  void advance(Trainable& network);
  bool saturated() const;
  bool dead() const;
  void record(Trainable& network, double accuracy, const std::string& event);

  ActivationDensityOptions options_;
  SearchProblem problem_;
  bool started_ = false;
  bool done_ = false;
  bool pruning_ = false;          // channels still shrink
  bool channels_shrank_ = false;  // in the present iteration
  int iteration_ = 0;
  double passes_ = 0;                 // over the training images in this iteration
  int epochs_ = 0;                    // of this iteration
  double best_accuracy_ = 0;          // of all iterations
  std::vector<Densities> densities_;  // of this iteration's epochs
  Densities good_density_;            // of the kept state
  std::vector<SearchStep> log_;
  int good_step_ = -1;  // the log entry of the kept state
};

// Training effort relative to `baseline_epochs` epochs of the unquantized, unpruned network: sum over iterations of
// epochs / reduction, over baseline_epochs. The paper's reduction is that of the MAC cost: with `mac_energy` a MAC
// costs what that says (the paper's is the line of 45nm-mac-memory), relative to `initial_bits`; without, only removed
// MACs count.
double training_complexity(const std::vector<SearchStep>& log, const model::Network& unpruned, int initial_bits,
                           double extra_full_epochs, double baseline_epochs, const model::Technology* mac_energy);

}  // namespace bitstrata::quant
