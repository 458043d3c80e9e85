// SPDX-License-Identifier: Apache-2.0
// Statistics of data behind the prices of searches: samples of layers against the layers themselves, predictions
// against runs that count toggles and skipped planes.
#include "sim/plan_statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "model/technology.h"
#include "sim/energy.h"
#include "sim/fast.h"
#include "sim/layer_sample.h"
#include "sim/plan_cost.h"
#include "sim/random_network.h"
#include "tests/sim/arrays.h"
#include "tests/sim/random_layers.h"

namespace bitstrata::sim {
namespace {

using model::Codes;
using model::IntegerLayer;
using model::IntegerNetwork;
using model::LayerKind;
using test::Random;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

using Images = std::vector<std::vector<Codes>>;

Images images_of(Random& random, const IntegerNetwork& network, int count) {
  Images images;
  for (int i = 0; i < count; ++i)
    images.push_back(model::run_all(network, test::random_codes(random, network.tensors[0])));
  return images;
}

// Every code of a sample's output is one of the whole layer's: the rows of its band, its channels.
TEST(LayerSample, GivesTheCodesOfTheWholeLayer) {
  const model::Architecture a = test::narrow_array();
  std::map<LayerKind, std::int64_t> compared;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    const IntegerNetwork network = test::random_network(random, a);
    const Images images = images_of(random, network, 3);
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
      const IntegerLayer& layer = network.layers[l];
      if (layer.kind == LayerKind::average_pool && layer.window.pad_top + layer.window.pad_bottom > 0) continue;
      const model::Shape whole = network.tensors[at(layer.output)].shape;
      SamplePart part{.rows = test::pick(random, 0, 2), .channels = test::pick(random, 0, 3)};
      const LayerSample sample = sample_layer(network, l, images, part);
      ASSERT_NO_THROW(model::validate(sample.network)) << "seed " << seed << " layer " << l;
      const model::Shape shape = sample.network.tensors.back().shape;
      ASSERT_EQ(shape.width, whole.width);
      const bool enlarges = layer.kind == LayerKind::upsample || layer.kind == LayerKind::depth_to_space;
      const int step = enlarges ? layer.factor[0] : 1;  // rows that come from one row
      EXPECT_EQ(shape.height,
                part.rows == 0 ? whole.height : std::min(std::max(1, part.rows / step) * step, whole.height))
          << "seed " << seed << " layer " << l;
      const bool some = layer.kind == LayerKind::convolution && layer.groups == 1 && part.channels > 0;
      EXPECT_EQ(shape.channels, some ? std::min(part.channels, whole.channels) : whole.channels);
      for (std::size_t i = 0; i < images.size(); ++i) {
        const Codes part_codes = model::run(sample.network, sample.inputs[i]);
        const Codes& codes = images[i][at(layer.output)];
        // The bands lie evenly, from the first rows in the first image to the last in the last one.
        const int first = (whole.height - shape.height) * static_cast<int>(i) / 2 / step * step;
        for (int y = 0; y < shape.height; ++y)
          for (int x = 0; x < shape.width; ++x)
            for (int c = 0; c < shape.channels; ++c) {
              const int channel = c * whole.channels / shape.channels;
              ASSERT_EQ(part_codes[at((y * shape.width + x) * shape.channels + c)],
                        codes[at(((first + y) * whole.width + x) * whole.channels + channel)])
                  << "seed " << seed << " layer " << l << " " << to_string(layer.kind) << " image " << i << " at " << y
                  << ", " << x << ", " << c;
              ++compared[layer.kind];
            }
      }
    }
  }
  EXPECT_EQ(compared.size(), 8U);
  for (const auto& [kind, count] : compared) std::cout << to_string(kind) << ": " << count << " codes compared\n";
}

TEST(LayerStatistics, GiveBackWhatWasCounted) {
  model::Events predicted, counted;
  model::Toggles toggles;
  std::int64_t n = 1000;
  for (const auto member : model::event_members) predicted.*member = n, counted.*member = n - 300, n += 17;
  for (const auto member : model::toggle_members) toggles.*member = n += 17;
  const LayerStatistics statistics(predicted, counted, toggles);
  EXPECT_EQ(statistics.expected(predicted), counted);
  EXPECT_EQ(statistics.toggles_of(counted), toggles);
  model::Events twice = counted;
  twice += counted;
  model::Toggles both = toggles;
  both += toggles;
  EXPECT_EQ(statistics.toggles_of(twice), both);
}

