// Talking to decoder graphs: prompt in chunks, then token by token, with the cache carried along. Static graphs may be cut into parts
// at layer borders, and their prefill graphs may come without logits. One graph for any number of tokens is the other form.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "fastvlm/ops/reference.h"
#include "fastvlm/session/key_value_cache.h"
#include "fastvlm/session/output_folder.h"

namespace fastvlm {

// What the additive mask holds for slots that a token must not see.
using ops::kMaskHidden;

// The mask of one run of a decoder graph: `past` slots, of which the first ones are filled, before the new tokens.
struct MaskExtents {
  std::int64_t new_tokens = 1, past = 0, filled = 0;
};
// float32 [1, 1, new_tokens, past + new_tokens]: row i sees the filled slots and the new tokens up to itself. So do rows that only pad,
// which keeps them finite.
Tensor attention_mask(const MaskExtents& extents);

// The decoder graph takes any number of rows behind any number of slots, and gives the logits of the last row.
inline constexpr std::int64_t kAnyTokens = 0;

struct DecoderGraph {
  std::string name;             // in messages
  std::int64_t new_tokens = 1;  // rows of one run, or kAnyTokens
  std::int64_t part = 1;        // 1 … number of parts
  std::unique_ptr<Runner> runner;
};

struct DecoderSessionOptions {
  double rope_theta = 1e6;
  std::int64_t context = 0;  // most tokens behind a graph for any number of them; static ones say it themselves
  // Gathers outputs that a decoder graph does not have by itself (probes), and the hidden states at the seams as
  // "model.layers.{i}".
  bool keep_hidden = false;
  // Of modules whose output the graphs hold multiplied by 2^-halvings; hidden() gives the true numbers.
  std::map<std::string, std::int64_t> halvings;
};

class DecoderSession {
 public:
  // Checks that the graphs belong together: all parts for every length, one width, cache and context, and length 1 with logits; or
  // one graph for any number of tokens.
  static Result<DecoderSession> create(std::vector<DecoderGraph> graphs, const DecoderSessionOptions& options);

  // One graph for any number of tokens: each run reads all weights, so fewer and longer runs are better.
  bool takes_any() const { return chains_.contains(kAnyTokens); }
  std::int64_t hidden_size() const { return hidden_size_; }
  std::int64_t vocab_size() const { return vocab_size_; }
  std::int64_t context() const { return context_; }
  Dtype dtype() const { return dtype_; }  // of inputs and outputs
  // Whether every prefill graph gives the logits of all its rows.
  bool prefill_has_logits() const;
  std::int64_t num_layers() const { return cache_.layers(); }

  // Tokens taken so far.
  std::int64_t position() const { return position_; }
  // embeds: [n, hidden_size] behind what is there already -> logits of the last row [vocab_size]. Refused when the context
  // has no room for n more.
  Result<std::vector<float>> prefill(std::span<const float> embeds);
  // The same with the logits of every row [n, vocab_size]; prefill graphs without logits are not used.
  Result<std::vector<float>> prefill_all(std::span<const float> embeds);
  // The same without any logits: what stands before the last token of a prompt.
  Status extend(std::span<const float> embeds);
  // One token.
  Result<std::vector<float>> step(std::span<const float> embed);

  // Forgets everything, down to the bytes of hidden slots, which calibration sees; or all but the first tokens
  // (0 … position()): a prefix that the next prompt shares.
  void reset();
  void truncate_to(std::int64_t position);

  // The cache of a layer as [key/value heads, cached(), head_dim]; the last slot of a static graph's full context is never stored.
  std::int64_t cached() const { return std::min(position_, cache_.slots()); }
  Tensor keys(std::int64_t layer) const { return cache_.floats(/*key=*/true, layer, cached()); }
  Tensor values(std::int64_t layer) const { return cache_.floats(/*key=*/false, layer, cached()); }
  // Gathered rows [position(), width] by name; see keep_hidden. Cut by truncate_to.
  Result<Tensor> hidden(const std::string& name) const;

 private:
  struct Part {
    std::string name;
    std::unique_ptr<Runner> runner;
    std::vector<std::int64_t> layers;
    bool logits = false;
  };
  struct Chain {
    std::int64_t new_tokens = 1;
    std::map<std::int64_t, Part> parts;
    bool logits = false;
  };
  struct Gathered {
    std::int64_t width = 0;
    std::vector<float> rows;
  };
  struct Chunk;
  enum class Rows { kNone, kLast, kAll };  // that give logits

  DecoderSession() = default;
  Status add_graph(DecoderGraph graph);
  Status learn(const TensorInfo& info, Part& part, std::int64_t new_tokens, const std::string& name);
  Status learn_logits(const TensorInfo& info, Part& part, std::int64_t rows, const std::string& graph);
  Status agree(std::int64_t& known, std::int64_t found, const std::string& graph, const std::string& what);
  Status check_chains();
  const Chain& choose(std::int64_t remaining, bool with_logits) const;
  Result<std::vector<float>> feed(std::span<const float> embeds, Rows wanted);
  Status run_chain(const Chain& chain, std::span<const float> rows, bool wants_logits, std::vector<float>& logits);
  Chunk make_chunk(const Chain& chain, std::span<const float> rows) const;
  Result<TensorView> input_of(const TensorInfo& info, Chunk& chunk) const;
  Status take_output(NamedTensor& output, const Part& part, Chunk& chunk, std::vector<float>& logits);
  Shape shape_of(bool key, std::int64_t tokens) const;

  DecoderSessionOptions options_;
  std::map<std::int64_t, Chain, std::greater<>> chains_;
  KeyValueCache cache_;
  std::map<std::string, Gathered> hidden_;
  Dtype dtype_ = Dtype::kFloat32;
  bool dtype_known_ = false;
  std::int64_t hidden_size_ = 0, vocab_size_ = 0, context_ = 0, position_ = 0;
};

// The decoder of an output folder. `open` is given each graph file.
Result<DecoderSession> open_decoder_session(const OutputFolder& folder, const OpenGraph& open, bool keep_hidden = false);

}  // namespace fastvlm
