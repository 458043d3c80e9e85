// SPDX-License-Identifier: Apache-2.0
// Valid models with one thing changed: what no test of whole operators and no change of bytes reaches.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace bitstrata::testing {

// Calls `visit` with every mutant of a serialized model: one attribute, constant, input or output of a node, or one
// side of the model's input at an extreme value, too long, too short or missing; `what` names the change. Returns how
// many.
std::size_t for_each_mutant(const std::string& model,
                            const std::function<void(const std::string& bytes, const std::string& what)>& visit);

// One mutant chosen by `seed`; the model itself where the bytes are no model or nothing in it can change.
std::string mutant_of(const std::string& model, std::uint64_t seed);

}  // namespace bitstrata::testing
