#include "fastvlm/session/decoder_session.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "fastvlm/base/try.h"
#include "fastvlm/bundle/graph_entry.h"
#include "fastvlm/ops/reference.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {
namespace {

// The layer in "past_key_12_in", or -1.
std::int64_t layer_in(std::string_view name, std::string_view prefix, std::string_view suffix) {
  if (!name.starts_with(prefix) || !name.ends_with(suffix) || name.size() <= prefix.size() + suffix.size()) return -1;
  name = name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
  std::int64_t layer = -1;
  auto parsed = std::from_chars(name.data(), name.data() + name.size(), layer);
  return parsed.ec == std::errc() && parsed.ptr == name.data() + name.size() ? layer : -1;
}

Tensor in_type(Shape shape, const std::vector<float>& values, Dtype dtype) {
  return cast_to(Tensor::of_floats(std::move(shape), values), dtype);
}

// Slots that the cache has for so many tokens, where the graph takes any number: what a run computes depends on how many tokens come
// before it, and on nothing earlier.
constexpr std::int64_t kSlotsAtOnce = 128;
std::int64_t slots_for(std::int64_t tokens) { return (tokens + kSlotsAtOnce - 1) / kSlotsAtOnce * kSlotsAtOnce; }

// Rows that such a graph is given at most: the scores of a run are rows times slots.
constexpr std::int64_t kMostRows = 512;

}  // namespace

Tensor attention_mask(const MaskExtents& e) {
  const std::int64_t all = e.past + e.new_tokens;
  std::vector<float> mask(static_cast<std::size_t>(e.new_tokens * all), kMaskHidden);
  for (std::int64_t row = 0; row < e.new_tokens; ++row) {
    std::fill_n(mask.begin() + row * all, e.filled, 0.0f);
    std::fill_n(mask.begin() + row * all + e.past, row + 1, 0.0f);
  }
  return Tensor::of_floats({1, 1, e.new_tokens, all}, mask);
}

// One run of all parts: the inputs that they share, and what must live until it is done.
struct DecoderSession::Chunk {
  std::int64_t new_tokens = 0;
  std::int64_t rows = 0;   // without padding
  std::int64_t slots = 0;  // before them
  Tensor hidden, mask, cos, sin;
  std::vector<Tensor> past;
  Tensor logits;
};

// ---- Putting a session together ------------------------------------------------------------------------------------------

Result<DecoderSession> DecoderSession::create(std::vector<DecoderGraph> graphs, const DecoderSessionOptions& options) {
  DecoderSession session;
  session.options_ = options;
  for (DecoderGraph& graph : graphs) TRY(session.add_graph(std::move(graph)));
  if (session.takes_any()) session.context_ = options.context;
  TRY(session.check_chains());
  session.cache_.dtype = session.dtype_;
  if (!session.takes_any()) session.cache_.resize(session.context_ - 1, 0);
  return session;
}

Status DecoderSession::agree(std::int64_t& known, std::int64_t found, const std::string& graph, const std::string& what) {
  if (known == 0) known = found;
  if (known == found && found > 0) return {};
  return bad_input("{}: its {} is {}, another graph of this decoder has {}", graph, what, found, known);
}

