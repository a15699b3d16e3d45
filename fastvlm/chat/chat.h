// chat: questions and answers about a picture, through the static graphs of an output folder or through its plain ones.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/chat/sampler.h"
#include "fastvlm/image/decode.h"
#include "fastvlm/session/image_encoder.h"
#include "fastvlm/session/prompt_cache.h"
#include "fastvlm/text/prompt.h"
#include "fastvlm/text/tokenizer.h"

namespace fastvlm {

// Which graphs of the folder are talked through.
enum class ChatGraphs {
  kStaticFirst,  // those of npu/, or else the plain ones
  kStatic,
  kPlain,  // for any picture size, and contexts as long as the model has
};

// Whether a chat through these will run the plain graphs of the folder.
bool chooses_plain(const OutputFolder& folder, ChatGraphs graphs);

struct ChatOptions {
  Path folder;                             // of export
  OpenGraph open_graph;                    // decides where the graphs run
  std::string recipe = {};                 // of the decoder; empty: fp16, or else the first there is
  std::optional<std::int64_t> image_size;  // nothing: what the model was trained with, or else the largest there is
  SamplingOptions sampling;
  std::int64_t max_new_tokens = 256;
  std::string system = ChatPromptOptions().system;
  // For many pictures; see ImageEncoderOptions. Without it the plain graphs take a prompt as a whole (Joins), so that last bits differ.
  bool keep_vision_open = false;
  ImageDecodeOptions decode;
  ChatGraphs graphs = ChatGraphs::kStaticFirst;
};

enum class Finish {
  kStopToken,  // the model ended its reply
  kMaxNewTokens,
  kContextFull,
  kInterrupted,  // the answer is what came until then
};
// "stop", "length", "context", "interrupted".
std::string_view name(Finish finish);

struct AnswerTimings {
  double vision_seconds = 0;       // 0 when the picture was known already
  double first_token_seconds = 0;  // from the question to the first token, the vision included
  double total_seconds = 0;
  double tokens_per_second = 0;  // of those after the first; 0 when there is none
};

struct Answer {
  std::vector<std::int32_t> ids;  // without the token that ended it
  std::string text;               // special tokens left out
  Finish finish = Finish::kStopToken;
  std::int64_t prompt_tokens = 0;  // in the context before the first token of the answer, picture included
  std::int64_t reused_tokens = 0;  // of these, those that were in the cache already
  AnswerTimings timings;
};

class Chat {
 public:
  // Reads the manifest, the tokenizer and maps the embedding table; graphs are opened with the first question.
  static Result<std::unique_ptr<Chat>> open(ChatOptions options);

  // A new conversation about this picture; without a path, one without a picture. After an Error the old one goes on.
  Status start(const Path& image);
  // The picture that the next start() will name: it is read and encoded in a thread of its own as soon as the next question has got
  // its first token. Needs keep_vision_open.
  void prepare(const Path& image) { wish_ = image; }
  // A new conversation about the same picture. Every conversation draws its random numbers from the seed again.
  void restart();

  // An Error with the numbers when the question does not fit behind what was said so far. Costs no graph run.
  Status check_fits(std::string_view question) const;
  // Answers; on_text hears the text as it becomes certain. An interrupt before the first token is an Error of kInterrupted
  // and takes the question back; after it, the answer ends there.
  Result<Answer> ask(std::string_view question, const std::function<void(std::string_view)>& on_text);

  // Leads the model along a given answer to the first question of a conversation: its logits behind the question, then behind each id
  // that is put in. Nothing counts as said; start() or restart() comes next.
  Result<std::vector<float>> begin_forced(std::string_view question);
  Result<std::vector<float>> force(std::int32_t id);
  // False when no further id fits into the context.
  bool can_force() const { return cache_->position() < cache_->context(); }

  // What was said in this conversation, and about what.
  const std::vector<ChatTurn>& turns() const { return turns_; }
  const Path& image() const { return image_; }
  std::int64_t context() const { return context_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  const OutputFolder& folder() const { return folder_; }  // with the decoder that is talked to
  bool talks_through_plain() const { return plain_; }
  const ChatOptions& options() const { return options_; }
  std::int64_t image_tokens() const { return encoder_->tokens(); }

 private:
  explicit Chat(ChatOptions options) : options_(std::move(options)) {}
  struct Prepared {
    Picture picture;
    std::vector<float> features;  // empty: could not be encoded; trying again tells why
  };
  struct Preparation {
    Path image;
    std::future<Result<Prepared>> work;
  };

  Status read_folder();
  Result<std::int64_t> choose_graphs();
  ImageEncoderOptions encoder_options(std::int64_t size) const;
  void begin_preparing();
  Result<Prepared> load(const Path& image);
  Status open_decoder();
  std::vector<Segment> segments_for(std::string_view question) const;
  Status check_rows(const std::vector<Segment>& segments) const;
  Result<std::span<const float>> features(double& seconds);
  Result<std::vector<float>> run_prompt(const std::vector<Segment>& segments, Answer& answer);
  Status generate(std::vector<float> logits, const std::function<void(std::string_view)>& on_text, Answer& answer);

  ChatOptions options_;
  OutputFolder folder_;
  std::unique_ptr<Tokenizer> tokenizer_;  // the prompt points to it
  std::optional<ChatPrompt> prompt_;
  std::optional<ImageEncoder> encoder_;
  std::optional<Sampler> sampler_;
  std::optional<PromptCache> cache_;
  std::int64_t context_ = 0;
  bool plain_ = false;

  Path image_;
  Picture picture_;              // without its pixels once they were encoded
  std::vector<float> features_;  // of the picture; empty: not yet computed
  std::vector<ChatTurn> turns_;
  std::vector<std::int32_t> unfed_;  // the last id of a reply that did not end by itself: not yet in the cache
  Path wish_;                        // of prepare()
  std::optional<Preparation> next_;  // last: it is waited for while the encoder is still there
};

}  // namespace fastvlm
