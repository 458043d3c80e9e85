// SPDX-License-Identifier: Apache-2.0
#include "quant/search/plan_search.h"

#include <cmath>

namespace bitstrata::quant {

namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

bool open(const Losses& losses, std::size_t variable, int value) {
  return value >= 0 && at(value) < losses[variable].size() && std::isfinite(losses[variable][at(value)]);
}

}  // namespace

Point improve(PlanCosts& costs, const Losses& losses, const Costs& allowed, Point point) {
  const std::size_t count = point.size();
  const auto gain = [&](std::size_t v, int value) { return losses[v][at(point[v])] - losses[v][at(value)]; };
  for (;;) {
    constexpr double least = 1e-12;  // of a gain, lest rounding sends the search in circles
    double best = least;
    Point chosen;
    const auto consider = [&](Point candidate, double gained) {
      if (gained <= best || !within(costs.total(candidate), allowed)) return;
      best = gained;
      chosen = std::move(candidate);
    };
    for (std::size_t v = 0; v < count; ++v) {
      for (int value = 0; at(value) < losses[v].size(); ++value) {
        if (value == point[v] || !open(losses, v, value)) continue;
        Point candidate = point;
        candidate[v] = value;
        const double gained = gain(v, value);
        consider(candidate, gained);
        if (value < point[v]) continue;
        // What this one rises, another may pay for by falling.
        for (std::size_t other = 0; other < count; ++other) {
          if (other == v || !open(losses, other, point[other] - 1)) continue;
          const double both = gained + gain(other, point[other] - 1);
          if (both <= best) continue;
          Point pair = candidate;
          --pair[other];
          consider(std::move(pair), both);
        }
      }
    }
    if (best <= least) return point;
    point = std::move(chosen);
  }
}

Point promote(PlanCosts& costs, const Losses& losses, const Costs& allowed, Point point) {
  Costs present = costs.total(point);
  for (bool raised = true; raised;) {
    raised = false;
    for (std::size_t v = 0; v < point.size(); ++v) {
      // The farthest value that is free, not the next one: plateaus may have a bump.
      for (int value = static_cast<int>(losses[v].size()) - 1; value > point[v]; --value) {
        if (!open(losses, v, value) || losses[v][at(value)] > losses[v][at(point[v])]) continue;
        Point candidate = point;
        candidate[v] = value;
        const Costs costly = costs.total(candidate);
        bool free = true;
        for (std::size_t q = 0; q < costly.size(); ++q)
          free = free && (!std::isfinite(allowed[q]) || costly[q] <= present[q]);
        if (!free) continue;
        point = std::move(candidate);
        present = costly;
        raised = true;
        break;
      }
    }
  }
  return point;
}

Point smallest(const Losses& losses) {
  Point point;
  for (std::size_t v = 0; v < losses.size(); ++v) {
    int value = 0;
    while (!open(losses, v, value) && at(value) + 1 < losses[v].size()) ++value;
    point.push_back(value);
  }
  return point;
}

}  // namespace bitstrata::quant
