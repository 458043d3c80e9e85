// SPDX-License-Identifier: Apache-2.0
#include "sim/systemc/array.h"

#include <bit>

namespace bitstrata::sim::systemc {

using namespace generate;

Array::Array(const sc_core::sc_module_name& name, Fabric& fabric, const model::Architecture& architecture)
    : Unit(name, fabric, &Signals::array),
      row_words_((architecture.rows + 63) / 64),
      // Pieces of data_bits make up a row; several narrow ones fill a word.
      weight_words_(((architecture.weight_word_bits() + architecture.data_bits - 1) / architecture.data_bits *
                         architecture.data_bits +
                     63) /
                    64),
      data_words_((architecture.data_bits + 63) / 64),
      data_bits_(architecture.data_bits),
      post_lanes_(architecture.post_lanes),
      body_(make_array_body(architecture)),
      pixel_mask_(static_cast<std::uint32_t>(architecture.psum_depth) - 1),
      sum_units_(static_cast<std::size_t>(architecture.vectors)) {
  weight_buffer_.resize(static_cast<std::size_t>(architecture.weight_words()) *
                        static_cast<std::size_t>(weight_words_));
  weight_row_.resize(static_cast<std::size_t>(weight_words_));
}

void Array::reset_state(ArraySignals& shown) {
  shown = {};
  body_->reset();
  stages_ = {};
  adding_ = lane_valid_ = added_ = added_last_ = false;
  tile_channels_ = 0;
}

void Array::watch(const model::Architecture& architecture, std::vector<model::Toggles>& layers,
                  const model::Toggles& feeder, const model::Toggles& post) {
  toggles_ = &layers;
  others_ = {&feeder, &post};
  body_->watch(architecture);
}

void Array::end_layer() {
  model::Toggles sums = body_->toggles();
  for (const model::Toggles* other : others_) sums += *other;
  toggles_->push_back(sums - before_);
  before_ = sums;
}

// A row read in the last cycle goes into its macro; the buffer is read, then written.
void Array::weights(const Signals& now) {
  if (now.streamer.weight_write) {
    body_->write_word(static_cast<int>(now.streamer.weight_tile), now.streamer.weight_row, weight_row_);
  }
  const auto words = static_cast<std::size_t>(weight_words_);
  if (now.load_row()) std::copy_n(&weight_buffer_[now.streamer.row_address * words], words, weight_row_.begin());
  if (now.beat_for(ReadTarget::weights)) {
    Word* const row = &weight_buffer_[now.loader.weight_row * words];
    const std::uint32_t piece = now.loader.weight_piece;
    if (data_bits_ < 64) {
      const auto pieces = static_cast<std::uint32_t>(64 / data_bits_);
      const auto shift = static_cast<int>(piece % pieces) * data_bits_;
      const Word mask = (Word{1} << data_bits_) - 1;
      Word& word = row[piece / pieces];
      word = (word & ~(mask << shift)) | (now.memory.rdata[0] & mask) << shift;
    } else {
      std::copy_n(now.memory.rdata.begin(), data_words_, row + piece * static_cast<std::uint32_t>(data_words_));
    }
  }
}

void Array::post_read(const PostSignals& post, ArraySignals& next) const {
  for (int p = 0; p < post_lanes_; ++p) {
    next.sums[static_cast<std::size_t>(p)] = body_->macros()[post.tile].sum(post.half, post.pixel, post.lane + p);
  }
}

// Lanes: the sums read in the last cycle are written with the values registered then, while this cycle's are read;
// reading sees the word before the write.
void Array::accumulate(const Signals& now) {
  const bool codes = now.codes(), valid = now.accumulate();
  const StreamerSignals& s = now.streamer;
  Token token = codes ? Token{s.pixel, s.half, s.first, now.tile_last(), 1} : add_token_;
  if (!codes) {
    token.pixel = (token.pixel + static_cast<std::uint32_t>(vector_)) & pixel_mask_;
    token.tile_last = token.tile_last && vector_ + 1 == token.vectors;
  }
  const int channels = static_cast<int>(now.streamer.tile_channels);
  const TileOutputs now_outputs{channels, lanes_full_}, written_outputs{lane_channels_, lanes_full_};
  int t = -1;
  for (Macro& macro : body_->macros()) {
    ++t;
    const int lanes = now_outputs.of_macro(t), write_lanes = written_outputs.of_macro(t);
    if (valid && !token.first) macro.read_sums(lanes, token.half, token.pixel);
    if (lane_valid_) {
      const std::int64_t* const values = lane_codes_ ? now.feeder.codes : macro.values();
      if (lane_codes_) macro.watch_outputs(write_lanes, values);
      macro.write_sums(write_lanes, values, lane_token_.first, maximum_, lane_token_.half, lane_token_.pixel);
    }
    if (!valid) continue;
    macro.keep_sums();
    if (codes) continue;
    body_->take(t, lanes, vector_, sum_units_[static_cast<std::size_t>(vector_)].sum);
  }
  lane_codes_ = codes;
  lane_valid_ = added_ = valid;
  lane_token_ = token;
  lane_channels_ = channels;
  added_last_ = valid && token.tile_last;
}

void Array::sum_activations(const Word* planes) {
  for (SumUnit& unit : sum_units_) {
    const PlaneStage& add = stages_.adding_up;
    if (stages_.joining) unit.sum = unit.acc;
    if (add.valid) unit.acc = (add.first ? 0 : unit.acc * 2) + (add.negative ? -unit.count : unit.count);
    if (stages_.counting.valid) {
      unit.count = 0;
      for (int w = 0; w < row_words_; ++w) unit.count += std::popcount(planes[w]);
    }
    planes += row_words_;
  }
}

void Array::clock_edge(const Signals& now, ArraySignals& next) {
  if (toggles_ != nullptr) {
    body_->settle(stages_.counting, stages_.counting.valid ? now.feeder.plane : nullptr);
    if (now.layer_done()) end_layer();
  }
  if (now.post.group) post_read(now.post, next);
  if (lane_valid_ || now.accumulate()) {
    accumulate(now);
  } else {
    added_ = false;
  }
  if (stages_.any()) {
    const Word* const planes = now.feeder.plane;
    body_->step(stages_, {tile_channels_, lanes_full_}, planes);
    if (weight_bits_ == 1) sum_activations(planes);
  }

  const bool more_vectors = adding_ && vector_ + 1 < add_token_.vectors;
  vector_ = more_vectors ? vector_ + 1 : 0;
  if (stages_.joining) add_token_ = join_token_;
  adding_ = stages_.joining || more_vectors;
  stages_.joining = stages_.adding_up.valid && stages_.adding_up.last;
  if (stages_.joining) join_token_ = adding_up_token_;
  stages_.summing = stages_.adding_up;
  stages_.adding_up = stages_.counting;
  adding_up_token_ = counting_token_;
  stages_.counting.valid = now.plane();
  if (stages_.counting.valid) {
    const StreamerSignals& s = now.streamer;
    const PlaneStep step = now.plane_step();
    stages_.counting = {true,       !s.in_vector, step.last, step.negative,
                        step.shift, step.weight,  step.fold, now.feeder.group_size};
    counting_token_ = {s.pixel, s.half, s.first, now.tile_last(), now.feeder.group_size};
  }
  tile_channels_ = static_cast<int>(now.streamer.tile_channels);
  if (now.streamer.weight_write || now.load_row() || now.memory.rvalid) weights(now);
  if (now.sequencer.start) {
    const Descriptor& d = now.sequencer.descriptor;
    weight_bits_ = d.whole_codes() ? 0 : d.weight_bits();
    lanes_full_ = d.get<F_LANES>();
    maximum_ = d.opcode() == OP_MAX_POOL;
    body_->configure(weight_bits_);
  }
  next.busy = stages_.counting.valid || stages_.adding_up.valid || stages_.joining || adding_ || added_;
  next.adding = adding_;
  next.adding_first = add_token_.first;
  next.tile_done = added_ && added_last_;
}

}  // namespace bitstrata::sim::systemc
