// SPDX-License-Identifier: Apache-2.0
// The built-in technology files, compiled in by CMake.
#pragma once

#include <string>
#include <vector>

namespace bitstrata::model {

struct TechnologyText {
  std::string name;  // file name without .yaml, which is also the technology's name
  std::string text;
};

const std::vector<TechnologyText>& technology_texts();

}  // namespace bitstrata::model
