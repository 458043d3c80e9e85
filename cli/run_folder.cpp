// SPDX-License-Identifier: Apache-2.0
#include "cli/run_folder.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <boost/uuid/detail/sha1.hpp>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <list>
#include <stdexcept>

#include "cli/train/build_info.h"
#include "model/input_file.h"
#include "model/output_file.h"

namespace bitstrata::cli {

namespace fs = std::filesystem;

namespace {

std::string read_text(const fs::path& file) {
  if (fs::is_directory(file)) throw std::runtime_error(fmt::format("{} is a folder, not a file", file.string()));
  model::refuse_device(file);
  std::ifstream stream(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  if (!stream && text.empty()) throw std::runtime_error(fmt::format("cannot read {}", file.string()));
  return text;
}

// The most memory this process or one of its children has held, in megabytes. Not the caller's: getrusage would count
// what the process was before it became this program.
double peak_memory_mb() {
  long kilobytes = 0;
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == "VmHWM:") status >> kilobytes;
  }
  rusage children{};
  getrusage(RUSAGE_CHILDREN, &children);
  return 1.024e-3 * static_cast<double>(std::max(kilobytes, children.ru_maxrss));
}

}  // namespace

namespace {

using Sha1 = boost::uuids::detail::sha1;

std::string text_of(Sha1& hash) {
  unsigned int digest[5];
  hash.get_digest(digest);
  return fmt::format("sha1:{:08x}{:08x}{:08x}{:08x}{:08x}", digest[0], digest[1], digest[2], digest[3], digest[4]);
}

}  // namespace

std::string hash_of(std::span<const std::uint8_t> bytes) {
  Sha1 hash;
  hash.process_bytes(bytes.data(), bytes.size());
  return text_of(hash);
}

std::string hash_of(const fs::path& file) {
  model::refuse_device(file);
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw std::runtime_error(fmt::format("cannot read {}", file.string()));
  Sha1 hash;
  std::vector<char> block(std::size_t{1} << 17);
  while (stream) {
    stream.read(block.data(), static_cast<std::streamsize>(block.size()));
    hash.process_bytes(block.data(), static_cast<std::size_t>(stream.gcount()));
  }
  return text_of(hash);
}

RunRecord::RunRecord(const std::string& verb, const std::vector<std::string>& arguments, const Common& common)
    : command_{"bitstrata", verb}, seed_(common.seed), threads_(common.threads) {
  command_.insert(command_.end(), arguments.begin(), arguments.end());
  add_tool("compiler", build_info::compiler);
}

void RunRecord::add_file(const std::string& name, const fs::path& file) {
  if (fs::is_regular_file(file)) inputs_[name] = {{"file", file.string()}, {"hash", hash_of(file)}};
}

nlohmann::json RunRecord::to_json(const std::string& engine) const {
  const std::time_t now = std::time(nullptr);
  return {{"command", command_},
          {"version", build_info::version},
          {"commit", build_info::commit},
          {"code", build_info::code},
          {"date", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now))},
          {"seed", seed_},
          {"threads", threads_},
          {"engine", engine},
          {"tools", tools_},
          {"inputs", inputs_},
          {"peak_memory_mb", peak_memory_mb()},
          {"wall_time_s", std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count()}};
}

OutputFolder::OutputFolder(const fs::path& folder, const std::string& option) : folder_(folder) {
  if (!wanted()) return;
  std::error_code error;
  folder_ = fs::absolute(folder).lexically_normal();
  for (fs::path at = folder_; !at.empty() && !fs::exists(at, error); at = at.parent_path()) {
    if (!at.filename().empty()) made_.insert(made_.begin(), at);
    if (at == at.parent_path()) break;
  }
  const auto held = model::hold_interrupts();
  interrupted_.emplace([this] { take_back(); });
  fs::create_directories(folder_, error);
  std::string reason = error ? error.message() : !fs::is_directory(folder_) ? "a file of that name is in the way" : "";
  if (reason.empty()) {
    try {
      model::check_writable(folder_ / ".write-test");
      return;
    } catch (const std::runtime_error& failed) {
      reason = failed.what();
    }
  }
  take_back();
  throw std::invalid_argument(fmt::format("{}: cannot write into '{}': {}", option, folder.string(), reason));
}

OutputFolder::~OutputFolder() {
  interrupted_.reset();
  take_back();
}

void OutputFolder::take_back() {
  std::error_code ignored;
  if (published_) return;
  // Only empty folders go: fs::remove leaves a folder alone that holds something.
  for (auto at = made_.rbegin(); at != made_.rend(); ++at) fs::remove(*at, ignored);
}

void OutputFolder::publish() {
  if (!wanted()) return;
  // All of them are on the disk before the first takes its name.
  std::list<model::OutputFile> files;
  for (const auto& [name, text] : texts_)
    files.emplace_back(folder_ / name, std::initializer_list<std::string_view>{text});
  for (model::OutputFile& file : files) file.publish();
  published_ = true;
}

void check_output(const std::string& option, const fs::path& file) {
  try {
    model::check_writable(file);
  } catch (const std::runtime_error& error) {
    throw std::invalid_argument(fmt::format("--{}: {}", option, error.what()));
  }
}

std::string text_of(const std::function<void(const fs::path&)>& save) {
  const fs::path file = fs::temp_directory_path() / fmt::format("bitstrata-{}.tmp", getpid());
  try {
    save(file);
    const std::string text = read_text(file);
    fs::remove(file);
    return text;
  } catch (...) {
    std::error_code ignored;
    fs::remove(file, ignored);
    throw;
  }
}

nlohmann::json read_json(const fs::path& file) {
  try {
    return nlohmann::json::parse(read_text(file));
  } catch (const nlohmann::json::parse_error& error) {
    throw std::runtime_error(fmt::format("{}: damaged JSON at byte {}", file.string(), error.byte));
  }
}

}  // namespace bitstrata::cli
