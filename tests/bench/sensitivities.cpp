// SPDX-License-Identifier: Apache-2.0
// What scores of single changes predict, and what plans really lose, as CSV (scripts/sensitivities calls it):
// - sensitivities curves NETWORK DATA CENTER: every score around a plan: float (16/16), wide (8/8) or middle (5/5);
// - sensitivities losses NETWORK DATA NARROWEST LEVELS COUNT: of random plans; LEVELS 1 draws channel counts, too, with
//   0 all channels stay;
// - sensitivities trained NETWORK DATA NARROWEST LEVELS COUNT: of the first of them after a short training.
// NETWORK is an ONNX file or the float.safetensors of `bitstrata train`; DATA a dataset.yaml, whose train part is
// scored on and whose test part judges, or a built-in data set, where both are parts of the validation images.
#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "model/channel_groups.h"
#include "model/onnx/onnx.h"
#include "model/samples.h"
#include "quant/labelled.h"
#include "quant/search/method.h"
#include "quant/sensitivity.h"
#include "quant/trainer.h"

namespace bitstrata {
namespace {

constexpr int kScored = 256, kJudged = 1000, kCalibration = 500;
constexpr std::uint64_t kSeed = 11;  // of the plans

std::vector<int> levels_of(int size) { return {(3 * size + 3) / 4, (7 * size + 7) / 8, size}; }

class Study {
 public:
  Study(const std::string& network, const std::string& data)
      : own_data_(model::names_description(data)),
        data_(own_data_ ? quant::training_data(model::load_samples(data))
                        : quant::training_data(model::load_dataset(data))),
        weights_(network) {
    train_.seed = 1;
    train_.threads = 1;
    quantize_.quantizer = quant::Quantizer::learned_steps;  // what `quantize` takes by itself
    if (std::filesystem::path(network).extension() == ".onnx") imported_ = model::import_onnx(network);
    graph_ = imported_ ? imported_->graph : model::build_network(quant::read_head(network).network);
    const model::ChannelGroups groups = model::channel_groups(graph_, model::lay_out(graph_));
    quant::SpaceOptions options;
    options.weight_bits = options.activation_bits = {2, 3, 4, 5, 6, 7, 8, 16};
    for (const model::ChannelGroup& group : groups.groups)
      options.levels.push_back(group.fixed.empty() ? levels_of(group.size) : std::vector<int>{});
    space_.emplace(graph_, options);
  }

  void curves(const std::string& center) {
    const auto trainer = start();
    const auto [images, labels] = scored();
    const torch::Tensor teacher = answers(*trainer, images);
    trainer->quantize(space_->plan(space_->largest()));
    trainer->calibrate(kCalibration, 256);
    const int bits = center == "float" ? 16 : center == "wide" ? 8 : 5;
    const quant::Point point = uniform(bits);
    std::cout << "score,center,variable,kind,name,value,loss,passes,seconds\n";
    for (const quant::ChangeScore& score : quant::scores()) {
      quant::Sensitivity sensitivity(trainer->module(), images, labels, teacher, quant::Against::labels, score);
      const std::clock_t begin = std::clock();
      const quant::Losses losses = quant::monotone(sensitivity.single_changes(*space_, point, quant::any_reach));
      const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
      for (std::size_t v = 0; v < losses.size(); ++v) {
        const quant::Variable& variable = space_->variables()[v];
        for (std::size_t k = 0; k < losses[v].size(); ++k)
          std::cout << fmt::format("{},{},{},{},{},{},{:.9g},{:.2f},{:.2f}\n", score.name, center, v,
                                   quant::to_string(variable.kind), variable.name, variable.values[k], losses[v][k],
                                   sensitivity.passes() / static_cast<double>(images.size(0)), seconds);
      }
    }
  }

  void losses(int narrowest, bool levels, int count) {
    const auto trainer = start();
    trainer->quantize(space_->plan(space_->largest()));
    trainer->calibrate(kCalibration, 256);
    const auto [images, labels] = judged();
    const auto [own_images, own_labels] = scored();
    quant::Sensitivity judge(trainer->module(), images, labels, {}, quant::Against::labels);
    quant::Sensitivity own(trainer->module(), own_images, own_labels, {}, quant::Against::labels);
    std::cout << "plan,values,loss,accuracy,loss_on_scored_images\n";
    int number = 0;
    const auto row = [&](const quant::Point& point) {
      const model::Plan plan = space_->plan(point);
      std::cout << fmt::format("{},{},{:.6f},{:.4f},{:.6f}\n", number++, values(point), judge.loss(plan),
                               judge.accuracy(plan), own.loss(plan))
                << std::flush;
    };
    for (const quant::Point& point : drawn(narrowest, levels, count)) row(point);
  }

