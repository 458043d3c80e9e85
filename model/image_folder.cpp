// SPDX-License-Identifier: Apache-2.0
#include "model/image_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "model/yaml_reader.h"

namespace bitstrata::model {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const fs::path& path, const std::string& why) {
  throw std::runtime_error(in_one_line(fmt::format("{}: {}", path.string(), why)));
}

// What lies in `folder`, in the byte order of names, without hidden files. `folders`: all must be folders, else files.
std::vector<std::string> names_in(const fs::path& folder, bool folders) {
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  if (error) refuse(folder, fmt::format("is no readable folder of images ({})", error.message()));
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : entries) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.')) continue;
    if (folders && !entry.is_directory(error)) {
      refuse(entry.path(), "is no folder; a folder of images holds a subfolder for each class and nothing else");
    }
    if (!folders && !entry.is_regular_file(error)) refuse(entry.path(), "is no file; a class holds images only");
    names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

ImageFolder list_image_folder(const fs::path& folder, const std::vector<std::string>& classes) {
  const std::vector<std::string> found = names_in(folder, true);
  ImageFolder result{classes.empty() ? found : classes, {}, {}};
  if (found.empty()) refuse(folder, "holds no subfolders, one for each class");
  for (const std::string& name : found) {
    if (std::find(result.classes.begin(), result.classes.end(), name) == result.classes.end()) {
      refuse(folder / name, fmt::format("is none of the {} classes, which begin with '{}'{}", result.classes.size(),
                                        result.classes[0], did_you_mean(name, result.classes)));
    }
  }
  std::vector<std::vector<std::string>> names;
  std::size_t most = 0;
  for (const std::string& name : result.classes) {
    if (!std::binary_search(found.begin(), found.end(), name))
      refuse(folder, fmt::format("has no subfolder for the class '{}'", name));
    names.push_back(names_in(folder / name, false));
    if (names.back().empty()) refuse(folder / name, "holds no image of its class");
    most = std::max(most, names.back().size());
  }
  for (std::size_t i = 0; i < most; ++i) {
    for (std::size_t c = 0; c < names.size(); ++c) {
      if (i >= names[c].size()) continue;
      result.files.push_back(folder / result.classes[c] / names[c][i]);
      result.labels.push_back(static_cast<int>(c));
    }
  }
  return result;
}

}  // namespace bitstrata::model
