// SPDX-License-Identifier: Apache-2.0
// bitstrata quantize: widths by a method, training under them, integers out.
#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <map>

#include "cli/train/session.h"
#include "cli/train/start.h"
#include "cli/train/verb.h"
#include "model/json_text.h"
#include "quant/activation_density.h"
#include "quant/annealing.h"
#include "quant/price.h"
#include "quant/search/method.h"
#include "quant/tensor_file.h"

namespace bitstrata::cli {

using nlohmann::json;

namespace {

struct Options {
  std::string network = "vgg_small", method = "uniform", out;
  int weight_bits = 8, activation_bits = 8, output_bits = 16, accumulator_bits = 48;
  int calibration_images = 1024, finetune_epochs = 0;
  double learning_rate = 0.02, search_learning_rate = 0.03;
  std::int64_t search_images = 13750;
  std::string scales = "free", granularity = "per-channel", signed_tensors = "twos-complement", density_of = "output",
              technology = "ad-pim";
  quant::ActivationDensityOptions density;
  Common common;
  Training training;
  RoundingOptions rounding;
  quant::QuantizeOptions quantize;
};

template <typename T>
T choice(const std::string& option, const std::string& value, const std::map<std::string, T>& words) {
  std::vector<std::string> known;
  for (const auto& [word, meaning] : words) known.push_back(word);
  check_choice(option, value, known);
  return words.at(value);
}

// Options that nothing would read are refused rather than ignored.
void refuse_unread(const po::variables_map& values, const Options& o) {
  const auto refuse = [&](std::initializer_list<const char*> names, const char* belongs_to) {
    for (const char* name : names)
      if (values.count(name) != 0 && !values[name].defaulted())
        throw std::invalid_argument(fmt::format("--{} is without effect here; it belongs to {}", name, belongs_to));
  };
  if (o.method != "ad")
    refuse({"initial-bits", "floor", "max-iterations", "epochs-per-iteration", "search-images", "saturation",
            "max-drop", "density-of", "prune", "minimum-channels", "search-learning-rate"},
           "--method ad");
  if (o.method != "uniform") refuse({"weight-bits", "activation-bits"}, "--method uniform");
  if (!o.density.prune) refuse({"minimum-channels"}, "--prune");
  if (o.finetune_epochs == 0) refuse({"learning-rate"}, "--finetune-epochs");
  if (o.finetune_epochs == 0 && o.method == "uniform") refuse({"quantizer", "distill"}, "--finetune-epochs");
}

bool read(const std::vector<std::string>& arguments, Options& o) {
  refuse_foreign(arguments, {"--limit", "--widths", "--levels", "--architecture"},
                 "the methods that choose by measured costs, such as --method codesign; see quantize --method codesign "
                 "--help");
  po::options_description options("options");
  options.add_options()
      // clang-format off
      ("network", po::value(&o.network)->default_value(o.network),
       "run folder of `train` to start from, an ONNX file with its weights, or a built-in network to start untrained")
      ("method", po::value(&o.method)->default_value(o.method), "uniform, or ad (activation density); those that choose by measured costs have options of their own: quantize "
       "--method codesign --help")
      ("weight-bits", po::value(&o.weight_bits)->default_value(o.weight_bits), "uniform: 1 to 16")
      ("activation-bits", po::value(&o.activation_bits)->default_value(o.activation_bits), "uniform: 1 to 16")
      ("output-bits", po::value(&o.output_bits)->default_value(o.output_bits), "of the network's outputs, 2 to 16")
      ("accumulator-bits", po::value(&o.accumulator_bits)->default_value(o.accumulator_bits),
       "16 to 48, of the accelerator that is to run the integers: how finely biases may be rounded")
      ("initial-bits", po::value(&o.density.initial_bits)->default_value(o.density.initial_bits),
       "ad: where all layers start and the first and last stay")
      ("floor", po::value(&o.density.floor_bits)->default_value(o.density.floor_bits), "ad: fewest bits")
      ("max-iterations", po::value(&o.density.max_iterations)->default_value(o.density.max_iterations),
       "ad: most iterations, the first at the initial bits")
      ("epochs-per-iteration",
       po::value(&o.density.epochs_per_iteration)->default_value(o.density.epochs_per_iteration),
       "ad: most epochs until densities count as flat")
      ("search-images", po::value(&o.search_images)->default_value(o.search_images),
       "ad: training images of one epoch of the search, drawn without repetition; 0: all")
      ("saturation", po::value(&o.density.saturation)->default_value(o.density.saturation, "0.02"),
       "ad: largest change of a density between epochs that is flat")
      ("max-drop", po::value(&o.density.max_drop),
       "ad: fall of validation accuracy (0 to 1) that sends an iteration back; default 0.03, with --prune 0.06")
      ("density-of", po::value(&o.density_of)->default_value(o.density_of),
       "ad: output (a layer's own, the paper's rule) or input (of the tensor it reads)")
      ("prune", po::bool_switch(&o.density.prune), "ad: also remove channels by density")
      ("minimum-channels", po::value(&o.density.minimum_channels)->default_value(o.density.minimum_channels),
       "ad: fewest channels of a layer")
      ("search-learning-rate",
       po::value(&o.search_learning_rate)->default_value(o.search_learning_rate, "0.03"),
       "ad: highest within each epoch of the search")
      ("finetune-epochs", po::value(&o.finetune_epochs)->default_value(o.finetune_epochs),
       "epochs under the final widths; by validation the latest of the best is kept")
      ("learning-rate", po::value(&o.learning_rate)->default_value(o.learning_rate, "0.02"),
       "highest of fine-tuning; it falls to 0")
      ("calibration-images", po::value(&o.calibration_images)->default_value(o.calibration_images),
       "training images that activation ranges start from")
      ("technology", po::value(&o.technology)->default_value(o.technology),
       "what prices MACs: ad-pim, 45nm-mac-memory, or a YAML file of these kinds; ad logs it, too")
      ("scales", po::value(&o.scales)->default_value(o.scales), "free (multiplier and shift) or power-of-two (shift)")
      ("granularity", po::value(&o.granularity)->default_value(o.granularity),
       "of weight scales: per-channel or per-tensor")
      ("signed-tensors", po::value(&o.signed_tensors)->default_value(o.signed_tensors),
       "coding of hidden tensors without ReLU: twos-complement or zero-point")
      ("out", po::value(&o.out)->required(), "run folder to write");
  // clang-format on
  o.rounding.add(options);
  o.training.add(options);
  o.common.add(options);
  po::variables_map values;
  if (!parse(arguments, options,
             {"quantize --network N|DIR [--dataset D] --method M [options] --out DIR",
              "Gives every layer its widths by a method, trains under them where asked to, and writes DIR/plan.yaml,\n"
              "DIR/integer.safetensors, DIR/checkpoint.safetensors, DIR/summary.json, DIR/run.json and, for searches,\n"
              "DIR/search.csv. Validation images steer; the golden integers answer the test images once, at the end.",
              "quantize --network out/float --dataset fashion-mnist --method ad --finetune-epochs 4 --out out/ad"},
             values))
    return false;
  // A network that lost half its channels needs the fine-tuning to recover; widths alone show what they cost at once.
  if (!values.count("max-drop")) o.density.max_drop = o.density.prune ? 0.06 : 0.03;
  check_choice("method", o.method, {"uniform", "ad"});
  refuse_unread(values, o);
  check_range("weight-bits", o.weight_bits, 1, 16);
  check_range("activation-bits", o.activation_bits, 1, 16);
  check_range("output-bits", o.output_bits, 2, 16);
  check_range("accumulator-bits", o.accumulator_bits, 16, 48);
  check_range("initial-bits", o.density.initial_bits, 1, 16);
  check_range("floor", o.density.floor_bits, 1, o.density.initial_bits);
  check_range("max-iterations", o.density.max_iterations, 1, 1000);
  check_range("epochs-per-iteration", o.density.epochs_per_iteration, 1, 1000);
  check_range("search-images", static_cast<double>(o.search_images), 0, 1e9);
  check_range("saturation", o.density.saturation, 0, 1);
  check_range("max-drop", o.density.max_drop, 0, 1);
  check_range("minimum-channels", o.density.minimum_channels, 1, 1e6);
  check_range("finetune-epochs", o.finetune_epochs, 0, 100000);
  check_range("learning-rate", o.learning_rate, 1e-8, 100);
  check_range("search-learning-rate", o.search_learning_rate, 1e-8, 100);
  check_range("calibration-images", o.calibration_images, 1, 1e9);
  o.quantize.scales = choice<quant::Scales>(
      "scales", o.scales, {{"free", quant::Scales::free}, {"power-of-two", quant::Scales::power_of_two}});
  o.quantize.granularity = choice<quant::Granularity>(
      "granularity", o.granularity,
      {{"per-channel", quant::Granularity::per_channel}, {"per-tensor", quant::Granularity::per_tensor}});
  o.quantize.signed_tensors = choice<quant::SignedTensors>(
      "signed-tensors", o.signed_tensors,
      {{"twos-complement", quant::SignedTensors::twos_complement}, {"zero-point", quant::SignedTensors::zero_point}});
  o.rounding.check(values);
  o.quantize.quantizer = o.rounding.kind();
  o.density.density_of = choice<quant::DensityOf>(
      "density-of", o.density_of, {{"output", quant::DensityOf::output}, {"input", quant::DensityOf::input}});
  o.density.schedule.peak = o.search_learning_rate;
  o.density.schedule.final_ratio = 0.05;
  o.density.schedule.images = o.search_images;
  o.training.check(values);
  o.common.check();
  return true;
}

// What decides the result, for --resume.
json identity_of(const Options& o, const std::filesystem::path& start, const quant::TrainingData& data) {
  json contents = contents_of(data, start);
  contents["technology"] = model::load_technology(o.technology).digest;
  json identity = {{"verb", "quantize"},
                   {"start", std::filesystem::weakly_canonical(start).string()},
                   {"contents", contents},
                   {"dataset", o.training.dataset},
                   {"method", o.method},
                   {"bits", {o.weight_bits, o.activation_bits, o.output_bits, o.accumulator_bits}},
                   {"initial-bits", o.density.initial_bits},
                   {"floor", o.density.floor_bits},
                   {"max-iterations", o.density.max_iterations},
                   {"epochs-per-iteration", o.density.epochs_per_iteration},
                   {"search-images", o.search_images},
                   {"saturation", o.density.saturation},
                   {"max-drop", o.density.max_drop},
                   {"density-of", o.density_of},
                   {"prune", o.density.prune},
                   {"minimum-channels", o.density.minimum_channels},
                   {"search-learning-rate", o.search_learning_rate},
                   {"finetune-epochs", o.finetune_epochs},
                   {"learning-rate", o.learning_rate},
                   {"calibration-images", o.calibration_images},
                   {"scales", o.scales},
                   {"granularity", o.granularity},
                   {"signed-tensors", o.signed_tensors},
                   {"technology", o.technology},
                   {"batch", o.training.batch},
                   {"epoch-images", o.training.epoch_images},
                   {"augment", o.training.augmentation()},
                   {"seed", o.common.seed}};
  identity.update(o.rounding.identity());
  return identity;
}

// The word behind --method.
std::string method_of(const std::vector<std::string>& arguments) {
  const std::string option = "--method";
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == option && i + 1 < arguments.size()) return arguments[i + 1];
    if (arguments[i].starts_with(option + "=")) return arguments[i].substr(option.size() + 1);
  }
  return {};
}

