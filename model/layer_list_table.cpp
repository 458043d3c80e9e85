// SPDX-License-Identifier: Apache-2.0
#include "model/layer_list_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/tokenizer.hpp>
#include <cctype>
#include <charconv>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string_view>

#include "model/input_file.h"

namespace bitstrata::model {

namespace {

using enum ListColumn;

constexpr int largest = 1 << 24;          // of any number in a file
constexpr std::size_t most_cells = 1000;  // of a line; each line keeps what its cells are

struct Known {
  ListColumn column;
  const char* name;                        // in messages
  std::vector<std::string_view> headings;  // in small letters, without anything else
};

const std::vector<Known>& known_columns() {
  static const std::vector<Known> known = {
      {name, "name", {"layer", "layers", "layername", "layernames", "name"}},
      {input_height,
       "IFMAP height",
       {"ifmapheight", "ifmaph", "ifmh", "ifmheight", "ifmlength", "inputheight", "inputh", "height", "h", "ih"}},
      {input_width,
       "IFMAP width",
       {"ifmapwidth", "ifmapw", "ifmw", "ifmwidth", "inputwidth", "inputw", "width", "w", "iw"}},
      {filter_height,
       "filter height",
       {"filterheight", "filterh", "filth", "kernelheight", "kernelh", "kernellength", "fh", "kh"}},
      {filter_width, "filter width", {"filterwidth", "filterw", "filtw", "kernelwidth", "kernelw", "fw", "kw"}},
      {channels,
       "channels",
       {"channels", "channel", "numchannels", "numchannel", "inputchannels", "inchannels", "ifmdepth",
        "ifmchanneldepth", "c", "ic"}},
      {filters,
       "filters",
       {"numfilter", "numfilters", "numfilt", "filters", "outputchannels", "outchannels", "kerneldepth", "oc"}},
      {stride, "stride", {"strides", "stride"}},
      {stride_height, "stride height", {"strideheight", "stridesheight", "strideh", "stridesh", "stridey", "sh"}},
      {stride_width, "stride width", {"stridewidth", "strideswidth", "stridew", "stridesw", "stridex", "sw"}},
      {padding, "padding", {"padding", "paddings", "pad", "pads"}},
      {padding_height, "padding height", {"paddingheight", "padheight", "paddingh", "padh"}},
      {padding_width, "padding width", {"paddingwidth", "padwidth", "paddingw", "padw"}},
      {dilation, "dilation", {"dilation", "dilations"}},
      {dilation_height, "dilation height", {"dilationheight", "dilationh"}},
      {dilation_width, "dilation width", {"dilationwidth", "dilationw"}},
      {groups, "groups", {"groups", "group", "numgroups"}},
      {batch, "batch size", {"batchsize", "batch", "batches"}},
      {sparsity, "sparsity", {"sparsity", "sparsitysupport", "sparsityratio", "sparsitynm"}},
      {pooling, "followed by pooling", {"followedbypooling", "pooling"}},
      {m, "M", {"m"}},
      {n, "N", {"n"}},
      {k, "K", {"k"}},
      // Addresses are of other simulators' memories.
      {note,
       "note",
       {"note", "notes", "comment", "comments", "remark", "remarks", "description", "ifmapoffset", "filteroffset",
        "ofmapoffset"}},
  };
  return known;
}

std::string trimmed(std::string text) {
  const auto space = [](unsigned char c) { return std::isspace(c) != 0; };
  text.erase(std::find_if_not(text.rbegin(), text.rend(), space).base(), text.end());
  text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), space));
  return text;
}

