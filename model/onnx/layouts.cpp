// SPDX-License-Identifier: Apache-2.0
// How the dimensions of tensors are arranged, and what the file's input is where an operator tells.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "model/onnx/converter.h"

namespace bitstrata::model::interchange {
namespace {

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

bool is_image_side(std::int64_t size) { return size == 1 || size == 3; }

// Where the dimensions of `view` lie in NHWC when they are arranged as `geometry` says.
InputLayout layout_of(const View& view, Geometry geometry) {
  const Dims sizes = view.sizes();
  int height = -1, width = -1, channels = -1;
  switch (geometry) {
    case Geometry::nchw:
      channels = 1, height = 2, width = 3;
      break;
    case Geometry::nhwc:
      height = 1, width = 2, channels = 3;
      break;
    case Geometry::ncw:
    case Geometry::nch:
      channels = 1, width = 2;
      break;
    case Geometry::nwc:
      width = 1, channels = 2;
      break;
    default:
      break;
  }
  InputLayout layout;
  const auto side = [&](int axis) { return axis < 0 ? 1 : static_cast<int>(sizes[at(axis)]); };
  layout.shape = {side(height), side(width), side(channels)};
  if (channels < 0) layout.shape.channels = static_cast<int>(view.elements());
  std::int64_t stride = 1;
  const auto place = [&](const std::vector<Factor>& factors) {
    for (std::size_t i = factors.size(); i-- > 0;) {
      layout.steps.push_back({factors[i].size, factors[i].stride, stride});
      stride *= factors[i].size;
    }
  };
  if (channels < 0) {
    place(view.factors());
  } else {
    for (const int axis : {channels, width, height})
      if (axis >= 0) place(view.dim(axis));
  }
  std::sort(layout.steps.begin(), layout.steps.end(),
            [](const auto& a, const auto& b) { return a.onnx_stride > b.onnx_stride; });
  return layout;
}

// The elements of a node with this layout in the order of the file's input, as factors: equal ones are equal orders,
// and large inputs cost no more than small ones.
std::vector<Factor> places(const InputLayout& layout) {
  std::vector<Factor> factors;
  for (const InputLayout::Step& s : layout.steps) factors.push_back({s.size, s.stride});
  return View::of({factors}).factors();
}

// Samples come as height, width and channels of the file's own input. A layout of the same sides must have its elements
// in the same places, or every sample would be read in another order without a word: the file's own layout then, from
// which the operator copes with exchanged channels and refuses exchanged pixels.
InputLayout in_file_order(InputLayout layout, const Dims& dims) {
  const View plain = View::plain(dims);
  const std::vector<Geometry> known = dims.size() == 4   ? std::vector{Geometry::nchw, Geometry::nhwc}
                                      : dims.size() == 3 ? std::vector{Geometry::ncw, Geometry::nwc}
                                                         : std::vector<Geometry>{};
  std::optional<InputLayout> confused;
  for (const Geometry geometry : known) {
    const InputLayout own = layout_of(plain, geometry);
    if (own.shape != layout.shape) continue;
    if (places(own) == places(layout)) return layout;
    if (!confused) confused = own;
  }
  return confused ? *confused : layout;
}

}  // namespace

View Converter::view_of(Geometry geometry, Shape s) const {
  switch (geometry) {
    case Geometry::nchw:
      return View::nchw(s);
    case Geometry::nhwc:
      return View::nhwc(s);
    case Geometry::ncw:
      return View::ncw(s);
    case Geometry::nch:
      return View::nch(s);
    default:
      return View::flat(s);
  }
}

Geometry Converter::geometry(const Value& value) const {
  const Shape s = shape(value);
  if (value.view == View::nchw(s)) return Geometry::nchw;
  if (value.view == View::nhwc(s)) return Geometry::nhwc;
  if (s.height == 1 && value.view == View::ncw(s)) return Geometry::ncw;
  if (s.width == 1 && value.view == View::nch(s)) return Geometry::nch;
  if (value.view == View::flat(s)) return Geometry::flat;
  return Geometry::other;
}

// In which order the file's input has the elements of ours.
ChannelOrder Converter::input_order(const Value& input) const {
  const Shape s = shape(input);
  if (s.channels == 1 || s.height * s.width == 1) return ChannelOrder::any;
  const std::vector<Factor> elements = input.view.factors();
  if (elements == View::nchw(s).factors()) return ChannelOrder::first;
  return elements == View::nhwc(s).factors() ? ChannelOrder::last : ChannelOrder::any;
}

void Converter::settle(const Value& value, Geometry wanted) const {
  if (layout_ != nullptr || value.node != 0) return;
  View view = value.view;
  int rank = view.rank();
  const bool fits = wanted == Geometry::nchw || wanted == Geometry::nhwc
                        ? rank == 4
                        : (wanted == Geometry::ncw || wanted == Geometry::nwc) && rank == 3;
  if (!fits) {  // the file's own dimensions then, taken as they mostly are
    view = View::plain(input_dims_);
    rank = view.rank();
    wanted = Geometry::flat;
    if (rank == 4) {
      const bool last = is_image_side(view.size(3)) && !is_image_side(view.size(1));
      wanted = last ? Geometry::nhwc : Geometry::nchw;
    } else if (rank == 3) {
      wanted = Geometry::ncw;
    }
  }
  if (wanted != Geometry::flat && view.size(0) != 1) {
    throw std::invalid_argument(fmt::format("the batch of its input {} is not 1", to_text(view.sizes())));
  }
  throw LayoutDemand{in_file_order(layout_of(view, wanted), input_dims_)};
}

}  // namespace bitstrata::model::interchange
