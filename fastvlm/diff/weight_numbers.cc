#include "fastvlm/diff/weight_numbers.h"

#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include "fastvlm/base/try.h"
#include "fastvlm/tensor/block_quantise.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {
namespace {

constexpr std::string_view kCodes = ":codes", kScales = ":scales";

template <class T>
void widen(std::span<const std::byte> bytes, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    out[i] = static_cast<float>(value);
  }
}

void to_floats(Dtype type, std::span<const std::byte> bytes, std::span<float> out) {
  switch (type) {
    case Dtype::kBool:
    case Dtype::kUint8: return widen<std::uint8_t>(bytes, out);
    case Dtype::kInt8: return widen<std::int8_t>(bytes, out);
    case Dtype::kUint16: return widen<std::uint16_t>(bytes, out);
    case Dtype::kInt16: return widen<std::int16_t>(bytes, out);
    case Dtype::kUint32: return widen<std::uint32_t>(bytes, out);
    case Dtype::kInt32: return widen<std::int32_t>(bytes, out);
    case Dtype::kUint64: return widen<std::uint64_t>(bytes, out);
    case Dtype::kInt64: return widen<std::int64_t>(bytes, out);
    default: return to_float32(type, bytes, out);
  }
}

Result<std::span<const std::byte>> bytes_of(const WeightEntry& entry, const MappedFile& file) {
  const std::uint64_t there = file.bytes().size();
  if (entry.offset > there || entry.bytes > there - entry.offset)
    return bad_input("{}: has {} bytes, but \"{}\" lies at {} and has {}", entry.file, there, entry.name, entry.offset, entry.bytes);
  return file.bytes().subspan(entry.offset, entry.bytes);
}

// Name without the ending, or nothing.
std::optional<std::string> stem_of(const std::string& name, std::string_view end) {
  if (!name.ends_with(end)) return std::nullopt;
  return name.substr(0, name.size() - end.size());
}

// Codes and scales of one weight in one file.
struct Halves {
  const WeightEntry* codes = nullptr;
  const WeightEntry* scales = nullptr;
  bool several = false;

  void take(const WeightEntry*& place, const WeightEntry& entry) {
    several = several || place != nullptr;
    place = &entry;
  }
  // Blocks: codes [rows, blocks, bytes of a block], scales [rows, blocks]. Others are compared as they stand.
  bool joined() const {
    return !several && codes != nullptr && scales != nullptr && codes->type == Dtype::kUint8 && codes->shape.size() == 3 &&
           is_float(scales->type) && scales->shape == Shape{codes->shape[0], codes->shape[1]};
  }
};

// "int4 in blocks of 32" at the end of what was done.
std::optional<BlockFormat> format_of(const std::string& done, std::int64_t block_bytes) {
  for (const int bits : {4, 8}) {
    const std::int64_t block = block_bytes * 8 / bits;
    if (done.ends_with(fmt::format("int{} in blocks of {}", bits, block))) return BlockFormat{.bits = bits, .block = block};
  }
  return std::nullopt;
}

}  // namespace

std::vector<StoredWeight> stored_weights(const Manifest& manifest) {
  std::map<std::pair<std::string, std::string>, Halves> halves;  // by file and name
  for (const WeightEntry& entry : manifest.weights) {
    if (const auto stem = stem_of(entry.name, kCodes)) {
      Halves& both = halves[{entry.file, *stem}];
      both.take(both.codes, entry);
    } else if (const auto other = stem_of(entry.name, kScales)) {
      Halves& both = halves[{entry.file, *other}];
      both.take(both.scales, entry);
    }
  }
  std::vector<StoredWeight> weights;
  for (const WeightEntry& entry : manifest.weights) {
    const auto codes = stem_of(entry.name, kCodes), scales = stem_of(entry.name, kScales);
    const auto found = halves.find({entry.file, codes ? *codes : scales.value_or("")});
    if (found == halves.end() || !found->second.joined())
      weights.push_back({.name = entry.name, .entry = &entry, .scales = nullptr});
    else if (codes)
      weights.push_back({.name = *codes, .entry = &entry, .scales = found->second.scales});
  }
  return weights;
}

Result<WeightNumbers> WeightNumbers::open(const StoredWeight& weight, const MappedFile& file) {
  const WeightEntry& entry = *weight.entry;
  WeightNumbers numbers;
  numbers.type_ = entry.type;
  TRY_ASSIGN(numbers.bytes_, bytes_of(entry, file));
  numbers.count_ = element_count(entry.shape);
  if (weight.scales == nullptr) return numbers;
  TRY_ASSIGN(numbers.scales_, bytes_of(*weight.scales, file));
  const auto format = format_of(entry.done, entry.shape[2]);
  if (!format) return bad_input("{}: \"{}\" is \"{}\", which is no form of blocks", entry.file, entry.name, entry.done);
  numbers.bits_ = format->bits;
  numbers.block_ = numbers.unit_ = format->block;
  numbers.scale_type_ = weight.scales->type;
  numbers.count_ = entry.shape[0] * entry.shape[1] * format->block;
  return numbers;
}

void WeightNumbers::read(std::int64_t begin, std::span<float> out) const {
  if (bits_ == 0) {
    const std::size_t size = byte_size(type_);
    return to_floats(type_, bytes_.subspan(static_cast<std::size_t>(begin) * size, out.size() * size), out);
  }
  const auto block = static_cast<std::size_t>(block_);
  const std::size_t first = static_cast<std::size_t>(begin) / block, blocks = out.size() / block, size = byte_size(scale_type_);
  std::vector<float> scales(blocks);
  to_floats(scale_type_, scales_.subspan(first * size, blocks * size), scales);
  const BlockFormat format{.bits = bits_, .block = block_};
  const auto bytes = static_cast<std::size_t>(format.block_bytes());
  dequantise_blocks({.scales = scales, .codes = bytes_.subspan(first * bytes, blocks * bytes)}, static_cast<std::int64_t>(out.size()),
                    format, out);
}

}  // namespace fastvlm
