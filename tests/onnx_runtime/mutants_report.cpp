// SPDX-License-Identifier: Apache-2.0
// Judgements of mutants as lines and tables.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <ostream>
#include <regex>

#include "tests/onnx_runtime/mutants.h"

namespace bitstrata::testing {
namespace {

constexpr std::array headings = {"equal", "noted", "refused by us", "refused by both", "refused by ONNX Runtime",
                                 "differ"};
using Counts = std::array<int, headings.size()>;

int sum(const Counts& counts) {
  int all = 0;
  for (const int count : counts) all += count;
  return all;
}

std::string words(const Mutant& m) { return fmt::format("{}, {}.{} {}", m.model, m.op, m.attribute, m.change); }

std::map<std::pair<std::string, std::string>, Counts> by_attribute(const std::vector<Judgement>& judgements) {
  std::map<std::pair<std::string, std::string>, Counts> rows;
  for (const Judgement& judged : judgements)
    ++rows[{judged.mutant.op, judged.mutant.attribute}].at(static_cast<std::size_t>(judged.verdict));
  return rows;
}

struct Reason {
  int count = 0;
  std::string example, words;
};

// Without the names of nodes and numbers, which differ from mutant to mutant.
std::vector<Reason> by_reason(const std::vector<Judgement>& judgements, Verdict verdict) {
  static const std::regex names("'[^']*'"), numbers("-?[0-9]+(x[0-9]+)*");
  std::map<std::string, Reason> reasons;
  for (const Judgement& judged : judgements) {
    if (judged.verdict != verdict) continue;
    const std::string text = std::regex_replace(std::regex_replace(judged.reason, names, "NAME"), numbers, "N");
    Reason& reason = reasons[text];
    if (reason.count++ == 0) reason = {1, words(judged.mutant), judged.reason};
  }
  std::vector<Reason> sorted;
  for (auto& [text, reason] : reasons) sorted.push_back(std::move(reason));
  std::ranges::stable_sort(sorted, std::greater(), &Reason::count);
  return sorted;
}

Counts sums(const std::vector<Judgement>& judgements) {
  Counts counts{};
  for (const Judgement& judged : judgements) ++counts.at(static_cast<std::size_t>(judged.verdict));
  return counts;
}

}  // namespace

void print(const std::vector<Judgement>& judgements, std::ostream& out) {
  for (const Judgement& judged : judgements) {
    if (judged.verdict == Verdict::differs)
      out << fmt::format("DIFFERS: {} ({}): {}\n", words(judged.mutant), judged.mutant.file.string(), judged.reason);
  }
  for (const Verdict verdict : {Verdict::refused, Verdict::noted}) {
    for (const Reason& reason : by_reason(judgements, verdict))
      out << fmt::format("{} {}: {} ({})\n", reason.count, headings.at(static_cast<std::size_t>(verdict)), reason.words,
                         reason.example);
  }
  const Counts counts = sums(judgements);
  out << fmt::format("{} mutants", sum(counts));
  for (std::size_t i = 0; i < counts.size(); ++i) out << fmt::format(", {} {}", counts[i], headings[i]);
  out << "\n";
}

void write_csv(const std::vector<Judgement>& judgements, std::ostream& out) {
  out << "operator,attribute,mutants,equal,noted,refused_by_us,refused_by_both,refused_by_onnx_runtime,differ\n";
  for (const auto& [what, counts] : by_attribute(judgements)) {
    out << fmt::format("{},{},{}", what.first, what.second, sum(counts));
    for (const int count : counts) out << fmt::format(",{}", count);
    out << "\n";
  }
}

void write_markdown(const std::vector<Judgement>& judgements, std::ostream& out) {
  out << "| operator | attribute | mutants |";
  for (const char* heading : headings) out << fmt::format(" {} |", heading);
  out << "\n|---|---|---:|---:|---:|---:|---:|---:|---:|\n";
  const auto row = [&](const std::string& op, const std::string& attribute, const Counts& counts) {
    out << fmt::format("| {} | {} | {} |", op, attribute, sum(counts));
    for (const int count : counts) out << (count == 0 ? std::string(" |") : fmt::format(" {} |", count));
    out << "\n";
  };
  for (const auto& [what, counts] : by_attribute(judgements)) row(what.first, what.second, counts);
  row("all", "", sums(judgements));
  for (const auto& [verdict, title] : {std::pair(Verdict::refused, "refused by us alone"),
                                       {Verdict::noted, "differs, and a note says so"},
                                       {Verdict::differs, "differs"},
                                       {Verdict::foreign_only, "refused by ONNX Runtime alone"}}) {
    out << fmt::format("\n| {} | count | example |\n|---|---:|---|\n", title);
    for (const Reason& reason : by_reason(judgements, verdict))
      out << fmt::format("| {} | {} | {} |\n", reason.words, reason.count, reason.example);
  }
}

}  // namespace bitstrata::testing
