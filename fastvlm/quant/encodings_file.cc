#include "fastvlm/quant/encodings_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "fastvlm/base/assert.h"
#include "fastvlm/base/json.h"
#include "fastvlm/base/try.h"
#include "fastvlm/base/version.h"
#include "fastvlm/tensor/dtype.h"

namespace fastvlm {
namespace {

constexpr std::array<std::string_view, 3> kVersions = {"0.6.1", "1.0.0", "2.0.0"};

// Text goes out in pieces of about this size.
constexpr std::size_t kPiece = std::size_t{1} << 20;

// Nine digits: enough for every float32. Always 14 characters, since scales are positive.
std::string number(float value) { return fmt::format("{:.8e}", value == 0 ? 1.0F : value); }

std::string json_text(std::string_view text) { return OrderedJson(text).dump(); }

int bits_of(const Encoding& encoding) { return static_cast<int>(8 * byte_size(encoding.dtype)); }
bool is_symmetric(const Encoding& encoding) {
  return encoding.dtype == Dtype::kInt32 || encoding.dtype == Dtype::kInt16 || encoding.dtype == Dtype::kInt8;
}
std::int64_t least_code(int bits) { return -(std::int64_t{1} << (bits - 1)); }
std::int64_t offset_of(const Encoding& encoding) {
  return is_symmetric(encoding) ? least_code(bits_of(encoding)) : -std::int64_t{encoding.zero_point};
}

class Writer {
 public:
  using Scales = std::function<Result<std::vector<float>>(const WeightPtr&)>;
  using Put = std::function<Status(std::string_view)>;

  // Without functions it only counts.
  explicit Writer(EncodingsText text) : text_(text) {}
  Writer(EncodingsText text, const Scales& scales, const Put& put) : text_(text), scales_(&scales), put_(&put) {}

  Status write();
  std::uint64_t bytes() const { return bytes_; }

 private:
  Status add(std::string_view text) {
    bytes_ += text.size();
    if (put_ == nullptr) return {};
    piece_ += text;
    return piece_.size() < kPiece ? Status() : flush();
  }
  Status flush() {
    if (put_ != nullptr) TRY((*put_)(piece_));
    piece_.clear();
    return {};
  }
  // Items of one width, joined by commas.
  template <class Item>
  Status list(std::int64_t count, Item item) {
    const std::string first = item(0);
    if (put_ == nullptr) return bytes_ += static_cast<std::uint64_t>(count) * (first.size() + 1) - 1, Status{};
    for (std::int64_t i = 0; i < count; ++i) TRY(add((i > 0 ? "," : "") + item(i)));
    return {};
  }
  // Of a table; while counting one of ones.
  Status read(const ScaleTable& table) {
    table_scales_.assign(1, 1.0F);
    if (scales_ == nullptr) return {};
    TRY_ASSIGN(table_scales_, (*scales_)(table.scales));
    return {};
  }
  float scale(std::int64_t i) const { return scales_ == nullptr ? 1.0F : table_scales_[static_cast<std::size_t>(i)]; }

  Status section(std::string_view key, bool parameters);
  Status dictionary_row(const TensorEncoding& encoding);  // 0.6.1
  Status list_row(const TensorEncoding& encoding);        // 1.0.0
  Status onnx_row(const TensorEncoding& encoding);        // 2.0.0
  Status list_table(const ScaleTable& table);
  Status onnx_table(const ScaleTable& table);
  std::string arguments() const;

