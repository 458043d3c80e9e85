// SPDX-License-Identifier: Apache-2.0
#include "quant/scores/surroundings.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "quant/ranking.h"
#include "quant/scores/replay.h"

namespace bitstrata::quant {

namespace {

using torch::Tensor;

constexpr std::int64_t kBatch = 512;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

}  // namespace

namespace {

Tensor divergence_of(const Tensor& wanted, const Tensor& own) {
  const Tensor log_wanted = torch::log_softmax(wanted, 1), log_own = torch::log_softmax(own, 1);
  return (log_wanted.exp() * (log_wanted - log_own)).sum();
}

}  // namespace

double divergence(const Tensor& wanted, const Tensor& own) { return divergence_of(wanted, own).item<double>(); }

ForwardOptions quantized_pass() {
  ForwardOptions forward;
  forward.quantized = true;
  forward.observed_values = 1 << 16;  // a range that is seen once stays
  forward.means = Means::match;
  return forward;
}

Tensor Subject::mean_loss(const Tensor& logits, std::int64_t first, Against to) const {
  const std::int64_t n = logits.size(0);
  if (to == Against::teacher) return divergence_of(teacher.narrow(0, first, n), logits) / static_cast<double>(n);
  return torch::cross_entropy_loss(logits, labels.narrow(0, first, n));
}

double Subject::loss(const Tensor& logits, std::int64_t first, Against to) const {
  const std::int64_t n = logits.size(0);
  if (to == Against::teacher) return divergence(teacher.narrow(0, first, n), logits);
  return mean_loss(logits, first, to).item<double>() * static_cast<double>(n);
}

std::vector<int> Subject::counts(const model::Plan& plan) const {
  std::vector<int> counts = model::group_counts(module.groups(), plan);
  // Channels that training went on without do not come back.
  for (std::size_t g = 0; g < counts.size(); ++g) counts[g] = std::min(counts[g], module.groups().groups[g].size);
  return counts;
}

KeptChannels Subject::kept(const model::Plan& plan) const { return highest(ranking, counts(plan)); }

Module Subject::under(const model::Plan& plan) const {
  const ChannelGroups& groups = module.groups();
  const std::vector<int> counts = this->counts(plan);
  bool fewer = false;
  for (std::size_t g = 0; g < counts.size(); ++g) fewer = fewer || counts[g] < groups.groups[g].size;
  Module result = fewer ? module.with_channels(highest(ranking, counts), nullptr) : module;
  model::Plan tied = plan;
  model::set_channels(groups, counts, tied);
  result.set_plan(tied);
  return result;
}

std::vector<double> Subject::work() const {
  std::vector<double> work;
  double all = 0;
  for (const Step& step : module.layout().steps) {
    work.push_back(static_cast<double>(module.network().macs(step.node)));
    all += work.back();
  }
  for (double& share : work) share /= all;
  return work;
}

void Subject::for_batches(const std::function<void(std::int64_t, const Tensor&)>& batch) const {
  for (std::int64_t i = 0; i < count(); i += kBatch) batch(i, images.narrow(0, i, std::min(kBatch, count() - i)));
}

int Surroundings::fullest(std::size_t v) const {
  const std::vector<int>& values = variable(v).values;
  int value = static_cast<int>(values.size()) - 1;
  while (value > 0 && values[at(value)] > subject.module.groups().groups[at(variable(v).index)].size) --value;
  return value;
}

bool Surroundings::asked(std::size_t v, std::size_t value) const {
  const int place = static_cast<int>(value);
  if (place == point[v]) return true;
  if (std::abs(place - point[v]) > reach) return false;
  return variable(v).kind != Variable::Kind::channels || place <= fullest(v);
}

model::Plan Surroundings::plan_with(std::size_t v, int value) const {
  Point other = point;
  other[v] = value;
  return space.plan(other);
}

Losses Surroundings::distances() const {
  Losses distances;
  for (const Variable& variable : space.variables()) distances.emplace_back(variable.values.size(), 0.0);
  return distances;
}

Losses Surroundings::relative(Losses distances, double count) const {
  for (std::size_t v = 0; v < distances.size(); ++v) {
    const double own = distances[v][at(point[v])];
    for (std::size_t k = 0; k < distances[v].size(); ++k)
      distances[v][k] = asked(v, k) ? (distances[v][k] - own) / count : std::numeric_limits<double>::infinity();
  }
  return distances;
}

void Surroundings::replayed(bool gradients, const std::function<void(std::size_t, Replay&)>& visit) {
  const std::vector<double> work = subject.work();
  subject.for_batches([&](std::int64_t first, const Tensor& images) {
    const Tensor labels = gradients ? subject.labels.narrow(0, first, images.size(0)) : Tensor();
    Replay present(subject.under(plan()), images, labels, work, passes);
    for (std::size_t v = 0; v < space.variables().size(); ++v) {
      if (variable(v).values.size() < 2) continue;
      if (variable(v).kind != Variable::Kind::channels || point[v] >= fullest(v)) {
        visit(v, present);
      } else {
        Replay full(subject.under(plan_with(v, fullest(v))), images, labels, work, passes);
        visit(v, full);
      }
    }
  });
}

Change Surroundings::change(std::size_t v, std::size_t value, Replay& replay) const {
  const Variable& variable = this->variable(v);
  switch (variable.kind) {
    case Variable::Kind::weights:
      return replay.weights(variable.index, variable.values[value]);
    case Variable::Kind::tensor:
      return replay.width(variable.index, variable.values[value]);
    case Variable::Kind::channels:
      break;
  }
  return replay.channels(variable.index, removed(v, value));
}

Tensor Surroundings::removed(std::size_t v, std::size_t value) const {
  const int group = variable(v).index;
  const Tensor& ranking = subject.ranking[at(group)];
  const int all = std::max(variable(v).values[at(fullest(v))], variable(v).values[at(point[v])]);
  const std::int64_t present = std::min<std::int64_t>(all, ranking.size(0));
  const std::int64_t kept = std::min<std::int64_t>(variable(v).values[value], present);
  // Channels lie in ascending order whatever their rank.
  const Tensor order = std::get<0>(ranking.narrow(0, 0, present).sort()).contiguous();
  return torch::searchsorted(order, std::get<0>(ranking.narrow(0, kept, present - kept).sort()).contiguous());
}

}  // namespace bitstrata::quant
