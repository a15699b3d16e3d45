#include "fastvlm/verify/golden_pixels.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <random>

namespace fastvlm {
namespace {

struct Draws {
  const char* name;
  std::int64_t image_size;
  std::int64_t batch;
  unsigned long long first;  // draws made before; the gaps went into the token ids of the golden file
};
constexpr std::array kDraws = {Draws{"s128.b1.pixel_values", 128, 1, 0}, Draws{"s128.b2.pixel_values", 128, 2, 49163},
                               Draws{"s256.b1.pixel_values", 256, 1, 147489}, Draws{"s256.b2.pixel_values", 256, 2, 344108}};

Tensor draw(std::mt19937 generator, const Draws& row) {
  generator.discard(row.first);
  Tensor pixels = Tensor::zeros(Dtype::kFloat32, {row.batch, 3, row.image_size, row.image_size});
  for (float& value : pixels.floats()) value = static_cast<float>(generator() & 0xFFFFFFu) * 0x1p-24f;
  return pixels;
}

}  // namespace

Status add_golden_pixels(std::vector<NamedTensor>& tensors, const std::map<std::string, std::string>& metadata, const std::string& what) {
  const auto seed_text = metadata.find(kPixelSeedKey);
  if (seed_text == metadata.end()) return {};
  std::uint32_t seed = 0;
  const char* end = seed_text->second.data() + seed_text->second.size();
  if (auto parsed = std::from_chars(seed_text->second.data(), end, seed); parsed.ec != std::errc() || parsed.ptr != end)
    return bad_input("{}: metadata \"{}\" must be an integer of 32 bits, not \"{}\"", what, kPixelSeedKey, seed_text->second);
  for (const Draws& row : kDraws) {
    const bool stored = std::ranges::any_of(tensors, [&](const NamedTensor& t) { return t.name == row.name; });
    if (!stored) tensors.push_back({row.name, draw(std::mt19937(seed), row)});
  }
  return {};
}

}  // namespace fastvlm
