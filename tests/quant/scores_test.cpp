// SPDX-License-Identifier: Apache-2.0
// Scores of single changes against their formulas, on a network of two layers whose arithmetic fits in a few lines.
#include <gtest/gtest.h>

#include <cmath>

#include "quant/ranking.h"
#include "quant/scores/distance.h"
#include "quant/scores/mask.h"
#include "quant/scores/score.h"
#include "quant/scores/surroundings.h"
#include "quant/sensitivity.h"
#include "quant/trainer.h"
#include "tests/quant/support.h"

namespace bitstrata::quant {
namespace {

using torch::Tensor;
using Kind = Variable::Kind;

constexpr std::int64_t kImages = 100;
constexpr int kChannels = 5;

model::Network two_layers() {
  model::Network network("two");
  int at = network.add_input({28, 28, 1});
  at = network.add_convolution(at, "first", kChannels, {3, 3, 4, 4, 1, 1, 1, 1, 1, 1});
  at = network.add_relu(at, "first_relu");
  network.add_linear(at, "last", 10);
  return network;
}

Tensor test_images() {
  const Examples& test = test::small_dataset().test;
  return torch::from_blob(const_cast<std::uint8_t*>(test.bytes.data()), {kImages, 28, 28, 1}, torch::kUInt8)
      .permute({0, 3, 1, 2})
      .contiguous();
}

Tensor test_labels() {
  return torch::from_blob(const_cast<int*>(test::small_dataset().test.labels.data()), {kImages}, torch::kInt32)
      .to(torch::kInt64);
}

SearchSpace space_of(const model::Network& network, const ChannelGroups& groups) {
  SpaceOptions options;
  options.weight_bits = options.activation_bits = {2, 3, 5, 8};
  for (const ChannelGroup& group : groups.groups)
    options.levels.push_back(group.fixed.empty() ? std::vector<int>{2, (group.size + 2) / 2, group.size}
                                                 : std::vector<int>{});
  return {network, options};
}

// A trained network and what it is asked: around 5/5 with all channels.
class Scores : public ::testing::Test {
 protected:
  explicit Scores(const model::Network& network = two_layers())
      : trainer_(network, test::small_dataset(), {}), space_(space_of(network, trainer_.module().groups())) {
    trainer_.train_epoch({});
    const torch::NoGradGuard no_grad;
    floats_ = trainer_.module().forward(test_images(), {});
    trainer_.quantize(space_.plan(space_.largest()));
    trainer_.calibrate(512, 512);
    subject_.emplace(Subject{trainer_.module(), test_images(), test_labels(), floats_, Against::labels});
    Module copy = trainer_.module();
    subject_->ranking = rank_channels(copy, test_images(), false);
    for (std::size_t v = 0; v < space_.variables().size(); ++v) point_.push_back(2);
  }

  Losses score(const char* name, int reach = any_reach) {
    Surroundings surroundings(*subject_, space_, point_, reach);
    const Losses losses = find_score(name)->around(surroundings);
    passes_ = surroundings.passes / static_cast<double>(kImages);
    return losses;
  }

  std::size_t variable(Kind kind, int index) const {
    std::size_t v = 0;
    while (space_.variables()[v].kind != kind || space_.variables()[v].index != index) ++v;
    return v;
  }

  // The network and its values with one variable at another value (or width).
  struct Run {
    Module module;
    Module::Values values;
    Tensor x, hidden, logits, first, last;  // input, [n][features], [n][10], weights as rounded
    TrainingGrid grid;                      // of the hidden tensor
  };
  Run run(const model::Plan& plan) { return run(subject_->under(plan)); }
  static Run run(Module module) {
    const torch::NoGradGuard no_grad;
    Run r{std::move(module), {}, {}, {}, {}, {}, {}, {}};
    r.values = r.module.begin(test_images(), quantized_pass());
    r.module.run(r.values, 0, quantized_pass());
    r.x = r.values.tensors[0];
    // A kernel over the whole image: features run as the tensor's.
    r.hidden = r.values.tensors[1].flatten(1);
    r.grid = r.values.grids[1];
    r.logits = r.values.tensors.back().flatten(1);
    r.first = r.module.rounded_weight(0);
    r.last = r.module.rounded_weight(1).flatten(1);
    return r;
  }
  Run run() { return run(space_.plan(point_)); }
  // Ranges of what does not change stay.
  Run run_with(Kind kind, int stage, int bits) {
    Module module = run().module;
    model::Plan plan = module.plan();
    (kind == Kind::weights ? plan.layers[static_cast<std::size_t>(stage)].weight_bits
                           : plan.layers[static_cast<std::size_t>(stage)].activation_bits) = bits;
    module.set_plan(plan);
    return run(std::move(module));
  }
  // dLoss/dlogits of every image.
  static Tensor gradient(const Tensor& logits) {
    return torch::softmax(logits, 1) - torch::one_hot(test_labels(), 10).to(torch::kFloat32);
  }
  static double mean_square(const Tensor& values) { return values.square().sum().item<double>() / kImages; }

