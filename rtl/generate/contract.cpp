// SPDX-License-Identifier: Apache-2.0
#include "rtl/generate/contract.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "rtl/generate/descriptor.h"
#include "rtl/generate/registers.h"

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
      counts.push_back(
          fmt::format("!(place == 6'd{} && value[{} +: {}] == {}'d0)", field.word, field.low, field.bits, field.bits));
    if (field.rule == Rule::beat)
      beats.push_back(fmt::format("!(place == 6'd{} && value[{} +: size] != {{size{{1'b0}}}})", field.word, field.low));
  }
  text +=
      "`ifndef BS_COUNT_GOOD\n// Of the word `value` at `place`: no loop may be empty and no command without beats, "
      "units count up to these.\n";
  text += fmt::format("`define BS_COUNT_GOOD(place, value) \\\n  ({})\n", fmt::join(counts, " \\\n   && "));
  text += "// The low `size` bits of all that must be multiples of a beat's bytes.\n";
  text += fmt::format("`define BS_BEAT_GOOD(place, value, size) \\\n  ({})\n`endif\n", fmt::join(beats, " \\\n   && "));
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

std::string registers_svh() {
  std::string text =
      "// SPDX-License-Identifier: Apache-2.0\n"
      "// Written by scripts/contract from rtl/generate/registers.h: change that. Words of the control registers.\n"
      "// Meanings: docs/registers.md.\n"
      "/* verilator lint_off UNUSEDPARAM */\n";
  text += fmt::format("localparam [31:0] VERSION = 32'h{:08X};\n", interface_version);
  for (const RegisterInfo& r : control_registers)
    text += fmt::format("localparam [5:0] R_{} = 6'd{};\n", r.name, r.offset / 4);
  return text + "/* verilator lint_on UNUSEDPARAM */\n";
}

std::string register_rows() {
  std::string rows;
  for (const RegisterInfo& r : control_registers)
    rows +=
        fmt::format("{}| {:#04x} | {} | {} | {} |", rows.empty() ? "" : "\n", r.offset, r.name, r.access, r.meaning);
  return rows;
}

std::string registers_page() {
  return "<!-- Written by scripts/contract from rtl/generate/registers.h: change that. -->\n"
         "# Control registers\n\n"
         "32 bits each, on the AXI4-Lite port. WSTRB chooses bytes, protection is ignored. Addresses that are not "
         "listed read\n"
         "0, and writes to them do nothing. Event counters are numbered in the order of `model/events.h`.\n\n"
         "| address | name | access | meaning |\n|---|---|---|---|\n" +
         register_rows() + "\n";
}

std::string c_header(std::uint32_t configuration) {
  std::string text =
      "/* SPDX-License-Identifier: Apache-2.0 */\n"
      "/* Registers and descriptor fields of this accelerator. A field of `words`, the 64 words of a descriptor:\n"
      "   (words[BITSTRATA_K_TILES_WORD] >> BITSTRATA_K_TILES_LOW) & BITSTRATA_K_TILES_MASK */\n"
      "#ifndef BITSTRATA_H\n#define BITSTRATA_H\n\n";
  text += fmt::format("#define BITSTRATA_VERSION 0x{:08x}u\n", interface_version);
  text += fmt::format("#define BITSTRATA_CONFIGURATION 0x{:08x}u\n\n", configuration);
  for (const RegisterInfo& r : control_registers)
    text += fmt::format("#define BITSTRATA_REG_{} 0x{:02x}u /* {}: {} */\n", r.name, r.offset, r.access, r.meaning);
  text += fmt::format("\n#define BITSTRATA_DESCRIPTOR_WORDS {}u\n#define BITSTRATA_DESCRIPTOR_STRIDE {}u\n",
                      descriptor_words, descriptor_stride);
  text += fmt::format("#define BITSTRATA_DESCRIPTOR_MAGIC 0x{:x}u\n", descriptor_magic);
  for (const FieldInfo& field : descriptor_fields)
    text += fmt::format(
        "/* {}{} */\n#define BITSTRATA_{}_WORD {}u\n#define BITSTRATA_{}_LOW {}u\n#define BITSTRATA_{}_MASK 0x{:x}u\n",
        field.meaning, field.is_signed ? ", signed" : "", field.name, field.word, field.name, field.low, field.name,
        field.mask());
  for (const Value& opcode : opcodes)
    text += fmt::format("#define BITSTRATA_OP_{} {}u /* {} */\n", opcode.name, opcode.value, opcode.meaning);
  return text + "\n#endif\n";
}

}  // namespace bitstrata::generate
