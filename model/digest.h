// SPDX-License-Identifier: Apache-2.0
// Names contents: results that are remembered are kept under the digest of all they were made from.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace bitstrata::model {

// SHA-1 as 40 hexadecimal digits. Tells inputs apart; no protection against somebody who means harm.
std::string digest_of(std::string_view bytes);
// The digest of a file's whole content. Throws std::runtime_error where it cannot be read.
std::string digest_of_file(const std::filesystem::path& file);

}  // namespace bitstrata::model
