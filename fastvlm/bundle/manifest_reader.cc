// Reads manifest.json. Bounds are what can be built and held: whoever uses a number from here need not fear products of them.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>

#include "fastvlm/base/object_reader.h"
#include "fastvlm/base/plain_path.h"
#include "fastvlm/base/try.h"
#include "fastvlm/bundle/made_from.h"
#include "fastvlm/bundle/manifest.h"
#include "fastvlm/bundle/manifest_notes.h"
#include "fastvlm/image/decode.h"

namespace fastvlm {
namespace {

constexpr std::int64_t kMaxWidth = 1 << 16;       // hidden sizes, channels
constexpr std::int64_t kMaxCount = 1 << 10;       // layers, heads, blocks, parts
constexpr std::int64_t kMaxTokens = 1 << 20;      // of a context or a prompt
constexpr std::int64_t kMaxVocabulary = 1 << 24;  // rows of the table
constexpr std::int64_t kMaxExtent = std::int64_t{1} << 31;
constexpr std::int64_t kMaxImageTokens = (kMaxImageSize / kVisionStride) * (kMaxImageSize / kVisionStride);

// ---- Single values ------------------------------------------------------------------------------------------------------

std::string file_name(const ObjectReader& row, const char* key) {
  std::string name = row.text(key);
  if (!row.failed() && !stays_in_folder(name)) row.refuse("the key \"{}\" must name a file in the folder, but \"{}\" leaves it", key, name);
  return name;
}

// A name without folder: of a graph, a context, a chip.
std::string plain_name(const ObjectReader& row, const char* key) {
  std::string name = row.text(key);
  if (!row.failed() && !is_file_name(name)) row.refuse("the key \"{}\" must be a plain name, but is \"{}\"", key, name);
  return name;
}

Dtype dtype(const ObjectReader& row, const char* key) {
  const std::string text = row.text(key);
  if (const auto found = dtype_from_name(text)) return *found;
  row.refuse("the key \"{}\" must be a type such as float32, but is \"{}\"", key, text);
  return Dtype::kFloat32;
}

// A picture's side that the tower can take.
std::int64_t picture_side(const ObjectReader& row) {
  const std::int64_t side = row.integer("image_size", 1, kMaxImageSize);
  if (side % kVisionStride != 0) row.refuse("the key \"image_size\" must be a multiple of {}, but is {}", kVisionStride, side);
  return side;
}

template <class T>
std::array<T, 3> three(const ObjectReader& row, const char* key, const std::vector<T>& values) {
  std::array<T, 3> result{};
  if (values.size() == 3)
    std::ranges::copy(values, result.begin());
  else
    row.refuse("the key \"{}\" must hold three numbers, but holds {}", key, values.size());
  return result;
}

// Numbers of fixed width are written as strings.
double number_in_text(const ObjectReader& row, const char* key) {
  const std::string text = row.text(key);
  if (row.failed()) return 0;
  const char *begin = text.data() + (text.starts_with('+') ? 1 : 0), *end = text.data() + text.size();
  double value = 0;
  const auto parsed = std::from_chars(begin, end, value);
  // A table of zeros has no ratio.
  if (parsed.ec != std::errc() || parsed.ptr != end) row.refuse("the key \"{}\" must be a number in a string, but is \"{}\"", key, text);
  return value;
}

// ---- Sections -----------------------------------------------------------------------------------------------------------

Versions read_versions(const ObjectReader& row) {
  Versions versions{.fastvlm_npu = row.text("fastvlm_npu"),
                    .onnx_opset = row.integer("onnx_opset", 1, kMaxExtent),
                    .onnx_ir = row.integer("onnx_ir", 1, kMaxExtent)};
  if (row.has("onnxruntime")) versions.onnxruntime = row.text("onnxruntime");
  if (row.has("onnxruntime_qnn")) versions.onnxruntime_qnn = row.text("onnxruntime_qnn");
  return versions;
}

TextConfig read_text(const ObjectReader& row) {
  return {.hidden_size = row.integer("hidden_size", 1, kMaxWidth),
          .intermediate_size = row.integer("intermediate_size", 1, kMaxTokens),
          .num_hidden_layers = row.integer("num_hidden_layers", 1, kMaxCount),
          .num_attention_heads = row.integer("num_attention_heads", 1, kMaxCount),
          .num_key_value_heads = row.integer("num_key_value_heads", 1, kMaxCount),
          .head_dim = row.integer("head_dim", 1, kMaxWidth),
          .vocab_size = row.integer("vocab_size", 1, kMaxVocabulary),
          .max_position_embeddings = row.integer("max_position_embeddings", 1, kMaxExtent),
          .rope_theta = row.number("rope_theta", 1, 1e30),
          .rms_norm_eps = row.number("rms_norm_eps", 0, 1),
          .tie_word_embeddings = row.boolean("tie_word_embeddings")};
}

ModelFacts read_model(const ObjectReader& row) {
  const ObjectReader vision = row.object("vision");
  return {.model_type = row.text("model_type"),
          .text = read_text(row.object("text")),
          .vision = {.depths = vision.integers("depths", 1, kMaxCount),
                     .channels = vision.integers("channels", 1, kMaxWidth),
                     .hidden_size = vision.integer("hidden_size", 1, kMaxWidth),
                     .head_dim = vision.integer("head_dim", 1, kMaxWidth)}};
}

// Keys that older manifests lack have FastVLM's values.
PreprocessSettings read_settings(const ObjectReader& row) {
  PreprocessSettings settings{.size = static_cast<int>(picture_side(row))};
  const std::string mode = row.text("mode");
  if (auto known = image_mode_of(mode); known.ok())
    settings.mode = *known;
  else
    row.refuse("the key \"mode\" must be \"pad\", \"crop\" or \"stretch\", but is \"{}\"", mode);
  if (row.has("resize")) settings.resize = row.boolean("resize");
  if (row.has("resize_to")) settings.resize_to = static_cast<int>(row.integer("resize_to", 1, kMaxImageSide));
  if (settings.resize_to == settings.size) settings.resize_to = 0;
  const std::string filter = row.text("resample");
  if (auto known = resize_filter_of(std::string_view(filter).substr(0, filter.find(' '))); known.ok())
    settings.filter = *known;
  else
    row.refuse("the key \"resample\" must be a filter of Pillow such as \"bicubic\", but is \"{}\"", filter);
  if (row.has("rescale_factor")) settings.rescale_factor = row.number("rescale_factor", -1e30, 1e30);
  const std::array<std::int64_t, 3> color = three(row, "pad_color", row.integers("pad_color", 0, 255));
  for (std::size_t i = 0; i < color.size(); ++i) settings.pad_color[i] = static_cast<std::uint8_t>(color[i]);
  settings.mean = three(row, "mean", row.numbers("mean"));
  settings.std = three(row, "std", row.numbers("std"));
  if (std::ranges::any_of(settings.std, [](double value) { return static_cast<float>(value) == 0; }))
    row.refuse("the key \"std\" must not hold 0");
  return settings;
}

Preprocessing read_preprocessing(const ObjectReader& row) {
  Preprocessing p{.settings = read_settings(row)};
  p.layout = row.text("layout");
  p.image_tokens = row.integer("image_tokens", 1, kMaxImageTokens);
  return p;
}

PromptContract read_prompt(const ObjectReader& row, std::int64_t vocabulary) {
  PromptContract prompt{.before_image = row.text("before_image"), .after_image = row.text("after_image"), .splice = row.text("splice")};
  if (row.has("stop_token_ids"))
    prompt.stop_token_ids = row.integers("stop_token_ids", 0, vocabulary - 1);
  else if (row.has("stop_token_id"))
    prompt.stop_token_ids = {row.integer("stop_token_id", 0, vocabulary - 1)};
  // A dialect may mark the image with an id behind the table, or below zero.
  if (row.has("image_token_id")) prompt.image_token_id = row.integer("image_token_id", -kMaxExtent, kMaxExtent);
  return prompt;
}

// ---- Graphs -------------------------------------------------------------------------------------------------------------

// How codes are numbers: (code - zero_point) * scale.
Encoding read_encoding(const ObjectReader& row, Dtype type) {
  const bool bytes = type == Dtype::kUint8;
  if (!bytes && type != Dtype::kUint16) row.refuse("the key \"scale\" stands beside uint8 and uint16 only, but the type is {}", name(type));
  constexpr double kLeast = std::numeric_limits<float>::min(), kMost = std::numeric_limits<float>::max();
  return {.dtype = type,
          .scale = static_cast<float>(row.number("scale", kLeast, kMost)),
          .zero_point = static_cast<std::int32_t>(row.integer("zero_point", 0, bytes ? 255 : 65535))};
}

std::vector<ValueEntry> read_values(const ObjectReader& graph, const char* key) {
  std::vector<ValueEntry> values;
  graph.each(key, [&](const ObjectReader& row) {
    ValueEntry value{.name = row.text("name"), .type = dtype(row, "type")};
    if (const Json* shape = row.array("shape"))
      for (const Json& extent : *shape) {
        if (extent.is_string())
          value.shape.emplace_back(extent.get<std::string>());
        else if (extent.is_number_unsigned() && extent.get<std::uint64_t>() <= static_cast<std::uint64_t>(kMaxExtent))
          value.shape.emplace_back(extent.get<std::int64_t>());
        else
          row.refuse("the key \"shape\" must hold numbers from 0 to {} and names, but holds {}", kMaxExtent, extent.type_name());
      }
    if (row.has("scale")) value.encoding = read_encoding(row, value.type);
    values.push_back(std::move(value));
  });
  return values;
}

// "<prefix><first><separator><second>" with two whole numbers from 1 on.
bool parse_pair(std::string_view text, std::string_view prefix, std::string_view separator, std::int64_t& first, std::int64_t& second) {
  if (!text.starts_with(prefix)) return false;
  const char* end = text.data() + text.size();
  const auto a = std::from_chars(text.data() + prefix.size(), end, first);
  if (a.ec != std::errc() || !std::string_view(a.ptr, end).starts_with(separator)) return false;
  const auto b = std::from_chars(a.ptr + separator.size(), end, second);
  return b.ec == std::errc() && b.ptr == end && first >= 1 && second >= 1;
}

// The group as it is called without its recipe: "decoder_w8_part_1_of_3" -> "decoder_part_1_of_3".
std::string group_without_recipe(const ObjectReader& row, const GraphEntry& graph) {
  std::string group = graph.group;
  const std::string mark = "_" + graph.extents.recipe;
  if (mark.size() == 1) return group;
  const std::size_t at = group.starts_with("decoder") ? group.find('_') : group.rfind(mark);
  if (at == std::string::npos || group.compare(at, mark.size(), mark) != 0)
    row.refuse("the key \"group\" must bear the recipe \"{}\", but is \"{}\"", graph.extents.recipe, graph.group);
  else
    group.erase(at, mark.size());
  return group;
}

// With integers the file says its own versions, which are always the same.
Activations read_activations(const ObjectReader& row) {
  const Activations known = activations_of(row.text("activations")).value_or(Activations::kFloat);
  if (known == Activations::kFloat)
    row.refuse("the key \"activations\" must be \"int16\", \"int16-int8\", \"integers\" or missing, not \"{}\"", row.text("activations"));
  const OnnxVersions versions = onnx_versions(known);
  row.integer("onnx_opset", versions.opset, versions.opset);
  row.integer("onnx_ir", versions.ir, versions.ir);
  return known;
}

// Role and extents of a static graph, from its group and the numbers beside it.
void read_static(const ObjectReader& row, GraphEntry& graph) {
  GraphExtents& e = graph.extents;
  if (row.has("recipe")) e.recipe = plain_name(row, "recipe");
  if (row.has("weight_bits")) graph.weight_bits = static_cast<int>(row.integer("weight_bits", 1, 32));
  if (row.has("activations")) graph.activations = read_activations(row);
  const std::string group = group_without_recipe(row, graph);
  if (row.failed()) return;
  if (group == "vision") {
    graph.role = GraphRole::kVision;
    e.image_size = picture_side(row);
  } else if (group.starts_with("decoder")) {
    graph.role = GraphRole::kDecoder;
    e.context = row.integer("context", 2, kMaxTokens);
    e.new_tokens = row.integer("new_tokens", 1, std::max<std::int64_t>(1, e.context - 1));
    if (group != "decoder" && (!parse_pair(group, "decoder_part_", "_of_", e.part, e.parts) || e.part > e.parts || e.parts > kMaxCount))
      row.refuse("the key \"group\" must be of the form decoder_part_1_of_3, but is \"{}\"", graph.group);
  } else if (parse_pair(group, "fused_v", "_t", e.vision_tokens, e.text_tokens) && e.vision_tokens <= kMaxImageTokens &&
             e.text_tokens <= kMaxTokens) {
    graph.role = GraphRole::kFused;
  } else {
    row.refuse("the key \"group\" must be vision, decoder, decoder_part_1_of_3 or fused_v16_t32, but is \"{}\"", graph.group);
  }
}

void read_plain(const ObjectReader& row, GraphEntry& graph) {
  for (GraphRole role : {GraphRole::kVisionEncoder, GraphRole::kDecoderWithProjection, GraphRole::kTokenEmbedder}) {
    graph.role = role;
    if (graph.name == graph_name(role, {})) return;
  }
  row.refuse("the key \"name\" must be that of a plain graph, or the key \"group\" must say what the graph is, but it is \"{}\"",
             graph.name);
}

GraphEntry read_graph(const ObjectReader& row, Dtype plain_precision) {
  GraphEntry graph{.name = plain_name(row, "name"), .file = file_name(row, "file")};
  graph.inputs = read_values(row, "inputs");
  graph.outputs = read_values(row, "outputs");
  graph.nodes = row.integer("nodes", 0, kMaxExtent);
  const ObjectReader operators = row.object("operators");
  operators.members([&](const std::string& op, const Json&) { graph.operators[op] = operators.integer(op.c_str(), 1, kMaxExtent); });
  if (row.has("macs")) graph.macs = row.integer("macs", 1, INT64_MAX);
  if (row.has("group")) graph.group = plain_name(row, "group");
  if (row.failed()) return graph;
  if (graph.group.empty())
    read_plain(row, graph);
  else
    read_static(row, graph);
  if (is_npu_file(graph.file) != graph.npu())
    row.refuse("a graph lies below {}/ if and only if it has a group, but \"{}\" does not", kNpuFolder, graph.file);
  const bool typed = graph.npu() && !graph.inputs.empty();
  graph.precision = name(typed ? graph.inputs.front().number_type() : plain_precision);
  return graph;
}

std::vector<GraphEntry> read_graphs(const ObjectReader& manifest, Dtype plain_precision) {
  std::vector<GraphEntry> graphs;
  std::set<std::string> names, files;
  manifest.each("graphs", [&](const ObjectReader& row) {
    graphs.push_back(read_graph(row, plain_precision));
    const GraphEntry& graph = graphs.back();
    if (!names.insert(graph.name).second) row.refuse("the name \"{}\" stands twice", graph.name);
    if (!files.insert(graph.file).second) row.refuse("the file \"{}\" stands twice", graph.file);
  });
  return graphs;
}

// ---- Weights, contexts, files -------------------------------------------------------------------------------------------

WeightEntry read_weight(const ObjectReader& row) {
  WeightEntry weight{.name = row.text("name"),
                     .file = file_name(row, "file"),
                     .offset = static_cast<std::uint64_t>(row.integer("offset", 0, INT64_MAX)),
                     .bytes = static_cast<std::uint64_t>(row.integer("bytes", 0, INT64_MAX)),
                     .type = dtype(row, "type"),
                     .shape = row.integers("shape", 0, kMaxExtent),
                     .from = row.texts("from")};
  if (row.has("done")) weight.done = row.text("done");
  const auto count = checked_element_count(weight.shape);
  const std::uint64_t size = byte_size(weight.type);
  if (!count || weight.bytes % size != 0 || weight.bytes / size != static_cast<std::uint64_t>(*count))
    row.refuse("the key \"bytes\" must be what the shape and the type say, but is {}", weight.bytes);
  return weight;
}

ContextEntry read_context(const ObjectReader& row) {
  ContextEntry context{.group = plain_name(row, "group"),
                       .binary = plain_name(row, "binary"),
                       .bytes = static_cast<std::uint64_t>(row.integer("bytes", 0, INT64_MAX))};
  row.each("graphs", [&](const ObjectReader& graph) {
    // Contexts of a vendor's own tools have no wrappers.
    const std::string wrapper = graph.text("wrapper");
    context.graphs.push_back({.name = plain_name(graph, "name"), .wrapper = wrapper.empty() ? wrapper : plain_name(graph, "wrapper")});
  });
  return context;
}

std::vector<TargetEntry> read_targets(const ObjectReader& targets) {
  std::vector<TargetEntry> entries;
  targets.members([&](const std::string& chip, const Json&) {
    if (!is_file_name(chip)) return targets.refuse("\"{}\" is no name of a chip", chip);
    entries.push_back({.chip = chip});
    targets.each(chip.c_str(), [&](const ObjectReader& row) { entries.back().contexts.push_back(read_context(row)); });
  });
  return entries;
}

CodedTableEntry read_coded_table(const ObjectReader& row) {
  return {.file = file_name(row, "file"),
          .encoding = {.dtype = Dtype::kUint16,
                       .scale = static_cast<float>(number_in_text(row, "scale")),
                       .zero_point = static_cast<std::int32_t>(row.integer("zero_point", 0, UINT16_MAX))},
          .sqnr_db = number_in_text(row, "sqnr_db"),
          .recipes = row.texts("recipes")};
}

std::map<std::string, ManifestFile> read_files(const ObjectReader& manifest) {
  std::map<std::string, ManifestFile> files;
  manifest.each("files", [&](const ObjectReader& row) {
    const std::string name = file_name(row, "name");
    const ManifestFile file{
        .bytes = static_cast<std::uint64_t>(row.integer("bytes", 0, INT64_MAX)), .sha256 = row.text("sha256"), .made = row.text("made")};
    if (!files.emplace(name, file).second) row.refuse("the file \"{}\" stands twice", name);
  });
  return files;
}

void keep_strange_sections(const ObjectReader& manifest, Manifest& m) {
  constexpr std::array kKnown = {"format",  "format_version", "versions",       "dtype",    "model",           "preprocessing",
                                 "prompt",  "graphs",         "embedding_int8", "findings", "losses",          "weights",
                                 "targets", "files",          "range_scales",   "gelus",    "embedding_uint16"};
  manifest.members([&](const std::string& key, const Json& value) {
    if (std::ranges::find(kKnown, key) == kKnown.end()) m.strange[key] = value.dump();
  });
}

void read_sections(const ObjectReader& row, const Json& json, Manifest& m) {
  m.versions = read_versions(row.object("versions"));
  m.dtype = dtype(row, "dtype");
  if (m.dtype != Dtype::kFloat32 && m.dtype != Dtype::kFloat16)
    row.refuse("the key \"dtype\" must be float32 or float16, but is {}", name(m.dtype));
  m.model = read_model(row.object("model"));
  m.preprocessing = read_preprocessing(row.object("preprocessing"));
  m.prompt = read_prompt(row.object("prompt"), m.model.text.vocab_size);
  m.graphs = read_graphs(row, m.dtype);
  const ObjectReader table = row.object("embedding_int8");
  m.embedding_int8 = {
      .file = file_name(table, "file"), .scale = number_in_text(table, "scale"), .sqnr_db = number_in_text(table, "sqnr_db")};
  if (row.has("embedding_uint16"))
    row.each("embedding_uint16", [&](const ObjectReader& coded) { m.embedding_uint16.push_back(read_coded_table(coded)); });
  m.findings = row.texts("findings");
  row.each("losses", [&](const ObjectReader& loss) { m.losses.push_back(read_loss(loss)); });
  row.each("weights", [&](const ObjectReader& weight) { m.weights.push_back(read_weight(weight)); });
  if (row.has("range_scales"))
    row.each("range_scales", [&](const ObjectReader& scale) { m.range_scales.push_back(read_range_scale(scale)); });
  // Kept as text, once it is sound; see made_from().
  if (const Json* made = json_find(json, kMadeFrom)) read_made_from(row.object(kMadeFrom), *made);
  if (row.has("gelus")) row.each("gelus", [&](const ObjectReader& gelu) { m.gelus.push_back(read_gelu(gelu)); });
  if (row.has("targets")) m.targets = read_targets(row.object("targets"));
  m.files = read_files(row);
  keep_strange_sections(row, m);
}

}  // namespace

Result<Manifest> parse_manifest(std::string_view text, const std::string& what) {
  TRY_ASSIGN(const Json json, parse_json(text, what));
  TRY_ASSIGN(const std::string format, json_string(json, "format", what));
  TRY_ASSIGN(const std::int64_t version, json_integer(json, "format_version", what));
  if (format != kManifestFormat) return bad_input("{}: format \"{}\" is not \"{}\"", what, format, kManifestFormat);
  if (version != kManifestVersion)
    return bad_input("{}: written in format version {}, this program reads {}; export again", what, version, kManifestVersion);
  std::optional<Error> problem;
  Manifest manifest;
  read_sections(ObjectReader(json, what, problem), json, manifest);
  if (problem) return *std::move(problem);
  return manifest;
}

}  // namespace fastvlm
