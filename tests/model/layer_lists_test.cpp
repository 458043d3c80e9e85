// SPDX-License-Identifier: Apache-2.0
// Layer lists: the shapes SCALE-Sim and NeuroSim give to the lines of their files, and refusals with file and line.
#include "model/layer_lists.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "model/network.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LayerLists : public ::testing::Test {
 protected:
  LayerList load(const std::string& text) { return load_layer_list(folder_.write("list.csv", text)); }
  std::string refusal(const std::string& text) {
    return message_of<std::runtime_error>([&] { load(text); });
  }
  TemporaryFolder folder_;
};

constexpr const char* headings =
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n";

TEST_F(LayerLists, ScaleSimSizesAreAlreadyPadded) {
  const LayerList list = load(std::string(headings) +
                              "\n"
                              "Conv1     ,224         ,224        ,11           ,11          ,3       ,96        ,4,\n"
                              "\tConv2, 31, 31, 5, 5, 96, 256, 1\n"
                              "Conv3, 114, 57, 3, 3, 8, 4, 2, # a comment\n"
                              "FC, 1, 1, 1, 1, 1024, 1000, 1,\r\n");
  EXPECT_EQ(list.name, "list");
  ASSERT_EQ(list.layers.size(), 4U);
  // ceil((224 - 11 + 4) / 4) = 55: the last window reaches three rows over the edge.
  EXPECT_EQ(list.layers[0].output(), (Shape{55, 55, 96}));
  EXPECT_EQ(list.layers[0].window.pad_bottom, 3);
  EXPECT_EQ(list.layers[0].macs(), 55 * 55 * 96 * 11 * 11 * 3);
  EXPECT_EQ(list.layers[1].name, "Conv2");
  EXPECT_EQ(list.layers[1].output(), (Shape{27, 27, 256}));
  EXPECT_EQ(list.layers[1].window.pad_right, 0);
  EXPECT_EQ(list.layers[2].output(), (Shape{57, 28, 4}));
  EXPECT_EQ(list.layers[3].macs(), 1024000);
  EXPECT_EQ(list.total_macs(), list.layers[0].macs() + list.layers[1].macs() + list.layers[2].macs() + 1024000);
}

TEST_F(LayerLists, ScaleSimDepthwiseProductsAndSparsity) {
  const LayerList depthwise =
      load(std::string(headings) + "DP_1, 16, 16, 3, 3, 32, 2, 1,\nDP_1, 16, 16, 3, 3, 32, 1, 1,\n");
  EXPECT_EQ(depthwise.layers[0].groups, 32);
  EXPECT_EQ(depthwise.layers[0].output(), (Shape{14, 14, 64}));
  EXPECT_EQ(depthwise.layers[0].macs(), 14 * 14 * 64 * 9);
  EXPECT_EQ(depthwise.layers[1].name, "DP_1_2");
  EXPECT_THAT(
      depthwise.notes,
      ElementsAre(HasSubstr("list.csv: 2 layers with DP in the name are depthwise, as SCALE-Sim has it: DP_1, ...")));
  EXPECT_THAT(load(std::string(headings) + "DPN, 8, 8, 1, 1, 16, 32, 1,\n").notes,
              ElementsAre(HasSubstr("a layer with")));
  EXPECT_THAT(load(std::string(headings) + "dense, 8, 8, 1, 1, 16, 32, 1,\n").notes, IsEmpty());
  const LayerList products = load("Layer,M,N,K\n1,2048,4096,32\n2,32,10,128,");
  EXPECT_EQ(products.layers[0].macs(), std::int64_t{2048} * 4096 * 32);
  EXPECT_EQ(products.layers[1].output(), (Shape{32, 1, 10}));
  const std::string sparse = "Layer name, H, W, FH, FW, Channels, Filters, Strides, SparsitySupport,\n";
  EXPECT_EQ(load(sparse + "a, 8, 8, 3, 3, 1, 1, 2, 4:4,").layers[0].window.stride_width, 2);
  EXPECT_THAT(refusal(sparse + "a, 8, 8, 3, 3, 1, 1, 1, 2:4,"),
              HasSubstr("list.csv:2: sparsity '2:4' is not modelled"));
}

