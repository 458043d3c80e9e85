// SPDX-License-Identifier: Apache-2.0
// bitstrata sweep: many architectures, networks and plans, measured into a store that survives being killed.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <optional>
#include <set>
#include <thread>

#include "cli/fpga_options.h"
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
  std::string file, store, out, technology, where, front = "plan", shard;
  std::vector<std::string> merge;
  int jobs = 0, confirm = -1, pick = 0;
  FpgaOptions fpga;
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
    refuse_given(values,
                 {"sweep", "shard", "jobs", "front", "technology", "fpga", "device", "where", "pick", "confirm", "out"},
                 "does not go with --merge, which only joins stores; sweep the joined one for fronts");
    return;
  }
  if (o.file.empty()) throw std::invalid_argument("--sweep is missing; see --help");
  o.spread = spread_of(o.shard, o.store);
  if (!o.spread.shard.whole()) {
    refuse_given(values, {"front", "technology", "fpga", "device", "where", "pick", "confirm", "out"},
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
      ("technology", po::value(&o.technology), "whose energy the fronts take; default: the first family of the sweep, else its first technology")
      ("where", po::value(&o.where),
       "only points that a condition on columns holds for, as \"latency_us < 5000 and rows <= 64\" (docs/sweep.md)")
      ("pick", po::value(&o.pick),
       "write the architecture file of this point, as the first column numbers them: to --out (architecture.yaml, and "
       "plan.yaml), else to stdout in place of the fronts")
      ("confirm", po::value(&o.confirm)->implicit_value(0),
       "execute the points of the fronts on systemc and rtl and compare (K: only the K fastest of each front; with --pick "
       "that point alone)")
      ("out", po::value(&o.out), "folder to write: front.csv, points.csv, summary.json, run.json and pictures");
  // clang-format on
  o.fpga.add(options, "whose predicted LUTs and block RAMs the fronts take in place of the area");
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
          {"sweep SWEEP.yaml --store FILE.sqlite [--where CONDITION] [--pick N] [--shard I/N] [--confirm [K]] [--out "
           "DIR]\n"
           "       bitstrata sweep --merge A.sqlite B.sqlite ... --store FILE.sqlite",
           "Measures every combination of architecture parameters, networks and plans of a YAML file (docs/sweep.md\n"
           "describes it) with the fast engine. Points are kept as they are finished: a sweep that was killed goes on\n"
           "where it stopped, and several processes may share a store; on several machines it runs under mpirun, or "
           "in\n"
           "shards whose stores are joined by --merge. Prints the Pareto fronts of latency, energy and area\n"
           "(resources of --fpga; without it, mm2 where the technology's gates tell them, else bits on chip). The "
           "exit\n"
           "status is 1 when no point fits its architecture or a confirmed point differs.",
           "sweep sweep.yaml --store points.sqlite --jobs 2 --out out/sweep"},
          values, positional)) {
    return false;
  }
  check_range("jobs", o.jobs, 0, 1024);
  if (values.count("confirm") != 0) check_range("confirm", o.confirm, 0, 1e6);
  if (values.count("pick") != 0) {
    check_range("pick", o.pick, 1, 1e8);
    if (o.common.json && o.out.empty())
      throw std::invalid_argument("--pick writes a file, --json an object, and both to stdout; give the file an --out");
    if (o.confirm >= 0 && o.out.empty())
      throw std::invalid_argument("--pick writes to stdout what --confirm prints to; give the file an --out");
  }
  check_choice("front", o.front, {"plan", "network"});
  o.common.check();
  check_spread(values, ranks, o);
  return true;
}

