#include "fastvlm/checkpoint/safetensors_writer.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "fastvlm/base/json.h"
#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr std::uint64_t kAlignment = 8;
constexpr std::string_view kMetadataKey = "__metadata__";

std::string json_text(std::string_view text) { return Json(text).dump(); }

// Entries with offsets from the start of the data.
std::vector<SafetensorsEntry> place(std::span<const TensorDeclaration> tensors) {
  std::vector<SafetensorsEntry> entries;
  for (const TensorDeclaration& tensor : tensors) {
    FASTVLM_ASSERT(tensor.name != kMetadataKey, "a tensor may not be called __metadata__");
    auto bytes = static_cast<std::uint64_t>(element_count(tensor.shape)) * byte_size(tensor.dtype);
    entries.push_back({.name = tensor.name, .dtype = tensor.dtype, .shape = tensor.shape, .bytes = bytes});
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    if (byte_size(a.dtype) != byte_size(b.dtype)) return byte_size(a.dtype) > byte_size(b.dtype);
    return a.name < b.name;
  });
  std::vector<std::string_view> names;
  for (const SafetensorsEntry& entry : entries) names.push_back(entry.name);
  std::sort(names.begin(), names.end());
  FASTVLM_ASSERT(std::adjacent_find(names.begin(), names.end()) == names.end(), "two tensors of one name");
  std::uint64_t at = 0;
  for (SafetensorsEntry& entry : entries) {
    entry.offset = at;
    at += entry.bytes;
  }
  return entries;
}

std::string header_json(std::span<const SafetensorsEntry> entries, const std::map<std::string, std::string>& metadata) {
  std::string json = "{";
  if (!metadata.empty()) json += fmt::format("{}:{},", json_text(kMetadataKey), Json(metadata).dump());
  for (const SafetensorsEntry& entry : entries)
    json += fmt::format(R"({}:{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}},)", json_text(entry.name), facts(entry.dtype).safetensors,
                        Json(entry.shape).dump(), entry.offset, entry.offset + entry.bytes);
  if (json.back() == ',') json.pop_back();
  json += "}";
  json.resize((json.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  return json;
}

}  // namespace

SafetensorsLayout lay_out_safetensors(std::span<const TensorDeclaration> tensors, const std::map<std::string, std::string>& metadata) {
  SafetensorsLayout layout{.tensors = place(tensors)};
  std::string json = header_json(layout.tensors, metadata);
  // The format is little-endian on every machine.
  for (unsigned shift = 0; shift < 64; shift += 8)
    layout.header += static_cast<char>(static_cast<std::uint64_t>(json.size()) >> shift & 0xff);
  layout.header += json;
  layout.file_size = layout.header.size();
  for (SafetensorsEntry& entry : layout.tensors) {
    entry.offset += layout.header.size();
    layout.file_size += entry.bytes;
  }
  return layout;
}

Result<SafetensorsWriter> SafetensorsWriter::create(const Path& path, SafetensorsLayout layout) {
  TRY_ASSIGN(OutputFile file, OutputFile::create(path, layout.file_size));
  TRY(file.write_at(0, as_bytes(layout.header)));
  return SafetensorsWriter(std::move(file), std::move(layout));
}

Status SafetensorsWriter::write(std::size_t index, std::uint64_t position, std::span<const std::byte> bytes) {
  FASTVLM_ASSERT(index < layout_.tensors.size(), "index of the tensor");
  const SafetensorsEntry& entry = layout_.tensors[index];
  FASTVLM_ASSERT(position <= entry.bytes && bytes.size() <= entry.bytes - position, "piece inside of the tensor");
  return file_.write_at(entry.offset + position, bytes);
}

Status write_safetensors(const Path& path, std::span<const NamedTensor> tensors, const std::map<std::string, std::string>& metadata) {
  std::vector<TensorDeclaration> declarations;
  std::unordered_map<std::string_view, const Tensor*> by_name;
  for (const NamedTensor& tensor : tensors) {
    declarations.push_back({tensor.name, tensor.tensor.dtype, tensor.tensor.shape});
    by_name[tensor.name] = &tensor.tensor;
  }
  Status written = [&]() -> Status {
    TRY_ASSIGN(SafetensorsWriter writer, SafetensorsWriter::create(path, lay_out_safetensors(declarations, metadata)));
    for (std::size_t i = 0; i < writer.tensors().size(); ++i) TRY(writer.write(i, 0, by_name.at(writer.tensors()[i].name)->bytes));
    return writer.close();
  }();
  std::error_code ignored;
  if (!written) std::filesystem::remove(path, ignored);
  return written;
}

}  // namespace fastvlm
