// SPDX-License-Identifier: Apache-2.0
// The losses of single changes themselves.
#include "quant/scores/measured.h"

namespace bitstrata::quant {

namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

class Changes {
 public:
  Changes(Surroundings& surroundings, const Measure& measure)
      : s_(surroundings), measure_(measure), work_(s_.subject.work()), base_(s_.subject.under(s_.plan())) {}

  Losses run() {
    const torch::NoGradGuard no_grad;
    const Layout& layout = base_.layout();
    const std::vector<int> bits = tensor_bits(layout, base_.plan());
    const KeptChannels kept = s_.subject.kept(s_.plan());
    Losses distances = s_.distances();
    const double own = whole(base_, kept, true);
    for (std::size_t v = 0; v < distances.size(); ++v) {
      const Variable& variable = s_.variable(v);
      for (std::size_t k = 0; k < distances[v].size(); ++k) {
        distances[v][k] = own;
        if (static_cast<int>(k) == s_.point[v] || !s_.asked(v, k)) continue;
        const model::Plan plan = s_.plan_with(v, static_cast<int>(k));
        if (variable.kind == Variable::Kind::channels) {
          Module module = s_.subject.under(plan);
          distances[v][k] = whole(module, s_.subject.kept(plan), false);
          continue;
        }
        Module module = base_;
        model::Plan tied = plan;
        model::set_channels(s_.subject.module.groups(), s_.subject.counts(plan), tied);
        module.set_plan(tied);
        const std::vector<int> now = tensor_bits(layout, tied);
        std::size_t first = layout.steps.size();
        for (std::size_t i = layout.steps.size(); i-- > 0;) {
          const Step& step = layout.steps[i];
          const bool weights = variable.kind == Variable::Kind::weights && step.stage == variable.index;
          if (weights || now[at(step.output)] != bits[at(step.output)]) first = i;
        }
        const bool input = now[0] != bits[0];
        distances[v][k] = behind(module, kept, input ? 0 : first, input);
      }
    }
    return s_.relative(std::move(distances), 1);
  }

 private:
  void add(std::vector<double>& sums, const Module::Values& values, const KeptChannels& kept,
           std::int64_t first) const {
    const std::vector<double> parts = measure_.of(values, kept, first);
    sums.resize(parts.size(), 0.0);
    for (std::size_t i = 0; i < parts.size(); ++i) sums[i] += parts[i];
  }

  double distance(std::vector<double> sums) const {
    for (double& sum : sums) sum /= static_cast<double>(s_.subject.count());
    return measure_.distance(sums);
  }

  double whole(Module& module, const KeptChannels& kept, bool keep) {
    std::vector<double> sums;
    s_.subject.for_batches([&](std::int64_t first, const torch::Tensor& images) {
      Module::Values values = module.begin(images, quantized_pass());
      module.run(values, 0, quantized_pass());
      add(sums, values, kept, first);
      s_.passes += static_cast<double>(images.size(0));
      if (keep) before_.push_back(std::move(values));
    });
    return distance(std::move(sums));
  }

  // What one variable changes is calculated anew from the first step it touches on.
  double behind(Module& module, const KeptChannels& kept, std::size_t step, bool input) {
    std::vector<double> sums;
    std::size_t batch = 0;
    s_.subject.for_batches([&](std::int64_t first, const torch::Tensor& images) {
      Module::Values values = before_[batch++];
      if (input) values = module.begin(images, quantized_pass());
      module.run(values, step, quantized_pass());
      add(sums, values, kept, first);
      for (std::size_t i = step; i < work_.size(); ++i) s_.passes += work_[i] * static_cast<double>(images.size(0));
    });
    return distance(std::move(sums));
  }

  Surroundings& s_;
  const Measure& measure_;
  const std::vector<double> work_;
  Module base_;
  std::vector<Module::Values> before_;  // by batch
};

Losses measured_loss(Surroundings& s, Against against) {
  const Measure measure = {
      [&](const Module::Values& values, const KeptChannels&, std::int64_t first) -> std::vector<double> {
        return {s.subject.loss(values.tensors.back().flatten(1), first, against)};
      },
      [](const std::vector<double>& means) { return means[0]; }};
  return measured_changes(s, measure);
}

}  // namespace

Losses measured_changes(Surroundings& surroundings, const Measure& measure) {
  return Changes(surroundings, measure).run();
}

Losses loss_score(Surroundings& surroundings) { return measured_loss(surroundings, surroundings.subject.against); }

Losses divergence_score(Surroundings& surroundings) { return measured_loss(surroundings, Against::teacher); }

}  // namespace bitstrata::quant
