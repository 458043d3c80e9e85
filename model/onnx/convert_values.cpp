// SPDX-License-Identifier: Apache-2.0
// Operators on single values: sums, products, batch norms and activation functions.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "model/activations.h"
#include "model/onnx/converter.h"

namespace bitstrata::model::interchange {
namespace {

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

std::vector<double> negated(std::vector<double> values) {
  for (double& value : values) value = -value;
  return values;
}

}  // namespace

// The sum or product of two tensors.
Value Converter::join(const OnnxNode& node, Value a, Value b, Op op) {
  settle(a, Geometry::other);
  settle(b, Geometry::other);
  Product product{.factors = {a.factor, b.factor}};
  if (op == Op::multiply) {
    // Factors of a product go on as the factor of the result.
    const double factor = a.factor * b.factor;
    a.factor = b.factor = 1;
    a = ready(node, a), b = ready(node, b);
    a.factor = factor;
  } else if (a.factor == b.factor) {
    const double factor = a.factor;
    a.factor = b.factor = 1;
    a = ready(node, a), b = ready(node, b);
    a.factor = factor;
  } else {
    a = ready(node, a), b = ready(node, b);
  }
  const double factor = a.factor;
  if (a.view.elements() < b.view.elements()) std::swap(a, b), std::swap(product.factors[0], product.factors[1]);
  if (a.view != b.view) a = straight(node, a), b = straight(node, b);
  // One channel that meets all the image's is spread over as many.
  const Geometry image = geometry(a);
  const Shape large = shape(a), plane = {.height = large.height, .width = large.width, .channels = 1};
  if (shape(b) == plane && large.channels > 1 && image != Geometry::flat && image != Geometry::other &&
      geometry(b) == image && large.height * large.width > 1) {
    b = widened(node, b, large.channels, image);
  }
  const bool same = a.view == b.view && shape(a) == shape(b);
  if (!same) {
    // One pixel that meets all of the image's: its channels must lie where the image has its channels.
    const int channels = shape(a).channels;
    bool scales = shape(b) == Shape{.channels = channels} && b.view.rank() <= a.view.rank();
    const std::vector<Factor> along = {{channels, 1}};
    for (int i = 0; scales && i < b.view.rank(); ++i) {
      const std::vector<Factor>& mine = a.view.dim(a.view.rank() - b.view.rank() + i);
      scales = b.view.dim(i).empty() || (b.view.dim(i) == along && mine == along);
    }
    if (!scales) {
      refuse(node,
             fmt::format("its inputs of {} and {} do not lie alike", to_text(a.view.sizes()), to_text(b.view.sizes())));
    }
    if (op == Op::add) {  // the pixel is spread over the image first
      const Shape s = shape(a);
      if (s.height != s.width)
        refuse(node,
               fmt::format("adds one pixel to an image of {}x{}; only square ones are supported", s.height, s.width));
      b.node = added(network_.graph.add_upsample(b.node, fresh_name(node, "_spread"), s.height));
    }
  }
  Value result = a;
  result.steps.clear();
  result.node = added(network_.graph.add_elementwise(a.node, b.node, fresh_name(node), op));
  if (op == Op::multiply && factor != 1) network_.parameters[at(result.node)].product = product;
  result.factor = factor;
  result.exclusive = true;
  return result;
}

void Converter::add(const OnnxNode& node) {
  if (node.inputs.empty()) refuse(node, "has no input");
  std::vector<Value> dynamic;
  std::vector<const Tensor*> constants;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (const Tensor* tensor = constant(node.inputs[i])) {
      constants.push_back(tensor);
    } else {
      dynamic.push_back(value(node, i));
    }
  }
  Value sum = dynamic.at(0);
  for (std::size_t i = 1; i < dynamic.size(); ++i) sum = join(node, sum, dynamic[i], Op::add);
  for (const Tensor* tensor : constants) sum = affine(node, sum, {1}, per_channel(node, sum, *tensor));
  set(node, sum);
}

void Converter::subtract(const OnnxNode& node) {
  const Tensor *a = constant(node.input(0)), *b = constant(node.input(1));
  if (b != nullptr) {
    const Value x = value(node, 0);
    set(node, affine(node, x, {1}, negated(per_channel(node, x, *b))));
  } else if (a != nullptr) {
    const Value x = value(node, 1);
    set(node, affine(node, x, {-1}, per_channel(node, x, *a)));
  } else {
    const Value x = value(node, 0), y = value(node, 1);
    settle(x, Geometry::other);
    settle(y, Geometry::other);
    set(node, join(node, x, affine(node, y, {-1}, {0}), Op::add));
  }
}

