// What lies in the cache of the decoder, segment by segment, so that the next prompt computes only what is new.
//
// Each segment enters the cache by itself, or together with those that Joins says, and leaves it so: its numbers do not depend on what
// was reused before it, and an answer is the same whether its prefix was there already or not.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "fastvlm/session/decoder_session.h"
#include "fastvlm/text/prompt.h"

namespace fastvlm {

// A stretch of a prompt: token ids, or the vectors of a picture.
struct Segment {
  std::vector<std::int32_t> ids;
  std::string picture;    // names the content of the picture; empty for ids
  std::int64_t rows = 0;  // of either
  bool reply = false;     // ids that the model gave one by one
  bool operator==(const Segment&) const = default;
};

// The pieces of a prompt and its pictures, all of which are `picture` with `picture_rows` rows.
std::vector<Segment> segments_of(const Prompt& prompt, const std::string& picture, std::int64_t picture_rows);
std::int64_t row_count(std::span<const Segment> segments);

// What enters together where a graph takes any number of tokens; static graphs take every segment by itself.
enum class Joins {
  kSmallPictures,  // with the text behind them; the text before any picture stays for the next one, and so does a large picture
  kWholePrompt,    // everything that is put in at once: for one conversation
};

class PromptCache {
 public:
  // An Error when the table does not fit the graphs.
  static Result<PromptCache> create(DecoderSession session, EmbeddingTable table, Joins joins = Joins::kSmallPictures);

  std::int64_t position() const { return session_.position(); }
  std::int64_t context() const { return session_.context(); }
  const DecoderSession& session() const { return session_; }

  // How many segments are in the cache, and how many of `prompt` are its beginning. The last of a prompt never counts: it
  // must be run for its logits.
  std::size_t size() const { return segments_.size(); }
  std::size_t shared(std::span<const Segment> prompt) const;

  // Forgets all but the first segments.
  void keep(std::size_t segments);
  // Puts segments behind those that are there and returns the logits of the last row. `picture` is called at most once, when a
  // picture comes: [rows, hidden_size]. After an Error the segments that were finished stay.
  using PictureVectors = std::function<Result<std::span<const float>>()>;
  Result<std::vector<float>> append(std::span<const Segment> segments, const PictureVectors& picture);
  // Puts one id of a reply behind them and returns its logits.
  Result<std::vector<float>> step(std::int32_t id);

 private:
  PromptCache(DecoderSession session, EmbeddingTable table, Joins joins)
      : session_(std::move(session)), table_(std::move(table)), joins_(joins) {}
  std::size_t group_end(std::span<const Segment> segments, std::size_t begin) const;
  Result<std::vector<float>> run_last(std::span<const float> rows);
  Result<std::vector<float>> vectors(const Segment& segment, const PictureVectors& picture) const;

  DecoderSession session_;
  EmbeddingTable table_;
  Joins joins_ = Joins::kSmallPictures;
  std::vector<Segment> segments_;
};

}  // namespace fastvlm
