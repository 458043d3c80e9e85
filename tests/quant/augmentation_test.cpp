// SPDX-License-Identifier: Apache-2.0
// Random crops and mirrors: which images come out, and that seed and epoch alone decide.
#include "quant/augmentation.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include <map>

#include "quant/module.h"
#include "quant/trainer.h"
#include "tests/quant/support.h"

namespace bitstrata::quant {
namespace {

using torch::Tensor;

at::Generator generator(std::uint64_t seed) { return at::detail::createCPUGenerator(seed); }

// Images of 2 channels of 3x4 whose values are all different.
Tensor numbered(int count, torch::ScalarType type) {
  return torch::arange(1, count * 24 + 1, torch::kInt32).view({count, 2, 3, 4}).to(type);
}

TEST(RandomCrops, AreWindowsOfTheBorderedImage) {
  constexpr int padding = 2, count = 400;
  const Tensor images = numbered(count, torch::kFloat32);
  const Tensor border = torch::tensor({-1.F, -2.F}).view({1, 2, 1, 1});
  at::Generator random = generator(7);
  const Tensor result = cropped(images, padding, border, random);
  ASSERT_EQ(result.sizes(), images.sizes());
  const auto from = images.accessor<float, 4>(), to = result.accessor<float, 4>();
  std::map<std::pair<int, int>, int> places;
  for (int n = 0; n < count; ++n) {
    int fitting = 0;
    for (int dy = -padding; dy <= padding; ++dy) {
      for (int dx = -padding; dx <= padding; ++dx) {
        bool fits = true;
        for (int c = 0; c < 2; ++c)
          for (int y = 0; y < 3; ++y)
            for (int x = 0; x < 4; ++x) {
              const bool inside = y + dy >= 0 && y + dy < 3 && x + dx >= 0 && x + dx < 4;
              fits = fits && to[n][c][y][x] == (inside ? from[n][c][y + dy][x + dx] : -1.F - static_cast<float>(c));
            }
        if (!fits) continue;
        ++fitting;
        ++places[{dy, dx}];
      }
    }
    EXPECT_EQ(fitting, 1) << n;
  }
  EXPECT_EQ(places.size(), 25U);  // each about 16 times
  for (const auto& [place, times] : places) EXPECT_LT(times, 40);
}

TEST(RandomCrops, KeepBytes) {
  at::Generator random = generator(1);
  const Tensor result = cropped(numbered(3, torch::kUInt8), 1, torch::zeros({1, 2, 1, 1}, torch::kUInt8), random);
  EXPECT_EQ(result.scalar_type(), torch::kUInt8);
}

TEST(RandomMirrors, TakeAboutHalfOfTheImages) {
  const Tensor images = numbered(400, torch::kFloat32);
  at::Generator random = generator(3);
  const Tensor result = flipped(images, random);
  int mirrored = 0;
  for (int n = 0; n < 400; ++n) {
    const bool changed = !result[n].equal(images[n]);
    mirrored += changed;
    EXPECT_TRUE(result[n].equal(changed ? images[n].flip({2}) : images[n])) << n;
  }
  EXPECT_GT(mirrored, 160);
  EXPECT_LT(mirrored, 240);
}

// Training with both, stopped between two epochs and resumed, ends as the uninterrupted one does.
TEST(Augmentation, RepeatsItselfWhenResumed) {
  TrainOptions options;
  options.flip = true;
  options.crop_padding = 4;
  const auto make = [](const TrainOptions& o) {
    return std::make_unique<Trainer>(test::tiny_network(), test::small_dataset(), o);
  };
  const auto whole = make(options), killed = make(options), resumed = make(options);
  for (int i = 0; i < 3; ++i) whole->train_epoch({});
  const auto file = test::scratch_folder() / "resume.safetensors";
  for (int i = 0; i < 2; ++i) killed->train_epoch({});
  killed->save(file, "");
  resumed->load(file);
  resumed->train_epoch({});
  const Tensor weight = whole->module().stage(0).weight;
  EXPECT_TRUE(resumed->module().stage(0).weight.equal(weight));
  TrainOptions without = options;
  without.crop_padding = 0;
  const auto other = make(without);
  for (int i = 0; i < 3; ++i) other->train_epoch({});
  EXPECT_FALSE(other->module().stage(0).weight.equal(weight));
}

// The border of values is what black became, not 0: with black images nothing changes.
TEST(Augmentation, TheBorderIsBlack) {
  TrainingData data = test::small_dataset();
  for (Examples* part : {&data.train, &data.validation, &data.test}) {
    part->values.assign(part->bytes.size(), -0.75F);
    part->bytes.clear();
    part->border = {-0.75F};
  }
  TrainOptions options;
  Trainer plain(test::tiny_network(), data, options);
  options.crop_padding = 4;
  Trainer crops(test::tiny_network(), data, options);
  for (Trainer* trainer : {&plain, &crops}) trainer->train_epoch({});
  EXPECT_TRUE(plain.module().stage(0).weight.equal(crops.module().stage(0).weight));
}

TEST(Augmentation, ABorderAsWideAsTheImageIsRefused) {
  TrainOptions options;
  options.crop_padding = 28;
  try {
    Trainer(test::tiny_network(), test::small_dataset(), options);
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "random crops with a border of 28 pixels: images of 28x28x1 take at most 27");
  }
}

}  // namespace
}  // namespace bitstrata::quant
