// SPDX-License-Identifier: Apache-2.0
#include "sim/rtl_build.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "model/output_file.h"
#include "rtl/generate/rtl_files.h"
#include "sim/cached_file.h"
#include "sim/process.h"
#include "sim/rtl_shim.h"

namespace bitstrata::sim {

namespace fs = std::filesystem;

namespace {

// The -m flags behind -march=native keep GCC 12.0 to 12.2 from miscompiling struct initializers with AVX-512 (see the
// root CMakeLists).
#if defined(__x86_64__) && defined(__GNUC__) && __GNUC__ == 12
#define BITSTRATA_NATIVE_FLAGS "-march=native -mmove-max=128 -mstore-max=128"
#else
#define BITSTRATA_NATIVE_FLAGS "-march=native"
#endif
// -O3, --x-assign fast, --x-initial fast: all of Verilator's optimisations; unknown values become whatever is fastest.
// --noassert, --threads 1: no code for assertions; one thread, for synchronisation costs more than an array's cycle.
// BS_CHECKS: the modules' own checks (rtl/bs_checks.svh); those of the ports take about 3 % of a simulation's time.
// -fPIC, -shared: a library for dlopen. -include: popcount_text below.
const std::vector<std::string> verilator_flags = {"-O3",
                                                  "--x-assign",
                                                  "fast",
                                                  "--x-initial",
                                                  "fast",
                                                  "--noassert",
                                                  "+define+BS_CHECKS",
                                                  "--threads",
                                                  "1",
                                                  "-CFLAGS",
                                                  BITSTRATA_NATIVE_FLAGS " -fPIC -include ../popcount.h",
                                                  "-LDFLAGS",
                                                  "-shared"};
// With the monitors of bs_toggles.sv.
const std::vector<std::string> toggle_flags = {"+define+BS_TOGGLES", "-CFLAGS", "-DBS_TOGGLES"};
// Flags for the code of every cycle, of Verilator's runtime, and for linking. Functions the exercise did not reach are
// optimised as usual rather than for size (-fprofile-partial-training).
struct Stage {
  const char* code;
  const char* link;
};
constexpr Stage plain{"-O3", ""};
constexpr Stage instrumented{"-O3 -fprofile-generate -fprofile-update=single -DBITSTRATA_PROFILE",
                             "-fprofile-generate"};
constexpr Stage profiled{"-O3 -fprofile-use -fprofile-partial-training -Wno-missing-profile", ""};
// One-bit products a cycle from which on profiling pays: below, compiling costs more than the simulations save.
constexpr std::int64_t profiled_products = 2048;

// Verilator 5.006 counts ones with shifts and masks; the processor has an instruction for it (a factor of 1.5 and more
// in simulated cycles a second).
constexpr const char* popcount_text = R"~~~(
#pragma once
#include "verilated.h"
#define VL_COUNTONES_I(value) static_cast<IData>(__builtin_popcount(value))
#define VL_COUNTONES_Q(value) static_cast<IData>(__builtin_popcountll(value))
)~~~";

std::uint64_t fnv1a(std::uint64_t hash, std::string_view text) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

std::uint64_t fnv1a(std::uint64_t hash, const std::vector<std::string>& words) {
  for (const std::string& word : words) hash = fnv1a(fnv1a(hash, word), "\n");
  return hash;
}

const std::string& verilator_version() {
  static const std::string version = [] {
    const Finished asked = run_tool({"verilator", "--version"});
    if (asked.status != 0)
      throw std::runtime_error("the rtl engine needs Verilator on the PATH (scripts/setup installs it)");
    return asked.output;
  }();
  return version;
}

std::vector<std::string> words_of(const std::string& flags) {
  std::istringstream stream(flags);
  return {std::istream_iterator<std::string>(stream), {}};
}

// The compiler's own account of its version and of what -march=native means on this processor: a library made by
// another compiler or for another processor is another library, also where machines share a cache folder.
const std::string& compiler_account() {
  static const std::string account = [] {
    std::vector<std::string> words = words_of("g++ " BITSTRATA_NATIVE_FLAGS " -v -E -x c++ /dev/null");
    return run_tool(words).output;  // without a compiler it says so, and compiling will fail and say so, too
  }();
  return account;
}

// Exclusive lock on a file, released at the end of the scope or of the process.
class Lock {
 public:
  explicit Lock(const fs::path& file) : descriptor_(open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666)) {
    if (descriptor_ < 0 || flock(descriptor_, LOCK_EX) != 0) {
      throw std::runtime_error(
          fmt::format("cannot write to the cache folder {} (set BITSTRATA_CACHE)", file.parent_path().string()));
    }
  }
  ~Lock() { close(descriptor_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int descriptor_;
};

}  // namespace

fs::path cache_folder() {
  if (const char* folder = std::getenv("BITSTRATA_CACHE")) return folder;
  if (const char* folder = std::getenv("XDG_CACHE_HOME")) return fs::path(folder) / "bitstrata";
  if (const char* folder = std::getenv("HOME")) return fs::path(folder) / ".cache" / "bitstrata";
  return fs::temp_directory_path() / "bitstrata";
}

namespace {

// Where `make` is told to look for ccache, which helps when only a parameter changed; empty where there is none.
const std::string& object_cache() {
  static const std::string name = run_tool({"ccache", "--version"}).status == 0 ? "ccache" : "";
  return name;
}

// Compiles what Verilator wrote to obj into library.so, both in `folder`; the tools' output joins `log`.
bool compile(const WorkFolder& folder, const Stage& stage, std::string& log) {
  const fs::path& work = folder.path();
  for (const auto& entry : fs::directory_iterator(work / "obj")) {
    if (entry.path().extension() == ".o" || entry.path().extension() == ".a") fs::remove(entry.path());
  }
  fs::remove(work / "library.so");
  // Profiles would only fill the cache of objects.
  const std::string cache = std::string_view(stage.code) == plain.code ? object_cache() : "";
  // The makefile appends its own -O behind CFLAGS, so optimisation goes through its OPT_ variables.
  const Finished made =
      run_tool({"make", "-C", "obj", "-j", "2", "-f", fmt::format("V{}.mk", generate::top_module), "OBJCACHE=" + cache,
                fmt::format("OPT_FAST={}", stage.code), fmt::format("OPT_GLOBAL={}", stage.code), "OPT_SLOW=-O1",
                fmt::format("USER_LDFLAGS={}", stage.link)},
               work, "/dev/null", folder.temporary());
  log += made.output;
  return made.status == 0 && fs::exists(work / "library.so");
}

// Makes `library` of the accelerator; `name` is the architecture's.
void build(const model::Architecture& hardware, const std::string& name, bool toggles, bool profile,
           const Exercise& exercise, const fs::path& library) {
  WorkFolder folder(harmless_folder(cache_folder()), "bitstrata-build");
  const fs::path& work = folder.path();
  std::vector<std::string> words = {"verilator", "--cc", "--exe"};
  words.insert(words.end(), verilator_flags.begin(), verilator_flags.end());
  if (toggles) words.insert(words.end(), toggle_flags.begin(), toggle_flags.end());
  for (const std::string_view word : std::initializer_list<std::string_view>{
           "-Wno-fatal", "-I.", "--top-module", generate::top_module, "-Mdir", "obj", "-o", "../library.so"})
    words.emplace_back(word);
  for (const std::string& source : generate::write_rtl(hardware, true, work, toggles)) words.push_back(source);
  words.emplace_back("../shim.cpp");
  model::write_whole(work / "shim.cpp", rtl_shim_text);
  model::write_whole(work / "popcount.h", popcount_text);
  const Finished verilated = run_tool(words, work, "/dev/null", folder.temporary());
  std::string log = verilated.output;
  bool built = verilated.status == 0 && compile(folder, profile ? instrumented : plain, log);
  if (built && profile) {
    const Stage* stage = &profiled;
    try {
      exercise(work / "library.so");
    } catch (const std::exception& error) {  // slower, and as right
      log += std::string("not profiled: ") + error.what() + "\n";
      stage = &plain;
    }
    built = compile(folder, *stage, log);
  }
  if (!built) {
    const fs::path log_file = fs::path(library).replace_extension(".log");
    model::write_whole(log_file, log);
    throw std::runtime_error(fmt::format("compiling the RTL of architecture '{}' failed; the tools' output is in {}",
                                         name, log_file.string()));
  }
  keep_in_cache(work / "library.so", library);
}

}  // namespace

fs::path build_rtl(const model::Architecture& architecture, bool toggles, const Exercise& exercise) {
  // The name is not part of the hardware.
  model::Architecture hardware = architecture;
  hardware.name = "rtl";
  const bool profile = hardware.bit_products() >= profiled_products && !toggles;
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const auto& file : generate::rtl_files()) hash = fnv1a(fnv1a(hash, file.name), file.text);
  hash = fnv1a(hash, generate::top_text(hardware, true));
  hash = fnv1a(fnv1a(fnv1a(fnv1a(hash, rtl_shim_text), popcount_text), verilator_flags), verilator_version());
  hash = fnv1a(fnv1a(hash, compiler_account()), profile ? profiled.code : plain.code);
  if (toggles) hash = fnv1a(hash, toggle_flags);
  const fs::path library = cache_folder() / fmt::format("rtl-{:016x}.so", hash);
  if (is_cached(library)) return library;

  // Processes that want the same accelerator wait for the first one.
  std::error_code told_by_lock;
  fs::create_directories(cache_folder(), told_by_lock);
  const Lock lock(cache_folder() / fmt::format("rtl-{:016x}.lock", hash));
  if (is_cached(library)) return library;
  tell_of_damage(library);
  build(hardware, architecture.name, toggles, profile, exercise, library);
  return library;
}

}  // namespace bitstrata::sim
