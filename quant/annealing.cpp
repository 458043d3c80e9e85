// SPDX-License-Identifier: Apache-2.0
#include "quant/annealing.h"

#include <algorithm>
#include <cmath>

namespace bitstrata::quant {

using nlohmann::json;

namespace {

// Error of an accuracy on so many images. One more image of each answer keeps it above 0 where all are right.
double standard_error(double accuracy, int images) {
  if (images == 0) return 0;
  const double share = (accuracy * images + 1) / (images + 2);
  return std::sqrt(share * (1 - share) / images);
}

}  // namespace

Annealing::Annealing(int epochs, EpochSchedule schedule, int frozen_epochs, bool start_counts, int judged_on)
    : count_(epochs),
      schedule_(schedule),
      frozen_epochs_(frozen_epochs),
      start_counts_(start_counts),
      judged_on_(judged_on) {}

void Annealing::step(Trainable& network) {
  if (done()) return;
  const int index = static_cast<int>(epochs_.size());
  if (index == 0 && start_counts_) {
    best_accuracy_ = kept_accuracy_ = network.validation_accuracy();
    network.keep();
  }
  EpochSchedule schedule = schedule_;
  schedule.from = static_cast<double>(index) / count_;
  schedule.to = static_cast<double>(index + 1) / count_;
  schedule.freeze_batch_norm = index >= count_ - frozen_epochs_;
  const EpochReport report = network.train_epoch(schedule);
  const double accuracy = network.validation_accuracy();
  epochs_.push_back({report.loss, report.train_accuracy, accuracy, report.seconds, report.density});
  if (accuracy > best_accuracy_ || accuracy > best_accuracy_ - standard_error(best_accuracy_, judged_on_)) {
    best_accuracy_ = std::max(best_accuracy_, accuracy);
    kept_accuracy_ = accuracy;
    kept_epoch_ = index + 1;
    network.keep();
  }
  if (done() && kept_epoch_ != count_) network.restore();
}

json to_json(const Annealing::Epoch& epoch) {
  return {{"loss", epoch.loss},
          {"train_accuracy", epoch.train_accuracy},
          {"validation_accuracy", epoch.validation_accuracy},
          {"seconds", epoch.seconds},
          {"activation_density", epoch.density}};
}

json Annealing::state() const {
  json epochs = json::array();
  for (const Epoch& epoch : epochs_) epochs.push_back(to_json(epoch));
  return {{"best_accuracy", best_accuracy_},
          {"kept_accuracy", kept_accuracy_},
          {"kept_epoch", kept_epoch_},
          {"epochs", epochs}};
}

void Annealing::resume(const json& state) {
  best_accuracy_ = state.at("best_accuracy");
  kept_accuracy_ = state.at("kept_accuracy");
  kept_epoch_ = state.at("kept_epoch");
  epochs_.clear();
  for (const json& epoch : state.at("epochs"))
    epochs_.push_back({epoch.at("loss"), epoch.at("train_accuracy"), epoch.at("validation_accuracy"),
                       epoch.at("seconds"), epoch.at("activation_density")});
}

}  // namespace bitstrata::quant
