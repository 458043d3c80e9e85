// SPDX-License-Identifier: Apache-2.0
// The table behind a list of layers: its cells, and what its headings say that they are.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace bitstrata::model {

enum class ListFormat { scale_sim, products, neuro_sim };

enum class ListColumn {
  name,
  input_height,
  input_width,
  filter_height,
  filter_width,
  channels,
  filters,
  stride,  // of both axes
  stride_height,
  stride_width,
  padding,
  padding_height,
  padding_width,
  dilation,
  dilation_height,
  dilation_width,
  groups,
  batch,
  sparsity,
  pooling,
  m,
  n,
  k,
  note,  // says nothing about shapes
};

// One layer's line.
class ListLine {
 public:
  ListLine(std::string file, int number, std::vector<std::string> cells)
      : file_(std::move(file)), number_(number), cells_(std::move(cells)) {}

  // Throws std::runtime_error with file and line.
  [[noreturn]] void fail(const std::string& message) const;
  const std::vector<std::string>& cells() const { return cells_; }
  // Says what the cells are, one after the other.
  void set_columns(std::vector<ListColumn> columns) { columns_ = std::move(columns); }

  // Whether there is such a column and the line fills it.
  bool has(ListColumn column) const { return !text(column).empty(); }
  // Whether there is such a column and the line does not fill it.
  bool leaves_empty(ListColumn column) const;
  std::string text(ListColumn column) const;
  // A whole number from `low` to the largest that lists may hold, 2^24; `absent` where the line has none.
  int value(ListColumn column, int low = 1) const;
  int value_or(ListColumn column, int absent, int low = 1) const { return has(column) ? value(column, low) : absent; }

 private:
  std::string file_;
  int number_;
  std::vector<std::string> cells_;
  std::vector<ListColumn> columns_;
};

struct ListTable {
  ListFormat format = ListFormat::scale_sim;
  std::vector<ListColumn> columns;  // of the headings
  std::vector<ListLine> lines;      // of layers, at least one; their columns are set
};

// What a user calls a column.
const char* to_string(ListColumn column);

// Reads a file of cells between commas, or else semicolons or tabs; cells may be quoted, and end at a # that begins
// one. Throws std::runtime_error with file and line where a heading is not known, a number has no heading, or neither
// headings nor the count of numbers tell the format.
ListTable read_list_table(const std::filesystem::path& file);

}  // namespace bitstrata::model
