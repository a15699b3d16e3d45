#!/usr/bin/env python3
"""The recipe w8a16 beside the quantisers of others, on the same float graph, the same weights and the same pictures.

    bench/quantisers.py [--program build/release/fastvlm-npu] [--work FOLDER] [--calibrate 10] [--questions 200] [--rounds 3]

Needs `pip install onnx onnxruntime aimet-onnx tokenizers pillow numpy`. The trained checkpoint of tests/data is exported; its prefill graph in floats is
given to ONNX Runtime's QNN quantiser and to AIMET (weights of 8 bits, activations of 16), with the rows of the calibration's questions. All are judged
by the mean KL per token along the float graph's own greedy answers, and by the time from the float graph to the quantised one: of ours that is
`calibrate` and `export`, whole programs with the ranges of the tower, the plain graphs and both decoders; of the others the calls, of the prefill
graph alone.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
from PIL import Image
from tokenizers import Tokenizer

ROWS, CONTEXT = 64, 128
HIDDEN = -10000.0
ROOT = pathlib.Path(__file__).resolve().parent.parent
TRAINED = ROOT / "tests/data/trained"


def run(program, *arguments):
    begin = time.monotonic()
    subprocess.run([program, "--quiet", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begin


def open_graph(model):
    """Without the fusions that would compute a quantised graph in another way than it says."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


# ---- Sequences ---------------------------------------------------------------------------------------------------------------


class Questions:
    """Rows of embeddings for each question, from the folder's own graphs."""

    def __init__(self, folder, count):
        self.manifest = json.loads((folder / "manifest.json").read_text())
        self.vision = open_graph(folder / "npu/vision_256.onnx")
        self.embed = open_graph(folder / "fastvlm_token_embedder.onnx")
        self.tokenizer = Tokenizer.from_file(str(TRAINED / "checkpoint/tokenizer.json"))
        self.rows = [json.loads(line) for line in (TRAINED / "eval/eval.jsonl").read_text().splitlines()][:count]

    def embeddings(self, ids):
        return self.embed.run(None, {self.embed.get_inputs()[0].name: np.array([ids], dtype=np.int64)})[0]

    def prompt(self, row):
        before = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
        after = "\n" + row["prompt"] + "<|im_end|>\n<|im_start|>assistant\n"
        pixels = np.asarray(Image.open(TRAINED / "eval" / row["image"]).convert("RGB"), dtype=np.float32).transpose(2, 0, 1)[None] / 255
        features = self.vision.run(None, {self.vision.get_inputs()[0].name: pixels})[0]
        parts = [self.embeddings(self.tokenizer.encode(text, add_special_tokens=False).ids) for text in (before, after)]
        return np.concatenate([parts[0], features.reshape(1, -1, features.shape[-1]), parts[1]], axis=1)


def feed_of(session, rows, theta):
    """Inputs of the prefill graph for these rows, the cache empty."""
    count, past = rows.shape[1], CONTEXT - ROWS
    mask = np.full((1, 1, ROWS, CONTEXT), HIDDEN, dtype=np.float32)
    for row in range(ROWS):
        mask[..., row, past:past + row + 1] = 0
    feed = {"inputs_embeds": np.pad(rows, ((0, 0), (0, ROWS - count), (0, 0))).astype(np.float32), "attention_mask": mask}
    for given in session.get_inputs():
        if given.name.startswith("past_"):
            feed[given.name] = np.zeros(given.shape, dtype=np.float32)
        elif given.name.startswith("position_ids"):
            half = given.shape[-1]
            angles = np.arange(ROWS)[:, None] * theta ** (-np.arange(half) / half)[None]
            feed[given.name] = (np.cos if given.name.endswith("cos") else np.sin)(angles).astype(np.float32)[None, None]
    return feed


def log_softmax(logits):
    logits = logits.astype(np.float64)
    logits -= logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def greedy(session, questions, row, ends):
    """Feed and rows that choose, of the float graph's own answer."""
    theta = questions.manifest["model"]["text"]["rope_theta"]
    rows = questions.prompt(row)
    first = rows.shape[1] - 1
    while True:
        feed = feed_of(session, rows, float(theta))
        logits = session.run(["logits"], feed)[0][0, first:rows.shape[1]]
        chosen = int(logits[-1].argmax())
        if chosen in ends or rows.shape[1] - first > 8:
            return feed, slice(first, rows.shape[1]), log_softmax(logits)
        rows = np.concatenate([rows, questions.embeddings([chosen])], axis=1)


def divergence(logits_of, sequences):
    kl = []
    for feed, where, expected in sequences:
        other = log_softmax(logits_of(feed)[0, where])
        kl.extend((np.exp(expected) * (expected - other)).sum(-1))
    return float(np.mean(kl)), float(np.max(kl))


# ---- Quantisers --------------------------------------------------------------------------------------------------------------


