#include "fastvlm/export/embedding_uint16.h"

#include <algorithm>
#include <cmath>

#include "fastvlm/quant/codes.h"

namespace fastvlm {
namespace {

// Numbers that are none get the code of zero.
Power code(std::span<const float> numbers, const Encoding& encoding, std::span<std::byte> out) {
  std::vector<float> finite(numbers.begin(), numbers.end());
  for (float& number : finite)
    if (!std::isfinite(number)) number = 0;
  const Tensor codes = codes_of(finite, encoding, {static_cast<std::int64_t>(finite.size())});
  std::ranges::copy(codes.bytes, out.begin());
  Power power;
  for (std::size_t i = 0; i < finite.size(); ++i) {
    const double x = finite[i];
    const double error = x - (codes.as<std::uint16_t>(Dtype::kUint16)[i] - encoding.zero_point) * double{encoding.scale};
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

Result<CodedTable> write_uint16_table(const WeightPtr& table, const Encoding& encoding, const Path& path, const WriteOptions& options,
                                      Progress& progress) {
  const auto coded = [&](std::span<const float> numbers, std::span<std::byte> out) { return code(numbers, encoding, out); };
  return write_coded_table(table, {.bytes = sizeof(std::uint16_t), .code = coded}, path, options, progress);
}

}  // namespace fastvlm
