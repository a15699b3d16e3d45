#include "fastvlm/onnx/schemas.h"

#include <onnx/defs/schema.h>
#include <onnx/defs/shape_inference.h>
#include <onnx/onnx_pb.h>
#include <onnx/shape_inference/implementation.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <set>

namespace fastvlm {
namespace {

using onnx::InferenceContext;
using onnx::OpSchema;

void infer_nothing(InferenceContext&) {}

void infer_same_as_first(InferenceContext& context) { onnx::propagateShapeAndTypeFromFirstInput(context); }

// [..., K] becomes [..., N], which the attribute says.
void infer_matmul_in_blocks(InferenceContext& context) {
  onnx::propagateElemTypeFromInputToOutput(context, 0, 0);
  const auto* width = context.getAttribute("N");
  if (width == nullptr || !onnx::hasInputShape(context, 0)) return;
  onnx::propagateShapeFromInputToOutput(context, 0, 0);
  auto* shape = context.getOutputType(0)->mutable_tensor_type()->mutable_shape();
  if (shape->dim_size() > 0) shape->mutable_dim(shape->dim_size() - 1)->set_dim_value(width->i());
}

// The type of the zero point, uint8 without one; opset 21 and later may name it in an attribute.
void infer_quantize(InferenceContext& context) {
  const bool has_zero_point = context.getNumInputs() > 2 && context.getInputType(2) != nullptr;
  const auto* named = context.getAttribute("output_dtype");
  if (has_zero_point)
    onnx::propagateElemTypeFromInputToOutput(context, 2, 0);
  else
    onnx::updateOutputElemType(context, 0, named != nullptr && named->i() != 0 ? static_cast<int>(named->i()) : onnx::TensorProto::UINT8);
  if (onnx::hasInputShape(context, 0)) onnx::propagateShapeFromInputToOutput(context, 0, 0);
}

// The type of the scale.
void infer_dequantize(InferenceContext& context) {
  onnx::propagateElemTypeFromInputToOutput(context, 1, 0);
  if (onnx::hasInputShape(context, 0)) onnx::propagateShapeFromInputToOutput(context, 0, 0);
}

// Opset 18 moved the axes of the Reduce operators from an attribute to the second input.
void infer_reduce(InferenceContext& context) {
  onnx::propagateElemTypeFromInputToOutput(context, 0, 0);
  if (!onnx::hasInputShape(context, 0)) return;
  const auto& shape = context.getInputType(0)->tensor_type().shape();
  const std::int64_t rank = shape.dim_size();
  std::set<std::int64_t> axes;
  if (context.getNumInputs() > 1 && context.getInputType(1) != nullptr) {
    const onnx::TensorProto* data = context.getInputData(1);
    if (data == nullptr || data->data_type() != onnx::TensorProto::INT64) return;
    for (std::int64_t axis : onnx::ParseData<std::int64_t>(data)) {
      if (axis < -rank || axis >= rank) fail_shape_inference("axis ", axis, " is outside of rank ", rank);
      axes.insert(axis < 0 ? axis + rank : axis);
    }
  }
  if (axes.empty() && onnx::getAttribute(context, "noop_with_empty_axes", 0) != 0)
    return onnx::propagateShapeFromInputToOutput(context, 0, 0);
  const bool keep = onnx::getAttribute(context, "keepdims", 1) != 0;
  auto* out = context.getOutputType(0)->mutable_tensor_type()->mutable_shape();
  for (int i = 0; i < rank; ++i) {
    const bool reduced = axes.empty() || axes.contains(i);
    if (!reduced)
      *out->add_dim() = shape.dim(i);
    else if (keep)
      out->add_dim()->set_dim_value(1);
  }
}

// Opset 18: parts of equal size (the last one may be smaller) when no sizes are given.
void infer_split(InferenceContext& context) {
  const std::int64_t parts = static_cast<std::int64_t>(context.getNumOutputs());
  for (std::int64_t i = 0; i < parts; ++i) onnx::propagateElemTypeFromInputToOutput(context, 0, i);
  if (!onnx::hasInputShape(context, 0)) return;
  const auto& shape = context.getInputType(0)->tensor_type().shape();
  const std::int64_t rank = shape.dim_size();
  std::int64_t axis = onnx::getAttribute(context, "axis", 0);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) fail_shape_inference("axis outside of rank ", rank);
  std::vector<std::int64_t> sizes;
  if (context.getNumInputs() > 1 && context.getInputType(1) != nullptr) {
    const onnx::TensorProto* data = context.getInputData(1);
    if (data != nullptr && data->data_type() == onnx::TensorProto::INT64) sizes = onnx::ParseData<std::int64_t>(data);
    if (sizes.size() != static_cast<std::size_t>(parts)) return;
  } else if (shape.dim(static_cast<int>(axis)).has_dim_value()) {
    const std::int64_t extent = shape.dim(static_cast<int>(axis)).dim_value(), size = extent / parts + (extent % parts != 0);
    sizes.assign(static_cast<std::size_t>(parts), size);
    sizes.back() = extent - size * (parts - 1);
  }
  for (std::int64_t i = 0; i < parts; ++i) {
    auto* out = context.getOutputType(static_cast<std::size_t>(i))->mutable_tensor_type()->mutable_shape();
    *out = shape;
    auto* dim = out->mutable_dim(static_cast<int>(axis));
    dim->Clear();
    if (!sizes.empty()) dim->set_dim_value(sizes[static_cast<std::size_t>(i)]);
  }
}

// Operators of ONNX Runtime, and operators whose meaning changed after opset 17.
struct ExtensionRow {
  const char* domain;
  const char* op;
  int since;
  void (*infer)(InferenceContext&);
};
constexpr const char* kMicrosoft = "com.microsoft";
constexpr std::array kExtensions = {
    ExtensionRow{"", "SimplifiedLayerNormalization", 1, infer_same_as_first},
    ExtensionRow{kMicrosoft, "Gelu", 1, infer_same_as_first},
    ExtensionRow{kMicrosoft, "QuickGelu", 1, infer_same_as_first},
    ExtensionRow{kMicrosoft, "FastGelu", 1, infer_same_as_first},
    ExtensionRow{kMicrosoft, "BiasGelu", 1, infer_same_as_first},
    ExtensionRow{kMicrosoft, "MatMulNBits", 1, infer_matmul_in_blocks},
    ExtensionRow{kMicrosoft, "QuantizeLinear", 1, infer_quantize},
    ExtensionRow{kMicrosoft, "DequantizeLinear", 1, infer_dequantize},
    ExtensionRow{"", "Mish", 18, infer_same_as_first},
    ExtensionRow{"", "GroupNormalization", 18, infer_same_as_first},
    ExtensionRow{"", "ReduceL1", 18, infer_reduce},
    ExtensionRow{"", "ReduceL2", 18, infer_reduce},
    ExtensionRow{"", "ReduceLogSum", 18, infer_reduce},
    ExtensionRow{"", "ReduceLogSumExp", 18, infer_reduce},
    ExtensionRow{"", "ReduceMax", 18, infer_reduce},
    ExtensionRow{"", "ReduceMean", 18, infer_reduce},
    ExtensionRow{"", "ReduceMin", 18, infer_reduce},
    ExtensionRow{"", "ReduceProd", 18, infer_reduce},
    ExtensionRow{"", "ReduceSumSquare", 18, infer_reduce},
    ExtensionRow{"", "Split", 18, infer_split},
    ExtensionRow{"", "LpPool", 18, infer_nothing},
    ExtensionRow{"", "Pad", 18, infer_nothing},
    ExtensionRow{"", "Resize", 18, infer_nothing},
    ExtensionRow{"", "AveragePool", 19, infer_nothing},
    ExtensionRow{"", "Gelu", 20, infer_same_as_first},
    ExtensionRow{"", "GridSample", 20, infer_nothing},
    ExtensionRow{"", "DFT", 20, infer_nothing},
    ExtensionRow{"", "QuantizeLinear", 21, infer_quantize},
    ExtensionRow{"", "DequantizeLinear", 19, infer_dequantize},
    ExtensionRow{"", "RMSNormalization", 23, infer_same_as_first},
    ExtensionRow{"", "RotaryEmbedding", 23, infer_same_as_first},
    ExtensionRow{"", "Swish", 24, infer_same_as_first},
};

// Operators that took new attributes or types without another meaning, and those that came later or went, of which nothing but the
// name matters.
struct NameRow {
  const char* op;
  int since;
};
constexpr std::array kOutgrown = {NameRow{"Cast", 19}, NameRow{"CastLike", 19}, NameRow{"OptionalHasElement", 18},
                                  NameRow{"QLinearMatMul", 21}};
constexpr std::array kNewerNames = {"AffineGrid",   "Attention",           "BitCast",        "BitwiseAnd",   "BitwiseNot",  "BitwiseOr",
                                    "BitwiseXor",   "CausalConvWithState", "CenterCropPad",  "Col2Im",       "CumProd",     "DeformConv",
                                    "ImageDecoder", "LinearAttention",     "RegexFullMatch", "StringConcat", "StringSplit", "SwiGLU",
                                    "TensorScatter"};
// ONNX Runtime's, up to opset 10.
constexpr std::array kFormerNames = {
    "Affine", "Crop", "DynamicSlice", "GRUUnit", "GivenTensorFill", "ImageScaler", "ParametricSoftplus", "Scale", "ScaledTanh"};

std::unique_ptr<OpSchema> make_schema(const ExtensionRow& row) {
  auto schema = std::make_unique<OpSchema>();
  schema->SetName(row.op).SetDomain(row.domain).SinceVersion(row.since).AllowUncheckedAttributes();
  schema->Input(0, "inputs", "", "T", OpSchema::Variadic, false, 1);
  schema->Output(0, "outputs", "", "T", OpSchema::Variadic, false, 1);
  schema->TypeConstraint("T", OpSchema::all_tensor_types_with_bfloat(), "");
  schema->TypeAndShapeInferenceFunction(row.infer);
  schema->Finalize();
  return schema;
}

class Schemas final : public onnx::ISchemaRegistry {
 public:
  explicit Schemas(bool lenient) : lenient_(lenient) {
    for (const ExtensionRow& row : kExtensions) extensions_.emplace(std::pair(row.domain, row.op), make_schema(row));
  }

