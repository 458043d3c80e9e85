// SPDX-License-Identifier: Apache-2.0
// Source of the small C interface that is compiled together with the Verilated accelerator into a shared library.
#pragma once

namespace bitstrata::sim {

// Everything that crosses the library's border, as plain C. Data buses are arrays of 32-bit words.
struct RtlSlaveSignals {
  unsigned char arready, rvalid, rlast, awready, wready, bvalid, rresp, bresp;
  unsigned rdata[8];
};
struct RtlMasterSignals {
  unsigned char arvalid, awvalid, wvalid, wlast, arlen, awlen, layer_done, interrupt;
  unsigned long long araddr, awaddr;
  unsigned wstrb;
  unsigned constants;  // AWPROT, AWCACHE, AWBURST, AWSIZE in bits 27:16, those of AR in 11:0
  unsigned wdata[8];
};

inline constexpr char rtl_shim_text[] = R"~~~(
#include "Vbitstrata_top.h"
#include "Vbitstrata_top___024root.h"
#include "verilated.h"
#include <cstring>
#include <type_traits>

struct SlaveSignals {
  unsigned char arready, rvalid, rlast, awready, wready, bvalid, rresp, bresp;
  unsigned rdata[8];
};
struct MasterSignals {
  unsigned char arvalid, awvalid, wvalid, wlast, arlen, awlen, layer_done, interrupt;
  unsigned long long araddr, awaddr;
  unsigned wstrb;
  unsigned constants;
  unsigned wdata[8];
};

namespace {
// Data buses are an integer up to 64 bits and an array of words above.
template <class T>
void to_bus(T& bus, const unsigned* words) { std::memcpy(&bus, words, sizeof(bus)); }
template <class T>
void from_bus(unsigned* words, const T& bus) { std::memcpy(words, &bus, sizeof(bus)); }
#ifdef BS_TOGGLES
thread_local long long* toggles;
#endif
struct Model {
#ifdef BS_TOGGLES
  long long toggles[16] = {};
#endif
  VerilatedContext context;
  Vbitstrata_top top{&context, ""};
};
}  // namespace

#ifdef BS_TOGGLES
// Called by the monitors of bs_toggles.sv while a model is evaluated.
extern "C" void bs_toggle(int kind, int bits) { toggles[kind] += bits; }
#endif

extern "C" {
void* bs_create() { return new Model; }
void bs_destroy(void* handle) { delete static_cast<Model*>(handle); }
// Sets the inputs of the cycle and returns the outputs they lead to.
void bs_settle(void* handle, const SlaveSignals* in, MasterSignals* out) {
  Vbitstrata_top& t = static_cast<Model*>(handle)->top;
  t.m_axi_arready_i = in->arready;
  t.m_axi_rvalid_i = in->rvalid;
  t.m_axi_rlast_i = in->rlast;
  t.m_axi_rresp_i = in->rresp;
  to_bus(t.m_axi_rdata_i, in->rdata);
  t.m_axi_awready_i = in->awready;
  t.m_axi_wready_i = in->wready;
  t.m_axi_bvalid_i = in->bvalid;
  t.m_axi_bresp_i = in->bresp;
  t.clk_i = 0;
  t.eval();
  out->arvalid = t.m_axi_arvalid_o;
  out->araddr = t.m_axi_araddr_o;
  out->arlen = t.m_axi_arlen_o;
  out->awvalid = t.m_axi_awvalid_o;
  out->awaddr = t.m_axi_awaddr_o;
  out->awlen = t.m_axi_awlen_o;
  out->wvalid = t.m_axi_wvalid_o;
  out->wlast = t.m_axi_wlast_o;
  out->wstrb = t.m_axi_wstrb_o;
  if (out->wvalid) from_bus(out->wdata, t.m_axi_wdata_o);
  out->constants = (t.m_axi_awprot_o << 9 | t.m_axi_awcache_o << 5 | t.m_axi_awburst_o << 3 | t.m_axi_awsize_o) << 16 |
                   t.m_axi_arprot_o << 9 | t.m_axi_arcache_o << 5 | t.m_axi_arburst_o << 3 | t.m_axi_arsize_o;
  out->layer_done = t.layer_done_o;
  out->interrupt = t.interrupt_o;
}
// The clock edge that ends the cycle.
void bs_edge(void* handle) {
  Vbitstrata_top& t = static_cast<Model*>(handle)->top;
#ifdef BS_TOGGLES
  toggles = static_cast<Model*>(handle)->toggles;
#endif
  t.clk_i = 1;
  t.eval();
}
void bs_set_reset(void* handle, int active) { static_cast<Model*>(handle)->top.rst_ni = !active; }
// AXI4-Lite signals of the cycle; call before bs_settle.
void bs_control(void* handle, int write, int read, unsigned address, unsigned data) {
  Vbitstrata_top& t = static_cast<Model*>(handle)->top;
  t.s_axil_awvalid_i = write;
  t.s_axil_wvalid_i = write;
  t.s_axil_arvalid_i = read;
  t.s_axil_awaddr_i = address;
  t.s_axil_araddr_i = address;
  t.s_axil_wdata_i = data;
  t.s_axil_wstrb_i = 15;
  t.s_axil_bready_i = 1;
  t.s_axil_rready_i = 1;
}
int bs_control_done(void* handle, unsigned* data) {
  Vbitstrata_top& t = static_cast<Model*>(handle)->top;
  *data = t.s_axil_rdata_o;
  return t.s_axil_bvalid_o || t.s_axil_rvalid_o;
}
// Cumulative event counters, in the order of model/events.h.
void bs_events(void* handle, long long* counts) {
  auto& c = static_cast<Model*>(handle)
                ->top.rootp->bitstrata_top__DOT__u_top__DOT__u_events__DOT__g_counters__DOT__count_q;
  for (int i = 0; i < 24; ++i) counts[i] = static_cast<long long>(c[i]);
}
#ifdef BS_TOGGLES
// Cumulative toggle events, in the order of model/events.h.
void bs_toggles(void* handle, long long* counts) {
  std::memcpy(counts, static_cast<Model*>(handle)->toggles, sizeof(Model::toggles));
}
#endif
#ifdef BITSTRATA_PROFILE
// Writes what the instrumented code counted.
void __gcov_dump(void);
void bs_profile(void) { __gcov_dump(); }
#endif
}
)~~~";

}  // namespace bitstrata::sim
