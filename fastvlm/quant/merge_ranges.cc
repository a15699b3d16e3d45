#include "fastvlm/quant/merge_ranges.h"

#include <array>
#include <fstream>

#include "fastvlm/base/json.h"
#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr std::size_t kHeadBytes = 256;

// Name of the one set that a shard was made of.
Result<std::string> set_of(const Ranges& ranges, const Path& file) {
  if (ranges.seen.size() == 1) return ranges.seen.begin()->first;
  return bad_input("{}: holds {} sets of pictures and questions, expected a shard of one; `calibrate --merge` adds sets", file.string(),
                   ranges.seen.size());
}

Status check_complete(const Ranges& ranges) {
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
  for (const Path& file : shards.subspan(1)) {
    TRY_ASSIGN(const Ranges shard, read_ranges(file));
    TRY_ASSIGN(const std::string other, set_of(shard, file));
    if (other != set)
      return bad_input("{}: does not belong to {}: other pictures or questions, or asked in another way", file.string(),
                       shards.front().string());
    if (Status added = merged.merge(shard); !added.ok()) return std::move(added).error().within(file.string());
  }
  TRY(check_complete(merged));
  return merged;
}

bool is_ranges_file(const Path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::array<char, kHeadBytes> head = {};
  stream.read(head.data(), head.size());
  return std::string_view(head.data(), static_cast<std::size_t>(stream.gcount())).find(OrderedJson(kRangesFormat).dump()) !=
         std::string_view::npos;
}

}  // namespace fastvlm
