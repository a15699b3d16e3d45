// make-checkpoint, export and inspect, one behind the other.
#include <algorithm>
#include <fstream>

#include "fastvlm/checkpoint/safetensors.h"
#include "fastvlm/checkpoint/safetensors_writer.h"
#include "fastvlm/cli/program_for_tests.h"

namespace fastvlm::cli {
namespace {

class InspectVerb : public testing::Test {
 protected:
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  void make_checkpoint() {
    const Json made = run_json({"make-checkpoint", "--size", "tiny", "--dialect", "hf", "--output-dir", at("tiny")});
    EXPECT_EQ(made["size"], "tiny");
  }
  void make_export() {
    make_checkpoint();
    const ProcessResult result = run_program({"export", "--model-dir", at("tiny"), "--output-dir", at("out"), "--image-size", "128",
                                              "--quiet", "--target", "sm8750", "--prefill", "16", "--context", "64", "--no-compile"});
    ASSERT_EQ(result.exit_code, 0) << result.output;
  }

  FolderForTests folder_;
};

TEST_F(InspectVerb, DescribesACheckpointAndItsWeights) {
  make_checkpoint();
  const Json checkpoint = run_json({"inspect", at("tiny")});
  EXPECT_EQ(checkpoint["kind"], "checkpoint");
  EXPECT_EQ(checkpoint["model_type"], "fast_vlm");
  EXPECT_EQ(checkpoint["model"]["text"]["hidden_size"], 64);
  EXPECT_FALSE(checkpoint.contains("tensor_list"));
  const Json file = run_json({"inspect", at("tiny/model.safetensors"), "--tensors"});
  EXPECT_EQ(file["kind"], "safetensors");
  EXPECT_EQ(file["tensor_list"].size(), file["tensors"]["count"].get<std::size_t>());
  EXPECT_EQ(file["sha256"], checkpoint["files"][0]["sha256"]);
}

TEST_F(InspectVerb, DescribesAnAdapterAndSaysWhatWouldBeRefused) {
  folder_.write("lora/adapter_config.json", R"({"peft_type": "LORA", "r": 4, "lora_alpha": 16, "use_rslora": true,
    "base_model_name_or_path": "apple/FastVLM-0.5B", "target_modules": ".*q_proj", "modules_to_save": ["norm"]})");
  const std::vector<float> numbers(8, 1);
  const auto tensor = [&](const std::string& name, Shape shape) {
    return NamedTensor{"base_model.model.model." + name, Tensor::of_floats(std::move(shape), numbers)};
  };
  const std::vector<NamedTensor> tensors = {tensor("layers.0.self_attn.q_proj.lora_A.weight", {4, 2}),
                                            tensor("layers.0.self_attn.q_proj.lora_B.weight", {2, 4}), tensor("norm.weight", {8})};
  ASSERT_TRUE(write_safetensors(folder_ / "lora/adapter_model.safetensors", tensors, {}).ok());
  const Json facts = run_json({"inspect", at("lora")});
  EXPECT_EQ(facts["kind"], "LoRA adapter");
  const Json& adapter = facts["adapter"];
  EXPECT_EQ(adapter["base_model"], "apple/FastVLM-0.5B");
  EXPECT_EQ(adapter["rank"], 4);
  EXPECT_EQ(adapter["alpha"], 16);
  EXPECT_EQ(adapter["rslora"], true);
  EXPECT_EQ(adapter["target_modules"], Json({".*q_proj"}));
  EXPECT_EQ(adapter["adapted"], Json({{"q_proj", 1}}));
  EXPECT_EQ(adapter["replaced"], Json({"model.norm.weight"}));
  folder_.write("lora/adapter_config.json", R"({"peft_type": "LORA", "use_dora": true})");
  const ProcessResult refused = run_program({"inspect", at("lora")});
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_NE(refused.output.find("use_dora"), std::string::npos) << refused.output;
}

TEST_F(InspectVerb, DescribesAnExportAndItsFiles) {
  make_export();
  const Json output = run_json({"inspect", at("out"), "--hash"});
  EXPECT_EQ(output["kind"], "output folder");
  EXPECT_EQ(output["problems"], Json::array());
  EXPECT_GE(output["graphs"].size(), 6u);
  const Json graph = run_json({"inspect", at("out/fastvlm_vision_encoder.onnx")});
  EXPECT_EQ(graph["kind"], "onnx");
  EXPECT_EQ(graph["opsets"]["ai.onnx"], 17);
  EXPECT_EQ(graph["inputs"][0]["name"], "pixel_values");
  EXPECT_GT(graph["operators"]["Conv"], 0);
  EXPECT_GT(graph["external_data"][0]["tensors"], 0);
  const Json table = run_json({"inspect", at("out/embedding_int8_lut.bin")});
  EXPECT_EQ(table["kind"], "data file of an output folder");
  for (const char* thing : {"out", "tiny", "out/fastvlm_vision_encoder.onnx"})
    EXPECT_EQ(run_program({"inspect", at(thing)}).exit_code, 0) << thing;
}

TEST_F(InspectVerb, OperatorsAreCheckedWithFixedInputsAndWithTheWeightsInAnotherFile) {
  make_export();
  const auto check = [&](const char* file, std::vector<std::string> more) {
    std::vector<std::string> arguments = {"check-ops", at(file), "--target", "sm8750"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(std::move(arguments));
  };
  const char *fixed = "out/npu/vision_128.onnx", *open = "out/fastvlm_token_embedder.onnx";
  EXPECT_EQ(check(fixed, {}).exit_code, 0);
  EXPECT_EQ(check(open, {}).exit_code, 1);
  EXPECT_EQ(check(open, {"--freeze", "batch_size=1,seq_len=8"}).exit_code, 0);
  std::filesystem::remove(folder_ / "out/npu/vision.onnx.data");
  std::filesystem::remove(folder_ / "out/embedding_float32_lut.bin");
  for (const ProcessResult& result : {check(fixed, {}), check(open, {"--freeze", "batch_size=1,seq_len=8"})}) {
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_NE(result.output.find("there is no such file"), std::string::npos) << result.output;
  }
}

// A file of ranges with 12 values; the n-th reaches 2^n.
std::string ranges_file(const char* seen = "{}") {
  OrderedJson values = OrderedJson::object();
  for (int i = 6; i < 18; ++i) {
    std::vector<int> histogram(64, 0);
    histogram[static_cast<std::size_t>(32 + i)] = 2;
    values[fmt::format("model.layers.{}", i)] = {
        {"min", -(1 << i)},      {"max", 1}, {"count", 4}, {"not_finite", i == 7 ? 3 : 0}, {"square_sum", "10.0000000000000"},
        {"histogram", histogram}};
  }
  const OrderedJson file = {
      {"format", "fastvlm-npu ranges"},   {"version", 2},    {"model", "0123abcd"}, {"pictures", 1234}, {"prompts", 5}, {"tokens", 6},
      {"seen", OrderedJson::parse(seen)}, {"values", values}};
  return file.dump(1);
}

TEST_F(InspectVerb, SaysHowTheTensorsOfEncodingsAreStored) {
  folder_.write("old.encodings", R"({"version": "0.6.1", "activation_encodings": {"x": [{"bitwidth": 16, "dtype": "int"}]},
    "param_encodings": {"w": [{"bitwidth": 8, "dtype": "int"}, {"bitwidth": 8, "dtype": "int"}]}})");
  folder_.write("encodings_w8.json", R"({"version": "1.0.0", "activation_encodings": [{"name": "x", "dtype": "FLOAT", "bw": 16}],
    "param_encodings": [{"name": "w", "dtype": "INT", "bw": 4, "enc_type": "PER_BLOCK", "block_size": 32}, 7]})");
  folder_.write("new_encodings.json", R"({"version": "2.0.0", "encodings": [{"name": "x", "output_dtype": "uint16"}, {"name": "y"}]})");
  folder_.write("no_encodings.json", R"({"version": "2.0.0"})");
  const Json old = run_json({"inspect", at("old.encodings")}), blocks = run_json({"inspect", at("encodings_w8.json")});
  EXPECT_EQ(old["encodings_version"], "0.6.1");
  EXPECT_EQ(old["param_encodings"], Json::parse(R"({"int 8 bit per channel": 1})"));
  EXPECT_EQ(blocks["activation_encodings"], Json::parse(R"({"float 16 bit": 1})"));
  EXPECT_EQ(blocks["param_encodings"], Json::parse(R"({"int 4 bit in blocks of 32": 1, "unknown": 1})"));
  EXPECT_EQ(run_json({"inspect", at("new_encodings.json")})["encodings"], Json::parse(R"({"float": 1, "uint16": 1})"));
  EXPECT_EQ(run_program({"inspect", at("no_encodings.json")}).exit_code, 3);
}

