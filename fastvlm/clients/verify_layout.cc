#include "fastvlm/clients/verify_layout.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/json.h"
#include "fastvlm/base/try.h"
#include "fastvlm/clients/check_chip_layouts.h"
#include "fastvlm/clients/check_layout_files.h"
#include "fastvlm/clients/check_layout_graphs.h"
#include "fastvlm/clients/export_layouts.h"
#include "fastvlm/clients/tokenizer_files.h"

namespace fastvlm::clients {
namespace {

void check_template(LayoutCheck& check, const std::string& file) {
  const auto config = json_of(check, file);
  if (config && text(*config, "chat_template").empty())
    check.report.miss("prompt", file, "has no chat_template, and the client looks nowhere else");
}

// What the client announces to itself: a chunk that is announced must be there, and one that is not announced is not opened.
void check_announced(LayoutCheck& check, const Json& config, const std::string& graph) {
  const std::string name = graph.substr(graph.find_last_of('/') + 1);
  const Json announced = object(object(config, "transformers.js_config"), "use_external_data_format");
  std::error_code failure;
  const bool there = std::filesystem::is_regular_file(check.folder / (graph + "_data"), failure);
  const bool said = integer(announced, name) > 0;
  if (said && !there) check.report.miss("data", graph + "_data", "config.json announces this chunk of external data, but it is missing");
  if (!said && there)
    check.report.miss("data", graph + "_data", "lies there, but config.json does not announce it, so a browser does not load it");
}

void check_transformers_js(LayoutCheck& check) {
  for (const char* file : {"preprocessor_config.json", "processor_config.json"}) check_file(check, file);
  check_template(check, "tokenizer_config.json");
  const auto tokenizer = json_of(check, "tokenizer.json");
  const auto config = json_of(check, "config.json");
  if (!config) return;
  if (const std::string type = text(*config, "model_type"); type != "llava_qwen2")
    check.report.miss("config", "config.json",
                      fmt::format("model_type is \"{}\"; the client knows this model as \"llava_qwen2\" only", type));
  if (tokenizer) {
    const std::int64_t wanted = integer(*config, "image_token_index");
    const auto id = added_token(*tokenizer, kImageToken);
    if (!id)
      check.report.miss("tokens", "tokenizer.json", "\"<image>\" is not among added_tokens, so no place for a picture is found");
    else if (*id != wanted)
      check.report.miss("tokens", "config.json",
                        fmt::format("image_token_index is {}, but \"<image>\" is token {} of tokenizer.json", wanted, *id));
  }
  const DecoderSizes sizes{.layers = integer(*config, "num_hidden_layers"),
                           .key_value_heads = integer(*config, "num_key_value_heads"),
                           .head_size = integer(*config, "head_dim"),
                           .hidden_size = integer(*config, "hidden_size"),
                           .vocabulary = integer(*config, "vocab_size")};
  bool any = false;
  for (const Variant& variant : variants()) {
    std::vector<std::string> there, missing;
    for (const char* name : {"vision_encoder", "embed_tokens", "decoder_model_merged"}) {
      const std::string file = std::string("onnx/") + name + variant.suffix + ".onnx";
      std::error_code failure;
      (std::filesystem::exists(check.folder / file, failure) ? there : missing).push_back(file);
    }
    // The decoder alone may be there for another layout.
    if (there.empty() || (there.size() == 1 && there.front().find("decoder") != std::string::npos && check.others)) continue;
    any = true;
    for (const std::string& file : missing) check.report.miss("files", file, fmt::format("missing; {} is there", there.front()));
    for (const std::string& file : there) {
      check_graph(check, file, signature_of(file, sizes));
      check_announced(check, *config, file);
    }
  }
  if (!any) check.report.miss("files", "onnx/vision_encoder.onnx", "missing, and the graphs of every other variant too");
}

void check_marks(LayoutCheck& check, const Json& tokenizer, const std::string& file, const std::string& embedding) {
  std::set<std::int64_t> ids;
  for (const char* mark : kPictureMarks) {
    const auto id = added_token(tokenizer, mark);
    if (!id) return check.report.miss("tokens", file, fmt::format("\"{}\" is not among added_tokens, so a picture has no place", mark));
    ids.insert(*id);
  }
  const auto compared = compared_ids(check.folder / embedding);
  if (compared.empty() || compared == ids) return;
  check.report.miss(
      "tokens", file,
      fmt::format("the marks of a picture are tokens {}, but {} looks for {}", fmt::join(ids, ", "), embedding, fmt::join(compared, ", ")));
}

void check_genai_config(LayoutCheck& check, const std::string& name) {
  const auto config = json_of(check, name);
  if (!config) return;
  const Json model = object(*config, "model"), decoder = object(model, "decoder"), vision = object(model, "vision");
  if (const std::string type = text(model, "type"); type != "videochat_flash_qwen")
    check.report.miss("config", name, fmt::format("the type of the model is \"{}\" and must be \"videochat_flash_qwen\"", type));
  const DecoderSizes sizes{.layers = integer(decoder, "num_hidden_layers"),
                           .key_value_heads = integer(decoder, "num_key_value_heads"),
                           .head_size = integer(decoder, "head_size"),
                           .hidden_size = integer(decoder, "hidden_size"),
                           .vocabulary = integer(model, "vocab_size"),
                           .image_tokens = integer(vision, "num_visual_tokens")};
  const std::string embedding = text(object(model, "embedding"), "filename");
  for (const std::string& file : {text(decoder, "filename"), text(vision, "filename"), embedding})
    if (check_file(check, file)) check_graph(check, file, signature_of(file, sizes));
  check_file(check, text(vision, "config_filename"));
  const std::string folder = text(model, "tokenizer_dir").empty() ? "" : text(model, "tokenizer_dir") + "/";
  check_template(check, folder + "tokenizer_config.json");
  if (const auto tokenizer = json_of(check, folder + "tokenizer.json"))
    check_marks(check, *tokenizer, folder + "tokenizer.json", embedding);
}

void check_onnxruntime_genai(LayoutCheck& check) {
  check_genai_config(check, "genai_config.json");
  for (const Variant& variant : variants()) {
    const std::string further = fmt::format("genai_config_{}.json", variant.name);
    std::error_code failure;
    if (std::filesystem::exists(check.folder / further, failure)) check_genai_config(check, further);
  }
}

struct Check {
  const char* layout;
  void (*run)(LayoutCheck& check);
};
constexpr Check kChecks[] = {
    {"transformers-js", check_transformers_js}, {"onnxruntime-genai", check_onnxruntime_genai}, {"genie", check_genie}, {"npu", check_npu}};

// Files that are there, against what layouts.json says about them.
Status check_hashes(LayoutCheck& check) {
  std::error_code failure;
  if (!std::filesystem::exists(check.folder / kLayoutsFile, failure)) {
    check.report.skip("hashes", kLayoutsFile, "not there, so no hash was compared");
    return {};
  }
  const auto facts = json_of(check, kLayoutsFile);
  if (!facts) return {};
  const Json files = object(*facts, "files");
  for (const auto& [name, file] : files.items()) {
    if (!std::filesystem::is_regular_file(check.folder / name, failure)) {
      if (!check.report_has(name)) check.report.miss("files", name, "missing, but layouts.json names it");
      continue;
    }
    TRY_ASSIGN(const std::string hash, sha256_of_file(check.folder / name));
    if (hash == text(file, "sha256"))
      check.report.pass("hashes", name, "as layouts.json says");
    else
      check.report.miss("hashes", name, "its bytes are not those that layouts.json names");
  }
  return {};
}

}  // namespace

std::vector<std::string> verifiable_layouts() {
  std::vector<std::string> names;
  for (const Check& check : kChecks) names.push_back(check.layout);
  return names;
}

Result<VerifyReport> verify_layouts(const Path& folder, const std::vector<std::string>& names) {
  std::error_code failure;
  if (!std::filesystem::is_directory(folder, failure)) return bad_input("{}: there is no such folder", folder.string());
  VerifyReport report;
  LayoutCheck check{
      .folder = folder, .report = report, .others = names.size() > 1 || std::filesystem::exists(folder / "genai_config.json", failure)};
  for (const std::string& name : names) {
    const auto row = std::ranges::find(kChecks, name, [](const Check& c) { return std::string(c.layout); });
    if (row == std::end(kChecks))
      return bad_option("layouts", "{}: cannot be verified; there are {}", name, fmt::join(verifiable_layouts(), ", "));
    row->run(check);
  }
  TRY(check_hashes(check));
  return report;
}

}  // namespace fastvlm::clients
