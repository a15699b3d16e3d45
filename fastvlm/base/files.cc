#include "fastvlm/base/files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

std::string reason(int error_number) { return std::strerror(error_number); }

// A missing or unreadable file named by the user is bad input; everything else of the system is environment.
Error open_error(const Path& path, int error_number) {
  std::error_code ignored;
  if (error_number == ENOENT && std::filesystem::is_symlink(path, ignored))
    return bad_input("{}: a link to a file that is not there", path.string());
  if (error_number == ENOENT || error_number == ENOTDIR) return bad_input("{}: there is no such file", path.string());
  if (error_number == EACCES) return bad_input("{}: no permission to read it", path.string());
  return bad_environment("{}: cannot open it ({})", path.string(), reason(error_number));
}

Error write_error(const Path& path, int error_number) {
  if (error_number == ENOSPC || error_number == EDQUOT)
    return bad_environment("{}: the disk is full; free some space or choose another output folder", path.string());
  return bad_environment("{}: cannot write ({})", path.string(), reason(error_number));
}

// Writes everything; 0 or the error number.
int write_all(int descriptor, std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno;
    offset += static_cast<std::uint64_t>(put);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return 0;
}

Result<std::pair<int, std::uint64_t>> open_regular(const Path& path) {
  // A pipe without a writer would block the open; on a regular file the flag means nothing.
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return open_error(path, errno);
  struct stat info{};
  if (::fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(descriptor);
    return bad_input("{}: not a regular file", path.string());
  }
  return std::pair{descriptor, static_cast<std::uint64_t>(info.st_size)};
}

}  // namespace

Result<std::string> read_file(const Path& path, std::size_t max_bytes) {
  TRY_ASSIGN(InputFile file, InputFile::open(path));
  if (file.size() > max_bytes)
    return bad_input("{}: {} bytes, more than the {} allowed for such a file", path.string(), file.size(), max_bytes);
  std::string text(file.size(), '\0');
  TRY(file.read_at(0, std::as_writable_bytes(std::span(text.data(), text.size()))));
  return text;
}

InputFile::InputFile(Path path, int descriptor, std::uint64_t size) : path_(std::move(path)), descriptor_(descriptor), size_(size) {}
InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}
InputFile& InputFile::operator=(InputFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  return *this;
}
InputFile::~InputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<InputFile> InputFile::open(const Path& path) {
  TRY_ASSIGN(auto opened, open_regular(path));
  return InputFile(path, opened.first, opened.second);
}

Status InputFile::read_at(std::uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    ssize_t got = ::pread(descriptor_, out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return bad_environment("{}: cannot read ({})", path_.string(), reason(errno));
    if (got == 0) return bad_input("{}: the file ends at byte {}, more was expected", path_.string(), offset);
    offset += static_cast<std::uint64_t>(got);
    out = out.subspan(static_cast<std::size_t>(got));
  }
  return {};
}

MappedFile::MappedFile(MappedFile&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}
MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

Result<MappedFile> MappedFile::open(const Path& path) {
  TRY_ASSIGN(auto opened, open_regular(path));
  auto [descriptor, size] = opened;
  if (size == 0) {
    ::close(descriptor);
    return MappedFile(nullptr, 0);
  }
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  ::close(descriptor);
  if (data == MAP_FAILED) return bad_environment("{}: cannot map it into memory ({})", path.string(), reason(errno));
  return MappedFile(static_cast<const std::byte*>(data), size);
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      direct_descriptor_(std::exchange(other.direct_descriptor_, -1)) {}

OutputFile& OutputFile::operator=(OutputFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(direct_descriptor_, other.direct_descriptor_);
  return *this;
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (direct_descriptor_ >= 0) ::close(direct_descriptor_);
}

Result<OutputFile> OutputFile::create(const Path& path, std::uint64_t size, PageCache cache) {
  int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) return write_error(path, errno);
  OutputFile file(path, descriptor);
  if (size > 0) {
    // Some file systems cannot reserve (EOPNOTSUPP); there a full disk shows at the write instead.
    int failure = ::posix_fallocate(descriptor, 0, static_cast<off_t>(size));
    if (failure == ENOSPC || failure == EFBIG || failure == EDQUOT) return write_error(path, ENOSPC);
  }
  // Where this is refused, everything goes through the page cache.
  if (cache == PageCache::kBypass) file.direct_descriptor_ = ::open(path.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC);
  return file;
}

Status OutputFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  const bool in_blocks = offset % kDiskBlock == 0 && reinterpret_cast<std::uintptr_t>(bytes.data()) % kDiskBlock == 0;
  if (direct_descriptor_ >= 0 && in_blocks) {
    const std::size_t blocks = bytes.size() / kDiskBlock * kDiskBlock;
    const int failure = write_all(direct_descriptor_, offset, bytes.first(blocks));
    // A file system may open the file and still refuse such writes (EINVAL: larger blocks); then the cache takes them.
    if (failure != 0 && failure != EINVAL) return write_error(path_, failure);
    if (failure == 0) {
      offset += blocks;
      bytes = bytes.subspan(blocks);
    }
  }
  if (const int failure = write_all(descriptor_, offset, bytes)) return write_error(path_, failure);
  return {};
}

Status OutputFile::close() {
  const int direct = std::exchange(direct_descriptor_, -1), descriptor = std::exchange(descriptor_, -1);
  if (direct >= 0 && ::close(direct) != 0) return write_error(path_, errno);
  if (descriptor >= 0 && ::close(descriptor) != 0) return write_error(path_, errno);
  return {};
}

Status write_file_atomically(const Path& path, std::string_view bytes) {
  static std::atomic<unsigned> counter{0};
  Path temporary = path;
  temporary += fmt::format(".partial-{}-{}", ::getpid(), counter++);
  Status written = [&]() -> Status {
    TRY_ASSIGN(OutputFile file, OutputFile::create(temporary, 0));
    TRY(file.write_at(0, as_bytes(bytes)));
    TRY(file.close());
    if (::rename(temporary.c_str(), path.c_str()) != 0) return write_error(path, errno);
    return {};
  }();
  if (!written) ::unlink(temporary.c_str());
  return written;
}

Result<std::uint64_t> free_bytes(const Path& folder) {
  std::error_code ignored;
  Path place = std::filesystem::absolute(folder, ignored);
  while (!std::filesystem::exists(place, ignored) && place.has_relative_path()) place = place.parent_path();
  struct statvfs info{};
  if (::statvfs(place.c_str(), &info) != 0) return bad_environment("{}: cannot ask for the free space ({})", place.string(), reason(errno));
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

}  // namespace fastvlm
