#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <set>

#include "fastvlm/base/try.h"
#include "fastvlm/checkpoint/safetensors.h"
#include "fastvlm/onnx/model_file.h"
#include "fastvlm/session/decoder_session.h"
#include "fastvlm/session/probed_graph.h"
#include "fastvlm/session/run_graph.h"
#include "fastvlm/verify/checks.h"

namespace fastvlm {
namespace {

constexpr const char* kCheck = "golden";
constexpr std::int64_t kStride = 64;
constexpr std::size_t kMaxGoldenBytes = std::size_t{4} << 30;
constexpr const char* kStages[] = {"stem", "stage0", "stage1", "stage2", "stage3", "stage4"};

// One picture size and batch of the file: "s128.b2".
struct Group {
  std::string prefix;  // "s128.b2."
  std::int64_t image_size = 0;
  std::int64_t batch = 0;
};

std::optional<Group> group_of(std::string_view key) {
  const char* end = key.data() + key.size();
  Group group;
  if (!key.starts_with("s")) return std::nullopt;
  auto size = std::from_chars(key.data() + 1, end, group.image_size);
  if (size.ec != std::errc() || !std::string_view(size.ptr, end).starts_with(".b")) return std::nullopt;
  auto batch = std::from_chars(size.ptr + 2, end, group.batch);
  if (batch.ec != std::errc() || batch.ptr == end || *batch.ptr != '.') return std::nullopt;
  group.prefix = std::string(key.data(), batch.ptr + 1);
  return group;
}

// The expected values, and which of them have a row in the report.
class Golden {
 public:
  explicit Golden(std::vector<NamedTensor> tensors) {
    for (NamedTensor& tensor : tensors) tensors_.emplace(std::move(tensor.name), std::move(tensor.tensor));
  }
  const Tensor* find(const std::string& key) const {
    auto at = tensors_.find(key);
    return at == tensors_.end() ? nullptr : &at->second;
  }
  Result<const Tensor*> need(const std::string& key, Dtype dtype, std::size_t rank) {
    const Tensor* tensor = find(key);
    if (tensor == nullptr) return bad_input("the file with expected values lacks \"{}\"", key);
    if (tensor->dtype != dtype || tensor->shape.size() != rank || tensor->size() == 0)
      return bad_input("\"{}\" is {} {}, expected {} with {} extents", key, name(tensor->dtype), to_string(tensor->shape), name(dtype),
                       rank);
    seen_.insert(key);
    return tensor;
  }
  // Compares a key that is there; an absent one is nothing to compare.
  void compare(VerifyReport& report, const std::string& key, const std::string& by, const Gate& gate, const Tensor& actual) {
    const Tensor* expected = find(key);
    if (expected == nullptr) return;
    seen_.insert(key);
    if (expected->dtype != Dtype::kFloat32) return report.miss(kCheck, key, fmt::format("must be float32, not {}", name(expected->dtype)));
    report.compare({kCheck, key, by, gate}, actual, *expected);
  }
  void mark(const std::string& key) { seen_.insert(key); }
  void skip_unseen(VerifyReport& report, const std::string& prefix, const std::string& why) {
    for (const auto& [key, tensor] : tensors_)
      if (key.starts_with(prefix) && seen_.insert(key).second) report.skip(kCheck, key, why);
  }
  std::vector<Group> groups() const {
    std::vector<Group> groups;
    for (const auto& [key, tensor] : tensors_)
      if (auto group = group_of(key); group && (groups.empty() || groups.back().prefix != group->prefix)) groups.push_back(*group);
    return groups;
  }

