// SPDX-License-Identifier: Apache-2.0
// What the programs here share: their arguments, and the runtime that they need.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "tests/onnx_runtime/foreign.h"

namespace bitstrata::testing {

// Hands every pair of words to what takes it. Throws std::invalid_argument naming a word that nothing takes.
void read_options(int count, char** words, const std::map<std::string, std::function<void(const std::string&)>>& known);

// The runtime that scripts/setup installs; where it is not there, says so.
std::optional<ForeignRuntime> installed_runtime(const std::string& optimize = "disabled");
// The exit status then: 77, which is a skipped test, or 1 where the environment asks for the runtime.
int status_without_runtime();

// Writes to the file, where one is named.
void write_to(const std::string& file, const std::function<void(std::ostream&)>& write);

}  // namespace bitstrata::testing
