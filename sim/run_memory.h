// SPDX-License-Identifier: Apache-2.0
// The accelerator's memory during a run. It holds what the layer at work reads and writes, and the tensors that later
// layers read: each layer's parameters and weights come when the layer begins and go when it is done, a tensor goes
// after its last reader. So a run takes as much memory as the largest layer, however many there are.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "sim/engine.h"

namespace bitstrata::sim {

// Address space whose pages come when they are first touched. Shared with child processes, for which a page that is
// given back is gone too.
class PagedMemory {
 public:
  // Throws std::system_error.
  explicit PagedMemory(std::size_t bytes);
  ~PagedMemory();
  PagedMemory(const PagedMemory&) = delete;
  PagedMemory& operator=(const PagedMemory&) = delete;

  std::span<std::uint8_t> bytes() const { return bytes_; }
  // The whole pages of a region, whose contents nobody needs any more.
  void give_back(std::size_t address, std::size_t bytes);
  // Bytes of pages that are there.
  std::size_t held() const;

 private:
  std::span<std::uint8_t> bytes_;
};

class RunMemory {
 public:
  // With the inputs in their places and the first layer's numbers. `program` and `show` are referred to. Throws
  // std::invalid_argument where there are not as many inputs as the program's batch.
  RunMemory(const generate::Program& program, std::span<const model::Codes> inputs, const ShowLayer& show);

  std::span<std::uint8_t> bytes() const { return pages_.bytes(); }
  std::size_t held() const { return pages_.held(); }
  // The accelerator has done the next descriptor of the list, and stands still. Shows the layer it completes, and makes
  // the next one ready.
  void descriptor_done();
  // The accelerator has stopped: shows the layers that are not done, as far as they came.
  void stopped();

 private:
  void show() const;
  void give_back_tensor(int tensor);

  const generate::Program& program_;
  const ShowLayer& show_;
  PagedMemory pages_;
  std::vector<std::size_t> last_reader_;  // layer, per tensor
  std::size_t layer_ = 0, descriptors_ = 0;
};

}  // namespace bitstrata::sim
