// What export promises about its folder: the same bytes for any number of threads, all or nothing, and one clear sentence for
// everything that is wrong with the input.
#include <cstring>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/staged_folder.h"
#include "fastvlm/bundle/folder_preprocessing.h"
#include "fastvlm/export/golden_export_for_tests.h"

namespace fastvlm {
namespace {

namespace fs = std::filesystem;

std::map<std::string, std::string> files_of(const Path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files[fs::relative(entry.path(), folder).string()] = text_of(entry.path());
  return files;
}

TEST(Export, WritesTheSameBytesForAnyNumberOfThreads) {
  FolderForTests folder;
  ExportOptions options = golden_export("hf-untied-sharded", "", 128);
  options.npu = golden_npu();
  std::map<std::string, std::string> first;
  for (unsigned threads : {1u, 2u, 5u}) {
    options.threads = threads;
    options.output_dir = folder.path() / std::to_string(threads);
    export_or_fail(options);
    auto files = files_of(options.output_dir);
    if (first.empty()) first = files;
    EXPECT_EQ(files, first) << threads << " threads";
  }
  EXPECT_GT(first.size(), 15u);
  for (const auto& [name, bytes] : first)
    EXPECT_EQ(bytes.find(folder.path().string()), std::string::npos) << name << " holds a path of this machine";
}

TEST(Export, PlansExactlyTheFilesThatItWrites) {
  FolderForTests folder;
  ExportOptions options = golden_export("hf-unfused", folder.path() / "out", 128);
  options.npu = golden_npu();
  auto prepared = prepare_export(options);
  ASSERT_TRUE(prepared.ok()) << prepared.error().message;
  std::map<std::string, std::uint64_t> planned, written;
  for (const PlannedFile& file : planned_files(**prepared)) planned[file.name] = file.bytes;
  export_or_fail(options);
  for (const auto& [name, bytes] : files_of(options.output_dir)) written[name] = bytes.size();
  EXPECT_EQ(written, planned);
}

TEST(Export, PicturesAreMadeAsTheCheckpointsImageProcessorSays) {
  FolderForTests folder;
  const Path checkpoint = folder.path() / "checkpoint";
  std::filesystem::copy(golden_folder("hf-unfused") / "checkpoint", checkpoint);
  OrderedJson processor = OrderedJson::parse(text_of(checkpoint / "preprocessor_config.json"));
  processor["crop_size"] = 512;
  processor["size"] = {{"shortest_edge", 576}};
  processor["resample"] = 1;
  processor["image_mean"] = {0.5, 0.25, 0.125};
  processor["image_std"] = {0.5, 0.5, 2.0};
  const std::string own = processor.dump(3);
  write_text(checkpoint / "preprocessor_config.json", own);
  export_or_fail({.model_dir = checkpoint, .output_dir = folder.path() / "out"});
  EXPECT_EQ(text_of(folder.path() / "out/preprocessor_config.json"), own);
  const Json manifest = Json::parse(text_of(folder.path() / "out/manifest.json"));
  const PreprocessSettings expected = {.size = 512,
                                       .mode = ImageMode::kCrop,
                                       .resize_to = 576,
                                       .filter = ResizeFilter::kLanczos,
                                       .mean = {0.5, 0.25, 0.125},
                                       .std = {0.5, 0.5, 2.0}};
  EXPECT_EQ(folder_preprocessing(folder.path() / "out").value(), expected);
  EXPECT_EQ(folder_preprocessing(checkpoint).value(), expected);
  EXPECT_EQ(manifest["preprocessing"]["image_tokens"], 64);
  EXPECT_EQ(manifest["graphs"][0]["inputs"][0]["shape"].back(), 512);
}

// ---- Checkpoints that are refused ---------------------------------------------------------------------------------------

// The safetensors file of a checkpoint taken apart.
struct Shard {
  std::string json;
  std::string data;

  static Shard read(const Path& path) {
    const std::string bytes = text_of(path);
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), 8);
    return {bytes.substr(8, length), bytes.substr(8 + length)};
  }
  void write(const Path& path) const {
    std::uint64_t length = json.size();
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &length, 8);
    write_text(path, bytes + json + data);
  }
  // Renames within the header, which keeps names unique by itself.
  void replace(const std::string& from, const std::string& to) {
    auto at = json.find(from);
    FASTVLM_ASSERT(at != std::string::npos, "the text to replace");
    json.replace(at, from.size(), to);
  }
};

void change_config(const Path& folder, const std::string& key, const Json& value) {
  Json config = Json::parse(text_of(folder / "config.json"));
  if (value.is_discarded())
    config.erase(key);
  else
    config[key] = value;
  write_text(folder / "config.json", config.dump());
}
const Json kErased = Json(Json::value_t::discarded);

