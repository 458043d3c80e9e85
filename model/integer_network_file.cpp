// SPDX-License-Identifier: Apache-2.0
// Integer networks as safetensors files: 8 bytes header length (little endian), JSON header, tensor data.
// The layer list and a checksum lie in the header's "__metadata__".
#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "model/block_file.h"
#include "model/integer_network.h"
#include "model/output_file.h"
#include "model/yaml_reader.h"

namespace bitstrata::model {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "safetensors data are little endian");

constexpr const char* format_name = "bitstrata-integer-network-1";
constexpr std::uint64_t largest_header = 100'000'000;  // the limit of the safetensors format

[[noreturn]] void damaged(const std::filesystem::path& file, const std::string& why) {
  throw std::runtime_error(in_one_line(fmt::format("{} is damaged or not an integer network: {}", file.string(), why)));
}

json to_json(const Window& w) {
  return {{"kernel", {w.kernel_height, w.kernel_width}},
          {"stride", {w.stride_height, w.stride_width}},
          {"pad", {w.pad_top, w.pad_bottom, w.pad_left, w.pad_right}},
          {"dilation", {w.dilation_height, w.dilation_width}}};
}

// A value in words for a message: itself, or of lists and maps, which may lie in each other beyond the stack, the kind.
std::string shown(const json& value) {
  return value.is_structured() ? std::string(value.is_array() ? "a list" : "a map")
                               : value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// A whole number as it stands. The library's own conversion cuts fractions off and lets large values wrap around.
struct Whole {
  const json& value;
  template <std::integral Number>
  operator Number() const {  // NOLINT: members take what they hold
    const bool fits = value.is_number_unsigned()  ? std::in_range<Number>(value.get<std::uint64_t>())
                      : value.is_number_integer() ? std::in_range<Number>(value.get<std::int64_t>())
                                                  : false;
    if (!fits) {
      throw std::runtime_error(fmt::format("{} is no whole number from {} to {}", shown(value),
                                           std::numeric_limits<Number>::min(), std::numeric_limits<Number>::max()));
    }
    return value.get<Number>();
  }
};

Whole whole(const json& j, const char* key) { return {j.at(key)}; }
Whole whole(const json& j, const char* key, std::size_t index) { return {j.at(key).at(index)}; }

Window window_from(const json& j) {
  return {.kernel_height = whole(j, "kernel", 0),
          .kernel_width = whole(j, "kernel", 1),
          .stride_height = whole(j, "stride", 0),
          .stride_width = whole(j, "stride", 1),
          .pad_top = whole(j, "pad", 0),
          .pad_bottom = whole(j, "pad", 1),
          .pad_left = whole(j, "pad", 2),
          .pad_right = whole(j, "pad", 3),
          .dilation_height = whole(j, "dilation", 0),
          .dilation_width = whole(j, "dilation", 1)};
}

template <typename Enum, std::size_t count>
Enum enum_from(const json& j, const std::array<Enum, count>& values) {
  for (Enum value : values) {
    if (j == to_string(value)) return value;
  }
  throw std::runtime_error(fmt::format("unknown word {}", shown(j)));
}

json to_json(const IntegerNetwork& network) {
  json tensors = json::array();
  for (const TensorFormat& t : network.tensors) {
    tensors.push_back({{"shape", {t.shape.height, t.shape.width, t.shape.channels}},
                       {"bits", t.bits},
                       {"coding", to_string(t.coding)},
                       {"zero_point", t.zero_point},
                       {"scale", t.scale}});
  }
  json layers = json::array();
  for (const IntegerLayer& l : network.layers) {
    json layer = {{"name", l.name},
                  {"kind", to_string(l.kind)},
                  {"input", l.input},
                  {"output", l.output},
                  {"window", to_json(l.window)},
                  {"groups", l.groups},
                  {"weight_bits", l.weight_bits},
                  {"acc_shift", l.acc_shift},
                  {"clip", {l.clip_low, l.clip_high}},
                  {"macs", l.macs}};
    // Only what the layer has, so that files of plain networks stay as they were.
    if (l.second >= 0) layer["second"] = l.second;
    if (l.factor != std::array<std::int32_t, 2>{0, 0}) layer["factor"] = l.factor;
    if (l.activation != Activation::clip) layer["activation"] = to_string(l.activation);
    if (l.activation == Activation::hard_swish)
      layer["hard_swish"] = {
          {"three", l.swish_three}, {"six", l.swish_six}, {"shift", l.swish_shift}, {"offset", l.swish_offset}};
    layers.push_back(std::move(layer));
  }
  return {{"name", network.name}, {"tensors", tensors}, {"layers", layers}};
}

IntegerNetwork network_from(const json& j) {
  IntegerNetwork network{.name = j.at("name"), .tensors = {}, .layers = {}};
  for (const json& t : j.at("tensors")) {
    network.tensors.push_back(
        {.shape = {whole(t, "shape", 0), whole(t, "shape", 1), whole(t, "shape", 2)},
         .bits = whole(t, "bits"),
         .coding =
             enum_from(t.at("coding"), std::array{Coding::unsigned_code, Coding::twos_complement, Coding::bipolar}),
         .zero_point = whole(t, "zero_point"),
         .scale = t.at("scale")});
  }
  for (const json& l : j.at("layers")) {
    IntegerLayer layer;
    layer.name = l.at("name");
    layer.kind = enum_from(l.at("kind"), all_layer_kinds);
    if (l.contains("second")) layer.second = whole(l, "second");
    if (l.contains("factor")) layer.factor = {whole(l, "factor", 0), whole(l, "factor", 1)};
    if (l.contains("activation")) layer.activation = enum_from(l.at("activation"), all_activations);
    if (l.contains("hard_swish")) {
      const json& swish = l.at("hard_swish");
      layer.swish_three = whole(swish, "three");
      layer.swish_six = whole(swish, "six");
      layer.swish_shift = whole(swish, "shift");
      layer.swish_offset = whole(swish, "offset");
    }
    layer.input = whole(l, "input");
    layer.output = whole(l, "output");
    layer.window = window_from(l.at("window"));
    layer.groups = whole(l, "groups");
    layer.weight_bits = whole(l, "weight_bits");
    layer.acc_shift = whole(l, "acc_shift");
    layer.clip_low = whole(l, "clip", 0);
    layer.clip_high = whole(l, "clip", 1);
    layer.macs = whole(l, "macs");
    network.layers.push_back(std::move(layer));
  }
  return network;
}

// CRC-32 of the tensor data, then of the layer list: neither can change unnoticed.
std::string finish_checksum(uLong crc, const std::string& layers) {
  crc = crc32_z(crc, reinterpret_cast<const Bytef*>(layers.data()), layers.size());
  return fmt::format("{:08x}", crc);
}

std::string checksum(const std::string& data, const std::string& layers) {
  return finish_checksum(crc32_z(0, reinterpret_cast<const Bytef*>(data.data()), data.size()), layers);
}

std::string checksum(const BlockFile& file, std::uint64_t offset, const std::string& layers) {
  uLong crc = crc32_z(0, nullptr, 0);
  std::vector<std::uint8_t> block(std::size_t{1} << 20);
  while (offset < file.size()) {
    const auto part = std::span(block).first(std::min<std::uint64_t>(block.size(), file.size() - offset));
    file.read(offset, part);
    crc = crc32_z(crc, part.data(), part.size());
    offset += part.size();
  }
  return finish_checksum(crc, layers);
}

// Collects tensors for writing.
class Writer {
 public:
  template <typename Values>
  void add(const std::string& name, const char* dtype, const std::vector<std::int64_t>& shape, const Values& values) {
    using Element = std::remove_cvref_t<decltype(values[0])>;
    const std::size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Element));
    header[name] = {{"dtype", dtype}, {"shape", shape}, {"data_offsets", {begin, data.size()}}};
  }
  json header = json::object();
  std::string data;
};

