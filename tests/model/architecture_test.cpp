// SPDX-License-Identifier: Apache-2.0
// Architecture descriptions: built-ins, limits, the file.
#include "model/architecture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <iostream>

#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

TEST(BuiltIns, AreValid) {
  EXPECT_THAT(architecture_names(),
              ElementsAre("pim-64x64", "pim-16x16", "pim-32x32", "pim-128x128", "overlay-4x32x4", "overlay-8x64x8",
                          "pim-64x64-gated", "overlay-8x64x8-gated", "pim-4x4-hx8k"));
  for (const std::string& name : architecture_names()) {
    const Architecture a = load_architecture(name);
    EXPECT_EQ(a.name, name);
    validate(a);
  }
  EXPECT_EQ(load_architecture("pim-128x128").data_bits, 128);
}

TEST(Architecture, BufferBits) {
  Architecture a;
  EXPECT_EQ(a.plane_banks(), 16);
  EXPECT_EQ(a.activation_buffer_bits(), 2 * 16 * 64 * 64);
  EXPECT_EQ(a.output_buffer_bits(), 4 * 16 * 32 * 64);
  EXPECT_EQ(a.weight_buffer_bits(), 512 * 64);
  EXPECT_EQ(a.outputs_per_macro(3), 21);
  a.max_activation_bits = 5;
  EXPECT_EQ(a.plane_banks(), 8);
  a.max_activation_bits = 1;
  EXPECT_EQ(a.plane_banks(), 2);
  EXPECT_EQ(a.partial_sum_bits(), 2 * 256 * 64 * 48);
  a.columns = 70;  // four rows a word, 280 bits in five lines
  EXPECT_EQ(a.weight_buffer_bits(), 128 * 5 * 64);
  a.load_rows = 1;
  EXPECT_EQ(a.weight_buffer_bits(), 512 * 128);
}

TEST(Architecture, PartialSumsFillWholeGroupsOfLanes) {
  Architecture a;
  a.tiles = 3;
  a.columns = 18;  // five groups of four a macro
  EXPECT_EQ(a.partial_sum_bits(), 2 * 256 * (3 * 20) * 48);
}

