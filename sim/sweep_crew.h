// SPDX-License-Identifier: Apache-2.0
// The ranks of one launch as the crew of a sweep. Rank 0 alone has the store: it deals orders out, writes what comes
// back, and measures itself; the others measure, and know nothing of stores.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sim/ranks.h"
#include "sim/shard.h"
#include "sim/store.h"
#include "sim/sweep.h"

namespace bitstrata::sim {

// Plans of a unit of the sweep, to be measured by one rank.
struct Order {
  std::int64_t unit = 0;
  std::vector<std::size_t> plans;
};

// What a rank sends back: points of an order, in the order's sequence, without rows of the store.
struct Delivery {
  int rank = 0;
  std::vector<StoredPoint> points;
};

// Rank 0's side. The others do nothing before `begin` or the destructor, so that what is wrong with the command is
// told once.
class Crew {
 public:
  explicit Crew(Ranks& ranks) : ranks_(ranks) {}
  // Sends the others home and waits for them.
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  int size() const { return ranks_.size(); }  // with rank 0
  // `identity`: what all ranks must have in common, in any words.
  void begin(const std::string& identity);
  void send(int rank, const Order& order);
  // What has come, or nothing; does not wait. Throws std::runtime_error where a rank fails, or reads another sweep.
  std::optional<Delivery> poll();
  // Ranks that are ready for orders since the last call.
  std::vector<int> newly_ready();

 private:
  Ranks& ranks_;
  std::string identity_;
  std::vector<int> ready_;
  int at_home_ = 0;
};

// The side of the other ranks.
class CrewMember {
 public:
  explicit CrewMember(Ranks& ranks) : ranks_(ranks) {}
  // Says goodbye.
  ~CrewMember();
  CrewMember(const CrewMember&) = delete;
  CrewMember& operator=(const CrewMember&) = delete;

  // Waits for rank 0 to begin; false where it ends instead.
  bool begins();
  void ready(const std::string& identity);
  // Waits for the next order; nothing at the end.
  std::optional<Order> next();
  // Whether rank 0 ends the sweep, which is not to wait for the rest of an order.
  bool ends();
  void deliver(const std::vector<StoredPoint>& points);
  void fail(const std::string& why);

 private:
  void look();
  Ranks& ranks_;
  std::vector<Order> orders_;
  bool begun_ = false, ended_ = false;
};

// Names a sweep by all that its points are measured by, but for the code.
std::string identity_of(const Sweep& sweep);

}  // namespace bitstrata::sim
