// A picture file to the vectors that stand for it in the prompt.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fastvlm/image/preprocess.h"
#include "fastvlm/session/output_folder.h"

namespace fastvlm {

struct ImageEncoderOptions {
  Path graph;  // pixel_values [1, 3, S, S] -> image_features [1, (S / 64)^2, H]
  PreprocessOptions preprocess;
  std::int64_t hidden_size = 0;
  OpenGraph open;
  bool keep_open = false;  // the graph stays open between pictures: faster, but its memory is not there for the decoder
};

// Pixels ready for the graph, with a hash of them that names the content.
struct Picture {
  std::vector<float> pixel_values;
  std::string hash;
};

class ImageEncoder {
 public:
  explicit ImageEncoder(ImageEncoderOptions options) : options_(std::move(options)) {}

  std::int64_t tokens() const;
  Result<Picture> load(const Path& file) const;
  // [tokens(), hidden_size].
  Result<std::vector<float>> encode(const Picture& picture);

 private:
  ImageEncoderOptions options_;
  std::unique_ptr<Runner> runner_;
};

}  // namespace fastvlm
