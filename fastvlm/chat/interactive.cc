#include "fastvlm/chat/interactive.h"

#include <array>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr std::size_t kMaxLineBytes = std::size_t{1} << 20;
constexpr std::string_view kWhiteSpace = " \t\r\n\v\f";

struct CommandRow {
  std::string_view name;
  CommandKind kind;
  std::string_view argument;  // how help calls it; empty: takes none
  std::string_view help;
};
constexpr std::array kCommands = {
    CommandRow{"/image", CommandKind::kImage, "FILE", "begin a new conversation about another picture"},
    CommandRow{"/reset", CommandKind::kReset, "", "begin a new conversation about the same picture"},
    CommandRow{"/save", CommandKind::kSave, "FILE", "write the conversation as JSON"},
    CommandRow{"/help", CommandKind::kHelp, "", "show this"},
    CommandRow{"/quit", CommandKind::kQuit, "", "end, as does the end of the input"},
};

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kWhiteSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kWhiteSpace) - begin + 1);
}

std::string help_text() {
  std::string text;
  for (const CommandRow& row : kCommands) text += fmt::format("{:<12} {}\n", fmt::format("{} {}", row.name, row.argument), row.help);
  return text + "//…          a question that begins with a slash\n";
}

Status ask(Chat& chat, const std::string& question, const InteractiveOptions& options) {
  auto answer = chat.ask(question, options.write_answer);
  if (!answer.ok()) return std::move(answer).error();
  options.write_answer("\n");
  if (answer->finish == Finish::kInterrupted) options.write_note("(stopped)\n");
  if (answer->finish == Finish::kMaxNewTokens) options.write_note("(cut off at `max_new_tokens`)\n");
  if (answer->finish == Finish::kContextFull) options.write_note("(the context is full; /reset begins anew)\n");
  if (options.after_answer) options.after_answer(*answer);
  return {};
}

Status run_command(Chat& chat, const Command& command, const InteractiveOptions& options) {
  switch (command.kind) {
    case CommandKind::kQuestion: return ask(chat, command.argument, options);
    case CommandKind::kImage:
      TRY(chat.start(command.argument));
      options.write_note(fmt::format("a new conversation about {}\n", command.argument));
      return {};
    case CommandKind::kReset:
      chat.restart();
      options.write_note("a new conversation about the same picture\n");
      return {};
    case CommandKind::kSave:
      TRY(write_file_atomically(command.argument, transcript_json(chat).dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n"));
      options.write_note(fmt::format("{}: {} turns\n", command.argument, chat.turns().size()));
      return {};
    case CommandKind::kHelp: options.write_note(help_text()); return {};
    case CommandKind::kWrong: options.write_note(command.argument + "\n"); return {};
    case CommandKind::kNothing:
    case CommandKind::kQuit: return {};
  }
  return {};
}

}  // namespace

Command parse_command(std::string_view line) {
  if (line.size() > kMaxLineBytes)
    return {CommandKind::kWrong, fmt::format("the line has {} bytes; at most {} are read", line.size(), kMaxLineBytes)};
  line = trimmed(line);
  if (line.empty()) return {};
  if (!line.starts_with('/')) return {CommandKind::kQuestion, std::string(line)};
  if (line.starts_with("//")) return {CommandKind::kQuestion, std::string(line.substr(1))};
  const std::size_t end = line.find_first_of(kWhiteSpace);
  const std::string_view word = line.substr(0, end);
  const std::string_view argument = end == std::string_view::npos ? std::string_view() : trimmed(line.substr(end));
  for (const CommandRow& row : kCommands) {
    if (row.name != word) continue;
    if (row.argument.empty() != argument.empty())
      return {CommandKind::kWrong,
              fmt::format("{} {}", row.name, row.argument.empty() ? "takes nothing behind it" : "needs the name of a file behind it")};
    if (argument.find('\0') != std::string_view::npos) return {CommandKind::kWrong, "a file name cannot hold a zero byte"};
    return {row.kind, std::string(argument)};
  }
  return {CommandKind::kWrong,
          fmt::format("there is no command {}; /help shows those there are, and //… asks a question that begins with a slash",
                      word.substr(0, 40))};
}

Status run_interactive(Chat& chat, const InteractiveOptions& options) {
  while (true) {
    const StopScope scope(options.next_stop ? options.next_stop() : current_stop());
    const std::optional<std::string> line = options.read_line();
    if (!line) return check_interrupt();
    const Command command = parse_command(*line);
    if (command.kind == CommandKind::kQuit) return {};
    if (Status done = run_command(chat, command, options); !done.ok()) {
      if (command.kind == CommandKind::kQuestion && done.error().kind == ErrorKind::kEnvironment) return done;
      options.write_note((done.error().kind == ErrorKind::kInterrupted ? "(stopped before the answer began)" : done.error().message) +
                         "\n");
    }
    if (!options.next_stop) TRY(check_interrupt());
  }
}

OrderedJson transcript_json(const Chat& chat) {
  OrderedJson turns = OrderedJson::array();
  for (const ChatTurn& turn : chat.turns())
    turns.push_back({{"role", turn.role == Role::kUser ? "user" : "assistant"}, {"text", turn.text}});
  OrderedJson json = {{"format", "fastvlm-npu chat"}};
  if (!chat.image().empty()) json["image"] = chat.image().string();
  json["turns"] = std::move(turns);
  return json;
}

}  // namespace fastvlm
