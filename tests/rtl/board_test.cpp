// SPDX-License-Identifier: Apache-2.0
// Whole accelerators on boards: the commands on the serial line, and networks that run over it.
#include "rtl/generate/board.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <regex>
#include <set>
#include <sstream>
#include <tuple>

#include "rtl/generate/export.h"
#include "rtl/generate/rtl_files.h"
#include "sim/fast.h"
#include "tests/rtl/support.h"
#include "tests/sim/drawn_network.h"

namespace bitstrata::generate::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

const Board& hx8k() { return board_of("hx8k"); }
model::Architecture architecture() { return model::load_architecture(hx8k().architecture); }

// The accelerator's place is taken by a master that a testbench commands through its memory.
TEST(SerialLine, CommandsDoWhatTheySay) {
  const TemporaryFolder folder;
  write_rtl(architecture(), false, folder.path());
  std::ofstream(folder.path() / serial_rtl().name) << serial_rtl().text;
  for (const int divider : {4, 6, 13}) {
    const Outcome outcome =
        run(fmt::format("cd '{}' && iverilog -g2012 -DBS_CHECKS -DDIVIDER={} -I. -s serial_tb -o tb.vvp "
                        "'{}/serial_tb.sv' bs_serial_top.sv bs_ram.sv && vvp -N tb.vvp",
                        folder.path().string(), divider, BITSTRATA_TESTS_RTL));
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    EXPECT_EQ(outcome.output.find("FAIL"), std::string::npos) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("PASS: 515 answers compared"));
    std::cout << divider << " cycles a bit: " << outcome.output;
  }
}

TEST(SerialLine, LintsInSeveralSizes) {
  const TemporaryFolder folder;
  int linted = 0;
  for (const auto& [data_bits, address_width, sizes] : {std::tuple{16, 16, ""},
                                                        {32, 16, " -GMEMORY_WORDS=704 -GDIVIDER=12"},
                                                        {64, 32, " -GMEMORY_WORDS=8192 -GDIVIDER=4"}}) {
    model::Architecture a = architecture();
    a.data_bits = data_bits;
    a.address_width = address_width;
    model::validate(a);
    write_rtl(a, false, folder.path());
    std::ofstream(folder.path() / serial_rtl().name) << serial_rtl().text;
    for (const char* with : {"", " +define+BS_CHECKS"}) {
      const Outcome outcome = run(
          fmt::format("cd '{}' && verilator --lint-only -Wall -I.{}{} -GDATA_WIDTH={} -GADDRESS_WIDTH={} --top-module "
                      "bs_serial_top bs_serial_top.sv",
                      folder.path().string(), sizes, with, data_bits, address_width));
      EXPECT_EQ(outcome.status, 0) << data_bits << sizes << with << "\n" << outcome.output;
      EXPECT_EQ(outcome.output, "") << data_bits << sizes << with;
      ++linted;
    }
  }
  std::cout << linted << " configurations linted\n";
}

// A random network of two layers or more whose image and cycles are few, and its golden vectors.
TestVectors random_vectors(const model::Architecture& a, std::uint64_t& seed) {
  for (;; ++seed) {
    test::Draw draw(seed, a);
    TestVectors vectors{.network = "random",
                        .weights = "random",
                        .images = "random",
                        .program = draw.program,
                        .tensors = {},
                        .cycles = {}};
    std::int64_t cycles = 0;
    for (const auto& events : sim::predict(vectors.program)) {
      vectors.cycles.push_back(events.cycles);
      cycles += events.cycles;
    }
    std::uint32_t written = 0;
    for (const int output : vectors.program.layer_output)
      written += vectors.program.tensors[static_cast<std::size_t>(output)].bytes;
    if (written < 100) continue;
    if (draw.network.layers.size() < 2 || vectors.program.memory_bytes > 1600 || cycles > 20000) continue;
    vectors.tensors.push_back(model::run_all(draw.network, draw.input));
    vectors.tensors.push_back(model::run_all(draw.network, test::random_codes(draw.random, draw.network.tensors[0])));
    return vectors;
  }
}

