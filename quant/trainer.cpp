// SPDX-License-Identifier: Apache-2.0
#include "quant/trainer.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <numbers>
#include <numeric>
#include <optional>
#include <stdexcept>

#include "model/golden.h"
#include "quant/augmentation.h"
#include "quant/checkpoint.h"
#include "quant/export.h"
#include "quant/labelled.h"
#include "quant/price.h"
#include "quant/ranking.h"

namespace bitstrata::quant {

namespace {

using nlohmann::json;
using torch::Tensor;

constexpr const char* kFormat = "bitstrata-checkpoint-1";
constexpr int kObserveEvery = 4;            // batches between two looks at the tensors' ranges
constexpr double kRangeShare = 0.25;        // of a look in the moving average of ranges while training
constexpr int kCalibratedValues = 1 << 16;  // of a tensor and batch, where ranges are final
constexpr int kRankingImages = 2048;        // training images from which channels are ranked
constexpr int kStatisticsImages = 4096;     // training images that batch norm statistics are refreshed from
constexpr std::int64_t kStatisticsBatch = 256;
constexpr double kSmallestStep = 0.5;     // of a learned step behind one batch, to that before it: steps stay positive
constexpr int kEvaluationBatch = 250;     // double-precision convolutions unfold their input: keep it in the cache
constexpr std::int64_t kFirstLook = 256;  // training images that ranges come from where others are kept
constexpr std::int64_t kSmallestBatch = 8;  // a shorter rest of an epoch has no useful batch statistics

// A well-mixed seed from two numbers (splitmix64), so that neighbouring epochs are unrelated.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  std::uint64_t x = a * 0x9e3779b97f4a7c15U + b + 0x632be59bd9b4e019U;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

std::string words(const model::Shape& shape) {
  return std::to_string(shape.height) + "x" + std::to_string(shape.width) + "x" + std::to_string(shape.channels);
}

}  // namespace

double EpochSchedule::rate(double part_of_epoch) const {
  const double t = from + (to - from) * part_of_epoch;
  if (t < warmup) return peak * (0.05 + 0.95 * t / warmup);
  const double cosine = 0.5 * (1 + std::cos(std::numbers::pi * std::min(1.0, (t - warmup) / (1 - warmup))));
  return peak * (final_ratio + (1 - final_ratio) * cosine);
}

struct Trainer::Impl {
  Impl(Module module, const TrainingData& training_data, const TrainOptions& options, const QuantizeOptions& quantize)
      : base(module.network()),
        data(training_data),
        train_options(options),
        train(data.train),
        validation(data.validation),
        state{std::move(module), {}} {
    state.module.options = quantize;
    if (train.images.scalar_type() != torch::kUInt8 && train.images.numel() > 0)
      state.module.set_input_range(train.images.min().item<double>(), train.images.max().item<double>());
    for (const auto& [name, tensor] : state.module.parameters())
      state.momentum.push_back(torch::zeros_like(tensor.detach()));
    border = torch::zeros({1, train.images.size(1), 1, 1}, train.images.options());
    for (std::size_t c = 0; c < data.train.border.size(); ++c)
      border[0][static_cast<std::int64_t>(c)] = data.train.border[c];
  }

  // Training images as the options ask to change them.
  Tensor augmented(Tensor images, at::Generator& generator) const {
    if (train_options.flip) images = flipped(images, generator);
    if (train_options.crop_padding > 0) images = cropped(images, train_options.crop_padding, border, generator);
    return images;
  }

  // The images of epoch number `epoch`: consecutive parts of a shuffled pass over the training images.
  Tensor order(std::int64_t wanted) const {
    const std::int64_t all = train.labels.size(0);
    const std::int64_t count = wanted > 0 ? std::min(wanted, all) : all, parts = all / count;
    auto generator = at::detail::createCPUGenerator(mix(train_options.seed, static_cast<std::uint64_t>(epoch / parts)));
    return torch::randperm(all, generator, torch::kInt64).narrow(0, (epoch % parts) * count, count);
  }

  // Nesterov momentum by hand rather than torch::optim::SGD: its state has to be stored, restored and cut to the kept
  // channels, which torch keeps behind keys of tensor addresses.
  void descend(double rate) {
    const torch::NoGradGuard no_grad;
    const auto parameters = state.module.parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const auto& [name, parameter] = parameters[i];
      Tensor weight = parameter, gradient = weight.grad();
      if (!gradient.defined()) continue;  // a step that is not learned (yet)
      const Tensor least = is_step(name) ? weight * kSmallestStep : Tensor();
      if (weight.dim() > 1) gradient = gradient.add(weight, train_options.weight_decay);
      Tensor& momentum = state.momentum[i];
      momentum.mul_(train_options.momentum).add_(gradient);
      weight.sub_(gradient.add(momentum, train_options.momentum), rate);
      if (least.defined()) weight.copy_(torch::maximum(weight, least));
      weight.mutable_grad().zero_();
    }
    if (quantized) state.module.bound_steps();
  }

