#include "fastvlm/checkpoint/checkpoint.h"

#include <algorithm>
#include <set>

#include "fastvlm/base/try.h"
#include "fastvlm/checkpoint/dialect.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {
namespace {

constexpr const char* kIndexFile = "model.safetensors.index.json";

Status check_folder(const Path& folder) {
  std::error_code failure;
  if (std::filesystem::is_directory(folder, failure)) return {};
  if (std::filesystem::exists(folder, failure))
    return bad_input("{}: not a folder; name the folder that holds config.json and the safetensors files", folder.string());
  return bad_input("{}: there is no such folder", folder.string());
}

// The shard names that an index mentions; names with a path part are refused.
Result<std::set<std::string>> shards_of(const Json& index, const Path& index_path) {
  const Json* map = json_find(index, "weight_map");
  if (map == nullptr || !map->is_object() || map->empty())
    return bad_input("{}: the key \"weight_map\" must map tensor names to files", index_path.string());
  std::set<std::string> shards;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string()) return bad_input("{}: tensor \"{}\" must name a file", index_path.string(), tensor);
    auto name = file.get<std::string>();
    if (name.empty() || Path(name).filename() != Path(name) || name == "..")
      return bad_input("{}: shard \"{}\" of tensor \"{}\" must be a plain file name", index_path.string(), name, tensor);
    shards.insert(std::move(name));
  }
  return shards;
}

Result<std::set<std::string>> single_files(const Path& folder) {
  std::set<std::string> names;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failure))
    if (entry.path().extension() == ".safetensors") names.insert(entry.path().filename().string());
  if (failure) return bad_input("{}: cannot list it ({})", folder.string(), failure.message());
  if (names.empty())
    return bad_input("{}: no *.safetensors file here (pytorch_model.bin is not read; convert it to safetensors)", folder.string());
  return names;
}

}  // namespace

Result<Checkpoint> Checkpoint::open(const Path& folder) {
  TRY(check_folder(folder));
  Checkpoint checkpoint;
  checkpoint.folder_ = folder;
  TRY_ASSIGN(checkpoint.config_, read_json_file(folder / "config.json"));
  const std::string config_name = (folder / "config.json").string();
  TRY_ASSIGN(std::string model_type, json_string(checkpoint.config_, "model_type", config_name));
  TRY_ASSIGN(checkpoint.model_type_, check_model_type(model_type, config_name));

  std::error_code ignored;
  const Path index_path = folder / kIndexFile;
  if (std::filesystem::exists(index_path, ignored)) {
    TRY_ASSIGN(Json index, read_json_file(index_path));
    TRY_ASSIGN(auto shards, shards_of(index, index_path));
    const Json& map = index["weight_map"];
    for (const std::string& shard : shards) {
      if (!std::filesystem::exists(folder / shard, ignored))
        return bad_input("{}: names the shard {}, which is not in the folder; download it again", index_path.string(), shard);
      TRY(checkpoint.add_file(folder / shard, &map));
    }
    TRY(checkpoint.check_weight_map(map, index_path));
  } else {
    TRY_ASSIGN(auto files, single_files(folder));
    for (const std::string& file : files) TRY(checkpoint.add_file(folder / file, nullptr));
  }
  TRY(check_exportable_names(checkpoint.names_, folder.string()));
  std::sort(checkpoint.tensors_.begin(), checkpoint.tensors_.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  for (std::size_t i = 0; i < checkpoint.tensors_.size(); ++i) checkpoint.index_[checkpoint.tensors_[i].name] = i;
  return checkpoint;
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
