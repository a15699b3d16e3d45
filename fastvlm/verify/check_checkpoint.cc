#include <algorithm>
#include <cstring>

#include "fastvlm/base/try.h"
#include "fastvlm/checkpoint/checkpoint.h"
#include "fastvlm/checkpoint/model_config.h"
#include "fastvlm/tensor/convert.h"
#include "fastvlm/verify/checks.h"

namespace fastvlm {
namespace {

constexpr std::uint64_t kPiece = std::uint64_t{1} << 20;  // elements

// A weight of the manifest that is a plain copy of one tensor of the checkpoint.
struct Copy {
  std::string name;
  std::string file;
  std::string from;
  std::uint64_t offset = 0;
  std::int64_t elements = 0;
  Dtype dtype = Dtype::kFloat32;
};

Result<std::optional<Copy>> copy_in(const Json& row, const std::string& what) {
  if (json_find(row, "done") != nullptr) return std::optional<Copy>();
  const Json *from = json_find(row, "from"), *shape = json_find(row, "shape");
  if (from == nullptr || !from->is_array() || from->size() != 1 || !(*from)[0].is_string()) return std::optional<Copy>();
  Copy copy{.from = (*from)[0].get<std::string>()};
  TRY_ASSIGN(copy.name, json_string(row, "name", what));
  TRY_ASSIGN(copy.file, json_string(row, "file", what));
  TRY_ASSIGN(std::int64_t offset, json_integer(row, "offset", what));
  TRY_ASSIGN(std::string type, json_string(row, "type", what));
  Shape extents;
  if (shape != nullptr && shape->is_array())
    for (const Json& extent : *shape) extents.push_back(extent.is_number_integer() ? extent.get<std::int64_t>() : -1);
  auto count = checked_element_count(extents);
  if (!count || offset < 0 || (type != "float32" && type != "float16") || Path(copy.file).is_absolute() ||
      copy.file.find("..") != std::string::npos)
    return bad_input("{}: weight \"{}\" is not described as a weight", what, copy.name);
  copy.offset = static_cast<std::uint64_t>(offset);
  copy.elements = *count;
  copy.dtype = type == "float16" ? Dtype::kFloat16 : Dtype::kFloat32;
  return std::optional(std::move(copy));
}

// True when the numbers on disk are those of the checkpoint, rounded to the type they are stored in.
Result<bool> same_numbers(const OutputFolder& folder, const Copy& copy, const CheckpointTensor& tensor) {
  TRY_ASSIGN(InputFile file, InputFile::open(folder.path / copy.file));
  const std::uint64_t source = byte_size(tensor.dtype), stored = byte_size(copy.dtype),
                      elements = static_cast<std::uint64_t>(copy.elements);
  for (std::uint64_t at = 0; at < elements; at += kPiece) {
    const std::uint64_t count = std::min(kPiece, elements - at);
    std::vector<std::byte> original(count * source), actual(count * stored), expected(count * stored);
    TRY(tensor.file->read_at(tensor.offset + at * source, original));
    TRY(file.read_at(copy.offset + at * stored, actual));
    std::vector<float> values(count);
    to_float32(tensor.dtype, original, values);
    from_float32(values, copy.dtype, expected);
    if (std::memcmp(actual.data(), expected.data(), actual.size()) != 0) return false;
  }
  return true;
}

Status check_copies(const OutputFolder& folder, const Checkpoint& checkpoint, VerifyReport& report) {
  const std::string what = (folder.path / "manifest.json").string();
  const Json* rows = json_find(folder.manifest, "weights");
  if (rows == nullptr || !rows->is_array()) return bad_input("{}: \"weights\" must be a list", what);
  std::map<std::string, const CheckpointTensor*> by_name;
  for (const CheckpointTensor& tensor : checkpoint.tensors()) by_name[tensor.file_name] = &tensor;
  std::int64_t equal = 0;
  for (const Json& row : *rows) {
    TRY_ASSIGN(auto copy, copy_in(row, what));
    if (!copy) continue;
    auto at = by_name.find(copy->from);
    if (at == by_name.end() || element_count(at->second->shape) != copy->elements || !is_float(at->second->dtype)) {
      report.miss("checkpoint", copy->name,
                  fmt::format("was copied from \"{}\", which is not in this checkpoint with {} elements", copy->from, copy->elements));
      continue;
    }
    TRY_ASSIGN(bool same, same_numbers(folder, *copy, *at->second));
    if (same)
      ++equal;
    else
      report.miss("checkpoint", copy->name,
                  fmt::format("the numbers in {} are not those of \"{}\" in the checkpoint", copy->file, copy->from));
  }
  if (equal > 0)
    report.pass("checkpoint", folder.path.filename().string(),
                fmt::format("{} weights that are plain copies equal the checkpoint's", equal));
  return {};
}

}  // namespace

Status check_checkpoint(const OutputFolder& folder, const Path& model_dir, VerifyReport& report) {
  TRY_ASSIGN(Checkpoint checkpoint, Checkpoint::open(model_dir));
  TRY_ASSIGN(ModelConfig config, read_model_config(checkpoint));
  struct Row {
    const char* what;
    std::int64_t manifest, checkpoint;
  };
  const Row extents[] = {{"hidden size", folder.hidden_size, config.text.hidden_size},
                         {"number of layers", folder.num_hidden_layers, config.text.num_hidden_layers},
                         {"vocabulary", folder.vocab_size, config.text.vocab_size},
                         {"head size", folder.head_dim, config.text.head_dim},
                         {"tower width", folder.vision_width, config.vision.hidden_size}};
  bool fits = true;
  for (const Row& row : extents) {
    if (row.manifest == row.checkpoint) continue;
    fits = false;
    report.miss("checkpoint", model_dir.filename().string(),
                fmt::format("the {} of the output folder is {}, that of the checkpoint {}; it was exported from another one", row.what,
                            row.manifest, row.checkpoint));
  }
  if (!fits) return {};
  report.pass("checkpoint", model_dir.filename().string(), "extents agree with the output folder");
  return check_copies(folder, checkpoint, report);
}

}  // namespace fastvlm