  const OpSchema* GetSchema(const std::string& op, int version, const std::string& domain) const override {
    const std::string plain = domain == "ai.onnx" ? "" : domain;
    const auto found = extensions_.find({plain, op});
    const OpSchema* extension = found == extensions_.end() || found->second->SinceVersion() > version ? nullptr : found->second.get();
    const OpSchema* known = onnx::OpSchemaRegistry::Instance()->GetSchema(op, version, plain);
    // The library's own schema wins unless it is older than the change that the row stands for.
    if (extension != nullptr && (known == nullptr || known->SinceVersion() < extension->SinceVersion())) return extension;
    if (known != nullptr) return known;
    return lenient_ ? unknown_.get() : nullptr;
  }

 private:
  bool lenient_;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<OpSchema>> extensions_;
  std::unique_ptr<OpSchema> unknown_ = make_schema({"", "unknown", 1, infer_nothing});
};

// Extents that the library divides by without looking: a zero would end the process.
bool divides_by_zero(const onnx::GraphProto& graph) {
  auto has_zero = [](const onnx::AttributeProto& attribute) {
    if (attribute.name() == "strides") return std::ranges::find(attribute.ints(), 0) != attribute.ints().end();
    return (attribute.name() == "blocksize" || attribute.name() == "group") && attribute.i() == 0;
  };
  for (const auto& node : graph.node())
    for (const auto& attribute : node.attribute()) {
      if (has_zero(attribute)) return true;
      // Protobuf bounds the depth of the file, hence of this recursion.
      if (attribute.has_g() && divides_by_zero(attribute.g())) return true;
    }
  return false;
}

// The library reads inputs without looking whether they are there, so a model must be whole before it may see it. Returns what
// is missing, or "".
std::string what_is_missing(const onnx::ModelProto& model) {
  std::map<std::string, int> opsets;
  for (const auto& opset : model.opset_import())
    opsets[opset.domain()] = static_cast<int>(std::min<std::int64_t>(opset.version(), 1 << 20));
  std::set<std::string> known;
  for (const auto& value : model.graph().input()) known.insert(value.name());
  for (const auto& value : model.graph().initializer()) known.insert(value.name());
  for (const auto& value : model.graph().sparse_initializer()) known.insert(value.values().name());
  for (const auto& node : model.graph().node()) {
    for (const std::string& input : node.input())
      if (!input.empty() && !known.contains(input)) return "\"" + input + "\" is used, but nothing makes it before";
    known.insert(node.output().begin(), node.output().end());
    const auto opset = opsets.find(node.domain());
    const OpSchema* schema = lenient_schemas().GetSchema(node.op_type(), opset == opsets.end() ? 1 : opset->second, node.domain());
    if (node.input_size() < schema->min_input() || node.input_size() > schema->max_input() || node.output_size() < schema->min_output() ||
        node.output_size() > schema->max_output())
      return node.op_type() + " \"" + node.name() + "\" has a wrong number of inputs or outputs";
  }
  return "";
}

// Following the numbers of shapes through the graph dereferences the type of every input.
bool may_follow_shapes(const onnx::ModelProto& model) {
  std::set<std::string> typed;
  auto add = [&](const auto& values) {
    for (const auto& value : values)
      if (value.type().has_tensor_type() && value.type().tensor_type().elem_type() != 0) typed.insert(value.name());
  };
  add(model.graph().input());
  add(model.graph().output());
  add(model.graph().value_info());
  for (const auto& value : model.graph().initializer()) typed.insert(value.name());
  for (const auto& node : model.graph().node()) {
    for (const std::string& input : node.input())
      if (!input.empty() && !typed.contains(input)) return false;
    for (const auto& attribute : node.attribute())
      if (attribute.has_g() || attribute.graphs_size() > 0) return false;
  }
  return model.functions_size() == 0;
}

}  // namespace

