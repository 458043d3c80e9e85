// SPDX-License-Identifier: Apache-2.0
// Versions that go into run.json.
#pragma once

namespace bitstrata::cli::build_info {
extern const char* const version;   // of the project
extern const char* const commit;    // git commit of the sources, with "+" when they differ from it; or "unknown"
extern const char* const compiler;  // name and version
}  // namespace bitstrata::cli::build_info
