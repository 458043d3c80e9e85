// SPDX-License-Identifier: Apache-2.0
// Quantized ONNX files in ONNX Runtime and here, code by code: generated graphs, and files that we export.
//   onnx_agreement [--graphs N] [--seed S] [--optimize LEVEL] [--csv FILE] [--markdown FILE]
// Exit status: 0 all within what README.md grants, 1 not, 2 bad arguments, 77 the runtime is not installed.
#include <iostream>

#include "tests/model/temporary.h"
#include "tests/onnx_runtime/comparison.h"
#include "tests/onnx_runtime/program.h"

namespace {

using namespace bitstrata::testing;

struct Options {
  int graphs = 36;
  std::uint64_t seed = 1;
  std::string optimize = "disabled", csv, markdown;
};

}  // namespace

int main(int count, char** words) try {
  Options o;
  read_options(count, words,
               {{"--graphs", [&](const std::string& value) { o.graphs = std::stoi(value); }},
                {"--seed", [&](const std::string& value) { o.seed = std::stoull(value); }},
                {"--optimize", [&](const std::string& value) { o.optimize = value; }},
                {"--csv", [&](const std::string& value) { o.csv = value; }},
                {"--markdown", [&](const std::string& value) { o.markdown = value; }}});
  const std::optional<ForeignRuntime> runtime = installed_runtime(o.optimize);
  if (!runtime) return status_without_runtime();
  const TemporaryFolder folder;
  std::vector<Subject> subjects = generated_subjects(o.graphs, o.seed);
  for (Subject& tested : case_subjects()) subjects.push_back(std::move(tested));
  for (Subject& exported : exported_subjects(folder.path())) subjects.push_back(std::move(exported));
  const std::vector<Comparison> comparisons = compare(*runtime, folder.path(), subjects);
  print(comparisons, std::cout);
  write_to(o.csv, [&](std::ostream& out) { write_csv(comparisons, out); });
  write_to(o.markdown, [&](std::ostream& out) { write_markdown(comparisons, out); });
  return within_bounds(comparisons, std::cerr) ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << "onnx_agreement: " << error.what() << "\n";
  return 2;
}
