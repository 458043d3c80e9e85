// SPDX-License-Identifier: Apache-2.0
#include "rtl/generate/rtl_files.h"

#include <fmt/format.h>

#include <sstream>
#include <stdexcept>

#include "model/output_file.h"

namespace bitstrata::generate {

const std::vector<RtlFile>& board_files();  // embedded

const RtlFile& serial_rtl() { return board_files().at(0); }

std::vector<std::pair<std::string, long>> rtl_parameters(const model::Architecture& a) {
  return {{"OVERLAY", a.rules().number},
          {"VECTORS", a.vectors},
          {"SKIP_PLANES", a.skip_planes ? 1 : 0},
          {"STRIPS", a.strips ? 1 : 0},
          {"FOLD", a.planes_at_once()},
          {"TILES", a.tiles},
          {"ROWS", a.rows},
          {"COLUMNS", a.columns},
          {"MAX_WEIGHT_BITS", a.max_weight_bits},
          {"MAX_ACTIVATION_BITS", a.max_activation_bits},
          {"BANKS", a.plane_banks()},
          {"ACC_WIDTH", a.accumulator_bits},
          {"DATA_WIDTH", a.data_bits},
          {"ADDRESS_WIDTH", a.address_width},
          {"COUNT_WIDTH", a.count_bits},
          {"ACTIVATION_DEPTH", a.activation_depth},
          {"OUTPUT_DEPTH", a.output_depth},
          {"LOAD_ROWS", a.rows_at_once()},
          {"WEIGHT_DEPTH", a.weight_depth},
          {"PSUM_DEPTH", a.psum_depth},
          {"PARAMETER_DEPTH", a.parameter_depth},
          {"POST_LANES", a.post_lanes},
          {"BURST_BEATS", a.burst_beats},
          {"OUTSTANDING", a.outstanding},
          {"VECTOR_UNIT", a.vector_unit ? 1 : 0},
          {"SWISH_UNIT", a.swish_unit ? 1 : 0},
          {"TABLE_UNIT", a.table_unit ? 1 : 0},
          {"EVENT_COUNTERS", a.event_counters ? 1 : 0},
          {"POPCOUNT_TREE", a.popcount_tree ? 1 : 0},
          {"CLOCK_GATING", a.clock_gating ? 1 : 0},
          {"SERIAL_REQUANTIZER", a.serial_requantizer ? 1 : 0},
          {"CONFIGURATION", configuration_of(a)}};
}

// FNV-1a (Fowler, Noll, Vo) over the numbers; 31 bits, as a Verilog literal without a size has.
std::uint32_t configuration_of(const model::Architecture& a) {
  std::vector<int> values = {a.rules().number,
                             a.vectors,
                             a.planes_at_once(),
                             a.tiles,
                             a.rows,
                             a.columns,
                             a.max_weight_bits,
                             a.max_activation_bits,
                             a.accumulator_bits,
                             a.data_bits,
                             a.activation_depth,
                             a.output_depth,
                             a.weight_depth,
                             a.rows_at_once(),
                             a.psum_depth,
                             a.parameter_depth,
                             a.post_lanes,
                             a.strips ? 1 : 0,
                             a.vector_unit ? 1 : 0,
                             a.swish_unit ? 1 : 0,
                             a.table_unit ? 1 : 0};
  // Where fields are as wide as they can be, lists keep the hash that they had before fields could be narrower.
  if (a.count_bits != 16) values.push_back(a.count_bits);
  if (a.address_width < 32) values.push_back(a.address_width);
  std::uint32_t hash = 2166136261;
  for (const int value : values) hash = (hash ^ static_cast<std::uint32_t>(value)) * 16777619;
  hash = (hash ^ hash >> 15) & 0x7fffffff;
  return hash == 0 ? 1 : hash;
}

namespace {

std::string bs_top_text() {
  for (const auto& file : rtl_files()) {
    if (file.name == "bs_top.sv") return std::string(file.text);
  }
  throw std::logic_error("bs_top.sv is not among the embedded files");
}

// The port list of bs_top with its widths filled in, and the connections of an instance by name.
struct Ports {
  std::string declarations, connections;
};

Ports ports(const model::Architecture& architecture) {
  const std::string text = bs_top_text();
  const auto begin = text.find(") (\n") + 4;
  const auto end = text.find("\n);", begin);
  std::istringstream lines(text.substr(begin, end - begin));
  Ports result;
  std::string line;
  while (std::getline(lines, line)) {
    for (const auto& [from, to] : {std::pair<std::string, int>{"DATA_WIDTH/8-1", architecture.data_bits / 8 - 1},
                                   {"DATA_WIDTH-1", architecture.data_bits - 1},
                                   {"ADDRESS_WIDTH-1", architecture.address_width - 1}}) {
      if (const auto at = line.find(from); at != std::string::npos) line.replace(at, from.size(), std::to_string(to));
    }
    result.declarations += line + "\n";
    const auto code = line.substr(0, line.find("//"));
    const auto last = code.find_last_of("abcdefghijklmnopqrstuvwxyz_");
    if (code.find("put ") == std::string::npos || last == std::string::npos) continue;
    const auto first = code.find_last_of(" ", last) + 1;
    const std::string name = code.substr(first, last - first + 1);
    result.connections += fmt::format("{}    .{}({})", result.connections.empty() ? "" : ",\n", name, name);
  }
  return result;
}

}  // namespace

std::string top_text(const model::Architecture& architecture, bool event_counters) {
  std::string parameters;
  for (const auto& [name, value] : rtl_parameters(architecture)) {
    parameters += fmt::format("{}    .{}({})", parameters.empty() ? "" : ",\n", name,
                              name == "EVENT_COUNTERS" ? long{event_counters} : value);
  }
  const Ports p = ports(architecture);
  return fmt::format(
      "// SPDX-License-Identifier: Apache-2.0\n"
      "// The accelerator configured as architecture '{}'. Ports: see bs_top.sv.\n"
      "module {} (\n{});\n  bs_top #(\n{}\n  ) u_top (\n{});\nendmodule\n",
      architecture.name, top_module, p.declarations, parameters, p.connections);
}

std::vector<std::string> write_rtl(const model::Architecture& architecture, bool event_counters,
                                   const std::filesystem::path& folder, bool toggles) {
  std::filesystem::create_directories(folder);
  std::vector<std::string> names;
  const auto write = [&](std::string_view name, std::string_view text) {
    model::write_whole(folder / name, text);
    if (name.ends_with(".sv")) names.emplace_back(name);
  };
  for (const auto& file : rtl_files()) {
    if (toggles || !file.name.ends_with("toggles.sv")) write(file.name, file.text);
  }
  write(fmt::format("{}.sv", top_module), top_text(architecture, event_counters));
  return names;
}

}  // namespace bitstrata::generate
