// SPDX-License-Identifier: Apache-2.0
// A sweep: every combination of architecture parameters, networks and plans of one YAML file, measured by the fast
// engine and kept in a store.
//
//   format: bitstrata-sweep-1
//   networks: [resnet18, nets/alexnet.csv]     # built-in names, layer lists, ONNX files
//   architectures: [pim-64x64]                 # names and files, default pim-64x64: where the parameters below start
//   parameters:                                # keys of an architecture file, a list of values each
//     rows: [32, 64, 128]
//     memory.read_latency: [20, 100]
//   plans:                                     # default: bits 8
//     - bits: [2, 4, 8]                        # the same width for weights and activations
//     - {weight_bits: [2, 4], activation_bits: [8]}   # every pair
//     - {bits: [4], output_bits: 8}            # with outputs of 8 bits in place of 16
//     - plans/resnet18.yaml                    # of the network that it names
//     - file                                   # the widths that a quantized ONNX file prescribes; it has no others
//   technologies: [ad-pim]                     # default: all built-in ones
//
// Files are looked for beside the sweep's own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "model/architecture.h"
#include "model/integer_network.h"
#include "model/layer_lists.h"
#include "model/network.h"
#include "model/plan.h"
#include "model/technology.h"
#include "model/yaml_reader.h"
#include "sim/shard.h"
#include "sim/store.h"

namespace bitstrata::sim {

// What is swept over: a graph, or a list of layers.
class SweepNetwork {
 public:
  // A built-in name, or a .csv file. Throws std::invalid_argument or std::runtime_error.
  static SweepNetwork load(const std::string& name);
  // A graph from elsewhere; `identity` changes whenever the graph does.
  SweepNetwork(model::Network graph, std::string identity) : what_(std::move(graph)), identity_(std::move(identity)) {}

  // A graph whose file prescribes its widths, as integers.
  SweepNetwork(model::Network graph, model::IntegerNetwork prescribed, std::string identity)
      : what_(std::move(graph)), prescribed_(std::move(prescribed)), identity_(std::move(identity)) {}

  const std::string& name() const;
  const std::string& identity() const { return identity_; }  // tells networks of one name apart
  model::Plan uniform_plan(int weight_bits, int activation_bits) const;
  // Layers without numbers. Not of a network whose widths are prescribed.
  model::IntegerNetwork shapes(const model::Plan& plan) const;
  // Null where a plan decides the widths.
  const model::IntegerNetwork* prescribed() const { return prescribed_ ? &*prescribed_ : nullptr; }
  std::int64_t macs() const;
  std::vector<std::string> notes() const;  // of reading its file
  // Null for a list of layers, which cannot be executed.
  const model::Network* graph() const { return std::get_if<model::Network>(&what_); }

 private:
  SweepNetwork(model::LayerList list, std::string identity) : what_(std::move(list)), identity_(std::move(identity)) {}
  std::variant<model::Network, model::LayerList> what_;
  std::optional<model::IntegerNetwork> prescribed_;
  std::string identity_;
};

struct SweepPlan {
  std::string label;  // "w4a8", "w4a8o8", the file's name, or "file"
  int weight_bits = 0, activation_bits = 0;
  int output_bits = 0;                // of the network's outputs; 0: as uniform_plan has them
  std::optional<model::Plan> listed;  // of one network, instead of the widths
  bool of_file = false;               // the widths that the networks' own files prescribe
  bool fits(const SweepNetwork& network) const;
  std::string identity() const;  // tells plans of one label apart
  // The layers of a network that it fits; with all numbers where the network's file prescribes them.
  model::IntegerNetwork layers(const SweepNetwork& network) const;
  model::Plan for_network(const SweepNetwork& network) const;  // not `of_file`
};

struct Sweep {
  std::vector<SweepNetwork> networks;
  std::vector<SweepPlan> plans;
  std::vector<model::Technology> technologies;
  std::vector<model::Architecture> bases;
  // A parameter and the values it takes; combinations are never held in memory all at once.
  std::vector<std::pair<std::string, std::vector<model::YamlReader>>> axes;

  std::int64_t architectures() const;
  // What number `index` is called but for what its name does not tell: as its base, with the array's own size in place
  // of the base's where the base is named after it.
  std::string base_name(std::int64_t index) const;
  // Number `index`, named so and after the values of its other axes; not checked, because combinations may contradict
  // each other.
  model::Architecture architecture(std::int64_t index) const;
  std::int64_t points() const;
  // Names and digests of the whole files, for StoreContext.
  std::string technology_identity() const;
  std::set<std::string> technology_names() const;

 private:
  const model::Architecture& base_of(std::int64_t index) const;
  model::Architecture combination(std::int64_t index) const;  // with its base's name
};

// Makes a network of a word of the file, or of the path of a file beside the sweep's where there is one of that name.
using NetworkLoader = std::function<SweepNetwork(const std::string&)>;

// Throws std::runtime_error with file and line; unknown words are refused with the nearest known one.
Sweep load_sweep(const std::filesystem::path& file, const NetworkLoader& load_network = SweepNetwork::load);

// The architectures of a sweep's file, which needs no more than they: those of its combinations that are sound. What
// else the file holds is not read.
std::vector<model::Architecture> load_sweep_architectures(const std::filesystem::path& file);

struct SweepState {
  std::int64_t total = 0;      // points of the sweep, or of the shard
  std::int64_t before = 0;     // finished when it began
  std::int64_t done = 0;       // finished since, by this process: measured
  std::int64_t refused = 0;    // finished since, by this process: do not fit their architecture
  std::int64_t elsewhere = 0;  // finished since, by other processes
  double seconds = 0;
  std::vector<std::int64_t> by_rank;  // done and refused, where there is a crew
  std::int64_t left() const { return total - before - done - refused - elsewhere; }
  double rate() const { return seconds > 0 ? static_cast<double>(done + refused) / seconds : 0; }
};

class Crew;        // sim/sweep_crew.h
class CrewMember;  // there, too

// Measures what the store does not have yet of the shard's points, on `jobs` threads and, where there is a crew, on its
// other ranks. `report` is called from one thread a few times a second. Throws what the store and the crew throw; a
// point that cannot be measured is a result.
SweepState run_sweep(const Sweep& sweep, PointStore& store, int jobs,
                     const std::function<void(const SweepState&)>& report, const Shard& shard = {},
                     Crew* crew = nullptr);

// The work of the crew's other ranks, until rank 0 ends it.
void serve_sweep(const Sweep& sweep, CrewMember& member);

// Bits that an architecture holds on chip: array cells, buffers and partial sums. Stands for area under technologies
// that tell none.
std::int64_t bits_on_chip(const model::Architecture& architecture);

// Indices of the points that no other point beats: is no worse in any objective and better in one. Smaller is better;
// of equal points the first stays.
std::vector<std::size_t> pareto_front(const std::vector<std::vector<double>>& points);

}  // namespace bitstrata::sim