Status DecoderSession::learn(const TensorInfo& info, Part& part, std::int64_t new_tokens, const std::string& graph) {
  const bool any = new_tokens == kAnyTokens;
  const auto impossible = [&](std::int64_t extent) { return (extent < 1 && !(any && extent == -1)) || extent >= (std::int64_t{1} << 31); };
  if (std::ranges::any_of(info.shape, impossible))
    return bad_input("{}: \"{}\" has shape {}, a decoder session needs static graphs", graph, info.name, to_string(info.shape));
  const std::int64_t rows = any ? -1 : new_tokens;
  auto bad_rank = [&](std::size_t rank) { return info.shape.size() != rank; };
  if (!dtype_known_) dtype_ = info.dtype, dtype_known_ = true;
  if (any && info.name == "logits") return learn_logits(info, part, 1, graph);
  if (info.dtype != dtype_ || (dtype_ != Dtype::kFloat32 && dtype_ != Dtype::kFloat16))
    return bad_input("{}: \"{}\" is {}, expected float32 or float16 in all graphs of this decoder", graph, info.name, name(info.dtype));
  if (info.name == kInputsEmbeds || info.name == kHiddenStatesIn) {
    if (bad_rank(3) || info.shape[1] != rows)
      return bad_input("{}: \"{}\" has shape {}, expected [1, {}, width]", graph, info.name, to_string(info.shape), rows);
    return agree(hidden_size_, info.shape[2], graph, "width");
  }
  if (info.name == "attention_mask") {
    if (bad_rank(4) || info.shape[2] != rows)
      return bad_input("{}: \"{}\" has shape {}, expected [1, 1, {}, context]", graph, info.name, to_string(info.shape), rows);
    return any ? Status() : agree(context_, info.shape[3], graph, "context");
  }
  if (info.name == "logits") return learn_logits(info, part, rows, graph);
  if (const std::int64_t layer = layer_in(info.name, "past_key_", "_in"); layer >= 0) {
    if (bad_rank(4))
      return bad_input("{}: \"{}\" has shape {}, expected [heads, 1, head size, slots]", graph, info.name, to_string(info.shape));
    part.layers.push_back(layer);
    cache_.add_layer(layer);
    TRY(agree(cache_.heads, info.shape[0], graph, "number of key heads"));
    TRY(agree(cache_.head_dim, info.shape[2], graph, "head size"));
    return any ? Status() : agree(context_, info.shape[3] + new_tokens, graph, "context");
  }
  return {};
}

Status DecoderSession::learn_logits(const TensorInfo& info, Part& part, std::int64_t rows, const std::string& graph) {
  if (info.shape.size() != 3 || info.shape[1] != rows)
    return bad_input("{}: \"{}\" has shape {}, expected [1, {}, vocabulary]", graph, info.name, to_string(info.shape), rows);
  part.logits = true;
  return agree(vocab_size_, info.shape[2], graph, "vocabulary");
}

Status DecoderSession::add_graph(DecoderGraph graph) {
  Part part{.name = graph.name, .runner = std::move(graph.runner), .layers = {}};
  for (const TensorInfo& info : part.runner->inputs()) TRY(learn(info, part, graph.new_tokens, graph.name));
  for (const TensorInfo& info : part.runner->outputs())
    if (info.name == "logits") TRY(learn(info, part, graph.new_tokens, graph.name));
  Chain& chain = chains_[graph.new_tokens];
  chain.new_tokens = graph.new_tokens;
  chain.logits = chain.logits || part.logits;
  if (!chain.parts.emplace(graph.part, std::move(part)).second)
    return bad_input("{}: part {} for {} new tokens was given already", graph.name, graph.part, graph.new_tokens);
  return {};
}

Status DecoderSession::check_chains() {
  const auto last = takes_any() ? chains_.find(kAnyTokens) : chains_.find(1);
  if (takes_any() && chains_.size() > 1) return bad_input("the decoder has graphs for any number of tokens and for certain ones");
  if (last == chains_.end() || !last->second.logits) return bad_input("the decoder has no graph for one new token with logits");
  if (context_ < 2 || hidden_size_ < 1 || cache_.head_dim % 2 != 0) return bad_input("the decoder graphs lack a mask, a cache or a width");
  for (const auto& [length, chain] : chains_) {
    std::size_t layers = 0;
    for (const auto& [index, part] : chain.parts) {
      layers += part.layers.size();
      const char* wanted = index == 1 ? kInputsEmbeds : kHiddenStatesIn;
      if (std::ranges::none_of(part.runner->inputs(), [&](const TensorInfo& info) { return info.name == wanted; }))
        return bad_input("{}: has no input \"{}\"", part.name, wanted);
    }
    const bool gap = chain.parts.begin()->first != 1 || chain.parts.rbegin()->first != static_cast<std::int64_t>(chain.parts.size());
    if (gap || layers != static_cast<std::size_t>(num_layers()) || length > context_)
      return bad_input("the decoder graphs for {} new tokens are not complete: {} parts with {} of {} layers", length, chain.parts.size(),
                       layers, num_layers());
  }
  if (!cache_.is_complete()) return bad_input("the decoder's layers are not numbered from 0 without a gap");
  return {};
}

