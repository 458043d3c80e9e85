// SPDX-License-Identifier: Apache-2.0
// Comparisons as lines, tables, and a judgement.
#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "tests/onnx_runtime/comparison.h"

namespace bitstrata::testing {
namespace {

std::string words(const Difference& d) { return fmt::format("{} of {} (by {})", d.different, d.compared, d.largest); }

struct Sum {
  std::string form;
  std::int64_t files = 0, refused = 0;
  Difference reference, file, golden;

  void add(const Comparison& c) {
    ++files;
    refused += c.refused.empty() ? 0 : 1;
    add(reference, c.reference);
    add(file, c.file);
    add(golden, c.golden);
  }
  static void add(Difference& sum, const Difference& more) {
    sum.compared += more.compared;
    sum.different += more.different;
    sum.largest = std::max(sum.largest, more.largest);
  }
};

std::string cell(const Difference& d) {
  if (d.compared == 0) return "";
  if (d.different == 0) return fmt::format("0 of {}", d.compared);
  return fmt::format("{} of {} ({:.2f} %), by {}", d.different, d.compared,
                     100.0 * static_cast<double>(d.different) / static_cast<double>(d.compared), d.largest);
}

}  // namespace

void print(const std::vector<Comparison>& comparisons, std::ostream& out) {
  Sum sum;
  for (const Comparison& c : comparisons) {
    out << fmt::format("{}: {}; weights {}; activations {}; {}: reference {}", c.name, c.form, c.weights, c.activations,
                       c.operators, words(c.reference));
    if (!c.refused.empty()) {
      out << fmt::format(", {} {}\n", c.owed ? "rightly refused:" : "REFUSED:", c.refused);
    } else {
      out << fmt::format(", as the file says {}, golden {}\n", words(c.file), words(c.golden));
    }
    sum.add(c);
  }
  out << fmt::format("{} files, {} refused; codes different: reference {}, as the file says {}, golden {}\n", sum.files,
                     sum.refused, words(sum.reference), words(sum.file), words(sum.golden));
}

void write_csv(const std::vector<Comparison>& comparisons, std::ostream& out) {
  out << "file,form,weights,activations,operators";
  for (const char* who : {"reference", "file", "golden"})
    out << fmt::format(",{0}_codes,{0}_different,{0}_largest", who);
  out << ",refused\n";
  for (const Comparison& c : comparisons) {
    out << fmt::format("{},\"{}\",{},\"{}\",{}", c.name, c.form, c.weights, c.activations, c.operators);
    for (const Difference* d : {&c.reference, &c.file, &c.golden})
      out << fmt::format(",{},{},{}", d->compared, d->different, d->largest);
    out << "," << (c.refused.empty() ? "" : c.owed ? "rightly" : "not expected") << "\n";
  }
}

void write_markdown(const std::vector<Comparison>& comparisons, std::ostream& out) {
  std::vector<Sum> sums;
  for (const Comparison& c : comparisons) {
    auto found = std::ranges::find(sums, c.form, &Sum::form);
    if (found == sums.end()) found = sums.insert(sums.end(), {c.form});
    found->add(c);
  }
  out << "| files | count | refused | reference | as the file says | golden |\n|---|---:|---:|---:|---:|---:|\n";
  for (const Sum& sum : sums) {
    out << fmt::format("| {} | {} | {} | {} | {} | {} |\n", sum.form, sum.files, sum.refused, cell(sum.reference),
                       cell(sum.file), cell(sum.golden));
  }
  out << "\n| drawn graph | weights | activations | operators | reference | as the file says | golden |\n"
         "|---|---|---|---|---:|---:|---:|\n";
  for (const Comparison& c : comparisons) {
    if (!c.form.starts_with("drawn")) continue;
    out << fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n", c.name, c.weights, c.activations, c.operators,
                       cell(c.reference), c.refused.empty() ? cell(c.file) : "refused", cell(c.golden));
  }
}

bool within_bounds(const std::vector<Comparison>& comparisons, std::ostream& out) {
  bool good = true;
  const auto complain = [&](const std::string& who, const std::string& what) {
    out << fmt::format("{}: {}\n", who, what);
    good = false;
  };
  // Where sums of floats depend on their order, a value next to the middle between two codes may fall on either side:
  // few of all codes, by one.
  Sum all, free;
  for (const Comparison& c : comparisons) {
    if (!c.refused.empty() && !c.owed) complain(c.name, c.refused);
    all.add(c);
    for (const auto& [who, d] : {std::pair{"reference", c.reference}, {"as the file says", c.file}}) {
      if (d.largest > (c.exact ? c.apart : 1)) complain(fmt::format("{}, {}", c.name, who), words(d));
    }
    if (!c.exact) {
      Sum::add(free.reference, c.reference);
      Sum::add(free.file, c.file);
    }
    if (!c.golden_too) continue;
    if (c.golden.largest > 1) complain(c.name + ", golden", words(c.golden));
    Sum::add(free.golden, c.golden);
  }
  for (const auto& [who, d] : {std::pair{"reference", free.reference},
                               {"as the file says", free.file},
                               {"golden of exported convolutions", free.golden}}) {
    if (d.compared == 0 || static_cast<double>(d.different) > 0.002 * static_cast<double>(d.compared))
      complain(who, words(d));
  }
  for (const Difference* d : {&all.reference, &all.file, &all.golden})
    if (d->compared == 0) complain("sum", "nothing was compared");
  return good;
}

}  // namespace bitstrata::testing
