// A manifest that was changed in any way is refused with a sentence or does no harm, whoever reads it.
#include <random>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/chat/chat.h"
#include "fastvlm/compile/compile_output.h"
#include "fastvlm/export/golden_export_for_tests.h"
#include "fastvlm/inspect/inspect.h"
#include "fastvlm/verify/verify.h"

namespace fastvlm {
namespace {

constexpr int kMutations = 200;

// The row of HTP with a compiler that has nothing to do.
const Target& idle_target() {
  static const Target target = [] {
    Target row = *known_targets().front();
    row.find_runtimes = [](const RuntimeSearch&) -> Result<RuntimePaths> { return RuntimePaths(); };
    row.check_compiler = [](const RuntimeSearch&, const Path&) -> Status { return {}; };
    row.compile = [](const CompileRequest& request, Progress&) -> Result<std::vector<CompiledGroup>> {
      std::vector<CompiledGroup> groups;
      for (const CompileGroup& group : request.groups) groups.push_back({.name = group.name, .binary = group.name + ".bin"});
      return groups;
    };
    return row;
  }();
  return target;
}

void collect(const Json& json, const Json::json_pointer& at, std::vector<Json::json_pointer>& places) {
  places.push_back(at);
  if (json.is_object())
    for (const auto& [key, value] : json.items()) collect(value, at / key, places);
  if (json.is_array())
    for (std::size_t i = 0; i < json.size(); ++i) collect(json[i], at / i, places);
}

Json nested(int depth) {
  Json json = nullptr;
  for (int i = 0; i < depth; ++i) json = Json::array({json});
  return json;
}

// One change of one place: another type, another number, a strange name, gone; or the text is cut off.
std::string mutated(const Json& sound, std::mt19937& random) {
  const std::vector<Json> values = {nullptr,
                                    true,
                                    0,
                                    -1,
                                    1,
                                    3,
                                    64,
                                    4096,
                                    1 << 30,
                                    INT64_MAX,
                                    UINT64_MAX,
                                    INT64_MIN,
                                    0.5,
                                    -1e300,
                                    "",
                                    "x",
                                    "..",
                                    "../x",
                                    "/etc/passwd",
                                    "a/b",
                                    std::string("a\0b", 3),
                                    "npu/vision_128.onnx",
                                    "vision",
                                    "decoder_part_2_of_2",
                                    "float16",
                                    "int8",
                                    "+1e999",
                                    Json::array(),
                                    Json::array({1}),
                                    Json::array({nullptr}),
                                    Json::object(),
                                    Json::object({{"name", 1}}),
                                    nested(40)};
  Json json = sound;
  // A section first: most places lie in the lists of weights and files.
  auto section = json.begin();
  std::advance(section, random() % json.size());
  std::vector<Json::json_pointer> places;
  collect(section.value(), Json::json_pointer() / section.key(), places);
  const Json::json_pointer at = places[random() % places.size()];
  const auto kind = random() % 10;
  if (kind == 0) {
    const std::string text = json.dump(1);
    return text.substr(0, random() % text.size());
  }
  Json& parent = json.at(at.parent_pointer());
  if (kind == 1 && parent.is_object())
    parent.erase(at.back());
  else if (kind == 2 && parent.is_array())
    parent.push_back(json.at(at));
  else
    json.at(at) = values[random() % values.size()];
  return json.dump(1);
}

template <class T>
bool expect_sentence(const Result<T>& result, const std::string& what) {
  if (result.ok()) return true;
  EXPECT_FALSE(result.error().message.empty()) << what;
  EXPECT_LE(static_cast<int>(result.error().kind), static_cast<int>(ErrorKind::kEnvironment)) << what;
  return false;
}

TEST(DamagedManifest, EveryReaderRefusesItWithASentenceOrTakesIt) {
  FolderForTests folder;
  const Path output = folder / "out";
  ExportOptions options = golden_export("apple-tied", output, 128);
  options.npu = NpuOptions{.targets = {"sm8750"}, .image_sizes = {128}, .prefill = {8}, .context = 32, .fused = {{4, 6}}};
  export_or_fail(options);
  const std::string sound = folder.read("out/manifest.json");
  const Json json = Json::parse(sound);
  const Target* const targets[] = {&idle_target()};
  std::mt19937 random(9);
  Progress silent;
  int taken = 0;
  for (int i = 0; i < kMutations; ++i) {
    const std::string text = i == 0 ? sound : mutated(json, random), what = fmt::format("mutation {}", i);
    folder.write("out/manifest.json", text);
    taken += expect_sentence(inspect({.path = output, .tensors = true}), what) ? 1 : 0;
    expect_sentence(verify({.output_dir = output, .model_dir = options.model_dir, .open_cpu = cpu_for_tests()}, silent), what);
    auto chat = Chat::open({.folder = output, .open_graph = cpu_for_tests(), .max_new_tokens = 1});
    if (expect_sentence(chat, what)) expect_sentence((*chat)->ask("Hello", nullptr), what);
    expect_sentence(compile_output({.output_dir = output, .targets = {"sm8750"}, .known_targets = targets}, silent), what);
  }
  // Neither all nor none: the test would say nothing then.
  EXPECT_GT(taken, kMutations / 10);
  EXPECT_LT(taken, kMutations * 9 / 10);
}

}  // namespace
}  // namespace fastvlm
