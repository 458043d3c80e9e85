// SPDX-License-Identifier: Apache-2.0
// A network made ready for one accelerator: descriptor list, and where everything lies in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/architecture.h"
#include "model/golden.h"
#include "model/integer_network.h"
#include "rtl/generate/descriptor.h"
#include "rtl/generate/layer_program.h"

namespace bitstrata::generate {

// Where a tensor lies in memory: rows of `row_lines` lines, each line `bits` planes of data_bits/8 bytes;
// bit (x*channels + c) mod data_bits of line (x*channels + c) / data_bits, plane p, is bit p of the code. The images of
// a batch follow each other without a gap: together they are one tensor `batch` times as high.
struct TensorPlacement {
  std::uint32_t address = 0;  // of the first image
  int row_lines = 0;
  std::uint32_t bytes = 0;  // of one image
};

// Parameters and weights of a layer: one region, which nothing reads before the layer begins or after it is done.
struct LayerNumbers {
  std::uint32_t address = 0, bytes = 0;
  Mapping mapping;
  std::vector<Piece> pieces;  // one a descriptor of the layer
};

// The memory itself is filled by those who need it: a layer's numbers are put where they belong when its turn comes.
struct Program {
  model::Architecture architecture;
  std::vector<std::string> layer_names;
  int batch = 1;                             // images a run; each layer is done for all of them before the next one
  std::vector<Descriptor> descriptors;       // in the order of the list
  std::vector<int> descriptor_layer;         // the layer each one runs, or runs a piece of
  std::vector<model::TensorFormat> formats;  // as IntegerNetwork::tensors
  std::vector<TensorPlacement> tensors;      // one per format
  std::vector<int> layer_output;             // tensor index written by each layer
  std::uint32_t list_address = 0;
  std::size_t memory_bytes = 0;       // descriptors, tensors, parameters, weights
  std::vector<LayerNumbers> numbers;  // one per layer
  std::shared_ptr<const model::IntegerNetwork> network;

  // The descriptors of layer `layer`: first, and one past the last.
  std::pair<std::size_t, std::size_t> descriptors_of(std::size_t layer) const;
};

// Throws std::invalid_argument as program_layer does, and for a batch below 1 or too large for one list. Layers that
// the buffers do not hold are cut into pieces, in the way the judge finds fastest; sim/fast.h has the exact one.
Program lower(const model::IntegerNetwork& network, const model::Architecture& architecture, const Judge& judge = {},
              int batch = 1);

// Fill memory that is zero: the descriptor list; what layer `layer` reads beside tensors.
void put_list(const Program& program, std::span<std::uint8_t> memory);
void put_layer(const Program& program, std::size_t layer, std::span<std::uint8_t> memory);
// All of it, with zeroed tensors.
std::vector<std::uint8_t> memory_image(const Program& program);

// Codes of a tensor of image `image` of the batch.
void write_tensor(const Program& program, int tensor, const model::Codes& codes, std::span<std::uint8_t> memory,
                  int image = 0);
model::Codes read_tensor(const Program& program, int tensor, std::span<const std::uint8_t> memory, int image = 0);

}  // namespace bitstrata::generate
