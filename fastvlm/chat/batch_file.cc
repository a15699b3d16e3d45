#include "fastvlm/chat/batch_file.h"

#include <optional>
#include <unordered_map>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 30;
constexpr std::size_t kMaxLineBytes = std::size_t{1} << 20;
constexpr std::size_t kHashDigits = 16;

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

std::string hash_of(std::string_view line) { return sha256_of(line).substr(0, kHashDigits); }

Result<BatchItem> parse_item(std::string_view line, std::size_t number, const Path& folder, std::string_view what) {
  const std::string where = fmt::format("{}: line {}", what, number);
  if (line.size() > kMaxLineBytes) return bad_input("{} has {} bytes; at most {} are read", where, line.size(), kMaxLineBytes);
  TRY_ASSIGN(const Json json, parse_json(line, where));
  if (!json.is_object()) return bad_input("{} must be an object with \"image\" and \"prompt\"", where);
  BatchItem item{.line = number, .hash = hash_of(line)};
  TRY_ASSIGN(item.prompt, json_string(json, "prompt", where));
  if (json_find(json, "image") != nullptr) {
    TRY_ASSIGN(item.image, json_string(json, "image", where));
    if (item.image.empty() || item.image.find('\0') != std::string::npos) return bad_input("{}: \"image\" is no path", where);
    item.image_file = folder / item.image;
  }
  if (const Json* id = json_find(json, "id")) {
    if (!id->is_string() && !id->is_number()) return bad_input("{}: \"id\" must be a text or a number", where);
    item.id = *id;
  }
  return item;
}

struct EarlierAnswer {
  std::size_t line = 0;
  std::string hash;
  std::string run;
  bool failed = false;
};

Result<EarlierAnswer> parse_answer(std::string_view line, std::string_view where) {
  TRY_ASSIGN(const Json json, parse_json(line, where));
  if (!json.is_object()) return bad_input("{} is no object", where);
  EarlierAnswer answer{.failed = json_find(json, "error") != nullptr};
  TRY_ASSIGN(const std::int64_t number, json_integer(json, "line", where));
  if (number < 1) return bad_input("{}: \"line\" is {}", where, number);
  answer.line = static_cast<std::size_t>(number);
  TRY_ASSIGN(answer.hash, json_string(json, "line_sha256", where));
  TRY_ASSIGN(answer.run, json_string(json, "run", where));
  return answer;
}

}  // namespace

Result<std::vector<BatchItem>> parse_batch(std::string_view text, const Path& folder, std::string_view what) {
  std::vector<BatchItem> items;
  std::size_t good = 0;
  std::optional<Error> first_problem;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (is_blank(line)) continue;
    auto item = parse_item(line, number, folder, what);
    if (!item.ok()) {
      if (!first_problem) first_problem = item.error();
      items.push_back({.line = number, .hash = hash_of(line), .problem = item.error().message});
      continue;
    }
    items.push_back(std::move(*item));
    ++good;
  }
  if (good == 0 && first_problem) return *first_problem;
  if (items.empty()) return bad_input("{}: no questions in it; each line is an object with \"image\" and \"prompt\"", what);
  return items;
}

Result<std::vector<BatchItem>> read_batch(const Path& file) {
  TRY_ASSIGN(const std::string text, read_file(file, kMaxFileBytes));
  return parse_batch(text, file.parent_path(), file.string());
}

Result<KeptAnswers> keep_answers(std::string_view text, const std::vector<BatchItem>& items, std::string_view run, std::string_view what) {
  std::unordered_map<std::size_t, std::size_t> index;
  for (std::size_t i = 0; i < items.size(); ++i) index[items[i].line] = i;
  KeptAnswers kept{.answered = std::vector<bool>(items.size())};
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    const bool last = end == std::string_view::npos || end + 1 == text.size();
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    auto answer = parse_answer(line, fmt::format("{}: line {}", what, number));
    // Without its line feed the last line may be half of an answer even when it reads well.
    if (last && (end == std::string_view::npos || !answer.ok())) {
      ++kept.dropped;
      break;
    }
    if (!answer.ok()) return bad_input("{}; this is no file of answers, so name another with `batch_output`", answer.error().message);
    if (answer->run != run)
      return bad_usage(
          "{}: its answers were made with another model or other settings; name another file with `batch_output`, or remove it", what);
    const auto item = index.find(answer->line);
    const bool good = !answer->failed && item != index.end() && items[item->second].hash == answer->hash && !kept.answered[item->second];
    if (!good) {
      ++kept.dropped;
      continue;
    }
    kept.answered[item->second] = true;
    kept.text.append(line).push_back('\n');
  }
  return kept;
}

AnswerFile::AnswerFile(Path path, std::string run, KeptAnswers kept)
    : path_(std::move(path)), run_(std::move(run)), answered_(std::move(kept.answered)), dropped_(kept.dropped) {}

Result<AnswerFile> AnswerFile::open(const Path& file, const std::vector<BatchItem>& items, std::string_view run) {
  std::string text;
  std::error_code ignored;
  if (std::filesystem::exists(file, ignored)) {
    TRY_ASSIGN(text, read_file(file, kMaxFileBytes));
  }
  TRY_ASSIGN(KeptAnswers kept, keep_answers(text, items, run, file.string()));
  if (kept.text != text) TRY(write_file_atomically(file, kept.text));
  AnswerFile answers(file, std::string(run), std::move(kept));
  answers.stream_.open(file, std::ios::binary | std::ios::app);
  if (!answers.stream_) return bad_environment("{}: cannot write; name another file with `batch_output`", file.string());
  return answers;
}

Status AnswerFile::append(const BatchItem& item, const OrderedJson& fields) {
  OrderedJson row = {{"line", item.line}, {"line_sha256", item.hash}, {"run", run_}};
  if (!item.id.is_null()) row["id"] = item.id;
  if (!item.image.empty()) row["image"] = item.image;
  row["prompt"] = item.prompt;
  row.update(fields);
  stream_ << row.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n" << std::flush;
  if (!stream_) return bad_environment("{}: cannot write any further (is the disk full?)", path_.string());
  return {};
}

}  // namespace fastvlm