// The first lines of the ResNet-18 that comes with NeuroSim; the counts are those of the network itself.
TEST_F(LayerLists, NeuroSimPadsToTheSameSize) {
  const LayerList list =
      load("224,224,3,7,7,64,1,2\n56,56,64,3,3,64,0,1\n56,56,64,1,1,128,0,2\n1,1,512,1,1,1000,0,1\n");
  ASSERT_EQ(list.layers.size(), 4U);
  EXPECT_EQ(list.layers[0].name, "layer1");
  EXPECT_EQ(list.layers[0].output(), (Shape{112, 112, 64}));
  EXPECT_EQ(list.layers[1].output(), (Shape{56, 56, 64}));
  EXPECT_EQ(list.layers[2].output(), (Shape{28, 28, 128}));
  const Network resnet = build_network("resnet18");
  EXPECT_EQ(list.layers[0].macs(), resnet.macs(resnet.find("conv1")));
  EXPECT_EQ(list.layers[1].macs(), resnet.macs(resnet.find("stage1_1_conv1")));
  EXPECT_EQ(list.layers[2].macs(), resnet.macs(resnet.find("stage2_1_shortcut")));
  EXPECT_EQ(list.layers[3].macs(), resnet.macs(resnet.find("fc")));
}

TEST_F(LayerLists, BecomeIndependentIntegerLayers) {
  const LayerList list = load("32,32,3,3,3,16,0,1\n16,16,16,3,3,32,1,2\n");
  Plan plan = uniform_plan(list, 3, 5);
  plan.layers[1].activation_bits = 7;
  const IntegerNetwork shapes = integer_shapes(list, plan);
  ASSERT_EQ(shapes.tensors.size(), 4U);
  EXPECT_EQ(shapes.layers[1].input, 2);
  EXPECT_EQ(shapes.layers[1].weight_bits, 3);
  EXPECT_EQ(shapes.tensors[3].bits, 7);
  EXPECT_EQ(shapes.tensors[3].shape, (Shape{8, 8, 32}));
  EXPECT_EQ(shapes.layers[1].clip_high, 127);
  EXPECT_EQ(shapes.layers[0].macs, 32 * 32 * 9 * 3 * 16);
  Plan wide = plan;
  wide.output_bits = 2;
  EXPECT_THAT(message_of<std::invalid_argument>([&] { integer_shapes(list, wide); }),
              HasSubstr("output_bits is 2; layers of the list 'list' have outputs as wide as their inputs"));
  plan.layers[1].layer = "layer3";
  EXPECT_THAT(message_of<std::invalid_argument>([&] { integer_shapes(list, plan); }),
              HasSubstr("layer 2 of the plan is 'layer3'; in the list 'list' it is 'layer2'"));
}

TEST_F(LayerLists, RefusalsNameFileAndLine) {
  EXPECT_THAT(refusal(std::string(headings) + "a, 8, 8, 3, 3, 1,\n"), HasSubstr("list.csv:2: filters is missing"));
  EXPECT_THAT(refusal(std::string(headings) + "a, 8, 8, 3, 3, 1, 4x, 1,\n"),
              HasSubstr("list.csv:2: filters is '4x'; it must be a whole number from 1 to 16777216"));
  for (const char* number : {"04", "+4", "4.0", "0x4"}) {
    EXPECT_THAT(refusal(fmt::format("{}a, 8, 8, 3, 3, 1, {}, 1,\n", headings, number)),
                HasSubstr(fmt::format("list.csv:2: filters is '{}'; it must be a whole number", number)));
  }
  EXPECT_THAT(refusal(std::string(headings) + "\na, 8, 2, 3, 3, 1, 4, 1,\n"),
              HasSubstr("list.csv:3: a filter of 3x3 does not fit an IFMAP of 8x2, which includes its padding"));
  EXPECT_THAT(refusal("1,1,512,1,1,1000,0,1\n1,1,512,1,1,1000,2,1\n"),
              HasSubstr("list.csv:2: followed by pooling is '2'; it must be 0 or 1"));
  EXPECT_THAT(
      refusal("1,1,512,1,1,1000,1\n"),
      HasSubstr(
          "list.csv:1: neither the headings of a SCALE-Sim topology (Layer name, IFMAP Height, ... or Layer, M, N, "
          "K) nor a layer: a name and 3 or 7 numbers"));
  EXPECT_THAT(refusal("1,1,0,1,1,1000,0,1\n"), HasSubstr("list.csv:1: channels is '0'"));
  EXPECT_THAT(refusal("name,rows\n"), HasSubstr("list.csv:1: column 'rows' is not known; the columns of a list"));
  EXPECT_THAT(refusal(headings), HasSubstr("list.csv:1: no layer follows"));
  EXPECT_THAT(refusal("\n  \n"), HasSubstr("holds no layers"));
  EXPECT_THAT(message_of<std::runtime_error>([&] { load_layer_list(folder_ / "none.csv"); }), HasSubstr("cannot read"));
  EXPECT_TRUE(is_layer_list("nets/a.csv"));
  EXPECT_FALSE(is_layer_list("resnet18"));
}

