// Checkpoints and safetensors files.
#include <map>

#include "fastvlm/base/try.h"
#include "fastvlm/bundle/manifest_json.h"
#include "fastvlm/checkpoint/checkpoint.h"
#include "fastvlm/checkpoint/dialect.h"
#include "fastvlm/checkpoint/model_config.h"
#include "fastvlm/inspect/inspect_parts.h"

namespace fastvlm::inspecting {
namespace {

// What a list of tensors comes to.
struct TensorTotals {
  std::uint64_t tensors = 0;
  std::uint64_t parameters = 0;
  std::uint64_t bytes = 0;
  std::map<std::string, std::uint64_t> types;  // tensors of each element type

  void add(Dtype dtype, const Shape& shape, std::uint64_t size) {
    ++tensors;
    parameters += static_cast<std::uint64_t>(element_count(shape));
    bytes += size;
    ++types[std::string(name(dtype))];
  }
  OrderedJson json() const { return {{"count", tensors}, {"parameters", parameters}, {"bytes", bytes}, {"types", types}}; }
};

OrderedJson tensor_json(const std::string& tensor, Dtype dtype, const Shape& shape, std::uint64_t bytes) {
  return {{"name", tensor}, {"type", name(dtype)}, {"shape", shape}, {"bytes", bytes}};
}

// The files beside the weights that an export looks at.
constexpr const char* kSideFiles[] = {"tokenizer.json",
                                      "vocab.json",
                                      "merges.txt",
                                      "added_tokens.json",
                                      "tokenizer_config.json",
                                      "special_tokens_map.json",
                                      "chat_template.jinja",
                                      "generation_config.json",
                                      "preprocessor_config.json"};

OrderedJson side_files(const Path& folder) {
  OrderedJson names = OrderedJson::array();
  std::error_code ignored;
  for (const char* name : kSideFiles)
    if (std::filesystem::exists(folder / name, ignored)) names.push_back(name);
  return names;
}

}  // namespace

Status add_checkpoint(const InspectOptions& options, InspectReport& report) {
  TRY_ASSIGN(const Checkpoint checkpoint, Checkpoint::open(options.path));
  TensorTotals totals;
  OrderedJson list = OrderedJson::array(), files = OrderedJson::array();
  for (const CheckpointTensor& tensor : checkpoint.tensors()) {
    totals.add(tensor.dtype, tensor.shape, tensor.bytes);
    if (!options.tensors) continue;
    list.push_back(tensor_json(tensor.name, tensor.dtype, tensor.shape, tensor.bytes));
    if (tensor.file_name != tensor.name) list.back()["name_in_file"] = tensor.file_name;
    list.back()["file"] = tensor.file->path().filename().string();
  }
  for (const Path& path : checkpoint.files()) {
    TRY_ASSIGN(OrderedJson file, file_json(path, path.filename().string(), options.hashes));
    files.push_back(std::move(file));
  }
  report.facts["kind"] = "checkpoint";
  report.facts["model_type"] = checkpoint.model_type();
  report.facts["tensors"] = totals.json();
  report.facts["tensors"]["passed_over"] = checkpoint.ignored();
  report.facts["tensors"]["unknown"] = checkpoint.unknown();
  if (auto config = read_model_config(checkpoint); config.ok()) {
    report.facts["model"] = to_json(model_facts(*config, checkpoint.model_type()));
    report.facts["model"]["vision"]["training_form"] = config->vision.training_form;
    report.facts["image_size"] = config->preprocessing.settings.size;
    report.facts["findings"] = config->findings;
  } else {
    report.problem = config.error();
  }
  report.facts["files"] = std::move(files);
  report.facts["side_files"] = side_files(options.path);
  if (options.tensors) report.facts["tensor_list"] = std::move(list);
  return {};
}

Status add_safetensors(const InspectOptions& options, InspectReport& report) {
  TRY_ASSIGN(InputFile file, InputFile::open(options.path));
  TRY_ASSIGN(SafetensorsHeader header, read_safetensors_header(file));
  TensorTotals totals;
  std::uint64_t known = 0;
  OrderedJson list = OrderedJson::array();
  for (const SafetensorsEntry& entry : header.tensors) {
    totals.add(entry.dtype, entry.shape, entry.bytes);
    if (!canonical_name(entry.name).empty()) ++known;
    if (!options.tensors) continue;
    list.push_back(tensor_json(entry.name, entry.dtype, entry.shape, entry.bytes));
    list.back()["offset"] = entry.offset;
  }
  report.facts["kind"] = "safetensors";
  report.facts["tensors"] = totals.json();
  report.facts["tensors"]["of_fastvlm"] = known;
  report.facts["metadata"] = header.metadata;
  if (options.tensors) report.facts["tensor_list"] = std::move(list);
  return {};
}

}  // namespace fastvlm::inspecting
