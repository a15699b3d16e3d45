#include "fastvlm/sensitivity/asked.h"

#include <algorithm>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"
#include "fastvlm/session/decoder_session.h"
#include "fastvlm/session/image_encoder.h"
#include "fastvlm/session/prompt_cache.h"
#include "fastvlm/session/run_graph.h"

namespace fastvlm {
namespace {

Prompt prompt_of(const ChatPrompt& prompt, const std::string& question) {
  const ChatTurn turn{.text = question, .image = true};
  return prompt.conversation({&turn, 1});
}

struct Seen {
  Picture picture;
  std::vector<float> vectors;
};

class FloatModel {
 public:
  static Result<FloatModel> open(const Asking& asking, const OutputFolder& folder, const OpenGraph& open) {
    FloatModel model;
    const GraphEntry* vision = folder.vision(folder.image_size());
    FASTVLM_ASSERT(vision != nullptr, "a static vision graph of the export's own size");
    model.encoder_.emplace(ImageEncoderOptions{.graph = folder.path / vision->file,
                                               .preprocess = {.settings = folder.manifest.preprocessing.settings, .decode = asking.decode},
                                               .hidden_size = folder.text().hidden_size,
                                               .open = open,
                                               .keep_open = true});
    TRY_ASSIGN(Tokenizer tokenizer, Tokenizer::load(folder.path));
    model.tokenizer_ = std::make_unique<Tokenizer>(std::move(tokenizer));
    const std::vector<std::int64_t>& stops = folder.manifest.prompt.stop_token_ids;
    TRY_ASSIGN(model.prompt_, ChatPrompt::create(*model.tokenizer_, {.stop_token_ids = {stops.begin(), stops.end()}}));
    TRY_ASSIGN(EmbeddingTable table, EmbeddingTable::open(folder));
    model.table_.emplace(std::move(table));
    TRY_ASSIGN(const OutputFolder floats, with_recipe(folder, std::string(kFloatRecipe)));
    TRY_ASSIGN(DecoderSession session, open_decoder_session(floats, open));
    model.session_.emplace(std::move(session));
    return model;
  }

  Result<Seen> see(const Path& file) {
    Seen seen;
    TRY_ASSIGN(seen.picture, encoder_->load(file));
    TRY_ASSIGN(seen.vectors, encoder_->encode(seen.picture));
    return seen;
  }

  Result<AskedRows> ask(const std::string& question, const Seen& seen, std::int64_t most) {
    const auto& [picture, vectors] = seen;
    AskedRows asked;
    for (const Segment& segment : segments_of(prompt_of(*prompt_, question), picture.hash, encoder_->tokens())) {
      if (!segment.picture.empty()) asked.image_row = static_cast<std::int64_t>(asked.rows.size()) / session_->hidden_size();
      const std::vector<float> part = segment.picture.empty() ? table_->vectors(segment.ids) : vectors;
      asked.rows.insert(asked.rows.end(), part.begin(), part.end());
    }
    const std::int64_t width = session_->hidden_size();
    asked.first = static_cast<std::int64_t>(asked.rows.size()) / width - 1;
    session_->reset();
    TRY_ASSIGN(std::vector<float> logits, session_->prefill(asked.rows));
    // The row of the last token says whether the reply ends there; one that was cut off does not.
    for (std::int64_t i = 0; i < most; ++i) {
      TRY(check_interrupt());
      const auto id = static_cast<std::int32_t>(index_of_largest(logits));
      if (prompt_->ends_reply(id) || i + 1 == most) break;
      const std::span<const float> row = table_->row(id);
      asked.rows.insert(asked.rows.end(), row.begin(), row.end());
      TRY_ASSIGN(logits, session_->step(row));
    }
    asked.count = static_cast<std::int64_t>(asked.rows.size()) / width;
    return asked;
  }

 private:
  std::unique_ptr<Tokenizer> tokenizer_;
  std::optional<ChatPrompt> prompt_;
  std::optional<ImageEncoder> encoder_;
  std::optional<EmbeddingTable> table_;
  std::optional<DecoderSession> session_;
};

}  // namespace

Result<std::int64_t> longest_sequence(const Asking& asking, const Tokenizer& tokenizer, std::int64_t image_tokens) {
  TRY_ASSIGN(const ChatPrompt prompt, ChatPrompt::create(tokenizer));
  std::int64_t longest = 0;
  for (const std::string& question : asking.prompts)
    longest = std::max(longest, row_count(segments_of(prompt_of(prompt, question), "", image_tokens)));
  return longest + asking.reply_tokens;
}

Result<Asked> ask_floats(const Asking& asking, const OutputFolder& folder, const OpenGraph& open, Progress& progress) {
  const std::size_t pairs = std::max(asking.pictures.size(), asking.prompts.size());
  progress.start("asking the float model", pairs);
  TRY_ASSIGN(FloatModel model, FloatModel::open(asking, folder, open));
  Asked asked;
  for (std::size_t picture = 0; picture < asking.pictures.size(); ++picture) {
    TRY_ASSIGN(Seen seen, model.see(asking.pictures[picture]));
    for (std::size_t pair = picture; pair < pairs; pair += asking.pictures.size()) {
      TRY_ASSIGN(asked.sequences.emplace_back(), model.ask(asking.prompts[pair % asking.prompts.size()], seen, asking.reply_tokens));
      asked.sequences.back().picture = picture;
      progress.advance(1);
    }
    if (asking.keep_pixels) asked.pixels.push_back(std::move(seen.picture.pixel_values));
  }
  return asked;
}

}  // namespace fastvlm
