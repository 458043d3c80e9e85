// SPDX-License-Identifier: Apache-2.0
// Integer networks: bounds, checks, and a file that survives the trip and betrays damage.
#include "model/integer_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstring>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>

#include "tests/model/random_network.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::AllOf;
using ::testing::HasSubstr;

// 4x4x2 unsigned 3 bits -> conv 3x3 pad 1, 3 outputs, 2-bit weights -> max pool 2x2.
IntegerNetwork sample() {
  IntegerNetwork net{.name = "sample",
                     .tensors = {{.shape = {4, 4, 2}, .bits = 3, .zero_point = 2, .scale = 0.1},
                                 {.shape = {4, 4, 3}, .bits = 5, .coding = Coding::twos_complement, .scale = 1.0 / 3},
                                 {.shape = {2, 2, 3}, .bits = 5, .coding = Coding::twos_complement}}};
  IntegerLayer conv;
  conv.name = "conv";
  conv.output = 1;
  conv.window = {3, 3, 1, 1, 1, 1, 1, 1, 1, 1};
  conv.weight_bits = 2;
  conv.weights.assign(54, 1);
  conv.weights[5] = -2;
  conv.bias = {-9, 0, 1LL << 40};
  conv.multiplier = {1, 65535, 300};
  conv.shift = {0, 16, 63};
  conv.clip_low = -16;
  conv.clip_high = 15;
  conv.macs = 16 * 3 * 18;
  IntegerLayer pool;
  pool.name = "pool";
  pool.kind = LayerKind::max_pool;
  pool.input = 1;
  pool.output = 2;
  pool.window = {2, 2, 2, 2};
  pool.bias = {0, 0, 0};
  pool.multiplier = {1, 1, 1};
  pool.shift = {0, 0, 0};
  pool.clip_low = -16;
  pool.clip_high = 15;
  net.layers = {conv, pool};
  return net;
}

void expect_equal(const IntegerNetwork& a, const IntegerNetwork& b) {
  EXPECT_EQ(a.name, b.name);
  ASSERT_EQ(a.tensors.size(), b.tensors.size());
  ASSERT_EQ(a.layers.size(), b.layers.size());
  for (std::size_t i = 0; i < a.tensors.size(); ++i) {
    const TensorFormat &s = a.tensors[i], &t = b.tensors[i];
    EXPECT_TRUE(s.shape == t.shape && s.bits == t.bits && s.coding == t.coding && s.zero_point == t.zero_point &&
                s.scale == t.scale);
  }
  for (std::size_t i = 0; i < a.layers.size(); ++i) {
    const IntegerLayer &s = a.layers[i], &t = b.layers[i];
    EXPECT_TRUE(s.name == t.name && s.kind == t.kind && s.input == t.input && s.output == t.output &&
                s.window == t.window && s.groups == t.groups && s.weight_bits == t.weight_bits &&
                s.weights == t.weights && s.bias == t.bias && s.multiplier == t.multiplier && s.shift == t.shift &&
                s.acc_shift == t.acc_shift && s.clip_low == t.clip_low && s.clip_high == t.clip_high &&
                s.macs == t.macs && s.factor == t.factor);
  }
}

TEST(CodeRange, OfEveryCoding) {
  EXPECT_EQ(code_range(Coding::unsigned_code, 16).high, 65535);
  EXPECT_EQ(code_range(Coding::unsigned_code, 1).high, 1);
  EXPECT_EQ(code_range(Coding::twos_complement, 2).low, -2);
  EXPECT_EQ(code_range(Coding::twos_complement, 16).high, 32767);
  EXPECT_EQ(code_range(Coding::bipolar, 1).low, 0);
  EXPECT_EQ(code_range(Coding::bipolar, 1).high, 1);
}

TEST(AccumulatorBound, ByHand) {
  IntegerNetwork net = sample();
  // Codes up to 7, channel 0: 17 weights of 1 and one of -2 = 19; 19 * 7 + 9 = 142. Channel 2: 18 * 7 + 2^40.
  EXPECT_EQ(accumulator_bound(net, net.layers[0]), 126 + (1LL << 40));
  net.layers[0].bias[2] = 3;
  EXPECT_EQ(accumulator_bound(net, net.layers[0]), 142);
  net.tensors[0] = {.shape = {4, 4, 2}, .bits = 4, .coding = Coding::twos_complement};
  EXPECT_EQ(accumulator_bound(net, net.layers[0]), 19 * 8 + 9);
  net.tensors[0] = {.shape = {4, 4, 2}, .bits = 1, .coding = Coding::bipolar};
  net.layers[0].acc_shift = 1;
  EXPECT_EQ(accumulator_bound(net, net.layers[0]), 2 * 19 + 9);
  EXPECT_EQ(accumulator_bound(net, net.layers[1]), 16);
  net.layers[1].kind = LayerKind::average_pool;
  EXPECT_EQ(accumulator_bound(net, net.layers[1]), 4 * 16);
  net.layers[1].acc_shift = 7;
  EXPECT_EQ(accumulator_bound(net, net.layers[1]), 4 * 16 * 128);
}

