#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/cli/verbs.h"
#include "fastvlm/text/prompt.h"

namespace fastvlm::cli {
namespace {

struct TokenizeArguments {
  Path model_dir;
  bool decode = false;
  bool chat = false;
};

void add_options(OptionTable& options, TokenizeArguments& a, CommonArguments& common) {
  options.path("--model-dir", a.model_dir, "Folder with tokenizer.json, or vocab.json and merges.txt")
      .complete(Completes::kFolder)
      .set_required();
  options.flag("--decode", a.decode, "Ids in, text out");
  options.flag("--chat", a.chat, "Wrap the text as a question about a picture, as chat does").excludes = "--decode";
  add_json(options, common);
}

constexpr std::size_t kMaxInput = (std::size_t{1} << 31) - 1;
constexpr std::int32_t kImagePlace = -1;  // among ids
constexpr std::string_view kImageText = "<image>";

Result<std::string> read_standard_input() {
  std::string text;
  for (std::size_t size = 0;;) {
    text.resize(std::max<std::size_t>(text.size(), size + (std::size_t{1} << 16)));
    if (size == text.size()) text.resize(size * 2);
    const ssize_t got = ::read(STDIN_FILENO, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) {
      TRY(check_interrupt());
      continue;
    }
    if (got < 0) return bad_input("standard input: cannot read ({})", std::strerror(errno));
    size += static_cast<std::size_t>(got);
    if (size > kMaxInput) return bad_input("standard input: more than 2 GiB; give it in pieces");
    if (got == 0) {
      text.resize(size);
      return text;
    }
    if (size == text.size()) text.resize(size * 2);
  }
}

Result<std::vector<std::int32_t>> chat_ids(const Tokenizer& tokenizer, std::string text) {
  TRY_ASSIGN(ChatPrompt prompt, ChatPrompt::create(tokenizer));
  const ChatTurn turn{.role = Role::kUser, .text = std::move(text), .image = true};
  const Prompt conversation = prompt.conversation(std::span(&turn, 1));
  std::vector<std::int32_t> ids;
  for (const auto& piece : conversation.pieces) {
    if (&piece != &conversation.pieces.front()) ids.push_back(kImagePlace);
    ids.insert(ids.end(), piece.begin(), piece.end());
  }
  return ids;
}

void print_ids(const std::vector<std::int32_t>& ids) {
  std::string line;
  for (std::int32_t id : ids) {
    if (!line.empty()) line += ' ';
    if (id == kImagePlace)
      line += kImageText;
    else
      line += fmt::format_int(id).c_str();
  }
  print_text(line + "\n");
}

// By hand: a JSON value for each of millions of tokens would take a hundred times their memory.
void print_ids_json(const Tokenizer& tokenizer, const std::vector<std::int32_t>& ids) {
  std::string text = "{\"ids\": [";
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (i > 0) text += ", ";
    text += ids[i] == kImagePlace ? "null" : fmt::format_int(ids[i]).c_str();
  }
  text += "], \"tokens\": [";
  std::vector<std::string> quoted(static_cast<std::size_t>(tokenizer.size()));  // made once for each token that occurs
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (i > 0) text += ", ";
    if (ids[i] == kImagePlace) {
      text += "\"<image>\"";
      continue;
    }
    std::string& token = quoted[static_cast<std::size_t>(ids[i])];
    if (token.empty()) token = Json(tokenizer.token_text(ids[i])).dump(-1, ' ', false, Json::error_handler_t::replace);
    text += token;
  }
  print_text(text + "]}\n");
}

bool is_separator(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',' || c == '[' || c == ']'; }

// Ids with blanks, commas or the brackets of a JSON list around them; <image> and null are the place of an image.
Result<std::vector<std::int32_t>> parse_ids(std::string_view text) {
  std::vector<std::int32_t> ids;
  const char* end = text.data() + text.size();
  for (const char* at = text.data(); at != end;) {
    if (is_separator(*at)) {
      ++at;
      continue;
    }
    const char* word_end = std::find_if(at, end, is_separator);
    const std::string_view word(at, static_cast<std::size_t>(word_end - at));
    std::int32_t id = kImagePlace;
    if (word != kImageText && word != "null") {
      const auto parsed = std::from_chars(at, word_end, id);
      if (parsed.ec != std::errc() || parsed.ptr != word_end || id < 0)
        return bad_input("standard input: \"{}\" at byte {} is not a token id; wanted are numbers with blanks or commas between them",
                         word.substr(0, 40), at - text.data());
    }
    ids.push_back(id);
    at = word_end;
  }
  return ids;
}

// Runs between images: an unfinished character must not reach across one.
std::string decode_with_images(const Tokenizer& tokenizer, std::span<const std::int32_t> ids) {
  std::string text;
  for (std::size_t begin = 0;;) {
    const auto end =
        static_cast<std::size_t>(std::find(ids.begin() + static_cast<std::ptrdiff_t>(begin), ids.end(), kImagePlace) - ids.begin());
    text += tokenizer.decode(ids.subspan(begin, end - begin));
    if (end == ids.size()) return text;
    text += kImageText;
    begin = end + 1;
  }
}

Status print_decoded(const Tokenizer& tokenizer, std::string_view input, bool json) {
  TRY_ASSIGN(auto ids, parse_ids(input));
  for (std::int32_t id : ids)
    if (id != kImagePlace && !tokenizer.is_token(id))
      return bad_input("standard input: {} is no token id; this tokenizer has ids below {}", id, tokenizer.size());
  const std::string text = decode_with_images(tokenizer, ids);
  if (json) {
    print_json({{"text", text}});
    return {};
  }
  print_text(text);
  if (::isatty(STDOUT_FILENO) && !text.ends_with('\n')) print_text("\n");
  return {};
}

Status run_tokenize(const TokenizeArguments& arguments, bool json) {
  TRY_ASSIGN(Tokenizer tokenizer, Tokenizer::load(arguments.model_dir));
  TRY_ASSIGN(std::string input, read_standard_input());
  if (arguments.decode) return print_decoded(tokenizer, input, json);
  std::vector<std::int32_t> ids;
  if (arguments.chat) {
    TRY_ASSIGN(ids, chat_ids(tokenizer, std::move(input)));
  } else {
    ids = tokenizer.encode(input);
  }
  if (json)
    print_ids_json(tokenizer, ids);
  else
    print_ids(ids);
  return {};
}

ExitCode run(const TokenizeArguments& arguments, const CommonArguments& common) {
  TRY(run_tokenize(arguments, common.json));
  return 0;
}

}  // namespace

Verb tokenize_verb(CommonArguments& common) {
  return make_verb<TokenizeArguments>(
      {.name = "tokenize",
       .group = kToolsGroup,
       .summary = "Turn text into token ids, or ids into text",
       .details = "Reads standard input up to its end; a line feed at the end counts. Prints ids with blanks between them,\n"
                  "or with --json {\"ids\": […], \"tokens\": […]}. The place of the image in --chat is printed as <image>\n"
                  "(null in ids of --json). --decode takes ids with blanks or commas between them, or a JSON list, and prints the\n"
                  "text as it is.",
       .examples = "  printf 'What is this?' | fastvlm-npu tokenize --model-dir FastVLM-0.5B\n"
                   "  printf 'What is this?' | fastvlm-npu tokenize --model-dir FastVLM-0.5B --chat --json\n"
                   "  echo 3838 374 419 30 | fastvlm-npu tokenize --model-dir FastVLM-0.5B --decode"},
      common, add_options, run);
}

}  // namespace fastvlm::cli
