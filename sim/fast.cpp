// SPDX-License-Identifier: Apache-2.0
// The units of a layer as recurrences over their items: commands and bursts, row tiles, vectors, output tiles, blocks.
// Units wait for each other only through counters that never fall, so the time of an item is the latest of a few
// earlier times. The streamer visits its row tiles in order; the loader, the feeder, post-processing and the store
// are evaluated as far as the visited tile needs them, which is never further than what has been visited allows.
//
// A layer is mostly alike steps, so row tiles and output tiles are taken one by one only until a state comes back that
// was there before, with all its times moved by one shift: from then on everything repeats, and the loop leaps over
// the repetitions. The output tiles of a block are not taken at all where an earlier block began them in the same
// state.
//
// Cycle 0 is the sequencer's FETCH state. A register written by an event of cycle t is seen from cycle t + 1 on.
#include "sim/fast.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <optional>
#include <stdexcept>
#include <unordered_map>
#include <vector>

#include "sim/fast_layer.h"
#include "sim/fast_loader.h"
#include "sim/fast_ports.h"
#include "sim/fast_vectors.h"

namespace bitstrata::sim {

namespace {

using namespace generate;

constexpr int post_latency = 8;  // bs_post: from a group's entry to the write of its bits

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

// The array and post-processing between two output tiles.
struct Tiles {
  Vectors vectors;
  Cycle state;                     // the streamer is in state TILE from here on
  Cycle array_idle = never_yet;    // the array is empty from here on
  Cycle freed = never_yet;         // post-processing has read the accumulators of the latest tile
  Cycle freed_before = never_yet;  // and those of the one before it
  Cycle rows_free = never_yet;     // the input rows of the latest block count as freed from here on

  void shift(Cycle by) {
    vectors.shift(by);
    for (Cycle* time : {&state, &array_idle, &freed, &freed_before, &rows_free}) shift_time(*time, by);
  }
  void draw(Picture& picture) const {
    vectors.draw(picture);
    for (const Cycle time : {array_idle, freed, freed_before}) picture.time(time);
  }
};

// One layer from FETCH to barrier.
class Schedule {
 public:
  // `planes`: with skip_planes, what is streamed of each vector.
  Schedule(const FastLayer& layer, const model::Architecture& architecture, Pace pace,
           const PlaneCounts* planes = nullptr)
      : layer_(layer),
        planes_(planes),
        leaps_(pace == Pace::leaping),
        read_port_(architecture, pace),
        // FETCH in 0, the loader's command in 1; after the last beat CHECK, CONFIGURE (start), RUN.
        fetched_(read_port_.read(1, 0, layer.fetch_beats)),
        run_(fetched_ + 3),
        loader_(layer, read_port_, rows_freed_, run_),
        write_port_(architecture, pace),
        tiles_{.vectors = {}, .state = run_},
        out_address_(layer.descriptor()[D_OUT_ADDRESS]) {
    rows_freed_.reserve(at(layer.blocks));
  }

  // Visits everything, unless it sees on the way that the layer takes `limit` cycles or more: false.
  bool finish(Cycle limit) {
    Cycle computing = layer_.compute_cycles();
    for (int block = 0; block < layer_.blocks; ++block) {
      if (tiles_.state + computing >= limit) return false;
      computing -= layer_.compute_cycles_of(block);
      compute(block);
      rows_freed_.push_back(tiles_.rows_free);
      if (layer_.carry_out) {
        barrier_ = tiles_.freed + 1;
      } else {
        store(block);
      }
    }
    return cycles() < limit;
  }

  Cycle cycles() const { return barrier_ + 1; }
  void add_times(model::Events& events) {
    if (planes_ != nullptr) {
      events.compute_cycles += streamed_.plane_steps - events.plane_steps;
      events.plane_steps = streamed_.plane_steps;
      events.column_steps = streamed_.column_steps;
      events.cell_steps = streamed_.cell_steps;
    }
    events.cycles = cycles();
    events.load_cycles = fetched_ + loader_.finish() - run_ + 1;
    events.store_cycles = store_cycles_;
    events.stall_cycles = tiles_.state - run_ - events.compute_cycles;
  }

 private:
  // The output tiles of a block.
  void compute(int block) {
    rows_there_ = run_;
    tile(block, 0);
    Remainder* kept = nullptr;
    if (leaps_ && (layer_.n_tiles - 1) * layer_.k_tiles >= worth_keeping && layer_.blocks > 1) {
      now_.begin(tiles_.state);
      tiles_.draw(now_);
      now_.count(layer_.pixels_in_block(block));
      now_.count(loader_.streams(block));
      if (loader_.streams(block)) loader_.draw(now_, true);
      for (const Remainder& earlier : remainders_) {
        if (earlier.begin == now_) return go_on_as(earlier, block);
      }
      kept = &remainders_[at(block) % remainders_.size()];
      kept->begin = now_;
    }
    output_tiles_.restart();
    for (int n = 1; n < layer_.n_tiles; ++n) {
      if (leaps_) n = leap_tiles(block, n);
      if (n < layer_.n_tiles) tile(block, n);
    }
    // The walker hands over a window a cycle before its read, or when the one before it is read.
    const int* const ends = layer_.window_ends(layer_.n_tiles - 1) + layer_.k_tiles;
    const Vectors& vectors = tiles_.vectors;
    const bool alone = (ends[0] - ends[-1]) * layer_.last_group(block) == 1;
    tiles_.rows_free = (!alone ? vectors.read - 1 : std::max(vectors.read_before, rows_there_)) + 1;
    if (kept == nullptr) return;
    kept->end = tiles_;
    if (loader_.streams(block)) kept->flow = loader_.flow();
  }

