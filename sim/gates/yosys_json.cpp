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

// Takes the file as it is read: as a tree it would need gigabytes. `path_` holds the keys of the objects around a
// value: modules, module, section, name, key, parameter or port.
class Reader final : public nlohmann::json_sax<json> {
 public:
  explicit Reader(bool names) : names_(names) {}

  std::map<std::string, JsonModule> modules;
  std::string error;

  bool start_object(std::size_t) override {
    path_.emplace_back();
    return true;
  }
  bool key(string_t& name) override {
    path_.back() = std::move(name);
    if (path_.size() == 4) begin_item();
    return true;
  }
  bool end_object() override {
    path_.pop_back();
    if (path_.size() == 2 && path_[0] == "modules") end_module();
    return true;
  }
  bool start_array(std::size_t) override {
    bits_ = nullptr;
    if (path_.size() == 5 && path_[4] == "bits") {
      if (path_[2] == "ports") bits_ = &module_.ports.back().bits;
      if (path_[2] == "netnames" && names_) bits_ = &module_.net_names.back().second;
    } else if (path_.size() == 6 && path_[2] == "cells" && path_[4] == "connections") {
      bits_ = &module_.cells.back().connections.emplace_back(path_[5], JsonBits{}).second;
    }
    return true;
  }
  bool end_array() override {
    bits_ = nullptr;
    return true;
  }
  bool string(string_t& text) override {
    if (bits_) {
      bits_->push_back(text == "1" ? 1 : 0);
    } else if (path_.size() == 5 && path_[2] == "ports" && path_[4] == "direction") {
      module_.ports.back().input = text == "input";
      module_.ports.back().both = text == "inout";  // of pads, which libraries may have
    } else if (path_.size() == 5 && path_[2] == "cells" && path_[4] == "type") {
      module_.cells.back().type = std::move(text);
    } else if (path_.size() == 6 && path_[2] == "cells" && path_[4] == "parameters") {
      module_.cells.back().parameters.emplace(path_[5], std::move(text));
    } else if (path_.size() == 4 && path_[2] == "attributes" && path_[3] == "blackbox") {
      black_box_ = true;
    }
    return true;
  }
  bool number_unsigned(number_unsigned_t number) override {
    if (bits_) {
      bits_->push_back(static_cast<std::uint32_t>(number));
      module_.bits = std::max(module_.bits, bits_->back() + 1);
    } else if (number != 0 && names_ && path_.size() == 5 && path_[2] == "netnames" && path_[4] == "hide_name") {
      hidden_.push_back(module_.net_names.size() - 1);
    }
    return true;
  }
  bool number_integer(number_integer_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool boolean(bool) override { return true; }
  bool null() override { return true; }
  bool binary(binary_t&) override { return true; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& e) override {
    error = e.what();
    return false;
  }

 private:
  void begin_item() {
    if (path_[2] == "ports") module_.ports.push_back({path_[3], false, {}});
    if (path_[2] == "cells") module_.cells.push_back({path_[3], {}, {}, {}});
    if (path_[2] == "netnames" && names_) module_.net_names.emplace_back(path_[3], JsonBits{});
  }
  void end_module() {
    // Names that Yosys made up go behind those of the source.
    std::vector<std::pair<std::string, JsonBits>> hidden;
    for (const std::size_t i : hidden_) hidden.push_back(std::exchange(module_.net_names[i], {}));
    std::ranges::move(hidden, std::back_inserter(module_.net_names));
    if (!black_box_) modules.emplace(path_[1], std::move(module_));
    module_ = {};
    hidden_.clear();
    black_box_ = false;
  }

  bool names_;
  std::vector<std::string> path_;
  JsonModule module_;
  JsonBits* bits_ = nullptr;
  std::vector<std::size_t> hidden_;
  bool black_box_ = false;
};

}  // namespace

const JsonBits* JsonCell::find(const std::string& port) const {
  const auto found = std::ranges::find(connections, port, &std::pair<std::string, JsonBits>::first);
  return found == connections.end() ? nullptr : &found->second;
}

std::map<std::string, JsonModule> read_yosys_json(const std::filesystem::path& file, bool names) {
  std::ifstream in(file);
  if (!in) throw std::runtime_error(fmt::format("{}: cannot be read", file.string()));
  Reader reader(names);
  try {
    json::sax_parse(in, &reader);
  } catch (const std::exception& e) {
    reader.error = e.what();
  }
  if (!reader.error.empty()) throw std::runtime_error(fmt::format("{}: {}", file.string(), reader.error));
  return std::move(reader.modules);
}

std::string plain_module_name(const std::string& name) {
  if (!name.starts_with("$paramod")) return name;
  const std::size_t from = name.find('\\');
  if (from == std::string::npos) return name;
  return name.substr(from + 1, name.find('\\', from + 1) - from - 1);
}

}  // namespace bitstrata::sim::gates
