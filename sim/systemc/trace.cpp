// SPDX-License-Identifier: Apache-2.0
#include "sim/systemc/trace.h"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <stdexcept>
#include <system_error>

namespace bitstrata::sim::systemc {

Trace::Trace(const sc_core::sc_module_name& name, const std::filesystem::path& file) : sc_module(name) {
  if (file.extension() != ".vcd")
    throw std::invalid_argument(fmt::format("trace file {}: its name must end with .vcd", file.string()));
  // SystemC would end the program.
  if (!std::ofstream(file)) throw std::system_error(errno, std::generic_category(), "trace file " + file.string());
  // SystemC says on standard output which unit it takes.
  const auto actions = sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, sc_core::SC_DO_NOTHING);
  file_ = sc_core::sc_create_vcd_trace_file((file.parent_path() / file.stem()).c_str());
  file_->set_time_unit(1, sc_core::SC_NS);
  sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, actions);
  add_signals();
  SC_HAS_PROCESS(Trace);
  SC_METHOD(begin);
  sensitive << cycles;
  dont_initialize();
}

Trace::~Trace() { sc_core::sc_close_vcd_trace_file(file_); }

void Trace::begin() {
  shown_ = cycles->signals();
  arvalid_ = shown_.arvalid();
  awvalid_ = shown_.awvalid();
  wvalid_ = shown_.wvalid();
  target_ = static_cast<unsigned>(shown_.loader.target);
}

// Descriptors, requantization parameters and the planes themselves are left out: they are data of memory.
void Trace::add_signals() {
  const auto add = [this](const auto& value, const char* name) { sc_core::sc_trace(file_, value, name); };
  const auto& s = shown_;
#define ADD(signal) add(s.signal, #signal)
  ADD(sequencer.running), ADD(sequencer.in_layer), ADD(sequencer.fetch), ADD(sequencer.start), ADD(sequencer.halt);
  ADD(sequencer.address);
  ADD(loader.busy), ADD(loader.wanted), ADD(loader.address), ADD(loader.beats), ADD(loader.row);
  ADD(loader.activation_address), ADD(loader.weight_row), ADD(loader.rows_loaded), ADD(loader.weight_rows_loaded);
  add(target_, "loader.target");
  ADD(walker.active), ADD(walker.rows_needed), ADD(walker.rows_freed), ADD(walker.rows_kept), ADD(walker.x),
      ADD(walker.slot);
  ADD(walker.length), ADD(walker.fill), ADD(walker.row_valid), ADD(walker.last);
  ADD(feeder.holds), ADD(feeder.may_read), ADD(feeder.window_waits), ADD(feeder.lines), ADD(feeder.vector_ready),
      ADD(feeder.group_size);
  ADD(feeder.top_plane);
  ADD(streamer.active), ADD(streamer.loading), ADD(streamer.starting), ADD(streamer.in_vector);
  ADD(streamer.weight_write), ADD(streamer.weight_row), ADD(streamer.rows_taken), ADD(streamer.pixel);
  ADD(streamer.step.activation), ADD(streamer.step.weight), ADD(streamer.tile_channels);
  ADD(array.busy), ADD(array.adding), ADD(array.tile_done);
  ADD(post.group), ADD(post.tile_end), ADD(post.block_done), ADD(post.tile), ADD(post.lane), ADD(post.pixel);
  ADD(store.read), ADD(store.command), ADD(store.address), ADD(store.beats), ADD(store.data_valid);
  ADD(settled.load_row), ADD(settled.plane), ADD(settled.codes), ADD(settled.release), ADD(settled.window_read);
  ADD(settled.window_take), ADD(settled.read_command);
#undef ADD
  // The bus, by AXI's names.
  add(arvalid_, "axi.arvalid"), add(s.memory.arready, "axi.arready"), add(s.read.araddr, "axi.araddr");
  add(s.read.arlen, "axi.arlen"), add(s.memory.rvalid, "axi.rvalid"), add(s.memory.rlast, "axi.rlast");
  add(s.memory.rresp, "axi.rresp"), add(awvalid_, "axi.awvalid"), add(s.memory.awready, "axi.awready");
  add(s.write.awaddr, "axi.awaddr"), add(s.write.awlen, "axi.awlen"), add(wvalid_, "axi.wvalid");
  add(s.memory.wready, "axi.wready"), add(s.write.wlast, "axi.wlast"), add(s.memory.bvalid, "axi.bvalid");
  add(s.memory.bresp, "axi.bresp");
}

}  // namespace bitstrata::sim::systemc
