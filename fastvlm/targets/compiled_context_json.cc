#include "fastvlm/targets/compiled_context.h"

#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

// The optional numbers of a graph and of a context, under the keys that --json prints.
template <class Info>
struct NumberField {
  const char* key;
  std::optional<std::uint64_t> Info::* field;
};
constexpr NumberField<ContextGraph> kGraphNumbers[] = {
    {"spill_fill_bytes", &ContextGraph::spill_fill_bytes},
    {"vtcm_bytes", &ContextGraph::vtcm_bytes},
    {"optimization_level", &ContextGraph::optimization_level},
};
constexpr NumberField<ContextInfo> kContextNumbers[] = {
    {"soc_model", &ContextInfo::soc_model},
    {"dsp_arch", &ContextInfo::dsp_arch},
};

struct TextField {
  const char* key;
  std::string ContextInfo::* field;
};
constexpr TextField kContextTexts[] = {
    {"file", &ContextInfo::file},
    {"backend", &ContextInfo::backend},
    {"build_id", &ContextInfo::build_id},
    {"core_api", &ContextInfo::core_api},
    {"backend_api", &ContextInfo::backend_api},
    {"context_blob_version", &ContextInfo::context_blob_version},
};

// Bytes that are no UTF-8 would make nlohmann throw when it prints; names come from the file.
std::string printable(const std::string& text) {
  const std::string quoted = Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
  return Json::parse(quoted).get<std::string>();
}

OrderedJson tensors_to_json(const std::vector<ContextTensor>& tensors) {
  OrderedJson list = OrderedJson::array();
  for (const ContextTensor& tensor : tensors) {
    OrderedJson json = {{"name", printable(tensor.name)}, {"dtype", tensor.dtype}, {"shape", tensor.shape}};
    if (!tensor.quantization.empty()) json["quantization"] = tensor.quantization;
    list.push_back(std::move(json));
  }
  return list;
}

Result<std::uint64_t> unsigned_of(const Json& object, const char* key, const std::string& what) {
  const Json* value = json_find(object, key);
  if (value == nullptr || !value->is_number_unsigned()) return bad_input("{}: \"{}\" must be a number from 0 on", what, key);
  return value->get<std::uint64_t>();
}

template <class Info>
Status read_number(const Json& object, const NumberField<Info>& field, Info& to, const std::string& what) {
  if (json_find(object, field.key) == nullptr) return {};
  TRY_ASSIGN(to.*field.field, unsigned_of(object, field.key, what));
  return {};
}

Result<std::vector<ContextTensor>> tensors_from_json(const Json& graph, const char* key, const std::string& what) {
  TRY_ASSIGN(const Json* list, json_array(graph, key, what));
  std::vector<ContextTensor> tensors;
  for (const Json& json : *list) {
    ContextTensor tensor;
    TRY_ASSIGN(tensor.name, json_string(json, "name", what));
    TRY_ASSIGN(tensor.dtype, json_string(json, "dtype", what));
    if (json_find(json, "quantization") != nullptr) {
      TRY_ASSIGN(tensor.quantization, json_string(json, "quantization", what));
    }
    TRY_ASSIGN(const Json* shape, json_array(json, "shape", what));
    for (const Json& extent : *shape) {
      if (!extent.is_number_unsigned() || extent.get<std::uint64_t>() > UINT32_MAX) {
        return bad_input("{}: the shape of \"{}\" holds something that is no extent", what, tensor.name);
      }
      tensor.shape.push_back(extent.get<std::uint32_t>());
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

}  // namespace

OrderedJson context_info_to_json(const ContextInfo& info) {
  OrderedJson json = OrderedJson::object();
  for (const TextField& text : kContextTexts) json[text.key] = printable(info.*text.field);
  json["bytes"] = info.bytes;
  json["context_blob_bytes"] = info.context_blob_bytes;
  for (const auto& number : kContextNumbers) {
    if (info.*number.field) json[number.key] = *(info.*number.field);
  }
  json["graphs"] = OrderedJson::array();
  for (const ContextGraph& graph : info.graphs) {
    OrderedJson to = {{"name", printable(graph.name)}};
    for (const auto& number : kGraphNumbers) {
      if (graph.*number.field) to[number.key] = *(graph.*number.field);
    }
    to["inputs"] = tensors_to_json(graph.inputs);
    to["outputs"] = tensors_to_json(graph.outputs);
    json["graphs"].push_back(std::move(to));
  }
  return json;
}

Result<ContextInfo> context_info_from_json(const Json& json, const std::string& what) {
  ContextInfo info;
  for (const TextField& text : kContextTexts) {
    TRY_ASSIGN(info.*text.field, json_string(json, text.key, what));
  }
  TRY_ASSIGN(info.bytes, unsigned_of(json, "bytes", what));
  TRY_ASSIGN(info.context_blob_bytes, unsigned_of(json, "context_blob_bytes", what));
  for (const auto& number : kContextNumbers) TRY(read_number(json, number, info, what));
  TRY_ASSIGN(const Json* graphs, json_array(json, "graphs", what));
  for (const Json& from : *graphs) {
    ContextGraph graph;
    TRY_ASSIGN(graph.name, json_string(from, "name", what));
    for (const auto& number : kGraphNumbers) TRY(read_number(from, number, graph, what));
    TRY_ASSIGN(graph.inputs, tensors_from_json(from, "inputs", what));
    TRY_ASSIGN(graph.outputs, tensors_from_json(from, "outputs", what));
    info.graphs.push_back(std::move(graph));
  }
  return info;
}

}  // namespace fastvlm