bool DecoderSession::prefill_has_logits() const {
  return std::ranges::all_of(chains_, [](const auto& entry) { return entry.second.logits; });
}

// ---- Running ------------------------------------------------------------------------------------------------------------

// Every run reads all weights, so the fewest runs win: the longest graph while it can be filled, then the shortest that takes
// the rest. A graph for A tokens leaves room for context - A past ones.
const DecoderSession::Chain& DecoderSession::choose(std::int64_t remaining, bool with_logits) const {
  if (takes_any()) return chains_.at(kAnyTokens);
  const Chain* chosen = nullptr;
  for (const auto& [length, chain] : chains_) {
    if (position_ > context_ - length || (with_logits && !chain.logits)) continue;
    if (chosen == nullptr || (chosen->new_tokens > remaining && length >= remaining)) chosen = &chain;
  }
  FASTVLM_ASSERT(chosen != nullptr, "one token always fits");
  return *chosen;
}

Result<std::vector<float>> DecoderSession::feed(std::span<const float> embeds, Rows wanted) {
  const auto width = static_cast<std::size_t>(hidden_size_);
  if (embeds.empty() || embeds.size() % width != 0) return bad_usage("{} numbers are no rows of {}", embeds.size(), width);
  auto remaining = static_cast<std::int64_t>(embeds.size() / width);
  if (remaining > context_ - position_)
    return bad_usage("{} tokens behind {} do not fit the context of {}; export with a larger `context` or shorten the prompt", remaining,
                     position_, context_);
  std::vector<float> logits;
  while (remaining > 0) {
    const Chain* chain = &choose(remaining, wanted == Rows::kAll);
    const std::int64_t most = !takes_any() ? chain->new_tokens : wanted == Rows::kAll ? 1 : kMostRows;
    std::int64_t rows = std::min(remaining, most);
    const bool last = rows == remaining;
    // The last row needs logits: where this graph has none it is left to the graph for one token.
    if (last && wanted == Rows::kLast && !chain->logits) {
      if (rows > 1)
        --rows;
      else
        chain = &choose(1, true);
    }
    const bool wants_logits = wanted == Rows::kAll || (wanted == Rows::kLast && rows == remaining);
    TRY(run_chain(*chain, embeds.first(static_cast<std::size_t>(rows) * width), wants_logits, logits));
    embeds = embeds.subspan(static_cast<std::size_t>(rows) * width);
    remaining -= rows;
  }
  if (wanted == Rows::kLast) logits.erase(logits.begin(), logits.end() - vocab_size_);
  return logits;
}

Result<std::vector<float>> DecoderSession::prefill(std::span<const float> embeds) { return feed(embeds, Rows::kLast); }
Result<std::vector<float>> DecoderSession::prefill_all(std::span<const float> embeds) { return feed(embeds, Rows::kAll); }
Status DecoderSession::extend(std::span<const float> embeds) {
  TRY(feed(embeds, Rows::kNone));
  return {};
}
Result<std::vector<float>> DecoderSession::step(std::span<const float> embed) {
  FASTVLM_ASSERT(embed.size() == static_cast<std::size_t>(hidden_size_), "one row");
  return feed(embed, Rows::kLast);
}

