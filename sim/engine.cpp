// SPDX-License-Identifier: Apache-2.0
#include "sim/engine.h"

namespace bitstrata::sim {

const char* to_string(RunError error) {
  switch (error) {
    case RunError::none:
      return "none";
    case RunError::descriptor:
      return "bad descriptor";
    case RunError::memory:
      return "memory error response";
    case RunError::no_progress:
      return "no progress (watchdog)";
  }
  return "unknown";
}

std::vector<model::Events> events_of_layers(const generate::Program& program,
                                            const std::vector<model::Events>& descriptors) {
  std::vector<model::Events> layers;
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    const int layer = program.descriptor_layer.at(i);
    if (i == 0 || program.descriptor_layer[i - 1] != layer) layers.emplace_back();
    layers.back() += descriptors[i];
  }
  // The last one may have been cut short.
  const std::size_t next = descriptors.size();
  if (next > 0 && next < program.descriptors.size() &&
      program.descriptor_layer[next] == program.descriptor_layer[next - 1])
    layers.pop_back();
  return layers;
}

}  // namespace bitstrata::sim
