// SPDX-License-Identifier: Apache-2.0
#include "quant/search/linear_program.h"

#include <coin/Cbc_C_Interface.h>

#include <cmath>
#include <memory>
#include <stdexcept>

namespace bitstrata::quant {

int LinearProgram::add_row(double low, double high) {
  rows_.push_back({low, high});
  return static_cast<int>(rows_.size()) - 1;
}

int LinearProgram::begin_column(double cost, double low, double high, bool integer) {
  starts_.push_back(static_cast<int>(places_.size()));
  costs_.push_back(cost);
  low_.push_back(low);
  high_.push_back(high);
  integer_.push_back(integer);
  return static_cast<int>(costs_.size()) - 1;
}

void LinearProgram::add(int row, double value) {
  if (value == 0) return;
  places_.push_back(row);
  values_.push_back(value);
}

LinearProgram::Answer LinearProgram::solve(double seconds, double gap, double cutoff) const {
  const std::unique_ptr<Cbc_Model, void (*)(Cbc_Model*)> model(Cbc_newModel(), Cbc_deleteModel);
  std::vector<CoinBigIndex> starts(starts_.begin(), starts_.end());
  starts.push_back(static_cast<CoinBigIndex>(places_.size()));
  std::vector<double> low, high;
  for (const Row& row : rows_) low.push_back(row.low), high.push_back(row.high);
  Cbc_loadProblem(model.get(), static_cast<int>(costs_.size()), static_cast<int>(rows_.size()), starts.data(),
                  places_.data(), values_.data(), low_.data(), high_.data(), costs_.data(), low.data(), high.data());
  for (std::size_t i = 0; i < integer_.size(); ++i)
    if (integer_[i]) Cbc_setInteger(model.get(), static_cast<int>(i));
  Cbc_setObjSense(model.get(), 1);
  Cbc_setLogLevel(model.get(), 0);
  Cbc_setMaximumSeconds(model.get(), seconds);
  Cbc_setAllowableFractionGap(model.get(), gap);
  if (std::isfinite(cutoff)) Cbc_setCutoff(model.get(), cutoff);
  Cbc_solve(model.get());

  if (Cbc_isAbandoned(model.get()) != 0) throw std::runtime_error("the solver of integer programs gave up (CBC)");
  Answer answer;
  const bool none = Cbc_isProvenInfeasible(model.get()) != 0;
  answer.proven = none || Cbc_isProvenOptimal(model.get()) != 0;
  const double* const solution = Cbc_bestSolution(model.get());
  if (none || solution == nullptr) return answer;
  answer.solved = true;
  answer.values.assign(solution, solution + costs_.size());
  answer.bound = Cbc_getBestPossibleObjValue(model.get());
  return answer;
}

}  // namespace bitstrata::quant