void Converter::multiply(const OnnxNode& node) {
  const Tensor *a = constant(node.input(0)), *b = constant(node.input(1));
  if (a == nullptr && b == nullptr) {
    set(node, join(node, value(node, 0), value(node, 1), Op::multiply));
    return;
  }
  const Value x = value(node, a != nullptr ? 1 : 0);
  set(node, affine(node, x, per_channel(node, x, a != nullptr ? *a : *b), {0}));
}

void Converter::divide(const OnnxNode& node) {
  const Tensor* divisor = constant(node.input(1));
  if (divisor == nullptr) refuse(node, "divides by a tensor that is no constant");
  const Value x = value(node, 0);
  std::vector<double> scale = per_channel(node, x, *divisor);
  const ValueStep step{.kind = ValueStep::Kind::divide, .numbers = {scale.begin(), scale.end()}};
  for (double& s : scale) {
    if (s == 0) refuse(node, "divides by 0");
    s = 1 / s;
  }
  set(node, affine(node, x, scale, {0}, {step}));
}

void Converter::negate(const OnnxNode& node) { set(node, affine(node, value(node, 0), {-1}, {0})); }

void Converter::batch_norm(const OnnxNode& node) {
  if (node.whole("training_mode", 0) != 0) refuse(node, "is in training mode; export the network for inference");
  Value x = value(node, 0);
  settle(x, node.channels_last() ? Geometry::nhwc : x.view.rank() == 3 ? Geometry::ncw : Geometry::nchw);
  const Tensor& gamma = need_constant(node, 1, "scale");
  const Tensor& beta = need_constant(node, 2, "shift");
  const Tensor& mean = need_constant(node, 3, "mean");
  const Tensor& variance = need_constant(node, 4, "variance");
  const std::int64_t channels = shape(x).channels;
  const int axis = node.channels_last() ? x.view.rank() - 1 : 1;
  if (x.view.rank() < 2) refuse(node, fmt::format("its input of {} has no channels", to_text(x.view.sizes())));
  const std::int64_t count = x.view.size(axis);
  for (const Tensor* t : {&gamma, &beta, &mean, &variance}) {
    if (t->elements() != count) refuse(node, fmt::format("has {} parameters for {} channels", t->elements(), count));
  }
  const double epsilon = node.real("epsilon", 1e-5);
  std::vector<double> scale, shift;
  for (std::size_t c = 0; c < at(count); ++c) {
    scale.push_back(gamma.at(c) / std::sqrt(variance.at(c) + epsilon));
    shift.push_back(beta.at(c) - mean.at(c) * scale.back());
    if (!std::isfinite(scale.back()))
      refuse(node, fmt::format("the variance {} of channel {} is not above 0", variance.at(c), c));
  }
  // Entries of the axis meet the node's channels in the order of the view; in a flattened image several meet each, and
  // each meets all pixels of a block.
  const auto blocks = blocks_of(x);
  const std::vector<std::int64_t> order = blocks ? blocks->order : View::of({x.view.dim(axis)}).order();
  std::vector<double> channel_scale(at(channels), 1), channel_shift(at(channels), 0);
  std::vector<bool> seen(at(channels), false);
  for (std::size_t k = 0; k < order.size(); ++k) {
    const std::size_t c = at(order[k] % channels);
    const std::size_t entry = k % at(count);
    if (seen[c] && (channel_scale[c] != scale[entry] || channel_shift[c] != shift[entry])) {
      if (count != x.view.elements() || x.pad.any())
        refuse(node,
               fmt::format("its input of {} does not have its channels along axis {}", to_text(x.view.sizes()), axis));
      features_[node.outputs[0]] = {std::move(scale), std::move(shift)};
      set(node, x);
      return;
    }
    channel_scale[c] = scale[entry], channel_shift[c] = shift[entry];
    seen[c] = true;
  }
  if (std::count(seen.begin(), seen.end(), true) != channels)
    refuse(node,
           fmt::format("its input of {} does not have its channels along axis {}", to_text(x.view.sizes()), axis));
  set(node, affine(node, x, channel_scale, channel_shift));
}

// What rewrite_activations made of several nodes: the run as the file says takes them one by one.
void Converter::take_spelling(const OnnxNode& node, const Value& x, const Value& result) {
  const auto found = node.attributes.find("spelled");
  if (found == node.attributes.end()) return;
  Written written{.source = x.node, .steps = {}};
  for (std::size_t i = 0; i < found->second.wholes.size(); ++i) {
    const auto kind = static_cast<ValueStep::Kind>(found->second.wholes[i]);
    const auto number = static_cast<float>(found->second.reals[i]);
    written.steps.push_back(kind == ValueStep::Kind::clip ? ValueStep{.kind = kind, .high = number}
                                                          : ValueStep{.kind = kind, .numbers = {number}});
  }
  network_.parameters[at(result.node)].written = std::move(written);
}

