// SPDX-License-Identifier: Apache-2.0
#include "quant/search/cost_table.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <stdexcept>
#include <string>

#include "model/input_file.h"
#include "model/npy_file.h"
#include "model/stages.h"

namespace bitstrata::quant {

namespace {

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& why) {
  throw std::runtime_error(fmt::format("{}: {}", file.string(), why));
}

// Latencies are whole: of numbers in between the next whole one, so that no sum is too small. -1 and NaN: not to be
// had.
std::int64_t whole(double value, const std::filesystem::path& file, const std::string& where) {
  constexpr double largest = 1e15;
  if (std::isnan(value) || value == -1) return -1;
  if (value < 0 || value >= largest)
    refuse(file, fmt::format("{}: {} is no latency of 0 to 1e15, and no -1 of what cannot be had", where, value));
  return static_cast<std::int64_t>(std::ceil(value));
}

}  // namespace

TablePrices::TablePrices(const std::filesystem::path& file, const model::Network& network) {
  const model::Layout layout = model::lay_out(network);
  std::vector<int> reads(layout.stages.size(), 0);
  for (const model::Step& step : layout.steps)
    if (step.stage >= 0) reads[at(step.stage)] = layout.tensors[at(step.input())].source;
  for (std::size_t s = 0; s < layout.stages.size(); ++s)
    layers_.push_back({layout.stages[s].name, static_cast<int>(s), {reads[s]}});
  table_.assign(layers_.size(), std::vector<std::int64_t>(at(widths * widths), -1));
  prices_.resize(layers_.size());
  if (file.extension() == ".npy")
    read_npy(file);
  else
    read_csv(file);
}

void TablePrices::read_npy(const std::filesystem::path& file) {
  const model::NumberArray array = model::read_npy(file);
  if (array.dims.size() != 3 || array.dims[1] > widths || array.dims[2] > widths)
    refuse(file, "is no table [layer][weight bits - 1][activation bits - 1] of at most 16 bits");
  if (at(array.dims[0]) != layers_.size())
    refuse(file, fmt::format("has {} layers, the network has {} with weights", array.dims[0], layers_.size()));
  std::size_t index = 0;
  for (std::size_t l = 0; l < table_.size(); ++l)
    for (std::int64_t w = 0; w < array.dims[1]; ++w)
      for (std::int64_t a = 0; a < array.dims[2]; ++a, ++index)
        table_[l][at(w * widths + a)] = whole(model::number(array, index), file, fmt::format("[{}][{}][{}]", l, w, a));
}

void TablePrices::read_csv(const std::filesystem::path& file) {
  model::refuse_device(file);
  std::ifstream stream(file);
  std::string line;
  if (!std::getline(stream, line)) refuse(file, "cannot be read, or is empty");
  if (line.ends_with('\r')) line.pop_back();
  constexpr const char* headings = "layer,weight_bits,activation_bits,cycles";
  if (line != headings)
    refuse(file, fmt::format("begins with '{}', not with the headings {}", line.substr(0, 80), headings));
  std::int64_t layers = 0;
  for (int number = 2; std::getline(stream, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) continue;
    std::array<double, 4> values{};
    const char *place = line.data(), *const end = line.data() + line.size();
    bool sound = true;
    for (std::size_t i = 0; i < values.size() && sound; ++i) {
      const auto [rest, error] = std::from_chars(place, end, values[i]);
      sound = error == std::errc{} && (i + 1 < values.size() ? rest < end && *rest == ',' : rest == end);
      place = rest + 1;
    }
    for (std::size_t i = 0; i < 3; ++i) sound = sound && values[i] == std::floor(values[i]);
    if (!sound || values[0] < 0 || values[0] > 1e6 || values[1] < 1 || values[1] > widths || values[2] < 1 ||
        values[2] > widths)
      refuse(file, fmt::format("line {}: '{}' is no layer from 0 on, two widths of 1 to 16 bits and a latency", number,
                               line.substr(0, 80)));
    layers = std::max(layers, static_cast<std::int64_t>(values[0]) + 1);
    if (at(layers) > layers_.size()) continue;
    std::int64_t& entry =
        table_[at(static_cast<std::int64_t>(values[0]))]
              [at((static_cast<std::int64_t>(values[1]) - 1) * widths + static_cast<std::int64_t>(values[2]) - 1)];
    if (entry >= 0) refuse(file, fmt::format("line {}: layer and widths stand twice", number));
    entry = whole(values[3], file, fmt::format("line {}", number));
  }
  if (at(layers) != layers_.size())
    refuse(file, fmt::format("has {} layers, the network has {} with weights", layers, layers_.size()));
}

std::vector<model::PricedLayer> TablePrices::layers() const { return layers_; }

std::optional<model::LayerPrice> TablePrices::price(std::size_t layer, const model::Plan& plan) {
  const model::LayerPlan& widths_of = plan.layers.at(layer);
  const std::int64_t cycles = table_[layer][at((widths_of.weight_bits - 1) * widths + widths_of.activation_bits - 1)];
  if (cycles < 0) return std::nullopt;
  return model::LayerPrice{cycles, 0};
}

const std::vector<model::LayerPrice>& TablePrices::prices(const model::Plan& plan) {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const std::optional<model::LayerPrice> found = price(i, plan);
    if (!found)
      throw std::invalid_argument(fmt::format("the cost table has no latency of layer '{}' at {} and {} bits",
                                              layers_[i].name, plan.layers[i].weight_bits,
                                              plan.layers[i].activation_bits));
    prices_[i] = *found;
  }
  return prices_;
}

}  // namespace bitstrata::quant
