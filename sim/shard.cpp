// SPDX-License-Identifier: Apache-2.0
#include "sim/shard.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include "model/digest.h"
#include "model/yaml_reader.h"

namespace bitstrata::sim {

namespace {

constexpr int most_shards = 100'000;

std::optional<int> whole_number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

int variable(const char* name) {
  const char* const text = std::getenv(name);
  const std::optional<int> value = whole_number(text == nullptr ? "" : text);
  if (!value || *value < 0) {
    throw std::invalid_argument(model::in_one_line(
        fmt::format("{} is '{}', no number of a Slurm job array; unset SLURM_ARRAY_TASK_ID, or name the part by "
                    "--shard I/N",
                    name, text == nullptr ? "" : text)));
  }
  return *value;
}

}  // namespace

std::string Shard::text() const { return fmt::format("{}/{}", number, count); }

bool Shard::holds(const std::string& architecture, const std::string& network, const std::string& plan) const {
  if (whole()) return true;
  const std::string digest = model::digest_of(architecture + network + plan);
  const std::uint64_t hash = std::stoull(digest.substr(0, 16), nullptr, 16);
  return hash % static_cast<std::uint64_t>(count) == static_cast<std::uint64_t>(number - 1);
}

Shard parse_shard(const std::string& text) {
  const std::size_t slash = text.find('/');
  std::optional<int> number, count;
  if (slash != std::string::npos) {
    number = whole_number(std::string_view(text).substr(0, slash));
    count = whole_number(std::string_view(text).substr(slash + 1));
  }
  if (!number || !count || *count < 1 || *count > most_shards || *number < 1 || *number > *count) {
    throw std::invalid_argument(model::in_one_line(
        fmt::format("--shard is '{}'; it is I/N, from 1/N to N/N with N up to {}, e.g. 2/4 for the second of four",
                    text, most_shards)));
  }
  return {*number, *count};
}

std::optional<ArrayTask> slurm_array_task() {
  if (std::getenv("SLURM_ARRAY_TASK_ID") == nullptr) return std::nullopt;
  const int id = variable("SLURM_ARRAY_TASK_ID"), count = variable("SLURM_ARRAY_TASK_COUNT");
  const int first = variable("SLURM_ARRAY_TASK_MIN"), last = variable("SLURM_ARRAY_TASK_MAX");
  // Slurm tells the least and the greatest number and how many there are, not which: evenly spaced ones have positions.
  const int step = count > 1 ? (last - first) / (count - 1) : 1;
  if (count < 1 || count > most_shards || step < 1 || id < first || id > last || (id - first) % step != 0 ||
      first + (count - 1) * step != last) {
    throw std::invalid_argument(
        fmt::format("task {} of the Slurm job array {}-{} of {} tasks has no position, for they are not evenly "
                    "spaced; name the part by --shard I/N",
                    id, first, last, count));
  }
  return ArrayTask{.id = id, .shard = {(id - first) / step + 1, count}};
}

}  // namespace bitstrata::sim
