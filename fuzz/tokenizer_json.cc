// A tokenizer.json from a stranger is refused with a sentence or gives a tokenizer that restores text. The input is the file,
// or a JSON patch (RFC 6902) on a good one, so that mutations get past the outermost checks.
#include <cstdlib>

#include "fastvlm/base/json.h"
#include "fastvlm/text/tokenizer.h"
#include "fastvlm/text/unicode.h"

namespace {

void check(std::string_view text) {
  const auto tokenizer = fastvlm::Tokenizer::from_json(text, "fuzz");
  if (!tokenizer.ok()) {
    if (!tokenizer.error().message.starts_with("fuzz: ")) std::abort();
    return;
  }
  const std::string sample = "it's 12 e\u0301 <image>\n\n <|im_end|>";
  const std::string restored = tokenizer->decode(tokenizer->encode(sample, {.added_tokens = AddedTokens::kNone}));
  std::string buffer;
  if (restored != sample && restored != fastvlm::to_nfc(sample, buffer)) std::abort();
  tokenizer->decode(tokenizer->encode(sample));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fastvlm::Json good = *fastvlm::read_json_file(FASTVLM_TEST_DATA "/golden/hf-unfused/checkpoint/tokenizer.json");
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check(text);
  const auto patch = fastvlm::parse_json(text, "patch");
  if (!patch.ok()) return 0;
  try {
    check(good.patch(*patch).dump());
  } catch (const fastvlm::Json::exception&) {
    // Not a patch that applies.
  }
  return 0;
}
