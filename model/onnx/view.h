// SPDX-License-Identifier: Apache-2.0
// How the dimensions of an ONNX tensor lie in the NHWC elements of a node (internal to model/onnx). Reshape, Flatten,
// Transpose and the like only make another view; nothing moves.
#pragma once

#include <optional>
#include <vector>

#include "model/network.h"
#include "model/onnx/graph.h"

namespace bitstrata::model::interchange {

// `size` steps, each `stride` elements on.
struct Factor {
  std::int64_t size = 1;
  std::int64_t stride = 1;
  bool operator==(const Factor&) const = default;
};

// Every dimension is a product of factors, most significant first; those of size 1 are left out, and neighbours that
// continue each other are one.
class View {
 public:
  View() = default;
  // Dimensions in row-major order over consecutive elements.
  static View plain(const Dims& dims);
  static View of(std::vector<std::vector<Factor>> dims);
  // A node's tensor with a batch dimension of 1, as N,C,H,W or N,H,W,C or N,C,W (height 1) or N,C,H (width 1).
  static View nchw(Shape shape);
  static View nhwc(Shape shape);
  static View ncw(Shape shape);
  static View nch(Shape shape);
  static View flat(Shape shape);  // 1 x elements, in NHWC order

  int rank() const { return static_cast<int>(dims_.size()); }
  const std::vector<Factor>& dim(int index) const { return dims_.at(static_cast<std::size_t>(index)); }
  const std::vector<std::vector<Factor>>& dims() const { return dims_; }
  std::int64_t size(int index) const;
  Dims sizes() const;
  std::int64_t elements() const;

  // Throw std::invalid_argument where the new form cannot be a view.
  View reshaped(const Dims& sizes) const;
  View transposed(const std::vector<std::int64_t>& order) const;

  std::vector<Factor> factors() const;  // of all dimensions, row-major
  // Node element of every element of the view, row-major.
  std::vector<std::int64_t> order() const;
  // This view's dimensions in another tensor: `move` gives the new stride of a factor.
  template <typename Move>
  View moved(Move move) const {
    std::vector<std::vector<Factor>> dims = dims_;
    for (auto& dim : dims)
      for (Factor& factor : dim) factor = move(factor);
    return of(std::move(dims));
  }

  bool operator==(const View&) const = default;

 private:
  std::vector<std::vector<Factor>> dims_;
};

}  // namespace bitstrata::model::interchange