// Hands out tensors while reading; every byte of the data must belong to one of them.
class Reader {
 public:
  Reader(const json& header, std::shared_ptr<const BlockFile> file, std::uint64_t data)
      : header_(header), file_(std::move(file)), data_(data), size_(file_->size() - data) {}

  template <typename T>
  std::vector<T> take(const std::string& name, const char* dtype) {
    const auto [offset, count] = find(name, dtype, sizeof(T));
    std::vector<T> values(count);
    file_->read(offset, {reinterpret_cast<std::uint8_t*>(values.data()), count * sizeof(T)});
    return values;
  }
  Weights take_weights(const std::string& name, bool keep) {
    if (keep) return take<std::int16_t>(name, "I16");
    const auto [offset, count] = find(name, "I16", sizeof(std::int16_t));
    return {count, weights_in(file_, offset)};
  }
  std::uint64_t taken() const { return taken_; }
  std::uint64_t size() const { return size_; }

 private:
  // Offset in the file, and number of elements.
  std::pair<std::uint64_t, std::size_t> find(const std::string& name, const char* dtype, std::size_t element) {
    const auto found = header_.find(name);
    if (found == header_.end()) throw std::runtime_error(fmt::format("tensor '{}' is missing", name));
    if (found->at("dtype") != dtype) throw std::runtime_error(fmt::format("tensor '{}' is not {}", name, dtype));
    const std::uint64_t begin = whole(*found, "data_offsets", 0);
    const std::uint64_t end = whole(*found, "data_offsets", 1);
    if (begin > end || end > size_ || (end - begin) % element != 0) {
      throw std::runtime_error(fmt::format("tensor '{}' lies at {}..{} of {} bytes", name, begin, end, size_));
    }
    std::uint64_t count = 1;
    bool fits = true;
    for (const json& side : found->at("shape"))
      fits = !__builtin_mul_overflow(count, std::uint64_t{Whole{side}}, &count) && fits;
    if (!fits || count != (end - begin) / element) {
      throw std::runtime_error(fmt::format("shape of tensor '{}' contradicts its size", name));
    }
    taken_ += end - begin;
    return {data_ + begin, count};
  }

