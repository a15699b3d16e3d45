// The Snapdragon chips we know: one row each.
//
// Where the numbers come from: `soc_model`, `htp_arch` and `vtcm_mib` are those of the SoC table in ExecuTorch's Qualcomm
// backend (August 2026). Rows with `compiled` were given to the plugin 2.7.0 (QAIRT 2.51) on x86, which made a context for
// each; what did not go through on v68 is named in `note`.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/base/result.h"
#include "fastvlm/targets/target.h"

namespace fastvlm::qnn {

// A context that fits everywhere we have a report of: 1.81 GB parts loaded where 3.6 GB did not, and the compiler itself
// refuses graphs past 2 097 152 KiB on older chips.
inline constexpr std::uint64_t kDefaultContextLimit = 1'800'000'000;

// Peaks as they were published. Qualcomm names clocks of memories and, of most phone chips, no operations per second.
struct PublishedSpeed {
  double memory_gb_per_second = 0;  // 1e9 bytes; 0: not known
  double npu_tops = 0;              // of the NPU alone, 8-bit integers; a multiplication with its addition counts as two
  std::string_view source = {};
};

struct Soc {
  std::string_view name;                                     // as on the command line
  std::string_view alias;                                    // another common name, or ""
  int soc_model = 0;                                         // the number that Qualcomm's tools take
  int htp_arch = 0;                                          // 79 means v79
  int vtcm_mib = 0;                                          // 0: not known
  std::uint64_t context_limit_bytes = kDefaultContextLimit;  // of one context binary that we plan for
  bool fp16 = true;                                          // runs float graphs, in half precision
  bool compiled = false;                                     // seen to compile here
  std::string_view marketing;                                // as the buyer reads it
  std::string_view also;                                     // phones and other names, with '|' between them
  std::string_view note;
  PublishedSpeed speed = {};

  // Several graphs over one set of weights need v73.
  bool weight_sharing() const { return htp_arch >= 73; }
};

inline constexpr std::array kSocs = {
    Soc{.name = "sm8350",
        .alias = "",
        .soc_model = 30,
        .htp_arch = 68,
        .vtcm_mib = 4,
        .fp16 = false,
        .compiled = true,
        .marketing = "Snapdragon 888",
        .also = "888|888+|galaxy s21|oneplus 9|v68",
        .note = "float GELU and float decoders fail with error 1002: quantised graphs only"},
    Soc{.name = "qcm6490",
        .alias = "qcs6490",
        .soc_model = 93,
        .htp_arch = 68,
        .vtcm_mib = 2,
        .fp16 = false,
        .compiled = true,
        .marketing = "Dragonwing QCM6490",
        .note = "refuses every float operator: quantised graphs only"},
    Soc{.name = "sm8450",
        .alias = "",
        .soc_model = 36,
        .htp_arch = 69,
        .vtcm_mib = 8,
        .compiled = true,
        .marketing = "Snapdragon 8 Gen 1",
        .also = "galaxy s22|galaxy s22 ultra|oneplus 10 pro|v69",
        .speed = {.memory_gb_per_second = 51.2, .source = "LPDDR5 at 3200 MHz, four channels (gadgetsinnepal.com.np, 2021-12)"}},
    Soc{.name = "sm8475",
        .alias = "",
        .soc_model = 42,
        .htp_arch = 69,
        .vtcm_mib = 8,
        .compiled = true,
        .marketing = "Snapdragon 8+ Gen 1",
        .also = "galaxy z fold4|galaxy z flip4"},
    Soc{.name = "sxr2230p",
        .alias = "",
        .soc_model = 53,
        .htp_arch = 69,
        .vtcm_mib = 8,
        .compiled = true,
        .marketing = "Snapdragon XR2 Gen 2"},
    Soc{.name = "sm8550",
        .alias = "",
        .soc_model = 43,
        .htp_arch = 73,
        .vtcm_mib = 8,
        .compiled = true,
        .marketing = "Snapdragon 8 Gen 2",
        .also = "galaxy s23|galaxy s23+|galaxy s23 ultra|galaxy z fold5|xiaomi 13|oneplus 11|v73"},
    Soc{.name = "x-elite",
        .alias = "sc8380xp",
        .soc_model = 60,
        .htp_arch = 73,
        .compiled = true,
        .marketing = "Snapdragon X Elite",
        .also = "x1e|x1 elite",
        .speed = {.memory_gb_per_second = 136,
                  .npu_tops = 45,
                  .source = "sheet at the launch: LPDDR5x at 8533 MT/s, eight channels, 45 TOPS (mspoweruser.com, 2023-10)"}},
    Soc{.name = "qcs9100", .alias = "", .soc_model = 77, .htp_arch = 73, .compiled = true, .marketing = "Dragonwing QCS9100"},
    Soc{.name = "sm8650",
        .alias = "",
        .soc_model = 57,
        .htp_arch = 75,
        .vtcm_mib = 8,
        .compiled = true,
        .marketing = "Snapdragon 8 Gen 3",
        .also = "galaxy s24|galaxy s24+|galaxy s24 ultra|galaxy z fold6|xiaomi 14|oneplus 12|v75",
        .speed = {.memory_gb_per_second = 76.8, .source = "LPDDR5X at 4800 MHz (runlocalai.co, droidholic.com)"}},
    Soc{.name = "sm8750",
        .alias = "",
        .soc_model = 69,
        .htp_arch = 79,
        .vtcm_mib = 8,
        .compiled = true,
        .marketing = "Snapdragon 8 Elite",
        .also = "galaxy s25|galaxy s25+|galaxy s25 ultra|galaxy s25 edge|galaxy z fold7|xiaomi 15|oneplus 13|v79",
        .speed = {.memory_gb_per_second = 84.8, .source = "LPDDR5X at 10600 MT/s (geektopia.es, 2024-10-22)"}},
    Soc{.name = "sxr2330p",
        .alias = "",
        .soc_model = 75,
        .htp_arch = 79,
        .vtcm_mib = 8,
        .compiled = true,
        .marketing = "Snapdragon XR platform"},
    Soc{.name = "sm8850",
        .alias = "",
        .soc_model = 87,
        .htp_arch = 81,
        .vtcm_mib = 8,
        .compiled = true,
        .marketing = "Snapdragon 8 Elite Gen 5",
        .also = "xiaomi 17|oneplus 15|v81"},
    Soc{.name = "sm8845", .alias = "", .soc_model = 97, .htp_arch = 81, .compiled = true, .marketing = "Snapdragon 8 Gen 5"},
};

// The row with Qualcomm's number, or nullptr.
const Soc* soc_of_model(std::int64_t soc_model);

// The rows as the registry knows them, in the order of the table; and the way back.
std::span<const Chip> htp_chips();
const Soc& soc_of(const Chip& chip);

// Why graphs of that precision cannot run on the chip, and what to do; nothing where they can.
std::optional<std::string> refuses(const Soc& soc, Precision precision);

}  // namespace fastvlm::qnn
