#include "fastvlm/checkpoint/checkpoint.h"

#include <algorithm>
#include <set>

#include "fastvlm/base/file_content.h"
#include "fastvlm/base/try.h"
#include "fastvlm/checkpoint/dialect.h"
#include "fastvlm/checkpoint/model_files.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {
namespace {

constexpr std::string_view kProjector = "model.multi_modal_projector.";

std::string base_name(const Path& path) { return path.filename().string(); }

}  // namespace

Result<Checkpoint> Checkpoint::open(const Path& folder) {
  Checkpoint checkpoint;
  checkpoint.folder_ = folder;
  TRY(checkpoint.add_model());
  TRY(check_exportable_names(checkpoint.names_, folder.string()));
  std::sort(checkpoint.tensors_.begin(), checkpoint.tensors_.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  for (std::size_t i = 0; i < checkpoint.tensors_.size(); ++i) checkpoint.index_[checkpoint.tensors_[i].name] = i;
  return checkpoint;
}

Status Checkpoint::read_config() {
  const std::string what = (folder_ / "config.json").string();
  TRY_ASSIGN(config_, read_json_file(what));
  if (json_find(config_, "model_type") == nullptr) {
    if (auto answer = server_answer(config_)) return bad_input("{}: is {}", what, *answer);
  }
  TRY_ASSIGN(std::string model_type, json_string(config_, "model_type", what));
  TRY_ASSIGN(model_type_, check_model_type(model_type, what));
  return {};
}

Status Checkpoint::add_model() {
  TRY_ASSIGN(ModelFiles files, choose_model_files(folder_));
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

Status Checkpoint::add_file(const Path& path, const Json* weight_map) {
  TRY_ASSIGN(InputFile opened, InputFile::open(path));
  inputs_.push_back(std::make_unique<InputFile>(std::move(opened)));
  files_.push_back(path);
  const InputFile& file = *inputs_.back();
  TRY_ASSIGN(SafetensorsHeader header, read_safetensors_header(file));
  for (const SafetensorsEntry& entry : header.tensors) {
    if (weight_map != nullptr) {
      auto row = weight_map->find(entry.name);
      // An unlisted tensor of a shard would be read by nobody else either; it is reported as unknown.
      if (row == weight_map->end()) {
        unknown_.push_back(entry.name);
        continue;
      }
      if (row->get<std::string>() != path.filename().string())
        return bad_input("{}: holds tensor \"{}\", which the index says is in {}", path.string(), entry.name, row->get<std::string>());
    }
    TRY(add_tensor(file, entry));
  }
  return {};
}

Status Checkpoint::add_tensor(const InputFile& file, const SafetensorsEntry& entry) {
  names_.push_back(entry.name);
  std::string canonical = canonical_name(entry.name);
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
  return bytes;
}

Result<std::vector<float>> Checkpoint::read(const CheckpointTensor& tensor) const {
  if (!is_float(tensor.dtype))
    return bad_input("{}: tensor \"{}\" holds {}, a floating type was expected", tensor.file->path().string(), tensor.file_name,
                     name(tensor.dtype));
  std::vector<std::byte> bytes(tensor.bytes);
  TRY(tensor.file->read_at(tensor.offset, bytes));
  std::vector<float> values(static_cast<std::size_t>(element_count(tensor.shape)));
  to_float32(tensor.dtype, bytes, values);
  return values;
}

}  // namespace fastvlm
