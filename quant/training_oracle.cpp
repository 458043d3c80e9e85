// SPDX-License-Identifier: Apache-2.0
#include "quant/training_oracle.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <stdexcept>
#include <utility>

#include "quant/labelled.h"
#include "quant/sensitivity.h"

namespace bitstrata::quant {

using torch::Tensor;

struct TrainingOracle::Impl {
  Impl(Trainer& trained, const TrainingData& data, const OracleOptions& asked)
      : trainer(trained), options(asked), score(find_score(asked.score)) {
    if (score == nullptr) throw std::invalid_argument("there is no sensitivity '" + asked.score + "'");
    const std::int64_t wanted = options.images;
    const std::int64_t first = std::min<std::int64_t>(wanted, data.validation.count());
    const std::int64_t more = std::min<std::int64_t>(wanted - first, data.train.count());
    if (first + more == 0) throw std::invalid_argument("data set '" + data.name + "' has no images to search on");
    std::vector<Tensor> parts, answers;
    for (const auto& [part, count] : {std::pair{&data.validation, first}, std::pair{&data.train, more}}) {
      if (count == 0) continue;
      const Labelled labelled(*part, count);
      parts.push_back(labelled.images);
      answers.push_back(labelled.labels);
    }
    images = torch::cat(parts);
    labels = torch::cat(answers);
    if (options.teacher || score->needs_teacher) {
      const torch::NoGradGuard no_grad;
      std::vector<Tensor> logits;
      for (std::int64_t i = 0; i < images.size(0); i += kBatch)
        logits.push_back(trainer.module().forward(images.narrow(0, i, std::min(kBatch, images.size(0) - i)), {}));
      teacher = torch::cat(logits);
      passes += static_cast<double>(images.size(0));
    }
    refresh();
  }

  void train(const EpochSchedule& schedule) {
    const EpochReport report = trainer.train_epoch(schedule);
    passes += (3 * report.passes + report.teacher_passes) * static_cast<double>(trainer.training_images());
  }

  void refresh() {
    if (sensitivity) passes += sensitivity->passes();
    sensitivity.emplace(trainer.module(), images, labels, teacher, options.teacher ? Against::teacher : Against::labels,
                        *score);
  }

  static constexpr std::int64_t kBatch = 256;
  Trainer& trainer;
  OracleOptions options;
  const ChangeScore* score;
  Tensor images, labels, teacher;
  std::optional<Sensitivity> sensitivity;
  double passes = 0;  // of training and of earlier states of the network
};

TrainingOracle::TrainingOracle(Trainer& trainer, const TrainingData& data, const OracleOptions& options)
    : impl_(std::make_unique<Impl>(trainer, data, options)) {}

TrainingOracle::~TrainingOracle() = default;

double TrainingOracle::loss(const model::Plan& plan) { return impl_->sensitivity->loss(plan); }

Losses TrainingOracle::single_changes(const SearchSpace& space, const Point& point, int reach) {
  return impl_->sensitivity->single_changes(space, point, reach);
}

Slopes TrainingOracle::slopes(const SearchSpace& space, const std::vector<double>& places, int turn) {
  return impl_->sensitivity->slopes(space, places, turn);
}

std::vector<double> TrainingOracle::densities(const model::Plan& plan) { return impl_->sensitivity->densities(plan); }

void TrainingOracle::adapt(const model::Plan& plan) {
  if (impl_->options.epochs == 0) return;
  impl_->trainer.apply(plan);
  for (int epoch = 1; epoch <= impl_->options.epochs; ++epoch) {
    if (on_epoch) on_epoch(epoch, impl_->options.epochs);
    EpochSchedule schedule = impl_->options.schedule;
    schedule.from = static_cast<double>(epoch - 1) / impl_->options.epochs;
    schedule.to = static_cast<double>(epoch) / impl_->options.epochs;
    impl_->train(schedule);
  }
  refresh();
}

void TrainingOracle::settle(const model::Plan& plan) {
  impl_->trainer.apply(plan);
  if (impl_->trainer.trained_quantized())
    impl_->trainer.complete_ranges();
  else
    impl_->trainer.calibrate(impl_->options.calibration_images, calibration_batch);
}

double TrainingOracle::trial(const model::Plan& plan) {
  Impl& own = *impl_;
  double loss = std::numeric_limits<double>::infinity();
  const auto told = std::exchange(own.trainer.on_batch, nullptr);
  const auto work = [&] {
    settle(plan);
    const int all = own.trainer.training_images(), images = own.options.trial_images;
    const int epochs = std::max(1, images / all);
    EpochSchedule schedule;
    schedule.peak = own.options.trial_rate;
    schedule.images = std::min(images, all);
    for (int epoch = 0; epoch < epochs; ++epoch) {
      schedule.from = static_cast<double>(epoch) / epochs;
      schedule.to = static_cast<double>(epoch + 1) / epochs;
      own.train(schedule);
    }
    Sensitivity trained(own.trainer.module(), own.images, own.labels, own.teacher,
                        own.options.teacher ? Against::teacher : Against::labels, *own.score);
    loss = trained.loss(plan);
    own.passes += trained.passes();
  };
  try {
    own.trainer.aside(work);
  } catch (const Diverged&) {  // such a plan is none to choose
  }
  own.trainer.on_batch = told;
  return loss;
}

bool TrainingOracle::tries() const { return impl_->options.trial_images > 0; }

void TrainingOracle::refresh() { impl_->refresh(); }

bool TrainingOracle::trains() const { return impl_->options.epochs > 0; }

double TrainingOracle::passes() const { return impl_->passes + impl_->sensitivity->passes(); }

int TrainingOracle::images() const { return static_cast<int>(impl_->images.size(0)); }

}  // namespace bitstrata::quant