TEST_F(InspectVerb, DescribesRangesAndTheirLargestValues) {
  folder_.write("ranges.fvc", ranges_file());
  folder_.write("ranges.json", ranges_file());
  const Json facts = run_json({"inspect", at("ranges.json")});
  EXPECT_EQ(facts["kind"], "ranges");
  const Json& ranges = facts["ranges"];
  EXPECT_EQ(ranges["model"], "0123abcd");
  EXPECT_EQ(ranges["pictures"], 1234);
  EXPECT_EQ(ranges["tokens"], 6);
  EXPECT_EQ(ranges["values"], 12);
  ASSERT_EQ(ranges["largest"].size(), 10u);
  EXPECT_EQ(ranges["largest"][0]["name"], "model.layers.7") << "what was not finite comes first";
  EXPECT_EQ(ranges["largest"][1]["name"], "model.layers.17");
  EXPECT_EQ(ranges["largest"][1]["absmax"], 131072);
  EXPECT_EQ(ranges["largest"][1]["mean_square"], 4);
  ASSERT_EQ(facts["findings"].size(), 2u);
  EXPECT_EQ(facts["findings"][1].get<std::string>().find("2 of the values pass 65504"), 0u) << facts["findings"][1];
  EXPECT_EQ(run_json({"inspect", at("ranges.fvc"), "--tensors"})["ranges"]["largest"].size(), 12u);
  const ProcessResult shown = run_program({"inspect", at("ranges.fvc")});
  EXPECT_EQ(shown.exit_code, 0);
  for (const char* words : {"1,234 pictures, 5 prompts, 6 tokens", "--tensors lists all", "model.layers.17", "65504"})
    EXPECT_NE(shown.output.find(words), std::string::npos) << words << "\n" << shown.output;
}

