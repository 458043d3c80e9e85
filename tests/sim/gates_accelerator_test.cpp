// SPDX-License-Identifier: Apache-2.0
// The gates of a whole small accelerator run networks: golden codes in 64 streams, cycles as the SystemC model's.
//
// Its synthesis takes most of a minute and is kept in the cache folder, by a hash of what goes in.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <unistd.h>

#include <memory>
#include <random>
#include <stdexcept>

#include "rtl/generate/rtl_files.h"
#include "sim/fast.h"
#include "sim/gates/buffers.h"
#include "sim/gates/energy.h"
#include "sim/gates/gate_engine.h"
#include "sim/gates/synthesis.h"
#include "sim/random_network.h"
#include "sim/rtl_build.h"
#include "tests/sim/gates.h"
#include "tests/sim/random_layers.h"

namespace {

using namespace bitstrata;
using namespace bitstrata::sim::gates;
using namespace bitstrata::testing;

model::Architecture small() {
  model::Architecture a = small_architecture();
  a.popcount_tree = a.clock_gating = true;
  return a;
}

// design.json of the architecture's mapped gates.
std::filesystem::path netlist_of(const model::Architecture& architecture) {
  const std::string script =
      "read_verilog -sv -I . bs_*.sv bitstrata_top.sv\n" + mapping_script("bitstrata_top", "design.json");
  std::string all = script + latch_map + generate::top_text(architecture, false);
  for (const auto& file : generate::rtl_files()) all += file.text;
  const auto cached = sim::cache_folder() /
                      fmt::format("gates-{:016x}.json", static_cast<std::uint64_t>(std::hash<std::string>{}(all)));
  std::filesystem::create_directories(sim::cache_folder());
  // Tests that run side by side wait for the first, for each would take minutes for the same file.
  const int lock = open((cached.string() + ".lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666);
  if (lock < 0 || flock(lock, LOCK_EX) != 0) throw std::runtime_error("no lock beside " + cached.string());
  const auto closed = std::shared_ptr<void>(nullptr, [lock](void*) { close(lock); });
  if (std::filesystem::exists(cached)) return cached;
  const TemporaryFolder folder;
  generate::write_rtl(architecture, false, folder.path());
  folder.write("latch.v", latch_map);
  folder.write("design.ys", script);
  run_in(folder.path(), "yosys -q design.ys");
  // In one step, so that a test that is killed leaves no half of it.
  const auto whole = cached.string() + fmt::format(".{}", getpid());
  std::filesystem::copy_file(folder / "design.json", whole);
  std::filesystem::rename(whole, cached);
  return cached;
}

class Accelerator : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!have_library() || !have("yosys")) GTEST_SKIP() << "yosys or osu018 are missing";
    library = read_liberty(osu018);
    rule = buffer_rule(library, options);
    ASSERT_NO_FATAL_FAILURE(netlist = read_netlist(netlist_of(architecture), library, {.buffers = &rule}));
    timing = make_timing(netlist, options);
  }

  // 64 networks of the same layers with numbers of their own.
  void make_jobs(std::uint64_t seed) {
    test::Random random(seed);
    model::IntegerNetwork network;
    const model::Shape shape{test::pick(random, 2, 4), test::pick(random, 2, 4), test::pick(random, 1, 4)};
    network.tensors.push_back({.shape = shape, .bits = test::pick(random, 1, 2)});
    for (int i = 0; i < 2; ++i) {
      model::IntegerLayer layer;
      layer.name = fmt::format("layer{}", i);
      layer.input = i;
      layer.output = i + 1;
      layer.weight_bits = test::pick(random, 1, 2);
      layer.window = {.kernel_height = 2, .kernel_width = 2, .pad_top = 1, .pad_left = 1};
      model::TensorFormat out = network.tensors.back();
      out.shape.channels = test::pick(random, 1, 4);
      out.bits = test::pick(random, 1, 2);
      layer.macs = std::int64_t{4} * network.tensors.back().shape.channels * out.shape.elements();
      network.tensors.push_back(out);
      network.layers.push_back(layer);
      sim::fit_to_tensors(network.layers.back(), network);
    }
    networks.assign(lanes, network);
    for (std::size_t l = 0; l < networks.size(); ++l) {
      for (std::size_t i = 0; i < network.layers.size(); ++i) sim::randomize_layer(networks[l], i, seed * 100 + l);
      programs.push_back(sim::lower(networks[l], architecture));
      inputs.push_back(test::random_codes(random, network.tensors[0]));
    }
    for (std::size_t l = 0; l < networks.size(); ++l) jobs.push_back({&programs[l], {inputs[l]}});
  }

  const model::Architecture architecture = small();
  const TimingOptions options;
  Library library;
  BufferRule rule;
  Netlist netlist;
  Timing timing;
  std::vector<model::IntegerNetwork> networks;
  std::vector<generate::Program> programs;
  std::vector<model::Codes> inputs;
  std::vector<GateJob> jobs;
};

