// SPDX-License-Identifier: Apache-2.0
// The price of a plan from published energies of a MAC, and the accuracy of integers on a data set.
#pragma once

#include "model/integer_network.h"
#include "model/technology.h"
#include "quant/search.h"
#include "quant/training_data.h"

namespace bitstrata::quant {

// Energy of all MACs of one image in fJ, each layer's by Technology::mac_fj. Throws std::invalid_argument where that
// does.
double mac_energy_fj(const model::Network& network, const model::Plan& plan, const model::Technology& technology);

struct Score {
  int images = 0;
  int correct = 0;
  double accuracy() const { return images ? static_cast<double>(correct) / images : 0.0; }
  double standard_error() const;  // of the accuracy, binomial
};

// Answers of the golden integers to the first `count` examples (0: all), on `threads` threads.
Score golden_score(const model::IntegerNetwork& network, const Examples& examples, int count, int threads);

}  // namespace bitstrata::quant
