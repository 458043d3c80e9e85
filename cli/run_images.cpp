// SPDX-License-Identifier: Apache-2.0
#include "cli/run_images.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <memory>
#include <span>

#include "cli/execute.h"
#include "model/progress.h"
#include "sim/fast.h"

namespace bitstrata::cli {

namespace {

constexpr double long_run_s = 20;  // longer runs are announced

// Events of the runs, a batch of images each: equal for all, unless the accelerator skips planes; then their mean,
// rounded.
class EventTally {
 public:
  explicit EventTally(const Workload& workload) : differ_(workload.architecture.skip_planes) {}

  // False where they should be those of the images before, and are not.
  bool add(const std::vector<model::Events>& layers) {
    const std::lock_guard lock(mutex_);
    if (images_++ == 0) {
      sum_ = layers;
      return true;
    }
    if (!differ_) return layers == sum_;
    for (std::size_t l = 0; l < sum_.size(); ++l) sum_[l] += layers.at(l);
    return true;
  }
  std::vector<model::Events> mean() const {
    std::vector<model::Events> mean = sum_;
    if (!differ_) return mean;
    for (model::Events& layer : mean) {
      for (const auto member : model::event_members) layer.*member = (layer.*member + images_ / 2) / images_;
    }
    return mean;
  }

 private:
  bool differ_;
  std::mutex mutex_;
  std::vector<model::Events> sum_;
  std::int64_t images_ = 0;
};

Execution execute_fast(const Common& common, const Workload& workload, const Inputs& inputs, Tally& tally) {
  model::Progress progress("golden", static_cast<std::int64_t>(inputs.images.size()), common.quiet);
  std::mutex drawing;
  EventTally events(workload);
  const auto batch = static_cast<std::size_t>(workload.program.batch);
  for_each_in_parallel(inputs.images.size() / batch, common.threads, [&](std::size_t run) {
    const auto images = std::span(inputs.images).subspan(run * batch, batch);
    for (const model::Codes& image : images) tally.add_image(image);
    const auto see = [&](std::size_t layer, std::size_t image, const model::Codes& codes) {
      tally.add_layer(layer, codes, inputs.labels, run * batch + image);
    };
    const std::vector<model::Events> layers = predict_layers(workload.program, images, see);
    if (workload.architecture.skip_planes) events.add(layers);
    const std::lock_guard lock(drawing);
    progress.advance(static_cast<std::int64_t>(batch));
  });
  const bool of_images = workload.architecture.skip_planes && !inputs.images.empty();
  return {of_images ? events.mean() : predict_layers(workload.program), 0, 0, {}};
}

// CPU seconds of the calling thread.
double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Runs, of a batch each, on as many engines as there are threads.
class DataRuns {
 public:
  DataRuns(const std::string& engine, const Common& common, const Workload& workload, const Inputs& inputs,
           Tally& tally, bool toggles)
      : engine_(engine),
        toggles_(toggles),
        common_(common),
        workload_(workload),
        inputs_(inputs),
        tally_(tally),
        events_(workload),
        progress_(engine, static_cast<std::int64_t>(inputs.images.size()), common.quiet) {}

  Execution execute() {
    const std::size_t workers = workers_ = std::min(static_cast<std::size_t>(common_.threads), runs());
    // Made one after the other: the first may have to compile.
    std::vector<std::unique_ptr<sim::Engine>> engines;
    for (std::size_t i = 0; i < workers; ++i) engines.push_back(make_engine(engine_, workload_.architecture, toggles_));
    const double start = cpu_seconds();
    for_each_in_parallel(workers, static_cast<int>(workers), [&](std::size_t worker) {
      try {
        for (std::size_t run = next_++; run < runs(); run = next_++) one(*engines[worker], run);
      } catch (...) {
        next_ = runs();  // the others need not go on
        throw;
      }
    });
    const double seconds = cpu_seconds() - start - compared_s_;
    Execution execution{events_.mean(), 0, outputs_compared_, {}};
    if (toggles_) execution.toggles = std::move(counted_);
    std::int64_t cycles = 0;
    for (const model::Events& layer : execution.events) cycles += layer.cycles;
    execution.cycles_per_cpu_second = static_cast<double>(cycles) * static_cast<double>(runs()) / seconds;
    return execution;
  }

