#include "fastvlm/targets/compiled_context.h"

#include "fastvlm/base/try.h"

namespace fastvlm {

std::string ContextInfo::sdk_version() const {
  std::string_view text = build_id;
  if (!text.starts_with('v')) return build_id;
  text.remove_prefix(1);
  std::size_t dots = 0, end = 0;
  while (end < text.size() && !(text[end] == '.' && ++dots == 3)) ++end;
  return dots < 2 ? build_id : std::string(text.substr(0, end));
}

std::map<std::string, std::int64_t> CompiledOperators::histogram() const {
  std::map<std::string, std::int64_t> counts;
  for (const NpuOperator& node : nodes) ++counts[node.type];
  return counts;
}

std::map<std::string, std::map<std::string, std::int64_t>> CompiledOperators::groups() const {
  std::map<std::string, std::map<std::string, std::int64_t>> counts;
  for (const NpuOperator& node : nodes) ++counts[node.group][node.type];
  return counts;
}

std::map<std::string, std::vector<std::size_t>> CompiledOperators::by_onnx_node() const {
  std::map<std::string, std::vector<std::size_t>> index;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (const std::string& name : nodes[i].onnx_nodes) index[name].push_back(i);
  }
  return index;
}

std::optional<std::string> ContextFormat::graph_of(const Path& wrapper) const {
  std::string name = wrapper.filename().string();
  if (!name.ends_with(wrapper_end)) return std::nullopt;
  name.resize(name.size() - wrapper_end.size());
  return name;
}

Result<ContextWrapper> ContextFormat::read_wrapper(const Path& onnx) const {
  TRY_ASSIGN(const OnnxModel model, read_onnx(onnx, {.infer_shapes = false}));
  return wrapper_of(model, onnx);
}

}  // namespace fastvlm
