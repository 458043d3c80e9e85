// SPDX-License-Identifier: Apache-2.0
#include "sim/engine.h"

#include <fmt/format.h>

#include <algorithm>

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

void place_inputs(const generate::Program& program, std::span<const model::Codes> inputs,
                  std::span<std::uint8_t> memory) {
  if (inputs.size() != static_cast<std::size_t>(program.batch)) {
    throw std::invalid_argument(
        fmt::format("{} images for a program that runs {} at once", inputs.size(), program.batch));
  }
  std::ranges::copy(program.image, memory.begin());
  for (int image = 0; image < program.batch; ++image)
    generate::write_tensor(program, 0, inputs[static_cast<std::size_t>(image)], memory, image);
}

std::vector<std::vector<model::Codes>> read_tensors(const generate::Program& program,
                                                    std::span<const std::uint8_t> memory) {
  std::vector<std::vector<model::Codes>> all(static_cast<std::size_t>(program.batch));
  for (int image = 0; image < program.batch; ++image) {
    auto& tensors = all[static_cast<std::size_t>(image)];
    tensors.reserve(program.formats.size());
    for (std::size_t t = 0; t < program.formats.size(); ++t)
      tensors.push_back(generate::read_tensor(program, static_cast<int>(t), memory, image));
  }
  return all;
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