def as_opset_21(model):
    """With the shapes of all values. Activations of 16 bits need the opset, and the converter does not know SimplifiedLayerNormalization. What the graph has means the same in both."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    loaded = onnx.load(str(model))
    for opset in loaded.opset_import:
        if opset.domain == "":
            opset.version = 21
    loaded.ir_version = 10
    output = model.with_name("opset_21.onnx")
    quant_pre_process(loaded, str(output), skip_optimization=True)
    return output


def with_onnxruntime(model, feeds, output, per_channel):
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize
    from onnxruntime.quantization.execution_providers.qnn import get_qnn_qdq_config

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.left = iter(feeds)

        def get_next(self):
            return next(self.left, None)

    begin = time.monotonic()
    config = get_qnn_qdq_config(str(model), Reader(), activation_type=QuantType.QUInt16, weight_type=QuantType.QInt8, per_channel=per_channel)
    quantize(str(model), str(output), config)
    seconds = time.monotonic() - begin
    session = open_graph(output)
    return seconds, lambda feed: session.run(["logits"], feed)[0]


def with_aimet(model, feeds, config):
    from aimet_onnx.quantsim import QuantizationSimModel

    begin = time.monotonic()
    made = QuantizationSimModel(onnx.load(str(model)), param_type="int8", activation_type="int16", config_file=config, providers=["CPUExecutionProvider"])
    made.compute_encodings(lambda session: [session.run(None, feed) for feed in feeds])
    seconds = time.monotonic() - begin
    return seconds, lambda feed: made.session.run(["logits"], feed)[0]


def with_ours(o):
    pictures, prompts = calibration_set(o)
    output, ranges = o.work / "ours", o.work / "ranges.fvc"
    ranges.unlink(missing_ok=True)
    seconds = run(o.program, "calibrate", "--model-dir", TRAINED / "checkpoint", "--images", pictures, "--prompts", prompts, "--output", ranges)
    seconds += run(o.program, *export_arguments(output), "--recipe", "w8a16", "--calibration", ranges)
    session = open_graph(output / f"npu/decoder_ar{ROWS}_cl{CONTEXT}_w8a16.onnx")
    return seconds, lambda feed: session.run(["logits"], feed)[0]


def export_arguments(output):
    return ("export", "--model-dir", TRAINED / "checkpoint", "--output-dir", output, "--target", "sm8750", "--prefill", ROWS, "--context", CONTEXT,
            "--no-compile", "--force")


def calibration_set(o):
    """A folder with the first pictures and the file of their questions."""
    rows = [json.loads(line) for line in (TRAINED / "eval/eval.jsonl").read_text().splitlines()][:o.calibrate]
    pictures = o.work / "pictures"
    pictures.mkdir(exist_ok=True)
    for row in rows:
        (pictures / row["image"]).write_bytes((TRAINED / "eval" / row["image"]).read_bytes())
    prompts = o.work / "prompts.txt"
    prompts.write_text("".join(row["prompt"] + "\n" for row in rows))
    return pictures, prompts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/fastvlm-npu")
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--calibrate", type=int, default=10)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    o = parser.parse_args()
    o.work = o.work or pathlib.Path(tempfile.mkdtemp())
    folder = o.work / "export"
    run(o.program, *export_arguments(folder))
    model = folder / f"npu/decoder_ar{ROWS}_cl{CONTEXT}.onnx"
    floats, questions = open_graph(model), Questions(folder, o.questions)
    ends = set(questions.manifest["model"]["text"].get("eos_token_ids", [])) | {questions.tokenizer.token_to_id("<|im_end|>")}
    sequences = [greedy(floats, questions, row, ends) for row in questions.rows]
    model = as_opset_21(model)
    feeds = [feed for feed, _, _ in sequences[:o.calibrate]]
    print(f"{len(sequences)} questions, {sum(len(expected) for _, _, expected in sequences)} tokens")
    ways = {"ours, w8a16": lambda: with_ours(o),
            "ONNX Runtime for QNN": lambda: with_onnxruntime(model, feeds, o.work / "ort.onnx", False),
            "ONNX Runtime for QNN, per channel": lambda: with_onnxruntime(model, feeds, o.work / "ort_channels.onnx", True),
            "AIMET, its default": lambda: with_aimet(model, feeds, "default"),
            "AIMET, htp_v81": lambda: with_aimet(model, feeds, "htp_v81")}
    for name, way in ways.items():
        times = []
        for _ in range(o.rounds):
            seconds, logits_of = way()
            times.append(seconds)
        mean, worst = divergence(logits_of, sequences)
        print(f"{name}: KL {mean:.2g}, worst {worst:.2g}, {statistics.median(times):.2f} s ({min(times):.2f} to {max(times):.2f})", flush=True)


if __name__ == "__main__":
    main()
