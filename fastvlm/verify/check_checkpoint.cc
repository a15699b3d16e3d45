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

// A plain copy of one tensor of the checkpoint.
bool is_copy(const WeightEntry& weight) { return weight.done.empty() && weight.from.size() == 1 && is_float(weight.type); }

// True when the numbers on disk are those of the checkpoint, rounded to the type they are stored in.
Result<bool> same_numbers(const OutputFolder& folder, const WeightEntry& copy, const CheckpointTensor& tensor) {
  TRY_ASSIGN(InputFile file, InputFile::open(folder.path / copy.file));
  const std::uint64_t source = byte_size(tensor.dtype), stored = byte_size(copy.type), elements = copy.bytes / stored;
  for (std::uint64_t at = 0; at < elements; at += kPiece) {
    const std::uint64_t count = std::min(kPiece, elements - at);
    std::vector<std::byte> original(count * source), actual(count * stored), expected(count * stored);
    TRY(tensor.file->read_at(tensor.offset + at * source, original));
    TRY(file.read_at(copy.offset + at * stored, actual));
    std::vector<float> values(count);
    to_float32(tensor.dtype, original, values);
    from_float32(values, copy.type, expected);
    if (std::memcmp(actual.data(), expected.data(), actual.size()) != 0) return false;
  }
  return true;
}

Status check_copies(const OutputFolder& folder, const Checkpoint& checkpoint, VerifyReport& report) {
  std::map<std::string, const CheckpointTensor*> by_name;
  for (const CheckpointTensor& tensor : checkpoint.tensors()) by_name[tensor.file_name] = &tensor;
  std::int64_t equal = 0;
  for (const WeightEntry& weight : folder.manifest.weights) {
    if (!is_copy(weight)) continue;
    const std::string& from = weight.from.front();
    const std::int64_t elements = element_count(weight.shape);
    auto at = by_name.find(from);
    if (at == by_name.end() || element_count(at->second->shape) != elements || !is_float(at->second->dtype)) {
      report.miss("checkpoint", weight.name,
                  fmt::format("was copied from \"{}\", which is not in this checkpoint with {} elements", from, elements));
      continue;
    }
    TRY_ASSIGN(bool same, same_numbers(folder, weight, *at->second));
    if (same)
      ++equal;
    else
      report.miss("checkpoint", weight.name, fmt::format("the numbers in {} are not those of \"{}\" in the checkpoint", weight.file, from));
  }
  if (equal > 0)
    report.pass("checkpoint", folder.path.filename().string(),
                fmt::format("{} weights that are plain copies equal the checkpoint's", equal));
  return {};
}

}  // namespace

Status check_checkpoint(const OutputFolder& folder, const Path& model_dir, const Path& base_model, VerifyReport& report) {
  TRY_ASSIGN(Checkpoint checkpoint, Checkpoint::open(model_dir, base_model));
  TRY_ASSIGN(ModelConfig config, read_model_config(checkpoint));
  struct Row {
    const char* what;
    std::int64_t manifest, checkpoint;
  };
  const Row extents[] = {{"hidden size", folder.text().hidden_size, config.text.hidden_size},
                         {"number of layers", folder.text().num_hidden_layers, config.text.num_hidden_layers},
                         {"vocabulary", folder.text().vocab_size, config.text.vocab_size},
                         {"head size", folder.text().head_dim, config.text.head_dim},
                         {"tower width", folder.vision_width(), config.vision.hidden_size}};
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
