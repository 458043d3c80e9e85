// SPDX-License-Identifier: Apache-2.0
// bitstrata sweep: many architectures, networks and plans, measured into a store that survives being killed.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <optional>
#include <set>
#include <thread>

#include "cli/pictures.h"
#include "cli/run_folder.h"
#include "cli/sweep_confirm.h"
#include "cli/sweep_front.h"
#include "cli/sweep_spread.h"
#include "cli/train/build_info.h"
#include "cli/verbs.h"
#include "model/interrupt.h"
#include "model/json_text.h"
#include "model/progress.h"
#include "sim/sweep_crew.h"

namespace bitstrata::cli {

using nlohmann::json;

namespace {

constexpr double long_run_s = 20;       // longer runs are announced
constexpr double sample_s = 1;          // how long a run is watched before it is judged
constexpr double log_every_s = 30;      // lines in place of the progress bar where there is no terminal
constexpr std::size_t notes_shown = 3;  // of each kind; all are in --json and --out
constexpr std::size_t rows_shown = 15;  // of a front, and of fronts; all are in --json and --out

struct Options {
  std::string file, store, out, technology, fpga, front = "plan", shard;
  std::vector<std::string> merge;
  int jobs = 0, confirm = -1;
  Spread spread;        // of `shard` and `store`
  std::string workers;  // "2 threads"
  Common common;
};

void refuse_given(const po::variables_map& values, const std::vector<std::string>& names, const std::string& why) {
  for (const std::string& name : names) {
    if (values.count(name) != 0 && !values[name].defaulted())
      throw std::invalid_argument(fmt::format("--{} {}", name, why));
  }
}

// What belongs to --merge, to shards and to mpirun, and what does not.
void check_spread(const po::variables_map& values, const sim::Ranks* ranks, Options& o) {
  if (!o.merge.empty()) {
    refuse_given(values, {"sweep", "shard", "jobs", "front", "technology", "fpga", "confirm", "out"},
                 "does not go with --merge, which only joins stores; sweep the joined one for fronts");
    return;
  }
  if (o.file.empty()) throw std::invalid_argument("--sweep is missing; see --help");
  o.spread = spread_of(o.shard, o.store);
  if (!o.spread.shard.whole()) {
    refuse_given(values, {"front", "technology", "fpga", "confirm", "out"},
                 fmt::format("needs the whole sweep, and this is shard {}: join the shards by --merge, then sweep the "
                             "joined store",
                             o.spread.shard.text()));
  }
  if (ranks != nullptr) {
    if (o.jobs > 1)
      throw std::invalid_argument(
          fmt::format("--jobs is {}; under mpirun each of its processes measures on one thread", o.jobs));
    o.jobs = 1;
    o.workers = fmt::format("{} ranks", ranks->size());
    return;
  }
  if (o.shard.empty()) refuse_copies_of_srun();
  if (o.jobs == 0) o.jobs = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  o.workers = fmt::format("{} threads", o.jobs);
}

bool read(const std::vector<std::string>& arguments, const sim::Ranks* ranks, Options& o) {
  po::options_description options("options");
  options.add_options()
      // clang-format off
      ("sweep", po::value(&o.file), "sweep.yaml; the word may also stand alone")
      ("store", po::value(&o.store)->required(), "SQLite file for the points; finished ones in it are not measured again; %a in it: the shard's number")
      ("jobs", po::value(&o.jobs)->default_value(o.jobs), "threads that measure; 0: one a core; under mpirun one a rank")
      ("shard", po::value(&o.shard),
       "I/N, from 1/N to N/N: only the points of this part of the sweep; default: all, in a Slurm job array the task's part")
      ("merge", po::value(&o.merge)->multitoken(), "stores to join into --store; nothing is measured")
      ("front", po::value(&o.front)->default_value(o.front), "one Pareto front for each network and plan, or each network")
      ("technology", po::value(&o.technology), "whose energy the fronts take; default: the first of the sweep")
      ("fpga", po::value(&o.fpga),
       "FPGA family (xc7, ecp5, or a file) whose predicted LUTs and block RAMs the fronts take in place of the area")
      ("confirm", po::value(&o.confirm)->implicit_value(0),
       "execute the points of the fronts on systemc and rtl and compare (K: only the K fastest of each front)")
      ("out", po::value(&o.out), "folder to write: front.csv, points.csv, summary.json, run.json and pictures");
  // clang-format on
  o.common.add(options);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    // Else the next option would be the first of them.
    if (arguments[i] == "--merge" && (i + 1 == arguments.size() || arguments[i + 1].starts_with("--")))
      throw std::invalid_argument("--merge lacks the stores to join; see --help");
  }
  po::positional_options_description positional;
  positional.add("sweep", 1);
  po::variables_map values;
  if (!parse(
          arguments, options,
          {"sweep SWEEP.yaml --store FILE.sqlite [--jobs J] [--shard I/N] [--confirm [K]] [--out DIR]\n"
           "       bitstrata sweep --merge A.sqlite B.sqlite ... --store FILE.sqlite",
           "Measures every combination of architecture parameters, networks and plans of a YAML file (docs/sweep.md\n"
           "describes it) with the fast engine. Points are kept as they are finished: a sweep that was killed goes on\n"
           "where it stopped, and several processes may share a store; on several machines it runs under mpirun, or "
           "in\n"
           "shards whose stores are joined by --merge. Prints the Pareto fronts of latency, energy\n"
           "and area (resources of --fpga; without it, bits on chip where no area is known). The exit status is 1 "
           "when\n"
           "no point fits its architecture or a confirmed point differs.",
           "sweep sweep.yaml --store points.sqlite --jobs 2 --out out/sweep"},
          values, positional)) {
    return false;
  }
  check_range("jobs", o.jobs, 0, 1024);
  if (values.count("confirm") != 0) check_range("confirm", o.confirm, 0, 1e6);
  check_choice("front", o.front, {"plan", "network"});
  o.common.check();
  check_spread(values, ranks, o);
  return true;
}

std::string chosen_technology(const Options& o, const sim::Sweep& sweep) {
  std::vector<std::string> names;
  for (const model::Technology& technology : sweep.technologies) names.push_back(technology.name);
  if (o.technology.empty()) return names.empty() ? "" : names.front();
  check_choice("technology", o.technology, names);
  return o.technology;
}

// What the user sees while points are measured.
class Watch {
 public:
  explicit Watch(const Options& o) : options_(o) {}

