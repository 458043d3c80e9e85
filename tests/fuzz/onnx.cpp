// SPDX-License-Identifier: Apache-2.0
// The ONNX importer. Half of the mutations change one thing in the structure of a model, the others its bytes.
#include "model/onnx/onnx.h"

#include <cstring>

#include "tests/fuzz/reader.h"
#include "tests/model/onnx_mutants.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most) __attribute__((weak));

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bitstrata;
  const auto file = testing::file_of("model.onnx", data, size);
  testing::must_read_or_refuse([&] {
    const model::FloatNetwork network = model::import_onnx(file);
    const model::Shape input = network.graph.node(0).output;
    if (network.graph.total_macs() < 100000 && input.elements() < 10000)
      run(network, model::Reals(static_cast<std::size_t>(input.elements()), 0.5F));
  });
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most,
                                               unsigned int seed) {
  if (seed % 2 == 0) return LLVMFuzzerMutate(data, size, most);
  const std::string mutant =
      bitstrata::testing::mutant_of(std::string(reinterpret_cast<const char*>(data), size), seed / 2);
  if (mutant.size() > most) return LLVMFuzzerMutate(data, size, most);
  std::memcpy(data, mutant.data(), mutant.size());
  return mutant.size();
}
