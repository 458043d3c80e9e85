// SPDX-License-Identifier: Apache-2.0
// Processes that one launcher (mpirun) started together, and messages between them. Nothing here knows MPI: what does
// is in sim/mpi, a library of its own that is loaded only where there are several ranks.
#pragma once

#include <optional>
#include <string>

namespace bitstrata::sim {

struct RankMessage {
  int from = 0;
  std::string bytes;
};

// To be used by one thread. Errors of the message layer end the process, and with it all ranks.
class Ranks {
 public:
  virtual ~Ranks() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual std::string implementation() const = 0;  // in a line, for messages
  virtual void send(int to, const std::string& bytes) = 0;
  // What has come, or nothing; does not wait. Messages of one rank come in the order in which it sent them.
  virtual std::optional<RankMessage> poll() = 0;
};

// What the library exports under the name `bitstrata_ranks`: joins the others. To be called once a process.
using OpenRanks = Ranks* (*)();

}  // namespace bitstrata::sim
