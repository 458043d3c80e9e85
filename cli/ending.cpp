// SPDX-License-Identifier: Apache-2.0
#include "cli/ending.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <new>
#include <stdexcept>
#include <system_error>

#include "cli/common.h"
#include "model/interrupt.h"

namespace bitstrata::cli {

namespace {

// A file that is opened must not take the place of a closed stdout or stderr and get what is printed. Opened for
// reading, so that printing fails as it should.
void fill_closed_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(descriptor, F_GETFD) == -1 && open("/dev/null", O_RDONLY) != descriptor) _exit(2);
  }
}

// Texts of tools and libraries may have several lines or end in a line feed.
std::string one_line(const std::string& text) {
  std::string line;
  for (const char c : text) {
    if (c != '\n' && c != '\r') {
      line.push_back(c);
    } else if (!line.empty() && line.back() != ' ') {
      line.push_back(' ');
    }
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

// Printing to a stderr that takes nothing must not throw: there is nobody left to tell.
void tell(const std::string& name, const std::string& text) {
  std::fputs(fmt::format("{}: {}\n", name, one_line(text)).c_str(), stderr);
}

// 0, or why not all of what was printed got out; -1 where the reason is lost.
int flush_results() {
  std::cout.flush();
  errno = 0;
  const bool flushed = std::fflush(stdout) == 0;
  if (flushed && std::cout && std::ferror(stdout) == 0) return 0;
  if (errno != 0) return errno;
  // An earlier write failed: one more byte fails for the same reason.
  std::clearerr(stdout);
  return std::fputc('\n', stdout) != EOF && std::fflush(stdout) == 0 ? -1 : errno;
}

// LibTorch says this of a number that has left the floats, wherever it is.
std::string in_our_words(const std::string& text) {
  if (text.find("cannot be converted to type") == std::string::npos ||
      text.find("without overflow") == std::string::npos)
    return text;
  return "a number of the training left the range of 32-bit floats; a lower --learning-rate keeps it";
}

int status_of(const std::string& name, const std::function<int()>& work) {
  try {
    return work();
  } catch (const CheckFailed& error) {
    tell(name, error.what());
    return 1;
  } catch (const std::bad_alloc&) {
    tell(name, "the system has no more memory for this");
  } catch (const std::filesystem::filesystem_error& error) {
    tell(name, fmt::format("{}: {}", error.path1().string(), error.code().message()));
  } catch (const std::exception& error) {
    // Printing of results fails with an exception, too; it is told below, once.
    if (std::ferror(stdout) == 0) tell(name, in_our_words(error.what()));
  }
  return 2;
}

}  // namespace

int run_program(const std::string& name, const std::function<int()>& work) {
  fill_closed_descriptors();
  model::end_on_signals(name);
  const int status = status_of(name, work);
  const int failed = flush_results();
  if (failed == 0) return status;
  tell(name, fmt::format("standard output did not take the results{}",
                         failed > 0 ? fmt::format(": {}", std::strerror(failed)) : ""));
  return 2;
}

}  // namespace bitstrata::cli
