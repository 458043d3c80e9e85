// SPDX-License-Identifier: Apache-2.0
// Compiles the emitted RTL of an architecture with Verilator into a shared library, once: results are cached by a
// hash of everything that goes in: sources, flags, versions of the tools and the processor.
#pragma once

#include <filesystem>
#include <functional>

#include "model/architecture.h"

namespace bitstrata::sim {

// BITSTRATA_CACHE, else XDG_CACHE_HOME/bitstrata, else HOME/.cache/bitstrata.
std::filesystem::path cache_folder();

// Runs typical work on the library at this path.
using Exercise = std::function<void(const std::filesystem::path& library)>;

// Path of the library. Large arrays are compiled twice: an instrumented library is exercised, and the compiler then
// arranges the code after the branches that were taken (1.3 to 1.4 times the simulated cycles a second, for twice the
// compile time). With `toggles` the library has the monitors of toggle events, and bs_toggles to read them. Throws
// std::runtime_error naming the kept log when Verilator or the compiler fails.
std::filesystem::path build_rtl(const model::Architecture& architecture, bool toggles, const Exercise& exercise);

}  // namespace bitstrata::sim