 private:
  std::map<std::string, Tensor> tensors_;
  std::set<std::string> seen_;
};

const Gate& plain_gate(const OutputFolder& folder) { return folder.half() ? kHalfGate : kFloatGate; }
const Gate& static_gate(Dtype edge) { return edge == Dtype::kFloat16 ? kHalfGate : kStaticGate; }

// ---- Pictures -----------------------------------------------------------------------------------------------------------

// "stage3" of the file is "model.vision_tower.stages.3" of the graph.
std::string stage_value(std::string stage) {
  if (stage.starts_with("stage")) stage.insert(5, "s.");
  return "model.vision_tower." + stage;
}

Result<Tensor> compare_tower(const CheckContext& c, Golden& golden, const Group& group, const Tensor& pixels) {
  const Path path = c.folder.path / c.folder.plain(GraphRole::kVisionEncoder).file;
  std::vector<std::string> wanted = {"image_features"}, probes;
  for (const char* stage : kStages)
    if (golden.find(group.prefix + stage) != nullptr) probes.push_back(stage_value(stage));
  TRY_ASSIGN(auto runner, probes.empty() ? c.open(path) : open_probed(path, probes, c.open));
  wanted.insert(wanted.end(), probes.begin(), probes.end());
  TRY_ASSIGN(auto outputs, run_converted(*runner, {{"pixel_values", pixels}}, wanted));
  for (const char* stage : kStages)
    for (const NamedTensor& output : outputs)
      if (output.name == stage_value(stage))
        golden.compare(c.report, group.prefix + stage, "plain encoder", plain_gate(c.folder), output.tensor);
  golden.compare(c.report, group.prefix + "vision_features", "plain encoder", plain_gate(c.folder), outputs[0].tensor);
  return std::move(outputs[0].tensor);
}

Status compare_plain(const CheckContext& c, Golden& golden, const Group& group, const Tensor& pixels) {
  TRY_ASSIGN(Tensor features, compare_tower(c, golden, group, pixels));
  const std::string ids_key = group.prefix + "first.input_ids";
  Tensor ids = Tensor::zeros(Dtype::kInt64, {group.batch, 1});
  if (golden.find(ids_key) != nullptr) {
    TRY_ASSIGN(const Tensor* stored, golden.need(ids_key, Dtype::kInt64, 2));
    ids = *stored;
  }
  std::string projected;
  TRY_ASSIGN(auto runner, open_plain_decoder_with_projected(c, projected));
  TRY_ASSIGN(PlainDecoding decoding, run_plain_decoder(*runner, projected, features, ids));
  golden.compare(c.report, group.prefix + "image_features", "plain encoder and projector", plain_gate(c.folder), decoding.image_features);
  if (golden.find(ids_key) != nullptr)
    golden.compare(c.report, group.prefix + "first.logits", "plain encoder and decoder", plain_gate(c.folder), decoding.logits);
  return {};
}

// A static graph takes one picture at a time.
Result<Tensor> project_pictures(Runner& runner, const Tensor& pixels) {
  std::vector<Tensor> features;
  for (std::int64_t i = 0; i < pixels.shape[0]; ++i) {
    TRY_ASSIGN(Tensor one, run_for(runner, {{"pixel_values", slice_rows(pixels, i, i + 1)}}, "image_features"));
    features.push_back(std::move(one));
  }
  return stack_rows(features);
}

Status compare_static_vision(const CheckContext& c, Golden& golden, const Group& group, const Tensor& pixels) {
  const GraphEntry* graph = c.folder.vision(group.image_size);
  if (graph == nullptr) return {};
  TRY_ASSIGN(auto runner, c.open(c.folder.path / graph->file));
  TRY_ASSIGN(Tensor features, project_pictures(*runner, pixels));
  golden.compare(c.report, group.prefix + "image_features", graph->file, static_gate(edge_dtype(*runner)), features);
  return {};
}

// The static twin of the plain decoder, where one of this size was exported.
Status compare_fused(const CheckContext& c, Golden& golden, const Group& group) {
  const Tensor* features = golden.find(group.prefix + "vision_features");
  const Tensor* ids = golden.find(group.prefix + "first.input_ids");
  if (features == nullptr || ids == nullptr || features->shape.size() != 3 || ids->shape.size() != 2 || ids->shape[0] != features->shape[0])
    return {};
  for (const GraphEntry& graph : c.folder.manifest.graphs) {
    // Expected values are those of float weights; forms says how far the others are from these.
    if (graph.weight_bits > 0 || graph.extents.vision_tokens != features->shape[1] || graph.extents.text_tokens != ids->shape[1]) continue;
    TRY_ASSIGN(auto runner, c.open(c.folder.path / graph.file));
    std::vector<Tensor> logits;
    for (std::int64_t i = 0; i < features->shape[0]; ++i) {
      TRY_ASSIGN(
          Tensor one,
          run_for(*runner, {{"vision_features", slice_rows(*features, i, i + 1)}, {"input_ids", slice_rows(*ids, i, i + 1)}}, "logits"));
      logits.push_back(std::move(one));
    }
    golden.compare(c.report, group.prefix + "first.logits", graph.file, static_gate(edge_dtype(*runner)), stack_rows(logits));
  }
  return {};
}

Status compare_group(const CheckContext& c, Golden& golden, const Group& group) {
  if (golden.find(group.prefix + "pixel_values") == nullptr) {
    golden.skip_unseen(c.report, group.prefix, fmt::format("not compared: the file lacks \"{}pixel_values\"", group.prefix));
    return {};
  }
  TRY_ASSIGN(const Tensor* pixels, golden.need(group.prefix + "pixel_values", Dtype::kFloat32, 4));
  if (pixels->shape != Shape{group.batch, 3, group.image_size, group.image_size})
    return bad_input("\"{}pixel_values\" has shape {}", group.prefix, to_string(pixels->shape));
  if (group.image_size == c.folder.image_size()) TRY(compare_plain(c, golden, group, *pixels));
  TRY(compare_static_vision(c, golden, group, *pixels));
  TRY(compare_fused(c, golden, group));
  golden.mark(group.prefix + "first.input_ids");
  golden.skip_unseen(c.report, group.prefix,
                     fmt::format("not compared: the plain encoder was exported for {} pixels", c.folder.image_size()));
  return {};
}

// ---- The chat prompt ----------------------------------------------------------------------------------------------------

struct Chat {
  std::vector<std::int64_t> ids;
  std::int64_t image_start = 0;
  std::int64_t image_tokens = 0;
  std::int64_t image_size = 0;
  Tensor embeds;  // [L, H]
  std::int64_t length() const { return static_cast<std::int64_t>(ids.size()); }
};

Result<Chat> read_chat(Golden& golden) {
  Chat chat;
  TRY_ASSIGN(const Tensor* ids, golden.need("chat.input_ids", Dtype::kInt64, 2));
  TRY_ASSIGN(const Tensor* start, golden.need("chat.image_start", Dtype::kInt64, 1));
  chat.ids.assign(ids->int64s().begin(), ids->int64s().end());
  chat.image_start = start->int64s()[0];
  if (ids->shape[0] != 1 || chat.image_start < 0 || chat.image_start >= chat.length())
    return bad_input("chat.image_start is outside of chat.input_ids");
  const std::int64_t image_id = chat.ids[static_cast<std::size_t>(chat.image_start)];
  for (std::int64_t i = chat.image_start; i < chat.length() && chat.ids[static_cast<std::size_t>(i)] == image_id; ++i) ++chat.image_tokens;
  const auto side = std::llround(std::sqrt(static_cast<double>(chat.image_tokens)));
  if (side * side != chat.image_tokens) return bad_input("chat.input_ids has {} image tokens, which is no square", chat.image_tokens);
  chat.image_size = side * kStride;
  return chat;
}

// Projected vectors of the picture [N, H]: from the static graph of that size, else from the plain graphs.
Result<Tensor> chat_image(const CheckContext& c, const Chat& chat, const Tensor& pixels) {
  if (const GraphEntry* graph = c.folder.vision(chat.image_size); graph != nullptr) {
    TRY_ASSIGN(auto runner, c.open(c.folder.path / graph->file));
    return run_for(*runner, {{"pixel_values", pixels}}, "image_features");
  }
  TRY_ASSIGN(auto encoder, c.open(c.folder.path / c.folder.plain(GraphRole::kVisionEncoder).file));
  TRY_ASSIGN(Tensor features, run_for(*encoder, {{"pixel_values", pixels}}, "image_features"));
  std::string projected;
  TRY_ASSIGN(auto decoder, open_plain_decoder_with_projected(c, projected));
  TRY_ASSIGN(PlainDecoding decoding, run_plain_decoder(*decoder, projected, features, Tensor::zeros(Dtype::kInt64, {1, 1})));
  return std::move(decoding.image_features);
}

Status splice(const CheckContext& c, Golden& golden, Chat& chat) {
  TRY_ASSIGN(const Tensor* pixels, golden.need(fmt::format("s{}.b1.pixel_values", chat.image_size), Dtype::kFloat32, 4));
  TRY_ASSIGN(Tensor image, chat_image(c, chat, *pixels));
  const std::int64_t width = c.folder.text().hidden_size;
  if (image.shape != Shape{1, chat.image_tokens, width})
    return bad_input("the picture became {}, expected [1, {}, {}]", to_string(image.shape), chat.image_tokens, width);
  std::vector<std::int64_t> text = chat.ids;
  std::fill_n(text.begin() + chat.image_start, chat.image_tokens, 0);  // the image id may lie behind the table
  TRY_ASSIGN(EmbeddingTable table, EmbeddingTable::open(c.folder));
  TRY_ASSIGN(chat.embeds, table.gather(text));
  std::ranges::copy(image.floats(), chat.embeds.floats().begin() + chat.image_start * width);
  return {};
}

Tensor batch_of_one(Tensor tensor) {
  tensor.shape.insert(tensor.shape.begin(), 1);
  return tensor;
}

void compare_hidden(const CheckContext& c, Golden& golden, const DecoderSession& session, const Gate& gate) {
  for (std::int64_t i = 1; i <= session.num_layers(); ++i) {
    const std::string key = fmt::format("chat.hidden.{}", i);
    auto hidden = session.hidden(i < session.num_layers() ? fmt::format("model.layers.{}", i - 1) : "model.norm");
    if (hidden.ok())
      golden.compare(c.report, key, "static decoder", gate, batch_of_one(std::move(*hidden)));
    else
      golden.skip_unseen(c.report, key, "not compared: the prefill graphs were exported without logits and end before the norm");
  }
}

void compare_cache(const CheckContext& c, Golden& golden, const DecoderSession& session, const Gate& gate) {
  for (std::int64_t layer = 0; layer < session.num_layers(); ++layer) {
    golden.compare(c.report, fmt::format("chat.key.{}", layer), "static decoder, keys after RoPE", gate, batch_of_one(session.keys(layer)));
    golden.compare(c.report, fmt::format("chat.value.{}", layer), "static decoder", gate, batch_of_one(session.values(layer)));
  }
}

Result<std::vector<float>> compare_prompt(const CheckContext& c, Golden& golden, const Chat& chat, DecoderSession& session,
                                          const Gate& gate) {
  const bool all = session.prefill_has_logits();
  TRY_ASSIGN(std::vector<float> logits, all ? session.prefill_all(chat.embeds.floats()) : session.prefill(chat.embeds.floats()));
  std::vector<float> last(logits.end() - session.vocab_size(), logits.end());
  const std::string by = fmt::format("static decoder, prompt of {} tokens", chat.length());
  const Tensor* expected = golden.find("chat.logits");
  if (all) {
    golden.compare(c.report, "chat.logits", by, gate, Tensor::of_floats({1, chat.length(), session.vocab_size()}, logits));
  } else if (expected != nullptr && expected->shape == Shape{1, chat.length(), session.vocab_size()}) {
    golden.mark("chat.logits");
    c.report.compare({kCheck, "chat.logits", by + ", last position", gate}, Tensor::of_floats({1, session.vocab_size()}, last),
                     slice_rows(reshaped(*expected, {chat.length(), session.vocab_size()}), chat.length() - 1, chat.length()));
  }
  compare_hidden(c, golden, session, gate);
  compare_cache(c, golden, session, gate);
  return last;
}

// Each step is fed the expected id, so that one wrong choice does not spoil the rest.
Status compare_steps(const CheckContext& c, Golden& golden, DecoderSession& session, std::vector<float> logits, const Gate& gate) {
  if (golden.find("chat.greedy_ids") == nullptr) return {};
  TRY_ASSIGN(const Tensor* ids, golden.need("chat.greedy_ids", Dtype::kInt64, 1));
  TRY_ASSIGN(EmbeddingTable table, EmbeddingTable::open(c.folder));
  std::vector<float> stepped;
  std::int64_t wrong = -1;
  for (std::int64_t i = 0; i < ids->size(); ++i) {
    const std::int64_t id = ids->int64s()[static_cast<std::size_t>(i)];
    if (wrong < 0 && index_of_largest(logits) != id) wrong = i;
    TRY_ASSIGN(Tensor row, table.gather(std::span(&id, 1)));
    TRY_ASSIGN(logits, session.step(row.floats()));
    stepped.insert(stepped.end(), logits.begin(), logits.end());
  }
  if (wrong < 0)
    c.report.pass(kCheck, "chat.greedy_ids", fmt::format("all {} greedy choices are the expected ones", ids->size()));
  else
    c.report.miss(kCheck, "chat.greedy_ids", fmt::format("the greedy choice at step {} is another one", wrong));
  golden.compare(c.report, "chat.step_logits", "static decoder, single tokens with the cache", gate,
                 Tensor::of_floats({ids->size(), session.vocab_size()}, stepped));
  return {};
}

Status compare_chat(const CheckContext& c, Golden& golden) {
  TRY_ASSIGN(Chat chat, read_chat(golden));
  if (c.folder.vision(chat.image_size) == nullptr && c.folder.image_size() != chat.image_size) {
    golden.skip_unseen(c.report, "chat.", fmt::format("not compared: no encoder was exported for {} pixels", chat.image_size));
    return {};
  }
  TRY(splice(c, golden, chat));
  const Gate& gate = c.folder.half() ? kHalfGate : kStaticGate;
  golden.compare(c.report, "chat.hidden.0", "rows of the table with the picture spliced in", gate, batch_of_one(chat.embeds));
  if (c.folder.manifest.find(GraphRole::kDecoder) == nullptr) {
    golden.skip_unseen(c.report, "chat.", "not compared: needs npu/ (the plain decoder takes the picture first)");
    return {};
  }
  TRY_ASSIGN(const OutputFolder decoder, with_recipe(c.folder, ""));
  if (decoder.manifest.find(GraphRole::kDecoder)->weight_bits > 0) {
    golden.skip_unseen(c.report, "chat.", "not compared: the values are of float weights, and no decoder graph here has these");
    return {};
  }
  TRY_ASSIGN(DecoderSession session,
             open_decoder_session(decoder, with_layer_probes(c.open, c.folder.text().num_hidden_layers), /*keep_hidden=*/true));
  const Gate& decoder_gate = session.dtype() == Dtype::kFloat16 ? kHalfGate : gate;
  TRY_ASSIGN(std::vector<float> logits, compare_prompt(c, golden, chat, session, decoder_gate));
  return compare_steps(c, golden, session, std::move(logits), decoder_gate);
}

}  // namespace

OpenGraph with_layer_probes(const OpenGraph& open, std::int64_t num_layers) {
  return [open, num_layers](const Path& path) -> Result<std::unique_ptr<Runner>> {
    TRY_ASSIGN(OnnxModel model, read_onnx(path, {.infer_shapes = false}));
    std::set<std::string> wanted = {"model.norm"};
    for (std::int64_t i = 0; i < num_layers; ++i) wanted.insert(fmt::format("model.layers.{}", i));
    std::vector<std::string> probes;
    for (const std::string& value : module_values(model))
      if (wanted.contains(value)) probes.push_back(value);
    return open_probed(path, probes, open);
  };
}

Status check_golden(const CheckContext& c, const Path& reference) {
  std::error_code failure;
  if (const auto bytes = std::filesystem::file_size(reference, failure); !failure && bytes > kMaxGoldenBytes)
    return bad_input("{}: {} bytes are too many for a file of expected values", reference.string(), bytes);
  TRY_ASSIGN(auto tensors, read_safetensors(reference));
  Golden golden(std::move(tensors));
  for (const Group& group : golden.groups())
    if (Status status = compare_group(c, golden, group); !status.ok())
      TRY(c.report.fail(kCheck, group.prefix + "*", std::move(status).error()));
  if (golden.find("chat.input_ids") != nullptr)
    if (Status status = compare_chat(c, golden); !status.ok()) TRY(c.report.fail(kCheck, "chat.*", std::move(status).error()));
  golden.skip_unseen(c.report, "", "not compared: no value of that name is known, or a check before it failed");
  return {};
}

}  // namespace fastvlm
