// SPDX-License-Identifier: Apache-2.0
// What happened while a layer ran: structural events, counted alike by RTL counters, SystemC and the fast model.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace bitstrata::model {

// X(member, meaning). Counts of one layer; the order is that of the RTL's counter bus.
#define BITSTRATA_EVENTS(X)                                                                       \
  X(cycles, "cycles from the layer's descriptor fetch to its barrier")                            \
  X(load_cycles, "cycles in which the loader has work in flight")                                 \
  X(compute_cycles, "cycles in which the array loads weights or streams a vector")                \
  X(post_cycles, "cycles in which an output group enters post-processing")                        \
  X(store_cycles, "cycles in which the store unit has work in flight")                            \
  X(stall_cycles, "cycles in which the array waits for data, weights or accumulators")            \
  X(vectors, "activation vectors streamed (pooling: taps pushed)")                                \
  X(plane_steps, "cycles in which planes meet: of activations (overlay: a pair with weights)")    \
  X(column_steps, "plane steps x active columns (overlay: dot units): popcounts and shift-adds")  \
  X(cell_steps, "column steps x active rows: one-bit products")                                   \
  X(joiner_adds, "pim: additions of columns into outputs, planes x outputs x (weight_bits-1)")    \
  X(accumulator_reads, "partial sums read by the accumulate step")                                \
  X(accumulator_writes, "partial sums written")                                                   \
  X(post_outputs, "outputs requantized")                                                          \
  X(weight_cells_written, "cells or bits of weight planes written: active rows x active columns") \
  X(window_reads, "gather windows issued by the feeder (padding included)")                       \
  X(activation_lines_read, "lines read from the activation buffer, data_bits each")               \
  X(activation_lines_written, "lines written to the activation buffer, data_bits each")           \
  X(weight_rows_read, "rows read from the weight buffer, columns (overlay: rows) bits each")      \
  X(weight_lines_written, "lines written to the weight buffer, data_bits each")                   \
  X(output_bits_written, "bits written to the output buffer")                                     \
  X(output_lines_read, "lines read from the output buffer, data_bits each")                       \
  X(memory_lines_read, "beats read over AXI, data_bits each")                                     \
  X(memory_lines_written, "beats written over AXI, data_bits each")

struct Events {
#define X(member, meaning) std::int64_t member = 0;
  BITSTRATA_EVENTS(X)
#undef X
  bool operator==(const Events&) const = default;
  Events& operator+=(const Events& other);
};

inline constexpr std::array event_names = {
#define X(member, meaning) std::string_view{#member},
    BITSTRATA_EVENTS(X)
#undef X
};
// X(name, of events e, meaning): counts that follow from those.
#define BITSTRATA_DERIVED_EVENTS(X)                                                                  \
  X(parameter_lines_read, e.memory_lines_read - e.weight_lines_written - e.activation_lines_written, \
    "beats read over AXI that are neither weights nor activations: parameters and descriptors")
inline constexpr std::array derived_event_names = {
#define X(name, value, meaning) std::string_view{#name},
    BITSTRATA_DERIVED_EVENTS(X)
#undef X
};

inline constexpr std::array event_meanings = {
#define X(member, meaning) std::string_view{meaning},
    BITSTRATA_EVENTS(X)
#undef X
};
inline constexpr std::array event_members = {
#define X(member, meaning) &Events::member,
    BITSTRATA_EVENTS(X)
#undef X
};

inline Events& Events::operator+=(const Events& other) {
  for (auto member : event_members) this->*member += other.*member;
  return *this;
}

// Changes of the bits of named nets, by the data they carry: what a layer's energy depends on beside its events.
// Counted alike by RTL monitors (bs_toggles.sv, in this order) and SystemC, at clock edges: glitches within a cycle are
// not seen.
#define BITSTRATA_TOGGLES(X)                                                                  \
  X(activation_toggles, "lines of the activation planes, as the array holds them")            \
  X(weight_line_toggles, "overlay: lines of the weight planes that meet them")                \
  X(product_toggles, "one-bit products of all columns or dot units")                          \
  X(tree_toggles, "nodes of the popcount trees over them, 64 rows a tree")                    \
  X(count_toggles, "popcount registers")                                                      \
  X(operand_toggles, "operands of the accumulators' adders, from one addition to the next")   \
  X(accumulator_toggles, "accumulators of the columns or dot units")                          \
  X(joiner_toggles, "joiner registers and what is added to them; overlay: captured sums")     \
  X(output_toggles, "outputs as the partial sums' adders get them")                           \
  X(weight_toggles, "weight cells; overlay: words of the memories of weight planes")          \
  X(window_toggles, "planes of gathered windows as they land in the feeder, zero in between") \
  X(sum_toggles, "whole sums as the requantizers take them, from one to the next")            \
  X(line_toggles, "lines of a window as they are rotated into place, zero in between")        \
  X(parameter_toggles, "requantization parameters as the requantizers take them")             \
  X(select_toggles, "first banks and rotations of windows, from one to the next")

struct Toggles {
#define X(member, meaning) std::int64_t member = 0;
  BITSTRATA_TOGGLES(X)
#undef X
  bool operator==(const Toggles&) const = default;
  Toggles& operator+=(const Toggles& other);
  Toggles operator-(const Toggles& other) const;
};

inline constexpr std::array toggle_names = {
#define X(member, meaning) std::string_view{#member},
    BITSTRATA_TOGGLES(X)
#undef X
};
inline constexpr std::array toggle_meanings = {
#define X(member, meaning) std::string_view{meaning},
    BITSTRATA_TOGGLES(X)
#undef X
};
inline constexpr std::array toggle_members = {
#define X(member, meaning) &Toggles::member,
    BITSTRATA_TOGGLES(X)
#undef X
};

inline Toggles& Toggles::operator+=(const Toggles& other) {
  for (auto member : toggle_members) this->*member += other.*member;
  return *this;
}
inline Toggles Toggles::operator-(const Toggles& other) const {
  Toggles difference;
  for (auto member : toggle_members) difference.*member = this->*member - other.*member;
  return difference;
}

}  // namespace bitstrata::model
