#include "fastvlm/ops/basic.h"

#include <algorithm>
#include <numeric>

#include "fastvlm/base/model_error.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm::ops {
namespace {

Value one(Graph& graph, const char* op, std::vector<Value> inputs, OutputSpec output, Attributes attributes = {}, const char* domain = "") {
  return graph.add_node(domain, op, std::move(inputs), {std::move(output)}, std::move(attributes))[0];
}

template <class... Args>
void require(bool condition, const char* op, Value at, fmt::format_string<Args...> text, Args&&... args) {
  if (!condition) model_error(op, at.graph().scope(), text, std::forward<Args>(args)...);
}

int positive_axis(const char* op, Value x, int axis) {
  int positive = axis < 0 ? axis + x.rank() : axis;
  require(positive >= 0 && positive < x.rank(), op, x, "axis {} of a value with shape {}", axis, to_string(x.dims()));
  return positive;
}

void require_same_type(const char* op, Value a, Value b) {
  require(a.dtype() == b.dtype(), op, a, "types differ: {} and {}", name(a.dtype()), name(b.dtype()));
}

Value binary(const char* op, Value a, Value b) {
  require_same_type(op, a, b);
  return one(a.graph(), op, {a, b}, {a.dtype(), broadcast(op, a, b)});
}

Value unary(const char* op, Value x) { return one(x.graph(), op, {x}, {x.dtype(), x.dims()}); }

Value integers(Graph& graph, const std::vector<std::int64_t>& values) {
  return graph.add_constant(Tensor::of_int64({static_cast<std::int64_t>(values.size())}, values));
}

Dims broadcast_dims(const char* op, Value at, Dims a, Dims b) {
  if (a.size() < b.size()) std::swap(a, b);
  const std::size_t shift = a.size() - b.size();
  for (std::size_t i = 0; i < b.size(); ++i) {
    Dim& wide = a[i + shift];
    if (wide == b[i] || b[i] == Dim(1)) continue;
    require(wide == Dim(1), op, at, "shapes {} and {} do not go together", to_string(a), to_string(b));
    wide = b[i];
  }
  return a;
}

}  // namespace

Dims broadcast(const char* op, Value a, Value b) { return broadcast_dims(op, a, a.dims(), b.dims()); }

Value add(Value a, Value b) { return binary("Add", a, b); }
Value sub(Value a, Value b) { return binary("Sub", a, b); }
Value mul(Value a, Value b) { return binary("Mul", a, b); }
Value div(Value a, Value b) { return binary("Div", a, b); }
Value greater(Value a, Value b) {
  require_same_type("Greater", a, b);
  return one(a.graph(), "Greater", {a, b}, {Dtype::kBool, broadcast("Greater", a, b)});
}
Value equal(Value a, Value b) {
  require_same_type("Equal", a, b);
  return one(a.graph(), "Equal", {a, b}, {Dtype::kBool, broadcast("Equal", a, b)});
}
Value where(Value condition, Value a, Value b) {
  require_same_type("Where", a, b);
  Dims dims = broadcast_dims("Where", a, broadcast("Where", a, b), condition.dims());
  return one(a.graph(), "Where", {condition, a, b}, {a.dtype(), std::move(dims)});
}

Value sqrt(Value x) { return unary("Sqrt", x); }
Value erf(Value x) { return unary("Erf", x); }
Value abs(Value x) { return unary("Abs", x); }
Value neg(Value x) { return unary("Neg", x); }
Value sigmoid_node(Value x) { return unary("Sigmoid", x); }
Value relu(Value x) { return unary("Relu", x); }
Value gelu_node(Value x) { return unary("Gelu", x); }
Value cos(Value x) { return unary("Cos", x); }
Value sin(Value x) { return unary("Sin", x); }
Value cast(Value x, Dtype dtype) {
  if (x.dtype() == dtype) return x;
  return one(x.graph(), "Cast", {x}, {dtype, x.dims()}, {{"to", std::int64_t{facts(dtype).onnx}}});
}

Value clip(Value x, double low, double high) {
  Value least = scalar(x.graph(), x.dtype(), low), most = scalar(x.graph(), x.dtype(), high);
  return one(x.graph(), "Clip", {x, least, most}, {x.dtype(), x.dims()});
}

Value matmul(Value a, Value b) {
  require(a.rank() >= 2 && b.rank() >= 2 && a.dim(-1) == b.dim(-2), "MatMul", a, "shapes {} and {} do not go together", to_string(a.dims()),
          to_string(b.dims()));
  require_same_type("MatMul", a, b);
  Dims lead = broadcast_dims("MatMul", a, Dims(a.dims().begin(), a.dims().end() - 2), Dims(b.dims().begin(), b.dims().end() - 2));
  lead.push_back(a.dim(-2));
  lead.push_back(b.dim(-1));
  return one(a.graph(), "MatMul", {a, b}, {a.dtype(), std::move(lead)});
}

