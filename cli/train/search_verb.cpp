// SPDX-License-Identifier: Apache-2.0
// bitstrata quantize with a method that chooses by measured costs.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <memory>

#include "cli/train/arrays.h"
#include "cli/train/data_statistics.h"
#include "cli/train/measured.h"
#include "cli/train/search_options.h"
#include "cli/train/session.h"
#include "cli/train/start.h"
#include "model/architecture.h"
#include "model/digest.h"
#include "model/progress.h"
#include "quant/annealing.h"
#include "quant/scores/score.h"
#include "quant/search/channel_levels.h"
#include "quant/search/cost_table.h"
#include "quant/search/recorded_oracle.h"
#include "sim/plan_cost.h"
#include "sim/sweep.h"

namespace bitstrata::cli {

using nlohmann::json;

namespace {

quant::SearchSpace make_space(const SearchVerbOptions& o, const model::Network& network, model::PlanPrices& prices) {
  quant::SpaceOptions space;
  space.weight_bits = space.activation_bits = o.widths;
  space.first_bits = o.first_bits;
  space.last_bits = o.last_bits;
  space.output_bits = o.output_bits;
  if (o.levels > 1) space.levels = quant::channel_levels(network, prices, o.levels, o.minimum_channels);
  return {network, space};
}

// Without a technology no energy is known, and none is said.
json to_json(const quant::Costs& costs) {
  return {
      {"cycles", costs[0]}, {"energy_fj", costs[1] > 0 ? json(costs[1]) : json(nullptr)}, {"weight_bits", costs[2]}};
}

// "8 4 4": the values of all variables of a kind.
std::string values_of(const quant::SearchSpace& space, quant::Variable::Kind kind, const quant::Point& point) {
  std::string text;
  for (std::size_t v = 0; v < point.size(); ++v) {
    const quant::Variable& variable = space.variables()[v];
    if (variable.kind != kind) continue;
    if (!text.empty()) text += ' ';
    text += fmt::format("{}", variable.values[static_cast<std::size_t>(point[v])]);
  }
  return text;
}

class MeasuredSearch {
 public:
  MeasuredSearch(const SearchVerbOptions& options, const json& identity, const Start& start,
                 const quant::TrainingData& data, RunFolder& folder)
      : o_(options),
        identity_(identity),
        start_(start),
        data_(data),
        folder_(folder),
        architecture_(model::load_architecture(options.architecture)),
        session_(start.make_trainer(
                     data,
                     options.rounding.options(options.training.options(options.common, architecture_.accumulator_bits)),
                     options.quantize),
                 options.common),
        annealing_(options.finetune_epochs, finetune_schedule(options.learning_rate),
                   frozen_epochs(options.finetune_epochs), true, data.validation.count()) {
    if (!o_.technology.empty()) technology_ = model::load_technology(o_.technology);
    // Before the space is made: a quantize run's network may have fewer channels than it was built with.
    if (!start_.weights.empty() && !start_.imported) load_weights(session_.trainer(), start_.weights);
    network_ = session_.trainer().network();
    // Levels of channels lie where cycles fall as long as no plane is skipped: the rest is not known yet.
    std::unique_ptr<model::PlanPrices> prices;
    if (o_.cost_table.empty())
      prices = std::make_unique<sim::PlanCost>(network_, sim::without_skipping(architecture_));
    else
      prices = std::make_unique<quant::TablePrices>(o_.cost_table, network_);
    space_ = std::make_unique<quant::SearchSpace>(make_space(o_, network_, *prices));
    if (o_.levels > 1 && std::ranges::none_of(space_->variables(), [](const quant::Variable& variable) {
          return variable.kind == quant::Variable::Kind::channels;
        }))
      say(o_.common, fmt::format("all channels stay: no group has a smaller count of at least {} (--minimum-channels) "
                                 "that costs less",
                                 o_.minimum_channels));
  }

