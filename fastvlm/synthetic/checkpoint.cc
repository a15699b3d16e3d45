#include "fastvlm/synthetic/checkpoint.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <unordered_map>

#include "fastvlm/base/disk_space.h"
#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/json_text.h"
#include "fastvlm/base/mix.h"
#include "fastvlm/base/parallel.h"
#include "fastvlm/base/try.h"
#include "fastvlm/checkpoint/dialect.h"
#include "fastvlm/synthetic/outliers.h"
#include "fastvlm/synthetic/tokenizer.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {
namespace {

constexpr std::uint64_t kPieceBytes = std::uint64_t{8} << 20;
constexpr unsigned kMaxThreads = 8;  // each holds one piece in memory

// ---- random numbers ----

// Each number is one of the 4096 middle quantiles of the normal distribution: a table as small as the first-level cache.
constexpr unsigned kQuantileBits = 12;
constexpr std::size_t kQuantiles = std::size_t{1} << kQuantileBits;

// The value that a normal variable stays below with this probability (at most 0.5), by halving an interval.
double normal_quantile(double probability) {
  double low = -8, high = 0;
  for (int step = 0; step < 60; ++step) {
    double middle = (low + high) / 2;
    (0.5 * std::erfc(-middle * std::sqrt(0.5)) < probability ? low : high) = middle;
  }
  return high;
}

const std::array<float, kQuantiles>& quantiles() {
  static const std::array<float, kQuantiles> table = [] {
    std::array<float, kQuantiles> values{};
    for (std::size_t i = 0; i < kQuantiles / 2; ++i) {
      values[i] = static_cast<float>(normal_quantile((static_cast<double>(i) + 0.5) / kQuantiles));
      values[kQuantiles - 1 - i] = -values[i];
    }
    return values;
  }();
  return table;
}

// The name, mixed with the seed.
std::uint64_t stream_of(std::uint64_t seed, std::string_view key) { return split_mix(fnv1a(key) ^ split_mix(seed + kSplitMixStep)); }

// ---- the output folder ----

bool holds_checkpoint(const Path& folder) {
  Result<Json> config = read_json_file(folder / "config.json");
  if (!config) return false;
  const Json* type = config->is_object() ? json_find(*config, "model_type") : nullptr;
  return type != nullptr && (*type == "llava_qwen2" || *type == "fast_vlm");
}

// ---- the files ----

struct PlannedFile {
  std::string name;
  SafetensorsLayout layout;
  std::vector<MadeTensor> tensors;  // tensors[i] is layout.tensors[i]
};

struct Plan {
  std::vector<PlannedFile> files;
  std::optional<OutlierModel> outliers;
  std::vector<MadeTextFile> texts;
  MakeCheckpointReport report;
};

PlannedFile plan_file(MadeShard shard) {
  std::vector<TensorDeclaration> declarations;
  std::unordered_map<std::string, std::size_t> by_name;
  for (std::size_t i = 0; i < shard.tensors.size(); ++i) {
    declarations.push_back(shard.tensors[i].declaration);
    by_name[declarations.back().name] = i;
  }
  PlannedFile file{.name = std::move(shard.file), .layout = lay_out_safetensors(declarations, {{"format", "pt"}})};
  for (const SafetensorsEntry& entry : file.layout.tensors) file.tensors.push_back(std::move(shard.tensors[by_name.at(entry.name)]));
  return file;
}

MadeTextFile index_of(const std::vector<PlannedFile>& files) {
  Json weight_map = Json::object();
  std::uint64_t bytes = 0;
  for (const PlannedFile& file : files)
    for (const SafetensorsEntry& tensor : file.layout.tensors) {
      weight_map[tensor.name] = file.name;
      bytes += tensor.bytes;
    }
  Json index = {{"metadata", {{"total_size", bytes}}}, {"weight_map", std::move(weight_map)}};
  return {"model.safetensors.index.json", json_file_text(index)};
}

OutlierModel outliers_of(const Plan& plan, const CheckpointSizeFacts& size, std::uint64_t seed) {
  OutlierModel model{
      .seed = seed, .num_attention_heads = size.heads, .num_key_value_heads = size.kv_heads, .head_dim = size.hidden / size.heads};
  for (const PlannedFile& file : plan.files)
    for (const MadeTensor& tensor : file.tensors) model.names.insert(canonical_name(tensor.key));
  return model;
}

Plan make_plan(CheckpointSize size, CheckpointDialect dialect) {
  Plan plan{.texts = checkpoint_text_files(size, dialect)};
  for (MadeShard& shard : checkpoint_shards(checkpoint_tensors(size, dialect))) plan.files.push_back(plan_file(std::move(shard)));
  if (plan.files.size() > 1) plan.texts.push_back(index_of(plan.files));
  plan.texts.push_back({"config.json", json_file_text(checkpoint_config(size, dialect))});

  MakeCheckpointReport& report = plan.report;
  report.files = plan.files.size() + plan.texts.size();
  for (const MadeTextFile& text : plan.texts) report.bytes += text.text.size();
  for (const PlannedFile& file : plan.files) {
    report.bytes += file.layout.file_size;
    report.tensors += file.tensors.size();
    for (const SafetensorsEntry& tensor : file.layout.tensors)
      if (is_float(tensor.dtype)) report.parameters += static_cast<std::uint64_t>(element_count(tensor.shape));
  }
  return plan;
}

// A part of one tensor that is made and written at once.
struct Piece {
  std::size_t file = 0, tensor = 0;
  std::uint64_t first_byte = 0, bytes = 0;
};

std::vector<Piece> pieces_of(const Plan& plan) {
  std::vector<Piece> pieces;
  for (std::size_t f = 0; f < plan.files.size(); ++f)
    for (std::size_t t = 0; t < plan.files[f].tensors.size(); ++t) {
      const std::uint64_t bytes = plan.files[f].layout.tensors[t].bytes;
      for (std::uint64_t at = 0; at < bytes; at += kPieceBytes) pieces.push_back({f, t, at, std::min(kPieceBytes, bytes - at)});
    }
  return pieces;
}

Status write_piece(const Plan& plan, const Piece& piece, std::uint64_t seed, SafetensorsWriter& writer) {
  thread_local std::vector<std::uint16_t> buffer;
  const MadeTensor& tensor = plan.files[piece.file].tensors[piece.tensor];
  buffer.assign(piece.bytes / sizeof(std::uint16_t), 0);  // the counters stay zero
  if (tensor.declaration.dtype == Dtype::kBfloat16)
    fill_random(seed, tensor.key, tensor.fill, piece.first_byte / sizeof(std::uint16_t), buffer);
  if (plan.outliers) {
    const Shape& shape = tensor.declaration.shape;
    TRY(multiply_channels(outlier_powers(*plan.outliers, canonical_name(tensor.key), shape),
                          {.dtype = tensor.declaration.dtype, .shape = shape, .first = piece.first_byte / sizeof(std::uint16_t)},
                          std::as_writable_bytes(std::span(buffer)), tensor.declaration.name));
  }
  return writer.write(piece.tensor, piece.first_byte, std::as_bytes(std::span(buffer)));
}

Status write_tensors(const Plan& plan, const Path& folder, std::uint64_t seed, Progress& progress) {
  std::vector<SafetensorsWriter> writers;
  for (const PlannedFile& file : plan.files) {
    TRY_ASSIGN(SafetensorsWriter writer, SafetensorsWriter::create(folder / file.name, file.layout));
    writers.push_back(std::move(writer));
  }
  const std::vector<Piece> pieces = pieces_of(plan);
  const unsigned threads = std::clamp(std::thread::hardware_concurrency(), 1u, kMaxThreads);
  TRY(parallel_for(pieces.size(), threads, [&](std::size_t i) -> Status {
    TRY(check_interrupt());
    TRY(write_piece(plan, pieces[i], seed, writers[pieces[i].file]));
    progress.advance(pieces[i].bytes);
    return {};
  }));
  for (SafetensorsWriter& writer : writers) TRY(writer.close());
  return {};
}

}  // namespace

