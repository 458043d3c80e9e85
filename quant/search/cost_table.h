// SPDX-License-Identifier: Apache-2.0
// Latencies of somebody's own board as a table, in the place of our accelerator's.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "model/plan_prices.h"

namespace bitstrata::quant {

// A latency for each weight layer, weight width and width of the tensor that it reads, in HAQ's layout (Wang et al.,
// CVPR 2019, whose latency tables are such arrays): an .npy file [layer][weight bits - 1][activation bits - 1], or a
// CSV file with the headings layer,weight_bits,activation_bits,cycles and layers counted from 0. The unit is the
// table's own. What is missing, -1 or not a number cannot be had. Layers without weights cost nothing, and
// channels do not count.
class TablePrices final : public model::PlanPrices {
 public:
  // Throws std::runtime_error naming the file and what is wrong, and where it has other layers than the network.
  TablePrices(const std::filesystem::path& file, const model::Network& network);

  std::vector<model::PricedLayer> layers() const override;
  const std::vector<model::LayerPrice>& prices(const model::Plan& plan) override;
  std::optional<model::LayerPrice> price(std::size_t layer, const model::Plan& plan) override;

 private:
  void read_npy(const std::filesystem::path& file);
  void read_csv(const std::filesystem::path& file);

  static constexpr int widths = 16;
  std::vector<model::PricedLayer> layers_;
  std::vector<std::vector<std::int64_t>>
      table_;  // by layer: [(weight bits - 1) * widths + activation bits - 1]; -1: none
  std::vector<model::LayerPrice> prices_;
};

}  // namespace bitstrata::quant
