// SPDX-License-Identifier: Apache-2.0
#include "model/fpga_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "model/built_in_texts.h"
#include "model/yaml_reader.h"

namespace bitstrata::model {

std::vector<FpgaPart> fpga_parts() {
  std::vector<FpgaPart> parts;
  for (const BuiltInText& text : part_texts()) {
    const YamlReader top = YamlReader::from_text(text.text, fmt::format("{}.yaml (built in)", text.name));
    top.check_keys({"format", "family", "source", "status", "parts"});
    top.check_format("bitstrata-parts-1");
    for (const auto& [name, numbers] : top.at("parts").members()) {
      FpgaPart part{.name = name,
                    .family = top.at("family").as_string(),
                    .source = top.at("source").as_text(),
                    .status = top.at("status").as_string()};
      numbers.check_keys({fpga_part_resources.begin(), fpga_part_resources.end()});
      for (std::size_t r = 0; r < part.has.size(); ++r) {
        part.has[r] = numbers.at(fpga_part_resources[r]).as_int();
        if (part.has[r] < 1) numbers.fail(fmt::format("'{}' must be above 0", fpga_part_resources[r]));
      }
      parts.push_back(std::move(part));
    }
  }
  return parts;
}

FpgaPart find_fpga_part(const std::string& name) {
  std::vector<std::string> names;
  for (FpgaPart& part : fpga_parts()) {
    if (part.name == name) return std::move(part);
    names.push_back(part.name);
  }
  throw std::invalid_argument(
      fmt::format("--device is '{}'; known: {}{}", name, fmt::join(names, ", "), did_you_mean(name, names)));
}

bool FpgaShare::fits() const {
  return std::ranges::all_of(percent, [](double share) { return share <= 100; });
}

FpgaShare share_of(const FpgaPart& part, const FpgaUse& use) {
  const auto of = [&](const char* name) {
    const auto at = std::ranges::find(fpga_resource_names, std::string_view(name)) - fpga_resource_names.begin();
    return use.resources.at(static_cast<std::size_t>(at));
  };
  FpgaShare share{.used = {use.luts, of("ff"), of("bram"), of("dsp")}};
  for (std::size_t r = 0; r < share.used.size(); ++r) share.percent[r] = 100 * share.used[r] / part.has[r];
  return share;
}

std::string share_text(const FpgaPart& part, const FpgaShare& share) {
  std::string text, beyond;
  for (std::size_t r = 0; r < share.used.size(); ++r) {
    text += fmt::format("{}{:.0f} of {} {} ({:.3g} %)", r == 0 ? "" : ", ", share.used[r], part.has[r],
                        fpga_part_resources[r], share.percent[r]);
    if (share.percent[r] > 100) beyond += fmt::format("{}{}", beyond.empty() ? "" : ", ", fpga_part_resources[r]);
  }
  return beyond.empty() ? text : fmt::format("{}: DOES NOT FIT, for want of {}", text, beyond);
}

nlohmann::json share_json(const FpgaPart& part, const FpgaShare& share) {
  nlohmann::json json = {
      {"device", part.name}, {"source", part.source}, {"status", part.status}, {"fits", share.fits()}};
  for (std::size_t r = 0; r < share.used.size(); ++r)
    json["resources"][fpga_part_resources[r]] = {
        {"used", share.used[r]}, {"has", part.has[r]}, {"percent", share.percent[r]}};
  return json;
}

}  // namespace bitstrata::model
