#include "fastvlm/evaluate/evaluate.h"

#include <fmt/format.h>

#include "fastvlm/base/try.h"
#include "fastvlm/cli/flags.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/cli/runner_arguments.h"
#include "fastvlm/cli/verbs.h"
#include "fastvlm/evaluate/bars.h"
#include "fastvlm/evaluate/compare.h"
#include "fastvlm/evaluate/page.h"
#include "fastvlm/evaluate/summary.h"
#include "fastvlm/report/html.h"

namespace fastvlm::cli {
namespace {

struct EvaluateArguments {
  Path output_dir;
  Path data;
  Path images;
  Path answers;
  std::string format = "detect";
  std::vector<std::string> metrics;
  Path results;
  std::string shard = "1/1";
  std::string runner = "cpu";
  std::string target = "sm8750";
  std::string recipe;
  std::string graphs = "detect";
  std::optional<std::int64_t> image_size;
  std::int64_t max_new_tokens = 256;
  std::optional<std::string> system;
  std::uint64_t seed = 0;
  bool prepack = false;
  Path against;
  std::string against_recipe;
  std::string against_runner;
  std::string against_graphs;
  std::string forced = std::string(kForcedNames[0]);
  Bars bars;
  std::uint64_t max_failed = 0;
  Path html;
  std::uint64_t html_questions = PageOptions().questions;
};

void add_options(OptionTable& options, EvaluateArguments& a, CommonArguments& common) {
  options.path("--output-dir", a.output_dir, "Folder that export wrote").complete(Completes::kFolder).set_required();
  options.path("--data", a.data, "File of questions: JSON lines, JSON, CSV or TSV").set_required();
  options.path("--images", a.images, "Folder that names of pictures begin at; default: that of --data").complete(Completes::kFolder);
  options.path("--answers", a.answers, "File of right answers by id, when they do not stand with the questions");
  options.value("--format", a.format, "FORM", "jsonl, json, csv or tsv; default: what the file looks like");
  options.list("--metric", a.metrics, "NAME", "exact, contains, vqa, anls, relaxed, choice; default: what suits the set");
  options.path("--results", a.results, "File of results; default: DATA.results.jsonl");
  options.value("--shard", a.shard, "I/N", "Only this part of the questions, for `merge`");
  add_runner_options(options, a.runner, a.target, "cpu: ONNX Runtime; htp: the NPU, emulated on x86");
  options.value("--recipe", a.recipe, "NAME", "Decoder that answers, of those exported; default: fp16, or else the first");
  options.choice("--graphs", a.graphs, graphs_names(), "Those of npu/, or the plain ones; default: npu/ where there is one");
  options.value("--image-size", a.image_size, "N", "Side in pixels; default: what the model was trained with");
  options.value("--max-new-tokens", a.max_new_tokens, "N", "Longest answer").show_default();
  options.value("--system", a.system, "TEXT", "Another system text; the model was trained with the default");
  options.value("--seed", a.seed, "N", "Of the samples behind the intervals").show_default();
  options.flag("--prepack", a.prepack,
               "On the CPU: rearranged copies of the weights; faster, several times the memory; plain graphs always");
  options.heading("Comparison: the first model leads, the other is judged");
  options.path("--against", a.against, "Another output folder; default with one of the next three: the same").complete(Completes::kFolder);
  options.value("--against-recipe", a.against_recipe, "NAME", "Decoder of the other; default: that of the first");
  options.value("--against-runner", a.against_runner, "NAME", "Where the other runs: cpu or htp; default: where the first does");
  options.choice("--against-graphs", a.against_graphs, graphs_names(), "Graphs of the other; default: as for the first");
  options
      .choice("--forced", a.forced, {kForcedNames[0].data(), kForcedNames[1].data()},
              "Tokens that both are led along: the greedy answer of the first, or the one given in the set")
      .show_default();
  options.heading("Bars: exit code 1 when one is missed");
  options.value("--min-score", a.bars.min_score, "SHARE", "Least score of the first metric, from 0 to 1");
  options.value("--max-failed", a.max_failed, "N", "Most questions without an answer").show_default();
  options.value("--max-drop", a.bars.max_drop, "SHARE", "Most that the other may lose of that score");
  options.value("--max-kl", a.bars.max_kl, "NATS", "Largest mean KL divergence of a token");
  options.value("--max-kl-99", a.bars.max_kl_99, "NATS", "Largest 99th percentile of it");
  options.value("--min-agreement", a.bars.min_agreement, "SHARE", "Least share of tokens that both find most likely");
  options.heading("");
  options.path("--html", a.html, "Page to write: scores, plots, pictures with both answers; needs nothing from outside");
  options.value("--html-questions", a.html_questions, "N", "Questions shown there, those most worth a look").show_default();
  add_json(options, common);
  add_runtime_options(options, common);
}

// One of the models that are asked.
struct Asked {
  Path folder;
  std::string recipe;
  std::string runner;
  std::string graphs;
};

Asked first_of(const EvaluateArguments& a) { return {.folder = a.output_dir, .recipe = a.recipe, .runner = a.runner, .graphs = a.graphs}; }

std::optional<Asked> other_of(const EvaluateArguments& a) {
  if (a.against.empty() && a.against_recipe.empty() && a.against_runner.empty() && a.against_graphs.empty()) return std::nullopt;
  Asked other = first_of(a);
  if (!a.against.empty()) other.folder = a.against;
  if (!a.against_recipe.empty()) other.recipe = a.against_recipe;
  if (!a.against_runner.empty()) other.runner = a.against_runner;
  if (!a.against_graphs.empty()) other.graphs = a.against_graphs;
  return other;
}

Result<std::unique_ptr<Chat>> open_chat(const EvaluateArguments& a, const Asked& asked, const CommonArguments& common) {
  ChatOptions options{.folder = asked.folder,
                      .recipe = asked.recipe,
                      .image_size = a.image_size,
                      .max_new_tokens = a.max_new_tokens,
                      .keep_vision_open = true};
  if (a.system) options.system = *a.system;
  TRY_ASSIGN(const std::string chip, chip_of(asked.runner, a.target));
  TRY_ASSIGN(options.graphs, graphs_for(asked.graphs, chip));
  GraphOpenerOptions opener = opener_options(asked.folder, chip, common);
  TRY_ASSIGN(opener.share_weights, shares_weights(asked.folder, options.graphs, a.prepack));
  TRY_ASSIGN(options.open_graph, graph_opener(opener));
  return Chat::open(std::move(options));
}

std::string runner_name(const std::string& runner, const std::string& target) { return runner == "cpu" ? runner : runner + " " + target; }

struct Models {
  std::unique_ptr<Chat> first;
  std::unique_ptr<Chat> other;  // of a comparison
};

Result<Models> open_models(const EvaluateArguments& a, const CommonArguments& common) {
  Models models;
  TRY_ASSIGN(models.first, open_chat(a, first_of(a), common));
  if (const std::optional<Asked> other = other_of(a)) {
    TRY_ASSIGN(models.other, open_chat(a, *other, common));
    TRY(check_comparable(*models.first, *models.other));
  }
  return models;
}

Result<ResultsHeader> header_for(const EvaluateArguments& a, const Models& models, const QuestionSet& set) {
  ResultsHeader header;
  TRY_ASSIGN(header.shard, parse_shard(a.shard));
  TRY_ASSIGN(header.by, answered_by(*models.first, runner_name(a.runner, a.target)));
  TRY(describe_set(set, a.metrics, header));
  if (models.other) {
    TRY_ASSIGN(header.against, answered_by(*models.other, runner_name(other_of(a)->runner, a.target)));
    header.forced = a.forced;
    if (header.by == *header.against) return bad_usage("--against names the same model, decoder and runner as the first");
    if (a.forced == kForcedNames[1] && !set.has_answers) return bad_option("forced", "{}: the set has no answers", a.forced);
  }
  TRY(check_bars(a.bars, header));
  return header;
}

AnswerQuestion answerer(const EvaluateArguments& a, const Models& models) {
  if (!models.other)
    return [&models](const Question& question, const Question* next) { return answer_question(*models.first, question, next); };
  const Forced forced = a.forced == kForcedNames[1] ? Forced::kGiven : Forced::kGreedy;
  return [&models, forced](const Question& question, const Question* next) {
    return compare_question({*models.first, *models.other}, question, next, forced);
  };
}

// Failed questions, with their words.
constexpr std::size_t kShownFailures = 5;

void print_failures(const Results& results, const QuestionSet& set) {
  std::size_t shown = 0;
  for (const ResultRow& row : results.rows) {
    if (row.error.empty() || ++shown > kShownFailures) continue;
    const Question& question = set.questions[row.question - 1];
    const std::string place = question.line > 0 ? fmt::format("line {}", question.line) : fmt::format("question {}", row.question);
    print_line(fmt::format("  {}: {}", place, with_flags(row.error)));
  }
  if (shown > kShownFailures) print_line(fmt::format("  and {} more", shown - kShownFailures));
}

std::string percent(double score) { return fmt::format("{:.2f} %", 100 * score); }

std::string range(const Interval& interval) { return percent(interval.low) + " … " + percent(interval.high); }

void print_scores(const Summary& summary) {
  if (summary.metrics.empty()) return;
  Rows rows = {{"metric", "score", "95 % interval"}};
  if (summary.divergence) rows.front().insert(rows.front().end(), {"other", "95 % interval", "difference", "95 % interval"});
  for (const MetricSummary& metric : summary.metrics) {
    rows.push_back({metric.metric, percent(metric.score), range(metric.interval)});
    if (metric.against)
      rows.back().insert(rows.back().end(), {percent(*metric.against), range(metric.against_interval), percent(metric.difference),
                                             range(metric.difference_interval)});
  }
  print_table(rows);
}

void print_divergence(const DivergenceSummary& d, const QuestionSet& set) {
  print_line(fmt::format("KL divergence over {} tokens: mean {:.3e}, 95 % below {:.3e}, 99 % below {:.3e}", d.tokens, d.mean,
                         d.percentile_95, d.percentile_99));
  if (d.tokens == 0) return;
  const Question& worst = set.questions[d.worst.question - 1];
  print_line(fmt::format("  worst {:.3e}: question {}{}, token {}", d.worst.kl, d.worst.question,
                         worst.image.empty() ? "" : fmt::format(" ({})", worst.image), d.worst.position + 1));
  print_line(fmt::format("same first choice at {} of the tokens; {} greedy answers differ{}", percent(d.agreement), d.departing,
                         d.mean_departure ? fmt::format(", on average from token {:.1f} on", *d.mean_departure + 1) : ""));
}

struct Told {
  Path file;
  Summary summary;
  std::vector<std::string> missed;
};

void print_report(const EvaluationReport& report, const QuestionSet& set, const Told& told) {
  print_line(fmt::format("{}: {} questions, {} answered before, {} now, {} failed", told.file.string(), told.summary.questions,
                         report.answered_before, report.answered, told.summary.failed));
  print_failures(report.results, set);
  print_scores(told.summary);
  if (told.summary.divergence) print_divergence(*told.summary.divergence, set);
  for (const std::string& sentence : told.missed) print_line(with_flags(sentence));
}

void print_report_json(const Told& told) {
  OrderedJson json = {{"results", told.file.string()}};
  json.update(summary_json(told.summary));
  json["missed"] = told.missed;
  spell_flags(json["missed"]);
  print_json(json);
}

ExitCode run(const EvaluateArguments& a, const CommonArguments& common) {
  if (!a.html.empty()) TRY(report::check_page_target(a.html));
  TRY_ASSIGN(const SetFormat format, set_format(a.format));
  TRY_ASSIGN(const QuestionSet set, read_questions({.data = a.data, .images = a.images, .answers = a.answers, .format = format}));
  TRY_ASSIGN(const Models models, open_models(a, common));
  TRY_ASSIGN(const ResultsHeader header, header_for(a, models, set));
  Told told{.file = a.results.empty() ? default_results_file(a.data, header.shard) : a.results};
  auto progress = make_progress(common.quiet || common.json);
  TRY_ASSIGN(const EvaluationReport report, run_evaluation(set, header, told.file, answerer(a, models), *progress));
  told.summary = summarise(report.results, {.seed = a.seed});
  Bars bars = a.bars;
  bars.max_failed = a.max_failed;
  told.missed = missed_bars(bars, told.summary);
  if (!a.html.empty()) {
    PageOptions page{.questions = a.html_questions};
    for (const std::string& sentence : told.missed) page.missed.push_back(with_flags(sentence));
    TRY(write_file_atomically(a.html, results_page(report.results, set, told.summary, page)));
  }
  if (common.json)
    print_report_json(told);
  else
    print_report(report, set, told);
  return told.missed.empty() ? 0 : static_cast<int>(ErrorKind::kCheckFailed);
}

}  // namespace

Verb evaluate_verb(CommonArguments& common) {
  return make_verb<EvaluateArguments>(
      {.name = "evaluate",
       .group = kProveGroup,
       .summary = "Ask a set of questions and score the answers",
       .details = "Reads lines {\"image\": \"cat.jpg\", \"prompt\": \"What is this?\", \"answer\": \"cat\"},\n"
                  "and the forms of LLaVA, VQAv2, TextVQA and multiple choice; as CSV or TSV with a header, too. Each answer is\n"
                  "appended to the file of results; run again, it goes on where it was stopped. A line that is no question or a\n"
                  "picture that is missing counts as wrong, and the exit code is 1 (--max-failed).\n"
                  "--against asks a second model too and leads both along the same tokens: how far their distributions lie apart\n"
                  "(KL divergence), where their answers part, what the other loses. docs/evaluation.md defines all numbers.",
       .examples = "  fastvlm-npu evaluate --output-dir out --data questions.jsonl\n"
                   "  fastvlm-npu evaluate --output-dir out --data val.json --answers annotations.json --images val2014 --metric vqa\n"
                   "  fastvlm-npu evaluate --output-dir out --data questions.jsonl --shard 2/7\n"
                   "  fastvlm-npu evaluate --output-dir out --data questions.jsonl --against-recipe w4 --max-kl 0.05 --max-drop 0.02"},
      common, add_options, run);
}

}  // namespace fastvlm::cli
