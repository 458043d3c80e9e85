// SPDX-License-Identifier: Apache-2.0
// Turns integer layers into a descriptor list and a memory layout.
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "rtl/generate/field_limits.h"
#include "rtl/generate/program.h"

namespace bitstrata::generate {

Program lower(const model::IntegerNetwork& network, const model::Architecture& architecture, const Judge& judge,
              int batch) {
  validate(network);
  validate(architecture);
  if (batch < 1) throw std::invalid_argument(fmt::format("a batch of {} images", batch));
  const model::Architecture& a = architecture;
  const auto tensor = [](int index) { return static_cast<std::size_t>(index); };
  Program program;
  program.architecture = a;
  program.batch = batch;
  program.formats = network.tensors;
  std::vector<LayerProgram> layers;
  std::size_t descriptors = 0;
  for (const model::IntegerLayer& layer : network.layers) {
    layers.push_back(program_layer(a, network, layer, {}, judge, batch));
    descriptors += layers.back().descriptors.size();
  }
  if (descriptors > static_cast<std::size_t>(most_descriptors))
    throw std::invalid_argument(
        fmt::format("{} descriptors for {} images at once; a list holds {}", descriptors, batch, most_descriptors));
  MemoryLayout layout(a);
  program.list_address = layout.reserve(static_cast<std::int64_t>(descriptors) * descriptor_stride);
  for (const auto& format : network.tensors) {
    TensorPlacement place;
    place.row_lines = row_lines(a, format);
    const std::int64_t bytes = tensor_bytes(a, format);
    place.address = layout.reserve(batch * bytes);
    place.bytes = static_cast<std::uint32_t>(bytes);
    program.tensors.push_back(place);
  }
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const model::IntegerLayer& layer = network.layers[i];
    LayerProgram& part = layers[i];
    Bases bases{.input = program.tensors[tensor(layer.input)].address,
                .second = layer.second < 0 ? 0 : program.tensors[tensor(layer.second)].address,
                .output = program.tensors[tensor(layer.output)].address};
    bases.parameters = layout.reserve(part.parameter_bytes);
    if (part.weight_bytes > 0) bases.weights = layout.reserve(part.weight_bytes);
    move(part, {}, bases);
    program.numbers.push_back({.address = bases.parameters,
                               .bytes = static_cast<std::uint32_t>(layout.bytes()) - bases.parameters,
                               .mapping = part.mapping,
                               .pieces = std::move(part.pieces)});
    for (const Descriptor& d : part.descriptors) {
      program.descriptors.push_back(d);
      program.descriptor_layer.push_back(static_cast<int>(i));
    }
    program.layer_names.push_back(layer.name);
    program.layer_output.push_back(layer.output);
  }
  program.descriptors.back().set(F_LAST, 1);
  program.memory_bytes = layout.bytes();
  if (static_cast<std::int64_t>(program.memory_bytes) > address_space(a))
    throw std::invalid_argument(
        fmt::format("the memory image has {} bytes; architecture '{}' (address_width {}) reaches {}",
                    program.memory_bytes, a.name, a.address_width, address_space(a)));
  program.network = std::make_shared<const model::IntegerNetwork>(network);
  return program;
}

std::pair<std::size_t, std::size_t> Program::descriptors_of(std::size_t layer) const {
  // Not std::ranges: clang 14, which builds the fuzz targets, does not compile that of GCC 12's library.
  const auto [begin, end] = std::equal_range(descriptor_layer.begin(), descriptor_layer.end(), static_cast<int>(layer));
  return {static_cast<std::size_t>(begin - descriptor_layer.begin()),
          static_cast<std::size_t>(end - descriptor_layer.begin())};
}

void put_list(const Program& program, std::span<std::uint8_t> memory) {
  MemoryImage image(memory);
  for (std::size_t i = 0; i < program.descriptors.size(); ++i)
    image.put(program.list_address + static_cast<std::uint32_t>(i) * descriptor_stride, program.descriptors[i]);
}

void put_layer(const Program& program, std::size_t layer, std::span<std::uint8_t> memory) {
  MemoryImage image(memory);
  const auto [begin, end] = program.descriptors_of(layer);
  const LayerNumbers& numbers = program.numbers.at(layer);
  put_numbers(image, program.architecture, *program.network, program.network->layers.at(layer),
              std::span(program.descriptors).subspan(begin, end - begin), numbers.mapping, numbers.pieces);
}

std::vector<std::uint8_t> memory_image(const Program& program) {
  std::vector<std::uint8_t> memory(program.memory_bytes);
  put_list(program, memory);
  for (std::size_t layer = 0; layer < program.numbers.size(); ++layer) put_layer(program, layer, memory);
  return memory;
}

}  // namespace bitstrata::generate
