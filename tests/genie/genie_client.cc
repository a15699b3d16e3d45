// Asks Qualcomm's Genie through the folder that `export --layout genie` writes, as a client of it would, and prints what it answers:
//   genie_client LIBRARY text PROMPT-FILE              the dialog of genie_config.json
//   genie_client LIBRARY ids ID…                       the same with ids in and out
//   genie_client LIBRARY picture PIXELS-FILE QUESTION  the pipeline: text, picture, text, in the order of the training
// Run it inside the folder: paths in the configs count from there. The few functions of the library are declared here in our own
// words; no header of it is needed.
#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

using Handle = const void*;
using Status = std::int32_t;  // 0: done
using TokenCallback = void (*)(const std::uint32_t* ids, std::uint32_t count, int sentence, const void* user);
using TextCallback = void (*)(const char* text, int sentence, const void* user);
constexpr int kWholeSentence = 0;
constexpr std::uint32_t kMostTokens = 12;  // of an answer

// Where data enters and leaves the nodes of a pipeline.
enum Port { kGeneratorEmbedding = 1, kGeneratorTokens = 4, kTextIn = 100, kTextEmbedding = 101, kImageIn = 200, kImageEmbedding = 201 };

void* library = nullptr;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "genie_client: %s\n", what.c_str());
  std::fflush(nullptr);
  std::_Exit(1);  // not the way of the library's own destructors, which abort while something is open
}

// Calls a function of the library, whose result must be 0.
template <class... Args>
Status try_call(const char* name, Args... args) {
  auto function = reinterpret_cast<Status (*)(Args...)>(dlsym(library, name));
  if (function == nullptr) fail(std::string("the library has no ") + name);
  return function(args...);
}
template <class... Args>
void call(const char* name, Args... args) {
  if (const Status status = try_call(name, args...); status != 0) fail(std::string(name) + " says " + std::to_string(status));
}

std::string content(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) fail(file + ": cannot be read");
  return {std::istreambuf_iterator<char>(stream), {}};
}

// The text of a string in prompt.json, whose only escapes are line feeds.
std::string prompt_part(const std::string& key) {
  const std::string json = content("prompt.json"), before = "\"" + key + "\": \"";
  const auto begin = json.find(before);
  if (begin == std::string::npos) fail("prompt.json has no " + key);
  std::string text = json.substr(begin + before.size(), json.find("\"", begin + before.size()) - begin - before.size());
  for (auto at = text.find("\\n"); at != std::string::npos; at = text.find("\\n")) text.replace(at, 2, "\n");
  return text;
}

void on_text(const char* text, int, const void*) { std::printf("%s", text == nullptr ? "" : text); }
// Enough is enough: a pipeline whose answer fills the context ends in an exception that nobody can catch.
void on_tokens(const std::uint32_t* ids, std::uint32_t count, int, const void*) {
  static std::uint32_t given = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    std::printf("id %u\n", ids[i]);
    if (++given < kMostTokens) continue;
    std::fflush(nullptr);
    std::_Exit(0);
  }
}

Handle node(const char* config_file) {
  Handle config = nullptr, made = nullptr;
  call("GenieNodeConfig_createFromJson", content(config_file).c_str(), &config);
  call("GenieNode_create", config, &made);
  std::printf("accepted %s\n", config_file);
  return made;
}

void ask_about_picture(const std::string& pixels_file, const std::string& question) {
  const Handle text = node("text-encoder.json"), image = node("image-encoder.json"), generator = node("text-generator.json");
  Handle config = nullptr, pipeline = nullptr;
  call("GeniePipelineConfig_createFromJson", R"({"version": 1})", &config);
  call("GeniePipeline_create", config, &pipeline);
  for (const Handle one : {text, image, generator}) call("GeniePipeline_addNode", pipeline, one);
  call("GeniePipeline_connect", pipeline, text, int{kTextEmbedding}, generator, int{kGeneratorEmbedding});
  call("GeniePipeline_connect", pipeline, image, int{kImageEmbedding}, generator, int{kGeneratorEmbedding});
  call("GenieNode_setTokenCallback", generator, int{kGeneratorTokens}, TokenCallback(on_tokens));
  const std::string before = prompt_part("before_image"), pixels = content(pixels_file);
  std::string after = prompt_part("after_image");
  after.replace(after.find("{question}"), std::string("{question}").size(), question);
  const char* none = nullptr;
  call("GenieNode_setData", text, int{kTextIn}, static_cast<const void*>(before.data()), before.size(), none);
  call("GenieNode_setData", image, int{kImageIn}, static_cast<const void*>(pixels.data()), pixels.size(), none);
  call("GenieNode_setData", text, int{kTextIn}, static_cast<const void*>(after.data()), after.size(), none);
  call("GeniePipeline_execute", pipeline, static_cast<void*>(nullptr));
  call("GeniePipeline_free", pipeline);
  for (const Handle one : {text, image, generator}) call("GenieNode_free", one);
}

Handle dialog() {
  Handle config = nullptr, made = nullptr;
  call("GenieDialogConfig_createFromJson", content("genie_config.json").c_str(), &config);
  call("GenieDialog_create", config, &made);
  call("GenieDialog_setMaxNumTokens", made, kMostTokens);
  std::printf("accepted genie_config.json\n");
  return made;
}

void ask_text(const std::string& prompt) {
  const Handle talk = dialog();
  std::printf("text ");
  call("GenieDialog_query", talk, prompt.c_str(), kWholeSentence, TextCallback(on_text), Handle(nullptr));
  std::printf("\n");
  call("GenieDialog_free", talk);
}

void ask_ids(int count, char** words) {
  std::vector<std::uint32_t> ids;
  for (int i = 0; i < count; ++i) ids.push_back(static_cast<std::uint32_t>(std::atoi(words[i])));
  const Handle talk = dialog();
  call("GenieDialog_tokenQuery", talk, static_cast<const std::uint32_t*>(ids.data()), static_cast<std::uint32_t>(ids.size()),
       kWholeSentence, TokenCallback(on_tokens), Handle(nullptr));
  call("GenieDialog_free", talk);
}

}  // namespace

int main(int count, char** words) {
  if (count < 4) fail("wants a library, then text, ids or picture, and what the first lines of its source say");
  library = dlopen(words[1], RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) fail(dlerror());
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const std::string what = words[2];
  if (what == "text")
    ask_text(content(words[3]));
  else if (what == "ids")
    ask_ids(count - 3, words + 3);
  else if (what == "picture" && count == 5)
    ask_about_picture(words[3], words[4]);
  else
    fail(what + ": not known, or too few words behind it");
  return 0;
}
