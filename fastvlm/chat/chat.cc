#include "fastvlm/chat/chat.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"
#include "fastvlm/session/plain_graphs.h"
#include "fastvlm/text/stream_decoder.h"

namespace fastvlm {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

std::vector<std::int64_t> picture_sizes(const OutputFolder& folder) {
  std::vector<std::int64_t> sizes;
  for (const GraphEntry& graph : folder.manifest.graphs)
    if (graph.role == GraphRole::kVision) sizes.push_back(graph.extents.image_size);
  return sizes;
}

bool has_static_graphs(const OutputFolder& folder) {
  return !picture_sizes(folder).empty() && folder.manifest.find(GraphRole::kDecoder) != nullptr;
}

// The graph for the size asked for; the trained size, or else the largest, when none is.
Result<std::int64_t> choose_image_size(const OutputFolder& folder, std::optional<std::int64_t> wanted) {
  const std::vector<std::int64_t> sizes = picture_sizes(folder);
  const std::int64_t size = wanted.value_or(folder.image_size());
  if (std::ranges::find(sizes, size) != sizes.end()) return size;
  if (!wanted) return std::ranges::max(sizes);
  return bad_option("image_size", "{}: the folder has vision graphs for {} only", size, fmt::join(sizes, ", "));
}

std::vector<std::int32_t> stop_tokens(const PromptContract& prompt) { return {prompt.stop_token_ids.begin(), prompt.stop_token_ids.end()}; }

std::vector<bool> tokens_of(const Tokenizer& tokenizer) {
  std::vector<bool> allowed(static_cast<std::size_t>(tokenizer.size()));
  for (std::int32_t id = 0; id < tokenizer.size(); ++id) allowed[static_cast<std::size_t>(id)] = tokenizer.is_token(id);
  return allowed;
}

}  // namespace

std::string_view name(Finish finish) {
  switch (finish) {
    case Finish::kStopToken: return "stop";
    case Finish::kMaxNewTokens: return "length";
    case Finish::kContextFull: return "context";
    case Finish::kInterrupted: return "interrupted";
  }
  return "";
}

bool chooses_plain(const OutputFolder& folder, ChatGraphs graphs) {
  return graphs == ChatGraphs::kPlain || (graphs == ChatGraphs::kStaticFirst && !has_static_graphs(folder));
}

// ---- Opening ------------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Chat>> Chat::open(ChatOptions options) {
  TRY(check_sampling(options.sampling));
  if (options.max_new_tokens < 1) return bad_option("max_new_tokens", "{}: must be at least 1", options.max_new_tokens);
  std::unique_ptr<Chat> chat(new Chat(std::move(options)));
  TRY(chat->read_folder());
  return chat;
}

// Which graphs, for which picture size.
Result<std::int64_t> Chat::choose_graphs() {
  plain_ = chooses_plain(folder_, options_.graphs);
  if (!plain_ && !has_static_graphs(folder_))
    return bad_input("{}: has no static graphs, which an NPU needs; export again with `targets`, for example `targets` sm8750",
                     folder_.path.string());
  if (plain_ && !has_plain_graphs(folder_)) return bad_input("{}: has no graphs to talk through; export again", folder_.path.string());
  if (plain_ && !options_.recipe.empty())
    return bad_option("recipe", "{}: the plain graphs of {} have no recipes; leave it out, or export with `targets`", options_.recipe,
                      folder_.path.string());
  if (plain_) {
    context_ = folder_.text().max_position_embeddings;
    return options_.image_size.value_or(folder_.image_size());
  }
  TRY_ASSIGN(folder_, with_recipe(std::move(folder_), options_.recipe));
  for (const GraphEntry& graph : folder_.manifest.graphs)
    if (graph.extents.new_tokens == 1) context_ = graph.extents.context;
  return choose_image_size(folder_, options_.image_size);
}

ImageEncoderOptions Chat::encoder_options(std::int64_t size) const {
  ImageEncoderOptions encoder{
      .graph = folder_.path / (plain_ ? folder_.plain(GraphRole::kVisionEncoder) : *folder_.vision(size)).file,
      .preprocess = {.settings = folder_.manifest.preprocessing.settings.at_size(static_cast<int>(size)), .decode = options_.decode},
      .hidden_size = folder_.text().hidden_size,
      .open = options_.open_graph,
      .keep_open = options_.keep_vision_open};
  if (plain_)
    encoder.open = [folder = folder_, size, open = options_.open_graph](const Path&) { return open_plain_pictures(folder, size, open); };
  return encoder;
}

