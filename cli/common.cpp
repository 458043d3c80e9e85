// SPDX-License-Identifier: Apache-2.0
#include "cli/common.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <limits>
#include <stdexcept>
#include <thread>

#include "cli/option_values.h"
#include "model/yaml_reader.h"

namespace bitstrata::cli {

po::typed_value<std::int64_t>* seed_value(const std::string& option, std::uint64_t& seed) {
  return po::value<std::int64_t>()
      ->default_value(static_cast<std::int64_t>(seed))
      ->notifier([option, &seed](std::int64_t value) {
        if (value < 0) {
          throw std::invalid_argument(
              fmt::format("--{} is {}; allowed is 0 to {}", option, value, std::numeric_limits<std::int64_t>::max()));
        }
        seed = static_cast<std::uint64_t>(value);
      });
}

void Common::add(po::options_description& options) {
  options.add_options()
      // clang-format off
      ("seed", seed_value("seed", seed), "of everything random")
      ("threads", po::value(&threads)->default_value(threads), "for the golden arithmetic, and the images that run executes at once; 0: one a core")
      ("quiet", po::bool_switch(&quiet), "no log and no progress bar on stderr; results stay on stdout")
      ("json", po::bool_switch(&json), "one JSON object on stdout instead of tables")
      ("help", "this text");
  // clang-format on
}

void Common::check() {
  check_range("threads", threads, 0, 1024);
  if (threads == 0) threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

bool parse(const std::vector<std::string>& arguments, const po::options_description& options, const Usage& usage,
           po::variables_map& values, const po::positional_options_description& positional) {
  for (const std::string& argument : arguments) {
    if (argument == "--help" || argument == "-h") {
      std::cout << "usage: bitstrata " << usage.line << "\n\n"
                << usage.text << "\n\n"
                << options << "\nexample:\n  bitstrata " << usage.example << "\n";
      return false;
    }
  }
  try {
    // Guessing would let `--image` pass for `--images` until a new option makes it ambiguous.
    const auto style = po::command_line_style::default_style & ~po::command_line_style::allow_guessing;
    const po::parsed_options given =
        po::command_line_parser(arguments).options(options).positional(positional).style(style).run();
    check_values(given, options);
    po::store(given, values);
    po::notify(values);
  } catch (const po::unknown_option& error) {
    std::vector<std::string> known;
    for (const auto& option : options.options()) known.push_back("--" + option->long_name());
    throw std::invalid_argument(fmt::format("unknown option '{}'{}; see --help", error.get_option_name(),
                                            model::did_you_mean(error.get_option_name(), known)));
  } catch (const po::too_many_positional_options_error&) {
    throw std::invalid_argument("a word stands alone on the command line; every value needs its option (see --help)");
  } catch (const po::required_option& error) {
    throw std::invalid_argument(fmt::format("{} is missing; see --help", error.get_option_name()));
  } catch (const po::multiple_occurrences& error) {
    throw std::invalid_argument(fmt::format("{} is given more than once", error.get_option_name()));
  } catch (const po::invalid_command_line_syntax& error) {
    const bool lacks = error.kind() == po::invalid_syntax::missing_parameter ||
                       error.kind() == po::invalid_syntax::empty_adjacent_parameter;
    throw std::invalid_argument(
        fmt::format("{} {}; see --help", error.get_option_name(), lacks ? "lacks its value" : "takes no value"));
  } catch (const po::error_with_option_name& error) {
    throw std::invalid_argument(
        fmt::format("{} has a value that is not understood; see --help", error.get_option_name()));
  } catch (const po::error& error) {
    throw std::invalid_argument(fmt::format("the command line is not understood ({}); see --help", error.what()));
  }
  return true;
}

void check_range(const std::string& option, double value, double low, double high) {
  // 1e+06 for 1000001 would say that what is allowed is refused.
  const auto text = [](double number) {
    return std::abs(number) < 1e15 && number == std::floor(number) ? fmt::format("{:.0f}", number)
                                                                   : fmt::format("{:g}", number);
  };
  if (!(value >= low && value <= high)) {
    throw std::invalid_argument(
        fmt::format("--{} is {}; allowed is {} to {}", option, text(value), text(low), text(high)));
  }
}

void check_choice(const std::string& option, const std::string& value, const std::vector<std::string>& known) {
  if (std::ranges::find(known, value) != known.end()) return;
  throw std::invalid_argument(fmt::format("--{} is '{}'; known: {}{}", option, value, fmt::join(known, ", "),
                                          model::did_you_mean(value, known)));
}

void refuse_foreign(const std::vector<std::string>& arguments, const std::vector<std::string>& options,
                    const std::string& belongs_to) {
  for (const std::string& argument : arguments)
    for (const std::string& option : options)
      if (argument == option || argument.starts_with(option + "="))
        throw std::invalid_argument(fmt::format("{} belongs to {}", option, belongs_to));
}

void say(const Common& common, const std::string& line) {
  // A stderr that takes nothing is no reason to end the work.
  if (!common.quiet) std::fputs(fmt::format("{}\n", line).c_str(), stderr);
}

double cpu_seconds() {
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  double sum = 0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    getrusage(who, &usage);
    sum += seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  return sum;
}

}  // namespace bitstrata::cli