TEST(Validate, SaysWhatIsWrongAndWhatWouldBeRight) {
  const auto message = [](const std::function<void(Architecture&)>& change) {
    Architecture a;
    change(a);
    return message_of<std::invalid_argument>([&] { validate(a); });
  };
  const std::string head = "architecture 'pim-64x64': ";
  EXPECT_EQ(message([](auto& a) { a.vectors = 2; }), head + "vectors is 2; allowed is 1..1");
  EXPECT_EQ(message([](auto& a) {
              a.style = "overlay";
              a.tiles = 2;
            }),
            head + "tiles is 2; allowed is 1..1");
  EXPECT_EQ(message([](auto& a) {
              a.style = "overlay";
              a.vectors = 64;
              a.columns = 128;
            }),
            head + "vectors is 64; with columns = 128 at most 32 (4096 dot units)");
  EXPECT_EQ(message([](auto& a) { a.style = "pin"; }), head + "style is 'pin'; known: pim, overlay");
  EXPECT_EQ(message([](auto& a) { a.rows = 0; }), head + "rows is 0; allowed is 2..1024");
  EXPECT_EQ(message([](auto& a) { a.columns = 1025; }), head + "columns is 1025; allowed is 2..1024");
  EXPECT_EQ(message([](auto& a) { a.columns = 15; }),
            head + "columns is 15; a weight of max_weight_bits = 16 needs at least that many");
  EXPECT_EQ(message([](auto& a) { a.tiles = 65; }), head + "tiles is 65; allowed is 1..64");
  EXPECT_EQ(message([](auto& a) { a.max_weight_bits = 17; }), head + "max_weight_bits is 17; allowed is 1..16");
  EXPECT_EQ(message([](auto& a) { a.max_activation_bits = 0; }), head + "max_activation_bits is 0; allowed is 1..16");
  EXPECT_EQ(message([](auto& a) {
              a.supported_bits = {2, 8, 4};
            }),
            head + "supported_bits must be ascending widths from 1 to 16; 4 is wrong");
  EXPECT_EQ(message([](auto& a) { a.accumulator_bits = 49; }), head + "accumulator_bits is 49; allowed is 16..48");
  EXPECT_EQ(message([](auto& a) { a.data_bits = 48; }),
            head + "data_bits is 48; allowed are powers of two from 16 to 256");
  EXPECT_EQ(message([](auto& a) { a.psum_depth = 2; }),
            head + "psum_depth is 2; allowed are powers of two from 4 to 1048576");
  EXPECT_EQ(message([](auto& a) { a.activation_depth = 96; }),
            head + "activation_depth is 96; allowed are powers of two from 4 to 1048576");
  EXPECT_EQ(message([](auto& a) { a.post_lanes = 16; }),
            head + "post_lanes is 16; allowed are powers of two from 1 to 8");
  EXPECT_EQ(message([](auto& a) { a.burst_beats = 257; }), head + "burst_beats is 257; allowed is 1..256");
  EXPECT_EQ(message([](auto& a) { a.burst_beats = 200, a.data_bits = 256; }),
            head + "burst_beats is 200; with data_bits = 256 an AXI burst (at most 4096 bytes) holds 128");
  EXPECT_EQ(message([](auto& a) { a.address_width = 65; }), head + "address_width is 65; allowed is 16..64");
  EXPECT_EQ(message([](auto& a) { a.serial_requantizer = true; }),
            head + "serial_requantizer needs post_lanes = 1, and vector_unit, swish_unit and table_unit = false");
  EXPECT_EQ(message([](auto& a) { a.count_bits = 7; }), head + "count_bits is 7; allowed is 8..16");
  EXPECT_EQ(message([](auto& a) { a.count_bits = 8, a.rows = 256; }),
            head + "count_bits is 8; that counts to 255, and there are 256 rows");
  EXPECT_EQ(message([](auto& a) { a.count_bits = 9, a.tiles = 8; }),
            head + "count_bits is 9; that counts to 511, and there are 512 columns of all tiles");
  EXPECT_EQ(message([](auto& a) { a.outstanding = 17; }), head + "outstanding is 17; allowed is 1..16");
  EXPECT_EQ(message([](auto& a) { a.clock_mhz = 0; }), head + "clock_mhz is 0; it must be above 0");
  EXPECT_EQ(message([](auto& a) { a.memory.beat_interval = 0; }),
            head + "memory.beat_interval is 0; allowed is 1..65535");
  EXPECT_EQ(message([](auto& a) { a.name = ""; }), "architecture '': name is empty");
}

TEST(Validate, TakesOddSizes) {
  Architecture a;
  a.rows = 27;
  a.columns = 21;
  a.tiles = 3;
  a.max_weight_bits = 5;
  EXPECT_NO_THROW(validate(a));
}

TEST(Architecture, SurvivesItsFile) {
  const TemporaryFolder folder;
  Architecture a;
  a.name = "odd";
  a.rows = 27;
  a.columns = 33;
  a.supported_bits = {1, 2, 4, 16};
  a.event_counters = false;
  a.clock_mhz = 123.456;
  a.memory.read_latency = 3;
  save(a, folder / "a.yaml");
  const Architecture b = load_architecture((folder / "a.yaml").string());
  EXPECT_EQ(b.name, "odd");
  EXPECT_EQ(b.rows, 27);
  EXPECT_EQ(b.columns, 33);
  EXPECT_THAT(b.supported_bits, ElementsAre(1, 2, 4, 16));
  EXPECT_FALSE(b.event_counters);
  EXPECT_EQ(b.clock_mhz, 123.456);
  EXPECT_EQ(b.memory.read_latency, 3);
  EXPECT_EQ(b.memory.write_latency, 10);
  // Every key is written, so that a second writing shows any that was lost.
  save(b, folder / "b.yaml");
  EXPECT_EQ(read_text(folder / "a.yaml"), read_text(folder / "b.yaml"));
}

