// verify.
#include "fastvlm/cli/add_verb.h"
#include "fastvlm/cli/runtime_arguments.h"

namespace fastvlm::cli {

void add_verify(const VerbSet& verbs) {
  auto verb = add_verb(
      verbs,
      {.name = "verify",
       .group = kProveGroup,
       .summary = "Prove that an output folder is whole and computes what the model computes",
       .details = "Looks at the hashes of the manifest, at every graph, runs the graphs on the CPU and compares the static ones under\n"
                  "npu/ with the plain ones. --reference adds a file of expected values, --model-dir the checkpoint's weights,\n"
                  "--runner htp the NPU (emulated on x86) against the CPU; a miss is followed by the first tensor that departs.\n"
                  "Exit code 1 when anything misses its gate.",
       .examples = "  fastvlm-npu verify --output-dir out\n"
                   "  fastvlm-npu verify --output-dir out --model-dir checkpoint --reference expected.safetensors\n"
                   "  fastvlm-npu verify --output-dir out --runner htp --target sm8750 --json"},
      verify_command);
  VerifyArguments& a = verb.arguments;
  add_path(verb.app, "--output-dir", a.output_dir, "Folder that export wrote")->required();
  add_path(verb.app, "--model-dir", a.model_dir, "Checkpoint it was exported from");
  add_path(verb.app, "--reference", a.reference, "safetensors file of expected values");
  add_choice(verb.app, "--runner", a.runner, {"cpu", "htp"}, "cpu: ONNX Runtime; htp: the NPU as well, emulated on x86");
  verb.app.add_option("--target", a.target, "Chip for --runner htp")->type_name("CHIP")->capture_default_str();
  add_json(verb.app, verbs.common);
  add_runtime_options(verb.app, verbs.common.runtimes);
}

}  // namespace fastvlm::cli
