// The arguments that export and plan share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fastvlm/cli/verb.h"
#include "fastvlm/clients/export_layouts.h"
#include "fastvlm/export/export.h"

namespace fastvlm::cli {

// About the NPU.
struct NpuArguments {
  std::vector<std::string> targets;
  std::vector<std::int64_t> image_sizes;
  std::vector<std::int64_t> prefill = {128};
  std::int64_t context = 1024;
  std::string prefill_logits = "all";
  std::vector<std::string> fused;
  std::vector<std::string> recipes = {"fp16"};
  std::string vision_recipe = "fp16";
  std::string io_dtype = "float32";
  std::string kv_dtype = "float32";
  double part_limit_gb = 0;
  unsigned jobs = 0;
  bool compile = true;  // false: write the graphs only
  Path calibration;     // ranges, or pictures to measure them with; empty: none
  double range_share = RangeOptions().share;
  std::string gelu = "auto";
  std::string encodings = "1.0.0";  // or "none"
};

struct ExportArguments {
  Path model_dir;
  std::string size;  // plan only: instead of model_dir
  Path base_model;
  Path output_dir;
  std::optional<std::int64_t> image_size;
  std::string dtype = "float32";
  bool force = false;
  bool refuse_not_finite = false;
  Path reuse;
  std::vector<std::string> layouts;
  std::vector<std::string> variants = {"fp32"};
  bool share_weights = true;  // between the contexts of a layout
  NpuArguments npu;
};

void add_export_options(OptionTable& options, ExportArguments& arguments, CommonArguments& common, bool plan);

// Of --layout.
Result<clients::LayoutExportOptions> layout_options(const ExportArguments& arguments, const CommonArguments& common);

// Texts such as "256x512" become numbers; what cannot be one is an Error of wrong usage.
Result<ExportOptions> export_options(const ExportArguments& arguments, const CommonArguments& common);

// A plan says what would be measured with the built-in set, and does not do it.
enum class RangesUse { kExport, kPlan };
// The ranges that --calibration names, measured now where it is a folder of pictures; without it and where a recipe wants some, those of
// the built-in set.
Status add_ranges(ExportOptions& options, const ExportArguments& arguments, const CommonArguments& common, RangesUse use);

// A line for each.
void print_findings(const std::vector<std::string>& findings);

}  // namespace fastvlm::cli
