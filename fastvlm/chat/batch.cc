#include "fastvlm/chat/batch.h"

#include "fastvlm/base/hash.h"
#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"
#include "fastvlm/bundle/manifest.h"

namespace fastvlm {
namespace {

constexpr std::size_t kRunDigits = 16;

OrderedJson fields_of(const BatchReply& reply) {
  if (!reply.error.empty()) return {{"error", reply.error}};
  return {{"answer", reply.answer.text},
          {"ids", reply.answer.ids},
          {"finish", name(reply.answer.finish)},
          {"prompt_tokens", reply.answer.prompt_tokens}};
}

// The next one that will be answered, or nullptr.
const BatchItem* next_of(const std::vector<BatchItem>& items, const AnswerFile& answers, std::size_t i) {
  for (++i; i < items.size(); ++i)
    if (!answers.answered(i) && items[i].problem.empty()) return &items[i];
  return nullptr;
}

Status answer_all(const std::vector<BatchItem>& items, const AnswerItem& answer, AnswerFile& answers, BatchReport& report,
                  Progress& progress) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (answers.answered(i)) continue;
    TRY(check_interrupt());
    BatchReply reply{.answer = {}, .error = items[i].problem};
    if (reply.error.empty()) {
      TRY_ASSIGN(reply, answer(items[i], next_of(items, answers, i)));
    }
    TRY(answers.append(items[i], fields_of(reply)));
    ++(reply.error.empty() ? report.answered : report.failed);
    report.new_tokens += static_cast<std::int64_t>(reply.answer.ids.size());
    progress.advance(1);
  }
  return {};
}

}  // namespace

Error with_kept_answers(Error error, const Path& file, std::size_t answers) {
  if (error.kind == ErrorKind::kInterrupted)
    error.message = fmt::format("interrupted; {} kept in {}, run the same again to go on",
                                answers == 1 ? "1 answer is" : fmt::format("{} answers are", answers), file.string());
  return error;
}

Result<BatchReport> run_batch(const BatchOptions& options, const AnswerItem& answer, Progress& progress) {
  TRY_ASSIGN(const std::vector<BatchItem> items, read_batch(options.file));
  std::error_code ignored;
  if (std::filesystem::equivalent(options.file, options.output, ignored))
    return bad_usage("{}: the answers would overwrite the questions; name another file with `batch_output`", options.output.string());
  TRY_ASSIGN(AnswerFile answers, AnswerFile::open(options.output, items, options.run));
  BatchReport report{.questions = items.size()};
  for (std::size_t i = 0; i < items.size(); ++i) report.answered_before += answers.answered(i) ? 1 : 0;
  progress.start("answering", items.size() - report.answered_before);
  if (Status done = answer_all(items, answer, answers, report, progress); !done.ok())
    return with_kept_answers(std::move(done).error(), options.output, report.answered_before + report.answered);
  return report;
}

Result<BatchReply> answer_item(Chat& chat, const BatchItem& item) {
  if (Status started = chat.start(item.image_file); !started.ok()) return BatchReply{.error = started.error().message};
  if (Status fits = chat.check_fits(item.prompt); !fits.ok()) return BatchReply{.error = fits.error().message};
  TRY_ASSIGN(Answer answer, chat.ask(item.prompt, nullptr));
  // Half an answer is none: the next run gives it whole.
  if (answer.finish == Finish::kInterrupted) return check_interrupt().error();
  return BatchReply{.answer = std::move(answer)};
}

Result<std::string> batch_run_name(const ChatOptions& options, std::string_view runner) {
  TRY_ASSIGN(const std::string manifest, sha256_of_file(options.folder / kManifestFile));
  OrderedJson run = {{"manifest", manifest},
                     {"runner", runner},
                     {"recipe", options.recipe},
                     {"image_size", options.image_size.value_or(0)},
                     {"temperature", options.sampling.temperature},
                     {"seed", options.sampling.temperature == 0 ? 0 : options.sampling.seed},
                     {"max_new_tokens", options.max_new_tokens},
                     {"system", options.system}};
  if (options.graphs == ChatGraphs::kPlain) run["graphs"] = "plain";
  return sha256_of(run.dump(-1, ' ', false, OrderedJson::error_handler_t::replace)).substr(0, kRunDigits);
}

Path default_batch_output(const Path& file) { return Path(file) += ".answers.jsonl"; }

}  // namespace fastvlm
