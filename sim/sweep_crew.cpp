// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep_crew.h"

#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "model/digest.h"

namespace bitstrata::sim {

using nlohmann::json;

namespace {

// Between looks for messages: short beside an order, and long enough to leave the processor to who measures. MPI's own
// waiting would keep a core busy.
constexpr auto pause = std::chrono::microseconds(500);

std::string packed(const json& value) {
  std::string bytes;
  json::to_cbor(value, bytes);
  return bytes;
}

json unpacked(const std::string& bytes) { return json::from_cbor(bytes); }

template <typename T>
json to_json(const std::optional<T>& value) {
  return value ? json(*value) : json();
}

std::optional<double> number_of(const json& value) {
  return value.is_null() ? std::nullopt : std::optional(value.get<double>());
}

// The names of all members stand here so that one that is new does not compile before it travels, too.
json to_json(const PointEnergy& energy) {
  const auto& [technology, status, energy_pj, note, latency_us, clock_reached_mhz, area] = energy;
  const json both = area ? json::array({area->gates_mm2, area->memories_mm2}) : json();
  return json::array({technology, status, to_json(energy_pj), note, latency_us, to_json(clock_reached_mhz), both});
}

PointEnergy energy_of(const json& row) {
  PointEnergy energy{.technology = row.at(0),
                     .status = row.at(1),
                     .energy_pj = number_of(row.at(2)),
                     .note = row.at(3),
                     .latency_us = row.at(4),
                     .clock_reached_mhz = number_of(row.at(5)),
                     .area = std::nullopt};
  if (!row.at(6).is_null()) energy.area = Area{row.at(6).at(0), row.at(6).at(1)};
  return energy;
}

json to_json(const StoredPoint& point) {
  const auto& [id, identity, refused, reason, cycles, macs, latency_us, energies] = point;
  json rows = json::array();
  for (const PointEnergy& energy : energies) rows.push_back(to_json(energy));
  return json::array({refused, reason, cycles, macs, latency_us, std::move(rows)});
}

StoredPoint point_of(const json& row) {
  StoredPoint point{
      .refused = row.at(0), .reason = row.at(1), .cycles = row.at(2), .macs = row.at(3), .latency_us = row.at(4)};
  for (const json& energy : row.at(5)) point.energies.push_back(energy_of(energy));
  return point;
}

}  // namespace

Crew::~Crew() {
  for (int rank = 1; rank < ranks_.size(); ++rank) ranks_.send(rank, packed({{"end", true}}));
  // What they still send must be taken, or they would wait for it to be.
  while (at_home_ + 1 < ranks_.size()) {
    if (const auto message = ranks_.poll()) {
      at_home_ += unpacked(message->bytes).contains("bye") ? 1 : 0;
    } else {
      std::this_thread::sleep_for(pause);
    }
  }
}

void Crew::begin(const std::string& identity) {
  identity_ = identity;
  for (int rank = 1; rank < ranks_.size(); ++rank) ranks_.send(rank, packed({{"begin", true}}));
}

void Crew::send(int rank, const Order& order) {
  ranks_.send(rank, packed({{"unit", order.unit}, {"plans", order.plans}}));
}

std::optional<Delivery> Crew::poll() {
  const auto message = ranks_.poll();
  if (!message) {
    std::this_thread::sleep_for(pause);
    return std::nullopt;
  }
  const json value = unpacked(message->bytes);
  if (value.contains("bye")) ++at_home_;  // in place of an order; its reason has come before
  if (value.contains("failed")) {
    throw std::runtime_error(fmt::format("rank {}: {}", message->from, value.at("failed").get<std::string>()));
  }
  if (value.contains("ready")) {
    if (value.at("ready") != identity_) {
      throw std::runtime_error(
          fmt::format("rank {} runs another build, or reads another sweep, than rank 0: all ranks need the same "
                      "program, files and options",
                      message->from));
    }
    ready_.push_back(message->from);
  }
  if (!value.contains("points")) return std::nullopt;
  Delivery delivery{.rank = message->from, .points = {}};
  for (const json& row : value.at("points")) delivery.points.push_back(point_of(row));
  return delivery;
}

std::vector<int> Crew::newly_ready() { return std::exchange(ready_, {}); }

CrewMember::~CrewMember() { ranks_.send(0, packed({{"bye", true}})); }

void CrewMember::look() {
  const auto message = ranks_.poll();
  if (!message) return;
  const json value = unpacked(message->bytes);
  begun_ = begun_ || value.contains("begin");
  ended_ = ended_ || value.contains("end");
  if (value.contains("unit")) orders_.push_back({value.at("unit"), value.at("plans")});
}

bool CrewMember::begins() {
  while (!begun_ && !ended_) {
    look();
    if (!begun_ && !ended_) std::this_thread::sleep_for(pause);
  }
  return !ended_;
}

void CrewMember::ready(const std::string& identity) { ranks_.send(0, packed({{"ready", identity}})); }

std::optional<Order> CrewMember::next() {
  for (look(); orders_.empty() && !ended_; look()) std::this_thread::sleep_for(pause);
  if (ended_) return std::nullopt;
  const Order order = orders_.front();
  orders_.erase(orders_.begin());
  return order;
}

bool CrewMember::ends() {
  look();
  return ended_;
}

void CrewMember::deliver(const std::vector<StoredPoint>& points) {
  json rows = json::array();
  for (const StoredPoint& point : points) rows.push_back(to_json(point));
  ranks_.send(0, packed({{"points", std::move(rows)}}));
}

void CrewMember::fail(const std::string& why) { ranks_.send(0, packed({{"failed", why}})); }

std::string identity_of(const Sweep& sweep) {
  std::string text = sweep.technology_identity() + "\n";
  for (const SweepNetwork& network : sweep.networks) text += network.name() + " " + network.identity() + "\n";
  for (const SweepPlan& plan : sweep.plans) text += plan.identity() + "\n";
  for (const model::Architecture& base : sweep.bases) {
    text += base.name + " " + model::parameters_of(base).dump() + "\n";
  }
  for (const auto& [key, values] : sweep.axes) {
    for (const model::YamlReader& value : values) {
      model::Architecture trial = sweep.bases.front();
      model::set_parameter(trial, key, value);
      text += key + " " + model::parameters_of(trial)[key].dump() + "\n";
    }
  }
  return model::digest_of(text);
}

}  // namespace bitstrata::sim
