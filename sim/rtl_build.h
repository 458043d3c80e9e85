// SPDX-License-Identifier: Apache-2.0
// Compiles the emitted RTL of an architecture with Verilator into a shared library, once: results are cached by a
// hash of everything that goes in: sources, flags, versions of the tools and the processor.
#pragma once

#include <filesystem>

#include "model/architecture.h"

namespace bitstrata::sim {

// BITSTRATA_CACHE, else XDG_CACHE_HOME/bitstrata, else HOME/.cache/bitstrata.
std::filesystem::path cache_folder();

// Path of the library. Throws std::runtime_error naming the kept log when Verilator or the compiler fails.
std::filesystem::path build_rtl(const model::Architecture& architecture);

}  // namespace bitstrata::sim