DecoderSession::Chunk DecoderSession::make_chunk(const Chain& chain, std::span<const float> rows) const {
  const std::int64_t given = static_cast<std::int64_t>(rows.size()) / hidden_size_;
  const std::int64_t a = takes_any() ? given : chain.new_tokens, past = takes_any() ? cache_.slots() : context_ - a;
  Chunk chunk{.new_tokens = a, .rows = given, .slots = past};
  std::vector<float> hidden(static_cast<std::size_t>(a * hidden_size_));
  std::ranges::copy(rows, hidden.begin());
  const ops::RotaryTables tables = ops::rotary_tables(position_, a, cache_.head_dim, options_.rope_theta);
  chunk.hidden = in_type({1, a, hidden_size_}, hidden, dtype_);
  chunk.mask = cast_to(attention_mask({.new_tokens = a, .past = past, .filled = position_}), dtype_);
  chunk.cos = in_type({1, 1, a, cache_.head_dim / 2}, tables.cos, dtype_);
  chunk.sin = in_type({1, 1, a, cache_.head_dim / 2}, tables.sin, dtype_);
  chunk.past.reserve(2 * static_cast<std::size_t>(num_layers()));
  return chunk;
}

Result<TensorView> DecoderSession::input_of(const TensorInfo& info, Chunk& chunk) const {
  if (info.name == kInputsEmbeds || info.name == kHiddenStatesIn) return chunk.hidden.view();
  if (info.name == "attention_mask") return chunk.mask.view();
  if (info.name == "position_ids_cos") return chunk.cos.view();
  if (info.name == "position_ids_sin") return chunk.sin.view();
  for (const bool key : {true, false}) {
    const std::int64_t layer = layer_in(info.name, key ? "past_key_" : "past_value_", "_in");
    if (layer < 0 || !cache_.has(layer)) continue;
    const Shape expected = shape_of(key, chunk.slots);
    if (!takes_any() && info.shape != expected)
      return bad_input("\"{}\" has shape {}, expected {}", info.name, to_string(info.shape), to_string(expected));
    if (chunk.slots == cache_.slots()) return TensorView{dtype_, expected, cache_.bytes(key, layer)};
    chunk.past.push_back(cache_.copy_of(key, layer, expected, position_));
    return chunk.past.back().view();
  }
  return bad_input("a decoder session does not know the input \"{}\"", info.name);
}

Shape DecoderSession::shape_of(bool key, std::int64_t tokens) const {
  return key ? Shape{cache_.heads, 1, cache_.head_dim, tokens} : Shape{cache_.heads, 1, tokens, cache_.head_dim};
}

Status DecoderSession::take_output(NamedTensor& output, const Part& part, Chunk& chunk, std::vector<float>& logits) {
  const std::int64_t a = chunk.new_tokens;
  Tensor& tensor = output.tensor;
  for (const bool key : {true, false}) {
    const std::int64_t layer = layer_in(output.name, key ? "past_key_" : "past_value_", "_out");
    if (layer < 0) continue;
    const Shape expected = shape_of(key, a);
    if (tensor.shape != expected || tensor.dtype != dtype_ || !cache_.has(layer))
      return bad_input("{}: \"{}\" has shape {}, expected {}", part.name, output.name, to_string(tensor.shape), to_string(expected));
    cache_.store(key, layer, tensor, {.position = position_, .count = chunk.rows});
    return {};
  }
  const bool seam = output.name == kHiddenStatesOut, is_logits = output.name == "logits";
  if (!seam && !is_logits && !options_.keep_hidden) return {};
  const std::int64_t given = takes_any() ? 1 : a;
  if (tensor.shape.size() != 3 || tensor.shape[1] != given)
    return bad_input("{}: \"{}\" has shape {}, expected [1, {}, width]", part.name, output.name, to_string(tensor.shape), given);
  const Tensor rows = to_float32(tensor.view());
  const auto kept = rows.floats().first(static_cast<std::size_t>(std::min(chunk.rows, given) * tensor.shape[2]));
  if (is_logits) logits.insert(logits.end(), kept.begin(), kept.end());
  if (options_.keep_hidden && !is_logits) {
    const std::string key = seam && !part.layers.empty() ? fmt::format("model.layers.{}", std::ranges::max(part.layers)) : output.name;
    Gathered& gathered = hidden_[key];
    gathered.width = tensor.shape[2];
    const auto before = static_cast<std::size_t>(position_ * gathered.width);
    // Rows that begin in the middle (only the last run had this output) are of no use.
    gathered.rows.resize(std::min(gathered.rows.size(), before));
    if (gathered.rows.size() == before) gathered.rows.insert(gathered.rows.end(), kept.begin(), kept.end());
  }
  if (seam) chunk.hidden = std::move(tensor);
  return {};
}

