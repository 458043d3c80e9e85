// SPDX-License-Identifier: Apache-2.0
// Pooling, and means and maxima over an image.
#include <fmt/format.h>

#include <algorithm>

#include "model/onnx/converter.h"

namespace bitstrata::model::interchange {
namespace {

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

// ceil_mode: a last window that begins in the image may reach beyond it.
void stretch(Shape in, Window& w) {
  const auto side = [](int size, int kernel, int stride, int dilation, int before, int& after) {
    const int reach = dilation * (kernel - 1) + 1, room = size + before + after - reach;
    if (room < 0 || room % stride == 0) return;
    if ((room / stride + 1) * stride < size + before) after += stride - room % stride;
  };
  side(in.height, w.kernel_height, w.stride_height, w.dilation_height, w.pad_top, w.pad_bottom);
  side(in.width, w.kernel_width, w.stride_width, w.dilation_width, w.pad_left, w.pad_right);
}

// The order in which ONNX Runtime's kernels for AveragePool and GlobalAveragePool add.
Mean::Order order_of(Shape in, const Window& w, Geometry g, std::int64_t opset) {
  constexpr int longest_kernel = 32, longest_row = 2045;  // of its vector kernel
  if (opset >= 19) return Mean::Order::rows;
  const bool padded = w.pad_top != 0 || w.pad_bottom != 0 || w.pad_left != 0 || w.pad_right != 0;
  const bool whole = w.kernel_height == in.height && w.kernel_width == in.width;
  if (whole && !padded && w.stride_height == 1 && w.stride_width == 1) return Mean::Order::lanes;
  const bool vectors = g != Geometry::ncw && g != Geometry::nch && w.stride_width <= 2 &&
                       std::max(w.kernel_height, w.kernel_width) <= longest_kernel &&
                       in.width + w.pad_left + w.pad_right <= longest_row;
  return vectors ? Mean::Order::columns : Mean::Order::rows;
}

// Takes away padding behind the image that no window reaches.
void trim(int size, int kernel, int stride, int dilation, int before, int& after) {
  const int reach = dilation * (kernel - 1) + 1, room = size + before + after - reach;
  if (room >= 0) after = std::clamp(room / stride * stride + reach - before - size, 0, after);
}

// Whether a window has no tap in the image.
bool misses(int size, int kernel, int stride, int dilation, int before, int after) {
  const int last = size + before + after - dilation * (kernel - 1) - 1;
  for (int begin = 0; begin <= last; begin += stride) {
    bool inside = false;
    for (int k = 0; k < kernel; ++k) {
      const int place = begin - before + k * dilation;
      inside = inside || (place >= 0 && place < size);
    }
    if (!inside) return true;
  }
  return false;
}

// ONNX Runtime's kernel from opset 19 on lets a window end at the left side's padding below the image, too (it takes
// the second of the four pads for the third), and divides by the rows up to there.
void note_lower_border(const OnnxNode& node, Shape in, const Window& w, const Taps& rows, const Taps& columns,
                       std::vector<std::string>& notes) {
  const int below = rows.counted_after, left = columns.counted_before, reach = w.kernel_height * w.dilation_height;
  const int outputs = (in.height + w.pad_top + w.pad_bottom - reach + w.dilation_height - 1) / w.stride_height + 1;
  int different = 0;
  double largest = 0;
  for (int o = 0; o < outputs; ++o) {
    const int begin = o * w.stride_height - w.pad_top;
    const auto counted = [&](int padding) {
      return 1 + (std::min(begin + reach, in.height + padding) - begin - 1) / w.dilation_height;
    };
    const int ours = counted(below), theirs = counted(left);
    if (ours == theirs) continue;
    ++different;
    largest = std::max(largest, static_cast<double>(std::max(ours, theirs)) / std::max(1, std::min(ours, theirs)));
  }
  if (different == 0) return;
  notes.push_back(fmt::format(
      "{} '{}': padding of {} below the image counts in its means, as ONNX says; ONNX Runtime counts {} there, that of "
      "the left side: {} of {} rows differ by a factor of up to {:.3g}",
      node.op, node.name, below, left, different, outputs, largest));
}

}  // namespace

Value Converter::pooled(const OnnxNode& node, const Value& x, Op op, const Window& window, Geometry g) {
  Value result = x;
  result.pad = {};
  const int made = added(network_.graph.add_pool(x.node, fresh_name(node), op, window));
  if (op == Op::max_pool) {
    result.move_to(made);
  } else {
    result.node = made;
  }
  result.view = view_of(g, network_.graph.node(result.node).output);
  result.exclusive = true;
  return result;
}

void Converter::take_mean(const Value& x, const Value& result, Mean mean) {
  mean.source = x.node;
  mean.factor = x.factor;
  if (x.has_own_steps()) mean.steps = x.steps;
  mean.unit = result.factor;
  network_.parameters[at(result.node)].mean = mean;
}

Geometry Converter::image_order(const OnnxNode& node) { return node.channels_last() ? Geometry::nhwc : Geometry::nchw; }

void Converter::check_image(const OnnxNode& node, const Value& x, bool line) const {
  const Geometry g = geometry(x);
  if (line ? g == Geometry::ncw || g == Geometry::nch : x.view == view_of(image_order(node), shape(x))) return;
  if (g == Geometry::nhwc || g == Geometry::nchw) {
    refuse(node, fmt::format("its input of {} has its channels {}, but the operator takes them {}",
                             to_text(x.view.sizes()), g == Geometry::nhwc ? "last" : "in front",
                             g == Geometry::nhwc ? "from the second dimension" : "from the last (channels_last)"));
  }
  refuse(node, fmt::format("its input of {} is no image: a Reshape or Transpose before it moves pixels",
                           to_text(x.view.sizes())));
}

// What a pooling reads.
Value Converter::pooled_image(const OnnxNode& node) {
  Value x = value(node, 0);
  const bool line = node.wholes("kernel_shape").size() == 1 || x.view.rank() == 3;
  settle(x, line ? Geometry::ncw : image_order(node));
  x = straight(node, x);
  check_image(node, x, line);
  return x;
}

void Converter::max_pool(const OnnxNode& node) {
  if (node.outputs.size() > 1 && !node.outputs[1].empty() && uses_[node.outputs[1]] > 0)
    refuse(node, "its indices are not supported");
  Value x = pooled_image(node);
  const Geometry g = geometry(x);
  if (x.pad.any()) {
    // Zeros around values that are never negative change no maximum.
    const bool rectified = network_.graph.node(x.node).op == Op::relu;
    if (x.pad.value == 0 && !rectified)
      refuse(node, "pools over padding of zeros, which is not supported behind negative values");
    if (x.pad.value != 0 && !(x.pad.value < -1e30)) refuse(node, fmt::format("pools over padding of {}", x.pad.value));
    x.pad.value = 0;
  }
  Window w = window_of(node, x, {}, g);
  const Shape in = shape(x);
  if (node.whole("ceil_mode", 0) != 0) stretch(in, w);
  if (misses(in.height, w.kernel_height, w.stride_height, w.dilation_height, w.pad_top, w.pad_bottom) ||
      misses(in.width, w.kernel_width, w.stride_width, w.dilation_width, w.pad_left, w.pad_right)) {
    refuse(node, "has windows that hold padding alone, whose maximum is not supported");
  }
  set(node, pooled(node, x, Op::max_pool, w, g));
}

void Converter::average_pool(const OnnxNode& node) {
  const Value x = pooled_image(node);
  const Geometry g = geometry(x);
  Window w = window_of(node, x, {}, g);
  const Shape in = shape(x);
  // Padding of a Pad in front holds values, the pooling's own only where it says so.
  const bool counts = node.whole("count_include_pad", 0) != 0;
  const Taps rows{std::vector<std::int64_t>(at(w.kernel_height), 1), counts ? w.pad_top : x.pad.top,
                  counts ? w.pad_bottom : x.pad.bottom};
  const Taps columns{std::vector<std::int64_t>(at(w.kernel_width), 1), counts ? w.pad_left : x.pad.left,
                     counts ? w.pad_right : x.pad.right};
  const Window before = w;
  const Mean::Order order = order_of(in, w, g, graph_.opset);
  if (node.whole("ceil_mode", 0) != 0) stretch(in, w);
  if (counts && w != before && graph_.opset < 19) {
    network_.notes.push_back(fmt::format(
        "AveragePool '{}': windows of ceil_mode that reach beyond the padding are divided by what lies within it, as "
        "ONNX says from opset 19 on; for the file's opset {} ONNX Runtime divides them by the whole kernel",
        node.name, graph_.opset));
  }
  if (counts && graph_.opset >= 19 && g != Geometry::ncw && g != Geometry::nch && g != Geometry::nwc)
    note_lower_border(node, in, w, rows, columns, network_.notes);
  trim(in.height, w.kernel_height, w.stride_height, w.dilation_height, w.pad_top, w.pad_bottom);
  trim(in.width, w.kernel_width, w.stride_width, w.dilation_width, w.pad_left, w.pad_right);
  const bool padded = w.pad_top != 0 || w.pad_bottom != 0 || w.pad_left != 0 || w.pad_right != 0;
  const Value result = padded ? weighted_mean(node, x, w, rows, columns, g) : pooled(node, x, Op::average_pool, w, g);
  if (w.dilation_height == 1 && w.dilation_width == 1) {
    take_mean(x, result,
              {.window = w,
               .counted_top = rows.counted_before,
               .counted_bottom = rows.counted_after,
               .counted_left = columns.counted_before,
               .counted_right = columns.counted_after,
               .order = order});
  }
  set(node, result);
}

void Converter::global_pool(const OnnxNode& node) {
  const Value x = pooled_image(node);
  const Geometry g = geometry(x);
  if (x.pad.any()) refuse(node, fmt::format("its input of {} is no image", to_text(x.view.sizes())));
  const Window window{.kernel_height = shape(x).height, .kernel_width = shape(x).width};
  const bool max = node.op == "GlobalMaxPool";
  const Value result = pooled(node, x, max ? Op::max_pool : Op::average_pool, window, g);
  if (!max) take_mean(x, result, {.window = window, .order = Mean::Order::lanes});
  set(node, result);
}

// Mean or maximum over height, width or both.
void Converter::reduce(const OnnxNode& node) {
  Value x = value(node, 0);
  settle(x, Geometry::other);
  if (const auto blocks = blocks_of(x)) x = spread(node, std::move(x), *blocks);
  if (x.pad.any()) refuse(node, "follows a Pad, which only a convolution or pooling can take");
  std::vector<std::int64_t> axes = node.wholes("axes");
  if (!node.input(1).empty()) axes = need_wholes(node, 1, "list of axes");
  if (axes.empty() && node.whole("noop_with_empty_axes", 0) != 0) {
    set(node, x);
    return;
  }
  const Shape s = shape(x);
  std::vector<bool> chosen(at(x.view.rank()), axes.empty());
  for (const std::int64_t axis : axes) chosen[at(axis_of(axis, x.view.rank()))] = true;
  std::int64_t reduced = 1;
  bool over_height = false, over_width = false, over_channels = false;
  for (int i = 0; i < x.view.rank(); ++i) {
    if (!chosen[at(i)]) continue;
    for (const Factor& f : x.view.dim(i)) {
      reduced *= f.size;
      // A factor may span width and height.
      const std::int64_t row = std::int64_t{s.width} * s.channels;
      over_channels = over_channels || f.stride < s.channels;
      over_height = over_height || f.stride * f.size > row;
      over_width = over_width || f.stride < row;
    }
  }
  const Window window{.kernel_height = over_height ? s.height : 1, .kernel_width = over_width ? s.width : 1};
  if (over_channels || reduced != std::int64_t{window.kernel_height} * window.kernel_width) {
    refuse(node, "reduces over other axes than the image's height and width");
  }
  Value result = x;
  result.node = added(network_.graph.add_pool(x.node, fresh_name(node),
                                              node.op == "ReduceMax" ? Op::max_pool : Op::average_pool, window));
  const bool keep = node.whole("keepdims", 1) != 0;
  std::vector<std::vector<Factor>> dims;
  for (int i = 0; i < x.view.rank(); ++i) {
    if (chosen[at(i)] && !keep) continue;
    dims.push_back(chosen[at(i)] ? std::vector<Factor>{} : x.view.dim(i));
    for (Factor& f : dims.back()) {
      if (f.stride >= s.channels && over_width) f.stride /= s.width;  // rows moved together
    }
  }
  result.view = View::of(std::move(dims));
  result.exclusive = true;
  set(node, result);
}

}  // namespace bitstrata::model::interchange
