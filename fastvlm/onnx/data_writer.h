// Writes external data files: weights become real here, piece by piece, on several threads, with the same bytes whatever
// their number.
#pragma once

#include <map>
#include <stop_token>
#include <string>

#include "fastvlm/base/files.h"
#include "fastvlm/base/progress.h"
#include "fastvlm/onnx/data_layout.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {

struct WrittenFile {
  std::uint64_t bytes = 0;
  std::string sha256;
  std::uint64_t reused = 0;  // of the bytes
};

struct WrittenData {
  std::map<std::string, WrittenFile> files;
  std::map<std::string, CastLosses> losses;  // by weight name, only where something was lost or not finite
  std::uint64_t reused = 0;                  // bytes that are those of `WriteOptions::reuse`
};

struct WriteOptions {
  unsigned threads = 0;  // 0: kWriters for data files, one per core for write_in_pieces
  std::stop_token stop;  // looked at between two pieces, as Ctrl-C is
  Path reuse = {};       // a folder; what its file of the same name has already is not written again. Empty: none
};

// Some compute while others wait for the disk, which is fast only with several megabytes on their way.
inline constexpr unsigned kWriters = 4;
inline constexpr std::uint64_t kPlainPieceBytes = std::uint64_t{4} << 20;
// A piece of a transposed weight reads a stripe of every row of its source; wide stripes make few and long reads.
inline constexpr std::uint64_t kTransposedPieceBytes = std::uint64_t{20} << 20;

// Bytes of memory that the writers of data files take.
std::uint64_t writer_memory(unsigned threads);

// Progress counts bytes; the caller has started the stage.
Result<WrittenData> write_data_files(const DataLayout& layout, const Path& folder, const WriteOptions& options, Progress& progress);

// Writes one file of `total` bytes from pieces that may be made in any order, and hashes it in order.
//   fill(index, out): makes the bytes of piece `index`; pieces have kPieceBytes except the last.
inline constexpr std::uint64_t kPieceBytes = std::uint64_t{1} << 20;
Result<WrittenFile> write_in_pieces(const Path& path, std::uint64_t total, const WriteOptions& options, Progress& progress,
                                    const std::function<Status(std::size_t index, std::span<std::byte> out)>& fill);

}  // namespace fastvlm
