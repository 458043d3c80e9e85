// SPDX-License-Identifier: Apache-2.0
// JSON for others to read.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace bitstrata::model {

// Names and paths may have bytes that are no UTF-8, which JSON has to be: they become U+FFFD. `indent` as of
// json::dump.
inline std::string json_text(const nlohmann::json& json, int indent = -1) {
  return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace bitstrata::model
