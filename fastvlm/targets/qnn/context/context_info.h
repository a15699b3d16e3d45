// What a QNN context binary says about itself, read through QnnSystem from the user's runtime, without a device or an SDK.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/base/json.h"
#include "fastvlm/base/result.h"
#include "fastvlm/targets/qnn/context/qnn_system_abi.h"

namespace fastvlm {

struct ContextTensor {
  std::string name;
  std::string dtype;  // "float16", "int32", "ufixed16" (quantized), "bool8"
  std::vector<std::uint32_t> shape;
  std::string quantization;  // "scale 0.001, zero point 32768"; empty for tensors that are not quantized

  bool operator==(const ContextTensor&) const = default;
};

// The numbers are those of the HTP backend; another backend, or an older context, gives fewer.
struct ContextGraph {
  std::string name;  // the partition_name of its ONNX wrapper
  std::vector<ContextTensor> inputs;
  std::vector<ContextTensor> outputs;
  std::optional<std::uint64_t> spill_fill_bytes;  // DDR for what did not fit in VTCM
  std::optional<std::uint64_t> vtcm_bytes;
  std::optional<std::uint64_t> optimization_level;

  bool operator==(const ContextGraph&) const = default;
};

struct ContextInfo {
  std::string file;
  std::uint64_t bytes = 0;
  std::string backend;   // "HTP", else its number
  std::string build_id;  // of the compiler: "v2.51.0.260929181845"
  std::string core_api;  // "2.40.0"
  std::string backend_api;
  std::string context_blob_version;
  std::uint64_t context_blob_bytes = 0;
  std::optional<std::uint64_t> soc_model;  // Qualcomm's number: 69 is SM8750
  std::optional<std::uint64_t> dsp_arch;   // 79 for v79
  std::vector<ContextGraph> graphs;

  // "2.51.0" out of the build id; the whole id when it looks different.
  std::string sdk_version() const;
  bool operator==(const ContextInfo&) const = default;
};

// Reads `context` with libQnnSystem.so. Errors: no file, no library, an archive for several SoCs, bytes that QnnSystem
// refuses (with the reason when the header shows one). Vendor code can crash on damaged bytes, and it did for us with
// three changed ones: call this in a child process when the file is not our own.
Result<ContextInfo> read_context(const Path& context, const Path& qnn_system_library);

// The same from what the library answered. Counts and ranks are held against limits; pointers are believed.
Result<ContextInfo> context_info_of(const qnn_abi::BinaryInfo& info, const std::string& what);

// Why these bytes can be no context: too short, an archive, or shorter than their own header says. Good for others.
Status check_context_header(std::span<const std::byte> bytes, const std::string& what);

// For the pipe between a child and us, and for --json.
OrderedJson context_info_to_json(const ContextInfo& info);
Result<ContextInfo> context_info_from_json(const Json& json, const std::string& what);

}  // namespace fastvlm