  // Ranges that are not known are taken from the first images, in one pass.
  void complete_ranges() {
    if (state.module.ranges_ready()) return;
    const torch::NoGradGuard no_grad;
    ForwardOptions forward;
    forward.quantized = true;
    forward.observed_values = kCalibratedValues;
    state.module.forward(train.images.narrow(0, 0, std::min<std::int64_t>(kFirstLook, train.images.size(0))), forward);
  }

  // Steps are learned from here on; what has not been seen yet, behind a change of width, is looked at first.
  void start_steps() {
    if (!quantized || state.module.options.quantizer != Quantizer::learned_steps) return;
    complete_ranges();
    state.module.start_steps();
  }

  // A step that `change` replaces has another scale, which its momentum does not know.
  template <typename Change>
  void changing_steps(const Change& change) {
    const auto before = state.module.parameters();
    change();
    const auto after = state.module.parameters();
    for (std::size_t i = 0; i < after.size(); ++i)
      if (!after[i].second.is_same(before[i].second)) state.momentum[i] = torch::zeros_like(after[i].second.detach());
  }

  // Mean over the batch, of what train_options says.
  Tensor loss_of(const Tensor& logits, const Tensor& labels, const Tensor& images) {
    const Tensor entropy = torch::cross_entropy_loss(logits, labels);
    if (!distills()) return entropy;
    const double share = train_options.distillation, temperature = train_options.temperature;
    const auto answer = [&](const Tensor& of) { return torch::log_softmax(of / temperature, 1); };
    Tensor wanted;
    {
      const torch::NoGradGuard no_grad;
      wanted = answer(teacher->forward(images, {}));
    }
    const Tensor divergence = (wanted.exp() * (wanted - answer(logits))).sum(1).mean();
    return (1 - share) * entropy + share * temperature * temperature * divergence;
  }

  bool distills() const { return quantized && teacher && train_options.distillation > 0; }

  // Running statistics as the mean over many batches of the present weights. The moving average lags behind quantized
  // weights, of which some change their code with every step; at few bits that costs points of accuracy.
  void refresh_statistics() {
    const torch::NoGradGuard no_grad;
    auto generator = at::detail::createCPUGenerator(mix(train_options.seed + 2, static_cast<std::uint64_t>(epoch)));
    const std::int64_t count = std::min<std::int64_t>(kStatisticsImages, train.labels.size(0));
    const Tensor chosen = torch::randperm(train.labels.size(0), generator, torch::kInt64).narrow(0, 0, count);
    ForwardOptions forward;
    forward.quantized = quantized;
    forward.batch_statistics = true;
    for (std::int64_t i = 0, batch = 1; i + kStatisticsBatch <= count; i += kStatisticsBatch, ++batch) {
      forward.norm_momentum = 1.0 / static_cast<double>(batch);
      state.module.forward(train.images.index_select(0, chosen.narrow(0, i, kStatisticsBatch)), forward);
    }
  }

  // Keeps the highest ranked channels of each group.
  void prune(const std::vector<int>& counts) {
    const std::int64_t images = std::min<std::int64_t>(kRankingImages, train.labels.size(0));
    const std::vector<Tensor> ranking = rank_channels(state.module, train.images.narrow(0, 0, images), quantized);
    state.module = state.module.with_channels(highest(ranking, counts), &state.momentum);
  }

  // Share of correct answers among the first `count` examples (0: all); quantized: of the golden integers.
  double accuracy(const Examples& part, std::int64_t count) {
    const torch::NoGradGuard no_grad;
    const std::int64_t images = count > 0 ? std::min<std::int64_t>(count, part.count()) : part.count();
    if (images == 0) return 0;
    if (quantized)
      return golden_score(export_integers(state.module, train_options.accumulator_bits), part, static_cast<int>(images),
                          train_options.threads)
          .accuracy();
    const Labelled labelled(part);
    std::int64_t correct = 0;
    for (std::int64_t i = 0; i < images; i += kEvaluationBatch) {
      const std::int64_t n = std::min<std::int64_t>(kEvaluationBatch, images - i);
      const Tensor logits = state.module.forward(labelled.images.narrow(0, i, n), {});
      correct += logits.argmax(1).eq(labelled.labels.narrow(0, i, n)).sum().item<std::int64_t>();
    }
    return static_cast<double>(correct) / static_cast<double>(images);
  }