void change_bytes(const Path& path, const std::function<void(std::string&)>& change) {
  std::string bytes = text_of(path);
  change(bytes);
  write_text(path, bytes);
}
Path weights_of(const Path& folder) { return folder / "model.safetensors"; }
void change_header(const Path& folder, const std::string& from, const std::string& to) {
  Shard shard = Shard::read(weights_of(folder));
  shard.replace(from, to);
  shard.write(weights_of(folder));
}
// Puts `values` over the begin of a tensor's data.
void overwrite(const Path& folder, const std::string& tensor, std::uint16_t value) {
  Shard shard = Shard::read(weights_of(folder));
  const auto offset = Json::parse(shard.json)[tensor]["data_offsets"][0].get<std::size_t>();
  std::memcpy(shard.data.data() + offset, &value, sizeof value);
  shard.write(weights_of(folder));
}

struct Refusal {
  const char* title;
  const char* checkpoint;
  void (*damage)(const Path& folder);
  const char* sentence;  // part of it
  ErrorKind kind = ErrorKind::kBadInput;
};

const Refusal kRefusals[] = {
    {"truncated data", "apple-tied", [](const Path& f) { fs::resize_file(weights_of(f), fs::file_size(weights_of(f)) - 10); }, "cut short"},
    {"truncated header", "apple-tied", [](const Path& f) { fs::resize_file(weights_of(f), 100); }, "cut short"},
    {"seven bytes", "apple-tied", [](const Path& f) { fs::resize_file(weights_of(f), 7); }, "too few"},
    {"header length of 2^63", "apple-tied",
     [](const Path& f) { change_bytes(weights_of(f), [](std::string& bytes) { bytes.replace(0, 8, std::string(7, '\0') + "\x80"); }); },
     "passes the limit"},
    {"overlapping tensors", "apple-tied",
     [](const Path& f) {
       Shard shard = Shard::read(weights_of(f));
       Json header = Json::parse(shard.json);
       for (auto& offset : header["model.norm.weight"]["data_offsets"]) offset = offset.get<std::uint64_t>() - 2;
       shard.json = header.dump();
       shard.write(weights_of(f));
     },
     "overlaps"},
    {"the same tensor twice", "apple-tied",
     [](const Path& f) { change_header(f, "\"model.layers.1.input_layernorm.weight\"", "\"model.norm.weight\""); }, "stands twice"},
    {"two names for one tensor", "apple-tied",
     [](const Path& f) { change_header(f, "\"model.layers.1.input_layernorm.weight\"", "\"model.language_model.norm.weight\""); },
     "gave already"},
    {"a missing tensor", "apple-tied",
     [](const Path& f) { change_header(f, "\"model.layers.1.mlp.down_proj.weight\"", "\"model.layers.1.mlp.down_projx.weight\""); },
     "model.layers.1.mlp.down_proj"},
    {"a misshapen tensor", "apple-tied",
     [](const Path& f) {
       Shard shard = Shard::read(weights_of(f));
       Json header = Json::parse(shard.json);
       auto& shape = header["model.layers.1.mlp.down_proj.weight"]["shape"];
       std::swap(shape[0], shape[1]);
       shard.json = header.dump();
       shard.write(weights_of(f));
     },
     "model.layers.1.mlp.down_proj.weight"},
    {"a projector of another size", "apple-tied",
     [](const Path& f) {
       Shard shard = Shard::read(weights_of(f));
       Json header = Json::parse(shard.json);
       header["model.mm_projector.0.weight"]["shape"] = {128, 128};
       shard.json = header.dump();
       shard.write(weights_of(f));
     },
     "projection mismatch: the tower gives 256 channels, projector linear_1 takes 128"},
    {"an index that names an absent shard", "hf-untied-sharded", [](const Path& f) { fs::remove(f / "model-00002-of-00003.safetensors"); },
     "model-00002-of-00003.safetensors, which is not in the folder"},
    {"an index that lies about a shard", "hf-untied-sharded",
     [](const Path& f) {
       Json index = Json::parse(text_of(f / "model.safetensors.index.json"));
       index["weight_map"].begin().value() = index["weight_map"].begin().value() == "model-00001-of-00003.safetensors"
                                                 ? "model-00003-of-00003.safetensors"
                                                 : "model-00001-of-00003.safetensors";
       write_text(f / "model.safetensors.index.json", index.dump());
     },
     "index says"},
    {"an index with a path", "hf-untied-sharded",
     [](const Path& f) {
       Json index = Json::parse(text_of(f / "model.safetensors.index.json"));
       index["weight_map"].begin().value() = "../model.safetensors";
       write_text(f / "model.safetensors.index.json", index.dump());
     },
     "plain file name"},
    {"no safetensors file", "apple-tied", [](const Path& f) { fs::remove(weights_of(f)); }, "no *.safetensors file"},
    {"no config", "apple-tied", [](const Path& f) { fs::remove(f / "config.json"); }, "config.json"},
    {"a config that is no JSON", "apple-tied", [](const Path& f) { write_text(f / "config.json", "{\"model_type\": "); }, "not valid JSON"},
    {"a config without model_type", "apple-tied", [](const Path& f) { change_config(f, "model_type", kErased); }, "model_type"},
    {"a config without heads", "apple-tied", [](const Path& f) { change_config(f, "num_attention_heads", kErased); },
     "num_attention_heads"},
    {"heads as text", "apple-tied", [](const Path& f) { change_config(f, "num_attention_heads", "four"); }, "num_attention_heads"},
    {"no heads at all", "apple-tied", [](const Path& f) { change_config(f, "num_attention_heads", 0); }, "num_attention_heads"},
    {"a head size that is odd", "apple-tied", [](const Path& f) { change_config(f, "num_attention_heads", 64); }, "cannot be rotated"},
    {"another architecture", "apple-tied", [](const Path& f) { change_config(f, "model_type", "llava_qwen"); },
     "the nearest is llava_qwen2"},
    {"another projector", "apple-tied", [](const Path& f) { change_config(f, "mm_projector_type", "linear"); }, "mm_projector_type"},
    {"rope scaling", "apple-tied", [](const Path& f) { change_config(f, "rope_scaling", {{"type", "yarn"}}); }, "rope_scaling"},
};

