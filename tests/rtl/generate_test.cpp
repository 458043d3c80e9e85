// SPDX-License-Identifier: Apache-2.0
// The hand-over: testbenches of random networks pass under Icarus and Verilator, and fail when a vector is wrong.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <random>
#include <regex>
#include <set>
#include <sstream>

#include "rtl/generate/export.h"
#include "rtl/generate/registers.h"
#include "rtl/generate/rtl_files.h"
#include "sim/fast.h"
#include "tests/model/random_network.h"
#include "tests/rtl/support.h"

namespace bitstrata::generate::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t seed = 20240607;

// A random chain that fits the accelerator and writes at least `bytes`, with `images` random inputs, `batch` a run.
TestVectors random_vectors(bitstrata::testing::Random& random, const model::Architecture& a, int images,
                           std::uint32_t bytes = 1, int batch = 1) {
  while (true) {
    const auto network = bitstrata::testing::random_chain(random, 4);
    TestVectors vectors{
        .network = "random", .weights = "random", .images = "random", .program = {}, .tensors = {}, .cycles = {}};
    try {
      vectors.program = generate::lower(network, a, {}, batch);
    } catch (const std::invalid_argument&) {
      continue;  // too wide for this accelerator
    }
    std::uint32_t written = 0;
    for (const int output : vectors.program.layer_output) {
      written += vectors.program.tensors[static_cast<std::size_t>(output)].bytes;
    }
    if (written < bytes) continue;
    for (int i = 0; i < images; ++i) {
      vectors.tensors.push_back(model::run_all(network, bitstrata::testing::random_codes(random, network.tensors[0])));
    }
    for (const auto& events : sim::predict(
             vectors.program,
             sim::codes_of_batch(std::span(vectors.tensors).first(static_cast<std::size_t>(vectors.program.batch)))))
      vectors.cycles.push_back(events.cycles);
    return vectors;
  }
}

// The number of bytes that a passing testbench says it compared; -1 where it did not pass.
long bytes_compared(const Outcome& outcome) {
  static const std::regex pattern(R"(PASS: (\d+) bytes)");
  std::smatch match;
  if (outcome.status != 0 || !std::regex_search(outcome.output, match, pattern)) return -1;
  return std::stol(match[1]);
}

std::string script(const fs::path& folder, const std::string& name, const std::string& arguments = "") {
  return fmt::format("'{}' {}", (folder / name).string(), arguments);
}

TEST(Generate, TestbenchPassesUnderIcarus) {
  bitstrata::testing::Random random(seed);
  long bytes = 0;
  int networks = 0;
  for (const std::size_t i : {0, 1, 2, 6}) {
    const auto a = architectures().at(i);
    const TemporaryFolder folder;
    // Where planes are skipped each image takes its own time.
    const TestVectors vectors = random_vectors(random, a, a.skip_planes ? 1 : 2, 200);
    ++networks;
    write_design(a, &vectors, {"test", "test"}, folder.path());
    // A third of the way up, so that all digits of the base count.
    const std::string base = fmt::format("+base={:x}", (~std::uint64_t{0} >> (64 - a.address_width)) / 3 / 4096 * 4096);
    std::vector<std::string> memories = {"", "+stall_percent=30 +read_latency=3", base};
    if (i == 0) {
      memories.push_back("+ready_after_valid=1 +stall_percent=20");
      memories.push_back("+ready_after_valid=1 +address_after_data=1");
    }
    for (const std::string& arguments : memories) {
      const Outcome outcome = run(script(folder.path(), "sim/run_icarus.sh", arguments));
      ASSERT_GT(bytes_compared(outcome), 0) << a.name << ", network " << i << " " << arguments << "\n"
                                            << outcome.output;
      bytes += bytes_compared(outcome);
      if (arguments == base) {
        EXPECT_EQ(outcome.output.find("cycles of 0 layer runs"), std::string::npos) << outcome.output;
      }
    }
  }
  std::cout << "icarus: seed " << seed << ", " << networks << " networks, " << bytes << " bytes compared\n";
}