  model::Network base;  // with all channels
  const TrainingData& data;
  TrainOptions train_options;
  Labelled train, validation;
  Tensor border;  // of cropped images, [1][channel][1][1]
  TrainingState state;
  std::optional<TrainingState> kept;
  std::optional<Module> teacher;  // with distillation: the float network that was quantized
  bool quantized = false;
  bool trained_quantized = false;  // what its float passes give is no measure any more
  std::int64_t epoch = 0;          // epochs trained since the beginning
};

void Trainer::check(const TrainingData& data) const {
  const model::Network& network = this->network();
  const model::Shape wanted = network.node(0).output;
  const int classes = static_cast<int>(network.nodes().back().output.elements());
  if (!(data.train.shape == wanted))
    throw std::invalid_argument("images of data set '" + data.name + "' are " + words(data.train.shape) +
                                ", the network '" + network.name() + "' reads " + words(wanted));
  if (data.classes != classes)
    throw std::invalid_argument("network '" + network.name() + "' has " + std::to_string(classes) +
                                " outputs, data set '" + data.name + "' has " + std::to_string(data.classes) +
                                " classes");
  const int padding = impl_->train_options.crop_padding, most = std::min(wanted.height, wanted.width) - 1;
  if (padding < 0 || padding > most)
    throw std::invalid_argument("random crops with a border of " + std::to_string(padding) + " pixels: images of " +
                                words(wanted) + " take at most " + std::to_string(most));
}

Trainer::Trainer(const model::Network& network, const TrainingData& data, const TrainOptions& train,
                 const QuantizeOptions& quantize) {
  torch::set_num_threads(train.threads);
  impl_ = std::make_unique<Impl>(Module(network, train.seed), data, train, quantize);
  check(data);
}

Trainer::Trainer(const model::FloatNetwork& network, const TrainingData& data, const TrainOptions& train,
                 const QuantizeOptions& quantize) {
  torch::set_num_threads(train.threads);
  impl_ = std::make_unique<Impl>(Module(network), data, train, quantize);
  check(data);
}

Trainer::~Trainer() = default;

const model::Network& Trainer::network() const { return impl_->state.module.network(); }
const model::Plan& Trainer::plan() const { return impl_->state.module.plan(); }
int Trainer::training_images() const { return static_cast<int>(impl_->train.labels.size(0)); }

bool Trainer::quantized() const { return impl_->quantized; }
bool Trainer::trained_quantized() const { return impl_->trained_quantized; }
Module& Trainer::module() { return impl_->state.module; }

