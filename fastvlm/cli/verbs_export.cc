// export, plan and compile.
#include "fastvlm/cli/add_verb.h"
#include "fastvlm/cli/runtime_arguments.h"
#include "fastvlm/targets/qnn/chips/soc_table.h"

namespace fastvlm::cli {
namespace {

void add_npu_options(CLI::App& verb, NpuArguments& npu) {
  constexpr const char* kGroup = "NPU";
  auto* target = verb.add_option("--target", npu.targets, "Chips to make npu/ for, such as sm8750")
                     ->delimiter(',')
                     ->type_name("CHIP,CHIP")
                     ->group(kGroup);
  verb.add_option("--image-sizes", npu.image_sizes, "Picture sides in pixels, one vision graph each; default: --image-size")
      ->delimiter(',')
      ->type_name("N,N")
      ->group(kGroup);
  verb.add_option("--prefill", npu.prefill, "Prompt tokens that one call takes, one decoder graph each")
      ->delimiter(',')
      ->type_name("N,N")
      ->capture_default_str()
      ->group(kGroup);
  verb.add_option("--context", npu.context, "Tokens of prompt and reply together")->type_name("N")->capture_default_str()->group(kGroup);
  add_choice(verb, "--prefill-logits", npu.prefill_logits, {"all", "none"}, "Whether prefill graphs compute logits")->group(kGroup);
  verb.add_option("--fused", npu.fused, "Vision tokens x text tokens of graphs that do both at once, such as 256x512")
      ->delimiter(',')
      ->type_name("VxT,VxT")
      ->group(kGroup);
  add_choice(verb, "--io-dtype", npu.io_dtype, {"float32", "float16"}, "Element type of inputs and outputs")->group(kGroup);
  verb.add_option("--part-limit", npu.part_limit_gb, "Cut decoders above this many GB (1e9 bytes) into parts; default: the chip's limit")
      ->type_name("GB")
      ->check(CLI::NonNegativeNumber)
      ->group(kGroup);
  verb.add_option("--jobs", npu.jobs, "Contexts compiled at a time; default: as many as memory allows")->type_name("N")->group(kGroup);
  verb.add_flag_callback(
          "--no-compile", [&npu] { npu.compile = false; }, "Write the graphs of npu/ but no context binaries")
      ->group(kGroup);
  for (CLI::Option* option : verb.get_options())
    if (option->get_group() == kGroup && option != target) option->needs(target);
}

void add_export_options(CLI::App& verb, ExportArguments& arguments, CommonArguments& common, bool output_required) {
  add_path(verb, "--model-dir", arguments.model_dir, "Checkpoint folder: config.json, safetensors and tokenizer files")->required();
  auto* output = add_path(verb, "--output-dir", arguments.output_dir, "Folder to write; must be new or empty");
  if (output_required) output->required();
  verb.add_option("--image-size", arguments.image_size, "Picture side in pixels, a multiple of 64; default: the checkpoint's own")
      ->type_name("N");
  add_choice(verb, "--dtype", arguments.dtype, {"float32", "float16"}, "Element type of the weights in the ONNX files");
  verb.add_flag("--force", arguments.force, "Replace the output folder when it is an earlier export");
  verb.add_flag("--refuse-not-finite", arguments.refuse_not_finite, "Stop at NaN or infinite weights instead of noting them");
  add_json(verb, common);
  add_npu_options(verb, arguments.npu);
  add_runtime_options(verb, common.runtimes);
}

std::string known_chips() {
  std::string names;
  for (const std::string& name : qnn::soc_names()) names += (names.empty() ? "" : ", ") + name;
  return names;
}

}  // namespace

void add_export(const VerbSet& verbs) {
  static const std::string details =
      "Writes the ONNX graphs, embedding tables, tokenizer and a manifest. With --target also npu/: static graphs\n"
      "and, unless --no-compile is given, a context binary for each chip. The folder appears whole or not at all.\n"
      "Chips: " +
      known_chips();
  auto verb =
      add_verb(verbs,
               {.name = "export",
                .group = kConvertGroup,
                .summary = "Turn a checkpoint into ONNX graphs, tables and NPU contexts",
                .details = details.c_str(),
                .examples = "  fastvlm-npu export --model-dir FastVLM-0.5B --output-dir out\n"
                            "  fastvlm-npu export --model-dir FastVLM-0.5B --output-dir out --target sm8750 --image-sizes 512,1024"},
               export_command);
  add_export_options(verb.app, verb.arguments, verbs.common, true);
}

void add_plan(const VerbSet& verbs) {
  auto verb = add_verb(verbs,
                       {.name = "plan",
                        .group = kConvertGroup,
                        .summary = "Show what export would write: files, bytes, memory; writes nothing",
                        .details = "Takes the options of export; --output-dir is optional.",
                        .examples = "  fastvlm-npu plan --model-dir FastVLM-0.5B --target sm8750"},
                       plan_command);
  add_export_options(verb.app, verb.arguments, verbs.common, false);
}

void add_compile(const VerbSet& verbs) {
  auto verb = add_verb(verbs,
                       {.name = "compile",
                        .group = kConvertGroup,
                        .summary = "Compile the static graphs of an output folder for further chips",
                        .details = "The folder must have been exported with --target. Needs ONNX Runtime and its QNN plug-in (see doctor).",
                        .examples = "  fastvlm-npu compile --output-dir out --target sm8650"},
                       compile_command);
  add_path(verb.app, "--output-dir", verb.arguments.output_dir, "Folder written by export")->required();
  verb.app.add_option("--target", verb.arguments.targets, "Chips, such as sm8750")->delimiter(',')->type_name("CHIP,CHIP")->required();
  verb.app.add_option("--jobs", verb.arguments.jobs, "Contexts compiled at a time; default: as many as memory allows")->type_name("N");
  add_path(verb.app, "--sdk", verb.arguments.sdk,
           "Compile with the tools of this QAIRT SDK instead of the plug-in; writes no ONNX wrappers");
  verb.app.add_flag("--no-cache", verb.arguments.no_cache, "Compile again what an earlier run has compiled");
  add_json(verb.app, verbs.common);
  add_runtime_options(verb.app, verbs.common.runtimes);
}

}  // namespace fastvlm::cli
