// SPDX-License-Identifier: Apache-2.0
// Float models with one attribute changed, in ONNX Runtime and here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <string>
#include <vector>

#include "tests/onnx_runtime/foreign.h"

namespace bitstrata::testing {

struct Mutant {
  std::string model, op, attribute, change;
  std::filesystem::path file;
  std::vector<Array> inputs;
};

enum class Verdict {
  equal,    // both run it, and the values agree within the rounding of floats
  noted,    // values or sides differ, and a note of the import says so
  refused,  // by us alone
  both_refuse,
  foreign_only,  // refused by ONNX Runtime alone
  differs        // a wrong number without a word
};

struct Judgement {
  Mutant mutant;
  Verdict verdict = Verdict::equal;
  std::string reason;  // of the refusal or note, or how the values differ
};

// The models of the tests as they are and with every change of for_each_variant, or one of `every` of them drawn by
// `seed`; written into `folder`.
std::vector<Mutant> float_mutants(const std::filesystem::path& folder, std::uint64_t every, std::uint64_t seed);

std::vector<Judgement> judge(const ForeignRuntime& runtime, const std::filesystem::path& folder,
                             std::vector<Mutant> mutants);

// What differs, the refusals by reason, and a sum.
void print(const std::vector<Judgement>& judgements, std::ostream& out);
// A row for every operator and attribute.
void write_csv(const std::vector<Judgement>& judgements, std::ostream& out);
// A table of them, then refusals and notes by reason with an example of each.
void write_markdown(const std::vector<Judgement>& judgements, std::ostream& out);

}  // namespace bitstrata::testing