// Three toggles for each event that causes them in the run that was counted, and so in another one.
TEST(LayerStatistics, TogglesFollowTheEventsThatCauseThem) {
  const auto events = [](std::int64_t scale) {  // 150 active lines in all, of 300 column steps
    model::Events e;
    e.cycles = 1000 * scale;
    e.vectors = 23 * scale;
    e.plane_steps = 50;
    e.column_steps = 300 * scale;
    e.cell_steps = 900 * scale;
    e.joiner_adds = 7 * scale * scale;
    e.accumulator_writes = 11 * scale * scale * scale;
    e.post_outputs = 13;
    e.weight_cells_written = 17 * scale;
    e.window_reads = 19 * scale * scale;
    return e;
  };
  const struct {
    std::int64_t model::Toggles::*toggles;
    std::int64_t counted, expected;  // of causes at scale 1 and at scale 2
  } cases[] = {{&model::Toggles::activation_toggles, 150, 150},  {&model::Toggles::weight_line_toggles, 900, 1800},
               {&model::Toggles::product_toggles, 900, 1800},    {&model::Toggles::tree_toggles, 900, 1800},
               {&model::Toggles::count_toggles, 300, 600},       {&model::Toggles::operand_toggles, 300, 600},
               {&model::Toggles::accumulator_toggles, 300, 600}, {&model::Toggles::joiner_toggles, 7, 28},
               {&model::Toggles::output_toggles, 11, 88},        {&model::Toggles::weight_toggles, 17, 34},
               {&model::Toggles::window_toggles, 150, 150},      {&model::Toggles::sum_toggles, 13, 13},
               {&model::Toggles::line_toggles, 150, 150},        {&model::Toggles::parameter_toggles, 13, 13},
               {&model::Toggles::select_toggles, 19, 76}};
  ASSERT_EQ(std::size(cases), model::toggle_members.size());
  model::Toggles counted;
  for (const auto& c : cases) counted.*c.toggles = 3 * c.counted;
  const LayerStatistics statistics(events(1), events(1), counted);
  const model::Toggles found = statistics.toggles_of(events(2));
  for (const auto& c : cases)
    EXPECT_EQ(found.*c.toggles, 3 * c.expected) << model::toggle_names[at(
        static_cast<int>(std::ranges::find(model::toggle_members, c.toggles) - model::toggle_members.begin()))];
}

TEST(PlanStatistics, OfTwoInputsGoByTheWiderOne) {
  IntegerNetwork net{.name = "net", .tensors = {{.bits = 4}, {.bits = 7}, {.bits = 8}}, .layers = {}};
  IntegerLayer layer;
  layer.weight_bits = 3;
  layer.output = 2;
  const auto key = [&] { return PlanStatistics::key(net, layer, 5); };
  EXPECT_EQ(key(), (PlanStatistics::Key{5, 3, 4}));
  layer.kind = LayerKind::add;
  layer.weight_bits = 0;
  layer.second = 1;
  EXPECT_EQ(key(), (PlanStatistics::Key{5, 7, 7}));
  net.tensors[0].bits = 9;
  EXPECT_EQ(key(), (PlanStatistics::Key{5, 9, 9}));
}

TEST(PlanStatistics, AreStoredAndRead) {
  PlanStatistics statistics;
  LayerStatistics one;
  one.events.fill(0.1);
  one.toggles.fill(1.0 / 3);
  statistics.set({3, 4, 5}, one);
  one.events[0] = 2;
  statistics.set({0, 0, 5}, one);
  const nlohmann::json text = nlohmann::json::parse(statistics.to_json().dump());
  EXPECT_EQ(PlanStatistics::from_json(text), statistics);
  EXPECT_EQ(statistics.find({3, 5, 4}), nullptr);
  nlohmann::json damaged = text;
  damaged["rows"][0].erase("toggles");
  EXPECT_THROW(PlanStatistics::from_json(damaged), std::invalid_argument);
  damaged = text;
  damaged["event_names"][0] = "ticks";
  EXPECT_THROW(PlanStatistics::from_json(damaged), std::invalid_argument);
}

struct Counted {
  double cycles = 0, energy_fj = 0;  // means of the images
};

