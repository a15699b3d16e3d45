#include "fastvlm/quant/built_in_set.h"

#include <fmt/format.h>

#include "fastvlm/base/try.h"
#include "fastvlm/image/made_up_picture.h"
#include "fastvlm/image/png_writer.h"

namespace fastvlm {
namespace {

constexpr int kShapes = 3;  // pictures with shapes on a ramp; then come textures

// Every pixel has a colour of its own.
Image noise(int side) {
  Image image = Image::black(side, side);
  std::uint32_t state = 1;
  for (int y = 0; y < side; ++y)
    for (int i = 0; i < 3 * side; ++i) {
      state = state * 1664525U + 1013904223U;
      image.row(y)[i] = static_cast<std::uint8_t>(state >> 24);
    }
  return image;
}

// A board of fields, in two colours.
Image board(int side, int fields, std::uint8_t dark, std::uint8_t light) {
  Image image = Image::black(side, side);
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x)
      for (int channel = 0; channel < 3; ++channel)
        image.row(y)[3 * x + channel] = (x * fields / side + y * fields / side + (channel == fields % 3)) % 2 == 0 ? dark : light;
  return image;
}

Image built_in_picture(int side, int number) {
  if (number < kShapes) return made_up_picture(side, number);
  switch (number - kShapes) {
    case 0: return noise(side);
    case 1: return board(side, 4, 0, 255);
    case 2: return board(side, 32, 40, 215);
    case 3: return board(side, 1, 250, 255);
    default: return board(side, 2, 10, 90);
  }
}

}  // namespace

Result<std::vector<Path>> write_built_in_pictures(const Path& folder, int side) {
  std::vector<Path> pictures;
  for (int number = 0; number < kBuiltInPictures; ++number) {
    pictures.push_back(folder / fmt::format("built_in_{}.png", number + 1));
    TRY(write_png(pictures.back(), built_in_picture(side, number)));
  }
  return pictures;
}

Status write_noise_picture(const Path& file, int side) { return write_png(file, noise(side)); }

std::string built_in_warning(bool drawn) {
  return fmt::format(
      "the ranges of activations {} those of the built-in set, {} made-up pictures with general questions: answers about real pictures may "
      "suffer; calibrate with pictures and questions such as the model will see",
      drawn ? "are" : "would be", kBuiltInPictures);
}

Ranges assumed_ranges(const Graph& graph) {
  Ranges ranges;
  // Each its own: equal scales and zero points would be stored once, and the graphs would come out smaller than they will be.
  const auto assume = [&](const std::string& key) {
    const float reach = 1 + static_cast<float>(ranges.values.size()) / 4096;
    ranges.values.try_emplace(key, ValueRange{.min = -1, .max = reach, .count = 2});
  };
  for (const int input : graph.inputs()) assume(graph.value(input).name);
  for (const Node& node : graph.nodes())
    for (const int output : node.outputs)
      if (const auto key = range_key(node.op, graph.value(output).name)) assume(*key);
  return ranges;
}

}  // namespace fastvlm
