// SPDX-License-Identifier: Apache-2.0
// Architecture descriptions: limits in one place, built-in examples, and the YAML file.
#include "model/architecture.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "model/output_file.h"
#include "model/yaml_reader.h"

namespace bitstrata::model {
namespace {

constexpr const char* format_name = "bitstrata-architecture-1";

// X(key) for every key that maps to the struct member of the same name. clang-format 14 never comes to rest on it.
// clang-format off
#define BITSTRATA_ARCHITECTURE_KEYS(X) \
  X(name) X(style) X(tiles) X(vectors) X(rows) X(columns) X(fold) X(max_weight_bits) X(max_activation_bits) X(supported_bits) \
  X(accumulator_bits) X(data_bits) X(address_width) X(count_bits) X(activation_depth) X(output_depth) X(weight_depth) \
  X(load_rows) X(psum_depth) X(parameter_depth) X(post_lanes) X(burst_beats) X(outstanding) X(skip_planes) X(strips) \
  X(vector_unit) X(swish_unit) X(table_unit) X(event_counters) X(popcount_tree) X(serial_requantizer) X(clock_gating) \
  X(clock_mhz)
// clang-format on

#define BITSTRATA_MEMORY_KEYS(X) X(read_latency) X(write_latency) X(beat_interval)

struct Problem {
  std::string key;  // "memory.read_latency" for nested keys
  std::string message;
};

bool power_of_two(int value) { return value > 0 && std::has_single_bit(static_cast<unsigned>(value)); }

// Collects the first broken limit.
class Checker {
 public:
  void range(const char* key, int value, int low, int high) {
    if (value < low || value > high) report(key, fmt::format("{} is {}; allowed is {}..{}", key, value, low, high));
  }
  void power(const char* key, int value, int low, int high) {
    if (!power_of_two(value) || value < low || value > high) {
      report(key, fmt::format("{} is {}; allowed are powers of two from {} to {}", key, value, low, high));
    }
  }
  void require(bool good, const char* key, const std::string& message) {
    if (!good) report(key, message);
  }
  const std::optional<Problem>& first() const { return first_; }

