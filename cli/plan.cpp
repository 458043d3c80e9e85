// SPDX-License-Identifier: Apache-2.0
// bitstrata plan: the widths of a network as a plan.yaml to edit.
#include <fmt/format.h>

#include <filesystem>
#include <iostream>

#include "cli/imported.h"
#include "cli/verbs.h"
#include "cli/widths.h"
#include "model/json_text.h"

namespace bitstrata::cli {

namespace fs = std::filesystem;

namespace {

struct Options {
  std::string network, architecture, out;
  WidthOptions widths;
  OnnxOptions import;
  Common common;
};

bool read(const std::vector<std::string>& arguments, Options& o) {
  po::options_description options("options");
  options.add_options()
      // clang-format off
      ("network", po::value(&o.network)->required(), "built-in network or ONNX file")
      ("architecture", po::value(&o.architecture),
       "built-in name or YAML file: no width is wider than it has, where the network leaves a width open")
      ("out", po::value(&o.out), "file to write; default: stdout");
  // clang-format on
  o.widths.add(options);
  o.import.add(options);
  o.common.add(options);
  po::variables_map values;
  if (!parse(arguments, options,
             {"plan --network N [--architecture A] [--weight-bits W --activation-bits A | --plan mixed] [--out FILE]",
              "Writes the widths that run would use as a plan.yaml, to edit and give to --plan. Neither weights nor\n"
              "samples are needed, and nothing is lowered: it works where no accelerator takes the default widths.",
              "plan --network lenet5 --weight-bits 4 --activation-bits 6"},
             values)) {
    return false;
  }
  o.widths.check(values);
  o.import.check(values, o.network);
  if (!is_onnx(o.network) && fs::exists(o.network))
    throw std::invalid_argument(fmt::format("'{}' is quantized already; its folder has its plan.yaml", o.network));
  o.common.check();
  return true;
}

}  // namespace

int plan(const std::vector<std::string>& arguments) {
  Options o;
  if (!read(arguments, o)) return 0;
  RunRecord record("plan", arguments, o.common);
  const fs::path file = o.out;
  OutputFolder folder(o.out.empty() ? fs::path() : fs::absolute(file).parent_path());
  if (folder.wanted() && (file.filename().empty() || fs::is_directory(file)))
    throw std::invalid_argument(fmt::format("--out is '{}', a folder; it is the file to write", o.out));
  WidthLimits limits;
  if (!o.architecture.empty()) limits = WidthLimits(model::load_architecture(o.architecture));
  // A plan that is given is checked against the limits; widths that are not are kept within them.
  o.widths.weight_bits = std::min(o.widths.weight_bits, limits.weight_bits);
  o.widths.activation_bits = std::min(o.widths.activation_bits, limits.activation_bits);
  model::Plan plan;
  if (is_onnx(o.network)) {
    model::OutputLayout output;
    plan = make_plan(read_network(o.network, o.import, o.common, output), o.widths, limits, o.common.seed, record);
  } else {
    plan = make_plan(model::build_network(o.network), o.widths, limits, o.common.seed, record);
  }
  const std::string text = model::to_text(plan);
  if (folder.wanted()) {
    folder.add(file.filename().string(), text);
    folder.publish();
  }
  if (o.common.json) {
    nlohmann::json layers = nlohmann::json::array();
    for (const model::LayerPlan& layer : plan.layers) {
      layers.push_back({{"layer", layer.layer},
                        {"weight_bits", layer.weight_bits},
                        {"activation_bits", layer.activation_bits},
                        {"channels", layer.channels}});
    }
    std::cout << model::json_text({{"network", plan.network}, {"output_bits", plan.output_bits}, {"layers", layers}})
              << "\n";
  } else if (folder.wanted()) {
    fmt::print("{}: the widths of {} layers of {}\n", o.out, plan.layers.size(), plan.network);
  } else {
    std::cout << text;
  }
  return 0;
}

}  // namespace bitstrata::cli
