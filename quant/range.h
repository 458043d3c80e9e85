// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace bitstrata::quant {

// Real values that codes are chosen for: those that a tensor was seen to take, or what is left of them after clipping.
struct Range {
  double low = 0.0;
  double high = 0.0;
};

}  // namespace bitstrata::quant
