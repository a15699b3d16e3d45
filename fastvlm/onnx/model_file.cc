#include "fastvlm/onnx/model_file.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <set>

#include "fastvlm/base/file_content.h"
#include "fastvlm/base/try.h"
#include "fastvlm/onnx/external_data.h"
#include "fastvlm/onnx/inline_functions.h"
#include "fastvlm/onnx/library_child.h"
#include "fastvlm/onnx/parse.h"
#include "fastvlm/onnx/sort_nodes.h"

namespace fastvlm {
namespace {

std::string plain_domain(const std::string& domain) { return domain == "ai.onnx" ? "" : domain; }

// Shape inference invents names such as "unk__7" for extents that nobody named.
bool is_named(const std::string& symbol) { return !symbol.empty() && !symbol.starts_with("unk__"); }

Dims dims_of(const onnx::TensorShapeProto& shape) {
  Dims dims;
  for (const auto& dim : shape.dim()) {
    if (dim.has_dim_value() && dim.dim_value() >= 0)
      dims.emplace_back(dim.dim_value());
    else
      dims.emplace_back(is_named(dim.dim_param()) ? dim.dim_param() : std::string(kUnknownExtent));
  }
  return dims;
}

OnnxType type_of_proto(const onnx::TypeProto& proto) {
  OnnxType type;
  if (!proto.has_tensor_type()) return type;
  type.code = proto.tensor_type().elem_type();
  type.dtype = dtype_from_onnx(type.code);
  type.has_shape = proto.tensor_type().has_shape();
  if (type.has_shape) type.dims = dims_of(proto.tensor_type().shape());
  return type;
}

Shape shape_of(const onnx::TensorProto& tensor) { return {tensor.dims().begin(), tensor.dims().end()}; }

template <class T, class Values>
void store_as(const Values& values, std::vector<std::byte>& out) {
  out.resize(static_cast<std::size_t>(values.size()) * sizeof(T));
  std::size_t at = 0;
  for (const auto& value : values) {
    const T narrow = static_cast<T>(value);
    std::memcpy(out.data() + at, &narrow, sizeof narrow);
    at += sizeof narrow;
  }
}

// The bytes of a tensor that is stored in typed fields instead of raw bytes.
std::vector<std::byte> typed_bytes(const onnx::TensorProto& tensor, Dtype dtype) {
  std::vector<std::byte> bytes;
  switch (dtype) {
    case Dtype::kFloat32: store_as<float>(tensor.float_data(), bytes); break;
    case Dtype::kFloat64: store_as<double>(tensor.double_data(), bytes); break;
    case Dtype::kInt64: store_as<std::int64_t>(tensor.int64_data(), bytes); break;
    case Dtype::kUint32: store_as<std::uint32_t>(tensor.uint64_data(), bytes); break;
    case Dtype::kUint64: store_as<std::uint64_t>(tensor.uint64_data(), bytes); break;
    case Dtype::kInt32: store_as<std::int32_t>(tensor.int32_data(), bytes); break;
    case Dtype::kInt16: store_as<std::int16_t>(tensor.int32_data(), bytes); break;
    case Dtype::kUint16:
    case Dtype::kFloat16:
    case Dtype::kBfloat16: store_as<std::uint16_t>(tensor.int32_data(), bytes); break;
    case Dtype::kBool:
    case Dtype::kUint8:
    case Dtype::kInt8: store_as<std::uint8_t>(tensor.int32_data(), bytes); break;
  }
  return bytes;
}

std::size_t typed_elements(const onnx::TensorProto& tensor, Dtype dtype) {
  switch (dtype) {
    case Dtype::kFloat32: return static_cast<std::size_t>(tensor.float_data_size());
    case Dtype::kFloat64: return static_cast<std::size_t>(tensor.double_data_size());
    case Dtype::kInt64: return static_cast<std::size_t>(tensor.int64_data_size());
    case Dtype::kUint32:
    case Dtype::kUint64: return static_cast<std::size_t>(tensor.uint64_data_size());
    default: return static_cast<std::size_t>(tensor.int32_data_size());
  }
}

// Size of the whole tensor, or nothing for element types that we do not know. A shape past 2^62 elements is an Error.
Result<std::optional<std::uint64_t>> tensor_bytes(const onnx::TensorProto& tensor, const std::string& where) {
  const Shape shape = shape_of(tensor);
  const auto elements = checked_element_count(shape);
  if (!elements) return bad_input("{}: {} is not a possible shape", where, to_string(shape));
  const auto dtype = dtype_from_onnx(tensor.data_type());
  if (!dtype) return std::optional<std::uint64_t>();
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(static_cast<std::uint64_t>(*elements), byte_size(*dtype), &bytes))
    return bad_input("{}: the shape {} is too large", where, to_string(shape));
  return std::optional(bytes);
}

// The numbers of an inline tensor, when it is small. Stored bytes that do not match the shape are an Error.
Result<std::optional<Tensor>> inline_tensor(const onnx::TensorProto& tensor, std::optional<std::uint64_t> bytes, const std::string& where) {
  const auto dtype = dtype_from_onnx(tensor.data_type());
  if (!bytes || !dtype) return std::optional<Tensor>();
  const std::uint64_t stored = tensor.has_raw_data() ? tensor.raw_data().size() : typed_elements(tensor, *dtype) * byte_size(*dtype);
  if (stored != *bytes)
    return bad_input("{}: {} of {} needs {} bytes, but {} are stored", where, to_string(shape_of(tensor)), name(*dtype), *bytes, stored);
  if (*bytes > kMaxKeptConstant) return std::optional<Tensor>();
  Tensor out{*dtype, shape_of(tensor), {}};
  if (tensor.has_raw_data()) {
    const auto raw = as_bytes(tensor.raw_data());
    out.bytes.assign(raw.begin(), raw.end());
  } else {
    out.bytes = typed_bytes(tensor, *dtype);
  }
  return std::optional(std::move(out));
}

Result<OnnxInitializer> read_initializer(const onnx::TensorProto& tensor, const std::string& what) {
  const std::string where = fmt::format("{}: initializer \"{}\"", what, tensor.name());
  OnnxInitializer out;
  out.name = tensor.name();
  out.code = tensor.data_type();
  out.dtype = dtype_from_onnx(out.code);
  out.shape = shape_of(tensor);
  TRY_ASSIGN(out.bytes, tensor_bytes(tensor, where));
  if (tensor.data_location() == onnx::TensorProto::EXTERNAL) {
    std::vector<std::pair<std::string, std::string>> entries;
    for (const auto& entry : tensor.external_data()) entries.emplace_back(entry.key(), entry.value());
    TRY_ASSIGN(out.external, parse_external_data(entries, where));
  } else {
    TRY_ASSIGN(out.constant, inline_tensor(tensor, out.bytes, where));
  }
  return out;
}

// Its numbers are not read; how many bytes they take says nothing about the tensor.
OnnxInitializer read_sparse(const onnx::SparseTensorProto& tensor) {
  OnnxInitializer out{.name = tensor.values().name(), .code = tensor.values().data_type()};
  out.dtype = dtype_from_onnx(out.code);
  out.shape.assign(tensor.dims().begin(), tensor.dims().end());
  return out;
}

OnnxNode read_node(const onnx::NodeProto& proto);

OnnxGraphAttribute read_subgraph(const onnx::GraphProto& graph) {
  auto nodes = std::make_shared<std::vector<OnnxNode>>();
  for (const auto& node : graph.node()) nodes->push_back(read_node(node));
  return {.nodes = std::move(nodes)};
}

OnnxAttribute read_attribute(const onnx::AttributeProto& attribute) {
  using Proto = onnx::AttributeProto;
  switch (attribute.type()) {
    case Proto::INT: return attribute.i();
    case Proto::FLOAT: return attribute.f();
    case Proto::STRING: return attribute.s();
    case Proto::INTS: return std::vector<std::int64_t>(attribute.ints().begin(), attribute.ints().end());
    case Proto::FLOATS: return std::vector<float>(attribute.floats().begin(), attribute.floats().end());
    case Proto::STRINGS: return std::vector<std::string>(attribute.strings().begin(), attribute.strings().end());
    case Proto::GRAPH: return read_subgraph(attribute.g());
    case Proto::GRAPHS: return OnnxGraphAttribute{};
    case Proto::TENSOR: {
      const onnx::TensorProto& tensor = attribute.t();
      OnnxTensorAttribute out{tensor.data_type(), shape_of(tensor), {}};
      // A damaged constant stays unknown here; the checker names it.
      auto bytes = tensor_bytes(tensor, "");
      if (bytes.ok())
        if (auto constant = inline_tensor(tensor, *bytes, ""); constant.ok()) out.constant = std::move(*constant);
      return out;
    }
    default: return OnnxForeignAttribute{};
  }
}

OnnxNode read_node(const onnx::NodeProto& proto) {
  OnnxNode node;
  node.domain = plain_domain(proto.domain());
  node.op = proto.op_type();
  node.name = proto.name();
  node.inputs.assign(proto.input().begin(), proto.input().end());
  node.outputs.assign(proto.output().begin(), proto.output().end());
  for (const auto& attribute : proto.attribute()) node.attributes.insert_or_assign(attribute.name(), read_attribute(attribute));
  return node;
}

// Nodes of the subgraphs of a node, at any depth; protobuf bounds the depth of the file.
void collect_inner_nodes(const onnx::NodeProto& node, OnnxModel& model) {
  auto collect = [&](const onnx::GraphProto& graph) {
    model.has_subgraphs = true;
    for (const auto& inner : graph.node()) {
      model.inner_nodes.push_back(read_node(inner));
      collect_inner_nodes(inner, model);
    }
  };
  for (const auto& attribute : node.attribute()) {
    if (attribute.has_g()) collect(attribute.g());
    for (const auto& graph : attribute.graphs()) collect(graph);
  }
}

void read_header(const onnx::ModelProto& proto, OnnxModel& model) {
  model.ir_version = proto.ir_version();
  for (const auto& opset : proto.opset_import()) model.opsets[plain_domain(opset.domain())] = opset.version();
  model.producer = proto.producer_name();
  if (!proto.producer_version().empty()) model.producer += " " + proto.producer_version();
  for (const auto& entry : proto.metadata_props()) model.metadata[entry.key()] = entry.value();
  model.graph_name = proto.graph().name();
  model.has_functions = proto.functions_size() > 0;
  for (const auto& function : proto.functions())
    for (const auto& node : function.node()) {
      model.inner_nodes.push_back(read_node(node));
      collect_inner_nodes(node, model);
    }
}

void read_values(const onnx::GraphProto& graph, OnnxModel& model) {
  model.inputs.clear();
  model.outputs.clear();
  model.values.clear();
  std::set<std::string> initializers;
  for (const OnnxInitializer& initializer : model.initializers) {
    model.values[initializer.name] = {initializer.code, initializer.dtype, true, to_dims(initializer.shape)};
    initializers.insert(initializer.name);
  }
  for (const auto& value : graph.value_info()) model.values.emplace(value.name(), type_of_proto(value.type()));
  for (const auto& value : graph.input()) {
    if (initializers.contains(value.name())) continue;
    model.inputs.push_back({value.name(), type_of_proto(value.type())});
    model.values.insert_or_assign(value.name(), model.inputs.back().type);
  }
  for (const auto& value : graph.output()) {
    model.outputs.push_back({value.name(), type_of_proto(value.type())});
    model.values.emplace(value.name(), model.outputs.back().type);
  }
}

template <class T>
T attribute_or(const OnnxNode& node, const std::string& key, T otherwise) {
  const auto found = node.attributes.find(key);
  if (found == node.attributes.end()) return otherwise;
  const T* value = std::get_if<T>(&found->second);
  return value == nullptr ? otherwise : *value;
}

// Nodes of the graph and of its branches; protobuf bounds the depth of the file.
std::size_t count_nodes(const onnx::GraphProto& graph) {
  std::size_t count = static_cast<std::size_t>(graph.node_size());
  for (const auto& node : graph.node())
    for (const auto& attribute : node.attribute()) {
      if (attribute.has_g()) count += count_nodes(attribute.g());
      for (const auto& branch : attribute.graphs()) count += count_nodes(branch);
    }
  return count;
}

// Each node takes some kilobytes while it is judged, and a node may take two bytes of the file. The largest graphs that are compiled for
// an NPU have some ten thousand.
Status check_node_count(const onnx::ModelProto& proto, const std::string& what) {
  constexpr std::size_t kMostNodes = std::size_t{1} << 17;
  const std::size_t count = count_nodes(proto.graph());
  if (count <= kMostNodes) return {};
  return bad_input("{}: the model has {} nodes, and at most {} are judged; cut it into smaller models", what, count, kMostNodes);
}

Result<OnnxModel> summarize_and_infer(onnx::ModelProto& proto, const std::string& what, const ReadOnnxOptions& options) {
  TRY(freeze_inputs(proto, options.freezes));
  if (options.inline_functions)
    if (Status status = inline_functions(proto); !status.ok()) return std::move(status).error().within(what);
  if (options.find_faults) TRY(check_node_count(proto, what));
  std::vector<std::string> circle;
  if (options.infer_shapes) circle = sort_nodes(*proto.mutable_graph());
  // This checks the sizes of the tensors, which the library trusts.
  TRY_ASSIGN(OnnxModel model, summarize(proto, what));
  model.circle = std::move(circle);
  if (options.infer_shapes) {
    std::map<int, std::string> faults;
    model.inference_note = infer_shapes_in_child(proto, options.find_faults ? &faults : nullptr);
    for (auto& [place, fault] : faults)
      if (place >= 0 && place < static_cast<int>(model.nodes.size())) model.nodes[static_cast<std::size_t>(place)].fault = std::move(fault);
    read_values(proto.graph(), model);
  }
  return model;
}

}  // namespace

