#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "fastvlm/clients/check_chip_layouts.h"
#include "fastvlm/clients/check_contexts.h"
#include "fastvlm/clients/check_layout_files.h"

namespace fastvlm::clients {
namespace {

std::optional<std::string> not_float(const std::vector<OnnxValue>& values) {
  for (const OnnxValue& value : values)
    if (value.type.dtype != Dtype::kFloat32) return fmt::format("\"{}\" must be float32, which the clients feed and take", value.name);
  return {};
}

struct NpuGraphs {
  std::int64_t vision = 0;
  std::set<std::int64_t> new_tokens = {};
  std::int64_t hidden_size = -1, vocabulary = -1;
};

bool is_vision(const std::string& file) { return file.starts_with("npu/vision_"); }

// A graph that nobody can open is there all the same.
void count(const std::string& file, NpuGraphs& graphs) {
  if (is_vision(file)) ++graphs.vision;
  if (const auto number = new_tokens_of_name(file); number && !is_vision(file)) graphs.new_tokens.insert(*number);
}

// Why the binary is none for the wrapper; the names of graphs say which is which.
std::optional<std::string> wrong_binary(const ContextWrapper& wrapper, ContextFiles& contexts) {
  if (wrapper.context_file.empty()) return {};
  const std::string file = "npu/" + wrapper.context_file.filename().string();
  const ContextInfo* info = contexts.read(file);
  if (info == nullptr) return {};
  const auto graph = std::ranges::find(info->graphs, wrapper.partition_name, &ContextGraph::name);
  if (graph == info->graphs.end()) return fmt::format("runs a graph that its context {} does not hold", file);
  return {};
}

void check_wrapper(LayoutCheck& check, const std::string& file, ContextFiles& contexts, const ContextOrigin& origin, NpuGraphs& graphs) {
  count(file, graphs);
  const auto wrapper = format_of_wrapper(known_targets(), Path(file))->read_wrapper(check.folder / file);
  if (!wrapper.ok()) return check.miss("graph", file, wrapper.error().message);
  const Tensors inputs = tensors_of(wrapper->inputs), outputs = tensors_of(wrapper->outputs);
  auto wrong = is_vision(file) ? wrong_vision(inputs, outputs) : wrong_decoder(inputs, outputs, -1);
  if (!wrong) wrong = not_float(wrapper->inputs);
  if (!wrong) wrong = not_float(wrapper->outputs);
  if (!wrong) wrong = wrong_origin(wrapper->ep_sdk_version, wrapper->soc_model, origin);
  if (!wrong) wrong = wrong_binary(*wrapper, contexts);
  if (!is_vision(file)) {
    graphs.new_tokens.insert(last_of(inputs, "inputs_embeds", 1));
    graphs.hidden_size = last_of(inputs, "inputs_embeds"), graphs.vocabulary = last_of(outputs, "logits");
  }
  if (wrong) return check.miss("graph", file, *wrong);
  if (check.report_has("npu/" + wrapper->context_file.filename().string())) return;
  check.report.pass("graph", file, "inputs, outputs, context and compiler are those that the clients want");
}

}  // namespace

void check_npu(LayoutCheck& check) {
  for (const char* file : {"npu/client.py", "npu/client.cc"}) check_file(check, file);
  json_of(check, "npu/tokenizer.json");
  const ContextOrigin origin = context_origin(check);
  ContextFiles contexts(check, origin);
  std::set<std::string> wrappers;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(check.folder / "npu", failure))
    if (format_of_wrapper(known_targets(), entry.path()) != nullptr) wrappers.insert("npu/" + entry.path().filename().string());
  NpuGraphs graphs;
  for (const std::string& file : wrappers) check_wrapper(check, file, contexts, origin, graphs);
  if (graphs.vision != 1) check.miss("files", "npu/vision_*_ctx.onnx", fmt::format("{} there, the clients open one", graphs.vision));
  if (!graphs.new_tokens.contains(1)) check.miss("files", "npu/decoder_ar1_*_ctx.onnx", "missing; without it no token follows the first");
  if (graphs.new_tokens.size() < 2) check.miss("files", "npu/decoder_ar*_ctx.onnx", "the decoder that takes a prompt is missing");
  if (graphs.hidden_size > 0) check_table(check, "npu/embedding_weights.raw", graphs.vocabulary, graphs.hidden_size);
}

}  // namespace fastvlm::clients