TEST(AccumulatorBound, OfTwoInputsByHand) {
  IntegerNetwork net{.name = "two",
                     .tensors = {{.shape = {1, 1, 1}, .bits = 4},
                                 {.shape = {1, 1, 1}, .bits = 8, .coding = Coding::twos_complement},
                                 {.shape = {1, 1, 1}}}};
  IntegerLayer layer;
  layer.kind = LayerKind::add;
  layer.second = 1;
  layer.output = 2;
  layer.factor = {3, -2};
  layer.bias = {-7};
  EXPECT_EQ(accumulator_bound(net, layer), 3 * 15 + 2 * 128 + 7);
  layer.acc_shift = 2;
  EXPECT_EQ(accumulator_bound(net, layer), 4 * (3 * 15 + 2 * 128) + 7);
  layer.kind = LayerKind::multiply;
  layer.acc_shift = 0;
  EXPECT_EQ(accumulator_bound(net, layer), 3 * 15 + 2 * 128 + 15 * 128 + 7);
  layer.kind = LayerKind::concatenate;
  EXPECT_EQ(accumulator_bound(net, layer), 128 + 7);
}

TEST(AccumulatorBound, OfTheWidestLayerStaysBelow45Bits) {
  // 16/16 bits at K = 4608, the case of the design page: 4608 * 2^15 * 65535 < 2^44.
  IntegerNetwork net{.name = "wide", .tensors = {{.shape = {1, 1, 4608}, .bits = 16}, {.shape = {1, 1, 1}}}};
  IntegerLayer layer;
  layer.weight_bits = 16;
  layer.weights.assign(4608, -32768);
  layer.bias = {0};
  EXPECT_EQ(accumulator_bound(net, layer), 4608LL * 32768 * 65535);
  EXPECT_LT(accumulator_bound(net, layer), 1LL << 44);
}

TEST(AccumulatorBound, IsNeverPassed) {
  Random random(3);
  for (int round = 0; round < 200; ++round) {
    const IntegerNetwork net = random_layer(random, {.pooling = false});
    IntegerNetwork raw = net;
    // Recover v itself: requantize with multiplier 1 and shift 0 into a range that cannot hold it is lossy, so look at
    // its high part instead.
    IntegerLayer& layer = raw.layers[0];
    const std::int64_t bound = accumulator_bound(net, layer);
    int shift = 0;
    while ((bound >> shift) > 32000) ++shift;
    raw.tensors[1].bits = 16;
    raw.tensors[1].coding = Coding::twos_complement;
    raw.tensors[1].zero_point = 0;
    layer.multiplier.assign(layer.bias.size(), 1);
    layer.shift.assign(layer.bias.size(), static_cast<std::uint8_t>(shift));
    layer.clip_low = -32768;
    layer.clip_high = 32767;
    for (int code : run_layer(raw, layer, random_codes(random, raw.tensors[0]))) {
      ASSERT_LE(std::abs(code), (bound >> shift) + 1);
    }
  }
}

TEST(Validate, TakesTheSample) { EXPECT_NO_THROW(validate(sample())); }

TEST(Validate, LooksForRealTapsWithoutTryingAll) {
  // Before the first tap inside lie 2^24 - 1 in the padding, at each of 2^20 positions.
  constexpr int far = 1 << 24, positions = 1 << 20;
  IntegerNetwork net = sample();
  net.layers.erase(net.layers.begin());
  net.tensors.erase(net.tensors.begin() + 1);
  net.tensors[0] = {.shape = {1, positions, 3}, .bits = 5, .coding = Coding::twos_complement};
  net.tensors[1] = {.shape = {1, positions, 3}, .bits = 5, .coding = Coding::twos_complement};
  IntegerLayer& pool = net.layers[0];
  pool.input = 0, pool.output = 1;
  pool.window = {1, far, 1, 1, 0, 0, far - 1, 0};
  EXPECT_NO_THROW(validate(net));
  pool.window.kernel_width = far - 1, pool.window.pad_left = far - 1;
  net.tensors[1].shape.width = positions + 1;
  EXPECT_THAT(message_of<std::invalid_argument>([&] { validate(net); }),
              HasSubstr("position 0 of the window's width lies in the padding alone"));
}

