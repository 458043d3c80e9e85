// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/liberty.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "sim/gates/liberty_text.h"

namespace bitstrata::sim::gates {

namespace {

double mean_of(const std::vector<LibertyTable>& tables, double load, double slew) {
  double sum = 0;
  for (const LibertyTable& table : tables) sum += table.at(load, slew);
  return tables.empty() ? 0 : sum / static_cast<double>(tables.size());
}

double magnitude(std::string_view unit) {
  constexpr std::pair<char, double> prefixes[] = {{'a', 1e-18}, {'f', 1e-15}, {'p', 1e-12}, {'n', 1e-9},
                                                  {'u', 1e-6},  {'m', 1e-3},  {'k', 1e3}};
  if (unit.size() < 2) return 1;
  const auto found = std::ranges::find(prefixes, unit.front(), &std::pair<char, double>::first);
  if (found == std::end(prefixes)) throw std::invalid_argument(fmt::format("unit '{}' is unknown", unit));
  return found->second;
}

// "1ns", "100 mW"
double scaled(std::string_view text) {
  const std::size_t digits = text.find_first_not_of("0123456789.eE+- ");
  const double number = liberty_number(text.substr(0, digits), text);
  return number * (digits == std::string_view::npos ? 1 : magnitude(text.substr(digits)));
}

class Reader {
 public:
  Reader(const LibertyGroup& root, std::string file) : root_(root), file_(std::move(file)) {}

  Library read() {
    Library library;
    if (!root_.arguments.empty()) library.name = root_.arguments.front();
    at(root_.line, [&] { units(library); });
    for (const LibertyGroup& group : root_.groups) {
      if (group.name == "lu_table_template" || group.name == "power_lut_template") {
        if (!group.arguments.empty()) templates_[group.arguments.front()] = &group;
      }
    }
    for (const LibertyGroup& group : root_.groups) {
      if (group.name != "cell") continue;
      Cell cell = read_cell(group);
      library.cells.insert_or_assign(cell.name, std::move(cell));
    }
    if (library.cells.empty()) at(root_.line, [] { throw std::invalid_argument("the library has no cells"); });
    return library;
  }

 private:
  template <class F>
  auto at(int line, F f) -> decltype(f()) {
    try {
      return f();
    } catch (const std::logic_error& e) {
      throw std::runtime_error(fmt::format("{}:{}: {}", file_, line, e.what()));
    }
  }
  double number(const LibertyGroup& group, std::string_view name, double absent) {
    const LibertyAttribute* found = group.find(name);
    if (!found) return absent;
    return at(found->line,
              [&] { return liberty_number(found->values.empty() ? std::string_view() : found->values.front(), name); });
  }

  // Energies of internal_power are in capacitive_load_unit * voltage_unit^2. (osu018 says nothing of it; 1 pJ it is:
  // its inverter of 9.3 fF then has an internal energy of 5 to 9 fJ beside the 15 fJ of its own input at 1.8 V.)
  void units(Library& library) {
    const auto unit = [&](const char* name, double absent) {
      const std::string_view text = root_.text(name);
      return text.empty() ? absent : scaled(text);
    };
    time_ = unit("time_unit", 1e-9);
    leakage_ = unit("leakage_power_unit", 0);
    const double volt = unit("voltage_unit", 1);
    if (const LibertyAttribute* load = root_.find("capacitive_load_unit")) {
      if (load->values.size() != 2) throw std::invalid_argument("capacitive_load_unit needs a number and a unit");
      std::string name = load->values[1];
      std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      capacitance_ = liberty_number(load->values[0], "capacitive_load_unit") * magnitude(name);
    }
    energy_ = capacitance_ * volt * volt;
    library.voltage = number(root_, "nom_voltage", 0) * volt;
    const std::string_view conditions = root_.text("default_operating_conditions");
    for (const LibertyGroup& group : root_.groups) {
      if (group.name == "operating_conditions" && !group.arguments.empty() && group.arguments.front() == conditions)
        library.voltage = number(group, "voltage", library.voltage / volt) * volt;
    }
    if (library.voltage <= 0) throw std::invalid_argument("the library does not say its voltage");
    // The format has a default for the units above, and none for these.
    if (root_.find("capacitive_load_unit") == nullptr)
      throw std::invalid_argument(
          "the library does not say its unit of capacitance, e.g. capacitive_load_unit (1, pf);");
  }

