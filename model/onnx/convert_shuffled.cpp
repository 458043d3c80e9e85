// SPDX-License-Identifier: Apache-2.0
// Images whose channels lie in another order than the file's (channel shuffles: Reshape, Transpose, Reshape). The order
// costs nothing where weights can take it; elsewhere a 1x1 convolution of zeros and ones moves the channels.
#include <algorithm>
#include <numeric>

#include "model/onnx/converter.h"

namespace bitstrata::model::interchange {
namespace {

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

int channels_at(Geometry geometry) { return geometry == Geometry::nhwc ? 3 : 1; }

}  // namespace

// Channel k of the view is channel order[k] of the node. Nothing where they agree, or where it is no image.
std::optional<Converter::Shuffle> Converter::shuffle_of(const Value& value) const {
  const Shape s = shape(value);
  for (const Geometry geometry : {Geometry::nchw, Geometry::nhwc, Geometry::ncw, Geometry::nch}) {
    const bool line = geometry == Geometry::ncw || geometry == Geometry::nch;
    if ((geometry == Geometry::ncw && s.height != 1) || (geometry == Geometry::nch && s.width != 1)) continue;
    if (value.view.rank() != (line ? 3 : 4)) continue;
    std::vector<std::vector<Factor>> dims = view_of(geometry, s).dims();
    const int axis = channels_at(geometry);
    std::swap(dims[at(axis)], dims[0]);  // the batch's place, which is empty
    std::vector<std::vector<Factor>> mine = value.view.dims();
    std::swap(mine[at(axis)], mine[0]);
    if (!mine[at(axis)].empty() || !std::equal(dims.begin() + 1, dims.end(), mine.begin() + 1)) continue;
    const std::vector<std::int64_t> order = View::of({mine[0]}).order();
    const auto last = std::max_element(order.begin(), order.end());
    if (static_cast<int>(order.size()) != s.channels || *last >= s.channels) continue;
    if (std::is_sorted(order.begin(), order.end())) return {};
    return Shuffle{geometry, order};
  }
  return {};
}

// The value with its pixels and channels in the order that the file has them in.
Value Converter::straight(const OnnxNode& node, Value value) {
  if (const auto blocks = blocks_of(value)) return spread(node, std::move(value), *blocks);
  const auto shuffle = shuffle_of(value);
  if (!shuffle) return value;
  Value result = ordered(node, std::move(value), shuffle->order);
  result.view = view_of(shuffle->geometry, shape(result));
  return result;
}

// Channel k of the result is channel order[k] of the value's node.
Value Converter::ordered(const OnnxNode& node, Value value, const std::vector<std::int64_t>& order) {
  const int channels = shape(value).channels;
  check_weights(node, std::int64_t{channels} * channels);
  Value result = value;
  result.node = added(network_.graph.add_convolution(value.node, fresh_name(node, "_order"), channels, {}));
  result.factor = 1;
  result.exclusive = true;
  Parameters& p = network_.parameters[at(result.node)];
  p.weights.assign(at(std::int64_t{channels} * channels), 0.0F);
  p.bias.assign(at(channels), 0.0F);
  for (std::size_t n = 0; n < at(channels); ++n)
    p.weights[n * at(channels) + at(order[n])] = static_cast<float>(value.factor);
  p.weight_bits = 2;  // exact, whatever width the plan gives
  p.of_importer = true;
  p.scales.assign(at(channels), value.factor);
  // Nothing is rounded: what is moved keeps its codes.
  if (std::optional<Grid> grid = network_.grids[at(value.node)]) {
    grid->scale *= value.factor;
    grid->rounding = Rounding::half_up;
    network_.grids[at(result.node)] = grid;
  }
  return result;
}

// A convolution of a shuffled image: dense weights read the channels where they lie, depthwise ones stay with them.
Value Converter::convolve_shuffled(const OnnxNode& node, Value x, const Shuffle& shuffle, const Tensor& weights,
                                   const std::vector<double>& bias) {
  const std::int64_t groups = node.whole("group", 1), outputs = weights.dims[0], depth = weights.dims[1];
  const bool dense = groups == 1 && depth == shape(x).channels && outputs > 0;
  const bool depthwise = groups == shape(x).channels && outputs == groups && depth == 1;
  const bool per_output = weights.grid && weights.grid->scales.size() > 1;
  const bool biased = bias.empty() || static_cast<std::int64_t>(bias.size()) == outputs;  // else convolve refuses
  if (!biased || (!dense && !(depthwise && !per_output)))
    return convolve(node, straight(node, std::move(x)), weights, bias);
  const std::vector<std::vector<Factor>> before = x.view.dims();
  x.view = view_of(shuffle.geometry, shape(x));
  Tensor moved = weights;
  std::vector<double> moved_bias = bias;
  const std::int64_t inner = weights.elements() / (outputs * depth);
  for (std::int64_t n = 0; n < outputs; ++n) {
    for (std::int64_t c = 0; c < depth; ++c) {
      const std::int64_t to = dense ? n * depth + shuffle.order[at(c)] : shuffle.order[at(n)];
      for (std::int64_t k = 0; k < inner; ++k) {
        const std::size_t from_at = at((n * depth + c) * inner + k), to_at = at(to * inner + k);
        if (!weights.ints.empty()) moved.ints[to_at] = weights.ints[from_at];
        if (!weights.reals.empty()) moved.reals[to_at] = weights.reals[from_at];
        if (!weights.doubles.empty()) moved.doubles[to_at] = weights.doubles[from_at];
      }
    }
    if (depthwise && !bias.empty()) moved_bias[at(shuffle.order[at(n)])] = bias[at(n)];
  }
  Value result = convolve(node, x, moved, moved_bias);
  if (!depthwise) return result;
  std::vector<std::vector<Factor>> dims = result.view.dims();
  dims[at(channels_at(shuffle.geometry))] = before[at(channels_at(shuffle.geometry))];
  result.view = View::of(std::move(dims));
  return result;
}

}  // namespace bitstrata::model::interchange
