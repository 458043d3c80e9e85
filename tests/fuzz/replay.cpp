// SPDX-License-Identifier: Apache-2.0
// Gives every file of a folder to a fuzz target, for compilers without libFuzzer: replay FOLDER. With `tokens` behind
// it, also every file with one word or number changed or left out: what a slip of a person or a tool would do.
#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string_view>
#include <vector>

#include "tests/model/temporary.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
// Referred to by targets with mutations of their own, which a replay never asks for.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t*, std::size_t size, std::size_t) { return size; }

namespace {

constexpr std::array<std::string_view, 16> words = {"",
                                                    "-1",
                                                    "0",
                                                    "1",
                                                    "65536",
                                                    "2147483648",
                                                    "-9223372036854775808",
                                                    "1099511627776",
                                                    "nan",
                                                    "1e400",
                                                    "1e-300",
                                                    "9007199254740993",
                                                    "[]",
                                                    "{",
                                                    "\"",
                                                    "word"};

// The longest that one input may take; a sanitized build on a busy machine is twenty times slower than a user's.
constexpr std::chrono::seconds longest{20};

void give(const std::string& bytes, const std::string& what) {
  const auto begin = std::chrono::steady_clock::now();
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (std::chrono::steady_clock::now() - begin > longest) {
    std::cerr << what << ": takes too long\n";
    std::exit(1);
  }
}

// Begin and length of every run of letters, digits, points and signs.
std::vector<std::pair<std::size_t, std::size_t>> tokens_of(const std::string& text) {
  const auto inside = [&](std::size_t i) {
    const char c = text[i];
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '-' || c == '+';
  };
  std::vector<std::pair<std::size_t, std::size_t>> tokens;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = begin;
    while (end < text.size() && inside(end)) ++end;
    if (end > begin) tokens.emplace_back(begin, end - begin);
    begin = end + 1;
  }
  return tokens;
}

std::size_t give_with_changed_tokens(const std::string& text, const std::string& name) {
  const auto tokens = tokens_of(text);
  for (const auto& [begin, length] : tokens) {
    for (const std::string_view word : words) {
      std::string changed = text;
      changed.replace(begin, length, word);
      give(changed, name);
    }
  }
  return tokens.size() * words.size();
}

}  // namespace

int main(int argc, char** argv) {
  const bool with_tokens = argc == 3 && std::string_view(argv[2]) == "tokens";
  if ((argc != 2 && !with_tokens) || !std::filesystem::is_directory(argv[1])) {
    std::cerr << "usage: " << argv[0] << " FOLDER [tokens]\n";
    return 2;
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::size_t changed = 0;
  for (const auto& file : files) {
    std::cout << file.filename().string() << std::endl;  // flushed: the last line names the file of a crash
    const std::string bytes = bitstrata::testing::read_text(file);
    give(bytes, file.string());
    if (with_tokens) changed += give_with_changed_tokens(bytes, file.string());
  }
  std::cout << files.size() << " files, " << changed << " with a changed word\n";
  return files.empty() ? 1 : 0;
}
