// SPDX-License-Identifier: Apache-2.0
#include "cli/train/search_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "quant/scores/score.h"

namespace bitstrata::cli {

using nlohmann::json;

namespace {

// "2-8", "2,4,8", "3-5,8": ascending widths.
std::vector<int> read_widths(const std::string& text) {
  const auto refuse = [&] [[noreturn]] {
    throw std::invalid_argument(
        fmt::format("--widths is '{}'; it is widths of 1 to 16 bits, ascending, such as 2-8 or 2,4,8", text));
  };
  std::vector<int> widths;
  const char *at = text.data(), *const end = text.data() + text.size();
  while (at < end) {
    int first = 0;
    auto [rest, error] = std::from_chars(at, end, first);
    int last = first;
    if (error == std::errc{} && rest < end && *rest == '-') {
      const auto range = std::from_chars(rest + 1, end, last);
      rest = range.ptr;
      error = range.ec;
    }
    if (error != std::errc{} || first < 1 || last < first || last > 16 || (rest < end && *rest != ',')) refuse();
    if (!widths.empty() && first <= widths.back()) refuse();
    for (int bits = first; bits <= last; ++bits) widths.push_back(bits);
    at = rest + 1;
    if (at == end) refuse();  // a comma at the end
  }
  if (widths.empty()) refuse();
  return widths;
}

constexpr int trial_images = 2048;  // that a plan is trained on to be judged

// A line each of a table of names.
template <typename Row>
std::string about(const std::vector<Row>& rows) {
  std::string text;
  for (const Row& row : rows) text += fmt::format("  {:<14} {}\n", row.name, row.what);
  return text;
}

template <typename Row>
std::vector<std::string> names_of(const std::vector<Row>& rows) {
  std::vector<std::string> names;
  for (const Row& row : rows) names.emplace_back(row.name);
  return names;
}

void refuse_unread(const po::variables_map& values, const SearchVerbOptions& o) {
  const auto refuse = [&](std::initializer_list<const char*> names, const char* belongs_to) {
    for (const char* name : names)
      if (values.count(name) != 0 && !values[name].defaulted())
        throw std::invalid_argument(fmt::format("--{} is without effect here; it belongs to {}", name, belongs_to));
  };
  if (o.method != "codesign") refuse({"settling", "candidates", "trials", "reach"}, "--method codesign");
  const bool phased = o.method == "codesign" || o.method == "greedy" || o.method == "fractional";
  if (!phased) refuse({"phases"}, "--method codesign, greedy or fractional");
  if (!phased && o.method != "density")
    refuse({"epochs", "search-images", "search-learning-rate"}, "--method codesign, greedy, fractional or density");
  if (o.method != "fractional") refuse({"steps"}, "--method fractional");
  const bool asks = o.method == "codesign" || o.method == "greedy" || o.method == "program";
  if (!asks && o.architectures.empty())
    refuse({"sensitivity"}, "--method codesign, greedy or program, and to --architectures");
  if (!o.cost_table.empty())
    refuse({"architecture", "architectures", "technology", "levels", "systemc-images", "rtl-images"},
           "the costs of an architecture, not of a --cost-table");
  if (o.architectures.empty()) refuse({"confirm"}, "--architectures");
  if (o.method != "random") refuse({"passes"}, "--method random");
  if (o.method != "codesign" && o.method != "program")
    refuse({"solver-seconds", "gap"}, "--method codesign or program");
  if (o.oracle.epochs == 0) refuse({"search-images", "search-learning-rate"}, "--epochs above 0");
  if (o.levels < 2) refuse({"minimum-channels"}, "--levels above 1");
  if (o.finetune_epochs == 0) refuse({"learning-rate"}, "--finetune-epochs");
  if (o.finetune_epochs == 0 && o.oracle.epochs == 0)
    refuse({"quantizer", "distill", "trials"}, "--epochs and --finetune-epochs");
}

}  // namespace

bool SearchVerbOptions::read(const std::vector<std::string>& arguments) {
  refuse_foreign(arguments, {"--weight-bits", "--activation-bits"},
                 "--method uniform; a search is told its widths to choose from by --widths, and those of the ends by "
                 "--first-bits, --last-bits and --output-bits");
  std::string allowed = "2-8";
  int first = 0, last = 0;
  const std::string sensitivities = fmt::format("what tells how single changes of a plan change the loss: {}",
                                                fmt::join(names_of(quant::scores()), ", "));
  po::options_description options("options");
  options.add_options()
      // clang-format off
      ("network", po::value(&network)->default_value(network),
       "run folder of `train` or `quantize` to start from, an ONNX file with its weights, or a built-in network to start untrained")
      ("method", po::value(&method)->required(), fmt::format("{}", fmt::join(names_of(quant::search_methods()), ", ")).c_str())
      ("architecture", po::value(&architecture)->default_value(architecture), "the array that costs are measured on")
      ("architectures", po::value(&architectures),
       "sweep file: choose the array, too, among its architectures; --architecture is then what shares are of")
      ("confirm", po::value(&confirm)->default_value(confirm),
       "pairs of array and plan of the least predicted loss whose real loss is taken, beside that of the array that is "
       "fastest for 8/8")
      ("cost-table", po::value(&cost_table),
       "latencies of another board by layer, weight and activation width, in HAQ's layout (.npy or .csv; bitstrata table "
       "writes such), in place of the architecture's")
      ("technology", po::value(&technology),
       "what prices energies; needed where one is limited. A gate-level one needs toggles: layers are run for them before "
       "the search, at all pairs of widths")
      ("limit", po::value(&limits)->composing(),
       "what a plan may cost, once for each of latency, energy, size and area: latency=0.6 (of uniform 8/8), latency=2.5ms, "
       "energy=40uJ, size=1.2MB; with --architectures area=1.1 (of --architecture's bits on chip)")
      ("widths", po::value(&allowed)->default_value(allowed), "of weights and activations, such as 2-8 or 2,4,8")
      ("first-bits", po::value(&first), "both widths of the first layer; default: as any other")
      ("last-bits", po::value(&last), "both widths of the last layer; default: as any other")
      ("output-bits", po::value(&output_bits)->default_value(output_bits), "of the network's outputs, 2 to 16")
      ("levels", po::value(&levels)->default_value(levels),
       "kept-channel counts to choose from in every group of channels, at the steps of its measured cost; 0: all "
       "channels stay")
      ("minimum-channels", po::value(&minimum_channels)->default_value(minimum_channels), "fewest of a group")
      ("phases", po::value(&search.phases)->default_value(search.phases),
       "the budget falls from the widest plan's costs to the limits in so many steps")
      ("settling", po::value(&search.settling)->default_value(search.settling),
       "further phases at the limits, at most: until the plan stands")
      ("candidates", po::value(&search.candidates)->default_value(search.candidates),
       "plans whose real loss is taken in a phase")
      ("trials", po::value(&search.trials)->default_value(search.trials),
       "of them, at the limits, where training goes on: trained for a short while, to choose by the loss behind it; 0: none")
      ("reach", po::value(&search.reach)->default_value(search.reach),
       "losses are measured up to so many values from each variable's present one")
      ("solver-seconds", po::value(&search.program.seconds)->default_value(search.program.seconds, "20"),
       "of an integer program's solver, at most; 0: bounds and neighbours only")
      ("gap", po::value(&search.program.gap)->default_value(search.program.gap, "0.001"),
       "of a program's solution to its bound that is good enough")
      ("steps", po::value(&search.steps)->default_value(search.steps),
       "fractional: of gradient descent in a phase, on 128 images each")
      ("passes", po::value(&search.passes)->default_value(search.passes, "0"),
       "random: images through the network that may be used; 0: 200 plans")
      ("loss-images", po::value(&oracle.images)->default_value(oracle.images),
       "that losses are taken on: validation images first, then training images")
      ("against", po::value(&against)->default_value(against),
       "labels (cross entropy), or teacher (divergence from the float network's answers, without labels)")
      ("sensitivity", po::value(&oracle.score)->default_value(oracle.score),
       sensitivities.c_str())
      ("epochs", po::value(&oracle.epochs)->default_value(oracle.epochs),
       "of training after every phase; 0: the weights stay as they are")
      ("search-images", po::value(&search_images)->default_value(search_images),
       "training images of one of these epochs; 0: all")
      ("search-learning-rate", po::value(&search_learning_rate)->default_value(search_learning_rate, "0.03"),
       "highest within these epochs")
      ("finetune-epochs", po::value(&finetune_epochs)->default_value(finetune_epochs),
       "epochs under the final plan; by validation the latest of the best is kept")
      ("learning-rate", po::value(&learning_rate)->default_value(learning_rate, "0.02"),
       "highest of fine-tuning; it falls to 0")
      ("calibration-images", po::value(&calibration_images)->default_value(calibration_images),
       "training images that activation ranges start from")
      ("systemc-images", po::value(&systemc_images)->default_value(systemc_images),
       "images that the SystemC model runs at the end, to compare with what was predicted; 0: none")
      ("rtl-images", po::value(&rtl_images)->default_value(rtl_images), "the same of the Verilated RTL")
      ("out", po::value(&out)->required(), "run folder to write");
  // clang-format on
  rounding.add(options);
  training.add(options);
  common.add(options);
  po::variables_map values;
  if (!parse(arguments, options,
             {"quantize --method M --limit L [--architecture A] [options] --out DIR",
              "Finds the plan of least loss that keeps the limits on this very array, by costs that are measured:\n" +
                  about(quant::search_methods()) + "Asked about single changes (--sensitivity):\n" +
                  about(quant::scores()) +
                  "Without training data of the network's own, --epochs 0 (the default) leaves the weights as they "
                  "are.\n"
                  "Writes DIR/plan.yaml, DIR/integer.safetensors, DIR/checkpoint.safetensors, DIR/search.csv (every\n"
                  "step), DIR/summary.json and DIR/run.json. Stopped, the same command with --resume goes on.",
              "quantize --network out/float --method codesign --limit latency=0.6 --levels 6 --epochs 1 "
              "--finetune-epochs 4 --out out/codesign"},
             values))
    return false;
  check_choice("method", method, names_of(quant::search_methods()));
  check_choice("sensitivity", oracle.score, names_of(quant::scores()));
  widths = read_widths(allowed);
  if (values.count("first-bits") != 0) first_bits = first;
  if (values.count("last-bits") != 0) last_bits = last;
  if (first_bits) check_range("first-bits", first, 1, 16);
  if (last_bits) check_range("last-bits", last, 1, 16);
  refuse_unread(values, *this);
  if (limits.empty()) throw std::invalid_argument("--limit is missing, such as --limit latency=0.6");
  check_range("confirm", confirm, 1, 1000);
  check_range("output-bits", output_bits, 2, 16);
  check_range("levels", levels, 0, 64);
  check_range("minimum-channels", minimum_channels, 1, 1e6);
  check_range("phases", search.phases, 1, 100);
  check_range("settling", search.settling, 0, 100);
  check_range("candidates", search.candidates, 1, 1000);
  check_range("trials", search.trials, 0, 1000);
  check_range("reach", search.reach, 1, 100);
  check_range("solver-seconds", search.program.seconds, 0, 1e5);
  check_range("gap", search.program.gap, 0, 1);
  check_range("steps", search.steps, 1, 1e6);
  check_range("passes", search.passes, 0, 1e12);
  check_range("loss-images", oracle.images, 1, 1e7);
  check_range("epochs", oracle.epochs, 0, 1000);
  check_range("search-images", static_cast<double>(search_images), 0, 1e9);
  check_range("search-learning-rate", search_learning_rate, 1e-8, 100);
  check_range("finetune-epochs", finetune_epochs, 0, 100000);
  check_range("learning-rate", learning_rate, 1e-8, 100);
  check_range("calibration-images", calibration_images, 1, 1e9);
  check_range("systemc-images", systemc_images, 0, 1e6);
  check_range("rtl-images", rtl_images, 0, 1e6);
  check_choice("against", against, {"labels", "teacher"});
  if (against == "teacher" && quant::find_score(oracle.score)->needs_labels)
    throw std::invalid_argument(
        fmt::format("--sensitivity {} takes gradients of the labels' loss and --against teacher goes without labels; "
                    "take kl or mse",
                    oracle.score));
  std::vector<quant::Limit> all;
  for (const std::string& limit : limits) {
    const quant::Limit& parsed = all.emplace_back(quant::parse_limit(limit));
    if (!cost_table.empty() && parsed.quantity == quant::Quantity::latency && !parsed.share)
      throw std::invalid_argument(
          fmt::format("--limit {}: a cost table's latencies have no unit; give a share of uniform 8/8", limit));
    if (!cost_table.empty() && parsed.quantity == quant::Quantity::energy)
      throw std::invalid_argument(fmt::format("--limit {}: a cost table has no energies", limit));
    if (parsed.quantity == quant::Quantity::energy && technology.empty())
      throw std::invalid_argument(fmt::format("--limit {} needs a --technology that prices energies", limit));
    if (parsed.quantity != quant::Quantity::area) continue;
    if (architectures.empty())
      throw std::invalid_argument(fmt::format("--limit {} needs --architectures to choose from", limit));
    area = parsed.value;
  }
  quant::check_single(all);
  oracle.teacher = against == "teacher";
  oracle.schedule.peak = search_learning_rate;
  oracle.schedule.final_ratio = 0.05;
  oracle.schedule.images = search_images;
  oracle.calibration_images = calibration_images;
  if (search.trials > 0 && (oracle.epochs > 0 || finetune_epochs > 0)) oracle.trial_images = trial_images;
  oracle.trial_rate = finetune_epochs > 0 ? learning_rate : search_learning_rate;
  rounding.check(values);
  quantize.quantizer = rounding.kind();
  training.check(values);
  common.check();
  search.seed = common.seed;
  return true;
}

json SearchVerbOptions::identity() const {
  json identity = {{"verb", "quantize"},
                   {"dataset", training.dataset},
                   {"method", method},
                   {"architecture", architecture},
                   {"architectures", architectures},
                   {"cost-table", cost_table},
                   {"area", area},
                   {"confirm", confirm},
                   {"technology", technology},
                   {"limits", limits},
                   {"widths", widths},
                   {"first-bits", first_bits.value_or(0)},
                   {"last-bits", last_bits.value_or(0)},
                   {"output-bits", output_bits},
                   {"levels", levels},
                   {"minimum-channels", minimum_channels},
                   {"phases", search.phases},
                   {"settling", search.settling},
                   {"candidates", search.candidates},
                   {"trials", search.trials},
                   {"reach", search.reach},
                   {"solver-seconds", search.program.seconds},
                   {"gap", search.program.gap},
                   {"steps", search.steps},
                   {"passes", search.passes},
                   {"loss-images", oracle.images},
                   {"against", against},
                   {"sensitivity", oracle.score},
                   {"epochs", oracle.epochs},
                   {"search-images", search_images},
                   {"search-learning-rate", search_learning_rate},
                   {"finetune-epochs", finetune_epochs},
                   {"learning-rate", learning_rate},
                   {"calibration-images", calibration_images},
                   {"systemc-images", systemc_images},
                   {"rtl-images", rtl_images},
                   {"batch", training.batch},
                   {"epoch-images", training.epoch_images},
                   {"augment", training.augmentation()},
                   {"seed", common.seed}};
  identity.update(rounding.identity());
  return identity;
}

}  // namespace bitstrata::cli