  LibertyTable table(const LibertyGroup& group, double unit) {
    return at(group.line, [&] {
      std::vector<LibertyTable::Axis> axes;
      std::vector<std::vector<double>> index;
      const auto known = group.arguments.empty() ? templates_.end() : templates_.find(group.arguments.front());
      const LibertyGroup* shape = known == templates_.end() ? nullptr : known->second;
      for (int i = 1; shape && i <= 3; ++i) {
        const std::string_view variable = shape->text(fmt::format("variable_{}", i));
        if (variable.empty()) break;
        const bool load = variable.find("capacitance") != std::string_view::npos;
        if (!load && variable.find("transition") == std::string_view::npos)
          throw std::invalid_argument(fmt::format("a table over '{}' is not understood", variable));
        axes.push_back(load ? LibertyTable::Axis::load : LibertyTable::Axis::slew);
        const std::string name = fmt::format("index_{}", i);
        index.push_back(liberty_numbers(group.find(name) ? group.text(name) : shape->text(name)));
        for (double& x : index.back()) x *= load ? capacitance_ : time_;
      }
      std::vector<double> values;
      if (const LibertyAttribute* rows = group.find("values")) {
        for (const std::string& row : rows->values)
          for (const double value : liberty_numbers(row)) values.push_back(value * unit);
      }
      return LibertyTable(std::move(axes), std::move(index), std::move(values));
    });
  }

  // Adds the tables named rise and fall (or the one that stands for both) of `group`.
  void add_tables(const LibertyGroup& group, std::string_view rise, std::string_view fall, std::string_view both,
                  double unit, LibertyTables& to) {
    for (const LibertyGroup& inner : group.groups) {
      if (inner.name == rise || inner.name == both) to.rise.push_back(table(inner, unit));
      if (inner.name == fall || inner.name == both) to.fall.push_back(table(inner, unit));
    }
  }
  std::vector<LibertyTables> energies(const LibertyGroup& pin) {
    std::map<std::string, LibertyTables> supplies;
    for (const LibertyGroup& power : pin.groups) {
      if (power.name == "internal_power")
        add_tables(power, "rise_power", "fall_power", "power", energy_,
                   supplies[std::string(power.text("related_pg_pin"))]);
    }
    std::vector<LibertyTables> list;
    for (auto& [name, tables] : supplies) list.push_back(std::move(tables));
    return list;
  }

  Cell read_cell(const LibertyGroup& group) {
    Cell cell;
    if (group.arguments.empty()) at(group.line, [] { throw std::invalid_argument("a cell has no name"); });
    cell.name = group.arguments.front();
    cell.area = number(group, "area", 0);
    cell.leakage = leakage(group);
    std::vector<std::string> names;
    for (const LibertyGroup& pin : group.groups) {
      if (pin.name != "pin" || pin.text("direction") != "input") continue;
      for (const std::string& name : pin.arguments) {
        const double mean = (number(pin, "rise_capacitance", 0) + number(pin, "fall_capacitance", 0)) / 2;
        cell.inputs.push_back(
            {name, number(pin, "capacitance", mean) * capacitance_, pin.text("clock") == "true", energies(pin)});
        names.push_back(name);
      }
    }
    try {
      if (names.size() > static_cast<std::size_t>(max_inputs))
        throw std::invalid_argument(fmt::format("it has {} inputs, more than {}", names.size(), max_inputs));
      outputs_.clear();
      if (clock_gate(group, names, cell)) return cell;
      for (const LibertyGroup& pin : group.groups)
        if (pin.name == "pin" && pin.text("direction") != "input" && !pin.arguments.empty())
          outputs_.push_back(pin.arguments.front());
      states(group, names, cell);
      for (const LibertyGroup& pin : group.groups) {
        if (pin.name == "pin" && pin.text("direction") != "input") add_output(pin, names, cell);
        if (pin.name == "bus" || pin.name == "bundle" || pin.name == "statetable")
          throw std::invalid_argument(fmt::format("it has a {}", pin.name));
      }
    } catch (const std::invalid_argument& e) {
      cell.kind = CellKind::unusable;
      cell.unusable = e.what();
    }
    return cell;
  }

  double leakage(const LibertyGroup& group) {
    std::map<std::string, std::vector<double>, std::less<>> supplies;  // each with its states
    for (const LibertyGroup& power : group.groups) {
      if (power.name == "leakage_power" && power.find("value"))
        supplies[std::string(power.text("related_pg_pin"))].push_back(number(power, "value", 0));
    }
    double sum = 0;
    for (const auto& [name, states] : supplies)
      sum += std::accumulate(states.begin(), states.end(), 0.0) / static_cast<double>(states.size());
    const double leakage = number(group, "cell_leakage_power", sum);
    if (leakage != 0 && leakage_ == 0) {
      at(group.line, [] {
        throw std::invalid_argument(
            "a leakage, whose unit the library does not say, e.g. leakage_power_unit : \"1nW\";");
      });
    }
    return leakage * leakage_;
  }