StageOptions checkpoint_stage(bool force) {
  return {.force = force, .may_replace = holds_checkpoint, .replaceable = "a FastVLM checkpoint"};
}

void fill_random(std::uint64_t seed, std::string_view key, const TensorFill& fill, std::uint64_t first, std::span<std::uint16_t> out) {
  FASTVLM_ASSERT(first % 4 == 0, "pieces begin at a multiple of 4 elements");
  std::array<std::uint16_t, kQuantiles> plain, centred;
  for (std::size_t i = 0; i < kQuantiles; ++i) {
    plain[i] = float_to_bfloat16(fill.mean + fill.spread * quantiles()[i]);
    centred[i] = float_to_bfloat16(fill.mean + fill.centre + fill.spread * quantiles()[i]);
  }
  const std::uint64_t stream = stream_of(seed, key);
  // Each 64 bits give four numbers, of 12 bits each.
  auto draw = [&](std::uint64_t bits, std::size_t k) { return (bits >> (16 * k + 16 - kQuantileBits)) & (kQuantiles - 1); };
  std::size_t i = 0;
  for (std::uint64_t counter = first / 4; i < out.size(); ++counter) {
    const std::uint64_t bits = split_mix(stream + counter * kSplitMixStep);
    const std::size_t count = std::min<std::size_t>(4, out.size() - i);
    for (std::size_t k = 0; k < count; ++k) out[i + k] = plain[draw(bits, k)];
    if (fill.centre != 0)
      for (std::size_t k = 0; k < count; ++k)
        if ((first + i + k) % static_cast<std::uint64_t>(fill.taps) == static_cast<std::uint64_t>(fill.taps) / 2)
          out[i + k] = centred[draw(bits, k)];
    i += count;
  }
}

Result<MakeCheckpointReport> make_checkpoint(const MakeCheckpointOptions& options, Progress& progress) {
  const Path& target = options.output_dir;
  const StageOptions stage = checkpoint_stage(options.force);
  TRY(check_target(target, stage));
  Plan plan = make_plan(options.size, options.dialect);
  if (options.outliers) plan.outliers = outliers_of(plan, facts(options.size), options.seed);
  TRY(check_free_space(target, plan.report.bytes, "the checkpoint"));
  TRY_ASSIGN(StagedFolder folder, StagedFolder::create(target, stage));

  progress.start("write checkpoint", plan.report.bytes, true);
  for (const MadeTextFile& text : plan.texts) {
    TRY(write_file_atomically(folder.path() / text.name, text.text));
    progress.advance(text.text.size());
  }
  for (const PlannedFile& file : plan.files) progress.advance(file.layout.header.size());
  TRY(write_tensors(plan, folder.path(), options.seed, progress));
  TRY(check_interrupt());
  TRY(folder.commit());
  return plan.report;
}

}  // namespace fastvlm
