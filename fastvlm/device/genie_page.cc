#include "fastvlm/device/script_templates.h"

namespace fastvlm::device {

const std::string_view kGeniePage = R"md(# FastVLM for @MARKETING@ (@CHIP@), through Genie

Made by fastvlm-npu @PROGRAM@. Decoder: @RECIPE@, @CONTEXT@ tokens of context; pictures of @SIZES@ pixels. @ARCHITECTURE@, contexts
compiled with QAIRT @COMPILER@: the runtime on the machine must be as new. Nothing of Qualcomm's is in this folder.

**Nothing here was run on hardware.** The graphs, this folder and the scripts were tried on x86-64 with Qualcomm's Genie and its
emulation of the NPU. Whether your machine answers the same is what the self-test finds out.

## Onto the machine

    ./push.sh --ssh root@board --dry-run     # Linux board: prints every command; without --dry-run, does it
    ./push.sh --adb --sdk ~/qairt            # Android: the libraries come out of your own QAIRT SDK

On Linux Genie is fetched from the Python package index, in the wheel of the QNN plug-in @QNN@, which also holds the libraries for the
NPU; its licence comes with it. The machine needs its vendor's driver (`libcdsprpc.so`).

Genie is a library; the program that calls it is `genie/client.cc`. run.sh compiles it where the machine has a compiler (into
`~/.cache/fastvlm-npu`, so that this folder may go on to another machine). Else do that before you push:

    aarch64-linux-gnu-g++ -std=c++17 -O2 genie/client.cc -o genie/client -ldl                                # Linux board
    aarch64-linux-android30-clang++ -std=c++17 -O2 -static-libstdc++ genie/client.cc -o genie/client -ldl    # Android NDK, not tried

## A question

    ./run.sh --image photo.jpg --prompt "What is this?"       # with a fastvlm-npu on the machine (push.sh --program FILE)
    ./run.sh --pixels photo.bin --prompt "What is this?"      # without; made on the host by:
    fastvlm-npu preprocess --model-dir THIS_FOLDER --image-size @SIZES@ --image photo.jpg --output photo.bin

run.sh first compares every file with its hash (`--no-hash`: with its size) and each context with the compiler, and refuses a damaged
folder with one sentence. An answer has @TOKENS@ tokens at most: a longer one needs `--max-new-tokens`, and one that fills the context
makes this Genie abort.

## Does the NPU answer as the model does?

    ./run.sh --selftest results                                              # on the machine
    fastvlm-npu verify --bundle THIS_FOLDER --device-results results         # on the host, with the results copied back

Genie gives tokens and no numbers, so the ids of each answer are compared, and features and logits are reported as not compared. A
bundle for ONNX Runtime compares these, too.

## What is here

| file | content |
|---|---|
| `genie/vision*.bin`, `genie/decoder*.bin` | contexts |
| `genie/*.json` | configs of Genie's nodes and dialog, tokenizer, parts of the prompt |
| `genie/embedding_weights.raw` | embedding table, a row of float32 for each token |
| `genie/client.cc` | a program that asks Genie |
| `*.json` | settings of pictures |
| `selftest/` | pictures, prompts and what must come out |
| `bundle.json` | every file with size and SHA-256, chip, compiler, graphs |
)md";

}  // namespace fastvlm::device
