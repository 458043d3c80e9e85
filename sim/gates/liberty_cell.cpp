// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/liberty_cell.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <stdexcept>

namespace bitstrata::sim::gates {

namespace {

// What is wrong with one cell; other cells of the library can still be used.
class WrongCell : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

// Runs f; what it throws is told with its line.
template <class F>
auto at(int line, F f) -> decltype(f()) {
  try {
    return f();
  } catch (const WrongCell&) {
    throw;
  } catch (const std::logic_error& e) {
    throw WrongCell(fmt::format("line {}: {}", line, e.what()));
  }
}

bool is_true(const LibertyGroup& group, std::string_view attribute) { return group.text(attribute) == "true"; }

class CellReader {
 public:
  CellReader(const LibertyGroup& group, const LibertyHead& head, LibertyCell& cell)
      : group_(group), head_(head), cell_(cell) {}

  void read() {
    cell_.area = number(group_, "area", 0);
    for (const char* special : {"dont_use", "is_isolation_cell", "is_level_shifter", "always_on"})
      cell_.avoided |= is_true(group_, special);
    cell_.avoided |= group_.find("retention_cell") != nullptr;
    inputs();
    if (inputs_.size() > static_cast<std::size_t>(max_inputs))
      throw WrongCell(fmt::format("it has {} inputs, more than {}", inputs_.size(), max_inputs));
    if (clock_gate()) return;
    for (const LibertyGroup& pin : group_.groups) {
      if (pin.name == "bus" || pin.name == "bundle" || pin.name == "statetable")
        throw WrongCell(fmt::format("it has a {}", pin.name));
      if (pin.name != "pin" || pin.text("direction") == "input") continue;
      outputs_.insert(outputs_.end(), pin.arguments.begin(), pin.arguments.end());
    }
    states();
    for (const LibertyGroup& pin : group_.groups)
      if (pin.name == "pin" && pin.text("direction") != "input") add_outputs(pin);
  }

  // W, or in the file's unit where that is not said.
  double leakage() const {
    struct Supply {
      std::vector<double> states, always;
    };
    std::map<std::string, Supply, std::less<>> supplies;
    for (const LibertyGroup& power : group_.groups) {
      if (power.name != "leakage_power" || !power.find("value")) continue;
      Supply& supply = supplies[std::string(power.text("related_pg_pin"))];
      (power.text("when").empty() ? supply.always : supply.states).push_back(number(power, "value", 0));
    }
    double sum = supplies.empty() ? head_.cell_leakage : 0;
    for (const auto& [name, supply] : supplies) {
      const auto& values = supply.states.empty() ? supply.always : supply.states;
      sum += std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
    }
    return number(group_, "cell_leakage_power", sum);
  }

 private:
  static double number(const LibertyGroup& group, std::string_view name, double absent) {
    const LibertyAttribute* found = group.find(name);
    if (!found) return absent;
    return at(found->line, [&] {
      return liberty_number(found->values.empty() ? std::string_view() : found->values.front().text, name);
    });
  }

  LibertyTable table(const LibertyGroup& group, double unit) const {
    return at(group.line, [&] {
      std::vector<LibertyTable::Axis> axes;
      std::vector<std::vector<double>> index;
      const auto known = group.arguments.empty()
                             ? head_.templates.end()
                             : head_.templates.find(template_key(template_kind(group.name), group.arguments.front()));
      const LibertyGroup* shape = known == head_.templates.end() ? nullptr : known->second;
      for (int i = 1; shape && i <= 3; ++i) {
        const std::string_view variable = shape->text(fmt::format("variable_{}", i));
        if (variable.empty()) break;
        // The load of a cell's other output is taken to be this one's.
        const bool load = variable.find("capacitance") != std::string_view::npos;
        if (!load && variable.find("transition") == std::string_view::npos)
          throw std::invalid_argument(fmt::format("a table over '{}' is not understood", variable));
        axes.push_back(load ? LibertyTable::Axis::load : LibertyTable::Axis::slew);
        const std::string name = fmt::format("index_{}", i);
        index.push_back(liberty_numbers(group.find(name) ? group.joined(name) : shape->joined(name)));
        for (double& x : index.back()) x *= load ? head_.capacitance : head_.time;
      }
      std::vector<double> values = liberty_numbers(group.joined("values"));
      for (double& value : values) value *= unit;
      return LibertyTable(std::move(axes), std::move(index), std::move(values));
    });
  }