Status Chat::read_folder() {
  TRY_ASSIGN(folder_, open_static_folder(options_.folder));
  TRY_ASSIGN(const std::int64_t size, choose_graphs());
  TRY(check_image_size(static_cast<int>(size)));
  encoder_.emplace(encoder_options(size));
  TRY_ASSIGN(Tokenizer tokenizer, Tokenizer::load(options_.folder));
  if (tokenizer.size() > folder_.text().vocab_size)
    return bad_input("{}: the tokenizer has {} ids, the model only {}; they do not belong together", options_.folder.string(),
                     tokenizer.size(), folder_.text().vocab_size);
  tokenizer_ = std::make_unique<Tokenizer>(std::move(tokenizer));
  TRY_ASSIGN(prompt_, ChatPrompt::create(*tokenizer_, {.system = options_.system, .stop_token_ids = stop_tokens(folder_.manifest.prompt)}));
  sampler_.emplace(options_.sampling, tokens_of(*tokenizer_));
  return {};
}

Status Chat::open_decoder() {
  if (cache_) return {};
  TRY_ASSIGN(EmbeddingTable table, EmbeddingTable::open(folder_));
  TRY_ASSIGN(DecoderSession session,
             plain_ ? open_plain_decoder(folder_, options_.open_graph) : open_decoder_session(folder_, options_.open_graph));
  // One picture after another: what stands before it is the same each time.
  const Joins joins = options_.keep_vision_open ? Joins::kSmallPictures : Joins::kWholePrompt;
  TRY_ASSIGN(cache_, PromptCache::create(std::move(session), std::move(table), joins));
  return {};
}

// ---- Conversations ------------------------------------------------------------------------------------------------------

// The prepared picture, or else one that is read now.
Result<Chat::Prepared> Chat::load(const Path& image) {
  if (next_) {
    Preparation next = *std::exchange(next_, std::nullopt);
    Result<Prepared> prepared = next.work.get();
    if (next.image == image) return prepared;
  }
  Prepared prepared;
  if (!image.empty()) {
    TRY_ASSIGN(prepared.picture, encoder_->load(image));
  }
  return prepared;
}

void Chat::begin_preparing() {
  const Path image = std::exchange(wish_, {});
  if (image.empty() || image == image_ || next_ || !options_.keep_vision_open) return;
  next_ = {.image = image, .work = std::async(std::launch::async, [this, image]() -> Result<Prepared> {
                             Prepared prepared;
                             TRY_ASSIGN(prepared.picture, encoder_->load(image));
                             auto features = encoder_->encode(prepared.picture);
                             if (features.ok()) prepared.features = *std::move(features);
                             return prepared;
                           })};
}

Status Chat::start(const Path& image) {
  TRY_ASSIGN(Prepared prepared, load(image));
  if (prepared.picture.hash != picture_.hash) {
    picture_ = std::move(prepared.picture);
    features_ = std::move(prepared.features);
    if (!features_.empty()) picture_.pixel_values = {};
  }
  image_ = image;
  restart();
  return {};
}

void Chat::restart() {
  turns_.clear();
  unfed_.clear();
  sampler_->restart();
}

std::vector<Segment> Chat::segments_for(std::string_view question) const {
  ChatTurn turn{.text = std::string(question), .image = turns_.empty() && !image_.empty()};
  Prompt prompt = turns_.empty() ? prompt_->conversation({&turn, 1}) : prompt_->next_turn(turn);
  prompt.pieces.front().insert(prompt.pieces.front().begin(), unfed_.begin(), unfed_.end());
  return segments_of(prompt, picture_.hash, encoder_->tokens());
}

Status Chat::check_rows(const std::vector<Segment>& segments) const {
  const std::int64_t before = turns_.empty() ? 0 : cache_->position(), rows = row_count(segments);
  if (before + rows <= context_) return {};
  std::int64_t picture = 0;
  for (const Segment& segment : segments)
    if (!segment.picture.empty()) picture += segment.rows;
  std::string parts = fmt::format("{} of text", rows - picture);
  if (picture > 0) parts += fmt::format(" and {} of the picture", picture);
  if (before == 0)
    return bad_usage("the prompt has {} tokens ({}), but the context has {}; shorten it or export with a larger `context`", rows, parts,
                     context_);
  return bad_usage("the question has {} tokens ({}) behind the {} of the conversation, but the context has {}; shorten it or begin anew",
                   rows, parts, before, context_);
}