 private:
  void report(const char* key, const std::string& message) {
    if (!first_) first_ = Problem{key, message};
  }
  std::optional<Problem> first_;
};

std::optional<Problem> first_problem(const Architecture& a) {
  constexpr int deepest = 1 << 20;
  Checker check;
  check.require(!a.name.empty(), "name", "name is empty");
  if (!Style::known(a.style)) {
    try {
      (void)Style::of(a.style);
    } catch (const std::invalid_argument& unknown) {
      check.require(false, "style", unknown.what());
      return check.first();
    }
  }
  const Style& style = a.rules();
  check.range("tiles", a.tiles, 1, style.most_tiles);
  check.range("vectors", a.vectors, 1, style.most_vectors);
  check.range("rows", a.rows, 2, 1024);
  check.range("columns", a.columns, 2, 1024);
  check.require(a.tiles * a.columns <= 32768, "tiles",
                fmt::format("tiles is {}; with columns = {} at most {} (32768 columns in all)", a.tiles, a.columns,
                            32768 / std::max(1, a.columns)));
  check.range("max_weight_bits", a.max_weight_bits, 1, 16);
  check.range("max_activation_bits", a.max_activation_bits, 1, 16);
  check.require(a.vectors * a.columns <= 4096, "vectors",
                fmt::format("vectors is {}; with columns = {} at most {} (4096 dot units)", a.vectors, a.columns,
                            4096 / std::max(1, a.columns)));
  check.require(a.columns >= style.columns_of_output(a.max_weight_bits), "columns",
                fmt::format("columns is {}; a weight of max_weight_bits = {} needs at least that many", a.columns,
                            a.max_weight_bits));
  const int widest = std::max(a.max_weight_bits, a.max_activation_bits);
  int previous = 0;
  for (int bits : a.supported_bits) {
    check.require(bits > previous && bits <= widest, "supported_bits",
                  fmt::format("supported_bits must be ascending widths from 1 to {}; {} is wrong", widest, bits));
    previous = bits;
  }
  check.range("accumulator_bits", a.accumulator_bits, 16, 48);
  check.power("data_bits", a.data_bits, 16, 256);
  check.range("address_width", a.address_width, 16, 64);
  check.range("count_bits", a.count_bits, 8, 16);
  for (const auto& [what, number] : {std::pair{"rows", a.rows}, {"columns of all tiles", a.tiles * a.columns}})
    check.require(number < 1 << std::clamp(a.count_bits, 8, 16), "count_bits",
                  fmt::format("count_bits is {}; that counts to {}, and there are {} {}", a.count_bits,
                              (1 << std::clamp(a.count_bits, 8, 16)) - 1, number, what));
  check.power("activation_depth", a.activation_depth, 4, deepest);
  check.power("output_depth", a.output_depth, 4, deepest);
  // Buffer addresses count the lines of all banks in 16 bits.
  for (const auto& [key, depth] : {std::pair{"activation_depth", a.activation_depth}, {"output_depth", a.output_depth}})
    check.require(depth * std::int64_t{a.plane_banks()} <= 32768, key,
                  fmt::format("{} is {}; with {} plane banks (max_activation_bits = {}) at most {}", key, depth,
                              a.plane_banks(), a.max_activation_bits, 32768 / a.plane_banks()));
  check.power("weight_depth", a.weight_depth, 4, 1 << 15);  // the loader counts rows in 16 bits
  check.power("fold", a.fold, 1, 4);
  check.power("load_rows", a.load_rows, 1, 8);
  check.power("psum_depth", a.psum_depth, 4, deepest);
  check.power("parameter_depth", a.parameter_depth, 4, deepest);
  check.power("post_lanes", a.post_lanes, 1, 8);
  check.require(a.post_lanes <= a.data_bits, "post_lanes",
                fmt::format("post_lanes is {}; data_bits = {} is the most", a.post_lanes, a.data_bits));
  check.require(!a.serial_requantizer || (a.post_lanes == 1 && !a.vector_unit && !a.swish_unit && !a.table_unit),
                "serial_requantizer",
                "serial_requantizer needs post_lanes = 1, and vector_unit, swish_unit and table_unit = false");
  check.range("burst_beats", a.burst_beats, 1, 256);
  check.require(a.burst_beats * a.data_bits / 8 <= 4096, "burst_beats",
                fmt::format("burst_beats is {}; with data_bits = {} an AXI burst (at most 4096 bytes) holds {}",
                            a.burst_beats, a.data_bits, 4096 * 8 / std::max(1, a.data_bits)));
  check.range("outstanding", a.outstanding, 1, 16);
  check.require(std::isfinite(a.clock_mhz) && a.clock_mhz > 0, "clock_mhz",
                fmt::format("clock_mhz is {}; it must be above 0", a.clock_mhz));
  check.range("memory.read_latency", a.memory.read_latency, 1, 65535);
  check.range("memory.write_latency", a.memory.write_latency, 1, 65535);
  check.range("memory.beat_interval", a.memory.beat_interval, 1, 65535);
  return check.first();
}

Architecture pim(int rows, int columns) {
  Architecture a;
  a.name = fmt::format("pim-{}x{}", rows, columns);
  a.rows = rows;
  a.columns = columns;
  return a;
}

Architecture overlay(int vectors, int rows, int columns) {
  Architecture a;
  a.name = fmt::format("overlay-{}x{}x{}", vectors, rows, columns);
  a.style = "overlay";
  a.vectors = vectors;
  a.rows = rows;
  a.columns = columns;
  return a;
}

// Sizes follow the array: the smaller ones keep lines short and buffers deep, for few block memories.
std::vector<Architecture> built_ins() {
  Architecture tiny = pim(16, 16);
  tiny.data_bits = 32;
  tiny.activation_depth = 128;
  tiny.weight_depth = 256;
  tiny.psum_depth = 128;
  tiny.parameter_depth = 128;
  tiny.post_lanes = 1;
  tiny.outstanding = 2;

  Architecture small = pim(32, 32);
  small.data_bits = 32;
  small.activation_depth = 128;
  small.output_depth = 64;
  small.post_lanes = 2;

  Architecture large = pim(128, 128);
  large.data_bits = 128;
  large.weight_depth = 1024;
  large.post_lanes = 8;
  large.outstanding = 8;
  Architecture fpga = overlay(4, 32, 4);
  fpga.data_bits = 32;
  fpga.activation_depth = 128;
  fpga.output_depth = 64;
  fpga.max_weight_bits = fpga.max_activation_bits = 8;
  fpga.post_lanes = 2;
  Architecture gated = pim(64, 64), gated_overlay = overlay(8, 64, 8);
  for (Architecture* a : {&gated, &gated_overlay}) {
    a->name += "-gated";
    a->clock_gating = true;
  }
  // The array that fits an iCE40 HX8K beside the memory of bs_serial_top; bursts and latencies are that memory's.
  Architecture hx8k = pim(4, 4);
  hx8k.name += "-hx8k";
  hx8k.fold = 1;
  hx8k.strips = false;
  hx8k.max_weight_bits = hx8k.max_activation_bits = 2;
  hx8k.accumulator_bits = 16;
  hx8k.data_bits = 16;
  hx8k.address_width = 16;
  hx8k.count_bits = 9;
  hx8k.weight_depth = 64;
  hx8k.psum_depth = 32;
  hx8k.parameter_depth = 32;
  hx8k.post_lanes = 1;
  hx8k.outstanding = 1;
  hx8k.vector_unit = hx8k.swish_unit = hx8k.table_unit = false;
  hx8k.event_counters = false;
  hx8k.serial_requantizer = true;
  hx8k.clock_mhz = 12;
  hx8k.memory = {.read_latency = 2, .write_latency = 1, .beat_interval = 1};
  return {Architecture{}, tiny, small, large, fpga, overlay(8, 64, 8), gated, gated_overlay, hx8k};
}

std::vector<std::string> known_keys() {
#define X(key) #key,
  return {"format", "base", BITSTRATA_ARCHITECTURE_KEYS(X) "memory"};
#undef X
}

constexpr int most_bases = 16;  // of each other: more are files that name themselves

Architecture load_file(const std::filesystem::path& file, int bases);

// What the keys of a file override.
Architecture load_base(const YamlReader& base, const std::filesystem::path& folder, int bases) {
  const std::string word = base.as_string();
  if (bases >= most_bases) base.fail(fmt::format("more than {} files are each other's base", most_bases));
  std::error_code unknown;
  if (std::filesystem::exists(folder / word, unknown)) return load_file(folder / word, bases + 1);
  for (const Architecture& a : built_ins())
    if (a.name == word) return a;
  const std::vector<std::string> names = architecture_names();
  base.fail(fmt::format("no architecture '{}': neither a file beside this one nor one of {}{}", word,
                        fmt::join(names, ", "), did_you_mean(word, names)));
}

Architecture load_file(const std::filesystem::path& file, int bases) {
  const YamlReader top = YamlReader::from_file(file);
  top.check_keys(known_keys());
  if (top.has("format")) top.check_format(format_name);
  Architecture a;
  if (top.has("base")) a = load_base(top.at("base"), file.parent_path(), bases);
  a.name = file.stem().string();
#define X(key) top.read(#key, a.key);
  BITSTRATA_ARCHITECTURE_KEYS(X)
#undef X
  if (top.has("memory")) {
    const YamlReader memory = top.at("memory");
#define X(key) #key,
    memory.check_keys({BITSTRATA_MEMORY_KEYS(X)});
#undef X
#define X(key) memory.read(#key, a.memory.key);
    BITSTRATA_MEMORY_KEYS(X)
#undef X
  }
  if (const auto problem = first_problem(a)) {
    const bool nested = problem->key.starts_with("memory.");
    const YamlReader section = nested && top.has("memory") ? top.at("memory") : top;
    const std::string key = nested ? problem->key.substr(7) : problem->key;
    (section.has(key) ? section.at(key) : section).fail(problem->message);
  }
  return a;
}

void assign(int& parameter, const YamlReader& value) { parameter = value.as_int(); }
void assign(double& parameter, const YamlReader& value) { parameter = value.as_double(); }
void assign(bool& parameter, const YamlReader& value) { parameter = value.as_bool(); }
void assign(std::string& parameter, const YamlReader& value) { parameter = value.as_string(); }
void assign(std::vector<int>& parameter, const YamlReader& value) {
  parameter.clear();
  for (const YamlReader& item : value.items()) parameter.push_back(item.as_int());
}

}  // namespace

int Architecture::plane_banks() const {
  return std::max(2, static_cast<int>(std::bit_ceil(static_cast<unsigned>(max_activation_bits))));
}

std::string Architecture::array_text() const {
  return overlay() ? fmt::format("{} x {} dot units of {} bits", vectors, columns, rows)
                   : fmt::format("{} x {} x {} cells", tiles, rows, columns);
}

std::int64_t Architecture::activation_buffer_bits() const {
  return std::int64_t{2} * plane_banks() * activation_depth * data_bits;
}

std::int64_t Architecture::output_buffer_bits() const {
  return std::int64_t{4} * plane_banks() * output_depth * data_bits;
}

int Architecture::planes_at_once() const {
  const bool folds = rules().row_is_a_value && !skip_planes && power_of_two(rows) && max_activation_bits > 1;
  return folds ? std::max(1, std::min(fold, rows / 2)) : 1;
}

int Architecture::rows_at_once() const {
  if (!rules().row_is_a_value) return 1;
  int at_once = load_rows;
  while (at_once > 1 && (rows % at_once != 0 || weight_depth / at_once < 4)) at_once /= 2;
  return std::max(1, at_once);
}

std::int64_t Architecture::weight_buffer_bits() const {
  return std::int64_t{weight_words()} * ((weight_word_bits() + data_bits - 1) / data_bits) * data_bits;
}

std::int64_t Architecture::partial_sum_bits() const {
  const std::int64_t lanes = std::int64_t{tiles} * ((columns + post_lanes - 1) / post_lanes) * post_lanes;
  return std::int64_t{2} * psum_depth * lanes * accumulator_bits;
}

void validate(const Architecture& architecture) {
  if (const auto problem = first_problem(architecture)) {
    throw std::invalid_argument(fmt::format("architecture '{}': {}", architecture.name, problem->message));
  }
}

std::string array_name(const Architecture& a) {
  if (a.overlay()) return fmt::format("{}-{}x{}x{}", a.style, a.vectors, a.rows, a.columns);
  return a.tiles == 1 ? fmt::format("{}-{}x{}", a.style, a.rows, a.columns)
                      : fmt::format("{}-{}x{}x{}", a.style, a.tiles, a.rows, a.columns);
}

bool in_array_name(const std::string& key) {
  return key == "style" || key == "tiles" || key == "vectors" || key == "rows" || key == "columns";
}

std::optional<std::string> behind_array_name(const Architecture& architecture) {
  const std::string array = array_name(architecture);
  if (!architecture.name.starts_with(array)) return std::nullopt;
  const std::string rest = architecture.name.substr(array.size());
  return rest.empty() || rest.starts_with('-') ? std::optional(rest) : std::nullopt;
}

std::string to_text(const Architecture& architecture) {
  validate(architecture);
  YAML::Emitter out;
  out << YAML::BeginMap << YAML::Key << "format" << YAML::Value << format_name;
#define X(key)                                                                                   \
  out << YAML::Key << #key << YAML::Value;                                                       \
  if constexpr (std::is_same_v<decltype(architecture.key), std::vector<int>>) out << YAML::Flow; \
  out << architecture.key;
  BITSTRATA_ARCHITECTURE_KEYS(X)
#undef X
  out << YAML::Key << "memory" << YAML::Value << YAML::BeginMap;
#define X(key) out << YAML::Key << #key << YAML::Value << architecture.memory.key;
  BITSTRATA_MEMORY_KEYS(X)
#undef X
  out << YAML::EndMap << YAML::EndMap;
  return fmt::format("{}\n", out.c_str());
}

void save(const Architecture& architecture, const std::filesystem::path& file) {
  write_whole(file, to_text(architecture));
}

std::vector<std::string> architecture_names() {
  std::vector<std::string> names;
  for (const Architecture& a : built_ins()) names.push_back(a.name);
  return names;
}

Architecture load_architecture(const std::string& name_or_file) {
  for (const Architecture& a : built_ins()) {
    if (a.name == name_or_file) return a;
  }
  std::error_code unknown;  // no file has a name that is too long
  if (std::filesystem::exists(name_or_file, unknown)) return load_file(name_or_file, 0);
  const std::vector<std::string> names = architecture_names();
  throw std::runtime_error(fmt::format("no architecture '{}': neither a file nor one of {}{}", name_or_file,
                                       fmt::join(names, ", "), did_you_mean(name_or_file, names)));
}

std::vector<std::string> architecture_keys() {
  std::vector<std::string> keys = {
#define X(key) #key,
      BITSTRATA_ARCHITECTURE_KEYS(X)
#undef X
#define X(key) "memory." #key,
          BITSTRATA_MEMORY_KEYS(X)
#undef X
  };
  std::erase(keys, "name");
  return keys;
}

void set_parameter(Architecture& architecture, const std::string& key, const YamlReader& value) {
#define X(member) \
  if (key == #member && key != "name") return assign(architecture.member, value);
  BITSTRATA_ARCHITECTURE_KEYS(X)
#undef X
#define X(member) \
  if (key == "memory." #member) return assign(architecture.memory.member, value);
  BITSTRATA_MEMORY_KEYS(X)
#undef X
  value.fail(fmt::format("unknown architecture parameter '{}'{}", key, did_you_mean(key, architecture_keys())));
}

nlohmann::json parameters_of(const Architecture& architecture) {
  nlohmann::json parameters = nlohmann::json::object();
#define X(member) parameters[#member] = architecture.member;
  BITSTRATA_ARCHITECTURE_KEYS(X)
#undef X
#define X(member) parameters["memory." #member] = architecture.memory.member;
  BITSTRATA_MEMORY_KEYS(X)
#undef X
  parameters.erase("name");
  return parameters;
}

}  // namespace bitstrata::model