std::string widths_line(const quant::SearchStep& step) {
  std::string line;
  for (std::size_t i = 0; i < step.plan.layers.size(); ++i) {
    const model::LayerPlan& layer = step.plan.layers[i];
    line += fmt::format("  {} {}b/{}ch AD {:.2f}", layer.layer, layer.weight_bits, layer.channels, step.density.at(i));
  }
  return line;
}

void print(const Common& common, const json& summary) {
  if (common.json) {
    std::cout << model::json_text(summary) << "\n";
    return;
  }
  const auto number = [&](const char* key) { return summary.at(key).get<double>(); };
  fmt::print(
      "{}: validation {:.2f} %, test (golden integers, {} images) {:.2f} % +- {:.2f}; {:.2f} M MACs, {} parameters; "
      "MAC energy {:.1f} nJ, {:.1f} times below 16/16 unpruned ({}, {} figures)\n",
      summary.at("method").get<std::string>(), 100 * number("validation_accuracy"),
      summary.at("test_images").get<std::int64_t>(), 100 * number("test_accuracy"), 100 * number("test_standard_error"),
      1e-6 * number("macs"), summary.at("parameters").get<std::int64_t>(), 1e-6 * number("mac_energy_fj"),
      number("mac_energy_reduction"), summary.at("mac_energy_technology").get<std::string>(),
      summary.at("mac_energy_status").get<std::string>());
  if (!summary.contains("fake_quantization")) return;  // of a run that an older version finished
  const json& codes = summary["fake_quantization"];
  fmt::print("fake quantization in float: {} of {} codes equal those of the golden integers ({:.4f} %)\n",
             codes.at("codes_equal").get<std::int64_t>(), codes.at("codes_compared").get<std::int64_t>(),
             100 * codes.at("codes_equal").get<double>() / codes.at("codes_compared").get<double>());
}

