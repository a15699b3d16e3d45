#include "fastvlm/session/prompt_cache.h"

#include <algorithm>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

// Rows of a picture that cost little beside reading the weights once more.
constexpr std::int64_t kSmallPicture = 64;

}  // namespace

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

Result<PromptCache> PromptCache::create(DecoderSession session, EmbeddingTable table, Joins joins) {
  if (session.hidden_size() != table.width() || session.vocab_size() > table.rows())
    return bad_input("the decoder graphs have width {} and {} tokens, the embedding table {} and {}; export again", session.hidden_size(),
                     session.vocab_size(), table.width(), table.rows());
  return PromptCache(std::move(session), std::move(table), joins);
}

// Depends on the segments alone, not on what is in the cache.
std::size_t PromptCache::group_end(std::span<const Segment> segments, std::size_t begin) const {
  if (!session_.takes_any()) return begin + 1;
  if (joins_ == Joins::kWholePrompt) return segments.size();
  std::size_t end = begin + 1;
  while (end < segments.size() && !segments[end - 1].picture.empty() && segments[end - 1].rows <= kSmallPicture) ++end;
  return end;
}

std::size_t PromptCache::shared(std::span<const Segment> prompt) const {
  std::size_t count = 0;
  for (std::size_t end = 0; count < prompt.size(); count = end) {
    end = group_end(prompt, count);
    if (end >= prompt.size() || end > segments_.size() ||
        !std::equal(prompt.begin(), prompt.begin() + static_cast<std::ptrdiff_t>(end), segments_.begin()))
      break;
  }
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

// One row of logits is much smaller than those of a whole chunk, which static graphs would give.
Result<std::vector<float>> PromptCache::run_last(std::span<const float> rows) {
  if (session_.takes_any()) return session_.prefill(rows);
  const auto width = static_cast<std::size_t>(table_.width());
  if (rows.size() > width) TRY(session_.extend(rows.first(rows.size() - width)));
  return session_.step(rows.last(width));
}

Result<std::vector<float>> PromptCache::append(std::span<const Segment> segments, const PictureVectors& picture) {
  std::vector<float> logits;
  for (std::size_t begin = 0, end = 0; begin < segments.size(); begin = end) {
    end = group_end(segments, begin);
    const auto run = [&]() -> Status {
      TRY(check_interrupt());
      std::vector<float> rows;
      for (const Segment& segment : segments.subspan(begin, end - begin)) {
        TRY_ASSIGN(const std::vector<float> more, vectors(segment, picture));
        rows.insert(rows.end(), more.begin(), more.end());
      }
      if (end < segments.size()) return session_.extend(rows);
      TRY_ASSIGN(logits, run_last(rows));
      return {};
    };
    if (Status done = run(); !done.ok()) {
      keep(segments_.size());
      return std::move(done).error();
    }
    segments_.insert(segments_.end(), segments.begin() + static_cast<std::ptrdiff_t>(begin),
                     segments.begin() + static_cast<std::ptrdiff_t>(end));
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
