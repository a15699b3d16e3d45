#include "fastvlm/session/decoded_weights.h"

#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/machine_memory.h"
#include "fastvlm/base/parallel.h"
#include "fastvlm/base/try.h"
#include "fastvlm/onnx/given_weights.h"
#include "fastvlm/session/probed_graph.h"

namespace fastvlm {
namespace {

constexpr std::int64_t kRowsOfPiece = 64;                        // of a weight in blocks, decoded by one thread
constexpr std::int64_t kNumbersOfPiece = std::int64_t{1} << 20;  // of a weight by channel
constexpr float kMiddle = 128;                                   // the code of zero in blocks

struct Numbers {
  explicit Numbers(std::int64_t size) : count(size), floats(std::make_unique_for_overwrite<float[]>(static_cast<std::size_t>(size))) {}
  std::int64_t count = 0;
  std::unique_ptr<float[]> floats;
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(floats.get(), static_cast<std::size_t>(count))); }
};
using SharedNumbers = std::shared_ptr<const Numbers>;

std::uint64_t bytes_of(const GivenWeight& weight) { return static_cast<std::uint64_t>(element_count(weight.shape)) * sizeof(float); }

// ---- Decoding -------------------------------------------------------------------------------------------------------------

Status read_into(const OnnxInitializer& stored, const Path& folder, std::uint64_t from, std::span<std::byte> out) {
  if (stored.constant) {
    std::ranges::copy(std::span(stored.constant->bytes).subspan(from, out.size()), out.begin());
    return {};
  }
  TRY_ASSIGN(const InputFile file, InputFile::open(folder / stored.external->location));
  return file.read_at(stored.external->offset + from, out);
}

// Rows [begin, begin + kRowsOfPiece) of codes [out, in] become columns of the numbers [in, out].
Status decode_rows(const GivenWeight& weight, const Path& folder, std::int64_t begin, Numbers& numbers) {
  const std::int64_t columns = weight.shape[0], rows = weight.shape[1], blocks = (columns + weight.block - 1) / weight.block;
  const std::int64_t end = std::min(rows, begin + kRowsOfPiece), width = blocks * weight.block;
  std::vector<std::byte> codes(static_cast<std::size_t>((end - begin) * width));
  std::vector<float> scales(static_cast<std::size_t>((end - begin) * blocks));
  TRY(read_into(weight.codes, folder, static_cast<std::uint64_t>(begin * width), codes));
  TRY(read_into(weight.scales, folder, static_cast<std::uint64_t>(begin * blocks) * sizeof(float),
                std::as_writable_bytes(std::span(scales))));
  for (std::int64_t column = 0; column < columns; ++column) {
    float* out = numbers.floats.get() + column * rows + begin;
    const std::byte* code = codes.data() + column;
    const float* scale = scales.data() + column / weight.block;
    for (std::int64_t row = begin; row < end; ++row, code += width, scale += blocks)
      *out++ = (static_cast<float>(*code) - kMiddle) * *scale;
  }
  return {};
}

// Numbers [begin, begin + kNumbersOfPiece) of those that lie as their codes do.
Status decode_channels(const GivenWeight& weight, const Path& folder, std::int64_t begin, Numbers& numbers) {
  const std::int64_t end = std::min(numbers.count, begin + kNumbersOfPiece);
  const auto axis = static_cast<std::size_t>(weight.axis);
  const std::int64_t channels = weight.shape[axis], inner = element_count(std::span(weight.shape).subspan(axis + 1));
  std::vector<std::byte> codes(static_cast<std::size_t>(end - begin));
  std::vector<float> scales(static_cast<std::size_t>(channels));
  TRY(read_into(weight.codes, folder, static_cast<std::uint64_t>(begin), codes));
  TRY(read_into(weight.scales, folder, 0, std::as_writable_bytes(std::span(scales))));
  std::int64_t channel = begin / inner % channels, within = begin % inner;
  for (std::int64_t i = begin; i < end; ++i) {
    const auto code = static_cast<std::int8_t>(codes[static_cast<std::size_t>(i - begin)]);
    numbers.floats[static_cast<std::size_t>(i)] = static_cast<float>(code) * scales[static_cast<std::size_t>(channel)];
    if (++within == inner) within = 0, channel = channel + 1 == channels ? 0 : channel + 1;
  }
  return {};
}

struct Piece {
  const GivenWeight* weight = nullptr;
  Numbers* numbers = nullptr;
  std::int64_t begin = 0;
};

void add_pieces(const GivenWeight& weight, Numbers& numbers, std::vector<Piece>& pieces) {
  const bool in_blocks = weight.block > 0;
  const std::int64_t end = in_blocks ? weight.shape[1] : numbers.count, step = in_blocks ? kRowsOfPiece : kNumbersOfPiece;
  for (std::int64_t begin = 0; begin < end; begin += step) pieces.push_back({&weight, &numbers, begin});
}

// ---- Numbers that several runners hold ------------------------------------------------------------------------------------

