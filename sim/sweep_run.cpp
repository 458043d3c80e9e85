// SPDX-License-Identifier: Apache-2.0
// The workers of a sweep. Work is dealt out in units, a network on an architecture with a block of plans, so that a
// worker's cost model knows the layers' shapes from plan to plan; a unit belongs to one process at a time. Under mpirun
// the process with the store deals units out to the others as well.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "model/digest.h"
#include "sim/cost_model.h"
#include "sim/energy.h"
#include "sim/gate_energy.h"
#include "sim/physical.h"
#include "sim/sweep.h"
#include "sim/sweep_crew.h"

namespace bitstrata::sim {

namespace {

using Steady = std::chrono::steady_clock;
constexpr std::size_t block = 64;                       // plans of a unit
constexpr auto pause = std::chrono::milliseconds(200);  // between reports, and between looks at others' units
constexpr int reports_per_sign = 25;                    // between signs of life
// Points that wait for their transaction at most this long: what a kill can cost. A transaction a point would cost more
// than the point where the fast engine remembers its layers.
constexpr auto longest_wait = std::chrono::milliseconds(50);
// Units that a rank has before it, so that it need not wait for the answer to its last delivery.
constexpr std::size_t orders_ahead = 4;

double seconds_since(Steady::time_point start) { return std::chrono::duration<double>(Steady::now() - start).count(); }

// A network, and the rows of the store for it and its plans.
struct Ready {
  const SweepNetwork* network = nullptr;
  std::int64_t row = 0;
  std::vector<const SweepPlan*> plans;
  std::vector<std::int64_t> plan_rows;
  std::string digest;  // of its identity, like those of the plans: what decides the shard
  std::vector<std::string> plan_digests;
};

struct Unit {
  std::int64_t architecture = 0;  // index in the sweep
  std::size_t network = 0;        // index into Ready
  std::size_t first_plan = 0;
};

// A unit with something to do when the sweep began.
struct Open {
  std::int64_t unit = 0;
  std::size_t missing = 0;  // points
};

// What this process holds of a unit.
struct Claimed {
  std::string name;                // of the claim in the store
  std::vector<std::size_t> plans;  // that nobody has measured
};

// A unit in the hands of a rank.
struct Dealt {
  Claimed claimed;
  std::size_t network = 0;        // index into Ready
  std::int64_t architecture = 0;  // row of the store
  std::size_t delivered = 0;      // of its plans
};

class Runner {
 public:
  // Without a store it measures what it is told to.
  Runner(const Sweep& sweep, PointStore* store, const Shard& shard) : sweep_(sweep), store_(store), shard_(shard) {
    for (const SweepNetwork& network : sweep.networks) {
      Ready ready{.network = &network, .digest = model::digest_of(network.identity())};
      if (store != nullptr) ready.row = store->network(network.name(), network.identity());
      for (const SweepPlan& plan : sweep.plans) {
        if (!plan.fits(network)) continue;
        ready.plans.push_back(&plan);
        ready.plan_rows.push_back(store != nullptr ? store->plan(plan.label, plan.identity()) : 0);
        ready.plan_digests.push_back(model::digest_of(plan.identity()));
      }
      units_per_architecture_ += (ready.plans.size() + block - 1) / block;
      networks_.push_back(std::move(ready));
    }
  }

  SweepState run(int jobs, Crew* crew, const std::function<void(const SweepState&)>& report) {
    count_finished();
    if (crew != nullptr) state_.by_rank.resize(static_cast<std::size_t>(crew->size()));
    start_ = Steady::now();
    {
      std::vector<std::jthread> workers;
      running_ = jobs;
      for (int i = 0; i < jobs; ++i) workers.emplace_back([this] { work(); });
      for (int tick = 1; !is_over(); ++tick) {
        if (crew != nullptr) {
          deal(*crew);
        } else {
          std::unique_lock lock(mutex_);
          changed_.wait_for(lock, pause, [&] { return running_ == 0; });
        }
        std::unique_lock lock(mutex_);
        state_.seconds = seconds_since(start_);
        const SweepState seen = state_;
        lock.unlock();
        report(seen);
        if (tick % reports_per_sign == 0) store_->show_life();
      }
    }
    if (failure_) std::rethrow_exception(failure_);
    state_.seconds = seconds_since(start_);
    return state_;
  }

