// SPDX-License-Identifier: Apache-2.0
#include "model/onnx/attributes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace bitstrata::model::interchange {

void check_attributes(const Graph& graph) {
  for (const OnnxNode& node : graph.nodes) {
    const auto known = known_attributes().find(node.op);
    if (known == known_attributes().end()) continue;
    for (const auto& entry : node.attributes) {
      // ONNX's own QLinearConv has no such attribute; ONNX Runtime's of the same name does.
      const bool foreign = entry.first == "channels_last" && node.domain.empty();
      if (known->second.count(entry.first) != 0 && !foreign) continue;
      std::set<std::string> has = known->second;
      if (node.domain.empty()) has.erase("channels_last");
      refuse(node, fmt::format("has an attribute '{}', which {} does not have (it has {})", entry.first,
                               foreign ? "ONNX's " + node.op : node.op,
                               has.empty() ? "none" : fmt::format("{}", fmt::join(has, ", "))));
    }
  }
}

}  // namespace bitstrata::model::interchange