// Which bytes of which file; graphs with probes lie in other folders, with the same file under a second name. Few numbers may lie inside
// the graph. Empty where there is no telling.
std::string key_of(const OnnxInitializer& stored, const Path& folder) {
  if (stored.constant) return {reinterpret_cast<const char*>(stored.constant->bytes.data()), stored.constant->bytes.size()};
  struct ::stat file{};
  if (::stat((folder / stored.external->location).c_str(), &file) != 0) return {};
  return fmt::format("{} {} {} {}.{} {}", file.st_dev, file.st_ino, file.st_size, file.st_mtim.tv_sec, file.st_mtim.tv_nsec,
                     stored.external->offset);
}

std::string key_of(const GivenWeight& weight, const Path& folder) {
  if (weight.codes.constant) return {};
  const std::string codes = key_of(weight.codes, folder), scales = key_of(weight.scales, folder);
  if (codes.empty() || scales.empty()) return {};
  return fmt::format("{}; {} {} {}; {}", codes, weight.block, weight.axis, to_string(weight.shape), scales);
}

class Pool {
 public:
  explicit Pool(const DecodedWeightsOptions& options) : options_(options) {}

  // In the order of the weights; nothing when they would take too much memory.
  Result<std::vector<SharedNumbers>> take(const std::vector<GivenWeight>& weights, const Path& folder) {
    const std::lock_guard lock(mutex_);
    std::vector<SharedNumbers> all;
    std::vector<std::shared_ptr<Numbers>> fresh(weights.size());
    std::vector<std::string> keys;
    std::uint64_t needed = 0;
    for (const GivenWeight& weight : weights) {
      const auto found = known_.find(keys.emplace_back(key_of(weight, folder)));
      all.push_back(found == known_.end() ? nullptr : found->second.lock());
      if (!all.back()) needed += bytes_of(weight);
    }
    if (needed > (options_.memory > 0 ? options_.memory : available_memory() / 2)) return std::vector<SharedNumbers>();
    std::vector<Piece> pieces;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (all[i]) continue;
      all[i] = fresh[i] = std::make_shared<Numbers>(element_count(weights[i].shape));
      add_pieces(weights[i], *fresh[i], pieces);
    }
    TRY(decode(pieces, folder));
    for (std::size_t i = 0; i < weights.size(); ++i)
      if (fresh[i] && !keys[i].empty()) known_[keys[i]] = fresh[i];
    return all;
  }

 private:
  Status decode(const std::vector<Piece>& pieces, const Path& folder) const {
    return parallel_for(pieces.size(), options_.threads, [&](std::size_t i) -> Status {
      TRY(check_interrupt());
      const auto& [weight, numbers, begin] = pieces[i];
      return weight->block > 0 ? decode_rows(*weight, folder, begin, *numbers) : decode_channels(*weight, folder, begin, *numbers);
    });
  }

  const DecodedWeightsOptions options_;
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<const Numbers>> known_;
};

// Gives the numbers to each run, beside what the caller gives.
class DecodedRunner final : public Runner {
 public:
  DecodedRunner(std::unique_ptr<Runner> runner, const std::vector<GivenWeight>& weights, std::vector<SharedNumbers> numbers)
      : runner_(std::move(runner)), numbers_(std::move(numbers)), inputs_(runner_->inputs()) {
    for (std::size_t i = 0; i < weights.size(); ++i) {
      std::erase_if(inputs_, [&](const TensorInfo& info) { return info.name == weights[i].input; });
      views_.push_back({weights[i].input, {Dtype::kFloat32, weights[i].shape, numbers_[i]->bytes()}});
    }
  }
  const std::vector<TensorInfo>& inputs() const override { return inputs_; }
  const std::vector<TensorInfo>& outputs() const override { return runner_->outputs(); }
  Result<std::vector<NamedTensor>> run(std::span<const NamedTensorView> inputs, std::span<const std::string> wanted) override {
    std::vector<NamedTensorView> all(inputs.begin(), inputs.end());
    all.insert(all.end(), views_.begin(), views_.end());
    return runner_->run(all, wanted);
  }

 private:
  std::unique_ptr<Runner> runner_;
  std::vector<SharedNumbers> numbers_;
  std::vector<TensorInfo> inputs_;
  std::vector<NamedTensorView> views_;
};

}  // namespace

OpenGraph with_decoded_weights(OpenGraph open, const DecodedWeightsOptions& options) {
  auto pool = std::make_shared<Pool>(options);
  const OpenGraph four_bits = options.open_four_bits ? options.open_four_bits : open;
  return [open = std::move(open), four_bits, pool](const Path& model) -> Result<std::unique_ptr<Runner>> {
    const auto given = with_given_weights(model);
    if (!given.ok()) return open(model);  // which says what is wrong with it
    const OpenGraph& how = given->keeps_four_bits ? four_bits : open;
    if (given->weights.empty()) return how(model);
    TRY_ASSIGN(std::vector<SharedNumbers> numbers, pool->take(given->weights, model.parent_path()));
    if (numbers.empty()) return how(model);
    TRY_ASSIGN(auto runner, open_changed(model, given->model, how));
    return std::unique_ptr<Runner>(std::make_unique<DecodedRunner>(std::move(runner), given->weights, std::move(numbers)));
  };
}

}  // namespace fastvlm
