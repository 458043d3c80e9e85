// SPDX-License-Identifier: Apache-2.0
// Float ONNX files with one attribute at another legal value, in ONNX Runtime and here.
//   onnx_mutants_agreement [--every N] [--seed S] [--csv FILE] [--markdown FILE] [--keep FOLDER]
// Exit status: 0 every file that both run agrees or has a note, 1 not, 2 bad arguments, 77 the runtime is not
// installed.
#include <algorithm>
#include <iostream>

#include "tests/model/temporary.h"
#include "tests/onnx_runtime/mutants.h"
#include "tests/onnx_runtime/program.h"

namespace {

using namespace bitstrata::testing;

struct Options {
  std::uint64_t every = 40, seed = 1;
  std::string csv, markdown, keep;
};

}  // namespace

int main(int count, char** words) try {
  Options o;
  read_options(count, words,
               {{"--every", [&](const std::string& value) { o.every = std::max(1ULL, std::stoull(value)); }},
                {"--seed", [&](const std::string& value) { o.seed = std::stoull(value); }},
                {"--csv", [&](const std::string& value) { o.csv = value; }},
                {"--markdown", [&](const std::string& value) { o.markdown = value; }},
                {"--keep", [&](const std::string& value) { o.keep = value; }}});
  const std::optional<ForeignRuntime> runtime = installed_runtime();
  if (!runtime) return status_without_runtime();
  const TemporaryFolder temporary;
  const std::filesystem::path folder = o.keep.empty() ? temporary.path() : std::filesystem::path(o.keep);
  std::filesystem::create_directories(folder);
  const std::vector<Judgement> judgements = judge(*runtime, folder, float_mutants(folder, o.every, o.seed));
  print(judgements, std::cout);
  write_to(o.csv, [&](std::ostream& out) { write_csv(judgements, out); });
  write_to(o.markdown, [&](std::ostream& out) { write_markdown(judgements, out); });
  const auto all = [&](Verdict verdict) { return std::ranges::count(judgements, verdict, &Judgement::verdict); };
  if (all(Verdict::equal) == 0) std::cerr << "nothing was compared\n";
  return all(Verdict::equal) > 0 && all(Verdict::differs) == 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << "onnx_mutants_agreement: " << error.what() << "\n";
  return 2;
}
