// SPDX-License-Identifier: Apache-2.0
// Folders that runs write and reports read: run.json, plan.yaml, layers.csv, summary.json.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cli/common.h"
#include "model/interrupt.h"
#include "model/json_text.h"

namespace bitstrata::cli {

// "sha1:..." of a file's bytes.
std::string hash_of(const std::filesystem::path& file);
std::string hash_of(std::span<const std::uint8_t> bytes);

// What happened, for run.json.
class RunRecord {
 public:
  RunRecord(const std::string& verb, const std::vector<std::string>& arguments, const Common& common);
  // An input by what it is for; nothing happens for names that are not files (built-in ones).
  void add_file(const std::string& name, const std::filesystem::path& file);
  void add_input(const std::string& name, const nlohmann::json& description) { inputs_[name] = description; }
  void add_tool(const std::string& name, const std::string& version) { tools_[name] = version; }
  nlohmann::json to_json(const std::string& engine) const;

 private:
  std::vector<std::string> command_;
  std::uint64_t seed_;
  int threads_;
  nlohmann::json inputs_ = nlohmann::json::object(), tools_ = nlohmann::json::object();
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// The folder given as --out. It is made and tried when the verb starts, so that hours of work cannot end at a folder
// that takes no files; nothing appears in it before publish(), and a folder made for a run that failed is removed.
class OutputFolder {
 public:
  // `option` gave the folder. Throws std::invalid_argument when the folder cannot be made or written to. An empty path:
  // nothing is ever written.
  explicit OutputFolder(const std::filesystem::path& folder, const std::string& option = "--out");
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  bool wanted() const { return !folder_.empty(); }
  void add(const std::string& name, std::string content) { texts_.emplace_back(name, std::move(content)); }
  void add(const std::string& name, const nlohmann::json& content) { add(name, model::json_text(content, 2) + "\n"); }
  // Writes every file under a temporary name and then gives all their names. Throws std::runtime_error.
  void publish();

 private:
  void take_back();  // removes the folders that were made for nothing
  std::filesystem::path folder_;
  std::vector<std::filesystem::path> made_;  // folders that did not exist before, outermost first
  std::vector<std::pair<std::string, std::string>> texts_;
  bool published_ = false;
  std::optional<model::WhenInterrupted> interrupted_;  // the last member: it uses the others
};

// Throws std::invalid_argument, naming the option, where the file it gave cannot be written.
void check_output(const std::string& option, const std::filesystem::path& file);

// The text that `save(file)` writes, for files that only exist as a function writing to a path.
std::string text_of(const std::function<void(const std::filesystem::path&)>& save);

// A JSON file. Throws std::runtime_error naming the file when it is missing or damaged.
nlohmann::json read_json(const std::filesystem::path& file);

}  // namespace bitstrata::cli
