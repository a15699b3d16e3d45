#include "fastvlm/checkpoint/checkpoint.h"

#include <algorithm>
#include <set>

#include "fastvlm/base/file_content.h"
#include "fastvlm/base/try.h"
#include "fastvlm/checkpoint/adapter_config.h"
#include "fastvlm/checkpoint/dialect.h"
#include "fastvlm/checkpoint/model_files.h"
#include "fastvlm/checkpoint/quantised_forms.h"
#include "fastvlm/checkpoint/safetensors_writer.h"
#include "fastvlm/checkpoint/stored_numbers.h"

namespace fastvlm {
namespace {

constexpr std::size_t kMaxAdapterConfig = std::size_t{4} << 20;
constexpr std::string_view kVisionTower = "model.vision_tower.";
constexpr std::string_view kProjector = "model.multi_modal_projector.";

std::string base_name(const Path& path) { return path.filename().string(); }

// What to do with a folder that holds an adapter and no base was named for, or that was named as the base.
Error needs_base(const Path& folder, bool is_base) {
  const std::string what = folder.string();
  if (is_base) return bad_input("{}: the base model is an adapter itself; merge it into its own base first", what);
  const Path path = folder / "adapter_config.json";
  std::error_code ignored;
  if (std::filesystem::exists(folder / "model.safetensors", ignored) ||
      std::filesystem::exists(folder / "model.safetensors.index.json", ignored))
    return bad_input(
        "{}: holds a model and an adapter, of which transformers would load the adapter; remove adapter_config.json if the model is "
        "merged, "
        "or name the adapter's base with `base_model`",
        what);
  auto text = read_file(path, kMaxAdapterConfig);
  if (!text.ok()) return std::move(text).error();
  auto config = parse_adapter_config(*text, path.string());
  if (!config.ok()) return std::move(config).error();
  return bad_input("{}: a LoRA adapter; name the folder of its base model{} with `base_model`", what,
                   config->base_model.empty() ? std::string() : fmt::format(" ({})", config->base_model));
}

}  // namespace

Result<Checkpoint> Checkpoint::open(const Path& folder, const Path& base_model) {
  Checkpoint checkpoint;
  checkpoint.folder_ = folder;
  checkpoint.model_folder_ = base_model.empty() ? folder : base_model;
  if (is_adapter_folder(checkpoint.model_folder_)) return needs_base(checkpoint.model_folder_, !base_model.empty());
  TRY(checkpoint.add_model());
  TRY(check_plain_names(checkpoint.names_, checkpoint.model_folder_.string()));
  checkpoint.note_wrappers();
  TRY(checkpoint.turn_channels_last());
  if (!base_model.empty()) TRY(checkpoint.add_overlay());
  checkpoint.sort_tensors();
  return checkpoint;
}

Result<Checkpoint> Checkpoint::declared(const Path& folder, const std::vector<TensorDeclaration>& tensors) {
  Checkpoint checkpoint;
  checkpoint.folder_ = checkpoint.model_folder_ = folder;
  TRY(checkpoint.read_config());
  for (const TensorDeclaration& tensor : tensors) {
    const std::string canonical = canonical_name(tensor.name);
    FASTVLM_ASSERT(!canonical.empty(), "a declared tensor has a place in the model");
    if (is_ignored_tensor(canonical)) continue;
    checkpoint.names_.push_back(tensor.name);
    checkpoint.tensors_.push_back({.name = canonical,
                                   .file_name = tensor.name,
                                   .dtype = tensor.dtype,
                                   .shape = tensor.shape,
                                   .bytes = static_cast<std::uint64_t>(element_count(tensor.shape)) * byte_size(tensor.dtype)});
  }
  checkpoint.sort_tensors();
  return checkpoint;
}

void Checkpoint::sort_tensors() {
  std::sort(tensors_.begin(), tensors_.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  for (std::size_t i = 0; i < tensors_.size(); ++i) index_[tensors_[i].name] = i;
}

Path Checkpoint::side_file(std::string_view name) const {
  std::error_code ignored;
  return std::filesystem::exists(folder_ / name, ignored) ? folder_ / name : model_folder_ / name;
}

const Path& Checkpoint::tokenizer_folder() const {
  std::error_code ignored;
  for (const char* name : {"tokenizer.json", "vocab.json"})
    if (std::filesystem::exists(folder_ / name, ignored)) return folder_;
  return model_folder_;
}

Status Checkpoint::read_config() {
  const std::string what = side_file("config.json").string();
  TRY_ASSIGN(config_, read_json_file(what));
  if (json_find(config_, "model_type") == nullptr) {
    if (auto answer = server_answer(config_)) return bad_input("{}: is {}", what, *answer);
  }
  TRY_ASSIGN(std::string model_type, json_string(config_, "model_type", what));
  TRY_ASSIGN(model_type_, check_model_type(model_type, what));
  return check_not_quantised(config_, what);
}

Status Checkpoint::add_model() {
  TRY_ASSIGN(ModelFiles files, choose_model_files(model_folder_));
  TRY(read_config());
  findings_ = std::move(files.findings);
  const Json* map = files.weight_map.is_null() ? nullptr : &files.weight_map;
  for (const Path& path : files.weights) TRY(add_file(path, map));
  if (map != nullptr) TRY(check_weight_map(*map, files.index));
  if (!files.projector.empty()) {
    const bool stored = std::ranges::any_of(tensors_, [](const CheckpointTensor& t) { return t.name.starts_with(kProjector); });
    if (stored)
      files.passed_over.push_back(base_name(files.projector));
    else
      TRY(add_projector(files.projector));
  }
  if (!files.passed_over.empty())
    findings_.push_back(
        fmt::format("{} is the model; passed over, as transformers does: {}", base_name(files.weights.front()), listed(files.passed_over)));
  return {};
}

Status Checkpoint::add_projector(const Path& path) {
  if (path.extension() == ".bin")
    return bad_input("{}: the projector is saved apart as a PyTorch file, which is not read; save it as mm_projector.safetensors",
                     path.string());
  findings_.push_back(fmt::format("the projector is taken from {}", base_name(path)));
  return add_file(path, nullptr);
}

Result<const InputFile*> Checkpoint::open_file(const Path& path) {
  TRY_ASSIGN(InputFile opened, InputFile::open(path));
  inputs_.push_back(std::make_unique<InputFile>(std::move(opened)));
  files_.push_back(path);
  return inputs_.back().get();
}

Status Checkpoint::add_file(const Path& path, const Json* weight_map) {
  TRY_ASSIGN(const InputFile* opened, open_file(path));
  const InputFile& file = *opened;
  TRY_ASSIGN(SafetensorsHeader header, read_safetensors_header(file));
  if (!header.tensors.empty()) TRY(note_zeros(file, header.tensors.back()));
  for (const SafetensorsEntry& entry : header.tensors) {
    if (weight_map != nullptr) {
      // The index says which files are the model; transformers reads all that they hold.
      auto row = weight_map->find(entry.name);
      if (row == weight_map->end())
        unlisted_.push_back(entry.name);
      else if (row->get<std::string>() != path.filename().string())
        return bad_input("{}: holds tensor \"{}\", which the index says is in {}", path.string(), entry.name, row->get<std::string>());
    }
    TRY(add_tensor(file, entry));
  }
  return {};
}

// A download that reserved its space and stopped leaves zeros to the end. The first other byte ends the search.
Status Checkpoint::note_zeros(const InputFile& file, const SafetensorsEntry& last) {
  constexpr std::uint64_t kPiece = std::uint64_t{1} << 16;
  if (last.shape.size() < 2 || !is_float(last.dtype) || last.bytes < 64) return {};
  std::vector<std::byte> piece;
  for (std::uint64_t end = last.bytes; end > 0; end -= piece.size()) {
    piece.resize(static_cast<std::size_t>(std::min(kPiece, end)));
    TRY(file.read_at(last.offset + end - piece.size(), piece));
    if (std::ranges::any_of(piece, [](std::byte b) { return b != std::byte{0}; })) return {};
  }
  findings_.push_back(fmt::format("{} ends with zeros: its last tensor \"{}\" holds nothing else; the download may not be complete",
                                  base_name(file.path()), last.name));
  return {};
}

Status Checkpoint::add_tensor(const InputFile& file, const SafetensorsEntry& entry) {
  names_.push_back(entry.name);
  const Unwrapped unwrapped = unwrapped_name(entry.name);
  if (!unwrapped.wrappers.empty()) ++wrappers_[unwrapped.wrappers];
  std::string canonical = canonical_name(unwrapped.name);
  if (canonical.empty()) {
    unknown_.push_back(entry.name);
    return {};
  }
  if (is_ignored_tensor(canonical)) {
    ++ignored_;
    return {};
  }
  if (auto [at, added] = index_.try_emplace(canonical, tensors_.size()); !added)
    return bad_input("{}: tensor \"{}\" stands for \"{}\", which \"{}\" of {} gave already", file.path().string(), entry.name, canonical,
                     tensors_[at->second].file_name, tensors_[at->second].file->path().filename().string());
  tensors_.push_back({.name = canonical,
                      .file_name = entry.name,
                      .dtype = entry.dtype,
                      .shape = entry.shape,
                      .offset = entry.offset,
                      .bytes = entry.bytes,
                      .file = &file});
  return {};
}

void Checkpoint::note_wrappers() {
  for (const auto& [wrappers, count] : wrappers_)
    findings_.push_back(fmt::format("the prefix \"{}\" of {} tensor names is seen through", wrappers, count));
}

// MLX stores convolutions as [out, height, width, in] and layer scales as [1, 1, channels]. A depthwise kernel of more than one
// tap tells the two orders apart; all kernels of a tower have the same.
Status Checkpoint::turn_channels_last() {
  std::size_t first = 0, last = 0;
  for (const CheckpointTensor& tensor : tensors_) {
    const Shape& shape = tensor.shape;
    if (!tensor.name.starts_with(kVisionTower) || shape.size() != 4) continue;
    if (shape[1] == 1 && shape[2] == shape[3] && shape[2] > 1) ++first;
    if (shape[3] == 1 && shape[1] == shape[2] && shape[1] > 1) ++last;
  }
  if (last == 0) return {};
  if (first > 0)
    return bad_input("{}: {} convolutions of the tower lie channels last and {} channels first; one order is needed", folder_.string(),
                     last, first);
  for (CheckpointTensor& tensor : tensors_) {
    Shape& shape = tensor.shape;
    if (!tensor.name.starts_with(kVisionTower)) continue;
    if (shape.size() == 4) {
      tensor.channels_last = true;
      shape = {shape[0], shape[3], shape[1], shape[2]};
    } else if (shape.size() == 3 && shape[0] == 1 && shape[1] == 1) {
      shape = {shape[2], 1, 1};
    }
  }
  findings_.push_back("the convolutions of the tower lie channels last, as MLX stores them; they are turned, which is exact");
  return {};
}

Status Checkpoint::check_weight_map(const Json& weight_map, const Path& index) const {
  std::set<std::string> present(names_.begin(), names_.end());
  for (const auto& [tensor, file] : weight_map.items())
    if (!present.contains(tensor))
      return bad_input("{}: tensor \"{}\" is not in {} as the index says", index.string(), tensor, file.get<std::string>());
  return {};
}

const CheckpointTensor* Checkpoint::find(const std::string& canonical) const {
  auto at = index_.find(canonical);
  return at == index_.end() ? nullptr : &tensors_[at->second];
}

std::uint64_t Checkpoint::total_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& input : inputs_) bytes += input->size();
  for (const CheckpointTensor& tensor : tensors_)
    if (tensor.file == nullptr) bytes += tensor.bytes;
  return bytes;
}

