// SPDX-License-Identifier: Apache-2.0
// A built ONNX model through a file and the importer.
#pragma once

#include <stdexcept>
#include <string>

#include "model/onnx/onnx.h"
#include "tests/model/onnx_builder.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {

inline model::FloatNetwork imported(const OnnxBuilder& m) {
  const TemporaryFolder folder;
  return model::import_onnx(m.save(folder / "model.onnx"));
}

// The importer's words.
inline std::string refusal(const OnnxBuilder& m) {
  return message_of<std::runtime_error>([&] { imported(m); });
}

}  // namespace bitstrata::testing
