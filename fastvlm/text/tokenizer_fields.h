// The fields that tokenizer.json and the slow files have in common. Used by their two readers only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/base/result.h"
#include "fastvlm/text/tokenizer_parts.h"

namespace fastvlm {

// True only for a member that is there and true.
bool read_flag(const Json& object, std::string_view key);

// An id from 0 to kMaxTokenId. `token` is named in the error.
Result<std::int32_t> read_token_id(const Json& value, std::string_view token, std::string_view what);

// An object from spellings to ids, ascending by id.
Result<std::vector<VocabularyEntry>> read_vocabulary(const Json& object, std::string_view what);

// "left right".
Result<std::pair<std::string, std::string>> split_merge(std::string_view merge, std::string_view what);

// One entry of "added_tokens" or of "added_tokens_decoder".
Result<AddedToken> read_added_token(const Json& object, std::int32_t id, std::string_view what);

// Sorts by id and refuses what no tokenizer can mean.
Status check_added_tokens(std::vector<AddedToken>& tokens, std::string_view what);

}  // namespace fastvlm
