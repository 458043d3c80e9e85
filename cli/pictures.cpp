// SPDX-License-Identifier: Apache-2.0
#include "cli/pictures.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <vector>

namespace bitstrata::cli {

namespace fs = std::filesystem;

namespace {

constexpr int no_matplotlib = 3;  // exit status of the script
constexpr int not_started = 127;

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "bitstrata-report-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// In the source tree the program was built from, or installed beside the program.
fs::path find_script(const std::string& name) {
  const fs::path program = fs::read_symlink("/proc/self/exe").parent_path();
  for (const fs::path& folder : {fs::path(BITSTRATA_SCRIPTS), program / "../share/bitstrata", program / "scripts"}) {
    if (fs::exists(folder / name)) return folder / name;
  }
  throw std::runtime_error(fmt::format("scripts/{} is not to be found", name));
}

int run_script(const std::string& python, const fs::path& script, const fs::path& input, const fs::path& folder) {
  std::vector<std::string> words = {python, script.string(), folder.string()};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, input.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, (folder / "log").c_str(), O_WRONLY | O_CREAT, 0600);
  pid_t child = 0;
  const int failed = posix_spawnp(&child, python.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return not_started;
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

std::string read_text(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

}  // namespace

std::map<std::string, std::string> draw_pictures(const nlohmann::json& data, const std::string& name) {
  const fs::path script = find_script(name);
  const TemporaryFolder folder;
  const fs::path input = folder.path() / "pictures.json";
  std::ofstream(input) << data.dump();
  // The system's Python has Debian's matplotlib even where another one comes first on the PATH.
  std::vector<std::string> pythons = {"/usr/bin/python3", "python3"};
  if (const char* chosen = std::getenv("BITSTRATA_PYTHON")) pythons = {chosen};
  int status = not_started;
  for (const std::string& python : pythons) {
    status = run_script(python, script, input, folder.path());
    if (status != no_matplotlib && status != not_started) break;
  }
  if (status == no_matplotlib || status == not_started) {
    throw std::runtime_error("pictures need Python with matplotlib (Debian: apt-get install python3-matplotlib)");
  }
  if (status != 0) {
    const std::string log = read_text(folder.path() / "log");
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
