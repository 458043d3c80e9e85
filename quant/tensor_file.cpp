// SPDX-License-Identifier: Apache-2.0
#include "quant/tensor_file.h"

#include <fmt/format.h>
#include <zlib.h>

#include <bit>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

#include "model/input_file.h"
#include "model/output_file.h"

namespace bitstrata::quant {

namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "safetensors data are little endian");

constexpr std::uint64_t kLargestHeader = 100'000'000;  // the limit of the safetensors format

std::string checksum(const std::string& data, const std::map<std::string, std::string>& metadata) {
  uLong crc = crc32_z(0, reinterpret_cast<const Bytef*>(data.data()), data.size());
  for (const auto& [key, value] : metadata) {
    if (key == "checksum") continue;
    const std::string text = key + "=" + value + "\n";
    crc = crc32_z(crc, reinterpret_cast<const Bytef*>(text.data()), text.size());
  }
  return fmt::format("{:08x}", crc);
}

std::size_t element_size(const std::string& type) {
  if (type == "F32") return 4;
  if (type == "F64" || type == "I64") return 8;
  throw std::runtime_error(fmt::format("element type '{}' is not supported", type));
}

TensorFile parse(const std::string& content) {
  std::uint64_t length = 0;
  if (content.size() < 8) throw std::runtime_error("it is shorter than its header");
  std::memcpy(&length, content.data(), 8);
  if (length > kLargestHeader || length > content.size() - 8) throw std::runtime_error("its header is cut off");
  const json header = json::parse(content.substr(8, length));
  const std::string data = content.substr(8 + length);
  TensorFile file;
  if (header.contains("__metadata__")) file.metadata = header.at("__metadata__");
  if (file.metadata.contains("checksum") && file.metadata.at("checksum") != checksum(data, file.metadata))
    throw std::runtime_error("its checksum does not fit its content");
  file.metadata.erase("checksum");
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    TensorData tensor{entry.at("dtype"), entry.at("shape"), {}};
    const std::uint64_t begin = entry.at("data_offsets").at(0), end = entry.at("data_offsets").at(1);
    std::uint64_t size = element_size(tensor.type);
    for (std::int64_t side : tensor.shape) {
      if (side < 0 || side > (1 << 28)) throw std::runtime_error(fmt::format("tensor '{}' has side {}", name, side));
      if (__builtin_mul_overflow(size, static_cast<std::uint64_t>(side), &size))
        throw std::runtime_error(fmt::format("tensor '{}' has more bytes than 64 bits count", name));
    }
    if (begin > end || end > data.size() || end - begin != size)
      throw std::runtime_error(
          fmt::format("tensor '{}' lies outside the file or has another size than its shape", name));
    tensor.bytes = data.substr(begin, size);
    file.tensors.emplace(name, std::move(tensor));
  }
  return file;
}

}  // namespace

void save(const TensorFile& content, const std::filesystem::path& file) {
  json header;
  std::string data;
  for (const auto& [name, tensor] : content.tensors) {
    header[name] = {{"dtype", tensor.type},
                    {"shape", tensor.shape},
                    {"data_offsets", {data.size(), data.size() + tensor.bytes.size()}}};
    data += tensor.bytes;
  }
  std::map<std::string, std::string> metadata = content.metadata;
  metadata["checksum"] = checksum(data, content.metadata);
  header["__metadata__"] = metadata;
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // tensors start on multiples of 8 bytes
  const std::uint64_t length = text.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  model::write_whole(file, {bytes, text, data});
}

TensorFile load_tensor_file(const std::filesystem::path& file) {
  model::refuse_device(file);
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw std::runtime_error(fmt::format("{} cannot be read", file.string()));
  std::ostringstream content;
  content << stream.rdbuf();
  try {
    return parse(content.str());
  } catch (const json::exception&) {
    throw std::runtime_error(fmt::format("{} is damaged or no safetensors file: its header", file.string()));
  } catch (const std::exception& error) {
    throw std::runtime_error(fmt::format("{} is damaged or no safetensors file: {}", file.string(), error.what()));
  }
}

}  // namespace bitstrata::quant
