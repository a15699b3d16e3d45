#include "fastvlm/text/stream_decoder.h"

#include <utility>

#include "fastvlm/text/utf8.h"

namespace fastvlm {

std::string StreamDecoder::push(std::int32_t id) {
  if (options_.skip_special && tokenizer_->is_special(id)) return {};
  std::string bytes = std::exchange(pending_, {});
  bytes.append(tokenizer_->token_bytes(id));
  std::string text;
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const std::size_t good = valid_utf8_prefix(rest);
    text.append(rest.substr(0, good));
    rest.remove_prefix(good);
    if (rest.empty()) break;
    const Utf8Step step = read_utf8(rest, 0);
    if (step.status == Utf8Status::kIncomplete) {
      pending_ = rest;
      break;
    }
    append_utf8(text, kReplacementCharacter);
    rest.remove_prefix(step.length);
  }
  return text;
}

std::string StreamDecoder::finish() { return to_valid_utf8(std::exchange(pending_, {})); }

}  // namespace fastvlm