// Buffer trees bring loads down to what ABC sized outputs for, and the clock with them.
TEST_F(Accelerator, HasBufferTreesWhereNetsAreHeavy) {
  if (!have("sta")) GTEST_SKIP() << "needs sta";
  const Netlist plain = read_netlist(netlist_of(architecture), library);
  const Timing plain_timing = make_timing(plain, options);
  const auto heaviest = [&](const Netlist& of, const Timing& loads) {
    std::vector<bool> clock(of.nets);
    for (const ClockDomain& domain : of.domains) clock[domain.clock] = true;
    // Trees are for pins and their wires. What an output port carries stays: one net may drive several, as all strobes.
    std::vector<double> ports(of.nets);
    for (const auto& [name, port] : of.ports) {
      if (port.input) continue;
      for (const NetId net : port.bits) ports[net] += options.port_load;
    }
    double most = 0;
    for (NetId net = 2; net < of.nets; ++net)
      if (!clock[net]) most = std::max(most, loads.load[net] - ports[net]);
    return most;
  };
  const double before = heaviest(plain, plain_timing), after = heaviest(netlist, timing);
  const double slow = clock_period(plain, library);
  const double fast = clock_period(netlist, library);
  fmt::print("{} cells, {} with buffers {}; heaviest net {:.0f} fF, {:.0f} with them; clock {:.2f} ns, {:.2f}\n",
             plain.cells.size(), netlist.cells.size(), rule.cell->name, before * 1e15, after * 1e15, slow * 1e9,
             fast * 1e9);
  EXPECT_GT(before, 10 * rule.most);
  EXPECT_LE(after, rule.most + 1e-18);
  EXPECT_LT(fast, 0.8 * slow);
  EXPECT_GT(fast, 1e-9);
}

TEST_F(Accelerator, GivesGoldenCodesInTheCyclesOfTheModel) {
  std::int64_t values = 0, descriptors = 0;
  Simulator simulator(netlist, timing);
  GateEngine engine(simulator, architecture);
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    jobs.clear();
    programs.clear();
    inputs.clear();
    make_jobs(seed);
    simulator.set_timed(seed % 2 == 0);
    // The last one meets a memory that stalls.
    const sim::MemoryBehaviour behaviour{.stall_seed = seed, .stall_probability = seed == 4 ? 0.3 : 0};
    const GateRun run = engine.run(jobs, behaviour);
    ASSERT_EQ(run.error, sim::RunError::none);
    for (std::size_t l = 0; l < jobs.size(); ++l) {
      EXPECT_EQ(run.tensors[l][0], model::run_all(networks[l], inputs[l])) << "seed " << seed << ", stream " << l;
      for (const auto& tensor : run.tensors[l][0]) values += std::ssize(tensor);
    }
    const auto model = sim::make_systemc_engine(architecture)->run(programs[0], std::span(&inputs[0], 1), behaviour);
    std::vector<std::int64_t> cycles;
    for (const auto& events : model.descriptors) cycles.push_back(events.cycles);
    EXPECT_EQ(run.cycles, cycles) << "seed " << seed;
    descriptors += std::ssize(cycles);
  }
  std::int64_t fast = 0, slow = 0;
  for (std::size_t i = 0; i < netlist.memories.size(); ++i) {
    fast += simulator.memory(i).fast_accesses();
    slow += simulator.memory(i).slow_accesses();
  }
  fmt::print(
      "equal: {} values of 64 streams and the cycles of {} descriptors; {} gates; memory accesses {} fast, {} slow\n",
      values, descriptors, netlist.cells.size(), fast, slow);
}

TEST_F(Accelerator, PricesLayersWindowByWindow) {
  make_jobs(5);
  const std::array<Word, 2> groups = {0xFFFFFFFF, ~Word{0xFFFFFFFF}};
  // The second half of the streams sees zeros.
  for (std::size_t l = 32; l < jobs.size(); ++l) std::ranges::fill(jobs[l].inputs[0], 0);
  Simulator simulator(netlist, timing, groups);
  simulator.set_counting(true);
  const EnergyModel energy(netlist, timing, options, library.voltage);
  GateEngine engine(simulator, architecture);
  std::vector<EnergyWindow> windows;
  const GateRun run = engine.run(jobs, {}, [&](std::size_t) {
    windows.push_back(energy.read(simulator));
    simulator.clear_counts();
  });
  ASSERT_EQ(windows.size(), run.cycles.size());
  EXPECT_EQ(windows[1].cycles, run.cycles[1]);
  const auto column =
      std::ranges::find(energy.components(), "bs_column", &Component::name) - energy.components().begin();
  ASSERT_LT(column, std::ssize(energy.components()));
  const ComponentEnergy& spent = windows[0].components[static_cast<std::size_t>(column)];
  EXPECT_GT(spent.switching[0], spent.switching[1]);
  EXPECT_GT(spent.internal[0], 0);
  double area = 0;
  for (const Component& component : energy.components()) area += component.area;
  double expected = 0;
  for (const PlacedCell& cell : netlist.cells) expected += cell.cell->area;
  EXPECT_NEAR(area, expected, 1e-6 * expected);
}

TEST_F(Accelerator, RefusesProgramsThatPart) {
  make_jobs(6);
  std::vector<generate::Program> other = {programs[0]};
  other[0].descriptors[0].words[5] ^= 1;
  jobs[1].program = &other[0];
  Simulator simulator(netlist, timing);
  GateEngine engine(simulator, architecture);
  EXPECT_THAT([&] { engine.run(jobs); },
              ::testing::ThrowsMessage<std::invalid_argument>(::testing::HasSubstr("different descriptor lists")));
  // A list that is equal, and memory that is not: in stream 1 the input lies over the first descriptor.
  jobs[1].program = &other[0];
  other[0].descriptors[0].words[5] ^= 1;
  other[0].tensors[0].address = other[0].list_address;
  EXPECT_THAT([&] { engine.run(jobs); },
              ::testing::ThrowsMessage<std::runtime_error>(::testing::HasSubstr("differs between streams 0 and 1")));
}

}  // namespace
