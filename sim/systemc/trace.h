// SPDX-License-Identifier: Apache-2.0
// Writes the signals of every cycle into a VCD file; a module that looks on like those of others (cycles.h).
#pragma once

#include <filesystem>

#include "sim/systemc/cycles.h"

namespace bitstrata::sim::systemc {

class Trace final : public sc_core::sc_module {
 public:
  // `file` ends with .vcd. Throws std::invalid_argument where it does not, and std::system_error where it cannot be
  // written. It is whole when this module is gone.
  Trace(const sc_core::sc_module_name& name, const std::filesystem::path& file);
  ~Trace() override;

  sc_core::sc_port<Cycles> cycles{"cycles"};

 private:
  void begin();
  void add_signals();

  sc_core::sc_trace_file* file_ = nullptr;
  // What is written: the cycle's signals, and those of them that are no field.
  Signals shown_;
  bool arvalid_ = false, awvalid_ = false, wvalid_ = false;
  unsigned target_ = 0;
};

}  // namespace bitstrata::sim::systemc