// The whole network, each image alone, by an engine that counts.
Counted count(const model::Architecture& a, const model::Technology& technology, const IntegerNetwork& network,
              const Images& images) {
  const auto engine = make_systemc_engine(a, true);
  const generate::Program program = lower(network, a);
  Counted counted;
  for (const auto& image : images) {
    const RunResult run = engine->run(program, image[0]);
    EXPECT_EQ(run.error, RunError::none);
    for (std::size_t d = 0; d < run.descriptors.size(); ++d) {
      const IntegerLayer& layer = network.layers[at(program.descriptor_layer[d])];
      model::LayerMeasurement measured{.layer = layer.name, .kind = layer.kind, .events = run.descriptors[d]};
      measured.toggles = run.toggles[d];
      counted.cycles += static_cast<double>(run.descriptors[d].cycles) / static_cast<double>(images.size());
      counted.energy_fj += 1000 * price(measured, geometry_of(network, layer), technology, {&a, 1}).parts.total_pj() /
                           static_cast<double>(images.size());
    }
  }
  return counted;
}

PlanStatistics statistics_of(const model::Architecture& a, const IntegerNetwork& network, const Images& images,
                             std::int64_t cycles) {
  PlanStatistics statistics;
  const auto engine = make_systemc_engine(a, true);
  std::int64_t ran = 0;
  std::vector<std::size_t> layers(network.layers.size());
  std::iota(layers.begin(), layers.end(), std::size_t{0});
  const std::vector<LayerStatistics> counted =
      layer_statistics(*engine, a, network, layers, images, {.cycles = cycles}, ran);
  for (const std::size_t l : layers) statistics.set(PlanStatistics::key(network, network.layers[l], l), counted.at(l));
  EXPECT_LT(ran, 3 * cycles * static_cast<std::int64_t>(network.layers.size()));
  return statistics;
}

struct Case {
  const char* network;
  const char* architecture;
  const char* technology;
  double cycles_error, energy_error;  // at most
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.network << " on " << c.architecture; }

class Predictions : public testing::TestWithParam<Case> {};

// Layers are run alone and in part, then the network as a whole, on the same images.
TEST_P(Predictions, AreNearARunThatCounts) {
  const Case& c = GetParam();
  model::Architecture a = model::load_architecture(c.architecture);
  const model::Technology technology = model::load_technology(c.technology);
  a.skip_planes = technology.gates.hardware.at("skip_planes") == "true";
  const model::Network network = model::build_network(c.network);
  const model::Plan plan = random_plan(network, 2, 8, 5);
  const IntegerNetwork integers = random_integer_network(network, plan, 1);
  Random random(7);
  const Images images = images_of(random, integers, 3);
  const PlanStatistics statistics = statistics_of(a, integers, images, 12000);
  const Counted counted = count(a, technology, integers, images);
  PlanCost costs(network, a, &technology, &statistics);
  const model::LayerPrice predicted = costs.total(plan);
  constexpr double rounding = 1e-12;  // of sums of layers' shares
  const double cycles = static_cast<double>(predicted.cycles) / counted.cycles - 1;
  const double energy = predicted.energy_fj / counted.energy_fj - 1;
  std::cout << c.network << ": cycles " << 100 * cycles << " %, energy " << 100 * energy << " %";
  if (!a.skip_planes) {
    const double alone = PlanCost(network, a, &technology).total(plan).energy_fj / counted.energy_fj - 1;
    std::cout << "; from events alone " << 100 * alone << " %";
    EXPECT_NEAR(cycles, 0, rounding);
    EXPECT_LT(std::abs(energy), std::abs(alone));
  }
  std::cout << "\n";
  EXPECT_LE(std::abs(cycles), c.cycles_error + rounding);
  EXPECT_LE(std::abs(energy), c.energy_error);
}

INSTANTIATE_TEST_SUITE_P(Networks, Predictions,
                         testing::Values(Case{"lenet5", "pim-64x64-gated", "osu018-pim-64-gated", 0, 0.02},
                                         Case{"resnet8_small", "pim-64x64-gated", "osu018-pim-64-gated", 0, 0.02},
                                         Case{"dscnn", "overlay-8x64x8-gated", "osu018-overlay-64-gated", 0, 0.02},
                                         Case{"resnet8_small", "pim-64x64-gated", "osu018-pim-64-gated-skip", 0.02,
                                              0.02}));

