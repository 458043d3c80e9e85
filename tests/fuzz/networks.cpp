// SPDX-License-Identifier: Apache-2.0
// Integer networks, as run folders hold them (safetensors). Small ones also run.
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "model/golden.h"
#include "model/integer_network.h"
#include "tests/fuzz/reader.h"

namespace {

// `bytes` with the checksum that its data have now: without it no change would come past the reader's last check but
// one.
std::string with_checksum(std::string bytes) {
  std::uint64_t length = 0;
  if (bytes.size() < sizeof(length)) return bytes;
  std::memcpy(&length, bytes.data(), sizeof(length));
  if (length > bytes.size() - sizeof(length)) return bytes;
  const std::size_t data = sizeof(length) + length;
  const nlohmann::json header = nlohmann::json::parse(bytes.substr(sizeof(length), length), nullptr, false);
  const auto metadata = header.is_object() ? header.find("__metadata__") : header.end();
  if (metadata == header.end() || !metadata->is_object()) return bytes;
  const auto layers = metadata->find("network"), checksum = metadata->find("checksum");
  if (layers == metadata->end() || !layers->is_string() || checksum == metadata->end() || !checksum->is_string())
    return bytes;
  const std::string text = layers->get<std::string>();
  uLong crc = crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data() + data), bytes.size() - data);
  crc = crc32_z(crc, reinterpret_cast<const Bytef*>(text.data()), text.size());
  const std::size_t at = bytes.find(checksum->get<std::string>(), sizeof(length));
  char digits[9] = {};
  std::snprintf(digits, sizeof(digits), "%08lx", crc);
  if (at != std::string::npos && at + 8 <= data) bytes.replace(at, 8, digits);
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bitstrata;
  const std::string bytes = with_checksum(std::string(reinterpret_cast<const char*>(data), size));
  const auto file =
      testing::file_of("network.safetensors", reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  testing::must_read_or_refuse([&] {
    const model::IntegerNetwork network = model::load_integer_network(file);
    std::int64_t values = 0, macs = 0;
    for (const model::TensorFormat& tensor : network.tensors)
      values += std::min<std::int64_t>(tensor.shape.elements(), 1 << 20);
    for (const model::IntegerLayer& layer : network.layers) macs += std::min<std::int64_t>(layer.macs, 1 << 20);
    if (values + macs < 20000) {
      const model::TensorFormat& input = network.tensors[0];
      model::run(network, model::Codes(static_cast<std::size_t>(input.shape.elements()), input.zero_point));
    }
  });
  return 0;
}
