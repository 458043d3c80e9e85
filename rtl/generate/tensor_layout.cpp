// SPDX-License-Identifier: Apache-2.0
#include <stdexcept>
#include <string>

#include "rtl/generate/program.h"
#include "rtl/generate/strips.h"

namespace bitstrata::generate {

namespace {

// Calls visit(byte, bit, plane, code index) for every bit of the image's tensor.
template <class Visit>
void for_each_bit(const Program& program, int tensor, int image, Visit visit) {
  if (image < 0 || image >= program.batch) {
    throw std::invalid_argument("image " + std::to_string(image) + " of a batch of " + std::to_string(program.batch));
  }
  const auto& format = program.formats.at(static_cast<std::size_t>(tensor));
  const auto& place = program.tensors.at(static_cast<std::size_t>(tensor));
  const int line_bits = program.architecture.data_bits;
  const std::size_t line_bytes = static_cast<std::size_t>(line_bits / 8);
  const std::size_t first = std::size_t{place.address} + static_cast<std::size_t>(image) * place.bytes;
  const int strip = strip_of(program.architecture, format);
  std::size_t code = 0;
  for (int y = 0; y < format.shape.height; ++y) {
    const std::size_t row = first + static_cast<std::size_t>(y) * static_cast<std::size_t>(place.row_lines) *
                                        static_cast<std::size_t>(format.bits) * line_bytes;
    const int channels = format.shape.channels, row_values = format.shape.width * channels;
    for (int i = 0; i < row_values; ++i, ++code) {
      const auto bit_of_row = static_cast<int>(place_in_row(format, strip, i / channels, i % channels));
      const int line = bit_of_row / line_bits, at = bit_of_row % line_bits;
      for (int plane = 0; plane < format.bits; ++plane) {
        const std::size_t byte =
            row +
            (static_cast<std::size_t>(line) * static_cast<std::size_t>(format.bits) + static_cast<std::size_t>(plane)) *
                line_bytes +
            static_cast<std::size_t>(at / 8);
        visit(byte, at % 8, plane, code);
      }
    }
  }
}

}  // namespace

void write_tensor(const Program& program, int tensor, const model::Codes& codes, std::span<std::uint8_t> memory,
                  int image) {
  const auto& format = program.formats.at(static_cast<std::size_t>(tensor));
  if (static_cast<std::int64_t>(codes.size()) != format.shape.elements()) {
    throw std::invalid_argument("write_tensor: " + std::to_string(codes.size()) + " codes for a tensor of " +
                                std::to_string(format.shape.elements()));
  }
  for_each_bit(program, tensor, image, [&](std::size_t byte, int bit, int plane, std::size_t code) {
    const auto mask = static_cast<std::uint8_t>(1u << bit);
    if ((static_cast<std::uint32_t>(codes[code]) >> plane) & 1u) {
      memory[byte] = static_cast<std::uint8_t>(memory[byte] | mask);
    } else {
      memory[byte] = static_cast<std::uint8_t>(memory[byte] & ~mask);
    }
  });
}

model::Codes read_tensor(const Program& program, int tensor, std::span<const std::uint8_t> memory, int image) {
  const auto& format = program.formats.at(static_cast<std::size_t>(tensor));
  model::Codes codes(static_cast<std::size_t>(format.shape.elements()), 0);
  for_each_bit(program, tensor, image, [&](std::size_t byte, int bit, int plane, std::size_t code) {
    if (!((memory[byte] >> bit) & 1u)) return;
    const bool sign = format.coding == model::Coding::twos_complement && plane == format.bits - 1;
    codes[code] += sign ? -(std::int32_t{1} << plane) : std::int32_t{1} << plane;
  });
  return codes;
}

}  // namespace bitstrata::generate
