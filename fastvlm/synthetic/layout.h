// What a made checkpoint consists of: the model sizes, every tensor with its name, shape and the spread of its random
// numbers, the shards and the config. Nothing here writes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/checkpoint/safetensors_writer.h"

namespace fastvlm {

enum class CheckpointSize : std::uint8_t { kTiny, k0_5b, k1_5b, k7b };
enum class CheckpointDialect : std::uint8_t { kApple, kHf };

struct CheckpointSizeFacts {
  CheckpointSize size;
  std::string_view name;  // on the command line
  std::int64_t hidden, layers, heads, kv_heads, intermediate;
  bool tied;                           // lm_head is embed_tokens
  std::int64_t vocab_apple, vocab_hf;  // rows of embed_tokens; only base_tokens + added tokens have a string
  std::int64_t base_tokens;            // ids of the byte-level BPE vocabulary
  bool qwen25_tokens;                  // 22 added tokens instead of 3
  std::int64_t max_positions, sliding_window, window_layers;
  std::int64_t image_size;
  std::array<std::int64_t, 5> depths, channels;
  std::int64_t clip_columns;  // of the unused head.proj
};

inline constexpr std::array<std::int64_t, 5> kFastVitHdDepths = {2, 12, 24, 4, 2};
inline constexpr std::array<std::int64_t, 5> kFastVitHdChannels = {96, 192, 384, 768, 1536};

inline constexpr std::array kCheckpointSizes = {
    CheckpointSizeFacts{.size = CheckpointSize::kTiny,
                        .name = "tiny",
                        .hidden = 64,
                        .layers = 2,
                        .heads = 4,
                        .kv_heads = 2,
                        .intermediate = 128,
                        .tied = true,
                        .vocab_apple = 512,
                        .vocab_hf = 512,
                        .base_tokens = 448,
                        .qwen25_tokens = false,
                        .max_positions = 4096,
                        .sliding_window = 4096,
                        .window_layers = 2,
                        .image_size = 256,
                        .depths = {1, 1, 2, 1, 1},
                        .channels = {8, 16, 32, 64, 128},
                        .clip_columns = 32},
    CheckpointSizeFacts{.size = CheckpointSize::k0_5b,
                        .name = "0.5b",
                        .hidden = 896,
                        .layers = 24,
                        .heads = 14,
                        .kv_heads = 2,
                        .intermediate = 4864,
                        .tied = true,
                        .vocab_apple = 151936,
                        .vocab_hf = 152000,
                        .base_tokens = 151643,
                        .qwen25_tokens = false,
                        .max_positions = 32768,
                        .sliding_window = 32768,
                        .window_layers = 24,
                        .image_size = 1024,
                        .depths = kFastVitHdDepths,
                        .channels = kFastVitHdChannels,
                        .clip_columns = 768},
    CheckpointSizeFacts{.size = CheckpointSize::k1_5b,
                        .name = "1.5b",
                        .hidden = 1536,
                        .layers = 28,
                        .heads = 12,
                        .kv_heads = 2,
                        .intermediate = 8960,
                        .tied = true,
                        .vocab_apple = 151936,
                        .vocab_hf = 152000,
                        .base_tokens = 151643,
                        .qwen25_tokens = false,
                        .max_positions = 32768,
                        .sliding_window = 32768,
                        .window_layers = 28,
                        .image_size = 1024,
                        .depths = kFastVitHdDepths,
                        .channels = kFastVitHdChannels,
                        .clip_columns = 768},
    CheckpointSizeFacts{.size = CheckpointSize::k7b,
                        .name = "7b",
                        .hidden = 3584,
                        .layers = 28,
                        .heads = 28,
                        .kv_heads = 4,
                        .intermediate = 18944,
                        .tied = false,
                        .vocab_apple = 152064,
                        .vocab_hf = 152128,
                        .base_tokens = 151643,
                        .qwen25_tokens = true,
                        .max_positions = 32768,
                        .sliding_window = 131072,
                        .window_layers = 28,
                        .image_size = 1024,
                        .depths = kFastVitHdDepths,
                        .channels = kFastVitHdChannels,
                        .clip_columns = 768},
};
inline constexpr std::array<std::string_view, 2> kCheckpointDialectNames = {"apple", "hf"};

constexpr const CheckpointSizeFacts& facts(CheckpointSize size) { return kCheckpointSizes[static_cast<std::size_t>(size)]; }
constexpr std::string_view name(CheckpointDialect dialect) { return kCheckpointDialectNames[static_cast<std::size_t>(dialect)]; }
std::optional<CheckpointSize> checkpoint_size_from(std::string_view name);
std::optional<CheckpointDialect> checkpoint_dialect_from(std::string_view name);

// Normal random numbers; a convolution kernel of `taps` taps may have `centre` added in the middle (the folded identity path).
struct TensorFill {
  float mean = 0;
  float spread = 0;  // standard deviation
  float centre = 0;
  std::int64_t taps = 1;
};

struct MadeTensor {
  TensorDeclaration declaration;
  // What the numbers are drawn from besides the seed: the Apple name in both dialects, so that both hold the same model.
  std::string key;
  TensorFill fill;
};

// Every tensor, in the order in which the model registers them (the shards follow it).
std::vector<MadeTensor> checkpoint_tensors(const CheckpointSizeFacts& size, CheckpointDialect dialect);
inline std::vector<MadeTensor> checkpoint_tensors(CheckpointSize size, CheckpointDialect dialect) {
  return checkpoint_tensors(facts(size), dialect);
}

struct MadeShard {
  std::string file;  // "model.safetensors" or "model-00001-of-00004.safetensors"
  std::vector<MadeTensor> tensors;
};

// Cut wherever a file would pass `max_bytes` of data.
std::vector<MadeShard> checkpoint_shards(std::vector<MadeTensor> tensors, std::uint64_t max_bytes = 5'000'000'000);

// config.json.
OrderedJson checkpoint_config(CheckpointSize size, CheckpointDialect dialect);

}  // namespace fastvlm
