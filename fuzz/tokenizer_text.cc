// Any bytes can be encoded; decoding gives the NFC of the text, at once and as a stream.
#include <cstdlib>

#include "fastvlm/text/stream_decoder.h"
#include "fastvlm/text/tokenizer.h"
#include "fastvlm/text/unicode.h"
#include "fastvlm/text/utf8.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fastvlm::Tokenizer tokenizer = *fastvlm::Tokenizer::load(FASTVLM_TEST_DATA "/golden/hf-unfused/checkpoint");
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::vector<std::int32_t> plain = tokenizer.encode(text, {.added_tokens = AddedTokens::kNone});
  std::string buffer;
  const std::string valid = fastvlm::to_valid_utf8(text);
  if (tokenizer.decode(plain) != fastvlm::to_nfc(valid, buffer)) std::abort();
  for (const std::int32_t id : plain) {
    if (tokenizer.is_special(id)) std::abort();
  }

  // The bytes as ids: what a model might sample.
  std::vector<std::int32_t> ids = tokenizer.encode(text);
  for (std::size_t i = 0; i < size; ++i) ids.push_back(data[i]);
  fastvlm::StreamDecoder stream(tokenizer);
  std::string streamed;
  for (const std::int32_t id : ids) streamed += stream.push(id);
  if (streamed + stream.finish() != tokenizer.decode(ids)) std::abort();
  return 0;
}
