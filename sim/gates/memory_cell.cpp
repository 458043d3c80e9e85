// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/memory_cell.h"

#include <stdexcept>

namespace bitstrata::sim::gates {

PlacedMemory read_memory_cell(const JsonCell& source, const std::function<std::vector<NetId>(const char*)>& connected) {
  PlacedMemory m;
  m.name = source.name;
  const auto refuse = [](const char* why) { throw std::invalid_argument(why); };
  // A text of binary digits, the last one the lowest.
  const auto bit = [&](const char* name, std::size_t i) {
    const auto found = source.parameters.find(name);
    return found != source.parameters.end() && i < found->second.size() &&
           found->second[found->second.size() - 1 - i] == '1';
  };
  const auto number = [&](const char* name) {
    int value = 0;
    for (std::size_t i = 0; i < 31; ++i) value |= (bit(name, i) ? 1 : 0) << i;
    return value;
  };
  const auto only_zero = [&](const char* port) {
    for (const NetId net : connected(port))
      if (net != net_zero) refuse("its read registers are reset, which is not simulated");
  };
  m.width = number("WIDTH");
  m.size = number("SIZE");
  m.address_bits = number("ABITS");
  m.offset = number("OFFSET");
  m.read_ports = number("RD_PORTS");
  m.write_ports = number("WR_PORTS");
  only_zero("RD_ARST");
  only_zero("RD_SRST");
  for (int p = 0; p < m.read_ports; ++p) {
    const auto port = static_cast<std::size_t>(p), writes = static_cast<std::size_t>(m.write_ports);
    m.synchronous.push_back(bit("RD_CLK_ENABLE", port));
    if (m.synchronous.back() && !bit("RD_CLK_POLARITY", port)) refuse("it reads at falling edges");
    std::size_t transparent = 0;
    for (std::size_t w = 0; w < writes; ++w) transparent += bit("RD_TRANSPARENCY_MASK", port * writes + w);
    if (transparent != 0 && transparent != writes) refuse("a read port sees some of its writes at once, not all");
    m.transparent.push_back(transparent != 0);
    if (bit("RD_WIDE_CONTINUATION", port)) refuse("it has wide ports");
  }
  for (std::size_t p = 0; p < static_cast<std::size_t>(m.write_ports); ++p) {
    if (!bit("WR_CLK_ENABLE", p) || !bit("WR_CLK_POLARITY", p)) refuse("it does not write at rising edges");
    if (bit("WR_WIDE_CONTINUATION", p)) refuse("it has wide ports");
  }
  m.read_enable = connected("RD_EN");
  m.read_address = connected("RD_ADDR");
  m.read_data = connected("RD_DATA");
  m.write_enable = connected("WR_EN");
  m.write_address = connected("WR_ADDR");
  m.write_data = connected("WR_DATA");
  m.content.resize(static_cast<std::size_t>(m.size) * static_cast<std::size_t>(m.width));
  for (std::size_t i = 0; i < m.content.size(); ++i) m.content[i] = bit("INIT", i);
  return m;
}

}  // namespace bitstrata::sim::gates
