// SPDX-License-Identifier: Apache-2.0
// Validation accuracy by quantizer, with and without distillation, after a short fine-tuning; one row a cell, as CSV:
//   quantizers NETWORK SEED WORK_FOLDER      (NETWORK: lenet5 or residual; scripts/quantizers calls it)
// The test images are not read.
#include <fmt/format.h>

#include <ctime>
#include <filesystem>
#include <iostream>

#include "model/networks/chain.h"
#include "quant/annealing.h"
#include "quant/trainer.h"

namespace bitstrata {
namespace {

using model::networks::Chain;
using model::networks::square;

// Two residual blocks, the second with a projected shortcut, for Fashion-MNIST; 0.44 M MACs.
model::Network residual() {
  Chain chain("residual", {28, 28, 1});
  chain.convolve("stem", 8, square(3, 2, 1), model::networks::relu);
  for (const int channels : {8, 16}) {
    const int from = chain.at(), stride = channels / 8;
    const std::string block = fmt::format("block{}", stride);
    int shortcut = from;
    if (stride > 1)
      shortcut = chain.convolve(block + "_shortcut", channels, square(1, stride), model::networks::linear).at();
    chain.go_to(from);
    chain.convolve(block + "_conv1", channels, square(3, stride, 1), model::networks::relu);
    chain.convolve(block + "_conv2", channels, square(3, 1, 1), model::networks::linear);
    chain.add(block + "_add", shortcut).activate(block + "_add", model::networks::relu);
  }
  return chain.pool_globally("pool").fully_connect("fc", 10).finish();
}

constexpr int kFloatEpochs = 4, kTuningEpochs = 4, kCalibrationImages = 1024;
constexpr std::int64_t kFloatImages = 0, kTuningImages = 6000;  // of an epoch; 0: all

quant::EpochSchedule schedule(double peak, double warmup, std::int64_t images) {
  quant::EpochSchedule result;
  result.peak = peak;
  result.warmup = warmup;
  result.images = images;
  return result;
}

void run(const model::Network& network, int seed, const std::filesystem::path& folder) {
  const quant::TrainingData data = quant::training_data(model::load_dataset("fashion-mnist"));
  quant::TrainOptions train;
  train.seed = static_cast<std::uint64_t>(seed);
  const std::filesystem::path start = folder / fmt::format("{}-{}.safetensors", network.name(), seed);
  double float_accuracy = 0;
  {
    quant::Trainer trainer(network, data, train);
    quant::Annealing annealing(kFloatEpochs, schedule(0.05, 0.15, kFloatImages));
    while (!annealing.done()) annealing.step(trainer);
    float_accuracy = annealing.best_accuracy();
    trainer.save(start, "");
  }
  for (const int bits : {8, 6, 5, 4, 3, 2})
    for (const bool learned : {false, true})
      for (const double distillation : {0.0, 0.5}) {
        const std::clock_t begin = std::clock();
        train.distillation = distillation;
        quant::QuantizeOptions options;
        if (learned) options.quantizer = quant::Quantizer::learned_steps;
        options.widest_learned = 8;  // at all widths, to see up to which it pays
        quant::Trainer trainer(network, data, train, options);
        trainer.load_weights(start);
        trainer.quantize(model::uniform_plan(network, bits, bits));
        trainer.calibrate(kCalibrationImages);
        const double before = trainer.validation_accuracy();
        quant::Annealing tuning(kTuningEpochs, schedule(0.02, 0.05, kTuningImages), 1);
        while (!tuning.done()) tuning.step(trainer);
        std::cout << fmt::format("{},{},{:.4f},{},{},{},{:.4f},{:.4f},{:.1f}\n", network.name(), seed, float_accuracy,
                                 bits, learned ? "lsq" : "range", distillation, before, tuning.best_accuracy(),
                                 static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC)
                  << std::flush;
      }
}

}  // namespace
}  // namespace bitstrata

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "quantizers: give a network (lenet5 or residual), a seed and a folder for the float network\n";
    return 2;
  }
  const std::string name = argv[1];
  bitstrata::run(name == "residual" ? bitstrata::residual() : bitstrata::model::build_network(name), std::stoi(argv[2]),
                 argv[3]);
  return 0;
}
