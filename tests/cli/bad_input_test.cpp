// SPDX-License-Identifier: Apache-2.0
// What users do wrong: one line that helps, exit status 2, and nothing left behind.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <sstream>

#include "tests/cli/images.h"
#include "tests/cli/process.h"

namespace {

using namespace bitstrata::testing;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Words = std::vector<std::string>;

struct Case {
  const char* name;
  Words words;  // @ stands for the test's folder
  Words expected;
  Words environment = {};
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

// Files to get wrong.
void prepare(const TemporaryFolder& folder) {
  folder.write("damaged.safetensors", "this is no tensor file, but it is long enough to look like one");
  folder.write("wide.yaml",
               "format: bitstrata-plan-1\nnetwork: lenet5\nlayers:\n"
               "  - {layer: conv1, weight_bits: 17, activation_bits: 8}\n"
               "  - {layer: conv2, weight_bits: 8, activation_bits: 8}\n"
               "  - {layer: fc1, weight_bits: 8, activation_bits: 8}\n"
               "  - {layer: fc2, weight_bits: 8, activation_bits: 8}\n"
               "  - {layer: fc3, weight_bits: 8, activation_bits: 8}\n");
  folder.write("misspelt.yaml", "format: bitstrata-architecture-1\nrowz: 64\n");
  folder.write("narrow.yaml", "psum_depth: 16\n");
  folder.write("small.yaml", "accumulator_bits: 16\n");
  const std::string family = "format: bitstrata-family-1\nbase: pim-16x16\narchitectures:\n  - {name: a}\n";
  folder.write("family-key.yaml", family + "  - {name: b, rowz: 32}\n");
  folder.write("family-twice.yaml", family + "  - {name: b, rows: 32}\n  - {name: a, rows: 64}\n");
  folder.write("family-misfit.yaml", family + "  - {name: b, psum_depth: 0}\n");
  folder.write("family-path.yaml", family + "  - {name: ../b}\n");
  folder.write("family-few.yaml", family + "  - {name: b, rows: 32}\n  - {name: c, rows: 64}\n");
  folder.write("in-the-way", "a file");
  folder.write("headless.safetensors", std::string("\x02\0\0\0\0\0\0\0{}", 10));
  folder.write("twice.yaml",
               "format: bitstrata-plan-1\nnetwork: lenet5\nlayers:\n"
               "  - {layer: conv1, weight_bits: 17, activation_bits: 0}\n"
               "  - {layer: conv2, weight_bits: 0, activation_bits: 8}\n");
  folder.write("zero.yaml", std::string("format: bitstrata-plan-1\nnetwork: \0", 36));
  folder.write("deep.yaml", std::string(100000, '['));
  folder.write("path.yaml", "format: bitstrata-technology-1\nname: ../../esc\n");
  folder.write("units.lib", "library (l) { nom_voltage : 1; cell (A) { area : 1; } }\n");
  folder.write("damaged.onnx", "no model");
  folder.write("list.csv", "conv, 8, 8, 3, 3, 1, 4, 1,\n");
  for (const char* name : {"empty", "foreign", "damaged", "interrupted", "few"})
    std::filesystem::create_directories(folder / name);
  folder.write("foreign/letter.txt", "somebody else's");
  for (const char* name : {"float", "integer"})
    folder.write(fmt::format("damaged/{}.safetensors", name), "no tensor file, but long enough to look like one");
  folder.write("interrupted/resume.safetensors", "no tensor file, but long enough to look like one");
  write_images(folder, "train", 240);
  write_images(folder, "t10k", 4);
  write_images(folder, "few/train", 11);
  write_images(folder, "few/t10k", 4);
}

void expect_one_line(const Case& c) {
  const TemporaryFolder folder;
  prepare(folder);
  Words words;
  for (std::string word : c.words) {
    if (word.starts_with("@")) word = (folder / word.substr(1)).string();
    words.push_back(word);
  }
  const bool has_out = std::ranges::find(words, "--out") != words.end();
  const Words output_verbs = {"run", "verify", "report", "generate", "train", "quantize"};
  const bool output_verb = words.size() > 1 && std::ranges::find(output_verbs, words[0]) != output_verbs.end();
  if (!has_out && output_verb) words.insert(words.end(), {"--out", (folder / "new" / "run").string()});

  const Finished finished = run_program(words, c.environment);
  EXPECT_EQ(finished.status, 2);
  EXPECT_THAT(finished.out, IsEmpty());
  EXPECT_EQ(finished.error_lines(), 1) << finished.err;
  EXPECT_THAT(finished.err, ::testing::StartsWith("bitstrata"));
  for (const std::string& part : c.expected) EXPECT_THAT(finished.err, HasSubstr(part));
  EXPECT_FALSE(std::filesystem::exists(folder / "new"));
  EXPECT_TRUE(std::filesystem::is_empty(folder / "empty"));
  for (const char* name : {"foreign", "interrupted"})
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder / name), {}), 1) << name;
  EXPECT_EQ(read_text(folder / "foreign/letter.txt"), "somebody else's");
}

