// SPDX-License-Identifier: Apache-2.0
#include "sim/systemc/sequencer.h"

#include <cstring>

#include "model/integer_network.h"

namespace bitstrata::sim::systemc {

Sequencer::Sequencer(const sc_core::sc_module_name& name, Fabric& fabric, const model::Architecture& architecture)
    : Unit(name, fabric, &Signals::sequencer),
      max_weight_bits_(architecture.max_weight_bits),
      max_activation_bits_(architecture.max_activation_bits),
      vector_unit_(architecture.vector_unit),
      swish_unit_(architecture.swish_unit),
      table_unit_(architecture.table_unit),
      beat_words_(static_cast<std::size_t>(architecture.data_bits) / 32),
      fetch_beats_(generate::DESCRIPTOR_WORDS / beat_words_) {}

void Sequencer::run(std::uint32_t list_address, std::uint32_t watchdog) {
  address_ = list_address;
  watchdog_ = watchdog;
  run_ = true;
}

void Sequencer::reset_state(SequencerSignals& shown) {
  shown = {};
  state_ = State::idle;
  error_ = RunError::none;
  run_ = false;
  idle_cycles_ = 0;
  descriptor_ = {};
}

bool Sequencer::descriptor_good() const {
  using namespace generate;
  // No loop may be empty and no command without beats.
  for (const auto word : {D_BLOCKS, D_K_TILES, D_N_TILES, D_OUT_WIDTH, D_OUT_HEIGHT, D_BLOCK_ROWS, D_OUT_CHANNELS,
                          D_LANES, D_ROWS_LAST, D_VECTOR_INTERVAL, D_RUN_LENGTH, D_RUN_COUNT_X, D_RUN_COUNT_Y,
                          D_IN_SLOTS, D_OUT_ROW_LINES, D_SEGMENT_CHANNELS, D_SEGMENT_NEXT}) {
    if ((descriptor_[word] & 0xffff) == 0) return false;
  }
  for (const auto word : {D_IN_ROW_BEATS, D_PARAM_BEATS, D_OUT_ROW_BEATS}) {
    if ((descriptor_[word] & 0xffffff) == 0) return false;
  }
  const bool second = descriptor_.control(C_SECOND);
  if (second && (descriptor_[D_SECOND_ROW_BEATS] & 0xffffff) == 0) return false;
  const auto legal = [](int bits, int most) { return bits != 0 && bits <= most; };
  const Opcode opcode = descriptor_.opcode();
  const bool two_inputs = opcode == OP_ADD || opcode == OP_MULTIPLY;
  const bool known = opcode == OP_CONVOLUTION || opcode == OP_MAX_POOL || opcode == OP_AVERAGE_POOL ||
                     opcode == OP_COPY || (two_inputs && vector_unit_);
  const auto activation = static_cast<model::Activation>(descriptor_[D_OPTIONS] & 3);
  return descriptor_[D_CONTROL] >> 16 == descriptor_magic && known && (!two_inputs || second) &&
         (!second || legal(static_cast<int>(descriptor_[D_WIDTHS] >> 24 & 31), max_activation_bits_)) &&
         (activation != model::Activation::hard_swish || swish_unit_) &&
         (activation != model::Activation::table || table_unit_) &&
         (opcode != OP_CONVOLUTION || legal(descriptor_.weight_bits(), max_weight_bits_)) &&
         legal(descriptor_.activation_bits(), max_activation_bits_) &&
         legal(descriptor_.output_bits(), max_activation_bits_);
}

Sequencer::State Sequencer::step(const Signals& now) {
  switch (state_) {
    case State::idle:
    case State::done:
      return run_ ? State::fetch : state_;
    case State::fetch:
      beat_ = 0;
      return State::receive;
    case State::receive:
      if (!now.beat_for(ReadTarget::descriptor)) return State::receive;
      std::memcpy(&descriptor_.words[beat_ * beat_words_], now.memory.rdata.data(), beat_words_ * 4);
      return ++beat_ == fetch_beats_ ? State::check : State::receive;
    case State::check:
      if (descriptor_good()) return State::configure;
      error_ = RunError::descriptor;
      return State::error;
    case State::configure:
      return State::layer;
    case State::layer:
      if (!now.layer_stored()) return State::layer;
      return descriptor_.control(generate::C_LAST) ? State::done : State::fetch;
    case State::error:
      break;
  }
  return State::error;
}

void Sequencer::clock_edge(const Signals& now, SequencerSignals& next) {
  const bool active = state_ == State::fetch || state_ == State::receive || state_ == State::layer;
  const bool stuck = active && watchdog_ != 0 && idle_cycles_ == watchdog_;
  idle_cycles_ = !active || now.progress() ? 0 : idle_cycles_ + 1;
  if (now.layer_done()) address_ += generate::descriptor_stride;
  if (active && now.memory_error()) {
    state_ = State::error;
    error_ = RunError::memory;
  } else if (stuck) {
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
  next.address = address_;
  if (next.start) next.descriptor = descriptor_;
}

}  // namespace bitstrata::sim::systemc
