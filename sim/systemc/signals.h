// SPDX-License-Identifier: Apache-2.0
// The wires of the SystemC model. Free of SystemC.
//
// Every module shows a `...Signals` part: registers, or functions of its own registers, as of the last clock edge.
// What the RTL computes between modules without a register in between (a release that depends on another module's
// ready) is a const member function of Signals: a function of the parts alone. So all wires of a cycle are fixed by
// the parts of that cycle, whatever the order in which modules are looked at. Those that several modules read every
// cycle are worked out once, by settle().
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "rtl/generate/descriptor.h"
#include "sim/axi_memory.h"
#include "sim/systemc/plane_order.h"

namespace bitstrata::generate {

inline bool operator==(const Descriptor& a, const Descriptor& b) { return a.words == b.words; }

}  // namespace bitstrata::generate

namespace bitstrata::sim::systemc {

inline constexpr int most_post_lanes = 8;
inline constexpr int most_rows = 1024;

// Requantization parameters of one output.
struct ParameterRecord {
  std::int64_t bias = 0;
  std::uint16_t multiplier = 0, negative_multiplier = 0;
  std::uint8_t shift = 0;
  bool operator==(const ParameterRecord&) const = default;
};

// Operators whose partial sums hold one code of each input: a sum or product is theirs to make of the two.
inline bool takes_two_inputs(const generate::Descriptor& d) {
  return d.opcode() == generate::OP_ADD || d.opcode() == generate::OP_MULTIPLY;
}
inline int second_bits(const generate::Descriptor& d) { return d.get<generate::F_SECOND_BITS>(); }
// Bits of an operand in a partial sum: one of a code and a sign.
inline int code_width(const model::Architecture& a) { return a.max_activation_bits + 1; }

struct SequencerSignals {
  bool running = false;
  bool in_layer = false;  // waits for the layer's barrier
  bool fetch = false;     // pulse: fetch a descriptor
  bool start = false;     // pulse: the layer begins
  bool halt = false;      // after an error or software's reset: bursts under way end, and no new one begins
  std::uint32_t address = 0;
  std::uint64_t base = 0;           // of the run: added to the addresses of all commands
  generate::Descriptor descriptor;  // valid with `start`: every module keeps what it needs
  bool operator==(const SequencerSignals&) const = default;
};

enum class ReadTarget : std::uint8_t { descriptor, parameters, table, activations, weights };

struct LoaderSignals {
  bool busy = false;
  // Command to the read master. With `needs_slot` it waits for a free input row.
  bool wanted = false, needs_slot = false;
  std::uint32_t address = 0, beats = 0;
  std::uint16_t row = 0, slots = 0;
  // Where the next data beat goes.
  ReadTarget target = ReadTarget::descriptor;
  bool activation_odd = false;
  std::uint32_t activation_address = 0;
  std::uint32_t weight_row = 0, weight_piece = 0;
  // Progress of the layer.
  std::uint16_t rows_loaded = 0;
  std::uint32_t weight_rows_loaded = 0;
  // Output register of the parameter buffer.
  std::array<ParameterRecord, most_post_lanes> parameters;
  bool operator==(const LoaderSignals&) const = default;
};

struct ReadSignals {
  bool active = false;
  bool wants = false;      // has a burst to address
  bool shown = false;      // ... which was shown and not taken
  bool in_flight = false;  // bursts are addressed and not answered
  std::uint64_t araddr = 0;
  std::uint8_t arlen = 0;
  bool operator==(const ReadSignals&) const = default;
};

struct WriteSignals {
  bool active = false;
  bool wants = false, shown = false, in_flight = false;  // as in ReadSignals
  bool idle = true;                                      // every command is addressed and answered
  bool may_send = false;                                 // a burst's address was shown, its data may go
  bool fill = false;                                     // ... without strobes
  bool wlast = false;
  std::uint64_t awaddr = 0;
  std::uint8_t awlen = 0;
  bool operator==(const WriteSignals&) const = default;
};

struct WalkerSignals {
  bool active = false;
  std::uint16_t rows_needed = 0;  // of the block
  std::uint16_t rows_freed = 0;   // by the latest block whose last window is taken
  std::uint16_t rows_kept = 0;    // by the one before it
  // The window on offer.
  std::int32_t x = 0;
  std::int32_t row_begin = 0;  // where its row, or strip, begins
  std::uint32_t slot = 0;
  std::uint16_t length = 0, fill = 0;
  bool second = false;  // of the second tensor
  bool row_valid = false, last = false;
  bool tile_last = false;   // its pixel is the tile's last one
  bool block_last = false;  // the block ends with it
  bool operator==(const WalkerSignals&) const = default;
};

struct FeederSignals {
  bool holds = false;         // a window waits to be read
  bool may_read = false;      // ... and has a slot
  bool window_waits = false;  // ... or has none, and is its block's last one
  std::uint8_t lines = 0;     // lines the window lies in
  bool vector_ready = false;
  // The oldest group: its vectors, and whether the tile ends with it.
  std::uint8_t group_size = 1;
  bool group_last = false;
  std::uint8_t top_plane = 0;  // its first plane that is streamed
  // Registers loaded by plane() and codes(): the array's activation register, vector after vector, and the whole
  // codes of a vector, those of a second operand code_width() places up. The feeder's, who loads another place each
  // time, so that what is shown stays for its cycle.
  const std::uint64_t* plane = nullptr;
  const std::int64_t* codes = nullptr;
  bool operator==(const FeederSignals&) const = default;
};

struct StreamerSignals {
  bool active = false;
  // Weight rows. With `rows_known` a row may go, else when all rows of the tile are in the buffer.
  bool loading = false, rows_known = false, resident = false;
  std::uint32_t rows_taken = 0, row_address = 0;
  std::uint8_t fold = 0;                                       // of the row tile: log2 of the planes at once
  std::uint8_t rows_loaded = 1;                                // rows of the array in the word that is read next
  std::uint16_t tile_rows = 0, load_rows = 0, load_lanes = 0;  // load_rows: of the weight buffer, for a row tile
  bool weight_write = false;                                   // the row read in the last cycle is written to the array
  std::uint16_t weight_tile = 0, weight_row = 0;
  // Vectors. `starting`: begins one as soon as the feeder has it; `in_vector`: a further plane of one goes.
  bool starting = false, in_vector = false, whole_codes = false, signed_codes = false;
  std::uint8_t weight_bits = 0;
  int rest = 0;             // cycles before the next last plane may come
  bool codes_high = false;  // codes are the second operand's: they go beside the first one's
  bool first = false, half = false;
  bool row_tile_last = false;  // of the output tile
  // The plane (overlay: pair of planes) that follows inside a vector.
  PlaneStep step;
  std::uint32_t pixel = 0;
  std::uint32_t tile_channels = 0;  // outputs of the tile, all macros
  bool operator==(const StreamerSignals&) const = default;
};

struct ArraySignals {
  bool busy = false, adding = false, adding_first = false, tile_done = false;
  std::array<std::int64_t, most_post_lanes> sums{};  // partial sums read for post-processing
  bool operator==(const ArraySignals&) const = default;
};

struct PostSignals {
  bool group = false;       // a group of outputs enters
  bool tile_end = false;    // an accumulator half is read out, or its partial sums stay
  bool carried = false;     // the partial sums of all tiles stay for the next descriptor
  bool block_done = false;  // pulse: the block's last bits are being written
  bool half = false;
  std::uint16_t tile = 0, lane = 0;
  std::uint32_t pixel = 0, parameter = 0;
  std::uint8_t outputs = 0;
  AxiData line{};  // output register of the output buffer
  bool operator==(const PostSignals&) const = default;
};

struct StoreSignals {
  bool block_left = false, all_read = false;               // a block waits or is read; the layer's blocks are read out
  bool read = false, read_odd = false, read_last = false;  // read_last: the block is read out
  std::uint32_t read_address = 0;
  bool command = false;
  std::uint32_t address = 0, beats = 0;
  bool data_valid = false;
  AxiData data{};
  bool operator==(const StoreSignals&) const = default;
};

struct EventsSignals {
  bool operator==(const EventsSignals&) const = default;
};

// Wires of Signals that many modules read.
struct Settled {
  bool load_row = false, vector_start = false, codes = false, plane = false, release = false;
  bool window_read = false, window_take = false, read_command = false;
};

struct Signals {
  const model::Style* style = nullptr;  // of the array; constant
  PlaneOrder order{*model::styles().front()};
  SequencerSignals sequencer;
  LoaderSignals loader;
  ReadSignals read;
  WriteSignals write;
  WalkerSignals walker;
  FeederSignals feeder;
  StreamerSignals streamer;
  ArraySignals array;
  PostSignals post;
  StoreSignals store;
  EventsSignals events;
  AxiSlaveSignals memory;
  Settled settled;

