// SPDX-License-Identifier: Apache-2.0
// bitstrata report: run folders joined into one table, and as a page with pictures.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <stdexcept>

#include "cli/pictures.h"
#include "cli/report_html.h"
#include "cli/report_rows.h"
#include "cli/run_folder.h"
#include "cli/verbs.h"
#include "model/json_text.h"

namespace bitstrata::cli {

using nlohmann::json;

namespace {

// What scripts/plot_report.py reads.
json picture_data(const Report& report) {
  json data = {{"technologies", json::array()}, {"rows", json::array()}};
  for (const std::string& t : report.technologies) {
    data["technologies"].push_back({{"name", t}, {"status", report.status(t)}});
  }
  for (const ReportRow& row : report.rows) {
    json entry = {{"name", row.name}, {"network", row.network}, {"layers", row.layers}, {"energy_pj", json::object()}};
    if (row.accuracy) entry["accuracy"] = *row.accuracy;
    for (const std::string& t : report.technologies) {
      if (const auto energy = row.energy_pj(t)) entry["energy_pj"][t] = *energy;
    }
    data["rows"].push_back(entry);
  }
  return data;
}

std::string html(const Report& report, const Common& common) {
  std::map<std::string, std::string> pictures;
  std::string missing;
  try {
    pictures = draw_pictures(picture_data(report));
  } catch (const std::runtime_error& error) {
    // Numbers are worth having without pictures.
    missing = error.what();
    say(common, "no pictures: " + missing);
  }
  return report_html(report, pictures, missing);
}

std::string markdown(const Report& report) {
  std::string text = fmt::format(
      "# {}\n\n{}\n{}\nw: mean weight bits over weights; a: mean activation bits over MACs; less: {} over the row, for "
      "the same network.\n",
      report.title, quality_table(report).markdown(), cost_table(report).markdown(),
      report.rows.at(report.reference).name);
  if (report.batches()) text += "Cycles are those of a run; latency and energy are an image's.\n";
  for (const std::string& note : clock_notes(report)) text += note + "\n";
  for (const std::string& t : report.technologies) {
    text += fmt::format("Coefficients of {}: {}.\n", t, report.status(t));
  }
  return text;
}

struct Format {
  const char* name;
  const char* file;
  std::string (*write)(const Report&, const Common&);
};

constexpr Format formats[] = {
    {"html", "report.html", html},
    {"md", "report.md", [](const Report& report, const Common&) { return markdown(report); }},
    {"csv", "report.csv", [](const Report& report, const Common&) { return plain_table(report).csv(); }},
    {"svg", "", nullptr},  // the page's pictures, a file each
    {"json", "report.json",
     [](const Report& report, const Common&) { return model::json_text(to_json(report), 2) + "\n"; }},
};

}  // namespace

int report(const std::vector<std::string>& arguments) {
  std::vector<std::string> folders, wanted;
  std::string out, reference, title = "Bitstrata report";
  Common common;
  po::options_description options("options");
  options.add_options()
      // clang-format off
      ("runs", po::value(&folders)->composing(), "run folders of run, quantize, train and verify; the words may also stand alone")
      ("format", po::value(&wanted)->composing(), "html, md, csv, json or svg; may be repeated with --out; default: html")
      ("reference", po::value(&reference),
       "run that ratios are against; default: the first with 16 bits everywhere, else the first")
      ("title", po::value(&title)->default_value(title), "of the page")
      ("out", po::value(&out), "folder to write report.html (.md, .csv, .json, pictures) into; default: stdout");
  // clang-format on
  common.add(options);
  po::positional_options_description positional;
  positional.add("runs", -1);
  po::variables_map values;
  if (!parse(arguments, options,
             {"report DIR... [--format html|md|csv|json|svg] [--reference RUN] [--out DIR]",
              "Joins run folders into one table: accuracy, bits, parameters, MACs, cycles, latency and energy, and "
              "ratios.\n"
              "The HTML page stands alone, with pictures (Python and matplotlib) and the source of every coefficient.",
              "report out/lenet5-16-16 out/lenet5-4-4 --format html --out out/report"},
             values, positional)) {
    return 0;
  }
  common.check();
  std::vector<std::string> names;
  for (const Format& known : formats) names.emplace_back(known.name);
  if (wanted.empty()) wanted.emplace_back("html");
  for (const std::string& format : wanted) check_choice("format", format, names);
  if (wanted.size() > 1 && out.empty()) throw std::invalid_argument("several formats need a folder: --out");
  if (out.empty() && wanted.front() == "svg") throw std::invalid_argument("pictures need a folder: --out");
  if (folders.empty()) throw std::invalid_argument("no run folder is given; see --help");
  OutputFolder folder(out);
  const Report joined = make_report(folders, reference, title);
  for (const Format& known : formats) {
    if (std::ranges::find(wanted, known.name) == wanted.end()) continue;
    if (!known.write) {
      for (const auto& [name, svg] : draw_pictures(picture_data(joined))) folder.add(name + ".svg", svg);
      continue;
    }
    const std::string text = known.write(joined, common);
    folder.add(known.file, text);
    if (!folder.wanted() && !common.json) std::cout << text;
  }
  folder.publish();
  if (folder.wanted()) say(common, fmt::format("wrote the report into {}", out));
  // With --json the object is the result, whatever the files' formats are.
  if (common.json) std::cout << model::json_text(to_json(joined)) << "\n";
  return 0;
}

}  // namespace bitstrata::cli