  void run() {
    // Limits that cannot be are told before the work, where prices need none.
    if (!statistics_needed()) find_limits(nullptr);
    prepare();
    if (statistics_) find_limits(&statistics_->of(architecture_));
    search();
    if (!found_.feasible) {
      end();
      throw std::invalid_argument(
          found_.others_keep
              ? fmt::format(
                    "'{}' comes to no plan that keeps {}, though there are some: it ends at {}; another --method "
                    "may find one",
                    o_.method, fmt::join(o_.limits, " and "), quant::to_text(found_.costs, allowed_, uniform_))
              : fmt::format("no plan keeps {}: the nearest that '{}' found takes {}", fmt::join(o_.limits, " and "),
                            o_.method, quant::to_text(found_.costs, allowed_, uniform_)));
    }
    finetune();
    finish();
  }

 private:
  model::Plan uniform_plan() const {
    model::Plan plan = model::uniform_plan(network_, 8, 8);
    plan.output_bits = o_.output_bits;
    return plan;
  }

  // Do prices depend on more than shapes? Only where the technology or an array asks for it.
  bool statistics_needed() const {
    const model::Technology* technology = technology_ ? &*technology_ : nullptr;
    bool needed = o_.cost_table.empty() && needs_data(architecture_, technology);
    if (!o_.architectures.empty())
      for (const model::Architecture& architecture : sim::load_sweep_architectures(o_.architectures))
        needed = needed || needs_data(architecture, technology);
    return needed;
  }

  void find_statistics() {
    if (!statistics_needed()) return;
    const StatisticsOptions options{.uniform = uniform_plan(),
                                    .technology = technology_ ? &*technology_ : nullptr,
                                    .calibration_images = o_.calibration_images};
    statistics_.emplace(session_.trainer(), data_, *space_, options, folder_.file(statistics_file), resumed_,
                        o_.common);
  }

  void find_limits(const sim::PlanStatistics* statistics) {
    make_costs(statistics);
    std::vector<quant::Limit> limits;
    for (const std::string& limit : o_.limits) limits.push_back(quant::parse_limit(limit));
    allowed_ = quant::resolve(limits, uniform_, architecture_.clock_mhz);
  }

  // Prices of the present architecture, and what uniform 8/8 costs by them.
  void make_costs(const sim::PlanStatistics* statistics) {
    std::unique_ptr<model::PlanPrices> prices;
    if (o_.cost_table.empty())
      prices =
          std::make_unique<sim::PlanCost>(network_, architecture_, technology_ ? &*technology_ : nullptr, statistics);
    else
      prices = std::make_unique<quant::TablePrices>(o_.cost_table, network_);
    costs_ = std::make_unique<quant::PlanCosts>(*space_, *prices);
    prices_ = std::move(prices);
    uniform_ = costs_->total(uniform_plan());
  }

  void prepare() {
    quant::Trainer& trainer = session_.trainer();
    const std::filesystem::path file = folder_.file(resume_file);
    if (const auto note = session_.resume(file, o_.training.resume, identity_)) {
      resumed_ = true;
      tuning_ = note->at("tuning");
      if (tuning_) annealing_.resume(note->at("annealing"));
      find_statistics();
      return;
    }
    trainer.quantize(space_->plan(space_->largest()));
    trainer.calibrate(o_.calibration_images, quant::calibration_batch);
    folder_.replace_earlier(start_file);
    std::filesystem::remove(folder_.file(statistics_file));
    find_statistics();
    save();
  }

  void save() {
    session_.save(folder_.file(resume_file), identity_, {{"tuning", tuning_}, {"annealing", annealing_.state()}});
  }

  std::filesystem::path state_file(int training) const {
    return folder_.file(fmt::format("search-{}.safetensors", training));
  }