  // Whether it is a gating cell; its inner state is no pin, so the table that describes it is not needed.
  bool clock_gate(const LibertyGroup& group, const std::vector<std::string>& names, Cell& cell) {
    const std::string_view kind = group.text("clock_gating_integrated_cell");
    if (kind.empty()) return false;
    if (kind != "latch_posedge" && kind != "latch_posedge_precontrol")
      throw std::invalid_argument(fmt::format("a clock gate of kind '{}'", kind));
    cell.kind = CellKind::clock_gate;
    for (const LibertyGroup& pin : group.groups) {
      if (pin.name != "pin" || pin.arguments.empty()) continue;
      const int input = cell.input(pin.arguments.front());
      if (pin.text("clock_gate_out_pin") == "true") add_output(pin, names, cell);
      if (input < 0) continue;
      if (pin.text("clock_gate_clock_pin") == "true") cell.clock = input;
      if (pin.text("clock_gate_enable_pin") == "true" || pin.text("clock_gate_test_pin") == "true")
        cell.next_state |= input_table[input];
    }
    if (cell.clock < 0 || cell.next_state == 0 || cell.outputs.size() != 1)
      throw std::invalid_argument("a clock gate without clock, enable or output pin");
    return true;
  }

  void states(const LibertyGroup& group, const std::vector<std::string>& names, Cell& cell) {
    for (const LibertyGroup& state : group.groups) {
      if (state.name != "ff" && state.name != "latch") continue;
      const bool latch = state.name == "latch";
      const auto function = [&](std::string_view attribute) {
        const std::string_view text = state.text(attribute);
        return text.empty() ? TruthTable{0} : parse_function(text, names);
      };
      cell.kind = latch ? CellKind::latch : CellKind::flip_flop;
      cell.next_state = function(latch ? "data_in" : "next_state");
      cell.enable = function(latch ? "enable" : "clocked_on");
      cell.clear = function("clear");
      cell.preset = function("preset");
      for (std::size_t i = 0; i < names.size() && !latch; ++i) {
        if (cell.enable == input_table[i]) cell.clock = static_cast<int>(i);
      }
      if (!latch && cell.clock < 0)
        throw std::invalid_argument(
            fmt::format("its clock is '{}', not the rising edge of an input", state.text("clocked_on")));
      states_ = state.arguments;
    }
  }

  void add_output(const LibertyGroup& pin, const std::vector<std::string>& names, Cell& cell) {
    const bool gate = cell.kind == CellKind::clock_gate;
    if (pin.text("direction") != "output" || pin.find("three_state") || (pin.find("state_function") && !gate))
      throw std::invalid_argument("it has a pin that is neither an input nor a plain output");
    CellOutput output;
    const std::string_view function = pin.text("function");
    if (pin.arguments.empty()) at(pin.line, [] { throw std::invalid_argument("a pin has no name"); });
    output.name = pin.arguments.front();
    if (function.empty() && !gate) throw std::invalid_argument(fmt::format("its pin {} has no function", output.name));
    if (cell.kind == CellKind::combinational) {
      output.function = parse_function(function, names);
    } else if (!gate) {
      const TruthTable q = parse_function(function, states_);
      // The second of the state's two names is the complement.
      if (q != input_table[0] && q != input_table[1] && q != ~input_table[0] && q != ~input_table[1])
        throw std::invalid_argument(fmt::format("its pin {} is not its state", output.name));
      output.inverted = q == ~input_table[0] || q == input_table[1];
    }
    output.capacitance = number(pin, "capacitance", 0) * capacitance_;
    output.energy = energies(pin);
    output.delay.resize(names.size());
    for (const LibertyGroup& timing : pin.groups) {
      if (timing.name != "timing") continue;
      for (const std::string& related : function_names(timing.text("related_pin"))) {
        const auto found = std::ranges::find(names, related);
        const auto other = std::ranges::find(outputs_, related);
        if (found != names.end()) {
          add_tables(timing, "cell_rise", "cell_fall", "", time_,
                     output.delay[static_cast<std::size_t>(found - names.begin())]);
        } else if (other != outputs_.end()) {
          output.behind.push_back({static_cast<std::size_t>(other - outputs_.begin()), {}});
          add_tables(timing, "cell_rise", "cell_fall", "", time_, output.behind.back().delay);
        } else if (!gate) {
          at(timing.line, [&] {
            throw std::invalid_argument(
                fmt::format("related pin '{}' is no input or output of {}", related, cell.name));
          });
        }
      }
    }
    cell.outputs.push_back(std::move(output));
  }