  // The output tiles of a block behind the first.
  struct Remainder {
    Picture begin;
    Tiles end;
    std::optional<Loader::Flow> flow;  // where the block streams weights
  };
  void go_on_as(const Remainder& earlier, int block) {
    const Cycle by = tiles_.state - earlier.begin.now();
    tiles_ = earlier.end;
    tiles_.shift(by);
    if (loader_.streams(block)) loader_.set_flow(*earlier.flow, by, block);
  }

  // Leaps over output tiles from `n` on that repeat the ones before; returns the next one to take.
  int leap_tiles(int block, int n) {
    const bool streams = loader_.streams(block);
    const int period = output_tiles_.period(n, tiles_.state, tiles_.freed - tiles_.state, [&](Picture& picture) {
      tiles_.draw(picture);
      if (streams) loader_.draw(picture, true);
    });
    if (period == 0) return n;
    int end = n;
    while (end < layer_.n_tiles && layer_.same_shape(end, end - period)) ++end;
    const int times = (end - n) / period;
    if (times == 0) return n;
    tiles_.shift(times * output_tiles_.shift());
    if (streams) {
      std::int64_t rows = 0;
      for (int i = n - period; i < n; ++i) rows += layer_.macros_used(i) * layer_.all_load_rows(i);
      loader_.leap(times * output_tiles_.shift(), times * rows, times * period, 0);
    }
    output_tiles_.restart();
    return n + times * period;
  }

  // Likewise over row tiles; `state`: of the streamer.
  int leap_rows(int block, int n, int k, Cycle& state) {
    const bool streams = loader_.streams(block);
    const Cycle sign = streams ? loader_.flow().cursor - state : tiles_.vectors.read - state;
    const int period = row_tiles_.period(k, state, sign, [&](Picture& picture) {
      tiles_.vectors.draw(picture);
      if (streams) loader_.draw(picture, false);
    });
    if (period == 0) return k;
    const int* const ends = layer_.window_ends(n);
    const auto windows = [&](int tile) { return ends[tile + 1] - ends[tile]; };
    int end = k;
    while (end + 1 < layer_.k_tiles && windows(end) == windows(end - period)) ++end;
    const int times = (end - k) / period;
    if (times == 0) return k;
    const Cycle by = times * row_tiles_.shift();
    state += by;
    tiles_.vectors.shift(by);
    if (streams) {
      const std::int64_t rows = std::int64_t{times} * period * layer_.macros_used(n) * layer_.load_rows(n, 0);
      loader_.leap(by, rows, 0, times * period);
    }
    row_tiles_.restart();
    return k + times * period;
  }

  // Output tile n of a block: its row tiles, then its post-processing.
  void tile(int block, int n) {
    const int pixels = layer_.pixels_in_block(block), macros = layer_.macros_used(n);
    const int* const ends = layer_.window_ends(n);
    const int groups = pixels / layer_.vectors, rest = pixels % layer_.vectors;
    const bool streams = loader_.streams(block);
    Cycle state = std::max(tiles_.state, tiles_.freed_before + 1) + 1;
    row_tiles_.restart();
    // While the loader waits for room that the tile before gave back, nothing repeats.
    const int settled = streams ? 1 + layer_.weight_depth / (layer_.load_rows(n, 0) * macros) : 1;
    for (int k = 0; k < layer_.k_tiles; ++k) {
      if (leaps_ && k >= settled && k + worth_keeping < layer_.k_tiles) k = leap_rows(block, n, k, state);
      if (!layer_.values) {
        const int rows = layer_.load_rows(n, k);
        for (int macro = 0; macro < macros; ++macro) {
          if (streams) state = std::max(state, loader_.weights_loaded() + 1);
          loader_.take(state, rows);
          state += rows;
        }
      }
      if (k == 0) state = std::max(state, tiles_.array_idle) + 1;
      if (n == 0 && k == 0 && layer_.need(block) > 0) rows_there_ = std::max(run_, loader_.rows_loaded(block) + 1);
      // Vectors come in groups, of which the last may be smaller.
      int windows = (ends[k + 1] - ends[k]) * std::min(layer_.vectors, pixels);
      const int planes = layer_.vector_cycles(), interval = layer_.vector_interval;
      Vectors& vectors = tiles_.vectors;
      if (planes_ != nullptr) {
        stream(block, n, k, state);
        state = vectors.end + 1;
        continue;
      }
      if (groups > 0) vectors.run(groups, windows, planes, interval, rows_there_, state, leaps_);
      if (rest > 0) {
        windows = (ends[k + 1] - ends[k]) * rest;
        vectors.run(1, windows, planes, interval, rows_there_, state, leaps_);
      }
      state = vectors.end + 1;
    }
    tiles_.state = state;
    // Overlay: the sums of the last group's vectors reach the lanes one after the other.
    const int last_steps = layer_.overlay ? layer_.last_group(block) : layer_.join_steps;
    tiles_.array_idle = tiles_.vectors.end + (layer_.values ? 2 : last_steps + 5);

    // The array's last result is written the cycle before.
    Cycle post_start = std::max(tiles_.array_idle, tiles_.freed + 1);
    tiles_.freed_before = tiles_.freed;
    if (layer_.carry_out) {  // the partial sums stay
      tiles_.freed = post_start;
    } else {
      if (n == 0) post_start = std::max(post_start, outputs_freed_[at(block % 2)] + 1);
      tiles_.freed = post_start + std::int64_t{pixels} * layer_.post_groups(n);
    }
  }