std::string chosen_technology(const Options& o, const sim::Sweep& sweep) {
  std::vector<std::string> names;
  for (const model::Technology& technology : sweep.technologies) names.push_back(technology.name);
  if (o.technology.empty()) {
    // A family follows the architectures, and tells their area and clock; others are of one, or of MACs alone.
    const auto family = std::ranges::find_if(
        sweep.technologies, [](const model::Technology& t) { return t.gates.family.architectures > 0; });
    if (family != sweep.technologies.end()) return family->name;
    return names.empty() ? "" : names.front();
  }
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

// The point that is picked, or the fastest points of every front, each once.
std::vector<std::size_t> to_confirm(const Options& o, const Fronts& fronts) {
  if (const SweepPoint* picked = fronts.numbered(o.pick))
    return {static_cast<std::size_t>(picked - fronts.points.data())};
  std::set<std::size_t> chosen;
  for (const Front& front : fronts.fronts) {
    const std::size_t count =
        o.confirm == 0 ? front.points.size() : std::min(front.points.size(), static_cast<std::size_t>(o.confirm));
    chosen.insert(front.points.begin(), front.points.begin() + static_cast<std::ptrdiff_t>(count));
  }
  return {chosen.begin(), chosen.end()};
}

// How many points a device does not hold.
std::string device_text(const Fronts& fronts) {
  if (!fronts.part) return "";
  const model::FpgaPart& part = *fronts.part;
  const auto beyond = std::ranges::count_if(fronts.points, [&](const SweepPoint& point) {
    return !model::share_of(part, fronts.fpga_uses.at(point.architecture)).fits();
  });
  std::string has;
  for (std::size_t r = 0; r < part.has.size(); ++r)
    has += fmt::format("{}{} {}", r == 0 ? "" : ", ", grouped(part.has[r]), model::fpga_part_resources[r]);
  return fmt::format("\n{} has {} ({}, {}); {} of {} points take more and do not fit", part.name, has, part.source,
                     part.status, grouped(beyond), grouped(static_cast<std::int64_t>(fronts.points.size())));
}

std::string area_text(const Fronts& fronts) {
  if (fronts.fpga) {
    return fmt::format(
        "area: LUTs of logic, memory and carries, and block RAMs\n{}"
        "outside: what is beyond these architectures, so that these errors do not hold{}",
        fpga_errors(*fronts.fpga), device_text(fronts));
  }
  if (fronts.area_known) return "area: gates and memories of the technology, not placed";
  return fmt::format("{} an area: bits_on_chip (array cells, buffers, partial sums) stands for it",
                     fronts.technology.empty() ? "no technology tells" : fronts.technology + " does not tell");
}

// ", by latency_us and luts; energy_pj is the same for all".
std::string decided_by(const Front& front) {
  std::string text;
  if (!front.objectives.empty()) text = fmt::format(", by {}", fmt::join(front.objectives, ", "));
  if (!front.same.empty())
    text += fmt::format("; {} {} the same for all", fmt::join(front.same, ", "), front.same.size() == 1 ? "is" : "are");
  if (front.unpriced == front.candidates.size()) {
    text += "; no point has an energy";
  } else if (front.unpriced > 0) {
    text += fmt::format("; {} without an energy left out", grouped(static_cast<std::int64_t>(front.unpriced)));
  }
  return text;
}

// The first of the reasons, each with the points that it is of.
void print_notes(const std::string& what, const std::map<std::string, std::int64_t>& notes, std::size_t points) {
  std::size_t shown = 0;
  for (const auto& [note, of] : notes) {
    if (++shown > notes_shown) break;
    fmt::print("{} of {} of {} points: {}\n", what, grouped(of), grouped(static_cast<std::int64_t>(points)), note);
  }
  if (notes.size() > notes_shown) fmt::print("... and {} more reasons\n", notes.size() - notes_shown);
}

void print_fronts(const sim::Sweep& sweep, const Fronts& fronts) {
  std::size_t shown = 0;
  for (const Front& front : fronts.fronts) {
    if (++shown > rows_shown) break;
    const std::size_t rows = std::min(rows_shown, front.points.size());
    const std::vector<std::size_t> first(front.points.begin(),
                                         front.points.begin() + static_cast<std::ptrdiff_t>(rows));
    fmt::print("\nPareto front of {}: {} of {} points{}\n{}", front.title, front.points.size(), front.candidates.size(),
               decided_by(front), front_table(sweep, fronts, first).text());
    if (front.points.size() > rows) fmt::print("... and {} more\n", front.points.size() - rows);
  }
  if (fronts.fronts.size() > rows_shown) fmt::print("\n... and {} more fronts\n", fronts.fronts.size() - rows_shown);
  fmt::print("\nenergy: {}; {}\n",
             fronts.technology.empty() ? "none, the sweep names no technology" : fronts.technology, area_text(fronts));
  if (fronts.clock_known) {
    fmt::print(
        "latency, power and throughput at the slower of clock_mhz, asked for, and clock_reached_mhz, of the gates{}\n",
        fronts.clock_missed == 0
            ? ""
            : fmt::format("; {} of {} points do not reach the clock asked for", grouped(fronts.clock_missed),
                          grouped(static_cast<std::int64_t>(fronts.points.size()))));
  }
  if (!fronts.clock_known) {
    fmt::print("latency at the clock asked for: {} no clock that is reached\n",
               fronts.technology.empty() ? "no technology tells" : fronts.technology + " tells");
  }
  print_notes(fronts.area_known ? "energy and area" : "energy", fronts.energy_notes, fronts.points.size());
  print_notes("no energy", fronts.unpriced, fronts.points.size());
}

// Uniform plans end in outputs of 16 bits, which arrays of narrower activations do not write.
std::string with_hint(const std::string& refusal) {
  const bool output = refusal.find("-bit output activations") != std::string::npos;
  return refusal + (output ? "; a plan may have narrower output_bits" : "");
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
                  {"clock_missed", fronts.clock_missed},
                  {"refusals", fronts.refusals},
                  {"where_not", fronts.left_out},
                  {"fronts", to_json(sweep, fronts)},
                  {"energy_notes", json::array()},
                  {"unpriced", json::array()},
                  {"confirmed", json::array()}});
  for (const auto& [note, points] : fronts.energy_notes)
    summary["energy_notes"].push_back({{"note", note}, {"points", points}});
  for (const auto& [note, points] : fronts.unpriced)
    summary["unpriced"].push_back({{"note", note}, {"points", points}});
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