  // The work of a rank that has no store.
  void serve(CrewMember& member) {
    Bench bench;
    while (const std::optional<Order> order = member.next()) {
      const Unit u = unit(order->unit);
      set_up(bench, u.architecture);
      std::vector<StoredPoint> finished;
      Steady::time_point oldest = Steady::now();
      for (std::size_t i = 0; i < order->plans.size() && !member.ends(); ++i) {
        finished.push_back(measure(bench, u.network, order->plans[i]));
        if (i + 1 < order->plans.size() && Steady::now() - oldest < longest_wait) continue;
        member.deliver(finished);
        finished.clear();
        oldest = Steady::now();
      }
    }
  }

 private:
  // A worker's own: the fast engine is not for several threads at once.
  struct Bench {
    std::int64_t architecture = -1;
    std::int64_t row = 0;
    std::string digest;  // of its parameters, where there are shards
    model::Architecture description;
    std::string problem;  // why the architecture itself cannot be
    std::unique_ptr<FastCostModel> cost;
    std::map<std::pair<std::size_t, std::size_t>, model::IntegerNetwork> shapes;  // by network and plan
  };

  std::int64_t units() const { return sweep_.architectures() * static_cast<std::int64_t>(units_per_architecture_); }

  Unit unit(std::int64_t index) const {
    Unit result{.architecture = index / static_cast<std::int64_t>(units_per_architecture_)};
    auto rest = static_cast<std::size_t>(index % static_cast<std::int64_t>(units_per_architecture_));
    while (true) {
      const std::size_t blocks = (networks_[result.network].plans.size() + block - 1) / block;
      if (rest < blocks) break;
      rest -= blocks;
      ++result.network;
    }
    result.first_plan = rest * block;
    return result;
  }

  // Plans of a unit whose points are in the shard.
  std::vector<std::size_t> own(const Unit& unit, const Bench& bench) const {
    const Ready& ready = networks_[unit.network];
    std::vector<std::size_t> plans;
    for (std::size_t p = unit.first_plan; p < std::min(unit.first_plan + block, ready.plans.size()); ++p) {
      if (shard_.holds(bench.digest, ready.digest, ready.plan_digests[p])) plans.push_back(p);
    }
    return plans;
  }

  // Those of `plans` that the store lacks.
  std::vector<std::size_t> missing(const Unit& unit, const Bench& bench, std::vector<std::size_t> plans) {
    const Ready& ready = networks_[unit.network];
    std::vector<std::int64_t> finished = store_->finished_plans(bench.row, ready.row);
    std::sort(finished.begin(), finished.end());
    std::erase_if(
        plans, [&](std::size_t p) { return std::binary_search(finished.begin(), finished.end(), ready.plan_rows[p]); });
    return plans;
  }

  // Looks which units there is anything to do in.
  void count_finished() {
    Bench bench;
    std::int64_t left = 0;
    for (std::int64_t i = 0; i < units(); ++i) {
      const Unit u = unit(i);
      describe(bench, u.architecture);
      const std::vector<std::size_t> plans = own(u, bench);
      state_.total += static_cast<std::int64_t>(plans.size());
      const std::size_t count = missing(u, bench, plans).size();
      if (count > 0) open_.push_back({i, count});
      left += static_cast<std::int64_t>(count);
    }
    state_.before = state_.total - left;
  }

  void work() {
    try {
      Bench bench;
      std::vector<Open> held_elsewhere;
      for (std::size_t i = next_++; i < open_.size() && !stop_; i = next_++) {
        if (!attempt(open_[i], bench)) held_elsewhere.push_back(open_[i]);
      }
      // Other processes' units: they finish them, or they die and leave them.
      while (!held_elsewhere.empty() && !stop_) {
        std::erase_if(held_elsewhere, [&](const Open& open) { return stop_ || attempt(open, bench); });
        if (!held_elsewhere.empty()) std::this_thread::sleep_for(pause);
      }
    } catch (...) {
      fail();
    }
    const std::lock_guard lock(mutex_);
    --running_;
    changed_.notify_all();
  }

  // Ends the sweep with the exception that is being handled.
  void fail() {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
    stop_ = true;
  }

  bool is_over() {
    const std::lock_guard lock(mutex_);
    const bool waits = !stop_ && (!waiting_.empty() || !arrived_.empty() ||
                                  std::ranges::any_of(dealt_, [](const auto& rank) { return !rank.second.empty(); }));
    return running_ == 0 && !waits;
  }

  // Absent where another process holds the unit.
  std::optional<Claimed> claim(const Open& open, const Bench& bench) {
    const Unit u = unit(open.unit);
    const std::string name =
        fmt::format("{}/{}/{}", networks_[u.network].row, bench.row, networks_[u.network].plan_rows[u.first_plan]);
    if (!store_->claim(name)) return std::nullopt;
    const std::vector<std::size_t> plans = missing(u, bench, own(u, bench));  // again: others may have been here
    const std::lock_guard lock(mutex_);
    state_.elsewhere += static_cast<std::int64_t>(open.missing - plans.size());
    return Claimed{name, plans};
  }