TEST(Generate, TestbenchRunsBatches) {
  bitstrata::testing::Random random(seed + 3);
  const auto a = architectures().at(0);
  const TemporaryFolder folder;
  TestVectors vectors = random_vectors(random, a, 6, 200, 3);
  write_design(a, &vectors, {"test", "test"}, folder.path());
  const Outcome outcome = run(script(folder.path(), "sim/run_icarus.sh"));
  ASSERT_GT(bytes_compared(outcome), 0) << outcome.output;
  EXPECT_NE(outcome.output.find("6 images"), std::string::npos) << outcome.output;
  std::cout << "icarus, batches of 3: seed " << seed + 3 << ", " << bytes_compared(outcome) << " bytes compared\n";
  vectors.tensors.pop_back();
  EXPECT_THROW(write_design(a, &vectors, {"test", "test"}, folder.path()), std::invalid_argument);
}

TEST(Generate, TestbenchPassesUnderVerilator) {
  bitstrata::testing::Random random(seed + 1);
  const auto a = architectures().at(0);
  const TemporaryFolder folder;
  const TestVectors vectors = random_vectors(random, a, 3, 1000);
  write_design(a, &vectors, {"test", "test"}, folder.path());
  const Outcome outcome = run(script(folder.path(), "sim/run_verilator.sh"));
  ASSERT_GT(bytes_compared(outcome), 0) << outcome.output;
  std::cout << "verilator: seed " << seed + 1 << ", " << bytes_compared(outcome) << " bytes compared\n";
}

std::string read(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Generate, TestbenchFailsOnAWrongVectorAndAWrongPrediction) {
  bitstrata::testing::Random random(seed + 2);
  const auto a = architectures().at(0);
  const TemporaryFolder folder;
  TestVectors vectors = random_vectors(random, a, 1);
  write_design(a, &vectors, {"test", "test"}, folder.path());
  const fs::path file = folder.path() / "sim/expected.hex";
  std::string text = read(file);
  const auto last_digit = text.find('\n') - 1;  // bit 0 of the first line always has a meaning
  text[last_digit] = text[last_digit] == '0' ? '1' : '0';
  std::ofstream(file) << text;
  const Outcome wrong = run(script(folder.path(), "sim/run_icarus.sh"));
  EXPECT_NE(wrong.status, 0);
  EXPECT_NE(wrong.output.find("FAIL: "), std::string::npos) << wrong.output;
  EXPECT_NE(wrong.output.find("layer 0 row 0 line 0 plane 0"), std::string::npos) << wrong.output;

  const TemporaryFolder other;
  ++vectors.cycles.back();
  write_design(a, &vectors, {"test", "test"}, other.path());
  const Outcome slow = run(script(other.path(), "sim/run_icarus.sh"));
  EXPECT_NE(slow.status, 0);
  EXPECT_NE(slow.output.find("FAIL: 1 mismatches"), std::string::npos) << slow.output;
}

// Data that change while they wait are right when they are taken; the testbench must see it all the same.
TEST(Generate, TestbenchFailsOnAPayloadThatChanges) {
  bitstrata::testing::Random random(seed + 4);
  const auto a = architectures().at(0);
  const TemporaryFolder folder;
  const TestVectors vectors = random_vectors(random, a, 1);
  write_design(a, &vectors, {"test", "test"}, folder.path());
  const fs::path file = folder.path() / "rtl/bs_axi_write.sv";
  std::string text = read(file);
  const std::string right = "? {DATA_WIDTH{1'b0}} : data_i;";
  const auto at = text.find(right);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, right.size(), "? {DATA_WIDTH{1'b0}} : data_i ^ {DATA_WIDTH{!m_axi_wready_i}};");
  std::ofstream(file) << text;
  const Outcome outcome = run(script(folder.path(), "sim/run_icarus.sh", "+ready_after_valid=1"));
  EXPECT_NE(outcome.status, 0);
  EXPECT_NE(outcome.output.find("channel W changes before READY"), std::string::npos) << outcome.output;
  EXPECT_EQ(outcome.output.find("memory holds"), std::string::npos) << outcome.output;
}

