// SPDX-License-Identifier: Apache-2.0
// Folders of images with a subfolder for each class.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace bitstrata::model {

struct ImageFolder {
  std::vector<std::string> classes;  // names of the subfolders; a label is an index into them
  std::vector<std::filesystem::path> files;
  std::vector<int> labels;
};

// `classes`: in the order of their labels; empty: all subfolders in the byte order of their names. The first file of
// every class comes first, by byte order of names, then the second of every class and so on, so that any first part
// holds all classes alike. Names that begin with a dot are left aside. Files are not opened.
// Throws std::runtime_error naming what is no class, no file or missing, and a class without images.
ImageFolder list_image_folder(const std::filesystem::path& folder, const std::vector<std::string>& classes);

}  // namespace bitstrata::model
