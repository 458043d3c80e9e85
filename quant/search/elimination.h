// SPDX-License-Identifier: Apache-2.0
// The least value of a sum of functions of few variables each.
#pragma once

#include <cstddef>
#include <vector>

namespace bitstrata::quant {

// Minimizes sums over discrete variables exactly by eliminating one variable after another (Bertele and Brioschi 1972;
// "bucket elimination", Dechter 1999): what it costs is exponential only in how many variables meet at once, which for
// the layers of a network are a few. The order is found once, for functions of the same variables.
class Elimination {
 public:
  // `sizes`: how many values each variable has. `scopes`: by function, its variables, none twice.
  Elimination(std::vector<int> sizes, const std::vector<std::vector<int>>& scopes);

  // Sums that a minimization takes; above what fits into memory it must not be asked for.
  double work() const { return work_; }
  // `values`: by function, of every combination of its variables' values, the first variable's running fastest. Returns
  // the least sum and sets `point` to where it is taken; infinite where every sum is.
  double minimize(const std::vector<std::vector<double>>& values, std::vector<int>& point);

 private:
  struct Input {
    int function = 0;  // from the count of scopes on: the result of an earlier step
    std::size_t own_stride = 0;
    std::vector<std::size_t> strides;  // of the step's scope
  };
  struct Step {
    int variable = 0;
    std::vector<int> scope;
    std::size_t size = 1;
    std::vector<Input> inputs;
    std::vector<double> least;  // by combination of the scope
    std::vector<int> where;
  };
  void eliminate(int variable, std::vector<std::vector<int>>& scopes, std::vector<bool>& alive);
  void run(Step& step, const std::vector<std::vector<double>>& values);

  std::vector<int> sizes_;
  std::size_t functions_;
  std::vector<std::size_t> constants_;  // functions of no variable
  std::vector<Step> steps_;
  double work_ = 0;
};

}  // namespace bitstrata::quant
