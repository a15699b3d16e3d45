#include "fastvlm/inspect/stored_codes.h"

#include <algorithm>
#include <cstring>

#include "fastvlm/base/try.h"
#include "fastvlm/graph/graph.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm::inspecting {
namespace {

constexpr std::string_view kCodes = ":codes", kRest = ":rest";
constexpr std::uint64_t kHalfBytes = byte_size(Dtype::kFloat16);

using Initializers = std::map<std::string, const OnnxInitializer*>;

Initializers by_name(const OnnxModel& model) {
  Initializers initializers;
  for (const OnnxInitializer& initializer : model.initializers) initializers[initializer.name] = &initializer;
  return initializers;
}

// Nothing for numbers that are neither kept nor beside the file.
std::optional<StoredNumbers> stored(const Initializers& initializers, const std::string& name, const Path& folder) {
  const auto found = initializers.find(name);
  if (found == initializers.end() || !found->second->dtype) return std::nullopt;
  const OnnxInitializer& initializer = *found->second;
  StoredNumbers numbers{.dtype = *initializer.dtype, .shape = initializer.shape, .file = {}, .constant = initializer.constant};
  if (initializer.external) numbers.file = folder / initializer.external->location, numbers.offset = initializer.external->offset;
  if (!initializer.external && !initializer.constant) return std::nullopt;
  return numbers;
}

Status to_floats(const StoredNumbers& numbers, std::int64_t begin, std::int64_t end, OpenFiles& files, std::span<float> out) {
  TRY_ASSIGN(const std::span<const std::byte> bytes, numbers.bytes(files, begin, end));
  to_float32(numbers.dtype, bytes, out);
  return {};
}

std::string without(std::string name, std::string_view end) {
  if (name.ends_with(end)) name.erase(name.size() - end.size());
  return name;
}

std::optional<CodedWeight> in_blocks(const OnnxNode& node, const Initializers& initializers, const Path& folder) {
  const auto codes = stored(initializers, node.inputs[1], folder), scales = stored(initializers, node.inputs[2], folder);
  const std::int64_t rows = node.integer("N", 0), columns = node.integer("K", 0), block = node.integer("block_size", 0);
  if (!codes || !scales || rows < 1 || columns < 1 || block < 1) return std::nullopt;
  CodedWeight weight;
  weight.name = without(node.inputs[1], kCodes);
  weight.parts = {{.codes = *codes, .scales = *scales}};
  weight.blocks = {.bits = static_cast<int>(node.integer("bits", 0)), .block = block};
  weight.shape = {rows, columns};
  const bool known = weight.blocks.bits == 4 || weight.blocks.bits == 8;
  const bool fits = known && codes->count() == rows * weight.blocks.row_bytes(columns) &&
                    scales->count() == rows * weight.blocks.blocks_of(columns) && is_float(scales->dtype);
  return fits ? std::optional(weight) : std::nullopt;
}

std::optional<CodedWeight> in_channels(const OnnxNode& node, const Initializers& initializers, const Path& folder) {
  if (!node.inputs[0].ends_with(kCodes)) return std::nullopt;
  const auto codes = stored(initializers, node.inputs[0], folder), scales = stored(initializers, node.inputs[1], folder);
  if (!codes || !scales || codes->dtype != Dtype::kInt8 || !is_float(scales->dtype)) return std::nullopt;
  CodedWeight weight;
  weight.name = without(node.inputs[0], kCodes);
  weight.parts = {{.codes = *codes, .scales = *scales}};
  weight.blocks = {.bits = 8};
  weight.by_channel = true;
  weight.axis = node.integer("axis", 1);
  weight.shape = codes->shape;
  const bool fits = weight.axis >= 0 && weight.axis < static_cast<std::int64_t>(codes->shape.size()) && codes->count() > 0 &&
                    scales->count() == codes->shape[static_cast<std::size_t>(weight.axis)];
  return fits ? std::optional(weight) : std::nullopt;
}

}  // namespace

Result<std::span<const std::byte>> OpenFiles::bytes(const Path& file, std::uint64_t offset, std::uint64_t count) {
  auto found = files_.find(file);
  if (found == files_.end()) {
    TRY_ASSIGN(MappedFile mapped, MappedFile::open(file));
    found = files_.emplace(file, std::move(mapped)).first;
  }
  const std::span<const std::byte> all = found->second.bytes();
  if (offset > all.size() || count > all.size() - offset)
    return bad_input("{}: has {} bytes, but a graph reads {} from {} on", file.string(), all.size(), count, offset);
  return all.subspan(offset, count);
}

Result<std::span<const std::byte>> StoredNumbers::bytes(OpenFiles& files, std::int64_t begin, std::int64_t end) const {
  const std::uint64_t size = byte_size(dtype), from = static_cast<std::uint64_t>(begin) * size,
                      many = static_cast<std::uint64_t>(end - begin) * size;
  if (file.empty()) return std::span(constant->bytes).subspan(from, many);
  return files.bytes(file, offset + from, many);
}

std::vector<FloatWeight> float_weights(const OnnxModel& model, const Path& folder) {
  const Initializers initializers = by_name(model);
  std::vector<FloatWeight> weights;
  for (const OnnxNode& node : model.nodes) {
    const bool matrix = node.op == "MatMul" || node.op == "Gemm" || node.op == "Conv";
    if (!matrix || node.inputs.size() < 2) continue;
    // The table of the vocabulary is the first factor, its channels are rows.
    const bool is_table = node.op == "MatMul" && initializers.contains(node.inputs[0]);
    const std::string& name = node.inputs[is_table ? 0 : 1];
    auto numbers = stored(initializers, name, folder);
    if (!numbers || !is_float(numbers->dtype)) continue;
    const bool channels_last = !is_table && (node.op == "MatMul" || (node.op == "Gemm" && node.integer("transB", 0) == 0));
    weights.push_back({.name = name, .numbers = *std::move(numbers), .channels_last = channels_last});
  }
  return weights;
}

