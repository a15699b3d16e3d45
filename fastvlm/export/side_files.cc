#include "fastvlm/export/side_files.h"

#include <array>

#include "fastvlm/base/file_content.h"
#include "fastvlm/base/json_text.h"
#include "fastvlm/base/try.h"
#include "fastvlm/text/tokenizer_json.h"

namespace fastvlm {
namespace {

constexpr std::size_t kMaxConfigBytes = std::size_t{16} << 20;

// Copied as they are, where the checkpoint has them.
constexpr std::array kCopied = {"config.json",        "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
                                "chat_template.json", "chat_template.jinja",   "processor_config.json"};

Status add_tokenizer(const Path& folder, std::int64_t rows, SideFiles& files) {
  std::error_code ignored;
  const bool there = std::filesystem::exists(folder / "tokenizer.json", ignored);
  if (!there && !std::filesystem::exists(folder / "vocab.json", ignored)) {
    files.findings.push_back(
        "the checkpoint has no tokenizer files (tokenizer.json, or vocab.json and merges.txt), so the output has none either");
    return {};
  }
  TRY_ASSIGN(BuiltTokenizer built, build_tokenizer_json(folder));
  if (auto problem = built.tokenizer.without_row(rows)) files.findings.push_back(*problem);
  files.bytes["tokenizer.json"] = std::move(built.json);
  files.made["tokenizer.json"] = there ? "copied" : "built from vocab.json, merges.txt and the added tokens";
  return {};
}

// Apple's generation_config.json names no end token, and a runtime that trusts it never stops.
Status add_generation_config(const Path& path, const ModelConfig& config, SideFiles& files) {
  constexpr const char* kName = "generation_config.json";
  std::error_code ignored;
  OrderedJson json = OrderedJson::object();
  const bool there = std::filesystem::exists(path, ignored);
  if (there) {
    TRY_ASSIGN(std::string text, read_file(path, kMaxConfigBytes));
    TRY_ASSIGN(Json parsed, parse_json(text, path.string()));
    if (!parsed.is_object()) return bad_input("{}: must be a JSON object", path.string());
    if (json_find(parsed, "eos_token_id") != nullptr || config.eos_token_ids.empty()) {
      files.bytes[kName] = std::move(text);
      files.made[kName] = "copied";
      return {};
    }
    json = OrderedJson::parse(text);
  }
  if (config.eos_token_ids.empty()) return {};
  if (config.eos_token_ids.size() == 1)
    json["eos_token_id"] = config.eos_token_ids.front();
  else
    json["eos_token_id"] = config.eos_token_ids;
  files.bytes[kName] = json_file_text(json);
  files.made[kName] = there ? "copied, eos_token_id added" : "made";
  return {};
}

// The user's own files are copied, unless the export is for another size. Clients that read preprocessor_config.json alone find
// there what transformers would take from processor_config.json.
Status add_preprocessor_config(const Path& folder, const CheckpointPreprocessing& own, std::int64_t image_size, SideFiles& files) {
  const bool same_size = own.settings.size == image_size;
  const PreprocessSettings settings = own.settings.at_size(static_cast<int>(image_size));
  if (own.file == kPreprocessorFile && same_size) {
    TRY_ASSIGN(files.bytes[kPreprocessorFile], read_file(folder / kPreprocessorFile, kMaxConfigBytes));
    files.made[kPreprocessorFile] = "copied";
    return {};
  }
  const OrderedJson processor =
      own.file.empty() ? default_image_processor(settings) : image_processor_at_size(own.image_processor, settings);
  files.bytes[kPreprocessorFile] = json_file_text(processor);
  files.made[kPreprocessorFile] =
      own.file == kProcessorFile && same_size ? fmt::format("made from {}", kProcessorFile) : fmt::format("made for {} pixels", image_size);
  if (own.file != kProcessorFile || same_size) return {};
  OrderedJson whole = OrderedJson::parse(files.bytes.at(kProcessorFile));
  whole["image_processor"] = processor;
  files.bytes[kProcessorFile] = json_file_text(whole);
  files.made[kProcessorFile] = fmt::format("copied, image_processor made for {} pixels", image_size);
  return {};
}

}  // namespace

Result<SideFiles> side_files(const Checkpoint& checkpoint, const ModelConfig& config, std::int64_t image_size) {
  SideFiles files;
  const Path& folder = checkpoint.tokenizer_folder();
  std::error_code ignored;
  for (const char* name : kCopied) {
    const bool own = std::string_view(name) == "config.json" || std::string_view(name) == "processor_config.json";
    const Path path = own ? checkpoint.side_file(name) : folder / name;
    if (!std::filesystem::exists(path, ignored)) continue;
    TRY_ASSIGN(std::string text, read_file(path, kMaxConfigBytes));
    if (auto wrong = known_content(std::string_view(text).substr(0, kContentHead), text.size()))
      return bad_input("{}: is {}", path.string(), *wrong);
    files.bytes[name] = std::move(text);
    files.made[name] = "copied";
  }
  TRY(add_tokenizer(folder, config.text.vocab_size, files));
  TRY(add_generation_config(checkpoint.side_file("generation_config.json"), config, files));
  TRY(add_preprocessor_config(checkpoint.side_file(kPreprocessorFile).parent_path(), config.preprocessing, image_size, files));
  return files;
}

}  // namespace fastvlm
