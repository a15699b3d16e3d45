#include "fastvlm/targets/qnn/context/context_info.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

using namespace qnn_abi;
using qnn_abi::Graph;
using qnn_abi::Tensor;

constexpr std::uint32_t kMaxGraphs = 4096;
constexpr std::uint32_t kMaxTensors = 65536;
constexpr std::uint32_t kMaxRank = 16;
constexpr std::size_t kMaxText = 4096;
constexpr std::uint32_t kHtpBackend = 6;

std::string text_of(const char* text) { return text ? std::string(text, strnlen(text, kMaxText)) : std::string(); }

std::string version_text(const Version& v) { return fmt::format("{}.{}.{}", v.major, v.minor, v.patch); }

std::string dtype_text(std::uint32_t type) {
  const std::uint32_t bits = ((type >> 4) & 0xf) * 10 + (type & 0xf);
  switch (static_cast<DataKind>(type >> 8)) {
    case DataKind::kInt: return fmt::format("int{}", bits);
    case DataKind::kUint: return fmt::format("uint{}", bits);
    case DataKind::kFloat: return fmt::format("float{}", bits);
    case DataKind::kFixedSigned: return fmt::format("sfixed{}", bits);
    case DataKind::kFixedUnsigned: return fmt::format("ufixed{}", bits);
    case DataKind::kBool: return fmt::format("bool{}", bits);
    case DataKind::kString: return "string";
  }
  return fmt::format("type {:#x}", type);
}

std::string quantization_text(const Quantization& q) {
  if (q.definition != kQuantizationDefined) return "";
  // The zero point in 64 bits: the negative of the smallest int32 is no int32.
  auto one = [](float scale, std::int64_t offset) { return fmt::format("scale {}, zero point {}", scale, -offset); };
  switch (q.encoding) {
    case QuantizationEncoding::kScaleOffset: return one(q.one.scale, q.one.offset);
    case QuantizationEncoding::kAxisScaleOffset: return fmt::format("{} scales along axis {}", q.per_axis.count, q.per_axis.axis);
    case QuantizationEncoding::kBitsScaleOffset:
      return fmt::format("{} bits, {}", q.one_with_bits.bits, one(q.one_with_bits.scale, q.one_with_bits.offset));
    case QuantizationEncoding::kBitsAxisScaleOffset:
      return fmt::format("{} bits, {} scales along axis {}", q.per_axis_with_bits.bits, q.per_axis_with_bits.count,
                         q.per_axis_with_bits.axis);
  }
  return fmt::format("encoding {}", static_cast<std::uint32_t>(q.encoding));
}

Result<std::vector<ContextTensor>> tensors_of(const Tensor* tensors, std::uint32_t count, const std::string& what) {
  if (count > kMaxTensors || (count > 0 && tensors == nullptr)) {
    return bad_input("{}: a graph claims {} inputs or outputs; the file is damaged", what, count);
  }
  std::vector<ContextTensor> result;
  for (const Tensor& tensor : std::span(tensors, count)) {
    const Tensor::Body& body = tensor.body;
    if (tensor.version != 1 && tensor.version != 2) {
      return bad_input("{}: tensor record of version {}, known are 1 and 2; a newer QNN wrote it", what, tensor.version);
    }
    if (body.rank > kMaxRank || (body.rank > 0 && body.dimensions == nullptr)) {
      return bad_input("{}: the tensor \"{}\" claims rank {}; the file is damaged", what, text_of(body.name), body.rank);
    }
    result.push_back({.name = text_of(body.name),
                      .dtype = dtype_text(body.type),
                      .shape = {body.dimensions, body.dimensions + body.rank},
                      .quantization = quantization_text(body.quantization)});
  }
  return result;
}

// The blob grows from version to version of the backend; only what its size covers is read.
void read_htp_blob(const Graph::Body& body, ContextGraph& graph) {
  if (body.blob == nullptr || body.blob_bytes < sizeof(HtpGraphBlob)) return;
  HtpGraphBlob blob{};
  std::memcpy(&blob, body.blob, sizeof(blob));
  if (blob.version != 1) return;
  graph.spill_fill_bytes = blob.spill_fill_bytes;
  graph.vtcm_bytes = blob.vtcm_bytes;
  graph.optimization_level = blob.optimization_level;
}

Result<std::vector<ContextGraph>> graphs_of(const Graph* graphs, std::uint32_t count, bool htp, const std::string& what) {
  if (count > kMaxGraphs || (count > 0 && graphs == nullptr)) {
    return bad_input("{}: claims {} graphs; the file is damaged", what, count);
  }
  std::vector<ContextGraph> result;
  for (const Graph& graph : std::span(graphs, count)) {
    if (graph.version < 1 || graph.version > 3) {
      return bad_input("{}: graph record of version {}, known are 1 to 3; a newer QNN wrote it", what, graph.version);
    }
    ContextGraph to{.name = text_of(graph.body.name)};
    TRY_ASSIGN(to.inputs, tensors_of(graph.body.inputs, graph.body.input_count, what));
    TRY_ASSIGN(to.outputs, tensors_of(graph.body.outputs, graph.body.output_count, what));
    if (htp && graph.version == 3) read_htp_blob(graph.body, to);
    result.push_back(std::move(to));
  }
  return result;
}

