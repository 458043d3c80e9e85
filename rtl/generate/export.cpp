// SPDX-License-Identifier: Apache-2.0
#include "rtl/generate/export.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <stdexcept>
#include <string_view>

#include "model/output_file.h"
#include "rtl/generate/contract.h"
#include "rtl/generate/rtl_files.h"
#include "rtl/generate/templates.h"

namespace bitstrata::generate {

namespace fs = std::filesystem;

namespace {

using Values = std::map<std::string, std::string>;

// What each parameter of bs_top means, for the README.
constexpr std::pair<std::string_view, std::string_view> parameter_meanings[] = {
    {"OVERLAY", "style: 0 pim, 1 overlay"},
    {"VECTORS", "overlay: vectors at once (dm)"},
    {"STRIPS", "1: tensors before depthwise convolutions lie in strips of channels"},
    {"FOLD", "most planes of a short vector at once, each in a part of the rows"},
    {"LOAD_ROWS", "rows of the array in a word of the weight buffer, written at once"},
    {"SKIP_PLANES", "1: leading planes that are zero or repeat the sign are not streamed"},
    {"TILES", "macros"},
    {"ROWS", "cells of a column; overlay: bit products of a dot unit (dk)"},
    {"COLUMNS", "columns of a macro, a w-bit weight takes w of them; overlay: outputs at once (dn)"},
    {"MAX_WEIGHT_BITS", "widest weights"},
    {"MAX_ACTIVATION_BITS", "widest activations"},
    {"BANKS", "plane banks of the activation and output buffers"},
    {"ACC_WIDTH", "bits of an accumulator"},
    {"DATA_WIDTH", "bits of an AXI beat and of a buffer line"},
    {"ADDRESS_WIDTH", "bits of a memory address; the image lies where BASE says"},
    {"COUNT_WIDTH", "bits of counts of rows, pixels, tiles and channels; places in a row have four more"},
    {"ACTIVATION_DEPTH", "lines of each activation bank"},
    {"OUTPUT_DEPTH", "lines of each output bank, per half"},
    {"WEIGHT_DEPTH", "rows held by the weight buffer, of cells or (overlay) of a plane of an output's weights"},
    {"PSUM_DEPTH", "pixels an accumulator half holds"},
    {"PARAMETER_DEPTH", "groups of POST_LANES parameter records"},
    {"POST_LANES", "outputs requantized a cycle"},
    {"BURST_BEATS", "longest AXI burst"},
    {"OUTSTANDING", "AXI bursts in flight, each direction"},
    {"VECTOR_UNIT", "1: adds and products of two tensors are built in"},
    {"SWISH_UNIT", "1: hard swish is built in"},
    {"TABLE_UNIT", "1: activations by table are built in"},
    {"EVENT_COUNTERS", "1: counters of structural events are built in"},
    {"POPCOUNT_TREE", "1: popcounts as trees of adders (gate-level flows), 0: $countones"},
    {"SERIAL_REQUANTIZER", "1: outputs are requantized bit after bit, ACC_WIDTH + 46 cycles each, without multipliers"},
    {"CLOCK_GATING", "1: the array's registers are clocked when they load (bs_clock_gate.sv)"},
    {"CONFIGURATION", "hash that descriptor lists must carry (register CONFIGURATION); 0: any list"},
};

std::string parameter_rows(const model::Architecture& architecture) {
  std::string rows;
  for (const auto& [name, value] : rtl_parameters(architecture)) {
    const auto* meaning = std::find_if(std::begin(parameter_meanings), std::end(parameter_meanings),
                                       [&, &key = name](const auto& entry) { return entry.first == key; });
    if (meaning == std::end(parameter_meanings)) throw std::logic_error("no meaning for parameter " + name);
    rows += fmt::format("{}| {} | {} | {} |", rows.empty() ? "" : "\n", name, value, meaning->second);
  }
  return rows;
}

class Writer {
 public:
  explicit Writer(fs::path folder) : folder_(std::move(folder)) {}
  void write(const std::string& name, std::string_view text, bool program = false) {
    const fs::path path = folder_ / name;
    fs::create_directories(path.parent_path());
    model::write_whole(path, text);
    if (program) {
      fs::permissions(path, fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec,
                      fs::perm_options::add);
    }
  }

