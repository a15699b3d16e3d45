// tokenize: text to token ids and back, with the tokenizer of a checkpoint or output folder.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/base/error.h"

namespace fastvlm::api {

class Tokenizer {
 public:
  // From tokenizer.json, or vocab.json and merges.txt, of a folder.
  static Result<Tokenizer> load(const std::string& folder);

  // Ids as Hugging Face `tokenizers` gives them; nothing is added in front or behind. Safe from several threads.
  std::vector<std::int32_t> encode(std::string_view text) const;
  // Well-formed UTF-8; ids without a token count as empty.
  std::string decode(const std::vector<std::int32_t>& ids) const;
  // Highest id + 1.
  std::int32_t size() const;

 private:
  struct State;
  explicit Tokenizer(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

}  // namespace fastvlm::api
