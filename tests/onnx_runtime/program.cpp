// SPDX-License-Identifier: Apache-2.0
#include "tests/onnx_runtime/program.h"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <stdexcept>

namespace bitstrata::testing {

void read_options(int count, char** words,
                  const std::map<std::string, std::function<void(const std::string&)>>& known) {
  for (int i = 1; i < count; i += 2) {
    const auto found = known.find(words[i]);
    if (found == known.end()) throw std::invalid_argument(fmt::format("unknown option {}", words[i]));
    if (i + 1 == count) throw std::invalid_argument(fmt::format("{} lacks its value", words[i]));
    found->second(words[i + 1]);
  }
}

std::optional<ForeignRuntime> installed_runtime(const std::string& optimize) {
  ForeignRuntime runtime{BITSTRATA_NODE_MODULES, BITSTRATA_RUNNER, optimize};
  if (std::filesystem::exists(runtime.modules / "onnxruntime-web")) return runtime;
  std::cerr << fmt::format("NOT COMPARED: no onnxruntime-web in {}; scripts/setup installs it\n",
                           runtime.modules.string());
  return std::nullopt;
}

int status_without_runtime() { return std::getenv("BITSTRATA_REQUIRE_ONNX_RUNTIME") != nullptr ? 1 : 77; }

void write_to(const std::string& file, const std::function<void(std::ostream&)>& write) {
  if (file.empty()) return;
  std::ofstream stream(file);
  write(stream);
  if (!stream.flush()) throw std::runtime_error(fmt::format("cannot write {}", file));
}

}  // namespace bitstrata::testing
