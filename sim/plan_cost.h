// SPDX-License-Identifier: Apache-2.0
// Cycles of whole networks under many plans: the fast engine's answers by table, for searches that ask for thousands of
// plans a second.
#pragma once

#include <cstdint>
#include <memory>

#include "model/architecture.h"
#include "model/plan_prices.h"
#include "model/technology.h"
#include "sim/plan_statistics.h"

namespace bitstrata::sim {

// One network on one architecture. A layer's cycles depend on the widths of its weights and of the tensors it reads
// and writes, and on their kept channels; each combination is predicted when it is first asked for (exact without
// skip_planes, as FastCostModel) and looked up from then on. Not for use from several threads at once.
class PlanCost final : public model::PlanPrices {
 public:
  // With a technology, layers have energies too. A gate-level one prices toggles where there are `statistics` of the
  // network's layers on this architecture, else events alone. Architectures with skip_planes need statistics, from
  // which their cycles and events are then estimated: each as the share of what it is at the most. Statistics are
  // copied.
  PlanCost(const model::Network& network, const model::Architecture& architecture,
           const model::Technology* technology = nullptr, const PlanStatistics* statistics = nullptr);
  ~PlanCost() override;

  std::vector<model::PricedLayer> layers() const override;
  const std::vector<model::LayerPrice>& prices(const model::Plan& plan) override;
  std::optional<model::LayerPrice> price(std::size_t layer, const model::Plan& plan) override;
  // Cycles of one image under `plan`, whose layers are those of the network in order; of its channels 0 stands for all.
  // Throws std::invalid_argument when layers that read one tensor disagree, or a layer does not fit.
  std::int64_t cycles(const model::Plan& plan);
  // Predicts every layer at all widths from 1 to `widest`, all channels and the network's usual output width, so that
  // searches among them only look up.
  void prepare(int widest);
  // Layer predictions made so far; layers of one shape share them.
  std::int64_t predicted() const;

 private:
  class Tables;
  std::unique_ptr<Tables> tables_;
};

}  // namespace bitstrata::sim
