// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/yosys_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace bitstrata::sim::gates {

namespace {

using nlohmann::json;

JsonBits read_bits(const json& bits, JsonModule& module) {
  JsonBits read;
  for (const json& bit : bits) {
    if (bit.is_string()) {
      read.push_back(bit.get_ref<const std::string&>() == "1" ? 1 : 0);
    } else {
      read.push_back(bit.get<std::uint32_t>());
      module.bits = std::max(module.bits, read.back() + 1);
    }
  }
  return read;
}

JsonModule read_module(const json& source) {
  JsonModule module;
  for (const auto& [name, port] : source.at("ports").items()) {
    const std::string direction = port.at("direction");
    if (direction == "inout") throw std::runtime_error(fmt::format("port {} has both directions", name));
    module.ports.push_back({name, direction == "input", read_bits(port.at("bits"), module)});
  }
  for (const auto& [name, cell] : source.at("cells").items()) {
    JsonCell read{name, cell.at("type"), {}, {}};
    if (cell.contains("parameters")) {
      for (const auto& [key, value] : cell.at("parameters").items())
        if (value.is_string()) read.parameters.emplace(key, value.get<std::string>());
    }
    for (const auto& [port, bits] : cell.at("connections").items())
      read.connections.emplace_back(port, read_bits(bits, module));
    module.cells.push_back(std::move(read));
  }
  if (source.contains("netnames")) {
    std::vector<std::pair<std::string, JsonBits>> hidden;
    for (const auto& [name, net] : source.at("netnames").items()) {
      auto& list = net.value("hide_name", 0) == 0 ? module.net_names : hidden;
      list.emplace_back(name, read_bits(net.at("bits"), module));
    }
    std::ranges::move(hidden, std::back_inserter(module.net_names));
  }
  return module;
}

}  // namespace

const JsonBits* JsonCell::find(const std::string& port) const {
  const auto found = std::ranges::find(connections, port, &std::pair<std::string, JsonBits>::first);
  return found == connections.end() ? nullptr : &found->second;
}

std::map<std::string, JsonModule> read_yosys_json(const std::filesystem::path& file, bool names) {
  std::ifstream in(file);
  if (!in) throw std::runtime_error(fmt::format("{}: cannot be read", file.string()));
  try {
    // What is not needed is left out while reading: it is most of the file. A module's keys lie at depth 3, a cell's
    // at depth 5.
    const auto wanted = [&](int depth, json::parse_event_t event, json& key) {
      if (event != json::parse_event_t::key) return true;
      if (depth == 3) return names || key != "netnames";
      return depth != 5 || (key != "attributes" && key != "port_directions");
    };
    const json root = json::parse(in, wanted);
    std::map<std::string, JsonModule> modules;
    for (const auto& [name, module] : root.at("modules").items()) {
      if (!module.contains("attributes") || !module.at("attributes").contains("blackbox"))
        modules.emplace(name, read_module(module));
    }
    return modules;
  } catch (const std::exception& e) {
    throw std::runtime_error(fmt::format("{}: {}", file.string(), e.what()));
  }
}

std::string plain_module_name(const std::string& name) {
  if (!name.starts_with("$paramod")) return name;
  const std::size_t from = name.find('\\');
  if (from == std::string::npos) return name;
  return name.substr(from + 1, name.find('\\', from + 1) - from - 1);
}

}  // namespace bitstrata::sim::gates