  // Adds the tables named rise and fall (or the one that stands for both) of `group`.
  void add_tables(const LibertyGroup& group, std::string_view rise, std::string_view fall, std::string_view both,
                  double unit, LibertyTables& to) const {
    for (const LibertyGroup& inner : group.groups) {
      if (inner.name == rise || inner.name == both) to.rise.push_back(table(inner, unit));
      if (inner.name == fall || inner.name == both) to.fall.push_back(table(inner, unit));
    }
  }
  std::vector<LibertyTables> energies(const LibertyGroup& pin) const {
    std::map<std::string, LibertyTables> supplies;
    for (const LibertyGroup& power : pin.groups) {
      if (power.name == "internal_power")
        add_tables(power, "rise_power", "fall_power", "power", head_.energy,
                   supplies[std::string(power.text("related_pg_pin"))]);
    }
    std::vector<LibertyTables> list;
    for (auto& [name, tables] : supplies) list.push_back(std::move(tables));
    return list;
  }

  void inputs() {
    for (const LibertyGroup& pin : group_.groups) {
      if (pin.name != "pin" || pin.text("direction") != "input") continue;
      for (const std::string& name : pin.arguments) {
        const bool by_edge = pin.find("rise_capacitance") || pin.find("fall_capacitance");
        const double mean = (number(pin, "rise_capacitance", 0) + number(pin, "fall_capacitance", 0)) / 2;
        const double farads = pin.find("capacitance") || by_edge ? number(pin, "capacitance", mean) * head_.capacitance
                                                                 : head_.input_capacitance;
        cell_.inputs.push_back({name, farads, is_true(pin, "clock"), energies(pin)});
        inputs_.push_back(name);
      }
    }
  }

  // Whether it is a gating cell; its inner state is no pin, so the table that describes it is not needed.
  bool clock_gate() {
    const std::string_view kind = group_.text("clock_gating_integrated_cell");
    if (kind.empty()) return false;
    if (kind != "latch_posedge" && kind != "latch_posedge_precontrol")
      throw WrongCell(fmt::format("a clock gate of kind '{}'", kind));
    cell_.kind = CellKind::clock_gate;
    for (const LibertyGroup& pin : group_.groups) {
      if (pin.name != "pin" || pin.arguments.empty()) continue;
      const int input = cell_.input(pin.arguments.front());
      if (is_true(pin, "clock_gate_out_pin")) add_outputs(pin);
      if (input < 0) continue;
      if (is_true(pin, "clock_gate_clock_pin")) cell_.clock = input;
      if (is_true(pin, "clock_gate_enable_pin")) cell_.enabling = input;
      if (is_true(pin, "clock_gate_enable_pin") || is_true(pin, "clock_gate_test_pin"))
        cell_.next_state |= input_table[input];
    }
    if (cell_.clock < 0 || cell_.enabling < 0 || cell_.outputs.size() != 1)
      throw WrongCell("a clock gate without clock, enable or output pin");
    return true;
  }

  void states() {
    for (const LibertyGroup& state : group_.groups) {
      if (state.name != "ff" && state.name != "latch") continue;
      if (cell_.kind != CellKind::combinational) throw WrongCell("it has two states");
      const bool latch = state.name == "latch";
      const auto function = [&](std::string_view attribute) {
        const std::string_view text = state.text(attribute);
        return text.empty() ? TruthTable{0} : parse_function(text, inputs_);
      };
      cell_.kind = latch ? CellKind::latch : CellKind::flip_flop;
      cell_.next_state = function(latch ? "data_in" : "next_state");
      cell_.enable = function(latch ? "enable" : "clocked_on");
      cell_.clear = function("clear");
      cell_.preset = function("preset");
      // Who wins where both are active: the file says what the state and its complement become.
      const std::string_view state_then = state.text("clear_preset_var1"), other = state.text("clear_preset_var2");
      if (state_then == "H" || (state_then.empty() && other == "L")) cell_.clear &= ~cell_.preset;
      for (std::size_t i = 0; i < inputs_.size() && !latch; ++i) {
        if (cell_.enable == input_table[i]) cell_.clock = static_cast<int>(i);
      }
      if (!latch && (cell_.clock < 0 || state.find("clocked_on_also")))
        throw WrongCell(fmt::format("its clock is '{}', not the rising edge of an input", state.text("clocked_on")));
      states_ = state.arguments;
    }
  }

  void add_outputs(const LibertyGroup& pin) {
    const bool gate = cell_.kind == CellKind::clock_gate;
    if (pin.text("direction") != "output" || pin.find("three_state") || (pin.find("state_function") && !gate))
      throw WrongCell("it has a pin that is neither an input nor a plain output");
    if (pin.arguments.empty()) throw WrongCell(fmt::format("line {}: a pin has no name", pin.line));
    for (const std::string& name : pin.arguments) add_output(pin, name, gate);
  }

