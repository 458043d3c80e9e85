// SPDX-License-Identifier: Apache-2.0
// Predictions and device files. What an architecture consists of is counted here and, for the fit, in scripts/fpga; the
// predictions that the script writes beside its points hold both to the same.
#include "model/fpga.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "model/built_in_texts.h"
#include "model/yaml_reader.h"

namespace bitstrata::model {
namespace {

constexpr const char* format_name = "bitstrata-device-1";

std::int64_t up(std::int64_t value, std::int64_t step) { return (value + step - 1) / step; }

// Bits that count `values` values.
int bits_of(int values) { return std::bit_width(static_cast<unsigned>(values - 1)); }

struct Memory {
  std::int64_t copies, words, width;
  bool masked = false;        // written bit by bit
  bool asynchronous = false;  // read in the cycle of use: no block RAM
};

// Every memory of an architecture, as rtl/ builds them.
std::vector<Memory> memories_of(const Architecture& a) {
  const std::int64_t banks = a.plane_banks(), data = a.data_bits, lanes = a.post_lanes;
  std::vector<Memory> memories = {
      {2 * banks, a.activation_depth, data},
      {2 * banks, std::int64_t{2} * a.output_depth, data, true},
      {up(a.weight_word_bits(), data), a.weight_words(), data},
      {lanes, a.parameter_depth, a.accumulator_bits + 38},
      {2 * a.tiles * up(a.columns, lanes), a.psum_depth, lanes * a.accumulator_bits},
  };
  if (a.table_unit) memories.push_back({lanes, 2048 / data, data});
  if (a.overlay()) memories.push_back({a.columns, a.max_weight_bits, a.rows, false, true});
  return memories;
}

struct Mapped {
  std::int64_t block_rams = 0, luts = 0;
};

Mapped mapped(const FpgaMemories& rules, const Memory& memory) {
  std::int64_t blocks = std::numeric_limits<std::int64_t>::max();
  for (const int width : {1, 2, 4, 9, 18, 36})
    blocks = std::min(blocks, up(memory.width, width) * up(memory.words, 512 * 36 / width));
  if (memory.masked) blocks = up(memory.width, 4) * up(memory.words, 512);
  std::int64_t cost = std::numeric_limits<std::int64_t>::max(), luts = 0;
  for (const FpgaMemories::LutRam& ram : rules.lut_rams) {
    const std::int64_t deep = up(memory.words, ram.words);
    const std::int64_t rams = deep * (memory.masked ? memory.width : up(memory.width, ram.bits));
    const std::int64_t here = rules.lut_ram_cost * rams + memory.width * (deep - 1);
    if (here < cost || (here == cost && 4 * rams < luts)) {
      cost = here;
      luts = 4 * rams;
    }
  }
  if (!memory.asynchronous && rules.block_ram_cost * blocks <= cost) return {blocks, 0};
  return {0, luts};
}

struct Product {
  int copies, wider, result;  // bits of the wider factor and of the result
};

// Every product of an architecture, as rtl/ builds them.
std::vector<Product> products_of(const Architecture& a) {
  const int lanes = a.post_lanes, code = a.max_activation_bits + 1;
  std::vector<Product> products = {{1, 16, 16}, {lanes, a.accumulator_bits, a.accumulator_bits + 17}};
  for (const int depth : {a.activation_depth, a.output_depth}) {  // lines to addresses
    const int address = bits_of(a.plane_banks() * depth);
    products.push_back({2, std::max(5, address), address});
  }
  if (a.overlay()) {
    products.insert(products.end(), {{2, 16, 16}, {1, 6, 10}});
  } else {
    products.push_back({a.tiles, 5, bits_of(a.columns + 1) + 5});
  }
  if (a.tiles > 1) products.push_back({1, 16, 16});  // channels of all tiles
  if (a.vector_unit && a.accumulator_bits >= 2 * code)
    products.insert(products.end(), {{2 * lanes, 17, code + 17}, {lanes, code, 2 * code}});
  if (a.swish_unit) products.push_back({lanes, 18, 35});
  if (a.event_counters) {
    products.insert(products.end(), {{1, 16, 21}, {1, a.overlay() ? 16 : 21, 37}, {1, 5, 9}});
    if (!a.overlay()) products.push_back({1, 16, 21});
  }
  return products;
}

std::int64_t multipliers_of(const FpgaMultipliers& rules, const Product& product) {
  if (product.result < rules.least_product_bits) return 0;
  return product.copies * (1 + up(std::max(0, product.wider - rules.bits), rules.slice_bits));
}

using Features = std::map<std::string, double>;

Features features_of(const Architecture& a, const FpgaFamily& family) {
  const int banks = a.plane_banks(), line_bits = banks * a.data_bits;
  const int column_bits = a.max_activation_bits + bits_of(a.rows + 1) + 1;
  const int join_bits = std::max(10, column_bits + a.max_weight_bits);
  const int adder_bits =
      a.overlay() ? a.vectors * a.columns * join_bits : a.tiles * a.columns * (column_bits + join_bits);
  const int units = a.post_lanes * (a.vector_unit + a.swish_unit + a.table_unit);
  std::int64_t block_rams = 0, memory_luts = 0, block_word_bits = 0, lut_word_bits = 0, multipliers = 0;
  for (const Memory& memory : memories_of(a)) {
    const Mapped one = mapped(family.memories, memory);
    block_rams += memory.copies * one.block_rams;
    memory_luts += memory.copies * one.luts;
    if (!memory.asynchronous) (one.block_rams > 0 ? block_word_bits : lut_word_bits) += memory.copies * memory.width;
  }
  for (const Product& product : products_of(a)) multipliers += multipliers_of(family.multipliers, product);
  return {{"shell", 1},
          {"array_bits", static_cast<double>(a.bit_products() + adder_bits)},
          {"adder_bits", adder_bits},
          {"line_bits", line_bits},
          {"turned_bits", line_bits * bits_of(banks)},
          {"slot_bits", 2 * a.vectors * banks * a.rows},
          {"lane_bits", a.tiles * a.columns * a.accumulator_bits},
          {"requantizer_bits", a.post_lanes * (a.accumulator_bits + 17)},
          {"units", units},
          {"event_counters", a.event_counters},
          {"block_rams", static_cast<double>(block_rams)},
          {"memory_luts", static_cast<double>(memory_luts)},
          {"block_word_bits", static_cast<double>(block_word_bits)},
          {"lut_word_bits", static_cast<double>(lut_word_bits)},
          {"multipliers", static_cast<double>(multipliers)}};
}

double value_of(const nlohmann::json& parameter) {
  return parameter.is_boolean() ? static_cast<double>(parameter.get<bool>()) : parameter.get<double>();
}

double positive(const YamlReader& reader) {
  const double value = reader.as_double();
  if (value < 0) reader.fail("must not be negative");
  return value;
}

FpgaFit read_fit(const YamlReader& reader, const Features& known) {
  reader.check_keys({"unit", "luts", "coefficients", "error_percent"});
  FpgaFit fit{.unit = reader.at("unit").as_string(), .luts = positive(reader.at("luts"))};
  for (const auto& [feature, value] : reader.at("coefficients").members()) {
    if (!known.contains(feature)) value.fail(fmt::format("'{}' is nothing that is counted", feature));
    fit.coefficients[feature] = positive(value);
  }
  const YamlReader error = reader.at("error_percent");
  error.check_keys({"mean", "worst"});
  fit.mean_error = positive(error.at("mean")) / 100;
  fit.worst_error = positive(error.at("worst")) / 100;
  return fit;
}

FpgaMemories read_memories(const YamlReader& reader) {
  reader.check_keys({"lut_rams", "lut_ram_cost", "block_ram_cost"});
  FpgaMemories memories{.lut_ram_cost = reader.at("lut_ram_cost").as_int(),
                        .block_ram_cost = reader.at("block_ram_cost").as_int()};
  for (const YamlReader& entry : reader.at("lut_rams").items()) {
    entry.check_keys({"words", "bits"});
    memories.lut_rams.push_back({entry.at("words").as_int(), entry.at("bits").as_int()});
    if (memories.lut_rams.back().words < 1 || memories.lut_rams.back().bits < 1) entry.fail("must be above 0");
  }
  if (memories.lut_rams.empty()) reader.at("lut_rams").fail("lists no memory");
  return memories;
}

FpgaMultipliers read_multipliers(const YamlReader& reader) {
  reader.check_keys({"bits", "slice_bits", "least_product_bits"});
  const FpgaMultipliers multipliers{.bits = reader.at("bits").as_int(),
                                    .slice_bits = reader.at("slice_bits").as_int(),
                                    .least_product_bits = reader.at("least_product_bits").as_int()};
  if (multipliers.bits < 1 || multipliers.slice_bits < 1) reader.fail("bits must be above 0");
  return multipliers;
}

FpgaFamily read_family(const YamlReader& top) {
  top.check_keys({"format", "name", "title", "tools", "source", "points", "rules", "memories", "multipliers", "range",
                  "resources"});
  top.check_format(format_name);
  FpgaFamily family{.name = top.at("name").as_string(),
                    .title = top.at("title").as_text(),
                    .tools = top.at("tools").as_text(),
                    .source = top.at("source").as_text(),
                    .points = top.at("points").as_int()};
  top.read("rules", family.rules);
  family.memories = read_memories(top.at("memories"));
  family.multipliers = read_multipliers(top.at("multipliers"));
  const Features features = features_of(Architecture{}, family);
  const nlohmann::json parameters = parameters_of(Architecture{});
  for (const auto& [key, value] : top.at("range").members()) {
    const std::vector<YamlReader> ends = value.items();
    if (ends.size() != 2) value.fail("a range is [lowest, highest]");
    const bool counted = features.contains(key) ||
                         (parameters.contains(key) && (parameters[key].is_number() || parameters[key].is_boolean()));
    if (!counted) value.fail(fmt::format("'{}' is no parameter with a range", key));
    family.range[key] = {ends[0].as_double(), ends[1].as_double()};
  }
  const YamlReader resources = top.at("resources");
  resources.check_keys({fpga_resource_names.begin(), fpga_resource_names.end()});
  for (std::size_t i = 0; i < fpga_resource_names.size(); ++i)
    family.resources[i] = read_fit(resources.at(fpga_resource_names[i]), features);
  return family;
}

}  // namespace

std::vector<std::string> fpga_family_names() {
  std::vector<std::string> names;
  for (const BuiltInText& text : device_texts()) names.push_back(text.name);
  return names;
}

FpgaFamily load_fpga_family(const std::string& name_or_file) {
  for (const BuiltInText& text : device_texts()) {
    if (text.name == name_or_file)
      return read_family(YamlReader::from_text(text.text, fmt::format("{}.yaml (built in)", text.name)));
  }
  if (std::filesystem::is_regular_file(name_or_file)) return read_family(YamlReader::from_file(name_or_file));
  const std::vector<std::string> names = fpga_family_names();
  throw std::runtime_error(fmt::format("no FPGA family '{}': neither a file nor one of {}{}", name_or_file,
                                       fmt::join(names, ", "), did_you_mean(name_or_file, names)));
}

std::map<std::string, double> fpga_features(const FpgaFamily& family, const Architecture& architecture) {
  return features_of(architecture, family);
}

FpgaUse predict_fpga(const FpgaFamily& family, const Architecture& architecture) {
  const Features features = features_of(architecture, family);
  FpgaUse use;
  for (std::size_t i = 0; i < use.resources.size(); ++i) {
    const FpgaFit& fit = family.resources[i];
    double sum = 0;
    for (const auto& [feature, coefficient] : fit.coefficients) sum += coefficient * features.at(feature);
    use.resources[i] = std::round(sum);
    use.luts += fit.luts * use.resources[i];
  }
  const nlohmann::json parameters = parameters_of(architecture);
  std::vector<std::string> features_outside;  // mostly because parameters are: named where those alone would not tell
  for (const auto& [key, range] : family.range) {
    const auto feature = features.find(key);
    const double value = feature != features.end() ? feature->second : value_of(parameters.at(key));
    if (value >= range.low && value <= range.high) continue;
    (parameters.contains(key) ? use.outside : features_outside).push_back(key);
  }
  if (use.outside.empty()) use.outside = features_outside;
  return use;
}

nlohmann::json facts_of(const FpgaFamily& family) {
  nlohmann::json facts = {{"name", family.name},     {"title", family.title},   {"tools", family.tools},
                          {"source", family.source}, {"points", family.points}, {"rules", family.rules}};
  for (const auto& [key, range] : family.range) facts["range"][key] = {range.low, range.high};
  for (std::size_t i = 0; i < family.resources.size(); ++i) {
    const FpgaFit& fit = family.resources[i];
    facts["resources"][fpga_resource_names[i]] = {{"unit", fit.unit},
                                                  {"luts", fit.luts},
                                                  {"coefficients", fit.coefficients},
                                                  {"mean_error", fit.mean_error},
                                                  {"worst_error", fit.worst_error}};
  }
  return facts;
}

}  // namespace bitstrata::model
