// SPDX-License-Identifier: Apache-2.0
// Turns integer layers into a descriptor list and a memory image.
#include <fmt/format.h>

#include <stdexcept>

#include "rtl/generate/program.h"

namespace bitstrata::generate {

namespace {

constexpr std::size_t most_descriptors = 65535;  // the sequencer counts them in 16 bits

}  // namespace

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
  if (descriptors > most_descriptors)
    throw std::invalid_argument(
        fmt::format("{} descriptors for {} images at once; a list holds {}", descriptors, batch, most_descriptors));
  Image image;
  program.list_address = image.reserve(static_cast<std::int64_t>(descriptors) * descriptor_stride);
  for (const auto& format : network.tensors) {
    TensorPlacement place;
    place.row_lines = row_lines(a, format);
    const std::int64_t bytes = tensor_bytes(a, format);
    place.address = image.reserve(batch * bytes);
    place.bytes = static_cast<std::uint32_t>(bytes);
    program.tensors.push_back(place);
  }
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const model::IntegerLayer& layer = network.layers[i];
    LayerProgram& part = layers[i];
    Bases bases{.input = program.tensors[tensor(layer.input)].address,
                .second = layer.second < 0 ? 0 : program.tensors[tensor(layer.second)].address,
                .output = program.tensors[tensor(layer.output)].address};
    bases.parameters = image.reserve(part.parameter_bytes);
    if (part.weight_bytes > 0) bases.weights = image.reserve(part.weight_bytes);
    move(part, {}, bases);
    put_numbers(image, a, network, layer, part);
    for (const Descriptor& d : part.descriptors) {
      program.descriptors.push_back(d);
      program.descriptor_layer.push_back(static_cast<int>(i));
    }
    program.layer_names.push_back(layer.name);
    program.layer_output.push_back(layer.output);
  }
  program.descriptors.back()[D_CONTROL] |= std::uint32_t{1} << C_LAST;
  for (std::size_t i = 0; i < program.descriptors.size(); ++i)
    image.put(program.list_address + static_cast<std::uint32_t>(i) * descriptor_stride, program.descriptors[i]);
  program.image = image.take();
  return program;
}

}  // namespace bitstrata::generate
