// SPDX-License-Identifier: Apache-2.0
// Which tensors of the file are the network's result.
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "model/onnx/converter.h"
#include "model/yaml_reader.h"

namespace bitstrata::model::interchange {

// Fills heads_ with the tensors in front of what the host does.
void Converter::choose_outputs() {
  if (graph_.outputs.empty()) throw std::invalid_argument("has no output");
  std::vector<std::string> written;
  for (const OnnxNode& node : graph_.nodes) written.insert(written.end(), node.outputs.begin(), node.outputs.end());
  for (const std::string& tensor : options_.outputs) {
    if (std::find(written.begin(), written.end(), tensor) != written.end()) continue;
    throw std::invalid_argument(fmt::format("--output: no node writes '{}'; the file's outputs are '{}'{}", tensor,
                                            fmt::join(graph_.outputs, "', '"), did_you_mean(tensor, written)));
  }
  if (options_.outputs.empty() && graph_.outputs.size() > 1) {
    network_.notes.push_back(fmt::format("of {} outputs, the first one is used: '{}' (--output takes others: '{}')",
                                         graph_.outputs.size(), graph_.outputs[0],
                                         fmt::join(graph_.outputs.begin() + 1, graph_.outputs.end(), "', '")));
  }
  const std::vector<std::string> chosen =
      options_.outputs.empty() ? std::vector<std::string>{graph_.outputs[0]} : options_.outputs;
  for (const std::string& tensor : chosen) {
    output_ = tensor;
    cut_host_tail();
    if (std::find(heads_.begin(), heads_.end(), output_) != heads_.end())
      throw std::invalid_argument(fmt::format("--output: '{}' is given twice", tensor));
    heads_.push_back(output_);
  }
}

// Several results become one as if the file ended in a Concat of them, along the channels.
void Converter::join_outputs() {
  if (heads_.size() < 2) return;
  OnnxNode joint{.op = "Concat",
                 .domain = "",
                 .name = fmt::format("{}", fmt::join(heads_, "_")),
                 .inputs = heads_,
                 .outputs = {fmt::format("{}", fmt::join(heads_, ","))},
                 .attributes = {}};
  std::vector<std::string> shapes;
  for (const std::string& head : heads_) {
    const auto found = values_.find(head);
    if (found == values_.end()) throw std::invalid_argument(fmt::format("--output: '{}' is a constant", head));
    shapes.push_back(fmt::format("'{}' of {}", head, to_text(found->second.view.sizes())));
  }
  try {
    concat(joint);
  } catch (const std::invalid_argument&) {
    throw std::invalid_argument(
        fmt::format("--output: {} cannot be joined along their channels; choose one of them", fmt::join(shapes, ", ")));
  }
  output_ = joint.outputs[0];
}

}  // namespace bitstrata::model::interchange