std::string read(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Board, NetworkRunsOverTheSerialLine) {
  std::uint64_t seed = 1;
  Board board = hx8k();
  board.divider = 5;  // the line takes most of the time
  const TemporaryFolder folder;
  const TestVectors vectors = random_vectors(architecture(), seed);
  write_design(architecture(), &vectors, {"test", "test"}, folder.path(), &board);
  const Outcome outcome = run(fmt::format("'{}/sim/run_serial.sh'", folder.path().string()));
  static const std::regex pass(
      R"(PASS: (\d+) bytes of (\d+) layers compared, (\d+) cycles, 2 images; cycles of (\d+) )");
  std::smatch match;
  ASSERT_TRUE(outcome.status == 0 && std::regex_search(outcome.output, match, pass)) << outcome.output;
  EXPECT_GT(std::stol(match[1]), 100);  // of two images
  EXPECT_EQ(std::stoul(match[2]), vectors.program.descriptors.size());
  EXPECT_EQ(std::stoul(match[4]), 2 * vectors.program.descriptors.size());
  std::cout << "seed " << seed << ", " << vectors.program.memory_bytes << " bytes of memory: " << outcome.output;

  // Neither a wrong value nor a wrong prediction passes.
  const fs::path expected = folder.path() / "sim/expected.hex", table = folder.path() / "sim/tensors.hex";
  const std::string right = read(expected), right_table = read(table);
  std::string wrong = right;
  const auto last_digit = wrong.find('\n') - 1;  // bit 0 of the first line always has a meaning
  wrong[last_digit] = wrong[last_digit] == '0' ? '1' : '0';
  std::ofstream(expected) << wrong;
  const std::string again = fmt::format("cd '{}' && sim/build/serial_rtl/tb_serial", folder.path().string());
  const Outcome differs = run(again);
  EXPECT_NE(differs.status, 0);
  EXPECT_THAT(differs.output, AllOf(HasSubstr("FAIL: "), HasSubstr("layer 0 row 0 line 0 plane 0")));
  std::ofstream(expected) << right;
  std::ofstream(table) << std::regex_replace(right_table,
                                             std::regex(fmt::format("{:08x} 00000000 //", vectors.cycles[0])),
                                             fmt::format("{:08x} 00000000 //", vectors.cycles[0] + 1));
  const Outcome slow = run(again);
  EXPECT_NE(slow.status, 0);
  EXPECT_THAT(slow.output, AllOf(HasSubstr("FAIL: "), HasSubstr("layer 0: "), HasSubstr("predicted ")));
}

TEST(Board, FolderSaysHowToBuildAndRun) {
  const TemporaryFolder folder;
  const auto files = write_design(architecture(), nullptr, {"test", "test"}, folder.path(), &hx8k());
  const std::set<std::string> names(files.begin(), files.end());
  for (const char* name : {"rtl/bs_serial_top.sv", "rtl/bitstrata_hx8k.sv", "synth/ice40.sh", "synth/hx8k.pcf"})
    EXPECT_TRUE(names.contains(name)) << name;
  for (const auto& name : names) EXPECT_FALSE(name.starts_with("sim/")) << name;
  const std::string readme = read(folder.path() / "README.md");
  for (const char* text : {"2000000\nbits a second", "4096 bytes of memory", "synth/ice40.sh  ", "7680 logic cells"})
    EXPECT_THAT(readme, HasSubstr(text));
  EXPECT_EQ(readme.find("run_serial"), std::string::npos);
  EXPECT_EQ(readme.find('@'), std::string::npos);
  EXPECT_THAT(read(folder.path() / "rtl/bitstrata_hx8k.sv"), HasSubstr(".MEMORY_WORDS(2048), .DIVIDER(6)"));
  EXPECT_THAT(read(folder.path() / "synth/hx8k.pcf"), HasSubstr("set_io rx_i B10\nset_io tx_o B12\n"));

  // Other designs know nothing of it.
  const TemporaryFolder other;
  for (const auto& name : write_design(architecture(), nullptr, {"test", "test"}, other.path()))
    EXPECT_EQ(name.find("serial_top"), std::string::npos) << name;
}

TEST(Board, RefusesWhatItsMemoryIsNot) {
  const auto refusal = [](const auto& change) {
    model::Architecture a = architecture();
    change(a);
    model::validate(a);
    try {
      check_board(hx8k(), a, nullptr);
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  using A = model::Architecture;
  EXPECT_EQ(refusal([](A&) {}), "accepted");
  EXPECT_EQ(refusal([](A& a) { a.rows = 8; }), "accepted");
  EXPECT_THAT(
      refusal([](A& a) { a.memory.read_latency = 20; }),
      AllOf(HasSubstr("memory is {read_latency: 20, write_latency: 1, beat_interval: 1}, on chip it is 2, 1 and 1"),
            HasSubstr("board hx8k"), HasSubstr("pim-4x4-hx8k does")));
  EXPECT_THAT(refusal([](A& a) { a.memory.write_latency = 2; }), HasSubstr("write_latency: 2"));
  EXPECT_THAT(refusal([](A& a) { a.memory.beat_interval = 2; }), HasSubstr("beat_interval: 2"));
  EXPECT_THAT(refusal([](A& a) { a.outstanding = 2; }), HasSubstr("outstanding is 2"));
  EXPECT_THAT(refusal([](A& a) { a.address_width = 40; }), HasSubstr("address_width is 40"));
  try {
    board_of("hx1k");
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "no board 'hx1k'; there is hx8k");
  }
  // To the byte.
  Program program;
  program.memory_bytes = 4096;
  check_board(hx8k(), architecture(), &program);
  program.memory_bytes = 4097;
  try {
    check_board(hx8k(), architecture(), &program);
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("4097 bytes"), HasSubstr("board hx8k has 4096 on chip")));
  }
}

}  // namespace
}  // namespace bitstrata::generate::testing
