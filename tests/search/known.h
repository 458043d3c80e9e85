// SPDX-License-Identifier: Apache-2.0
// Losses that are known for every plan of a small problem, without training.
#pragma once

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "quant/search/oracle.h"
#include "tests/search/problem.h"

namespace bitstrata::quant::test {

// Losses of single values, and of neighbouring variables that are narrow together.
class Known final : public LossOracle {
 public:
  Known(const Problem& problem, double interaction) : problem_(problem), interaction_(interaction) {}

  double at(const Point& point) const {
    double loss = loss_of(problem_.losses, point);
    for (std::size_t v = 1; v < point.size(); ++v)
      loss += interaction_ * problem_.losses[v][static_cast<std::size_t>(point[v])] *
              problem_.losses[v - 1][static_cast<std::size_t>(point[v - 1])];
    return loss * std::pow(0.9, adapted);  // training helps a little, every time
  }
  double loss(const model::Plan& plan) override {
    ask();
    ++passes_;
    return at(problem_.space.point(plan));
  }
  Losses single_changes(const SearchSpace& space, const Point& point, int reach) override {
    ask();
    Losses changes;
    for (std::size_t v = 0; v < point.size(); ++v) {
      changes.emplace_back();
      for (std::size_t k = 0; k < space.variables()[v].values.size(); ++k, ++passes_) {
        Point other = point;
        other[v] = static_cast<int>(k);
        const bool far = std::abs(other[v] - point[v]) > reach;
        changes.back().push_back(far ? std::numeric_limits<double>::infinity() : at(other) - at(point));
      }
    }
    return changes;
  }
  // Corners of the places' cell, weighted.
  Slopes slopes(const SearchSpace& space, const std::vector<double>& places, int) override {
    ask();
    passes_ += 3;
    const auto [low, shares] = space.cell(places);
    std::vector<std::size_t> moved;
    for (std::size_t v = 0; v < places.size(); ++v)
      if (has_between(space.variables()[v])) moved.push_back(v);
    Slopes result{0, std::vector<double>(places.size(), 0.0)};
    for (std::uint32_t corner = 0; corner < 1U << moved.size(); ++corner) {
      Point point = low;
      std::vector<double> parts;
      double all = 1;
      for (std::size_t i = 0; i < moved.size(); ++i) {
        const bool wider = (corner >> i & 1U) != 0;
        point[moved[i]] += wider ? 1 : 0;
        const double share = shares[moved[i]];
        parts.push_back(wider ? share : 1 - share);
        all *= parts.back();
      }
      const double loss = at(point);
      result.loss += all * loss;
      for (std::size_t i = 0; i < moved.size(); ++i) {
        double others = (corner >> i & 1U) != 0 ? 1 : -1;
        for (std::size_t j = 0; j < moved.size(); ++j)
          if (j != i) others *= parts[j];
        result.by_variable[moved[i]] += others * loss;
      }
    }
    return result;
  }
  std::vector<double> densities(const model::Plan& plan) override {
    ask();
    return std::vector<double>(plan.layers.size(), density);
  }
  void adapt(const model::Plan&) override {
    ask();
    ++adapted;
  }
  // Training mends what narrow neighbours do to each other, and weighs single values its own way.
  double trial(const model::Plan& plan) override {
    ask();
    passes_ += 10;
    ++tried;
    return after_training(problem_.space.point(plan));
  }
  bool tries() const override { return trials; }
  double after_training(const Point& point) const {
    double loss = 0;
    for (std::size_t v = 0; v < point.size(); ++v)
      loss += problem_.losses[v][static_cast<std::size_t>(point[v])] * static_cast<double>(1 + v % 3);
    return loss;
  }
  double passes() const override { return passes_; }

  bool trials = false;
  int adapted = 0, asked = 0, tried = 0;
  double density = 0.6;                        // of every layer
  int most = std::numeric_limits<int>::max();  // questions until it is as if the program were killed

 private:
  void ask() {
    if (asked >= most) throw std::runtime_error("killed");
    ++asked;
  }
  const Problem& problem_;
  double interaction_;
  double passes_ = 0;
};

}  // namespace bitstrata::quant::test
