// Writes external data files: weights become real here, a few megabytes at a time, on several threads, with the same bytes
// whatever their number.
#pragma once

#include <map>
#include <string>

#include "fastvlm/base/files.h"
#include "fastvlm/base/progress.h"
#include "fastvlm/onnx/data_layout.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {

struct WrittenFile {
  std::uint64_t bytes = 0;
  std::string sha256;
};

struct WrittenData {
  std::map<std::string, WrittenFile> files;
  std::map<std::string, CastLosses> losses;  // by weight name, only where something was lost or not finite
};

// Peak memory is about threads * 5 * kPieceBytes.
inline constexpr std::uint64_t kPieceBytes = std::uint64_t{1} << 20;

// `threads` 0: one per core. Progress counts bytes; the caller has started the stage.
Result<WrittenData> write_data_files(const DataLayout& layout, const Path& folder, unsigned threads, Progress& progress);

// Writes one file of `total` bytes from pieces that may be made in any order, and hashes it in order.
//   fill(index, out): makes the bytes of piece `index`; pieces have kPieceBytes except the last.
Result<WrittenFile> write_in_pieces(const Path& path, std::uint64_t total, unsigned threads, Progress& progress,
                                    const std::function<Status(std::size_t index, std::span<std::byte> out)>& fill);

}  // namespace fastvlm