  const EncodingsText text_;
  const Scales* scales_ = nullptr;
  const Put* put_ = nullptr;
  std::string piece_;
  std::vector<float> table_scales_;
  std::uint64_t bytes_ = 0;
};

std::int64_t count_of(const ScaleTable& table) { return element_count(table.scales->shape()); }

std::string dictionary(int bits, bool symmetric, float scale, std::int64_t offset) {
  if (scale == 0) scale = 1;
  const double least = static_cast<double>(offset) * scale, most = static_cast<double>(offset + (std::int64_t{1} << bits) - 1) * scale;
  return fmt::format(R"({{"bitwidth": {}, "dtype": "int", "is_symmetric": "{}", "min": {:.8e}, "max": {:.8e}, "scale": {}, "offset": {}}})",
                     bits, symmetric ? "True" : "False", least, most, number(scale), offset);
}

Status Writer::dictionary_row(const TensorEncoding& encoding) {
  TRY(add(json_text(encoding.name) + ": ["));
  if (encoding.table) {
    const int bits = encoding.table->bits;
    TRY(read(*encoding.table));
    TRY(list(count_of(*encoding.table), [&](std::int64_t i) { return dictionary(bits, true, scale(i), least_code(bits)); }));
  } else if (encoding.whole) {
    const Encoding& whole = *encoding.whole;
    TRY(add(dictionary(bits_of(whole), is_symmetric(whole), whole.scale, offset_of(whole))));
  } else {
    TRY(add(R"({"bitwidth": 16, "dtype": "float"})"));
  }
  return add("]");
}

Status Writer::list_table(const ScaleTable& table) {
  TRY(read(table));
  TRY(add(fmt::format(R"("enc_type": "{}", "dtype": "INT", "bw": {}, "is_sym": true, )", table.block == 0 ? "PER_CHANNEL" : "PER_BLOCK",
                      table.bits)));
  if (table.block > 0) TRY(add(fmt::format(R"("block_size": {}, )", table.block)));
  TRY(add(R"("scale": [)"));
  TRY(list(count_of(table), [&](std::int64_t i) { return number(scale(i)); }));
  TRY(add(R"(], "offset": [)"));
  const std::string offset = std::to_string(least_code(table.bits));
  TRY(list(count_of(table), [&](std::int64_t) { return offset; }));
  return add("]}");
}

Status Writer::list_row(const TensorEncoding& encoding) {
  TRY(add(fmt::format(R"({{"name": {}, )", json_text(encoding.name))));
  if (encoding.table) return list_table(*encoding.table);
  if (!encoding.whole) return add(R"("enc_type": "PER_TENSOR", "dtype": "FLOAT", "bw": 16})");
  const Encoding& whole = *encoding.whole;
  return add(fmt::format(R"("enc_type": "PER_TENSOR", "dtype": "INT", "bw": {}, "is_sym": {}, "scale": [{}], "offset": [{}]}})",
                         bits_of(whole), is_symmetric(whole), number(whole.scale), offset_of(whole)));
}

// Blocks lie along the other axis of a matrix, and scales like the weight.
Status Writer::onnx_table(const ScaleTable& table) {
  TRY(read(table));
  TRY(add(fmt::format(R"(, "output_dtype": "int{}", "axis": {}, )", table.bits, table.block == 0 ? table.axis : 1 - table.axis)));
  if (table.block > 0) TRY(add(fmt::format(R"("block_size": {}, )", table.block)));
  TRY(add(R"("y_scale": [)"));
  if (table.block == 0) {
    TRY(list(count_of(table), [&](std::int64_t i) { return number(scale(i)); }));
    return add("]}");
  }
  const std::int64_t channels = table.scales->shape()[0], blocks = table.scales->shape()[1];
  const std::int64_t rows = table.axis == 0 ? channels : blocks, columns = table.axis == 0 ? blocks : channels;
  for (std::int64_t row = 0; row < rows; ++row) {
    TRY(add(row == 0 ? "[" : ",["));
    TRY(list(columns, [&](std::int64_t column) { return number(scale(table.axis == 0 ? row * blocks + column : column * blocks + row)); }));
    TRY(add("]"));
  }
  return add("]}");
}

Status Writer::onnx_row(const TensorEncoding& encoding) {
  TRY(add(fmt::format(R"({{"name": {})", json_text(encoding.name))));
  if (encoding.table) return onnx_table(*encoding.table);
  if (!encoding.whole) return add("}");
  const Encoding& whole = *encoding.whole;
  TRY(add(fmt::format(R"(, "output_dtype": "{}", "y_scale": {})", fastvlm::name(whole.dtype), number(whole.scale))));
  return add(whole.zero_point == 0 ? std::string("}") : fmt::format(R"(, "y_zero_point": {}}})", whole.zero_point));
}

Status Writer::section(std::string_view key, bool parameters) {
  const bool named = text_.version == EncodingsVersion::k061;
  TRY(add(fmt::format("\"{}\": {}", key, named ? '{' : '[')));
  bool first = true;
  for (const TensorEncoding& encoding : text_.encodings) {
    if (text_.version != EncodingsVersion::k200 && encoding.parameter != parameters) continue;
    TRY(add(first ? "\n" : ",\n"));
    first = false;
    switch (text_.version) {
      case EncodingsVersion::k061: TRY(dictionary_row(encoding)); break;
      case EncodingsVersion::k100: TRY(list_row(encoding)); break;
      case EncodingsVersion::k200: TRY(onnx_row(encoding)); break;
    }
  }
  return add(named ? "\n}" : "\n]");
}

// What a tool assumes of tensors without an entry.
std::string Writer::arguments() const {
  int bits = 16;
  for (const TensorEncoding& encoding : text_.encodings)
    if (encoding.table) bits = std::min(bits, encoding.table->bits);
  return fmt::format(
      R"({{"activation_bitwidth": 16, "param_bitwidth": {}, "dtype": "int", "is_symmetric": true, "per_channel_quantization": true, "quant_scheme": "min_max"}})",
      bits);
}

Status Writer::write() {
  TRY(add(fmt::format("{{\"version\": \"{}\",\n\"producer\": \"fastvlm-npu {}\",\n", fastvlm::name(text_.version), kVersion)));
  if (text_.version == EncodingsVersion::k200) {
    TRY(section("encodings", false));
  } else {
    TRY(add(fmt::format("\"quantizer_args\": {},\n", arguments())));
    if (text_.version == EncodingsVersion::k100) TRY(add("\"excluded_layers\": [],\n"));
    TRY(section("activation_encodings", false));
    TRY(add(",\n"));
    TRY(section("param_encodings", true));
  }
  TRY(add("}\n"));
  return flush();
}

}  // namespace

std::string_view name(EncodingsVersion version) { return kVersions[static_cast<std::size_t>(version)]; }

std::optional<EncodingsVersion> encodings_version(std::string_view name) {
  const auto* row = std::ranges::find(kVersions, name);
  return row == kVersions.end() ? std::nullopt : std::optional(static_cast<EncodingsVersion>(row - kVersions.begin()));
}

Status check_version(const EncodingsText& text) {
  if (text.version != EncodingsVersion::k061) return {};
  for (const TensorEncoding& encoding : text.encodings)
    if (encoding.table && encoding.table->block > 0)
      return bad_option("encodings", "0.6.1: has no form for blocks of weights, and \"{}\" has blocks of {}; choose 1.0.0 or 2.0.0",
                        encoding.name, encoding.table->block);
  return {};
}

std::uint64_t bytes_of(const EncodingsText& text) {
  Writer counter(text);
  const Status counted = counter.write();
  FASTVLM_ASSERT(counted.ok(), "counting reads nothing");
  return counter.bytes();
}

Status write_encodings(const EncodingsText& text, const std::function<Result<std::vector<float>>(const WeightPtr&)>& scales,
                       const std::function<Status(std::string_view)>& put) {
  return Writer(text, scales, put).write();
}

}  // namespace fastvlm
