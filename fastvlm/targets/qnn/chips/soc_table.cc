#include "fastvlm/targets/qnn/chips/soc_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace fastvlm::qnn {
namespace {

// Measured: on older ones a MatMul of two activations takes a second operand of 8 bits only.
constexpr int kSixteenBitArch = 73;

std::vector<std::string> names_in(std::string_view list) {
  std::vector<std::string> names;
  while (!list.empty()) {
    const std::size_t bar = std::min(list.find('|'), list.size());
    names.emplace_back(list.substr(0, bar));
    list.remove_prefix(std::min(bar + 1, list.size()));
  }
  return names;
}

Chip chip_of(const Soc& soc) {
  return {.name = std::string(soc.name),
          .alias = std::string(soc.alias),
          .marketing = std::string(soc.marketing),
          .also = names_in(soc.also),
          .architecture = fmt::format("HTP v{}", soc.htp_arch),
          .memory = soc.vtcm_mib == 0 ? "VTCM not known" : fmt::format("VTCM {} MiB", soc.vtcm_mib),
          .numbers = {{"soc_model", soc.soc_model}, {"htp_arch", soc.htp_arch}, {"vtcm_mib", soc.vtcm_mib}},
          .context_limit_bytes = soc.context_limit_bytes,
          .weight_sharing = soc.weight_sharing(),
          .memory_bytes_per_second = soc.speed.memory_gb_per_second * 1e9,
          .macs_per_second = soc.speed.npu_tops * 1e12 / 2,
          .speed_source = std::string(soc.speed.source)};
}

}  // namespace

std::span<const Chip> htp_chips() {
  static const std::vector<Chip> chips = [] {
    std::vector<Chip> rows;
    for (const Soc& soc : kSocs) rows.push_back(chip_of(soc));
    return rows;
  }();
  return chips;
}

const Soc& soc_of(const Chip& chip) {
  const auto soc = std::ranges::find(kSocs, chip.name, &Soc::name);
  FASTVLM_ASSERT(soc != kSocs.end(), "a chip of htp_chips()");
  return *soc;
}

const Soc* soc_of_model(std::int64_t soc_model) {
  for (const Soc& soc : kSocs)
    if (soc.soc_model == soc_model) return &soc;
  return nullptr;
}

std::optional<std::string> refuses(const Soc& soc, Precision precision) {
  if (precision == Precision::kSixteenBits && soc.htp_arch < kSixteenBitArch)
    return fmt::format(
        "{} ({}) multiplies no two activations of 16 bits, as graphs do that were made for chips with HTP v{} and newer alone; name it "
        "among the targets of the export{}",
        soc.name, soc.marketing, kSixteenBitArch, soc.fp16 ? "" : " and choose `recipe` w8a16-int");
  if (precision == Precision::kQuantised || soc.fp16) return std::nullopt;
  return fmt::format(
      "{} ({}) computes no half precision, so float graphs cannot run on it; choose `recipe` w8a16-int and `vision_recipe` w8a16 with "
      "`calibration`, or a chip with HTP v69 or newer",
      soc.name, soc.marketing);
}

}  // namespace fastvlm::qnn
