// SPDX-License-Identifier: Apache-2.0
#include "model/float_steps.h"

#include <algorithm>
#include <cmath>

namespace bitstrata::model {

void take_steps(const std::vector<ValueStep>& steps, std::size_t channels, std::span<const float> source,
                Reals& values) {
  for (const ValueStep& step : steps) {
    const std::vector<float>& numbers = step.numbers;
    for (std::size_t i = 0; i < values.size(); ++i) {
      float& value = values[i];
      const float number = numbers.empty() ? 0 : numbers[numbers.size() == channels ? i % channels : 0];
      switch (step.kind) {
        case ValueStep::Kind::add:
          value += number;
          break;
        case ValueStep::Kind::multiply:
          value *= number;
          break;
        case ValueStep::Kind::divide:
          value /= number;
          break;
        case ValueStep::Kind::clip:
          value = std::min(std::max(value, step.low), step.high);
          break;
        case ValueStep::Kind::recode:
          value = std::nearbyint(value / step.low) * step.high;
          break;
        case ValueStep::Kind::leak:
          if (value < 0) value *= number;
          break;
        case ValueStep::Kind::multiply_by_source:
          value *= source[i];
          break;
      }
    }
  }
}

}  // namespace bitstrata::model