TEST(LoadArchitecture, EveryKeyIsOptional) {
  const TemporaryFolder folder;
  const Architecture a = load_architecture(folder.write("mine.yaml", "format: bitstrata-architecture-1\nrows: 9\n"));
  EXPECT_EQ(a.name, "mine");
  EXPECT_EQ(a.rows, 9);
  EXPECT_EQ(a.columns, 64);
}

// Keys beside `base` override; files that are bases stand beside the file.
TEST(LoadArchitecture, KeysOverrideABase) {
  const TemporaryFolder folder;
  folder.write("line.yaml", "base: pim-32x32\nrows: 16\nmemory: {read_latency: 7}\n");
  folder.write("line-fast.yaml", "base: line.yaml\nclock_mhz: 400\nmemory: {write_latency: 3}\n");
  const Architecture small = load_architecture("pim-32x32");
  const Architecture a = load_architecture((folder / "line-fast.yaml").string());
  EXPECT_EQ(a.name, "line-fast");
  EXPECT_EQ(a.data_bits, small.data_bits);
  EXPECT_EQ(a.data_bits, 32) << "the default is 64";
  EXPECT_EQ(a.columns, 32);
  EXPECT_EQ(a.rows, 16);
  EXPECT_EQ(a.clock_mhz, 400);
  EXPECT_EQ(a.memory.read_latency, 7);
  EXPECT_EQ(a.memory.write_latency, 3);
  const auto message = [&](const std::string& text) {
    const auto file = folder.write("a.yaml", text);
    return message_of<std::runtime_error>([&] { load_architecture(file); });
  };
  EXPECT_THAT(message("rows: 8\nbase: pim-32x23\n"),
              AllOf(HasSubstr("a.yaml:2: no architecture 'pim-32x23': neither a file beside this one nor one of"),
                    EndsWith("did you mean 'pim-32x32'?")));
  EXPECT_THAT(message("base: a.yaml\n"), HasSubstr("a.yaml:1: more than 16 files are each other's base"));
}

TEST(Architecture, NamesSayTheArray) {
  Architecture a;
  EXPECT_EQ(array_name(a), "pim-64x64");
  EXPECT_EQ(behind_array_name(a), "");
  a.name = "pim-64x64-gated";
  EXPECT_EQ(behind_array_name(a), "-gated");
  a.rows = 32;
  EXPECT_EQ(behind_array_name(a), std::nullopt);
  a.tiles = 3;
  EXPECT_EQ(array_name(a), "pim-3x32x64");
  for (const std::string& name : architecture_names()) EXPECT_TRUE(behind_array_name(load_architecture(name))) << name;
}

TEST(LoadArchitecture, AnswersSlipsWithFileAndLine) {
  const TemporaryFolder folder;
  const auto message = [&](const std::string& text) {
    const auto file = folder.write("a.yaml", text);
    return message_of<std::runtime_error>([&] { load_architecture(file); });
  };
  EXPECT_THAT(message("rows: 8\ncolums: 16\n"), EndsWith("a.yaml:2; did you mean 'columns'?"));
  EXPECT_THAT(message("rows: 8\n\ndata_bits: 100\n"),
              EndsWith("a.yaml:3: data_bits is 100; allowed are powers of two from 16 to 256"));
  EXPECT_THAT(message("memory:\n  read_latency: 0\n"),
              EndsWith("a.yaml:2: memory.read_latency is 0; allowed is 1..65535"));
  EXPECT_THAT(message("memory:\n  latency: 0\n"), HasSubstr("unknown key 'latency' in"));
  EXPECT_THAT(message("format: bitstrata-plan-1\n"), HasSubstr("expected 'bitstrata-architecture-1'"));
  EXPECT_THAT(message("event_counters: maybe\n"), EndsWith("'event_counters' must be true or false, is 'maybe'"));
  EXPECT_THAT(
      message_of<std::runtime_error>([] { load_architecture("pim-64x46"); }),
      EndsWith("neither a file nor one of pim-64x64, pim-16x16, pim-32x32, pim-128x128, overlay-4x32x4, "
               "overlay-8x64x8, pim-64x64-gated, overlay-8x64x8-gated, pim-4x4-hx8k; did you mean 'pim-64x64'?"));
}

}  // namespace
}  // namespace bitstrata::testing
