// SPDX-License-Identifier: Apache-2.0
// bitstrata-train: the verbs that need LibTorch. The main program starts it for train, quantize and float evaluate.
#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "cli/ending.h"
#include "cli/train/build_info.h"
#include "cli/train/verb.h"
#include "model/yaml_reader.h"

namespace {

using namespace bitstrata;

struct Verb {
  const char* name;
  const char* summary;
  int (*run)(const std::vector<std::string>&);
};

constexpr Verb kVerbs[] = {
    {"train", "train a network in float", cli::train_verb},
    {"quantize", "find widths and channels, train under them, export integers", cli::quantize_verb},
    {"evaluate", "accuracy of a run folder, float or golden integers", cli::evaluate_verb},
};

void print_usage() {
  std::cout << "usage: bitstrata-train VERB [options]; bitstrata-train VERB --help explains one\n";
  for (const Verb& verb : kVerbs) fmt::print("  {:<10} {}\n", verb.name, verb.summary);
}

// OpenMP reads these before main: threads must sleep while they wait, or two of them on a shared machine run six times
// slower than one. So set them and start over, once.
void restart_with_sleeping_threads(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  setenv("OMP_WAIT_POLICY", "PASSIVE", 1);
  execv("/proc/self/exe", argv);  // returns only when it fails: then we are slower, not wrong
}

// Where only one program was built anew, it would predict and train for another accelerator than the other measures.
void check_build() {
  const char* const caller = std::getenv("BITSTRATA_CODE");
  if (caller != nullptr && std::string(caller) != cli::build_info::code)
    throw std::runtime_error(
        "bitstrata and bitstrata-train were built from different sources; build both: cmake --build --preset release");
}

int dispatch(const std::vector<std::string>& arguments) {
  check_build();
  if (arguments.empty()) throw std::invalid_argument("a verb is missing: train, quantize or evaluate (see --help)");
  if (arguments[0] == "--help" || arguments[0] == "-h") {
    print_usage();
    return 0;
  }
  std::vector<std::string> names;
  for (const Verb& verb : kVerbs) {
    if (arguments[0] == verb.name) return verb.run({arguments.begin() + 1, arguments.end()});
    names.emplace_back(verb.name);
  }
  throw std::invalid_argument("unknown verb '" + arguments[0] + "'" + model::did_you_mean(arguments[0], names) +
                              "; known: train, quantize, evaluate");
}

}  // namespace

int main(int argc, char** argv) {
  restart_with_sleeping_threads(argv);
  // Activations are megabytes that come and go with every batch: keep them in the heap instead of giving them back to
  // the system each time, which costs a tenth of the training time in page faults.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 2'000'000'000);
  std::string name = "bitstrata";
  for (const Verb& verb : kVerbs)
    if (argc > 1 && std::string(argv[1]) == verb.name) name += std::string(" ") + verb.name;
  return cli::run_program(name, [&] { return dispatch({argv + 1, argv + argc}); });
}
