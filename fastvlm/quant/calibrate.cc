#include "fastvlm/quant/calibrate.h"

#include <fmt/format.h>

#include <algorithm>

#include "fastvlm/base/ascii.h"
#include "fastvlm/base/hash.h"
#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/json.h"
#include "fastvlm/base/try.h"
#include "fastvlm/session/decoder_session.h"
#include "fastvlm/session/image_encoder.h"
#include "fastvlm/session/prompt_cache.h"
#include "fastvlm/session/run_graph.h"
#include "fastvlm/text/prompt.h"

namespace fastvlm {
namespace {

constexpr std::size_t kMaxPromptsBytes = std::size_t{16} << 20;

class Calibration {
 public:
  explicit Calibration(const CalibrateOptions& options) : options_(options), recorder_(options.open, options.record) {}

  Status open() {
    TRY_ASSIGN(folder_, open_output_folder(options_.folder));
    const GraphEntry* vision = folder_.vision(folder_.image_size());
    if (vision == nullptr) return bad_input("{}: has no static vision graph", options_.folder.string());
    const OpenGraph recorded = [this](const Path& model) { return recorder_.open(model); };
    encoder_.emplace(ImageEncoderOptions{.graph = folder_.path / vision->file,
                                         .preprocess = {.settings = folder_.manifest.preprocessing.settings, .decode = options_.decode},
                                         .hidden_size = folder_.text().hidden_size,
                                         .open = recorded,
                                         .keep_open = true});
    TRY_ASSIGN(Tokenizer tokenizer, Tokenizer::load(options_.folder));
    tokenizer_ = std::make_unique<Tokenizer>(std::move(tokenizer));
    const std::vector<std::int64_t>& stops = folder_.manifest.prompt.stop_token_ids;
    TRY_ASSIGN(prompt_, ChatPrompt::create(*tokenizer_, {.stop_token_ids = {stops.begin(), stops.end()}}));
    TRY_ASSIGN(EmbeddingTable table, EmbeddingTable::open(folder_));
    table_.emplace(std::move(table));
    TRY_ASSIGN(DecoderSession session, open_decoder_session(folder_, recorded));
    session_.emplace(std::move(session));
    return {};
  }

  // One picture with every question that falls to it.
  Status see(const Path& file, const std::vector<std::string>& questions) {
    TRY_ASSIGN(const Picture picture, encoder_->load(file));
    TRY_ASSIGN(const std::vector<float> vectors, encoder_->encode(picture));
    for (const std::string& question : questions) TRY(ask(question, picture, vectors));
    return {};
  }

  Ranges& ranges() { return recorder_.ranges(); }

 private:
  Status ask(const std::string& question, const Picture& picture, const std::vector<float>& vectors) {
    const ChatTurn turn{.text = question, .image = true};
    std::vector<float> rows;
    for (const Segment& segment : segments_of(prompt_->conversation({&turn, 1}), picture.hash, encoder_->tokens())) {
      const std::vector<float> part = segment.picture.empty() ? table_->vectors(segment.ids) : vectors;
      rows.insert(rows.end(), part.begin(), part.end());
    }
    session_->reset();
    TRY_ASSIGN(std::vector<float> logits, feed(rows));
    ++recorder_.ranges().prompts;
    for (std::int64_t i = 0; i < options_.reply_tokens && session_->position() < session_->context(); ++i) {
      const auto id = static_cast<std::int32_t>(index_of_largest(logits));
      if (prompt_->ends_reply(id)) break;
      TRY_ASSIGN(logits, feed(table_->row(id)));
    }
    return {};
  }

  // In pieces of which each fills a graph.
  Result<std::vector<float>> feed(std::span<const float> rows) {
    const auto width = static_cast<std::size_t>(session_->hidden_size());
    std::vector<float> logits;
    while (!rows.empty()) {
      TRY(check_interrupt());
      std::size_t length = 1;
      for (const std::int64_t fits : kCalibrationPrefill)
        if (static_cast<std::size_t>(fits) <= rows.size() / width) length = std::max(length, static_cast<std::size_t>(fits));
      TRY_ASSIGN(logits, session_->prefill(rows.first(length * width)));
      rows = rows.subspan(length * width);
      recorder_.ranges().tokens += length;
    }
    return logits;
  }