 private:
  fs::path folder_;
};

// One beat a line, most significant digit first, as $readmemh reads it.
void append_hex(std::string& text, const std::vector<std::uint8_t>& memory, std::size_t address, std::size_t bytes,
                std::size_t beat_bytes) {
  constexpr char digits[] = "0123456789abcdef";
  for (std::size_t at = address; at < address + bytes; at += beat_bytes) {
    for (std::size_t i = beat_bytes; i-- > 0;) {
      const unsigned byte = at + i < memory.size() ? memory[at + i] : 0u;
      text += digits[byte >> 4];
      text += digits[byte & 15];
    }
    text += '\n';
  }
}

std::int64_t total(const std::vector<std::int64_t>& cycles) {
  return std::accumulate(cycles.begin(), cycles.end(), std::int64_t{0});
}

const char* kind_name(Opcode opcode) {
  switch (opcode) {
    case OP_CONVOLUTION:
      return "convolution";
    case OP_MAX_POOL:
      return "max pooling";
    case OP_AVERAGE_POOL:
      return "average pooling";
    case OP_ADD:
      return "add";
    case OP_MULTIPLY:
      return "multiply";
    case OP_COPY:
      return "copy";
  }
  return "unknown";
}

// Bytes of a tensor's images, which follow each other in a batch.
std::size_t batch_bytes(const Program& program, std::size_t tensor) {
  return static_cast<std::size_t>(program.batch) * program.tensors[tensor].bytes;
}

std::string network_section(const model::Architecture& a, const TestVectors& v) {
  const Program& p = v.program;
  std::vector<std::string> tensor_names(p.tensors.size(), "input");
  for (std::size_t i = 0; i < p.layer_names.size(); ++i) {
    tensor_names[static_cast<std::size_t>(p.layer_output[i])] = p.layer_names[i];
  }
  const auto tensor_at = [&](std::uint32_t address) {
    // Pieces of a layer begin inside their tensors.
    for (std::size_t t = 0; t < p.tensors.size(); ++t) {
      if (address >= p.tensors[t].address && address - p.tensors[t].address < batch_bytes(p, t)) return tensor_names[t];
    }
    throw std::logic_error("a layer reads no tensor of its program");
  };
  std::string layers, tensors;
  for (std::size_t i = 0; i < p.descriptors.size(); ++i) {
    const Descriptor& d = p.descriptors[i];
    const bool convolution = d.opcode() == OP_CONVOLUTION;
    layers +=
        fmt::format("{}| {} {} | {} | {} | {} | {} | {} | {} | {:#010x} |", layers.empty() ? "" : "\n", i,
                    p.layer_names[static_cast<std::size_t>(p.descriptor_layer[i])], kind_name(d.opcode()),
                    convolution ? std::to_string(d.weight_bits()) : "-", tensor_at(d.get<F_IN_ADDRESS>()),
                    tensor_at(d.get<F_OUT_ADDRESS>()), v.cycles.empty() ? "-" : std::to_string(v.cycles[i]),
                    convolution ? fmt::format("{:#010x}", d.get<F_WEIGHT_ADDRESS>()) : "-", d.get<F_PARAM_ADDRESS>());
  }
  for (std::size_t t = 0; t < p.tensors.size(); ++t) {
    const auto& format = p.formats[t];
    tensors +=
        fmt::format("{}| {} | {:#010x} | {} | {} x {} x {} | {} | {} | {} |", tensors.empty() ? "" : "\n",
                    tensor_names[t], p.tensors[t].address, batch_bytes(p, t), format.shape.height, format.shape.width,
                    format.shape.channels, format.bits, to_string(format.coding), format.zero_point);
  }
  const auto images = static_cast<std::int64_t>(v.tensors.size());
  const std::int64_t cycles = total(v.cycles) * (images / p.batch);
  return fill_template(
      "README_network.md",
      {{"NETWORK_NAME", v.network},
       {"LAYER_COUNT", std::to_string(p.descriptors.size())},
       {"WEIGHTS", v.weights},
       {"IMAGES_FROM", v.images},
       {"IMAGE_COUNT", p.batch > 1 ? fmt::format("{}, {} a run", images, p.batch) : std::to_string(images)},
       {"MEMORY_BYTES", std::to_string(p.memory_bytes)},
       {"DATA_BITS", std::to_string(a.data_bits)},
       {"LIST_ADDRESS", fmt::format("{:#010x}", p.list_address)},
       {"LAYERS", layers},
       {"TENSORS", tensors},
       {"BATCH_LAYOUT", p.batch == 1
                            ? ""
                            : fmt::format("\nA run has {} images: the rows of the second follow those of the first, "
                                          "and so on. Bytes are those of all of them.",
                                          p.batch)},
       {"CYCLES", v.cycles.empty() ? "an unknown number of" : std::to_string(cycles)},
       {"ICARUS_SECONDS", v.cycles.empty() ? "an unknown number of"
                                           : fmt::format("{:.0f}", std::max(1.0, static_cast<double>(cycles) /
                                                                                     icarus_cycles_per_second(a)))},
       {"READ_LATENCY", std::to_string(a.memory.read_latency)},
       {"WRITE_LATENCY", std::to_string(a.memory.write_latency)},
       {"BEAT_INTERVAL", std::to_string(a.memory.beat_interval)}});
}

void write_testbench(const model::Architecture& a, const TestVectors& v, const Board* board, Writer& writer) {
  const Program& p = v.program;
  const auto beat_bytes = static_cast<std::size_t>(a.data_bits / 8);
  const std::size_t memory_beats = (p.memory_bytes + beat_bytes - 1) / beat_bytes;
  std::string memory, images, expected, table;
  append_hex(memory, memory_image(p), 0, memory_beats * beat_bytes, beat_bytes);
  const auto batch = static_cast<std::size_t>(p.batch);
  if (v.tensors.size() % batch != 0) throw std::invalid_argument("the testbench runs whole batches of images only");
  for (std::size_t first = 0; first < v.tensors.size(); first += batch) {
    std::vector<std::uint8_t> bytes(p.memory_bytes, 0);
    for (std::size_t i = 0; i < batch; ++i) {
      const auto& tensors = v.tensors[first + i];
      for (std::size_t t = 0; t < tensors.size(); ++t)
        write_tensor(p, static_cast<int>(t), tensors[t], bytes, static_cast<int>(i));
    }
    append_hex(images, bytes, p.tensors[0].address, batch_bytes(p, 0), beat_bytes);
    for (const int output : p.layer_output) {
      const auto tensor = static_cast<std::size_t>(output);
      append_hex(expected, bytes, p.tensors[tensor].address, batch_bytes(p, tensor), beat_bytes);
    }
  }
  std::size_t from = 0;
  for (std::size_t i = 0; i < p.descriptors.size(); ++i) {
    const auto layer = static_cast<std::size_t>(p.descriptor_layer[i]);
    const auto output = static_cast<std::size_t>(p.layer_output[layer]);
    const auto& place = p.tensors[output];
    // A layer in pieces is compared once.
    const bool complete = i + 1 == p.descriptors.size() || p.descriptor_layer[i + 1] != p.descriptor_layer[i];
    const auto& format = p.formats[output];
    table += fmt::format("{:08x} {:08x} {:08x} {:08x} {:08x} {:08x} {:08x} 00000000 // {}\n",
                         place.address / beat_bytes, place.row_lines, format.bits,
                         complete ? p.batch * format.shape.height : 0, format.shape.width * format.shape.channels, from,
                         v.cycles.empty() ? 0 : v.cycles[i], p.layer_names[layer]);
    if (complete) from += batch_bytes(p, output) / beat_bytes;
  }
  const unsigned shape = static_cast<unsigned>(a.tiles & 255) << 24 | static_cast<unsigned>(a.columns & 4095) << 12 |
                         static_cast<unsigned>(a.rows & 4095);
  // Long enough for any memory the plus arguments may ask for.
  const auto slowest = 100 + std::int64_t{a.memory.read_latency} + a.memory.write_latency + a.memory.beat_interval;
  writer.write("sim/tb_bitstrata.sv",
               fill_template("tb_bitstrata.sv", {{"DATA_WIDTH", std::to_string(a.data_bits)},
                                                 {"ADDRESS_WIDTH", std::to_string(a.address_width)},
                                                 {"LAYERS", std::to_string(p.descriptors.size())},
                                                 {"RUNS", std::to_string(v.tensors.size() / batch)},
                                                 {"BATCH", std::to_string(p.batch)},
                                                 {"MEMORY_BEATS", std::to_string(memory_beats)},
                                                 {"INPUT_BEAT", std::to_string(p.tensors[0].address / beat_bytes)},
                                                 {"INPUT_BEATS", std::to_string(batch_bytes(p, 0) / beat_bytes)},
                                                 {"OUTPUT_BEATS", std::to_string(from)},
                                                 {"COMPARE_CYCLES", v.cycles.empty() ? "0" : "1"},
                                                 {"LIST_ADDRESS", fmt::format("{:08x}", p.list_address)},
                                                 {"SHAPE", fmt::format("{:08x}", shape)},
                                                 {"STYLE", fmt::format("{:08x}", a.vectors << 8 | a.rules().number)},
                                                 {"WATCHDOG", std::to_string(1000 * slowest)},
                                                 {"TIMEOUT", std::to_string(100 * total(v.cycles) + 100'000'000)},
                                                 {"READ_LATENCY", std::to_string(a.memory.read_latency)},
                                                 {"WRITE_LATENCY", std::to_string(a.memory.write_latency)},
                                                 {"BEAT_INTERVAL", std::to_string(a.memory.beat_interval)}}));
  if (board != nullptr) {
    writer.write("sim/tb_serial.sv",
                 fill_template("tb_serial.sv", {{"BOARD_TOP", board->top()},
                                                {"DATA_WIDTH", std::to_string(a.data_bits)},
                                                {"DIVIDER", std::to_string(board->divider)},
                                                {"LAYERS", std::to_string(p.descriptors.size())},
                                                {"RUNS", std::to_string(v.tensors.size() / batch)},
                                                {"BATCH", std::to_string(p.batch)},
                                                {"MEMORY_BEATS", std::to_string(memory_beats)},
                                                {"INPUT_BEAT", std::to_string(p.tensors[0].address / beat_bytes)},
                                                {"INPUT_BEATS", std::to_string(batch_bytes(p, 0) / beat_bytes)},
                                                {"OUTPUT_BEATS", std::to_string(from)},
                                                {"COMPARE_CYCLES", v.cycles.empty() ? "0" : "1"},
                                                {"TIMEOUT", std::to_string(2 * total(v.cycles) + 2'000'000)}}));
    writer.write("sim/run_serial.sh", fill_template("run_serial.sh", {{"BOARD_TOP", board->top()}}), true);
  }
  writer.write("sim/memory.hex", memory);
  writer.write("sim/images.hex", images);
  writer.write("sim/expected.hex", expected);
  writer.write("sim/tensors.hex", table);
  writer.write("sim/run_icarus.sh", fill_template("run_icarus.sh", {}), true);
  writer.write("sim/run_verilator.sh", fill_template("run_verilator.sh", {}), true);
}

// The board's top module, its pins and the script that makes its bitstream.
void write_board(const model::Architecture& a, const Board& board, const std::string& sources, Writer& writer) {
  const RtlFile& wrapper = serial_rtl();
  writer.write(fmt::format("rtl/{}", wrapper.name), wrapper.text);
  writer.write(fmt::format("rtl/{}.sv", board.top()),
               fill_template("board_top.sv", {{"BOARD", board.name},
                                              {"BOARD_TEXT", board.text},
                                              {"BOARD_TOP", board.top()},
                                              {"MEMORY_BYTES", std::to_string(board.memory_bytes)},
                                              {"MEMORY_WORDS", std::to_string(board.memory_bytes * 8 / a.data_bits)},
                                              {"BAUD", std::to_string(board.baud())},
                                              {"CLOCK_MHZ", std::to_string(board.clock_mhz)},
                                              {"DIVIDER", std::to_string(board.divider)},
                                              {"DATA_WIDTH", std::to_string(a.data_bits)},
                                              {"ADDRESS_WIDTH", std::to_string(a.address_width)}}));
  std::string pins;
  for (const auto& [port, pin] : board.pins) pins += fmt::format("{}set_io {} {}", pins.empty() ? "" : "\n", port, pin);
  writer.write(fmt::format("synth/{}.pcf", board.name),
               fill_template("ice40.pcf", {{"BOARD_TEXT", board.text}, {"PINS", pins}}));
  writer.write("synth/ice40.sh",
               fill_template("ice40.sh",
                             {{"BOARD", board.name},
                              {"BOARD_TOP", board.top()},
                              {"DEVICE", board.device},
                              {"PACKAGE", board.package},
                              {"CLOCK_MHZ", std::to_string(board.clock_mhz)},
                              {"RTL_SOURCES", fmt::format("{} rtl/{} rtl/{}.sv", sources, wrapper.name, board.top())}}),
               true);
}

std::string board_section(const Board& board, bool simulated) {
  return fill_template(
      "README_board.md",
      {{"BOARD", board.name},
       {"BOARD_TEXT", board.text},
       {"BOARD_TOP", board.top()},
       {"MEMORY_BYTES", std::to_string(board.memory_bytes)},
       {"BAUD", std::to_string(board.baud())},
       {"CELLS", std::to_string(board.cells)},
       {"BLOCK_RAMS", std::to_string(board.block_rams)},
       {"CLOCK_MHZ", std::to_string(board.clock_mhz)},
       {"SIMULATION",
        simulated ? "    sim/run_serial.sh             # the network over the serial line, against golden vectors\n"
                    "    sim/run_serial.sh netlist     # the same with the cells that synth/ice40.sh left\n"
                  : ""}});
}

std::string board_contents(const Board& board, bool simulated) {
  return fmt::format("| `synth/ice40.sh`, `synth/{}.pcf` | bitstream for board {} |\n{}", board.name, board.name,
                     simulated ? "| `sim/run_serial.sh` | the network on that board, over its serial line |\n" : "");
}

constexpr const char* sim_contents =
    "| `sim/run_icarus.sh`, `sim/run_verilator.sh` | the self-checking testbench; status 0 and `PASS` when all is "
    "equal |\n| `sim/*.hex` | memory image, input images, expected outputs, table of output tensors |\n";

}  // namespace

double icarus_cycles_per_second(const model::Architecture& a) {
  // Measured on an idle core: 3400 cycles/s for one macro of 16x16, 1480 for 64x64.
  return 1e6 / (217.0 + 0.2 * a.tiles * a.vectors * a.columns * (20.0 + a.rows / 4.0));
}

DesignFolder::DesignFolder(fs::path folder, bool replace) : folder_(std::move(folder)), replace_(replace) {
  folder_ = fs::absolute(folder_).lexically_normal();
  if (!folder_.has_filename()) folder_ = folder_.parent_path();
  if (fs::exists(folder_)) {
    if (!fs::is_directory(folder_)) throw std::invalid_argument(fmt::format("'{}' is not a folder", folder_.string()));
    const bool empty = fs::is_empty(folder_);
    if (!empty && !replace) {
      throw std::invalid_argument(fmt::format("'{}' is not empty; --force replaces a design", folder_.string()));
    }
    if (!empty && !fs::exists(folder_ / "rtl" / fmt::format("{}.sv", top_module))) {
      throw std::invalid_argument(
          fmt::format("'{}' holds something else than a generated design; it is left alone", folder_.string()));
    }
  }
  work_ = folder_.parent_path() / fmt::format(".{}.partial-{}", folder_.filename().string(), getpid());
  std::error_code error;
  for (fs::path at = folder_.parent_path(); !at.empty() && !fs::exists(at, error); at = at.parent_path()) {
    made_.insert(made_.begin(), at);
  }
  // Registered together with making it, so that an interrupted run leaves no half design.
  const auto held = model::hold_interrupts();
  fs::create_directories(work_, error);
  if (error) {
    discard();
    throw std::runtime_error(fmt::format("cannot write to '{}': {}", folder_.parent_path().string(), error.message()));
  }
  interrupted_.emplace([this] { discard(); });
}

DesignFolder::~DesignFolder() {
  interrupted_.reset();
  if (!published_) discard();
}

void DesignFolder::discard() {
  std::error_code ignored;
  fs::remove_all(work_, ignored);
  // Only empty folders go: fs::remove leaves a folder alone that holds something.
  for (auto at = made_.rbegin(); at != made_.rend(); ++at) fs::remove(*at, ignored);
}

void DesignFolder::publish() {
  if (replace_ && fs::exists(folder_)) {
    const fs::path old = work_.string() + "-old";
    fs::rename(folder_, old);
    fs::rename(work_, folder_);
    fs::remove_all(old);
  } else {
    fs::rename(work_, folder_);
  }
  published_ = true;
}

std::vector<std::string> write_design(const model::Architecture& a, const TestVectors* vectors,
                                      const Provenance& provenance, const fs::path& folder, const Board* board) {
  if (board != nullptr) check_board(*board, a, vectors != nullptr ? &vectors->program : nullptr);
  const std::vector<std::string> names = write_rtl(a, a.event_counters, folder / "rtl");
  Writer writer(folder);
  std::string list = "+incdir+rtl\n", sources;
  for (const auto& name : names) {
    list += "rtl/" + name + "\n";
    sources += (sources.empty() ? "rtl/" : " rtl/") + name;
  }
  writer.write("rtl/files.f", list);
  writer.write("sw/bitstrata.h", c_header(configuration_of(a)));
  const std::string clock_ns = fmt::format("{:.3f}", 1000.0 / a.clock_mhz);
  const std::string names_text = fmt::format("{}", fmt::join(names, " "));
  writer.write("synth/yosys.ys", fill_template("yosys.ys", {{"RTL_SOURCES", sources}}));
  writer.write("synth/yosys_ice40.ys", fill_template("yosys_ice40.ys", {{"RTL_SOURCES", sources}}));
  writer.write("synth/run_yosys.sh", fill_template("run_yosys.sh", {}), true);
  const Values vendor = {{"RTL_NAMES", names_text}, {"CLOCK_NS", clock_ns}};
  writer.write("synth/vivado.tcl", fill_template("vivado.tcl", vendor));
  writer.write("synth/quartus.tcl", fill_template("quartus.tcl", vendor));
  if (board != nullptr) write_board(a, *board, sources, writer);
  if (vectors) write_testbench(a, *vectors, board, writer);
  writer.write("README.md",
               fill_template("README.md", {{"ARCHITECTURE", a.name},
                                           {"STYLE", a.style},
                                           {"ARRAY", a.array_text()},
                                           {"MAX_WEIGHT_BITS", std::to_string(a.max_weight_bits)},
                                           {"MAX_ACTIVATION_BITS", std::to_string(a.max_activation_bits)},
                                           {"DATA_BITS", std::to_string(a.data_bits)},
                                           {"ADDRESS_WIDTH", std::to_string(a.address_width)},
                                           {"BEAT_BYTES", std::to_string(a.data_bits / 8)},
                                           {"BURST_BEATS", std::to_string(a.burst_beats)},
                                           {"OUTSTANDING", std::to_string(a.outstanding)},
                                           {"VERSION", provenance.version},
                                           {"COMMAND", provenance.command},
                                           {"SIM_CONTENTS", vectors ? sim_contents : ""},
                                           {"PARAMETERS", parameter_rows(a)},
                                           {"REGISTERS", register_rows()},
                                           {"NETWORK", vectors ? network_section(a, *vectors) : ""},
                                           {"BOARD_CONTENTS", board ? board_contents(*board, vectors) : ""},
                                           {"BOARD", board ? board_section(*board, vectors) : ""},
                                           {"CLOCK_MHZ", fmt::format("{:g}", a.clock_mhz)},
                                           {"CLOCK_NS", clock_ns}}));
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(fs::relative(entry.path(), folder).generic_string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace bitstrata::generate
