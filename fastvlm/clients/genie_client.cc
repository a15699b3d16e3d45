#include "fastvlm/clients/genie_client.h"

namespace fastvlm::clients {

const char* const kGenieClient =
    R"client(// Asks Qualcomm's Genie about a picture. Compile it on the machine, or for it, and run it in this folder, from which the configs count
// their paths:
//   c++ -std=c++17 -O2 client.cc -o client -ldl
//   client [options] LIBRARY picture PIXELS-FILE QUESTION  the pipeline: text, picture, text, in the order of the training
//   client [options] LIBRARY text PROMPT-FILE              the dialog of genie_config.json
//   client [options] LIBRARY ids ID...                     the same with ids in
// LIBRARY: libGenie.so, whose folder must be in LD_LIBRARY_PATH. PIXELS-FILE: float32 as `fastvlm-npu preprocess` writes them.
// --tokens N: stop after N (256); --ids: print ids, a line each, in the place of text; --raw FILE: also write these as little-endian int32.
// The few functions of the library are declared here in our own words; no header of it is needed.
#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
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

// Where data enters and leaves the nodes of a pipeline.
enum Port { kGeneratorEmbedding = 1, kGeneratorText = 2, kGeneratorTokens = 4, kTextIn = 100, kTextEmbedding = 101, kImageIn = 200, kImageEmbedding = 201 };

void* library = nullptr;
std::uint32_t most_tokens = 256;  // of an answer
bool print_ids = false;
std::string raw_file;
std::vector<std::int32_t> answer;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "client: %s\n", what.c_str());
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

std::uint32_t whole_number(const std::string& word) {
  char* end = nullptr;
  const unsigned long number = std::strtoul(word.c_str(), &end, 10);
  if (word.empty() || word[0] < '0' || word[0] > '9' || *end != '\0' || number > 0x7fffffff) fail(word + ": is no whole number");
  return static_cast<std::uint32_t>(number);
}

// "width": 1024 in prompt.json.
std::size_t prompt_number(const std::string& key) {
  const std::string json = content("prompt.json"), before = "\"" + key + "\": ";
  const auto begin = json.find(before);
  if (begin == std::string::npos) fail("prompt.json has no " + key);
  return std::strtoul(json.c_str() + begin + before.size(), nullptr, 10);
}

std::string pixels_of(const std::string& file) {
  const std::size_t wanted = 3 * prompt_number("height") * prompt_number("width") * sizeof(float);
  std::string pixels = content(file);
  if (pixels.size() != wanted) fail(file + ": has " + std::to_string(pixels.size()) + " bytes, but pixels of this model have " + std::to_string(wanted));
  return pixels;
}

[[noreturn]] void finish() {
  if (!raw_file.empty()) {
    std::ofstream stream(raw_file, std::ios::binary);
    stream.write(reinterpret_cast<const char*>(answer.data()), static_cast<std::streamsize>(answer.size() * sizeof(answer[0])));
    if (!stream.flush()) fail(raw_file + ": cannot be written");
  }
  if (!print_ids) std::printf("\n");
  std::fflush(nullptr);
  std::_Exit(0);  // as above
}

// Enough is enough: a pipeline whose answer fills the context ends in an exception that nobody can catch.
void on_text(const char* text, int, const void*) {
  static std::uint32_t given = 0;
  std::printf("%s", text == nullptr ? "" : text);
  std::fflush(stdout);
  if (++given >= most_tokens) finish();
}
void on_tokens(const std::uint32_t* ids, std::uint32_t count, int, const void*) {
  for (std::uint32_t i = 0; i < count; ++i) {
    answer.push_back(static_cast<std::int32_t>(ids[i]));
    std::printf("id %u\n", ids[i]);
    if (answer.size() >= most_tokens) finish();
  }
}

Handle node(const char* config_file) {
  Handle config = nullptr, made = nullptr;
  call("GenieNodeConfig_createFromJson", content(config_file).c_str(), &config);
  call("GenieNode_create", config, &made);
  return made;
}

void ask_about_picture(const std::string& pixels_file, const std::string& question) {
  const std::string before = prompt_part("before_image"), pixels = pixels_of(pixels_file);
  const Handle text = node("text-encoder.json"), image = node("image-encoder.json"), generator = node("text-generator.json");
  Handle config = nullptr, pipeline = nullptr;
  call("GeniePipelineConfig_createFromJson", R"({"version": 1})", &config);
  call("GeniePipeline_create", config, &pipeline);
  for (const Handle one : {text, image, generator}) call("GeniePipeline_addNode", pipeline, one);
  call("GeniePipeline_connect", pipeline, text, int{kTextEmbedding}, generator, int{kGeneratorEmbedding});
  call("GeniePipeline_connect", pipeline, image, int{kImageEmbedding}, generator, int{kGeneratorEmbedding});
  // A node has one of the two.
  if (print_ids)
    call("GenieNode_setTokenCallback", generator, int{kGeneratorTokens}, TokenCallback(on_tokens));
  else
    call("GenieNode_setTextCallback", generator, int{kGeneratorText}, TextCallback(on_text));
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
  call("GenieDialog_setMaxNumTokens", made, most_tokens);
  return made;
}

void ask_text(const std::string& prompt) {
  const Handle talk = dialog();
  call("GenieDialog_query", talk, prompt.c_str(), kWholeSentence, TextCallback(on_text), Handle(nullptr));
  call("GenieDialog_free", talk);
}

void ask_ids(int count, char** words) {
  std::vector<std::uint32_t> ids;
  for (int i = 0; i < count; ++i) ids.push_back(whole_number(words[i]));
  const Handle talk = dialog();
  call("GenieDialog_tokenQuery", talk, static_cast<const std::uint32_t*>(ids.data()), static_cast<std::uint32_t>(ids.size()),
       kWholeSentence, TokenCallback(on_tokens), Handle(nullptr));
  call("GenieDialog_free", talk);
}

}  // namespace

int main(int count, char** words) {
  int at = 1;
  for (; at < count && std::strncmp(words[at], "--", 2) == 0; ++at) {
    const std::string option = words[at];
    if (option == "--ids")
      print_ids = true;
    else if (option == "--tokens" && at + 1 < count)
      most_tokens = whole_number(words[++at]);
    else if (option == "--raw" && at + 1 < count)
      raw_file = words[++at];
    else
      fail(option + ": not known, or nothing behind it");
  }
  if (count - at < 3) fail("wants a library, then picture, text or ids, and what the first lines of its source say");
  library = dlopen(words[at], RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) fail(dlerror());
  const std::string what = words[at + 1];
  if (what == "text")
    ask_text(content(words[at + 2]));
  else if (what == "ids")
    print_ids = true, ask_ids(count - at - 2, words + at + 2);
  else if (what == "picture" && count - at == 4)
    ask_about_picture(words[at + 2], words[at + 3]);
  else
    fail(what + ": not known, or too few words behind it");
  finish();
}
)client";

}  // namespace fastvlm::clients
