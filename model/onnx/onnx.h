// SPDX-License-Identifier: Apache-2.0
// ONNX files in and out. Float networks, and quantized ones as QuantizeLinear/DequantizeLinear pairs, QLinear operators
// or QONNX nodes (Quant, BipolarQuant, Trunc).
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "model/float_network.h"

namespace bitstrata::model {

struct ImportOptions {
  std::vector<std::int64_t> input_shape;  // as the file counts, batch first; for files that leave dimensions open
  // Tensors that are the result, joined along their channels in this order where there are several; empty: the file's
  // first output.
  std::vector<std::string> outputs;
  bool file_order = false;  // the caller gives the output in the file's order: no note tells that ours is another
};

// How a file orders the network's output, or the tensor in front of what was left to the host.
struct OutputLayout {
  std::vector<std::int64_t> dims;    // as the file counts for one sample; none for a single number
  std::vector<std::int64_t> places;  // of each of the file's elements, row-major: where it lies in the network's output
  // The dimensions of one entry of an array of samples: without a batch of 1, which the samples take the place of.
  std::vector<std::int64_t> sample_dims() const;
  // Which of the file's elements is the largest of the network's output (the first one among equals): the class, as who
  // labelled samples for the file counts.
  template <typename T>
  int largest(const std::vector<T>& output) const {
    const auto found = std::ranges::max_element(
        places, {}, [&](std::int64_t place) { return output.at(static_cast<std::size_t>(place)); });
    return static_cast<int>(found - places.begin());
  }
};

// The network in our graph: batch norms folded, layouts turned to NHWC, shape arithmetic gone. FloatNetwork::notes
// tells what was left to the host. Throws std::runtime_error naming the file and the node where an operator is not
// supported, or the outputs where an output that is asked for is not there or several cannot be joined. Fills `layout`
// where one is given.
FloatNetwork import_onnx(const std::filesystem::path& file, const ImportOptions& options = {},
                         OutputLayout* layout = nullptr);

enum class OnnxStyle {
  qdq,    // QuantizeLinear/DequantizeLinear in opset 14, or 21 where codes are wider than 8 bits; widths other than 8
          // and 16 are clipped, and stand in the file's metadata
  qonnx,  // Quant nodes, any width
};

// Writes a fully quantized network: every weight layer with codes, every layer's output with a grid. Throws
// std::invalid_argument naming the node where that is not so, std::runtime_error where the file cannot be written.
void write_onnx(const FloatNetwork& network, OnnxStyle style, const std::filesystem::path& file);

}  // namespace bitstrata::model
