// SPDX-License-Identifier: Apache-2.0
// Training: learns, repeats itself, and resumes as if never interrupted.
#include "quant/trainer.h"

#include <gtest/gtest.h>

#include "quant/activation_density.h"
#include "quant/annealing.h"
#include "quant/module.h"
#include "quant/tensor_file.h"
#include "tests/quant/support.h"

namespace bitstrata::quant {
namespace {

void expect_same_weights(Trainer& a, Trainer& b) {
  const auto one = a.module().state(), other = b.module().state();
  ASSERT_EQ(one.size(), other.size());
  int compared = 0;
  for (const auto& [name, tensor] : one) {
    ASSERT_TRUE(other.contains(name));
    EXPECT_TRUE(tensor.equal(other.at(name))) << name;
    compared += static_cast<int>(tensor.numel());
  }
  EXPECT_GT(compared, 100);
}

TEST(Training, LearnsInFloatAndAtTwoBits) {
  TrainOptions options;
  options.batch = 32;
  Trainer trainer(test::tiny_network(), test::small_dataset(), options);
  Annealing training(4, {0.05, 0.1, 0.0});
  while (!training.done()) training.step(trainer);
  EXPECT_GT(training.best_accuracy(), 0.6);
  trainer.quantize(model::uniform_plan(trainer.network(), 2, 2));
  trainer.calibrate(256);
  const double before = trainer.validation_accuracy();
  Annealing tuning(3, {0.02, 0.0, 0.0}, 1, true);
  while (!tuning.done()) tuning.step(trainer);
  EXPECT_GE(tuning.best_accuracy(), before);
  EXPECT_GT(tuning.best_accuracy(), 0.5);
  EXPECT_DOUBLE_EQ(trainer.validation_accuracy(), tuning.best_accuracy());
}

TEST(Training, RepeatsItselfForASeed) {
  Trainer one(test::tiny_network(), test::small_dataset(), {});
  Trainer two(test::tiny_network(), test::small_dataset(), {});
  for (Trainer* trainer : {&one, &two}) trainer->train_epoch({});
  expect_same_weights(one, two);
  TrainOptions other;
  other.seed = 2;
  Trainer three(test::tiny_network(), test::small_dataset(), other);
  three.train_epoch({});
  EXPECT_FALSE(three.module().stage(0).weight.equal(one.module().stage(0).weight));
}

TEST(Training, EpochsMayBePartsOfAPass) {
  TrainOptions half;
  half.batch = 128;
  half.epoch_images = 512;
  Trainer trainer(test::tiny_network(), test::small_dataset(), half);
  int batches = 0;
  trainer.on_batch = [&](int, int total, double) { batches = total; };
  trainer.train_epoch({});
  EXPECT_EQ(batches, 4);
}

TEST(Training, DensityIsTheShareOfNonZeroOutputs) {
  Trainer trainer(test::tiny_network(), test::small_dataset(), {});
  const EpochReport report = trainer.train_epoch({});
  ASSERT_EQ(report.density.size(), 4U);
  for (int i = 0; i < 3; ++i) {
    EXPECT_GT(report.density[i], 0.1);
    EXPECT_LT(report.density[i], 0.95);
  }
  EXPECT_GT(report.density[3], 0.99);  // logits have no ReLU
}

TEST(Training, RefusesDataThatDoNotFit) {
  model::Network network("other");
  network.add_linear(network.add_input({8, 8, 3}), "l", 10);
  EXPECT_THROW(Trainer(network, test::small_dataset(), {}), std::invalid_argument);
}

// Inputs of both signs: their range is that of the training data, and hosts encode them as the module does.
TEST(Training, TakesValuesAsWellAsBytes) {
  TrainingData data = test::small_dataset();
  for (Examples* part : {&data.train, &data.validation, &data.test}) {
    for (const std::uint8_t byte : part->bytes) part->values.push_back(static_cast<float>(byte) / 100 - 0.5F);
    part->bytes.clear();
  }
  Trainer trainer(test::residual_network(), data, {});
  for (int i = 0; i < 3; ++i) trainer.train_epoch({});
  const double before = trainer.accuracy(Part::test);
  EXPECT_GT(before, 0.4);
  trainer.quantize(model::uniform_plan(trainer.network(), 8, 8));
  trainer.calibrate(512);
  const model::IntegerNetwork integers = trainer.integers();
  EXPECT_NE(integers.tensors[0].zero_point, 0);
  const GoldenTest golden = trainer.golden_test(integers);
  EXPECT_GT(static_cast<double>(golden.equal), 0.97 * static_cast<double>(golden.compared));
  EXPECT_NEAR(golden.score.accuracy(), before, 0.05);
}

TEST(Resume, AnnealingEndsAsUninterrupted) {
  const auto file = test::scratch_folder() / "resume.safetensors";
  auto make = [] { return std::make_unique<Trainer>(test::tiny_network(), test::small_dataset(), TrainOptions{}); };
  const auto whole = make();
  Annealing all(3, {0.05, 0.1, 0.0});
  while (!all.done()) all.step(*whole);
  for (int stop = 1; stop < 3; ++stop) {
    const auto killed = make();
    Annealing first(3, {0.05, 0.1, 0.0});
    for (int i = 0; i < stop; ++i) first.step(*killed);
    killed->save(file, first.state().dump());
    killed->train_epoch({});  // work after the checkpoint is lost, as when the process is killed

    const auto resumed = make();
    Annealing second(3, {0.05, 0.1, 0.0});
    second.resume(nlohmann::json::parse(resumed->load(file)));
    while (!second.done()) second.step(*resumed);
    EXPECT_EQ(second.best_accuracy(), all.best_accuracy());
    EXPECT_EQ(second.kept_epoch(), all.kept_epoch());
    expect_same_weights(*whole, *resumed);
  }
}

// Trained under another plan meanwhile, with fewer channels, and not even told.
TEST(Trainer, GoesOnAsIfNothingHadBeenAside) {
  auto make = [] {
    QuantizeOptions quantize;
    quantize.quantizer = Quantizer::learned_steps;
    auto trainer = std::make_unique<Trainer>(test::tiny_network(), test::small_dataset(), TrainOptions{}, quantize);
    trainer->quantize(model::uniform_plan(trainer->network(), 4, 4));
    trainer->calibrate(256);
    return trainer;
  };
  const auto plain = make(), other = make();
  for (int epoch = 0; epoch < 2; ++epoch) {
    other->aside([&] {
      model::Plan plan = model::uniform_plan(other->network(), 2, 3);
      plan.layers[0].channels = 2;
      other->apply(plan);
      EXPECT_NE(other->network().total_parameters(), plain->network().total_parameters());
      other->train_epoch({});
      EXPECT_TRUE(other->trained_quantized());
    });
    EXPECT_EQ(other->trained_quantized(), epoch > 0);
    EXPECT_EQ(other->train_epoch({}).loss, plain->train_epoch({}).loss);
    expect_same_weights(*plain, *other);
  }
  EXPECT_THROW(other->aside([&] {
    other->train_epoch({});
    throw Diverged("on purpose");
  }),
               Diverged);
  expect_same_weights(*plain, *other);
}

TEST(Resume, SearchWithPruningEndsAsUninterrupted) {
  const auto file = test::scratch_folder() / "resume.safetensors";
  ActivationDensityOptions options;
  options.prune = true;
  options.epochs_per_iteration = 1;
  options.max_iterations = 4;
  options.max_drop = 0.1;
  options.floor_bits = 1;
  options.minimum_channels = 2;
  auto make = [] {
    auto trainer = std::make_unique<Trainer>(test::tiny_network(), test::small_dataset(), TrainOptions{});
    trainer->quantize(model::uniform_plan(trainer->network(), 16, 16));
    trainer->calibrate(256);
    return trainer;
  };
  const auto whole = make();
  ActivationDensity all(options, {});
  int steps = 0;
  for (; !all.done(); ++steps) all.step(*whole);
  EXPECT_GE(steps, 2);
  EXPECT_LT(whole->network().total_macs(), test::tiny_network().total_macs());
  for (int stop = 1; stop < steps; ++stop) {
    const auto killed = make();
    ActivationDensity first(options, {});
    for (int i = 0; i < stop; ++i) first.step(*killed);
    killed->save(file, first.state().dump());
    const auto resumed = std::make_unique<Trainer>(test::tiny_network(), test::small_dataset(), TrainOptions{});
    ActivationDensity second(options, {});
    second.resume(nlohmann::json::parse(resumed->load(file)));
    while (!second.done()) second.step(*resumed);
    EXPECT_EQ(second.state(), all.state()) << "stopped after " << stop;
    expect_same_weights(*whole, *resumed);
  }
}

TEST(Resume, LearnedStepsAndTheTeacherComeBack) {
  const auto file = test::scratch_folder() / "resume.safetensors";
  ActivationDensityOptions options;
  options.prune = true;
  options.initial_bits = 4;
  options.floor_bits = 2;
  options.epochs_per_iteration = 1;
  options.max_iterations = 3;
  options.max_drop = 0.5;
  options.minimum_channels = 2;
  TrainOptions train;
  train.distillation = 0.5;
  QuantizeOptions quantize;
  quantize.quantizer = Quantizer::learned_steps;
  auto fresh = [&] { return std::make_unique<Trainer>(test::tiny_network(), test::small_dataset(), train, quantize); };
  auto make = [&] {
    auto trainer = fresh();
    trainer->train_epoch({});
    trainer->quantize(model::uniform_plan(trainer->network(), 4, 4));
    trainer->calibrate(256);
    return trainer;
  };
  const auto whole = make();
  ActivationDensity all(options, {});
  int steps = 0;
  for (; !all.done(); ++steps) all.step(*whole);
  EXPECT_GE(steps, 2);
  EXPECT_LT(whole->network().total_macs(), test::tiny_network().total_macs());
  for (int stop = 1; stop < steps; ++stop) {
    const auto killed = make();
    ActivationDensity first(options, {});
    for (int i = 0; i < stop; ++i) first.step(*killed);
    killed->save(file, first.state().dump());
    const auto resumed = fresh();
    ActivationDensity second(options, {});
    second.resume(nlohmann::json::parse(resumed->load(file)));
    while (!second.done()) second.step(*resumed);
    EXPECT_EQ(second.state(), all.state()) << "stopped after " << stop;
    expect_same_weights(*whole, *resumed);  // steps among them
  }
  // What was learned under a plan is no start for another.
  const auto other = fresh();
  other->load_weights(file);
  for (const auto& [name, tensor] : other->module().parameters()) {
    if (!is_step(name)) continue;
    EXPECT_EQ(tensor.abs().max().item<double>(), 0) << name;
  }
  // A checkpoint without a teacher does not train on without it in silence.
  Trainer alone(test::tiny_network(), test::small_dataset(), {}, quantize);
  alone.quantize(model::uniform_plan(alone.network(), 4, 4));
  alone.save(file, "");
  try {
    fresh()->load(file);
    FAIL() << "accepted";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("no float network to distil from"), std::string::npos) << error.what();
  }
}

TEST(Checkpoint, NamesWhatDoesNotFit) {
  const auto folder = test::scratch_folder();
  Trainer trainer(test::tiny_network(), test::small_dataset(), {});
  trainer.save(folder / "tiny.safetensors", "a note");
  EXPECT_EQ(read_head(folder / "tiny.safetensors").network, "tiny");
  EXPECT_EQ(read_head(folder / "tiny.safetensors").note, "a note");
  auto message = [](auto action) -> std::string {
    try {
      action();
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "accepted";
  };
  Trainer other(model::build_network("lenet5"), test::small_dataset(), {});
  EXPECT_NE(message([&] { other.load_weights(folder / "tiny.safetensors"); }).find("tiny.safetensors"),
            std::string::npos);
  TensorFile content = load_tensor_file(folder / "tiny.safetensors");
  content.tensors.erase("model.second.weight");
  save(content, folder / "less.safetensors");
  EXPECT_NE(message([&] { trainer.load_weights(folder / "less.safetensors"); }).find("second.weight"),
            std::string::npos);
  EXPECT_NE(message([&] { trainer.load(folder / "none.safetensors"); }).find("none.safetensors"), std::string::npos);
}

TEST(Pruning, KeepsTheActiveChannels) {
  Trainer trainer(test::tiny_network(), test::small_dataset(), {});
  trainer.train_epoch({});
  {
    const torch::NoGradGuard no_grad;  // one channel speaks rarely, one not at all
    trainer.module().stage(0).beta[3] = -50;
  }
  const torch::Tensor weight = trainer.module().stage(0).weight.detach().clone();
  model::Plan plan = trainer.plan();
  plan.layers[0].channels = 5;
  trainer.apply(plan);
  ASSERT_EQ(trainer.network().node(trainer.network().find("first")).output.channels, 5);
  const torch::Tensor expected = weight.index_select(0, torch::tensor({0, 1, 2, 4, 5}));
  EXPECT_TRUE(trainer.module().stage(0).weight.equal(expected));
  trainer.train_epoch({});  // and training goes on
}

}  // namespace
}  // namespace bitstrata::quant
