// SPDX-License-Identifier: Apache-2.0
// Values on the command line: words are not empty; numbers are decimal, whole or with a point, and nothing else.
#pragma once

#include <boost/program_options.hpp>

namespace bitstrata::cli {

// Throws std::invalid_argument, naming the option, where a value is empty (a script's variable that is not set is no
// option that is not given), or that of a number's option is none as people write them:
// whole numbers without sign in front but -, leading zeros, exponent or hexadecimal digits, within the option's type;
// other numbers finite and decimal, with an exponent where wanted. Libraries read 064, +5, 0x40, nan and inf, each in
// its own way.
void check_values(const boost::program_options::parsed_options& given,
                  const boost::program_options::options_description& options);

}  // namespace bitstrata::cli
