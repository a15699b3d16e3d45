"""One token through decoder_model_merged in ONNX Runtime, beside the file that onnxruntime-genai's builder makes of the same weights.

    fastvlm-npu make-checkpoint --size 0.5b --output-dir model
    fastvlm-npu export --model-dir model --output-dir web --layout transformers-js --variants fp32,q4
    python3 bench/decoder_speed.py model web        # needs onnxruntime, onnxruntime-genai, onnx_ir, torch, transformers, safetensors

Both take `inputs_embeds` and a cache of --past tokens and give logits and the longer cache. They run in turns; printed is the median time of
one token and the ratio (above 1: ours is faster). The checkpoint must be of Apple's dialect in one file.
"""

import argparse
import collections
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnxruntime
from safetensors import safe_open
from safetensors.torch import save_file

Cache = collections.namedtuple("Cache", "heads head_dim")
PAIRS = {"fp32": ("", "fp32", []), "q4": ("_q4", "int4", ["int4_accuracy_level=4", "int4_block_size=32"])}
NOT_TEXT = ("model.vision_tower.", "model.mm_projector.")


def write_text_model(checkpoint, exported, folder):
    """The decoder alone, as a checkpoint of Qwen2, with the tokenizer files that were exported."""
    config = json.loads((checkpoint / "config.json").read_text())
    config = {key: value for key, value in config.items() if not key.startswith(("mm_", "image_", "tokenizer_", "tune_", "unfreeze_"))}
    config |= {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2"}
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((exported / name).read_bytes())
    with safe_open(checkpoint / "model.safetensors", "pt") as tensors:
        names = [name for name in tensors.keys() if not name.startswith(NOT_TEXT)]
        save_file({name: tensors.get_tensor(name) for name in names}, folder / "model.safetensors", metadata={"format": "pt"})


def built(model, work, precision, extra):
    out = work / precision
    if (out / "model.onnx").exists():
        return out / "model.onnx"
    command = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", model, "-o", out, "-p", precision, "-e", "cpu", "-c", work / "cache"]
    subprocess.run([str(word) for word in command + ["--extra_options", "exclude_embeds=true", *extra]], check=True, stdout=subprocess.DEVNULL)
    return out / "model.onnx"


def open_graph(path, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def feeds_of(session, past, cache):
    rng = np.random.default_rng(7)
    dtypes = {"tensor(float)": np.float32, "tensor(int64)": np.int64}
    feeds = {}
    for value in session.get_inputs():
        if value.name.startswith("past"):
            feeds[value.name] = rng.standard_normal((1, cache.heads, past, cache.head_dim), np.float32)
        elif value.name == "attention_mask":
            feeds[value.name] = np.ones((1, past + 1), np.int64)
        elif value.name == "position_ids":
            feeds[value.name] = np.full((1, 1), past, np.int64)
        else:
            feeds[value.name] = rng.standard_normal((1, 1, value.shape[2])).astype(dtypes[value.type])
    return {name: onnxruntime.OrtValue.ortvalue_from_numpy(array) for name, array in feeds.items()}


def seconds_of(session, feeds):
    begin = time.perf_counter()
    session.run_with_ort_values(None, feeds)
    return time.perf_counter() - begin


def compare(ours, theirs, cache, options):
    sessions = [open_graph(path, options.threads) for path in (ours, theirs)]
    feeds = [feeds_of(session, options.past, cache) for session in sessions]
    times = [[], []]
    for run in range(options.runs + 2):
        for which in (0, 1) if run % 2 else (1, 0):
            seconds = seconds_of(sessions[which], feeds[which])
            if run >= 2:
                times[which].append(seconds)
    return [statistics.median(each) * 1000 for each in times]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--past", type=int, default=256)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--variants", default="fp32,q4")
    parser.add_argument("--work", type=pathlib.Path, help="keeps the builder's files here, and takes those that are there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = options.work or pathlib.Path(name)
        model = work / "qwen2"
        model.mkdir(parents=True, exist_ok=True)
        write_text_model(options.checkpoint, options.folder, model)
        config = json.loads((model / "config.json").read_text())
        cache = Cache(config["num_key_value_heads"], config["hidden_size"] // config["num_attention_heads"])
        for variant in options.variants.split(","):
            suffix, precision, extra = PAIRS[variant]
            ours = options.folder / "onnx" / f"decoder_model_merged{suffix}.onnx"
            mine, other = compare(ours, built(model, work, precision, extra), cache, options)
            print(f"{variant:5} ours {mine:7.1f} ms, theirs {other:7.1f} ms, ratio {other / mine:.2f}", flush=True)


if __name__ == "__main__":
    main()
