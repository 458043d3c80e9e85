// SPDX-License-Identifier: Apache-2.0
// Operators that a file needs and the importer lacks: all of them in one message.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include "model/onnx/converter.h"

namespace bitstrata::model::interchange {
namespace {

// Why an operator that public files often have cannot be had.
const std::map<std::string, std::string>& reasons() {
  static const std::map<std::string, std::string> table = {
      {"LRN", "it divides by sums over channels, and the array does not divide"},
      {"LayerNormalization", "it divides by a deviation of each input, and the array does not divide"},
      {"InstanceNormalization", "it divides by a deviation of each input, and the array does not divide"},
      {"GroupNormalization", "it divides by a deviation of each input, and the array does not divide"},
      {"Softmax", "it divides by a sum of each input, and the array does not divide; at the end the host does it"},
      {"Loop", "its body is not read"},
      {"Scan", "its body is not read"},
      {"LSTM", "recurrent layers are not supported"},
      {"GRU", "recurrent layers are not supported"},
      {"RNN", "recurrent layers are not supported"},
  };
  return table;
}

struct Lacking {
  int count = 0;
  std::string first;      // node
  bool function = false;  // the file defines it
};

}  // namespace

const std::set<std::string>& known_domains() {
  static const std::set<std::string> domains = {"",
                                                "onnx.brevitas",
                                                "finn.custom_op.general",
                                                "qonnx.custom_op.general",
                                                "qonnx.custom_op.channels_last",
                                                "com.microsoft"};
  return domains;
}

void Converter::check_written(const std::set<std::string>& needed) const {
  std::set<std::string> written = {""};  // an input that is left out
  for (const auto& entry : graph_.constants) written.insert(entry.first);
  for (const GraphInput& input : graph_.inputs) written.insert(input.name);
  for (const OnnxNode& node : graph_.nodes) written.insert(node.outputs.begin(), node.outputs.end());
  for (const std::string& head : heads_) {
    if (written.count(head) == 0) throw std::invalid_argument(fmt::format("no node writes the output '{}'", head));
  }
  for (const OnnxNode& node : graph_.nodes) {
    if (needed.count(node.name) == 0) continue;
    for (const std::vector<std::string>& read : {node.inputs, node.captured})
      for (const std::string& tensor : read)
        if (written.count(tensor) == 0) refuse(node, fmt::format("reads '{}', which nothing writes", tensor));
  }
}

void Converter::check_operators(const std::set<std::string>& needed) const {
  std::set<std::string> constants;  // what folding will make, by name
  for (const auto& entry : graph_.constants) constants.insert(entry.first);
  std::map<std::string, Lacking> lacking;
  std::vector<std::string> order;
  for (const OnnxNode& node : graph_.nodes) {
    if (needed.count(node.name) == 0) continue;
    const bool inner = node.op == "If" || node.op == "Loop" || node.op == "Scan";  // read more than their inputs
    const bool constant = std::all_of(node.inputs.begin(), node.inputs.end(), [&](const std::string& input) {
      return input.empty() || constants.count(input) != 0;
    });
    if (node.op == "If" && !constant) {
      refuse(node, fmt::format("its condition '{}' depends on the values of the network's input; only conditions that "
                               "follow from constants and shapes are supported",
                               node.input(0)));
    }
    const bool folds = node.op == "Shape" || (constant && !inner);
    if (folds) {
      constants.insert(node.outputs.begin(), node.outputs.end());
      continue;
    }
    const bool known = known_domains().count(node.domain) != 0;
    if (known && handler_of(node.op) != nullptr) continue;
    const std::string op = known ? node.op : fmt::format("{} of domain '{}'", node.op, node.domain);
    Lacking& entry = lacking[op];
    if (entry.count++ == 0) {
      entry.first = node.name;
      entry.function = graph_.functions.count(node.domain + ":" + node.op) != 0;
      order.push_back(op);
    }
  }
  if (order.empty()) return;
  const auto why = [&](const std::string& op) {
    if (lacking.at(op).function)
      return std::string(
          ": the file defines it as a function, and functions are not read; inline them first (onnx.inliner)");
    const auto found = reasons().find(op);
    return found == reasons().end() ? std::string() : fmt::format(": {}", found->second);
  };
  if (order.size() == 1 && lacking.at(order[0]).count == 1) {
    throw std::invalid_argument(fmt::format("{} node '{}': the operator is not supported{}", order[0],
                                            lacking.at(order[0]).first, why(order[0])));
  }
  std::vector<std::string> texts;
  for (const std::string& op : order) {
    const Lacking& entry = lacking.at(op);
    texts.push_back(entry.count == 1
                        ? fmt::format("{} (node '{}'{})", op, entry.first, why(op))
                        : fmt::format("{} ({} nodes, the first is '{}'{})", op, entry.count, entry.first, why(op)));
  }
  throw std::invalid_argument(fmt::format(
      "{} not supported: {}", order.size() == 1 ? "an operator is" : "these operators are", fmt::join(texts, ", ")));
}

}  // namespace bitstrata::model::interchange
