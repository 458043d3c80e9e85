// SPDX-License-Identifier: Apache-2.0
// The contract's files, written from its tables: what stands in rtl/ and docs/ is held to these texts by a test, and
// scripts/contract writes them anew.
#pragma once

#include <string>

namespace bitstrata::generate {

std::string descriptor_svh();   // rtl/bs_descriptor.svh
std::string descriptor_page();  // docs/descriptor.md

}  // namespace bitstrata::generate