TEST_F(LayerLists, HeadingsSayWhatAColumnIs) {
  const LayerList list = load(
      "Num Filter,Stride Width,Stride Height,IFMAP Height,IFMAP Width,Pad H,Padding Width,Filter Height,Filter Width,"
      "Channels,Dilation,Batch Size,Groups,Layer name,Remarks\n"
      "8,3,2,20,31,1,0,3,5,4,2,1,2,stem,2 strides\n");
  ASSERT_EQ(list.layers.size(), 1U);
  const ListedLayer& layer = list.layers[0];
  EXPECT_EQ(layer.name, "stem");
  EXPECT_EQ(layer.input, (Shape{20, 31, 4}));
  // (20 + 2 - 5) / 2 + 1 and (31 - 9) / 3 + 1: with a column for padding, windows stay inside.
  EXPECT_EQ(layer.output(), (Shape{9, 8, 8}));
  EXPECT_EQ(layer.window.pad_top, 1);
  EXPECT_EQ(layer.window.pad_bottom, 1);
  EXPECT_EQ(layer.window.pad_left, 0);
  EXPECT_EQ(layer.window.dilation_height, 2);
  EXPECT_EQ(layer.window.dilation_width, 2);
  EXPECT_EQ(layer.groups, 2);
  EXPECT_EQ(layer.macs(), 9 * 8 * 8 * 3 * 5 * 2);
  EXPECT_EQ(load("Layer,K,N,M\na,3,5,7\n").layers[0].output(), (Shape{7, 1, 5}));
  EXPECT_EQ(load("IFM Length, IFM Width, IFM Depth, Kernel Length, Kernel Width, Kernel Depth, Followed by pooling?, "
                 "Stride\n9,9,3,3,3,6,1,2\n")
                .layers[0]
                .output(),
            (Shape{5, 5, 6}));
}

TEST_F(LayerLists, HeadingsThatAreNotKnownAreRefused) {
  EXPECT_THAT(refusal("Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, "
                      "Strides, Zoom\na,8,8,3,3,1,4,1,2\n"),
              HasSubstr("list.csv:1: column 'Zoom' is not known; the columns of a list of layers are name, IFMAP "));
  EXPECT_THAT(refusal("Layer, M, N\na,1,2\n"),
              HasSubstr("the headings lack the column 'K' of a list of matrix products"));
  EXPECT_THAT(refusal("Layer, M, N, K, Strides\na,1,2,3,1\n"), HasSubstr("(M, N, K) has no column 'stride'"));
  EXPECT_THAT(refusal("Layer, M, N, K, K\na,1,2,3,1\n"), HasSubstr("two columns are headed as the K, the second"));
  EXPECT_THAT(refusal("Layer, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter\n"
                      "a,8,8,3,3,1,4\n"),
              HasSubstr("the headings lack the column 'stride', or"));
  EXPECT_THAT(refusal(std::string(headings) + "a, 8, 8, 3, 3, 1, 4, 1, 1, 7,\n"),
              HasSubstr("list.csv:2: '7' stands behind the last column, stride width; give its column a heading"));
  EXPECT_TRUE(is_layer_list("NETS/A.CSV"));
}

TEST_F(LayerLists, BatchesAndSparsityAreNotPassedOver) {
  const std::string batches = std::string(headings, std::strlen(headings) - 1) + " Batch Size,\n";
  EXPECT_EQ(load(batches + "a, 10, 10, 3, 3, 4, 8, 1, 1,\n").layers[0].window.stride_width, 1);
  EXPECT_THAT(refusal(batches + "a, 10, 10, 3, 3, 4, 8, 1, 6,\n"),
              HasSubstr("list.csv:2: batch size is 6; a list is priced for one image: make it 1"));
  const std::string sparse = "Layer, M, N, K, Sparsity,\n";
  EXPECT_EQ(load(sparse + "a, 5, 6, 7, 1:1,\nb, 5, 6, 7,\n").layers[1].macs(), 5 * 6 * 7);
  EXPECT_THAT(refusal(sparse + "a, 5, 6, 7, 1:2,\n"), HasSubstr("sparsity '1:2' is not modelled"));
  for (const char* ratio : {"0:0", "x:x", ":"})
    EXPECT_THAT(refusal(sparse + "a, 5, 6, 7, " + ratio + ",\n"), HasSubstr("is not modelled")) << ratio;
  // A ratio behind the last heading is one all the same.
  EXPECT_THAT(refusal("Layer, M, N, K\na, 5, 6, 7, 1:4\n"), HasSubstr("sparsity '1:4' is not modelled"));
}

