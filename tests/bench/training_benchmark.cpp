// SPDX-License-Identifier: Apache-2.0
// CPU time of a training step of the product against a bare LibTorch loop of the same network: the same layers, batch
// and optimizer, in float, on one thread. Rounds of all take turns in one process, so that what else the machine does
// meets all alike; the ratio is the median over the rounds of one round's time over the bare loop's.
//
//   training_benchmark ROUNDS BATCHES NETWORK...
#include <torch/torch.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <iostream>
#include <random>

#include "model/network.h"
#include "quant/operators.h"
#include "quant/trainer.h"

namespace bitstrata {
namespace {

using torch::Tensor;

constexpr int kBatch = 64;

quant::TrainingData random_data(const model::Network& network, int images) {
  std::mt19937 random(1);
  quant::TrainingData data;
  data.name = "random";
  data.classes = static_cast<int>(network.nodes().back().output.elements());
  for (quant::Examples* part : {&data.train, &data.validation, &data.test}) {
    part->shape = network.node(0).output;
    for (std::int64_t i = 0; i < images * part->shape.elements(); ++i)
      part->bytes.push_back(static_cast<std::uint8_t>(random()));
    for (int i = 0; i < images; ++i)
      part->labels.push_back(static_cast<int>(random() % static_cast<unsigned>(data.classes)));
  }
  return data;
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// What a person would write for this network: tensors, operators and torch's own optimizer.
class BareLoop {
 public:
  BareLoop(const model::Network& network, const quant::TrainingData& data)
      : network_(network), weights_(nodes().size()) {
    std::vector<Tensor> trained;
    const auto make = [&](const std::vector<std::int64_t>& shape, double value, double deviation) {
      Tensor tensor = torch::full(shape, value) + deviation * torch::randn(shape);
      trained.push_back(tensor.requires_grad_());
      return tensor;
    };
    for (std::size_t i = 0; i < nodes().size(); ++i) {
      const model::Node& node = nodes()[i];
      const std::int64_t out = node.output.channels;
      if (model::has_weights(node.op)) {
        const model::Shape input = network_.input_shape(static_cast<int>(i));
        const bool linear = node.op == model::Op::linear;
        weights_[i] = {make({out, input.channels / node.groups, linear ? input.height : node.window.kernel_height,
                             linear ? input.width : node.window.kernel_width},
                            0, 0.05),
                       feeds_norm(i) ? Tensor() : make({out}, 0, 0)};
      } else if (node.op == model::Op::batch_norm) {
        weights_[i] = {make({out}, 1, 0), make({out}, 0, 0), torch::zeros({out}), torch::ones({out})};
      }
    }
    optimizer_ = std::make_unique<torch::optim::SGD>(
        trained, torch::optim::SGDOptions(0.01).momentum(0.9).nesterov(true).weight_decay(5e-4));
    const model::Shape s = data.train.shape;
    images_ = torch::tensor(data.train.bytes)
                  .view({data.train.count(), s.height, s.width, s.channels})
                  .permute({0, 3, 1, 2})
                  .contiguous();
    labels_ = torch::tensor(data.train.labels).to(torch::kInt64);
  }

  double seconds(int batches) {
    const Tensor order = torch::randperm(labels_.size(0));
    double loss_sum = 0;
    double start = 0;
    for (int i = 0; i < batches; ++i) {
      if (i == 1) start = cpu_seconds();  // the first batch is warming up, as below
      const Tensor chosen = order.narrow(0, i * kBatch, kBatch);
      optimizer_->zero_grad();
      const Tensor loss =
          torch::cross_entropy_loss(forward(images_.index_select(0, chosen)), labels_.index_select(0, chosen));
      loss.backward();
      optimizer_->step();
      loss_sum += loss.item<double>();
    }
    if (!std::isfinite(loss_sum)) throw std::runtime_error("the bare loop diverged");
    return cpu_seconds() - start;
  }

 private:
  const std::vector<model::Node>& nodes() const { return network_.nodes(); }
  bool feeds_norm(std::size_t index) const {
    return std::any_of(nodes().begin(), nodes().end(), [&](const model::Node& node) {
      return node.op == model::Op::batch_norm && node.inputs.front() == static_cast<int>(index);
    });
  }

  Tensor forward(const Tensor& images) {
    std::vector<Tensor> values(nodes().size());
    values[0] = images.to(torch::kFloat32).div_(255.0);
    for (std::size_t i = 1; i < nodes().size(); ++i) {
      const model::Node& node = nodes()[i];
      const std::vector<Tensor>& w = weights_[i];
      std::vector<Tensor> inputs;
      for (const int input : node.inputs) inputs.push_back(values[static_cast<std::size_t>(input)]);
      if (model::has_weights(node.op)) {
        values[i] = quant::convolve(inputs[0], w[0], node, 0.0);
        if (w[1].defined()) values[i] = values[i] + w[1].view({1, -1, 1, 1});
      } else if (node.op == model::Op::batch_norm) {
        values[i] = torch::batch_norm(inputs[0], w[0], w[1], w[2], w[3], true, 0.1, 1e-5, false);
      } else {
        values[i] = quant::run_operator(node, inputs);
      }
    }
    return values.back().flatten(1);
  }

  model::Network network_;
  std::vector<std::vector<Tensor>> weights_;  // by node
  std::unique_ptr<torch::optim::SGD> optimizer_;
  Tensor images_, labels_;
};

// Between the first and the last step of an epoch.
double seconds(quant::Trainer& trainer, int batches) {
  double start = 0, end = 0;
  trainer.on_batch = [&](int done, int, double) {
    if (done == 1) start = cpu_seconds();
    end = cpu_seconds();
  };
  quant::EpochSchedule schedule;
  schedule.peak = 0.01;
  schedule.images = static_cast<std::int64_t>(batches) * kBatch;
  trainer.train_epoch(schedule);
  return end - start;
}

struct Arm {
  std::string quantizer, widths;
  std::function<double()> run;
  std::vector<double> seconds;
};

void measure(const std::string& name, int rounds, int batches) {
  const model::Network network = model::build_network(name);
  const quant::TrainingData data = random_data(network, batches * kBatch);
  BareLoop bare(network, data);
  std::vector<std::unique_ptr<quant::Trainer>> trainers;
  std::vector<Arm> arms{{"bare LibTorch", "float", [&] { return bare.seconds(batches); }, {}}};
  const auto add = [&](const std::string& quantizer, int bits, double distillation) {
    quant::TrainOptions train;
    train.batch = kBatch;
    train.distillation = distillation;
    quant::QuantizeOptions options;
    if (quantizer != "range") options.quantizer = quant::Quantizer::learned_steps;
    trainers.push_back(std::make_unique<quant::Trainer>(network, data, train, options));
    quant::Trainer& trainer = *trainers.back();
    if (bits > 0) {
      trainer.quantize(model::uniform_plan(network, bits, bits));
      trainer.calibrate(2 * kBatch);
    }
    arms.push_back({bits == 0 ? "none" : quantizer,
                    bits == 0 ? "float" : std::to_string(bits) + "/" + std::to_string(bits),
                    [&] { return seconds(trainer, batches); },
                    {}});
  };
  add("range", 0, 0);
  for (const int bits : {8, 4, 2}) add("range", bits, 0);
  for (const int bits : {8, 4, 2}) add("lsq", bits, 0);
  add("lsq+distillation", 4, 0.5);
  for (int round = -1; round < rounds; ++round)
    for (Arm& arm : arms) {
      const double time = arm.run();
      if (round >= 0) arm.seconds.push_back(time);  // the round before the first warms up
    }
  const auto median = [](std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  };
  for (const Arm& arm : arms) {
    std::vector<double> ratios;
    for (std::size_t r = 0; r < arm.seconds.size(); ++r) ratios.push_back(arm.seconds[r] / arms.front().seconds[r]);
    std::cout << name << ',' << arm.quantizer << ',' << arm.widths << ',' << 1000 * median(arm.seconds) / (batches - 1)
              << ',' << median(ratios) << ',' << *std::min_element(ratios.begin(), ratios.end()) << ','
              << *std::max_element(ratios.begin(), ratios.end()) << std::endl;
  }
}

}  // namespace
}  // namespace bitstrata

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "training_benchmark: give rounds, batches of a round (2 or more) and networks\n";
    return 2;
  }
  torch::set_num_threads(1);
  std::cout << "network,quantizer,widths,milliseconds_per_step,ratio,ratio_least,ratio_most\n";
  for (int i = 3; i < argc; ++i) bitstrata::measure(argv[i], std::stoi(argv[1]), std::max(2, std::stoi(argv[2])));
  return 0;
}
