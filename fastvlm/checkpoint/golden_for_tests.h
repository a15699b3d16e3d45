// The golden checkpoints and what the reference implementation makes of them (tests/data/golden/README.md).
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "fastvlm/checkpoint/safetensors_writer.h"

namespace fastvlm {

inline Path golden_folder(const std::string& name) { return Path(FASTVLM_TEST_DATA) / "golden" / name; }

// The pictures [B, 3, S, S] that the reference saw: low 24 bits of the numbers of one Mersenne Twister over 2^24. `first` numbers
// were drawn before; the gaps went into token ids.
inline std::vector<NamedTensor> golden_pixels(std::uint32_t seed) {
  struct Draws {
    const char* name;
    std::int64_t batch, image_size;
    unsigned long long first;
  };
  std::vector<NamedTensor> pictures;
  for (const auto& [name, batch, size, first] :
       {Draws{"s128.b1.pixel_values", 1, 128, 0}, Draws{"s128.b2.pixel_values", 2, 128, 49163},
        Draws{"s256.b1.pixel_values", 1, 256, 147489}, Draws{"s256.b2.pixel_values", 2, 256, 344108}}) {
    std::mt19937 generator(seed);
    generator.discard(first);
    pictures.push_back({name, Tensor::zeros(Dtype::kFloat32, {batch, 3, size, size})});
    for (float& value : pictures.back().tensor.floats()) value = static_cast<float>(generator() & 0xFFFFFFu) * 0x1p-24f;
  }
  return pictures;
}

// Everything the reference saw and computed, pictures included.
inline std::vector<NamedTensor> golden_tensors(const std::string& name) {
  std::map<std::string, std::string> metadata;
  std::vector<NamedTensor> tensors = read_safetensors(golden_folder(name) / "expected.safetensors", &metadata).value();
  for (NamedTensor& picture : golden_pixels(static_cast<std::uint32_t>(std::stoul(metadata.at("pixel_values.seed")))))
    tensors.push_back(std::move(picture));
  return tensors;
}

// The same as a file in `folder`, for `verify --reference`.
inline Path write_golden(const std::string& name, const Path& folder) {
  const Path file = folder / (name + ".safetensors");
  EXPECT_TRUE(write_safetensors(file, golden_tensors(name), {}).ok()) << file;
  return file;
}

}  // namespace fastvlm
