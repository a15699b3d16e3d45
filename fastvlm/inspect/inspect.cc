#include "fastvlm/inspect/inspect.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/try.h"
#include "fastvlm/bundle/layouts_file.h"
#include "fastvlm/bundle/manifest.h"
#include "fastvlm/checkpoint/model_files.h"
#include "fastvlm/checkpoint/safetensors.h"
#include "fastvlm/inspect/inspect_parts.h"
#include "fastvlm/targets/registry.h"

namespace fastvlm {
namespace {

using namespace inspecting;
namespace fs = std::filesystem;

// Things that people mistake for ours, by their first bytes.
struct ForeignFile {
  std::string_view magic;
  std::string_view sentence;
};
constexpr std::array kForeignFiles = {
    ForeignFile{"\x89PNG", "a PNG picture; try preprocess --image"},
    ForeignFile{"\xff\xd8\xff", "a JPEG picture; try preprocess --image"},
    ForeignFile{"PK\3\4",
                "a ZIP archive, such as a PyTorch checkpoint or contexts for several SoCs; save the weights as safetensors, or compile for "
                "one SoC"},
    ForeignFile{"GGUF", "a GGUF file of llama.cpp; inspect the safetensors checkpoint that it was made from"},
    ForeignFile{"\x7f"
                "ELF",
                "a program or library"},
    ForeignFile{"\x80\2", "a Python pickle; save the weights as safetensors"},
    ForeignFile{"version https://git-lfs", "the stub of a file in Git LFS; fetch the real one with git lfs pull"},
};

constexpr std::string_view kKnownThings =
    "known are a checkpoint folder, an output folder, ONNX, safetensors, QNN context files, ranges and encodings";

Result<std::string> head_of(const Path& path) {
  TRY_ASSIGN(InputFile file, InputFile::open(path));
  std::string head(static_cast<std::size_t>(std::min<std::uint64_t>(64, file.size())), '\0');
  TRY(file.read_at(0, std::as_writable_bytes(std::span(head))));
  return head;
}

bool looks_like_safetensors(std::string_view head) {
  if (head.size() < 9 || head[8] != '{') return false;
  std::uint64_t length = 0;
  std::memcpy(&length, head.data(), sizeof(length));
  return length <= kMaxSafetensorsHeader;
}

// The tag of a field of ModelProto; the parser has the last word.
bool may_be_onnx(std::string_view head) {
  constexpr std::string_view kTags("\x08\x12\x1a\x22\x28\x32\x3a\x42\x72");
  return !head.empty() && kTags.find(head[0]) != std::string_view::npos;
}

// A data file that an export's manifest knows, beside it or one or two folders up.
Result<bool> add_data_file(const InspectOptions& options, InspectReport& report) {
  std::error_code ignored;
  const Path file = fs::absolute(options.path, ignored);
  for (Path folder = file.parent_path(); folder.has_relative_path() && !file.lexically_relative(folder).empty();
       folder = folder.parent_path()) {
    const Path name = file.lexically_relative(folder);
    if (std::distance(name.begin(), name.end()) > 3) break;
    if (!fs::exists(folder / kManifestFile, ignored)) continue;
    auto manifest = read_manifest(folder);
    if (!manifest) return false;
    auto row = manifest->files.find(name.generic_string());
    if (row == manifest->files.end()) return false;
    report.facts["kind"] = "data file of an output folder";
    report.facts["output_folder"] = folder.string();
    report.facts["made"] = row->second.made;
    report.facts["manifest_bytes"] = row->second.bytes;
    report.facts["manifest_sha256"] = row->second.sha256;
    const bool same_hash = !report.facts.contains("sha256") || report.facts["sha256"] == row->second.sha256;
    if (report.facts["bytes"] != row->second.bytes || !same_hash)
      report.problem = check_failed("{}: is not the file that {} in {} describes", options.path.string(), kManifestFile, folder.string());
    return true;
  }
  return false;
}

Status inspect_onnx(const InspectOptions& options, const OnnxModel& model, InspectReport& report) {
  const ContextFormat* format = format_of_wrapper(known_targets(), model);
  return format == nullptr ? add_onnx(model, options, report) : add_context_wrapper(*format, model, options, report);
}

Status explain_unknown(const InspectOptions& options, std::string_view head) {
  for (const ForeignFile& row : kForeignFiles)
    if (head.starts_with(row.magic)) return bad_input("{}: this is {}; {}", options.path.string(), row.sentence, kKnownThings);
  const bool json = head.find_first_not_of(" \t\r\n") != std::string_view::npos && head[head.find_first_not_of(" \t\r\n")] == '{';
  if (json) return bad_input("{}: a JSON file; name the folder that it lies in", options.path.string());
  return bad_input("{}: its content is nothing we know; {}", options.path.string(), kKnownThings);
}

Status inspect_file(const InspectOptions& options, InspectReport& report) {
  TRY_ASSIGN(std::string head, head_of(options.path));
  if (head.empty()) return bad_input("{}: the file is empty", options.path.string());
  TRY_ASSIGN(OrderedJson file, file_json(options.path, options.path.filename().string(), options.hashes));
  file.erase("name");
  report.facts.update(file);
  if (looks_like_safetensors(head)) return add_safetensors(options, report);
  if (looks_like_ranges(options.path, head)) return add_ranges(options, report);
  if (looks_like_encodings(options.path, head)) return add_encodings(options, report);
  if (const ContextFormat* format = format_of_context(known_targets(), head)) return add_context(*format, options, report);
  if (may_be_onnx(head) || options.path.extension() == ".onnx") {
    auto model = read_onnx(options.path, {.infer_shapes = false});
    if (model.ok()) return inspect_onnx(options, *model, report);
    if (options.path.extension() == ".onnx") return std::move(model).error();
  }
  TRY_ASSIGN(bool data_file, add_data_file(options, report));
  if (data_file) return {};
  return explain_unknown(options, head);
}

Status inspect_folder(const InspectOptions& options, InspectReport& report) {
  std::error_code ignored;
  if (fs::exists(options.path / kManifestFile, ignored)) return add_output_folder(options, report);
  if (fs::exists(options.path / kLayoutsFile, ignored)) return add_layout_folder(options, report);
  if (is_adapter_folder(options.path)) return add_adapter(options, report);
  if (fs::exists(options.path / "config.json", ignored)) return add_checkpoint(options, report);
  std::string first;
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(options.path, ignored)) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".onnx" && extension != ".bin" && extension != ".safetensors") continue;
    ++count;
    if (first.empty() || entry.path().filename().string() < first) first = entry.path().filename().string();
  }
  if (count > 0)
    return bad_input("{}: has neither {} (an output folder) nor config.json (a checkpoint); name one of its {} model files, such as {}",
                     options.path.string(), kManifestFile, count, (options.path / first).string());
  return bad_input("{}: has neither {} (an output folder) nor config.json (a checkpoint)", options.path.string(), kManifestFile);
}

}  // namespace

namespace inspecting {

Result<OrderedJson> file_json(const Path& path, const std::string& name, bool hashes) {
  std::error_code failure;
  const std::uint64_t bytes = fs::file_size(path, failure);
  if (failure) return bad_input("{}: cannot read ({})", path.string(), failure.message());
  OrderedJson json = {{"name", name}, {"bytes", bytes}};
  if (hashes || bytes <= kInspectHashLimit) {
    TRY_ASSIGN(std::string hash, sha256_of_file(path));
    json["sha256"] = hash;
  }
  return json;
}

}  // namespace inspecting

Result<InspectReport> inspect(const InspectOptions& options) {
  std::error_code ignored;
  if (options.path.empty() || !fs::exists(options.path, ignored))
    return bad_input("{}: there is no such file or folder", options.path.string());
  InspectReport report;
  report.facts = {{"path", options.path.string()}, {"kind", ""}};
  if (fs::is_directory(options.path, ignored)) {
    TRY(inspect_folder(options, report));
  } else {
    TRY(inspect_file(options, report));
  }
  return report;
}

}  // namespace fastvlm