class BadInput : public ::testing::TestWithParam<Case> {};

TEST_P(BadInput, EndsWithOneLine) { expect_one_line(GetParam()); }

// What each verb is given wrongly, whatever it does.
TEST(BadInputOfEveryVerb, EndsWithOneLine) {
  const Finished help = run_program({"--help"});
  std::istringstream lines(help.out);
  std::string line;
  int verbs = 0;
  while (std::getline(lines, line)) {
    if (!line.starts_with("  ") || line.starts_with("  bitstrata")) continue;
    std::istringstream words(line);
    std::string verb;
    words >> verb;
    SCOPED_TRACE(verb);
    ++verbs;
    expect_one_line({"", {verb, "--nowhere", "1"}, {"bitstrata " + verb + ":", "--nowhere"}});
    if (verb == "list") continue;  // it has no options
    // sweep and report take files and folders by themselves, export and characterize have no network.
    const bool by_file = verb == "sweep" || verb == "report" || verb == "export";
    for (const char* network : {"@damaged.onnx", "@in-the-way", "@nothing", "@empty", "@list.csv", ""}) {
      SCOPED_TRACE(network);
      if (verb == "characterize") continue;
      // These load LibTorch, which takes a second each time.
      const bool slow = verb == "train" || verb == "quantize";
      if (slow && network != std::string("@damaged.onnx") && *network != '\0') continue;
      Words given = {verb};
      if (!by_file) given.emplace_back("--network");
      given.emplace_back(network);
      if (verb == "table" && network == std::string("@list.csv")) given.insert(given.end(), {"--max-weight-bits", "0"});
      expect_one_line({"", given, {"bitstrata " + verb}});
    }
  }
  EXPECT_EQ(verbs, 13);
}

// Bad input of the verbs that a build may lack.
class BadTrainingInput : public ::testing::TestWithParam<Case> {};

