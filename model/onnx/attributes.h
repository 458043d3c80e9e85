// SPDX-License-Identifier: Apache-2.0
// Which attributes the operators that are read have (internal to model/onnx).
#pragma once

#include <map>
#include <set>
#include <string>

#include "model/onnx/graph.h"

namespace bitstrata::model::interchange {

// The attributes of ONNX's operators in all their versions, of ONNX Runtime's and of QONNX's: [operator][attribute].
const std::map<std::string, std::set<std::string>>& known_attributes();

// Throws std::invalid_argument naming a node with an attribute that its operator does not have: it would change what
// the node does, and nothing here would ask for it.
void check_attributes(const Graph& graph);

}  // namespace bitstrata::model::interchange
