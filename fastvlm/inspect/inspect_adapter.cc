// Folders with a LoRA adapter of peft.
#include <set>

#include "fastvlm/base/try.h"
#include "fastvlm/checkpoint/adapter_config.h"
#include "fastvlm/checkpoint/adapter_names.h"
#include "fastvlm/checkpoint/model_files.h"
#include "fastvlm/checkpoint/safetensors.h"
#include "fastvlm/inspect/inspect_parts.h"

namespace fastvlm::inspecting {
namespace {

constexpr std::size_t kMaxAdapterConfig = std::size_t{4} << 20;

OrderedJson config_json(const AdapterConfig& config) {
  return {{"base_model", config.base_model},
          {"rank", config.rank},
          {"alpha", config.alpha},
          {"rslora", config.rslora},
          {"target_modules", config.target_modules},
          {"modules_to_save", config.modules_to_save}};
}

// How many modules are adapted, by the last part of their names, and what is replaced as a whole.
Status add_tensors(const Path& path, OrderedJson& adapter) {
  TRY_ASSIGN(InputFile file, InputFile::open(path));
  TRY_ASSIGN(const SafetensorsHeader header, read_safetensors_header(file));
  std::map<std::string, std::set<std::string>> modules;
  std::vector<std::string> replaced;
  for (const SafetensorsEntry& entry : header.tensors) {
    TRY_ASSIGN(const AdapterTensor tensor, adapter_tensor(entry.name, path.string()));
    if (tensor.role == AdapterRole::kReplacement) replaced.push_back(tensor.module);
    if (tensor.role == AdapterRole::kReplacement || tensor.role == AdapterRole::kFrozen) continue;
    modules[tensor.module.substr(tensor.module.rfind('.') + 1)].insert(tensor.module);
  }
  OrderedJson counts = OrderedJson::object();
  for (const auto& [name, full] : modules) counts[name] = full.size();
  adapter["adapted"] = counts;
  adapter["replaced"] = replaced;
  return {};
}

}  // namespace

Status add_adapter(const InspectOptions& options, InspectReport& report) {
  report.facts["kind"] = "LoRA adapter";
  const Path path = options.path / "adapter_config.json";
  TRY_ASSIGN(const std::string text, read_file(path, kMaxAdapterConfig));
  auto config = parse_adapter_config(text, path.string());
  if (!config.ok()) {
    report.problem = std::move(config).error();  // what export refuses
    return {};
  }
  OrderedJson adapter = config_json(*config);
  std::vector<std::string> findings = config->findings;
  if (auto files = choose_overlay_files(options.path); !files.ok()) {
    report.problem = std::move(files).error();
  } else {
    OrderedJson rows = OrderedJson::array();
    for (const Path& file : {files->adapter, files->trainables, files->projector}) {
      if (file.empty()) continue;
      TRY_ASSIGN(OrderedJson row, file_json(file, file.filename().string(), options.hashes));
      rows.push_back(std::move(row));
    }
    report.facts["files"] = std::move(rows);
    if (!files->passed_over.empty()) findings.push_back("passed over: " + listed(files->passed_over));
    if (Status tensors = add_tensors(files->adapter, adapter); !tensors.ok()) report.problem = tensors.error();
  }
  findings.push_back(fmt::format("export it with --model-dir {} --base-model and the folder of its base model", options.path.string()));
  report.facts["adapter"] = std::move(adapter);
  report.facts["findings"] = findings;
  return {};
}

}  // namespace fastvlm::inspecting
