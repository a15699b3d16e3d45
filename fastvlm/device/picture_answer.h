// The questions of the self-test on any runner: features of the picture into the prompt, the cache filled, then token by token.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "fastvlm/session/decoder_session.h"

namespace fastvlm::device {

struct AnswerRequest {
  const std::vector<std::vector<std::int32_t>>& pieces;  // of the prompt, the picture between them
  std::span<const float> features;                       // [rows of the picture, hidden_size]
  std::int64_t rows = 1;                                 // of logits, the one of the prompt's last token included
  std::span<const std::int32_t> forced = {};             // what is fed after each row; empty: the largest of the row
};

struct AnswerRows {
  std::vector<float> logits;      // [rows, vocabulary]
  std::vector<std::int32_t> ids;  // the largest of each row
};

// The prompt as vectors [tokens, hidden_size]; an id outside the table is an Error.
Result<std::vector<float>> prompt_vectors(const EmbeddingTable& table, const AnswerRequest& request);

// Empties the cache of the session and answers.
Result<AnswerRows> answer_picture(DecoderSession& session, const EmbeddingTable& table, const AnswerRequest& request);

}  // namespace fastvlm::device