Result<OnnxModel> summarize(const onnx::ModelProto& proto, const std::string& what) {
  OnnxModel model;
  read_header(proto, model);
  for (const auto& tensor : proto.graph().initializer()) {
    TRY_ASSIGN(OnnxInitializer initializer, read_initializer(tensor, what));
    model.initializers.push_back(std::move(initializer));
  }
  for (const auto& tensor : proto.graph().sparse_initializer()) model.initializers.push_back(read_sparse(tensor));
  for (const auto& node : proto.graph().node()) {
    model.nodes.push_back(read_node(node));
    collect_inner_nodes(node, model);
  }
  read_values(proto.graph(), model);
  return model;
}

namespace {

// What a file that is no model is instead, where that can be told by its first bytes.
Error told_by_content(Error error, std::string_view head, std::uint64_t size, const std::string& what) {
  const auto wrong = wrong_content(head.substr(0, kContentHead), size);
  return wrong ? bad_input("{}: not an ONNX model but {}", what, *wrong) : std::move(error);
}

}  // namespace

Status parse_message(google::protobuf::io::ZeroCopyInputStream& stream, onnx::ModelProto& proto, const std::string& what) {
  google::protobuf::io::CodedInputStream coded(&stream);
  const bool parsed = proto.ParsePartialFromCodedStream(&coded) && coded.ConsumedEntireMessage();
  // Almost any bytes are some protobuf message; a model has a version and a graph.
  if (!parsed || !proto.has_graph() || !proto.has_ir_version()) return bad_input("{}: not an ONNX model, or cut short", what);
  return {};
}