void Converter::activation(const OnnxNode& node, Op op, double alpha, double gamma) {
  const Value from = ready(node, value(node, 0));
  Value x = from;
  guard_rounding(x.node, op);
  x.node = added(network_.graph.add_activation(x.node, fresh_name(node), op, alpha, gamma));
  x.exclusive = true;
  take_spelling(node, from, x);
  set(node, x);
}

void Converter::silu(const OnnxNode& node) { activation(node, Op::silu); }
void Converter::hard_swish(const OnnxNode& node) { activation(node, Op::hard_swish); }

void Converter::table_function(const OnnxNode& node) {
  const Function& row = *table_function_of_onnx(node.op);
  if (row.op == Op::gelu) {
    const std::string approximate = node.text("approximate", "none");
    if (approximate != "none" && approximate != "tanh")
      refuse(node, fmt::format("approximate is '{}'; it must be 'none' or 'tanh'", approximate));
    activation(node, approximate == "tanh" ? Op::gelu_tanh : Op::gelu);
    return;
  }
  const double alpha = row.alpha == 0 ? 0 : node.real("alpha", row.alpha);
  const double gamma = row.gamma == 0 ? 0 : node.real("gamma", row.gamma);
  if (!std::isfinite(alpha) || !std::isfinite(gamma))
    refuse(node, fmt::format("alpha is {} and gamma {}; they must be finite", alpha, gamma));
  if (row.op == Op::celu && alpha == 0) refuse(node, "alpha is 0, by which it divides");
  activation(node, row.op, alpha, gamma);
}

// clip(alpha x + beta, 0, 1); ours has alpha 1/6 and beta 1/2.
void Converter::hard_sigmoid(const OnnxNode& node) {
  const double alpha = node.real("alpha", 0.2), beta = node.real("beta", 0.5);
  if (!(alpha > 0)) refuse(node, fmt::format("alpha is {}; it must be above 0", alpha));
  if (std::abs(alpha * 6 - 1) < 1e-6 && beta == 0.5) {
    activation(node, Op::hard_sigmoid);
    return;
  }
  Value x = value(node, 0);
  settle(x, Geometry::other);
  const Value whole = x;
  OnnxNode before = node;
  before.name += "_range";
  x = ready(node, affine(before, x, {6 * alpha}, {6 * (beta - 0.5)}));
  const bool apart = x.node != whole.node;
  guard_rounding(x.node, Op::hard_sigmoid);
  x.node = added(network_.graph.add_activation(x.node, fresh_name(node), Op::hard_sigmoid));
  x.exclusive = true;
  if (!apart) note_tie(node);
  if (apart) {
    write_as(whole, x,
             {{.kind = ValueStep::Kind::multiply, .numbers = {static_cast<float>(alpha)}},
              {.kind = ValueStep::Kind::add, .numbers = {static_cast<float>(beta)}},
              {.kind = ValueStep::Kind::clip, .low = 0, .high = 1}});
  }
  set(node, x);
}

// The run as the file says takes the values of `result` from those of `from` by the file's own steps.
void Converter::write_as(const Value& from, const Value& result, std::vector<ValueStep> steps) {
  if (from.factor != 1 && !from.has_steps()) return;
  if (from.has_steps()) steps.insert(steps.begin(), from.steps.begin(), from.steps.end());
  network_.parameters[at(result.node)].written = {.source = from.has_steps() ? from.steps_source : from.node,
                                                  .steps = std::move(steps)};
}

