// SPDX-License-Identifier: Apache-2.0
#include "sim/rtl_build.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>

#include "rtl/generate/rtl_files.h"
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
// -fPIC, -shared: a library for dlopen. -include: popcount_text below.
constexpr const char* verilator_flags =
    "-O3 --x-assign fast --x-initial fast --noassert --threads 1 -CFLAGS '" BITSTRATA_NATIVE_FLAGS
    " -fPIC -include ../popcount.h' -LDFLAGS '-shared'";
// With the monitors of bs_toggles.sv.
constexpr const char* toggle_flags = " +define+BS_TOGGLES -CFLAGS -DBS_TOGGLES";
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

std::string run(const std::string& command, int& status) {
  std::string output;
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen((command + " 2>&1").c_str(), "r"), [](FILE*) { return 0; });
  if (!pipe) throw std::runtime_error("cannot start: " + command);
  std::array<char, 4096> buffer;
  while (const auto n = fread(buffer.data(), 1, buffer.size(), pipe.get())) output.append(buffer.data(), n);
  status = pclose(pipe.get());
  return output;
}

const std::string& verilator_version() {
  static const std::string version = [] {
    int status = 0;
    const std::string text = run("verilator --version", status);
    if (status != 0) throw std::runtime_error("the rtl engine needs Verilator on the PATH (scripts/setup installs it)");
    return text;
  }();
  return version;
}

// The compiler's own account of its version and of what -march=native means on this processor: a library made by
// another compiler or for another processor is another library, also where machines share a cache folder.
const std::string& compiler_account() {
  static const std::string account = [] {
    int status = 0;  // without a compiler the account is the shell's complaint, and compiling will fail and say so
    return run("g++ " BITSTRATA_NATIVE_FLAGS " -v -E -x c++ /dev/null", status);
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

// Compiles what Verilator wrote to work/obj into work/library.so; the tools' output joins `log`.
bool compile(const fs::path& work, const Stage& stage, std::string& log) {
  for (const auto& entry : fs::directory_iterator(work / "obj")) {
    if (entry.path().extension() == ".o" || entry.path().extension() == ".a") fs::remove(entry.path());
  }
  fs::remove(work / "library.so");
  // ccache, where it is installed, helps when only a parameter changed; profiles it would only store.
  const bool cached = std::string_view(stage.code) == plain.code;
  // The makefile appends its own -O behind CFLAGS, so optimisation goes through its OPT_ variables.
  int status = 0;
  log += run(fmt::format("cd '{}' && make -C obj -j 2 -f V{}.mk OBJCACHE=\"{}\" OPT_FAST='{}' OPT_GLOBAL='{}' "
                         "OPT_SLOW=-O1 USER_LDFLAGS='{}'",
                         work.string(), generate::top_module, cached ? "$(command -v ccache || true)" : "", stage.code,
                         stage.code, stage.link),
             status);
  return status == 0 && fs::exists(work / "library.so");
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
  if (fs::exists(library)) return library;

  // Processes that want the same accelerator wait for the first one.
  fs::create_directories(cache_folder());
  const Lock lock(cache_folder() / fmt::format("rtl-{:016x}.lock", hash));
  if (fs::exists(library)) return library;
  const fs::path work = cache_folder() / fmt::format("build-{:016x}-{}", hash, getpid());
  fs::create_directories(work);
  std::string sources;
  for (const auto& name : generate::write_rtl(hardware, true, work, toggles)) sources += " " + name;
  std::ofstream(work / "shim.cpp") << rtl_shim_text;
  std::ofstream(work / "popcount.h") << popcount_text;
  int status = 0;
  std::string log =
      run(fmt::format("cd '{}' && verilator --cc --exe {}{} -Wno-fatal -I. --top-module {} -Mdir obj "
                      "-o ../library.so{} ../shim.cpp",
                      work.string(), verilator_flags, toggles ? toggle_flags : "", generate::top_module, sources),
          status);
  bool built = status == 0 && compile(work, profile ? instrumented : plain, log);
  if (built && profile) {
    const Stage* stage = &profiled;
    try {
      exercise(work / "library.so");
    } catch (const std::exception& error) {  // slower, and as right
      log += std::string("not profiled: ") + error.what() + "\n";
      stage = &plain;
    }
    built = compile(work, *stage, log);
  }
  if (!built) {
    const fs::path log_file = work / "build.log";
    std::ofstream(log_file) << log;
    throw std::runtime_error(fmt::format("compiling the RTL of architecture '{}' failed; the tools' output is in {}",
                                         architecture.name, log_file.string()));
  }
  fs::rename(work / "library.so", library);
  fs::remove_all(work);
  return library;
}

}  // namespace bitstrata::sim
