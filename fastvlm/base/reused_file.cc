#include "fastvlm/base/reused_file.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "fastvlm/base/block_buffer.h"
#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr std::uint64_t kStep = std::uint64_t{1} << 20;

// Small files are soon read again; of large ones only a part would still be in the cache.
PageCache cache_for(std::uint64_t bytes) { return bytes >= (std::uint64_t{64} << 20) ? PageCache::kBypass : PageCache::kUse; }

// Another file with the same blocks of the disk, where the file system has such.
bool reflink(const Path& from, const Path& to) {
  const int source = ::open(from.c_str(), O_RDONLY | O_CLOEXEC);
  if (source < 0) return false;
  const int target = ::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  const bool done = target >= 0 && ::ioctl(target, FICLONE, source) == 0;
  if (target >= 0) ::close(target);
  if (target >= 0 && !done) ::unlink(to.c_str());
  ::close(source);
  return done;
}

}  // namespace

Result<std::unique_ptr<ReusedFile>> ReusedFile::create(const Path& path, std::uint64_t size, const Path& old) {
  std::unique_ptr<ReusedFile> file(new ReusedFile(path, size));
  std::error_code missing;
  // The name might be a link to the old file, which would be written through it.
  std::filesystem::remove(path, missing);
  const Path real = old.empty() ? Path() : std::filesystem::canonical(old, missing);
  if (!old.empty() && !missing && std::filesystem::is_regular_file(real, missing)) {
    TRY_ASSIGN(InputFile opened, InputFile::open(real));
    if (opened.size() == size) file->old_.emplace(std::move(opened)), file->old_path_ = real;
  }
  if (!file->old_) TRY(file->start_writing());
  return file;
}

Status ReusedFile::start_writing() {
  if (file_) return {};
  TRY_ASSIGN(OutputFile file, OutputFile::create(path_, size_, cache_for(size_)));
  file_.emplace(std::move(file));
  return {};
}

Result<bool> ReusedFile::is_same(std::uint64_t offset, std::span<const std::byte> bytes) const {
  thread_local BlockBuffer buffer;
  for (std::size_t at = 0; at < bytes.size(); at += kStep) {
    const auto part = bytes.subspan(at, std::min<std::size_t>(kStep, bytes.size() - at));
    const std::span<std::byte> there = buffer.bytes(part.size());
    TRY(old_->read_at(offset + at, there));
    if (std::memcmp(there.data(), part.data(), part.size()) != 0) return false;
  }
  return true;
}

Status ReusedFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (bytes.empty()) return {};
  if (old_) {
    TRY_ASSIGN(const bool same, is_same(offset, bytes));
    std::lock_guard lock(mutex_);
    if (same) {
      same_.emplace_back(offset, bytes.size());
      return {};
    }
    TRY(start_writing());
  }
  return file_->write_at(offset, bytes);
}

// What was the same is taken from the old file; it was compared, so it is right.
Status ReusedFile::fill() {
  BlockBuffer buffer;
  for (const auto& [offset, bytes] : same_)
    for (std::uint64_t at = 0; at < bytes; at += kStep) {
      const std::span<std::byte> part = buffer.bytes(static_cast<std::size_t>(std::min(kStep, bytes - at)));
      TRY(old_->read_at(offset + at, part));
      TRY(file_->write_at(offset + at, part));
    }
  return {};
}

Status ReusedFile::link() {
  std::error_code failure;
  std::filesystem::create_hard_link(old_path_, path_, failure);
  if (!failure || reflink(old_path_, path_)) return {};
  std::filesystem::copy_file(old_path_, path_, failure);
  if (failure) return bad_environment("{}: cannot be copied to {} ({})", old_path_.string(), path_.string(), failure.message());
  return {};
}

Status ReusedFile::close() {
  if (!old_) return file_->close();
  for (const auto& [offset, bytes] : same_) reused_ += bytes;
  // Nothing was given that differs, but what nobody gave must be zeros there, too; the callers of this give everything.
  if (!file_ && reused_ == size_) return link();
  TRY(start_writing());
  TRY(fill());
  return file_->close();
}

}  // namespace fastvlm
