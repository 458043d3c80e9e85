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
  std::vector<std::string> notes;  // what names say of layers, each a line
  std::int64_t total_macs() const;
};

// Whether a name is that of such a file (it ends in .csv or .CSV).
bool is_layer_list(const std::string& name);

// Reads either format. Headings say what a column is (model/layer_list_table.h), in any order: a heading that is not
// known is refused, columns of notes are skipped; they may stand in a comment. Without headings eight numbers are a
// layer of NeuroSim's, a name with 3 or 7 numbers one of SCALE-Sim's. A number without a heading behind the stride may
// be another stride or a batch and is refused, unless it and the stride are 1. Throws std::runtime_error with file and
// line.
//
// SCALE-Sim topology:
//   name, IFMAP height, IFMAP width, filter height, filter width, channels, filters, stride,
// IFMAP sizes include the padding, so none is added; a last window that reaches over the edge counts, as in SCALE-Sim
// (ceil), and reads zeros. Where a column gives the padding (on each side), sizes are without it and windows stay
// inside. Further columns: strides, paddings and dilations of each axis, groups, batch size (1), sparsity (N:N, which
// is dense). A name with `DP` in it is a depthwise layer: a filter sees one channel. `Layer, M, N, K` are matrix
// products: M x K times K x N, here M rows of one pixel of K channels and N outputs.
//
// NeuroSim NetWork.csv:
//   IFM length, IFM width, IFM depth, kernel length, kernel width, kernel depth (outputs), followed by pooling, stride
// IFM sizes are without padding, and the output has ceil(size / stride) rows and columns (padding "same"), which is
// what the next lines of such files read. (NeuroSim's own count of input vectors leaves the padding out.) The pooling
// is not a layer of the list: the file does not say which.
LayerList load_layer_list(const std::filesystem::path& file);

// One width for all weights and one for all inputs, like a network's uniform plan.
Plan uniform_plan(const LayerList& list, int weight_bits, int activation_bits);

// The layers side by side, each with an input and an output tensor of its own; numbers are missing, as cost models
// want it. A list does not say who reads an output, so every output is as wide as its layer's input, and unsigned.
// Throws std::invalid_argument when the plan is for other layers.
IntegerNetwork integer_shapes(const LayerList& list, const Plan& plan);

}  // namespace bitstrata::model
