// inspect, make-checkpoint, doctor, check-ops, preprocess and tokenize.
#include "fastvlm/cli/add_verb.h"
#include "fastvlm/cli/runtime_arguments.h"

namespace fastvlm::cli {

void add_inspect(const VerbSet& verbs) {
  auto verb = add_verb(verbs,
                       {.name = "inspect",
                        .group = kProveGroup,
                        .summary = "Show what a folder or file is and what it holds",
                        .details = "Knows checkpoint folders, output folders, ONNX, safetensors and QNN context files, by their content.\n"
                                   "Context files need the QNN plug-in (see doctor). An output folder is held against its manifest:\n"
                                   "exit code 1 when a file differs.",
                        .examples = "  fastvlm-npu inspect FastVLM-0.5B\n"
                                    "  fastvlm-npu inspect out/fastvlm_vision_encoder.onnx --json"},
                       inspect_command);
  add_path(verb.app, "path", verb.arguments.path, "Folder or file")->required();
  verb.app.add_flag("--tensors", verb.arguments.tensors, "List every tensor, or which NPU operators each node became");
  verb.app.add_flag("--hash", verb.arguments.hash, "SHA-256 of files above 64 MiB too; check all hashes of an output folder");
  add_json(verb.app, verbs.common);
  add_runtime_options(verb.app, verbs.common.runtimes);
}

void add_make_checkpoint(const VerbSet& verbs) {
  auto verb = add_verb(verbs,
                       {.name = "make-checkpoint",
                        .group = kToolsGroup,
                        .summary = "Write a checkpoint with random weights in real shapes, to try things out",
                        .details = "Same size, dialect and seed: same bytes. 0.5b takes 1.5 GB of disk, 1.5b 3.8 GB, 7b 15.6 GB.",
                        .examples = "  fastvlm-npu make-checkpoint --size tiny --dialect hf --output-dir /tmp/tiny"},
                       make_checkpoint_command);
  add_choice(verb.app, "--size", verb.arguments.size, {"tiny", "0.5b", "1.5b", "7b"}, "Shapes of which model")->required();
  add_choice(verb.app, "--dialect", verb.arguments.dialect, {"apple", "hf"}, "Names as Apple or as transformers writes them")->required();
  add_path(verb.app, "--output-dir", verb.arguments.output_dir, "Folder to write; must be new or empty")->required();
  verb.app.add_option("--seed", verb.arguments.seed, "Of the random numbers")->type_name("N")->capture_default_str();
  verb.app.add_flag("--force", verb.arguments.force, "Replace the folder when it is a FastVLM checkpoint");
  add_json(verb.app, verbs.common);
}

void add_doctor(const VerbSet& verbs) {
  auto verb = add_verb(verbs,
                       {.name = "doctor",
                        .group = kToolsGroup,
                        .summary = "Show which optional runtimes are found and load; fetch the missing ones",
                        .details = "export needs no runtime. verify and chat need ONNX Runtime; compile needs its QNN plug-in as well.\n"
                                   "Exit code 0 also when a runtime is missing, 4 when --fetch fails.",
                        .examples = "  fastvlm-npu doctor\n"
                                    "  fastvlm-npu doctor --fetch"},
                       doctor_command);
  verb.app.add_flag("--fetch", verb.arguments.fetch, "Fetch the tested versions with pip into the cache folder (600 MB)");
  add_json(verb.app, verbs.common);
  add_runtime_options(verb.app, verbs.common.runtimes);
}

void add_check_ops(const VerbSet& verbs) {
  auto verb =
      add_verb(verbs,
               {.name = "check-ops",
                .group = kProveGroup,
                .summary = "Say which nodes of an ONNX file the NPU refuses, why, and what to do",
                .details = "Works from a table of rules; no runtime is needed, except with --compile. Exit code 1 when a node is refused.",
                .examples = "  fastvlm-npu check-ops model.onnx --target sm8750"},
               check_ops_command);
  add_path(verb.app, "model", verb.arguments.model, "ONNX file, ours or any other")->required();
  verb.app.add_option("--target", verb.arguments.target, "Chip, such as sm8750")->type_name("CHIP")->required();
  verb.app.add_flag("--all", verb.arguments.all, "List the accepted nodes too");
  verb.app.add_flag("--compile", verb.arguments.compile, "Compile the file as well and show what the backend says; needs both runtimes");
  add_json(verb.app, verbs.common);
  add_runtime_options(verb.app, verbs.common.runtimes);
}

void add_preprocess(const VerbSet& verbs) {
  auto verb =
      add_verb(verbs,
               {.name = "preprocess",
                .group = kToolsGroup,
                .summary = "Make the picture that the vision tower sees",
                .details = "out.png is the picture; out.bin holds pixel_values: little-endian float32 [3, S, S] (red, green and blue\n"
                           "plane) from 0 to 1. Byte for byte what the Python reference makes.",
                .examples = "  fastvlm-npu preprocess --image cat.jpg --image-size 512 --output cat.png"},
               preprocess_command);
  add_path(verb.app, "--image", verb.arguments.image, "JPEG or PNG file")->required();
  verb.app.add_option("--image-size", verb.arguments.image_size, "Side in pixels, a multiple of 64")->type_name("N")->capture_default_str();
  add_choice(verb.app, "--mode", verb.arguments.mode, {"pad", "crop"}, "pad: on a black square (Apple); crop: the middle square (hf)");
  verb.app.add_flag("--ignore-exif", verb.arguments.ignore_exif, "Do not turn the picture upright");
  add_path(verb.app, "--output", verb.arguments.output, "File to write: .png or .bin")->required();
  add_json(verb.app, verbs.common);
}

void add_tokenize(const VerbSet& verbs) {
  auto verb = add_verb(
      verbs,
      {.name = "tokenize",
       .group = kToolsGroup,
       .summary = "Turn text into token ids, or ids into text",
       .details = "Reads standard input up to its end; a line feed at the end counts. Prints ids with blanks between them,\n"
                  "or with --json {\"ids\": […], \"tokens\": […]}. The place of the image in --chat is printed as <image>\n"
                  "(null in ids of --json). --decode takes ids with blanks or commas between them, or a JSON list, and prints the\n"
                  "text as it is.",
       .examples = "  printf 'What is this?' | fastvlm-npu tokenize --model-dir FastVLM-0.5B\n"
                   "  printf 'What is this?' | fastvlm-npu tokenize --model-dir FastVLM-0.5B --chat --json\n"
                   "  echo 3838 374 419 30 | fastvlm-npu tokenize --model-dir FastVLM-0.5B --decode"},
      tokenize_command);
  add_path(verb.app, "--model-dir", verb.arguments.model_dir, "Folder with tokenizer.json, or vocab.json and merges.txt")->required();
  auto* decode = verb.app.add_flag("--decode", verb.arguments.decode, "Ids in, text out");
  verb.app.add_flag("--chat", verb.arguments.chat, "Wrap the text as a question about a picture, as chat does")->excludes(decode);
  add_json(verb.app, verbs.common);
}

}  // namespace fastvlm::cli