const onnx::ISchemaRegistry& strict_schemas() {
  static const Schemas schemas(false);
  return schemas;
}

const onnx::ISchemaRegistry& lenient_schemas() {
  static const Schemas schemas(true);
  return schemas;
}

std::int64_t newest_known_opset() { return onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map().at(onnx::ONNX_DOMAIN).second; }

bool is_known(const std::string& domain, const std::string& op, std::int64_t opset) {
  return strict_schemas().GetSchema(op, static_cast<int>(std::clamp<std::int64_t>(opset, 0, 1 << 20)), domain) != nullptr;
}

bool is_extension(const std::string& domain, const std::string& op, std::int64_t opset) {
  const int version = static_cast<int>(std::clamp<std::int64_t>(opset, 0, 1 << 20));
  return is_known(domain, op, opset) && onnx::OpSchemaRegistry::Instance()->GetSchema(op, version, domain) == nullptr;
}

bool is_newer_than_library(const std::string& op) {
  const int newest = std::numeric_limits<int>::max();
  const bool in_library = onnx::OpSchemaRegistry::Instance()->GetSchema(op, newest, "") != nullptr;
  return !in_library && (is_known("", op, newest) || std::ranges::find(kNewerNames, op) != kNewerNames.end());
}

bool is_operator_name(const std::string& op) {
  return is_known("", op, std::numeric_limits<int>::max()) || is_newer_than_library(op) ||
         std::ranges::find(kFormerNames, op) != kFormerNames.end();
}