TEST(Validate, CountsRealTapsOfDilatedPools) {
  IntegerNetwork net = sample();
  net.layers.erase(net.layers.begin());
  net.tensors.erase(net.tensors.begin() + 1);
  net.tensors[0] = {.shape = {4, 1, 3}, .bits = 5, .coding = Coding::twos_complement};
  net.tensors[1] = {.shape = {5, 1, 3}, .bits = 5, .coding = Coding::twos_complement};
  IntegerLayer& pool = net.layers[0];
  pool.input = 0, pool.output = 1;
  pool.window = {.kernel_height = 2, .kernel_width = 1, .pad_top = 3, .dilation_height = 2};
  // Taps of position 0 lie at -3 and -1.
  EXPECT_THAT(message_of<std::invalid_argument>([&] { validate(net); }),
              HasSubstr("position 0 of the window's height lies in the padding alone"));
  pool.window.pad_top = 2;  // at -2 and 0
  net.tensors[1].shape.height = 4;
  EXPECT_NO_THROW(validate(net));
}

TEST(Validate, NamesTheLayerAndTheContradiction) {
  const std::vector<std::pair<std::string, std::function<void(IntegerNetwork&)>>> cases = {
      {"has no tensors or no layers", [](auto& n) { n.layers.clear(); }},
      {"tensor 0: bits is 17; allowed is 1..16", [](auto& n) { n.tensors[0].bits = 17; }},
      {"tensor 0: zero_point 8 is no code; codes are 0..7", [](auto& n) { n.tensors[0].zero_point = 8; }},
      {"tensor 1: scale is 0; it must be above 0", [](auto& n) { n.tensors[1].scale = 0; }},
      {"tensor 1: two's complement codes need at least 2 bits", [](auto& n) { n.tensors[1].bits = 1; }},
      {"tensor 1: bipolar codes have 1 bit, not 5", [](auto& n) { n.tensors[1].coding = Coding::bipolar; }},
      {"tensor 2: the shape 0x2x3 has a side below 1", [](auto& n) { n.tensors[2].shape.height = 0; }},
      {"layer 'pool': the name stands twice", [](auto& n) { n.layers[0].name = "pool"; }},
      {"a layer has no name", [](auto& n) { n.layers[1].name = ""; }},
      {"layer 'conv': reads tensor 1, which no earlier layer writes", [](auto& n) { n.layers[0].input = 1; }},
      {"layer 'pool': writes tensor 1, which does not exist or is written already",
       [](auto& n) { n.layers[1].output = 1; }},
      {"layer 'pool': writes tensor 9, which does not exist", [](auto& n) { n.layers[1].output = 9; }},
      {"no layer writes tensor 3", [](auto& n) { n.tensors.push_back({}); }},
      {"layer 'conv': gives 4x4x3, its output tensor is 4x5x3", [](auto& n) { n.tensors[1].shape.width = 5; }},
      {"layer 'conv': kernel, stride and dilation of width must be >= 1",
       [](auto& n) { n.layers[0].window.stride_width = 0; }},
      {"layer 'conv': padding of height is negative", [](auto& n) { n.layers[0].window.pad_top = -1; }},
      {"layer 'conv': a kernel reaching over 9 does not fit the padded height of 6",
       [](auto& n) { n.layers[0].window.dilation_height = 4; }},
      {"layer 'conv': 2 groups do not divide 2 input and 3 output channels", [](auto& n) { n.layers[0].groups = 2; }},
      {"layer 'conv': weight_bits is 0; allowed is 1..16", [](auto& n) { n.layers[0].weight_bits = 0; }},
      {"layer 'conv': has 53 weights, its shape needs 54", [](auto& n) { n.layers[0].weights.pop_back(); }},
      {"layer 'conv': weight 2 is not among the 2-bit weights -2..1", [](auto& n) { n.layers[0].weights[7] = 2; }},
      {"layer 'conv': weight -2 is not among the 1-bit weights -1 and +1",
       [](auto& n) { n.layers[0].weight_bits = 1; }},
      {"layer 'conv': macs is 5, its shape gives 864", [](auto& n) { n.layers[0].macs = 5; }},
      {"layer 'conv': has 3 biases, 3 multipliers and 2 shifts", [](auto& n) { n.layers[0].shift.pop_back(); }},
      {"layer 'conv': shift 64 is above 63", [](auto& n) { n.layers[0].shift[1] = 64; }},
      {"layer 'conv': acc_shift is 8; for a convolution of unsigned codes it is 0..7",
       [](auto& n) { n.layers[0].acc_shift = 8; }},
      {"layer 'pool': acc_shift is -1; for a max_pool of twos_complement codes it is 0..7",
       [](auto& n) { n.layers[1].acc_shift = -1; }},
      {"layer 'conv': acc_shift is 0; for a convolution of bipolar codes it is 1..7",
       [](auto& n) {
         n.tensors[0] = {.shape = {4, 4, 2}, .bits = 1, .coding = Coding::bipolar};
       }},
      {"layer 'conv': clips to -16..16; the output's codes are -16..15", [](auto& n) { n.layers[0].clip_high = 16; }},
      {"layer 'conv': clips to 3..2", [](auto& n) { n.layers[0].clip_low = 3, n.layers[0].clip_high = 2; }},
      {"layer 'conv': channel 1 could leave the 64-bit range", [](auto& n) { n.layers[0].bias[1] = INT64_MIN; }},
      {"layer 'pool': pooling has no weights", [](auto& n) { n.layers[1].weight_bits = 4; }},
      {"layer 'pool': macs is 1; pooling counts 0", [](auto& n) { n.layers[1].macs = 1; }},
      {"layer 'pool': position 0 of the window's height lies in the padding alone",
       [](auto& n) { n.layers[1].window.pad_top = 2; }},
      {"layer 'pool': position 2 of the window's width lies in the padding alone",
       [](auto& n) {
         n.layers[1].window.pad_right = 6;  // columns 0..3; the third window begins in column 4
       }},
      // Sizes whose sums or products would leave the integers that count them.
      {"tensor 0: the shape 16777217x4x2 is too large", [](auto& n) { n.tensors[0].shape.height = (1 << 24) + 1; }},
      {"tensor 0: the shape 16777216x16384x2 is too large; a side has at most 16777216 and a tensor 274877906944 "
       "values",
       [](auto& n) {
         n.tensors[0].shape = {1 << 24, 1 << 14, 2};
       }},
      {"layer 'conv': kernel, stride, dilation and padding of height are at most 16777216",
       [](auto& n) { n.layers[0].window.pad_bottom = INT32_MAX; }},
      {"layer 'conv': its multiplications are more than 64 bits count",
       [](auto& n) {
         n.tensors[0].shape = {1, 1, 1 << 24};
         n.layers[0].window = {1 << 20, 1 << 20, 1, 1, 1 << 20, 0, 1 << 20, 0};
         n.tensors[1].shape = {2, 2, 3};
       }},
      {"layer 'pool': average pooling takes no padding",
       [](auto& n) { n.layers[1].kind = LayerKind::average_pool, n.layers[1].window.pad_left = 1; }},
      {"layer 'pool': spreads pixels to blocks of 0x65; allowed is 1..64",
       [](auto& n) {
         n.layers[1].kind = LayerKind::depth_to_space, n.layers[1].factor = {0, 65};
       }},
      {"layer 'pool': spreads 3 channels to blocks of 2x1, which they are no multiple of",
       [](auto& n) {
         n.layers[1].kind = LayerKind::depth_to_space, n.layers[1].factor = {2, 1};
       }},
      {"layer 'pool': gives 12x4x1, its output tensor is 2x2x3",
       [](auto& n) {
         n.layers[1].kind = LayerKind::depth_to_space, n.layers[1].factor = {3, 1};
       }},
  };
  for (const auto& [message, change] : cases) {
    IntegerNetwork net = sample();
    change(net);
    EXPECT_THAT(message_of<std::invalid_argument>([&] { validate(net); }), HasSubstr(message));
  }
}

