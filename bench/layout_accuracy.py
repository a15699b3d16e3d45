"""How far the decoders of a transformers-js folder are from its fp32 decoder, beside what ONNX Runtime's own quantisers make of that file.

    fastvlm-npu export --model-dir CHECKPOINT --output-dir web --layout transformers-js --variants fp32,fp16,q8,q4
    python3 bench/layout_accuracy.py web            # needs onnxruntime, onnx, onnx_ir, numpy

Rows of drawn tokens go through the table and through each decoder on the CPU. Printed is the ratio of the energy of the fp32 logits to
that of their difference: of all rows together, the median and the worst row, in dB.
"""

import argparse
import logging
import pathlib
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

VARIANTS = {"fp16": "_fp16", "q8": "_quantized", "q4": "_q4"}


def open_graph(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def logits_of(session, embeddings):
    batch, length, _ = embeddings.shape
    feeds = {
        "inputs_embeds": embeddings,
        "attention_mask": np.ones((batch, length), np.int64),
        "position_ids": np.tile(np.arange(length), (batch, 1)),
    }
    for value in session.get_inputs():
        if value.name.startswith("past"):
            feeds[value.name] = np.zeros((batch, value.shape[1], 0, value.shape[3]), np.float32)
    return session.run(["logits"], feeds)[0].astype(np.float64)


def quantised_by_onnxruntime(decoder, work):
    """Name and file of each; symmetric and asymmetric blocks of 32, as its own tools make them."""
    for name, settings in {
        "quantize_dynamic int8 by channel": {"per_channel": True, "reduce_range": True, "weight_type": QuantType.QInt8},
        "quantize_dynamic uint8": {"weight_type": QuantType.QUInt8},
    }.items():
        file = work / "dynamic.onnx"
        quantize_dynamic(decoder, file, extra_options={"EnableSubgraph": True, "DefaultTensorType": 1}, **settings)
        yield name, file
    for symmetric in (True, False):
        quantiser = MatMulNBitsQuantizer(onnx.load(decoder), block_size=32, is_symmetric=symmetric, accuracy_level=4)
        quantiser.process()
        file = work / f"blocks{symmetric}.onnx"
        onnx.save(quantiser.model.model, file, save_as_external_data=True, location=file.name + "_data")
        yield f"MatMulNBitsQuantizer {'symmetric' if symmetric else 'asymmetric'}", file


def report(name, path, rows, expected):
    session = open_graph(path)
    energy, error = [], []
    for row, reference in zip(rows, expected):
        energy.append((reference**2).sum())
        error.append(((logits_of(session, row) - reference) ** 2).sum())
    each = 10 * np.log10(np.array(energy) / np.array(error))
    together = 10 * np.log10(sum(energy) / sum(error))
    print(f"{name:40} {together:5.1f}  median {np.median(each):5.1f}  worst {each.min():5.1f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=30)
    options = parser.parse_args()
    logging.disable(logging.INFO)
    graphs = options.folder / "onnx"
    decoder = graphs / "decoder_model_merged.onnx"
    table, reference = open_graph(graphs / "embed_tokens.onnx"), open_graph(decoder)
    vocabulary = reference.get_outputs()[0].shape[2]
    generator = np.random.default_rng(3)
    ids = [generator.integers(0, vocabulary, (1, options.tokens)) for _ in range(options.rows)]
    rows = [table.run(None, {"input_ids": row})[0] for row in ids]
    expected = [logits_of(reference, row) for row in rows]
    for name, suffix in VARIANTS.items():
        file = graphs / f"decoder_model_merged{suffix}.onnx"
        if file.exists():
            report(name, file, rows, expected)
    with tempfile.TemporaryDirectory() as work:
        for name, file in quantised_by_onnxruntime(decoder, pathlib.Path(work)):
            report(name, file, rows, expected)


if __name__ == "__main__":
    main()
