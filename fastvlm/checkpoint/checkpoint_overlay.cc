// What lies over a base model: a LoRA adapter, tensors that were trained beside it, a projector. Factors are only noted here; the
// sum is made while the weights are written.
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "fastvlm/base/try.h"
#include "fastvlm/checkpoint/adapter_config.h"
#include "fastvlm/checkpoint/adapter_names.h"
#include "fastvlm/checkpoint/checkpoint.h"
#include "fastvlm/checkpoint/dialect.h"
#include "fastvlm/checkpoint/model_config.h"
#include "fastvlm/checkpoint/model_files.h"

namespace fastvlm {
namespace {

constexpr std::size_t kMaxAdapterConfig = std::size_t{4} << 20;
constexpr const char* kTable = "model.embed_tokens.weight";
constexpr const char* kHead = "lm_head.weight";

CheckpointTensor stored(const InputFile& file, const SafetensorsEntry& entry) {
  return {.file_name = entry.name, .dtype = entry.dtype, .shape = entry.shape, .offset = entry.offset, .bytes = entry.bytes, .file = &file};
}

std::int64_t rows_of(const CheckpointTensor& tensor) { return tensor.shape.empty() ? 1 : tensor.shape[0]; }
std::int64_t columns_of(const CheckpointTensor& tensor) { return rows_of(tensor) == 0 ? 0 : element_count(tensor.shape) / rows_of(tensor); }

// The factors of one module while the file is read.
struct Factors {
  std::optional<CheckpointTensor> down, up;
  bool embedding = false;
};

bool lies_in(const std::string& name, const std::string& module) { return ("." + name).find("." + module + ".") != std::string::npos; }

// peft trains a copy of such a module, which leaves the base as it is.
bool is_copy(const AdapterConfig& config, const std::string& file_name) {
  return lies_in(file_name, "modules_to_save") ||
         std::ranges::any_of(config.modules_to_save, [&](const std::string& module) { return lies_in(file_name, module); });
}

// Each of modules_to_save must have brought a tensor.
Status check_saved(const AdapterConfig& config, const std::vector<std::string>& replaced, const Path& path) {
  for (const std::string& module : config.modules_to_save) {
    if (std::ranges::none_of(replaced, [&](const std::string& name) { return lies_in(name, module); }))
      return bad_input("{}: modules_to_save of adapter_config.json names \"{}\", of which the file holds no tensor", path.string(), module);
  }
  return {};
}

// With bias = "all" or "lora_only" the biases of the adapted modules were trained, so the file must hold those that the base has.
Status check_biases(const AdapterConfig& config, const std::map<std::string, Factors>& modules, const std::set<std::string>& replaced,
                    const Checkpoint& base, const Path& path) {
  if (config.bias == "none") return {};
  const auto require = [&](const std::string& name) -> Status {
    if (base.find(name) == nullptr || replaced.contains(name)) return {};
    return bad_input("{}: adapter_config.json says bias = \"{}\", but the file holds no trained \"{}\"; save the adapter again with peft",
                     path.string(), config.bias, name);
  };
  for (const auto& [module, factors] : modules) TRY(require(canonical_name(module + ".bias")));
  if (config.bias == "lora_only") return {};
  for (const CheckpointTensor& tensor : base.tensors())
    if (tensor.name.starts_with("model.layers.") && tensor.name.ends_with(".bias")) TRY(require(tensor.name));
  return {};
}

}  // namespace

Status Checkpoint::add_overlay() {
  TRY_ASSIGN(const OverlayFiles files, choose_overlay_files(folder_));
  // As LLaVA loads them: what was trained beside the adapter belongs to the base, and the adapter comes last.
  if (!files.trainables.empty()) TRY(add_replacements(files.trainables));
  if (!files.projector.empty()) TRY(add_replacements(files.projector));
  if (!files.adapter_config.empty()) TRY(add_adapter(files.adapter_config, files.adapter));
  if (!files.passed_over.empty()) findings_.push_back(fmt::format("passed over beside the adapter: {}", listed(files.passed_over)));
  return {};
}

Status Checkpoint::add_adapter(const Path& config_path, const Path& path) {
  TRY_ASSIGN(const std::string text, read_file(config_path, kMaxAdapterConfig));
  TRY_ASSIGN(const AdapterConfig config, parse_adapter_config(text, config_path.string()));
  findings_.insert(findings_.end(), config.findings.begin(), config.findings.end());
  TRY_ASSIGN(const InputFile* file, open_file(path));
  TRY_ASSIGN(const SafetensorsHeader header, read_safetensors_header(*file));
  std::map<std::string, Factors> modules;
  std::vector<std::string> replaced;
  std::set<std::string> replaced_names;  // canonical
  for (const SafetensorsEntry& entry : header.tensors) {
    TRY_ASSIGN(const AdapterTensor tensor, adapter_tensor(entry.name, path.string()));
    if (tensor.role == AdapterRole::kFrozen) continue;
    if (tensor.role == AdapterRole::kReplacement) {
      CheckpointTensor whole = stored(*file, entry);
      whole.name = canonical_name(tensor.module);
      if (is_ignored_tensor(whole.name)) continue;
      replaced_names.insert(whole.name);
      if (is_copy(config, entry.name)) TRY(split_head(whole.name));
      TRY(replace(std::move(whole), path));
      replaced.push_back(tensor.module);
      continue;
    }
    Factors& factors = modules[tensor.module];
    const bool down = tensor.role == AdapterRole::kDown || tensor.role == AdapterRole::kEmbeddingDown;
    factors.embedding = tensor.role == AdapterRole::kEmbeddingDown || tensor.role == AdapterRole::kEmbeddingUp;
    std::optional<CheckpointTensor>& place = down ? factors.down : factors.up;
    if (place) return bad_input("{}: tensors \"{}\" and \"{}\" are the same factor", path.string(), place->file_name, entry.name);
    place = stored(*file, entry);
  }
  for (const auto& [module, factors] : modules) {
    if (!factors.down || !factors.up)
      return bad_input("{}: tensor \"{}\" has no counterpart; a LoRA is a pair of A and B", path.string(),
                       factors.down ? factors.down->file_name : factors.up->file_name);
    const std::int64_t rank = rows_of(*factors.down);
    if (rank != config.rank_of(module))
      return bad_input("{}: tensor \"{}\" has rank {}, but adapter_config.json says {}", path.string(), factors.down->file_name, rank,
                       config.rank_of(module));
    TRY(add_update(
        module,
        {.down = *factors.down, .up = *factors.up, .scale = static_cast<float>(config.scale_of(module)), .embedding = factors.embedding}));
  }
  TRY(check_saved(config, replaced, path));
  TRY(check_biases(config, modules, replaced_names, *this, path));
  findings_.push_back(
      fmt::format("the LoRA adapter is merged: {} weights get scale * B * A (r = {}, lora_alpha = {}{}), {} tensors are replaced",
                  modules.size(), config.rank, config.alpha, config.rslora ? ", rsLoRA" : "", replaced.size()));
  return {};
}

Status Checkpoint::add_replacements(const Path& path) {
  if (path.extension() == ".bin")
    return bad_input("{}: a PyTorch file, which is not read; save its tensors as {}.safetensors", path.string(), path.stem().string());
  TRY_ASSIGN(const InputFile* file, open_file(path));
  TRY_ASSIGN(const SafetensorsHeader header, read_safetensors_header(*file));
  for (const SafetensorsEntry& entry : header.tensors) {
    TRY_ASSIGN(const AdapterTensor tensor, adapter_tensor(entry.name, path.string()));
    if (tensor.role == AdapterRole::kFrozen) continue;
    CheckpointTensor whole = stored(*file, entry);
    whole.name = canonical_name(tensor.module);
    if (is_ignored_tensor(whole.name)) continue;
    TRY(replace(std::move(whole), path));
  }
  findings_.push_back(fmt::format("{} tensors are taken from {}", header.tensors.size(), path.filename().string()));
  return {};
}

CheckpointTensor* Checkpoint::target_of(const std::string& canonical) {
  const auto at = index_.find(canonical);
  return at == index_.end() ? nullptr : &tensors_[at->second];
}

// Whether table and head of the base are one matrix in the reference.
Result<bool> Checkpoint::head_is_table() const {
  if (head_apart_) return false;
  const Json* flag = json_find(config_, "tie_word_embeddings");
  const Json* text = json_find(config_, "text_config");
  if (flag == nullptr && text != nullptr) flag = json_find(*text, "tie_word_embeddings");
  if (find(kHead) == nullptr) return find(kTable) != nullptr;
  if (flag == nullptr || *flag != true) return false;
  return model_type_ == "llava_qwen2" ? Result<bool>(true) : stored_head_equals_embedding(*this);
}

void Checkpoint::set_head(CheckpointTensor tensor) {
  tensor.name = kHead;
  if (CheckpointTensor* head = target_of(kHead); head != nullptr) {
    *head = std::move(tensor);
    return;
  }
  index_[kHead] = tensors_.size();
  tensors_.push_back(std::move(tensor));
}

// peft adapts table and head each by itself, also where they are one matrix in the base.
Status Checkpoint::split_head(const std::string& canonical) {
  if (canonical != kTable && canonical != kHead) return {};
  TRY_ASSIGN(const bool tied, head_is_table());
  if (!tied) return {};
  const CheckpointTensor table = *target_of(kTable);
  set_head(table);
  head_apart_ = true;
  findings_.push_back("the adapter changes the table or the head of a tied model; they are two matrices from here on, as peft runs them");
  return {};
}

Status Checkpoint::add_update(const std::string& module, AdapterUpdate update) {
  const std::string canonical = canonical_name(module + ".weight");
  TRY(split_head(canonical));
  CheckpointTensor* base = target_of(canonical);
  const std::string what = update.down.file->path().string();
  if (base == nullptr)
    return bad_input("{}: tensor \"{}\" fits no weight of the base model {}", what, update.down.file_name, model_folder_.string());
  const std::int64_t rows = update.embedding ? columns_of(update.down) : rows_of(update.up);
  const std::int64_t columns = update.embedding ? rows_of(update.up) : columns_of(update.down);
  const std::int64_t rank = update.embedding ? columns_of(update.up) : columns_of(update.up);
  if (rank != rows_of(update.down) || rows != rows_of(*base) || columns != columns_of(*base))
    return bad_input("{}: \"{}\" {} and \"{}\" {} do not make a weight of {}, which \"{}\" has", what, update.down.file_name,
                     to_string(update.down.shape), update.up.file_name, to_string(update.up.shape), to_string(base->shape),
                     base->file_name);
  for (const CheckpointTensor* tensor : std::initializer_list<const CheckpointTensor*>{&update.down, &update.up, base})
    if (!is_float(tensor->dtype))
      return bad_input("{}: tensor \"{}\" holds {}, a floating type was expected; a quantised adapter is not merged",
                       tensor->file == nullptr ? what : tensor->file->path().string(), tensor->file_name, name(tensor->dtype));
  base->update = std::make_shared<AdapterUpdate>(std::move(update));
  return {};
}

// What is loaded into the base is table and head at once where they are one matrix. Of two in a file the head is loaded last.
Status Checkpoint::replace_table_and_head(CheckpointTensor tensor) {
  CheckpointTensor& table = *target_of(kTable);
  if (tensor.name == kTable && table.file == tensor.file) return {};
  if (find(kHead) != nullptr) set_head(tensor);
  tensor.name = kTable;
  *target_of(kTable) = std::move(tensor);
  findings_.push_back("table and head of the tied model are one matrix, so both are replaced");
  return {};
}

Status Checkpoint::replace(CheckpointTensor tensor, const Path& path) {
  const bool table_or_head = tensor.name == kTable || tensor.name == kHead;
  if (target_of(tensor.name) == nullptr && !(table_or_head && target_of(kTable) != nullptr))
    return bad_input("{}: tensor \"{}\" fits no tensor of the base model {}", path.string(), tensor.file_name, model_folder_.string());
  if (!is_float(tensor.dtype))
    return bad_input("{}: tensor \"{}\" holds {}, a floating type was expected", path.string(), tensor.file_name, name(tensor.dtype));
  if (table_or_head) {
    TRY_ASSIGN(const bool tied, head_is_table());
    if (tied) return replace_table_and_head(std::move(tensor));
  }
  *target_of(tensor.name) = std::move(tensor);
  return {};
}

}  // namespace fastvlm