std::string Checkpoint::instead_of(const std::string& canonical) const {
  if (names_.empty()) return "the files hold no tensor at all";
  // The last two parts of a name say what a tensor is ("embed_tokens.weight").
  const auto dot = canonical.rfind('.', canonical.rfind('.') - 1);
  const std::string tail = dot == std::string::npos ? canonical : canonical.substr(dot);
  for (const std::string& name : names_)
    if (name.ends_with(tail) && canonical_name(unwrapped_name(name).name).empty())
      return fmt::format("\"{}\" is there, whose prefix is not known", name);
  return fmt::format("the files hold {} tensors, such as \"{}\"", names_.size(), names_.front());
}

WeightPtr Checkpoint::weight(const CheckpointTensor& tensor) const {
  WeightPtr weight = tensor.channels_last ? Weight::of_source(tensor.shape, channels_first(tensor), {tensor.file_name}, "channels first")
                                          : Weight::of_source(tensor.shape, stored_numbers(tensor), {tensor.file_name}, "");
  if (tensor.update == nullptr) return weight;
  const AdapterUpdate& update = *tensor.update;
  LowRankUpdate sum{.left = stored_numbers(update.up),
                    .right = stored_numbers(update.down),
                    .scale = update.scale,
                    .from = {update.down.file_name, update.up.file_name}};
  if (update.embedding) {
    sum.left = transposed_source(stored_numbers(update.down));
    sum.right = transposed_source(stored_numbers(update.up));
  }
  return weight->plus(std::move(sum), "add lora");
}

Result<std::vector<float>> Checkpoint::read(const CheckpointTensor& tensor) const {
  if (!is_float(tensor.dtype))
    return bad_input("{}: tensor \"{}\" holds {}, a floating type was expected",
                     tensor.file == nullptr ? folder_.string() : tensor.file->path().string(), tensor.file_name, name(tensor.dtype));
  return weight(tensor)->read_all();
}

}  // namespace fastvlm
