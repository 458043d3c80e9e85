// SPDX-License-Identifier: Apache-2.0
// The contract's files, written from its tables: what stands in rtl/ and docs/ is held to these texts by a test, and
// scripts/contract writes them anew.
#pragma once

#include <cstdint>
#include <string>

namespace bitstrata::generate {

std::string descriptor_svh();   // rtl/bs_descriptor.svh
std::string descriptor_page();  // docs/descriptor.md
std::string registers_svh();    // rtl/bs_registers.svh
std::string registers_page();   // docs/registers.md
std::string register_rows();    // of a Markdown table: address, name, access, meaning
// What software of a generated design includes: registers and descriptor fields as macros, and `configuration`, the
// hash of the accelerator. C99 and C++.
std::string c_header(std::uint32_t configuration);

}  // namespace bitstrata::generate
