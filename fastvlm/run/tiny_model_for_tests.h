// Tiny ONNX files for the tests, written byte by byte: the wire format of protobuf needs no library.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/tensor/tensor.h"

namespace fastvlm::tiny {

inline std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}
// A field that holds a number, and one that holds text or a message; the field numbers are those of onnx.proto.
inline std::string number(int field, std::uint64_t value) { return varint(field << 3) + varint(value); }
inline std::string text(int field, std::string_view bytes) { return varint(field << 3 | 2) + varint(bytes.size()) + std::string(bytes); }

struct Dimension {
  Dimension(int value) : value(value) {}             // NOLINT(google-explicit-constructor)
  Dimension(const char* symbol) : symbol(symbol) {}  // NOLINT(google-explicit-constructor)
  std::int64_t value = 0;
  std::string symbol;
};

// A float32 input or output.
inline std::string value_info(std::string_view name, const std::vector<Dimension>& shape) {
  std::string dimensions;
  for (const Dimension& dimension : shape)
    dimensions += text(1, dimension.symbol.empty() ? number(1, dimension.value) : text(2, dimension.symbol));
  return text(1, name) + text(2, text(1, number(1, 1) + text(2, dimensions)));
}

inline std::string node(std::string_view op, const std::vector<std::string>& inputs, std::string_view output,
                        std::string_view attributes = {}) {
  std::string bytes;
  for (const std::string& input : inputs) bytes += text(1, input);
  return bytes + text(2, output) + text(3, output) + text(4, op) + std::string(attributes);
}
inline std::string integer_attribute(std::string_view name, int value) { return text(5, text(1, name) + number(3, value) + number(20, 2)); }

inline std::string shape_and_type(const Shape& shape) {
  std::string bytes;
  for (std::int64_t extent : shape) bytes += number(1, extent);
  return bytes + number(2, 1);
}
// A float32 weight inside the file, and one in the file `location` beside it.
inline std::string weight(std::string_view name, const Shape& shape, std::span<const float> values) {
  return shape_and_type(shape) + text(8, name) + text(9, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
}
inline std::string external_weight(std::string_view name, const Shape& shape, std::string_view location) {
  return shape_and_type(shape) + text(8, name) + text(13, text(1, "location") + text(2, location)) + number(14, 1);
}

struct Model {
  std::vector<std::string> nodes, weights, inputs, outputs;

  std::string bytes() const {
    std::string graph;
    for (const std::string& part : nodes) graph += text(1, part);
    graph += text(2, "tiny");
    for (const std::string& part : weights) graph += text(5, part);
    for (const std::string& part : inputs) graph += text(11, part);
    for (const std::string& part : outputs) graph += text(12, part);
    return number(1, 8) + text(7, graph) + text(8, text(1, "") + number(2, 17));
  }
};

}  // namespace fastvlm::tiny
