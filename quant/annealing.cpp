// SPDX-License-Identifier: Apache-2.0
#include "quant/annealing.h"

namespace bitstrata::quant {

using nlohmann::json;

Annealing::Annealing(int epochs, EpochSchedule schedule, int frozen_epochs, bool start_counts)
    : count_(epochs), schedule_(schedule), frozen_epochs_(frozen_epochs), start_counts_(start_counts) {}

void Annealing::step(Trainable& network) {
  if (done()) return;
  const int index = static_cast<int>(epochs_.size());
  if (index == 0 && start_counts_) {
    best_accuracy_ = network.validation_accuracy();
    network.keep();
  }
  EpochSchedule schedule = schedule_;
  schedule.from = static_cast<double>(index) / count_;
  schedule.to = static_cast<double>(index + 1) / count_;
  schedule.freeze_batch_norm = index >= count_ - frozen_epochs_;
  const EpochReport report = network.train_epoch(schedule);
  const double accuracy = network.validation_accuracy();
  epochs_.push_back({report.loss, report.train_accuracy, accuracy, report.seconds, report.density});
  if (accuracy > best_accuracy_) {
    best_accuracy_ = accuracy;
    best_epoch_ = index + 1;
    network.keep();
  }
  if (done() && best_epoch_ != count_) network.restore();
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
  return {{"best_accuracy", best_accuracy_}, {"best_epoch", best_epoch_}, {"epochs", epochs}};
}

void Annealing::resume(const json& state) {
  best_accuracy_ = state.at("best_accuracy");
  best_epoch_ = state.at("best_epoch");
  epochs_.clear();
  for (const json& epoch : state.at("epochs"))
    epochs_.push_back({epoch.at("loss"), epoch.at("train_accuracy"), epoch.at("validation_accuracy"),
                       epoch.at("seconds"), epoch.at("activation_density")});
}

}  // namespace bitstrata::quant
