// SPDX-License-Identifier: Apache-2.0
#include "tests/onnx_runtime/foreign.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <onnx/onnx_pb.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little, "the .npy files here hold numbers as the processor does");

constexpr std::chrono::seconds longest_job{30};

const std::string magic = "\x93NUMPY";

struct StoredAs {
  const char* descr;
  int type;
};
constexpr StoredAs stored_as[] = {{"<f4", onnx::TensorProto::FLOAT}, {"|u1", onnx::TensorProto::UINT8},
                                  {"|i1", onnx::TensorProto::INT8},  {"<u2", onnx::TensorProto::UINT16},
                                  {"<i2", onnx::TensorProto::INT16}, {"<i4", onnx::TensorProto::INT32},
                                  {"<i8", onnx::TensorProto::INT64}, {"<f8", onnx::TensorProto::DOUBLE}};

// Calls f with a value of the C++ type that stores `type`.
template <typename F>
void with_type(int type, F f) {
  switch (type) {
    case onnx::TensorProto::FLOAT:
      return f(float{});
    case onnx::TensorProto::DOUBLE:
      return f(double{});
    case onnx::TensorProto::INT64:
      return f(std::int64_t{});
    case onnx::TensorProto::UINT8:
      return f(std::uint8_t{});
    case onnx::TensorProto::INT8:
      return f(std::int8_t{});
    case onnx::TensorProto::UINT16:
      return f(std::uint16_t{});
    case onnx::TensorProto::INT16:
      return f(std::int16_t{});
    default:
      return f(std::int32_t{});
  }
}

void write_npy(const fs::path& file, const std::vector<Array>& samples) {
  const int type = samples.at(0).type;
  const char* descr = nullptr;
  for (const StoredAs& known : stored_as)
    if (known.type == type) descr = known.descr;
  if (descr == nullptr) throw std::runtime_error(fmt::format("data type {} is not written", type));
  std::vector<std::int64_t> dims = samples[0].dims;
  dims.at(0) = static_cast<std::int64_t>(samples.size());
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({},), }}", descr, fmt::join(dims, ", "));
  header.resize((header.size() + 11 + 63) / 64 * 64 - 11, ' ');
  header += '\n';
  std::ofstream stream(file, std::ios::binary);
  stream << magic << '\x01' << '\0' << static_cast<char>(header.size() & 0xff) << static_cast<char>(header.size() >> 8)
         << header;
  with_type(type, [&](auto stored) {
    for (const Array& sample : samples)
      for (const double value : sample.values) {
        stored = static_cast<decltype(stored)>(value);
        stream.write(reinterpret_cast<const char*>(&stored), sizeof(stored));
      }
  });
}

// All sides of the array but the first, and its values.
struct Stored {
  std::vector<std::int64_t> dims;
  std::vector<double> values;
};

Stored read_npy(const fs::path& file) {
  const std::string bytes = read_text(file);
  if (!bytes.starts_with(magic)) throw std::runtime_error(fmt::format("{}: no result", file.string()));
  const std::size_t length = static_cast<unsigned char>(bytes[8]) + 256U * static_cast<unsigned char>(bytes[9]);
  const std::string header = bytes.substr(10, length);
  Stored stored;
  std::istringstream sides(header.substr(header.find('(') + 1));
  std::int64_t side = 0;
  for (char comma = 0; sides >> side >> comma;) stored.dims.push_back(side);
  stored.dims.erase(stored.dims.begin());
  for (const StoredAs& known : stored_as) {
    if (header.find(fmt::format("'{}'", known.descr)) == std::string::npos) continue;
    with_type(known.type, [&](auto value) {
      for (std::size_t at = 10 + length; at + sizeof(value) <= bytes.size(); at += sizeof(value)) {
        std::memcpy(&value, bytes.data() + at, sizeof(value));
        stored.values.push_back(static_cast<double>(value));
      }
    });
    return stored;
  }
  throw std::runtime_error(fmt::format("{}: unknown header {}", file.string(), header));
}

constexpr int in_doubt = 3;  // run.mjs's status where the runtime itself broke
constexpr int stuck = -1;

// Its exit status, or `stuck` where `progress` stayed the same for long.
int run_node(std::vector<std::string> words, const std::function<std::size_t()>& progress) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  if (posix_spawnp(&child, arguments[0], nullptr, nullptr, arguments.data(), environ) != 0)
    throw std::runtime_error("cannot start node");
  using Clock = std::chrono::steady_clock;
  std::size_t before = progress();
  for (Clock::time_point since = Clock::now();;) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) {
      if (WIFEXITED(status)) return WEXITSTATUS(status);
      throw std::runtime_error("node was ended");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const std::size_t now = progress();
    if (now != before) since = Clock::now();
    before = now;
    if (Clock::now() - since < longest_job) continue;
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return stuck;
  }
}

}  // namespace

std::vector<ForeignResult> run_foreign(const ForeignRuntime& runtime, const fs::path& folder,
                                       const std::vector<ForeignJob>& jobs) {
  const auto file = [&](const char* name, std::size_t i) {
    return (folder / fmt::format("{}_{}.npy", name, i)).string();
  };
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    write_npy(file("input", i), jobs[i].inputs);
    fs::remove(file("output", i));
    fs::remove(file("output", i) + ".error");
  }
  std::size_t next = 0;  // without a result
  const auto progress = [&] {
    while (next < jobs.size() && (fs::exists(file("output", next)) || fs::exists(file("output", next) + ".error")))
      ++next;
    return next;
  };
  const std::string list = (folder / "jobs").string();
  while (next < jobs.size()) {
    std::string lines;
    for (std::size_t i = next; i < jobs.size(); ++i)
      lines += fmt::format("{} {} {}\n", jobs[i].model.string(), file("input", i), file("output", i));
    std::ofstream(list) << lines;
    const std::size_t before = next;
    const int status =
        run_node({"node", runtime.runner.string(), runtime.modules.string(), runtime.optimize, list}, progress);
    if (status == stuck) std::ofstream(file("output", progress()) + ".error") << "does not come to an end";
    if (progress() == before || (status != 0 && status != 1 && status != in_doubt && status != stuck))
      throw std::runtime_error(fmt::format("node ended with status {}", status));
  }
  std::vector<ForeignResult> results(jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (fs::exists(file("output", i) + ".error")) {
      results[i].refused = read_text(file("output", i) + ".error");
      continue;
    }
    const auto [dims, values] = read_npy(file("output", i));
    results[i].dims = dims;
    const std::size_t each = values.size() / jobs[i].inputs.size();
    for (std::size_t k = 0; k < jobs[i].inputs.size(); ++k)
      results[i].outputs.emplace_back(values.begin() + static_cast<std::ptrdiff_t>(k * each),
                                      values.begin() + static_cast<std::ptrdiff_t>((k + 1) * each));
  }
  return results;
}

}  // namespace bitstrata::testing
