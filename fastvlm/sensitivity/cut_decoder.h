// A decoder that is cut at every layer: each part runs by itself, on whole sequences that begin with an empty cache. So a layer of one
// recipe can stand between those of another, and what comes before it runs once for all that is tried.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fastvlm/session/output_folder.h"

namespace fastvlm {

// Rows of one run of the part with the head.
inline constexpr std::int64_t kHeadRows = 16;

class CutDecoder {
 public:
  // `length`: rows of the prefill graphs, in a context of one more. The folder must outlive this.
  CutDecoder(const OutputFolder& folder, OpenGraph open, std::int64_t length)
      : folder_(&folder), open_(std::move(open)), length_(length), width_(folder.text().hidden_size) {}

  std::int64_t layers() const { return folder_->text().num_hidden_layers; }
  std::int64_t length() const { return length_; }
  std::int64_t width() const { return width_; }

  // The file of a recipe (empty: fp16) for that part (0 … layers(), the last is the head), or nothing where there is none.
  std::optional<Path> find(const std::string& recipe, std::int64_t part) const;
  const OpenGraph& open() const { return open_; }

  // hidden [length(), width()] -> the same behind a layer.
  Result<std::vector<float>> run_layer(Runner& layer, std::span<const float> hidden) const;
  // rows [n, width()] -> logits [n, vocabulary].
  Result<std::vector<float>> run_head(Runner& head, std::span<const float> rows) const;

 private:
  const OutputFolder* folder_;
  OpenGraph open_;
  std::int64_t length_ = 0, width_ = 0;
};

}  // namespace fastvlm