TEST(Generate, WithoutANetworkThereIsNoTestbench) {
  const auto a = architectures().at(1);
  const TemporaryFolder folder;
  const auto files = write_design(a, nullptr, {"test", "test"}, folder.path());
  const std::set<std::string> names(files.begin(), files.end());
  for (const char* name :
       {"README.md", "rtl/files.f", "rtl/bitstrata_top.sv", "rtl/bs_descriptor.svh", "sw/bitstrata.h", "synth/yosys.ys",
        "synth/run_yosys.sh", "synth/vivado.tcl", "synth/quartus.tcl"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
  for (const auto& name : names) EXPECT_FALSE(name.starts_with("sim/")) << name;
  const std::string readme = read(folder.path() / "README.md");
  for (const char* text : {"| 0x00 | CONTROL | w |", "| 0x24 | EVENT_HIGH | r |", "running falls when it is done) |",
                           "| 0x14 | VERSION | r | 0xB175 in bits 31:16", "| ROWS | 20 |", "were not run",
                           "behind an error or reset; bit 1: done; bits 3:2: error (1 descriptor or address,",
                           "multiples of 8 bytes, BASE of 4096; others are error 1"}) {
    EXPECT_NE(readme.find(text), std::string::npos) << text;
  }
  EXPECT_EQ(readme.find('@'), std::string::npos);
}

// A C compiler takes the header and sees what the RTL and the generator have.
TEST(Generate, SoftwareSeesTheContract) {
  const auto a = architectures().at(1);
  const TemporaryFolder folder;
  write_design(a, nullptr, {"test", "test"}, folder.path());
  std::ofstream(folder.path() / "probe.c") << R"(#include <stdio.h>
#include "bitstrata.h"
int main(void) {
  unsigned words[BITSTRATA_DESCRIPTOR_WORDS] = {0};
  words[BITSTRATA_SWISH_SIX_WORD] |= (0xabcdu & BITSTRATA_SWISH_SIX_MASK) << BITSTRATA_SWISH_SIX_LOW;
  words[BITSTRATA_PIXEL_START_X_WORD] |= (unsigned)-5 & BITSTRATA_PIXEL_START_X_MASK;
  printf("%x %x %x %x %x %x\n", words[60], words[19], BITSTRATA_REG_LIMIT, BITSTRATA_CONFIGURATION, BITSTRATA_VERSION,
         BITSTRATA_OP_COPY);
  return 0;
}
)";
  const Outcome outcome =
      run(fmt::format("cd '{}' && gcc -std=c99 -Wall -Wextra -Wpedantic -Werror -Isw probe.c -o probe && "
                      "g++ -std=c++11 -Wall -Wextra -Werror -fsyntax-only -x c++ -Isw probe.c && ./probe",
                      folder.path().string()));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_EQ(outcome.output, fmt::format("abcd0000 1ffffb 34 {:x} {:x} 6\n", configuration_of(a), interface_version));
}

TEST(Generate, FolderAppearsWholeOrNotAtAll) {
  const TemporaryFolder parent;
  const fs::path out = parent.path() / "design";
  { const DesignFolder unfinished(out, false); }
  EXPECT_TRUE(fs::is_empty(parent.path()));
  {
    DesignFolder folder(out, false);
    write_design(architectures().at(0), nullptr, {"test", "test"}, folder.work());
    EXPECT_FALSE(fs::exists(out));
    folder.publish();
  }
  EXPECT_TRUE(fs::exists(out / "rtl/bitstrata_top.sv"));
  EXPECT_THROW(DesignFolder(out, false), std::invalid_argument);
  {
    std::ofstream(out / "mine.txt") << "old";
    DesignFolder folder(out, true);
    write_design(architectures().at(1), nullptr, {"test", "test"}, folder.work());
    folder.publish();
  }
  EXPECT_FALSE(fs::exists(out / "mine.txt"));
  // What is not a design is never replaced.
  const fs::path other = parent.path() / "other";
  fs::create_directories(other);
  std::ofstream(other / "thesis.txt") << "text";
  EXPECT_THROW(DesignFolder(other, true), std::invalid_argument);
  EXPECT_TRUE(fs::exists(other / "thesis.txt"));
  EXPECT_EQ(std::distance(fs::directory_iterator(parent.path()), fs::directory_iterator()), 2);
}

}  // namespace
}  // namespace bitstrata::generate::testing
