// chat: questions and answers about a picture, through the static graphs of an output folder, or the plain ones of one without.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/api/runtimes.h"
#include "fastvlm/base/error.h"

namespace fastvlm::api {

struct Work;  // work.h

struct ChatOptions {
  std::string output_dir;                       // exported with targets, or without: then its plain graphs run on the CPU
  std::string chip = {};                        // runs there, emulated on x86; empty: on the CPU
  std::string recipe = {};                      // of the decoder; empty: fp16, or else the first that was exported
  std::optional<std::int64_t> image_size = {};  // nothing: what the model was trained with, or else the largest there is
  double temperature = 0;                       // 0: always the most likely token
  std::uint64_t seed = 0;
  std::int64_t max_new_tokens = 256;
  std::optional<std::string> system = {};  // nothing: what the model was trained with
  std::uint64_t max_pixels = 200'000'000;  // larger pictures are refused
  unsigned threads = 0;                    // on the CPU; 0: one for each core
  Runtimes runtimes = {};
};

struct Answer {
  std::string text;               // special tokens left out
  std::vector<std::int32_t> ids;  // without the token that ended it
  std::string finish;             // "stop", "length", "context", "interrupted"
  double first_token_seconds = 0;
  double tokens_per_second = 0;
};

// One conversation at a time; not safe from several threads.
class Chat {
 public:
  static Result<Chat> open(const ChatOptions& options);
  Chat(Chat&&) noexcept;
  Chat& operator=(Chat&&) noexcept;
  ~Chat();

  // A new conversation about this picture file; with an empty path, one without a picture.
  Status start(const std::string& image);
  // `on_text` hears the text as it becomes certain; nullptr: nobody does.
  Result<Answer> ask(std::string_view question, const std::function<void(std::string_view)>& on_text = nullptr);
  // The same; when `work.stop` is asked to stop, the answer is what came until then ("interrupted"), or before its first token an
  // Error of kind kInterrupted, and the conversation goes on.
  Result<Answer> ask(std::string_view question, const std::function<void(std::string_view)>& on_text, const Work& work);

 private:
  struct State;
  explicit Chat(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fastvlm::api
