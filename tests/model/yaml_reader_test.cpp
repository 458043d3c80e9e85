// SPDX-License-Identifier: Apache-2.0
// The YAML reader: nearest names, lines in messages, kinds of values.
#include "model/yaml_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(EditDistance, CountsSlips) {
  EXPECT_EQ(edit_distance("", ""), 0);
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("weight", "weight"), 0);
  EXPECT_EQ(edit_distance("weigth", "weight"), 1);  // neighbours swapped
  EXPECT_EQ(edit_distance("wight", "weight"), 1);
  EXPECT_EQ(edit_distance("weights", "weight"), 1);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
}

TEST(Nearest, FindsTheLikelyWord) {
  const std::vector<std::string> words = {"rows", "columns", "tiles"};
  EXPECT_EQ(nearest("colums", words), "columns");
  EXPECT_EQ(nearest("x", {}), "");
  EXPECT_EQ(did_you_mean("row", words), "; did you mean 'rows'?");
  EXPECT_EQ(did_you_mean("activation", words), "");
}

YamlReader sample() {
  return YamlReader::from_text("name: a\nsizes: [1, 2, 3]\nnested:\n  depth: 4.5\n  on: true\nwords: [x, y]\n",
                               "f.yaml");
}

// yaml-cpp would read 064 as 52 and 0x40 as 64.
TEST(YamlReader, WholeNumbersAreDecimal) {
  const auto read = [](const std::string& text) {
    return YamlReader::from_text("n: " + text + "\n", "f.yaml").at("n").as_int();
  };
  EXPECT_EQ(read("64"), 64);
  EXPECT_EQ(read("0"), 0);
  EXPECT_EQ(read("-7"), -7);
  EXPECT_EQ(read("+5"), 5);
  EXPECT_EQ(read("2147483647"), 2147483647);
  const auto refusal = [&](const std::string& text) { return message_of<std::runtime_error>([&] { read(text); }); };
  EXPECT_EQ(refusal("064"), "f.yaml:1: 'n' is '064', which some read as octal; write 64 without leading zeros");
  EXPECT_EQ(refusal("-00"), "f.yaml:1: 'n' is '-00', which some read as octal; write 0 without leading zeros");
  EXPECT_EQ(refusal("2147483648"), "f.yaml:1: 'n' is '2147483648'; allowed is -2147483648 to 2147483647");
  for (const char* text : {"0x40", "0o17", "1e3", "1_000", "6.0", ".nan", ".inf", "+-5", "\"\""})
    EXPECT_THAT(refusal(text), HasSubstr("'n' must be a whole number, is '")) << text;
}

TEST(YamlReader, AFileHoldsOneDocument) {
  const auto refusal = [](const std::string& text) {
    return message_of<std::runtime_error>([&] { YamlReader::from_text(text, "f.yaml"); });
  };
  EXPECT_EQ(refusal("a: 1\n---\na: 2\n"), "f.yaml:3: a second YAML document begins here; a file holds one");
  // yaml-cpp counts documents in it for ever.
  EXPECT_NE(refusal({", : [a\nb]c: [d]\0e:]", 19}), "");
  EXPECT_EQ(refusal("---\n---\na: 2\n"), "f.yaml:3: a second YAML document begins here; a file holds one");
  EXPECT_EQ(YamlReader::from_text("---\na: 1\n...\n", "f.yaml").at("a").as_int(), 1);
  EXPECT_EQ(YamlReader::from_text("a: 1\n---\n", "f.yaml").at("a").as_int(), 1);
}

TEST(YamlReader, ReadsEveryKind) {
  const YamlReader top = sample();
  std::string name;
  std::vector<int> sizes;
  std::vector<std::string> words;
  double depth = 0;
  bool on = false;
  int absent = 7;
  top.read("name", name);
  top.read("sizes", sizes);
  top.read("words", words);
  top.at("nested").read("depth", depth);
  top.at("nested").read("on", on);
  top.read("absent", absent);
  EXPECT_EQ(name, "a");
  EXPECT_THAT(sizes, ElementsAre(1, 2, 3));
  EXPECT_THAT(words, ElementsAre("x", "y"));
  EXPECT_EQ(depth, 4.5);
  EXPECT_TRUE(on);
  EXPECT_EQ(absent, 7);
}

TEST(YamlReader, NamesLineAndKey) {
  const YamlReader top = sample();
  const auto message = [](auto call) { return message_of<std::runtime_error>(call); };
  int number = 0;
  EXPECT_EQ(message([&] { top.at("nested").read("depth", number); }),
            "f.yaml:4: 'depth' must be a whole number, is '4.5'");
  EXPECT_EQ(message([&] { top.read("sizes", number); }), "f.yaml:2: 'sizes' must be a whole number");
  EXPECT_EQ(message([&] { top.at("name").as_bool(); }), "f.yaml:1: 'name' must be true or false, is 'a'");
  EXPECT_EQ(message([&] { top.at("name").as_double(); }), "f.yaml:1: 'name' must be a number, is 'a'");
  EXPECT_EQ(message([&] { top.at("nested").as_string(); }), "f.yaml:3: 'nested' must be a word or a text");
  EXPECT_EQ(message([&] { top.at("name").items(); }), "f.yaml:1: 'name' must be a list");
  EXPECT_EQ(message([&] { top.at("name").at("x"); }), "f.yaml:1: 'name' must be a map of keys to values");
  EXPECT_EQ(message([&] { top.at("nested").at("x"); }), "f.yaml:3: missing key 'x'");
  EXPECT_EQ(message([&] {
              top.check_keys({"name", "sizes", "nest", "words"});
            }),
            "unknown key 'nested' in f.yaml:3; did you mean 'nest'?");
  EXPECT_EQ(message([&] {
              top.at("nested").check_keys({"alpha", "on"});
            }),
            "unknown key 'depth' in f.yaml:4; known keys: alpha, on");
}