  const json& header_;
  std::shared_ptr<const BlockFile> file_;
  std::uint64_t data_, size_;  // where the tensors begin, and their bytes
  std::uint64_t taken_ = 0;
};

std::vector<std::uint16_t> take_multipliers(Reader& reader, const std::string& name) {
  std::vector<std::uint16_t> result;
  for (std::int32_t value : reader.take<std::int32_t>(name, "I32")) {
    if (value < 0 || value > 65535) throw std::runtime_error(fmt::format("multiplier {} is outside 0..65535", value));
    result.push_back(static_cast<std::uint16_t>(value));
  }
  return result;
}

IntegerNetwork parse(const std::shared_ptr<const BlockFile>& file) {
  std::uint64_t length = 0;
  if (file->size() < sizeof(length)) throw std::runtime_error("shorter than its 8-byte header length");
  file->read(0, {reinterpret_cast<std::uint8_t*>(&length), sizeof(length)});
  if (length > largest_header || length > file->size() - sizeof(length)) {
    throw std::runtime_error(
        fmt::format("the header should have {} bytes, the file has {} (truncated?)", length, file->size()));
  }
  std::string text(length, ' ');
  file->read(sizeof(length), {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  const json header = json::parse(text);
  const std::uint64_t data = sizeof(length) + length;
  const json& metadata = header.at("__metadata__");
  if (metadata.at("format") != format_name) throw std::runtime_error("unknown format");
  const std::string layers = metadata.at("network");
  Reader reader(header, file, data);
  IntegerNetwork network = network_from(json::parse(layers));
  // The weights are nearly all of the data.
  const bool keep = reader.size() <= Weights::most_kept * sizeof(std::int16_t);
  for (IntegerLayer& layer : network.layers) {
    if (has_weights(layer.kind)) layer.weights = reader.take_weights(layer.name + ".weight", keep);
    layer.bias = reader.take<std::int64_t>(layer.name + ".bias", "I64");
    layer.multiplier = take_multipliers(reader, layer.name + ".multiplier");
    layer.shift = reader.take<std::uint8_t>(layer.name + ".shift", "U8");
    if (layer.activation == Activation::leaky)
      layer.negative_multiplier = take_multipliers(reader, layer.name + ".negative_multiplier");
    if (layer.activation == Activation::table) layer.table = reader.take<std::int16_t>(layer.name + ".table", "I16");
  }
  if (reader.taken() != reader.size()) {
    throw std::runtime_error(fmt::format("{} bytes of data, the header describes {}", reader.size(), reader.taken()));
  }
  if (checksum(*file, data, layers) != metadata.at("checksum")) throw std::runtime_error("the checksum differs");
  validate(network);
  mark_depthwise(network);  // which trusts the numbers of tensors
  return network;
}

}  // namespace

void save(const IntegerNetwork& network, const std::filesystem::path& file) {
  validate(network);
  Writer writer;
  for (const IntegerLayer& layer : network.layers) {
    const std::int64_t out = layer.out_channels();
    if (has_weights(layer.kind)) {
      const std::int64_t height = layer.window.kernel_height, width = layer.window.kernel_width;
      const std::int64_t in = static_cast<std::int64_t>(layer.weights.size()) / (out * height * width);
      writer.add(layer.name + ".weight", "I16", {out, height, width, in}, layer.weights.all());
    }
    writer.add(layer.name + ".bias", "I64", {out}, layer.bias);
    // Not U16: PyTorch before 2.3 has no such type.
    const auto wide = [](const std::vector<std::uint16_t>& v) { return std::vector<std::int32_t>(v.begin(), v.end()); };
    writer.add(layer.name + ".multiplier", "I32", {out}, wide(layer.multiplier));
    writer.add(layer.name + ".shift", "U8", {out}, layer.shift);
    if (layer.activation == Activation::leaky)
      writer.add(layer.name + ".negative_multiplier", "I32", {out}, wide(layer.negative_multiplier));
    if (layer.activation == Activation::table) writer.add(layer.name + ".table", "I16", {256}, layer.table);
  }
  const std::string layers = to_json(network).dump();
  writer.header["__metadata__"] = {
      {"format", format_name}, {"network", layers}, {"checksum", checksum(writer.data, layers)}};
  std::string header = writer.header.dump();
  header.append((8 - header.size() % 8) % 8, ' ');  // safetensors aligns the data
  const std::uint64_t length = header.size();

  write_whole(file, {{reinterpret_cast<const char*>(&length), sizeof(length)}, header, writer.data});
}

IntegerNetwork load_integer_network(const std::filesystem::path& file) {
  const auto bytes = std::make_shared<const BlockFile>(file);
  try {
    return parse(bytes);
  } catch (const json::exception&) {
    damaged(file, "its header is not one of an integer network");
  } catch (const std::exception& error) {
    damaged(file, error.what());
  }
}

}  // namespace bitstrata::model