TEST_F(InspectVerb, SaysWhichPartOfThePicturesRangesHaveSeen) {
  folder_.write("part.fvc", ranges_file(R"({"0f": {"of": 3, "parts": [1]}})"));
  folder_.write("whole.fvc", ranges_file(R"({"0f": {"of": 3, "parts": [1, 2, 3]}})"));
  const Json part = run_json({"inspect", at("part.fvc")});
  EXPECT_EQ(part["ranges"]["parts"], "part 1 of 3");
  EXPECT_NE(part["findings"].dump().find("merge"), std::string::npos) << part.dump();
  EXPECT_NE(run_program({"inspect", at("part.fvc")}).output.find("part 1 of 3"), std::string::npos);
  EXPECT_FALSE(run_json({"inspect", at("whole.fvc")})["ranges"].contains("parts"));
}

TEST_F(InspectVerb, CutsLongMetadataWithACount) {
  std::string value = "x";
  for (int i = 0; i < 2000; ++i) value += "\u00e9";
  const auto field = [](char tag, const std::string& bytes) {  // of a protobuf message; the length has two bytes
    const auto size = bytes.size();
    return std::string{tag, static_cast<char>(size % 128 + 128), static_cast<char>(size / 128)} + bytes;
  };
  std::ifstream model(kTestData / "onnx/opset_6.onnx", std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(model), {}};
  folder_.write("long.onnx", bytes + field('\x72', field('\x0a', "labels") + field('\x12', value)));
  const ProcessResult shown = run_program({"inspect", at("long.onnx")});
  EXPECT_EQ(shown.exit_code, 0);
  EXPECT_NE(shown.output.find("\u00e9… (4,001 bytes)"), std::string::npos) << shown.output;
  EXPECT_LT(shown.output.size(), 2000u);
  EXPECT_EQ(run_json({"inspect", at("long.onnx")})["metadata"]["labels"], value) << "JSON has all of it";
}

TEST_F(InspectVerb, FindsWhatWasChangedBehindTheManifest) {
  make_export();
  const std::string table = folder_.read("out/embedding_int8_lut.bin");
  folder_.write("out/embedding_int8_lut.bin", table.substr(1));
  Json output = run_json({"inspect", at("out")}, "", 1);
  EXPECT_EQ(output["problems"][0]["file"], "embedding_int8_lut.bin");
  folder_.write("out/embedding_int8_lut.bin", std::string(1, static_cast<char>(table[0] ^ 1)) + table.substr(1));
  EXPECT_EQ(run_json({"inspect", at("out")})["problems"].size(), 0u);
  EXPECT_EQ(run_json({"inspect", at("out"), "--hash"}, "", 1)["problems"].size(), 1u);
}

TEST_F(InspectVerb, MissingExternalDataIsAFailedCheck) {
  make_export();
  std::filesystem::copy_file(folder_ / "out/fastvlm_vision_encoder.onnx", folder_ / "alone.onnx");
  const Json graph = run_json({"inspect", at("alone.onnx")}, "", 1);
  EXPECT_EQ(graph["kind"], "onnx");
  EXPECT_NE(graph["external_data"][0]["problem"], "");
}

