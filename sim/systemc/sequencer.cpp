// SPDX-License-Identifier: Apache-2.0
#include "sim/systemc/sequencer.h"

#include <cstring>

#include "rtl/generate/rtl_files.h"

namespace bitstrata::sim::systemc {

Sequencer::Sequencer(const sc_core::sc_module_name& name, Fabric& fabric, const model::Architecture& architecture)
    : Unit(name, fabric, &Signals::sequencer),
      max_weight_bits_(architecture.max_weight_bits),
      max_activation_bits_(architecture.max_activation_bits),
      vector_unit_(architecture.vector_unit),
      swish_unit_(architecture.swish_unit),
      table_unit_(architecture.table_unit),
      beat_bytes_(static_cast<std::size_t>(architecture.data_bits) / 8),
      fetch_beats_(generate::descriptor_words * 4 / beat_bytes_),
      unaligned_(static_cast<std::uint32_t>(architecture.data_bits) / 8 - 1),
      configuration_(generate::configuration_of(architecture)) {}

void Sequencer::run(std::uint32_t list_address, std::uint64_t base, std::uint32_t watchdog, std::uint32_t limit) {
  address_ = list_address;
  base_ = base;
  watchdog_ = watchdog;
  limit_ = limit;
  run_ = true;
}

void Sequencer::reset_state(SequencerSignals& shown) {
  shown = {};
  state_ = State::idle;
  error_ = RunError::none;
  run_ = halt_ = false;
  idle_cycles_ = run_cycles_ = 0;
  descriptor_ = {};
}

bool Sequencer::descriptor_good() const {
  const auto legal = [](int bits, int most) { return bits != 0 && bits <= most; };
  const auto opcode = descriptor_.opcode();
  const bool convolution = opcode == generate::OP_CONVOLUTION, two_inputs = takes_two_inputs(descriptor_);
  const bool second = descriptor_.get<generate::F_SECOND>();
  const auto activation = static_cast<model::Activation>(descriptor_.get<generate::F_ACTIVATION>());
  // No loop may be empty and no command without beats.
  for (std::size_t i = 0; i < generate::descriptor_fields.size(); ++i) {
    const std::int64_t value = descriptor_.get(static_cast<generate::Field>(i));
    if (generate::descriptor_fields[i].rule == generate::Rule::count && value == 0) return false;
    // Bursts are of whole beats.
    if (generate::descriptor_fields[i].rule == generate::Rule::beat && (value & unaligned_) != 0) return false;
  }
  if (second && descriptor_.get<generate::F_SECOND_ROW_BEATS>() == 0) return false;
  return descriptor_.get<generate::F_MAGIC>() == generate::descriptor_magic &&
         descriptor_.get<generate::F_CONFIGURATION>() == configuration_ &&
         (convolution || opcode == generate::OP_MAX_POOL || opcode == generate::OP_AVERAGE_POOL ||
          opcode == generate::OP_COPY || (two_inputs && vector_unit_)) &&
         (!two_inputs || second) && (!second || legal(second_bits(descriptor_), max_activation_bits_)) &&
         (activation != model::Activation::hard_swish || swish_unit_) &&
         (activation != model::Activation::table || table_unit_) &&
         (!convolution || legal(descriptor_.weight_bits(), max_weight_bits_)) &&
         legal(descriptor_.activation_bits(), max_activation_bits_) &&
         legal(descriptor_.output_bits(), max_activation_bits_);
}

Sequencer::State Sequencer::step(const Signals& now) {
  switch (state_) {
    case State::idle:
    case State::done:
      if (!run_) return state_;
      if ((address_ & unaligned_) == 0 && base_ % 4096 == 0) return State::fetch;
      error_ = RunError::descriptor;
      return State::error;
    case State::fetch:
      beat_ = 0;
      return State::receive;
    case State::receive:
      if (!now.beat_for(ReadTarget::descriptor)) return State::receive;
      std::memcpy(reinterpret_cast<char*>(descriptor_.words.data()) + beat_ * beat_bytes_, now.memory.rdata.data(),
                  beat_bytes_);
      return ++beat_ == fetch_beats_ ? State::check : State::receive;
    case State::check:
      if (descriptor_good()) return State::configure;
      error_ = RunError::descriptor;
      return State::error;
    case State::configure:
      return State::layer;
    case State::layer:
      if (!now.layer_stored()) return State::layer;
      return descriptor_.get<generate::F_LAST>() ? State::done : State::fetch;
    case State::error:
      break;
  }
  return State::error;
}

void Sequencer::clock_edge(const Signals& now, SequencerSignals& next) {
  const bool waits = state_ == State::fetch || state_ == State::receive || state_ == State::layer;
  const bool gives_up = waits && stuck();
  run_cycles_ = state_ == State::idle || ended() ? 0 : run_cycles_ + 1;
  idle_cycles_ = !waits || now.progress() ? 0 : idle_cycles_ + 1;
  if (now.layer_done()) address_ += generate::descriptor_stride;
  if (waits && now.memory_error()) {
    state_ = State::error;
    error_ = RunError::memory;
  } else if (gives_up) {
    state_ = State::error;
    error_ = RunError::no_progress;
  } else {
    state_ = step(now);
  }
  run_ = false;

  next.running = state_ != State::idle && !ended();
  next.in_layer = state_ == State::layer;
  next.fetch = state_ == State::fetch;
  next.start = state_ == State::configure;
  next.halt = halt_ || state_ == State::error;
  next.address = address_;
  next.base = base_;
  if (next.start) next.descriptor = descriptor_;
}

}  // namespace bitstrata::sim::systemc
