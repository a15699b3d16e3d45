#include "fastvlm/cli/export_arguments.h"

#include <charconv>

#include "fastvlm/base/try.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/export/calibrate_checkpoint.h"
#include "fastvlm/export/gelu_forms.h"
#include "fastvlm/export/prepare_integers.h"
#include "fastvlm/export/prepare_plan.h"
#include "fastvlm/process/process.h"
#include "fastvlm/quant/recipe.h"

namespace fastvlm::cli {
namespace {

Result<FusedSize> fused_size(const std::string& text) {
  FusedSize size;
  const char* end = text.data() + text.size();
  auto first = std::from_chars(text.data(), end, size.vision_tokens);
  if (first.ec == std::errc() && first.ptr != end && *first.ptr == 'x') {
    auto second = std::from_chars(first.ptr + 1, end, size.text_tokens);
    if (second.ec == std::errc() && second.ptr == end) return size;
  }
  return bad_option("fused", "{}: must be vision tokens x text tokens, such as 256x512", text);
}

Result<NpuOptions> npu_options(const NpuArguments& arguments) {
  NpuOptions options{.targets = arguments.targets,
                     .image_sizes = arguments.image_sizes,
                     .prefill = arguments.prefill,
                     .context = arguments.context,
                     .prefill_logits = arguments.prefill_logits == "all",
                     .io_dtype = arguments.io_dtype == "float16" ? Dtype::kFloat16 : Dtype::kFloat32,
                     .integer_edges = {.others = arguments.io_dtype == "uint16"},
                     .part_limit_bytes = static_cast<std::uint64_t>(arguments.part_limit_gb * 1e9)};
  if (const auto cache = dtype_from_name(arguments.kv_dtype); cache != Dtype::kFloat32) options.integer_edges.cache = cache;
  options.recipes.clear();
  for (const std::string& name : arguments.recipes) {
    TRY_ASSIGN(options.recipes.emplace_back(), find_recipe(name));
  }
  TRY_ASSIGN(options.vision_recipe, find_recipe(arguments.vision_recipe, "vision_recipe"));
  for (const std::string& text : arguments.fused) {
    TRY_ASSIGN(FusedSize size, fused_size(text));
    options.fused.push_back(size);
  }
  return options;
}

void add_npu_options(OptionTable& options, NpuArguments& npu) {
  options.heading("NPU");
  const std::size_t first = options.rows().size();
  options
      .list("--target", npu.targets, "CHIP,CHIP", "Chips to make npu/ for, such as sm8750, \"8 Elite\" or \"Galaxy S25\"; help: all names")
      .complete(Completes::kChip);
  options.list("--image-sizes", npu.image_sizes, "N,N", "Picture sides in pixels, one vision graph each; default: --image-size");
  options.list("--prefill", npu.prefill, "N,N", "Prompt tokens that one call takes, one decoder graph each").show_default();
  options.value("--context", npu.context, "N", "Tokens of prompt and reply together").show_default();
  options.choice("--prefill-logits", npu.prefill_logits, {"all", "none"}, "Whether prefill graphs compute logits");
  options.list("--fused", npu.fused, "VxT,VxT", "Vision tokens x text tokens of graphs that do both at once, such as 256x512");
  options
      .list("--recipe", npu.recipes, "NAME,NAME",
            "How the decoder's numbers are stored: fp16, w8, w4, best with --calibration w8a16, w4a16, w8a16-int, or the file of a recipe; "
            "several side by side")
      .show_default();
  options
      .value("--vision-recipe", npu.vision_recipe, "NAME",
             "The same of tower and projector: fp16, w8a16 or a file (best with --calibration)")
      .show_default();
  options.choice("--io-dtype", npu.io_dtype, {"float32", "float16", "uint16"},
                 "Element type of inputs and outputs; uint16: codes, where a recipe has integer activations");
  options.choice(
      "--kv-dtype", npu.kv_dtype, {"float32", "uint8", "uint16"},
      "Keys and values of recipes with integer activations as they pass in and out: as codes they are half or a quarter as large");
  options
      .value("--part-limit", npu.part_limit_gb, "GB", "Cut decoders above this many GB (1e9 bytes) into parts; default: the chip's limit")
      .refuse_negative();
  options.path("--calibration", npu.calibration,
               "Ranges (calibrate) or a folder of pictures: scales streams near the end of half precision; recipes with integer "
               "activations take their scales from it; default for these: a few made-up pictures, with a warning");
  options.choice("--encodings", npu.encodings, {"0.6.1", "1.0.0", "2.0.0", "none"},
                 "Version of npu/encodings_*.json, which tells the QAIRT tools and AIMET how graphs with integers are stored");
  options
      .choice(
          "--gelu", npu.gelu, gelu_policy_names(),
          "Form of the tower's GELUs. exact: four more passes each; fast: a Clip, 0.1 % too large above 4; auto: by --calibration the one "
          "that loses less, else exact")
      .show_default();
  options.value("--range-share", npu.range_share, "X", "How near, as a part of 65504").show_default().refuse_negative();
  options.value("--jobs", npu.jobs, "N", "Contexts compiled at a time; default: as many as memory allows");
  options.flag("--no-compile", npu.compile, "Write the graphs of npu/ but no context binaries", /*given=*/false);
  for (std::size_t row = first + 1; row < options.rows().size(); ++row) options.rows()[row].needs = "--target";
  options.heading("");
}

}  // namespace

void add_export_options(OptionTable& options, ExportArguments& arguments, CommonArguments& common, bool plan) {
  options.path("--model-dir", arguments.model_dir, "Checkpoint folder: config.json, safetensors and tokenizer files")
      .complete(Completes::kFolder)
      .set_required(!plan);
  if (plan)
    options.choice("--size", arguments.size, planned_sizes(), "Plan a FastVLM of this size without any folder").excludes = "--model-dir";
  options.path("--base-model", arguments.base_model, "Model that a LoRA adapter in --model-dir is merged into")
      .complete(Completes::kFolder);
  options.path("--output-dir", arguments.output_dir, "Folder to write; must be new or empty")
      .complete(Completes::kFolder)
      .set_required(!plan);
  options.value("--image-size", arguments.image_size, "N", "Picture side in pixels, a multiple of 64; default: the checkpoint's own");
  options.choice("--dtype", arguments.dtype, {"float32", "float16"}, "Element type of the weights in the ONNX files");
  options.flag("--force", arguments.force, "Replace the output folder when it is an earlier export");
  options.flag("--refuse-not-finite", arguments.refuse_not_finite, "Stop at NaN or infinite weights instead of noting them");
  if (!plan)
    options
        .path("--reuse", arguments.reuse,
              "An earlier export, of the model before a fine-tune: weight files that are the same are linked, not written again")
        .complete(Completes::kFolder)
        .excludes = "--layout";
  options.list("--layout", arguments.layouts, "NAME,NAME",
               "Write a folder that another program opens instead: transformers-js, onnxruntime-genai; with --target also genie, npu");
  Option& variants = options.list("--variants", arguments.variants, "NAME,NAME", "Numbers in the graphs of a layout: fp32, fp16, q8, q4");
  variants.show_default().needs = "--layout";
  Option& single =
      options.flag("--unshared", arguments.share_weights, "One context for each graph of a layout: larger, but x86 can load it",
                   /*given=*/false);
  single.needs = "--layout";
  add_json(options, common);
  add_npu_options(options, arguments.npu);
  add_runtime_options(options, common);
}

Result<ExportOptions> export_options(const ExportArguments& arguments, const CommonArguments& common) {
  ExportOptions options{.model_dir = arguments.model_dir,
                        .output_dir = arguments.output_dir,
                        .base_model = arguments.base_model,
                        .image_size = arguments.image_size,
                        .dtype = arguments.dtype == "float16" ? Dtype::kFloat16 : Dtype::kFloat32,
                        .force = arguments.force,
                        .refuse_not_finite = arguments.refuse_not_finite,
                        .reuse = arguments.reuse,
                        .threads = common.threads};
  if (!arguments.npu.targets.empty()) {
    TRY_ASSIGN(options.npu, npu_options(arguments.npu));
    options.encodings = encodings_version(arguments.npu.encodings);
    options.gelu = gelu_policy_of(arguments.npu.gelu).value();
  }
  return options;
}

Result<clients::LayoutExportOptions> layout_options(const ExportArguments& arguments, const CommonArguments& common) {
  clients::LayoutExportOptions options{.model = {},
                                       .layouts = arguments.layouts,
                                       .variants = arguments.variants,
                                       .share_weights = arguments.share_weights,
                                       .runtimes = common.runtimes,
                                       .program = own_executable(),
                                       .cache_folder = common.runtimes.cache_folder,
                                       .jobs = arguments.npu.jobs};
  TRY_ASSIGN(options.model, export_options(arguments, common));
  return options;
}

Status add_ranges(ExportOptions& options, const ExportArguments& a, const CommonArguments& common, RangesUse use) {
  const bool built_in = a.npu.calibration.empty();
  if (built_in && (!options.npu || !wants_ranges(*options.npu))) return {};
  if (built_in && use == RangesUse::kPlan) {
    options.ranges.emplace(RangeOptions{.share = a.npu.range_share, .source = RangeOptions::Source::kAssumed});
    return {};
  }
  auto progress = make_progress(common.quiet || common.json);
  options.ranges.emplace(
      RangeOptions{.share = a.npu.range_share, .source = built_in ? RangeOptions::Source::kBuiltIn : RangeOptions::Source::kMeasured});
  TRY_ASSIGN(options.ranges->ranges, ranges_of(a.npu.calibration,
                                               {.model_dir = a.model_dir,
                                                .base_model = a.base_model,
                                                .image_size = a.image_size,
                                                .chip = a.npu.targets.front(),
                                                .runtimes = common.runtimes,
                                                .threads = common.threads},
                                               *progress));
  return {};
}

void print_findings(const std::vector<std::string>& findings) {
  for (const std::string& finding : findings) print_line("note: " + finding);
}

}  // namespace fastvlm::cli
