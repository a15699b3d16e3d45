#include "fastvlm/quant/kept_ranges.h"

#include <fmt/format.h>

#include <utility>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/try.h"

namespace fastvlm {

KeptRanges::KeptRanges(KeepOptions options, std::string model, const std::string& set, std::size_t pictures)
    : options_(std::move(options)),
      model_(std::move(model)),
      key_(sha256_of(fmt::format("so far\n{}\n{}\n", set, options_.how))),
      pictures_(pictures) {}

std::size_t KeptRanges::take(Ranges& ranges) {
  std::error_code failure;
  if (options_.file.empty() || !std::filesystem::exists(options_.file, failure)) return 0;
  Result<Ranges> kept = read_ranges(options_.file);
  if (!kept.ok() || kept->model != model_ || kept->seen.size() != 1 || !kept->seen.contains(key_)) return 0;
  const SeenParts seen = kept->seen.at(key_);
  const std::size_t count = seen.parts.size();
  if (seen.of != pictures_ + 1 || *seen.parts.rbegin() != count) return 0;
  kept->seen.clear();
  ranges = *std::move(kept);
  return kept_ = count;
}

// As one part more than there are pictures, so that nobody takes the file for a whole calibration.
Status KeptRanges::keep(const Ranges& ranges, std::size_t seen) {
  const auto now = std::chrono::steady_clock::now();
  if (options_.file.empty() || now - last_ < options_.every) return {};
  last_ = now;
  Ranges kept = ranges;
  kept.model = model_;
  kept.pictures = seen;
  SeenParts parts{.of = pictures_ + 1, .parts = {}};
  for (std::uint64_t i = 1; i <= seen; ++i) parts.parts.insert(i);
  kept.seen = {{key_, std::move(parts)}};
  TRY(write_ranges(options_.file, kept));
  kept_ = seen;
  return {};
}

Error KeptRanges::with_what_is_kept(Error error) const {
  if (error.kind == ErrorKind::kInterrupted && kept_ > 0)
    error.message = fmt::format("interrupted; the ranges of {} of {} pictures are kept in {}, run the same again to go on", kept_,
                                pictures_, options_.file.string());
  return error;
}

}  // namespace fastvlm