std::optional<int> whole_number(const std::string& text) {
  int value = 0;
  // Some programs read 064 as 52.
  if (text.find_first_not_of("0123456789", text.starts_with('-') ? 1 : 0) == std::string::npos && text.size() > 1 &&
      text[text.starts_with('-') ? 1 : 0] == '0') {
    return std::nullopt;
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Begins as a number does, so that it may be one that is miswritten, or a ratio.
bool looks_like_number(const std::string& text) {
  return !text.empty() && (std::isdigit(static_cast<unsigned char>(text[0])) != 0 || text[0] == '-' || text[0] == '+');
}

std::optional<ListColumn> known_column(const std::string& heading) {
  if (heading.empty()) return note;  // as spreadsheets and data frames number their lines
  std::string letters;
  for (const unsigned char c : heading) {
    if (std::isalnum(c) != 0 || c >= 0x80) letters += static_cast<char>(std::tolower(c));
  }
  for (const Known& known : known_columns())
    if (std::ranges::find(known.headings, letters) != known.headings.end()) return known.column;
  return std::nullopt;
}

// The cells of a line, without the comment behind them. What begins with # in the first line may be a heading.
std::vector<std::string> cells_of(const std::string& text, const std::string& separator, bool first) {
  std::vector<std::string> cells;
  const boost::escaped_list_separator<char> cut("", separator.empty() ? "," : separator, "\"");
  for (const std::string& part : boost::tokenizer<boost::escaped_list_separator<char>>(text, cut)) {
    std::string cell = trimmed(part);
    if (cell.starts_with('#') && !cells.empty()) {
      const std::string heading = trimmed(cell.substr(1));
      if (!first || heading.empty() || !known_column(heading)) break;
      cell = heading;
    }
    // A comment may follow the last number without a separator; "conv #1" is a name.
    const std::string before = trimmed(cell.substr(0, cell.find(" #")));
    const bool ends = before != cell && looks_like_number(before);
    cells.push_back(ends ? before : cell);
    if (ends) break;
  }
  while (!cells.empty() && cells.back().empty()) cells.pop_back();
  return cells;
}

// Headings that stand behind a #: "# Layer, M, N, K".
bool all_headings(const std::vector<std::string>& cells) {
  return cells.size() >= 4 &&
         std::ranges::all_of(cells, [](const auto& cell) { return known_column(cell).has_value(); });
}

std::vector<ListLine> read_lines(const std::filesystem::path& file) {
  refuse_device(file);
  std::ifstream stream(file, std::ios::binary);
  if (!stream || std::filesystem::is_directory(file)) {
    throw std::runtime_error(fmt::format("cannot read {}", file.string()));
  }
  std::vector<ListLine> lines;
  std::string text, separator;
  bool commented = false;  // the headings stand in a comment
  for (int number = 1; std::getline(stream, text); ++number) {
    if (text.find('\0') != std::string::npos)
      ListLine(file.string(), number, {}).fail("holds a zero byte; a list is text in UTF-8 or ASCII, not in UTF-16");
    if (number == 1 && text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);  // the mark that spreadsheets write
    if (trimmed(text).empty()) continue;
    if (std::count(text.begin(), text.end(), '"') % 2 != 0)
      ListLine(file.string(), number, {}).fail("a quote is not closed; cells are quoted whole: \"conv 1\"");
    // The first line tells what stands between cells.
    for (const char* candidate : {",", ";", "\t"}) {
      if (separator.empty() && text.find(candidate) != std::string::npos) separator = candidate;
    }
    const bool comment = trimmed(text).starts_with('#');
    if (comment && !lines.empty()) continue;
    std::vector<std::string> cells =
        cells_of(comment ? text.substr(text.find('#') + 1) : text, separator, lines.empty());
    if (comment && !all_headings(cells)) {
      separator.clear();
      continue;
    }
    if (commented && all_headings(cells)) lines.clear();  // the headings stand in a comment and below it
    commented = comment;
    if (cells.size() > most_cells)
      ListLine(file.string(), number, {})
          .fail(fmt::format("{} cells; a line has at most {}", cells.size(), most_cells));
    if (!cells.empty()) lines.emplace_back(file.string(), number, std::move(cells));
  }
  if (lines.empty()) throw std::runtime_error(fmt::format("{}: holds no layers", file.string()));
  return lines;
}

ListColumn column_of(const ListLine& line, const std::string& heading) {
  if (const std::optional<ListColumn> column = known_column(heading)) return *column;
  std::vector<std::string> names;
  for (const Known& known : known_columns()) names.emplace_back(known.name);
  line.fail(
      fmt::format("column '{}' is not known; the columns of a list of layers are {}", heading, fmt::join(names, ", ")));
}

bool holds(const std::vector<ListColumn>& columns, ListColumn column) {
  return std::ranges::find(columns, column) != columns.end();
}

void require(const ListLine& line, const std::vector<ListColumn>& columns, std::initializer_list<ListColumn> wanted,
             const char* what) {
  for (const ListColumn column : wanted) {
    if (!holds(columns, column))
      line.fail(fmt::format("the headings lack the column '{}' of {}", to_string(column), what));
  }
}

void read_headings(const ListLine& line, ListTable& table) {
  for (const std::string& heading : line.cells()) {
    const ListColumn column = column_of(line, heading);
    if (column != note && holds(table.columns, column))
      line.fail(fmt::format("two columns are headed as the {}, the second one '{}'", to_string(column), heading));
    table.columns.push_back(column);
  }
  const std::vector<ListColumn>& columns = table.columns;
  if (holds(columns, m) || holds(columns, n) || holds(columns, k)) {
    table.format = ListFormat::products;
    require(line, columns, {name, m, n, k}, "a list of matrix products");
    for (const ListColumn column : columns) {
      if (column < m && column != name && column != batch && column != sparsity)
        line.fail(fmt::format("a list of matrix products (M, N, K) has no column '{}'", to_string(column)));
    }
    return;
  }
  table.format = holds(columns, pooling) ? ListFormat::neuro_sim : ListFormat::scale_sim;
  if (table.format == ListFormat::scale_sim) require(line, columns, {name}, "a SCALE-Sim topology");
  require(line, columns, {input_height, input_width, filter_height, filter_width, channels, filters},
          table.format == ListFormat::scale_sim ? "a SCALE-Sim topology" : "NeuroSim's NetWork.csv");
  if (!holds(columns, stride) && !(holds(columns, stride_height) && holds(columns, stride_width)))
    line.fail("the headings lack the column 'stride', or 'stride height' and 'stride width'");
}

// Without headings the count of numbers tells what they are.
void guess_columns(const ListLine& line, ListTable& table) {
  const std::vector<std::string>& cells = line.cells();
  std::size_t numbers = 0;  // behind the first cell
  while (numbers + 1 < cells.size() && whole_number(cells[numbers + 1])) ++numbers;
  if (whole_number(cells[0]) && numbers == 7 && cells.size() == 8) {
    table.format = ListFormat::neuro_sim;
    table.columns = {input_height, input_width, channels, filter_height, filter_width, filters, pooling, stride};
  } else if (numbers == 3 && whole_number(cells[0])) {
    line.fail(
        "four numbers may be a batch or a layer's number in front of M, N and K; say which by headings: Layer, M, N, "
        "K");
  } else if (numbers == 3) {
    table.format = ListFormat::products;
    table.columns = {name, m, n, k};
  } else if (numbers == 7 || numbers == 8) {
    table.columns = {name, input_height, input_width, filter_height, filter_width, channels, filters, stride};
  } else {
    line.fail(
        "neither the headings of a SCALE-Sim topology (Layer name, IFMAP Height, ... or Layer, M, N, K) nor a layer: a "
        "name and 3 or 7 numbers, or NeuroSim's eight numbers");
  }
}

// Without headings, lines that are numbered in their first cell may be layers of SCALE-Sim with a number for a name.
void check_not_numbered(const ListTable& table) {
  bool square = true;
  for (std::size_t i = 0; i < table.lines.size(); ++i) {
    const std::vector<std::string>& cells = table.lines[i].cells();
    if (cells[0] != std::to_string(i) && cells[0] != std::to_string(i + 1)) return;
    square = square && cells[0] == cells[1];
  }
  if (!square)
    table.lines.front().fail(
        "eight numbers may be a layer of NeuroSim's, or the number and the seven sizes of one of SCALE-Sim's; say "
        "which "
        "by headings");
}

// SCALE-Sim takes a number behind the stride for that of the width; other lists have a batch there. Ones everywhere
// mean no more than the stride alone does.
void check_behind_stride(const ListLine& line, std::size_t at) {
  const std::vector<std::string>& cells = line.cells();
  if (cells[at - 1] == "1" && cells[at] == "1") return;
  line.fail(fmt::format(
      "a number behind the stride, {}, may be the stride of the width or a batch size; say which by headings: Layer "
      "name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Stride Height, Stride Width "
      "(or Strides, Batch Size)",
      cells[at]));
}

// Cells behind the last heading: a second stride, a ratio of sparsity, or words.
std::vector<ListColumn> columns_of(const ListLine& line, const ListTable& table) {
  std::vector<ListColumn> columns = table.columns;
  for (std::size_t i = columns.size(); i < line.cells().size(); ++i) {
    const std::string& cell = line.cells()[i];
    ListColumn column = note;
    if (whole_number(cell) && table.format == ListFormat::scale_sim && columns.back() == stride)
      check_behind_stride(line, i), column = stride_width;
    else if (cell.find(':') != std::string::npos && looks_like_number(cell) && !holds(columns, sparsity))
      column = sparsity;
    else if (looks_like_number(cell))
      line.fail(fmt::format("'{}' stands behind the last column, {}; give its column a heading", cell,
                            to_string(columns.back())));
    columns.push_back(column);
  }
  return columns;
}

}  // namespace

const char* to_string(ListColumn column) { return std::ranges::find(known_columns(), column, &Known::column)->name; }

void ListLine::fail(const std::string& message) const {
  throw std::runtime_error(fmt::format("{}:{}: {}", file_, number_, message));
}

bool ListLine::leaves_empty(ListColumn column) const {
  return std::ranges::find(columns_, column) != columns_.end() && text(column).empty();
}

std::string ListLine::text(ListColumn column) const {
  const auto place = static_cast<std::size_t>(std::ranges::find(columns_, column) - columns_.begin());
  return place < std::min(columns_.size(), cells_.size()) ? cells_[place] : "";
}

int ListLine::value(ListColumn column, int low) const {
  const std::string cell = text(column);
  if (cell.empty()) fail(fmt::format("{} is missing", to_string(column)));
  const std::optional<int> number = whole_number(cell);
  if (!number || *number < low || *number > largest)
    fail(fmt::format("{} is '{}'; it must be a whole number from {} to {}", to_string(column), cell, low, largest));
  return *number;
}

ListTable read_list_table(const std::filesystem::path& file) {
  ListTable table;
  table.lines = read_lines(file);
  const ListLine first = table.lines.front();
  // Headings are words; a layer has numbers behind its name.
  const bool numbers = std::any_of(first.cells().begin(), first.cells().end(), looks_like_number);
  if (numbers) {
    guess_columns(first, table);
  } else {
    read_headings(first, table);
    table.lines.erase(table.lines.begin());
    if (table.lines.empty()) first.fail("no layer follows the headings");
  }
  for (ListLine& line : table.lines) line.set_columns(columns_of(line, table));
  if (numbers && table.format == ListFormat::neuro_sim) check_not_numbered(table);
  return table;
}

}  // namespace bitstrata::model