  // The vectors of a row tile, of each of which some planes are streamed.
  void stream(int block, int n, int k, Cycle state) {
    const int* const ends = layer_.window_ends(n);
    const std::int64_t pairs = layer_.overlay ? layer_.weight_bits : 1;
    std::int64_t steps = 0, products = 0;  // cycles of planes; times the vectors and outputs
    for (int left = layer_.pixels_in_block(block); left > 0; left -= layer_.vectors) {
      const int size = std::min(left, layer_.vectors), planes = planes_->at(next_planes_++);
      const auto cycles = static_cast<int>(planes * pairs);
      tiles_.vectors.run(1, (ends[k + 1] - ends[k]) * size, cycles, layer_.least_interval, rows_there_, state, false);
      steps += cycles;
      products += std::int64_t{planes} * size;
    }
    products *= std::int64_t{layer_.outputs(n)} * layer_.weight_bits;
    streamed_.plane_steps += steps;
    streamed_.column_steps += products;
    streamed_.cell_steps += products * layer_.tile_rows(k);
  }

  // Store of a block, row by row. It is busy from the cycle after the pulse to the last answer.
  void store(int block) {
    const Cycle block_ready = tiles_.freed + post_latency + 1, busy_until = answered_;
    for (int row = 0; row < layer_.rows_in_block(block); ++row) {
      const Cycle taken = std::max({block_ready, last_read_ + 1, write_port_.ready()});
      const auto times = write_port_.write(taken, out_address_, layer_.out_row_beats);
      out_address_ += layer_.descriptor()[D_OUT_ROW_STRIDE];
      last_read_ = times.read_out;
      answered_ = times.answered;
    }
    outputs_freed_[at(block % 2)] = last_read_;
    store_cycles_ += answered_ - std::max(block_ready, busy_until + 1) + 1;
    barrier_ = answered_ + 1;
  }

  static constexpr int worth_keeping = 8;  // row tiles that cost more than comparing states

  const FastLayer& layer_;
  const PlaneCounts* const planes_;
  std::size_t next_planes_ = 0;
  model::Events streamed_;  // of planes
  const bool leaps_;
  ReadPort read_port_;
  const Cycle fetched_, run_;
  std::vector<Cycle> rows_freed_;  // per block
  Loader loader_;
  WritePort write_port_;
  Tiles tiles_;
  Cycle rows_there_ = never_yet;  // the input rows of the block
  std::array<Cycle, 2> outputs_freed_{never_yet,
                                      never_yet};  // the output half of the latest even and odd block is read out
  std::uint32_t out_address_;
  Cycle last_read_ = never_yet, answered_ = never_yet, barrier_ = never_yet, store_cycles_ = 0;
  Repeat output_tiles_, row_tiles_;
  Picture now_;
  std::array<Remainder, 2> remainders_;
};

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
    for (const DescriptorWord word : {D_IN_ADDRESS, D_SECOND_ADDRESS, D_OUT_ADDRESS, D_WEIGHT_ADDRESS, D_PARAM_ADDRESS})
      bare[word] %= Bursts::page_bytes;
    twins.push_back(first.try_emplace(bare.words, i).first->second);
  }
  return twins;
}

}  // namespace

model::Events predict(const Descriptor& descriptor, const model::Architecture& architecture, Pace pace) {
  const FastLayer layer(descriptor, architecture);
  model::Events events;
  layer.add_counts(events);
  Schedule schedule(layer, architecture, pace);
  schedule.finish(std::numeric_limits<Cycle>::max());
  schedule.add_times(events);
  return events;
}

model::Events predict(const Descriptor& descriptor, const model::Architecture& architecture,
                      const PlaneCounts& planes) {
  const FastLayer layer(descriptor, architecture);
  if (!architecture.skip_planes || layer.values) return predict(descriptor, architecture);
  model::Events events;
  layer.add_counts(events);
  Schedule schedule(layer, architecture, Pace::stepping, &planes);
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
        Schedule schedule(*part.layer, architecture, Pace::leaping);
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
