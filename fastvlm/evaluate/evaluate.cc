#include "fastvlm/evaluate/evaluate.h"

#include "fastvlm/base/hash.h"
#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"
#include "fastvlm/bundle/names.h"
#include "fastvlm/chat/batch.h"
#include "fastvlm/evaluate/metrics.h"
#include "fastvlm/evaluate/results_file.h"
#include "fastvlm/evaluate/text_forms.h"

namespace fastvlm {
namespace {

Result<std::vector<const Metric*>> metrics_of(const ResultsHeader& header) {
  std::vector<const Metric*> metrics;
  for (const std::string& name : header.metrics) {
    TRY_ASSIGN(const Metric* metric, find_metric(name));
    metrics.push_back(metric);
  }
  return metrics;
}

void score(const std::vector<const Metric*>& metrics, const Question& question, Reply& reply) {
  reply.scores.clear();
  for (const Metric* metric : metrics) reply.scores.push_back(metric->score(reply.answer, question));
}

Result<ResultRow> row_for(const Question& question, const std::vector<const Metric*>& metrics,
                          const std::function<Result<Answered>()>& answer) {
  ResultRow row{.question = question.number, .id = question.id};
  if (!question.problem.empty()) {
    row.error = question.problem;
    return row;
  }
  TRY_ASSIGN(Answered answered, answer());
  row.error = std::move(answered.error);
  if (!row.error.empty()) return row;
  row.reply = std::move(answered.reply);
  row.comparison = std::move(answered.comparison);
  score(metrics, question, row.reply);
  if (row.comparison) score(metrics, question, row.comparison->reply);
  return row;
}

}  // namespace

Status describe_set(const QuestionSet& set, std::vector<std::string> metrics, ResultsHeader& header) {
  if (metrics.empty()) metrics = default_metrics(set.questions);
  if (!metrics.empty() && !set.has_answers)
    return bad_option("metric", "{}: the set has no answers to compare with; name their file with `answers`", metrics.front());
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    TRY_ASSIGN(const Metric* metric, find_metric(metrics[i]));
    if (std::ranges::find(metrics.begin(), metrics.begin() + static_cast<std::ptrdiff_t>(i), metric->name) !=
        metrics.begin() + static_cast<std::ptrdiff_t>(i))
      return bad_option("metric", "{}: is named twice", metric->name);
  }
  header.metrics = std::move(metrics);
  header.data = set.hash;
  header.questions = set.questions.size();
  return {};
}

Result<EvaluationReport> run_evaluation(const QuestionSet& set, const ResultsHeader& header, const Path& path, const AnswerQuestion& answer,
                                        Progress& progress) {
  TRY_ASSIGN(const std::vector<const Metric*> metrics, metrics_of(header));
  TRY_ASSIGN(ResultsFile file, ResultsFile::open(path, header));
  EvaluationReport report{.answered_before = file.answered_before()};
  const std::size_t begin = header.shard.begin(set.questions.size()), end = header.shard.end(set.questions.size());
  progress.start("answering", end - begin - report.answered_before);
  std::size_t kept = report.answered_before;
  const auto answer_one = [&](std::size_t i) -> Status {
    TRY(check_interrupt());
    std::size_t next = i + 1;
    while (next < end && (file.has(next + 1) || !set.questions[next].problem.empty())) ++next;
    const Question* following = next < end ? &set.questions[next] : nullptr;
    const Question& question = set.questions[i];
    TRY_ASSIGN(const ResultRow row, row_for(question, metrics, [&] { return answer(question, following); }));
    TRY(file.append(row));
    report.answered += row.error.empty() ? 1 : 0;
    return {};
  };
  for (std::size_t i = begin; i < end; ++i) {
    if (file.has(set.questions[i].number)) continue;
    if (Status answered = answer_one(i); !answered.ok()) return with_kept_answers(std::move(answered).error(), path, kept);
    ++kept;
    progress.advance(1);
  }
  TRY_ASSIGN(report.results, file.finish());
  return report;
}

Result<Answered> answer_question(Chat& chat, const Question& question, const Question* next) {
  chat.prepare(next == nullptr ? Path() : next->image_file);
  const BatchItem item{.image = question.image, .image_file = question.image_file, .prompt = question.prompt};
  TRY_ASSIGN(BatchReply reply, answer_item(chat, item));
  // The folder of the pictures is another one on another machine.
  if (!reply.error.empty()) return Answered{.error = replaced(reply.error, question.image_file.string(), question.image)};
  return Answered{.reply = {.answer = std::move(reply.answer.text),
                            .ids = std::move(reply.answer.ids),
                            .finish = std::string(name(reply.answer.finish))}};
}

Result<AnsweredBy> answered_by(const Chat& chat, std::string_view runner) {
  AnsweredBy by{.runner = std::string(runner), .recipe = chat.talks_through_plain() ? "plain" : chat.folder().recipe()};
  TRY_ASSIGN(by.model, sha256_of_file(chat.options().folder / kManifestFile));
  ChatOptions named = chat.options();
  named.recipe = by.recipe;
  if (chat.talks_through_plain()) named.graphs = ChatGraphs::kPlain;
  TRY_ASSIGN(by.run, batch_run_name(named, runner));
  return by;
}

Path default_results_file(const Path& data, const Shard& shard) {
  return Path(data) += shard.is_whole() ? ".results.jsonl" : fmt::format(".results-{}of{}.jsonl", shard.index, shard.count);
}

}  // namespace fastvlm
