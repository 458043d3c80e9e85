// SPDX-License-Identifier: Apache-2.0
// Loads of nets and delays of cells, from the Liberty tables.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/gates/netlist.h"

namespace bitstrata::sim::gates {

// What the netlist does not say: there is no placement and no clock tree.
struct TimingOptions {
  double grid = 10e-12;         // s a time step
  double slew = 0.1e-9;         // s, of all signals: the input slew at which all tables are read
  double wire = 5e-15;          // F of wire a fan-out
  double port_load = 10e-15;    // F of a top-level output
  double memory_pin = 5e-15;    // F of a memory's input pin; Liberty knows no memories
  double memory_delay = 1e-9;   // s from clock, or from an asynchronous port's address, to read data
  double input_delay = 0.5e-9;  // s from the clock edge to changes of primary inputs
};

struct Timing {
  double grid = 0;           // s
  std::vector<double> load;  // F, by net: pins, wire, ports
  // Steps from input k to output o of cell i, mean of rising and falling, at least 1: first[i] + o * inputs + k.
  std::vector<std::uint16_t> delay;
  std::vector<std::uint32_t> first;
  std::uint16_t memory_delay = 0, input_delay = 0;

  std::uint16_t of(std::uint32_t cell, std::size_t output, std::size_t inputs, std::size_t input) const {
    return delay[first[cell] + output * inputs + input];
  }
};

Timing make_timing(const Netlist& netlist, const TimingOptions& options);

}  // namespace bitstrata::sim::gates
