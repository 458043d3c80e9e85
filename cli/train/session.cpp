// SPDX-License-Identifier: Apache-2.0
#include "cli/train/session.h"

#include <fmt/format.h>

namespace bitstrata::cli {

using nlohmann::json;

void load_weights(quant::Trainer& trainer, const std::filesystem::path& file) {
  try {
    trainer.load_weights(file);
  } catch (const std::runtime_error& error) {
    throw std::invalid_argument(error.what());
  }
}

Session::Session(std::unique_ptr<quant::Trainer> trainer, const Common& common)
    : common_(common), trainer_(std::move(trainer)) {
  trainer_->on_batch = [this](int done, int batches, double loss) {
    if (!progress_) progress_ = std::make_unique<model::Progress>(label_, batches, common_.quiet);
    progress_->advance(1, fmt::format("loss {:.4f}", loss));
    if (done == batches) progress_->finish();
  };
}

void Session::begin_epoch(const std::string& label) {
  label_ = label;
  progress_.reset();
}

void Session::end_epoch() { progress_.reset(); }

quant::EpochSchedule finetune_schedule(double peak) {
  quant::EpochSchedule schedule;
  schedule.peak = peak;
  schedule.warmup = 0.05;
  return schedule;
}

int frozen_epochs(int finetune_epochs) { return finetune_epochs >= 4 ? 1 : 0; }

void Session::finetune(quant::Annealing& annealing, const std::function<void()>& after) {
  while (!annealing.done()) {
    const std::string label = fmt::format("fine-tuning {}/{}", annealing.epochs().size() + 1, annealing.count());
    begin_epoch(label);
    annealing.step(*trainer_);
    end_epoch();
    const quant::Annealing::Epoch& last = annealing.epochs().back();
    say(common_, fmt::format("{}  loss {:.4f}  validation {:.2f} %  {:.1f} s", label, last.loss,
                             100 * last.validation_accuracy, last.seconds));
    after();
  }
  if (annealing.count() == 0 || annealing.kept_epoch() == annealing.count()) return;
  const std::string kept =
      annealing.kept_epoch() == 0 ? "the state before fine-tuning" : fmt::format("epoch {}", annealing.kept_epoch());
  say(common_, fmt::format("later epochs are worse than {}, which is kept: validation {:.2f} %", kept,
                           100 * annealing.kept_accuracy()));
}

std::optional<json> Session::resume(const std::filesystem::path& file, bool wanted, const json& identity) {
  if (!wanted) return std::nullopt;
  if (!std::filesystem::exists(file)) {
    say(common_, fmt::format("nothing to resume in {}: starting anew", file.parent_path().string()));
    return std::nullopt;
  }
  try {
    const json note = json::parse(quant::read_head(file).note);
    check_same_options(note.at("identity"), identity, "interrupted");
    if (const std::string changed = changed_content(note.at("identity"), identity); !changed.empty()) {
      say(common_, fmt::format("{}: the {} is another one than the interrupted run's: beginning anew",
                               file.parent_path().string(), changed));
      return std::nullopt;
    }
    trainer_->load(file);
    return note.at("progress");
  } catch (const std::invalid_argument&) {
    throw;
  } catch (const std::exception& error) {
    throw std::invalid_argument(fmt::format("--resume: {}", error.what()));
  }
}

void Session::save(const std::filesystem::path& file, const json& identity, const json& note) {
  trainer_->save(file, json{{"identity", identity}, {"progress", note}}.dump());
}

}  // namespace bitstrata::cli
