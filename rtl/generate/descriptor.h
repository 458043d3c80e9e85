// SPDX-License-Identifier: Apache-2.0
// A layer descriptor as the accelerator reads it: 64 little-endian 32-bit words, and its fields by name. What they
// mean: descriptor_fields.h; describe.cpp fills them in; memory layout and schedule behind them: docs/architecture.md.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "rtl/generate/descriptor_fields.h"

namespace bitstrata::generate {

enum Field : int {
#define X(name, ...) F_##name,
  BITSTRATA_DESCRIPTOR_FIELDS(X)
#undef X
};

enum class Rule { any, count, beat };

struct FieldInfo {
  std::string_view name;
  int word, low, bits;
  bool is_signed;
  Rule rule;
  std::string_view meaning;

  constexpr std::int64_t least() const {
    return is_signed ? -(std::int64_t{1} << (bits - 1)) : rule == Rule::count ? 1 : 0;
  }
  constexpr std::int64_t most() const { return (std::int64_t{1} << (is_signed ? bits - 1 : bits)) - 1; }
  constexpr std::uint32_t mask() const { return bits == 32 ? ~std::uint32_t{0} : (std::uint32_t{1} << bits) - 1; }
};

inline constexpr std::array descriptor_fields = {
#define X(name, word, low, bits, is_signed, rule, meaning) \
  FieldInfo{#name, word, low, bits, (is_signed) != 0, Rule::rule, meaning},
    BITSTRATA_DESCRIPTOR_FIELDS(X)
#undef X
};

constexpr const FieldInfo& info(Field field) { return descriptor_fields[static_cast<std::size_t>(field)]; }

inline constexpr int descriptor_words = 64;
inline constexpr std::uint32_t descriptor_magic = 0xB175;
inline constexpr std::uint32_t descriptor_stride = 256;  // bytes
enum Opcode : std::uint32_t {
#define X(name, value, meaning) OP_##name = value,
  BITSTRATA_OPCODES(X)
#undef X
};

class Descriptor {
 public:
  // The field's value: std::uint32_t of 32 bits, bool of one, else int.
  template <Field field>
  constexpr auto get() const {
    constexpr FieldInfo of = info(field);
    const std::uint32_t value = words[of.word] >> of.low & of.mask();
    if constexpr (of.bits == 32)
      return value;
    else if constexpr (of.is_signed)
      return static_cast<int>(value << (32 - of.bits)) >> (32 - of.bits);
    else if constexpr (of.bits == 1)
      return value != 0;
    else
      return static_cast<int>(value);
  }
  std::int64_t get(Field field) const;
  // Throws std::invalid_argument where the field cannot hold the value.
  void set(Field field, std::int64_t value);
  // Moves an address on, around behind 32 bits as the hardware does.
  void advance(Field address, std::uint32_t bytes) { words[static_cast<std::size_t>(info(address).word)] += bytes; }

  Opcode opcode() const { return static_cast<Opcode>(get<F_OPCODE>()); }
  // Whether whole codes go to the lanes, past the columns and without weights: all operators but convolutions.
  bool whole_codes() const { return opcode() != OP_CONVOLUTION; }
  int weight_bits() const { return get<F_WEIGHT_BITS>(); }
  int activation_bits() const { return get<F_ACTIVATION_BITS>(); }
  int output_bits() const { return get<F_OUTPUT_BITS>(); }

  std::array<std::uint32_t, descriptor_words> words{};
};

}  // namespace bitstrata::generate
