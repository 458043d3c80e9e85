// SPDX-License-Identifier: Apache-2.0
// Who knows what plans do to a network: the question side of every search.
#pragma once

#include <vector>

#include "quant/search/plan_search.h"

namespace bitstrata::quant {

// The loss and its slopes between values (LossOracle::slopes).
struct Slopes {
  double loss = 0;
  std::vector<double> by_variable;  // change of the loss for one value more
};

class LossOracle {
 public:
  virtual ~LossOracle() = default;
  // The mean loss of the network under the plan, on some images.
  virtual double loss(const model::Plan& plan) = 0;
  // How the loss changes from that of `point` when one variable moves by at most `reach` of its values: 0 at the
  // point's own value, infinite where the move is farther or the network no longer has the channels.
  virtual Losses single_changes(const SearchSpace& space, const Point& point, int reach) = 0;
  // Between values: every variable has a real place among its values, and what lies between two widths is rounded to
  // both, (1 - t) of the narrower and t of the wider one (FracBits, Yang and Jin, AAAI 2021). The mean loss then, on
  // some of the images, others in each `turn`, and its slope in every place. Channels lie at whole places and have the
  // slope 0.
  virtual Slopes slopes(const SearchSpace& space, const std::vector<double>& places, int turn) = 0;
  // By weight layer: the share of values that are not 0 in what it writes, under the plan.
  virtual std::vector<double> densities(const model::Plan& plan) = 0;
  // Trains under the plan, where training goes on: the answers that follow are the trained network's. Channels that the
  // plan removes are gone from then on.
  virtual void adapt(const model::Plan& plan) = 0;
  // Does `adapt` do anything?
  virtual bool trains() const { return false; }
  // The mean loss behind a short training under the plan, which is taken back: what fine-tuning will make of it. Only
  // where `tries()`.
  virtual double trial(const model::Plan& plan) = 0;
  virtual bool tries() const { return false; }
  // Images through the whole network so far: a changed half of a network is half a pass, a training image is three.
  virtual double passes() const = 0;
};

inline constexpr int any_reach = 1 << 20;

}  // namespace bitstrata::quant