EpochReport Trainer::train_epoch(const EpochSchedule& schedule) {
  Impl& own = *impl_;
  const auto start = std::chrono::steady_clock::now();
  const Tensor order = own.order(schedule.images > 0 ? schedule.images : own.train_options.epoch_images);
  auto generator =
      at::detail::createCPUGenerator(mix(own.train_options.seed + 1, static_cast<std::uint64_t>(own.epoch)));
  own.start_steps();
  own.state.module.settle_means();
  own.trained_quantized = own.quantized;
  DensityCount density;
  ForwardOptions forward;
  forward.quantized = own.quantized;
  forward.batch_statistics = !schedule.freeze_batch_norm;
  forward.density = &density;
  const std::int64_t batch = own.train_options.batch, images = order.size(0);
  const int batches = static_cast<int>((images + batch - 1) / batch);
  double loss_sum = 0;
  std::int64_t correct = 0, seen = 0;
  for (int i = 0; i < batches; ++i) {
    const std::int64_t n = std::min(batch, images - i * batch);
    if (n < kSmallestBatch && i > 0) break;
    const Tensor chosen = order.narrow(0, i * batch, n);
    const Tensor input = own.augmented(own.train.images.index_select(0, chosen), generator);
    const Tensor labels = own.train.labels.index_select(0, chosen);
    forward.observe = own.quantized && i % kObserveEvery == 0 ? kRangeShare : 0.0;
    const Tensor logits = own.state.module.forward(input, forward);
    const Tensor loss = own.loss_of(logits, labels, input);
    loss.backward();
    own.descend(schedule.rate(static_cast<double>(i) / batches));
    loss_sum += loss.item<double>() * static_cast<double>(n);
    correct += logits.detach().argmax(1).eq(labels).sum().item<std::int64_t>();
    seen += n;
    if (!std::isfinite(loss_sum)) throw Diverged("training diverged (the loss is not a number): lower --learning-rate");
    if (on_batch) on_batch(i + 1, batches, loss_sum / static_cast<double>(seen));
  }
  ++own.epoch;
  if (own.quantized && forward.batch_statistics) own.refresh_statistics();
  EpochReport report;
  report.loss = loss_sum / static_cast<double>(seen);
  report.train_accuracy = static_cast<double>(correct) / static_cast<double>(seen);
  const auto share = [&](int tensor) {
    const auto t = static_cast<std::size_t>(tensor);
    return static_cast<double>(density.nonzero[t]) / static_cast<double>(density.total[t]);
  };
  for (const Step& step : own.state.module.layout().steps) {
    if (step.stage < 0) continue;
    report.density.push_back(share(step.activated));
    report.input_density.push_back(share(step.input()));
  }
  report.passes = static_cast<double>(images) / static_cast<double>(own.train.labels.size(0));
  report.teacher_passes = own.distills() ? report.passes : 0;
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

double Trainer::validation_accuracy() { return impl_->accuracy(impl_->data.validation, 0); }

double Trainer::accuracy(Part part, int count) {
  const TrainingData& data = impl_->data;
  return impl_->accuracy(part == Part::test ? data.test : part == Part::train ? data.train : data.validation, count);
}

void Trainer::apply(const model::Plan& plan) {
  const ChannelGroups& groups = impl_->state.module.groups();
  const std::vector<int> counts = group_counts(groups, plan);
  bool fewer = false;
  for (std::size_t g = 0; g < counts.size(); ++g) fewer = fewer || counts[g] < groups.groups[g].size;
  model::Plan tied = plan;
  set_channels(groups, counts, tied);
  if (fewer) impl_->prune(counts);
  impl_->changing_steps([&] { impl_->state.module.set_plan(tied); });
}

void Trainer::keep() { impl_->kept = impl_->state.clone(); }

void Trainer::restore() {
  if (!impl_->kept) throw std::logic_error("there is no kept state to go back to");
  impl_->state = impl_->kept->clone();
}

void Trainer::aside(const std::function<void()>& work) {
  Impl& own = *impl_;
  TrainingState before = own.state.clone();
  const bool trained = own.trained_quantized;
  const std::int64_t epoch = own.epoch;
  const auto back = [&] {
    own.state = std::move(before);
    own.trained_quantized = trained;
    own.epoch = epoch;
  };
  try {
    work();
  } catch (...) {
    back();
    throw;
  }
  back();
}

void Trainer::quantize(const model::Plan& plan) {
  if (impl_->train_options.distillation > 0 && !impl_->quantized) impl_->teacher = impl_->state.clone().module;
  apply(plan);
  impl_->quantized = true;
}

void Trainer::calibrate(int images, int batch_images) {
  const torch::NoGradGuard no_grad;
  Impl& own = *impl_;
  own.changing_steps([&] { own.state.module.forget_ranges(); });
  const std::int64_t count = std::min<std::int64_t>(images, own.train.labels.size(0));
  auto generator = at::detail::createCPUGenerator(mix(own.train_options.seed, 0x63616c));
  const Tensor order = torch::randperm(own.train.labels.size(0), generator, torch::kInt64).narrow(0, 0, count);
  const bool closely = batch_images > 0;
  const std::int64_t size = closely ? batch_images : own.train_options.batch;
  const auto pass = [&](ForwardOptions forward) {
    for (std::int64_t i = 0, batch = 1; i < count; i += size, ++batch) {
      const double share = 1.0 / static_cast<double>(batch);  // the mean over the batches
      if (forward.quantized) forward.observe = share;
      forward.means_share = share;
      const Tensor chosen = order.narrow(0, i, std::min<std::int64_t>(size, count - i));
      own.state.module.forward(own.train.images.index_select(0, chosen), forward);
    }
  };
  if (closely && !own.trained_quantized && !own.state.module.has_means()) pass({.means = Means::take});
  ForwardOptions quantized;
  quantized.quantized = true;
  if (closely) quantized.observed_values = kCalibratedValues, quantized.means = Means::match;
  pass(quantized);
}

void Trainer::complete_ranges() { impl_->complete_ranges(); }

GoldenTest Trainer::golden_test(const model::IntegerNetwork& integers) {
  const torch::NoGradGuard no_grad;
  const Examples& images = impl_->data.test;
  const Labelled part(images);
  std::atomic<std::int64_t> correct = 0, compared = 0, equal = 0;
  for (int first = 0; first < images.count(); first += kEvaluationBatch) {
    const int n = std::min(kEvaluationBatch, images.count() - first);
    std::vector<Tensor> codes;
    ForwardOptions forward;
    forward.quantized = true;
    forward.codes = &codes;
    impl_->state.module.forward(part.images.narrow(0, first, n), forward);
    for (Tensor& tensor : codes) tensor = tensor.permute({0, 2, 3, 1}).to(torch::kInt32).contiguous();  // as golden's
    at::parallel_for(0, n, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const int image = first + static_cast<int>(i);
        const auto golden = model::run_all(integers, encode(integers.tensors.at(0), images, image));
        correct += model::argmax(golden.back()) == images.labels[static_cast<std::size_t>(image)];
        // Joinings of many tensors make further ones, which come behind those of the module.
        for (std::size_t t = 1; t < codes.size(); ++t) {
          const auto size = static_cast<std::int64_t>(golden[t].size());
          const std::int32_t* mine = codes.at(t).data_ptr<std::int32_t>() + i * size;
          compared += size;
          equal += std::transform_reduce(golden[t].begin(), golden[t].end(), mine, std::int64_t{0}, std::plus<>(),
                                         std::equal_to<>());
        }
      }
    });
  }
  return {{images.count(), static_cast<int>(correct)}, compared, equal};
}