  void operator()(const sim::SweepState& state) {
    if (!progress_) {
      progress_.emplace("sweep", state.total - state.before, options_.common.quiet);
      if (state.before > 0) {
        say(options_.common,
            fmt::format("{} of {} points are in the store already", grouped(state.before), grouped(state.total)));
      }
    }
    const std::int64_t finished = state.done + state.refused + state.elsewhere;
    if (finished > shown_)
      progress_->advance(finished - shown_, fmt::format("{} points/s", short_number(state.rate())));
    shown_ = std::max(shown_, finished);
    if (!judged_ && state.seconds > sample_s && state.rate() > 0) {
      judged_ = true;
      const double expected = static_cast<double>(state.left()) / state.rate();
      if (expected > long_run_s) {
        say(options_.common,
            fmt::format("about {:.0f} s for {} points on {}", expected, grouped(state.left()), options_.workers));
      }
    }
    if (isatty(STDERR_FILENO) == 0 && state.seconds > logged_ + log_every_s) {
      logged_ = state.seconds;
      const double left = state.rate() > 0 ? static_cast<double>(state.left()) / state.rate() : 0;
      say(options_.common, fmt::format("{} points left, {} points/s, about {:.0f} s", grouped(state.left()),
                                       short_number(state.rate()), left));
    }
  }

