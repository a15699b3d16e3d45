#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"
#include "fastvlm/checkpoint/checkpoint.h"
#include "fastvlm/checkpoint/model_config.h"
#include "fastvlm/tensor/convert.h"
#include "fastvlm/verify/checks.h"

namespace fastvlm {
namespace {

constexpr std::int64_t kPiece = std::int64_t{1} << 22;  // elements

// Weights that can be made again from the checkpoint alone: plain copies, and sums with an adapter.
struct Recipe {
  std::string done;  // without a final "transpose"
  bool transposed = false;
};
std::optional<Recipe> recipe_of(const WeightEntry& weight) {
  if (weight.from.empty() || !is_float(weight.type)) return std::nullopt;
  if (weight.done.empty() || weight.done == "channels first" || weight.done == "add lora") return Recipe{.done = weight.done};
  if (weight.done == "add lora, transpose") return Recipe{.done = "add lora", .transposed = true};
  return std::nullopt;
}

// True when the numbers on disk are those of the checkpoint, rounded to the type they are stored in.
Result<bool> same_numbers(const Path& path, const WeightEntry& entry, const Weight& weight) {
  TRY_ASSIGN(InputFile file, InputFile::open(path));
  const std::int64_t rows = weight.row_count(), width = weight.row_size(),
                     step = std::max<std::int64_t>(1, kPiece / std::max<std::int64_t>(1, width));
  const auto size = static_cast<std::int64_t>(byte_size(entry.type));
  for (std::int64_t row = 0; row < rows; row += step) {
    const std::int64_t count = std::min(step, rows - row) * width;
    std::vector<float> values(static_cast<std::size_t>(count));
    std::vector<std::byte> actual(static_cast<std::size_t>(count * size)), expected(actual.size());
    TRY(check_interrupt());
    TRY(weight.read_rows(row, std::min(rows, row + step), values));
    TRY(file.read_at(entry.offset + static_cast<std::uint64_t>(row * width * size), actual));
    from_float32(values, entry.type, expected);
    if (std::memcmp(actual.data(), expected.data(), actual.size()) != 0) return false;
  }
  return true;
}

// The tensor of that name; of several (a head that was split off the table) the one that is made of the same tensors.
const CheckpointTensor* tensor_of(const WeightEntry& entry, const Checkpoint& checkpoint) {
  const CheckpointTensor* found = nullptr;
  for (const CheckpointTensor& tensor : checkpoint.tensors())
    if (tensor.file_name == entry.from.front() && (found == nullptr || checkpoint.weight(tensor)->from() == entry.from)) found = &tensor;
  return found;
}

// The weight of the checkpoint that an entry was made from, or nullptr after saying why there is none.
WeightPtr weight_for(const WeightEntry& entry, const Recipe& recipe, const Checkpoint& checkpoint, const CheckpointTensor* tensor,
                     VerifyReport& report) {
  const std::int64_t elements = element_count(entry.shape);
  if (tensor == nullptr || element_count(tensor->shape) != elements || !is_float(tensor->dtype)) {
    report.miss("checkpoint", entry.name,
                fmt::format("was copied from \"{}\", which is not in this checkpoint with {} elements", entry.from.front(), elements));
    return nullptr;
  }
  WeightPtr weight = checkpoint.weight(*tensor);
  if (weight->done() != recipe.done || weight->from() != entry.from) {
    report.miss("checkpoint", entry.name,
                fmt::format("was made from {}, in this checkpoint it is made from {}; name the same adapter and base model",
                            fmt::join(entry.from, ", "), fmt::join(weight->from(), ", ")));
    return nullptr;
  }
  return recipe.transposed ? weight->transposed() : weight;
}

Status check_copies(const OutputFolder& folder, const Checkpoint& checkpoint, VerifyReport& report) {
  std::int64_t copies = 0, sums = 0;
  for (const WeightEntry& entry : folder.manifest.weights) {
    const auto recipe = recipe_of(entry);
    if (!recipe) continue;
    const WeightPtr weight = weight_for(entry, *recipe, checkpoint, tensor_of(entry, checkpoint), report);
    if (weight == nullptr) continue;
    TRY_ASSIGN(bool same, same_numbers(folder.path / entry.file, entry, *weight));
    if (same)
      ++(recipe->done == "add lora" ? sums : copies);
    else
      report.miss("checkpoint", entry.name,
                  fmt::format("the numbers in {} are not those of \"{}\" in the checkpoint", entry.file, entry.from.front()));
  }
  const std::string name = folder.path.filename().string();
  if (copies > 0) report.pass("checkpoint", name, fmt::format("{} weights that are plain copies equal the checkpoint's", copies));
  if (sums > 0) report.pass("checkpoint", name, fmt::format("{} weights are the sum of base and adapter", sums));
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
