#include "fastvlm/targets/qnn/context/context_wrapper.h"

#include <algorithm>
#include <charconv>

#include "fastvlm/base/plain_path.h"
#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr const char* kDomain = "com.microsoft";
constexpr const char* kOperator = "EPContext";
constexpr const char* kCompatibility = "ep_compatibility_info.QNNExecutionProvider";

bool is_context_node(const OnnxNode& node) { return node.op == kOperator && node.domain == kDomain; }

// The SoC in the plug-in's note "v2:<backend>:<SDK>:<backend API>:<?>:<SoC>:…"; nothing when the note looks different.
std::optional<std::int64_t> soc_of_note(const OnnxModel& model) {
  constexpr int kSocField = 5;
  auto note = model.metadata.find(kCompatibility);
  if (note == model.metadata.end() || !note->second.starts_with("v2:")) return std::nullopt;
  std::string_view text = note->second;
  for (int i = 0; i < kSocField; ++i) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    text.remove_prefix(colon + 1);
  }
  text = text.substr(0, text.find(':'));
  std::int64_t soc = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), soc);
  if (error != std::errc() || end != text.data() + text.size() || soc <= 0) return std::nullopt;
  return soc;
}

// The binary beside the wrapper. The runtime accepts a relative name without parent steps only, and so do we.
Result<Path> context_file_of(const std::string& name, const Path& onnx) {
  if (!stays_in_folder(name)) {
    return bad_input("{}: the context file \"{}\" is no name of a file beside the wrapper; compile it again", onnx.string(), name);
  }
  const Path file = onnx.parent_path() / name;
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) {
    return bad_input("{}: its context {} is missing; copy it to the same folder", onnx.string(), file.string());
  }
  return file;
}

Status check_edges(const OnnxModel& model, const OnnxNode& node, const Path& onnx) {
  if (model.nodes.size() != 1) return {};  // Q/DQ or Cast nodes stand between
  auto has = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  // An input may be one that the graph does not use, such as the mask beside a head that is a part of its own.
  for (const OnnxValue& value : model.outputs) {
    if (has(node.outputs, value.name)) continue;
    return bad_input("{}: the output \"{}\" is not connected to the context; compile it again", onnx.string(), value.name);
  }
  return {};
}

}  // namespace

bool is_context_wrapper(const OnnxModel& model) { return std::any_of(model.nodes.begin(), model.nodes.end(), is_context_node); }

Result<ContextWrapper> context_wrapper_of(const OnnxModel& model, const Path& onnx) {
  const auto count = std::count_if(model.nodes.begin(), model.nodes.end(), is_context_node);
  if (count == 0) return bad_input("{}: has no EPContext node; it is no compiled context", onnx.string());
  if (count > 1) {
    return bad_input("{}: has {} EPContext nodes where one is expected: a node between them was refused, the graph fell apart",
                     onnx.string(), count);
  }
  const OnnxNode& node = *std::find_if(model.nodes.begin(), model.nodes.end(), is_context_node);
  TRY(check_edges(model, node, onnx));
  ContextWrapper wrapper{
      .file = onnx,
      .partition_name = node.text("partition_name", node.name),
      .source = node.text("source", ""),
      .ep_sdk_version = node.text("ep_sdk_version", ""),
      .main_context = node.integer("main_context", 1) != 0,
      .embed_mode = node.integer("embed_mode", 1) != 0,
      .max_size = node.integer("max_size", 0),
      .soc_model = soc_of_note(model),
      .inputs = model.inputs,
      .outputs = model.outputs,
      .node_count = model.nodes.size(),
  };
  // ONNX Runtime treats these two spellings as the same provider.
  if (wrapper.source != "QNNExecutionProvider" && wrapper.source != "QNN") {
    return bad_input("{}: its context is of \"{}\", not of QNN", onnx.string(), wrapper.source);
  }
  const std::string context = node.text("ep_cache_context", "");
  if (wrapper.embed_mode) {
    wrapper.context_bytes = context.size();
    return wrapper;
  }
  TRY_ASSIGN(wrapper.context_file, context_file_of(context, onnx));
  std::error_code error;
  wrapper.context_bytes = std::filesystem::file_size(wrapper.context_file, error);
  if (error) return bad_input("{}: {}", wrapper.context_file.string(), error.message());
  return wrapper;
}

Result<ContextWrapper> read_context_wrapper(const Path& onnx) {
  TRY_ASSIGN(OnnxModel model, read_onnx(onnx, {.infer_shapes = false}));
  return context_wrapper_of(model, onnx);
}

}  // namespace fastvlm