Status Chat::check_fits(std::string_view question) const { return check_rows(segments_for(question)); }

Result<std::span<const float>> Chat::features(double& seconds) {
  if (features_.empty()) {
    const auto begin = Clock::now();
    if (next_) next_->work.wait();  // one picture at a time
    TRY_ASSIGN(features_, encoder_->encode(picture_));
    picture_.pixel_values = {};
    seconds = seconds_since(begin);
  }
  return std::span<const float>(features_);
}

Result<Answer> Chat::ask(std::string_view question, const std::function<void(std::string_view)>& on_text) {
  const auto begin = Clock::now();
  const std::vector<Segment> segments = segments_for(question);
  TRY(check_rows(segments));
  Answer answer;
  TRY_ASSIGN(std::vector<float> logits, run_prompt(segments, answer));
  begin_preparing();
  turns_.push_back({.text = std::string(question), .image = turns_.empty() && !image_.empty()});
  unfed_.clear();
  const auto heard = [&, first = true](std::string_view text) mutable {
    if (std::exchange(first, false)) answer.timings.first_token_seconds = seconds_since(begin);
    if (text.empty()) return;
    answer.text += text;
    if (on_text) on_text(text);
  };
  Status generated = generate(std::move(logits), heard, answer);
  turns_.push_back({.role = Role::kAssistant, .text = answer.text});
  TRY(std::move(generated));
  AnswerTimings& timings = answer.timings;
  timings.total_seconds = seconds_since(begin);
  if (answer.ids.size() > 1)
    timings.tokens_per_second = static_cast<double>(answer.ids.size() - 1) / (timings.total_seconds - timings.first_token_seconds);
  return answer;
}

Result<std::vector<float>> Chat::begin_forced(std::string_view question) {
  FASTVLM_ASSERT(turns_.empty(), "the first question of a conversation");
  const std::vector<Segment> segments = segments_for(question);
  TRY(check_rows(segments));
  Answer ignored;
  return run_prompt(segments, ignored);
}

Result<std::vector<float>> Chat::force(std::int32_t id) {
  FASTVLM_ASSERT(can_force() && tokenizer_->is_token(id), "a token that fits");
  TRY(check_interrupt());
  return cache_->step(id);
}

// A question that fails leaves the conversation as it was before.
Result<std::vector<float>> Chat::run_prompt(const std::vector<Segment>& segments, Answer& answer) {
  // The vision graph goes first and is closed again, so that its memory is there for the decoder.
  std::size_t known = turns_.empty() && cache_ ? cache_->shared(segments) : 0;
  const bool new_picture = std::any_of(segments.begin() + static_cast<std::ptrdiff_t>(known), segments.end(),
                                       [](const Segment& s) { return !s.picture.empty(); });
  if (new_picture) TRY(features(answer.timings.vision_seconds));
  TRY(open_decoder());
  const std::size_t before = turns_.empty() ? known : cache_->size();
  cache_->keep(before);
  answer.reused_tokens = cache_->position();
  auto logits = cache_->append(std::span(segments).subspan(known), [&] { return features(answer.timings.vision_seconds); });
  if (!logits.ok() && !turns_.empty()) cache_->keep(before);
  answer.prompt_tokens = cache_->position();
  return logits;
}

Status Chat::generate(std::vector<float> logits, const std::function<void(std::string_view)>& on_text, Answer& answer) {
  StreamDecoder decoder(*tokenizer_, {.skip_special = true});
  const auto ended_by = [&](Finish finish) {
    answer.finish = finish;
    if (finish != Finish::kStopToken) unfed_ = {answer.ids.back()};
    on_text(decoder.finish());
    return Status();
  };
  while (true) {
    TRY_ASSIGN(const std::int32_t id, sampler_->sample(logits));
    if (prompt_->ends_reply(id)) return ended_by(Finish::kStopToken);
    answer.ids.push_back(id);
    on_text(decoder.push(id));
    if (interrupted()) return ended_by(Finish::kInterrupted);
    if (static_cast<std::int64_t>(answer.ids.size()) == options_.max_new_tokens) return ended_by(Finish::kMaxNewTokens);
    if (cache_->position() == cache_->context()) return ended_by(Finish::kContextFull);
    auto next = cache_->step(id);
    if (!next.ok() && next.error().kind == ErrorKind::kInterrupted) return ended_by(Finish::kInterrupted);
    TRY_ASSIGN(logits, std::move(next));
  }
}

}  // namespace fastvlm
