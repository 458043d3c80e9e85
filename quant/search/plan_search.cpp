// SPDX-License-Identifier: Apache-2.0
#include "quant/search/plan_search.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace bitstrata::quant {

namespace {

constexpr double least_gain = 1e-12;  // of a move, lest rounding sends the search in circles

std::size_t at(int index) { return static_cast<std::size_t>(index); }

bool open(const Losses& losses, std::size_t variable, int value) {
  return value >= 0 && at(value) < losses[variable].size() && std::isfinite(losses[variable][at(value)]);
}

// Costs that were added up by differences are off by roundings: cycles and bits are whole and exact, energies are not.
bool nearly_within(const Costs& costs, const Costs& allowed) {
  for (std::size_t q = 0; q < costs.size(); ++q)
    if (!(costs[q] <= allowed[q] * (1 + 1e-9))) return false;
  return true;
}

}  // namespace

double loss_of(const Losses& losses, const Point& point) {
  double sum = 0;
  for (std::size_t v = 0; v < point.size(); ++v) sum += losses.at(v).at(at(point[v]));
  return sum;
}

double excess(const Costs& costs, const Costs& allowed) {
  double sum = 0;
  for (std::size_t q = 0; q < costs.size(); ++q)
    if (costs[q] > allowed[q]) sum += allowed[q] > 0 ? costs[q] / allowed[q] - 1 : costs[q];
  return sum;
}

Neighbourhood::Neighbourhood(PlanCosts& costs, Point point)
    : costs_(costs), layers_(costs.variables().size()), counted_(costs.variables().size(), 0) {
  move_to(std::move(point));
}

void Neighbourhood::move_to(Point point) {
  point_ = std::move(point);
  total_ = {};
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    layers_[i] = costs_.layer(i, point_);
    for (std::size_t q = 0; q < total_.size(); ++q) total_[q] += layers_[i][q];
  }
}

void Neighbourhood::add_changes(std::size_t variable, Costs& sum) {
  for (const int i : costs_.layers_of()[variable]) {
    if (std::exchange(counted_[at(i)], question_) == question_) continue;
    const Costs& now = costs_.layer(at(i), point_);
    for (std::size_t q = 0; q < sum.size(); ++q) sum[q] += now[q] - layers_[at(i)][q];
  }
}

Costs Neighbourhood::with(std::size_t variable, int value) { return with(variable, value, variable, value); }

Costs Neighbourhood::with(std::size_t variable, int value, std::size_t other, int other_value) {
  ++question_;
  Costs sum = total_;
  const int before = std::exchange(point_[variable], value);
  const int other_before = std::exchange(point_[other], other_value);
  add_changes(variable, sum);
  if (other != variable) add_changes(other, sum);
  point_[other] = other_before;
  point_[variable] = before;
  return sum;
}

Point improve(PlanCosts& costs, const Losses& losses, const Costs& allowed, Point point) {
  Neighbourhood near(costs, std::move(point));
  const auto gain = [&](std::size_t v, int value) { return losses[v][at(near.point()[v])] - losses[v][at(value)]; };
  for (;;) {
    double best = least_gain;
    Point chosen;
    const auto consider = [&](std::size_t v, int value, std::size_t other, int other_value, double gained) {
      if (gained <= best || !nearly_within(near.with(v, value, other, other_value), allowed)) return;
      Point candidate = near.point();
      candidate[v] = value;
      candidate[other] = other_value;
      if (!within(costs.total(candidate), allowed)) return;
      best = gained;
      chosen = std::move(candidate);
    };
    for (std::size_t v = 0; v < losses.size(); ++v) {
      for (int value = 0; at(value) < losses[v].size(); ++value) {
        if (value == near.point()[v] || !open(losses, v, value)) continue;
        const double gained = gain(v, value);
        consider(v, value, v, value, gained);
        if (gained <= best) continue;  // what another pays for it can only take from the gain
        for (std::size_t other = 0; other < losses.size(); ++other) {
          if (other == v) continue;
          for (int paid = near.point()[other] - 1; paid >= 0; --paid)
            if (open(losses, other, paid)) consider(v, value, other, paid, gained + gain(other, paid));
        }
      }
    }
    if (best <= least_gain) return near.point();
    near.move_to(std::move(chosen));
  }
}

std::vector<Point> exchanges(PlanCosts& costs, const Losses& losses, const Costs& allowed, const Point& point,
                             std::size_t count) {
  Neighbourhood near(costs, point);
  std::vector<std::pair<double, Point>> found;
  const auto consider = [&](std::size_t v, int value, std::size_t other, int other_value) {
    if (!nearly_within(near.with(v, value, other, other_value), allowed)) return;
    Point candidate = point;
    candidate[v] = value;
    candidate[other] = other_value;
    if (!within(costs.total(candidate), allowed)) return;
    double change = losses[v][at(value)] - losses[v][at(point[v])];
    if (other != v) change += losses[other][at(other_value)] - losses[other][at(point[other])];
    found.emplace_back(change, std::move(candidate));
  };
  for (std::size_t v = 0; v < losses.size(); ++v) {
    for (int value = point[v] + 1; at(value) < losses[v].size(); ++value) {
      if (!open(losses, v, value) || !open(losses, v, point[v])) continue;
      consider(v, value, v, value);
      for (std::size_t other = 0; other < losses.size(); ++other) {
        if (other == v || !open(losses, other, point[other])) continue;
        for (int paid = point[other] - 1; paid >= 0; --paid)
          if (open(losses, other, paid)) consider(v, value, other, paid);
      }
    }
  }
  std::ranges::stable_sort(found, {}, &std::pair<double, Point>::first);
  std::vector<Point> best;
  for (std::size_t i = 0; i < std::min(count, found.size()); ++i) best.push_back(std::move(found[i].second));
  return best;
}

Point descend(PlanCosts& costs, const Losses& losses, const Costs& allowed, Point point, int widest_step) {
  Neighbourhood near(costs, std::move(point));
  for (double beyond = excess(near.costs(), allowed); beyond > 0; beyond = excess(near.costs(), allowed)) {
    double best = 0;
    Point chosen;
    for (std::size_t v = 0; v < losses.size(); ++v) {
      const int present = near.point()[v];
      for (int value = present - 1; value >= 0 && value >= present - widest_step; --value) {
        if (!open(losses, v, value)) continue;
        const double off = beyond - excess(near.with(v, value), allowed);
        const double added = std::max(losses[v][at(value)] - losses[v][at(present)], 0.0);
        // What costs no loss is taken first, the largest of it.
        const double worth = added > least_gain ? off / added : off / least_gain;
        if (off <= least_gain || worth <= best) continue;
        best = worth;
        chosen = near.point();
        chosen[v] = value;
      }
    }
    if (chosen.empty()) break;
    near.move_to(std::move(chosen));
  }
  return near.point();
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