class Quantization {
 public:
  Quantization(const Options& options, const json& identity, const Start& start, const quant::TrainingData& data,
               RunFolder& folder)
      : o_(options),
        start_(start),
        data_(data),
        folder_(folder),
        technology_(model::load_technology(options.technology)),
        session_(start.make_trainer(
                     data, options.rounding.options(options.training.options(options.common, options.accumulator_bits)),
                     options.quantize),
                 options.common),
        identity_(identity),
        search_(options.density, {{},
                                  [this](const model::Network& n, const model::Plan& p) {
                                    return quant::mac_energy_fj(n, p, technology_);
                                  }}),
        annealing_(options.finetune_epochs, finetune_schedule(options.learning_rate),
                   frozen_epochs(options.finetune_epochs), true, data.validation.count()) {}

  void run() {
    prepare();
    if (o_.method == "ad") search();
    finetune();
    finish();
  }

 private:
  void prepare() {
    quant::Trainer& trainer = session_.trainer();
    if (const auto note = session_.resume(folder_.file(resume_file), o_.training.resume, identity_)) {
      search_.resume(note->at("search"));
      annealing_.resume(note->at("annealing"));
      return;
    }
    if (!start_.weights.empty() && !start_.imported) load_weights(trainer, start_.weights);
    say(o_.common, o_.rounding.text());
    const bool ad = o_.method == "ad";
    model::Plan plan = model::uniform_plan(trainer.network(), ad ? o_.density.initial_bits : o_.weight_bits,
                                           ad ? o_.density.initial_bits : o_.activation_bits);
    plan.output_bits = o_.output_bits;
    trainer.quantize(plan);
    trainer.calibrate(o_.calibration_images, ad || o_.finetune_epochs > 0 ? 0 : quant::calibration_batch);
  }