 private:
  const Options& options_;
  std::optional<model::Progress> progress_;
  std::int64_t shown_ = 0;
  bool judged_ = false;
  double logged_ = 0;
};

// The fastest points of every front, each once.
std::vector<std::size_t> to_confirm(const Options& o, const Fronts& fronts) {
  std::set<std::size_t> chosen;
  for (const Front& front : fronts.fronts) {
    const std::size_t count =
        o.confirm == 0 ? front.points.size() : std::min(front.points.size(), static_cast<std::size_t>(o.confirm));
    chosen.insert(front.points.begin(), front.points.begin() + static_cast<std::ptrdiff_t>(count));
  }
  return {chosen.begin(), chosen.end()};
}

std::string area_text(const Fronts& fronts) {
  if (fronts.fpga) {
    const model::FpgaFamily& family = *fronts.fpga;
    std::string errors;
    for (std::size_t r = 0; r < family.resources.size(); ++r) {
      errors += fmt::format("{}{} {:.1f}/{:.0f} %", r == 0 ? "" : ", ", model::fpga_resource_names[r],
                            100 * family.resources[r].mean_error, 100 * family.resources[r].worst_error);
    }
    return fmt::format(
        "area: LUTs of logic, memory and carries, and block RAMs\n"
        "{}: {}, predicted from {} synthesized architectures ({}, not placed)\n"
        "errors of each of them predicted by the others, mean/worst: {}\n"
        "outside: what is beyond these architectures, so that these errors do not hold",
        family.name, family.title, family.points, family.tools, errors);
  }
  return fronts.area_known
             ? "area as the technology gives it"
             : "no technology tells an area: bits_on_chip (array cells, buffers, partial sums) stands for it";
}

void print_fronts(const sim::Sweep& sweep, const Fronts& fronts) {
  std::size_t shown = 0;
  for (const Front& front : fronts.fronts) {
    if (++shown > rows_shown) break;
    const std::size_t rows = std::min(rows_shown, front.points.size());
    const std::vector<std::size_t> first(front.points.begin(),
                                         front.points.begin() + static_cast<std::ptrdiff_t>(rows));
    fmt::print("\nPareto front of {}: {} of {} points\n{}", front.title, front.points.size(), front.candidates.size(),
               front_table(sweep, fronts, first).text());
    if (front.points.size() > rows) fmt::print("... and {} more\n", front.points.size() - rows);
  }
  if (fronts.fronts.size() > rows_shown) fmt::print("\n... and {} more fronts\n", fronts.fronts.size() - rows_shown);
  fmt::print("\nenergy: {}; {}\n",
             fronts.technology.empty() ? "none, the sweep names no technology" : fronts.technology, area_text(fronts));
  std::size_t notes = 0;
  for (const auto& [note, points] : fronts.energy_notes) {
    if (++notes > notes_shown) break;
    fmt::print("energy of {} of {} points: {}\n", grouped(points),
               grouped(static_cast<std::int64_t>(fronts.points.size())), note);
  }
  if (fronts.energy_notes.size() > notes_shown)
    fmt::print("... and {} more reasons\n", fronts.energy_notes.size() - notes_shown);
}

Table confirmation_table(const sim::Sweep& sweep, const Fronts& fronts, const std::vector<Confirmed>& confirmed) {
  Table table({"architecture", "network", "plan", "engine", "cycles", "fast", "events", "values", "equal"}, 4);
  for (const Confirmed& c : confirmed) {
    const SweepPoint& point = fronts.points[c.point];
    table.add({sweep.architecture(point.architecture).name, sweep.networks[point.network].name(),
               sweep.plans[point.plan].label, c.result.engine, grouped(c.result.cycles), grouped(point.stored.cycles),
               fmt::format("{}/{}", c.result.events_compared, c.result.events_different),
               fmt::format("{}/{}", grouped(c.result.values_compared), c.result.values_different),
               c.equal ? "yes" : "NO"});
  }
  return table;
}

json counts_of(const sim::SweepState& state) {
  json counts = {{"points", state.total},
                 {"in_store_before", state.before},
                 {"measured", state.done},
                 {"refused", state.refused},
                 {"by_other_processes", state.elsewhere},
                 {"seconds", state.seconds},
                 {"points_per_second", state.rate()}};
  if (!state.by_rank.empty()) counts["by_rank"] = state.by_rank;
  return counts;
}

void print_counts(const sim::SweepState& state) {
  fmt::print("{} points: {} measured and {} refused now in {:.2f} s ({} points/s), {} before{}\n", grouped(state.total),
             grouped(state.done), grouped(state.refused), state.seconds, short_number(state.rate()),
             grouped(state.before),
             state.elsewhere > 0 ? fmt::format(", {} by other processes", grouped(state.elsewhere)) : "");
}

json summary_of(const sim::Sweep& sweep, const sim::SweepState& state, const Fronts& fronts,
                const std::vector<Confirmed>& confirmed) {
  json summary = counts_of(state);
  summary.update({{"technology", fronts.technology},
                  {"refusals", fronts.refusals},
                  {"fronts", to_json(sweep, fronts)},
                  {"energy_notes", json::array()},
                  {"confirmed", json::array()}});
  for (const auto& [note, points] : fronts.energy_notes)
    summary["energy_notes"].push_back({{"note", note}, {"points", points}});
  if (fronts.fpga) summary["fpga"] = model::facts_of(*fronts.fpga);
  for (const Confirmed& c : confirmed) {
    const SweepPoint& point = fronts.points[c.point];
    summary["confirmed"].push_back({{"architecture", sweep.architecture(point.architecture).name},
                                    {"network", sweep.networks[point.network].name()},
                                    {"plan", sweep.plans[point.plan].label},
                                    {"engine", c.result.engine},
                                    {"cycles", c.result.cycles},
                                    {"fast_cycles", point.stored.cycles},
                                    {"events_compared", c.result.events_compared},
                                    {"events_different", c.result.events_different},
                                    {"values_compared", c.result.values_compared},
                                    {"values_different", c.result.values_different},
                                    {"error", c.result.error},
                                    {"equal", c.equal}});
  }
  return summary;
}

void write_folder(OutputFolder& folder, const Options& o, const sim::Sweep& sweep, const Fronts& fronts,
                  const json& summary, const RunRecord& record) {
  std::vector<std::size_t> all(fronts.points.size()), chosen;
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  for (const Front& front : fronts.fronts) chosen.insert(chosen.end(), front.points.begin(), front.points.end());
  folder.add("front.csv", front_table(sweep, fronts, chosen).csv());
  folder.add("points.csv", front_table(sweep, fronts, all).csv());
  folder.add("summary.json", summary);
  folder.add("run.json", record.to_json("fast"));
  try {
    for (const auto& [name, svg] : draw_pictures(picture_data(sweep, fronts), "plot_sweep.py"))
      folder.add(name + ".svg", svg);
  } catch (const std::runtime_error& error) {
    say(o.common, fmt::format("no pictures: {}", error.what()));  // numbers are worth having without
  }
  folder.publish();
}

// Of a part of a sweep, whose fronts would say nothing.
void tell_shard(const Options& o, const sim::SweepState& state) {
  if (o.common.json) {
    json counts = counts_of(state);
    counts["shard"] = o.spread.shard.text();
    std::cout << model::json_text(counts) << "\n";
  } else {
    fmt::print("shard {}: ", o.spread.shard.text());
    print_counts(state);
  }
  say(o.common,
      fmt::format("when all shards are done: bitstrata sweep --merge STORES --store ALL.sqlite, then bitstrata "
                  "sweep {} --store ALL.sqlite for the fronts",
                  o.file));
}

sim::Sweep load(const std::string& file) {
  return sim::load_sweep(file, [](const std::string& name) { return load_shapes(name); });
}

std::string version() { return fmt::format("{} {}", build_info::version, build_info::code); }

// A rank other than 0. What is wrong for all of them rank 0 has told before it lets them begin.
int sweep_for(sim::Ranks& ranks, const std::vector<std::string>& arguments) {
  const model::WhenInterrupted silent([] { _exit(1); });  // rank 0 tells that, too
  sim::CrewMember member(ranks);
  if (!member.begins()) return 0;
  try {
    Options o;
    read(arguments, &ranks, o);
    const sim::Sweep sweep = load(o.file);
    member.ready(version() + sim::identity_of(sweep));
    sim::serve_sweep(sweep, member);
  } catch (const std::exception& error) {
    member.fail(error.what());
  }
  return 0;
}

}  // namespace

