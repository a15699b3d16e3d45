#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <iostream>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"
#include "fastvlm/chat/batch.h"
#include "fastvlm/chat/interactive.h"
#include "fastvlm/cli/commands.h"
#include "fastvlm/cli/graph_opener.h"
#include "fastvlm/cli/print.h"

namespace fastvlm::cli {
namespace {

constexpr std::size_t kLongestLine = std::size_t{2} << 20;  // what is longer is read to its end and refused

Status check_arguments(const ChatArguments& a, const CommonArguments& common) {
  if (!a.batch.empty() && (a.prompt || !a.image.empty()))
    return bad_usage("--batch brings its own pictures and prompts; leave out --image and --prompt");
  if (!a.batch_output.empty() && a.batch.empty()) return bad_usage("--batch-output needs --batch");
  if (a.prompt && a.prompt->find_first_not_of(" \t\r\n") == std::string::npos) return bad_usage("--prompt is empty");
  if (common.json && !a.prompt && a.batch.empty()) return bad_usage("--json needs --prompt or --batch");
  return {};
}

Result<ChatOptions> options_of(const ChatArguments& a, const CommonArguments& common) {
  TRY(check_arguments(a, common));
  ChatOptions options{.folder = a.output_dir,
                      .image_size = a.image_size,
                      .sampling = {.temperature = a.temperature, .seed = a.seed},
                      .max_new_tokens = a.max_new_tokens,
                      .keep_vision_open = !a.batch.empty()};
  if (a.system) options.system = *a.system;
  TRY_ASSIGN(options.open_graph,
             graph_opener({.output_dir = a.output_dir, .runner = a.runner, .target = a.target, .share_weights = !a.prepack}, common));
  return options;
}

void write_now(std::string_view text) {
  print_text(text);
  std::fflush(stdout);
}

void write_note(std::string_view text) {
  std::fflush(stdout);
  fmt::print(stderr, "{}", text);
}

void print_timings(const Answer& answer) {
  const AnswerTimings& t = answer.timings;
  std::string line = fmt::format("first token after {:.2f} s", t.first_token_seconds);
  if (t.vision_seconds > 0) line += fmt::format(" (picture {:.2f} s)", t.vision_seconds);
  line += fmt::format(", {} tokens", answer.ids.size());
  if (t.tokens_per_second > 0) line += fmt::format(", {:.2f} tokens/s", t.tokens_per_second);
  write_note(line + "\n");
}

OrderedJson answer_json(const Answer& answer) {
  const AnswerTimings& t = answer.timings;
  return {{"text", answer.text},
          {"ids", answer.ids},
          {"finish", name(answer.finish)},
          {"prompt_tokens", answer.prompt_tokens},
          {"new_tokens", answer.ids.size()},
          {"timings",
           {{"vision_seconds", t.vision_seconds},
            {"first_token_seconds", t.first_token_seconds},
            {"total_seconds", t.total_seconds},
            {"tokens_per_second", t.tokens_per_second}}}};
}

Result<int> answer_once(Chat& chat, const std::string& prompt, const CommonArguments& common) {
  TRY_ASSIGN(const Answer answer, chat.ask(prompt, common.json ? nullptr : std::function<void(std::string_view)>(write_now)));
  if (common.json) {
    print_json(answer_json(answer));
  } else {
    write_now("\n");
    if (!common.quiet) print_timings(answer);
  }
  return answer.finish == Finish::kInterrupted ? static_cast<int>(ErrorKind::kInterrupted) : 0;
}

std::optional<std::string> read_line(bool terminal) {
  if (terminal) write_note("> ");
  std::string line;
  for (int c = std::cin.get(); c != '\n'; c = std::cin.get()) {
    if (c == std::istream::traits_type::eof()) {
      if (terminal) write_note("\n");
      if (line.empty() || interrupted()) return std::nullopt;
      break;
    }
    if (line.size() < kLongestLine) line.push_back(static_cast<char>(c));
  }
  return line;
}

Result<int> answer_many(Chat& chat, const ChatArguments& a, const ChatOptions& options, const CommonArguments& common) {
  BatchOptions batch{.file = a.batch, .output = a.batch_output.empty() ? default_batch_output(a.batch) : a.batch_output};
  TRY_ASSIGN(batch.run, batch_run_name(options, a.runner == "htp" ? a.runner + " " + a.target : a.runner));
  auto progress = make_progress(common.quiet || common.json);
  const auto begin = std::chrono::steady_clock::now();
  TRY_ASSIGN(const BatchReport report, run_batch(batch, [&](const BatchItem& item) { return answer_item(chat, item); }, *progress));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (common.json) {
    print_json({{"output", batch.output.string()},
                {"questions", report.questions},
                {"answered_before", report.answered_before},
                {"answered", report.answered},
                {"failed", report.failed},
                {"new_tokens", report.new_tokens},
                {"seconds", seconds}});
  } else {
    print_line(fmt::format("{}: {} questions, {} answered before, {} now, {} failed; {} tokens in {:.1f} s", batch.output.string(),
                           report.questions, report.answered_before, report.answered, report.failed, report.new_tokens, seconds));
  }
  return report.failed > 0 ? static_cast<int>(ErrorKind::kCheckFailed) : 0;
}

Result<int> talk(Chat& chat, const CommonArguments& common) {
  const bool terminal = ::isatty(STDIN_FILENO) != 0 && ::isatty(STDERR_FILENO) != 0;
  if (terminal && !common.quiet) write_note("Ask about the picture; /help shows the commands, Ctrl-C stops an answer, Ctrl-D ends.\n");
  InteractiveOptions options{.read_line = [&] { return read_line(terminal); }, .write_answer = write_now, .write_note = write_note};
  if (!common.quiet) options.after_answer = print_timings;
  TRY(run_interactive(chat, options));
  return 0;
}

Result<int> run(const ChatArguments& a, const CommonArguments& common) {
  TRY_ASSIGN(const ChatOptions options, options_of(a, common));
  TRY_ASSIGN(std::unique_ptr<Chat> chat, Chat::open(options));
  if (!a.batch.empty()) return answer_many(*chat, a, options, common);
  TRY(chat->start(a.image));
  return a.prompt ? answer_once(*chat, *a.prompt, common) : talk(*chat, common);
}

}  // namespace

int chat_command(const ChatArguments& arguments, const CommonArguments& common) {
  auto code = run(arguments, common);
  return code.ok() ? *code : print_error(code.error());
}

}  // namespace fastvlm::cli
