#include "fastvlm/checkpoint/model_files.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>

#include "fastvlm/base/file_content.h"
#include "fastvlm/base/plain_path.h"
#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";
constexpr const char* kAdapterConfig = "adapter_config.json";

// Endings of files that hold weights in some form.
constexpr std::array<std::string_view, 10> kWeightEndings = {".safetensors", ".bin",  ".pt", ".pth",     ".ckpt",
                                                             ".gguf",        ".ggml", ".h5", ".msgpack", ".npz"};
// What a trainer leaves beside a model; nobody would take it for one.
constexpr std::array<std::string_view, 5> kTrainerFiles = {"training_args", "optimizer", "scheduler", "rng_state", "scaler"};

bool is_there(const Path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

std::set<std::string> names_in(const Path& folder) {
  std::set<std::string> names;
  std::error_code failure;
  for (fs::directory_iterator at(folder, failure), end; !failure && at != end; at.increment(failure))
    names.insert(at->path().filename().string());
  return names;
}

bool holds_weights(std::string_view name) {
  if (std::ranges::any_of(kTrainerFiles, [&](std::string_view begin) { return name.starts_with(begin); })) return false;
  if (name.find(".index.") != std::string_view::npos && name.ends_with(".json")) return true;  // also of a variant
  return std::ranges::any_of(kWeightEndings, [&](std::string_view end) { return name.ends_with(end); });
}

Error absent_shard(const Path& index, const Path& shard) {
  if (is_dangling_link(shard))
    return bad_input("{}: names the shard {}, which is a link to a file that is not there; download it again", index.string(),
                     shard.filename().string());
  for (const std::string& name : names_in(shard.parent_path()))
    if (name.starts_with(shard.filename().string()) && !unfinished_suffix(name).empty())
      return bad_input("{}: names the shard {}, of which only {} is there: the download is not finished, continue it", index.string(),
                       shard.filename().string(), name);
  return bad_input("{}: names the shard {}, which is not in the folder; download it again", index.string(), shard.filename().string());
}

// aria2 reserves the whole file at once; its control file lies beside it until all has come.
Status check_finished(const std::vector<Path>& files) {
  for (const Path& file : files) {
    const Path control = file.string() + ".aria2";
    if (!file.empty() && is_there(control))
      return bad_input("{}: the download is not finished, {} is beside it; continue it, or remove that file if all is there", file.string(),
                       control.filename().string());
  }
  return {};
}

// The shards that an index names; names with a path part are refused.
Status read_index(const Path& folder, ModelFiles& files) {
  files.index = folder / kIndexFile;
  const std::string what = files.index.string();
  TRY_ASSIGN(const Json index, read_json_file(files.index));
  const Json* map = json_find(index, "weight_map");
  if (map == nullptr || !map->is_object() || map->empty()) {
    if (auto answer = server_answer(index)) return bad_input("{}: is {}", what, *answer);
    return bad_input("{}: the key \"weight_map\" must map tensor names to files", what);
  }
  std::set<std::string> shards;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string()) return bad_input("{}: tensor \"{}\" must name a file", what, tensor);
    auto name = file.get<std::string>();
    if (!is_file_name(name)) return bad_input("{}: shard \"{}\" of tensor \"{}\" must be a plain file name", what, name, tensor);
    shards.insert(std::move(name));
  }
  for (const std::string& shard : shards) {
    if (!is_there(folder / shard)) return absent_shard(files.index, folder / shard);
    files.weights.push_back(folder / shard);
  }
  files.weight_map = *map;
  return {};
}

// i and n of "model-0000i-of-0000n.safetensors"; zeros for another name.
std::pair<int, int> shard_number(const std::string& name) {
  int i = 0, n = 0, length = 0;
  if (std::sscanf(name.c_str(), "model-%5d-of-%5d.safetensors%n", &i, &n, &length) != 2 || length != static_cast<int>(name.size()))
    return {0, 0};
  return i > 0 && i <= n ? std::pair{i, n} : std::pair{0, 0};
}

// A whole set of numbered shards whose index is missing.
Status read_numbered(const Path& folder, const std::set<std::string>& names, ModelFiles& files) {
  int count = 0;
  for (const std::string& name : names) {
    const auto [i, n] = shard_number(name);
    if (n == 0) continue;
    if (count != 0 && n != count)
      return bad_input("{}: shards of two sets ({} and {} files) and no {}; download the index", folder.string(), count, n, kIndexFile);
    count = n;
    files.weights.push_back(folder / name);
  }
  if (static_cast<int>(files.weights.size()) < count)
    return bad_input("{}: {} of {} shards are there and no {}; download the others and the index", folder.string(), files.weights.size(),
                     count, kIndexFile);
  if (count > 0) files.findings.push_back(fmt::format("{} is missing; all {} numbered shards are read", kIndexFile, count));
  return {};
}

// Where the model may be, when it is not in the folder: one of its folders, or a snapshot in the folder of a hub cache.
std::string better_folder(const Path& folder) {
  std::vector<std::string> better;
  for (const std::string& name : names_in(folder)) {
    if (is_there(folder / name / "config.json") || is_there(folder / name / kAdapterConfig)) better.push_back(name);
    if (name == "snapshots")
      for (const std::string& snapshot : names_in(folder / name)) better.push_back("snapshots/" + snapshot);
  }
  return better.empty() ? std::string() : fmt::format("; name one of its folders: {}", listed(better));
}

