// SPDX-License-Identifier: Apache-2.0
#include "model/digest.h"

#include <fmt/format.h>

#include <boost/uuid/detail/sha1.hpp>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "model/input_file.h"

namespace bitstrata::model {

std::string digest_of(std::string_view bytes) {
  boost::uuids::detail::sha1 hash;
  hash.process_bytes(bytes.data(), bytes.size());
  unsigned int digest[5];
  hash.get_digest(digest);
  return fmt::format("{:08x}{:08x}{:08x}{:08x}{:08x}", digest[0], digest[1], digest[2], digest[3], digest[4]);
}

std::string digest_of_file(const std::filesystem::path& file) {
  refuse_device(file);
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  if (stream.peek() != std::ifstream::traits_type::eof()) text << stream.rdbuf();
  if (!stream.is_open() || stream.bad()) throw std::runtime_error(fmt::format("cannot read {}", file.string()));
  return digest_of(text.str());
}

}  // namespace bitstrata::model
