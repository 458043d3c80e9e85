// SPDX-License-Identifier: Apache-2.0
// Quantizers: levels, scales and straight-through gradients.
#include "quant/fake_quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "quant/fixed_point.h"
#include "quant/operators.h"

namespace bitstrata::quant {
namespace {

using torch::Tensor;

Tensor random_weights(std::int64_t channels, std::int64_t count, std::uint64_t seed) {
  auto generator = at::detail::createCPUGenerator(seed);
  return torch::randn({channels, count, 1, 1}, generator);
}

double squared_error(const Tensor& weights, const Tensor& scale, int bits) {
  return (weight_codes(weights, scale, bits) * scale.view({-1, 1, 1, 1}) - weights).square().sum().item<double>();
}

class EveryWidth : public testing::TestWithParam<int> {};

TEST_P(EveryWidth, WeightCodesAreSymmetricAndInRange) {
  const int bits = GetParam();
  const Tensor weights = random_weights(4, 20000, 7);
  for (const Granularity granularity : {Granularity::per_channel, Granularity::per_tensor})
    for (const Scales scales : {Scales::free, Scales::power_of_two}) {
      const Tensor scale = weight_scale(weights, bits, granularity, scales);
      ASSERT_EQ(scale.numel(), 4);
      const Tensor codes = weight_codes(weights, scale, bits);
      EXPECT_TRUE(codes.equal(codes.round()));
      const double largest = bits == 1 ? 1 : std::ldexp(1, bits - 1) - 1;
      EXPECT_LE(codes.abs().max().item<double>(), largest);
      if (bits == 1) {
        EXPECT_EQ(codes.abs().min().item<double>(), 1);
      }
      // Negating the weights negates the codes: no side is favoured.
      if (bits > 1) {
        EXPECT_TRUE(weight_codes(-weights, scale, bits).equal(-codes));
      }
      // Few bits: every level is in use.
      if (bits <= 4 && scales == Scales::free) {
        const auto unique = std::get<0>(torch::_unique(codes));
        EXPECT_EQ(unique.numel(), bits == 1 ? 2 : (1 << bits) - 1);
      }
      if (granularity == Granularity::per_tensor) {
        EXPECT_EQ(scale.min().item<float>(), scale.max().item<float>());
      }
      for (int n = 0; n < 4 && scales == Scales::power_of_two; ++n) {
        int exponent = 0;
        EXPECT_EQ(std::frexp(scale[n].item<double>(), &exponent), 0.5);
      }
    }
}

TEST_P(EveryWidth, MoreBitsAreNotWorse) {
  const int bits = GetParam();
  if (bits == 1) return;
  const Tensor weights = random_weights(3, 5000, 11);
  auto error = [&](int width) {
    return squared_error(weights, weight_scale(weights, width, Granularity::per_channel, Scales::free), width);
  };
  EXPECT_LT(error(bits), error(bits - 1));
}

TEST_P(EveryWidth, UnsignedTensorsReachEveryCodeOfTheirRange) {
  const int bits = GetParam();
  const TrainingGrid grid = make_grid({0, 3}, bits, model::Coding::unsigned_code, Scales::free, 0);
  EXPECT_EQ(grid.low, 0);
  EXPECT_EQ(grid.high, (1 << bits) - 1);
  const double last = std::ldexp(1, bits) - 1;
  const Tensor x = torch::tensor({-1.0, 0.0, 3.0 / last * 0.499, 3.0 / last * 0.5, 3.0, 99.0}, torch::kFloat64);
  const Tensor codes = grid_codes(x, grid);
  const Tensor expected = torch::tensor({0.0, 0.0, 0.0, 1.0, last, last}, torch::kFloat64);
  EXPECT_TRUE(codes.equal(expected)) << codes;
}

TEST_P(EveryWidth, FloatCodesEqualDoubleCodesButForTies) {
  // Training runs in float: its codes must be those of double except within a hair of a rounding border.
  const int bits = GetParam();
  const TrainingGrid grid = make_grid({0, 2.7}, bits, model::Coding::unsigned_code, Scales::free, 0);
  auto generator = at::detail::createCPUGenerator(3);
  const Tensor x = torch::rand({20000}, generator) * 3;
  const Tensor difference = (grid_codes(x, grid).to(torch::kFloat64) - grid_codes(x.to(torch::kFloat64), grid)).abs();
  EXPECT_LE(difference.max().item<double>(), 1);
  EXPECT_LT(difference.sum().item<double>(), bits <= 8 ? 5 : 400);
}

INSTANTIATE_TEST_SUITE_P(Bits, EveryWidth, testing::Range(1, 17));

TEST(WeightScale, ClippingBeatsTheLargestWeightAtFewBits) {
  const Tensor weights = random_weights(2, 5000, 5);
  const Tensor scale = weight_scale(weights, 2, Granularity::per_channel, Scales::free);
  const Tensor largest = weights.abs().amax({1, 2, 3});
  EXPECT_LT(squared_error(weights, scale, 2), 0.6 * squared_error(weights, largest, 2));
}

TEST(WeightScale, OneBitMinimisesTheError) {
  const Tensor weights = random_weights(1, 5000, 6);
  const Tensor scale = weight_scale(weights, 1, Granularity::per_channel, Scales::free);
  EXPECT_NEAR(scale[0].item<double>(), weights.abs().mean().item<double>(), 1e-6);
  EXPECT_LT(squared_error(weights, scale, 1), squared_error(weights, scale * 1.05, 1));
  EXPECT_LT(squared_error(weights, scale, 1), squared_error(weights, scale * 0.95, 1));
}

TEST(WeightScale, EmptyChannelsKeepARepresentableScale) {
  Tensor weights = random_weights(3, 100, 8);
  weights[1].zero_();
  const Tensor scale = weight_scale(weights, 8, Granularity::per_channel, Scales::free);
  EXPECT_GT(scale[1].item<double>(), scale.max().item<double>() / 2000);
  EXPECT_EQ(weight_codes(weights, scale, 8)[1].abs().max().item<double>(), 0);
  EXPECT_EQ(
      weight_scale(torch::zeros({2, 3, 1, 1}), 4, Granularity::per_channel, Scales::power_of_two)[0].item<float>(),
      1.0F);
}

TEST(StraightThrough, WeightsPassEveryGradient) {
  for (const int bits : {1, 2, 8}) {
    Tensor weights = random_weights(2, 50, 9).requires_grad_();
    const Tensor scale = weight_scale(weights, bits, Granularity::per_channel, Scales::free);
    const Tensor upstream = random_weights(2, 50, 10);
    (fake_quantize_weights(weights, scale, bits) * upstream).sum().backward();
    EXPECT_TRUE(weights.grad().equal(upstream)) << bits << " bits";
  }
}

TEST(StraightThrough, TensorsPassGradientsInsideTheirRangeOnly) {
  const TrainingGrid grid = make_grid({0, 2}, 2, model::Coding::unsigned_code, Scales::free, 0);
  Tensor x = torch::tensor({-0.5, 0.1, 1.0, 1.9, 2.5}).requires_grad_();
  const Tensor y = fake_quantize(x, grid);
  const float step = 2.0F / 3;
  EXPECT_TRUE(y.allclose(torch::tensor({0.0F, 0.0F, 2 * step, 3 * step, 3 * step}))) << y;
  (y * torch::tensor({1.0, 2.0, 3.0, 4.0, 5.0})).sum().backward();
  EXPECT_TRUE(x.grad().equal(torch::tensor({0.0F, 2.0F, 3.0F, 4.0F, 0.0F}))) << x.grad();
}

TEST(Binary, SignedTensorsHaveTwoSymmetricLevelsAndNoZero) {
  const Tensor x = torch::tensor({-3.0, -0.01, 0.0, 0.5, 4.0});
  EXPECT_EQ(coding_of(false, 1, SignedTensors::zero_point), model::Coding::bipolar);
  const Range range = observe_range(x, 1, model::Coding::bipolar);
  const TrainingGrid grid = make_grid(range, 1, model::Coding::bipolar, Scales::free, 0);
  const float scale = x.abs().mean().item<float>();
  EXPECT_TRUE(fake_quantize(x, grid).allclose(torch::tensor({-scale, -scale, scale, scale, scale})));
  EXPECT_FLOAT_EQ(static_cast<float>(grid.unit()), scale);
  EXPECT_FLOAT_EQ(static_cast<float>(grid.padding_value()), -scale);
}

TEST(Binary, RectifiedTensorsAreZeroAndScale) {
  EXPECT_EQ(coding_of(true, 1, SignedTensors::twos_complement), model::Coding::unsigned_code);
  const TrainingGrid grid = make_grid({0, 1.5}, 1, model::Coding::unsigned_code, Scales::free, 0);
  const Tensor x = torch::tensor({-1.0, 0.7, 0.8, 9.0});
  EXPECT_TRUE(fake_quantize(x, grid).allclose(torch::tensor({0.0, 0.0, 1.5, 1.5})));
}

TEST(Grids, ZeroPointRepresentsZeroExactly) {
  const TrainingGrid grid = make_grid({-1.0, 2.3}, 4, model::Coding::unsigned_code, Scales::free, 0);
  EXPECT_EQ(grid.offset, std::nearbyint(grid.offset));
  EXPECT_EQ(fake_quantize(torch::zeros({1}), grid)[0].item<float>(), 0.0F);
  EXPECT_EQ(grid.padding_value(), 0.0);
}

TEST(Grids, PowerOfTwoStepsAndSmallestStep) {
  const TrainingGrid grid = make_grid({0, 3}, 8, model::Coding::unsigned_code, Scales::power_of_two, 0);
  EXPECT_EQ(grid.step, 1.0 / 64);  // 3/255 = 2^-6.4
  EXPECT_EQ(make_grid({0, 3}, 8, model::Coding::unsigned_code, Scales::power_of_two, 0.25).step, 0.25);
  EXPECT_EQ(make_grid({0, 3}, 8, model::Coding::unsigned_code, Scales::free, 0.3).step, 0.3);
}

TEST(ObservedRange, ClipsOutliersAtFewBits) {
  auto generator = at::detail::createCPUGenerator(4);
  Tensor x = torch::rand({4000}, generator);
  x[0] = 8;
  EXPECT_EQ(observe_range(x, 8, model::Coding::unsigned_code).high, 8);
  EXPECT_LT(observe_range(x, 3, model::Coding::unsigned_code).high, 4);
}

TEST(ObservedRange, CountsNegativeValuesAsZeroWhereTheyWillBe) {
  auto generator = at::detail::createCPUGenerator(5);
  const Tensor x = torch::randn({2, 5, 30, 30}, generator);
  for (const int bits : {2, 4, 8}) {
    const Range from = observe_range(x.clamp_min(0), bits, model::Coding::unsigned_code, 1 << 20);
    const Range range = observe_range(x, bits, model::Coding::unsigned_code, 1 << 20, true);
    EXPECT_EQ(range.low, from.low) << bits;
    EXPECT_EQ(range.high, from.high) << bits;
  }
  EXPECT_EQ(observe_range(-x.abs(), 8, model::Coding::unsigned_code, 1 << 20, true).high, 0);
}

// Channels last and channels first: the same values and gradients, in the order they came in.
TEST(MemoryOrder, DoesNotChangeWhatIsRounded) {
  auto generator = at::detail::createCPUGenerator(6);
  const Tensor first = torch::randn({3, 5, 4, 6}, generator).requires_grad_();
  const Tensor last = first.detach().contiguous(torch::MemoryFormat::ChannelsLast).requires_grad_();
  const Tensor weight = torch::randn({3, 5, 4, 6}, generator);
  const TrainingGrid grid = make_grid({-1, 2}, 4, model::Coding::unsigned_code, Scales::free, 0);
  for (const bool learned : {false, true}) {
    std::vector<Tensor> step;
    for (const Tensor& x : {first, last}) {
      x.mutable_grad() = Tensor();
      step.push_back(torch::full({1}, 0.2F).requires_grad_());
      const Tensor y = learned ? fake_quantize(x, grid, step.back()) : fake_quantize(x, grid);
      EXPECT_EQ(y.strides(), x.strides());
      (y * weight).sum().backward();
    }
    EXPECT_TRUE(fake_quantize(last, grid).equal(fake_quantize(first, grid)));
    EXPECT_TRUE(grid_codes(last.detach(), grid).equal(grid_codes(first.detach(), grid)));
    const Range range = observe_range(first, 3, model::Coding::twos_complement, 70);
    const Range same = observe_range(last, 3, model::Coding::twos_complement, 70);
    EXPECT_EQ(same.low, range.low);
    EXPECT_EQ(same.high, range.high);
    EXPECT_TRUE(last.grad().equal(first.grad()));
    if (!learned) continue;
    const float moved = step[0].grad().item<float>();
    EXPECT_NEAR(step[1].grad().item<float>(), moved, 1e-4 * std::abs(moved));
  }
}

// By the loops over channels that lie side by side, and by LibTorch where they do not.
TEST(MemoryOrder, DoesNotChangeMeansAndSumsOfChannels) {
  auto generator = at::detail::createCPUGenerator(7);
  for (const std::int64_t channels : {1, 3, 64}) {
    const Tensor first = torch::randn({7, channels, 13, 11}, generator) + 3;
    const Tensor last = first.permute({0, 2, 3, 1}).clone(torch::MemoryFormat::Contiguous).permute({0, 3, 1, 2});
    const Tensor wanted = first.to(torch::kFloat64).mean({0, 2, 3}).to(torch::kFloat32);
    EXPECT_TRUE(channel_means(last).allclose(wanted, 1e-6, 0)) << channels;
    EXPECT_TRUE(channel_means(first).allclose(wanted, 1e-5, 0)) << channels;
    const Tensor each = torch::randn({channels}, generator), sum = first + each.view({1, -1, 1, 1});
    EXPECT_TRUE(add_to_channels(first.clone(), each).equal(sum));
    EXPECT_TRUE(add_to_channels(last, each).equal(sum)) << "where gradients may be asked for";
    EXPECT_TRUE(last.equal(first));
    const torch::NoGradGuard no_grad;
    EXPECT_TRUE(add_to_channels(last, each).equal(sum));
    EXPECT_TRUE(last.equal(sum)) << "in place";
  }
}

TEST(FixedPoint, MultiplierIsNormalisedAndClose) {
  for (const double ratio : {1.0, 0.5, 0.3, 1e-3, 7e-9, 3.99, 60000.0, 0.99999999}) {
    const Requantizer r = multiply_shift(ratio);
    EXPECT_GE(r.multiplier, 32768) << ratio;
    EXPECT_NEAR(r.ratio() / ratio, 1, 1.0 / 65536) << ratio;
  }
  EXPECT_EQ(multiply_shift(std::ldexp(1, -60)).shift, 63);
  EXPECT_EQ(multiply_shift(model::largest_ratio).multiplier, 65535);
  EXPECT_THROW(multiply_shift(0), std::invalid_argument);
  EXPECT_THROW(multiply_shift(70000), std::invalid_argument);
  EXPECT_EQ(shift_only(0.125).shift, 3);
  EXPECT_EQ(shift_only(1).shift, 0);
  EXPECT_THROW(shift_only(0.3), std::invalid_argument);
  EXPECT_THROW(shift_only(2), std::invalid_argument);
}

}  // namespace
}  // namespace bitstrata::quant
