// SPDX-License-Identifier: Apache-2.0
#include "quant/search/limits.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <set>
#include <stdexcept>

namespace bitstrata::quant {

namespace {

struct Unit {
  const char* name;
  Quantity quantity;
  double factor;  // to seconds, J, bytes
};

constexpr Unit units[] = {
    {"s", Quantity::latency, 1},     {"ms", Quantity::latency, 1e-3}, {"us", Quantity::latency, 1e-6},
    {"ns", Quantity::latency, 1e-9}, {"J", Quantity::energy, 1},      {"mJ", Quantity::energy, 1e-3},
    {"uJ", Quantity::energy, 1e-6},  {"nJ", Quantity::energy, 1e-9},  {"pJ", Quantity::energy, 1e-12},
    {"B", Quantity::size, 1},        {"kB", Quantity::size, 1e3},     {"MB", Quantity::size, 1e6},
    {"GB", Quantity::size, 1e9}};

[[noreturn]] void refuse(const std::string& text, const std::string& why) {
  throw std::invalid_argument(fmt::format(
      "limit '{}' {}; a limit is latency, energy or size = a share of uniform 8/8 (latency=0.6) or a number with its "
      "unit (latency=2.5ms, energy=40uJ, size=1.2MB), or area = a share (area=1.1)",
      text, why));
}

std::size_t at(Quantity quantity) { return static_cast<std::size_t>(quantity); }

}  // namespace

const char* to_string(Quantity quantity) {
  switch (quantity) {
    case Quantity::latency:
      return "latency";
    case Quantity::energy:
      return "energy";
    case Quantity::size:
      return "size";
    case Quantity::area:
      return "area";
  }
  return "unknown";
}

Limit parse_limit(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) refuse(text, "has no '='");
  const std::string name = text.substr(0, equals);
  Limit limit;
  bool known = false;
  for (const Quantity quantity : {Quantity::latency, Quantity::energy, Quantity::size, Quantity::area}) {
    if (name != to_string(quantity)) continue;
    limit.quantity = quantity;
    known = true;
  }
  if (!known) refuse(text, fmt::format("limits '{}'", name));
  const char *first = text.data() + equals + 1, *last = text.data() + text.size();
  const auto [end, error] = std::from_chars(first, last, limit.value);
  if (error != std::errc() || !std::isfinite(limit.value)) refuse(text, "has no number behind '='");
  const std::string unit(end, last);
  if (unit.starts_with(',')) refuse(text, "has a comma in its number; decimals stand behind a point");
  if (last - first > 1 && first[0] == '0' && first[1] >= '0' && first[1] <= '9')
    refuse(text, "begins with a 0 that says nothing");
  if (!(limit.value > 0)) refuse(text, "is not above 0");
  if (limit.quantity == Quantity::area && !unit.empty()) refuse(text, "is no share: no technology tells an area yet");
  limit.share = unit.empty();
  if (limit.share) {
    if (limit.value >= 10) refuse(text, "has no unit, and as a share it must lie below 10");
    return limit;
  }
  for (const Unit& candidate : units) {
    if (unit != candidate.name) continue;
    if (candidate.quantity != limit.quantity)
      refuse(text, fmt::format("has a unit of {}", to_string(candidate.quantity)));
    limit.value *= candidate.factor;
    return limit;
  }
  refuse(text, fmt::format("has the unknown unit '{}'", unit));
}

void check_single(const std::vector<Limit>& limits) {
  std::set<Quantity> limited;
  for (const Limit& limit : limits)
    if (!limited.insert(limit.quantity).second)
      throw std::invalid_argument(fmt::format("{} is limited twice; give one limit of it", to_string(limit.quantity)));
}

Costs resolve(const std::vector<Limit>& limits, const Costs& uniform, double clock_mhz) {
  check_single(limits);
  Costs allowed;
  allowed.fill(std::numeric_limits<double>::infinity());
  for (const Limit& limit : limits) {
    if (limit.quantity == Quantity::area) continue;
    double& value = allowed[at(limit.quantity)];
    if (limit.quantity == Quantity::energy && uniform[at(Quantity::energy)] <= 0)
      throw std::invalid_argument("the energy is limited, but no technology prices it; name one with --technology");
    if (limit.share) {
      if (uniform[at(limit.quantity)] <= 0)
        throw std::invalid_argument(fmt::format(
            "{} is limited to a share of uniform 8/8, whose {} is 0; are there costs of its layers at 8 bits?",
            to_string(limit.quantity), to_string(limit.quantity)));
      value = limit.value * uniform[at(limit.quantity)];
    } else {
      // To the units of Costs: cycles, fJ, bits.
      const double factor[] = {clock_mhz * 1e6, 1e15, 8};
      value = limit.value * factor[at(limit.quantity)];
    }
  }
  return allowed;
}

std::string to_text(const Costs& costs, const Costs& allowed, const Costs& uniform) {
  std::string text;
  const auto add = [&](Quantity quantity, const std::string& value) {
    if (!std::isfinite(allowed[at(quantity)])) return;
    text += fmt::format("{}{} {} ({:.4f} of 8/8)", text.empty() ? "" : ", ", to_string(quantity), value,
                        costs[at(quantity)] / uniform[at(quantity)]);
  };
  add(Quantity::latency, fmt::format("{:.0f} cycles", costs[at(Quantity::latency)]));
  add(Quantity::energy, fmt::format("{:.4g} nJ", costs[at(Quantity::energy)] * 1e-6));
  add(Quantity::size, fmt::format("{:.0f} bytes", std::ceil(costs[at(Quantity::size)] / 8)));
  return text;
}

}  // namespace bitstrata::quant
