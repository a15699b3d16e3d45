// The file of results: a header line that names model, settings and set, then a line for each question. Everything that is
// reported is computed from these lines in their order, so a merged file tells the same as that of a single run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/base/json.h"
#include "fastvlm/base/result.h"
#include "fastvlm/base/shard.h"

namespace fastvlm {

// What answered, and how. Two results belong together when all of it is equal.
struct AnsweredBy {
  std::string model;   // SHA-256 of manifest.json
  std::string runner;  // "cpu", "htp sm8750"
  std::string recipe;  // of the decoder
  std::string run;     // names the other settings too
  bool operator==(const AnsweredBy&) const = default;
};

struct ResultsHeader {
  AnsweredBy by;
  std::optional<AnsweredBy> against;  // results of a comparison: the other model
  std::string forced;                 // the tokens that both were led along: "greedy" or "given"; empty without comparison
  std::string data;                   // QuestionSet::hash
  std::size_t questions = 0;          // of the whole set
  std::vector<std::string> metrics;
  Shard shard;
  bool operator==(const ResultsHeader&) const = default;
};

// What one model made of a question.
struct Reply {
  std::string answer;
  std::vector<std::int32_t> ids;
  std::string finish;          // Finish, by name
  std::vector<double> scores;  // in the order of ResultsHeader::metrics
  bool operator==(const Reply&) const = default;
};

// Both models, led along the same tokens.
struct Comparison {
  Reply reply;                       // of the other
  std::vector<double> kl;            // KL(first || other) in nats at each token, the one that ends the answer included
  std::vector<std::int64_t> agrees;  // 1 where the most likely tokens are the same
  std::vector<std::int32_t> tokens;  // that were forced
  bool operator==(const Comparison&) const = default;
};

struct ResultRow {
  std::size_t question = 0;  // its number in the set, from 1
  OrderedJson id;            // null when it has none
  std::string error;         // why there is no answer
  Reply reply;
  std::optional<Comparison> comparison;
  bool operator==(const ResultRow&) const = default;
};

struct Results {
  ResultsHeader header;
  std::vector<ResultRow> rows;  // by question
};

// One line each, with its line feed.
std::string header_line(const ResultsHeader& header);
std::string row_line(const ResultsHeader& header, const ResultRow& row);

// Lines without their line feed; `where` names them in errors.
Result<ResultsHeader> parse_header(std::string_view line, const std::string& where);
Result<ResultRow> parse_row(std::string_view line, const ResultsHeader& header, const std::string& where);

// What belongs to one shard of another run, model or set: a sentence, or nothing when both are the same but for the shard.
std::optional<std::string> difference(const ResultsHeader& one, const ResultsHeader& other);

// A finished file. One with lines missing, twice or out of order is an Error that says what to do.
Result<Results> read_results(const Path& file);
Result<Results> parse_results(std::string_view text, const std::string& what);

}  // namespace fastvlm