Value gemm_transposed(Value x, Value weight, Value bias) {
  require(x.rank() == 2 && weight.rank() == 2 && x.dim(1) == weight.dim(1), "Gemm", x, "shapes {} and {} (transposed) do not go together",
          to_string(x.dims()), to_string(weight.dims()));
  std::vector<Value> inputs = {x, weight};
  if (bias) inputs.push_back(bias);
  return one(x.graph(), "Gemm", inputs, {x.dtype(), {x.dim(0), weight.dim(0)}}, {{"transB", std::int64_t{1}}});
}

Value transpose(Value x, std::vector<std::int64_t> permutation) {
  require(static_cast<int>(permutation.size()) == x.rank(), "Transpose", x, "{} axes for shape {}", permutation.size(),
          to_string(x.dims()));
  std::vector<std::int64_t> sorted = permutation;
  std::ranges::sort(sorted);
  for (std::size_t i = 0; i < sorted.size(); ++i)
    require(sorted[i] == static_cast<std::int64_t>(i), "Transpose", x, "axes {} for shape {}", to_string(permutation), to_string(x.dims()));
  Dims dims;
  for (std::int64_t axis : permutation) dims.push_back(x.dim(static_cast<int>(axis)));
  return one(x.graph(), "Transpose", {x}, {x.dtype(), std::move(dims)}, {{"perm", std::move(permutation)}});
}

Value reshape(Value x, const Dims& dims) {
  std::vector<std::int64_t> target;
  int inferred = 0;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    bool in_place = i < x.dims().size() && x.dims()[i] == dims[i];
    if (dims[i].is_static())
      target.push_back(dims[i].value);
    else if (in_place)
      target.push_back(0);
    else
      target.push_back(-1), ++inferred;
  }
  require(inferred <= 1, "Reshape", x, "{} to {} leaves more than one extent open", to_string(x.dims()), to_string(dims));
  auto from = static_shape(x.dims()), to = static_shape(dims);
  require(!from || !to || element_count(*from) == element_count(*to), "Reshape", x, "{} has other elements than {}", to_string(x.dims()),
          to_string(dims));
  return one(x.graph(), "Reshape", {x, integers(x.graph(), target)}, {x.dtype(), dims});
}

std::vector<Value> split(Value x, int axis, std::span<const std::int64_t> sizes) {
  axis = positive_axis("Split", x, axis);
  std::int64_t sum = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
  require(x.dim(axis) == Dim(sum), "Split", x, "parts of {} in all for axis {} of {}", sum, axis, to_string(x.dims()));
  std::vector<OutputSpec> outputs;
  for (std::int64_t size : sizes) {
    Dims dims = x.dims();
    dims[static_cast<std::size_t>(axis)] = size;
    outputs.push_back({x.dtype(), std::move(dims)});
  }
  return x.graph().add_node("", "Split", {x, integers(x.graph(), {sizes.begin(), sizes.end()})}, std::move(outputs),
                            {{"axis", std::int64_t{axis}}});
}

std::vector<Value> split_evenly(Value x, int axis, std::int64_t parts) {
  if (parts == 1) return {x};
  axis = positive_axis("Split", x, axis);
  require(x.dim(axis).is_static() && x.dim(axis).value % parts == 0, "Split", x, "axis {} of {} into {} equal parts", axis,
          to_string(x.dims()), parts);
  return split(x, axis, std::vector<std::int64_t>(static_cast<std::size_t>(parts), x.dim(axis).value / parts));
}

Value concat(std::vector<Value> parts, int axis, std::optional<Dim> extent_name) {
  if (parts.size() == 1) return parts[0];
  Value first = parts[0];
  axis = positive_axis("Concat", first, axis);
  Dims dims = first.dims();
  Dim& sum = dims[static_cast<std::size_t>(axis)];
  for (std::size_t i = 1; i < parts.size(); ++i) {
    Dims other = parts[i].dims();
    require(parts[i].rank() == first.rank() && parts[i].dtype() == first.dtype(), "Concat", first, "rank or type of part {} differs", i);
    const Dim extent = other[static_cast<std::size_t>(axis)];
    other[static_cast<std::size_t>(axis)] = first.dim(axis);
    require(other == first.dims(), "Concat", first, "{} beside {} on axis {}", to_string(parts[i].dims()), to_string(first.dims()), axis);
    if (sum.is_static() && extent.is_static())
      sum = sum.value + extent.value;
    else
      sum = (sum.is_static() ? std::to_string(sum.value) : sum.symbol) + "+" +
            (extent.is_static() ? std::to_string(extent.value) : extent.symbol);
  }
  if (extent_name) sum = *extent_name;
  return one(first.graph(), "Concat", parts, {first.dtype(), dims}, {{"axis", std::int64_t{axis}}});
}

