// The numbers of a stored weight, whatever they are stored as.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/bundle/manifest.h"

namespace fastvlm {

// A row of the manifest, or two: codes in blocks and their scales.
struct StoredWeight {
  std::string name;  // without ":codes"
  const WeightEntry* entry = nullptr;
  const WeightEntry* scales = nullptr;  // of blocks; nullptr: the numbers are as they stand
};

// In the order of the manifest.
std::vector<StoredWeight> stored_weights(const Manifest& manifest);

class WeightNumbers {
 public:
  // An Error when the file has not so many bytes, or codes and scales do not fit together. `file` must outlive this.
  static Result<WeightNumbers> open(const StoredWeight& weight, const MappedFile& file);

  std::int64_t count() const { return count_; }
  std::int64_t unit() const { return unit_; }  // read() takes multiples of it
  // out.size() numbers from `begin` on.
  void read(std::int64_t begin, std::span<float> out) const;
  // As they are stored, without the scales.
  std::span<const std::byte> bytes() const { return bytes_; }
  std::span<const std::byte> scale_bytes() const { return scales_; }

 private:
  Dtype type_ = Dtype::kFloat32, scale_type_ = Dtype::kFloat32;
  std::span<const std::byte> bytes_, scales_;
  std::int64_t count_ = 0, unit_ = 1;
  int bits_ = 0;            // of codes in blocks; 0: plain numbers
  std::int64_t block_ = 0;  // numbers that share a scale
};

}  // namespace fastvlm
