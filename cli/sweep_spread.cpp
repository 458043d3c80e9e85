// SPDX-License-Identifier: Apache-2.0
#include "cli/sweep_spread.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cctype>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <stdexcept>

#include "cli/table.h"
#include "model/json_text.h"
#include "model/yaml_reader.h"
#include "sim/store_merge.h"

namespace bitstrata::cli {

namespace fs = std::filesystem;

namespace {

// Whether one of the numbers in a text is this one, zeros in front or not.
bool has_number(const std::string& text, int number) {
  const std::string wanted = std::to_string(number);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (std::isdigit(static_cast<unsigned char>(text[i])) == 0) continue;
    std::size_t end = i;
    while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end])) != 0) ++end;
    while (i + 1 < end && text[i] == '0') ++i;
    if (text.compare(i, end - i, wanted) == 0) return true;
    i = end;
  }
  return false;
}

std::optional<int> number_in(const char* variable) {
  const char* const text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  return end == text || *end != '\0' ? std::nullopt : std::optional(static_cast<int>(value));
}

// Variables of launchers whose processes can speak with each other: Open MPI's mpirun, those of the PMI family (MPICH,
// srun
// --mpi=pmi2), and srun --mpi=pmix.
std::optional<int> ranks_started() {
  for (const char* variable : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"})
    if (const auto size = number_in(variable)) return size;
  return number_in("PMIX_RANK") ? number_in("SLURM_STEP_NUM_TASKS") : std::nullopt;
}

[[noreturn]] void refuse_together(int processes, const std::string& why) {
  for (const char* variable : {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "SLURM_PROCID"}) {
    const auto rank = number_in(variable);
    if (rank && *rank > 0) throw StandAside();
    if (rank) break;
  }
  throw std::runtime_error(model::in_one_line(
      fmt::format("{} processes were started together, and each would do the same work: {}", processes, why)));
}

}  // namespace

Spread spread_of(const std::string& shard, const std::string& store) {
  constexpr std::string_view place = "%a";  // as in sbatch --output
  Spread spread{.store = store};
  std::string number;
  if (!shard.empty()) {
    spread.shard = sim::parse_shard(shard);
    number = std::to_string(spread.shard.number);
  } else if (const std::optional<sim::ArrayTask> task = sim::slurm_array_task()) {
    spread.shard = task->shard;
    number = std::to_string(task->id);
    spread.note = fmt::format("task {} of a Slurm job array: shard {} (--shard 1/1 is the whole sweep)", task->id,
                              task->shard.text());
  }
  std::string name = store;
  for (std::size_t at = name.find(place); at != std::string::npos; at = name.find(place, at + number.size())) {
    if (number.empty()) {
      throw std::invalid_argument(model::in_one_line(fmt::format(
          "--store is '{}', where %a stands for the number of a shard; name it by --shard I/N, or start the "
          "sweep as a Slurm job array",
          store)));
    }
    name.replace(at, place.size(), number);
  }
  spread.store = name;
  // An array's tasks run on several machines, and no file on a network drive serves two of them.
  const std::optional<int> task = number_in("SLURM_ARRAY_TASK_ID");
  if (task && number_in("SLURM_ARRAY_TASK_COUNT").value_or(1) > 1 && !spread.shard.whole()) {
    std::error_code none;
    const std::string path = fs::absolute(name, none).string();
    if (!has_number(path, *task) && !has_number(path, spread.shard.number)) {
      throw std::invalid_argument(model::in_one_line(fmt::format(
          "the tasks of this Slurm job array would share the store '{}', which must not be; give each its own: --store "
          "{}-%a{}",
          name, (spread.store.parent_path() / spread.store.stem()).string(), spread.store.extension().string())));
    }
  }
  return spread;
}

std::unique_ptr<sim::Ranks> join_ranks() {
  const int started = ranks_started().value_or(1);
  if (started < 2) return nullptr;
  const fs::path library = fs::read_symlink("/proc/self/exe").parent_path() / "bitstrata-mpi.so";
  if (!fs::exists(library)) {
    refuse_together(started,
                    fmt::format("this build has no MPI ({} is missing: libopenmpi-dev was not there when it was "
                                "configured); start the sweep without mpirun, on several machines with --shard",
                                library.string()));
  }
  // MPI's own plug-ins look for its symbols.
  void* const handle = dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (handle == nullptr) refuse_together(started, fmt::format("MPI cannot be loaded: {}", dlerror()));
  const auto open = reinterpret_cast<sim::OpenRanks>(dlsym(handle, "bitstrata_ranks"));
  if (open == nullptr) refuse_together(started, fmt::format("{} is of another build", library.string()));
  std::unique_ptr<sim::Ranks> ranks(open());
  if (ranks->size() != started) {
    refuse_together(started, fmt::format("the MPI of this build ({}) was not what started them, and sees {} of them; "
                                         "use its own mpirun",
                                         ranks->implementation(), ranks->size()));
  }
  return ranks;
}

void refuse_copies_of_srun() {
  if (const int tasks = number_in("SLURM_STEP_NUM_TASKS").value_or(1); tasks > 1) {
    refuse_together(tasks, "start them by mpirun or srun --mpi=pmix, or as a job array, or give each its --shard");
  }
}

int merge_sweeps(const std::vector<std::string>& sources, const std::string& store, const Common& common) {
  const sim::MergedStores merged = sim::merge_stores({sources.begin(), sources.end()}, store);
  if (common.json) {
    std::cout << model::json_text({{"stores", sources.size()},
                                   {"points", merged.points},
                                   {"added", merged.added},
                                   {"total", merged.total},
                                   {"contexts", merged.contexts}})
              << "\n";
  } else {
    fmt::print("{} stores: {} points, {} of them new; '{}' holds {}\n", sources.size(), grouped(merged.points),
               grouped(merged.added), store, grouped(merged.total));
  }
  if (merged.contexts > 1) {
    say(common,
        fmt::format("the points are of {} builds or price lists, which stay apart: a sweep uses those of its own",
                    merged.contexts));
  }
  return 0;
}

}  // namespace bitstrata::cli
