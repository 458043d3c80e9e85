// SPDX-License-Identifier: Apache-2.0
#include "sim/engine.h"

namespace bitstrata::sim {

const char* to_string(RunError error) {
  switch (error) {
    case RunError::none:
      return "none";
    case RunError::descriptor:
      return "bad descriptor";
    case RunError::memory:
      return "memory error response";
    case RunError::no_progress:
      return "no progress (watchdog)";
  }
  return "unknown";
}

}  // namespace bitstrata::sim