TEST(File, SurvivesTheTrip) {
  const TemporaryFolder folder;
  save(sample(), folder / "n.safetensors");
  expect_equal(load_integer_network(folder / "n.safetensors"), sample());
  Random random(11);
  for (int round = 0; round < 50; ++round) {
    const IntegerNetwork net = random_chain(random, 3);
    save(net, folder / "n.safetensors");
    expect_equal(load_integer_network(folder / "n.safetensors"), net);
  }
}

TEST(File, KeepsBlocks) {
  const TemporaryFolder folder;
  IntegerNetwork net = sample();
  net.layers[1].kind = LayerKind::depth_to_space;
  net.layers[1].window = {};
  net.layers[1].factor = {1, 3};
  net.layers[1].bias = {0}, net.layers[1].multiplier = {1}, net.layers[1].shift = {0};
  net.tensors[2].shape = {4, 12, 1};
  save(net, folder / "n.safetensors");
  expect_equal(load_integer_network(folder / "n.safetensors"), net);
}

// What other readers of safetensors rely on: length, aligned JSON header, dense offsets, string metadata.
TEST(File, IsSafetensors) {
  const TemporaryFolder folder;
  save(sample(), folder / "n.safetensors");
  const std::string text = read_text(folder / "n.safetensors");
  std::uint64_t length = 0;
  std::memcpy(&length, text.data(), 8);
  EXPECT_EQ((8 + length) % 8, 0U);
  const auto header = nlohmann::json::parse(text.substr(8, length));
  EXPECT_EQ(text[8], '{');
  for (const auto& [key, value] : header.at("__metadata__").items()) EXPECT_TRUE(value.is_string()) << key;
  EXPECT_EQ(header.at("conv.weight").at("dtype"), "I16");
  EXPECT_EQ(header.at("conv.weight").at("shape"), nlohmann::json({3, 3, 3, 2}));
  EXPECT_FALSE(header.contains("pool.weight"));
  std::uint64_t bytes = 0;
  for (const auto& [key, value] : header.items()) {
    if (key == "__metadata__") continue;
    bytes += value.at("data_offsets").at(1).get<std::uint64_t>() - value.at("data_offsets").at(0).get<std::uint64_t>();
  }
  EXPECT_EQ(bytes, text.size() - 8 - length);
}