// A convolution 3x3 whose codes are drawn alike, however many channels there are.
IntegerNetwork convolution(int channels) {
  Random random(3);
  IntegerNetwork network{.name = "convolution", .tensors = {}, .layers = {}};
  network.tensors = {{.shape = {12, 12, channels}, .bits = 4}, {.shape = {12, 12, channels}, .bits = 4}};
  IntegerLayer layer{.name = "conv", .output = 1, .weight_bits = 5};
  layer.window = {.kernel_height = 3, .kernel_width = 3, .pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1};
  std::vector<std::int16_t> weights(at(9 * channels * channels));
  for (auto& weight : weights) weight = static_cast<std::int16_t>(test::pick(random, -16, 15));
  layer.weights = weights;
  layer.macs = std::int64_t{9} * channels * network.tensors[1].shape.elements();
  test::random_requantization(random, layer, channels, network.tensors[0], network.tensors[1],
                              16.0 * 16 * 3 * channels);
  network.layers.push_back(layer);
  model::validate(network);
  return network;
}

Images half_empty(const IntegerNetwork& network) {
  Random random(4);
  Images images(3);
  for (auto& image : images) {
    Codes codes(static_cast<std::size_t>(network.tensors[0].shape.elements()));
    for (auto& code : codes) code = std::max(0, test::pick(random, -15, 15));
    image = model::run_all(network, codes);
  }
  return images;
}

// Statistics are those of all channels; with fewer, arrays have other rows and columns at work, and toggles follow the
// events that they come from. Rotations of windows (select_toggles) follow the channels' number and are not among them.
TEST(PlanStatistics, HoldForFewerChannels) {
  const std::pair<const char*, const char*> cases[] = {{"pim-64x64-gated", "osu018-pim-64-gated"},
                                                       {"overlay-8x64x8-gated", "osu018-overlay-64-gated"}};
  for (const auto& [architecture, name] : cases) {
    SCOPED_TRACE(name);
    const model::Architecture a = model::load_architecture(architecture);
    const IntegerNetwork whole = convolution(32), fewer = convolution(20);
    const PlanStatistics statistics = statistics_of(a, whole, half_empty(whole), 1 << 20);
    const LayerStatistics& known = *statistics.find({0, 5, 4});
    const generate::Program program = lower(fewer, a);
    const Images images = half_empty(fewer);
    model::Events events;
    model::Toggles counted;
    for (const auto& image : images) {
      const RunResult run = make_systemc_engine(a, true)->run(program, image[0]);
      for (std::size_t d = 0; d < run.descriptors.size(); ++d) events += run.descriptors[d], counted += run.toggles[d];
    }
    const model::Toggles expected = known.toggles_of(events);
    for (std::size_t t = 0; t < model::toggle_members.size(); ++t) {
      const auto member = model::toggle_members[t];
      const std::string_view toggle = model::toggle_names[t];
      if (toggle == "select_toggles" || toggle == "parameter_toggles" || counted.*member == 0) continue;
      EXPECT_NEAR(static_cast<double>(expected.*member) / static_cast<double>(counted.*member), 1, 0.4) << toggle;
    }
    const model::Technology technology = model::load_technology(name);
    const auto energy = [&](const model::Toggles& toggles) {
      const model::LayerMeasurement measured{.layer = "conv", .events = events, .toggles = toggles};
      return price(measured, geometry_of(fewer, fewer.layers[0]), technology, {&a, 1}).parts.total_pj();
    };
    const double error = energy(expected) / energy(counted) - 1;
    std::cout << name << ": energy " << 100 * error << " %\n";
    EXPECT_LT(std::abs(error), 0.07);
  }
}

TEST(PlanCost, RefusesWidthsWithoutStatistics) {
  const model::Network network = model::build_network("lenet5");
  const PlanStatistics none;
  PlanCost costs(network, model::load_architecture("pim-64x64"), nullptr, &none);
  EXPECT_THAT([&] { costs.total(model::uniform_plan(network, 4, 5)); },
              testing::ThrowsMessage<std::logic_error>(testing::HasSubstr("no statistics of layer 'conv1' at 4/5")));
}

}  // namespace
}  // namespace bitstrata::sim