std::ostream& operator<<(std::ostream& out, const Refusal& refusal) { return out << refusal.title; }
class Refused : public testing::TestWithParam<Refusal> {};

TEST_P(Refused, WithOneSentenceAndWithoutATrace) {
  FolderForTests folder;
  const Path checkpoint = folder.path() / "checkpoint", output = folder.path() / "out";
  fs::copy(golden_folder(GetParam().checkpoint) / "checkpoint", checkpoint);
  for (const auto& entry : fs::directory_iterator(checkpoint)) fs::permissions(entry.path(), fs::perms::owner_write, fs::perm_options::add);
  GetParam().damage(checkpoint);
  Progress silent;
  auto report = run_export({.model_dir = checkpoint, .output_dir = output, .image_size = 128}, silent);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().kind, GetParam().kind);
  EXPECT_NE(report.error().message.find(GetParam().sentence), std::string::npos) << report.error().message;
  EXPECT_NE(report.error().message.find(folder.path().string()), std::string::npos) << "names no file: " << report.error().message;
  EXPECT_EQ(report.error().message.find('\n'), std::string::npos);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()), 1)
      << "something was left beside the checkpoint";
}
INSTANTIATE_TEST_SUITE_P(Checkpoints, Refused, testing::ValuesIn(kRefusals));

TEST(Export, ReportsWeightsThatAreNotFiniteAndRefusesThemOnRequest) {
  struct Case {
    std::uint16_t value;
    std::string weight;
  };
  // NaN and infinity as bfloat16, in a data file and inside the ONNX file.
  for (const auto& [value, weight] : {Case{0x7FC0, "model.layers.0.mlp.up_proj.weight"}, Case{0x7F80, "model.layers.0.mlp.up_proj.weight"},
                                      Case{0x7FC0, "model.layers.0.input_layernorm.weight"}}) {
    FolderForTests folder;
    const Path checkpoint = folder.path() / "checkpoint";
    fs::copy(golden_folder("apple-tied") / "checkpoint", checkpoint);
    fs::permissions(weights_of(checkpoint), fs::perms::owner_write, fs::perm_options::add);
    overwrite(checkpoint, weight, value);
    ExportOptions options{.model_dir = checkpoint, .output_dir = folder.path() / "out", .image_size = 128};
    const ExportReport report = export_or_fail(options);
    EXPECT_TRUE(std::ranges::any_of(report.findings, [&](const std::string& f) {
      return f.find(weight + "\" holds 1 NaN") != std::string::npos;
    })) << weight;
    options.output_dir = folder.path() / "strict";
    options.refuse_not_finite = true;
    Progress silent;
    auto refused = run_export(options, silent);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().kind, ErrorKind::kBadInput);
    EXPECT_FALSE(fs::exists(options.output_dir));
  }
}

// ---- Options and places that are refused --------------------------------------------------------------------------------

