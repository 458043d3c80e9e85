// SPDX-License-Identifier: Apache-2.0
#include "sim/systemc/events.h"

namespace bitstrata::sim::systemc {

EventCounters::EventCounters(const sc_core::sc_module_name& name, Fabric& fabric)
    : Unit(name, fabric, &Signals::events) {}

void EventCounters::reset_state(EventsSignals&) { layer_ = {}; }

void EventCounters::count_array(const Signals& now) {
  const std::int64_t lanes = now.streamer.tile_channels, vectors = now.feeder.group_size;
  const std::int64_t columns = now.style->units_at_work(lanes, weight_bits_, vectors);
  if (now.vector_start()) {
    layer_.vectors += vectors;
  }
  if (now.plane()) {
    ++layer_.plane_steps;
    layer_.column_steps += columns;
    layer_.joiner_adds += now.style->joiner_adds(weight_bits_, 1, lanes);
    layer_.cell_steps += columns * now.streamer.tile_rows;
  }
  if (now.accumulate()) {
    if (!now.accumulate_first()) layer_.accumulator_reads += lanes;
    layer_.accumulator_writes += lanes;
  }
  if (now.load_row()) {
    layer_.weight_cells_written += now.style->cells_of_rows(now.streamer.load_lanes, weight_bits_,
                                                            now.streamer.tile_rows, now.streamer.rows_loaded);
    ++layer_.weight_rows_read;
  }
}

void EventCounters::count(const Signals& now) {
  ++layer_.cycles;
  layer_.load_cycles += now.loader.busy;
  layer_.store_cycles += now.store_busy();
  const bool busy = now.stream_busy();
  layer_.compute_cycles += busy;
  layer_.stall_cycles += now.streamer.active && !busy;
  if (busy || now.array.adding) count_array(now);
  if (now.post.group) {
    ++layer_.post_cycles;
    layer_.post_outputs += now.post.outputs;
    layer_.output_bits_written += now.post.outputs * output_bits_;
  }
  if (now.window_read()) {
    ++layer_.window_reads;
    layer_.activation_lines_read += now.feeder.lines;
  }
  layer_.output_lines_read += now.store.read;
  if (now.memory.rvalid) {
    ++layer_.memory_lines_read;
    layer_.activation_lines_written += now.loader.target == ReadTarget::activations;
    layer_.weight_lines_written += now.loader.target == ReadTarget::weights;
  }
  layer_.memory_lines_written += now.write_beat();
}

void EventCounters::clock_edge(const Signals& now, EventsSignals&) {
  if (now.sequencer.running) count(now);
  if (now.layer_done()) {
    // The cycle of the barrier belongs to the layer it ends.
    layer_done(layer_);
    layer_ = {};
  }
  if (now.sequencer.start) {
    const generate::Descriptor& d = now.sequencer.descriptor;
    convolution_ = !d.whole_codes();
    weight_bits_ = d.weight_bits();
    output_bits_ = d.output_bits();
  }
}

}  // namespace bitstrata::sim::systemc