  void search() {
    quant::Trainer& trainer = session_.trainer();
    quant::TrainingOracle oracle(trainer, data_, o_.oracle);
    oracle.on_epoch = [&](int epoch, int epochs) {
      session_.begin_epoch(fmt::format("training {}, epoch {}/{}", trained_ + 1, epoch, epochs));
    };
    quant::RecordedOracle recorded(oracle, folder_.file(journal), resumed_,
                                   {[&](int training) {
                                      trained_ = training;
                                      session_.end_epoch();
                                      trainer.save(state_file(training), "");
                                      // The journal does not say so yet: the state before it is still needed.
                                      if (training > 2) std::filesystem::remove(state_file(training - 2));
                                    },
                                    [&](int training) {
                                      trained_ = training;
                                      if (tuning_) return;  // the network is beyond the search
                                      trainer.load(state_file(training));
                                      oracle.refresh();
                                    }});
    if (!o_.architectures.empty()) choose(recorded);
    csv_ =
        "phase,event,cycles,energy_fj,weight_bits,predicted_loss_change,loss,forward_passes,weight_widths,"
        "activation_widths,channels\n";
    model::Progress progress(o_.method, o_.search.phases, o_.common.quiet);
    const double start = cpu_seconds();
    int phase = 0;
    found_ = quant::find_search_method(o_.method)->run(
        {*space_, *costs_, allowed_, recorded, o_.search, [&](const quant::SearchRecord& record) {
           if (record.phase > phase && record.phase <= o_.search.phases)
             progress.advance(record.phase - phase, record.event);
           phase = std::max(phase, record.phase);
           add(record);
         }});
    progress.finish();
    search_seconds_ = cpu_seconds() - start;
    passes_ = recorded.passes();
    trained_ = recorded.trained();
    if (!tuning_) oracle.settle(space_->plan(found_.point));
    loss_images_ = oracle.images();
    write_log();
  }

  // The array, too: from then on all costs are those of the one that was chosen.
  void choose(quant::LossOracle& oracle) {
    const ArraysOptions arrays{.architectures = sim::load_sweep_architectures(o_.architectures),
                               .technology = technology_ ? &*technology_ : nullptr,
                               .statistics = statistics_ ? &*statistics_ : nullptr,
                               .area_share = o_.area,
                               .confirmed = o_.confirm,
                               .program = {.seconds = 0, .gap = o_.search.program.gap}};
    const ArrayChoice choice = choose_array(*space_, architecture_, allowed_, oracle, arrays);
    folder_.write_text("arrays.csv", choice.csv);
    model::save(choice.architecture, folder_.file("architecture.yaml"));
    arrays_ = choice.report;
    say(o_.common, fmt::format("array '{}' of {}", choice.architecture.name, arrays.architectures.size()));
    // Latency is a time: cycles follow the clock.
    allowed_[0] *= choice.architecture.clock_mhz / architecture_.clock_mhz;
    architecture_ = choice.architecture;
    make_costs(statistics_ && needs_data(architecture_, arrays.technology) ? &statistics_->of(architecture_) : nullptr);
  }

  void add(const quant::SearchRecord& r) {
    csv_ += fmt::format("{},{},{:.0f},{},{:.0f},{:.6g},{:.6g},{:.0f},{},{},{}\n", r.phase, r.event, r.costs[0],
                        r.costs[1] > 0 ? fmt::format("{:.6g}", r.costs[1]) : "", r.costs[2], r.predicted, r.loss,
                        r.passes, values_of(*space_, quant::Variable::Kind::weights, r.point),
                        values_of(*space_, quant::Variable::Kind::tensor, r.point),
                        values_of(*space_, quant::Variable::Kind::channels, r.point));
    ++steps_;
    if (r.event == "candidate" || r.event == "pair" || r.event == "drawn" || r.event == "fell" || r.event == "trial")
      return;
    say(o_.common, fmt::format("phase {}: {}, loss {:.4f}, {}", r.phase, r.event, r.loss,
                               quant::to_text(r.costs, allowed_, uniform_)));
    write_log();
  }

  void write_log() { folder_.write_text("search.csv", csv_); }

  void finetune() {
    tuning_ = true;
    session_.finetune(annealing_, [this] { save(); });
  }

