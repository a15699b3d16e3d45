#include "fastvlm/evaluate/results.h"

#include <cmath>
#include <limits>

#include "fastvlm/base/object_reader.h"
#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr const char* kFormat = "fastvlm-npu evaluation";
constexpr std::int64_t kVersion = 1;
constexpr std::size_t kMaxFileBytes = std::size_t{4} << 30;
constexpr std::int64_t kMaxQuestions = 10'000'000;
constexpr std::int64_t kMaxId = std::numeric_limits<std::int32_t>::max();
constexpr double kMaxScore = 1;
constexpr double kMaxDivergence = 1e30;

OrderedJson by_json(const AnsweredBy& by) { return {{"model", by.model}, {"runner", by.runner}, {"recipe", by.recipe}, {"run", by.run}}; }

AnsweredBy by_from(const ObjectReader& reader) {
  return {.model = reader.text("model"), .runner = reader.text("runner"), .recipe = reader.text("recipe"), .run = reader.text("run")};
}

std::string line_of(const OrderedJson& json) { return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n"; }

void add_reply(const ResultsHeader& header, const Reply& reply, OrderedJson& json) {
  json["answer"] = reply.answer;
  json["ids"] = reply.ids;
  json["finish"] = reply.finish;
  OrderedJson scores = OrderedJson::object();
  for (std::size_t i = 0; i < reply.scores.size(); ++i) scores[header.metrics[i]] = reply.scores[i];
  json["scores"] = std::move(scores);
}

std::vector<std::int32_t> ids_from(const ObjectReader& reader, const char* key) {
  const std::vector<std::int64_t> wide = reader.integers(key, 0, kMaxId);
  return {wide.begin(), wide.end()};
}

Reply reply_from(const ObjectReader& reader, const ResultsHeader& header) {
  Reply reply{.answer = reader.text("answer"), .ids = ids_from(reader, "ids"), .finish = reader.text("finish")};
  const ObjectReader scores = reader.object("scores");
  for (const std::string& metric : header.metrics) reply.scores.push_back(scores.number(metric.c_str(), 0, kMaxScore));
  return reply;
}

Comparison comparison_from(const ObjectReader& reader, const ResultsHeader& header) {
  Comparison other{.reply = reply_from(reader, header),
                   .kl = reader.numbers("kl"),
                   .agrees = reader.integers("agrees", 0, 1),
                   .tokens = ids_from(reader, "tokens")};
  if (other.kl.size() != other.agrees.size() || other.kl.size() < other.tokens.size() || other.kl.size() > other.tokens.size() + 1)
    reader.refuse("{} numbers for {} tokens", other.kl.size(), other.tokens.size());
  for (const double kl : other.kl)
    if (std::abs(kl) > kMaxDivergence) reader.refuse("a divergence of {}", kl);
  return other;
}

}  // namespace

// ---- Lines --------------------------------------------------------------------------------------------------------------

std::string header_line(const ResultsHeader& header) {
  OrderedJson json = {{"format", kFormat}, {"version", kVersion}};
  json.update(by_json(header.by));
  if (header.against) {
    json["against"] = by_json(*header.against);
    json["forced"] = header.forced;
  }
  json["data"] = header.data;
  json["questions"] = header.questions;
  json["metrics"] = header.metrics;
  if (!header.shard.is_whole()) json["shard"] = to_string(header.shard);
  return line_of(json);
}

std::string row_line(const ResultsHeader& header, const ResultRow& row) {
  OrderedJson json = {{"question", row.question}};
  if (!row.id.is_null()) json["id"] = row.id;
  if (!row.error.empty()) {
    json["error"] = row.error;
    return line_of(json);
  }
  add_reply(header, row.reply, json);
  if (row.comparison) {
    OrderedJson other = OrderedJson::object();
    add_reply(header, row.comparison->reply, other);
    other["tokens"] = row.comparison->tokens;
    other["kl"] = row.comparison->kl;
    other["agrees"] = row.comparison->agrees;
    json["against"] = std::move(other);
  }
  return line_of(json);
}

