// SPDX-License-Identifier: Apache-2.0
// model/calibration, compiled in.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace bitstrata::sim::gates {

struct RecordedBytes {
  std::array<int, 3> shape{};  // height, width, channels
  std::span<const std::uint8_t> images, labels;
};

RecordedBytes recorded_bytes();

}  // namespace bitstrata::sim::gates
