#include "fastvlm/quant/merge_ranges.h"

#include <fmt/ranges.h>

#include <array>
#include <fstream>

#include "fastvlm/base/json.h"
#include "fastvlm/base/parallel.h"
#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr std::size_t kHeadBytes = 256;
constexpr std::size_t kReadTogether = 16;  // files, on all cores

// Name of the one set that a shard was made of.
Result<std::string> set_of(const Ranges& ranges, const Path& file) {
  if (ranges.seen.size() == 1) return ranges.seen.begin()->first;
  return bad_input("{}: holds {} sets of pictures and questions, expected a shard of one; `calibrate --merge` adds sets", file.string(),
                   ranges.seen.size());
}

Result<std::vector<Ranges>> read_together(std::span<const Path> files) {
  std::vector<Ranges> ranges(files.size());
  TRY(parallel_for(files.size(), 0, [&](std::size_t i) -> Status {
    TRY_ASSIGN(ranges[i], read_ranges(files[i]));
    return {};
  }));
  return ranges;
}

Status check_all_parts(const Ranges& ranges) {
  for (const auto& [set, seen] : ranges.seen)
    for (std::uint64_t part = 1; part <= seen.of; ++part)
      if (!seen.parts.contains(part)) return bad_input("shard {}/{} is missing", part, seen.of);
  return {};
}

}  // namespace

Result<Ranges> merge_ranges(std::span<const Path> shards) {
  FASTVLM_ASSERT(!shards.empty(), "something to merge");
  TRY_ASSIGN(Ranges merged, read_ranges(shards.front()));
  TRY_ASSIGN(const std::string set, set_of(merged, shards.front()));
  for (std::size_t first = 1; first < shards.size(); first += kReadTogether) {
    const std::span<const Path> files = shards.subspan(first, std::min(kReadTogether, shards.size() - first));
    TRY_ASSIGN(const std::vector<Ranges> parts, read_together(files));
    for (std::size_t i = 0; i < files.size(); ++i) {
      TRY_ASSIGN(const std::string other, set_of(parts[i], files[i]));
      if (other != set)
        return bad_input("{}: does not belong to {}: other pictures or questions, or asked in another way", files[i].string(),
                         shards.front().string());
      if (Status added = merged.merge(parts[i]); !added.ok()) return std::move(added).error().within(files[i].string());
    }
  }
  TRY(check_all_parts(merged));
  return merged;
}

std::optional<std::string> parts_of(const Ranges& ranges) {
  for (const auto& [set, seen] : ranges.seen)
    if (!seen.whole()) return fmt::format("part{} {} of {}", seen.parts.size() == 1 ? "" : "s", fmt::join(seen.parts, ", "), seen.of);
  return std::nullopt;
}

Status check_complete(const Ranges& ranges, const Path& file) {
  if (const auto parts = parts_of(ranges))
    return bad_input("{}: was calibrated with {} of the pictures only; put all parts together with `merge`", file.string(), *parts);
  if (ranges.values.empty()) return bad_input("{}: holds no ranges; calibrate again", file.string());
  return {};
}

bool is_ranges_file(const Path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::array<char, kHeadBytes> head = {};
  stream.read(head.data(), head.size());
  return std::string_view(head.data(), static_cast<std::size_t>(stream.gcount())).find(OrderedJson(kRangesFormat).dump()) !=
         std::string_view::npos;
}

}  // namespace fastvlm