TEST_F(LayerLists, WithoutHeadingsTheFirstLayerStays) {
  const LayerList list = load("layer1, 10, 10, 3, 3, 4, 8, 1,\nlayer2, 8, 8, 3, 3, 8, 8, 1, 1, wide\n");
  ASSERT_EQ(list.layers.size(), 2U);
  EXPECT_EQ(list.layers[0].macs(), 8 * 8 * 9 * 4 * 8);
  EXPECT_EQ(list.layers[1].output(), (Shape{6, 6, 8}));
  EXPECT_EQ(load("qk, 4, 5, 6\n").layers[0].macs(), 4 * 5 * 6);
}

// SCALE-Sim reads it as the stride of the width, others write a batch there: each would be a wrong number in silence.
TEST_F(LayerLists, ANumberBehindTheStrideIsRefused) {
  const std::string first = "layer1, 10, 10, 3, 3, 4, 8, 1,\n";
  for (const std::string& above : {std::string(), std::string(headings)}) {
    for (const std::string numbers : {"1, 2", "1, 8", "2, 2", "2, 1"}) {
      SCOPED_TRACE(above + numbers);
      EXPECT_THAT(
          refusal(above + first + "layer2, 8, 8, 3, 3, 8, 8, " + numbers + ",\n"),
          HasSubstr(fmt::format("list.csv:{}: a number behind the stride, {}, may be the stride of the width or a "
                                "batch size; say which by headings: Layer name, ",
                                above.empty() ? 2 : 3, numbers.back())));
    }
    EXPECT_EQ(load(above + first + "layer2, 8, 8, 3, 3, 8, 8, 1, 1,\n").layers[1].output(), (Shape{6, 6, 8}));
  }
}

TEST_F(LayerLists, NumbersInFrontOfALayerAreNotGuessed) {
  EXPECT_THAT(refusal("12,128,128,64\n"), HasSubstr("list.csv:1: four numbers may be a batch or a layer's number"));
  EXPECT_THAT(refusal("1,34,34,3,3,16,1,1\n2,32,32,3,3,16,1,1\n"),
              HasSubstr("list.csv:1: eight numbers may be a layer of NeuroSim's, or the number and the seven sizes"));
  EXPECT_EQ(load("1,1,512,1,1,1000,0,1\n").layers[0].macs(), 512000);
  EXPECT_EQ(load("8,8,3,3,3,6,1,1\n1,1,6,1,1,4,0,1\n").layers.size(), 2U);
}

TEST_F(LayerLists, HeadingsOfOtherLettersAreNotKnown) {
  for (const char* heading :
       {"\xCE\xA3\xCF\x80\xCE\xB1\xCF\x81\xCF\x83\xCE\xB9\xCF\x84\xCF\x85", "?", "%", "\xC3\x97", "K\xC3\xB6"}) {
    EXPECT_THAT(refusal(fmt::format("Layer,M,N,K,{}\na,2,3,4,2:4\n", heading)),
                HasSubstr(fmt::format("list.csv:1: column '{}' is not known", heading)));
  }
  EXPECT_EQ(load(",Layer,M,N,K\n0,a,2,3,4\n").layers[0].macs(), 24);  // of a data frame
}

TEST_F(LayerLists, HeadingsMayStandInAComment) {
  for (const char* text :
       {"# Layer, M, K, N\ng,64,100,32\n", "#,Layer,M,K,N\n1,g,64,100,32\n",
        "# sizes\n# Layer, M, K, N\n# a comment\ng,64,100,32\n", "# Layer, M, N, K\nLayer, M, K, N\ng,64,100,32\n"}) {
    SCOPED_TRACE(text);
    const LayerList list = load(text);
    ASSERT_EQ(list.layers.size(), 1U);
    EXPECT_EQ(list.layers[0].input, (Shape{64, 1, 100}));
    EXPECT_EQ(list.layers[0].name, "g");
  }
  const LayerList list = load(
      "Layer, Height, Width, FH, FW, Channels, #Filters, Stride\n\"conv #1\",8,8,3,3,4,6,1 # first\n"
      "conv #2,8,8,3,3,4,6,1,# second, of two\n# out,8,8,3,3,4,6,1\n");
  ASSERT_EQ(list.layers.size(), 2U);
  EXPECT_EQ(list.layers[0].name, "conv #1");
  EXPECT_EQ(list.layers[1].name, "conv #2");
  EXPECT_EQ(list.layers[1].out_channels, 6);
}

