// SPDX-License-Identifier: Apache-2.0
// The one place that ends a program: statuses, the line on stderr, signals, and results that did not get out.
#pragma once

#include <functional>
#include <string>

namespace bitstrata::cli {

// Runs `work` under the name that the line on stderr begins with, and returns the program's exit status: what `work`
// returns; 1 for CheckFailed; 2 for any other exception, and where standard output did not take all that was printed
// (a full disk, a pipe whose reader is gone, a closed descriptor). An exception becomes exactly one line. To be called
// once, before any thread is started: SIGINT and SIGTERM end the program from here on (model/interrupt.h).
int run_program(const std::string& name, const std::function<int()>& work);

}  // namespace bitstrata::cli
