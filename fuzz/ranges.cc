// Any bytes as a file of ranges: an error, or ranges that are written and read again as the same; and the quick way of reading
// agrees with the JSON parser, which is what a blank at the end asks for.
#include "fastvlm/quant/ranges.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fastvlm;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto ranges = parse_ranges(text, "fuzz");
  const auto as_json = parse_ranges(std::string(text) + " ", "fuzz");
  FASTVLM_ASSERT(ranges.ok() == as_json.ok(), "both ways take it or refuse it");
  if (!ranges.ok()) {
    FASTVLM_ASSERT(ranges.error().kind == ErrorKind::kBadInput && !ranges.error().message.empty(), "a sentence about the file");
    return 0;
  }
  FASTVLM_ASSERT(*ranges == *as_json, "both ways read the same");
  auto again = parse_ranges(ranges_text(*ranges), "written");
  FASTVLM_ASSERT(again.ok() && *again == *ranges, "it stays the same");
  again->seen.clear();  // a part is not added twice
  FASTVLM_ASSERT(ranges->merge(*again).ok(), "it adds up with itself");
  return 0;
}