  // Deals units out to the ranks and takes points from them, for as long as the user can wait for a report.
  void deal(Crew& crew) {
    try {
      const Steady::time_point until = Steady::now() + pause;
      std::swap(again_, waiting_);
      while (Steady::now() < until && !stop_ && !is_over()) {
        if (std::optional<Delivery> delivery = crew.poll()) receive(*delivery);
        for (const int rank : crew.newly_ready()) dealt_[rank];
        for (auto& [rank, dealt] : dealt_) {
          while (dealt.size() < orders_ahead && give(crew, rank, dealt)) {
          }
        }
        const bool all = std::ranges::all_of(dealt_, [](const auto& rank) { return rank.second.empty(); });
        if (!arrived_.empty() && (all || Steady::now() - oldest_ > longest_wait)) keep_arrived();
      }
      std::ranges::move(again_, std::back_inserter(waiting_));
      again_.clear();
    } catch (...) {
      fail();
      try {
        keep_arrived();  // a rank's failure is none of the points that it has measured
      } catch (const std::exception&) {
        // It was the store that failed, as has been noted.
      }
    }
    if (stop_) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // the workers end
  }

  // Gives a rank the next unit that has something to do; false where there is none now.
  bool give(Crew& crew, int rank, std::deque<Dealt>& dealt) {
    while (!stop_) {
      Open open;
      if (const std::size_t i = next_++; i < open_.size()) {
        open = open_[i];
      } else if (!again_.empty()) {
        open = again_.back();
        again_.pop_back();
      } else {
        return false;
      }
      const Unit u = unit(open.unit);
      describe(dealing_, u.architecture);
      std::optional<Claimed> claimed = claim(open, dealing_);
      if (!claimed) {
        waiting_.push_back(open);
      } else if (claimed->plans.empty()) {
        store_->release(claimed->name);
      } else {
        crew.send(rank, {open.unit, claimed->plans});
        dealt.push_back({std::move(*claimed), u.network, dealing_.row});
        return true;
      }
    }
    return false;
  }

  void receive(Delivery& delivery) {
    std::deque<Dealt>& dealt = dealt_.at(delivery.rank);
    Dealt& order = dealt.front();
    const Ready& ready = networks_[order.network];
    if (arrived_.empty()) oldest_ = Steady::now();
    {
      const std::lock_guard lock(mutex_);
      const auto count = static_cast<std::int64_t>(delivery.points.size());
      state_.by_rank.at(static_cast<std::size_t>(delivery.rank)) += count;
      state_.by_rank.front() -= count;  // to which `keep` gives all
    }
    for (StoredPoint& point : delivery.points) {
      point.identity = {order.architecture, ready.row, ready.plan_rows[order.claimed.plans.at(order.delivered++)]};
      arrived_.push_back(std::move(point));
    }
    if (order.delivered < order.claimed.plans.size()) return;
    done_with_.push_back(order.claimed.name);
    dealt.pop_front();
  }

  void keep_arrived() {
    keep(arrived_);
    for (const std::string& name : std::exchange(done_with_, {})) store_->release(name);
  }

  // False where another process holds the unit.
  bool attempt(const Open& open, Bench& bench) {
    const Unit u = unit(open.unit);
    set_up(bench, u.architecture);
    const std::optional<Claimed> claimed = claim(open, bench);
    if (!claimed) return false;
    const std::vector<std::size_t>& plans = claimed->plans;
    std::vector<StoredPoint> finished;
    Steady::time_point oldest = Steady::now();
    for (std::size_t i = 0; i < plans.size(); ++i) {
      if (stop_) break;
      if (finished.empty()) oldest = Steady::now();
      finished.push_back(measure(bench, u.network, plans[i]));
      if (i + 1 == plans.size() || Steady::now() - oldest > longest_wait) keep(finished);
    }
    store_->release(claimed->name);
    return true;
  }

  // False where the bench is described as this architecture already.
  bool describe(Bench& bench, std::int64_t architecture) {
    if (bench.architecture == architecture) return false;
    bench.architecture = architecture;
    {
      const std::lock_guard lock(describing_);
      bench.description = sweep_.architecture(architecture);
    }
    if (store_ != nullptr) bench.row = store_->architecture(bench.description);
    if (!shard_.whole()) bench.digest = model::digest_of(model::parameters_of(bench.description).dump());
    return true;
  }