TEST(File, TruncationsAreDetectedAndNamed) {
  const TemporaryFolder folder;
  save(sample(), folder / "n.safetensors");
  const std::string whole = read_text(folder / "n.safetensors");
  for (std::size_t length = 0; length < whole.size(); length += length < 100 ? 1 : 7) {
    const auto file = folder.write("cut.safetensors", whole.substr(0, length));
    ASSERT_THAT(message_of<std::runtime_error>([&] { load_integer_network(file); }),
                AllOf(HasSubstr("cut.safetensors"), HasSubstr("is damaged")))
        << length;
  }
  const auto longer = folder.write("longer.safetensors", whole + "x");
  EXPECT_THAT(message_of<std::runtime_error>([&] { load_integer_network(longer); }), HasSubstr("is damaged"));
}

TEST(File, FlippedBytesAreDetectedOrHarmless) {
  const TemporaryFolder folder;
  save(sample(), folder / "n.safetensors");
  const std::string whole = read_text(folder / "n.safetensors");
  int detected = 0, flipped = 0;
  for (std::size_t at = 0; at < whole.size(); at += 3, ++flipped) {
    std::string text = whole;
    text[at] = static_cast<char>(text[at] ^ 0x04);
    const auto file = folder.write("flipped.safetensors", text);
    try {
      expect_equal(load_integer_network(file), sample());  // such as a letter of a key nobody reads
    } catch (const std::runtime_error& error) {
      ASSERT_THAT(error.what(), HasSubstr("flipped.safetensors"));
      ++detected;
    }
  }
  std::cout << detected << " of " << flipped << " flipped bytes detected, the others changed nothing\n";
  EXPECT_GT(detected, flipped * 9 / 10);
}

// Header and layers of a file, for tests that damage them on purpose, with a checksum that is right again.
class Damaged {
 public:
  explicit Damaged(const std::string& bytes) {
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), 8);
    header = nlohmann::json::parse(bytes.substr(8, length));
    layers = nlohmann::json::parse(header.at("__metadata__").at("network").get<std::string>());
    data_ = bytes.substr(8 + length);
  }
  std::string bytes() {
    std::string text = layers.dump();
    if (const std::size_t at = text.find("DEEP"); at != std::string::npos) {  // too deep for dump()
      constexpr std::size_t deep = 200000;
      text.replace(at - 1, 6, std::string(deep, '[') + std::string(deep, ']'));
    }
    uLong crc = crc32_z(0, reinterpret_cast<const Bytef*>(data_.data()), data_.size());
    crc = crc32_z(crc, reinterpret_cast<const Bytef*>(text.data()), text.size());
    char digits[9] = {};
    std::snprintf(digits, sizeof(digits), "%08lx", crc);
    header["__metadata__"]["network"] = text;
    header["__metadata__"]["checksum"] = digits;
    const std::string head = header.dump();
    const std::uint64_t length = head.size();
    return std::string(reinterpret_cast<const char*>(&length), 8) + head + data_;
  }
  nlohmann::json header, layers;

 private:
  std::string data_;
};

