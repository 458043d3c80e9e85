// SPDX-License-Identifier: Apache-2.0
#include "sim/systemc/loader.h"

#include <algorithm>
#include <cstring>

#include "sim/systemc/walker.h"

namespace bitstrata::sim::systemc {

using namespace generate;

Loader::Loader(const sc_core::sc_module_name& name, Fabric& fabric, const model::Architecture& architecture)
    : Unit(name, fabric, &Signals::loader),
      architecture_(architecture),
      tiles_(architecture.tiles),
      rows_(architecture.rows),
      data_bits_(architecture.data_bits),
      pieces_((architecture.weight_word_bits() + architecture.data_bits - 1) / architecture.data_bits),
      weight_depth_(architecture.weight_words()),
      post_lanes_(static_cast<std::size_t>(architecture.post_lanes)),
      record_beats_(architecture.data_bits >= 128 ? 1 : 128 / static_cast<std::size_t>(architecture.data_bits)),
      table_beats_(static_cast<std::uint32_t>(2048 / architecture.data_bits)),
      parameter_mask_(static_cast<std::uint32_t>(architecture.parameter_depth) - 1) {
  parameters_.resize(static_cast<std::size_t>(architecture.parameter_depth) * post_lanes_);
}

void Loader::reset_state(LoaderSignals& shown) {
  shown = {};
  d_ = {};
  state_ = State::idle;
  queue_in_ = queue_out_ = 0;
  queue_ = {};
  beat_ = 0;
  rows_loaded_ = 0;
  weight_rows_loaded_ = 0;
}

void Loader::start(const Descriptor& descriptor) {
  d_ = descriptor;
  whole_codes_ = d_.whole_codes();
  resident_ = d_.get<F_RESIDENT>();
  keeps_weights_ = d_.get<F_KEEP_WEIGHTS>();
  table_ = static_cast<model::Activation>(d_.get<F_ACTIVATION>()) == model::Activation::table;
  second_ = d_.get<F_SECOND>();
  broadcast_ = d_.get<F_BROADCAST>();
  beside_ = false;
  block_ = n_ = k_ = t_ = 0;
  row_ = 0;
  segment_left_ = d_.get<F_SEGMENT_CHANNELS>();
  block_y_ = d_.get<F_PIXEL_START_Y>();
  need_ = rows_needed(d_, block_y_);
  row_address_ = d_.get<F_IN_ADDRESS>();
  second_address_ = d_.get<F_SECOND_ADDRESS>();
  weight_address_ = d_.get<F_WEIGHT_ADDRESS>();
  weight_rows_held_ = 0;
  odd_ = false;
  plane_ = 0;
  slot_ = pair_ = 0;
  rows_loaded_ = 0;
  weight_row_ = weight_piece_ = weight_rows_loaded_ = 0;
  record_beat_ = parameter_lane_ = 0;
  parameter_row_ = 0;
}

std::uint32_t Loader::next_beats() const {
  switch (state_) {
    case State::parameters:
      return d_.get<F_PARAM_BEATS>();
    case State::one_pixel:
      return d_.get<F_SECOND_ROW_BEATS>();
    case State::input_rows:
      return beside_ ? d_.get<F_SECOND_ROW_BEATS>() : d_.get<F_IN_ROW_BEATS>();
    case State::weights:
      return static_cast<std::uint32_t>(tile_rows() * pieces_);
    default:
      return static_cast<std::uint32_t>(descriptor_words * 32 / data_bits_);
  }
}

ReadTarget Loader::next_target() const {
  switch (state_) {
    case State::parameters:
      return ReadTarget::parameters;
    case State::one_pixel:
    case State::input_rows:
      return ReadTarget::activations;
    case State::weights:
      return ReadTarget::weights;
    default:
      return ReadTarget::descriptor;
  }
}

bool Loader::next_weights() {
  weight_address_ += next_beats() * static_cast<std::uint32_t>(data_bits_ / 8);
  weight_rows_held_ += tile_rows();
  const bool placed = t_ + 1 == tiles_ || segment_left_ <= (t_ + 1) * d_.get<F_LANES>();
  if (!placed) {
    ++t_;
    return false;
  }
  t_ = 0;
  if (++k_ != d_.get<F_K_TILES>()) return false;
  k_ = 0;
  if (++n_ != d_.get<F_N_TILES>()) {
    segment_left_ -= tiles_ * d_.get<F_LANES>();
    if (segment_left_ <= 0) segment_left_ = d_.get<F_SEGMENT_NEXT>();
    return false;
  }
  n_ = 0;
  segment_left_ = d_.get<F_SEGMENT_CHANNELS>();
  weight_address_ = d_.get<F_WEIGHT_ADDRESS>();
  return true;
}

void Loader::next_block() {
  state_ = ++block_ == d_.get<F_BLOCKS>() ? State::idle : State::input_rows;
  block_y_ += d_.get<F_BLOCK_STEP_Y>();
  need_ = rows_needed(d_, block_y_);
}

// A command for an input row, of the first or of the second tensor, is out.
void Loader::next_row() {
  if (beside_) {
    second_address_ += d_.get<F_SECOND_ROW_STRIDE>();
    beside_ = false;
    return;
  }
  ++row_;
  row_address_ += d_.get<F_IN_ROW_STRIDE>();
  beside_ = second_ && !broadcast_;
}

void Loader::step(const Signals& now, bool fire) {
  switch (state_) {
    case State::idle:
      if (now.sequencer.fetch) {
        state_ = State::fetch;
        fetch_address_ = now.sequencer.address;
      } else if (now.sequencer.start) {
        state_ = State::parameters;
      }
      break;
    case State::fetch:
      if (fire) state_ = State::idle;
      break;
    case State::parameters:
      if (fire) state_ = second_ && broadcast_ ? State::one_pixel : State::input_rows;
      break;
    case State::one_pixel:
      if (fire) state_ = State::input_rows;
      break;
    case State::input_rows:
      if (fire) {
        next_row();
      } else if (rows_done() && !beside_) {
        if (!whole_codes_ && !keeps_weights_ && (!resident_ || block_ == 0)) {
          state_ = State::weights;
        } else {
          next_block();
        }
      }
      break;
    case State::weights:
      if (fire && next_weights()) next_block();
      break;
  }
}

// A slot holds the rows of both tensors; the one pixel that meets all others has a place of its own.
void Loader::next_activation(bool second, bool last) {
  const int bits = second ? second_bits(d_) : d_.activation_bits();
  if (++plane_ == bits) {
    plane_ = 0;
    if (odd_) pair_ += static_cast<std::uint32_t>(bits);
    odd_ = !odd_;
  }
  if (!last) return;
  odd_ = false;
  pair_ = 0;
  if (second != (second_ && !broadcast_)) return;
  slot_ += static_cast<std::uint32_t>(d_.get<F_IN_SLOT>());
  const auto ring = static_cast<std::uint32_t>(d_.get<F_IN_RING>());
  if (slot_ >= ring) slot_ -= ring;
  ++rows_loaded_;
}

// Records of 128 bits: bias in 0..47, multiplier in 48..63, shift in 64..69, the multiplier of negative values in
// 80..95.
void Loader::next_parameter(const AxiData& data) {
  const std::size_t bytes = sizeof(record_) / record_beats_;
  auto* const record_bytes = reinterpret_cast<unsigned char*>(record_.data());
  std::memmove(record_bytes, record_bytes + bytes % sizeof(record_), sizeof(record_) - bytes);
  std::memcpy(record_bytes + sizeof(record_) - bytes, data.data(), bytes);
  if (++record_beat_ != record_beats_) return;
  record_beat_ = 0;
  std::array<std::uint64_t, 2> bits;
  std::memcpy(bits.data(), record_.data(), sizeof(bits));
  ParameterRecord& record = parameters_[parameter_row_ * post_lanes_ + parameter_lane_];
  record.bias = static_cast<std::int64_t>(bits[0] << 16) >> 16;
  record.multiplier = static_cast<std::uint16_t>(bits[0] >> 48);
  record.shift = static_cast<std::uint8_t>(bits[1] & 63);
  record.negative_multiplier = static_cast<std::uint16_t>(bits[1] >> 16);
  if (++parameter_lane_ != post_lanes_) return;
  parameter_lane_ = 0;
  parameter_row_ = (parameter_row_ + 1) & parameter_mask_;
}

void Loader::receive(const AxiData& data) {
  const Command& command = queue_[queue_out_ & 3];
  const bool last = beat_ + 1 == command.beats;
  switch (command.target) {
    case ReadTarget::descriptor:
      break;
    case ReadTarget::parameters:
      // The last beats are the table's, where the activation has one: post-processing keeps it.
      if (!table_next()) next_parameter(data);
      break;
    case ReadTarget::table:
      break;
    case ReadTarget::activations:
      next_activation(command.second, last);
      break;
    case ReadTarget::weights:
      if (++weight_piece_ == static_cast<std::uint32_t>(pieces_)) {
        weight_piece_ = 0;
        weight_row_ = (weight_row_ + 1) & static_cast<std::uint32_t>(weight_depth_ - 1);
        weight_rows_loaded_ = (weight_rows_loaded_ + 1) & 0xffffff;
      }
      break;
  }
  ++beat_;
  if (!last) return;
  beat_ = 0;
  ++queue_out_;
}

bool Loader::table_next() const { return table_ && beat_ + table_beats_ >= queue_[queue_out_ & 3].beats; }

void Loader::clock_edge(const Signals& now, LoaderSignals& next) {
  // The parameter buffer is read before it is written.
  if (now.post.group) std::copy_n(&parameters_[now.post.parameter * post_lanes_], post_lanes_, next.parameters.begin());
  if (!moves(now)) return;
  const bool fire = now.read_command_taken(), freed = now.load_row() && !now.streamer.resident;
  if (fire) queue_[queue_in_++ & 3] = {next_target(), next_second(), next_beats()};
  if (now.memory.rvalid) receive(now.memory.rdata);
  step(now, fire);
  if (freed) --weight_rows_held_;
  if (now.sequencer.start) start(now.sequencer.descriptor);
  show(next);
}

void Loader::show(LoaderSignals& next) const {
  const unsigned queued = queue_in_ - queue_out_;
  next.busy = state_ != State::idle || queued != 0;
  next.needs_slot = state_ == State::input_rows && !beside_;
  next.row = row_;
  next.slots = static_cast<std::uint16_t>(d_.get<F_IN_SLOTS>());
  next.beats = next_beats();
  bool wanted = false;
  switch (state_) {
    case State::idle:
      break;
    case State::fetch:
      wanted = true;
      next.address = fetch_address_;
      break;
    case State::parameters:
      wanted = true;
      next.address = d_.get<F_PARAM_ADDRESS>();
      break;
    case State::one_pixel:
      wanted = true;
      next.address = second_address_;
      break;
    case State::input_rows:
      wanted = beside_ || !rows_done();
      next.address = beside_ ? second_address_ : row_address_;
      break;
    case State::weights:
      wanted = weight_rows_held_ + tile_rows() <= weight_depth_;
      next.address = weight_address_;
      break;
  }
  next.wanted = wanted && queued != 4;
  const Command& command = queue_[queue_out_ & 3];
  next.target = command.target == ReadTarget::parameters && table_next() ? ReadTarget::table : command.target;
  next.activation_odd = odd_;
  next.activation_address = pair_ + static_cast<std::uint32_t>(plane_);
  if (!command.second || !broadcast_) next.activation_address += slot_;
  if (command.second) next.activation_address += static_cast<std::uint32_t>(d_.get<F_SECOND_SLOT>());
  next.weight_row = weight_row_;
  next.weight_piece = weight_piece_;
  next.rows_loaded = rows_loaded_;
  next.weight_rows_loaded = weight_rows_loaded_;
}

}  // namespace bitstrata::sim::systemc