  Trainer trainer_;
  SearchSpace space_;
  Tensor floats_;
  std::optional<Subject> subject_;
  Point point_;
  double passes_ = 0;  // images through the network by image asked about
};

void expect_close(double found, double wanted, const std::string& what) {
  EXPECT_GT(std::abs(wanted), 1e-12) << what;
  EXPECT_NEAR(found, wanted, 2e-4 * std::abs(wanted) + 1e-9) << what;
}

TEST_F(Scores, GradientIsThatOfTheLogitsTimesWhatChanges) {
  const Losses losses = score("gradient");
  const Run own = run();
  const Tensor g = gradient(own.logits);
  // The last layer's weights.
  const std::size_t weights = variable(Kind::weights, 1), tensor = variable(Kind::tensor, 1);
  const Run fine = run_with(Kind::weights, 1, 16), fine_tensor = run_with(Kind::tensor, 1, 16);
  const auto of_weights = [&](const Run& r) { return mean_square(g * own.hidden.mm((r.last - fine.last).t())); };
  const auto of_tensor = [&](const Run& r) {
    return mean_square(g * (r.hidden - fine_tensor.hidden).mm(own.last.t()));
  };
  for (const std::size_t k : {0U, 1U, 3U}) {
    const int bits = space_.variables()[weights].values[k];
    expect_close(losses[weights][k], of_weights(run_with(Kind::weights, 1, bits)) - of_weights(own), "weights");
    expect_close(losses[tensor][k], of_tensor(run_with(Kind::tensor, 1, bits)) - of_tensor(own), "tensor");
  }
  EXPECT_GT(losses[weights][0], 0);
  EXPECT_LT(losses[weights][3], 0);  // wider than the plan
  // The first layer's: its results keep the float network's means, and count where its ReLU and its range let through.
  const std::size_t first = variable(Kind::weights, 0);
  const auto results = [&](const Run& r) {
    const Tensor sum = torch::conv2d(own.x, r.first, {}, 4, 1);
    return sum - sum.mean({0, 2, 3}, true);
  };
  const Tensor before = results(own) + own.module.stage(0).mean.view({1, -1, 1, 1}) +
                        own.module.stage(0).bias.detach().view({1, -1, 1, 1});
  const double top = own.grid.step * static_cast<double>(own.grid.high);
  const Tensor passed = before.ge(0).logical_and(before.le(top)).to(torch::kFloat32);
  const Tensor back = g.mm(own.last).view(before.sizes()) * passed;
  const Tensor finest = results(run_with(Kind::weights, 0, 16));
  expect_close(losses[first][0],
               mean_square(back * (results(run_with(Kind::weights, 0, 2)) - finest)) -
                   mean_square(back * (results(own) - finest)),
               "first weights");
  EXPECT_GE(passes_, 3);  // forward once, and back
  // Density needs one pass, and what is behind removed channels.
  score("density");
  EXPECT_GE(passes_, 1);
  EXPECT_LT(passes_, 3);
}

TEST_F(Scores, RemovedChannelsAreMissedWhereTheyAreRead) {
  const std::size_t channels = variable(Kind::channels, 1);
  ASSERT_EQ(space_.variables()[channels].values, (std::vector<int>{2, 3, 5}));
  for (const int at : {2, 1}) {  // all channels, and a plan that has removed two
    point_[channels] = at;
    Point full = point_;
    full[channels] = 2;
    const Run all = run(space_.plan(full));
    const Tensor g = gradient(all.logits), hidden = all.values.tensors[1];
    const auto missing = [&](std::int64_t kept) {
      const Tensor gone = subject_->ranking[1].narrow(0, kept, kChannels - kept);
      return torch::zeros_like(hidden).index_copy(1, gone, hidden.index_select(1, gone)).flatten(1);
    };
    const auto of = [&](std::int64_t kept) { return mean_square(g * missing(kept).mm(all.last.t())); };
    const Losses losses = score("gradient"), hessian = score("hessian"), density = score("density"),
                 steps = score("steps");
    const std::int64_t own = at == 2 ? 5 : 3;
    const double curvature = g.mm(all.last).square().mean().item<double>();
    const auto share = [&](std::int64_t kept) { return missing(kept).ne(0).to(torch::kFloat64).mean().item<double>(); };
    const auto rms = [&](std::int64_t kept) { return std::sqrt(12 * missing(kept).square().mean().item<double>()); };
    for (const auto& [k, kept] : {std::pair{0U, 2}, {1U, 3}, {2U, 5}}) {
      if (kept == own) {
        EXPECT_EQ(losses[channels][k], 0);
        continue;
      }
      expect_close(losses[channels][k], of(kept) - of(own), "gradient");
      expect_close(hessian[channels][k], curvature * (mean_square(missing(kept)) - mean_square(missing(own))),
                   "hessian");
      expect_close(density[channels][k], share(kept) - share(own), "density");
      expect_close(steps[channels][k], rms(kept) - rms(own), "steps");
    }
    EXPECT_GT(losses[channels][0], 0);
    if (at == 1) {
      EXPECT_LT(losses[channels][2], 0);
    }
  }
}

TEST_F(Scores, HessianIsTheMeanSquaredGradientTimesTheSquaredError) {
  const Losses losses = score("hessian");
  const Run own = run();
  const Tensor g = gradient(own.logits);
  const std::size_t weights = variable(Kind::weights, 1), tensor = variable(Kind::tensor, 1);
  // By image the gradient of the weights is an outer product.
  const double of_weights = torch::einsum("nj,ni->nji", {g, own.hidden}).square().mean().item<double>();
  const double of_tensor = g.mm(own.last).square().mean().item<double>();
  const Run fine = run_with(Kind::weights, 1, 16), fine_tensor = run_with(Kind::tensor, 1, 16);
  const auto error = [](const Tensor& a, const Tensor& b) { return (a - b).square().sum().item<double>(); };
  for (const std::size_t k : {0U, 3U}) {
    const int bits = space_.variables()[weights].values[k];
    expect_close(losses[weights][k],
                 of_weights * (error(run_with(Kind::weights, 1, bits).last, fine.last) - error(own.last, fine.last)),
                 "weights");
    expect_close(losses[tensor][k],
                 of_tensor *
                     (error(run_with(Kind::tensor, 1, bits).hidden, fine_tensor.hidden) -
                      error(own.hidden, fine_tensor.hidden)) /
                     kImages,
                 "tensor");
  }
}

TEST_F(Scores, DistancesAreNormalisedAndWeighted) {
  EXPECT_DOUBLE_EQ(mean_distance({0.1, 0.3, 0.5}), 0.2 + 0.5);
  const double low = 1 - std::exp(-1.0), high = 1 - std::exp(-3.0);
  EXPECT_DOUBLE_EQ(weighted_distance({0.1, 0.3, 0.5}), (low * 0.1 + high * 0.3) / (low + high) + 0.5);
  EXPECT_DOUBLE_EQ(weighted_distance({0, 0, 0.5}), 0.5);

  const torch::NoGradGuard no_grad;
  Module module = trainer_.module();
  Module::Values floats = module.begin(test_images(), {});
  module.run(floats, 0, {});
  const auto normalised = [](const Tensor& a, const Tensor& b) {
    return ((a - b).flatten(1).square().sum(1) / b.flatten(1).square().sum(1)).mean().item<double>();
  };
  const auto distance = [&](const Run& r, bool weighted) {
    Tensor hidden = r.values.tensors[1];
    if (hidden.size(1) < kChannels) {  // those that are left, in ascending order
      const Tensor kept = std::get<0>(subject_->ranking[1].narrow(0, 0, hidden.size(1)).sort());
      hidden = torch::zeros_like(floats.tensors[1]).index_copy(1, kept, hidden);
    }
    const double inside = normalised(hidden, floats.tensors[1]),
                 outside = normalised(r.logits, floats.tensors.back().flatten(1));
    const double weight = weighted ? 1 - std::exp(-inside / 0.1) : 1;
    return weight * inside / weight + outside;
  };
  const Run own = run();
  for (const bool weighted : {false, true}) {
    const Losses losses = score(weighted ? "mse-exp" : "mse");
    const auto expect = [&](Kind kind, int stage, std::size_t v) {
      const Run changed = run_with(kind, stage, 2);
      expect_close(losses[v][0], distance(changed, weighted) - distance(own, weighted), to_string(kind));
    };
    expect(Kind::weights, 0, variable(Kind::weights, 0));
    expect(Kind::weights, 1, variable(Kind::weights, 1));
    expect(Kind::tensor, 1, variable(Kind::tensor, 1));
    const std::size_t channels = variable(Kind::channels, 1);
    Point fewer = point_;
    fewer[channels] = 0;
    expect_close(losses[channels][0], distance(run(space_.plan(fewer)), weighted) - distance(own, weighted),
                 "channels");
  }
}

TEST_F(Scores, StepsAreThoseOfTheWidths) {
  const Losses losses = score("steps");
  const std::size_t weights = variable(Kind::weights, 0), tensor = variable(Kind::tensor, 1);
  const Run own = run();
  for (const std::size_t k : {0U, 1U, 3U}) {
    const int bits = space_.variables()[weights].values[k];
    Run changed = run_with(Kind::weights, 0, bits);
    const auto mean = [](const Run& r) { return r.module.scale_of_weights(0).mean().item<double>(); };
    expect_close(losses[weights][k], 2 * (mean(changed) - mean(own)), "weights");
    changed = run_with(Kind::tensor, 1, bits);
    expect_close(losses[tensor][k], changed.grid.step - own.grid.step, "tensor");
  }
  EXPECT_GT(losses[weights][0], losses[weights][1]);
}

// A learned step counts at the width that it was learned at; others begin anew.
TEST_F(Scores, StepsOfThePresentWidthAreTheLearnedOnes) {
  point_ = space_.largest();
  Module& module = trainer_.module();
  module.options.quantizer = Quantizer::learned_steps;
  module.options.widest_learned = 8;
  const std::size_t weights = variable(Kind::weights, 0);
  const Losses before = score("steps");
  const double begun = run().module.scale_of_weights(0).mean().item<double>();
  {
    const torch::NoGradGuard no_grad;
    module.start_steps();
    module.stage(0).step.mul_(1.5);
  }
  const Losses after = score("steps");
  for (const std::size_t k : {0U, 2U}) expect_close(after[weights][k] - before[weights][k], -begun, "other width");
  EXPECT_EQ(after[weights][3], 0);
}

TEST_F(Scores, DensityScalesTheNoiseOfAWidth) {
  const Losses losses = score("density");
  const Run own = run();
  const auto share = [](const Tensor& values) { return values.ne(0).to(torch::kFloat64).mean().item<double>(); };
  const auto noise = [](int bits) { return std::pow(4.0, -bits); };
  EXPECT_LT(share(own.hidden), 0.95);
  expect_close(losses[variable(Kind::weights, 0)][0], share(own.hidden) * (noise(2) - noise(5)), "what weights write");
  expect_close(losses[variable(Kind::tensor, 0)][1], share(own.x) * (noise(3) - noise(5)), "input");
  expect_close(losses[variable(Kind::tensor, 1)][3], share(own.hidden) * (noise(8) - noise(5)), "tensor");
}

TEST_F(Scores, MaskedValuesTellByTheirDivergence) {
  const Losses losses = score("mask");
  const Run own = run();
  const std::size_t weights = variable(Kind::weights, 1), tensor = variable(Kind::tensor, 1);
  const Tensor hidden_mask = mask_like(own.values.tensors[1]).flatten(1);
  EXPECT_NEAR(hidden_mask.mean().item<double>(), 0.875, 0.01);
  const Tensor bias = own.module.folded_bias(1);
  const auto error = [](const Tensor& a, const Tensor& b) { return (a - b).square().sum().item<double>(); };
  const double of_tensor = divergence(own.logits, (own.hidden * hidden_mask).mm(own.last.t()) + bias) / kImages;
  const Run fine = run_with(Kind::tensor, 1, 16), coarse = run_with(Kind::tensor, 1, 2);
  expect_close(losses[tensor][0],
               of_tensor * (error(coarse.hidden, fine.hidden) - error(own.hidden, fine.hidden)) /
                   (own.hidden * (1 - hidden_mask)).square().sum().item<double>(),
               "tensor");
  // Masked weights are rounded by scales of their own.
  const Tensor whole = own.module.folded_weight(1), mask = mask_like(whole), left = whole * mask;
  const Tensor scale = weight_scale(left, 5, Granularity::per_channel, Scales::free);
  const Tensor rounded = (weight_codes(left, scale, 5) * scale.view({-1, 1, 1, 1})).flatten(1);
  const double of_weights = divergence(own.logits, own.hidden.mm(rounded.t()) + bias) / kImages;
  const Tensor finest = run_with(Kind::weights, 1, 16).last;
  expect_close(losses[weights][0],
               of_weights * (error(run_with(Kind::weights, 1, 2).last, finest) - error(own.last, finest)) /
                   (whole * (1 - mask)).square().sum().item<double>(),
               "weights");
  // Channels are masked by being removed.
  const std::size_t channels = variable(Kind::channels, 1);
  Point fewer = point_;
  fewer[channels] = 0;
  expect_close(losses[channels][0], divergence(own.logits, run(space_.plan(fewer)).logits) / kImages, "channels");
}

TEST_F(Scores, DivergenceNeedsNoLabels) {
  subject_->labels = Tensor();
  const Losses losses = score("kl");
  const auto of = [&](const Run& r) {
    const Tensor p = torch::softmax(floats_, 1);
    return (p * (p.log() - torch::log_softmax(r.logits, 1))).sum().item<double>() / kImages;
  };
  expect_close(losses[variable(Kind::weights, 1)][0], of(run_with(Kind::weights, 1, 2)) - of(run()), "weights");
}

TEST_F(Scores, AreComparedByRatiosUnlessTheyAreLosses) {
  for (const char* name : {"gradient", "kl"}) {
    const Losses raw = score(name, 1);
    Sensitivity sensitivity(trainer_.module(), test_images(), test_labels(), floats_, Against::labels,
                            *find_score(name));
    const Losses given = sensitivity.single_changes(space_, point_, 1);
    double largest = 0;
    for (std::size_t v = 0; v < raw.size(); ++v)
      for (std::size_t k = 0; k < raw[v].size(); ++k) {
        EXPECT_EQ(std::isfinite(raw[v][k]), std::abs(static_cast<int>(k) - point_[v]) <= 1);
        if (std::isfinite(raw[v][k])) largest = std::max(largest, std::abs(raw[v][k]));
      }
    const double factor = find_score(name)->is_loss ? 1 : 1 / largest;
    EXPECT_NEAR(given[0][1], factor * raw[0][1], 1e-6 * std::abs(given[0][1]));
    EXPECT_GT(sensitivity.passes(), 0);
  }
}

// On all operators and around a plan in the middle: what rounds more loses more.
TEST(ScoresOfNetworks, AreOrderedByWidth) {
  int curves = 0;
  for (const auto& make : {test::residual_network, test::mobile_network, test::branching_network}) {
    const model::Network network = make();
    Trainer trainer(network, test::small_dataset(), {});
    const SearchSpace space = space_of(network, trainer.module().groups());
    trainer.quantize(space.plan(space.largest()));
    trainer.calibrate(256);
    const torch::NoGradGuard no_grad;
    const Tensor images = test_images().narrow(0, 0, 32), labels = test_labels().narrow(0, 0, 32);
    const Tensor teacher = trainer.module().forward(images, {});
    Point point;
    for (const Variable& variable : space.variables()) point.push_back(static_cast<int>(variable.values.size()) - 2);
    for (const ChangeScore& score : scores()) {
      SCOPED_TRACE(network.name() + " " + score.name);
      Sensitivity sensitivity(trainer.module(), images, labels, teacher, Against::labels, score);
      const Losses losses = sensitivity.single_changes(space, point, any_reach);
      ASSERT_EQ(losses.size(), space.variables().size());
      const bool measured = score.is_loss || std::string(score.name).starts_with("mse");
      for (std::size_t v = 0; v < losses.size(); ++v) {
        for (const double loss : losses[v]) EXPECT_TRUE(std::isfinite(loss));
        EXPECT_EQ(losses[v][static_cast<std::size_t>(point[v])], 0);
        if (measured) continue;  // whole networks: errors can make up for each other
        EXPECT_GE(losses[v].front(), losses[v].back())
            << to_string(space.variables()[v].kind) << " " << space.variables()[v].name;
        ++curves;
      }
    }
    EXPECT_EQ(trainer.plan().layers[0].weight_bits, 8);
  }
  EXPECT_GT(curves, 200);
}

TEST(ScoreTable, HasEveryNameOnce) {
  std::vector<std::string> names;
  for (const ChangeScore& score : scores()) {
    EXPECT_EQ(find_score(score.name), &score);
    names.emplace_back(score.name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"loss", "kl", "gradient", "mse", "mse-exp", "hessian", "steps", "density",
                                             "mask"}));
  EXPECT_EQ(find_score("Loss"), nullptr);
  EXPECT_EQ(in_shares({{-4, 0, 2}, {1}}), (Losses{{-1, 0, 0.5}, {0.25}}));
}

}  // namespace
}  // namespace bitstrata::quant
