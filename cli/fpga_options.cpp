// SPDX-License-Identifier: Apache-2.0
#include "cli/fpga_options.h"

#include <fmt/format.h>

#include <stdexcept>

namespace bitstrata::cli {

void FpgaOptions::add(po::options_description& options, const std::string& purpose) {
  options.add_options()
      // clang-format off
      ("fpga", po::value(&family), ("FPGA family (xc7, ecp5, or a file) " + purpose).c_str())
      ("device", po::value(&device),
       "FPGA device, as xc7z020 (bitstrata list devices), of whose LUTs, flip-flops, block RAMs and multipliers shares "
       "are told; brings its family");
  // clang-format on
}

FpgaTarget fpga_target(const FpgaOptions& options) {
  FpgaTarget target;
  if (!options.device.empty()) target.part = model::find_fpga_part(options.device);
  if (!options.family.empty()) target.family = model::load_fpga_family(options.family);
  if (target.part && !target.family) target.family = model::load_fpga_family(target.part->family);
  if (target.part && target.family->name != target.part->family) {
    throw std::invalid_argument(fmt::format("--device {} is of family {}; --fpga is {}", target.part->name,
                                            target.part->family, target.family->name));
  }
  return target;
}

std::string fpga_errors(const model::FpgaFamily& family) {
  std::string errors;
  for (std::size_t r = 0; r < family.resources.size(); ++r) {
    errors += fmt::format("{}{} {:.1f}/{:.0f} %", r == 0 ? "" : ", ", model::fpga_resource_names[r],
                          100 * family.resources[r].mean_error, 100 * family.resources[r].worst_error);
  }
  return fmt::format(
      "{}: {}, predicted from {} synthesized architectures ({}, not placed)\n"
      "errors of each of them predicted by the others, mean/worst: {}\n",
      family.name, family.title, family.points, family.tools, errors);
}

}  // namespace bitstrata::cli
