#include "fastvlm/device/picture_answer.h"

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"
#include "fastvlm/session/run_graph.h"

namespace fastvlm::device {

Result<std::vector<float>> prompt_vectors(const EmbeddingTable& table, const AnswerRequest& request) {
  std::vector<float> rows;
  for (std::size_t piece = 0; piece < request.pieces.size(); ++piece) {
    if (piece > 0) rows.insert(rows.end(), request.features.begin(), request.features.end());
    const std::vector<std::int64_t> ids(request.pieces[piece].begin(), request.pieces[piece].end());
    TRY_ASSIGN(const Tensor vectors, table.gather(ids));
    rows.insert(rows.end(), vectors.floats().begin(), vectors.floats().end());
  }
  return rows;
}

Result<AnswerRows> answer_picture(DecoderSession& session, const EmbeddingTable& table, const AnswerRequest& request) {
  const auto width = static_cast<std::size_t>(table.width());
  TRY_ASSIGN(const std::vector<float> prompt, prompt_vectors(table, request));
  if (session.hidden_size() != table.width() || prompt.size() < width || prompt.size() % width != 0)
    return bad_input("{} numbers are no prompt of rows of {}, which the decoder takes", prompt.size(), session.hidden_size());
  const std::span<const float> rows(prompt);
  session.reset();
  if (rows.size() > width) TRY(session.extend(rows.first(rows.size() - width)));
  TRY_ASSIGN(std::vector<float> logits, session.step(rows.last(width)));
  AnswerRows answer;
  for (std::int64_t row = 0;; ++row) {
    answer.logits.insert(answer.logits.end(), logits.begin(), logits.end());
    answer.ids.push_back(static_cast<std::int32_t>(index_of_largest(logits)));
    if (row + 1 == request.rows) return answer;
    TRY(check_interrupt());
    const std::int64_t next = request.forced.empty() ? answer.ids.back() : request.forced[static_cast<std::size_t>(row)];
    TRY_ASSIGN(const Tensor vector, table.gather({&next, 1}));
    TRY_ASSIGN(logits, session.step(vector.floats()));
  }
}

}  // namespace fastvlm::device
