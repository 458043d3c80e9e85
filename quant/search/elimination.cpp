// SPDX-License-Identifier: Apache-2.0
#include "quant/search/elimination.h"

#include <algorithm>
#include <limits>
#include <set>

namespace bitstrata::quant {

namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

std::set<int> neighbours(int variable, const std::vector<std::vector<int>>& scopes, const std::vector<bool>& alive) {
  std::set<int> found;
  for (std::size_t f = 0; f < scopes.size(); ++f)
    if (alive[f] && std::ranges::find(scopes[f], variable) != scopes[f].end())
      found.insert(scopes[f].begin(), scopes[f].end());
  found.erase(variable);
  return found;
}

}  // namespace

Elimination::Elimination(std::vector<int> sizes, const std::vector<std::vector<int>>& scopes)
    : sizes_(std::move(sizes)), functions_(scopes.size()) {
  for (std::size_t f = 0; f < scopes.size(); ++f)
    if (scopes[f].empty()) constants_.push_back(f);
  std::vector<std::vector<int>> left = scopes;
  std::vector<bool> alive(left.size(), true);
  std::vector<bool> gone(sizes_.size(), false);
  for (std::size_t n = 0; n < sizes_.size(); ++n) {
    int next = -1;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t v = 0; v < sizes_.size(); ++v) {
      if (gone[v]) continue;
      double sums = sizes_[v];
      for (const int other : neighbours(static_cast<int>(v), left, alive)) sums *= sizes_[at(other)];
      if (sums < least) least = sums, next = static_cast<int>(v);
    }
    if (next < 0) {  // every step would be larger than numbers are
      work_ = least;
      return;
    }
    gone[at(next)] = true;
    work_ += least;
    eliminate(next, left, alive);
  }
}

void Elimination::eliminate(int variable, std::vector<std::vector<int>>& scopes, std::vector<bool>& alive) {
  Step step;
  step.variable = variable;
  const std::set<int> scope = neighbours(variable, scopes, alive);
  step.scope.assign(scope.begin(), scope.end());
  double size = 1;
  for (const int v : step.scope) size *= sizes_[at(v)];
  step.size = size < 1e15 ? static_cast<std::size_t>(size) : std::numeric_limits<std::size_t>::max();
  for (std::size_t f = 0; f < scopes.size(); ++f) {
    if (!alive[f] || std::ranges::find(scopes[f], variable) == scopes[f].end()) continue;
    alive[f] = false;
    Input input;
    input.function = static_cast<int>(f);
    input.strides.assign(step.scope.size(), 0);
    std::size_t stride = 1;
    for (const int v : scopes[f]) {
      if (v == variable) {
        input.own_stride = stride;
      } else {
        input.strides[at(static_cast<int>(std::ranges::find(step.scope, v) - step.scope.begin()))] = stride;
      }
      stride *= at(sizes_[at(v)]);
    }
    step.inputs.push_back(std::move(input));
  }
  scopes.push_back(step.scope);
  alive.push_back(true);
  steps_.push_back(std::move(step));
}

void Elimination::run(Step& step, const std::vector<std::vector<double>>& values) {
  step.least.assign(step.size, std::numeric_limits<double>::infinity());
  step.where.assign(step.size, 0);
  std::vector<const double*> bases;
  for (const Input& input : step.inputs)
    bases.push_back(at(input.function) < functions_ ? values[at(input.function)].data()
                                                    : steps_[at(input.function) - functions_].least.data());
  std::vector<int> digits(step.scope.size(), 0);
  std::vector<std::size_t> offsets(step.inputs.size(), 0);
  const int own = sizes_[at(step.variable)];
  for (std::size_t place = 0; place < step.size; ++place) {
    for (int k = 0; k < own; ++k) {
      double sum = 0;
      for (std::size_t i = 0; i < bases.size(); ++i) sum += bases[i][offsets[i] + at(k) * step.inputs[i].own_stride];
      if (sum < step.least[place]) step.least[place] = sum, step.where[place] = k;
    }
    for (std::size_t d = 0; d < digits.size(); ++d) {
      const bool carry = ++digits[d] == sizes_[at(step.scope[d])];
      for (std::size_t i = 0; i < offsets.size(); ++i) {
        const std::size_t stride = step.inputs[i].strides[d];
        offsets[i] = carry ? offsets[i] - stride * at(digits[d] - 1) : offsets[i] + stride;
      }
      if (!carry) break;
      digits[d] = 0;
    }
  }
}

double Elimination::minimize(const std::vector<std::vector<double>>& values, std::vector<int>& point) {
  double sum = 0;
  for (const std::size_t f : constants_) sum += values[f][0];
  for (Step& step : steps_) {
    run(step, values);
    if (step.scope.empty()) sum += step.least[0];
  }
  point.assign(sizes_.size(), 0);
  for (std::size_t s = steps_.size(); s-- > 0;) {
    const Step& step = steps_[s];
    std::size_t place = 0, stride = 1;
    for (const int v : step.scope) {
      place += stride * at(point[at(v)]);
      stride *= at(sizes_[at(v)]);
    }
    point[at(step.variable)] = step.where[place];
  }
  return sum;
}

}  // namespace bitstrata::quant