  void set_up(Bench& bench, std::int64_t architecture) {
    if (!describe(bench, architecture)) return;
    bench.cost.reset();
    bench.problem.clear();
    try {
      model::validate(bench.description);
      bench.cost = std::make_unique<FastCostModel>(bench.description);
    } catch (const std::invalid_argument& error) {
      bench.problem = error.what();
    }
  }

  const model::IntegerNetwork& shapes(Bench& bench, std::size_t network, std::size_t plan) {
    const auto key = std::pair(network, plan);
    if (const auto old = bench.shapes.find(key); old != bench.shapes.end()) return old->second;
    if (bench.shapes.size() > 4096) bench.shapes.clear();  // memory must not grow with the sweep
    const Ready& ready = networks_[network];
    return bench.shapes.emplace(key, ready.plans[plan]->layers(*ready.network)).first->second;
  }

  StoredPoint measure(Bench& bench, std::size_t network, std::size_t plan) {
    const Ready& ready = networks_[network];
    StoredPoint point{.identity = {bench.row, ready.row, ready.plan_rows[plan]}};
    try {
      if (!bench.problem.empty()) throw std::invalid_argument(bench.problem);
      const model::IntegerNetwork& layers = shapes(bench, network, plan);
      const model::Measurement measurement = bench.cost->measure(layers);
      point.cycles = measurement.total().cycles;
      point.latency_us = measurement.latency_us();
      point.macs = ready.network->macs();
      for (const model::Technology& technology : sweep_.technologies) {
        point.energies.push_back(price_of(measurement, layers, technology, bench.description));
      }
    } catch (const std::invalid_argument& error) {
      point.refused = true;
      point.reason = error.what();
    }
    return point;
  }

  static PointEnergy price_of(const model::Measurement& measurement, const model::IntegerNetwork& layers,
                              const model::Technology& technology, const model::Architecture& architecture) {
    const auto clock = clock_of(architecture, technology);
    PointEnergy result{.technology = technology.name,
                       .status = to_string(technology.status()),
                       .energy_pj = std::nullopt,
                       .note = "",
                       .latency_us = clock.latency_us(measurement.total().cycles),
                       .clock_reached_mhz = clock.reached_mhz,
                       .area = area_of(architecture, technology)};
    try {
      const Energy energy = price(measurement, layers, technology, architecture);
      if (energy.total.any()) result.energy_pj = energy.total.total_pj();
      if (energy.priced_layers < static_cast<int>(energy.layers.size())) {
        result.note = fmt::format("covers {} of {} layers", energy.priced_layers, energy.layers.size());
      }
      if (technology.kind == model::TechnologyKind::gate_level) {
        const std::vector<std::string> others = differences(technology.gates, architecture);
        if (!others.empty()) {
          const std::string outside = fmt::format("{}: {}", outside_calibration, fmt::join(others, "; "));
          result.note = result.note.empty() ? outside : fmt::format("{}; {}", outside, result.note);
        }
      }
    } catch (const std::invalid_argument& error) {
      result.note = error.what();
    }
    return result;
  }

  void keep(std::vector<StoredPoint>& finished) {
    store_->add(finished);
    const std::lock_guard lock(mutex_);
    for (const StoredPoint& point : finished) ++(point.refused ? state_.refused : state_.done);
    if (!state_.by_rank.empty()) state_.by_rank.front() += static_cast<std::int64_t>(finished.size());
    finished.clear();
  }

  const Sweep& sweep_;
  PointStore* const store_;
  const Shard shard_;
  std::vector<Ready> networks_;
  std::size_t units_per_architecture_ = 0;
  std::vector<Open> open_;
  std::mutex describing_;  // of the sweep's YAML values, which are not for several threads
  std::atomic<std::size_t> next_ = 0;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  int running_ = 0;
  SweepState state_;
  std::exception_ptr failure_;
  Steady::time_point start_;
  // What follows is of the thread that deals.
  Bench dealing_;
  std::map<int, std::deque<Dealt>> dealt_;  // by rank, oldest first
  std::vector<Open> waiting_, again_;       // held by other processes; of them, those to be tried in this round
  std::vector<StoredPoint> arrived_;
  Steady::time_point oldest_;           // when the first of them came
  std::vector<std::string> done_with_;  // claims to be released once they are kept
};

}  // namespace

SweepState run_sweep(const Sweep& sweep, PointStore& store, int jobs,
                     const std::function<void(const SweepState&)>& report, const Shard& shard, Crew* crew) {
  return Runner(sweep, &store, shard).run(jobs, crew, report);
}

void serve_sweep(const Sweep& sweep, CrewMember& member) { Runner(sweep, nullptr, {}).serve(member); }

}  // namespace bitstrata::sim