Status read_floats(const FloatWeight& weight, const FloatRows& rows, OpenFiles& files, std::span<float> out) {
  const StoredNumbers& numbers = weight.numbers;
  const std::int64_t count = rows.end - rows.begin, width = static_cast<std::int64_t>(out.size()) / count;
  if (!rows.transposed) return to_floats(numbers, rows.begin * width, rows.end * width, files, out);
  // A stripe of every row of the file.
  const std::int64_t stored_width = numbers.shape.back();
  std::vector<float> stripe(static_cast<std::size_t>(count));
  for (std::int64_t column = 0; column < width; ++column) {
    TRY(to_floats(numbers, column * stored_width + rows.begin, column * stored_width + rows.end, files, stripe));
    for (std::int64_t row = 0; row < count; ++row)
      out[static_cast<std::size_t>(row * width + column)] = stripe[static_cast<std::size_t>(row)];
  }
  return {};
}

std::uint64_t CodedWeight::bytes() const {
  std::uint64_t sum = 0;
  for (const Part& part : parts)
    sum += static_cast<std::uint64_t>(part.codes.count()) + static_cast<std::uint64_t>(part.scales.count()) * kHalfBytes;
  return sum;
}

std::uint64_t CodedWeight::stored_bytes() const {
  std::uint64_t sum = 0;
  for (const Part& part : parts) {
    if (!part.codes.file.empty()) sum += static_cast<std::uint64_t>(part.codes.count());
    if (!part.scales.file.empty()) sum += static_cast<std::uint64_t>(part.scales.count()) * kHalfBytes;
  }
  return sum;
}

std::string CodedWeight::words() const {
  if (!by_channel) return fmt::format("{} bits, blocks of {}", blocks.bits, blocks.block);
  return fmt::format("{} bits by channel{}", blocks.bits, parts.size() > 1 ? " in two parts" : "");
}

bool CodedWeight::fits(const FloatWeight& floats) const {
  const Shape& other = floats.numbers.shape;
  if (!is_transposed(floats)) return other == shape;
  return other.size() == 2 && other[0] == shape[1] && other[1] == shape[0];
}

Status CodedWeight::read_blocks(const Part& part, std::int64_t begin, std::int64_t end, OpenFiles& files, std::span<float> out) const {
  const std::int64_t columns = shape[1], each = blocks.blocks_of(columns), bytes = blocks.row_bytes(columns);
  std::vector<float> scales(static_cast<std::size_t>((end - begin) * each));
  TRY(to_floats(part.scales, begin * each, end * each, files, scales));
  TRY_ASSIGN(const std::span<const std::byte> codes, part.codes.bytes(files, begin * bytes, end * bytes));
  dequantise_blocks({.scales = scales, .codes = codes}, columns, blocks, out);
  return {};
}

Status CodedWeight::add_channels(const Part& part, std::int64_t begin, std::int64_t end, OpenFiles& files, std::span<float> out) const {
  const std::int64_t width = row_size();
  std::vector<float> scales(static_cast<std::size_t>(part.scales.count()));
  TRY(to_floats(part.scales, 0, part.scales.count(), files, scales));
  TRY_ASSIGN(const std::span<const std::byte> codes, part.codes.bytes(files, begin * width, end * width));
  std::int64_t inner = 1;
  for (std::size_t i = static_cast<std::size_t>(axis) + 1; i < shape.size(); ++i) inner *= shape[i];
  const std::int64_t channels = shape[static_cast<std::size_t>(axis)];
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::int64_t channel = (begin * width + static_cast<std::int64_t>(i)) / inner % channels;
    out[i] += static_cast<float>(static_cast<std::int8_t>(codes[i])) * scales[static_cast<std::size_t>(channel)];
  }
  return {};
}

Status CodedWeight::read(std::int64_t begin, std::int64_t end, OpenFiles& files, std::span<float> out) const {
  if (!by_channel) return read_blocks(parts[0], begin, end, files, out);
  std::ranges::fill(out, 0.0f);
  for (const Part& part : parts) TRY(add_channels(part, begin, end, files, out));
  return {};
}

std::vector<CodedWeight> coded_weights(const OnnxModel& model, const Path& folder) {
  const Initializers initializers = by_name(model);
  std::map<std::string, CodedWeight> weights, rests;
  for (const OnnxNode& node : model.nodes) {
    std::optional<CodedWeight> weight;
    if (node.op == "MatMulNBits" && node.inputs.size() == 3) weight = in_blocks(node, initializers, folder);
    if (node.op == "DequantizeLinear" && node.inputs.size() >= 2) weight = in_channels(node, initializers, folder);
    if (!weight) continue;
    const bool rest = weight->name.ends_with(kRest);
    weight->name = without(weight->name, kRest);
    (rest ? rests : weights).emplace(weight->name, *weight);
  }
  std::vector<CodedWeight> all;
  for (auto& [name, weight] : weights) {
    const auto rest = rests.find(name);
    if (rest != rests.end() && rest->second.shape == weight.shape) weight.parts.push_back(rest->second.parts[0]);
    all.push_back(std::move(weight));
  }
  return all;
}

}  // namespace fastvlm::inspecting
