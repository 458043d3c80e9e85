// SPDX-License-Identifier: Apache-2.0
// Scores: what is thought to tell how single changes of a plan change the loss.
#pragma once

#include <string>
#include <vector>

#include "quant/search/plan_search.h"

namespace bitstrata::quant {

class Surroundings;

struct ChangeScore {
  const char* name;
  const char* what;  // a line for people
  // By variable and value, from that of the point: 0 at the point's own value, infinite where nobody asked. Takes into
  // account all values of variables that are within reach (Surroundings::asked).
  Losses (*around)(Surroundings& surroundings);
  bool is_loss = false;        // changes of a loss; of other scores only ratios mean something
  bool needs_labels = false;   // takes the gradient of the labels' cross entropy
  bool needs_teacher = false;  // is taken against the float network's answers
};

// Every score, in the order in which people are shown them; the first is what searches take unless told otherwise.
const std::vector<ChangeScore>& scores();
// Nothing where there is none of the name.
const ChangeScore* find_score(const std::string& name);

// The scores themselves, one file a family. Every one is a sum over images (or weights) of how far what a change makes
// is from what it would be without any rounding of that variable and with all its channels; from this, that of the
// point's own value is taken off, so that wider values count as gains.

// measured.cpp
Losses loss_score(Surroundings& surroundings);
Losses divergence_score(Surroundings& surroundings);
// distance.cpp
Losses mean_distance_score(Surroundings& surroundings);
Losses weighted_distance_score(Surroundings& surroundings);
// gradient.cpp
Losses gradient_score(Surroundings& surroundings);
// fisher.cpp
Losses fisher_score(Surroundings& surroundings);
// steps.cpp
Losses step_score(Surroundings& surroundings);
// density.cpp
Losses density_score(Surroundings& surroundings);
// mask.cpp
Losses mask_score(Surroundings& surroundings);

// Multiplied so that the largest finite one is 1: solvers of programs have absolute tolerances.
Losses in_shares(Losses losses);

}  // namespace bitstrata::quant