// What takes the picked point to other verbs.
const SweepPoint& picked_point(const Options& o, const Fronts& fronts) {
  if (const SweepPoint* point = fronts.numbered(o.pick)) return *point;
  throw std::invalid_argument(
      fmt::format("--pick is {}; the fronts have the points 1 to {}", o.pick, fronts.last_number()));
}

void say_picked(const Options& o, const sim::Sweep& sweep, const SweepPoint& point) {
  say(o.common, fmt::format("point {}: {} on {}, plan {}", point.number, sweep.networks[point.network].name(),
                            sweep.architecture(point.architecture).name, sweep.plans[point.plan].label));
}

void add_picked(OutputFolder& folder, const Options& o, const sim::Sweep& sweep, const SweepPoint& point) {
  say_picked(o, sweep, point);
  folder.add("architecture.yaml", model::to_text(sweep.architecture(point.architecture)));
  const sim::SweepPlan& plan = sweep.plans[point.plan];
  const sim::SweepNetwork& network = sweep.networks[point.network];
  if (!plan.of_file && network.graph() != nullptr) folder.add("plan.yaml", model::to_text(plan.for_network(network)));
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
  if (o.pick > 0) add_picked(folder, o, sweep, picked_point(o, fronts));
  try {
    for (const auto& [name, svg] : draw_pictures(picture_data(sweep, fronts), "plot_sweep.py"))
      folder.add(name + ".svg", svg);
  } catch (const std::runtime_error& error) {
    say(o.common, fmt::format("no pictures: {}", error.what()));  // numbers are worth having without
  }
  folder.publish();
}

// What a part of a sweep tells: its fronts would say nothing.
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
  const FpgaTarget target = fpga_target(o.fpga);
  const FrontOptions options{.technology = technology,
                             .fpga = target.family,
                             .part = target.part,
                             .scope = o.front == "plan" ? FrontScope::plan : FrontScope::network,
                             .where = o.where};
  check_condition(sweep, options);
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
  const Fronts fronts = find_fronts(sweep, store, options);
  if (o.pick > 0) (void)picked_point(o, fronts);  // before minutes of confirming
  std::vector<Confirmed> confirmed;
  if (o.confirm >= 0) confirmed = confirm_points(sweep, fronts, to_confirm(o, fronts), store, o.common);
  const json summary = summary_of(sweep, state, fronts, confirmed);
  if (folder.wanted()) write_folder(folder, o, sweep, fronts, summary, record);
  if (o.pick > 0 && !folder.wanted()) {
    const SweepPoint& point = picked_point(o, fronts);
    say_picked(o, sweep, point);
    std::cout << model::to_text(sweep.architecture(point.architecture));
  } else if (o.common.json) {
    std::cout << model::json_text(summary) << "\n";
  } else {
    print_counts(state);
    for (std::size_t i = 0; i < std::min(notes_shown, fronts.refusals.size()); ++i) {
      fmt::print("refused: {}\n", with_hint(fronts.refusals[i]));
    }
    if (fronts.refusals.size() > notes_shown)
      fmt::print("... and {} more reasons\n", fronts.refusals.size() - notes_shown);
    if (!o.where.empty()) {
      const auto kept = static_cast<std::int64_t>(fronts.points.size());
      fmt::print("--where holds for {} of {} points that fit\n", grouped(kept), grouped(kept + fronts.left_out));
    }
    print_fronts(sweep, fronts);
    if (!confirmed.empty()) {
      fmt::print("\n{}events, values: compared/different\n", confirmation_table(sweep, fronts, confirmed).text());
    }
    if (o.confirm >= 0 && confirmed.empty()) fmt::print("confirmed: none, lists of layers cannot be executed\n");
    for (const Confirmed& c : confirmed) {
      if (!c.result.error.empty()) fmt::print("failed: {}: {}\n", c.result.engine, c.result.error);
    }
  }
  if (fronts.points.empty() && fronts.left_out > 0)
    throw CheckFailed(fmt::format("--where \"{}\" holds for none of {} points", o.where, grouped(fronts.left_out)));
  if (fronts.points.empty()) {
    throw CheckFailed(fmt::format("no point fits its architecture{}{}", fronts.refusals.empty() ? "" : ": ",
                                  fronts.refusals.empty() ? "" : with_hint(fronts.refusals.front())));
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
