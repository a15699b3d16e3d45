// A folder with contexts that is damaged in one way is named by one sentence that says which.
#include "fastvlm/clients/check_chip_layouts.h"

#include <cstdlib>

#include "fastvlm/checkpoint/golden_for_tests.h"
#include "fastvlm/clients/damaged_layout_for_tests.h"
#include "fastvlm/run/runtimes_for_tests.h"

namespace fastvlm::clients {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kBoth = {"genie", "npu"};

RuntimeSearch search() { return {.cache_folder = default_cache_folder(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME"))}; }

// One export of both layouts for all tests.
const Path& exported() {
  runtimes_for_tests();
  static const LayoutsForTests both("chip-layouts", {.model = {.model_dir = golden_folder("apple-tied") / "checkpoint",
                                                               .image_size = 128,
                                                               .npu = NpuOptions{.targets = {"sm8750"}, .prefill = {32}, .context = 128}},
                                                     .layouts = kBoth,
                                                     .share_weights = false,
                                                     .runtimes = search(),
                                                     .program = FASTVLM_PROGRAM});
  return both.path();
}

// A name gets another of the same length wherever it stands.
void rename_value(const Path& file, const std::string& from, const std::string& to) {
  std::string bytes = bytes_of(file);
  for (auto at = bytes.find(from); at != std::string::npos; at = bytes.find(from, at + to.size())) bytes.replace(at, from.size(), to);
  replace_bytes(file, bytes);
}

void cut(const Path& file) {
  std::string bytes = bytes_of(file);
  bytes.resize(bytes.size() / 2);
  replace_bytes(file, bytes);
}

void empty(const Path& file) { fs::resize_file(file, 0); }

constexpr const char* kVisionBinary = "npu/vision_128_ctx_qnn.bin";

ContextQuestion reader() { return {.program = FASTVLM_PROGRAM, .runtimes = search(), .context = {}}; }

constexpr const char* kGenerator = "genie/text-generator.json";
const std::string kTokenGraph = "/model_files/token_ar1_cl128_1_of_1";

const std::string kBins = "/text-generator/engine/model/binary/ctx-bins";

const Damage kDamages[] = {
    {"genie", [](const Path& f) { fs::remove(f / "genie/prompt.json"); }, "genie/prompt.json", "missing"},
    {"genie", [](const Path& f) { fs::remove(f / "genie/decoder_ar1_cl128.bin"); }, "genie/decoder_ar1_cl128.bin", "missing"},
    {"genie", [](const Path& f) { fs::remove(f / "genie/vision_128.bin"); }, "genie/vision_128.bin", "missing"},
    {"genie", [](const Path& f) { cut(f / "genie/embedding_weights.raw"); }, "genie/embedding_weights.raw", "512 rows of 64"},
    {"genie", [](const Path& f) { edit(f / kGenerator, "/text-generator/context/eos-token", 3); }, kGenerator, "no reply would end"},
    {"genie", [](const Path& f) { edit(f / kGenerator, "/text-generator/context/bos-token", 448); }, kGenerator, "bos-token must be -1"},
    {"genie", [](const Path& f) { edit(f / kGenerator, "/text-generator/embedding/datatype", "float16"); }, kGenerator, "float32"},
    {"genie", [](const Path& f) { edit(f / kGenerator, "/text-generator/context/size", 4096); },
     "genie/metadata.json: token_ar1_cl128_1_of_1", "has 128 slots, but the config says 4096"},
    {"genie", [](const Path& f) { edit(f / kGenerator, "/text-generator/engine/backend/QnnHtp/kv-dim", 64); },
     "genie/metadata.json: token_ar1_cl128_1_of_1", "kv-dim is 64"},
    {"genie", [](const Path& f) { edit(f / kGenerator, "/text-generator/engine/model/positional-encoding/rope-dim", 16); },
     "genie/metadata.json: token_ar1_cl128_1_of_1", "rope-dim is 16"},
    {"genie", [](const Path& f) { rename_value(f / "genie/metadata.json", "inputs_embeds", "input_embedss"); },
     "genie/metadata.json: token_ar1_cl128_1_of_1", "no input \"inputs_embeds\""},
    {"genie",
     [](const Path& f) { add(f / "genie/metadata.json", kTokenGraph + "/inputs/past_key_3_in", Json{{"shape", {2, 1, 16, 127}}}); },
     "genie/metadata.json: token_ar1_cl128_1_of_1", "a layer is missing"},
    {"genie", [](const Path& f) { edit(f / "genie/text-encoder.json", "/text-encoder/lut/size", 896); }, "genie/text-encoder.json",
     "rows of 896"},
    {"genie", [](const Path& f) { add(f / "genie/image-encoder.json", "/image-encoder/embedding", Json::object()); },
     "genie/image-encoder.json", "no \"embedding\""},
    {"genie", [](const Path& f) { edit(f / "genie/htp_backend_ext_config.json", "/devices/0/soc_model", 57); },
     "genie/htp_backend_ext_config.json", "soc_model is 57"},
    {"genie", [](const Path& f) { edit(f / "genie/htp_backend_ext_config.json", "/devices/0/dsp_arch", "v75"); },
     "genie/htp_backend_ext_config.json", "dsp_arch is \"v75\""},
    {"genie", [](const Path& f) { edit(f / "layouts.json", "/contexts/target", "sm1"); }, "layouts.json", "no chip that is known"},
    {"genie", [](const Path& f) { edit(f / "layouts.json", "/contexts/made_with", ""); }, "layouts.json", "which QAIRT"},
    {"genie", [](const Path& f) { cut(f / "genie/vision_128.bin"); }, "genie/vision_128.bin", "cut off"},
    {"genie", [](const Path& f) { empty(f / "genie/decoder_ar1_cl128.bin"); }, "genie/decoder_ar1_cl128.bin", "is empty"},
    {"genie",
     [](const Path& f) { fs::copy(f / "genie/decoder_ar1_cl128.bin", f / "genie/vision_128.bin", fs::copy_options::overwrite_existing); },
     "genie/vision_128.bin", "one input, \"pixel_values\""},
    {"genie",
     [](const Path& f) { fs::copy(f / "genie/vision_128.bin", f / "genie/decoder_ar1_cl128.bin", fs::copy_options::overwrite_existing); },
     "genie/decoder_ar1_cl128.bin", "no input \"inputs_embeds\""},
    {"genie",
     [](const Path& f) {
       fs::copy(f / "genie/decoder_ar32_cl128.bin", f / "genie/decoder_ar1_cl128.bin", fs::copy_options::overwrite_existing);
     },
     "genie/decoder_ar1_cl128.bin", "takes 32 tokens at once, but its name says 1"},
    {"genie", [](const Path& f) { edit(f / "layouts.json", "/contexts/made_with", "v2.40.0.250101"); }, "genie/vision_128.bin",
     "contexts of one folder are of one version"},
    {"genie", [](const Path& f) { edit(f / "layouts.json", "/contexts/target", "sm8650"); }, "genie/vision_128.bin",
     "was made for soc_model 69"},
    {"genie", [](const Path& f) { edit(f / kGenerator, kBins, Json{"decoder_ar32_cl128.bin"}); }, kGenerator, "that takes one token"},
    {"genie", [](const Path& f) { edit(f / kGenerator, kBins, Json{"decoder_ar1_cl128.bin"}); }, kGenerator, "that takes a prompt"},
    {"genie", [](const Path& f) { edit(f / kGenerator, "/text-generator/engine/model/positional-encoding/rope-theta", 10000); },
     "genie/genie_config.json", "rope-theta is another than in text-generator.json"},
    {"genie", [](const Path& f) { add(f / kGenerator, "/text-generator/engine/foo", 1); }, kGenerator, "has the key \"foo\""},
    {"genie", [](const Path& f) { edit(f / "genie/prompt.json", "/before_image", 1); }, "genie/prompt.json", "no \"before_image\""},
    {"genie", [](const Path& f) { edit(f / "genie/prompt.json", "/after_image", "x"); }, "genie/prompt.json", "has no {question}"},
    {"genie", [](const Path& f) { edit(f / "genie/prompt.json", "/image/width", 256); }, "genie/vision_128.bin",
     "takes pictures of 128 pixels, but prompt.json says 256"},
    {"npu", [](const Path& f) { fs::remove(f / "npu/client.py"); }, "npu/client.py", "missing"},
    {"npu", [](const Path& f) { cut(f / kVisionBinary); }, kVisionBinary, "cut off"},
    {"npu",
     [](const Path& f) { fs::copy(f / "npu/decoder_ar1_cl128_ctx_qnn.bin", f / kVisionBinary, fs::copy_options::overwrite_existing); },
     "npu/vision_128_ctx.onnx", "runs a graph that its context"},
    {"npu", [](const Path& f) { fs::remove(f / "npu/decoder_ar1_cl128_ctx.onnx"); }, "npu/decoder_ar1_*_ctx.onnx", "no token follows"},
    {"npu", [](const Path& f) { fs::remove(f / "npu/decoder_ar32_cl128_ctx.onnx"); }, "npu/decoder_ar*_ctx.onnx", "takes a prompt"},
    {"npu", [](const Path& f) { fs::remove(f / "npu/vision_128_ctx.onnx"); }, "npu/vision_*_ctx.onnx", "the clients open one"},
    {"npu", [](const Path& f) { fs::remove(f / "npu/vision_128_ctx_qnn.bin"); }, "npu/vision_128_ctx.onnx", "vision_128_ctx_qnn.bin"},
    {"npu", [](const Path& f) { rename_value(f / "npu/decoder_ar1_cl128_ctx.onnx", "past_key_1_in", "past_kex_1_in"); },
     "npu/decoder_ar1_cl128_ctx.onnx", "a layer is missing"},
    {"npu", [](const Path& f) { rename_value(f / "npu/vision_128_ctx.onnx", "pixel_values", "pixel_valuez"); }, "npu/vision_128_ctx.onnx",
     "\"pixel_values\""},
    {"npu", [](const Path& f) { edit(f / "layouts.json", "/contexts/made_with", "v2.40.0.250101"); }, "npu/vision_128_ctx.onnx",
     "contexts of one folder are of one version"},
    {"npu", [](const Path& f) { cut(f / "npu/embedding_weights.raw"); }, "npu/embedding_weights.raw", "512 rows of 64"},
};

TEST(VerifyChipLayoutEmulated, PassesWhatWasExported) { expect_all_pass(exported(), kBoth, reader()); }

TEST(VerifyChipLayoutEmulated, NamesEachDamageInOneSentence) { expect_each_is_named(exported(), kDamages, reader()); }

// The two other graphs are there.
TEST(VerifyChipLayoutEmulated, SaysOnlyThatAContextIsMissing) {
  const FolderForTests folder;
  const Path copy = folder.path() / "copy";
  fs::copy(exported(), copy, fs::copy_options::recursive);
  fs::remove(copy / "npu/decoder_ar1_cl128_ctx_qnn.bin");
  const auto report = verify_layouts(copy, {"npu"}, reader());
  ASSERT_TRUE(report.ok());
  for (const VerifyRow& row : report->rows) {
    const bool about_it = row.subject.find("decoder_ar1_cl128_ctx") != std::string::npos;
    EXPECT_TRUE(row.outcome != Outcome::kMissed || about_it) << row.subject << ": " << row.sentence;
  }
}

TEST(VerifyChipLayoutEmulated, SaysThatContextsWereNotReadWithoutQnn) {
  const auto report = verify_layouts(
      exported(), {"genie"}, {.program = FASTVLM_PROGRAM, .runtimes = {.qnn_plugin = "", .cache_folder = "/nowhere"}, .context = {}});
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->passed());
  EXPECT_EQ(report->count(Outcome::kNotCompared), 3);
}

}  // namespace
}  // namespace fastvlm::clients