  // Works out `settled` from the parts; called whenever they have changed.
  void settle() {
    settled.load_row =
        streamer.loading &&
        (streamer.rows_known || ((loader.weight_rows_loaded - streamer.rows_taken) & 0xffffff) >= streamer.load_rows);
    // Last planes of vectors keep their distance.
    settled.vector_start =
        streamer.starting && feeder.vector_ready && streamer.rest <= (streamer.whole_codes ? 0 : last_plane());
    settled.codes = settled.vector_start && streamer.whole_codes;
    settled.plane = streamer.in_vector || (settled.vector_start && !streamer.whole_codes);
    settled.release = settled.codes || (settled.plane && plane_step().last);
    settled.window_read = feeder.may_read || (feeder.holds && settled.release);
    settled.window_take =
        walker.active && loader.rows_loaded >= walker.rows_needed && (!feeder.holds || settled.window_read);
    // Rows the feeder has freed may be ahead of the rows loaded (strides beyond the kernel).
    const std::uint16_t rows_freed = feeder.window_waits ? walker.rows_kept : walker.rows_freed;
    settled.read_command = loader.wanted && !read.active &&
                           (!loader.needs_slot || rows_freed > loader.row ||
                            static_cast<std::uint16_t>(loader.row - rows_freed) < loader.slots);
  }

