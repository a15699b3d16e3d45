#include "fastvlm/clients/check_contexts.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>

#include "fastvlm/bundle/layouts_file.h"
#include "fastvlm/clients/check_layout_files.h"
#include "fastvlm/clients/export_layouts.h"

namespace fastvlm::clients {
namespace {

constexpr std::int64_t kFloatBytes = 4;

std::optional<Chip> named_chip(LayoutCheck& check, const std::string& name) {
  if (const auto chosen = find_chip(known_targets(), name); chosen.ok()) return *chosen->chip;
  check.miss("chip", kLayoutsFile, fmt::format("\"{}\" is no chip that is known here, so nobody can tell what loads the contexts", name));
  return {};
}

}  // namespace

Tensors tensors_of(const std::vector<OnnxValue>& values) {
  Tensors tensors;
  for (const OnnxValue& value : values)
    for (const Dim& dim : value.type.dims) tensors[value.name].push_back(dim.is_static() ? dim.value : -1);
  return tensors;
}

Tensors tensors_of(const std::vector<ContextTensor>& values) {
  Tensors tensors;
  for (const ContextTensor& value : values) tensors[value.name] = Shape(value.shape.begin(), value.shape.end());
  return tensors;
}

std::int64_t last_of(const Tensors& tensors, const std::string& name, std::size_t from_behind) {
  const auto row = tensors.find(name);
  return row == tensors.end() || row->second.size() <= from_behind ? -1 : row->second[row->second.size() - 1 - from_behind];
}

ContextOrigin context_origin(LayoutCheck& check) {
  const auto facts = json_of(check, kLayoutsFile);
  const Json contexts = facts ? object(*facts, "contexts") : Json::object();
  ContextOrigin origin{.compiler = text(contexts, "made_with"), .chip = named_chip(check, text(contexts, "target"))};
  if (facts && origin.compiler.empty())
    check.miss("chip", kLayoutsFile, "does not say which QAIRT made the contexts; an older one cannot load them");
  return origin;
}

const ContextInfo* ContextFiles::read(const std::string& file) {
  const auto [row, fresh] = known_.try_emplace(file);
  if (fresh) row->second = read_once(file);
  return row->second ? &*row->second : nullptr;
}

std::optional<ContextInfo> ContextFiles::read_once(const std::string& file) {
  if (!check_file(check_, file)) return {};
  std::error_code failure;
  if (std::filesystem::file_size(check_.folder / file, failure) == 0) {
    check_.miss("context", file, "is empty, so it was cut off");
    return {};
  }
  auto info = known_targets().front()->context_format->read_context(
      {.program = check_.reader.program, .runtimes = check_.reader.runtimes, .context = check_.folder / file});
  if (!info.ok()) {
    if (info.error().kind == ErrorKind::kEnvironment)
      check_.report.skip("context", file, info.error().message);
    else
      check_.miss("context", file, info.error().message);
    return {};
  }
  std::optional<std::int64_t> soc_model;
  if (info->soc_model) soc_model = static_cast<std::int64_t>(*info->soc_model);
  if (const auto wrong = wrong_origin(info->build_id, soc_model, origin_)) {
    check_.miss("context", file, *wrong);
    return {};
  }
  return std::move(*info);
}

std::optional<std::string> wrong_origin(const std::string& compiler, std::optional<std::int64_t> soc_model, const ContextOrigin& origin) {
  if (!origin.compiler.empty() && !compiler.empty() && compiler != origin.compiler)
    return fmt::format("was made by QAIRT {}, but layouts.json says {}: contexts of one folder are of one version", compiler,
                       origin.compiler);
  const auto soc = origin.chip ? number_of(*origin.chip, "soc_model") : std::nullopt;
  if (soc && soc_model && *soc_model != *soc)
    return fmt::format("was made for soc_model {}, but layouts.json names {}, which is {}", *soc_model, origin.chip->name, *soc);
  return {};
}

std::optional<std::string> wrong_decoder(const Tensors& inputs, const Tensors& outputs, std::int64_t context) {
  for (const char* name : {"inputs_embeds", "attention_mask", "position_ids_cos", "position_ids_sin", "past_key_0_in", "past_value_0_in"})
    if (!inputs.contains(name)) return fmt::format("has no input \"{}\", which the client feeds by this name", name);
  if (!outputs.contains("logits")) return std::string("has no output \"logits\"");
  std::int64_t layers = 0;
  for (; inputs.contains(fmt::format("past_key_{}_in", layers)); ++layers) {
    for (const char* part : {"key", "value"}) {
      if (!inputs.contains(fmt::format("past_{}_{}_in", part, layers))) return fmt::format("has no input \"past_{}_{}_in\"", part, layers);
      if (!outputs.contains(fmt::format("past_{}_{}_out", part, layers)))
        return fmt::format("has no output \"past_{}_{}_out\", so the cache would stay empty", part, layers);
    }
  }
  if (const auto expected = static_cast<std::size_t>(4 + 2 * layers); inputs.size() != expected)
    return fmt::format("has {} inputs and {} layers in a row, which are {}: a layer is missing", inputs.size(), layers, expected);
  const std::int64_t fresh = last_of(inputs, "inputs_embeds", 1), slots = last_of(inputs, "attention_mask");
  if (context > 0 && slots != context) return fmt::format("has {} slots, but the config says {}", slots, context);
  if (const std::int64_t past = last_of(inputs, "past_key_0_in"); past != slots - fresh)
    return fmt::format("keeps {} keys, but {} slots less {} new tokens are {}", past, slots, fresh, slots - fresh);
  if (last_of(inputs, "past_value_0_in", 1) != slots - fresh) return std::string("keeps more or fewer values than keys");
  return {};
}

std::optional<std::string> wrong_vision(const Tensors& inputs, const Tensors& outputs) {
  if (inputs.size() != 1 || !inputs.contains("pixel_values")) return std::string("must have one input, \"pixel_values\"");
  if (outputs.size() != 1 || !outputs.contains("image_features")) return std::string("must have one output, \"image_features\"");
  return {};
}

std::optional<std::int64_t> new_tokens_of_name(const std::string& file) {
  const auto at = file.rfind("_ar");
  std::int64_t number = 0;
  if (at == std::string::npos || std::from_chars(file.data() + at + 3, file.data() + file.size(), number).ec != std::errc()) return {};
  return number;
}

void check_table(LayoutCheck& check, const std::string& file, std::int64_t rows, std::int64_t width) {
  if (!check_file(check, file)) return;
  std::error_code failure;
  const auto bytes = static_cast<std::int64_t>(std::filesystem::file_size(check.folder / file, failure));
  if (bytes == rows * width * kFloatBytes) return check.report.pass("table", file, "has a float32 row for each token");
  check.miss("table", file,
             fmt::format("has {} bytes, but {} rows of {} float32 numbers are {}; the client would read other rows than it asks for", bytes,
                         rows, width, rows * width * kFloatBytes));
}

}  // namespace fastvlm::clients