  void add_output(const LibertyGroup& pin, const std::string& name, bool gate) {
    CellOutput output;
    output.name = name;
    const std::string_view function = pin.text("function");
    if (function.empty() && !gate) throw WrongCell(fmt::format("its pin {} has no function", name));
    if (cell_.kind == CellKind::combinational) {
      output.function = parse_function(function, inputs_);
    } else if (!gate) {
      const TruthTable q = parse_function(function, states_);
      // The second of the state's two names is the complement.
      if (q != input_table[0] && q != input_table[1] && q != ~input_table[0] && q != ~input_table[1])
        throw WrongCell(fmt::format("its pin {} is not its state", name));
      output.inverted = q == ~input_table[0] || q == input_table[1];
    }
    output.capacitance =
        pin.find("capacitance") ? number(pin, "capacitance", 0) * head_.capacitance : head_.output_capacitance;
    output.energy = energies(pin);
    output.delay.resize(inputs_.size());
    for (const LibertyGroup& timing : pin.groups) {
      if (timing.name != "timing") continue;
      for (const std::string& related : function_names(timing.text("related_pin"))) {
        const auto found = std::ranges::find(inputs_, related);
        const auto other = std::ranges::find(outputs_, related);
        if (found != inputs_.end()) {
          add_tables(timing, "cell_rise", "cell_fall", "", head_.time,
                     output.delay[static_cast<std::size_t>(found - inputs_.begin())]);
        } else if (other != outputs_.end()) {
          output.behind.push_back({static_cast<std::size_t>(other - outputs_.begin()), {}});
          add_tables(timing, "cell_rise", "cell_fall", "", head_.time, output.behind.back().delay);
        } else if (!gate) {
          throw WrongCell(
              fmt::format("line {}: related pin '{}' is no input or output of {}", timing.line, related, cell_.name));
        }
      }
    }
    cell_.outputs.push_back(std::move(output));
  }

  const LibertyGroup& group_;
  const LibertyHead& head_;
  LibertyCell& cell_;
  std::vector<std::string> inputs_, outputs_;  // names, in their order
  std::vector<std::string> states_;            // names of the state and its complement
};

}  // namespace

double unit_prefix(std::string_view unit) {
  constexpr std::pair<char, double> prefixes[] = {{'a', 1e-18}, {'f', 1e-15}, {'p', 1e-12}, {'n', 1e-9},
                                                  {'u', 1e-6},  {'m', 1e-3},  {'k', 1e3}};
  if (unit.size() < 2) return 1;
  const auto found = std::ranges::find(prefixes, unit.front(), &std::pair<char, double>::first);
  if (found == std::end(prefixes)) throw std::invalid_argument(fmt::format("unit '{}' is unknown", unit));
  return found->second;
}

void store_data(LibertyGroup& cell) {
  for (LibertyGroup& state : cell.groups) {
    const char* const next_name = state.name == "ff" ? "next_state" : "data_in";
    const std::string text(state.text(next_name));
    if ((state.name != "ff" && state.name != "latch") || state.arguments.size() != 2 || text.empty()) continue;
    const std::vector<std::string> names = function_names(text);
    TruthTable next = 0;
    try {
      next = parse_function(text, names);
    } catch (const std::invalid_argument&) {
      continue;  // read_cell tells of it
    }
    if ((next & 1) == 0) continue;
    std::swap(state.arguments[0], state.arguments[1]);
    for (LibertyAttribute& attribute : state.attributes) {
      constexpr std::pair<const char*, const char*> turned[] = {{"clear", "preset"},
                                                                {"clear_preset_var1", "clear_preset_var2"}};
      for (const auto& [one, other] : turned) {
        if (attribute.name == one || attribute.name == other) {
          attribute.name = attribute.name == one ? other : one;
          break;
        }
      }
      // Yosys maps flip-flops whose data is a pin.
      if (attribute.name == next_name)
        attribute.values[0] = {next == ~input_table[0] ? names[0] : "!(" + text + ")", true};
    }
  }
}

LibertyCell read_cell(const LibertyGroup& group, const LibertyHead& head) {
  LibertyCell cell;
  if (group.arguments.empty()) throw std::invalid_argument("a cell has no name");
  cell.name = group.arguments.front();
  double leakage = 0;
  try {
    CellReader reader(group, head, cell);
    leakage = reader.leakage();
    reader.read();
  } catch (const std::logic_error& e) {
    cell.kind = CellKind::unusable;
    cell.unusable = e.what();
  }
  if (leakage != 0 && head.leakage == 0)
    throw std::invalid_argument("a leakage, whose unit the library does not say, e.g. leakage_power_unit : \"1nW\";");
  cell.leakage = leakage * head.leakage;
  return cell;
}

}  // namespace bitstrata::sim::gates