model::IntegerNetwork Trainer::integers() const {
  return export_integers(impl_->state.module, impl_->train_options.accumulator_bits);
}

void Trainer::save(const std::filesystem::path& file, const std::string& note) const {
  TensorFile content;
  content.metadata = {{"format", kFormat},
                      {"network", impl_->base.name()},
                      {"quantized", impl_->quantized ? "yes" : "no"},
                      {"trained_quantized", impl_->trained_quantized ? "yes" : "no"},
                      {"epoch", std::to_string(impl_->epoch)},
                      {"note", note}};
  put_state(content, "model.", impl_->state);
  if (impl_->kept) put_state(content, "kept.", *impl_->kept);
  if (impl_->teacher) put_state(content, "teacher.", {*impl_->teacher, {}});
  quant::save(content, file);
}

namespace {

TensorFile load_checkpoint(const std::filesystem::path& file) {
  TensorFile content = load_tensor_file(file);
  if (content.metadata["format"] != kFormat)
    throw std::runtime_error(file.string() + " is no checkpoint of this program (format '" +
                             content.metadata["format"] + "')");
  return content;
}

template <typename Action>
void naming(const std::filesystem::path& file, const Action& action) {
  try {
    action();
  } catch (const std::exception& error) {
    throw std::runtime_error(file.string() + " does not fit: " + error.what());
  }
}

}  // namespace

std::string Trainer::load(const std::filesystem::path& file) {
  TensorFile content = load_checkpoint(file);
  naming(file, [&] {
    Impl& own = *impl_;
    const QuantizeOptions options = own.state.module.options;
    own.state = take_state(content, "model.", own.base, options, false);
    own.kept.reset();
    if (content.metadata.contains("kept.plan")) own.kept = take_state(content, "kept.", own.base, options, false);
    own.teacher.reset();
    if (content.metadata.contains("teacher.plan"))
      own.teacher = take_state(content, "teacher.", own.base, options, true).module;
    own.quantized = content.metadata.at("quantized") == "yes";
    own.trained_quantized = content.metadata["trained_quantized"] == "yes";
    if (own.quantized && !own.teacher && own.train_options.distillation > 0)
      throw std::runtime_error("it holds no float network to distil from");
    own.epoch = std::stoll(content.metadata.at("epoch"));
  });
  return content.metadata["note"];
}

void Trainer::load_weights(const std::filesystem::path& file) {
  const TensorFile content = load_checkpoint(file);
  naming(file, [&] { impl_->state = take_state(content, "model.", impl_->base, impl_->state.module.options, true); });
  const auto trained = content.metadata.find("trained_quantized");
  impl_->trained_quantized = trained != content.metadata.end() && trained->second == "yes";
}

CheckpointHead read_head(const std::filesystem::path& file) {
  TensorFile content = load_checkpoint(file);
  return {content.metadata["network"], content.metadata["quantized"] == "yes",
          content.metadata["trained_quantized"] == "yes", content.metadata["note"]};
}

std::string libtorch_version() { return TORCH_VERSION; }

}  // namespace bitstrata::quant
