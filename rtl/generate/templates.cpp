// SPDX-License-Identifier: Apache-2.0
#include "rtl/generate/templates.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <stdexcept>

namespace bitstrata::generate {

namespace {

bool is_key(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(),
                                      [](unsigned char c) { return std::isupper(c) || std::isdigit(c) || c == '_'; });
}

}  // namespace

std::string fill_template(std::string_view name, const std::map<std::string, std::string>& values) {
  const auto& files = template_files();
  const auto file = std::find_if(files.begin(), files.end(), [&](const RtlFile& f) { return f.name == name; });
  if (file == files.end()) throw std::logic_error(fmt::format("no template '{}'", name));
  std::string_view rest = file->text;
  std::string result;
  std::set<std::string> used;
  while (true) {
    const auto begin = rest.find('@');
    result += rest.substr(0, begin);
    if (begin == std::string_view::npos) break;
    rest.remove_prefix(begin + 1);
    const auto end = rest.find('@');
    const std::string key(rest.substr(0, end));
    if (end == std::string_view::npos || !is_key(key)) {  // an event control, as in @(posedge clk)
      result += '@';
      continue;
    }
    const auto value = values.find(key);
    if (value == values.end()) throw std::logic_error(fmt::format("template '{}': no value for @{}@", name, key));
    result += value->second;
    used.insert(key);
    rest.remove_prefix(end + 1);
  }
  for (const auto& [key, value] : values) {
    if (!used.contains(key)) throw std::logic_error(fmt::format("template '{}' has no @{}@", name, key));
  }
  return result;
}

}  // namespace bitstrata::generate