// The fields that the old and the new record share under the same names.
template <class Body>
Result<ContextInfo> common_of(const Body& body, const std::string& what) {
  const bool htp = body.backend_id == kHtpBackend;
  ContextInfo to;
  to.backend = htp ? "HTP" : std::to_string(body.backend_id);
  to.build_id = text_of(body.build_id);
  to.core_api = version_text(body.core_api);
  to.backend_api = version_text(body.backend_api);
  to.context_blob_version = version_text(body.context_blob_version);
  to.context_blob_bytes = body.context_blob_bytes;
  TRY_ASSIGN(to.graphs, graphs_of(body.graphs, body.graph_count, htp, what));
  return to;
}

Result<ContextInfo> info_of_old(const BinaryBodyOld& body, const std::string& what) { return common_of(body, what); }

Result<ContextInfo> info_of_new(const BinaryBody& body, const std::string& what) {
  TRY_ASSIGN(ContextInfo to, common_of(body, what));
  if (body.soc_model != 0) to.soc_model = body.soc_model;
  if (body.backend_id == kHtpBackend && body.metadata && body.metadata_bytes >= sizeof(HtpContextBlob)) {
    HtpContextBlob blob{};
    std::memcpy(&blob, body.metadata, sizeof(blob));
    if (blob.version == 1) to.dsp_arch = blob.dsp_arch;
  }
  return to;
}

Result<const SystemProvider*> load_provider(const Path& library) {
  // Never unloaded: vendor code with threads and destructors of its own gains nothing from it.
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    return bad_environment("{} cannot be loaded ({}); fetch the QNN runtime with \"fastvlm-npu doctor --fetch\"", library.string(),
                           dlerror());
  }
  auto get_providers = reinterpret_cast<GetProviders>(dlsym(handle, "QnnSystemInterface_getProviders"));
  const SystemProvider** providers = nullptr;
  std::uint32_t count = 0;
  if (get_providers == nullptr || get_providers(&providers, &count) != 0 || providers == nullptr) {
    return bad_environment("{} is no QnnSystem library", library.string());
  }
  for (const SystemProvider* provider : std::span(providers, count)) {
    if (provider && provider->api.major == kSystemApiMajor && provider->api.minor >= kSystemApiMinor) return provider;
  }
  return bad_environment("{} has no QnnSystem interface {}.{} or newer; use the runtime of QAIRT 2.51 or newer", library.string(),
                         kSystemApiMajor, kSystemApiMinor);
}

}  // namespace

Status check_context_header(std::span<const std::byte> bytes, const std::string& what) {
  // Seen in every context of blob version 4.0: where the blob begins and how long it is, behind these sixteen bytes.
  constexpr unsigned char kHead[16] = {0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1};
  struct Extent {
    std::uint64_t metadata_bytes, begin, length;
  };
  if (bytes.size() < sizeof(kHead) + sizeof(Extent)) {
    return bad_input("{}: {} bytes are too few for a QNN context", what, bytes.size());
  }
  if (std::memcmp(bytes.data(), "PK\3\4", 4) == 0) {
    return bad_input("{}: an archive of contexts for several SoCs, which QnnSystem cannot describe; compile for one SoC", what);
  }
  if (std::memcmp(bytes.data(), kHead, sizeof(kHead)) != 0) return {};
  Extent extent{};
  std::memcpy(&extent, bytes.data() + sizeof(kHead), sizeof(extent));
  if (extent.begin > bytes.size() || extent.length > bytes.size() - extent.begin) {
    return bad_input("{}: {} bytes from byte {} on are promised, the file ends at {}; it was cut off, copy or compile it again", what,
                     extent.length, extent.begin, bytes.size());
  }
  return {};
}

Result<ContextInfo> context_info_of(const BinaryInfo& info, const std::string& what) {
  switch (info.version) {
    case 1:
    case 2: return info_of_old(info.old, what);
    case 3: return info_of_new(info.body, what);
  }
  return bad_input("{}: context record of version {}, known are 1 to 3; a newer QNN wrote it", what, info.version);
}

Result<ContextInfo> read_context(const Path& context, const Path& qnn_system_library) {
  TRY_ASSIGN(MappedFile file, MappedFile::open(context));
  const auto bytes = file.bytes();
  TRY(check_context_header(bytes, context.string()));
  TRY_ASSIGN(const SystemProvider* provider, load_provider(qnn_system_library));
  ContextHandle handle = nullptr;
  if (provider->context_create(&handle) != 0) {
    return bad_environment("{} cannot make a system context", qnn_system_library.string());
  }
  const BinaryInfo* info = nullptr;
  const Code code = provider->context_get_metadata(handle, bytes.data(), bytes.size(), &info);
  const bool accepted = code == 0 && info != nullptr;
  Result<ContextInfo> result =
      accepted ? context_info_of(*info, context.string())
               : bad_input("{}: QnnSystem does not accept it (error {}): no context, a damaged one, or one of a newer QNN",
                           context.string(), code);
  provider->context_free(handle);
  if (!result.ok()) return result;
  result->file = context.string();
  result->bytes = bytes.size();
  return result;
}

}  // namespace fastvlm
