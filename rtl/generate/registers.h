// SPDX-License-Identifier: Apache-2.0
// The contract's other half: the control registers. The RTL's offsets (rtl/bs_registers.svh), docs/registers.md, the
// register table and the C header of generated designs come from this list (contract.h).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

// X(name, byte offset, access, what it says): access is r, w or rw.
#define BITSTRATA_REGISTERS(X)                                                                                         \
  X(CONTROL, 0x00, w,                                                                                                  \
    "bit 0: run the list; bit 1: reset the accelerator (one write, clears itself; it lets memory bursts under way "    \
    "end "                                                                                                             \
    "first: running falls when it is done)")                                                                           \
  X(STATUS, 0x04, r,                                                                                                   \
    "bit 0: running, or memory bursts under way behind an error or reset; bit 1: done; bits 3:2: error (1 descriptor " \
    "or address, 2 memory, 3 no progress or beyond LIMIT); bits 31:16: layers done")                                   \
  X(INTERRUPT, 0x08, rw, "bit 0: enable; bit 1: pending (done or error), write 1 to clear")                            \
  X(LIST, 0x0C, rw, "address of the first descriptor, counted from BASE, a multiple of a beat's bytes")                \
  X(WATCHDOG, 0x10, rw, "cycles without progress that end the run with error 3; 0: never; 1,000,000 after reset")      \
  X(VERSION, 0x14, r, "0xB175 in bits 31:16, version of this interface in bits 15:0")                                  \
  X(SHAPE, 0x18, r, "rows in bits 11:0, columns in bits 23:12, tiles in bits 31:24")                                   \
  X(SELECT, 0x1C, rw, "event counter that EVENT_LOW and EVENT_HIGH show")                                              \
  X(EVENT_LOW, 0x20, r, "bits 31:0 of the counter")                                                                    \
  X(EVENT_HIGH, 0x24, r, "bits 47:32 of the counter")                                                                  \
  X(STYLE, 0x28, r, "bit 0: overlay (else pim); vectors in bits 15:8")                                                 \
  X(CONFIGURATION, 0x2C, r,                                                                                            \
    "hash of the parameters that descriptor lists are made for: lists of another one end with error 1; 0: not "        \
    "checked")                                                                                                         \
  X(CAPABILITIES, 0x30, r,                                                                                             \
    "most weight bits in bits 4:0, most activation bits in bits 9:5, log2 of a beat's bytes in bits 12:10; units: "    \
    "sums "                                                                                                            \
    "and products of two tensors bit 16, hard swish bit 17, tables bit 18; bit 19: skips planes; bit 20: counts "      \
    "events; width of addresses in bits 27:21; bit 28: strips of channels")                                            \
  X(LIMIT, 0x34, rw, "cycles of a run that end it with error 3, whatever it does; 0, as after reset: none")            \
  X(BASE, 0x38, rw,                                                                                                    \
    "bits 31:0 of the address where the memory image lies: all addresses of a list are counted from there. A "         \
    "multiple "                                                                                                        \
    "of 4096, or a run ends with error 1; read when a run begins; 0 after reset")                                      \
  X(BASE_HIGH, 0x3C, rw, "bits 63:32 of it; those beyond the width of addresses stay 0")

namespace bitstrata::generate {

enum Register : std::uint32_t {
#define X(name, offset, ...) R_##name = offset,
  BITSTRATA_REGISTERS(X)
#undef X
};

struct RegisterInfo {
  std::string_view name;
  std::uint32_t offset;
  std::string_view access, meaning;
};

inline constexpr std::array control_registers = {
#define X(name, offset, access, meaning) RegisterInfo{#name, offset, #access, meaning},
    BITSTRATA_REGISTERS(X)
#undef X
};

inline constexpr std::uint32_t interface_version = 0xB1750004;

}  // namespace bitstrata::generate
