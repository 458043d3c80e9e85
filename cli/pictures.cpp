// SPDX-License-Identifier: Apache-2.0
#include "cli/pictures.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <vector>

#include "model/json_text.h"
#include "model/output_file.h"
#include "sim/process.h"

namespace bitstrata::cli {

namespace fs = std::filesystem;

namespace {

constexpr int no_matplotlib = 3;  // exit status of the script
constexpr int not_started = 127;

// In the source tree the program was built from, or installed beside the program.
fs::path find_script(const std::string& name) {
  const fs::path program = fs::read_symlink("/proc/self/exe").parent_path();
  for (const fs::path& folder : {fs::path(BITSTRATA_SCRIPTS), program / "../share/bitstrata", program / "scripts"}) {
    if (fs::exists(folder / name)) return folder / name;
  }
  throw std::runtime_error(fmt::format("scripts/{} is not to be found", name));
}

std::string read_text(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

}  // namespace

std::map<std::string, std::string> draw_pictures(const nlohmann::json& data, const std::string& name) {
  const fs::path script = find_script(name);
  const sim::WorkFolder folder(fs::temp_directory_path(), "bitstrata-report");
  const fs::path input = folder.path() / "pictures.json";
  model::write_whole(input, model::json_text(data));
  // The system's Python has Debian's matplotlib even where another one comes first on the PATH.
  std::vector<std::string> pythons = {"/usr/bin/python3", "python3"};
  if (const char* chosen = std::getenv("BITSTRATA_PYTHON")) pythons = {chosen};
  sim::Finished drawn;
  for (const std::string& python : pythons) {
    drawn = sim::run_tool({python, script.string(), folder.path().string()}, ".", input, folder.temporary());
    if (drawn.status != no_matplotlib && drawn.status != not_started) break;
  }
  if (drawn.status == no_matplotlib || drawn.status == not_started) {
    throw std::runtime_error("pictures need Python with matplotlib (Debian: apt-get install python3-matplotlib)");
  }
  if (drawn.status != 0) {
    const std::string& log = drawn.output;
    throw std::runtime_error(
        fmt::format("{} failed: {}", script.string(), log.size() > 500 ? log.substr(log.size() - 500) : log));
  }
  std::map<std::string, std::string> pictures;
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    if (entry.path().extension() != ".svg") continue;
    // What comes before the element itself has no place inside a page.
    const std::string text = read_text(entry.path());
    const std::size_t begin = text.find("<svg");
    if (begin != std::string::npos) pictures[entry.path().stem().string()] = text.substr(begin);
  }
  return pictures;
}

}  // namespace bitstrata::cli
