#include "fastvlm/checkpoint/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "fastvlm/base/file_content.h"
#include "fastvlm/base/json.h"
#include "fastvlm/base/try.h"
#include "fastvlm/checkpoint/quantised_forms.h"

namespace fastvlm {
namespace {

Result<std::pair<std::uint64_t, std::uint64_t>> parse_offsets(const Json& row, std::string_view where) {
  const Json* offsets = json_find(row, "data_offsets");
  auto is_offset = [](const Json& j) { return j.is_number_unsigned(); };
  if (offsets == nullptr || !offsets->is_array() || offsets->size() != 2 || !is_offset((*offsets)[0]) || !is_offset((*offsets)[1]))
    return bad_input("{}: \"data_offsets\" must be two non-negative integers", where);
  auto begin = (*offsets)[0].get<std::uint64_t>(), end = (*offsets)[1].get<std::uint64_t>();
  if (begin > end) return bad_input("{}: its data ends ({}) before it begins ({})", where, end, begin);
  return std::pair{begin, end};
}

Result<Shape> parse_shape(const Json& row, std::string_view where) {
  const Json* extents = json_find(row, "shape");
  if (extents == nullptr || !extents->is_array() || extents->size() > 16)
    return bad_input("{}: \"shape\" must be a list of at most 16 integers", where);
  Shape shape;
  for (const Json& extent : *extents) {
    if (!extent.is_number_unsigned() || extent.get<std::uint64_t>() > INT64_MAX)
      return bad_input("{}: \"shape\" must hold non-negative integers", where);
    shape.push_back(extent.get<std::int64_t>());
  }
  return shape;
}

Result<SafetensorsEntry> parse_entry(const std::string& name, const Json& row, std::uint64_t data_begin, std::string_view what) {
  std::string where = fmt::format("{}: tensor \"{}\"", what, name);
  TRY_ASSIGN(std::string dtype_name, json_string(row, "dtype", where));
  auto dtype = dtype_from_safetensors(dtype_name);
  if (const std::string_view form = quantised_type(dtype_name); !form.empty())
    return bad_input("{}: element type {} is not supported; this is a quantised checkpoint ({}), and export needs the original one", where,
                     dtype_name, form);
  if (!dtype) return bad_input("{}: element type \"{}\" is not supported", where, dtype_name);
  TRY_ASSIGN(Shape shape, parse_shape(row, where));
  TRY_ASSIGN(auto offsets, parse_offsets(row, where));
  auto elements = checked_element_count(shape);
  std::uint64_t expected = 0;
  if (!elements || __builtin_mul_overflow(static_cast<std::uint64_t>(*elements), byte_size(*dtype), &expected))
    return bad_input("{}: the shape {} is too large", where, to_string(shape));
  if (offsets.second - offsets.first != expected)
    return bad_input("{}: {} of {} needs {} bytes, but {} are stored", where, to_string(shape), dtype_name, expected,
                     offsets.second - offsets.first);
  return SafetensorsEntry{name, *dtype, std::move(shape), data_begin + offsets.first, expected};
}

// The tensors must lie one behind the other and end with the file.
Status check_coverage(const std::vector<SafetensorsEntry>& tensors, std::uint64_t begin, std::uint64_t file_size, std::string_view what) {
  std::uint64_t at = begin;
  for (const SafetensorsEntry& tensor : tensors) {
    if (tensor.offset < at) return bad_input("{}: tensor \"{}\" overlaps the one before it", what, tensor.name);
    if (tensor.offset > at) return bad_input("{}: {} unused bytes in front of tensor \"{}\"", what, tensor.offset - at, tensor.name);
    if (tensor.bytes > file_size - at)
      return bad_input("{}: cut short: tensor \"{}\" needs bytes up to {}, the file has {}; download it again", what, tensor.name,
                       tensor.offset + tensor.bytes, file_size);
    at += tensor.bytes;
  }
  if (at != file_size) return bad_input("{}: {} bytes after the last tensor belong to none", what, file_size - at);
  return {};
}

}  // namespace

Result<SafetensorsHeader> parse_safetensors_header(std::string_view json, std::uint64_t file_size, std::string_view what) {
  TRY_ASSIGN(Json root, parse_json(json, fmt::format("{}: safetensors header", what)));
  if (!root.is_object()) return bad_input("{}: the safetensors header must be a JSON object", what);
  SafetensorsHeader header;
  const std::uint64_t data_begin = 8 + json.size();
  for (const auto& [name, row] : root.items()) {
    if (name == "__metadata__") {
      if (!row.is_object()) return bad_input("{}: \"__metadata__\" must map strings to strings, but is {}", what, row.type_name());
      for (const auto& [key, value] : row.items()) {
        if (!value.is_string())
          return bad_input("{}: \"__metadata__\" must map strings to strings, but \"{}\" is {}", what, key, value.type_name());
        header.metadata[key] = value.get<std::string>();
      }
      continue;
    }
    if (!row.is_object()) return bad_input("{}: tensor \"{}\" must be described by an object", what, name);
    TRY_ASSIGN(SafetensorsEntry entry, parse_entry(name, row, data_begin, what));
    // Offsets far behind the end would wrap around in the sums below.
    if (entry.offset > file_size || entry.offset < data_begin)
      return bad_input("{}: cut short: tensor \"{}\" begins at byte {}, the file has {}; download it again", what, name, entry.offset,
                       file_size);
    header.tensors.push_back(std::move(entry));
  }
  std::sort(header.tensors.begin(), header.tensors.end(),
            [](const auto& a, const auto& b) { return std::tie(a.offset, a.bytes, a.name) < std::tie(b.offset, b.bytes, b.name); });
  TRY(check_coverage(header.tensors, data_begin, file_size, what));
  return header;
}

Result<SafetensorsHeader> read_safetensors_header(const InputFile& file) {
  std::string what = file.path().string();
  std::string head(std::min<std::uint64_t>(file.size(), kContentHead), '\0');
  TRY(file.read_at(0, std::as_writable_bytes(std::span(head.data(), head.size()))));
  std::uint64_t length = 0;
  if (head.size() >= sizeof length) std::memcpy(&length, head.data(), sizeof length);
  const bool plausible = head.size() > sizeof length && head[sizeof length] == '{' && length <= kMaxSafetensorsHeader;
  if (!plausible) {
    if (auto wrong = wrong_content(head, file.size())) return bad_input("{}: is no safetensors file but {}", what, *wrong);
  }
  if (file.size() < sizeof length) return bad_input("{}: {} bytes are too few for a safetensors file", what, file.size());
  if (length > kMaxSafetensorsHeader)
    return bad_input("{}: header length {} passes the limit of {}; this is not a safetensors file", what, length, kMaxSafetensorsHeader);
  if (length > file.size() - sizeof length)
    return bad_input("{}: cut short: the header needs {} bytes, the file has {}; download it again", what, length + 8, file.size());
  std::string json(length, '\0');
  TRY(file.read_at(sizeof length, std::as_writable_bytes(std::span(json.data(), json.size()))));
  return parse_safetensors_header(json, file.size(), what);
}

Result<std::vector<NamedTensor>> read_safetensors(const Path& path, std::map<std::string, std::string>* metadata) {
  TRY_ASSIGN(InputFile file, InputFile::open(path));
  TRY_ASSIGN(SafetensorsHeader header, read_safetensors_header(file));
  std::vector<NamedTensor> tensors;
  for (SafetensorsEntry& entry : header.tensors) {
    Tensor tensor = Tensor::zeros(entry.dtype, entry.shape);
    TRY(file.read_at(entry.offset, tensor.bytes));
    tensors.push_back({std::move(entry.name), std::move(tensor)});
  }
  if (metadata != nullptr) *metadata = std::move(header.metadata);
  return tensors;
}

}  // namespace fastvlm
