// SPDX-License-Identifier: Apache-2.0
// The part of technology files that is about gates.
#pragma once

#include <string>

#include "model/technology.h"
#include "model/yaml_reader.h"

namespace bitstrata::model {

Coefficient read_coefficient(const YamlReader& reader, const std::string& unit);
void read_gate_level(const YamlReader& top, Technology& technology);

}  // namespace bitstrata::model
