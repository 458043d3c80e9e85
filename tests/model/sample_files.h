// SPDX-License-Identifier: Apache-2.0
// Files of samples made in the tests: .npy arrays and CIFAR records.
#pragma once

#include <string>
#include <vector>

namespace bitstrata::testing {

// `type` and `shape` as the header writes them: "|u1", "(2, 3)".
inline std::string npy_file(const std::string& type, const std::string& shape, const std::string& data) {
  std::string header = "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }";
  header.resize((10 + header.size() + 64) / 64 * 64 - 11, ' ');
  header += '\n';
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header + data;
}

// A record of one label (CIFAR-10) or of two (CIFAR-100); red is `value`, green the next number, blue the one after.
inline std::string cifar_record(const std::vector<int>& labels, int value) {
  std::string record;
  for (const int label : labels) record += static_cast<char>(label);
  for (int channel = 0; channel < 3; ++channel) record += std::string(1024, static_cast<char>(value + channel));
  return record;
}

}  // namespace bitstrata::testing