  void save() {
    session_.save(folder_.file(resume_file), identity_,
                  {{"search", search_.state()}, {"annealing", annealing_.state()}});
  }

  void search() {
    std::size_t reported = search_.log().size();
    int epoch = 0;
    while (!search_.done()) {
      session_.begin_epoch(fmt::format("activation density, epoch {}", ++epoch));
      search_.step(session_.trainer());
      session_.end_epoch();
      for (; reported < search_.log().size(); ++reported) report(search_.log()[reported]);
      folder_.replace_earlier(kStartFile);
      folder_.write_text("search.csv", quant::to_csv(search_.log(), "mac_energy_fj"));
      save();
    }
  }

  void report(const quant::SearchStep& step) const {
    say(o_.common,
        fmt::format("iteration {} ({} epochs): validation {:.2f} %, {:.2f} M MACs, {:.1f} nJ of MACs: {}\n{}",
                    step.iteration, step.epochs, 100 * step.accuracy, static_cast<double>(step.macs) * 1e-6,
                    step.price * 1e-6, step.event, widths_line(step)));
  }

  void finetune() {
    session_.finetune(annealing_, [this] {
      folder_.replace_earlier(kStartFile);
      save();
    });
  }

  json complexity() const {
    const double before = start_.run.value("passes_trained", 0.0);
    std::vector<quant::SearchStep> log = search_.log();
    quant::SearchStep tuning;  // fine-tuning is training under the final plan
    tuning.passes = o_.training.passes(data_, o_.finetune_epochs);
    tuning.plan = session_.trainer().plan();
    log.push_back(tuning);
    double passes = before;
    for (const quant::SearchStep& step : log) passes += step.passes;
    if (passes == 0) return nullptr;
    const model::Technology analytic = model::load_technology(analytic_technology);
    auto figure = [&](bool by_energy) {
      return quant::training_complexity(log, start_.network, 16, before, passes, by_energy ? &analytic : nullptr);
    };
    return {{"epochs", passes},
            {"epochs_before_quantization", before},
            {"by_macs", figure(false)},
            {"by_mac_energy", figure(true)},
            {"definition",
             "sum over iterations of epochs (passes over the training images) / MAC reduction, over as many epochs at "
             "16 bits unpruned; "
             "by_mac_energy weighs a MAC by " +
                 std::string(analytic_technology)}};
  }

