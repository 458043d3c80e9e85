// SPDX-License-Identifier: Apache-2.0
#include "model/layer_lists.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <fstream>
#include <set>
#include <stdexcept>

namespace bitstrata::model {

namespace {

constexpr int largest = 1 << 20;  // of any number in a file

// One line of a file, cut at its commas.
struct Line {
  std::string file;
  int number = 0;
  std::vector<std::string> cells;

  [[noreturn]] void fail(const std::string& message) const {
    throw std::runtime_error(fmt::format("{}:{}: {}", file, number, message));
  }
  int value(std::size_t column, const char* heading, int low = 1) const {
    const std::string& cell = cells.at(column);
    int value = 0;
    const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
    if (error != std::errc{} || end != cell.data() + cell.size() || value < low || value > largest) {
      fail(fmt::format("{} is '{}'; it must be a whole number from {} to {}", heading, cell, low, largest));
    }
    return value;
  }
};

std::string trimmed(std::string text) {
  const auto space = [](unsigned char c) { return std::isspace(c) != 0; };
  text.erase(std::find_if_not(text.rbegin(), text.rend(), space).base(), text.end());
  text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), space));
  return text;
}

std::vector<Line> read_lines(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream || std::filesystem::is_directory(file)) {
    throw std::runtime_error(fmt::format("cannot read {}", file.string()));
  }
  std::vector<Line> lines;
  std::string text;
  for (int number = 1; std::getline(stream, text); ++number) {
    text = trimmed(text.substr(0, text.find('#')));
    if (number == 1 && text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);  // the mark that spreadsheets write
    if (text.empty()) continue;
    Line line{.file = file.string(), .number = number, .cells = {}};
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      line.cells.push_back(trimmed(text.substr(begin, end - begin)));
      begin = end + 1;
    }
    while (!line.cells.empty() && line.cells.back().empty()) line.cells.pop_back();
    if (!line.cells.empty()) lines.push_back(std::move(line));
  }
  if (lines.empty()) throw std::runtime_error(fmt::format("{}: holds no layers", file.string()));
  return lines;
}

bool has_words(const Line& line) {
  return std::any_of(line.cells.begin(), line.cells.end(), [](const std::string& cell) {
    return std::any_of(cell.begin(), cell.end(), [](unsigned char c) { return std::isalpha(c) != 0; });
  });
}

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

void check_columns(const Line& line, std::size_t least, std::size_t most, const char* columns) {
  if (line.cells.size() >= least && line.cells.size() <= most) return;
  line.fail(fmt::format("{} columns; expected: {}", line.cells.size(), columns));
}

void check_reach(const Line& line, const ListedLayer& layer) {
  if (layer.window.kernel_height > layer.input.height || layer.window.kernel_width > layer.input.width) {
    line.fail(fmt::format("a filter of {}x{} does not fit an IFMAP of {}x{}, which includes its padding",
                          layer.window.kernel_height, layer.window.kernel_width, layer.input.height,
                          layer.input.width));
  }
}

// Rows or columns that a last window reaches over the edge.
int overhang(int size, int kernel, int stride) { return (stride - (size - kernel) % stride) % stride; }

ListedLayer scale_sim_layer(const Line& line, bool sparse) {
  check_columns(line, 8, sparse ? 9 : 10,
                "name, IFMAP height, IFMAP width, filter height, filter width, channels, filters, stride[, stride]");
  ListedLayer layer;
  layer.name = line.cells[0];
  layer.input = {line.value(1, "IFMAP height"), line.value(2, "IFMAP width"), line.value(5, "channels")};
  Window& w = layer.window;
  w.kernel_height = line.value(3, "filter height");
  w.kernel_width = line.value(4, "filter width");
  w.stride_height = w.stride_width = line.value(7, "stride");
  if (line.cells.size() > 8) {
    const std::string& last = line.cells.back();
    const std::size_t colon = last.find(':');
    if (colon != std::string::npos || sparse) {
      if (colon == std::string::npos || trimmed(last.substr(0, colon)) != trimmed(last.substr(colon + 1))) {
        line.fail(fmt::format("sparsity '{}' is not modelled; leave the column out for dense layers", last));
      }
    }
    if (!sparse && (colon == std::string::npos || line.cells.size() > 9)) w.stride_width = line.value(8, "stride");
  }
  check_reach(line, layer);
  w.pad_bottom = overhang(layer.input.height, w.kernel_height, w.stride_height);
  w.pad_right = overhang(layer.input.width, w.kernel_width, w.stride_width);
  layer.out_channels = line.value(6, "filters");
  if (layer.name.find("DP") != std::string::npos) {
    layer.groups = layer.input.channels;
    layer.out_channels *= layer.input.channels;
  }
  return layer;
}

ListedLayer product_layer(const Line& line) {
  check_columns(line, 4, 4, "name, M, N, K");
  ListedLayer layer;
  layer.name = line.cells[0];
  layer.input = {1, line.value(1, "M"), line.value(3, "K")};
  layer.out_channels = line.value(2, "N");
  return layer;
}

