// SPDX-License-Identifier: Apache-2.0
// Writes the binary seeds of the corpus from the tests' own generators: fuzz_seeds CORPUS.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string_view>

#include "model/integer_network.h"
#include "sim/store.h"
#include "sim/store_sqlite.h"
#include "tests/model/onnx_cases.h"
#include "tests/model/onnx_quantized_cases.h"
#include "tests/model/onnx_space_cases.h"
#include "tests/model/picture_files.h"
#include "tests/model/random_network.h"
#include "tests/model/sample_files.h"

namespace {

void write(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

std::string idx(int count, int side) {
  std::string bytes("\0\0\x08\x03", 4);
  for (const int size : {count, side, side}) bytes += std::string(3, '\0') + static_cast<char>(size);
  return bytes + std::string(static_cast<std::size_t>(count * side * side), '\2');
}

// Stores of small pages: with SQLite's own of 4096 bytes most of a file would be empty space, which changes lead
// nowhere.
void write_stores(const std::filesystem::path& folder) {
  using namespace bitstrata::sim;
  for (const char* name : {"empty.sqlite", "points.sqlite"}) {
    std::filesystem::remove(folder / name);
    {
      PointStore store(folder / name,
                       {.version = "1", .commit = "1", .command = "fuzz", .technology_names = {"t", "u"}});
      if (std::string_view(name) == "points.sqlite") {
        StoredPoint point;
        point.identity = {store.architecture({}), store.network("net", "net"), store.plan("w8a8", "w8a8")};
        point.cycles = 1000, point.macs = 7, point.latency_us = 5;
        point.energies = {{"t", "cited", 2.5, "", 10, 100, Area{1.5, 0.25}},
                          {"u", "recalled", std::nullopt, "too wide", 5, std::nullopt, std::nullopt}};
        StoredPoint refused;
        refused.identity = {point.identity.architecture, point.identity.network, store.plan("w4a4", "w4a4")};
        refused.refused = true, refused.reason = "too large";
        store.add({point, refused});
      }
    }
    Database(folder / name).execute("PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM");
  }
}

}  // namespace

int main(int argc, char** argv) {
  using namespace bitstrata;
  if (argc != 2) {
    std::cerr << "usage: fuzz_seeds CORPUS\n";
    return 2;
  }
  const std::filesystem::path corpus = argv[1];
  int number = 0;
  for (const testing::OnnxCase& seed : testing::onnx_cases()) {
    const std::string bytes = seed.model.bytes();
    if (bytes.size() < 2048) write(corpus / "onnx" / ("case" + std::to_string(number++)), bytes);
  }
  number = 0;
  for (const testing::OnnxCase& seed : testing::onnx_space_cases()) {
    const std::string bytes = seed.model.bytes();
    if (bytes.size() < 2048) write(corpus / "onnx" / ("space" + std::to_string(number++)), bytes);
  }
  number = 0;
  for (const testing::QuantizedCase& seed : testing::quantized_cases()) {
    const std::string bytes = seed.graph.model.bytes();
    if (bytes.size() < 1536) write(corpus / "onnx" / ("quantized" + std::to_string(number++)), bytes);
  }
  testing::Random random(1);
  for (int layers = 1; layers <= 3; ++layers) {
    const auto file = corpus / "networks" / ("chain" + std::to_string(layers));
    model::save(testing::random_chain(random, layers, {.largest_side = 4, .largest_channels = 4}), file);
  }
  write(corpus / "samples" / "uint8.npy", testing::npy_file("|u1", "(2, 3, 4, 1)", std::string(24, '\1')));
  write(corpus / "samples" / "float.npy", testing::npy_file("<f4", "(2, 3, 4)", std::string(96, '\1')));
  write(corpus / "samples" / "images.idx", idx(2, 3));
  write(corpus / "samples" / "labels.idx", std::string("\0\0\x08\x01\0\0\0\2\1\2", 10));
  std::string pixels;
  for (int i = 0; i < 75; ++i) pixels += static_cast<char>(i * i);
  const testing::Png colours{.width = 5, .height = 5, .rows = pixels, .palette = {}, .extra = {}};
  write(corpus / "samples" / "colour.png", testing::png_file(colours));
  const testing::Png looked_up{.width = 3,
                               .height = 2,
                               .depth = 2,
                               .colour = 3,
                               .rows = "\x18\x24",
                               .palette = "abcdefghi",
                               .extra = testing::chunk("tRNS", "\xff")};
  write(corpus / "samples" / "palette.png", testing::png_file(looked_up));
  write(corpus / "samples" / "colour.jpg", testing::jpeg_file(5, 5, 3, {pixels.begin(), pixels.end()}));
  write_stores(corpus / "store");
  return 0;
}
