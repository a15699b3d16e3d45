// chat without --prompt: several turns over one picture, with a few commands.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "fastvlm/base/json.h"
#include "fastvlm/chat/chat.h"

namespace fastvlm {

enum class CommandKind { kNothing, kQuestion, kImage, kReset, kSave, kHelp, kQuit, kWrong };

// What one line of input asks for.
struct Command {
  CommandKind kind = CommandKind::kNothing;
  std::string argument;  // the question, the file name, or for kWrong the sentence that says what is wrong
};

// "/image FILE", "/reset", "/save FILE", "/help", "/quit"; "//text" is the question "/text"; all else is a question. White
// space around a line and around a file name does not count.
Command parse_command(std::string_view line);

// One line of input without its end, or nothing at its end.
using ReadLine = std::function<std::optional<std::string>()>;
using Write = std::function<void(std::string_view)>;

struct InteractiveOptions {
  ReadLine read_line;
  Write write_answer;                               // the text of answers as it comes, and the line feed behind it
  Write write_note;                                 // everything else, whole lines with their line feed
  std::function<void(const Answer&)> after_answer;  // may be empty
  std::function<std::stop_token()> next_stop;       // for the next line and its answer; empty: that of the thread for all
};

// Reads and answers until the input ends or /quit. An interrupt during an answer ends that answer only. What a line makes go
// wrong is told and the conversation goes on; only a question that fails for the environment (a runtime is gone) ends it.
Status run_interactive(Chat& chat, const InteractiveOptions& options);

// The conversation as JSON: {"format", "image", "turns": [{"role", "text"}]}.
OrderedJson transcript_json(const Chat& chat);

}  // namespace fastvlm
