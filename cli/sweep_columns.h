// SPDX-License-Identifier: Apache-2.0
// What the tables, files and conditions of a sweep know of a point, by the names of their columns.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "cli/sweep_front.h"

namespace bitstrata::cli {

// Nothing (not known), a count, a number, yes or no, words.
using Cell = std::variant<std::monostate, std::int64_t, double, bool, std::string>;

struct Column {
  std::string name;
  std::function<Cell(const SweepPoint&)> of;
};

std::string text_of(const Cell& cell);  // empty: not known; numbers with six digits
nlohmann::json json_of(const Cell& cell);

// Keys of the architecture file whose values differ somewhere in the sweep.
std::vector<std::string> varied(const sim::Sweep& sweep);

// The columns of front.csv and points.csv. They refer to `sweep` and `fronts`, which must outlive them.
std::vector<Column> shown_columns(const sim::Sweep& sweep, const Fronts& fronts);
// These but for a point's place in the fronts, and all parameters of the architectures: what a condition may name.
std::vector<Column> all_columns(const sim::Sweep& sweep, const Fronts& fronts);

}  // namespace bitstrata::cli
