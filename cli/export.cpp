// SPDX-License-Identifier: Apache-2.0
// bitstrata export: a quantized network as an ONNX file, read back and compared.
#include <fmt/format.h>

#include <iostream>
#include <random>

#include "cli/imported.h"
#include "cli/verbs.h"
#include "model/golden.h"
#include "model/json_text.h"
#include "model/onnx/onnx.h"
#include "quant/calibration/calibrate.h"

namespace bitstrata::cli {

namespace fs = std::filesystem;

namespace {

struct Options {
  std::string network, format = "onnx", out, dataset;
  WidthOptions widths;
  OnnxOptions import;
  Common common;
};

bool read(const std::vector<std::string>& arguments, Options& o) {
  po::options_description options("options");
  options.add_options()
      // clang-format off
      ("network", po::value(&o.network)->required(),
       "run folder of quantize, its integer.safetensors, or an ONNX file, which is calibrated")
      ("format", po::value(&o.format)->default_value(o.format), "onnx (QuantizeLinear and DequantizeLinear) or qonnx (Quant)")
      ("dataset", po::value(&o.dataset), "of an ONNX file: what it is calibrated on; default: random inputs")
      ("out", po::value(&o.out)->required(), "folder to write NAME.onnx into");
  // clang-format on
  o.widths.add(options);
  o.import.add(options);
  o.common.add(options);
  po::variables_map values;
  po::positional_options_description positional;
  positional.add("network", 1);
  if (!parse(arguments, options,
             {"export DIR|FILE --format onnx|qonnx --out DIR",
              "Writes a quantized network as ONNX, reads it back, and compares the golden integers of both on random\n"
              "inputs; the exit status is 1 when they differ.",
              "export out/ad --format qonnx --out out/onnx"},
             values, positional)) {
    return false;
  }
  check_choice("format", o.format, {"onnx", "qonnx"});
  o.widths.check(values);
  o.import.check(values, o.network);
  if (!is_onnx(o.network)) {
    for (const char* name : {"dataset", "plan", "weight-bits", "activation-bits", "output-bits"}) {
      if (values.count(name) != 0 && !values[name].defaulted()) {
        throw std::invalid_argument(
            fmt::format("--{} belongs to ONNX files; '{}' is quantized already", name, o.network));
      }
    }
  }
  o.common.check();
  return true;
}

}  // namespace

int export_network(const std::vector<std::string>& arguments) {
  Options o;
  if (!read(arguments, o)) return 0;
  RunRecord record("export", arguments, o.common);
  OutputFolder folder(o.out);
  model::FloatNetwork network;
  model::IntegerNetwork integers;
  nlohmann::json calibration;  // null for networks that need none
  std::string calibration_text;
  if (is_onnx(o.network)) {
    Imported imported = import_network(o.network, o.widths, {}, o.dataset, o.import, o.common, record);
    calibration = imported.calibration_json();
    calibration_text = fmt::format("; {}", imported.calibration_text());
    network = std::move(imported.calibrated);
    integers = quant::assemble(network);
    network = quant::settled(network, integers);
  } else {
    const fs::path file =
        fs::is_directory(o.network) ? fs::path(o.network) / "integer.safetensors" : fs::path(o.network);
    if (!fs::exists(file)) {
      throw std::invalid_argument(
          fmt::format("there is no '{}'; export writes what quantize has made (a run folder) or an ONNX file quantized "
                      "as a plan says",
                      file.string()));
    }
    integers = model::load_integer_network(file);
    network = quant::float_of(integers);
  }
  const fs::path target = fs::path(o.out) / (integers.name + ".onnx");
  const auto style = o.format == "onnx" ? model::OnnxStyle::qdq : model::OnnxStyle::qonnx;
  folder.add(target.filename().string(),
             text_of([&](const fs::path& file) { model::write_onnx(network, style, file); }));
  folder.publish();

  const model::FloatNetwork back = model::import_onnx(target);
  const model::IntegerNetwork again = quant::assemble(quant::calibrate(back, quant::plan_of(back), {}));
  const model::TensorFormat& input = integers.tensors[0];
  const model::CodeRange range = model::code_range(input.coding, input.bits);
  std::mt19937_64 random(o.common.seed);
  std::int64_t compared = 0, different = 0;
  for (int i = 0; i < 8; ++i) {
    model::Codes codes(static_cast<std::size_t>(input.shape.elements()));
    for (std::int32_t& code : codes)
      code = range.low + static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(range.high - range.low + 1));
    const model::Codes first = model::run(integers, codes), second = model::run(again, codes);
    compared += static_cast<std::int64_t>(first.size());
    for (std::size_t k = 0; k < first.size(); ++k) different += k >= second.size() || first[k] != second[k] ? 1 : 0;
  }
  if (o.common.json) {
    std::cout << model::json_text({{"file", target.string()},
                                   {"format", o.format},
                                   {"calibration", calibration},
                                   {"outputs_compared", compared},
                                   {"outputs_different", different}})
              << "\n";
  } else {
    fmt::print("{}: {} layers; read back, {} output codes of 8 random inputs compared, {} different (seed {}){}\n",
               target.string(), integers.layers.size(), compared, different, o.common.seed, calibration_text);
  }
  return different == 0 ? 0 : 1;
}

}  // namespace bitstrata::cli