// min(max(x, low), high), with low = 0 for a ReLU.
Value Converter::limited(const OnnxNode& node, Value x, double low, double high) {
  const bool open = std::isinf(high) || high > 1e30, below = std::isinf(low) || low < -1e30;
  if (!(low < high)) refuse(node, fmt::format("clips to {}..{}, which is no range", low, high));
  if (below && open) return x;
  settle(x, Geometry::other);
  if (x.pad.any()) refuse(node, "follows a Pad, which only a convolution or pooling can take");
  if (low == 0) {
    x.move_to(added(network_.graph.add_relu(x.node, fresh_name(node), open ? 0 : (high - low) / x.factor)));
    x.exclusive = true;
    if (!open && x.has_steps()) x.scale(1, {.kind = ValueStep::Kind::clip, .low = 0, .high = static_cast<float>(high)});
    return x;
  }
  // low + min(max(x - low, 0), high - low), or high - max(high - x, 0)
  const Value whole = x;
  const double sign = below ? -1 : 1, from = below ? high : low;
  x = ready(node, affine(node, x, {sign}, {-sign * from}));
  const bool apart = x.node != whole.node;  // else the first is part of the layer that gives x
  x.node = added(network_.graph.add_relu(x.node, fresh_name(node), below || open ? 0 : high - low));
  x.exclusive = true;
  x = affine(node, x, {sign}, {from});
  if (!apart) note_tie(node);
  if (apart) {
    const float infinity = std::numeric_limits<float>::infinity();
    write_as(whole, x,
             {{.kind = ValueStep::Kind::clip,
               .low = below ? -infinity : static_cast<float>(low),
               .high = open ? infinity : static_cast<float>(high)}});
  }
  return x;
}

void Converter::relu(const OnnxNode& node) {
  set(node, limited(node, value(node, 0), 0, std::numeric_limits<double>::infinity()));
}

void Converter::clip(const OnnxNode& node) {
  double low = node.real("min", -std::numeric_limits<double>::infinity());
  double high = node.real("max", std::numeric_limits<double>::infinity());
  if (!node.input(1).empty()) low = scalar(node, 1, "lower limit");
  if (!node.input(2).empty()) high = scalar(node, 2, "upper limit");
  const Value x = value(node, 0);
  for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
    if (node.input(i).empty()) continue;
    const Tensor& limit = need_constant(node, i, "limit");
    check_code_type(node, x, limit, "its limit");
    if (!x.codes && limit.whole())
      refuse(node, fmt::format("limits values by {}; a limit has the type of what it limits", type_name(limit.type)));
  }
  if (x.codes) {
    if (node.has("min") || node.has("max")) refuse(node, "limits codes by floats; limits of codes are codes");
    clip_codes(node, x, low, high);
    return;
  }
  set(node, limited(node, x, low, high));
}

void Converter::leaky_relu(const OnnxNode& node) {
  const double slope = node.real("alpha", 0.01);
  if (!std::isfinite(slope)) refuse(node, fmt::format("its alpha is {}", slope));
  set(node, sloped(node, value(node, 0), {slope}));
}

Value Converter::leaky(const OnnxNode& node, Value x, double slope) {
  settle(x, Geometry::other);
  if (x.pad.any()) refuse(node, "follows a Pad, which only a convolution or pooling can take");
  const std::string name = fresh_name(node);
  guard_rounding(x.node, slope == 0 ? Op::relu : Op::leaky_relu);
  const bool stepped = x.has_steps();
  x.node =
      added(slope == 0 ? network_.graph.add_relu(x.node, name) : network_.graph.add_leaky_relu(x.node, name, slope));
  if (stepped) {  // the slope meets the values that the steps make
    x.steps.push_back({.kind = ValueStep::Kind::leak, .numbers = {static_cast<float>(slope)}});
    x.stepped_node = x.node;
  }
  x.exclusive = true;
  return x;
}

void Converter::prelu(const OnnxNode& node) {
  const Tensor& slopes = need_constant(node, 1, "slope");
  if (slopes.elements() < 1) refuse(node, "has no slope");
  const Value x = value(node, 0);
  set(node, sloped(node, x, per_channel(node, x, slopes)));
}

// A leaky ReLU of one slope, or max(x, 0) + slope * min(x, 0) with a slope for each channel, of any sign and size.
Value Converter::sloped(const OnnxNode& node, Value x, const std::vector<double>& slope) {
  const bool one = std::all_of(slope.begin(), slope.end(), [&](double s) { return s == slope[0]; });
  if (one && slope[0] >= 0 && slope[0] < 1) return leaky(node, x, slope[0]);
  settle(x, Geometry::other);
  // Without negative values the part of the slopes would hold zeros alone, which have no scale.
  if (never_negative(x.node)) return x;
  const double infinity = std::numeric_limits<double>::infinity();
  x.exclusive = false;  // read twice
  OnnxNode part = node;
  part.name += "_positive";
  const Value positive = limited(part, x, 0, infinity);
  part.name = node.name + "_negative";
  const Value negative = limited(part, affine(part, x, {-1}, {0}), 0, infinity);
  part.name = node.name + "_slope";
  return join(node, positive, affine(part, negative, negated(slope), {0}), Op::add);
}

}  // namespace bitstrata::model::interchange
