// SPDX-License-Identifier: Apache-2.0
// Runs a workload on one of the three engines and gathers what the verbs report.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cli/workload.h"
#include "model/cost.h"
#include "sim/engine.h"

namespace bitstrata::cli {

const std::vector<std::string>& engine_names();
// An engine that executes data: "systemc" or "rtl".
std::unique_ptr<sim::Engine> make_engine(const std::string& name, const model::Architecture& architecture,
                                         bool toggles = false);

// Events of every layer by the fast engine; with skip_planes the most there can be.
std::vector<model::Events> predict_layers(const generate::Program& program);
// Called with the golden codes of a layer's output, of image `image` of the batch.
using SeeGolden = std::function<void(std::size_t layer, std::size_t image, const model::Codes& codes)>;
// Exact on accelerators that skip planes too, where `images`, one batch, go through the golden arithmetic for it. They
// do as well where `see` is given.
std::vector<model::Events> predict_layers(const generate::Program& program, std::span<const model::Codes> images,
                                          const SeeGolden& see = {});

// Joins the events with what is known of the layers.
model::Measurement measurement_of(const Workload& workload, model::Origin origin,
                                  const std::vector<model::Events>& events);

// Share of the array's bit products that were needed: batch x macs x weight_bits x activation_bits of all
// cycles x the one-bit products of a cycle (Architecture::bit_products).
double utilization(const model::LayerMeasurement& layer, int batch, const model::Architecture& architecture);

// Calls `work` with 0..count-1 on `threads` threads; rethrows the first exception.
void for_each_in_parallel(std::size_t count, int threads, const std::function<void(std::size_t)>& work);

}  // namespace bitstrata::cli
