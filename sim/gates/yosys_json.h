// SPDX-License-Identifier: Apache-2.0
// The modules of a file written by Yosys' write_json, as they are there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace bitstrata::sim::gates {

// Bits are numbered inside a module: 0 and 1 are the constants (x and z read 0), nets begin at 2.
using JsonBits = std::vector<std::uint32_t>;

struct JsonCell {
  std::string name, type;
  std::map<std::string, std::string> parameters;  // texts of binary digits
  std::vector<std::pair<std::string, JsonBits>> connections;

  const JsonBits* find(const std::string& port) const;
};

struct JsonPort {
  std::string name;
  bool input = false, both = false;  // both directions
  JsonBits bits;
};

struct JsonModule {
  std::vector<JsonPort> ports;
  std::vector<JsonCell> cells;
  std::vector<std::pair<std::string, JsonBits>> net_names;
  std::uint32_t bits = 2;  // one more than the highest
};

// Modules by name, without black boxes; `names`: read net_names. Throws std::runtime_error naming the file.
std::map<std::string, JsonModule> read_yosys_json(const std::filesystem::path& file, bool names);

// "$paramod$...\bs_column" and "$paramod\bs_column\ROWS=..." are bs_column.
std::string plain_module_name(const std::string& name);

}  // namespace bitstrata::sim::gates
