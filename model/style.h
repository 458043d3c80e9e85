// SPDX-License-Identifier: Apache-2.0
// What a style of the array decides for everything around it: how weights lie in the weight buffer, how many cycles a
// vector takes, how many outputs a macro has. A further style is a further row of the table in style.cpp, a body in the
// RTL's bs_macro, bs_streamer, bs_loader and bs_events, and one in SystemC.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace bitstrata::model {

class Style {
 public:
  std::string_view name;
  int number = 0;        // parameter OVERLAY and bit 0 of register STYLE
  int most_tiles = 1;    // macros
  int most_vectors = 1;  // vectors in a group
  // Whether a row of the weight buffer is one input value's weights, of all outputs; else it is a plane of one
  // output's, of all values.
  bool row_is_a_value = true;

  // Neighbouring columns that an output of w-bit weights takes.
  virtual int columns_of_output(int weight_bits) const = 0;
  // Bits of a row of the weight buffer, of an array of `rows` x `columns`.
  virtual int weight_row_bits(int rows, int columns) const = 0;
  // Rows of the weight buffer for a row tile of `values` input values and `outputs` outputs of a macro.
  std::int64_t weight_rows(int outputs, int weight_bits, std::int64_t values) const {
    return row_is_a_value ? values : std::int64_t{outputs} * weight_bits;
  }
  // Weights' bits of `rows` such rows, of a tile of `outputs` outputs and `values` input values.
  std::int64_t cells_of_rows(int outputs, int weight_bits, std::int64_t values, int rows) const {
    return rows * (row_is_a_value ? std::int64_t{outputs} * weight_bits : values);
  }
  // Columns, or dot units, at work on `outputs` outputs and a group of `vectors` vectors.
  virtual std::int64_t units_at_work(std::int64_t outputs, int weight_bits, std::int64_t vectors) const = 0;
  // Planes of weights that a cell has room for, in memories where there are several.
  virtual int planes_held(int max_weight_bits) const = 0;

  // Cycles in which the planes of a group of vectors enter the array.
  virtual int vector_cycles(int weight_bits, int activation_planes) const = 0;
  // Cycles from a group's last plane until the last of its sums is on its way to the lanes: least distance of two last
  // planes.
  virtual int sum_cycles(int vectors) const = 0;
  // Additions that join the columns of `outputs` outputs, a vector of so many planes.
  virtual std::int64_t joiner_adds(int weight_bits, int activation_planes, std::int64_t outputs) const = 0;

  // Throws std::invalid_argument, naming the known ones.
  static const Style& of(std::string_view name);
  static bool known(std::string_view name);

 protected:
  ~Style() = default;  // nobody owns one
};

// All of them, in the order of their numbers.
std::span<const Style* const> styles();

}  // namespace bitstrata::model
