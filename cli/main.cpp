// SPDX-License-Identifier: Apache-2.0
// bitstrata: the table of verbs.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "cli/ending.h"
#include "cli/train/build_info.h"
#include "cli/verbs.h"
#include "model/layer_lists.h"
#include "model/yaml_reader.h"

namespace {

using namespace bitstrata;

using Arguments = std::vector<std::string>;

struct Verb {
  const char* name;
  int (*run)(const Arguments&);  // null: a verb of the training program
  const char* summary;
};

constexpr Verb verbs[] = {
    {"list", cli::list, "known networks, architectures, technologies, datasets, methods"},
    {"train", nullptr, "train a network in float"},
    {"quantize", nullptr, "find widths and channels, train under them, export integers"},
    {"evaluate", nullptr, "accuracy of a run folder or ONNX file, float or golden integers"},
    {"run", cli::run, "cycles, energy and accuracy of a network on an accelerator"},
    {"plan", cli::plan, "the widths of a network as a plan.yaml to edit"},
    {"verify", cli::verify, "compare all engines layer by layer: values, cycles, events"},
    {"table", cli::table, "cycles and energy of every layer at every pair of widths"},
    {"sweep", cli::sweep, "measure many architectures, networks and plans, and find their Pareto fronts"},
    {"report", cli::report, "join run folders into tables and a page with pictures"},
    {"characterize", cli::characterize, "a technology file from the accelerator's own gates in a Liberty library"},
    {"export", cli::export_network, "a quantized network as ONNX (QDQ) or QONNX"},
    {"generate", cli::generate, "the accelerator's Verilog, with scripts and a self-checking testbench"},
};

void print_usage() {
  std::cout << "usage: bitstrata VERB [options]; bitstrata VERB --help explains one\n\n";
  for (const Verb& verb : verbs) std::cout << fmt::format("  {:<12} {}\n", verb.name, verb.summary);
  std::cout << "\nexample:\n  bitstrata run --network lenet5 --weight-bits 4 --activation-bits 4\n";
}

// Becomes the training program, which lies beside this one: LibTorch costs a second at start, so it is not linked here.
int start_training(const std::string& verb, const Arguments& arguments) {
  const std::filesystem::path program =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "bitstrata-train";
  if (!std::filesystem::exists(program)) {
    throw std::runtime_error(
        fmt::format("this build has no training (it was configured with -DBITSTRATA_TRAINING=OFF); "
                    "{} is missing",
                    program.string()));
  }
  Arguments words{program.string(), verb};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  // The other must have it, too: what its searches predict is measured by this program.
  setenv("BITSTRATA_CODE", cli::build_info::code, 1);
  execv(program.c_str(), argv.data());
  throw std::runtime_error(fmt::format("cannot start {}: {}", program.string(), std::strerror(errno)));
}

// Lists of layers go to the verbs that price; the others would take one for a damaged network.
void refuse_list(const std::string& name, const Arguments& arguments) {
  if (name == "table" || name == "sweep" || name == "report" || name == "characterize" || name == "list") return;
  constexpr std::string_view option = "--network";
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string network;
    if (arguments[i] == option && i + 1 < arguments.size()) network = arguments[i + 1];
    if (arguments[i].starts_with(fmt::format("{}=", option))) network = arguments[i].substr(option.size() + 1);
    if (!model::is_layer_list(network)) continue;
    throw std::invalid_argument(
        fmt::format("'{}' is a list of layers: shapes without weights or the graph between them, which nothing can "
                    "execute; bitstrata table --network and the networks of bitstrata sweep price it",
                    network));
  }
}

int dispatch(const std::string& name, const Arguments& arguments) {
  refuse_list(name, arguments);
  if (name == "evaluate" && cli::evaluates_onnx(arguments)) return cli::evaluate(arguments);
  Arguments names;
  for (const Verb& verb : verbs) {
    if (name == verb.name) return verb.run != nullptr ? verb.run(arguments) : start_training(name, arguments);
    names.emplace_back(verb.name);
  }
  throw std::invalid_argument(
      fmt::format("unknown verb '{}'{}; known: {}", name, model::did_you_mean(name, names), fmt::join(names, ", ")));
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments words(argv + 1, argv + argc);
  std::string name = "bitstrata";
  for (const Verb& verb : verbs) {
    if (!words.empty() && words[0] == verb.name) name = fmt::format("bitstrata {}", verb.name);
  }
  return cli::run_program(name, [&] {
    if (words.empty()) throw std::invalid_argument("a verb is missing; see bitstrata --help");
    if (words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
      print_usage();
      return 0;
    }
    if (words[0] == "--version" || words[0] == "version") {
      fmt::print("bitstrata {} ({})\n", cli::build_info::version, cli::build_info::commit);
      return 0;
    }
    return dispatch(words[0], {words.begin() + 1, words.end()});
  });
}
