// ONNX files and the wrappers of contexts.
#include <set>

#include "fastvlm/base/try.h"
#include "fastvlm/bundle/manifest_json.h"
#include "fastvlm/inspect/inspect_parts.h"
#include "fastvlm/onnx/external_data.h"

namespace fastvlm::inspecting {
namespace {

std::string type_name(std::optional<Dtype> dtype, int code) { return dtype ? std::string(name(*dtype)) : fmt::format("type {}", code); }

OrderedJson values_json(const std::vector<OnnxValue>& values) {
  OrderedJson rows = OrderedJson::array();
  for (const OnnxValue& value : values) {
    rows.push_back({{"name", value.name}, {"type", type_name(value.type.dtype, value.type.code)}});
    if (value.type.has_shape) rows.back()["shape"] = to_json(value.type.dims);
  }
  return rows;
}

OrderedJson opsets_json(const OnnxModel& model) {
  OrderedJson json = OrderedJson::object();
  for (const auto& [domain, version] : model.opsets) json[domain.empty() ? "ai.onnx" : domain] = version;
  return json;
}

// Every file with weights: how many tensors name it, and what lies on disk.
Result<OrderedJson> data_files_json(const OnnxModel& model, const InspectOptions& options) {
  std::map<std::string, std::uint64_t> users;
  for (const OnnxInitializer& initializer : model.initializers)
    if (initializer.external) ++users[initializer.external->location];
  const Path folder = options.path.parent_path();
  const auto found = find_data_files(model, folder);
  OrderedJson rows = OrderedJson::array();
  for (const auto& [location, tensors] : users) {
    OrderedJson row = {{"location", location}, {"tensors", tensors}};
    auto file = found.find(location);
    if (file == found.end()) {
      row["problem"] = "lies outside the folder of the model";
    } else if (!file->second.problem.empty()) {
      row["problem"] = file->second.problem;
    } else {
      TRY_ASSIGN(OrderedJson facts, file_json(folder / location, location, options.hashes));
      facts.erase("name");
      row.update(facts);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

OrderedJson initializers_json(const OnnxModel& model) {
  OrderedJson rows = OrderedJson::array();
  for (const OnnxInitializer& initializer : model.initializers) {
    rows.push_back({{"name", initializer.name}, {"type", type_name(initializer.dtype, initializer.code)}, {"shape", initializer.shape}});
    if (initializer.bytes) rows.back()["bytes"] = *initializer.bytes;
    if (initializer.external) rows.back().update({{"file", initializer.external->location}, {"offset", initializer.external->offset}});
  }
  return rows;
}

OrderedJson totals_json(const OnnxModel& model) {
  std::uint64_t parameters = 0, bytes = 0;
  for (const OnnxInitializer& initializer : model.initializers) {
    parameters += static_cast<std::uint64_t>(checked_element_count(initializer.shape).value_or(0));
    bytes += initializer.bytes.value_or(0);
  }
  return {{"count", model.initializers.size()}, {"parameters", parameters}, {"bytes", bytes}};
}

}  // namespace

Status add_onnx(const OnnxModel& model, const InspectOptions& options, InspectReport& report) {
  OrderedJson& facts = report.facts;
  facts["kind"] = "onnx";
  facts["ir_version"] = model.ir_version;
  facts["opsets"] = opsets_json(model);
  facts["producer"] = model.producer;
  facts["graph"] = model.graph_name;
  facts["inputs"] = values_json(model.inputs);
  facts["outputs"] = values_json(model.outputs);
  facts["nodes"] = model.nodes.size();
  if (!model.inner_nodes.empty()) facts["inner_nodes"] = model.inner_nodes.size();
  facts["operators"] = operator_histogram(model);
  facts["initializers"] = totals_json(model);
  TRY_ASSIGN(facts["external_data"], data_files_json(model, options));
  if (!model.metadata.empty()) facts["metadata"] = model.metadata;
  const auto findings = check_external_data(model, find_data_files(model, options.path.parent_path()));
  OrderedJson sentences = OrderedJson::array();
  for (const Finding& finding : findings) {
    sentences.push_back(finding.message);
    if (finding.severity == Severity::kError && !report.problem)
      report.problem = check_failed("{}: {}", options.path.string(), finding.message);
  }
  facts["findings"] = std::move(sentences);
  if (options.tensors) facts["tensor_list"] = initializers_json(model);
  return {};
}

Status add_context_wrapper(const ContextFormat& format, const OnnxModel& model, const InspectOptions& options, InspectReport& report) {
  TRY_ASSIGN(ContextWrapper wrapper, format.wrapper_of(model, options.path));
  OrderedJson& facts = report.facts;
  facts["kind"] = "context wrapper";
  facts["graph"] = wrapper.partition_name;
  facts["source"] = wrapper.source;
  facts["sdk"] = wrapper.ep_sdk_version;
  facts["main_context"] = wrapper.main_context;
  facts["embedded"] = wrapper.embed_mode;
  facts["context_bytes"] = wrapper.context_bytes;
  if (wrapper.soc_model) add_soc(*wrapper.soc_model, facts);
  if (wrapper.max_size > 0) facts["max_spill_fill_bytes"] = wrapper.max_size;
  facts["inputs"] = values_json(wrapper.inputs);
  facts["outputs"] = values_json(wrapper.outputs);
  facts["nodes"] = wrapper.node_count;
  facts["opsets"] = opsets_json(model);
  TRY(add_npu_operators(format, options.path, options, facts));
  if (wrapper.context_file.empty()) return {};
  facts["context_file"] = wrapper.context_file.string();
  auto context = format.read_context({.program = options.program, .runtimes = options.runtimes, .context = wrapper.context_file});
  if (context.ok())
    facts["context"] = context_info_to_json(*context);
  else
    facts["context_note"] = context.error().message;
  return {};
}

}  // namespace fastvlm::inspecting
