// chat.
#include "fastvlm/cli/add_verb.h"
#include "fastvlm/cli/runtime_arguments.h"

namespace fastvlm::cli {

void add_chat(const VerbSet& verbs) {
  auto verb = add_verb(
      verbs,
      {.name = "chat",
       .group = kTalkGroup,
       .summary = "Ask a model about a picture, through the graphs that the NPU gets",
       .details = "Needs a folder of export --target. Without --prompt it reads questions line by line: several turns over one\n"
                  "picture; /image FILE and /reset begin a new conversation, /save FILE writes it, /help tells the rest.\n"
                  "Ctrl-C ends an answer; at the prompt it ends the program. By default the most likely token is taken, so\n"
                  "answers can be repeated; Apple's script samples with --temperature 0.2.\n"
                  "--batch reads lines {\"image\": \"cat.jpg\", \"prompt\": \"What is this?\", \"id\": 1} (pictures relative to the\n"
                  "file, image and id optional) and appends a line for each answer. Run again, it goes on where it was\n"
                  "stopped and redoes lines that changed or failed. Exit code 1 when a line has no answer.",
       .examples = "  fastvlm-npu chat --output-dir out --image cat.jpg --prompt \"What is this?\"\n"
                   "  fastvlm-npu chat --output-dir out --image cat.jpg --runner htp --target sm8750\n"
                   "  fastvlm-npu chat --output-dir out --batch questions.jsonl"},
      chat_command);
  ChatArguments& a = verb.arguments;
  add_path(verb.app, "--output-dir", a.output_dir, "Folder that export wrote")->required();
  add_path(verb.app, "--image", a.image, "JPEG or PNG file");
  verb.app.add_option("--prompt", a.prompt, "One question; default: read questions from standard input")->type_name("TEXT");
  add_choice(verb.app, "--runner", a.runner, {"cpu", "htp"}, "cpu: ONNX Runtime; htp: the NPU, emulated on x86");
  verb.app.add_option("--target", a.target, "Chip for --runner htp")->type_name("CHIP")->capture_default_str();
  verb.app.add_option("--image-size", a.image_size, "Side in pixels; default: what the model was trained with")->type_name("N");
  verb.app.add_option("--max-new-tokens", a.max_new_tokens, "Longest answer")->type_name("N")->capture_default_str();
  verb.app.add_option("--temperature", a.temperature, "0: always the most likely token; above: sample")
      ->type_name("T")
      ->capture_default_str();
  verb.app.add_option("--seed", a.seed, "Of the random numbers")->type_name("N")->capture_default_str();
  verb.app.add_option("--system", a.system, "Another system text; the model was trained with the default")->type_name("TEXT");
  add_path(verb.app, "--batch", a.batch, "File of questions, one JSON object a line");
  add_path(verb.app, "--batch-output", a.batch_output, "File of answers; default: FILE.answers.jsonl");
  verb.app.add_flag("--prepack", a.prepack, "On the CPU: rearranged copies of the weights; faster, several times the memory");
  add_json(verb.app, verbs.common);
  add_runtime_options(verb.app, verbs.common.runtimes);
}

}  // namespace fastvlm::cli
