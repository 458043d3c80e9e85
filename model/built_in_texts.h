// SPDX-License-Identifier: Apache-2.0
// The built-in technology and device files, and tables of devices, compiled in by CMake.
#pragma once

#include <string>
#include <vector>

namespace bitstrata::model {

struct BuiltInText {
  std::string name;  // file name without .yaml, which is also the name of what it describes
  std::string text;
};

const std::vector<BuiltInText>& technology_texts();
const std::vector<BuiltInText>& device_texts();
const std::vector<BuiltInText>& part_texts();

}  // namespace bitstrata::model