  void finish() {
    quant::Trainer& trainer = session_.trainer();
    const double validation = trainer.validation_accuracy();
    const model::IntegerNetwork integers = trainer.integers();
    // The one look at the test images, by the referee, under the final plan.
    const quant::GoldenTest golden = trainer.golden_test(integers);
    const quant::Score& test = golden.score;
    const model::Plan& plan = trainer.plan();
    const double energy = quant::mac_energy_fj(trainer.network(), plan, technology_);
    const double full = quant::mac_energy_fj(start_.network, model::uniform_plan(start_.network, 16, 16), technology_);
    json history = json::array();
    for (const quant::SearchStep& step : search_.log()) history.push_back(quant::to_json(step));
    json epochs = json::array();
    for (const auto& epoch : annealing_.epochs()) epochs.push_back(to_json(epoch));
    std::int64_t weight_bits = 0;
    const std::vector<int> nodes = trainer.network().weight_layers();
    json layers = json::array();
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const model::LayerPlan& layer = plan.layers[i];
      const std::int64_t weights = static_cast<std::int64_t>(integers_weights(integers, layer.layer));
      weight_bits += weights * layer.weight_bits;
      layers.push_back({{"layer", layer.layer},
                        {"weight_bits", layer.weight_bits},
                        {"activation_bits", layer.activation_bits},
                        {"channels", layer.channels},
                        {"weights", weights},
                        {"macs", trainer.network().macs(nodes[i])}});
    }
    json summary = {{"network", start_.network.name()},
                    {"dataset", data_.name},
                    {"training", o_.rounding.identity()},
                    {"dataset_source", o_.training.source()},
                    {"method", o_.density.prune && o_.method == "ad" ? "ad+prune" : o_.method},
                    {"validation_accuracy", validation},
                    {"test_accuracy", test.accuracy()},
                    {"test_standard_error", test.standard_error()},
                    {"test_images", test.images},
                    {"fake_quantization", {{"codes_compared", golden.compared}, {"codes_equal", golden.equal}}},
                    {"parameters", trainer.network().total_parameters()},
                    {"weight_storage_bits", weight_bits},
                    {"macs", trainer.network().total_macs()},
                    {"mac_energy_fj", energy},
                    {"mac_energy_16_16_unpruned_fj", full},
                    {"mac_energy_reduction", full / energy},
                    {"mac_energy_technology", technology_.name},
                    {"mac_energy_status", model::to_string(technology_.status())},
                    {"layers", layers},
                    {"output_bits", plan.output_bits},
                    {"finetune", epochs},
                    {"activation_density_history", history},
                    {"training_complexity", complexity()}};
    for (const char* key : {"float_validation_accuracy", "float_test_accuracy", "float_test_standard_error"})
      if (start_.run.contains(key)) summary[key] = start_.run[key];
    folder_.replace_earlier(kStartFile);
    folder_.write_text("plan.yaml", model::to_text(plan));
    model::save(integers, folder_.file("integer.safetensors"));
    trainer.save(folder_.file("checkpoint.safetensors"), "");
    folder_.write("summary.json", summary);
    folder_.write_run("golden integers", identity_,
                      {{"network", start_.network.name()},
                       {"dataset", data_.name},
                       {"validation_accuracy", validation},
                       {"test_accuracy", test.accuracy()},
                       {"test_standard_error", test.standard_error()}});
    std::filesystem::remove(folder_.file(resume_file));
    print(o_.common, summary);
  }

  static std::size_t integers_weights(const model::IntegerNetwork& network, const std::string& layer) {
    for (const model::IntegerLayer& candidate : network.layers)
      if (candidate.name == layer) return candidate.weights.size();
    return 0;
  }

  // The line that the activation-density paper weighs epochs by.
  static constexpr const char* analytic_technology = "45nm-mac-memory";
  static constexpr const char* kStartFile = "float.safetensors";  // may lie in the folder, as what the run starts from

  const Options& o_;
  const Start& start_;
  const quant::TrainingData& data_;
  RunFolder& folder_;
  model::Technology technology_;
  Session session_;
  json identity_;
  quant::ActivationDensity search_;
  quant::Annealing annealing_;
};

}  // namespace