  const CalibrateOptions& options_;
  OutputFolder folder_;
  Recorder recorder_;  // before the graphs that it opened
  std::unique_ptr<Tokenizer> tokenizer_;
  std::optional<ChatPrompt> prompt_;
  std::optional<ImageEncoder> encoder_;
  std::optional<EmbeddingTable> table_;
  std::optional<DecoderSession> session_;
};

bool is_picture_name(const Path& file) {
  const std::string suffix = in_small_letters(file.extension().string());
  static const std::vector<std::string> kSuffixes = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".heic", ".heif"};
  return std::ranges::find(kSuffixes, suffix) != kSuffixes.end();
}

}  // namespace

Result<Ranges> calibrate(const CalibrateOptions& options, Progress& progress) {
  FASTVLM_ASSERT(!options.pictures.empty() && !options.prompts.empty(), "something to see and to ask");
  TRY_ASSIGN(const std::string set, calibration_set(options));
  Calibration calibration(options);
  TRY(calibration.open());
  const std::size_t pairs = std::max(options.pictures.size(), options.prompts.size());
  const std::size_t begin = options.shard.begin(options.pictures.size()), end = options.shard.end(options.pictures.size());
  KeptRanges kept(options.keep, options.model, set, end - begin);
  const std::size_t earlier = kept.take(calibration.ranges());
  progress.start("calibrating", end - begin);
  progress.advance(earlier);
  if (!options.noise.empty() && options.shard.index == 1 && earlier == 0) TRY(calibration.see(options.noise, {}));
  for (std::size_t picture = begin + earlier; picture < end; ++picture) {
    std::vector<std::string> questions;
    for (std::size_t pair = picture; pair < pairs; pair += options.pictures.size())
      questions.push_back(options.prompts[pair % options.prompts.size()]);
    if (Status seen = calibration.see(options.pictures[picture], questions); !seen.ok())
      return kept.with_what_is_kept(std::move(seen).error());
    TRY(kept.keep(calibration.ranges(), picture + 1 - begin));
    progress.advance(1);
  }
  Ranges ranges = std::move(calibration.ranges());
  ranges.model = options.model;
  ranges.pictures = end - begin;
  ranges.seen[set] = {.of = options.shard.count, .parts = {options.shard.index}};
  return ranges;
}

Result<std::string> calibration_set(const CalibrateOptions& options) {
  std::string text =
      fmt::format("reply {}, channels {}, noise {}\n", options.reply_tokens, options.record.channels, !options.noise.empty());
  for (const std::string& prompt : options.prompts) text += fmt::format("{}\n", OrderedJson(prompt).dump());
  for (const Path& picture : options.pictures) {
    TRY_ASSIGN(const std::string hash, sha256_of_file(picture));
    text += hash + "\n";
  }
  return sha256_of(text);
}

Result<std::vector<Path>> pictures_in(const Path& folder) {
  std::error_code failure;
  std::vector<Path> pictures;
  for (auto entry = std::filesystem::directory_iterator(folder, failure); !failure && entry != std::filesystem::directory_iterator();
       entry.increment(failure))
    if (is_picture_name(entry->path()) && entry->is_regular_file()) pictures.push_back(entry->path());
  if (failure) return bad_input("{}: cannot be read as a folder of pictures ({})", folder.string(), failure.message());
  if (pictures.empty()) return bad_input("{}: no pictures in it (.jpg, .png, .webp, …)", folder.string());
  std::ranges::sort(pictures);
  return pictures;
}

Result<std::vector<std::string>> read_prompts(const Path& file) {
  TRY_ASSIGN(const std::string text, read_file(file, kMaxPromptsBytes));
  std::vector<std::string> prompts;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    if (line.ends_with('\r')) line.pop_back();
    if (line.find_first_not_of(" \t") != std::string::npos) prompts.push_back(std::move(line));
    begin = end + 1;
  }
  if (prompts.empty()) return bad_input("{}: no question in it; one a line is expected", file.string());
  return prompts;
}

const std::vector<std::string>& default_prompts() {
  static const std::vector<std::string> kPrompts = {
      "Describe this picture in detail.", "What is in this picture?",    "How many objects are there, and where are they?",
      "What text can be read here?",      "Which colors are prominent?", "What is happening, and what might happen next?"};
  return kPrompts;
}

}  // namespace fastvlm