Value softmax(Value x) { return one(x.graph(), "Softmax", {x}, {x.dtype(), x.dims()}, {{"axis", std::int64_t{-1}}}); }

Value reduce_mean_last(Value x) {
  Dims dims = x.dims();
  dims.back() = 1;
  return one(x.graph(), "ReduceMean", {x}, {x.dtype(), std::move(dims)},
             {{"axes", std::vector<std::int64_t>{-1}}, {"keepdims", std::int64_t{1}}});
}

Value global_average_pool(Value x) {
  require(x.rank() == 4, "GlobalAveragePool", x, "a map [B, C, H, W] is needed, not {}", to_string(x.dims()));
  return one(x.graph(), "GlobalAveragePool", {x}, {x.dtype(), {x.dim(0), x.dim(1), 1, 1}});
}

Value gather_rows(Value table, Value ids) {
  require(table.rank() == 2, "Gather", ids, "a table [rows, width] is needed, not {}", to_string(table.dims()));
  require(ids.dtype() == Dtype::kInt64 || ids.dtype() == Dtype::kInt32, "Gather", ids, "ids must be int64 or int32, not {}",
          name(ids.dtype()));
  Dims dims = ids.dims();
  dims.push_back(table.dim(1));
  return one(ids.graph(), "Gather", {table, ids}, {table.dtype(), std::move(dims)}, {{"axis", std::int64_t{0}}});
}

Value layer_normalization(Value x, Value scale, Value bias, float epsilon) {
  require(scale.dims() == Dims{x.dim(-1)}, "LayerNormalization", x, "scale {} for input {}", to_string(scale.dims()), to_string(x.dims()));
  return one(x.graph(), "LayerNormalization", {x, scale, bias}, {x.dtype(), x.dims()}, {{"axis", std::int64_t{-1}}, {"epsilon", epsilon}});
}

Value simplified_layer_normalization(Value x, Value scale, float epsilon) {
  require(scale.dims() == Dims{x.dim(-1)}, "SimplifiedLayerNormalization", x, "scale {} for input {}", to_string(scale.dims()),
          to_string(x.dims()));
  return one(x.graph(), "SimplifiedLayerNormalization", {x, scale}, {x.dtype(), x.dims()},
             {{"axis", std::int64_t{-1}}, {"epsilon", epsilon}, {"stash_type", std::int64_t{1}}});
}

Value matmul_in_blocks(Value x, const BlockValues& weight, BlockFormat format, std::optional<std::int64_t> accuracy_level) {
  const auto& [codes, scales, zero_points] = weight;
  require(x.rank() == 3 && x.dim(2).is_static() && x.dim(2).value % format.block == 0 &&
              codes.dims() == Dims{codes.dim(0), x.dim(2).value / format.block, format.block_bytes()} &&
              scales.dims() == Dims{codes.dim(0), codes.dim(1)} &&
              (!format.shifted || zero_points.dims() == Dims{codes.dim(0), format.zero_point_bytes(x.dim(2).value)}),
          "MatMulNBits", x, "codes {} and scales {} for input {} in blocks of {}", to_string(codes.dims()), to_string(scales.dims()),
          to_string(x.dims()), format.block);
  Attributes attributes = {
      {"K", x.dim(2).value}, {"N", codes.dim(0).value}, {"bits", std::int64_t{format.bits}}, {"block_size", format.block}};
  if (accuracy_level) attributes.emplace("accuracy_level", *accuracy_level);
  std::vector<Value> inputs = {x, codes, scales};
  if (format.shifted) inputs.push_back(zero_points);
  return one(x.graph(), "MatMulNBits", inputs, {x.dtype(), {x.dim(0), x.dim(1), codes.dim(0)}}, std::move(attributes), kMicrosoftDomain);
}

Value dequantize(Value x, const Encoding& encoding) {
  require(x.dtype() == encoding.dtype && x.dtype() == Dtype::kUint16, "DequantizeLinear", x, "a value of type {} for codes of type {}",
          name(x.dtype()), name(encoding.dtype));
  Tensor zero_point = Tensor::zeros(encoding.dtype, {});
  zero_point.as<std::uint16_t>(encoding.dtype)[0] = static_cast<std::uint16_t>(encoding.zero_point);
  Value scale = scalar(x.graph(), Dtype::kFloat32, encoding.scale);
  return one(x.graph(), "DequantizeLinear", {x, scale, x.graph().add_constant(std::move(zero_point))}, {Dtype::kFloat32, x.dims()}, {},
             kMicrosoftDomain);
}

