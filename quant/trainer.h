// SPDX-License-Identifier: Apache-2.0
// Trains a network on a data set, in float or fake-quantized.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

#include "model/float_network.h"
#include "model/integer_network.h"
#include "quant/price.h"
#include "quant/trainable.h"
#include "quant/training_data.h"

namespace bitstrata::quant {

class Module;

// Images of one batch where nothing is trained after calibration (Trainer::calibrate).
inline constexpr int calibration_batch = 512;

// The loss is not a number any more.
class Diverged : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The golden integers on the test images, and how far the float arithmetic of training agrees with them.
struct GoldenTest {
  Score score;
  std::int64_t compared = 0;  // codes of all tensors behind the input, of all images
  std::int64_t equal = 0;     // of them: fake quantization, with running statistics, arrives at the same code
};

enum class Part { train, validation, test };

// Stochastic gradient descent with Nesterov momentum. Order and augmentation of images depend only on seed and epoch
// number, so a run that is resumed from a checkpoint ends as an uninterrupted one does (at the same thread count).
class Trainer final : public Trainable {
 public:
  // From weights drawn by the seed, or from those of a float network. `data` must outlive the trainer. Throws
  // std::invalid_argument when its shape or classes do not fit the network.
  Trainer(const model::Network& network, const TrainingData& data, const TrainOptions& train,
          const QuantizeOptions& quantize = {});
  Trainer(const model::FloatNetwork& network, const TrainingData& data, const TrainOptions& train,
          const QuantizeOptions& quantize = {});
  ~Trainer() override;

  const model::Network& network() const override;
  const model::Plan& plan() const override;
  EpochReport train_epoch(const EpochSchedule& schedule) override;
  // Float: by the float network. Quantized: by the golden integers.
  double validation_accuracy() override;
  void apply(const model::Plan& plan) override;
  void keep() override;
  void restore() override;

  // From float to quantized: sets the plan; from now on forward passes are fake-quantized. With distillation the float
  // network is kept as it is now, as the teacher.
  void quantize(const model::Plan& plan);
  bool quantized() const;
  int training_images() const;
  // Finds the activation ranges from `images` training images, without training.
  // In batches of `batch`; 0: as training has them, quickly. Without training after it, ranges are worth larger ones
  // and a closer look at their values, and the float network's means are kept (Means), unless training under
  // quantization has made them others: at few bits that decides.
  void calibrate(int images, int batch = 0);
  // Looks at some hundred training images for the ranges that are missing, those of widths that changed; others stay,
  // and so do learned steps.
  void complete_ranges();

  // Has it trained under quantization?
  bool trained_quantized() const;
  // Does `work`, which may train and change the plan, and goes back to the state before, the number of epochs included.
  void aside(const std::function<void()>& work);

  // Share of correct answers among the first `count` images of a part (0: all).
  double accuracy(Part part, int count = 0);

  model::IntegerNetwork integers() const;
  // `integers`: those of this network. On TrainOptions::threads threads.
  GoldenTest golden_test(const model::IntegerNetwork& integers);

  // Everything needed to go on: weights, statistics, ranges, steps, momentum, the teacher, epoch counter, the kept
  // state, and `note` (the caller's own state). `load` returns the note; throws std::runtime_error naming what is
  // wrong.
  void save(const std::filesystem::path& file, const std::string& note) const;
  std::string load(const std::filesystem::path& file);
  // Weights, statistics and channels only: another run's result as a starting point. Where it was trained under
  // quantization, its float passes stay no measure of anything.
  void load_weights(const std::filesystem::path& file);

  // Called after every batch with (batches done, batches of the epoch, mean loss so far).
  std::function<void(int, int, double)> on_batch;

  // For tests and the exact path.
  Module& module();

 private:
  struct Impl;
  void check(const TrainingData& data) const;
  std::unique_ptr<Impl> impl_;
};

// The network name and kept channels a checkpoint was made for.
struct CheckpointHead {
  std::string network;
  bool quantized = false;
  bool trained_quantized = false;
  std::string note;
};
CheckpointHead read_head(const std::filesystem::path& file);

std::string libtorch_version();

}  // namespace bitstrata::quant
