#include "fastvlm/export/embedding_uint16.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "fastvlm/base/decibels.h"
#include "fastvlm/base/try.h"
#include "fastvlm/quant/codes.h"

namespace fastvlm {
namespace {

struct Power {
  double signal = 0, noise = 0;
};

Power power_of(std::span<const float> values, std::span<const std::uint16_t> codes, const Encoding& encoding) {
  Power power;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double x = values[i], error = x - (codes[i] - encoding.zero_point) * double{encoding.scale};
    power.signal += x * x;
    power.noise += error * error;
  }
  return power;
}

const ValueEntry* coded_input(const GraphEntry& graph) {
  if (graph.role != GraphRole::kDecoder) return nullptr;
  const auto input = std::ranges::find(graph.inputs, kInputsEmbeds, &ValueEntry::name);
  return input == graph.inputs.end() || !input->encoding || input->type != Dtype::kUint16 ? nullptr : &*input;
}

}  // namespace

std::vector<CodedTableEntry> coded_tables(const std::vector<PreparedGraph>& graphs) {
  std::vector<CodedTableEntry> tables;
  for (const PreparedGraph& graph : graphs) {
    const ValueEntry* input = coded_input(graph.entry);
    if (input == nullptr) continue;
    const std::string recipe(graph.entry.recipe());
    auto table = std::ranges::find(tables, *input->encoding, &CodedTableEntry::encoding);
    if (table == tables.end()) {
      const std::string file = tables.empty() ? kUint16TableFile : fmt::format("{}_{}.bin", kUint16TableStart, recipe);
      tables.push_back({.file = file, .encoding = *input->encoding});
      table = tables.end() - 1;
    }
    if (std::ranges::find(table->recipes, recipe) == table->recipes.end()) table->recipes.push_back(recipe);
  }
  return tables;
}

Result<Uint16Table> write_uint16_table(const WeightPtr& table, const Encoding& encoding, const Path& path, const WriteOptions& options,
                                       Progress& progress) {
  constexpr std::uint64_t kPieceElements = kPieceBytes / sizeof(std::uint16_t);
  const std::int64_t width = table->row_size();
  const auto total = static_cast<std::uint64_t>(table->row_count() * width);
  std::vector<Power> powers((total + kPieceElements - 1) / kPieceElements);
  Uint16Table result;
  TRY_ASSIGN(result.file, write_in_pieces(path, total * sizeof(std::uint16_t), options, progress,
                                          [&](std::size_t index, std::span<std::byte> out) -> Status {
                                            const auto first = static_cast<std::int64_t>(index * kPieceElements);
                                            const std::int64_t last = first + static_cast<std::int64_t>(out.size() / sizeof(std::uint16_t));
                                            const std::int64_t row_begin = first / width, row_end = (last + width - 1) / width;
                                            std::vector<float> values(static_cast<std::size_t>((row_end - row_begin) * width));
                                            TRY(table->read_rows(row_begin, row_end, values));
                                            values.erase(values.begin(), values.begin() + (first - row_begin * width));
                                            values.resize(static_cast<std::size_t>(last - first));
                                            for (float& value : values)
                                              if (!std::isfinite(value)) value = 0;
                                            const Tensor codes = codes_of(values, encoding, {last - first});
                                            powers[index] = power_of(values, codes.as<std::uint16_t>(Dtype::kUint16), encoding);
                                            std::memcpy(out.data(), codes.bytes.data(), out.size());
                                            return {};
                                          }));
  Power sum;
  for (const Power& power : powers) sum.signal += power.signal, sum.noise += power.noise;
  result.sqnr_db = decibels(sum.signal, sum.noise);
  return result;
}

}  // namespace fastvlm