int sweep(const std::vector<std::string>& arguments) try {
  std::unique_ptr<sim::Ranks> ranks = join_ranks();
  if (ranks && ranks->rank() > 0) return sweep_for(*ranks, arguments);
  std::optional<sim::Crew> crew;
  if (ranks) crew.emplace(*ranks);
  Options o;
  if (!read(arguments, ranks.get(), o)) return 0;
  if (!o.merge.empty()) return merge_sweeps(o.merge, o.store, o.common);
  RunRecord record("sweep", arguments, o.common);
  OutputFolder folder(o.out);
  const sim::Sweep sweep = load(o.file);
  for (const sim::SweepNetwork& network : sweep.networks)
    for (const std::string& note : network.notes()) say(o.common, note);
  record.add_file("sweep", o.file);
  const std::string technology = chosen_technology(o, sweep);
  std::optional<model::FpgaFamily> fpga;
  if (!o.fpga.empty()) fpga = model::load_fpga_family(o.fpga);
  std::string command = "bitstrata sweep";
  for (const std::string& word : arguments) command += " " + word;
  sim::PointStore store(o.spread.store, {.version = version(),
                                         .commit = build_info::commit,
                                         .command = command,
                                         .engine = "fast",
                                         .technologies = sweep.technology_identity(),
                                         .technology_names = sweep.technology_names()});
  if (!o.spread.note.empty()) say(o.common, o.spread.note);
  say(o.common,
      fmt::format("{} points: {} architectures, {} networks, {} plans; {}{}", grouped(sweep.points()),
                  grouped(sweep.architectures()), sweep.networks.size(), sweep.plans.size(), o.workers,
                  o.spread.shard.whole() ? "" : fmt::format("; of them those of shard {}", o.spread.shard.text())));
  if (const std::int64_t others = store.foreign_points(); others > 0) {
    say(o.common,
        fmt::format("the store also holds {} points of other builds, versions or technologies", grouped(others)));
  }
  const sim::SweepState state = [&] {
    Watch watch(o);
    if (crew) crew->begin(version() + sim::identity_of(sweep));
    return sim::run_sweep(sweep, store, o.jobs, std::ref(watch), o.spread.shard, crew ? &*crew : nullptr);
  }();
  crew.reset();  // what follows is for one process
  ranks.reset();
  if (!state.by_rank.empty()) say(o.common, fmt::format("points by rank: {}", fmt::join(state.by_rank, ", ")));
  if (!o.spread.shard.whole()) {
    tell_shard(o, state);
    return 0;
  }
  const Fronts fronts =
      find_fronts(sweep, store, technology, fpga, o.front == "plan" ? FrontScope::plan : FrontScope::network);
  std::vector<Confirmed> confirmed;
  if (o.confirm >= 0) confirmed = confirm_points(sweep, fronts, to_confirm(o, fronts), store, o.common);
  const json summary = summary_of(sweep, state, fronts, confirmed);
  if (folder.wanted()) write_folder(folder, o, sweep, fronts, summary, record);
  if (o.common.json) {
    std::cout << model::json_text(summary) << "\n";
  } else {
    print_counts(state);
    for (std::size_t i = 0; i < std::min(notes_shown, fronts.refusals.size()); ++i) {
      fmt::print("refused: {}\n", fronts.refusals[i]);
    }
    if (fronts.refusals.size() > notes_shown)
      fmt::print("... and {} more reasons\n", fronts.refusals.size() - notes_shown);
    print_fronts(sweep, fronts);
    if (!confirmed.empty()) {
      fmt::print("\n{}events, values: compared/different\n", confirmation_table(sweep, fronts, confirmed).text());
    }
    if (o.confirm >= 0 && confirmed.empty()) fmt::print("confirmed: none, lists of layers cannot be executed\n");
    for (const Confirmed& c : confirmed) {
      if (!c.result.error.empty()) fmt::print("failed: {}: {}\n", c.result.engine, c.result.error);
    }
  }
  if (fronts.points.empty()) {
    throw CheckFailed(fmt::format("no point fits its architecture{}{}", fronts.refusals.empty() ? "" : ": ",
                                  fronts.refusals.empty() ? "" : fronts.refusals.front()));
  }
  for (const Confirmed& c : confirmed) {
    if (!c.equal)
      throw CheckFailed(fmt::format("{} does not confirm the cycles, events or values of {}", c.result.engine,
                                    sweep.architecture(fronts.points[c.point].architecture).name));
  }
  return 0;
} catch (const StandAside&) {
  return 0;
}

}  // namespace bitstrata::cli
