// Answers questions about pictures in turn, for bench/answering.py: opens everything, answers once to warm up, then once for each line
// on standard input, with a line of JSON on standard output for each. The pictures take turns, so that none is known already.
//
//   bench_answering FOLDER plain|static RECIPE|- SIZE TOKENS THREADS shared|prepacked PROMPT PICTURE PICTURE…
#include <fmt/core.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/base/try.h"
#include "fastvlm/chat/chat.h"
#include "fastvlm/compile/graph_opener.h"

namespace {

using namespace fastvlm;

constexpr std::size_t kFirstPicture = 8;

Result<std::unique_ptr<Chat>> open(const std::vector<std::string>& words) {
  GraphOpenerOptions where{.output_dir = words[0], .chip = {}, .threads = static_cast<unsigned>(std::stoul(words[5]))};
  where.runtimes.cache_folder = default_cache_folder(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME"));
  where.share_weights = words[6] == "shared";
  ChatOptions options{.folder = words[0],
                      .open_graph = {},
                      .recipe = words[2] == "-" ? "" : words[2],
                      .image_size = std::stoll(words[3]),
                      .sampling = {},
                      .max_new_tokens = std::stoll(words[4]),
                      .keep_vision_open = true,
                      .decode = {},
                      .graphs = words[1] == "plain" ? ChatGraphs::kPlain : ChatGraphs::kStatic};
  TRY_ASSIGN(options.open_graph, graph_opener(where));
  return Chat::open(std::move(options));
}

Status answer(Chat& chat, const std::string& picture, const std::string& prompt) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  TRY(chat.start(picture));
  const double read = std::chrono::duration<double>(Clock::now() - begin).count();
  TRY_ASSIGN(const Answer said, chat.ask(prompt, nullptr));
  const OrderedJson line = {{"first_token", read + said.timings.first_token_seconds},
                            {"picture", read + said.timings.vision_seconds},
                            {"rest", said.timings.total_seconds - said.timings.first_token_seconds},
                            {"ids", said.ids}};
  fmt::print("{}\n", line.dump());
  std::fflush(stdout);
  return {};
}

Status run(const std::vector<std::string>& words) {
  TRY_ASSIGN(const std::unique_ptr<Chat> chat, open(words));
  std::size_t turn = 0;
  const auto next = [&]() -> const std::string& { return words[kFirstPicture + turn++ % (words.size() - kFirstPicture)]; };
  TRY(answer(*chat, next(), words[7]));
  for (std::string line; std::getline(std::cin, line);) TRY(answer(*chat, next(), words[7]));
  return {};
}

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string> words(arguments + 1, arguments + count);
  if (words.size() <= kFirstPicture) {
    fmt::print(stderr, "usage: see the head of bench/answering.cc\n");
    return 2;
  }
  if (const Status done = run(words); !done.ok()) {
    fmt::print(stderr, "{}\n", done.error().message);
    return 1;
  }
  return 0;
}
