// SPDX-License-Identifier: Apache-2.0
#include "cli/report_html.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "cli/train/build_info.h"

namespace bitstrata::cli {

using nlohmann::json;

namespace {

constexpr const char* style = R"(
  :root { --ink: #262c36; --soft: #667080; --line: #e1e5ea; --tint: #f5f7f9; --accent: #3b6ea5; }
  * { box-sizing: border-box; }
  body { margin: 0; color: var(--ink); background: #fff; font: 15px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
  main { max-width: 1240px; margin: 0 auto; padding: 32px 28px 64px; }
  h1 { font-size: 26px; margin: 0 0 4px; }
  h2 { font-size: 18px; margin: 40px 0 10px; padding-bottom: 6px; border-bottom: 2px solid var(--line); }
  h3 { font-size: 15px; margin: 22px 0 6px; }
  p, ul { margin: 6px 0; }
  .soft { color: var(--soft); font-size: 13px; }
  .scroll { overflow-x: auto; }
  table { border-collapse: collapse; font-size: 13px; margin: 8px 0; font-variant-numeric: tabular-nums; }
  th { text-align: right; vertical-align: bottom; font-weight: 600; color: var(--soft); border-bottom: 2px solid var(--line); padding: 6px 10px; }
  td { text-align: right; border-bottom: 1px solid var(--line); padding: 5px 10px; white-space: nowrap; }
  td.word, th.word { text-align: left; }
  td.wrap { white-space: normal; max-width: 420px; }
  tr.reference td { background: var(--tint); }
  tbody tr:hover td { background: #eef3f8; }
  .badge { display: inline-block; border-radius: 9px; padding: 0 8px; font-size: 12px; border: 1px solid; }
  .recalled { color: #9a4a00; border-color: #e7b98a; background: #fff6ec; }
  .cited { color: #2c5a8c; border-color: #a9c4df; background: #f0f6fc; }
  .fitted { color: #5b3f8c; border-color: #c3b3df; background: #f5f1fc; }
  .measured { color: #2c6b45; border-color: #a3cfb4; background: #eff9f2; }
  .figures { display: flex; flex-wrap: wrap; gap: 8px 24px; }
  figure { margin: 10px 0 14px; flex: 0 1 auto; max-width: 100%; }
  figure svg { max-width: 100%; height: auto; display: block; }
  figcaption { color: var(--soft); font-size: 13px; }
  details { margin: 6px 0; border: 1px solid var(--line); border-radius: 6px; padding: 6px 12px; }
  summary { cursor: pointer; font-weight: 600; }
  code { background: var(--tint); padding: 1px 5px; border-radius: 4px; font-size: 12.5px; }
)";

std::string escape(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string badge(const std::string& status) {
  return fmt::format("<span class=\"badge {0}\">{0}</span>", escape(status));
}

// The first `left` columns are words. `marked`: index of the row set off, or -1.
std::string html_table(const Table& table, int marked = -1) {
  const auto cells = [&](const std::vector<std::string>& row, const char* tag) {
    std::string text;
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += fmt::format("<{0}{1}>{2}</{0}>", tag, i < table.left() ? " class=\"word\"" : "", escape(row[i]));
    }
    return text;
  };
  std::string text =
      "<div class=\"scroll\"><table><thead><tr>" + cells(table.header(), "th") + "</tr></thead><tbody>\n";
  int index = 0;
  for (const auto& row : table.rows()) {
    text += fmt::format("<tr{}>{}</tr>\n", index++ == marked ? " class=\"reference\"" : "", cells(row, "td"));
  }
  return text + "</tbody></table></div>\n";
}

std::string number_at(const json& layer, const char* key) {
  return layer.contains(key) && layer[key].is_number() ? short_number(layer[key].get<double>()) : "";
}

std::string count_at(const json& layer, const char* key) {
  return layer.contains(key) && layer[key].is_number() ? grouped(layer[key].get<std::int64_t>()) : "";
}

std::string layer_table(const ReportRow& row) {
  std::vector<std::string> technologies;
  for (const auto& [name, entry] : row.energy.items()) {
    if (std::ranges::any_of(row.layers, [](const json& layer) { return layer.contains("energy_pj"); }))
      technologies.push_back(name);
  }
  std::vector<std::string> header = {"layer",         "kind",           "w (bits)",       "a (bits)",
                                     "channels",      "macs",           "cycles",         "compute (cycles)",
                                     "load (cycles)", "store (cycles)", "stall (cycles)", "utilization",
                                     "latency (µs)"};
  for (const std::string& t : technologies) header.push_back(fmt::format("energy (pJ) {}", t));
  Table table(header, 2);
  for (const json& layer : row.layers) {
    const json events = layer.value("events", json::object());
    std::vector<std::string> cells = {layer.value("layer", ""),         layer.value("kind", ""),
                                      count_at(layer, "weight_bits"),   count_at(layer, "activation_bits"),
                                      count_at(layer, "channels"),      count_at(layer, "macs"),
                                      count_at(events, "cycles"),       count_at(events, "compute_cycles"),
                                      count_at(events, "load_cycles"),  count_at(events, "store_cycles"),
                                      count_at(events, "stall_cycles"), number_at(layer, "utilization"),
                                      number_at(layer, "latency_us")};
    const json energy = layer.value("energy_pj", json::object());  // without the layers that nothing prices
    for (const std::string& t : technologies) cells.push_back(number_at(energy, t.c_str()));
    table.add(cells);
  }
  return html_table(table);
}

std::string figure(const std::map<std::string, std::string>& pictures, const std::string& name,
                   const std::string& caption) {
  const auto found = pictures.find(name);
  if (found == pictures.end()) return "";
  return fmt::format("<figure>{}<figcaption>{}</figcaption></figure>\n", found->second, escape(caption));
}

std::string picture_section(const Report& report, const std::map<std::string, std::string>& pictures,
                            const std::string& missing) {
  if (!missing.empty()) return fmt::format("<p class=\"soft\">No pictures: {}</p>\n", escape(missing));
  std::string text = "<div class=\"figures\">\n";
  for (const std::string& t : report.technologies) {
    text += figure(pictures, fmt::format("trade-{}", t),
                   fmt::format("Accuracy over the energy of an image, {} ({}).", t, report.status(t)));
  }
  std::vector<std::string> networks;  // numbered as the script numbers them
  for (const ReportRow& row : report.rows) {
    if (std::find(networks.begin(), networks.end(), row.network) == networks.end()) networks.push_back(row.network);
  }
  for (std::size_t i = 0; i < networks.size(); ++i) {
    const std::string suffix = fmt::format("-{}", i);
    std::string figures = figure(pictures, fmt::format("bits{}", suffix),
                                 "Bits per layer: weights, and paler beside them the activations the layer reads.");
    figures += figure(pictures, fmt::format("latency{}", suffix),
                      "Latency per layer: cycles over the slower of the clock asked for and the one that gates reach.");
    for (const std::string& t : report.technologies) {
      figures += figure(pictures, fmt::format("energy{}-{}", suffix, t),
                        fmt::format("Energy per layer of one image, {}; coefficients {}.", t, report.status(t)));
    }
    if (networks.size() > 1 && !figures.empty()) {
      text += fmt::format("</div>\n<h3>{}</h3>\n<div class=\"figures\">\n", escape(networks[i]));
    }
    text += figures;
  }
  return text + "</div>\n";
}

// Every coefficient once; a technology that only came as a total says so.
std::string technology_section(const Report& report) {
  std::string text;
  for (const std::string& name : report.technologies) {
    json entry;
    for (const ReportRow& row : report.rows) {
      if (row.energy.contains(name) && (entry.is_null() || !entry.contains("coefficients"))) entry = row.energy[name];
    }
    text += fmt::format("<h3>{} {}</h3>\n<p>{}</p>\n", escape(name), badge(report.status(name)),
                        escape(entry.value("title", "")));
    if (!entry.contains("coefficients")) {
      text += "<p class=\"soft\">The run folders hold the total only.</p>\n";
      continue;
    }
    if (entry.contains("priced_layers")) {
      const json covered = entry.value("parts", json::object());
      std::string parts;
      for (const auto& [part, energy] : covered.items()) {
        parts += fmt::format("{}{}", parts.empty() ? "" : ", ", escape(part));
      }
      text += fmt::format("<p>Totals cover {} of {} of {} layers; what is not covered is absent, not zero.</p>\n",
                          parts, entry["priced_layers"].get<int>(), entry["layers"].get<int>());
    }
    text += "<ul>\n";
    for (const json& rule : entry["rules"]) text += fmt::format("<li>{}</li>\n", escape(rule.get<std::string>()));
    text +=
        "</ul>\n<div class=\"scroll\"><table><thead><tr><th class=\"word\">coefficient</th><th>value</th>"
        "<th class=\"word\">unit</th><th class=\"word\">status</th><th class=\"word\">source</th>"
        "<th class=\"word\">conditions</th></tr></thead><tbody>\n";
    for (const json& c : entry["coefficients"]) {
      text += fmt::format(
          "<tr><td class=\"word\">{}</td><td>{:g}</td><td class=\"word\">{}</td><td class=\"word\">{}</td>"
          "<td class=\"word wrap\">{}</td><td class=\"word wrap\">{}</td></tr>\n",
          escape(c.at("name")), c.at("value").get<double>(), escape(c.at("unit")), badge(c.at("status")),
          escape(c.at("source")), escape(c.at("conditions")));
    }
    text += "</tbody></table></div>\n";
  }
  return text;
}

std::string check_section(const Report& report) {
  std::string text;
  for (const ReportRow& row : report.rows) {
    if (row.checks.is_null()) continue;
    const json& c = row.checks;
    const auto count = [&](const char* what, const char* of) { return grouped(c.at(what).at(of).get<std::int64_t>()); };
    text += fmt::format("<li><b>{}</b> ({} on {}): {}: {} values and {} events compared, {} and {} different</li>\n",
                        escape(row.name), escape(row.network), escape(row.architecture),
                        c.at("passed").get<bool>() ? "equal" : "NOT EQUAL", count("values", "compared"),
                        count("events", "compared"), count("values", "different"), count("events", "different"));
  }
  if (text.empty()) return text;
  return fmt::format("<h2>Checks of the engines against each other</h2>\n<ul>\n{}</ul>\n", text);
}

std::string provenance_section(const Report& report) {
  std::string text =
      "<div class=\"scroll\"><table><thead><tr><th class=\"word\">run</th><th class=\"word\">command</th>"
      "<th class=\"word\">version</th><th class=\"word\">commit</th><th>seed</th><th class=\"word\">date</th>"
      "<th>time (s)</th></tr></thead><tbody>\n";
  for (const ReportRow& row : report.rows) {
    std::string command;
    for (const json& word : row.run.value("command", json::array())) {
      command += fmt::format("{}{}", command.empty() ? "" : " ", word.get<std::string>());
    }
    text += fmt::format(
        "<tr><td class=\"word\">{}</td><td class=\"word wrap\"><code>{}</code></td><td class=\"word\">{}</td>"
        "<td class=\"word\">{}</td><td>{}</td><td class=\"word\">{}</td><td>{:.2f}</td></tr>\n",
        escape(row.name), escape(command), escape(row.run.value("version", "")), escape(row.run.value("commit", "")),
        row.run.value("seed", std::uint64_t{0}), escape(row.run.value("date", "")), row.run.value("wall_time_s", 0.0));
  }
  return text + "</tbody></table></div>\n";
}

}  // namespace

std::string report_html(const Report& report, const std::map<std::string, std::string>& pictures,
                        const std::string& missing) {
  const ReportRow& reference = report.rows.at(report.reference);
  int marked = -1, shown = 0;
  for (std::size_t i = 0; i < report.rows.size(); ++i) {
    if (!report.rows[i].checks.is_null()) continue;
    if (i == report.reference) marked = shown;
    ++shown;
  }
  std::string page = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\">\n<title>{0}</title>\n<style>{1}</style>\n"
      "</head>\n<body>\n<main>\n<h1>{0}</h1>\n<p class=\"soft\">Bitstrata {2} ({3}), {4} runs</p>\n",
      escape(report.title), style, build_info::version, build_info::commit, report.rows.size());
  if (shown > 0) {
    page += fmt::format("<h2>Runs</h2>\n{}", html_table(quality_table(report), marked));
    page += html_table(cost_table(report), marked);
    page += fmt::format(
        "<p class=\"soft\">w: mean weight bits over weights; a: mean activation bits over MACs; weights: weight bits "
        "stored / 8000; parameters of measured runs: after batch norm is folded; energy and latency are of one image; "
        "&ldquo;less&rdquo; is {} (set off) over the row, for the "
        "same network. ",
        escape(reference.name));
    if (report.batches()) page += "Cycles are those of a run, which may have several images. ";
    for (const std::string& note : clock_notes(report)) page += escape(note) + " ";
    page +=
        "Accuracy is that of the test images, with its standard error where the whole test set was used. Empty: "
        "the run folder does not say.</p>\n";
  }
  page += check_section(report);
  page += fmt::format("<h2>Pictures</h2>\n{}<h2>Layers</h2>\n", picture_section(report, pictures, missing));
  for (const ReportRow& row : report.rows) {
    if (row.layers.empty()) continue;
    page +=
        fmt::format("<details><summary>{}{}</summary>\n{}</details>\n", escape(row.name),
                    row.batch > 1 ? fmt::format(" (cycles: of a run of {} images)", row.batch) : "", layer_table(row));
  }
  if (!report.technologies.empty()) {
    page += fmt::format("<h2>Where the energies come from</h2>\n{}", technology_section(report));
  }
  page += fmt::format("<h2>How the runs were made</h2>\n{}", provenance_section(report));
  return page + "</main>\n</body>\n</html>\n";
}

}  // namespace bitstrata::cli
