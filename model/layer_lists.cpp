// SPDX-License-Identifier: Apache-2.0
#include "model/layer_lists.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <stdexcept>

#include "model/layer_list_table.h"

namespace bitstrata::model {

namespace {

using enum ListColumn;

// Dense layers of one image: what else a list may say of one is refused.
void check_extent(const ListLine& line) {
  const std::string ratio = line.text(sparsity);
  const std::size_t colon = ratio.find(':');
  const std::string kept = ratio.substr(0, colon);
  const bool number = kept.find_first_not_of("0123456789") == std::string::npos && !kept.empty() && kept[0] != '0';
  if (!ratio.empty() && (colon == std::string::npos || !number || kept != ratio.substr(colon + 1)))
    line.fail(fmt::format("sparsity '{}' is not modelled; only N:N, a dense layer, is", ratio));
  if (const int images = line.value_or(batch, 1); images != 1)
    line.fail(fmt::format("batch size is {}; a list is priced for one image: make it 1", images));
}

// Sums and products of the sizes stay within 64 bits.
void check_size(const ListLine& line, const ListedLayer& layer) {
  constexpr double most = 1e18;
  const Shape in = layer.input, out = layer.output();
  const double inputs = 1.0 * in.height * in.width * in.channels, outputs = 1.0 * out.height * out.width * out.channels;
  const double macs = outputs * layer.window.kernel_height * layer.window.kernel_width * (in.channels / layer.groups);
  if (inputs > most || outputs > most || macs > most)
    line.fail(
        fmt::format("a layer of {:.3g} inputs, {:.3g} outputs and {:.3g} multiplications; lists hold layers of "
                    "at most {:g} of each",
                    inputs, outputs, macs, most));
}

// Rows or columns that a last window reaches over the edge.
int overhang(int size, int kernel, int stride) { return (stride - (size - kernel) % stride) % stride; }

// Adds the name to `depthwise` where it makes the layer one.
void set_groups(const ListLine& line, ListedLayer& layer, std::vector<std::string>& depthwise) {
  layer.groups = line.value_or(groups, 1);
  if (layer.name.find("DP") != std::string::npos) {
    if (layer.groups != 1 && layer.groups != layer.input.channels)
      line.fail(fmt::format("groups is {}, but DP in the name '{}' makes it a depthwise layer of {} channels",
                            layer.groups, layer.name, layer.input.channels));
    depthwise.push_back(layer.name);
    layer.groups = layer.input.channels;
    const std::int64_t outputs = std::int64_t{layer.out_channels} * layer.input.channels;
    if (outputs > 1 << 24)
      line.fail(fmt::format("a depthwise layer of {} channels with {} filters each has {} outputs; at most {} are read",
                            layer.input.channels, layer.out_channels, outputs, 1 << 24));
    layer.out_channels = static_cast<int>(outputs);
  }
  if (layer.input.channels % layer.groups != 0 || layer.out_channels % layer.groups != 0)
    line.fail(fmt::format("groups is {}, which does not divide {} channels and {} filters", layer.groups,
                          layer.input.channels, layer.out_channels));
}

// A size along one axis, whose column may stand beside one of both axes; `absent` below 0 where one of them must be.
int axis(const ListLine& line, ListColumn one, ListColumn both, int absent, int low) {
  if (line.has(one) && line.has(both) && line.value(one, low) != line.value(both, low))
    line.fail(fmt::format("{} is {}, but {} is {}", to_string(one), line.text(one), to_string(both), line.text(both)));
  return line.has(one) || (!line.has(both) && absent < 0) ? line.value(one, low) : line.value_or(both, absent, low);
}

ListedLayer scale_sim_layer(const ListLine& line, std::vector<std::string>& depthwise) {
  ListedLayer layer;
  layer.name = line.text(name);
  layer.input = {line.value(input_height), line.value(input_width), line.value(channels)};
  layer.out_channels = line.value(filters);
  Window& w = layer.window;
  w.kernel_height = line.value(filter_height);
  w.kernel_width = line.value(filter_width);
  w.stride_height = axis(line, stride_height, stride, -1, 1);
  w.stride_width = axis(line, stride_width, stride, -1, 1);
  w.dilation_height = axis(line, dilation_height, dilation, 1, 1);
  w.dilation_width = axis(line, dilation_width, dilation, 1, 1);
  w.pad_top = w.pad_bottom = axis(line, padding_height, padding, 0, 0);
  w.pad_left = w.pad_right = axis(line, padding_width, padding, 0, 0);
  // Nothing is said of the padding where there is no such column; an empty cell in one says too little.
  for (const ListColumn column : {padding, padding_height, padding_width})
    if (line.leaves_empty(column)) line.fail(fmt::format("{} is missing; 0 is none", to_string(column)));
  const bool padded = line.has(padding) || line.has(padding_height) || line.has(padding_width);
  const std::int64_t height = layer.input.height + std::int64_t{2} * w.pad_top;
  const std::int64_t width = layer.input.width + std::int64_t{2} * w.pad_left;
  const std::int64_t reach_height = std::int64_t{w.kernel_height - 1} * w.dilation_height + 1;
  const std::int64_t reach_width = std::int64_t{w.kernel_width - 1} * w.dilation_width + 1;
  if (reach_height > height || reach_width > width)
    line.fail(fmt::format("a filter of {}x{} does not fit an IFMAP of {}x{}, which includes its padding", reach_height,
                          reach_width, height, width));
  if (!padded) {
    w.pad_bottom = overhang(layer.input.height, static_cast<int>(reach_height), w.stride_height);
    w.pad_right = overhang(layer.input.width, static_cast<int>(reach_width), w.stride_width);
  }
  set_groups(line, layer, depthwise);
  return layer;
}

ListedLayer product_layer(const ListLine& line) {
  ListedLayer layer;
  layer.name = line.text(name);
  layer.input = {line.value(m), 1, line.value(k)};
  layer.out_channels = line.value(n);
  return layer;
}

ListedLayer neuro_sim_layer(const ListLine& line, int number, std::vector<std::string>& depthwise) {
  ListedLayer layer;
  layer.name = line.has(name) ? line.text(name) : fmt::format("layer{}", number);
  layer.input = {line.value(input_height), line.value(input_width), line.value(channels)};
  layer.out_channels = line.value(filters);
  if (line.value(pooling, 0) > 1)
    line.fail(fmt::format("followed by pooling is '{}'; it must be 0 or 1", line.text(pooling)));
  for (const ListColumn column : {padding, padding_height, padding_width, dilation, dilation_height, dilation_width}) {
    if (line.has(column))
      line.fail(fmt::format("{} has no place in NeuroSim's NetWork.csv, whose layers are padded to the same size",
                            to_string(column)));
  }
  Window& w = layer.window;
  w.kernel_height = line.value(filter_height);
  w.kernel_width = line.value(filter_width);
  w.stride_height = axis(line, stride_height, stride, -1, 1);
  w.stride_width = axis(line, stride_width, stride, -1, 1);
  const auto padding_of = [](int size, int kernel, int step) {
    const int outputs = (size + step - 1) / step;
    return std::max(0, (outputs - 1) * step + kernel - size);
  };
  const int rows = padding_of(layer.input.height, w.kernel_height, w.stride_height);
  const int columns = padding_of(layer.input.width, w.kernel_width, w.stride_width);
  w.pad_top = rows / 2;
  w.pad_bottom = rows - rows / 2;
  w.pad_left = columns / 2;
  w.pad_right = columns - columns / 2;
  set_groups(line, layer, depthwise);
  return layer;
}

}  // namespace

Shape ListedLayer::output() const {
  const Window& w = window;
  const int height = (w.kernel_height - 1) * w.dilation_height + 1, width = (w.kernel_width - 1) * w.dilation_width + 1;
  return {(input.height + w.pad_top + w.pad_bottom - height) / w.stride_height + 1,
          (input.width + w.pad_left + w.pad_right - width) / w.stride_width + 1, out_channels};
}

std::int64_t ListedLayer::macs() const {
  return output().elements() * window.kernel_height * window.kernel_width * (input.channels / groups);
}

std::int64_t LayerList::total_macs() const {
  std::int64_t sum = 0;
  for (const ListedLayer& layer : layers) sum += layer.macs();
  return sum;
}

bool is_layer_list(const std::string& name) { return name.ends_with(".csv") || name.ends_with(".CSV"); }

LayerList load_layer_list(const std::filesystem::path& file) {
  const ListTable table = read_list_table(file);
  LayerList list{.name = file.stem().string(), .layers = {}, .notes = {}};
  std::vector<std::string> depthwise;  // by their names
  std::set<std::string> names;
  std::map<std::string, int> copies;
  std::int64_t macs = 0;
  for (const ListLine& line : table.lines) {
    const int number = static_cast<int>(list.layers.size()) + 1;
    ListedLayer layer = table.format == ListFormat::products    ? product_layer(line)
                        : table.format == ListFormat::scale_sim ? scale_sim_layer(line, depthwise)
                                                                : neuro_sim_layer(line, number, depthwise);
    if (layer.name.empty()) line.fail("the layer has no name");
    check_extent(line);
    check_size(line, layer);
    if (__builtin_add_overflow(macs, layer.macs(), &macs))
      line.fail(fmt::format("with this layer the list has more than {} multiplications in all",
                            std::numeric_limits<std::int64_t>::max()));
    // Such files repeat names; reports need to tell layers apart.
    const std::string given = layer.name;
    while (!names.insert(layer.name).second)
      layer.name = fmt::format("{}_{}", given, ++copies.try_emplace(given, 1).first->second);
    list.layers.push_back(std::move(layer));
  }
  if (!depthwise.empty())
    list.notes.push_back(
        fmt::format("{}: {} with DP in the name {} depthwise, as SCALE-Sim has it: {}{}", file.string(),
                    depthwise.size() == 1 ? "a layer" : fmt::format("{} layers", depthwise.size()),
                    depthwise.size() == 1 ? "is" : "are", depthwise.front(), depthwise.size() == 1 ? "" : ", ..."));
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
  if (plan.output_bits != Plan{}.output_bits) {
    throw std::invalid_argument(fmt::format(
        "output_bits is {}; layers of the list '{}' have outputs as wide as their inputs: nobody knows which "
        "is the last",
        plan.output_bits, list.name));
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
