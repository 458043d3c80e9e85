// SPDX-License-Identifier: Apache-2.0
#include "rtl/generate/descriptor.h"

#include <fmt/format.h>

#include <stdexcept>

namespace bitstrata::generate {

std::int64_t Descriptor::get(Field field) const {
  const FieldInfo& of = info(field);
  const std::int64_t value = words[static_cast<std::size_t>(of.word)] >> of.low & of.mask();
  return value > of.most() ? value - (std::int64_t{1} << of.bits) : value;
}

void Descriptor::set(Field field, std::int64_t value) {
  const FieldInfo& of = info(field);
  if (value > of.most() || value < (of.is_signed ? of.least() : 0))
    throw std::invalid_argument(
        fmt::format("descriptor field {} holds {} to {}, not {}", of.name, of.least(), of.most(), value));
  std::uint32_t& word = words[static_cast<std::size_t>(of.word)];
  word = (word & ~(of.mask() << of.low)) | (static_cast<std::uint32_t>(value) & of.mask()) << of.low;
}

}  // namespace bitstrata::generate
