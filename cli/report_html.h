// SPDX-License-Identifier: Apache-2.0
// The report as one HTML page that needs nothing beside it.
#pragma once

#include <map>
#include <string>

#include "cli/report_rows.h"

namespace bitstrata::cli {

// `pictures` as draw_pictures returns them; `missing` says why there are none, else it is empty.
std::string report_html(const Report& report, const std::map<std::string, std::string>& pictures,
                        const std::string& missing);

}  // namespace bitstrata::cli
