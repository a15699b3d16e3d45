#include "fastvlm/evaluate/results_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{4} << 30;
constexpr mode_t kMode = 0666;

Result<int> open_and_lock(const Path& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, kMode);
  if (descriptor < 0)
    return bad_environment("{}: cannot write ({}); name another file with `results`", path.string(),
                           std::generic_category().message(errno));
  // File systems without locks have no second process that asks.
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(descriptor);
    return bad_environment("{}: another run is writing it; wait for it or name another file with `results`", path.string());
  }
  return descriptor;
}

}  // namespace

ResultsFile::ResultsFile(ResultsFile&& other) noexcept
    : path_(std::move(other.path_)),
      header_(std::move(other.header_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      answered_(std::move(other.answered_)),
      answered_before_(other.answered_before_),
      last_(other.last_),
      in_order_(other.in_order_) {}

ResultsFile::~ResultsFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<ResultsFile> ResultsFile::open(const Path& path, const ResultsHeader& header) {
  TRY_ASSIGN(const int descriptor, open_and_lock(path));
  ResultsFile file(path, header, descriptor);
  TRY_ASSIGN(const std::string text, read_file(path, kMaxFileBytes));
  std::string kept;
  TRY(file.take(text, kept));
  if (kept == text) return file;
  if (text.starts_with(kept)) {
    // The lock stays on this file, so it is shortened, not replaced.
    if (::ftruncate(file.descriptor_, static_cast<off_t>(kept.size())) != 0)
      return bad_environment("{}: cannot be shortened", path.string());
    return file;
  }
  if (!text.empty()) {
    TRY(write_file_atomically(path, kept));
    ::close(std::exchange(file.descriptor_, -1));
    TRY_ASSIGN(file.descriptor_, open_and_lock(path));
    return file;
  }
  TRY(file.write(kept));
  return file;
}

// `kept`: the header and the lines that count.
Status ResultsFile::take(const std::string& text, std::string& kept) {
  answered_.assign(header_.questions + 1, false);
  kept = header_line(header_);
  std::string_view rest = text;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    const bool last = end == std::string_view::npos || end + 1 == rest.size();
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    const std::string where = fmt::format("{}: line {}", path_.string(), number);
    if (number == 1) {
      // Half of our own header is what a kill left.
      if (end == std::string_view::npos && kept.starts_with(line)) return {};
      auto found = parse_header(line, where);
      if (!found.ok()) return bad_input("{}; name another file with `results`", found.error().message);
      if (const auto differs = difference(header_, *found))
        return bad_usage("{}: holds other results: {}; name another file with `results`, or remove it", path_.string(), *differs);
      if (found->shard != header_.shard)
        return bad_usage("{}: holds the results of shard {}, not {}; name another file with `results`", path_.string(),
                         to_string(found->shard), to_string(header_.shard));
      continue;
    }
    auto row = parse_row(line, header_, where);
    // Without its line feed the last line may be half of one even when it reads well.
    if (last && (end == std::string_view::npos || !row.ok())) return {};
    if (!row.ok()) return bad_input("{}; the file is damaged, remove it or name another one with `results`", row.error().message);
    const std::size_t index = row->question - 1;
    const bool ours = index >= header_.shard.begin(header_.questions) && index < header_.shard.end(header_.questions);
    if (!ours || answered_[row->question] || !row->error.empty()) continue;
    answered_[row->question] = true;
    ++answered_before_;
    in_order_ = in_order_ && row->question > std::exchange(last_, row->question);
    kept.append(line).push_back('\n');
  }
  return {};
}

Status ResultsFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return bad_environment("{}: cannot write any further ({})", path_.string(), std::generic_category().message(errno));
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Status ResultsFile::append(const ResultRow& row) {
  FASTVLM_ASSERT(row.question >= 1 && row.question <= header_.questions && !answered_[row.question], "a question that is to be answered");
  TRY(write(row_line(header_, row)));
  answered_[row.question] = true;
  in_order_ = in_order_ && row.question > std::exchange(last_, row.question);
  return {};
}

Result<Results> ResultsFile::finish() {
  if (!in_order_) {
    TRY_ASSIGN(const std::string text, read_file(path_, kMaxFileBytes));
    std::vector<std::pair<std::size_t, std::string_view>> lines;
    const std::size_t head = text.find('\n') + 1;
    for (std::size_t at = head; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      const std::string_view line = std::string_view(text).substr(at, end + 1 - at);
      TRY_ASSIGN(const ResultRow row, parse_row(line.substr(0, line.size() - 1), header_, path_.string()));
      lines.emplace_back(row.question, line);
      at = end + 1;
    }
    std::ranges::sort(lines);
    std::string ordered = text.substr(0, head);
    for (const auto& [question, line] : lines) ordered += line;
    TRY(write_file_atomically(path_, ordered));
    in_order_ = true;
  }
  return read_results(path_);
}

}  // namespace fastvlm
