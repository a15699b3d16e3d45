#include "fastvlm/onnx/data_writer.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/parallel.h"

namespace fastvlm {
namespace {

// Takes the pieces of one file in any order and hashes them in theirs. A worker that is early waits; since pieces are handed
// out in order, the one that is due is always being made.
class OrderedHash {
 public:
  // False when another piece failed and this one will never be due.
  bool add(std::size_t index, std::span<const std::byte> padding, std::span<const std::byte> bytes) {
    std::unique_lock lock(mutex_);
    due_.wait(lock, [&] { return next_ == index || failed_; });
    if (failed_) return false;
    hash_.update(padding);
    hash_.update(bytes);
    ++next_;
    due_.notify_all();
    return true;
  }
  void fail() {
    std::lock_guard lock(mutex_);
    failed_ = true;
    due_.notify_all();
  }
  std::string hex() { return hash_.hex(); }

 private:
  std::mutex mutex_;
  std::condition_variable due_;
  Sha256 hash_;
  std::size_t next_ = 0;
  bool failed_ = false;
};

struct OpenFile {
  OutputFile file;
  std::uint64_t bytes = 0;
  OrderedHash hash;
  std::size_t pieces = 0;
};

// Some rows of one weight.
struct Piece {
  const PlacedWeight* weight = nullptr;
  OpenFile* file = nullptr;
  std::size_t index = 0;  // within its file
  std::int64_t row_begin = 0;
  std::int64_t row_end = 0;
  std::uint64_t offset = 0;
  std::uint64_t padding = 0;  // zero bytes in front
};

std::vector<Piece> pieces_of(const DataLayout& layout, std::map<std::string, std::unique_ptr<OpenFile>>& files) {
  std::vector<Piece> pieces;
  std::map<std::string, std::uint64_t> ends;
  for (const PlacedWeight& placed : layout.weights()) {
    OpenFile& file = *files.at(placed.place.file);
    std::uint64_t& end = ends[placed.place.file];
    const auto row_bytes = static_cast<std::uint64_t>(placed.weight->row_size()) * byte_size(placed.dtype);
    const auto step = static_cast<std::int64_t>(std::max<std::uint64_t>(1, kPieceBytes / std::max<std::uint64_t>(1, row_bytes)));
    for (std::int64_t row = 0; row < placed.weight->row_count(); row += step) {
      Piece piece{.weight = &placed, .file = &file, .index = file.pieces++, .row_begin = row};
      piece.row_end = std::min(row + step, placed.weight->row_count());
      piece.offset = placed.place.offset + static_cast<std::uint64_t>(row) * row_bytes;
      piece.padding = piece.offset - end;
      end = piece.offset + static_cast<std::uint64_t>(piece.row_end - row) * row_bytes;
      pieces.push_back(piece);
    }
  }
  return pieces;
}

Result<CastLosses> write_piece(const Piece& piece) {
  TRY(check_interrupt());
  thread_local std::vector<float> buffer;  // kept by the thread from piece to piece
  const auto count = static_cast<std::size_t>((piece.row_end - piece.row_begin) * piece.weight->weight->row_size());
  if (buffer.size() < count) buffer.resize(count);
  const auto values = std::span(buffer).first(count);
  TRY(piece.weight->weight->read_rows(piece.row_begin, piece.row_end, values));
  std::vector<std::byte> narrow;
  std::span<std::byte> bytes = std::as_writable_bytes(values);
  CastLosses losses;
  if (piece.weight->dtype == Dtype::kFloat32) {
    losses = count_not_finite(values);
  } else {
    narrow.resize(values.size() * byte_size(piece.weight->dtype));
    losses = from_float32(values, piece.weight->dtype, narrow);
    bytes = narrow;
  }
  TRY(piece.file->file.write_at(piece.offset, bytes));
  static constexpr std::byte kZeros[kDataAlignment] = {};
  piece.file->hash.add(piece.index, std::span(kZeros).first(piece.padding), bytes);
  return losses;
}

}  // namespace

Result<WrittenData> write_data_files(const DataLayout& layout, const Path& folder, unsigned threads, Progress& progress) {
  std::map<std::string, std::unique_ptr<OpenFile>> files;
  for (const auto& [name, bytes] : layout.file_sizes()) {
    TRY_ASSIGN(OutputFile file, OutputFile::create(folder / name, bytes));
    files[name] = std::make_unique<OpenFile>(std::move(file), bytes);
  }
  const std::vector<Piece> pieces = pieces_of(layout, files);
  std::mutex mutex;
  WrittenData written;
  TRY(parallel_for(pieces.size(), threads, [&](std::size_t i) -> Status {
    auto losses = write_piece(pieces[i]);
    if (!losses.ok()) {
      for (auto& [name, file] : files) file->hash.fail();
      return std::move(losses).error();
    }
    if (losses->overflowed + losses->vanished + losses->not_finite > 0) {
      std::lock_guard lock(mutex);
      written.losses[pieces[i].weight->name].add(*losses);
    }
    progress.advance(static_cast<std::uint64_t>(pieces[i].row_end - pieces[i].row_begin) *
                     static_cast<std::uint64_t>(pieces[i].weight->weight->row_size()) * byte_size(pieces[i].weight->dtype));
    return {};
  }));
  for (auto& [name, file] : files) {
    TRY(file->file.close());
    written.files[name] = {.bytes = file->bytes, .sha256 = file->hash.hex()};
  }
  return written;
}

Result<WrittenFile> write_in_pieces(const Path& path, std::uint64_t total, unsigned threads, Progress& progress,
                                    const std::function<Status(std::size_t index, std::span<std::byte> out)>& fill) {
  TRY_ASSIGN(OutputFile file, OutputFile::create(path, total));
  OrderedHash hash;
  const auto count = static_cast<std::size_t>((total + kPieceBytes - 1) / kPieceBytes);
  TRY(parallel_for(count, threads, [&](std::size_t i) -> Status {
    Status status = [&]() -> Status {
      TRY(check_interrupt());
      const std::uint64_t offset = i * kPieceBytes;
      std::vector<std::byte> bytes(static_cast<std::size_t>(std::min(kPieceBytes, total - offset)));
      TRY(fill(i, bytes));
      TRY(file.write_at(offset, bytes));
      hash.add(i, {}, bytes);
      progress.advance(bytes.size());
      return {};
    }();
    if (!status.ok()) hash.fail();
    return status;
  }));
  TRY(file.close());
  return WrittenFile{.bytes = total, .sha256 = hash.hex()};
}

}  // namespace fastvlm
