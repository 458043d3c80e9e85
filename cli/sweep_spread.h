// SPDX-License-Identifier: Apache-2.0
// Sweeps on more than one machine: which part this process has, where its points go, and the ranks beside it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/common.h"
#include "sim/ranks.h"
#include "sim/shard.h"

namespace bitstrata::cli {

struct Spread {
  sim::Shard shard;
  std::filesystem::path store;  // with the shard's number in place of %a
  std::string note;             // where Slurm's variables, and not the user, named the shard
};

// `shard`: the option, or nothing: then the task of a Slurm job array decides. Throws std::invalid_argument, also where
// the tasks of an array would share a store.
Spread spread_of(const std::string& shard, const std::string& store);

// The processes that mpirun started with this one; null where it is alone. Throws std::runtime_error where others were
// started that it cannot speak with: they would all do the same work. That is told by the first of them; the others
// throw StandAside.
std::unique_ptr<sim::Ranks> join_ranks();

// Throws as join_ranks does, for processes that `srun` started without MPI.
void refuse_copies_of_srun();

// This process was started beside one that tells the user what is wrong, and is to end without a word.
class StandAside {};

// sweep --merge. Returns the exit status.
int merge_sweeps(const std::vector<std::string>& sources, const std::string& store, const Common& common);

}  // namespace bitstrata::cli
