// The header of a safetensors file, read strictly: lengths are checked before anything is allocated, shape products with
// overflow checks, and the tensors must cover the data exactly, without gap or overlap.
// Format: 8 bytes little-endian header length, JSON header, data (https://huggingface.co/docs/safetensors).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"
#include "fastvlm/tensor/tensor.h"

namespace fastvlm {

// The format allows no larger header.
inline constexpr std::uint64_t kMaxSafetensorsHeader = 100'000'000;

struct SafetensorsEntry {
  std::string name;
  Dtype dtype = Dtype::kFloat32;
  Shape shape;
  std::uint64_t offset = 0;  // from the start of the file
  std::uint64_t bytes = 0;
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> tensors;  // in the order of their data
  std::map<std::string, std::string> metadata;
};

// `json` is the header text, `file_size` the size of the whole file, `what` its name in messages.
Result<SafetensorsHeader> parse_safetensors_header(std::string_view json, std::uint64_t file_size, std::string_view what);
Result<SafetensorsHeader> read_safetensors_header(const InputFile& file);

// A small file as a whole (golden values).
Result<std::vector<NamedTensor>> read_safetensors(const Path& path, std::map<std::string, std::string>* metadata = nullptr);

}  // namespace fastvlm
