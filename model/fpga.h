// SPDX-License-Identifier: Apache-2.0
// FPGA resources of an accelerator without synthesis: sums of non-negative coefficients times counts of what the
// architecture consists of, fitted by scripts/fpga to what Yosys made of generated accelerators, not placed. Shape of
// memories and the synthesizer's own costs decide whether a buffer becomes block RAM or LUTs.
#pragma once

#include <array>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "model/architecture.h"

namespace bitstrata::model {

// In the order of the columns of every table: LUTs of logic, LUTs used as memory, flip-flops, carry cells, block RAMs,
// multipliers. What one of each is, the device file says as its unit.
inline constexpr std::array<const char*, 6> fpga_resource_names = {"lut", "lut_ram", "ff", "carry", "bram", "dsp"};
inline constexpr std::size_t fpga_bram = 4;  // place of the block RAMs among them

// One resource of a family.
struct FpgaFit {
  std::string unit;                            // what is counted, "RAMB18, 18 kbit (a RAMB36 counts 2)"
  double luts = 0;                             // LUTs that one takes
  std::map<std::string, double> coefficients;  // feature -> resources each
  // Relative errors of every point as predicted by a fit to all others (0.1: 10 %).
  double mean_error = 0, worst_error = 0;
};

// How memories become block RAM or LUTs. A block RAM holds 18 kbit in words of 1, 2, 4, 9, 18, or 36 bits; one that is
// written bit by bit, four bits of 512 words. The cheaper of the two by these costs is taken.
struct FpgaMemories {
  struct LutRam {
    int words = 0, bits = 0;  // of a memory of four LUTs
  };
  std::vector<LutRam> lut_rams;
  int lut_ram_cost = 0;    // of such a memory; choosing among k of them costs k-1 a bit
  int block_ram_cost = 0;  // of a block RAM
};

// How products become multipliers: a factor of more than `bits` is cut into slices, and products of few bits stay LUTs.
struct FpgaMultipliers {
  int bits = 0, slice_bits = 0, least_product_bits = 0;
};

// A range of a parameter, or of a feature, of the architectures that were fitted.
struct FpgaRange {
  double low = 0, high = 0;
};

struct FpgaFamily {
  std::string name;                // "xc7"
  std::string title;               // one line
  std::string tools;               // what was fitted to
  std::string source;              // the points
  int points = 0;                  // how many
  std::vector<std::string> rules;  // what every result should state
  FpgaMemories memories;
  FpgaMultipliers multipliers;
  std::map<std::string, FpgaRange> range;  // of features, and of keys of an architecture file (false is 0, true 1)
  std::array<FpgaFit, fpga_resource_names.size()> resources;
};

struct FpgaUse {
  std::array<double, fpga_resource_names.size()> resources{};  // in their order; whole numbers
  double luts = 0;                                             // of logic, as memory and in carries, all together
  std::vector<std::string> outside;  // parameters outside the fitted range, where the errors do not hold
};

// A built-in name ("xc7", "ecp5") or a YAML file as scripts/fpga writes it. Throws std::runtime_error with file, line,
// and what would be right.
FpgaFamily load_fpga_family(const std::string& name_or_file);
std::vector<std::string> fpga_family_names();

// What an architecture consists of, by the names of the coefficients ("array_bits", "block_rams", ...): scripts/fpga
// fits to these numbers, too. Of the family only the rules of memories and multipliers count.
std::map<std::string, double> fpga_features(const FpgaFamily& family, const Architecture& architecture);

FpgaUse predict_fpga(const FpgaFamily& family, const Architecture& architecture);

// All of a family but its memories, for results to tell where their numbers come from.
nlohmann::json facts_of(const FpgaFamily& family);

}  // namespace bitstrata::model
