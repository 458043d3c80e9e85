// SPDX-License-Identifier: Apache-2.0
#include "sim/systemc/array.h"

#include <bit>

namespace bitstrata::sim::systemc {

using namespace generate;

Array::Array(const sc_core::sc_module_name& name, Fabric& fabric, const model::Architecture& architecture)
    : Unit(name, fabric, &Signals::array),
      overlay_(architecture.overlay()),
      tiles_(architecture.tiles),
      columns_(architecture.columns),
      row_words_((architecture.rows + 63) / 64),
      // Pieces of data_bits make up a row; several narrow ones fill a word.
      weight_words_(((architecture.weight_word_bits() + architecture.data_bits - 1) / architecture.data_bits *
                         architecture.data_bits +
                     63) /
                    64),
      data_words_((architecture.data_bits + 63) / 64),
      data_bits_(architecture.data_bits),
      post_lanes_(architecture.post_lanes),
      macros_(static_cast<std::size_t>(architecture.tiles), Macro(architecture)),
      dots_(architecture),
      pixel_mask_(static_cast<std::uint32_t>(architecture.psum_depth) - 1),
      sum_units_(static_cast<std::size_t>(architecture.vectors)) {
  weight_buffer_.resize(static_cast<std::size_t>(architecture.weight_words()) *
                        static_cast<std::size_t>(weight_words_));
  weight_row_.resize(static_cast<std::size_t>(weight_words_));
}

void Array::reset_state(ArraySignals& shown) {
  shown = {};
  for (Macro& macro : macros_) macro.reset();
  dots_.reset();
  counting_ = adding_up_ = summing_ = {};
  joining_ = adding_ = lane_valid_ = added_ = added_last_ = false;
  tile_channels_ = 0;
}

void Array::watch(const model::Architecture& architecture, std::vector<model::Toggles>& layers,
                  const model::Toggles& feeder, const model::Toggles& post) {
  toggles_ = &layers;
  others_ = {&feeder, &post};
  if (overlay_) dots_.watch(architecture);
  for (Macro& macro : macros_) macro.watch(architecture);
}

void Array::settle(const Signals& now) {
  const Word* const planes = counting_.valid ? now.feeder.plane : nullptr;
  if (overlay_) {
    dots_.settle(counting_.token.vectors, counting_.weight_plane, planes);
  } else {
    for (Macro& macro : macros_) macro.settle(planes, counting_.fold);
  }
}

void Array::end_layer() {
  model::Toggles sums;
  if (overlay_) sums += *dots_.toggles();
  for (const Macro& macro : macros_) sums += *macro.toggles();
  // Macros share the lines of the planes.
  sums.activation_toggles /= overlay_ ? 1 : tiles_;
  for (const model::Toggles* other : others_) sums += *other;
  toggles_->push_back(sums - before_);
  before_ = sums;
}

// A row read in the last cycle goes into its macro; the buffer is read, then written.
void Array::weights(const Signals& now) {
  if (now.streamer.weight_write) {
    const int row = now.streamer.weight_row;
    if (overlay_) {
      dots_.write_plane(row / weight_bits_, row % weight_bits_, weight_row_.data());
    } else {
      macros_[now.streamer.weight_tile].write_word(row, weight_row_);
    }
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
    next.sums[static_cast<std::size_t>(p)] = macros_[post.tile].sum(post.half, post.pixel, post.lane + p);
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
  for (int t = 0; t < tiles_; ++t) {
    Macro& macro = macros_[static_cast<std::size_t>(t)];
    const int lanes = lanes_of(t, channels), write_lanes = lanes_of(t, lane_channels_);
    if (valid && !token.first) macro.read_sums(lanes, token.half, token.pixel);
    if (lane_valid_) {
      const std::int64_t* const values = lane_codes_ ? now.feeder.codes : macro.values();
      if (lane_codes_) macro.watch_outputs(write_lanes, values);
      macro.write_sums(write_lanes, values, lane_token_.first, maximum_, lane_token_.half, lane_token_.pixel);
    }
    if (!valid) continue;
    macro.keep_sums();
    if (codes) continue;
    const std::int64_t sum = sum_units_[static_cast<std::size_t>(vector_)].sum;
    if (overlay_) {
      macro.take_sums(lanes, dots_.held(vector_), sum);
    } else {
      macro.take_joined(lanes, sum);
    }
  }
  lane_codes_ = codes;
  lane_valid_ = added_ = valid;
  lane_token_ = token;
  lane_channels_ = channels;
  added_last_ = valid && token.tile_last;
}

// Joiner, accumulators and popcounts, each from what the stage before held in this cycle.
void Array::count_and_add(const Word* plane) {
  for (int t = 0; t < tiles_; ++t) {
    const int columns = lanes_of(t, tile_channels_) * weight_bits_;
    if (columns == 0) break;
    Macro& macro = macros_[static_cast<std::size_t>(t)];
    if (summing_.valid) macro.sum(columns, summing_.first, summing_.negative, summing_.fold, joining_);
    if (adding_up_.valid) macro.accumulate(columns, adding_up_.first, adding_up_.negative, adding_up_.fold);
    if (counting_.valid) macro.count(columns, plane, counting_.fold);
  }
}

void Array::count_and_add_pairs(const Word* planes) {
  const int outputs = lanes_of(0, tile_channels_);
  if (joining_) dots_.capture();
  const Stage& add = adding_up_;
  if (add.valid) dots_.accumulate(add.token.vectors, outputs, add.first, add.shift, add.negative);
  if (counting_.valid) dots_.count(counting_.token.vectors, outputs, counting_.weight_plane, planes);
}

void Array::sum_activations(const Word* planes) {
  for (SumUnit& unit : sum_units_) {
    if (joining_) unit.sum = unit.acc;
    if (adding_up_.valid) {
      unit.acc = (adding_up_.first ? 0 : unit.acc * 2) + (adding_up_.negative ? -unit.count : unit.count);
    }
    if (counting_.valid) {
      unit.count = 0;
      for (int w = 0; w < row_words_; ++w) unit.count += std::popcount(planes[w]);
    }
    planes += row_words_;
  }
}

void Array::clock_edge(const Signals& now, ArraySignals& next) {
  if (toggles_ != nullptr) {
    settle(now);
    if (now.layer_done()) end_layer();
  }
  if (now.post.group) post_read(now.post, next);
  if (lane_valid_ || now.accumulate()) {
    accumulate(now);
  } else {
    added_ = false;
  }
  if (joining_ || summing_.valid || adding_up_.valid || counting_.valid) {
    const Word* const planes = now.feeder.plane;
    if (overlay_) {
      count_and_add_pairs(planes);
    } else {
      count_and_add(planes);
    }
    if (weight_bits_ == 1) sum_activations(planes);
  }

  const bool more_vectors = adding_ && vector_ + 1 < add_token_.vectors;
  vector_ = more_vectors ? vector_ + 1 : 0;
  if (joining_) add_token_ = join_token_;
  if (adding_up_.valid && adding_up_.last) {
    join_token_ = adding_up_.token;
  }
  adding_ = joining_ || more_vectors;
  joining_ = adding_up_.valid && adding_up_.last;
  summing_ = adding_up_;
  adding_up_ = counting_;
  counting_.valid = now.plane();
  if (counting_.valid) {
    const StreamerSignals& s = now.streamer;
    const PlaneStep step = now.plane_step();
    counting_ = {
        true,       !s.in_vector, step.last, step.negative,
        step.shift, step.weight,  step.fold, {s.pixel, s.half, s.first, now.tile_last(), now.feeder.group_size}};
  }
  tile_channels_ = static_cast<int>(now.streamer.tile_channels);
  if (now.streamer.weight_write || now.load_row() || now.memory.rvalid) weights(now);
  if (now.sequencer.start) {
    const Descriptor& d = now.sequencer.descriptor;
    weight_bits_ = d.whole_codes() ? 0 : d.weight_bits();
    lanes_full_ = d.get<F_LANES>();
    maximum_ = d.opcode() == OP_MAX_POOL;
    for (Macro& macro : macros_) macro.configure(weight_bits_);
  }
  next.busy = counting_.valid || adding_up_.valid || joining_ || adding_ || added_;
  next.adding = adding_;
  next.adding_first = add_token_.first;
  next.tile_done = added_ && added_last_;
}

}  // namespace bitstrata::sim::systemc
