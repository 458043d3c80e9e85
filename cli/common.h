// SPDX-License-Identifier: Apache-2.0
// What every verb shares: reading its options, refusing misuse, lines on stderr.
#pragma once

#include <boost/program_options.hpp>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace bitstrata::cli {

namespace po = boost::program_options;

// The user did nothing wrong, but what should be equal is not: exit status 1.
class CheckFailed : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The text around the table of options in a verb's --help.
struct Usage {
  std::string line;     // after "usage: bitstrata "
  std::string text;     // one paragraph; what comes out, and the meaning of exit status 1
  std::string example;  // a command that works as it stands
};

// Options every verb has.
struct Common {
  std::uint64_t seed = 1;
  int threads = 0;  // 0: one a core; resolved by check()
  bool quiet = false;
  bool json = false;
  void add(po::options_description& options);
  void check();
};

// Stores and notifies `values`. Returns false when --help was asked for, after printing it. Throws
// std::invalid_argument, naming the nearest known option, for anything else that is not understood.
bool parse(const std::vector<std::string>& arguments, const po::options_description& options, const Usage& usage,
           po::variables_map& values, const po::positional_options_description& positional = {});

// Throws std::invalid_argument unless low <= value <= high.
void check_range(const std::string& option, double value, double low, double high);
// Throws std::invalid_argument unless `value` is one of `known`; names the nearest.
void check_choice(const std::string& option, const std::string& value, const std::vector<std::string>& known);

// Throws std::invalid_argument where an option of another form of the verb is given, saying what it belongs to:
// nearness of spelling would name a wrong one.
void refuse_foreign(const std::vector<std::string>& arguments, const std::vector<std::string>& options,
                    const std::string& belongs_to);

// The value of an option that is a seed: an unsigned one would take -1 for 2^64 - 1.
po::typed_value<std::int64_t>* seed_value(const std::string& option, std::uint64_t& seed);

// CPU seconds of this process and of the children it has waited for.
double cpu_seconds();

// One line on stderr, unless quiet.
void say(const Common& common, const std::string& line);

}  // namespace bitstrata::cli
