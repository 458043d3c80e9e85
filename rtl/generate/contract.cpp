// SPDX-License-Identifier: Apache-2.0
#include "rtl/generate/contract.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "rtl/generate/descriptor.h"

namespace bitstrata::generate {

namespace {

struct Value {
  const char* name;
  int value;
  const char* meaning;
};

constexpr Value opcodes[] = {
#define X(name, value, meaning) {#name, value, meaning},
    BITSTRATA_OPCODES(X)
#undef X
};
constexpr Value activations[] = {
#define X(name, value, meaning) {#name, value, meaning},
    BITSTRATA_ACTIVATIONS(X)
#undef X
};

std::string range_of(const FieldInfo& field) {
  if (field.bits == 1) return "flag";
  if (field.rule == Rule::beat) return "beats";
  if (field.bits == 32) return "32 bits";
  return fmt::format("{} to {}", field.least(), field.most());
}

}  // namespace

std::string descriptor_svh() {
  std::string text =
      "// SPDX-License-Identifier: Apache-2.0\n"
      "// Written by scripts/contract from rtl/generate/descriptor_fields.h: change that. Fields of a layer's "
      "descriptor:\n"
      "// F_NAME is the place of its lowest bit, B_NAME its bits. Meanings: docs/descriptor.md.\n"
      "/* verilator lint_off UNUSEDPARAM */\n";
  text += fmt::format("localparam DESC_WORDS = {};\n", descriptor_words);
  text += fmt::format("localparam DESC_STRIDE = {};  // bytes from one descriptor to the next\n", descriptor_stride);
  text += fmt::format("localparam DESC_MAGIC = 16'h{:X};\n", descriptor_magic);
  for (const FieldInfo& field : descriptor_fields) {
    text += fmt::format("localparam F_{} = {};\n", field.name, field.word * 32 + field.low);
    if (field.bits > 1) text += fmt::format("localparam B_{} = {};\n", field.name, field.bits);
  }
  for (const Value& opcode : opcodes)
    text += fmt::format("localparam OP_{} = 8'd{};  // {}\n", opcode.name, opcode.value, opcode.meaning);
  for (const Value& activation : activations)
    text += fmt::format("localparam ACT_{} = 2'd{};  // {}\n", activation.name, activation.value, activation.meaning);
  text += "/* verilator lint_on UNUSEDPARAM */\n\n";
  std::vector<std::string> counts, beats;
  for (const FieldInfo& field : descriptor_fields) {
    if (field.rule == Rule::count)
      counts.push_back(fmt::format("desc[F_{} +: B_{}] != {}'d0", field.name, field.name, field.bits));
    if (field.rule == Rule::beat) beats.push_back(fmt::format("desc[F_{} +: size]", field.name));
  }
  text += "`ifndef BS_COUNTS_GOOD\n// No loop may be empty and no command without beats: units count up to these.\n";
  text += fmt::format("`define BS_COUNTS_GOOD(desc) \\\n  ({})\n", fmt::join(counts, " \\\n   && "));
  text += "// The low `size` bits of all that must be multiples of a beat's bytes.\n";
  text += fmt::format("`define BS_BEATS(desc, size) \\\n  ({})\n`endif\n", fmt::join(beats, " \\\n   | "));
  return text;
}

std::string descriptor_page() {
  std::string text =
      "<!-- Written by scripts/contract from rtl/generate/descriptor_fields.h: change that. -->\n"
      "# A layer's descriptor\n\n";
  text += fmt::format(
      "What the accelerator does is a list of descriptors in memory, {} bytes apart, of {} little-endian words of 32\n"
      "bits each; the last of them says so. Where tensors, weights and parameters lie, and in which order the units "
      "walk\n"
      "them: [architecture.md](architecture.md). Bits that no field has are 0. A descriptor whose magic number is "
      "wrong,\n"
      "which asks for more bits or another operator than the accelerator was built for, one of whose counts is 0 "
      "(their\n"
      "ranges begin with 1), or with an address or stride that is no multiple of a beat's bytes (*beats*) ends the "
      "run\n"
      "with error 1. *Values* are pixels times channels: a bit of every plane.\n\n",
      descriptor_stride, descriptor_words);
  text += "| word | bits | field | range | meaning |\n|---:|---:|---|---|---|\n";
  for (const FieldInfo& field : descriptor_fields) {
    const std::string bits =
        field.bits == 1 ? fmt::format("{}", field.low) : fmt::format("{}:{}", field.low + field.bits - 1, field.low);
    text += fmt::format("| {} | {} | {} | {} | {} |\n", field.word, bits, field.name, range_of(field), field.meaning);
  }
  text += "\n| opcode | | what it does |\n|---:|---|---|\n";
  for (const Value& opcode : opcodes)
    text += fmt::format("| {} | {} | {} |\n", opcode.value, opcode.name, opcode.meaning);
  text += "\n| activation | | |\n|---:|---|---|\n";
  for (const Value& a : activations) text += fmt::format("| {} | {} | {} |\n", a.value, a.name, a.meaning);
  return text;
}

}  // namespace bitstrata::generate
