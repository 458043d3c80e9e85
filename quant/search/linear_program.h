// SPDX-License-Identifier: Apache-2.0
// Linear and integer programs by CBC.
#pragma once

#include <vector>

namespace bitstrata::quant {

// A minimization by columns; rows are counted first.
class LinearProgram {
 public:
  int add_row(double low, double high);
  // A column's number; its entries follow by `add`.
  int begin_column(double cost, double low, double high, bool integer);
  void add(int row, double value);
  std::size_t columns() const { return costs_.size(); }

  struct Answer {
    bool solved = false;  // there is a solution
    bool proven = false;  // that it is the best within the gap, or that there is none
    std::vector<double> values;
    double bound = 0;  // no solution is below
  };
  // Throws std::runtime_error where CBC gives up. `cutoff`: solutions above are of no interest.
  Answer solve(double seconds, double gap, double cutoff) const;

 private:
  struct Row {
    double low, high;
  };
  std::vector<Row> rows_;
  std::vector<int> starts_, places_;
  std::vector<double> values_, costs_, low_, high_;
  std::vector<bool> integer_;
};

}  // namespace bitstrata::quant
