// SPDX-License-Identifier: Apache-2.0
// The workers of a sweep. Work is dealt out in units, a network on an architecture with a block of plans, so that a
// worker's cost model knows the layers' shapes from plan to plan; a unit belongs to one process at a time.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <stdexcept>
#include <thread>

#include "sim/cost_model.h"
#include "sim/energy.h"
#include "sim/gate_energy.h"
#include "sim/physical.h"
#include "sim/sweep.h"

namespace bitstrata::sim {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t block = 64;                       // plans of a unit
constexpr auto pause = std::chrono::milliseconds(200);  // between reports, and between looks at others' units
constexpr int reports_per_sign = 25;                    // between signs of life
// Points that wait for their transaction at most this long: what a kill can cost. A transaction a point would cost more
// than the point where the fast engine remembers its layers.
constexpr auto longest_wait = std::chrono::milliseconds(50);

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// A network, and the rows of the store for it and its plans.
struct Ready {
  const SweepNetwork* network = nullptr;
  std::int64_t row = 0;
  std::vector<const SweepPlan*> plans;
  std::vector<std::int64_t> plan_rows;
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

class Runner {
 public:
  Runner(const Sweep& sweep, PointStore& store) : sweep_(sweep), store_(store) {
    for (const SweepNetwork& network : sweep.networks) {
      Ready ready{
          .network = &network, .row = store.network(network.name(), network.identity()), .plans = {}, .plan_rows = {}};
      for (const SweepPlan& plan : sweep.plans) {
        if (!plan.fits(network)) continue;
        ready.plans.push_back(&plan);
        ready.plan_rows.push_back(store.plan(plan.label, plan.identity()));
      }
      units_per_architecture_ += (ready.plans.size() + block - 1) / block;
      networks_.push_back(std::move(ready));
    }
    state_.total = sweep.points();
  }

  SweepState run(int jobs, const std::function<void(const SweepState&)>& report) {
    count_finished();
    start_ = Clock::now();
    {
      std::vector<std::jthread> workers;
      running_ = jobs;
      for (int i = 0; i < jobs; ++i) workers.emplace_back([this] { work(); });
      std::unique_lock lock(mutex_);
      for (int tick = 1; running_ > 0; ++tick) {
        changed_.wait_for(lock, pause, [&] { return running_ == 0; });
        state_.seconds = seconds_since(start_);
        const SweepState seen = state_;
        lock.unlock();
        report(seen);
        if (tick % reports_per_sign == 0) store_.show_life();
        lock.lock();
      }
    }
    if (failure_) std::rethrow_exception(failure_);
    state_.seconds = seconds_since(start_);
    return state_;
  }

 private:
  // A worker's own: the fast engine is not for several threads at once.
  struct Bench {
    std::int64_t architecture = -1;
    std::int64_t row = 0;
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

  // Plans of a unit that the store lacks.
  std::vector<std::size_t> missing(const Unit& unit, std::int64_t architecture_row) {
    const Ready& ready = networks_[unit.network];
    std::vector<std::int64_t> finished = store_.finished_plans(architecture_row, ready.row);
    std::sort(finished.begin(), finished.end());
    std::vector<std::size_t> plans;
    for (std::size_t p = unit.first_plan; p < std::min(unit.first_plan + block, ready.plans.size()); ++p) {
      if (!std::binary_search(finished.begin(), finished.end(), ready.plan_rows[p])) plans.push_back(p);
    }
    return plans;
  }

  // Looks which units there is anything to do in.
  void count_finished() {
    std::int64_t architecture = -1, row = 0, left = 0;
    for (std::int64_t i = 0; i < units(); ++i) {
      const Unit u = unit(i);
      if (u.architecture != std::exchange(architecture, u.architecture)) {
        row = store_.architecture(sweep_.architecture(architecture));
      }
      const std::size_t count = missing(u, row).size();
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
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      stop_ = true;
    }
    const std::lock_guard lock(mutex_);
    --running_;
    changed_.notify_all();
  }

  // False where another process holds the unit.
  bool attempt(const Open& open, Bench& bench) {
    const Unit u = unit(open.unit);
    set_up(bench, u.architecture);
    const std::string name =
        fmt::format("{}/{}/{}", networks_[u.network].row, bench.row, networks_[u.network].plan_rows[u.first_plan]);
    if (!store_.claim(name)) return false;
    const std::vector<std::size_t> plans = missing(u, bench.row);  // again: others may have been here
    {
      const std::lock_guard lock(mutex_);
      state_.elsewhere += static_cast<std::int64_t>(open.missing - plans.size());
    }
    std::vector<StoredPoint> finished;
    Clock::time_point oldest = Clock::now();
    for (std::size_t i = 0; i < plans.size(); ++i) {
      if (stop_) break;
      if (finished.empty()) oldest = Clock::now();
      finished.push_back(measure(bench, u.network, plans[i]));
      if (i + 1 == plans.size() || Clock::now() - oldest > longest_wait) keep(finished);
    }
    store_.release(name);
    return true;
  }

  void set_up(Bench& bench, std::int64_t architecture) {
    if (bench.architecture == architecture) return;
    bench.architecture = architecture;
    {
      const std::lock_guard lock(describing_);
      bench.description = sweep_.architecture(architecture);
    }
    bench.row = store_.architecture(bench.description);
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
    store_.add(finished);
    const std::lock_guard lock(mutex_);
    for (const StoredPoint& point : finished) ++(point.refused ? state_.refused : state_.done);
    finished.clear();
  }

  const Sweep& sweep_;
  PointStore& store_;
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
  Clock::time_point start_;
};

}  // namespace

SweepState run_sweep(const Sweep& sweep, PointStore& store, int jobs,
                     const std::function<void(const SweepState&)>& report) {
  return Runner(sweep, store).run(jobs, report);
}

}  // namespace bitstrata::sim
