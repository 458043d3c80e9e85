// SPDX-License-Identifier: Apache-2.0
#include "sim/engine.h"

#include <fmt/format.h>

#include <utility>

namespace bitstrata::sim {

const char* to_string(RunError error) {
  switch (error) {
    case RunError::none:
      return "none";
    case RunError::descriptor:
      return "bad descriptor or address";
    case RunError::memory:
      return "memory error response";
    case RunError::no_progress:
      return "no progress (watchdog)";
  }
  return "unknown";
}

void check_base(const model::Architecture& architecture, const MemoryBehaviour& behaviour) {
  if (architecture.address_width < 64 && behaviour.base >> architecture.address_width != 0) {
    throw std::invalid_argument(
        fmt::format("memory begins at {:#x}; addresses of {} bits (address_width) reach up to {:#x}", behaviour.base,
                    architecture.address_width, (std::uint64_t{1} << architecture.address_width) - 1));
  }
}

void check_inputs(const generate::Program& program, std::span<const model::Codes> inputs) {
  if (inputs.size() != static_cast<std::size_t>(program.batch)) {
    throw std::invalid_argument(
        fmt::format("{} images for a program that runs {} at once", inputs.size(), program.batch));
  }
}

void place_inputs(const generate::Program& program, std::span<const model::Codes> inputs,
                  std::span<std::uint8_t> memory) {
  check_inputs(program, inputs);
  generate::put_list(program, memory);
  for (std::size_t layer = 0; layer < program.numbers.size(); ++layer) generate::put_layer(program, layer, memory);
  for (int image = 0; image < program.batch; ++image)
    generate::write_tensor(program, 0, inputs[static_cast<std::size_t>(image)], memory, image);
}

std::vector<std::vector<model::Codes>> read_tensors(const generate::Program& program,
                                                    std::span<const std::uint8_t> memory) {
  std::vector<std::vector<model::Codes>> all(static_cast<std::size_t>(program.batch));
  for (int image = 0; image < program.batch; ++image) {
    for (std::size_t t = 0; t < program.formats.size(); ++t)
      all[static_cast<std::size_t>(image)].push_back(
          generate::read_tensor(program, static_cast<int>(t), memory, image));
  }
  return all;
}

RunResult Engine::run(const generate::Program& program, std::span<const model::Codes> inputs,
                      const MemoryBehaviour& behaviour) {
  std::vector<std::vector<model::Codes>> tensors(inputs.size());
  for (std::size_t image = 0; image < inputs.size(); ++image) {
    tensors[image].resize(program.formats.size());
    tensors[image][0] = inputs[image];
  }
  RunResult result = run(program, inputs, behaviour, [&](std::size_t layer, const std::vector<model::Codes>& images) {
    const auto tensor = static_cast<std::size_t>(program.layer_output.at(layer));
    for (std::size_t image = 0; image < images.size(); ++image) tensors[image][tensor] = images[image];
  });
  result.tensors = std::move(tensors);
  return result;
}

std::vector<RunResult> Engine::run_each(std::span<const Job> jobs) {
  std::vector<RunResult> results;
  for (const Job& job : jobs) {
    results.push_back(run(*job.program, job.inputs, {}, [](std::size_t, const std::vector<model::Codes>&) {}));
    if (results.back().error != RunError::none) break;
  }
  return results;
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