TEST_F(LayerLists, ColumnsThatContradictEachOtherAreRefused) {
  const std::string both = "Layer, Height, Width, FH, FW, Channels, Filters, Stride, Stride H, Stride W, Pad, Pad H\n";
  EXPECT_EQ(load(both + "a,8,8,3,3,4,6,2,2,2,1,1\n").layers[0].output(), (Shape{4, 4, 6}));
  EXPECT_THAT(refusal(both + "a,8,8,3,3,4,6,2,3,2,1,1\n"),
              HasSubstr("list.csv:2: stride height is 3, but stride is 2"));
  EXPECT_THAT(refusal(both + "a,8,8,3,3,4,6,2,2,2,1,0\n"),
              HasSubstr("list.csv:2: padding height is 0, but padding is 1"));
}

TEST_F(LayerLists, EmptyPaddingAndZeroBytesAreRefused) {
  const std::string padded = std::string(headings, std::strlen(headings) - 1) + " Padding,\n";
  EXPECT_EQ(load(padded + "a, 10, 10, 3, 3, 4, 8, 1, 0,\n").layers[0].output(), (Shape{8, 8, 8}));
  EXPECT_THAT(refusal(padded + "a, 10, 10, 3, 3, 4, 8, 1, ,\n"),
              HasSubstr("list.csv:2: padding is missing; 0 is none"));
  EXPECT_THAT(refusal(std::string("Layer,M,N,K\na,2,3\0,4\n", 22)), HasSubstr("list.csv:2: holds a zero byte"));
}

TEST_F(LayerLists, CellsOfSpreadsheets) {
  const LayerList list = load(
      "\xef\xbb\xbf\"Layer\",\"M\",\"N\",\"K\",\"Note\",,\r\n\r\n,,,\r\n\"q, k\",2,3,4,\"8, heads\",,\r\n"
      "\"out\", 5 ,6,7 # last\r\n");
  ASSERT_EQ(list.layers.size(), 2U);
  EXPECT_EQ(list.layers[0].name, "q, k");
  EXPECT_EQ(list.layers[1].macs(), 5 * 6 * 7);
  EXPECT_EQ(load("Layer\tM\tN\tK\na\t2\t3\t4\n").layers[0].macs(), 24);
  EXPECT_EQ(load("Layer;M;N;K\na;2;3;4\n").layers[0].macs(), 24);
  EXPECT_THAT(refusal("Layer,M,N,K\n\"a,1,2,3\n"), HasSubstr("list.csv:2: a quote is not closed"));
}

TEST_F(LayerLists, SizesBeyond64BitsAreRefused) {
  EXPECT_THAT(refusal("Layer,M,N,K\na,16777216,16777216,16777216\n"), HasSubstr("lists hold layers of at most 1e+18"));
  EXPECT_THAT(refusal(std::string(headings) + "DP_1, 9, 9, 3, 3, 1000000, 1000000, 1,\n"),
              HasSubstr("a depthwise layer of 1000000 channels with 1000000 filters each has 1000000000000 outputs"));
  EXPECT_THAT(refusal(std::string(headings) + "DP_1, 16777216, 16777216, 3, 3, 16777216, 1, 1,\n"),
              HasSubstr("lists hold layers of at most 1e+18"));
  std::string many = "Layer,M,N,K\n";
  for (int i = 0; i < 10; ++i) many += "a,1000000,1000000,1000000\n";
  EXPECT_THAT(refusal(many), HasSubstr("list.csv:11: with this layer the list has more than 9223372036854775807 "
                                       "multiplications in all"));
}

TEST_F(LayerLists, RepeatedNamesAreToldApartAtOnce) {
  const std::vector<ListedLayer> few = load("a,1,2,3\na_2,1,2,3\na,1,2,3\na,1,2,3\n").layers;
  EXPECT_EQ(few[2].name, "a_3");
  EXPECT_EQ(few[3].name, "a_4");
  // Trying every number again for every layer would take minutes.
  std::string many;
  for (int i = 0; i < 100000; ++i) many += "a,1,2,3\n";
  EXPECT_EQ(load(many).layers.back().name, "a_100000");
}

TEST_F(LayerLists, LinesOfVeryManyCellsAreRefused) {
  std::string cells = "Layer,M,N,K";
  for (int i = 0; i < 997; ++i) cells += ",note";
  EXPECT_THAT(refusal(cells + "\na,1,2,3\n"), HasSubstr("list.csv:1: 1001 cells; a line has at most 1000"));
  EXPECT_EQ(load(cells.substr(0, cells.size() - 5) + "\na,1,2,3\n").layers.size(), 1U);
}

}  // namespace
}  // namespace bitstrata::testing