Status read_message(const Path& path, onnx::ModelProto& proto) {
  TRY_ASSIGN(InputFile file, InputFile::open(path));
  if (file.size() > kMaxOnnxFile)
    return bad_input("{}: {} bytes, an ONNX file has at most {}; weights beyond that are kept as external data", path.string(), file.size(),
                     kMaxOnnxFile);
  std::ifstream stream(path, std::ios::binary);
  google::protobuf::io::IstreamInputStream bytes(&stream);
  Status parsed = parse_message(bytes, proto, path.string());
  if (parsed.ok()) return parsed;
  std::string head(std::min<std::uint64_t>(kContentHead, file.size()), '\0');
  TRY(file.read_at(0, std::as_writable_bytes(std::span(head))));
  return told_by_content(std::move(parsed).error(), head, file.size(), path.string());
}

Result<std::string> written_again(const onnx::ModelProto& proto, const std::string& what) {
  std::string bytes;
  if (proto.ByteSizeLong() > kMaxOnnxFile || !proto.SerializeToString(&bytes)) return bad_input("{}: too large to be written again", what);
  return bytes;
}

void keep_constants(onnx::GraphProto& graph, const std::set<std::string>& needed) {
  auto& constants = *graph.mutable_initializer();
  const auto gone =
      std::stable_partition(constants.begin(), constants.end(), [&](const auto& constant) { return needed.contains(constant.name()); });
  constants.erase(gone, constants.end());
}