 private:
  std::size_t batch() const { return static_cast<std::size_t>(workload_.program.batch); }
  std::size_t runs() const { return inputs_.images.size() / batch(); }

  void one(sim::Engine& engine, std::size_t run) {
    const auto begin = std::chrono::steady_clock::now();
    const auto images = std::span(inputs_.images).subspan(run * batch(), batch());
    double compare = 0;  // CPU time that is not the engine's
    std::vector<model::Codes> outputs;
    const auto see = [&](std::size_t layer, const std::vector<model::Codes>& codes) {
      const double begun = thread_seconds();
      for (std::size_t i = 0; i < codes.size(); ++i)
        tally_.add_layer(layer, codes[i], inputs_.labels, run * batch() + i);
      if (layer + 1 == workload_.network.layers.size()) outputs = codes;
      compare += thread_seconds() - begun;
    };
    const sim::RunResult result = engine.run(workload_.program, images, sim::MemoryBehaviour{}, see);
    if (result.error != sim::RunError::none) {
      throw CheckFailed(fmt::format("run {}: the accelerator stopped in layer '{}': {}", run,
                                    workload_.program.layer_names.at(result.layers.size()), to_string(result.error)));
    }
    if (!events_.add(result.layers)) {
      throw CheckFailed(fmt::format("run {}: cycles or events differ from those of the runs before", run));
    }
    const double begun = thread_seconds();
    for (std::size_t i = 0; i < batch(); ++i) {
      const model::Codes golden = model::run(workload_.network, images[i]);
      if (outputs.at(i) != golden) {
        throw CheckFailed(fmt::format(
            "image {}: outputs differ from the golden arithmetic; bitstrata verify shows where", run * batch() + i));
      }
      outputs_compared_ += static_cast<std::int64_t>(golden.size());
      tally_.add_image(images[i]);
    }
    compare += thread_seconds() - begun;
    const std::lock_guard lock(mutex_);
    if (toggles_) {
      std::vector<model::Toggles>& of_run = counted_.emplace_back(workload_.network.layers.size());
      for (std::size_t d = 0; d < result.toggles.size(); ++d)
        of_run[static_cast<std::size_t>(workload_.program.descriptor_layer[d])] += result.toggles[d];
    }
    compared_s_ += compare;
    progress_.advance(static_cast<std::int64_t>(batch()));
    if (run != 0) return;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    const double expected = took.count() * static_cast<double>(runs()) / std::min<double>(runs(), common_.threads);
    if (expected > long_run_s) {
      say(common_,
          fmt::format("about {:.0f} s for {} images; {:.1f} MB of accelerator memory", expected, inputs_.images.size(),
                      1e-6 * static_cast<double>(workload_.program.memory_bytes * workers_)));
    }
  }

  const std::string& engine_;
  const bool toggles_;
  std::vector<std::vector<model::Toggles>> counted_;
  const Common& common_;
  const Workload& workload_;
  const Inputs& inputs_;
  Tally& tally_;
  EventTally events_;
  model::Progress progress_;
  std::size_t workers_ = 1;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<std::int64_t> outputs_compared_ = 0;
  std::mutex mutex_;
  double compared_s_ = 0;  // CPU time that is not the engines'
};

}  // namespace

Execution execute_images(const std::string& engine, const Common& common, const Workload& workload,
                         const Inputs& inputs, Tally& tally, bool toggles) {
  if (engine == "fast") return execute_fast(common, workload, inputs, tally);
  return DataRuns(engine, common, workload, inputs, tally, toggles).execute();
}

}  // namespace bitstrata::cli