TEST(YamlReader, RefusesKeysWrittenTwice) {
  const YamlReader top = YamlReader::from_text("a: 1\nb: 2\na: 3\n", "f.yaml");
  EXPECT_EQ(message_of<std::runtime_error>([&] {
              top.check_keys({"a", "b"});
            }),
            "key 'a' stands twice, again in f.yaml:3");
  // Also where any key may stand: of two energies of one part, one would be lost without a word.
  EXPECT_EQ(message_of<std::runtime_error>([&] { top.members(); }), "key 'a' stands twice, again in f.yaml:3");
}

TEST(YamlReader, RefusesNumbersThatAreNone) {
  const YamlReader top = YamlReader::from_text("a: .nan\nb: .inf\nc: 99999999999\n", "f.yaml");
  EXPECT_THROW(top.at("a").as_double(), std::runtime_error);
  const auto refusal = [&](const std::string& text) {
    return message_of<std::runtime_error>([&] { YamlReader::from_text("v: " + text, "f.yaml").at("v").as_double(); });
  };
  EXPECT_THAT(refusal("064"), HasSubstr("'v' is '064', which some read as octal"));
  EXPECT_THAT(refusal("-01.5"), HasSubstr("octal"));
  EXPECT_THAT(refusal("1e-400"), HasSubstr("too small"));
  for (const char* sound : {"0", "0.5", "-0.5", "0e5", "1e-300", "0.0"})
    EXPECT_NO_THROW(YamlReader::from_text(std::string("v: ") + sound, "f.yaml").at("v").as_double()) << sound;
  EXPECT_THROW(top.at("b").as_double(), std::runtime_error);
  EXPECT_THROW(top.at("c").as_int(), std::runtime_error);
}

TEST(YamlReader, RefusesFilesThatAreNoMap) {
  for (const char* text : {"", "just words", "- a\n- b\n"}) {
    const YamlReader top = YamlReader::from_text(text, "f.yaml");
    EXPECT_EQ(message_of<std::runtime_error>([&] { top.check_keys({"a"}); }),
              "f.yaml:1: the file must be a map of keys to values");
  }
  EXPECT_THAT(message_of<std::runtime_error>([] { YamlReader::from_text("a: 1\nb: [1\n", "f.yaml"); }),
              HasSubstr("not valid YAML"));
  const TemporaryFolder folder;
  EXPECT_THAT(message_of<std::runtime_error>([&] { YamlReader::from_file(folder.path()); }), HasSubstr("cannot read"));
}

TEST(YamlReader, MessagesAreOneLineWhateverStandsInTheFile) {
  const YamlReader top = YamlReader::from_text("\"two\\nlines\": 1\nname: \"a\\nb\"\nbell: \"a\\ab\"\n", "f.yaml");
  EXPECT_EQ(message_of<std::runtime_error>([&] { top.check_keys({"name"}); }),
            "unknown key 'two?lines' in f.yaml:1; known keys: name");
  EXPECT_EQ(message_of<std::runtime_error>([&] { top.at("name").as_int(); }),
            "f.yaml:2: 'name' must be a whole number, is 'a?b'");
}

TEST(YamlReader, WordsAreOneLineAndTextsMayBeMore) {
  const YamlReader top = YamlReader::from_text("name: \"a\\nb\"\nbell: \"a\\ab\"\nfold: >\n  a\n  b\n", "f.yaml");
  for (const char* key : {"name", "bell", "fold"}) {
    EXPECT_THAT(message_of<std::runtime_error>([&] { top.at(key).as_string(); }),
                HasSubstr("with a line end or another control character in it; write it in one line"))
        << key;
  }
  EXPECT_EQ(top.at("name").as_text(), "a\nb");
  EXPECT_EQ(top.at("fold").as_text(), "a b\n");
}

TEST(DidYouMean, ComparesNoWordsOfAnyLength) {
  // Megabytes of a damaged file compared letter by letter would take all memory.
  const std::string word(20'000'000, 'a');
  EXPECT_EQ(did_you_mean(word, {"a", word}), "");
  EXPECT_EQ(did_you_mean(std::string(200, 'a'), {std::string(199, 'a')}),
            "; did you mean '" + std::string(199, 'a') + "'?");
}

}  // namespace
}  // namespace bitstrata::testing
