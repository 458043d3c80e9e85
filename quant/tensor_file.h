// SPDX-License-Identifier: Apache-2.0
// Named tensors in a safetensors file (readable from PyTorch), and files that are never half-written.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace bitstrata::quant {

struct TensorData {
  std::string type;  // safetensors' word: F32, F64, I64
  std::vector<std::int64_t> shape;
  std::string bytes;  // little endian, row major
};

struct TensorFile {
  std::map<std::string, TensorData> tensors;
  std::map<std::string, std::string> metadata;
};

// Written beside `file` and renamed, so that `file` is always whole. Throws std::runtime_error naming the file.
void save(const TensorFile& content, const std::filesystem::path& file);

// Throws std::runtime_error naming the file and what is wrong with it; a checksum covers every byte of the tensors.
TensorFile load_tensor_file(const std::filesystem::path& file);

}  // namespace bitstrata::quant
