// SPDX-License-Identifier: Apache-2.0
// Versions that go into run.json.
#pragma once

namespace bitstrata::cli::build_info {
extern const char* const version;  // of the project
extern const char* const commit;   // git commit of the sources, with "+" when they differ from it; or "unknown"
// SHA-1 of all sources that compute, of the compiler and its flags: two builds of one hash give the same numbers. A
// commit would not do: a development build has changes beside it.
extern const char* const code;
extern const char* const compiler;  // name and version
}  // namespace bitstrata::cli::build_info
