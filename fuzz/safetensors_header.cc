// Any bytes as the header of a safetensors file: an error, or tensors that cover the file's data exactly.
#include "fastvlm/checkpoint/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fastvlm;
  // The first bytes say how much data follows the header.
  if (size < 2) return 0;
  const std::uint64_t data_bytes = data[0] | std::uint64_t{data[1]} << 8;
  const std::string_view json(reinterpret_cast<const char*>(data + 2), size - 2);
  const std::uint64_t file_size = 8 + json.size() + data_bytes;
  auto header = parse_safetensors_header(json, file_size, "fuzz");
  if (!header.ok()) return 0;
  std::uint64_t at = 8 + json.size();
  for (const SafetensorsEntry& tensor : header->tensors) {
    FASTVLM_ASSERT(tensor.offset == at, "no gap and no overlap");
    FASTVLM_ASSERT(static_cast<std::uint64_t>(element_count(tensor.shape)) * byte_size(tensor.dtype) == tensor.bytes,
                   "as many bytes as elements");
    at += tensor.bytes;
  }
  FASTVLM_ASSERT(at == file_size, "the whole file");
  return 0;
}
