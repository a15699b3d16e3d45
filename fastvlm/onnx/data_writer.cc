#include "fastvlm/onnx/data_writer.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <numeric>

#include "fastvlm/base/block_buffer.h"
#include "fastvlm/base/hash.h"
#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/parallel.h"
#include "fastvlm/base/reused_file.h"
#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

// Takes the pieces of one file in any order and hashes them in theirs. A worker that is early waits; since pieces are handed
// out in order, the one that is due is always being made.
class OrderedHash {
 public:
  // False when another piece failed and this one will never be due.
  bool add(std::size_t index, std::uint64_t padding, std::span<const std::byte> bytes) {
    static constexpr std::byte kZeros[kDataAlignment] = {};
    std::unique_lock lock(mutex_);
    due_.wait(lock, [&] { return next_ == index || failed_; });
    if (failed_) return false;
    hash_.update(std::span(kZeros).first(padding));
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

unsigned writer_threads(unsigned threads) { return threads > 0 ? threads : kWriters; }

struct OpenFile {
  std::unique_ptr<ReusedFile> file;
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

std::uint64_t divided_up(std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; }

// Rows of a piece: the weight in equal parts within the limit, in whole disk blocks where the row's size allows it.
std::int64_t rows_of_piece(const Weight& weight, Dtype dtype) {
  const std::uint64_t limit = weight.is_transposed() ? kTransposedPieceBytes : kPlainPieceBytes;
  const auto count = static_cast<std::uint64_t>(std::max<std::int64_t>(1, weight.row_count()));
  const auto width = static_cast<std::uint64_t>(std::max<std::int64_t>(1, weight.row_size()));
  const std::uint64_t row_in_memory = width * (sizeof(float) + (dtype == Dtype::kFloat32 ? 0 : byte_size(dtype)));
  const std::uint64_t most = std::max<std::uint64_t>(1, limit / row_in_memory);
  const std::uint64_t equal = divided_up(count, divided_up(count, most));
  const std::uint64_t rows_in_blocks = kDiskBlock / std::gcd(std::uint64_t{kDiskBlock}, width * byte_size(dtype));
  const std::uint64_t rounded = divided_up(equal, rows_in_blocks) * rows_in_blocks;
  return static_cast<std::int64_t>(rounded <= most ? rounded : equal);
}

std::vector<Piece> pieces_of(const DataLayout& layout, std::map<std::string, std::unique_ptr<OpenFile>>& files) {
  std::vector<Piece> pieces;
  std::map<std::string, std::uint64_t> ends;
  for (const PlacedWeight& placed : layout.weights()) {
    OpenFile& file = *files.at(placed.place.file);
    std::uint64_t& end = ends[placed.place.file];
    const auto row_bytes = static_cast<std::uint64_t>(placed.weight->row_size()) * byte_size(placed.dtype);
    const std::int64_t step = rows_of_piece(*placed.weight, placed.dtype);
    for (std::int64_t row = 0; row < placed.weight->row_count(); row += step) {
      Piece piece{.weight = &placed, .file = &file, .index = file.pieces++, .row_begin = row};
      piece.row_end = std::min(row + step, placed.weight->row_count());
      piece.offset = placed.place.offset + static_cast<std::uint64_t>(row) * row_bytes;
      piece.padding = piece.offset - end;
      end = piece.offset + static_cast<std::uint64_t>(piece.row_end - row) * row_bytes;
      pieces.push_back(piece);
    }
  }
  // All files grow at the same pace: hashing is serial within a file and would hold up the rest if they came one by one.
  auto progress = [](const Piece& piece) { return static_cast<double>(piece.offset) / static_cast<double>(piece.file->bytes); };
  std::ranges::stable_sort(pieces, {}, progress);
  return pieces;
}

constexpr std::byte kZeros[kDataAlignment] = {};

// An old file might have something else where this one has padding.
Status store(const Piece& piece, std::span<const std::byte> bytes) {
  TRY(piece.file->file->write_at(piece.offset - piece.padding, std::span(kZeros).first(piece.padding)));
  TRY(piece.file->file->write_at(piece.offset, bytes));
  piece.file->hash.add(piece.index, piece.padding, bytes);
  return {};
}

Result<CastLosses> write_piece(const Piece& piece, const std::stop_token& stop) {
  TRY(check_interrupt(stop));
  const Weight& weight = *piece.weight->weight;
  const Dtype dtype = piece.weight->dtype;
  thread_local BlockBuffer wide, narrow;  // kept by the thread from piece to piece
  if (weight.is_packed()) {
    const auto codes = narrow.bytes(static_cast<std::size_t>((piece.row_end - piece.row_begin) * weight.row_size()));
    TRY_ASSIGN(const CastLosses losses, weight.read_packed_rows(piece.row_begin, piece.row_end, codes));
    TRY(store(piece, codes));
    return losses;
  }
  const auto values = wide.floats(static_cast<std::size_t>((piece.row_end - piece.row_begin) * weight.row_size()));
  TRY(weight.read_rows(piece.row_begin, piece.row_end, values));
  std::span<std::byte> bytes = std::as_writable_bytes(values);
  CastLosses losses;
  if (dtype == Dtype::kFloat32) {
    losses = count_not_finite(values);
  } else {
    bytes = narrow.bytes(values.size() * byte_size(dtype));
    losses = from_float32(values, dtype, bytes);
  }
  TRY(store(piece, bytes));
  return losses;
}

}  // namespace

std::uint64_t writer_memory(unsigned threads) {
  // A piece, and what reading it takes.
  return writer_threads(threads) * (kTransposedPieceBytes + kPieceBytes);
}

Result<WrittenData> write_data_files(const DataLayout& layout, const Path& folder, const WriteOptions& options, Progress& progress) {
  std::map<std::string, std::unique_ptr<OpenFile>> files;
  for (const auto& [name, bytes] : layout.file_sizes()) {
    TRY_ASSIGN(auto file, ReusedFile::create(folder / name, bytes, options.reuse.empty() ? Path() : options.reuse / name));
    files[name] = std::make_unique<OpenFile>(std::move(file), bytes);
  }
  const std::vector<Piece> pieces = pieces_of(layout, files);
  std::mutex mutex;
  WrittenData written;
  TRY(parallel_for(pieces.size(), writer_threads(options.threads), [&](std::size_t i) -> Status {
    auto losses = write_piece(pieces[i], options.stop);
    if (!losses.ok()) {
      for (auto& [name, file] : files) file->hash.fail();
      return std::move(losses).error();
    }
    if (losses->any()) {
      std::lock_guard lock(mutex);
      written.losses[pieces[i].weight->name].add(*losses);
    }
    progress.advance(static_cast<std::uint64_t>(pieces[i].row_end - pieces[i].row_begin) *
                     static_cast<std::uint64_t>(pieces[i].weight->weight->row_size()) * byte_size(pieces[i].weight->dtype));
    return {};
  }));
  for (auto& [name, file] : files) {
    TRY(file->file->close());
    written.files[name] = {.bytes = file->bytes, .sha256 = file->hash.hex(), .reused = file->file->reused()};
    written.reused += file->file->reused();
  }
  return written;
}

Result<WrittenFile> write_in_pieces(const Path& path, std::uint64_t total, const WriteOptions& options, Progress& progress,
                                    const std::function<Status(std::size_t index, std::span<std::byte> out)>& fill) {
  TRY_ASSIGN(auto file, ReusedFile::create(path, total, options.reuse.empty() ? Path() : options.reuse / path.filename()));
  OrderedHash hash;
  const auto count = static_cast<std::size_t>(divided_up(total, kPieceBytes));
  TRY(parallel_for(count, options.threads, [&](std::size_t i) -> Status {
    Status status = [&]() -> Status {
      TRY(check_interrupt(options.stop));
      const std::uint64_t offset = i * kPieceBytes;
      thread_local BlockBuffer buffer;
      const std::span<std::byte> bytes = buffer.bytes(static_cast<std::size_t>(std::min(kPieceBytes, total - offset)));
      TRY(fill(i, bytes));
      TRY(file->write_at(offset, bytes));
      hash.add(i, 0, bytes);
      progress.advance(bytes.size());
      return {};
    }();
    if (!status.ok()) hash.fail();
    return status;
  }));
  TRY(file->close());
  return WrittenFile{.bytes = total, .sha256 = hash.hex(), .reused = file->reused()};
}

}  // namespace fastvlm