  // Array control.
  bool load_row() const { return settled.load_row; }
  bool vector_start() const { return settled.vector_start; }
  // Cycles from the first plane of the oldest vector to its last one.
  int last_plane() const {
    return style->vector_cycles(streamer.weight_bits, (feeder.top_plane >> streamer.fold) + 1) - 1;
  }
  bool codes() const { return settled.codes; }
  bool plane() const { return settled.plane; }
  bool release() const { return settled.release; }
  // What plane() issues: a vector's first plane is the feeder's to know.
  PlaneStep plane_step() const {
    if (streamer.in_vector) return streamer.step;
    return order.first(feeder.top_plane, streamer.weight_bits, streamer.signed_codes, streamer.fold);
  }
  bool row_tile_end() const { return feeder.group_last; }
  bool tile_last() const { return streamer.row_tile_last && row_tile_end(); }
  bool stream_busy() const { return load_row() || plane() || codes(); }
  bool accumulate() const { return array.adding || codes(); }
  bool accumulate_first() const { return codes() ? streamer.first : array.adding_first; }
  // Feeder and walker.
  bool window_read() const { return settled.window_read; }
  bool window_take() const { return settled.window_take; }
  // Read side of memory.
  bool read_command_taken() const { return settled.read_command; }
  bool beat_for(ReadTarget target) const { return memory.rvalid && loader.target == target; }
  bool arvalid() const { return read.wants && (!sequencer.halt || read.shown); }
  // Write side of memory.
  bool awvalid() const { return write.wants && (!sequencer.halt || write.shown); }
  bool write_command_taken() const { return store.command && !write.active; }
  bool store_busy() const { return store.block_left || !write.idle; }
  bool wvalid() const { return (store.data_valid || write.fill) && write.may_send; }
  bool write_beat() const { return wvalid() && memory.wready; }
  bool memory_busy() const { return arvalid() || read.in_flight || awvalid() || write.in_flight; }
  // Control.
  bool memory_error() const {
    return (memory.rvalid && (memory.rresp & 2) != 0) || (memory.bvalid && (memory.bresp & 2) != 0);
  }
  // The barrier: all blocks are stored and answered, or the layer's partial sums stay.
  bool layer_stored() const { return post.carried || (store.all_read && write.idle); }
  bool layer_done() const { return sequencer.in_layer && layer_stored() && !memory_error(); }
  bool progress() const {
    return (arvalid() && memory.arready) || memory.rvalid || (awvalid() && memory.awready) || write_beat() ||
           memory.bvalid || stream_busy() || post.group;
  }
};

}  // namespace bitstrata::sim::systemc
