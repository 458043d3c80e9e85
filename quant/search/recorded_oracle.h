// SPDX-License-Identifier: Apache-2.0
// Answers that are kept in a file, so that a search that was stopped goes on where it was.
#pragma once

#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "quant/search/oracle.h"

namespace bitstrata::quant {

// Searches are functions of what they are told: begun anew and told the same, one asks the same questions and arrives
// where it was. So every answer goes into a journal, a line each, and a search is resumed by running it from the start
// with the answers that are there.
class RecordedOracle final : public LossOracle {
 public:
  // Training between questions: `keep` stores the state after training number n before the journal says so, `restore`
  // brings back that of the last one when the journal's answers are used up.
  struct States {
    std::function<void(int)> keep, restore;
  };
  // With `resume`, answers are taken from `journal` as long as there are some; a last line that was cut off is dropped.
  // Without, it is begun anew. Throws std::runtime_error where it cannot be written.
  RecordedOracle(LossOracle& inner, std::filesystem::path journal, bool resume, States states);

  // Throws std::invalid_argument, naming the line, where the journal answers another question: it is another search's.
  double loss(const model::Plan& plan) override;
  Losses single_changes(const SearchSpace& space, const Point& point, int reach) override;
  Slopes slopes(const SearchSpace& space, const std::vector<double>& places, int turn) override;
  std::vector<double> densities(const model::Plan& plan) override;
  void adapt(const model::Plan& plan) override;
  bool trains() const override { return inner_.trains(); }
  double trial(const model::Plan& plan) override;
  bool tries() const override { return inner_.tries(); }
  double passes() const override { return passes_; }
  // Trainings so far, those before a resumption among them.
  int trained() const { return trained_; }
  // Answers taken from the journal.
  int replayed() const { return static_cast<int>(next_); }

 private:
  double loss_of(const char* question, const model::Plan& plan, const std::function<double()>& ask);
  // The journal's answer to the question, or what `ask` says, which is added to the journal.
  nlohmann::json answer(const nlohmann::json& question, const std::function<nlohmann::json()>& ask);

  LossOracle& inner_;
  std::filesystem::path file_;
  States states_;
  std::vector<nlohmann::json> known_;
  std::size_t next_ = 0;
  std::ofstream stream_;
  double passes_ = 0, before_ = 0;  // `before_`: of the inner oracle when its answers began to count
  int trained_ = 0;
  bool live_ = false;
};

}  // namespace bitstrata::quant