Result<ResultsHeader> parse_header(std::string_view line, const std::string& where) {
  TRY_ASSIGN(const Json json, parse_json(line, where));
  std::optional<Error> problem;
  const ObjectReader reader(json, where, problem);
  if (const std::string format = reader.text("format"); !problem && format != kFormat) return bad_input("{}: no file of results", where);
  if (const std::int64_t version = reader.integer("version", 0, kMaxId); !problem && version != kVersion)
    return bad_input("{}: version {} of the format; this program reads version {}, evaluate again", where, version, kVersion);
  ResultsHeader header{.by = by_from(reader)};
  if (reader.has("against")) {
    header.against = by_from(reader.object("against"));
    header.forced = reader.text("forced");
  }
  header.data = reader.text("data");
  header.questions = static_cast<std::size_t>(reader.integer("questions", 1, kMaxQuestions));
  header.metrics = reader.texts("metrics");
  if (reader.has("shard")) {
    const auto shard = parse_shard(reader.text("shard"));
    if (!shard.ok()) reader.refuse("the shard is not as 2/7");
    if (shard.ok()) header.shard = *shard;
  }
  if (problem) return *std::move(problem);
  return header;
}

Result<ResultRow> parse_row(std::string_view line, const ResultsHeader& header, const std::string& where) {
  TRY_ASSIGN(const Json json, parse_json(line, where));
  std::optional<Error> problem;
  const ObjectReader reader(json, where, problem);
  ResultRow row{.question = static_cast<std::size_t>(reader.integer("question", 1, static_cast<std::int64_t>(header.questions)))};
  if (const Json* id = json.is_object() ? json_find(json, "id") : nullptr) {
    if (!id->is_string() && !id->is_number()) reader.refuse("\"id\" is neither a text nor a number");
    row.id = *id;
  }
  if (reader.has("error")) {
    row.error = reader.text("error");
    if (row.error.empty()) reader.refuse("an error without words");
  } else {
    row.reply = reply_from(reader, header);
    if (header.against) row.comparison = comparison_from(reader.object("against"), header);
  }
  if (problem) return *std::move(problem);
  return row;
}

// ---- Files --------------------------------------------------------------------------------------------------------------

std::optional<std::string> difference(const ResultsHeader& one, const ResultsHeader& other) {
  if (one.data != other.data || one.questions != other.questions) return "they are about another set of questions";
  if (one.metrics != other.metrics) return "they have other metrics";
  if (one.by.model != other.by.model) return "they are of another model";
  if (one.by.runner != other.by.runner) return fmt::format("they come from the runner {}, not {}", other.by.runner, one.by.runner);
  if (one.by != other.by) return "they were made with other settings";
  if (one.against != other.against || one.forced != other.forced) return "they are compared with something else";
  return std::nullopt;
}

Result<Results> parse_results(std::string_view text, const std::string& what) {
  Results results;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string where = fmt::format("{}: line {}", what, number);
    if (end == std::string_view::npos) return bad_input("{}: is cut off; run evaluate again, it goes on where it was stopped", where);
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (number == 1) {
      TRY_ASSIGN(results.header, parse_header(line, where));
      continue;
    }
    TRY_ASSIGN(ResultRow row, parse_row(line, results.header, where));
    const std::size_t expected = results.header.shard.begin(results.header.questions) + results.rows.size() + 1;
    if (row.question != expected)
      return bad_input("{}: question {} where {} was expected; run evaluate again, it goes on where it was stopped", where, row.question,
                       expected);
    results.rows.push_back(std::move(row));
  }
  const ResultsHeader& header = results.header;
  if (header.questions == 0) return bad_input("{}: is empty", what);
  const std::size_t expected = header.shard.end(header.questions) - header.shard.begin(header.questions);
  if (results.rows.size() != expected)
    return bad_input("{}: has {} of {} questions; run evaluate again, it goes on where it was stopped", what, results.rows.size(),
                     expected);
  return results;
}

Result<Results> read_results(const Path& file) {
  TRY_ASSIGN(const std::string text, read_file(file, kMaxFileBytes));
  return parse_results(text, file.string());
}

}  // namespace fastvlm
