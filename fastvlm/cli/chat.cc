#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <iostream>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"
#include "fastvlm/chat/batch.h"
#include "fastvlm/chat/interactive.h"
#include "fastvlm/cli/flags.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/cli/runner_arguments.h"
#include "fastvlm/cli/stop_signals.h"
#include "fastvlm/cli/verbs.h"

namespace fastvlm::cli {
namespace {

struct ChatArguments {
  Path output_dir;
  Path image;
  std::optional<std::string> prompt;  // nothing: interactive
  std::string runner = "cpu";
  std::string target = "sm8750";
  std::string recipe;
  std::string graphs = "detect";
  std::optional<std::int64_t> image_size;
  std::uint64_t max_pixels = ImageDecodeOptions().max_pixels;
  std::int64_t max_new_tokens = 256;
  double temperature = 0;
  std::uint64_t seed = 0;
  std::optional<std::string> system;
  Path batch;
  Path batch_output;
  bool prepack = false;
};

void add_options(OptionTable& options, ChatArguments& a, CommonArguments& common) {
  options.path("--output-dir", a.output_dir, "Folder that export wrote").complete(Completes::kFolder).set_required();
  options.path("--image", a.image, "Picture file");
  options.value("--prompt", a.prompt, "TEXT", "One question; default: read questions from standard input");
  add_runner_options(options, a.runner, a.target, "cpu: ONNX Runtime; htp: the NPU, emulated on x86");
  options.value("--recipe", a.recipe, "NAME", "Decoder to talk to, of those exported; default: fp16, or else the first");
  options.choice("--graphs", a.graphs, graphs_names(), "Those of npu/, or the plain ones; default: npu/ where there is one");
  options.value("--image-size", a.image_size, "N", "Side in pixels; default: what the model was trained with");
  options.value("--max-pixels", a.max_pixels, "N", "Largest picture that is read").show_default();
  options.value("--max-new-tokens", a.max_new_tokens, "N", "Longest answer").show_default();
  options.value("--temperature", a.temperature, "T", "0: always the most likely token; above: sample").show_default();
  options.value("--seed", a.seed, "N", "Of the random numbers").show_default();
  options.value("--system", a.system, "TEXT", "Another system text; the model was trained with the default");
  options.path("--batch", a.batch, "File of questions, one JSON object a line");
  options.path("--batch-output", a.batch_output, "File of answers; default: FILE.answers.jsonl");
  options.flag("--prepack", a.prepack,
               "On the CPU: rearranged copies of the weights; faster, several times the memory; plain graphs always");
  add_json(options, common);
  add_runtime_options(options, common);
}

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
                      .recipe = a.recipe,
                      .image_size = a.image_size,
                      .sampling = {.temperature = a.temperature, .seed = a.seed},
                      .max_new_tokens = a.max_new_tokens,
                      .keep_vision_open = !a.batch.empty(),
                      .decode = {.max_pixels = a.max_pixels}};
  if (a.system) options.system = *a.system;
  TRY_ASSIGN(const std::string chip, chip_of(a.runner, a.target));
  TRY_ASSIGN(options.graphs, graphs_for(a.graphs, chip));
  GraphOpenerOptions opener = opener_options(a.output_dir, chip, common);
  TRY_ASSIGN(opener.share_weights, shares_weights(a.output_dir, options.graphs, a.prepack));
  TRY_ASSIGN(options.open_graph, graph_opener(opener));
  return options;
}

void write_now(std::string_view text) {
  print_text(text);
  std::fflush(stdout);
}

void write_note(std::string_view text) {
  std::fflush(stdout);
  fmt::print(stderr, "{}", with_flags(text));
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

ExitCode answer_once(Chat& chat, const std::string& prompt, const CommonArguments& common) {
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

Result<BatchReply> told_item(Chat& chat, const BatchItem& item, const BatchItem* next) {
  chat.prepare(next == nullptr ? Path() : next->image_file);
  TRY_ASSIGN(BatchReply reply, answer_item(chat, item));
  reply.error = with_flags(reply.error);
  return reply;
}

ExitCode answer_many(Chat& chat, const ChatArguments& a, const ChatOptions& options, const CommonArguments& common) {
  BatchOptions batch{.file = a.batch, .output = a.batch_output.empty() ? default_batch_output(a.batch) : a.batch_output};
  TRY_ASSIGN(batch.run, batch_run_name(options, a.runner == "cpu" ? a.runner : a.runner + " " + a.target));
  auto progress = make_progress(common.quiet || common.json);
  const auto begin = std::chrono::steady_clock::now();
  const AnswerItem told = [&](const BatchItem& item, const BatchItem* next) { return told_item(chat, item, next); };
  TRY_ASSIGN(const BatchReport report, run_batch(batch, told, *progress));
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

ExitCode talk(Chat& chat, const CommonArguments& common) {
  const bool terminal = ::isatty(STDIN_FILENO) != 0 && ::isatty(STDERR_FILENO) != 0;
  if (terminal && !common.quiet) write_note("Ask about the picture; /help shows the commands, Ctrl-C stops an answer, Ctrl-D ends.\n");
  InteractiveOptions options{
      .read_line = [&] { return read_line(terminal); }, .write_answer = write_now, .write_note = write_note, .next_stop = renewed_stop};
  if (!common.quiet) options.after_answer = print_timings;
  TRY(run_interactive(chat, options));
  return 0;
}

ExitCode run(const ChatArguments& a, const CommonArguments& common) {
  TRY_ASSIGN(const ChatOptions options, options_of(a, common));
  TRY_ASSIGN(std::unique_ptr<Chat> chat, Chat::open(options));
  if (!a.batch.empty()) return answer_many(*chat, a, options, common);
  TRY(chat->start(a.image));
  return a.prompt ? answer_once(*chat, *a.prompt, common) : talk(*chat, common);
}

}  // namespace

Verb chat_verb(CommonArguments& common) {
  return make_verb<ChatArguments>(
      {.name = "chat",
       .group = kTalkGroup,
       .summary = "Ask a model about a picture",
       .details = "Of an export with --target it runs the graphs that the NPU gets, of one without the plain graphs (--graphs), for\n"
                  "any picture size and with the model's own context. Without --prompt it reads questions line by line: several\n"
                  "turns over one picture; /image FILE and /reset begin a new conversation, /save FILE writes it, /help tells the rest.\n"
                  "Ctrl-C ends an answer; at the prompt it ends the program. By default the most likely token is taken, so\n"
                  "answers can be repeated; Apple's script samples with --temperature 0.2.\n"
                  "--batch reads lines {\"image\": \"cat.jpg\", \"prompt\": \"What is this?\", \"id\": 1} (pictures relative to the\n"
                  "file, image and id optional) and appends a line for each answer. Run again, it goes on where it was\n"
                  "stopped and redoes lines that changed or failed. Exit code 1 when a line has no answer.",
       .examples = "  fastvlm-npu chat --output-dir out --image cat.jpg --prompt \"What is this?\"\n"
                   "  fastvlm-npu chat --output-dir out --image cat.jpg --runner htp --target sm8750\n"
                   "  fastvlm-npu chat --output-dir out --batch questions.jsonl"},
      common, add_options, run);
}

}  // namespace fastvlm::cli
