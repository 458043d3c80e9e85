// SPDX-License-Identifier: Apache-2.0
#include "tests/onnx_runtime/foreign.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <onnx/onnx_pb.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little, "the .npy files here hold numbers as the processor does");

const std::string magic = "\x93NUMPY";

struct StoredAs {
  const char* descr;
  int type;
};
constexpr StoredAs stored_as[] = {{"<f4", onnx::TensorProto::FLOAT}, {"|u1", onnx::TensorProto::UINT8},
                                  {"|i1", onnx::TensorProto::INT8},  {"<u2", onnx::TensorProto::UINT16},
                                  {"<i2", onnx::TensorProto::INT16}, {"<i4", onnx::TensorProto::INT32}};

// Calls f with a value of the C++ type that stores `type`.
template <typename F>
void with_type(int type, F f) {
  switch (type) {
    case onnx::TensorProto::FLOAT:
      return f(float{});
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

std::vector<double> read_npy(const fs::path& file) {
  const std::string bytes = read_text(file);
  if (!bytes.starts_with(magic)) throw std::runtime_error(fmt::format("{}: no result", file.string()));
  const std::size_t length = static_cast<unsigned char>(bytes[8]) + 256U * static_cast<unsigned char>(bytes[9]);
  const std::string header = bytes.substr(10, length);
  std::vector<double> values;
  for (const StoredAs& known : stored_as) {
    if (header.find(fmt::format("'{}'", known.descr)) == std::string::npos) continue;
    with_type(known.type, [&](auto stored) {
      for (std::size_t at = 10 + length; at + sizeof(stored) <= bytes.size(); at += sizeof(stored)) {
        std::memcpy(&stored, bytes.data() + at, sizeof(stored));
        values.push_back(static_cast<double>(stored));
      }
    });
    return values;
  }
  throw std::runtime_error(fmt::format("{}: unknown header {}", file.string(), header));
}

int run_node(std::vector<std::string> words) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  if (posix_spawnp(&child, arguments[0], nullptr, nullptr, arguments.data(), environ) != 0)
    throw std::runtime_error("cannot start node");
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

std::vector<ForeignResult> run_foreign(const ForeignRuntime& runtime, const fs::path& folder,
                                       const std::vector<ForeignJob>& jobs) {
  const auto file = [&](const char* name, std::size_t i) {
    return (folder / fmt::format("{}_{}.npy", name, i)).string();
  };
  std::string lines;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    write_npy(file("input", i), jobs[i].inputs);
    fs::remove(file("output", i));
    lines += fmt::format("{} {} {}\n", jobs[i].model.string(), file("input", i), file("output", i));
  }
  const std::string list = (folder / "jobs").string();
  std::ofstream(list) << lines;
  const int status = run_node({"node", runtime.runner.string(), runtime.modules.string(), runtime.optimize, list});
  if (status != 0 && status != 1) throw std::runtime_error(fmt::format("node ended with status {}", status));
  std::vector<ForeignResult> results(jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (fs::exists(file("output", i) + ".error")) {
      results[i].refused = read_text(file("output", i) + ".error");
      continue;
    }
    const std::vector<double> values = read_npy(file("output", i));
    const std::size_t each = values.size() / jobs[i].inputs.size();
    for (std::size_t k = 0; k < jobs[i].inputs.size(); ++k)
      results[i].outputs.emplace_back(values.begin() + static_cast<std::ptrdiff_t>(k * each),
                                      values.begin() + static_cast<std::ptrdiff_t>((k + 1) * each));
  }
  return results;
}

}  // namespace bitstrata::testing
