// SPDX-License-Identifier: Apache-2.0
#include "cli/train/verb.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "cli/train/build_info.h"
#include "model/digest.h"
#include "model/json_text.h"
#include "model/output_file.h"
#include "quant/tensor_file.h"
#include "quant/trainer.h"

namespace bitstrata::cli {

using nlohmann::json;

void add_dataset_option(po::options_description& options, std::string& dataset) {
  options.add_options()(
      "dataset", po::value(&dataset)->default_value(dataset),
      "fashion-mnist, a folder of IDX files, or a dataset.yaml (CIFAR-10 and -100, folders of PNG and "
      "JPEG images, .npy, raw; model/samples.h)");
}

namespace {

bool crops(const std::string& augment) { return augment.ends_with("crop"); }

}  // namespace

void Training::add(po::options_description& options) {
  add_dataset_option(options, dataset);
  options.add_options()
      // clang-format off
      ("batch", po::value(&batch)->default_value(batch), "images of a training step")
      ("epoch-images", po::value(&epoch_images)->default_value(epoch_images),
       "images of one epoch, drawn without repetition; 0: all")
      ("augment", po::value(&augment)->default_value(augment),
       "of training images: none, flip (mirror every second one at random), crop (shift each at random in a black "
       "border) or flip+crop; pays from about ten epochs on")
      ("crop-padding", po::value(&crop_padding)->default_value(crop_padding),
       "pixels of the border of --augment crop")
      ("resume", po::bool_switch(&resume), "go on where an interrupted run into --out stopped; a finished one is left as it is");
  // clang-format on
}

void Training::check(const po::variables_map& values) const {
  check_range("batch", batch, 8, 65536);
  check_range("epoch-images", static_cast<double>(epoch_images), 0, 1e9);
  check_choice("augment", augment, {"none", "flip", "crop", "flip+crop"});
  check_range("crop-padding", crop_padding, 1, 4096);
  if (!crops(augment) && values.count("crop-padding") != 0 && !values["crop-padding"].defaulted())
    throw std::invalid_argument("--crop-padding is without effect here; it belongs to --augment crop or flip+crop");
  if (epoch_images > 0 && epoch_images < batch)
    throw std::invalid_argument(
        fmt::format("--epoch-images is {}; it must hold at least one --batch of {}", epoch_images, batch));
}

void RoundingOptions::add(po::options_description& options) {
  options.add_options()
      // clang-format off
      ("quantizer", po::value(&quantizer)->default_value(quantizer),
       "steps while training: range (of the present weights and of what is seen), or lsq (learned beside the weights)")
      ("distill", po::value(&distillation)->default_value(distillation, "0"),
       "share, 0 to 1, of the loss that asks for the float network's answers instead of the labels")
      ("temperature", po::value(&temperature)->default_value(temperature, "2"),
       "--distill: logits are divided by it before both answers are compared");
  // clang-format on
}

void RoundingOptions::check(const po::variables_map& values) const {
  check_choice("quantizer", quantizer, {"range", "lsq"});
  check_range("distill", distillation, 0, 1);
  check_range("temperature", temperature, 0.1, 100);
  if (distillation == 0 && !values["temperature"].defaulted())
    throw std::invalid_argument("--temperature is without effect here; it belongs to --distill");
}

quant::Quantizer RoundingOptions::kind() const {
  return quantizer == "lsq" ? quant::Quantizer::learned_steps : quant::Quantizer::range;
}

quant::TrainOptions RoundingOptions::options(quant::TrainOptions base) const {
  base.distillation = distillation;
  base.temperature = temperature;
  return base;
}

void RoundingOptions::check_start(const std::string& network, bool trained) const {
  if (distillation > 0 && !trained)
    throw std::invalid_argument(
        fmt::format("--distill: '{}' is not trained; give --network a run folder of train, whose float network is "
                    "followed",
                    network));
}

std::string RoundingOptions::text() const {
  return distillation > 0
             ? fmt::format("quantizer {}, distillation {:g} at temperature {:g}", quantizer, distillation, temperature)
             : fmt::format("quantizer {}", quantizer);
}

json RoundingOptions::identity() const {
  return {{"quantizer", quantizer}, {"distill", distillation}, {"temperature", temperature}};
}

std::string Training::augmentation() const {
  return crops(augment) ? fmt::format("{} in a border of {}", augment, crop_padding) : augment;
}

quant::TrainOptions Training::options(const Common& common, int accumulator_bits) const {
  quant::TrainOptions options;
  options.accumulator_bits = accumulator_bits;
  options.batch = batch;
  options.epoch_images = epoch_images;
  options.flip = augment.starts_with("flip");
  options.crop_padding = crops(augment) ? crop_padding : 0;
  options.seed = common.seed;
  options.threads = common.threads;
  return options;
}

quant::TrainingData Training::load() const {
  quant::TrainingData data = load_data(dataset);
  if (data.validation.count() == 0)
    throw std::invalid_argument(
        fmt::format("data set '{}' has {} training images; one in 12 is set aside for validation, so at least 12 are "
                    "needed",
                    data.name, data.train.count()));
  quant::check_classes(data);
  return data;
}

std::string Training::source() const {
  if (dataset == "fashion-mnist") return dataset;
  return std::filesystem::absolute(dataset).lexically_normal().string();
}

double Training::passes(const quant::TrainingData& data, int epochs) const {
  const double all = data.train.count();
  return epochs * (epoch_images > 0 ? std::min(1.0, static_cast<double>(epoch_images) / all) : 1.0);
}

quant::TrainingData load_data(const std::string& name) {
  try {
    return model::names_description(name) ? quant::training_data(model::load_samples(name))
                                          : quant::training_data(model::load_dataset(name));
  } catch (const std::runtime_error& error) {
    throw std::invalid_argument(error.what());
  }
}

namespace {

std::string hash_of_examples(const quant::Examples& part) {
  std::vector<std::uint8_t> bytes = part.bytes;
  const auto append = [&bytes](const auto& numbers) {
    const auto* first = reinterpret_cast<const std::uint8_t*>(numbers.data());
    bytes.insert(bytes.end(), first, first + numbers.size() * sizeof(numbers[0]));
  };
  append(part.values);
  append(part.border);
  append(part.labels);
  return hash_of(bytes);
}

}  // namespace

json contents_of(const quant::TrainingData& dataset, const std::filesystem::path& start) {
  json contents = {{"program", build_info::code}};
  std::string images;
  for (const quant::Examples* part : {&dataset.train, &dataset.validation, &dataset.test})
    images += hash_of_examples(*part);
  contents["data set"] = model::digest_of(images);
  if (!start.empty()) contents["start"] = model::digest_of_file(start);
  return contents;
}

void check_same_options(const json& before, const json& now, const std::string& run) {
  for (const auto& [key, value] : now.items()) {
    if (key == "contents" || (before.contains(key) && before.at(key) == value)) continue;
    throw std::invalid_argument(fmt::format("--resume: the {} run had {} = {}, not {}; repeat its options", run, key,
                                            before.value(key, json()).dump(), value.dump()));
  }
}

std::string changed_content(const json& before, const json& now) {
  const json earlier = before.value("contents", json::object());
  for (const auto& [key, digest] : now.at("contents").items())
    if (earlier.value(key, "") != digest) return key;
  return "";
}

RunFolder::RunFolder(const std::filesystem::path& folder, const std::string& verb,
                     const std::vector<std::string>& arguments, const Common& common)
    : probe_(folder), folder_(folder), verb_(verb), common_(common), record_(verb, arguments, common) {
  record_.add_tool("libtorch", quant::libtorch_version());
}

void RunFolder::add_input(const std::string& name, const quant::TrainingData& dataset) {
  json description = {{"name", dataset.name}};
  auto add = [&](const char* key, const quant::Examples& part) {
    description[key] = {{"images", part.count()}, {"hash", hash_of_examples(part)}};
  };
  add("train", dataset.train);
  add("validation", dataset.validation);
  add("test", dataset.test);
  record_.add_input(name, description);
}

std::optional<json> RunFolder::finished(bool resume, const json& options) {
  replaced_ = resume;
  const bool complete = std::filesystem::exists(file("run.json"));
  const bool interrupted = std::filesystem::exists(file(resume_file));
  if (!resume) {
    if (complete || interrupted)
      say(common_, fmt::format("{}: replaces the {} run that is there", folder_.string(),
                               interrupted ? "interrupted" : "finished"));
    return std::nullopt;
  }
  if (!complete || interrupted) return std::nullopt;
  const json run = read_json(file("run.json"));
  const std::string verb = run.value("/command/1"_json_pointer, "");
  if (verb != verb_)
    throw std::invalid_argument(
        fmt::format("--resume: '{}' holds a finished run of {}, not of {}", folder_.string(), verb, verb_));
  const json before = run.value("options", json::object());
  check_same_options(before, options, "finished");
  if (const std::string changed = changed_content(before, options); !changed.empty()) {
    say(common_,
        fmt::format("{}: the {} is another one than the finished run's: beginning anew", folder_.string(), changed));
    replaced_ = false;
    return std::nullopt;
  }
  say(common_, fmt::format("{}: the run is finished; nothing to resume", folder_.string()));
  return run;
}

void RunFolder::replace_earlier(const std::string& keep) {
  if (replaced_) return;
  replaced_ = true;
  for (const char* name : {"run.json", "summary.json", "search.csv", "plan.yaml", "integer.safetensors",
                           "checkpoint.safetensors", "float.safetensors"})
    if (name != keep) std::filesystem::remove(file(name));
}

void RunFolder::write_run(const std::string& engine, const json& options, const json& results) const {
  json run = record_.to_json(engine);
  run["options"] = options;
  run.update(results);
  write("run.json", run);
}

void RunFolder::write(const std::string& name, const json& content) const {
  write_text(name, model::json_text(content, 2) + "\n");
}

void RunFolder::write_text(const std::string& name, const std::string& content) const {
  model::write_whole(file(name), content);
}

}  // namespace bitstrata::cli
