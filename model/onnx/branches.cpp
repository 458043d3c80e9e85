// SPDX-License-Identifier: Apache-2.0
// One branch of an If becomes part of the graph around it.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "model/onnx/graph.h"

namespace bitstrata::model::interchange {
namespace {

// Names are unique along nested graphs, but two branches may use one for different tensors: those that a branch makes
// itself get its If's name in front.
class Renamer {
 public:
  Renamer(const Graph& branch, std::string prefix) : prefix_(std::move(prefix)) {
    for (const auto& entry : branch.constants) own_.insert(entry.first);
    for (const OnnxNode& node : branch.nodes) own_.insert(node.outputs.begin(), node.outputs.end());
    own_.erase("");
  }

  std::string operator()(const std::string& name) const { return own_.count(name) != 0 ? prefix_ + name : name; }
  void operator()(std::vector<std::string>& names) const {
    for (std::string& name : names) name = (*this)(name);
  }

  // A node of the branch, or of a branch inside it, which makes tensors of its own and reads some of these.
  void operator()(OnnxNode& node) const {
    (*this)(node.inputs), (*this)(node.outputs), (*this)(node.captured);
    for (auto& [key, attribute] : node.attributes) {
      if (!attribute.graph) continue;
      Graph inner = *attribute.graph;
      for (OnnxNode& deeper : inner.nodes) (*this)(deeper);
      (*this)(inner.outputs);
      attribute.graph = std::make_shared<const Graph>(std::move(inner));
    }
  }

 private:
  std::set<std::string> own_;
  std::string prefix_;
};

}  // namespace

void take_branch(Graph& graph, const std::string& name, bool then) {
  const auto found =
      std::find_if(graph.nodes.begin(), graph.nodes.end(), [&](const OnnxNode& node) { return node.name == name; });
  if (found == graph.nodes.end()) throw std::invalid_argument(fmt::format("no node is called '{}'", name));
  const OnnxNode chooser = *found;
  const std::string key = then ? "then_branch" : "else_branch";
  const Attribute* attribute = chooser.attribute(key, Kind::graph);
  if (attribute == nullptr || !attribute->graph) refuse(chooser, fmt::format("has no {}", key));
  const Graph& branch = *attribute->graph;
  if (branch.outputs.size() != chooser.outputs.size()) {
    refuse(chooser, fmt::format("its {} gives {} tensors, the node has {} outputs", key, branch.outputs.size(),
                                chooser.outputs.size()));
  }
  std::set<std::string> names;
  for (const OnnxNode& node : graph.nodes) names.insert(node.name);
  const Renamer rename(branch, chooser.name + "/");
  std::vector<OnnxNode> taken = branch.nodes;
  for (OnnxNode& node : taken) {
    rename(node);
    while (!names.insert(node.name).second) node.name = chooser.name + "/" + node.name;
  }
  for (const auto& [inner, tensor] : branch.constants) graph.constants.insert_or_assign(rename(inner), tensor);
  for (std::size_t i = 0; i < branch.outputs.size(); ++i) {
    OnnxNode made{.op = "Identity",
                  .domain = "",
                  .name = fmt::format("{}/output_{}", chooser.name, i),
                  .inputs = {rename(branch.outputs[i])},
                  .outputs = {chooser.outputs[i]},
                  .attributes = {}};
    while (!names.insert(made.name).second) made.name += "_";
    taken.push_back(std::move(made));
  }
  const auto place = graph.nodes.erase(found);
  graph.nodes.insert(place, taken.begin(), taken.end());
}

}  // namespace bitstrata::model::interchange
