#include "fastvlm/synthetic/outlier_copy.h"

#include <algorithm>

#include "fastvlm/base/disk_space.h"
#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"
#include "fastvlm/checkpoint/dialect.h"
#include "fastvlm/checkpoint/model_config.h"
#include "fastvlm/synthetic/outliers.h"

namespace fastvlm {
namespace {

constexpr std::uint64_t kPieceBytes = std::uint64_t{8} << 20;

OutlierModel outliers_of(const Checkpoint& checkpoint, const ModelConfig& config, std::uint64_t seed) {
  OutlierModel model{.seed = seed,
                     .num_attention_heads = config.text.num_attention_heads,
                     .num_key_value_heads = config.text.num_key_value_heads,
                     .head_dim = config.text.head_dim};
  for (const CheckpointTensor& tensor : checkpoint.tensors()) model.names.insert(tensor.name);
  return model;
}

Status copy_tensor(const InputFile& from, const SafetensorsEntry& tensor, const ChannelPowers& powers,
                   const std::function<Status(std::uint64_t, std::span<const std::byte>)>& write) {
  std::vector<std::byte> bytes;
  for (std::uint64_t at = 0; at < tensor.bytes; at += bytes.size()) {
    TRY(check_interrupt());
    bytes.resize(std::min(kPieceBytes, tensor.bytes - at));
    TRY(from.read_at(tensor.offset + at, bytes));
    TRY(multiply_channels(powers, {.dtype = tensor.dtype, .shape = tensor.shape, .first = at / byte_size(tensor.dtype)}, bytes,
                          from.path().string() + ": " + tensor.name));
    TRY(write(at, bytes));
  }
  return {};
}

Status copy_weights(const Path& path, const Path& folder, const OutlierModel& model, MakeCheckpointReport& report, Progress& progress) {
  TRY_ASSIGN(const InputFile file, InputFile::open(path));
  TRY_ASSIGN(const SafetensorsHeader header, read_safetensors_header(file));
  std::vector<TensorDeclaration> declarations;
  std::map<std::string, const SafetensorsEntry*> sources;
  for (const SafetensorsEntry& tensor : header.tensors) {
    declarations.push_back({tensor.name, tensor.dtype, tensor.shape});
    sources[tensor.name] = &tensor;
  }
  TRY_ASSIGN(SafetensorsWriter writer,
             SafetensorsWriter::create(folder / path.filename(), lay_out_safetensors(declarations, header.metadata)));
  for (std::size_t i = 0; i < writer.tensors().size(); ++i) {
    const SafetensorsEntry& tensor = *sources.at(writer.tensors()[i].name);
    const ChannelPowers powers = outlier_powers(model, canonical_name(unwrapped_name(tensor.name).name), tensor.shape);
    TRY(copy_tensor(file, tensor, powers, [&](std::uint64_t at, std::span<const std::byte> bytes) {
      progress.advance(bytes.size());
      return writer.write(i, at, bytes);
    }));
    ++report.tensors;
    if (is_float(tensor.dtype)) report.parameters += static_cast<std::uint64_t>(element_count(tensor.shape));
  }
  return writer.close();
}

// Whether the names of the folder's files end so that they hold weights, or are hidden.
bool is_small_file(const std::filesystem::directory_entry& entry) {
  const std::string suffix = entry.path().extension().string();
  const bool weights = suffix == ".safetensors" || suffix == ".pt" || suffix == ".pth";
  return entry.is_regular_file() && !weights && !entry.path().filename().string().starts_with(".");
}

}  // namespace

Result<MakeCheckpointReport> copy_with_outliers(const OutlierCopyOptions& options, Progress& progress) {
  const StageOptions stage = checkpoint_stage(options.force);
  TRY(check_target(options.output_dir, stage));
  TRY_ASSIGN(const Checkpoint checkpoint, Checkpoint::open(options.model_dir));
  TRY_ASSIGN(const ModelConfig config, read_model_config(checkpoint));
  if (std::ranges::any_of(checkpoint.tensors(), &CheckpointTensor::channels_last))
    return bad_input("{}: keeps the channels of kernels last, as MLX does; give the checkpoint that it was made of",
                     options.model_dir.string());
  TRY(check_free_space(options.output_dir, checkpoint.total_bytes(), "the checkpoint"));
  TRY_ASSIGN(StagedFolder folder, StagedFolder::create(options.output_dir, stage));
  progress.start("write checkpoint", checkpoint.total_bytes(), true);
  MakeCheckpointReport report;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(options.model_dir, failure))
    if (is_small_file(entry) && !std::filesystem::copy_file(entry.path(), folder.path() / entry.path().filename(), failure)) break;
  if (failure) return bad_environment("{}: cannot be copied: {}", options.model_dir.string(), failure.message());
  const OutlierModel model = outliers_of(checkpoint, config, options.seed);
  for (const Path& path : checkpoint.files())
    if (path.extension() == ".safetensors") TRY(copy_weights(path, folder.path(), model, report, progress));
  for (const auto& entry : std::filesystem::directory_iterator(folder.path(), failure)) {
    ++report.files;
    report.bytes += entry.file_size(failure);
  }
  TRY(check_interrupt());
  TRY(folder.commit());
  return report;
}

}  // namespace fastvlm
