// The part of libQnnSystem's binary interface that reading a context needs: ABI facts of QAIRT 2.51 (system API 1.15,
// 64-bit), written down by us. What 2.51 answers (context record 3, graph record 3, tensor record 1) was checked against
// contexts that we compiled, and context_info_test.cc does so again. The older records are as other programs read them;
// 2.51 never answered with one. Fields that we do not read are here for their place only.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastvlm::qnn_abi {

struct Version {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  std::uint32_t patch = 0;
};

// Element types: the high byte is the kind, the low byte the width in bits, in binary coded decimal.
enum class DataKind : std::uint32_t {
  kInt = 0x00,
  kUint = 0x01,
  kFloat = 0x02,
  kFixedSigned = 0x03,
  kFixedUnsigned = 0x04,
  kBool = 0x05,
  kString = 0x06,
};

enum class QuantizationEncoding : std::uint32_t {
  kScaleOffset = 0,          // one scale
  kAxisScaleOffset = 1,      // one per channel
  kBitsScaleOffset = 2,      // one scale, width narrower than the type
  kBitsAxisScaleOffset = 3,  // one per channel, width narrower than the type
};

// Stands in `Quantization::definition` when the scales are there.
inline constexpr std::uint32_t kQuantizationDefined = 1;

struct ScaleOffset {
  float scale;
  std::int32_t offset;  // real = (stored + offset) * scale: the negative of the zero point of ONNX
};

struct Quantization {
  std::uint32_t definition;
  QuantizationEncoding encoding;
  union {
    ScaleOffset one;
    struct {
      std::int32_t axis;
      std::uint32_t count;
      const ScaleOffset* values;
    } per_axis;
    struct {
      std::uint32_t bits;
      float scale;
      std::int32_t offset;
    } one_with_bits;
    struct {
      std::uint32_t bits;
      std::int32_t axis;
      std::uint32_t count;
      const float* scales;
      const std::int32_t* offsets;
    } per_axis_with_bits;
  };
};

// Versions 1 and 2 begin alike; version 2 goes on after the data.
struct Tensor {
  std::uint32_t version;
  struct Body {
    std::uint32_t id;
    const char* name;
    std::uint32_t role;
    std::uint32_t layout;
    std::uint32_t type;  // see DataKind
    Quantization quantization;
    std::uint32_t rank;
    const std::uint32_t* dimensions;
    std::uint32_t memory_kind;
    struct {
      const void* data;
      std::uint32_t bytes;
    } memory;
    // Version 2 only.
    const std::uint8_t* dynamic_dimensions;
    std::uint32_t sparse[3];
    std::uint8_t is_produced;
  } body;
};

// Versions 1, 2 and 3: each adds fields at the end.
struct Graph {
  std::uint32_t version;
  struct Body {
    const char* name;
    std::uint32_t input_count;
    const Tensor* inputs;
    std::uint32_t output_count;
    const Tensor* outputs;
    // From version 2.
    std::uint32_t updateable_count;
    const Tensor* updateables;
    // From version 3. The blob belongs to the backend.
    std::uint32_t blob_bytes;
    const void* blob;
    std::uint32_t first_op;
    std::uint32_t last_op;
  } body;
};

// Versions 1 and 2.
struct BinaryBodyOld {
  std::uint32_t backend_id;
  const char* build_id;
  Version core_api;
  Version backend_api;
  const char* soc_version;
  Version hardware_blob_version;
  Version context_blob_version;
  std::uint32_t hardware_blob_bytes;
  const void* hardware_blob;
  std::uint64_t context_blob_bytes;
  std::uint32_t context_tensor_count;
  const Tensor* context_tensors;
  std::uint32_t graph_count;
  const Graph* graphs;
};

// Version 3.
struct BinaryBody {
  std::uint32_t backend_id;
  const char* build_id;
  Version core_api;
  Version backend_api;
  const char* soc_version;
  Version context_blob_version;
  std::uint64_t context_blob_bytes;
  std::uint32_t context_tensor_count;
  const Tensor* context_tensors;
  std::uint32_t graph_count;
  const Graph* graphs;
  const void* platform;
  std::uint32_t metadata_bytes;
  const void* metadata;
  std::uint32_t soc_model;
};

static_assert(sizeof(Tensor) == 144 && sizeof(Graph) == 88);

struct BinaryInfo {
  std::uint32_t version;
  union {
    BinaryBodyOld old;  // versions 1 and 2
    BinaryBody body;    // version 3
  };
};

// The first fields of what the HTP backend puts in Graph::Body::blob, version 1; more follow and are not read. Each was
// checked by compiling one graph with other options: these numbers follow the options.
struct HtpGraphBlob {
  std::uint32_t version;
  std::uint64_t spill_fill_bytes;
  std::uint32_t vtcm_bytes;
  std::uint32_t optimization_level;
};
static_assert(sizeof(HtpGraphBlob) == 24);

// What it puts in BinaryBody::metadata, version 1.
struct HtpContextBlob {
  std::uint32_t version;
  std::uint32_t dsp_arch;
};

// Every call returns 0 for success.
using Code = std::uint64_t;
using ContextHandle = void*;

// The interface of QAIRT 2.51, against which all of this was checked. Within a major version slots are only appended.
inline constexpr std::uint32_t kSystemApiMajor = 1;
inline constexpr std::uint32_t kSystemApiMinor = 15;

struct SystemProvider {
  std::uint32_t backend_id;
  const char* name;
  Version api;
  // The function table follows in place. Slots after these exist and are not used.
  Code (*context_create)(ContextHandle* out);
  Code (*context_get_binary_info)(ContextHandle, void* bytes, std::uint64_t size, const BinaryInfo** out, std::uint64_t* out_size);
  Code (*context_get_metadata)(ContextHandle, const void* bytes, std::uint64_t size, const BinaryInfo** out);
  Code (*context_free)(ContextHandle);
};

// `QnnSystemInterface_getProviders`, the one exported function.
using GetProviders = Code (*)(const SystemProvider*** out, std::uint32_t* count);

}  // namespace fastvlm::qnn_abi