TEST(Export, NamesTheNearestImageSizeThatItCanTake) {
  FolderForTests folder;
  Progress silent;
  for (const auto& [size, nearest] : {std::pair{1000, "1024"}, std::pair{1, "64"}, std::pair{9000, "4096"}, std::pair{-64, "64"}}) {
    auto report = run_export(golden_export("apple-tied", folder.path() / "out", size), silent);
    ASSERT_FALSE(report.ok()) << size;
    EXPECT_EQ(report.error().kind, ErrorKind::kUsage);
    EXPECT_NE(report.error().message.find(fmt::format("the nearest is {}", nearest)), std::string::npos) << report.error().message;
  }
}

TEST(Export, RefusesStaticExtentsThatCannotBe) {
  struct Row {
    NpuOptions options;
    const char* part;
  };
  const Row rows[] = {{{.targets = {"sm8750"}, .image_sizes = {100}}, "image size 100"},
                      {{.targets = {"sm8750"}, .prefill = {64}, .context = 64}, "`prefill` 64"},
                      {{.targets = {"sm8750"}, .context = 1}, "`context` 1"},
                      {{.targets = {"sm8750"}, .context = 100000}, "`context` 100000"},
                      {{.targets = {"sm8750"}, .fused = {{0, 5}}}, "`fused` 0x5"},
                      {{.targets = {"sm9999"}}, "sm9999"}};
  FolderForTests folder;
  for (const Row& row : rows) {
    ExportOptions options = golden_export("apple-tied", folder.path() / "out", 128);
    options.npu = row.options;
    auto prepared = prepare_export(options);
    ASSERT_FALSE(prepared.ok()) << row.part;
    EXPECT_NE(prepared.error().message.find(row.part), std::string::npos) << prepared.error().message;
  }
}

TEST(Export, ReplacesAnEarlierExportOnlyWhenAskedTo) {
  FolderForTests folder;
  Progress silent;
  ExportOptions options = golden_export("apple-tied", folder.path() / "out", 128);
  export_or_fail(options);
  auto again = run_export(options, silent);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().kind, ErrorKind::kUsage);
  EXPECT_NE(again.error().message.find("`force`"), std::string::npos);
  options.force = true;
  options.image_size = 192;
  export_or_fail(options);
  EXPECT_NE(text_of(options.output_dir / "manifest.json").find("\"image_size\": 192"), std::string::npos);
  // A folder of somebody else stays even then.
  fs::create_directory(folder.path() / "mine");
  write_text(folder.path() / "mine" / "letter.txt", "keep me");
  options.output_dir = folder.path() / "mine";
  EXPECT_FALSE(run_export(options, silent).ok());
  EXPECT_EQ(text_of(folder.path() / "mine" / "letter.txt"), "keep me");
}

TEST(Export, SaysWhenTheOutputFolderCannotBeMade) {
  FolderForTests folder;
  Progress silent;
  write_text(folder.path() / "file", "");
  // Under a file, and where not even root can write.
  for (const Path& output : {folder.path() / "file" / "out", Path("/proc/fastvlm/out")}) {
    auto report = run_export(golden_export("apple-tied", output, 128), silent);
    ASSERT_FALSE(report.ok()) << output;
    EXPECT_EQ(report.error().kind, ErrorKind::kEnvironment) << report.error().message;
    EXPECT_NE(report.error().message.find(output.parent_path().string()), std::string::npos) << report.error().message;
  }
}

TEST(Export, AFullDiskIsAnErrorOfTheEnvironment) {
  auto file = OutputFile::create("/dev/full", 0);
  ASSERT_TRUE(file.ok()) << file.error().message;
  const std::string bytes(1 << 16, 'x');
  Status status = file->write_at(0, as_bytes(bytes));
  if (status.ok()) status = file->close();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kEnvironment);
}

TEST(Export, AnInterruptLeavesNothing) {
  FolderForTests folder;
  std::stop_source stop;
  const StopScope scope(stop.get_token());
  int events = 0;
  Progress progress([&](const ProgressEvent&) {
    if (++events == 3) stop.request_stop();
  });
  auto report = run_export(golden_export("apple-tied", folder.path() / "out", 128), progress);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().kind, ErrorKind::kInterrupted);
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(Export, RemovesWhatAKilledRunLeftBehind) {
  FolderForTests folder;
  // Named after a process that cannot be: numbers end below 2^22.
  fs::create_directory(folder.path() / ".out.partial-99999999");
  write_text(folder.path() / ".out.partial-99999999" / "half", "a file");
  export_or_fail(golden_export("apple-tied", folder.path() / "out", 128));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()), 1);
}

}  // namespace
}  // namespace fastvlm
