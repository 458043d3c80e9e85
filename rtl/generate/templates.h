// SPDX-License-Identifier: Apache-2.0
// The files of rtl/generate/templates, compiled in, and their placeholders.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "rtl/generate/rtl_files.h"

namespace bitstrata::generate {

const std::vector<RtlFile>& template_files();

// The template `name` with every @KEY@ replaced. Throws std::logic_error for a key without a value and for a value
// without a key: templates and code change together.
std::string fill_template(std::string_view name, const std::map<std::string, std::string>& values);

}  // namespace bitstrata::generate
