// SPDX-License-Identifier: Apache-2.0
// Lists of layers as other simulators write them: shapes alone, without the graph between the layers. Such a list can
// be priced layer by layer; it cannot be executed, because no layer reads what another one has written.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "model/integer_network.h"
#include "model/plan.h"

namespace bitstrata::model {

struct ListedLayer {
  std::string name;  // unique in its list
  Shape input;
  Window window;
  int out_channels = 1;
  int groups = 1;
  Shape output() const;
  std::int64_t macs() const;
};

struct LayerList {
  std::string name;  // of the file, without its extension
  std::vector<ListedLayer> layers;
  std::int64_t total_macs() const;
};

// Whether a name is that of such a file (it ends in .csv).
bool is_layer_list(const std::string& name);

// Reads either format; a file that begins with a line of words is SCALE-Sim's, one of numbers alone NeuroSim's. Throws
// std::runtime_error with file and line.
//
// SCALE-Sim topology: a line of headings, then
//   name, IFMAP height, IFMAP width, filter height, filter width, channels, filters, stride [, stride of the width],
// (a trailing comma and what follows it after a # are optional). IFMAP sizes include the padding, so none is added; a
// last window that reaches over the edge counts, as in SCALE-Sim (ceil), and reads zeros. A name with `DP` in it is a
// depthwise layer: a filter sees one channel. A heading `Layer, M, N, K` announces matrix products: M x K times K x N,
// here M pixels of K channels and N outputs. The sparsity column of SCALE-Sim v3 is refused unless it is dense.
//
// NeuroSim NetWork.csv: no headings,
//   IFM length, IFM width, IFM depth, kernel length, kernel width, kernel depth (outputs), followed by pooling, stride
// IFM sizes are without padding, and the output has ceil(size / stride) rows and columns (padding "same"), which is
// what the next lines of such files read. (NeuroSim's own count of input vectors leaves the padding out.) The pooling
// is not a layer of the list: the file does not say which.
LayerList load_layer_list(const std::filesystem::path& file);

// As for a network: one width for all weights, one for all inputs.
Plan uniform_plan(const LayerList& list, int weight_bits, int activation_bits);

// The layers side by side, each with an input and an output tensor of its own; numbers are missing, as cost models
// want it. A list does not say who reads an output, so every output is as wide as its layer's input, and unsigned.
// Throws std::invalid_argument when the plan is for other layers.
IntegerNetwork integer_shapes(const LayerList& list, const Plan& plan);

}  // namespace bitstrata::model