Value rotary_embedding(Value x, Value rows, Value cos, Value sin) {
  const bool fits = x.rank() == 3 && cos.rank() == 2 && x.dim(2).value % (2 * cos.dim(1).value) == 0;
  require(fits && rows.dims() == Dims{x.dim(0), x.dim(1)} && sin.dims() == cos.dims(), "RotaryEmbedding", x, "rows {} of angles {} for {}",
          to_string(rows.dims()), to_string(cos.dims()), to_string(x.dims()));
  return one(x.graph(), "RotaryEmbedding", {x, rows, cos, sin}, {x.dtype(), x.dims()}, {}, kMicrosoftDomain);
}

Value conv(Value x, Value weight, Value bias, const ConvOptions& o) {
  require(x.rank() == 4 && weight.rank() == 4 && x.dim(1).is_static() && weight.dim(1).value * o.groups == x.dim(1).value &&
              weight.dim(0).value % o.groups == 0,
          "Conv", x, "weight {} in {} groups for input {}", to_string(weight.dims()), o.groups, to_string(x.dims()));
  require(!bias || bias.dims() == Dims{weight.dim(0)}, "Conv", x, "bias {} for weight {}", bias ? to_string(bias.dims()) : "",
          to_string(weight.dims()));
  const std::int64_t kernel = weight.dim(2).value;
  auto extent = [&](const Dim& in) {
    require(in.is_static(), "Conv", x, "height and width must be known, not {}", to_string(x.dims()));
    require(in.value + 2 * o.padding >= kernel, "Conv", x, "a kernel of {} is larger than the input {}", kernel, to_string(x.dims()));
    return (in.value + 2 * o.padding - kernel) / o.stride + 1;
  };
  std::vector<Value> inputs = {x, weight};
  if (bias) inputs.push_back(bias);
  return one(x.graph(), "Conv", inputs, {x.dtype(), {x.dim(0), weight.dim(0), extent(x.dim(2)), extent(x.dim(3))}},
             {{"group", o.groups},
              {"kernel_shape", std::vector<std::int64_t>{kernel, kernel}},
              {"pads", std::vector<std::int64_t>(4, o.padding)},
              {"strides", std::vector<std::int64_t>(2, o.stride)}});
}

Value extent_of(Value x, int axis) {
  axis = positive_axis("Shape", x, axis);
  Graph& graph = x.graph();
  Value shape = one(graph, "Shape", {x}, {Dtype::kInt64, {1}}, {{"start", std::int64_t{axis}}, {"end", std::int64_t{axis} + 1}});
  return one(graph, "Squeeze", {shape}, {Dtype::kInt64, {}});
}

Value range_along(Value x, int axis) {
  axis = positive_axis("Range", x, axis);
  Graph& graph = x.graph();
  Value length = extent_of(x, axis);
  return one(graph, "Range", {scalar(graph, Dtype::kInt64, 0), length, scalar(graph, Dtype::kInt64, 1)}, {Dtype::kInt64, {x.dim(axis)}});
}

Value unsqueeze(Value x, std::vector<std::int64_t> axes) {
  Dims dims = x.dims();
  for (std::int64_t axis : axes) dims.insert(dims.begin() + axis, Dim(1));
  return one(x.graph(), "Unsqueeze", {x, integers(x.graph(), axes)}, {x.dtype(), std::move(dims)});
}

Value cumulative_sum(Value x, int axis) {
  axis = positive_axis("CumSum", x, axis);
  return one(x.graph(), "CumSum", {x, scalar(x.graph(), Dtype::kInt64, axis)}, {x.dtype(), x.dims()});
}

Value scalar(Graph& graph, Dtype dtype, double value) {
  if (dtype == Dtype::kInt64) {
    const std::int64_t integer = static_cast<std::int64_t>(value);
    return graph.add_constant(Tensor::of_int64({}, {&integer, 1}));
  }
  const float real = static_cast<float>(value);
  return graph.add_constant(cast_to(Tensor::of_floats({}, {&real, 1}), dtype));
}

Value floats(Graph& graph, Dtype dtype, const Shape& shape, std::span<const float> values) {
  return graph.add_constant(cast_to(Tensor::of_floats(shape, values), dtype));
}

}  // namespace fastvlm::ops
