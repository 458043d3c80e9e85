// SPDX-License-Identifier: Apache-2.0
// Images whose pixels lie among a node's channels: behind DepthToSpace, a transposed convolution, or the Reshape,
// Transpose and Reshape that both are made of. What follows works on the node as it is; a reader that needs an image
// gets it by a depth to space.
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "model/onnx/converter.h"

namespace bitstrata::model::interchange {
namespace {

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

bool holds_all(std::vector<std::int64_t> order, std::int64_t count) {
  std::sort(order.begin(), order.end());
  for (std::size_t k = 0; k < order.size(); ++k)
    if (order[k] != static_cast<std::int64_t>(k)) return false;
  return static_cast<std::int64_t>(order.size()) == count;
}

// Functions of single values and of the pixels of one channel: what channel they work on does not matter.
bool works_by_channel(Op op) {
  return is_activation(op) || (moves_values(op) && operands(*info(op).kind) != Operands::spread);
}

}  // namespace

void Converter::depth_to_space(const OnnxNode& node) {
  Value x = value(node, 0);
  settle(x, Geometry::nchw);
  const Dims s = x.view.sizes();
  const std::int64_t block = node.whole("blocksize", 0);
  const std::string mode = node.text("mode", "DCR");
  if (s.size() != 4) refuse(node, fmt::format("its input of {} is no image", to_text(s)));
  if (block < 1 || block > 64) refuse(node, fmt::format("its blocksize is {}; 1 to 64 is supported", block));
  if (mode != "DCR" && mode != "CRD") refuse(node, fmt::format("mode '{}' is not known; DCR and CRD are", mode));
  if (s[1] % (block * block) != 0)
    refuse(node, fmt::format("{} channels are no multiple of the {} pixels of a block", s[1], block * block));
  if (x.pad.any()) refuse(node, "follows a Pad, which only a convolution or pooling can take");
  const std::int64_t channels = s[1] / (block * block);
  x.view = mode == "DCR" ? x.view.reshaped({s[0], block, block, channels, s[2], s[3]}).transposed({0, 3, 4, 1, 5, 2})
                         : x.view.reshaped({s[0], channels, block, block, s[2], s[3]}).transposed({0, 1, 4, 2, 5, 3});
  x.view = x.view.reshaped({s[0], channels, s[2] * block, s[3] * block});
  set(node, x);
}

// By a convolution of zeros and ones, one window a block.
void Converter::space_to_depth(const OnnxNode& node) {
  Value x = value(node, 0);
  settle(x, Geometry::nchw);
  x = straight(node, x);
  if (geometry(x) != Geometry::nchw || x.pad.any())
    refuse(node, fmt::format("its input of {} is no image", to_text(x.view.sizes())));
  const Shape s = shape(x);
  const std::int64_t block = node.whole("blocksize", 0);
  if (block < 1 || block > 64) refuse(node, fmt::format("its blocksize is {}; 1 to 64 is supported", block));
  if (s.height % block != 0 || s.width % block != 0)
    refuse(node, fmt::format("{}x{} pixels are no whole blocks of {}x{}", s.height, s.width, block, block));
  const std::int64_t channels = block * block * s.channels;
  check_weights(node, channels * channels);
  const auto side = static_cast<int>(block), outputs = static_cast<int>(channels);
  const Window window{.kernel_height = side, .kernel_width = side, .stride_height = side, .stride_width = side};
  Value result = x;
  result.node = added(network_.graph.add_convolution(x.node, fresh_name(node), outputs, window));
  result.exclusive = true;
  Parameters& p = network_.parameters[at(result.node)];
  p.weights.assign(at(channels * channels), 0.0F);
  for (std::int64_t n = 0; n < channels; ++n) p.weights[at(n * channels + n)] = 1.0F;
  p.bias.assign(at(channels), 0.0F);
  p.weight_bits = 2;  // exact, whatever width the plan gives
  p.of_importer = true;
  p.scales.assign(at(channels), 1.0);
  if (std::optional<Grid> grid = grid_of_codes(x)) {
    grid->rounding = Rounding::half_up;
    network_.grids[at(result.node)] = grid;
  }
  result.view = View::nchw(shape(result));
  set(node, result);
}

// Nothing where the view's pixels are the node's, or where it is no image.
std::optional<Converter::Blocks> Converter::blocks_of(const Value& value) const {
  // The channels of a single pixel look like the rows of an image whose channels stand last.
  if (geometry(value) != Geometry::other || shuffle_of(value)) return {};
  const Shape s = shape(value);
  const View& view = value.view;
  for (const Geometry geometry : {Geometry::nchw, Geometry::nhwc, Geometry::ncw, Geometry::nch}) {
    const bool line = geometry == Geometry::ncw || geometry == Geometry::nch;
    if (view.rank() != (line ? 3 : 4) || !view.dim(0).empty()) continue;
    const int channels_at = geometry == Geometry::nhwc ? 3 : 1;
    const int height_at = geometry == Geometry::ncw ? -1 : geometry == Geometry::nhwc ? 1 : 2;
    const int width_at = geometry == Geometry::nch ? -1 : geometry == Geometry::nchw ? 3 : 2;
    const std::int64_t height = height_at < 0 ? 1 : view.size(height_at),
                       width = width_at < 0 ? 1 : view.size(width_at);
    const std::int64_t rows = height / s.height, columns = width / s.width, channels = view.size(channels_at);
    if (rows * columns < 2 || rows * s.height != height || columns * s.width != width ||
        rows * columns * channels != s.channels) {
      continue;
    }
    Dims parts = {1};  // every side of the image as the node's and the block's
    int rows_at = -1, columns_at = -1, depth_at = -1;
    for (int i = 1; i < view.rank(); ++i) {
      if (i == channels_at) depth_at = static_cast<int>(parts.size());
      if (i == height_at) parts.push_back(s.height), rows_at = static_cast<int>(parts.size());
      if (i == width_at) parts.push_back(s.width), columns_at = static_cast<int>(parts.size());
      parts.push_back(i == channels_at ? channels : i == height_at ? rows : columns);
    }
    View parted;
    try {
      parted = view.reshaped(parts);
    } catch (const std::invalid_argument&) {
      continue;
    }
    const auto lies = [&](int block_at, std::int64_t size, std::int64_t stride) {
      return block_at < 0 ||
             parted.dim(block_at - 1) == (size == 1 ? std::vector<Factor>{} : std::vector<Factor>{{size, stride}});
    };
    if (!lies(rows_at, s.height, std::int64_t{s.width} * s.channels) || !lies(columns_at, s.width, s.channels))
      continue;
    const auto part = [&](int index) { return index < 0 ? std::vector<Factor>{} : parted.dim(index); };
    std::vector<std::int64_t> order = View::of({part(rows_at), part(columns_at), part(depth_at)}).order();
    if (!holds_all(order, s.channels)) continue;
    return Blocks{geometry, {static_cast<int>(rows), static_cast<int>(columns)}, std::move(order)};
  }
  return {};
}

// Puts the channels of the value's node into another order by its weights, where nothing else reads them in between:
// channel k becomes what channel order[k] was.
bool Converter::reorder_outputs(const Value& value, const std::vector<std::int64_t>& order) {
  if (!value.exclusive) return false;
  int index = value.node;
  const auto read_once = [&](int node) {
    return network_.graph.consumers(node).size() <= 1 &&
           std::none_of(values_.begin(), values_.end(), [&](const auto& entry) {
             const auto uses = uses_.find(entry.first);
             return entry.second.node == node && uses != uses_.end() && uses->second > 1;
           });
  };
  while (read_once(index) && works_by_channel(network_.graph.node(index).op))
    index = network_.graph.node(index).inputs[0];
  const Node& made = network_.graph.node(index);
  Parameters& p = network_.parameters[at(index)];
  if (!read_once(index) || !has_weights(made.op) || made.groups > 1 || (p.transposed && p.transposed->groups > 1))
    return false;
  const Parameters before = p;
  const std::size_t each = p.weights.size() / order.size();
  for (std::size_t n = 0; n < order.size(); ++n) {
    const std::size_t from = at(order[n]);
    std::copy_n(before.weights.begin() + static_cast<std::ptrdiff_t>(from * each), each,
                p.weights.begin() + static_cast<std::ptrdiff_t>(n * each));
    p.bias[n] = before.bias[from];
    if (!p.scales.empty()) p.scales[n] = before.scales[from];
  }
  return true;
}

// The image itself, made once for all who read it.
Value Converter::spread(const OnnxNode& node, Value value, const Blocks& blocks) {
  const auto known = std::find_if(spread_.begin(), spread_.end(), [&](const Spread& spread) {
    return spread.from == value.node && spread.view == value.view;
  });
  if (known != spread_.end()) {
    value.move_to(known->image);
  } else {
    Spread made{value.node, value.view, 0};
    if (!std::is_sorted(blocks.order.begin(), blocks.order.end()) && !reorder_outputs(value, blocks.order)) {
      Value plain = value;  // its factor is the image's too
      plain.factor = 1;
      value.move_to(ordered(node, std::move(plain), blocks.order).node);
    }
    OnnxNode named = node;
    named.name = network_.graph.node(value.node).name;
    value.move_to(added(network_.graph.add_depth_to_space(value.node, fresh_name(named, "_space"), blocks.block)));
    made.image = value.node;
    spread_.push_back(std::move(made));
  }
  value.view = view_of(blocks.geometry, shape(value));
  return value;
}

}  // namespace bitstrata::model::interchange
