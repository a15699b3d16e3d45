#include "fastvlm/chat/chat.h"

#include "fastvlm/api/bridge.h"
#include "fastvlm/api/chat.h"
#include "fastvlm/base/try.h"
#include "fastvlm/compile/graph_opener.h"

namespace fastvlm::api {

struct Chat::State {
  std::unique_ptr<fastvlm::Chat> chat;
};

Chat::Chat(std::unique_ptr<State> state) : state_(std::move(state)) {}
Chat::Chat(Chat&&) noexcept = default;
Chat& Chat::operator=(Chat&&) noexcept = default;
Chat::~Chat() = default;

Result<Chat> Chat::open(const ChatOptions& options) {
  return without_exceptions<Chat>([&]() -> Result<Chat> {
    fastvlm::ChatOptions own{.folder = options.output_dir,
                             .recipe = options.recipe,
                             .image_size = options.image_size,
                             .sampling = {.temperature = options.temperature, .seed = options.seed},
                             .max_new_tokens = options.max_new_tokens,
                             .decode = {.max_pixels = options.max_pixels}};
    if (options.system) own.system = *options.system;
    GraphOpenerOptions where = opener_of(options.output_dir, options.runtimes, options.threads);
    where.chip = options.chip;
    if (!options.chip.empty()) own.graphs = fastvlm::ChatGraphs::kStatic;
    TRY_ASSIGN(const OutputFolder folder, open_static_folder(options.output_dir));
    where.share_weights = !chooses_plain(folder, own.graphs);
    TRY_ASSIGN(own.open_graph, graph_opener(where));
    auto state = std::make_unique<State>();
    TRY_ASSIGN(state->chat, fastvlm::Chat::open(std::move(own)));
    return Chat(std::move(state));
  });
}

Status Chat::start(const std::string& image) {
  return without_exceptions<void>([&] { return state_->chat->start(image); });
}

Result<Answer> Chat::ask(std::string_view question, const std::function<void(std::string_view)>& on_text) {
  return ask(question, on_text, {});
}

Result<Answer> Chat::ask(std::string_view question, const std::function<void(std::string_view)>& on_text, const Work& work) {
  const StopScope stop(work.stop);
  return without_exceptions<Answer>([&]() -> Result<Answer> {
    TRY_ASSIGN(fastvlm::Answer answer, state_->chat->ask(question, on_text));
    return Answer{.text = std::move(answer.text),
                  .ids = std::move(answer.ids),
                  .finish = std::string(name(answer.finish)),
                  .first_token_seconds = answer.timings.first_token_seconds,
                  .tokens_per_second = answer.timings.tokens_per_second};
  });
}

}  // namespace fastvlm::api