bool has_outgrown_library(const std::string& op, std::int64_t opset) {
  const OpSchema* known =
      onnx::OpSchemaRegistry::Instance()->GetSchema(op, static_cast<int>(std::clamp<std::int64_t>(opset, 0, 1 << 20)), "");
  return std::ranges::any_of(kOutgrown, [&](const NameRow& row) {
    return op == row.op && opset >= row.since && (known == nullptr || known->SinceVersion() < row.since);
  });
}

std::string infer_shapes_in_place(onnx::ModelProto& model, const InferOptions& options) {
  if (divides_by_zero(model.graph())) return "a stride, block size or group of 0";
  if (std::string missing = what_is_missing(model); !missing.empty()) return missing;
  if (options.follow_numbers && !may_follow_shapes(model)) return "";
  const onnx::ISchemaRegistry* schemas = options.strict ? &strict_schemas() : &lenient_schemas();
  try {
    onnx::shape_inference::InferShapes(
        model, schemas, onnx::ShapeInferenceOptions(options.strict && options.check_types, options.strict ? 1 : 0, options.follow_numbers));
  } catch (const std::exception& failure) {
    std::string text = failure.what();
    std::ranges::replace(text, '\n', ' ');
    return text.empty() ? "shape inference failed without a reason" : text;
  }
  return "";
}

}  // namespace fastvlm
