// SPDX-License-Identifier: Apache-2.0
// Parts of a sweep that is spread over machines: every point belongs to exactly one of them, whoever asks.
#pragma once

#include <optional>
#include <string>

namespace bitstrata::sim {

struct Shard {
  int number = 1;  // 1..count, as users count
  int count = 1;
  bool whole() const { return count == 1; }
  std::string text() const;  // "2/4"
  bool operator==(const Shard&) const = default;

  // Whether a point is in this part, by the digests of what it is about: the parameters of its architecture, the
  // identity of its network and that of its plan. Nothing of the machine, the build or the order of the sweep's file
  // enters.
  bool holds(const std::string& architecture, const std::string& network, const std::string& plan) const;
};

// "2/4" is the second of four. Throws std::invalid_argument.
Shard parse_shard(const std::string& text);

// A task of a Slurm job array, from SLURM_ARRAY_TASK_ID and its companions.
struct ArrayTask {
  int id = 0;
  Shard shard;
};

// Absent outside a job array. Throws std::invalid_argument where the array's numbers tell no position, as those of
// --array=1,3,7 do not.
std::optional<ArrayTask> slurm_array_task();

}  // namespace bitstrata::sim
