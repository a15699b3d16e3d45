#include "fastvlm/session/prompt_cache.h"

#include <algorithm>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"

namespace fastvlm {

std::vector<Segment> segments_of(const Prompt& prompt, const std::string& picture, std::int64_t picture_rows) {
  std::vector<Segment> segments;
  for (std::size_t i = 0; i < prompt.pieces.size(); ++i) {
    if (i > 0) segments.push_back({.picture = picture, .rows = picture_rows});
    if (!prompt.pieces[i].empty())
      segments.push_back({.ids = prompt.pieces[i], .rows = static_cast<std::int64_t>(prompt.pieces[i].size())});
  }
  return segments;
}

std::int64_t row_count(std::span<const Segment> segments) {
  std::int64_t rows = 0;
  for (const Segment& segment : segments) rows += segment.rows;
  return rows;
}

Result<PromptCache> PromptCache::create(DecoderSession session, EmbeddingTable table) {
  if (session.hidden_size() != table.width() || session.vocab_size() > table.rows())
    return bad_input("the decoder graphs have width {} and {} tokens, the embedding table {} and {}; export again", session.hidden_size(),
                     session.vocab_size(), table.width(), table.rows());
  return PromptCache(std::move(session), std::move(table));
}

std::size_t PromptCache::shared(std::span<const Segment> prompt) const {
  std::size_t count = 0;
  while (count + 1 < prompt.size() && count < segments_.size() && prompt[count] == segments_[count]) ++count;
  return count;
}

void PromptCache::keep(std::size_t segments) {
  segments_.resize(std::min(segments, segments_.size()));
  const std::int64_t rows = row_count(segments_);
  if (rows != session_.position()) session_.truncate_to(rows);
}

Result<std::vector<float>> PromptCache::vectors(const Segment& segment, const PictureVectors& picture) const {
  if (!segment.picture.empty()) {
    TRY_ASSIGN(const std::span<const float> rows, picture());
    FASTVLM_ASSERT(rows.size() == static_cast<std::size_t>(segment.rows * table_.width()), "the picture has the rows of its segment");
    return std::vector<float>(rows.begin(), rows.end());
  }
  return table_.vectors(segment.ids);
}

Result<std::vector<float>> PromptCache::append(std::span<const Segment> segments, const PictureVectors& picture) {
  const auto width = static_cast<std::size_t>(table_.width());
  std::vector<float> logits;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const auto run = [&]() -> Status {
      TRY(check_interrupt());
      TRY_ASSIGN(const std::vector<float> rows, vectors(segments[i], picture));
      if (i + 1 < segments.size()) return session_.extend(rows);
      // One row of logits is much smaller than those of a whole chunk.
      const auto [first, last] = std::pair(std::span(rows).first(rows.size() - width), std::span(rows).last(width));
      if (!first.empty()) TRY(session_.extend(first));
      TRY_ASSIGN(logits, session_.step(last));
      return {};
    };
    if (Status done = run(); !done.ok()) {
      keep(segments_.size());
      return std::move(done).error();
    }
    segments_.push_back(segments[i]);
  }
  return logits;
}

Result<std::vector<float>> PromptCache::step(std::int32_t id) {
  TRY_ASSIGN(std::vector<float> logits, session_.step(table_.row(id)));
  if (segments_.empty() || !segments_.back().reply) segments_.push_back({.reply = true});
  segments_.back().ids.push_back(id);
  ++segments_.back().rows;
  return logits;
}

}  // namespace fastvlm