// No model there: what is, and what to do with it.
Error no_model(const Path& folder, const std::set<std::string>& names) {
  const std::string what = folder.string();
  std::vector<std::string> other, tensors;
  for (const std::string& name : names) {
    if (is_dangling_link(folder / name) && holds_weights(name))
      return bad_input("{}: is a link to a file that is not there; download it again, or copy the folder with its links resolved (cp -L)",
                       (folder / name).string());
    if (!unfinished_suffix(name).empty())
      return bad_input("{}: the download is not finished ({}); continue it or download it again", (folder / name).string(),
                       unfinished_suffix(name));
    if (name.ends_with(".safetensors"))
      tensors.push_back(name);
    else if (holds_weights(name) && !name.ends_with(".index.json"))
      other.push_back(name);
  }
  const auto holds = [&](const char* name) { return std::ranges::find(tensors, name) != tensors.end(); };
  if (holds("adapter_model.safetensors"))
    return bad_input("{}: holds adapter_model.safetensors but no adapter_config.json; download it too and name the model with `base_model`",
                     what);
  if (tensors.size() + other.size() == 1 && (tensors.empty() ? other : tensors)[0].starts_with("mm_projector."))
    return bad_input("{}: holds a projector but no model; name the model that it belongs to with `base_model`", what);
  if (!tensors.empty())
    return bad_input("{}: neither {} nor its index is there, only {}; if one of them is the model, name it {}", what, kSingleFile,
                     listed(tensors), kSingleFile);
  if (!other.empty())
    return bad_input(
        "{}: no *.safetensors file here, only {}, which is not read; convert it to safetensors (load it with transformers and call "
        "save_pretrained with safe_serialization=True) or download the safetensors files",
        what, listed(other));
  return bad_input("{}: no *.safetensors file here{}", what, better_folder(folder));
}

std::vector<std::string> not_used(const std::set<std::string>& names, const std::vector<Path>& used) {
  std::vector<std::string> passed_over;
  for (const std::string& name : names)
    if (holds_weights(name) && std::ranges::none_of(used, [&](const Path& path) { return path.filename() == name; }))
      passed_over.push_back(name);
  return passed_over;
}

Path first_of(const Path& folder, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (is_there(folder / name)) return folder / name;
  return {};
}

Status check_folder(const Path& folder) {
  std::error_code failure;
  if (fs::is_directory(folder, failure)) return {};
  if (is_dangling_link(folder)) return bad_input("{}: is a link to a folder that is not there", folder.string());
  if (fs::exists(folder, failure))
    return bad_input("{}: not a folder; name the folder that holds config.json and the safetensors files", folder.string());
  return bad_input("{}: there is no such folder", folder.string());
}

}  // namespace

std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 6;
  const std::size_t shown = std::min(kMost, names.size());
  std::string text = fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  return names.size() > shown ? fmt::format("{} and {} more", text, names.size() - shown) : text;
}

Result<ModelFiles> choose_model_files(const Path& folder) {
  TRY(check_folder(folder));
  const std::set<std::string> names = names_in(folder);
  ModelFiles files;
  files.projector = first_of(folder, {"mm_projector.safetensors", "mm_projector.bin"});
  if (!is_there(folder / "config.json")) {
    if (const std::string better = better_folder(folder); !better.empty())
      return bad_input("{}: no config.json here{}", folder.string(), better);
  }
  if (is_there(folder / kSingleFile)) {
    files.weights = {folder / kSingleFile};
  } else if (is_there(folder / kIndexFile)) {
    TRY(read_index(folder, files));
  } else {
    TRY(read_numbered(folder, names, files));
  }
  if (files.weights.empty()) return no_model(folder, names);
  std::vector<Path> used = files.weights;
  used.insert(used.end(), {files.index, files.projector});
  TRY(check_finished(used));
  files.passed_over = not_used(names, used);
  return files;
}

bool is_config_only(const Path& folder) {
  return is_there(folder / "config.json") && !is_adapter_folder(folder) &&
         std::ranges::none_of(names_in(folder), [](const std::string& name) {
           return (holds_weights(name) && !name.ends_with(".json")) || !unfinished_suffix(name).empty();
         });
}

bool is_adapter_folder(const Path& folder) { return is_there(folder / kAdapterConfig); }

Result<OverlayFiles> choose_overlay_files(const Path& folder) {
  TRY(check_folder(folder));
  OverlayFiles files;
  files.adapter_config = first_of(folder, {kAdapterConfig});
  files.adapter = first_of(folder, {"adapter_model.safetensors"});
  files.trainables = first_of(folder, {"non_lora_trainables.safetensors", "non_lora_trainables.bin"});
  files.projector = first_of(folder, {"mm_projector.safetensors", "mm_projector.bin"});
  if (!files.adapter_config.empty() && files.adapter.empty())
    return bad_input("{}: holds adapter_config.json but no adapter_model.safetensors{}", folder.string(),
                     is_there(folder / "adapter_model.bin")
                         ? "; adapter_model.bin is not read: load it with peft and save it with safe_serialization=True"
                         : "; download it again");
  if (files.adapter_config.empty() && files.trainables.empty() && files.projector.empty())
    return bad_input("{}: nothing to put over a base model here (adapter_config.json and adapter_model.safetensors){}", folder.string(),
                     better_folder(folder));
  TRY(check_finished({files.adapter, files.trainables, files.projector}));
  files.passed_over = not_used(names_in(folder), {files.adapter, files.trainables, files.projector});
  return files;
}

}  // namespace fastvlm