TEST_F(InspectVerb, StaticGraphsAreAcceptedByTheRulesAndSymbolicOnesAreNot) {
  make_export();
  EXPECT_EQ(run_json({"check-ops", at("out/npu/vision_128.onnx"), "--target", "sm8750"})["accepted"], true);
  const Json refused = run_json({"check-ops", at("out/fastvlm_vision_encoder.onnx"), "--target", "sm8750"}, "", 1);
  EXPECT_EQ(refused["accepted"], false);
}

struct StrangeFile {
  const char* name;
  std::string bytes;
  const char* words;
};

TEST_F(InspectVerb, SaysWhatStrangeFilesAre) {
  const StrangeFile files[] = {
      {"empty.onnx", "", "the file is empty"},
      {"text.txt", "hello, this is no model at all", "its content is nothing we know"},
      {"picture.onnx", "\x89PNG\r\n\x1a\n0000000", "x.onnx"},
      {"model.bin", "PK\3\4 and so on and so on", "a ZIP archive"},
      {"config.json", "{\"a\": 1}", "a JSON file; name the folder"},
      {"cut.fvc", ranges_file().substr(0, 500), "cut.fvc: "},
      {"other.fvc", "{\"format\": \"mine\"}", "no file of ranges"},
      {"noise.fvc", std::string("\x80\2\0\1", 4), "noise.fvc: "},
      {"cut.safetensors", std::string("\x40\0\0\0\0\0\0\0{\"a\"", 12), "cut.safetensors"},
      {"context.bin", std::string("\0\0\0\2\0\0\0\3\0\0\0\0\0\0\0\1", 16) + std::string(64, '\x7f'), "it was cut off"},
  };
  for (const StrangeFile& file : files) {
    folder_.write(file.name, file.bytes);
    const ProcessResult result = run_program({"inspect", at(file.name)});
    EXPECT_EQ(result.exit_code, 3) << file.name << "\n" << result.output;
    const std::string words = file.words == std::string("x.onnx") ? file.name : file.words;
    EXPECT_NE(result.output.find(words), std::string::npos) << file.name << "\n" << result.output;
    EXPECT_EQ(std::ranges::count(result.output, '\n'), 1) << "one sentence: " << result.output;
  }
}

TEST_F(InspectVerb, TellsWhatAFolderOfALayoutIs) {
  folder_.write("web/layouts.json",
                R"({"layouts":["transformers-js"],"variants":["q4"],"files":{"config.json":{"bytes":2,"sha256":"ab"}}})");
  folder_.write("web/config.json", "{}");
  const Json facts = run_json({"inspect", at("web")});
  EXPECT_EQ(facts["layouts"], Json::parse(R"(["transformers-js"])"));
  EXPECT_EQ(facts["files"][0]["name"], "config.json");
  EXPECT_NE(run_program({"inspect", at("web")}).output.find("--layout transformers-js checks it"), std::string::npos);
}

TEST_F(InspectVerb, NamesBeginNoLineOfTheirOwn) {
  // ir_version 8, a graph with one node of that type and name, opset 17.
  const std::string bad = "a\nbad.onnx on sm8750: accepted\xc2\x9b";
  const auto field = [](char tag, const std::string& text) { return std::string{tag, static_cast<char>(text.size())} + text; };
  const std::string node = field(0x0a, field('\x0a', "x") + field('\x12', "y") + field('\x1a', bad) + field('\x22', bad));
  folder_.write("lines.onnx", std::string("\x08\x08") + field('\x3a', node) + field('\x42', std::string("\x10\x11")));
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"inspect", at("lines.onnx")}, {"check-ops", at("lines.onnx"), "--target", "sm8750", "--all"}}) {
    const std::string output = run_program(arguments).output;
    EXPECT_EQ(output.find("\nbad.onnx"), std::string::npos) << output;
    EXPECT_EQ(output.find("\xc2\x9b"), std::string::npos) << output;
  }
}

TEST_F(InspectVerb, ShowsNoControlCharactersOfForeignNames) {
  const std::string header = R"({"a\u001b[31mb":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
  std::string file(8, '\0');
  file[0] = static_cast<char>(header.size());
  folder_.write("names.safetensors", file + header + "x");
  const ProcessResult result = run_program({"inspect", at("names.safetensors"), "--tensors"});
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_EQ(result.output.find('\x1b'), std::string::npos);
  EXPECT_NE(result.output.find("\\x1b"), std::string::npos) << result.output;
}

}  // namespace
}  // namespace fastvlm::cli
