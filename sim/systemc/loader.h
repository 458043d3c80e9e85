// SPDX-License-Identifier: Apache-2.0
// Load unit with the parameter buffer: rtl/bs_loader.sv.
#pragma once

#include "sim/systemc/unit.h"

namespace bitstrata::sim::systemc {

class Loader final : public Unit<LoaderSignals> {
 public:
  Loader(const sc_core::sc_module_name& name, Fabric& fabric, const model::Architecture& architecture);

  bool active(const Signals& now) const { return now.post.group || moves(now); }

 private:
  enum class State { idle, fetch, parameters, one_pixel, input_rows, weights };
  struct Command {
    ReadTarget target = ReadTarget::descriptor;
    bool second = false;  // of the second tensor
    std::uint32_t beats = 0;
  };

  void reset_state(LoaderSignals& shown) override;
  void clock_edge(const Signals& now, LoaderSignals& next) override;
  void start(const generate::Descriptor& descriptor);
  void step(const Signals& now, bool fire);
  // A command for the rows of a macro's weight tile is out. True when it was the block's last one.
  bool next_weights();
  void next_row();
  void next_block();
  void receive(const AxiData& data);
  void next_activation(bool second, bool last);
  void next_parameter(const AxiData& data);
  // With a command for parameters under way: the next beat belongs to the table behind them.
  bool table_next() const;
  std::uint32_t next_beats() const;
  ReadTarget next_target() const;
  bool next_second() const { return state_ == State::one_pixel || (state_ == State::input_rows && beside_); }
  void show(LoaderSignals& next) const;
  // Rows of the weight buffer for a row tile.
  int tile_rows() const {
    const int values = k_ + 1 == d_.get<generate::F_K_TILES>() ? d_.get<generate::F_ROWS_LAST>() : rows_;
    const int outputs = std::min(segment_left_, d_.get<generate::F_LANES>());
    return static_cast<int>(architecture_.words_of_weights(outputs, d_.weight_bits(), values));
  }
  bool rows_done() const { return row_ >= need_; }
  // Whether commands or data go on; both pause for long.
  bool moves(const Signals& now) const {
    return now.memory.rvalid || now.read_command_taken() || (now.load_row() && !now.streamer.resident) ||
           now.sequencer.fetch || now.sequencer.start || (state_ == State::input_rows && rows_done() && !beside_);
  }

  const model::Architecture architecture_;
  const int tiles_, rows_, data_bits_, pieces_, weight_depth_;
  const std::size_t post_lanes_, record_beats_;
  const std::uint32_t table_beats_;
  const std::uint32_t parameter_mask_;
  std::vector<ParameterRecord> parameters_;  // lane l of group g at g * post_lanes + l
  // Layer.
  generate::Descriptor d_;
  bool whole_codes_ = false, resident_ = false, keeps_weights_ = false, table_ = false;
  // A second tensor is read: rows beside the first one's, or one pixel that meets all of the first one's.
  bool second_ = false, broadcast_ = false;
  // Commands.
  State state_ = State::idle;
  int block_ = 0, n_ = 0, k_ = 0, t_ = 0, segment_left_ = 0, block_y_ = 0;
  bool beside_ = false;               // the next row command is the second tensor's
  std::uint16_t row_ = 0, need_ = 0;  // input rows commanded, and needed by the block
  std::uint32_t fetch_address_ = 0, row_address_ = 0, second_address_ = 0, weight_address_ = 0;
  int weight_rows_held_ = 0;  // commanded and not freed
  std::array<Command, 4> queue_{};
  unsigned queue_in_ = 0, queue_out_ = 0;
  // Data.
  std::uint32_t beat_ = 0;
  bool odd_ = false;
  int plane_ = 0;
  std::uint32_t slot_ = 0, pair_ = 0;
  std::uint16_t rows_loaded_ = 0;
  std::uint32_t weight_row_ = 0, weight_piece_ = 0, weight_rows_loaded_ = 0;
  std::array<std::uint32_t, 4> record_{};  // beats of a record, shifted in from the top
  std::size_t record_beat_ = 0, parameter_lane_ = 0;
  std::uint32_t parameter_row_ = 0;
};

}  // namespace bitstrata::sim::systemc