ListedLayer neuro_sim_layer(const Line& line, int number) {
  check_columns(
      line, 8, 8,
      "IFM length, IFM width, IFM depth, kernel length, kernel width, kernel depth, pooling (0 or 1), stride");
  ListedLayer layer;
  layer.name = fmt::format("layer{}", number);
  layer.input = {line.value(0, "IFM length"), line.value(1, "IFM width"), line.value(2, "IFM depth")};
  layer.out_channels = line.value(5, "kernel depth");
  if (line.value(6, "followed by pooling", 0) > 1) {
    line.fail(fmt::format("followed by pooling is '{}'; it must be 0 or 1", line.cells[6]));
  }
  Window& w = layer.window;
  w.kernel_height = line.value(3, "kernel length");
  w.kernel_width = line.value(4, "kernel width");
  w.stride_height = w.stride_width = line.value(7, "stride");
  const auto padding = [&](int size, int kernel) {
    const int outputs = (size + w.stride_height - 1) / w.stride_height;
    return std::max(0, (outputs - 1) * w.stride_height + kernel - size);
  };
  const int rows = padding(layer.input.height, w.kernel_height), columns = padding(layer.input.width, w.kernel_width);
  w.pad_top = rows / 2;
  w.pad_bottom = rows - rows / 2;
  w.pad_left = columns / 2;
  w.pad_right = columns - columns / 2;
  return layer;
}

}  // namespace

Shape ListedLayer::output() const {
  const Window& w = window;
  return {(input.height + w.pad_top + w.pad_bottom - w.kernel_height) / w.stride_height + 1,
          (input.width + w.pad_left + w.pad_right - w.kernel_width) / w.stride_width + 1, out_channels};
}

std::int64_t ListedLayer::macs() const {
  return output().elements() * window.kernel_height * window.kernel_width * (input.channels / groups);
}

std::int64_t LayerList::total_macs() const {
  std::int64_t sum = 0;
  for (const ListedLayer& layer : layers) sum += layer.macs();
  return sum;
}

bool is_layer_list(const std::string& name) { return name.ends_with(".csv"); }

LayerList load_layer_list(const std::filesystem::path& file) {
  const std::vector<Line> lines = read_lines(file);
  LayerList list{.name = file.stem().string(), .layers = {}};
  const Line& first = lines.front();
  const bool headings = has_words(first);
  const bool products = headings && first.cells.size() == 4 && lower_case(first.cells[1]) == "m";
  const bool sparse = headings && first.cells.size() == 9 && lower_case(first.cells[8]).starts_with("sparsity");
  if (headings && !products && lower_case(first.cells[0]).find("layer") == std::string::npos) {
    first.fail(
        "neither the headings of a SCALE-Sim topology (Layer name, IFMAP Height, ... or Layer, M, N, K) nor a line of "
        "NeuroSim's eight numbers");
  }
  std::set<std::string> names;
  for (std::size_t i = headings ? 1 : 0; i < lines.size(); ++i) {
    const Line& line = lines[i];
    ListedLayer layer = products   ? product_layer(line)
                        : headings ? scale_sim_layer(line, sparse)
                                   : neuro_sim_layer(line, static_cast<int>(i) + 1);
    if (layer.name.empty()) line.fail("the layer has no name");
    // Such files repeat names; reports need to tell layers apart.
    const std::string name = layer.name;
    for (int copy = 2; !names.insert(layer.name).second; ++copy) layer.name = fmt::format("{}_{}", name, copy);
    list.layers.push_back(std::move(layer));
  }
  if (list.layers.empty()) first.fail("no layer follows the headings");
  return list;
}

Plan uniform_plan(const LayerList& list, int weight_bits, int activation_bits) {
  Plan plan{.network = list.name, .layers = {}};
  for (const ListedLayer& layer : list.layers) {
    plan.layers.push_back({layer.name, weight_bits, activation_bits, layer.out_channels});
  }
  return plan;
}

IntegerNetwork integer_shapes(const LayerList& list, const Plan& plan) {
  if (plan.network != list.name) {
    throw std::invalid_argument(fmt::format("the plan is for network '{}', not for '{}'", plan.network, list.name));
  }
  if (plan.layers.size() != list.layers.size()) {
    throw std::invalid_argument(
        fmt::format("the plan has {} layers, the list '{}' has {}", plan.layers.size(), list.name, list.layers.size()));
  }
  IntegerNetwork result{.name = list.name, .tensors = {}, .layers = {}};
  for (std::size_t i = 0; i < list.layers.size(); ++i) {
    const ListedLayer& listed = list.layers[i];
    const LayerPlan& planned = plan.layers[i];
    if (planned.layer != listed.name) {
      throw std::invalid_argument(fmt::format("layer {} of the plan is '{}'; in the list '{}' it is '{}'", i + 1,
                                              planned.layer, list.name, listed.name));
    }
    if (planned.channels != 0 && planned.channels != listed.out_channels) {
      throw std::invalid_argument(
          fmt::format("layer '{}': channels is {}; layers of a list keep all their {}: nobody knows who reads them",
                      planned.layer, planned.channels, listed.out_channels));
    }
    const int input = static_cast<int>(result.tensors.size());
    result.tensors.push_back({.shape = listed.input, .bits = planned.activation_bits});
    result.tensors.push_back({.shape = listed.output(), .bits = planned.activation_bits});
    IntegerLayer layer;
    layer.name = listed.name;
    layer.input = input;
    layer.output = input + 1;
    layer.window = listed.window;
    layer.groups = listed.groups;
    layer.weight_bits = planned.weight_bits;
    layer.clip_high = code_range(Coding::unsigned_code, planned.activation_bits).high;
    layer.macs = listed.macs();
    result.layers.push_back(std::move(layer));
  }
  return result;
}

}  // namespace bitstrata::model