  const LibertyGroup& root_;
  std::string file_;
  std::map<std::string, const LibertyGroup*> templates_;
  std::vector<std::string> states_;   // names of the state and its complement in the cell being read
  std::vector<std::string> outputs_;  // and of its outputs, in their order
  double time_ = 0, leakage_ = 0, capacitance_ = 0, energy_ = 0;  // units; leakage_ 0: not said
};

// delay_of over at most so many arcs: a damaged file may lead in a circle.
double delay_within(const Cell& cell, std::size_t input, std::size_t output, std::span<const double> loads, double slew,
                    std::size_t arcs) {
  const CellOutput& to = cell.outputs[output];
  const LibertyTables& direct = to.delay[input];
  if (!direct.rise.empty() || !direct.fall.empty()) return direct.mean(loads[output], slew);
  double slowest = 0;
  for (const OutputArc& arc : to.behind) {
    const double before = arcs == 0 ? 0 : delay_within(cell, input, arc.output, loads, slew, arcs - 1);
    if (before > 0) slowest = std::max(slowest, before + arc.delay.mean(loads[output], slew));
  }
  return slowest;
}

}  // namespace

LibertyTable::LibertyTable(std::vector<Axis> axes, std::vector<std::vector<double>> index, std::vector<double> values)
    : axes_(std::move(axes)), index_(std::move(index)), values_(std::move(values)) {
  if (values_.size() == 1) {  // a constant, whatever its template says
    axes_.clear();
    index_.clear();
  }
  std::size_t size = 1;
  for (const auto& axis : index_) {
    size *= axis.size();
    if (std::ranges::adjacent_find(axis, std::greater_equal<>{}) != axis.end())
      throw std::invalid_argument("a table's index does not rise");
  }
  if (size != values_.size() || size == 0)
    throw std::invalid_argument(fmt::format("a table has {} values for {} points", values_.size(), size));
}

double LibertyTable::at(double load, double slew) const {
  std::vector<double> values = values_;
  for (std::size_t axis = axes_.size(); axis-- > 0;) {
    const std::vector<double>& index = index_[axis];
    const std::size_t n = index.size();
    const double x = axes_[axis] == Axis::load ? load : slew;
    const std::size_t low = n < 2
                                ? 0
                                : std::min<std::size_t>(static_cast<std::size_t>(std::max<std::ptrdiff_t>(
                                                            std::ranges::upper_bound(index, x) - index.begin() - 1, 0)),
                                                        n - 2);
    const double share = n < 2 ? 0 : (x - index[low]) / (index[low + 1] - index[low]);
    std::vector<double> fewer(values.size() / n);
    for (std::size_t i = 0; i < fewer.size(); ++i) {
      fewer[i] = values[i * n + low];
      if (n > 1) fewer[i] += share * (values[i * n + low + 1] - values[i * n + low]);
    }
    values = std::move(fewer);
  }
  return values.at(0);
}

double LibertyTables::mean(double load, double slew) const {
  if (rise.empty() || fall.empty()) return mean_of(rise.empty() ? fall : rise, load, slew);
  return (mean_of(rise, load, slew) + mean_of(fall, load, slew)) / 2;
}

int Cell::input(std::string_view pin) const {
  const auto found = std::ranges::find(inputs, pin, &CellInput::name);
  return found == inputs.end() ? -1 : static_cast<int>(found - inputs.begin());
}

int Cell::output(std::string_view pin) const {
  const auto found = std::ranges::find(outputs, pin, &CellOutput::name);
  return found == outputs.end() ? -1 : static_cast<int>(found - outputs.begin());
}

double delay_of(const Cell& cell, std::size_t input, std::size_t output, std::span<const double> loads, double slew) {
  return delay_within(cell, input, output, loads, slew, cell.outputs.size());
}

double energy_of(const std::vector<LibertyTables>& supplies, double load, double slew) {
  return std::accumulate(supplies.begin(), supplies.end(), 0.0,
                         [&](double sum, const LibertyTables& tables) { return sum + tables.mean(load, slew); });
}

const Cell* Library::find(std::string_view cell) const {
  const auto found = cells.find(cell);
  return found == cells.end() ? nullptr : &found->second;
}

Library read_liberty(const std::filesystem::path& file) {
  const LibertyGroup root = read_liberty_text(file);
  return Reader(root, file.string()).read();
}

}  // namespace bitstrata::sim::gates
