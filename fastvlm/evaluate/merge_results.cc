#include "fastvlm/evaluate/merge_results.h"

#include <algorithm>
#include <fstream>
#include <vector>

#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr std::size_t kMaxHeaderBytes = std::size_t{64} << 10;

Result<std::string> first_line(const Path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string line;
  char byte = 0;
  while (line.size() < kMaxHeaderBytes && stream.get(byte)) {
    if (byte == '\n') return line;
    line.push_back(byte);
  }
  return bad_input("{}: no file of results", file.string());
}

struct Part {
  Path file;
  ResultsHeader header;
};

Status check_parts(const std::vector<Part>& parts) {
  const Part& first = parts.front();
  for (const Part& part : parts) {
    if (const auto differs = difference(first.header, part.header))
      return bad_input("{}: does not belong to {}: {}", part.file.string(), first.file.string(), *differs);
    if (part.header.shard.count != first.header.shard.count)
      return bad_input("{}: is one of {} shards, {} one of {}", part.file.string(), part.header.shard.count, first.file.string(),
                       first.header.shard.count);
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Shard& shard = parts[i].header.shard;
    if (shard.index < i + 1)
      return bad_input("{} and {}: are both shard {}", parts[i - 1].file.string(), parts[i].file.string(), to_string(shard));
    if (shard.index > i + 1) return bad_input("shard {}/{} is missing", i + 1, shard.count);
  }
  if (parts.size() < first.header.shard.count) return bad_input("shard {}/{} is missing", parts.size() + 1, first.header.shard.count);
  return {};
}

Status write_merged(const std::vector<Part>& parts, MergedResults& merged, const Path& path) {
  TRY_ASSIGN(OutputFile file, OutputFile::create(path, 0));
  std::string text = header_line(merged.header);
  std::uint64_t at = 0;
  for (const Part& part : parts) {
    TRY_ASSIGN(const Results results, read_results(part.file));
    if (results.header != part.header) return bad_input("{}: was changed meanwhile", part.file.string());
    for (const ResultRow& row : results.rows) {
      text += row_line(merged.header, row);
      merged.failed += row.error.empty() ? 0 : 1;
    }
    TRY(file.write_at(at, as_bytes(text)));
    at += text.size();
    text.clear();
  }
  return file.close();
}

}  // namespace

bool is_results_file(const Path& file) {
  const auto line = first_line(file);
  return line.ok() && parse_header(*line, file.string()).ok();
}

Result<MergedResults> merge_results(std::span<const Path> shards, const Path& output) {
  std::vector<Part> parts;
  for (const Path& file : shards) {
    TRY_ASSIGN(const std::string line, first_line(file));
    TRY_ASSIGN(ResultsHeader header, parse_header(line, file.string() + ": line 1"));
    parts.push_back({file, std::move(header)});
  }
  if (parts.empty()) return bad_usage("there is nothing to merge");
  std::ranges::stable_sort(parts, {}, [](const Part& part) { return part.header.shard.index; });
  TRY(check_parts(parts));
  MergedResults merged{.header = parts.front().header, .shards = parts.size()};
  merged.header.shard = {};
  const Path unfinished = Path(output) += ".part";
  Status written = write_merged(parts, merged, unfinished);
  std::error_code failure;
  if (written.ok()) std::filesystem::rename(unfinished, output, failure);
  if (failure) written = bad_environment("{}: cannot be written ({})", output.string(), failure.message());
  if (!written.ok()) {
    std::filesystem::remove(unfinished, failure);
    return std::move(written).error();
  }
  return merged;
}

}  // namespace fastvlm