// A right checksum does not make numbers right: a fraction would be cut off, a large value wrap around.
TEST(File, NumbersAreReadAsTheyStandOrRefused) {
  const TemporaryFolder folder;
  save(sample(), folder / "n.safetensors");
  const std::string whole = read_text(folder / "n.safetensors");
  const auto refusal = [&](const std::function<void(Damaged&)>& change) {
    Damaged file(whole);
    change(file);
    folder.write("bad.safetensors", file.bytes());
    return message_of<std::runtime_error>([&] { load_integer_network(folder / "bad.safetensors"); });
  };
  EXPECT_EQ(refusal([](Damaged&) {}), "(no exception)");
  EXPECT_THAT(refusal([](Damaged& f) { f.layers["tensors"][0]["bits"] = 3.5; }),
              HasSubstr("3.5 is no whole number from -2147483648 to 2147483647"));
  EXPECT_THAT(refusal([](Damaged& f) { f.layers["tensors"][0]["shape"][0] = 4 + (1LL << 32); }),
              HasSubstr("4294967300 is no whole number from -2147483648 to 2147483647"));
  EXPECT_THAT(refusal([](Damaged& f) { f.layers["layers"][0]["window"]["kernel"][1] = "3"; }),
              HasSubstr("\"3\" is no whole number"));
  EXPECT_THAT(refusal([](Damaged& f) { f.layers["layers"][0]["macs"] = ~0ULL; }),
              HasSubstr("18446744073709551615 is no whole number"));
  EXPECT_THAT(refusal([](Damaged& f) {
                f.layers["layers"][0]["factor"] = {0, INT64_MIN};
              }),
              HasSubstr("-9223372036854775808 is no whole number"));
  EXPECT_THAT(refusal([](Damaged& f) { f.layers["layers"][0]["kind"] = "two\nlines"; }),
              HasSubstr("unknown word \"two\\nlines\""));
  EXPECT_THAT(refusal([](Damaged& f) { f.layers["layers"][0]["name"] = "two\nlines"; }),
              HasSubstr("tensor 'two?lines.weight' is missing"));
  // Lists in lists take the stack of whoever writes them.
  EXPECT_THAT(refusal([](Damaged& f) { f.layers["tensors"][0]["bits"] = "DEEP"; }),
              HasSubstr("a list is no whole number"));
  EXPECT_THAT(refusal([](Damaged& f) { f.layers["layers"][0]["kind"] = "DEEP"; }), HasSubstr("unknown word a list"));
  // Multiplied in 64 bits without care, this is the right count.
  EXPECT_THAT(refusal([](Damaged& f) {
                f.header["conv.bias"]["shape"] = {(1ULL << 63) + 3, 1};
              }),
              HasSubstr("shape of tensor 'conv.bias' contradicts its size"));
  EXPECT_THAT(refusal([](Damaged& f) {
                f.header["conv.bias"]["shape"] = {1ULL << 32, 1ULL << 32, 3};
              }),
              HasSubstr("shape of tensor 'conv.bias' contradicts its size"));
}

TEST(File, SaysWhatIsMissing) {
  const TemporaryFolder folder;
  EXPECT_THAT(message_of<std::runtime_error>([&] { load_integer_network(folder / "none"); }),
              AllOf(HasSubstr("cannot read"), HasSubstr("none")));
  EXPECT_THAT(message_of<std::runtime_error>([&] { load_integer_network(folder.path()); }), HasSubstr("cannot read"));
  EXPECT_THAT(message_of<std::runtime_error>([&] { save(sample(), folder / "no/such/folder"); }),
              HasSubstr("cannot write"));
  IntegerNetwork broken = sample();
  broken.layers[0].macs = 1;
  EXPECT_THROW(save(broken, folder / "broken"), std::invalid_argument);
  EXPECT_FALSE(std::filesystem::exists(folder / "broken"));
}

}  // namespace
}  // namespace bitstrata::testing
