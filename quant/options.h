// SPDX-License-Identifier: Apache-2.0
// Options of quantization and training that travel between the command line, checkpoints and the code.
#pragma once

#include <cstdint>
#include <string>

namespace bitstrata::quant {

enum class Granularity { per_channel, per_tensor };  // of weight scales
enum class Scales { free, power_of_two };            // free: 16-bit multiplier and shift; power_of_two: shift only
enum class SignedTensors { twos_complement, zero_point };  // coding of hidden tensors without a ReLU
// What steps are while training: made of the present weights and of the ranges that are seen, or learned beside the
// weights, after Esser et al., Learned Step Size Quantization, ICLR 2020.
enum class Quantizer { range, learned_steps };

struct QuantizeOptions {
  Granularity granularity = Granularity::per_channel;
  Scales scales = Scales::free;
  SignedTensors signed_tensors = SignedTensors::twos_complement;
  Quantizer quantizer = Quantizer::range;
  // Steps of more bits follow weights and ranges in any case. Relative to a step, its gradient grows with the 1.5th
  // power of the largest code, so that wider tensors want a lower rate (Esser et al., section 3: a tenth at 8 bits of
  // that at 2 to 4); at the rate of narrow ones their steps are thrown about, and nothing is gained
  // (results/quantizers).
  int widest_learned = 4;
  bool operator==(const QuantizeOptions&) const = default;
};

struct TrainOptions {
  int batch = 64;
  double momentum = 0.9;
  double weight_decay = 5e-4;     // on convolution and linear weights only
  bool flip = false;              // mirror every second training image, drawn at random
  int crop_padding = 0;           // shift training images by up to so many pixels, drawn at random, in a black border
  std::int64_t epoch_images = 0;  // images of one epoch, drawn without repetition; 0: all
  std::uint64_t seed = 1;
  int threads = 1;
  // Training under quantization also follows the answers of the float network it began as: loss = (1 - distillation) *
  // cross entropy + distillation * temperature^2 * Kullback-Leibler divergence of both answers' softmax, of logits
  // divided by the temperature, from the float network's (Hinton et al., Distilling the Knowledge in a Neural Network,
  // 2015). 0: labels alone.
  double distillation = 0.0;
  double temperature = 2.0;
  int accumulator_bits = 48;  // what the golden integers' sums may take: of the accelerator that is to run them
};

// Learning rate over one training phase: linear warm-up over the first `warmup` of it, then a cosine down to
// peak * final_ratio. An epoch covers the part from `from` to `to` of the phase.
struct EpochSchedule {
  double peak = 0.05;
  double warmup = 0.0;
  double final_ratio = 0.0;
  double from = 0.0;
  double to = 1.0;
  std::int64_t images = 0;         // of the epoch; 0: TrainOptions::epoch_images
  bool freeze_batch_norm = false;  // normalise by running statistics, as the folded network will
  double rate(double part_of_epoch) const;
};

}  // namespace bitstrata::quant
