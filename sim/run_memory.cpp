// SPDX-License-Identifier: Apache-2.0
#include "sim/run_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace bitstrata::sim {

namespace {

std::size_t page_size() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

}  // namespace

PagedMemory::PagedMemory(std::size_t bytes) {
  void* const base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "memory for a run");
  bytes_ = {static_cast<std::uint8_t*>(base), bytes};
}

PagedMemory::~PagedMemory() { munmap(bytes_.data(), bytes_.size()); }

void PagedMemory::give_back(std::size_t address, std::size_t bytes) {
  const std::size_t page = page_size(), begin = (address + page - 1) / page * page,
                    end = (address + bytes) / page * page;
  if (begin >= end) return;
  // A system that cannot do it keeps them: nothing but memory is lost.
  madvise(bytes_.data() + begin, end - begin, MADV_REMOVE);
}

std::size_t PagedMemory::held() const {
  const std::size_t page = page_size();
  std::vector<unsigned char> there((bytes_.size() + page - 1) / page);
  if (mincore(bytes_.data(), bytes_.size(), there.data()) != 0)
    throw std::system_error(errno, std::generic_category(), "memory of a run");
  return page * static_cast<std::size_t>(std::ranges::count_if(there, [](unsigned char c) { return (c & 1) != 0; }));
}

RunMemory::RunMemory(const generate::Program& program, std::span<const model::Codes> inputs, const ShowLayer& show)
    : program_(program), show_(show), pages_(program.memory_bytes), last_reader_(program.formats.size(), 0) {
  check_inputs(program, inputs);
  const auto& layers = program.network->layers;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    for (const int tensor : {layers[i].input, layers[i].second})
      if (tensor >= 0) last_reader_.at(static_cast<std::size_t>(tensor)) = i;
  }
  put_list(program, bytes());
  for (int image = 0; image < program.batch; ++image)
    generate::write_tensor(program, 0, inputs[static_cast<std::size_t>(image)], bytes(), image);
  put_layer(program, 0, bytes());
}

void RunMemory::descriptor_done() {
  if (layer_ == program_.numbers.size()) throw std::runtime_error("the accelerator went on past the end of its list");
  if (++descriptors_ < program_.descriptors_of(layer_).second) return;
  show();
  const generate::LayerNumbers& numbers = program_.numbers[layer_];
  pages_.give_back(numbers.address, numbers.bytes);
  const model::IntegerLayer& layer = program_.network->layers[layer_];
  for (const int tensor : {layer.input, layer.second, layer.output}) give_back_tensor(tensor);
  if (++layer_ < program_.numbers.size()) put_layer(program_, layer_, bytes());
}

void RunMemory::stopped() {
  for (; layer_ < program_.numbers.size(); ++layer_) show();
}

void RunMemory::show() const {
  const int tensor = program_.layer_output[layer_];
  std::vector<model::Codes> images;
  for (int image = 0; image < program_.batch; ++image)
    images.push_back(generate::read_tensor(program_, tensor, bytes(), image));
  show_(layer_, images);
}

void RunMemory::give_back_tensor(int tensor) {
  if (tensor < 0 || last_reader_[static_cast<std::size_t>(tensor)] > layer_) return;
  const generate::TensorPlacement& place = program_.tensors[static_cast<std::size_t>(tensor)];
  // Nothing else lies behind it up to where the next region could begin.
  const auto alignment = static_cast<std::size_t>(generate::MemoryLayout::alignment_of(program_.architecture));
  const std::size_t bytes = std::size_t{place.bytes} * static_cast<std::size_t>(program_.batch);
  pages_.give_back(place.address, (bytes + alignment - 1) / alignment * alignment);
}

}  // namespace bitstrata::sim
