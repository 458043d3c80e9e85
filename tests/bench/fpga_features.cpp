// SPDX-License-Identifier: Apache-2.0
// What the FPGA resources of architectures are sums of, for scripts/fpga to fit:
//   fpga_features FAMILY ARCHITECTURE.yaml ...     JSON on stdout: a list of {feature: count}
// FAMILY is a file of model/devices: its rules say which memories become block RAM, and which products multipliers.
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>

#include "model/fpga.h"

int main(int argc, char** argv) {
  using namespace bitstrata;
  if (argc < 3) {
    std::cerr << "usage: fpga_features FAMILY ARCHITECTURE.yaml ...\n";
    return 2;
  }
  try {
    const model::FpgaFamily family = model::load_fpga_family(argv[1]);
    nlohmann::json all = nlohmann::json::array();
    for (int i = 2; i < argc; ++i) all.push_back(model::fpga_features(family, model::load_architecture(argv[i])));
    std::cout << all.dump() << "\n";
  } catch (const std::exception& error) {
    std::cerr << "fpga_features: " << error.what() << "\n";
    return 2;
  }
}