  void finish() {
    quant::Trainer& trainer = session_.trainer();
    const model::IntegerNetwork integers = trainer.integers();
    // The one look at the test images, by the referee, under the final plan.
    const quant::GoldenTest golden = trainer.golden_test(integers);
    const model::Plan plan = space_->plan(found_.point);
    json epochs = json::array();
    for (const auto& epoch : annealing_.epochs()) epochs.push_back(quant::to_json(epoch));
    summary_ = {{"network", network_.name()},
                {"dataset", data_.name},
                {"dataset_source", o_.training.source()},
                {"method", o_.method},
                {"sensitivity", o_.oracle.score},
                {"training", o_.rounding.identity()},
                {"architecture", o_.cost_table.empty() ? json(architecture_.name) : json(nullptr)},
                {"cost_table", o_.cost_table.empty() ? json(nullptr) : json(o_.cost_table)},
                {"technology", technology_ ? json(technology_->name) : json(nullptr)},
                {"limits", o_.limits},
                {"validation_accuracy", trainer.validation_accuracy()},
                {"test_accuracy", golden.score.accuracy()},
                {"test_standard_error", golden.score.standard_error()},
                {"test_images", golden.score.images},
                {"fake_quantization", {{"codes_compared", golden.compared}, {"codes_equal", golden.equal}}},
                {"search_loss", found_.loss},
                {"note", no_better_than_guessing()},
                {"search_loss_images", loss_images_},
                {"search_steps", steps_},
                {"forward_passes", passes_},
                {"cost_questions", costs_->asked()},
                {"cost_cpu_seconds", costs_->seconds()},
                {"search_cpu_seconds", search_seconds_},
                {"cost_share", costs_->seconds() / search_seconds_},
                {"resumed", resumed_},  // then questions and seconds are those since
                {"statistics", statistics_ ? statistics_->report() : json(nullptr)},
                {"arrays", arrays_},
                {"predicted", to_json(costs_->total(plan))},
                {"without_data", without_data(plan)},
                {"uniform_8_8", to_json(uniform_)},
                {"parameters", trainer.network().total_parameters()},
                {"macs", trainer.network().total_macs()},
                {"layers", quant::to_json(plan).at("layers")},
                {"output_bits", plan.output_bits},
                {"finetune", epochs}};
    for (const char* key : {"float_validation_accuracy", "float_test_accuracy", "float_test_standard_error"})
      if (start_.run.contains(key)) summary_[key] = start_.run[key];
    folder_.write_text("plan.yaml", model::to_text(plan));
    model::save(integers, folder_.file("integer.safetensors"));
    trainer.save(folder_.file("checkpoint.safetensors"), "");
    summary_["measured"] = nullptr;  // a table's board is not here
    if (o_.cost_table.empty()) {
      const MeasureOptions options{
          .folder = folder_.file(""),
          .architecture = o_.architectures.empty() ? o_.architecture : folder_.file("architecture.yaml").string(),
          .dataset = o_.training.dataset,
          .technology = o_.technology,
          .skips_planes = architecture_.skip_planes,
          .counts_toggles = technology_ && technology_->kind == model::TechnologyKind::gate_level,
          .systemc_images = o_.systemc_images,
          .rtl_images = o_.rtl_images,
          .seed = o_.common.seed};
      summary_["measured"] = measure(options, costs_->total(plan), allowed_);
    }
    folder_.write("summary.json", summary_);
    folder_.write_run("golden integers", identity_,
                      {{"network", network_.name()},
                       {"dataset", data_.name},
                       {"test_accuracy", golden.score.accuracy()},
                       {"test_standard_error", golden.score.standard_error()}});
    end();
    print_search(o_.common, summary_);
  }

  // A plan is handed over however it answers; where it is by chance, this is said.
  json no_better_than_guessing() {
    const double images = static_cast<double>(data_.validation.count());
    const double chance = 1.0 / static_cast<double>(network_.nodes().back().output.elements());
    const double found = session_.trainer().validation_accuracy();
    if (found > chance + 3 * std::sqrt(chance * (1 - chance) / images)) return nullptr;
    return fmt::format("{:.2f} % of the validation images are answered rightly, no more than by guessing: {}",
                       100 * found,
                       trained_ > 0 || o_.finetune_epochs > 0
                           ? "training may have diverged (try lower learning rates), or the limits are too tight"
                           : "the limits are too tight for weights that are not trained (try --epochs 1 and "
                             "--finetune-epochs)");
  }

