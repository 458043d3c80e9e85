// SPDX-License-Identifier: Apache-2.0
// Float ONNX files with one attribute at another legal value, in ONNX Runtime and here.
//   onnx_mutants_agreement [--every N] [--seed S] [--csv FILE] [--markdown FILE] [--keep FOLDER]
// Exit status: 0 every file that both run agrees or has a note, 1 not, 2 bad arguments, 77 the runtime is not
// installed.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "tests/model/temporary.h"
#include "tests/onnx_runtime/mutants.h"

namespace {

using namespace bitstrata::testing;

struct Options {
  std::uint64_t every = 40, seed = 1;
  std::string csv, markdown, keep;
};

Options read(int count, char** words) {
  Options o;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string word = words[i], value = words[i + 1];
    if (word == "--every")
      o.every = std::max<std::uint64_t>(1, std::stoull(value));
    else if (word == "--seed")
      o.seed = std::stoull(value);
    else if (word == "--csv")
      o.csv = value;
    else if (word == "--markdown")
      o.markdown = value;
    else if (word == "--keep")
      o.keep = value;
    else
      throw std::invalid_argument(fmt::format("unknown option {}", word));
  }
  return o;
}

}  // namespace

int main(int count, char** words) try {
  const Options o = read(count, words);
  const ForeignRuntime runtime{BITSTRATA_NODE_MODULES, BITSTRATA_RUNNER};
  if (!std::filesystem::exists(runtime.modules / "onnxruntime-web")) {
    std::cerr << fmt::format("NOT COMPARED: no onnxruntime-web in {}; scripts/setup installs it\n",
                             runtime.modules.string());
    return std::getenv("BITSTRATA_REQUIRE_ONNX_RUNTIME") != nullptr ? 1 : 77;
  }
  const TemporaryFolder temporary;
  const std::filesystem::path folder = o.keep.empty() ? temporary.path() : std::filesystem::path(o.keep);
  std::filesystem::create_directories(folder);
  const std::vector<Judgement> judgements = judge(runtime, folder, float_mutants(folder, o.every, o.seed));
  print(judgements, std::cout);
  if (!o.csv.empty()) {
    std::ofstream stream(o.csv);
    write_csv(judgements, stream);
  }
  if (!o.markdown.empty()) {
    std::ofstream stream(o.markdown);
    write_markdown(judgements, stream);
  }
  const auto all = [&](Verdict verdict) { return std::ranges::count(judgements, verdict, &Judgement::verdict); };
  if (all(Verdict::equal) == 0) std::cerr << "nothing was compared\n";
  return all(Verdict::equal) > 0 && all(Verdict::differs) == 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << "onnx_mutants_agreement: " << error.what() << "\n";
  return 2;
}