Status DecoderSession::run_chain(const Chain& chain, std::span<const float> rows, bool wants_logits, std::vector<float>& logits) {
  Chunk chunk = make_chunk(chain, rows);
  for (const auto& [index, part] : chain.parts) {
    if (part.layers.empty() && !wants_logits) continue;  // only the head
    std::vector<NamedTensorView> inputs;
    for (const TensorInfo& info : part.runner->inputs()) {
      auto view = input_of(info, chunk);
      if (!view.ok()) return std::move(view).error().within(part.name);
      inputs.push_back({info.name, std::move(*view)});
    }
    std::vector<std::string> wanted;
    for (const TensorInfo& info : part.runner->outputs())
      if (info.name != "logits" || wants_logits) wanted.push_back(info.name);
    TRY_ASSIGN(auto outputs, part.runner->run(inputs, wanted));
    if (takes_any()) cache_.resize(slots_for(position_ + chunk.rows), position_);
    for (NamedTensor& output : outputs) TRY(take_output(output, part, chunk, logits));
  }
  position_ += chunk.rows;
  return {};
}

// ---- State --------------------------------------------------------------------------------------------------------------

void DecoderSession::reset() {
  truncate_to(0);
  cache_.clear();
}

void DecoderSession::truncate_to(std::int64_t position) {
  FASTVLM_ASSERT(position >= 0 && position <= position_ && (position == position_ || position < context_), "a position that was reached");
  position_ = position;
  if (takes_any()) cache_.resize(slots_for(position), position);
  for (auto& [name, gathered] : hidden_)
    gathered.rows.resize(std::min(gathered.rows.size(), static_cast<std::size_t>(position * gathered.width)));
}

Result<Tensor> DecoderSession::hidden(const std::string& name) const {
  auto at = hidden_.find(name);
  if (at == hidden_.end() || at->second.rows.size() != static_cast<std::size_t>(position_ * at->second.width))
    return bad_input("no decoder graph gives \"{}\"", name);
  Tensor rows = Tensor::of_floats({position_, at->second.width}, at->second.rows);
  if (const auto scaled = options_.halvings.find(name); scaled != options_.halvings.end())
    for (float& number : rows.floats()) number = std::ldexp(number, static_cast<int>(scaled->second));
  return rows;
}

Result<DecoderSession> open_decoder_session(const OutputFolder& folder, const OpenGraph& open, bool keep_hidden) {
  std::vector<DecoderGraph> graphs;
  for (const GraphEntry& graph : folder.manifest.graphs) {
    if (graph.role != GraphRole::kDecoder) continue;
    TRY_ASSIGN(auto runner, open(folder.path / graph.file));
    graphs.push_back({.name = graph.name, .new_tokens = graph.extents.new_tokens, .part = graph.extents.part, .runner = std::move(runner)});
  }
  if (graphs.empty()) return bad_input("{}: has no static decoder graphs (npu/); export with `targets`", folder.path.string());
  DecoderSessionOptions options{.rope_theta = folder.text().rope_theta, .keep_hidden = keep_hidden};
  for (const RangeScale& scale : folder.manifest.range_scales)
    for (const std::string& module : scale.modules) options.halvings[module] = scale.halvings;
  return DecoderSession::create(std::move(graphs), options);
}

}  // namespace fastvlm
