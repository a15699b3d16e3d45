#include "fastvlm/bundle/manifest.h"

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/bundle/manifest_for_tests.h"
#include "fastvlm/bundle/manifest_json.h"

namespace fastvlm {
namespace {

constexpr const char* kWhat = "out/manifest.json";

TEST(Manifest, MakesTheRoundTripByteForByte) {
  const std::string text = manifest_text(manifest_for_tests());
  auto read = parse_manifest(text, kWhat);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(manifest_text(*read), text);
}

TEST(Manifest, RolesPrecisionAndExtentsComeBack) {
  const Manifest made = manifest_for_tests(), read = parse_manifest(manifest_text(made), kWhat).value();
  EXPECT_EQ(read.graphs, made.graphs);
  EXPECT_EQ(made_from(read), made_from_for_tests());
  EXPECT_EQ(read.find(GraphRole::kFused)->extents.text_tokens, 6);
  EXPECT_EQ(read.vision(64)->file, "npu/vision_64.onnx");
  EXPECT_EQ(read.vision(128), nullptr);
  EXPECT_EQ(read.prompt.stop_token_ids, (std::vector<std::int64_t>{7, 9}));
}

TEST(Manifest, OneEndTokenIsWrittenAsANumber) {
  EXPECT_EQ(to_json(PromptContract{.stop_token_ids = {7}})["stop_token_id"], 7);
  EXPECT_FALSE(to_json(PromptContract{.stop_token_ids = {7}}).contains("stop_token_ids"));
  EXPECT_FALSE(to_json(PromptContract{}).contains("stop_token_id"));
}

TEST(Manifest, TextThatIsNoManifestIsRefusedWithASentence) {
  struct Case {
    const char* text;
    const char* message;
  };
  const Case cases[] = {
      {"", "not valid JSON"},
      {R"({"format": "fastvlm-npu)", "not valid JSON"},
      {"[]", "expected an object with the key \"format\""},
      {R"({"format_version": 1})", "the key \"format\" is missing"},
      {R"({"format": "other", "format_version": 1})", "format \"other\" is not \"fastvlm-npu export\""},
      {R"({"format": "fastvlm-npu export"})", "the key \"format_version\" is missing"},
      {R"({"format": "fastvlm-npu export", "format_version": 2})", "written in format version 2, this program reads 1; export again"},
      {R"({"format": "fastvlm-npu export", "format_version": 1})", "the key \"versions\" is missing, expected an object"},
      {R"({"format": "fastvlm-npu export", "format": "x"})", "stands twice"},
  };
  for (const Case& c : cases) {
    auto read = parse_manifest(c.text, kWhat);
    ASSERT_FALSE(read.ok()) << c.text;
    EXPECT_EQ(read.error().kind, ErrorKind::kBadInput) << c.text;
    EXPECT_TRUE(read.error().message.starts_with("out/manifest.json: ")) << read.error().message;
    EXPECT_NE(read.error().message.find(c.message), std::string::npos) << c.text << ": " << read.error().message;
  }
}

// A member of a sound manifest that gets another value, and what is said about it behind the file's name.
struct Damage {
  const char* path;
  const char* value;  // nullptr: removed
  const char* message;
};
const Damage kDamages[] = {
    {"/versions", "{}", "versions: the key \"fastvlm_npu\" is missing, expected a string"},
    {"/versions/onnx_opset", "0", "versions: the key \"onnx_opset\" must be from 1 to 2147483648, but is 0"},
    {"/dtype", "\"int8\"", "the key \"dtype\" must be float32 or float16, but is int8"},
    {"/dtype", "\"float\"", "the key \"dtype\" must be a type such as float32, but is \"float\""},
    {"/model", "{}", "the key \"vision\" is missing, expected an object"},
    {"/model", "null", "the key \"model\" must be an object, but is null"},
    {"/model/text/hidden_size", "65537", "model: text: the key \"hidden_size\" must be from 1 to 65536, but is 65537"},
    {"/model/text/vocab_size", "1e3", "model: text: the key \"vocab_size\" must be an integer, but is number"},
    {"/model/text/head_dim", "18446744073709551615", "model: text: the key \"head_dim\" must be an integer"},
    {"/model/text/rope_theta", "1e400", "not valid JSON"},
    {"/model/text/rope_theta", "0", "model: text: the key \"rope_theta\" must be from 1 to 1e+30, but is 0"},
    {"/model/text/tie_word_embeddings", "1", "model: text: the key \"tie_word_embeddings\" must be true or false, but is number"},
    {"/model/vision/depths", "[1, 0]", "model: vision: the key \"depths\" must be a list of integers from 1 to 1024"},
    {"/preprocessing/image_size", "100", "preprocessing: the key \"image_size\" must be a multiple of 64, but is 100"},
    {"/preprocessing/mode", "\"fit\"", "preprocessing: the key \"mode\" must be \"pad\", \"crop\" or \"stretch\", but is \"fit\""},
    {"/preprocessing/resample", "\"area\"",
     "preprocessing: the key \"resample\" must be a filter of Pillow such as \"bicubic\", but is \"area\""},
    {"/preprocessing/std", "[1, 0, 1]", "preprocessing: the key \"std\" must not hold 0"},
    {"/preprocessing/mean", "[0, 0]", "preprocessing: the key \"mean\" must hold three numbers, but holds 2"},
    {"/preprocessing/std", "[0, {}, 0]", "preprocessing: the key \"std\" must be a list of numbers, but one of them is object"},
    {"/prompt/stop_token_ids", "[512]", "prompt: the key \"stop_token_ids\" must be a list of integers from 0 to 511"},
    {"/graphs", "[1]", "graphs[0]: expected an object, not number"},
    {"/graphs", "{}", "the key \"graphs\" must be a list, but is object"},
    {"/graphs/0/name", "\"other\"", "graphs[0]: the key \"name\" must be that of a plain graph"},
    {"/graphs/3/name", "\"../x\"", "graphs[3]: the key \"name\" must be a plain name, but is \"../x\""},
    {"/graphs/3/file", "\"/etc/passwd\"", "graphs[3]: the key \"file\" must name a file in the folder, but \"/etc/passwd\" leaves it"},
    {"/graphs/3/file", "\"vision_64.onnx\"", "graphs[3]: a graph lies below npu/ if and only if it has a group"},
    {"/graphs/3/group", "\"tower\"", "graphs[3]: the key \"group\" must be vision, decoder, decoder_part_1_of_3 or fused_v16_t32"},
    {"/graphs/3/group", nullptr, "graphs[3]: the key \"name\" must be that of a plain graph"},
    {"/graphs/3/image_size", nullptr, "graphs[3]: the key \"image_size\" is missing, expected an integer"},
    {"/graphs/3/inputs", "[[]]", "graphs[3]: inputs[0]: expected an object, not array"},
    {"/graphs/3/inputs/0/shape", "[1.5]", "graphs[3]: inputs[0]: the key \"shape\" must hold numbers from 0 to 2147483648 and names"},
    {"/graphs/3/inputs/0/type", "3", "graphs[3]: inputs[0]: the key \"type\" must be a string, but is number"},
    {"/graphs/3/operators/Relu", "\"many\"", "graphs[3]: operators: the key \"Relu\" must be an integer, but is string"},
    {"/graphs/4/new_tokens", "24", "graphs[4]: the key \"new_tokens\" must be from 1 to 23, but is 24"},
    {"/graphs/5/group", "\"decoder_part_4_of_3\"", "graphs[5]: the key \"group\" must be of the form decoder_part_1_of_3"},
    {"/graphs/6/group", "\"fused_v0_t1\"", "graphs[6]: the key \"group\" must be vision"},
    {"/graphs/7/recipe", "\"w8\"", "graphs[7]: the key \"group\" must bear the recipe \"w8\", but is \"decoder_w4_part_2_of_3\""},
    {"/graphs/7/recipe", "\"a/b\"", "graphs[7]: the key \"recipe\" must be a plain name, but is \"a/b\""},
    {"/graphs/7/recipe", nullptr, "graphs[7]: the key \"group\" must be of the form decoder_part_1_of_3"},
    {"/graphs/7/weight_bits", "0", "graphs[7]: the key \"weight_bits\" must be from 1 to 32, but is 0"},
    {"/graphs/8/activations", "\"float\"",
     "graphs[8]: the key \"activations\" must be \"int16\", \"int16-int8\", \"integers\" or missing, not \"float\""},
    {"/graphs/8/onnx_opset", "17", "graphs[8]: the key \"onnx_opset\" must be from 21 to 21, but is 17"},
    {"/graphs/8/onnx_ir", nullptr, "graphs[8]: the key \"onnx_ir\" is missing, expected an integer"},
    {"/graphs/9/inputs/0/scale", "0", "graphs[9]: inputs[0]: the key \"scale\" must be from 1.17549"},
    {"/graphs/9/inputs/0/zero_point", "256", "graphs[9]: inputs[0]: the key \"zero_point\" must be from 0 to 255, but is 256"},
    {"/graphs/9/inputs/0/zero_point", nullptr, "graphs[9]: inputs[0]: the key \"zero_point\" is missing"},
    {"/graphs/9/outputs/0/type", "\"int16\"",
     "graphs[9]: outputs[0]: the key \"scale\" stands beside uint8 and uint16 only, but the type is int16"},
    {"/graphs/4/name", "\"vision_64\"", "graphs[4]: the name \"vision_64\" stands twice"},
    {"/embedding_int8/scale", "\"much\"", "embedding_int8: the key \"scale\" must be a number in a string, but is \"much\""},
    {"/embedding_uint16/0/zero_point", "65536", "embedding_uint16[0]: the key \"zero_point\" must be from 0 to 65535, but is 65536"},
    {"/embedding_uint16/0/file", "\"../a\"", "embedding_uint16[0]: the key \"file\" must name a file in the folder"},
    {"/findings", "[1]", "the key \"findings\" must be a list of strings, but one of them is number"},
    {"/range_scales/0/halvings", "200", "range_scales[0]: the key \"halvings\" must be from 1 to 127, but is 200"},
    {"/made_from", "3", "the key \"made_from\" must be an object, but is number"},
    {"/made_from/model", "\"abc\"", "made_from: the key \"model\" must be a SHA-256 in 64 hexadecimal digits, but is \"abc\""},
    {"/made_from/npu", "[]", "made_from: the key \"npu\" must be an object, but is array"},
    {"/made_from/npu/targets", "[1]", "made_from: npu: the key \"targets\" must be a list of strings"},
    {"/made_from/npu/recipes", "[1]", "made_from: npu: each of \"recipes\" must be an object, but is number"},
    {"/made_from/npu/vision_recipe", nullptr, "made_from: npu: \"vision_recipe\" must be an object, but is null"},
    {"/made_from/npu/part_limit_bytes", "-1", "made_from: npu: the key \"part_limit_bytes\" must be from 0"},
    {"/made_from/npu/kv_dtype", "\"int8\"", "made_from: npu: the key \"kv_dtype\" must be uint8, uint16 or missing, but is \"int8\""},
    {"/made_from/npu/io_dtype", "\"float16\"", "made_from: npu: the key \"io_dtype\" must be uint16 or missing, but is \"float16\""},
    {"/made_from/npu/ranges/share", "2", "made_from: npu: ranges: the key \"share\" must be from 0 to 1, but is 2"},
    {"/gelus/0/why", "3", "gelus[0]: the key \"why\" must be a string, but is number"},
    {"/losses/0/vanished", "-1", "losses[0]: the key \"vanished\" must be from 0 to 9223372036854775807, but is -1"},
    {"/weights/0/bytes", "20", "weights[0]: the key \"bytes\" must be what the shape and the type say, but is 20"},
    {"/weights/0/shape", "[2147483648, 2147483648, 2147483648]", "weights[0]: the key \"bytes\" must be what the shape and the type say"},
    {"/weights/0/file", "\"npu/../../b\"", "weights[0]: the key \"file\" must name a file in the folder"},
    {"/targets", "[]", "the key \"targets\" must be an object, but is array"},
    {"/targets/sm8650", "3", "targets: the key \"sm8650\" must be a list, but is number"},
    {"/targets/..", "[]", "targets: \"..\" is no name of a chip"},
    {"/targets/sm8650/0/binary", "\"a/b\"", "targets: sm8650[0]: the key \"binary\" must be a plain name, but is \"a/b\""},
    {"/files", "[3]", "files[0]: expected an object, not number"},
    {"/files/0/bytes", "-1", "files[0]: the key \"bytes\" must be from 0 to"},
    {"/files/0/sha256", nullptr, "files[0]: the key \"sha256\" is missing, expected a string"},
    {"/files/0/name", "\"a/../../b\"", "files[0]: the key \"name\" must name a file in the folder, but \"a/../../b\" leaves it"},
    {"/files/1/name", "\"a.data\"", "files[1]: the file \"a.data\" stands twice"},
};

TEST(Manifest, ADamagedMemberIsNamedWithItsPlaceAndWhatWasExpected) {
  const std::string sound = manifest_text(manifest_for_tests());
  for (const Damage& c : kDamages) {
    Json json = Json::parse(sound);
    const Json::json_pointer at{std::string(c.path)};
    const std::string mark = "the value";
    if (c.value == nullptr)
      json.at(at.parent_pointer()).erase(at.back());
    else
      json[at] = mark;
    std::string text = json.dump();
    if (c.value != nullptr) text.replace(text.find('"' + mark + '"'), mark.size() + 2, c.value);
    auto read = parse_manifest(text, kWhat);
    ASSERT_FALSE(read.ok()) << c.path;
    EXPECT_EQ(read.error().kind, ErrorKind::kBadInput) << c.path;
    EXPECT_TRUE(read.error().message.starts_with("out/manifest.json: ")) << read.error().message;
    EXPECT_NE(read.error().message.find(c.message), std::string::npos) << c.path << ": " << read.error().message;
  }
}

TEST(Manifest, NamesWithTwoDotsInThemAreFine) {
  Manifest manifest = manifest_for_tests();
  manifest.files["a..b"] = {.bytes = 1, .sha256 = "0", .made = "copied"};
  EXPECT_TRUE(parse_manifest(manifest_text(manifest), kWhat).ok());
}

TEST(Manifest, AFolderWithoutOneIsNoExport) {
  FolderForTests folder;
  EXPECT_EQ(read_manifest(folder.path()).error().message,
            folder.path().string() + ": no manifest.json here, so this is no folder written by export");
  EXPECT_EQ(read_manifest(folder / "gone").error().message, (folder / "gone").string() + ": there is no such folder");
}

TEST(Manifest, FilesThatDifferFromItAreNamed) {
  FolderForTests folder;
  Manifest manifest;
  for (const char* name : {"sound", "short", "changed", "missing"}) {
    if (std::string_view(name) != "missing") folder.write(name, "bytes");
    manifest.files[name] = {.bytes = 5, .sha256 = sha256_of("bytes"), .made = "test"};
  }
  folder.write("short", "byte");
  folder.write("changed", "Bytes");
  auto problems = [&](bool hashes) {
    std::string text;
    const auto rows = check_manifest_files(folder.path(), manifest, hashes).value();
    for (const FileProblem& row : rows) text += row.file + " " + row.problem + "\n";
    return text;
  };
  const std::string sizes = "missing is missing\nshort has 4 bytes, the manifest says 5\n";
  EXPECT_EQ(problems(false), sizes);
  EXPECT_EQ(problems(true), fmt::format("changed has SHA-256 {}…, the manifest says {}…\n", sha256_of("Bytes").substr(0, 12),
                                        sha256_of("bytes").substr(0, 12)) +
                                sizes);
}

}  // namespace
}  // namespace fastvlm