  void trained(int narrowest, bool levels, int count) {
    const auto [images, labels] = judged();
    std::cout << "plan,values,loss,accuracy\n";
    int number = 0;
    for (const quant::Point& point : drawn(narrowest, levels, count)) {
      const model::Plan plan = space_->plan(point);
      const auto trainer = start();
      trainer->quantize(space_->plan(space_->largest()));
      trainer->calibrate(kCalibration, 256);
      trainer->apply(plan);
      quant::EpochSchedule schedule;
      schedule.peak = own_data_ ? 0.002 : 0.02;
      const int epochs = own_data_ ? 6 : 1;  // about 2,800 and 3,072 images
      if (!own_data_) schedule.images = 3072;
      for (int epoch = 0; epoch < epochs; ++epoch) {
        schedule.from = static_cast<double>(epoch) / epochs;
        schedule.to = static_cast<double>(epoch + 1) / epochs;
        trainer->train_epoch(schedule);
      }
      quant::Sensitivity judge(trainer->module(), images, labels, {}, quant::Against::labels);
      std::cout << fmt::format("{},{},{:.6f},{:.4f}\n", number++, values(point), judge.loss(plan), judge.accuracy(plan))
                << std::flush;
    }
  }

 private:
  using Pair = std::pair<torch::Tensor, torch::Tensor>;

  std::unique_ptr<quant::Trainer> start() const {
    if (imported_) return std::make_unique<quant::Trainer>(*imported_, data_, train_, quantize_);
    auto trainer = std::make_unique<quant::Trainer>(graph_, data_, train_, quantize_);
    trainer->load_weights(weights_);
    return trainer;
  }

  Pair part(const quant::Examples& examples, std::int64_t from, std::int64_t count) const {
    const quant::Labelled all(examples, std::min<std::int64_t>(from + count, examples.count()));
    const std::int64_t n = all.images.size(0) - from;
    return {all.images.narrow(0, from, n).contiguous(), all.labels.narrow(0, from, n).contiguous()};
  }
  Pair scored() const { return part(own_data_ ? data_.train : data_.validation, 0, kScored); }
  Pair judged() const { return own_data_ ? part(data_.test, 0, kJudged) : part(data_.validation, kScored, kJudged); }

  static torch::Tensor answers(quant::Trainer& trainer, const torch::Tensor& images) {
    const torch::NoGradGuard no_grad;
    return trainer.module().forward(images, {});
  }

  quant::Point uniform(int bits) const {
    quant::Point point = space_->largest();
    for (std::size_t v = 0; v < point.size(); ++v) {
      const quant::Variable& variable = space_->variables()[v];
      if (variable.kind == quant::Variable::Kind::channels) continue;
      point[v] = static_cast<int>(std::ranges::lower_bound(variable.values, bits) - variable.values.begin());
    }
    return point;
  }

  std::vector<quant::Point> drawn(int narrowest, bool levels, int count) const {
    std::mt19937_64 random(kSeed + static_cast<std::uint64_t>(10 * narrowest + levels));
    std::vector<quant::Point> points;
    for (int n = 0; n < count; ++n) {
      quant::Point point = space_->largest();
      for (std::size_t v = 0; v < point.size(); ++v) {
        const quant::Variable& variable = space_->variables()[v];
        const auto place = [&](int bits) {
          return static_cast<std::uint64_t>(std::ranges::lower_bound(variable.values, bits) - variable.values.begin());
        };
        if (variable.kind != quant::Variable::Kind::channels)
          point[v] = static_cast<int>(place(narrowest) + random() % (place(8) + 1 - place(narrowest)));
        else if (levels)
          point[v] = static_cast<int>(random() % variable.values.size());
      }
      points.push_back(std::move(point));
    }
    return points;
  }

  std::string values(const quant::Point& point) const {
    std::string text;
    for (std::size_t v = 0; v < point.size(); ++v)
      text += fmt::format("{}{}", v > 0 ? " " : "", space_->variables()[v].values[static_cast<std::size_t>(point[v])]);
    return text;
  }

  bool own_data_;
  quant::TrainingData data_;
  std::filesystem::path weights_;
  quant::TrainOptions train_;
  quant::QuantizeOptions quantize_;
  std::optional<model::FloatNetwork> imported_;
  model::Network graph_;
  std::optional<quant::SearchSpace> space_;
};

int run(const std::vector<std::string>& words) {
  if (words.size() == 4 && words[0] == "curves") {
    Study(words[1], words[2]).curves(words[3]);
    return 0;
  }
  if (words.size() == 6 && (words[0] == "losses" || words[0] == "trained")) {
    Study study(words[1], words[2]);
    const int narrowest = std::stoi(words[3]), count = std::stoi(words[5]);
    const bool levels = words[4] == "1";
    words[0] == "losses" ? study.losses(narrowest, levels, count) : study.trained(narrowest, levels, count);
    return 0;
  }
  std::cerr
      << "sensitivities: give curves NETWORK DATA CENTER, or losses|trained NETWORK DATA NARROWEST LEVELS COUNT\n";
  return 2;
}

}  // namespace
}  // namespace bitstrata

int main(int argc, char** argv) {
  try {
    return bitstrata::run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << "sensitivities: " << error.what() << "\n";
    return 2;
  }
}
