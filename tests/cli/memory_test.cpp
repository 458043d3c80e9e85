// SPDX-License-Identifier: Apache-2.0
// The memory of run and verify does not grow with a network's layers or parameters.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "model/integer_network.h"
#include "tests/cli/process.h"

namespace {

using namespace bitstrata;
using namespace bitstrata::testing;

constexpr int channels = 1024, few = 5, many = 8 * few;  // even few are more weights than are ever kept

// Linear layers of equal size.
void save_chain(int layers, const std::filesystem::path& file) {
  model::IntegerNetwork network{.name = "chain", .tensors = {{.shape = {.channels = channels}}}, .layers = {}};
  for (int i = 0; i < layers; ++i) {
    model::IntegerLayer layer{.name = "layer" + std::to_string(i), .input = i, .output = i + 1, .weight_bits = 8};
    layer.weights = model::Weights(std::size_t{channels} * channels, [i](std::size_t first, auto block) {
      for (std::int16_t& weight : block)
        weight = static_cast<std::int16_t>(((first++ * 2654435761U >> 7) + static_cast<unsigned>(i)) % 127) - 63;
    });
    layer.bias.assign(channels, 128 << 11);
    layer.multiplier.assign(channels, 1);
    layer.shift.assign(channels, 11);
    layer.clip_high = 255;
    layer.macs = std::int64_t{channels} * channels;
    network.tensors.push_back(network.tensors[0]);
    network.layers.push_back(std::move(layer));
  }
  model::save(network, file);
}

class Memory : public ::testing::TestWithParam<std::vector<std::string>> {};

TEST_P(Memory, DoesNotGrowWithTheNetwork) {
  ASSERT_GT(std::int64_t{few} * channels * channels, model::Weights::most_kept);
  const TemporaryFolder folder;
  std::vector<double> peaks;
  for (const int layers : {few, many}) {
    const std::string file = (folder / "chain.safetensors").string(), out = (folder / "out").string();
    save_chain(layers, file);
    std::vector<std::string> words = GetParam();
    words.insert(words.end(), {"--network", file, "--dataset", "random", "--out", out, "--quiet"});
    const Finished finished = run_program(words);
    ASSERT_EQ(finished.status, 0) << finished.err;
    peaks.push_back(nlohmann::json::parse(read_text(out + "/run.json")).at("peak_memory_mb"));
  }
  std::cout << few << " layers: " << peaks[0] << " MB at most; " << many << " layers: " << peaks[1] << " MB\n";
  // A layer's own description and events take 30 kB (1 MB here), and what an allocator keeps differs by machine by as
  // much; held as bytes, the further layers' weights alone would be 37 MB.
  EXPECT_LT(peaks[1], peaks[0] + 1e-6 * (many - few) * channels * channels / 10);
}

INSTANTIATE_TEST_SUITE_P(Verbs, Memory,
                         ::testing::Values(std::vector<std::string>{"run", "--engine", "systemc"},
                                           std::vector<std::string>{"run", "--engine", "fast", "--images", "1"},
                                           std::vector<std::string>{"verify", "--images", "1", "--rtl-images", "0"}),
                         [](const auto& each) { return each.param[0] + std::to_string(each.index); });

}  // namespace
