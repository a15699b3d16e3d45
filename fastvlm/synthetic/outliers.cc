#include "fastvlm/synthetic/outliers.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "fastvlm/base/mix.h"
#include "fastvlm/base/try.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {
namespace {

constexpr int kPower = 5;                    // 32 times as large as the others
constexpr std::int64_t kChannelsOfOne = 64;  // one outlier in as many

enum class Axis { kRows, kColumns };

// How the channels of a tensor are those of its group.
enum class Channels {
  kEach,
  kKeyPairs,    // the two that a rotary embedding turns into each other have one power
  kQueryPairs,  // those of the keys that a head of queries meets
  kQueryHeads,  // those of the values that a head of queries mixes
};

struct Member {
  const char* group;
  const char* name;  // behind the layer's or block's
  Axis axis;
  int sign;
  Channels channels = Channels::kEach;
};
constexpr Member kMembers[] = {
    {"attention input", "input_layernorm.weight", Axis::kRows, 1},
    {"attention input", "self_attn.q_proj.weight", Axis::kColumns, -1},
    {"attention input", "self_attn.k_proj.weight", Axis::kColumns, -1},
    {"attention input", "self_attn.v_proj.weight", Axis::kColumns, -1},
    {"keys", "self_attn.k_proj.weight", Axis::kRows, 1, Channels::kKeyPairs},
    {"keys", "self_attn.k_proj.bias", Axis::kRows, 1, Channels::kKeyPairs},
    {"keys", "self_attn.q_proj.weight", Axis::kRows, -1, Channels::kQueryPairs},
    {"keys", "self_attn.q_proj.bias", Axis::kRows, -1, Channels::kQueryPairs},
    {"values", "self_attn.v_proj.weight", Axis::kRows, 1},
    {"values", "self_attn.v_proj.bias", Axis::kRows, 1},
    {"values", "self_attn.o_proj.weight", Axis::kColumns, -1, Channels::kQueryHeads},
    {"mlp input", "post_attention_layernorm.weight", Axis::kRows, 1},
    {"mlp input", "mlp.gate_proj.weight", Axis::kColumns, -1},
    {"mlp input", "mlp.up_proj.weight", Axis::kColumns, -1},
    {"mlp", "mlp.up_proj.weight", Axis::kRows, 1},
    {"mlp", "mlp.down_proj.weight", Axis::kColumns, -1},
    {"block mlp", "mlp.conv.bn.weight", Axis::kRows, 1},
    {"block mlp", "mlp.conv.bn.bias", Axis::kRows, 1},
    {"block mlp", "mlp.fc1.weight", Axis::kColumns, -1},
    {"block attention", "norm.weight", Axis::kRows, 1},
    {"block attention", "norm.bias", Axis::kRows, 1},
    {"block attention", "token_mixer.qkv.weight", Axis::kColumns, -1},
};

// A bias that is not stored is zero, whatever its power.
bool may_be_missing(const Member& member) { return std::string_view(member.name).ends_with("bias"); }

bool is_whole(const OutlierModel& model, const std::string& prefix, std::string_view group) {
  return std::ranges::all_of(kMembers, [&](const Member& member) {
    return member.group != group || may_be_missing(member) || model.names.contains(prefix + member.name);
  });
}

// Of the channels of a group: how large each is made.
std::vector<int> powers_of_group(const OutlierModel& model, const std::string& prefix, const Member& member, std::int64_t channels) {
  std::vector<int> powers(static_cast<std::size_t>(channels), 0);
  const std::uint64_t stream = split_mix(fnv1a(prefix + member.group) ^ split_mix(model.seed + kSplitMixStep));
  const std::int64_t count = std::max<std::int64_t>(1, channels / kChannelsOfOne);
  for (std::int64_t i = 0; i < count; ++i)
    powers[split_mix(stream + static_cast<std::uint64_t>(i) * kSplitMixStep) % powers.size()] = kPower;
  return powers;
}

// Of the channels of one member.
std::vector<int> powers_of(const OutlierModel& model, const std::string& prefix, const Member& member, std::int64_t channels) {
  const std::int64_t size = model.head_dim, pairs = size / 2;
  const std::int64_t queries_per_key = model.num_attention_heads / std::max<std::int64_t>(1, model.num_key_value_heads);
  const bool paired = member.channels == Channels::kKeyPairs || member.channels == Channels::kQueryPairs;
  const std::int64_t in_group = member.channels == Channels::kEach ? channels : model.num_key_value_heads * (paired ? pairs : size);
  const std::vector<int> group = powers_of_group(model, prefix, member, in_group);
  std::vector<int> powers;
  for (std::int64_t channel = 0; channel < channels; ++channel) {
    std::int64_t place = channel;
    if (member.channels != Channels::kEach) {
      const std::int64_t head = channel / size, within = channel % size;
      const std::int64_t key_head = member.channels == Channels::kKeyPairs ? head : head / queries_per_key;
      place = paired ? key_head * pairs + within % pairs : key_head * size + within;
    }
    powers.push_back(member.sign * group[static_cast<std::size_t>(place)]);
  }
  return powers;
}

void add(std::vector<int>& powers, const std::vector<int>& more) {
  powers.resize(more.size(), 0);
  for (std::size_t i = 0; i < more.size(); ++i) powers[i] += more[i];
}

// 2^power times a stored number, or nothing where the type has no such number.
template <class Load, class Store>
bool multiply(std::byte* at, int power, Load load, Store store) {
  decltype(store(0.0f)) bits;
  std::memcpy(&bits, at, sizeof bits);
  const float number = std::ldexp(load(bits), power);
  const auto scaled = store(number);
  if (!std::isfinite(number) || load(scaled) != number) return false;
  std::memcpy(at, &scaled, sizeof scaled);
  return true;
}

bool multiply_element(Dtype dtype, std::byte* at, int power) {
  switch (dtype) {
    case Dtype::kBfloat16: return multiply(at, power, bfloat16_to_float, float_to_bfloat16);
    case Dtype::kFloat16: return multiply(at, power, float16_to_float, float_to_float16);
    case Dtype::kFloat32: return multiply(at, power, std::identity{}, [](float value) { return value; });
    default: return false;
  }
}

}  // namespace

