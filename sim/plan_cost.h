// SPDX-License-Identifier: Apache-2.0
// Cycles of whole networks under many plans: the fast engine's answers by table, for searches that ask for thousands of
// plans a second.
#pragma once

#include <cstdint>
#include <memory>

#include "model/architecture.h"
#include "model/plan.h"

namespace bitstrata::sim {

// One network on one architecture. A layer's cycles depend on the widths of its weights and of the tensors it reads
// and writes; each combination is predicted when it is first asked for (exact, as FastCostModel) and looked up from
// then on. Plans must keep all channels. Not for use from several threads at once.
class PlanCost {
 public:
  PlanCost(const model::Network& network, const model::Architecture& architecture);
  ~PlanCost();

  // Cycles of one image under `plan`, whose layers are those of the network in order; only their widths are looked at.
  // Throws std::invalid_argument when layers that read one tensor disagree, or a layer does not fit.
  std::int64_t cycles(const model::Plan& plan);
  // Predicts every layer at all widths from 1 to `widest` and the network's usual output width, so that searches among
  // them only look up.
  void prepare(int widest);
  // Layer predictions made so far; layers of one shape share them.
  std::int64_t predicted() const;

 private:
  class Tables;
  std::unique_ptr<Tables> tables_;
};

}  // namespace bitstrata::sim
