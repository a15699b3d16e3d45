#include "fastvlm/device/script_templates.h"

namespace fastvlm::device {

const std::string_view kBundlePage = R"md(# FastVLM for @MARKETING@ (@CHIP@)

Made by fastvlm-npu @PROGRAM@. Decoder: @RECIPE@, @CONTEXT@ tokens of context; pictures of @SIZES@ pixels. @ARCHITECTURE@, contexts
compiled with QAIRT @COMPILER@: the runtime on the machine must be as new. Nothing of Qualcomm's is in this folder.

**Nothing here was run on hardware.** The graphs, this folder and the scripts were tried on x86-64 with Qualcomm's emulation of
the NPU. Whether your machine computes the same is what the self-test finds out.

## Onto the machine

    ./push.sh --ssh root@board --dry-run     # Linux board: prints every command; without --dry-run, does it
    ./push.sh --adb --sdk ~/qairt            # Android: the libraries come out of your own QAIRT SDK

On Linux the runtime is fetched from the Python package index: ONNX Runtime @ORT@ and its QNN plug-in @QNN@, which hold the
libraries for the NPU; their licences come with them. The machine needs its vendor's driver (`libcdsprpc.so`).
`--program FILE` also pushes a fastvlm-npu built for the machine. On Android an app opens `npu/@CHIP@/*_ctx.onnx` with its own ONNX
Runtime and the QNN plug-in.

## A question

    ./run.sh --image photo.jpg --prompt "What is this?"

run.sh first compares every file with its hash (`--no-hash`: with its size) and each context with chip and compiler, and refuses
a damaged folder with one sentence.

## Does the NPU compute what the model computes?

    ./run.sh --selftest results                                              # on the machine
    fastvlm-npu verify --bundle THIS_FOLDER --device-results results         # on the host, with the results copied back

Any other runtime can do the first step: `selftest/selftest.json` lists graphs, inputs and outputs. For each run, give the graph the
files of `inputs` (no `file`: zeros) and write each output as `results/<run>/<output>.raw`, little-endian, in the graph's type or in
float32. For each of `answers`, run the vision graph, put the features between the two pieces of the prompt, decode, feed `ids` one by
one, and write `image_features.raw`, `logits.raw` and `ids.raw` (int32) into `results/<answer>/`. What has no file is reported as not
compared. @PROBES@

## What is here

| file | content |
|---|---|
| `npu/@CHIP@/` | contexts (`*_qnn.bin`) and the ONNX files that open them (`*_ctx.onnx`) |
| `embedding_float32_lut.bin` | embedding table, a row of float32 for each token |
| `tokenizer.json`, `*.json` | tokenizer and settings of the model |
| `manifest.json` | inputs and outputs of the graphs, preprocessing, prompt |
| `selftest/` | pictures, prompts and what must come out |
| `bundle.json` | every file with size and SHA-256, chip, compiler, graphs |
)md";

}  // namespace fastvlm::device