std::int64_t OnnxNode::integer(const std::string& key, std::int64_t otherwise) const { return attribute_or(*this, key, otherwise); }
float OnnxNode::real(const std::string& key, float otherwise) const { return attribute_or(*this, key, otherwise); }
std::string OnnxNode::text(const std::string& key, const std::string& otherwise) const { return attribute_or(*this, key, otherwise); }

std::int64_t OnnxModel::opset() const {
  const auto found = opsets.find("");
  return found == opsets.end() ? 0 : found->second;
}

const OnnxType* OnnxModel::type_of(const std::string& value) const {
  const auto found = values.find(value);
  return found == values.end() ? nullptr : &found->second;
}

Result<OnnxModel> read_onnx(const Path& path, const ReadOnnxOptions& options) {
  onnx::ModelProto proto;
  TRY(read_message(path, proto));
  return summarize_and_infer(proto, path.string(), options);
}

Result<OnnxModel> parse_onnx(std::span<const std::byte> bytes, const std::string& what, const ReadOnnxOptions& options) {
  if (bytes.size() > kMaxOnnxFile) return bad_input("{}: {} bytes, an ONNX file has at most {}", what, bytes.size(), kMaxOnnxFile);
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  onnx::ModelProto proto;
  if (Status parsed = parse_message(stream, proto, what); !parsed.ok())
    return told_by_content(std::move(parsed).error(), {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, bytes.size(), what);
  return summarize_and_infer(proto, what, options);
}

std::string operator_name(const std::string& domain, const std::string& op) { return domain.empty() ? op : domain + "::" + op; }

std::map<std::string, std::int64_t> operator_histogram(const OnnxModel& model) {
  std::map<std::string, std::int64_t> counts;
  for (const auto* nodes : {&model.nodes, &model.inner_nodes})
    for (const OnnxNode& node : *nodes) ++counts[operator_name(node.domain, node.op)];
  return counts;
}

}  // namespace fastvlm