int quantize_verb(const std::vector<std::string>& arguments) {
  if (const std::string method = method_of(arguments); !method.empty()) {
    std::vector<std::string> known = {"uniform", "ad"};
    for (const quant::SearchMethod& search : quant::search_methods()) known.emplace_back(search.name);
    check_choice("method", method, known);
    if (quant::find_search_method(method) != nullptr) return search_quantize(arguments);
  }
  Options o;
  if (!read(arguments, o)) return 0;
  model::load_technology(o.technology).mac_fj("", 8, 8);  // refuses what prices no MACs before the work
  const Start start = find_start(o.network);
  o.rounding.check_start(o.network, !start.weights.empty());
  if (start.continues())
    throw std::invalid_argument(fmt::format(
        "--network {}: --method {} starts from a float network, a run folder of train; searches by measured "
        "costs go on from a quantized one",
        o.network, o.method));
  RunFolder folder(o.out, "quantize", arguments, o.common);
  const quant::TrainingData data = o.training.load();
  const json identity = identity_of(o, start.weights, data);
  if (folder.finished(o.training.resume, identity)) {
    print(o.common, read_json(folder.file("summary.json")));
    return 0;
  }
  folder.add_input("dataset", data);
  if (!start.weights.empty()) folder.add_input("start", start.weights);
  Quantization(o, identity, start, data, folder).run();
  return 0;
}

}  // namespace bitstrata::cli
