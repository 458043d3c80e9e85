// SPDX-License-Identifier: Apache-2.0
#include "sim/fast.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <optional>
#include <unordered_map>
#include <vector>

#include "sim/fast_layer.h"
#include "sim/fast_schedule.h"

namespace bitstrata::sim {

namespace {

using namespace generate;

using Words = decltype(Descriptor::words);

struct WordsHash {
  std::size_t operator()(const Words& words) const {
    std::uint64_t hash = 0;
    for (const std::uint32_t word : words) hash = std::rotl((hash ^ word) * 0x9e3779b97f4a7c15u, 29);
    return static_cast<std::size_t>(hash);
  }
};

// For each descriptor of the list the first one that runs exactly as it does: that differs in addresses only, and in
// them by whole pages. Lists of batches are long, so twins are looked up.
std::vector<std::size_t> twins_of(const std::vector<Descriptor>& descriptors) {
  std::unordered_map<Words, std::size_t, WordsHash> first;
  std::vector<std::size_t> twins;
  twins.reserve(descriptors.size());
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    Descriptor bare = descriptors[i];
    for (const Field address : {F_IN_ADDRESS, F_SECOND_ADDRESS, F_OUT_ADDRESS, F_WEIGHT_ADDRESS, F_PARAM_ADDRESS})
      bare.set(address, bare.get(address) % Bursts::page_bytes);
    twins.push_back(first.try_emplace(bare.words, i).first->second);
  }
  return twins;
}

}  // namespace

model::Events predict(const Descriptor& descriptor, const model::Architecture& architecture, Pace pace) {
  const FastLayer layer(descriptor, architecture);
  model::Events events;
  layer.add_counts(events);
  FastSchedule schedule(layer, architecture, pace);
  schedule.finish(std::numeric_limits<Cycle>::max());
  schedule.add_times(events);
  return events;
}

model::Events predict(const Descriptor& descriptor, const model::Architecture& architecture,
                      const PlaneCounts& planes) {
  const FastLayer layer(descriptor, architecture);
  if (!architecture.skip_planes || layer.whole_codes) return predict(descriptor, architecture);
  model::Events events;
  layer.add_counts(events);
  FastSchedule schedule(layer, architecture, Pace::stepping, &planes);
  schedule.finish(std::numeric_limits<Cycle>::max());
  schedule.add_times(events);
  return events;
}

std::vector<model::Events> predict(const generate::Program& program,
                                   const std::function<model::Codes(std::size_t layer)>& input_of) {
  std::vector<model::Events> events;
  for (std::size_t layer = 0; layer < program.numbers.size(); ++layer) {
    const model::Codes input = input_of(layer);
    const auto [begin, end] = program.descriptors_of(layer);
    for (std::size_t i = begin; i < end; ++i)
      events.push_back(predict(program.descriptors[i], program.architecture, count_planes(program, i, input)));
  }
  return events;
}

std::vector<model::Events> predict(const generate::Program& program, const std::vector<model::Codes>& tensors) {
  if (!program.architecture.skip_planes) return predict(program);
  return predict(program, [&](std::size_t layer) {
    return tensors.at(static_cast<std::size_t>(program.network->layers.at(layer).input));
  });
}

std::vector<model::Events> predict(const std::vector<Descriptor>& descriptors,
                                   const model::Architecture& architecture) {
  std::vector<model::Events> events;
  events.reserve(descriptors.size());
  const std::vector<std::size_t> twins = twins_of(descriptors);
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    const std::size_t twin = twins[i];
    events.push_back(twin < i ? events[twin] : predict(descriptors[i], architecture));
  }
  return events;
}

std::vector<model::Events> predict(const generate::Program& program) {
  return predict(program.descriptors, program.architecture);
}

generate::Judge judge_of(const model::Architecture& architecture) {
  return [architecture](const std::vector<Descriptor>& descriptors, std::int64_t limit) {
    // At first every descriptor counts with what it takes at least; then one after the other with what it takes.
    struct Part {
      std::optional<FastLayer> layer;  // of descriptors without a twin
      std::int64_t least, cycles;
    };
    std::vector<Part> parts(descriptors.size());
    const std::vector<std::size_t> twins = twins_of(descriptors);
    std::int64_t total = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const std::size_t twin = twins[i];
      Part& part = parts[i];
      if (twin == i) {
        part.layer.emplace(descriptors[i], architecture);
        part.least = std::max(part.layer->compute_cycles(), part.layer->lines_loaded());
      } else {
        part.least = parts[twin].least;
      }
      total += part.least;
      if (total >= limit) return total;
    }
    for (std::size_t i = 0; i < parts.size(); ++i) {
      Part& part = parts[i];
      total -= part.least;
      if (part.layer) {
        FastSchedule schedule(*part.layer, architecture, Pace::leaping);
        if (!schedule.finish(limit - total)) return limit;
        part.cycles = schedule.cycles();
      } else {
        part.cycles = parts[twins[i]].cycles;
      }
      total += part.cycles;
      if (total >= limit) return total;
    }
    return total;
  };
}

generate::Program lower(const model::IntegerNetwork& network, const model::Architecture& architecture, int batch) {
  return generate::lower(network, architecture, judge_of(architecture), batch);
}

}  // namespace bitstrata::sim
