// SPDX-License-Identifier: Apache-2.0
// bitstrata train: float training.
#include <fmt/format.h>

#include <iostream>

#include "cli/train/session.h"
#include "cli/train/verb.h"
#include "model/json_text.h"
#include "quant/annealing.h"
#include "quant/price.h"

namespace bitstrata::cli {

using nlohmann::json;

namespace {

struct Options {
  std::string network = "vgg_small", init, out;
  int epochs = 5;
  double learning_rate = 0.05;
  Common common;
  Training training;
};

bool read(const std::vector<std::string>& arguments, Options& o) {
  po::options_description options("options");
  options.add_options()
      // clang-format off
      ("network", po::value(&o.network)->default_value(o.network), "a built-in network")
      ("init", po::value(&o.init), "checkpoint to start from (weights and statistics)")
      ("epochs", po::value(&o.epochs)->default_value(o.epochs), "passes over the training images")
      ("learning-rate", po::value(&o.learning_rate)->default_value(o.learning_rate, "0.05"),
       "highest; it warms up over the first 15 % and falls to 0")
      ("out", po::value(&o.out)->required(), "run folder to write");
  // clang-format on
  o.training.add(options);
  o.common.add(options);
  po::variables_map values;
  if (!parse(arguments, options,
             {"train --network N [--dataset D] [options] --out DIR",
              "Trains in float and writes DIR/float.safetensors and DIR/run.json. The best epoch by the validation "
              "images\n"
              "is kept; the test images are read once, at the end.",
              "train --network vgg_small --dataset fashion-mnist --epochs 4 --out out/float"},
             values))
    return false;
  check_range("epochs", o.epochs, 1, 100000);
  check_range("learning-rate", o.learning_rate, 1e-8, 100);
  o.training.check(values);
  o.common.check();
  return true;
}

void print(const Common& common, const json& results) {
  if (common.json)
    std::cout << model::json_text(results) << "\n";
  else
    fmt::print("float validation accuracy {:.2f} %, test accuracy {:.2f} % +- {:.2f}\n",
               100 * results.at("float_validation_accuracy").get<double>(),
               100 * results.at("float_test_accuracy").get<double>(),
               100 * results.at("float_test_standard_error").get<double>());
}

}  // namespace

int train_verb(const std::vector<std::string>& arguments) {
  Options o;
  if (!read(arguments, o)) return 0;
  const model::Network network = model::build_network(o.network);
  RunFolder folder(o.out, "train", arguments, o.common);
  const quant::TrainingData data = o.training.load();
  const json identity = {{"verb", "train"},
                         {"network", o.network},
                         {"dataset", o.training.dataset},
                         {"epochs", o.epochs},
                         {"learning_rate", o.learning_rate},
                         {"batch", o.training.batch},
                         {"epoch_images", o.training.epoch_images},
                         {"augment", o.training.augmentation()},
                         {"seed", o.common.seed},
                         {"init", o.init},
                         {"contents", contents_of(data, o.init)}};
  if (const auto run = folder.finished(o.training.resume, identity)) {
    print(o.common, *run);
    return 0;
  }
  folder.add_input("dataset", data);
  if (!o.init.empty()) folder.add_input("init", std::filesystem::path(o.init));

  Session session(std::make_unique<quant::Trainer>(network, data, o.training.options(o.common)), o.common);
  quant::Trainer& trainer = session.trainer();
  quant::EpochSchedule schedule;
  schedule.peak = o.learning_rate;
  schedule.warmup = 0.15;
  quant::Annealing annealing(o.epochs, schedule);
  if (const auto note = session.resume(folder.file(resume_file), o.training.resume, identity))
    annealing.resume(note->at("annealing"));
  else if (!o.init.empty())
    load_weights(trainer, o.init);

  while (!annealing.done()) {
    const int epoch = static_cast<int>(annealing.epochs().size()) + 1;
    session.begin_epoch(fmt::format("epoch {}/{}", epoch, o.epochs));
    annealing.step(trainer);
    session.end_epoch();
    const quant::Annealing::Epoch& last = annealing.epochs().back();
    say(o.common,
        fmt::format("epoch {}/{}  loss {:.4f}  train {:.2f} %  validation {:.2f} %  {:.1f} s", epoch, o.epochs,
                    last.loss, 100 * last.train_accuracy, 100 * last.validation_accuracy, last.seconds));
    folder.replace_earlier();
    session.save(folder.file(resume_file), identity, {{"annealing", annealing.state()}});
  }
  // The one look at the test images, after the best epoch was chosen by the validation images.
  quant::Score test{data.test.count(), 0};
  test.correct = static_cast<int>(trainer.accuracy(quant::Part::test) * test.images + 0.5);
  trainer.save(folder.file("float.safetensors"), "");
  json epochs = json::array();
  for (const auto& epoch : annealing.epochs()) epochs.push_back(to_json(epoch));
  const json results = {{"network", o.network},
                        {"dataset", data.name},
                        {"parameters", network.total_parameters()},
                        {"macs", network.total_macs()},
                        {"epochs", epochs},
                        {"passes_trained", o.training.passes(data, o.epochs)},
                        {"chosen_epoch", annealing.kept_epoch()},
                        {"float_validation_accuracy", annealing.best_accuracy()},
                        {"float_test_accuracy", test.accuracy()},
                        {"float_test_standard_error", test.standard_error()}};
  folder.write_run("float (LibTorch)", identity, results);
  std::filesystem::remove(folder.file(resume_file));
  print(o.common, results);
  return 0;
}

}  // namespace bitstrata::cli