ChannelPowers outlier_powers(const OutlierModel& model, std::string_view canonical, const Shape& shape) {
  ChannelPowers powers;
  for (const Member& member : kMembers) {
    if (!canonical.ends_with(std::string(".") + member.name)) continue;
    const std::string prefix(canonical.substr(0, canonical.size() - std::string_view(member.name).size()));
    const std::size_t axis = member.axis == Axis::kRows ? 0 : 1;
    if (shape.size() <= axis || !is_whole(model, prefix, member.group)) continue;
    add(member.axis == Axis::kRows ? powers.rows : powers.columns, powers_of(model, prefix, member, shape[axis]));
  }
  return powers;
}

Status multiply_channels(const ChannelPowers& powers, const TensorPiece& piece, std::span<std::byte> elements, std::string_view what) {
  if (powers.rows.empty() && powers.columns.empty()) return {};
  const std::size_t size = byte_size(piece.dtype);
  const auto row_size = static_cast<std::uint64_t>(element_count(piece.shape) / piece.shape[0]);
  const std::uint64_t column_size = powers.columns.empty() ? row_size : row_size / powers.columns.size();
  for (std::uint64_t i = 0; i < elements.size() / size; ++i) {
    const std::uint64_t row = (piece.first + i) / row_size, column = (piece.first + i) % row_size / column_size;
    const int power = (powers.rows.empty() ? 0 : powers.rows[row]) + (powers.columns.empty() ? 0 : powers.columns[column]);
    if (power != 0 && !multiply_element(piece.dtype, elements.data() + i * size, power))
      return bad_input("{}: a number times 2^{} is none of {}, so this checkpoint cannot have outliers", what, power, name(piece.dtype));
  }
  return {};
}

}  // namespace fastvlm
