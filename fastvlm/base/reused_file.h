// A file that is written beside an older one of the same name: what is the same there is not written again.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "fastvlm/base/files.h"

namespace fastvlm {

// The old file is compared byte by byte and never changed. While all is the same nothing is written, and in the end the new name is a
// hard link, else a reflink (FICLONE), else a copy. From the first difference on the file is written; what was the same is copied from
// the old one in the end.
class ReusedFile {
 public:
  // `old`: a file that may be missing or have another size; then, and where it is empty, everything is written.
  static Result<std::unique_ptr<ReusedFile>> create(const Path& path, std::uint64_t size, const Path& old);
  // At positions from any thread. Every byte is given once; those that nobody gives are zeros.
  Status write_at(std::uint64_t offset, std::span<const std::byte> bytes);
  Status close();
  // Bytes that are those of the old file, after close().
  std::uint64_t reused() const { return reused_; }

 private:
  ReusedFile(Path path, std::uint64_t size) : path_(std::move(path)), size_(size) {}
  Result<bool> is_same(std::uint64_t offset, std::span<const std::byte> bytes) const;
  Status start_writing();
  Status fill();
  Status link();

  Path path_;
  std::uint64_t size_ = 0;
  Path old_path_;
  std::optional<InputFile> old_;
  std::mutex mutex_;
  std::optional<OutputFile> file_;                             // from the first difference on
  std::vector<std::pair<std::uint64_t, std::uint64_t>> same_;  // offset and bytes that are the same
  std::uint64_t reused_ = 0;
};

}  // namespace fastvlm
