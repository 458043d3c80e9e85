// SPDX-License-Identifier: Apache-2.0
// The scoreboard of verify: what was compared, between whom, and what differed.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/table.h"
#include "cli/workload.h"
#include "model/events.h"
#include "model/golden.h"

namespace bitstrata::cli {

struct Count {
  std::int64_t compared = 0, different = 0;
  Count& operator+=(const Count& other);
};

// "systemc" next to "golden" and so on.
using Pair = std::pair<std::string, std::string>;

// The codes of one image on two sides, layer after layer.
class ValueComparison {
 public:
  ValueComparison(const model::IntegerNetwork& network, int image, Pair pair);

  // Codes of the tensor that layer `layer` writes.
  void add(std::size_t layer, const model::Codes& left, const model::Codes& right);

 private:
  friend class Comparison;
  const model::IntegerNetwork& network_;
  int image_;
  Pair pair_;
  std::vector<Count> layers_;
  std::vector<std::string> differences_, failures_;  // the first ones, readable
};

class Comparison {
 public:
  explicit Comparison(const Workload& workload);

  // Adds the values of an image whose layers are all there.
  void add_values(const ValueComparison& values);
  // Events of a run, which is a batch of images. Without `timing` only counts that do not depend on when things happen.
  void compare_events(int run, const Pair& pair, const std::vector<model::Events>& left,
                      const std::vector<model::Events>& right, bool timing);
  // An engine that stopped: a difference that is no number.
  void note_failure(const std::string& line) { failures_.push_back(line); }
  void set_cycles(const std::string& engine, const std::vector<model::Events>& layers) { cycles_[engine] = layers; }

  // "image 3", or "batch 3" where a run has several images.
  std::string run_name(int run) const;

  Count values() const;
  Count events() const;
  // Something was compared in every layer, and nothing differed or stopped.
  bool passed() const;

  Table value_table() const;
  Table timing_table() const;
  // The first differences and failures, one a line, readable.
  const std::vector<std::string>& differences() const { return differences_; }
  const std::vector<std::string>& failures() const { return failures_; }
  nlohmann::json to_json() const;

 private:
  struct Layer {
    std::map<Pair, Count> values, events;
  };
  std::vector<std::string> first_cells(std::size_t layer) const;
  void show(const std::string& line);
  const Workload& workload_;
  std::vector<Layer> layers_;
  std::vector<Pair> value_pairs_, event_pairs_;  // in the order they first came
  std::map<std::string, std::vector<model::Events>> cycles_;
  std::vector<std::string> differences_, failures_;
};

}  // namespace bitstrata::cli
