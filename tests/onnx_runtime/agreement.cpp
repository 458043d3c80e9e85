// SPDX-License-Identifier: Apache-2.0
// Quantized ONNX files in ONNX Runtime and here, code by code: generated graphs, and files that we export.
//   onnx_agreement [--graphs N] [--seed S] [--optimize LEVEL] [--csv FILE] [--markdown FILE]
// Exit status: 0 all within what README.md grants, 1 not, 2 bad arguments, 77 the runtime is not installed.
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <iostream>

#include "tests/model/temporary.h"
#include "tests/onnx_runtime/comparison.h"

namespace {

using namespace bitstrata::testing;

struct Options {
  int graphs = 36;
  std::uint64_t seed = 1;
  std::string optimize = "disabled", csv, markdown;
};

Options read(int count, char** words) {
  Options o;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string word = words[i], value = words[i + 1];
    if (word == "--graphs")
      o.graphs = std::stoi(value);
    else if (word == "--seed")
      o.seed = std::stoull(value);
    else if (word == "--optimize")
      o.optimize = value;
    else if (word == "--csv")
      o.csv = value;
    else if (word == "--markdown")
      o.markdown = value;
    else
      throw std::invalid_argument(fmt::format("unknown option {}", word));
  }
  return o;
}

}  // namespace

int main(int count, char** words) try {
  const Options o = read(count, words);
  const ForeignRuntime runtime{BITSTRATA_NODE_MODULES, BITSTRATA_RUNNER, o.optimize};
  if (!std::filesystem::exists(runtime.modules / "onnxruntime-web")) {
    std::cerr << fmt::format("NOT COMPARED: no onnxruntime-web in {}; scripts/setup installs it\n",
                             runtime.modules.string());
    return std::getenv("BITSTRATA_REQUIRE_ONNX_RUNTIME") != nullptr ? 1 : 77;
  }
  const TemporaryFolder folder;
  std::vector<Subject> subjects = generated_subjects(o.graphs, o.seed);
  for (Subject& tested : case_subjects()) subjects.push_back(std::move(tested));
  for (Subject& exported : exported_subjects(folder.path())) subjects.push_back(std::move(exported));
  const std::vector<Comparison> comparisons = compare(runtime, folder.path(), subjects);
  print(comparisons, std::cout);
  if (!o.csv.empty()) {
    std::ofstream stream(o.csv);
    write_csv(comparisons, stream);
  }
  if (!o.markdown.empty()) {
    std::ofstream stream(o.markdown);
    write_markdown(comparisons, stream);
  }
  return within_bounds(comparisons, std::cerr) ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << "onnx_agreement: " << error.what() << "\n";
  return 2;
}