TEST_P(BadTrainingInput, EndsWithOneLine) {
  const auto program = std::filesystem::path(BITSTRATA_PROGRAM).parent_path() / "bitstrata-train";
  if (!std::filesystem::exists(program)) GTEST_SKIP() << "this build has no training";
  expect_one_line(GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    All, BadInput,
    ::testing::Values(
        Case{"NoVerb", {}, {"a verb is missing"}},
        Case{"UnknownVerb", {"rnu"}, {"unknown verb 'rnu'", "did you mean 'run'"}},
        Case{"UnknownOption",
             {"run", "--netwrok", "lenet5"},
             {"bitstrata run:", "--netwrok", "did you mean '--network'"}},
        Case{"AbbreviatedOption", {"run", "--network", "lenet5", "--weight", "3"}, {"--weight"}},
        Case{
            "LeadingZero", {"run", "--network", "lenet5", "--weight-bits", "04"}, {"--weight-bits is '04'", "decimal"}},
        Case{"Plus", {"run", "--network", "lenet5", "--weight-bits", "+4"}, {"--weight-bits is '+4'", "decimal"}},
        Case{"Exponent", {"verify", "--network", "lenet5", "--images", "1e1"}, {"--images is '1e1'", "decimal"}},
        Case{"Hexadecimal", {"verify", "--network", "lenet5", "--images", "0x1"}, {"--images is '0x1'", "decimal"}},
        Case{"Trailing",
             {"table", "--network", "lenet5", "--max-weight-bits", "4 "},
             {"--max-weight-bits is '4 '", "decimal"}},
        Case{"NoNumber", {"run", "--network", "lenet5", "--seed", "one"}, {"--seed is 'one'", "decimal"}},
        Case{"EmptyNumber", {"run", "--network", "lenet5", "--threads", ""}, {"--threads"}},
        Case{"OutOfType",
             {"run", "--network", "lenet5", "--images", "3000000000"},
             {"--images is 3000000000; allowed is -2147483648 to 2147483647"}},
        Case{"NotFinite",
             {"verify", "--network", "lenet5", "--stall-probability", "nan"},
             {"--stall-probability is 'nan'", "decimal"}},
        Case{"Infinite", {"characterize", "--wire-ff", "inf", "--out", "@t"}, {"--wire-ff is 'inf'", "decimal"}},
        Case{"HexadecimalReal",
             {"characterize", "--clock-ns", "0x10", "--out", "@t"},
             {"--clock-ns is '0x10'", "decimal"}},
        Case{"ValueIsMissing", {"table", "--network"}, {"--network lacks its value"}},
        Case{"ValueTooMany", {"run", "--network", "lenet5", "--quiet=1"}, {"--quiet takes no value"}},
        Case{"GivenTwice",
             {"run", "--network", "lenet5", "--network", "vgg_small"},
             {"--network is given more than once"}},
        Case{"LoneWord", {"run", "lenet5"}, {"stands alone"}}, Case{"NoNetwork", {"run"}, {"--network is missing"}},
        Case{"FamilyKey",
             {"characterize", "--family", "@family-key.yaml", "--out", "@tech.yaml"},
             {"family-key.yaml:5", "rowz", "did you mean 'rows'"}},
        Case{"FamilyTwice",
             {"characterize", "--family", "@family-twice.yaml", "--out", "@tech.yaml"},
             {"family-twice.yaml:6", "'a' is the name of an architecture before"}},
        Case{"FamilyMisfit",
             {"characterize", "--family", "@family-misfit.yaml", "--out", "@tech.yaml"},
             {"family-misfit.yaml:5", "psum_depth"}},
        Case{"FamilyPath",
             {"characterize", "--family", "@family-path.yaml", "--out", "@tech.yaml"},
             {"family-path.yaml:5", "'../b' must be letters"}},
        Case{"FamilyOfThree",
             {"characterize", "--family", "@family-few.yaml", "--out", "@tech.yaml"},
             {"3 architectures", "four"}},
        Case{"FamilyAndArchitecture",
             {"characterize", "--family", "@family-few.yaml", "--architecture", "pim-16x16", "--out", "@tech.yaml"},
             {"--architecture belongs to a single architecture"}},
        Case{"LeftOutOfNoFamily",
             {"characterize", "--left-out", "@left.csv", "--out", "@tech.yaml"},
             {"--left-out belongs to --family"}},
        Case{"CharacterizeNoOut", {"characterize"}, {"bitstrata characterize:", "--out"}},
        Case{"CharacterizeUnknownLibrary",
             {"characterize", "--library", "osu081", "--out", "@tech.yaml"},
             {"no library 'osu081'", "osu018, osu035, osu050"}},
        Case{"CharacterizeUnknownSecondFile",
             {"characterize", "--library", "@units.lib", "--library", "@none.lib", "--out", "@tech.yaml"},
             {"no library '", "none.lib'"}},
        Case{"CharacterizeTwoWholeLibraries",
             {"characterize", "--library", "osu018", "--library", "osu035", "--out", "@tech.yaml"},
             {"--library osu018 stands for a whole library; give it alone"}},
        Case{"CharacterizeNoFeatureSize",
             {"characterize", "--library", "@narrow.yaml", "--out", "@tech.yaml"},
             {"--feature-nm is missing"}},
        Case{"CharacterizeDamagedLibrary",
             {"characterize", "--library", "@narrow.yaml", "--feature-nm", "45", "--out", "@tech.yaml"},
             {"narrow.yaml:2", "a Liberty file is one group"}},
        Case{"CharacterizeUnknownDram",
             {"characterize", "--dram", "ddr3", "--out", "@tech.yaml"},
             {"--dram", "ddr3", "lpddr4"}},
        Case{"CharacterizeNoActivations",
             {"characterize", "--activations", "@missing.yaml", "--out", "@tech.yaml"},
             {"missing.yaml"}},
        Case{"CharacterizeNoColumns", {"characterize", "--columns", "0", "--out", "@tech.yaml"}, {"--columns is 0"}},
        Case{"CharacterizeFewerColumnsThanAWeightHasBits",
             {"characterize", "--architecture", "pim-16x16", "--columns", "2", "--out", "@tech.yaml"},
             {"architecture 'pim-16x16 with 2 columns': columns is 2; a weight of max_weight_bits = 16"}},
        Case{"CharacterizeLibraryWithoutUnits",
             {"characterize", "--library", "@units.lib", "--feature-nm", "45", "--out", "@tech.yaml"},
             {"units.lib:1: the library does not say its unit of capacitance"}},
        Case{"CharacterizeAgainstNoGates",
             {"characterize", "--check", "ad-pim", "--out", "@tech.yaml"},
             {"technology 'ad-pim' is not of gates"}},
        Case{"NotANumber", {"run", "--network", "lenet5", "--weight-bits", "four"}, {"weight-bits"}},
        Case{"NegativeSeed", {"run", "--network", "lenet5", "--seed", "-1"}, {"--seed is -1"}},
        Case{"NegativeStallSeed", {"verify", "--network", "lenet5", "--stall-seed", "-1"}, {"--stall-seed is -1"}},
        Case{"UnknownNetwork", {"run", "--network", "lenet6"}, {"unknown network 'lenet6'", "did you mean 'lenet5'"}},
        Case{"UnknownArchitecture",
             {"run", "--network", "lenet5", "--architecture", "pim-64x65"},
             {"no architecture", "did you mean 'pim-64x64'"}},
        Case{"UnknownTechnology", {"run", "--network", "lenet5", "--technology", "ad-pin"}, {"ad-pim"}},
        Case{"TechnologyTwice",
             {"run", "--network", "lenet5", "--technology", "ad-pim", "--technology", "ad-pim"},
             {"given twice"}},
        Case{"UnknownEngine", {"run", "--network", "lenet5", "--engine", "rlt"}, {"--engine", "did you mean 'rtl'"}},
        Case{"PrecisionOutOfRange",
             {"run", "--network", "lenet5", "--weight-bits", "17"},
             {"--weight-bits is 17", "1 to 16"}},
        Case{"PrecisionZero", {"verify", "--network", "lenet5", "--activation-bits", "0"}, {"--activation-bits is 0"}},
        Case{"PrecisionInPlan", {"run", "--network", "lenet5", "--plan", "@wide.yaml"}, {"17", "1..16"}},
        Case{"PlanAndWidths",
             {"run", "--network", "lenet5", "--plan", "@wide.yaml", "--weight-bits", "4"},
             {"--plan already gives the widths"}},
        Case{"OutputWidthTwice",
             {"run", "--network", "lenet5", "--plan", "@wide.yaml", "--output-bits", "4"},
             {"--plan already gives the widths"}},
        Case{"OutputWidth", {"run", "--network", "lenet5", "--output-bits", "1"}, {"--output-bits is 1", "2 to 16"}},
        Case{"OutputOfABuiltIn", {"run", "--network", "lenet5", "--output", "y"}, {"belongs to networks from ONNX"}},
        Case{"OutputsNoFile", {"evaluate", "--network", "net.onnx", "--outputs", "out.txt"}, {"--outputs", "NAME.npy"}},
        Case{"NoPlan", {"run", "--network", "lenet5", "--plan", "@nothing.yaml"}, {"nothing.yaml"}},
        Case{"PlanIsADevice", {"run", "--network", "lenet5", "--plan", "/dev/null"}, {"/dev/null: it is a device"}},
        Case{"SweepIsADevice", {"sweep", "/dev/null", "--store", "@s.sqlite"}, {"/dev/null: it is a device"}},
        Case{"LibraryIsADevice",
             {"characterize", "--library", "/dev/null", "--feature-nm", "45", "--out", "@tech.yaml"},
             {"/dev/null: it is a device"}},
        Case{"MisspeltKey",
             {"run", "--network", "lenet5", "--architecture", "@misspelt.yaml"},
             {"misspelt.yaml:2", "did you mean 'rows'"}},
        Case{"LayerDoesNotFit",
             {"run", "--network", "lenet5", "--architecture", "@narrow.yaml"},
             {"layer 'conv1'", "28 pixels", "psum_depth = 16"}},
        Case{"AccumulatorOverflow",
             {"verify", "--network", "lenet5", "--architecture", "@small.yaml"},
             {"layer '", "accumulator"}},
        Case{"NoDataSet",
             {"run", "--network", "lenet5", "--engine", "systemc", "--dataset", "@nothing"},
             {"no dataset", "nothing"}},
        Case{"DataSetNotInstalled",
             {"verify", "--network", "lenet5"},
             {"missing", "dataset-fashion-mnist"},
             {"BITSTRATA_FASHION_MNIST=/nowhere"}},
        Case{"DamagedWeights", {"run", "--network", "@damaged.safetensors"}, {"damaged.safetensors"}},
        Case{"HeaderOfNothing",
             {"run", "--network", "@headless.safetensors"},
             {"headless.safetensors", "its header is not one of an integer network"}},
        Case{"WidthsOfAPlanAllAtOnce",
             {"run", "--network", "lenet5", "--plan", "@twice.yaml"},
             {"twice.yaml:4: layer 'conv1': weight_bits is 17; allowed is 1..16; line 4: layer 'conv1': "
              "activation_bits is 0",
              "line 5: layer 'conv2': weight_bits is 0"}},
        Case{"WholeNumbersInWords",
             {"run", "--network", "lenet5", "--images", "1000001"},
             {"--images is 1000001; allowed is 0 to 1000000"}},
        Case{"OtherFileThanAList",
             {"table", "--network", "@in-the-way"},
             {"in-the-way' exists, but is not what is read here"}},
        Case{"FolderThanAList", {"table", "--network", "@empty"}, {"empty' exists, but", "lists of them (.csv)"}},
        Case{"ExportOfANetworkWithoutWeights",
             {"export", "--network", "lenet5", "--out", "@new"},
             {"there is no 'lenet5'; export writes what"}},
        Case{"ZeroByte", {"run", "--network", "lenet5", "--plan", "@zero.yaml"}, {"zero.yaml:2: holds a zero byte"}},
        Case{"NestedTooDeep",
             {"run", "--network", "lenet5", "--plan", "@deep.yaml"},
             {"deep.yaml:1: ", "nested too deep"}},
        Case{"NameOfATechnologyIsAPath",
             {"table", "--network", "lenet5", "--technology", "@path.yaml"},
             {"path.yaml:2: 'name' is '../../esc'; files are called after it"}},
        Case{"FolderWithoutWeights", {"run", "--network", "@empty"}, {"holds no integer.safetensors"}},
        Case{"BatchOfNothing", {"run", "--network", "lenet5", "--batch", "0"}, {"--batch is 0"}},
        Case{"BatchTooLarge", {"verify", "--network", "lenet5", "--batch", "1025"}, {"--batch is 1025", "1 to 1024"}},
        Case{"PartOfABatch",
             {"verify", "--network", "lenet5", "--batch", "4", "--images", "6"},
             {"--images is 6", "no multiple of --batch 4"}},
        Case{"PartOfABatchPredicted",
             {"run", "--network", "lenet5", "--batch", "4", "--images", "6"},
             {"--images is 6", "no multiple of --batch 4"}},
        Case{"BatchWithoutTestbench", {"generate", "--batch", "2"}, {"--batch belongs to the testbench"}},
        Case{"NoImages", {"run", "--network", "lenet5", "--engine", "rtl", "--images", "0"}, {"--images is 0"}},
        Case{"OutIsAFile", {"run", "--network", "lenet5", "--out", "@in-the-way"}, {"--out", "in-the-way"}},
        Case{"OutUnderAFile", {"run", "--network", "lenet5", "--out", "@in-the-way/run"}, {"--out: cannot write into"}},
        Case{
            "OutCannotBeMade", {"run", "--network", "lenet5", "--out", "/proc/bitstrata/run"}, {"--out: cannot write"}},
        Case{"UnknownTopic", {"list", "network"}, {"did you mean 'networks'"}},
        Case{"NoTopic", {"list"}, {"networks, architectures"}}, Case{"ReportOfNothing", {"report"}, {"no run folder"}},
        Case{"ReportOfMissingFolder", {"report", "@nothing"}, {"no run folder", "nothing"}},
        Case{"ReportOfOtherFolder", {"report", "@empty"}, {"is no run folder"}},
        Case{"ReportFormat", {"report", "@empty", "--format", "htm"}, {"did you mean 'html'"}},
        Case{"GenerateUnknownNetwork", {"generate", "--network", "lenet6"}, {"did you mean 'lenet5'"}},
        Case{"GenerateWordsOfTheTestbench", {"generate", "--images", "3"}, {"--images", "needs --network"}},
        Case{"GenerateUnknownBoard", {"generate", "--board", "hx1k"}, {"no board 'hx1k'; there is hx8k"}},
        Case{"GenerateForAnotherMemory",
             {"generate", "--board", "hx8k", "--architecture", "pim-16x16"},
             {"'pim-16x16' does not suit board hx8k", "read_latency: 20", "on chip it is 2, 1 and 1",
              "pim-4x4-hx8k does"}},
        Case{"GenerateTooLargeForTheBoard",
             {"generate", "--board", "hx8k", "--network", "lenet5", "--dataset", "random", "--weight-bits", "2",
              "--activation-bits", "2", "--output-bits", "2"},
             {"24992 bytes", "board hx8k has 4096 on chip"}},
        Case{"GenerateTooWideForTheBoard",
             {"generate", "--board", "hx8k", "--network", "cnn_4kb", "--dataset", "random"},
             {"'conv1': 8-bit weights", "supports 1 to 2"}},
        Case{"GenerateOutIsTaken", {"generate", "--out", "@foreign"}, {"is not empty", "--force"}},
        Case{"GenerateOutIsForeign", {"generate", "--out", "@foreign", "--force"}, {"something else than a generated"}},
        Case{"GenerateOutIsAFile", {"generate", "--out", "@in-the-way"}, {"in-the-way", "is not a folder"}},
        Case{"GenerateOutCannotBeMade", {"generate", "--out", "/proc/bitstrata/design"}, {"cannot write"}}),
    [](const auto& tested) { return tested.param.name; });

INSTANTIATE_TEST_SUITE_P(
    All, BadTrainingInput,
    ::testing::Values(
        Case{"TrainUnknownNetwork", {"train", "--network", "lenet6"}, {"bitstrata train:", "did you mean 'lenet5'"}},
        Case{"TrainNoDataSet", {"train", "--network", "lenet5", "--dataset", "@nothing"}, {"no dataset"}},
        Case{"TrainTooFewImages",
             {"train", "--network", "lenet5", "--dataset", "@few"},
             {"11 training images", "at least 12"}},
        Case{"TrainDamagedStart",
             {"train", "--network", "lenet5", "--dataset", "@", "--init", "@damaged/float.safetensors"},
             {"damaged/float.safetensors", "no safetensors file"}},
        Case{"TrainDiverges",
             {"train", "--network", "lenet5", "--dataset", "@", "--learning-rate", "100", "--batch", "8", "--threads",
              "1", "--quiet", "--out", "@diverged"},
             {"training diverged", "--learning-rate"}},
        Case{"TrainDamagedResumption",
             {"train", "--network", "lenet5", "--dataset", "@", "--resume", "--out", "@interrupted"},
             {"--resume:", "resume.safetensors"}},
        Case{"TrainOutCannotBeMade", {"train", "--out", "/proc/bitstrata/run"}, {"--out: cannot write"}},
        Case{"QuantizeOutCannotBeMade", {"quantize", "--out", "/proc/bitstrata/run"}, {"--out: cannot write"}},
        Case{"QuantizeUnknownMethod", {"quantize", "--method", "unifrom"}, {"did you mean 'uniform'"}},
        Case{"QuantizeDamagedStart", {"quantize", "--network", "@damaged"}, {"--network", "float.safetensors"}},
        Case{"QuantizeTooFewImages", {"quantize", "--network", "lenet5", "--dataset", "@few"}, {"at least 12"}},
        Case{"QuantizeOptionOfTheSearch",
             {"quantize", "--method", "uniform", "--floor", "2"},
             {"--floor", "--method ad"}},
        Case{"QuantizeTechnologyOfGates",
             {"quantize", "--method", "uniform", "--technology", "osu018-pim-64"},
             {"'osu018-pim-64' prices runs of an accelerator, not MACs", "ad-pim"}},
        Case{"QuantizePruneUniformly", {"quantize", "--method", "uniform", "--prune"}, {"--prune", "--method ad"}},
        Case{"QuantizeWidthsOfUniform",
             {"quantize", "--method", "ad", "--weight-bits", "3"},
             {"--weight-bits", "--method uniform"}},
        Case{"QuantizeFloorAboveStart", {"quantize", "--method", "ad", "--floor", "17"}, {"--floor is 17"}},
        Case{"QuantizeUnknownQuantizer",
             {"quantize", "--finetune-epochs", "1", "--quantizer", "lqs"},
             {"--quantizer", "did you mean 'lsq'"}},
        Case{"QuantizeDistilsNothingTrained",
             {"quantize", "--network", "lenet5", "--finetune-epochs", "1", "--distill", "0.5"},
             {"--distill: 'lenet5' is not trained", "a run folder of train"}},
        Case{"QuantizeDistillsMoreThanAll",
             {"quantize", "--finetune-epochs", "1", "--distill", "1.5"},
             {"--distill is 1.5"}},
        Case{"QuantizeTemperatureOfNothing",
             {"quantize", "--finetune-epochs", "1", "--temperature", "3"},
             {"--temperature", "--distill"}},
        Case{"QuantizerOfNoTraining", {"quantize", "--quantizer", "lsq"}, {"--quantizer", "--finetune-epochs"}},
        Case{"EvaluateNothing", {"evaluate", "--network", "@empty"}, {"holds neither"}},
        Case{"EvaluateDamaged", {"evaluate", "--network", "@damaged", "--dataset", "@"}, {"integer.safetensors"}}),
    [](const auto& tested) { return tested.param.name; });

}  // namespace
