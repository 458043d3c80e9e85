// SPDX-License-Identifier: Apache-2.0
// The accelerator's build-time parameters, as written in an architecture YAML file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "model/style.h"

namespace bitstrata::model {

class YamlReader;

// Deterministic timing of the memory behind the AXI4 port, in accelerator cycles.
struct MemoryTiming {
  int read_latency = 20;   // from the accepted read address to the first data beat
  int write_latency = 10;  // from the last accepted data beat to the write response
  int beat_interval = 1;   // cycles between data beats
};

struct Architecture {
  std::string name = "pim-64x64";
  std::string style = "pim";
  // Array. Style pim: `tiles` macros of rows x columns one-bit cells. Style overlay: vectors x columns dot units of
  // `rows` bit products (BISMO's dm x dn x dk).
  int tiles = 1;
  int vectors = 1;
  int rows = 64;
  int columns = 64;
  int fold = 2;  // most planes of activations that short vectors stream at once (planes_at_once)
  int max_weight_bits = 16;
  int max_activation_bits = 16;
  std::vector<int> supported_bits;  // empty: every width up to the maxima
  int accumulator_bits = 48;
  // Shell.
  int data_bits = 64;          // AXI data width and line width of the activation and output buffers; power of two
  int address_width = 32;      // of memory addresses (register BASE; a list's own, counted from there, have 32 at most)
  int count_bits = 16;         // descriptors count rows, pixels, runs, tiles, channels in so many bits
  int activation_depth = 64;   // rows of each activation plane bank (2 * plane_banks of data_bits wide)
  int output_depth = 32;       // rows of each output plane bank, per half (4 * plane_banks in all)
  int weight_depth = 512;      // array rows held by the weight buffer (overlay: planes)
  int load_rows = 4;           // most of them that are written to the cells at once (rows_at_once)
  int psum_depth = 256;        // pixels per accumulator half
  int parameter_depth = 1024;  // groups of post_lanes parameter records
  int post_lanes = 4;          // outputs requantized a cycle
  int burst_beats = 16;        // longest AXI burst
  int outstanding = 4;         // AXI bursts in flight, each direction
  bool skip_planes = false;    // leading activation planes that are zero, or repeat the sign, are not streamed
  bool strips = true;       // tensors before depthwise convolutions lie in strips of channels (rtl/generate/strips.h)
  bool vector_unit = true;  // adds and products of two tensors
  bool swish_unit = true;   // hard swish
  bool table_unit = true;   // activations by table (model/activations.h)
  bool event_counters = true;       // hardware counters of structural events
  bool popcount_tree = false;       // popcounts as trees of adders, for gate-level flows; else $countones
  bool serial_requantizer = false;  // outputs are requantized bit after bit, one at a time, without multipliers
  bool clock_gating = false;        // the array's and the widest other registers are clocked when they load
  double clock_mhz = 200.0;         // the clock the user asks for
  MemoryTiming memory;

  // Cycles from an output group's entry into post-processing to the next one's, and to the write of its codes.
  int post_interval() const { return serial_requantizer ? accumulator_bits + 46 : 1; }
  int post_latency() const { return serial_requantizer ? accumulator_bits + 45 : 11; }
  // Plane banks of the activation and output buffers: the power of two not below max_activation_bits, at least 2.
  int plane_banks() const;
  // What the style decides; throws std::invalid_argument where it is unknown.
  const Style& rules() const { return Style::of(style); }
  bool overlay() const { return style == "overlay"; }
  // "1 x 64 x 64 cells", "8 x 8 dot units of 64 bits".
  std::string array_text() const;
  // One-bit products a cycle.
  std::int64_t bit_products() const { return std::int64_t{tiles} * vectors * rows * columns; }
  // Outputs a macro computes at once with w-bit weights.
  int outputs_per_macro(int weight_bits) const { return columns / rules().columns_of_output(weight_bits); }
  // Planes that enter at once where a vector fills no more than such a part of the rows: each in a part of its own,
  // whose counts are weighted. 1 where rows are no power of two, planes are skipped, and for overlay.
  int planes_at_once() const;
  // Rows of the array that a word of the weight buffer holds, and that are written at once: load_rows, or as many below
  // it as divide the rows and leave the buffer four words. Overlay: a plane of an output.
  int rows_at_once() const;
  // Words of the weight buffer, the bits of one, and those that a row tile of `values` input values and `outputs`
  // outputs of a macro takes.
  int weight_words() const { return weight_depth / rows_at_once(); }
  int weight_word_bits() const { return rows_at_once() * rules().weight_row_bits(rows, columns); }
  std::int64_t words_of_weights(int outputs, int weight_bits, std::int64_t values) const {
    const int at_once = rows_at_once();
    return (rules().weight_rows(outputs, weight_bits, values) + at_once - 1) / at_once;
  }
  // Bits of weights that the cells, or the memories beside the dot units, hold.
  std::int64_t cell_bits() const { return std::int64_t{tiles} * rows * columns * rules().planes_held(max_weight_bits); }
  // Bits held on chip by each buffer, as rtl/bs_top.sv builds them.
  std::int64_t activation_buffer_bits() const;
  std::int64_t output_buffer_bits() const;
  std::int64_t weight_buffer_bits() const;
  std::int64_t partial_sum_bits() const;
};

// "pim-64x64", "pim-2x64x64" (macros, rows, columns), "overlay-8x64x8": how built-in architectures are named after
// their arrays.
std::string array_name(const Architecture& architecture);
// Is the parameter of this key part of such names?
bool in_array_name(const std::string& key);
// What stands behind array_name in the architecture's name ("-gated"); nothing where it is not named so.
std::optional<std::string> behind_array_name(const Architecture& architecture);

// Throws std::invalid_argument saying which parameter is wrong and what would be right.
void validate(const Architecture& architecture);
void save(const Architecture& architecture, const std::filesystem::path& file);
std::string to_text(const Architecture& architecture);  // what `save` writes
// A built-in name or a YAML file; every key is optional, unknown keys are refused with the nearest known one. With a
// key `base`, a built-in name or a file beside this one, keys that are not there are the base's.
Architecture load_architecture(const std::string& name_or_file);
std::vector<std::string> architecture_names();

// Parameters by their keys in the file ("memory.read_latency" for nested ones), for sweeps: all but the name.
std::vector<std::string> architecture_keys();
// Sets one from a YAML value; limits are for `validate` to check. Throws std::runtime_error at the value's place when
// the key is unknown or the value is of another kind.
void set_parameter(Architecture& architecture, const std::string& key, const YamlReader& value);
// All of them: {"style": "pim", "rows": 64, ..., "memory.read_latency": 20, ...}.
nlohmann::json parameters_of(const Architecture& architecture);

}  // namespace bitstrata::model
