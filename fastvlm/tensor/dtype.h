// Element types, as one table: safetensors name, ONNX code, size.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace fastvlm {

enum class Dtype : std::uint8_t {
  kBool,
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kUint64,
  kInt64,
  kFloat16,
  kBfloat16,
  kFloat32,
  kFloat64,
};

struct DtypeFacts {
  Dtype dtype;
  std::string_view name;         // as the user reads it
  std::string_view safetensors;  // as a safetensors header spells it
  int onnx;                      // TensorProto.DataType
  std::size_t bytes;
};

inline constexpr std::array kDtypes = {
    DtypeFacts{Dtype::kBool, "bool", "BOOL", 9, 1},
    DtypeFacts{Dtype::kUint8, "uint8", "U8", 2, 1},
    DtypeFacts{Dtype::kInt8, "int8", "I8", 3, 1},
    DtypeFacts{Dtype::kUint16, "uint16", "U16", 4, 2},
    DtypeFacts{Dtype::kInt16, "int16", "I16", 5, 2},
    DtypeFacts{Dtype::kUint32, "uint32", "U32", 12, 4},
    DtypeFacts{Dtype::kInt32, "int32", "I32", 6, 4},
    DtypeFacts{Dtype::kUint64, "uint64", "U64", 13, 8},
    DtypeFacts{Dtype::kInt64, "int64", "I64", 7, 8},
    DtypeFacts{Dtype::kFloat16, "float16", "F16", 10, 2},
    DtypeFacts{Dtype::kBfloat16, "bfloat16", "BF16", 16, 2},
    DtypeFacts{Dtype::kFloat32, "float32", "F32", 1, 4},
    DtypeFacts{Dtype::kFloat64, "float64", "F64", 11, 8},
};

constexpr const DtypeFacts& facts(Dtype dtype) { return kDtypes[static_cast<std::size_t>(dtype)]; }
constexpr std::size_t byte_size(Dtype dtype) { return facts(dtype).bytes; }
constexpr std::string_view name(Dtype dtype) { return facts(dtype).name; }
constexpr bool is_float(Dtype dtype) { return dtype >= Dtype::kFloat16; }

inline constexpr double kLargestHalf = 65504;  // of float16

constexpr std::optional<Dtype> dtype_from_name(std::string_view text) {
  for (const DtypeFacts& row : kDtypes)
    if (row.name == text) return row.dtype;
  return std::nullopt;
}
constexpr std::optional<Dtype> dtype_from_safetensors(std::string_view text) {
  for (const DtypeFacts& row : kDtypes)
    if (row.safetensors == text) return row.dtype;
  return std::nullopt;
}
constexpr std::optional<Dtype> dtype_from_onnx(int code) {
  for (const DtypeFacts& row : kDtypes)
    if (row.onnx == code) return row.dtype;
  return std::nullopt;
}

}  // namespace fastvlm
