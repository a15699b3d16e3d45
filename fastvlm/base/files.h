// Files: whole reads with a limit, positioned reads and writes, memory maps, and output that is all or nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "fastvlm/base/result.h"

namespace fastvlm {

using Path = std::filesystem::path;

// The whole file. Refused when it is not a regular file or is larger than `max_bytes`.
Result<std::string> read_file(const Path& path, std::size_t max_bytes);

// A file that is read piece by piece with pread. Unlike a map it cannot raise SIGBUS when somebody truncates it under us.
class InputFile {
 public:
  static Result<InputFile> open(const Path& path);
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&& other) noexcept;
  ~InputFile();

  std::uint64_t size() const { return size_; }
  const Path& path() const { return path_; }
  // Fills `out` from `offset`; a short file is an error. Safe from several threads.
  Status read_at(std::uint64_t offset, std::span<std::byte> out) const;

 private:
  InputFile(Path path, int descriptor, std::uint64_t size);
  Path path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

// A read-only memory map of a whole file, for tables that are used sparsely (the embedding table while chatting).
class MappedFile {
 public:
  static Result<MappedFile> open(const Path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  MappedFile(const std::byte* data, std::size_t size) : data_(data), size_(size) {}
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

enum class PageCache { kUse, kBypass };
inline constexpr std::size_t kDiskBlock = 4096;

// A new file of known or growing size, written at positions from any thread. close() must be called to learn of late errors.
class OutputFile {
 public:
  // `size` bytes are reserved at once, so that a full disk shows before the work; 0 reserves nothing.
  // kBypass: whole blocks whose offset and address are multiples of kDiskBlock go straight to the disk, where the file
  // system can do that. For files of gigabytes, which would push everything else out of the page cache.
  static Result<OutputFile> create(const Path& path, std::uint64_t size, PageCache cache = PageCache::kUse);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&& other) noexcept;
  ~OutputFile();
  Status write_at(std::uint64_t offset, std::span<const std::byte> bytes);
  Status close();

 private:
  OutputFile(Path path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  Path path_;
  int descriptor_ = -1;
  int direct_descriptor_ = -1;  // the same file past the page cache, or -1
};

// Writes to a temporary sibling and renames it over `path`: a reader sees the old file or the whole new one.
Status write_file_atomically(const Path& path, std::string_view bytes);

// Free bytes on the file system that holds `folder` (or its nearest existing parent).
Result<std::uint64_t> free_bytes(const Path& folder);

inline std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

}  // namespace fastvlm