  // What would be predicted from shapes alone, where data are looked at: energy from events without toggles, cycles as
  // if no plane were skipped.
  json without_data(const model::Plan& plan) const {
    if (!statistics_) return nullptr;
    sim::PlanCost costs(network_, sim::without_skipping(architecture_), technology_ ? &*technology_ : nullptr);
    const model::LayerPrice price = costs.total(plan);
    return {{"cycles", price.cycles}, {"energy_fj", technology_ ? json(price.energy_fj) : json(nullptr)}};
  }

  // Nothing is left to be resumed.
  void end() const {
    std::filesystem::remove(folder_.file(resume_file));
    std::filesystem::remove(folder_.file(journal));
    for (int training = 1; training <= trained_; ++training) std::filesystem::remove(state_file(training));
  }

  // May lie in the folder, as what the run starts from.
  static constexpr const char* start_file = "float.safetensors";
  static constexpr const char* journal = "search.journal";
  static constexpr const char* statistics_file = "statistics.json";

  const SearchVerbOptions& o_;
  const json& identity_;
  const Start& start_;
  const quant::TrainingData& data_;
  RunFolder& folder_;
  model::Architecture architecture_;
  std::optional<model::Technology> technology_;
  Session session_;
  quant::Annealing annealing_;
  model::Network network_;
  std::unique_ptr<model::PlanPrices> prices_;
  std::unique_ptr<quant::SearchSpace> space_;
  std::unique_ptr<quant::PlanCosts> costs_;
  std::optional<DataStatistics> statistics_;
  quant::Costs uniform_{}, allowed_{};
  quant::SearchResult found_;
  bool resumed_ = false, tuning_ = false;
  double passes_ = 0, search_seconds_ = 0;
  int trained_ = 0;  // times between questions
  int loss_images_ = 0, steps_ = 0;
  std::string csv_;
  json summary_, arrays_;
};

}  // namespace

int search_quantize(const std::vector<std::string>& arguments) {
  SearchVerbOptions o;
  if (!o.read(arguments)) return 0;
  const Start start = find_start(o.network);
  o.rounding.check_start(o.network, !start.weights.empty());
  if (o.rounding.distillation > 0) start.check_float("--distill", o.network);
  if (o.oracle.teacher) start.check_float("--against teacher", o.network);
  if (quant::find_score(o.oracle.score)->needs_teacher) start.check_float("--sensitivity " + o.oracle.score, o.network);
  start.check_out(o.out);
  RunFolder folder(o.out, "quantize", arguments, o.common);
  const quant::TrainingData data = o.training.load();
  json identity = o.identity();
  identity["start"] = std::filesystem::weakly_canonical(start.weights).string();
  identity["contents"] = contents_of(data, start.weights);
  json& contents = identity["contents"];
  contents["architecture"] = model::digest_of(model::parameters_of(model::load_architecture(o.architecture)).dump());
  if (!o.technology.empty()) contents["technology"] = model::load_technology(o.technology).digest;
  if (!o.architectures.empty()) contents["sweep"] = model::digest_of_file(o.architectures);
  if (!o.cost_table.empty()) contents["cost table"] = model::digest_of_file(o.cost_table);
  if (folder.finished(o.training.resume, identity)) {
    print_search(o.common, read_json(folder.file("summary.json")));
    return 0;
  }
  folder.add_input("dataset", data);
  if (!o.cost_table.empty()) folder.add_input("cost_table", o.cost_table);
  if (!start.weights.empty()) folder.add_input("start", start.weights);
  MeasuredSearch(o, identity, start, data, folder).run();
  return 0;
}

}  // namespace bitstrata::cli
