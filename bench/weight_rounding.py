#!/usr/bin/env python3
"""What ways of rounding the decoder's weights to 4 bits give: the trained checkpoint of tests/data, KL per token over its 200 questions.

    bench/weight_rounding.py [--model tests/data/trained/checkpoint] [--eval tests/data/trained/eval] [--calibrate 40] [--threads 1]

Needs torch, transformers and timm (pip install torch transformers timm pillow). Weights are rounded and put back as floats, so nothing but the
rounding differs; the float model's own greedy answers are the tokens. Calibrated with the last questions of the set, judged on all of it and
on the ones that were not used.
"""
import argparse
import copy
import json
import pathlib
import time

import numpy as np
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoTokenizer

BLOCK = 32
CLIPS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75)
EIGHT_BITS = ("v_proj",)  # as the recipe w4 has it, beside the head


# ---- Questions ---------------------------------------------------------------------------------------------------------------


def prompt_ids(tokenizer, question, picture_tokens):
    text = ("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n" + "<image>" * picture_tokens + "\n" + question +
            "<|im_end|>\n<|im_start|>assistant\n")
    return tokenizer(text, return_tensors="pt").input_ids


def read_questions(o, model, tokenizer):
    """(embeddings of prompt and answer [1, n, H], rows whose choice counts) of each question; the answers are the model's own."""
    end = model.config.text_config.eos_token_id
    rows = [json.loads(line) for line in (o.eval / "eval.jsonl").read_text().splitlines()]
    sequences = []
    for row in rows:
        pixels = np.asarray(Image.open(o.eval / row["image"]).convert("RGB"), dtype=np.float32) / 255
        pixels = torch.from_numpy(pixels).permute(2, 0, 1)[None]
        ids = prompt_ids(tokenizer, row["prompt"], 16)
        made = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=pixels, max_new_tokens=8, do_sample=False,
                              eos_token_id=end, pad_token_id=end)
        features = model.model.get_image_features(pixel_values=pixels)
        features = getattr(features, "pooler_output", features)
        features = features[0] if isinstance(features, (list, tuple)) else features
        embeds = model.get_input_embeddings()(made)
        embeds[made == model.config.image_token_id] = features.reshape(-1, embeds.shape[-1])
        sequences.append((embeds[:, :-1], ids.shape[1] - 1))
    return sequences


def logits_of(model, sequence):
    embeds, first = sequence
    hidden = model.model.language_model(inputs_embeds=embeds, use_cache=False).last_hidden_state
    return torch.log_softmax(model.lm_head(hidden)[0, first:].double(), -1)


def judge(model, sequences, expected):
    divergences = []
    for sequence, reference in zip(sequences, expected):
        other = logits_of(model, sequence)
        divergences.append((reference.exp() * (reference - other)).sum(-1))
    return [float(d) for per_question in divergences for d in per_question], [float(d.mean()) for d in divergences]


# ---- Rounding ----------------------------------------------------------------------------------------------------------------


def scales_of(weight, bits, clips):
    """One scale for each block of a row, the best of the clips by squared error."""
    blocks = weight.reshape(weight.shape[0], -1, BLOCK)
    most = 2 ** (bits - 1) - 1
    best, error = None, None
    for clip in clips:
        scale = (blocks.abs().amax(-1, keepdim=True) * clip / most).half().float().clamp(min=1e-8)
        wrong = ((blocks / scale).round().clamp(-most - 1, most) * scale - blocks).square().sum(-1, keepdim=True)
        best = scale if best is None else torch.where(wrong < error, scale, best)
        error = wrong if error is None else torch.minimum(wrong, error)
    return best[..., 0]


def rounded(weight, bits, clips):
    most = 2 ** (bits - 1) - 1
    scale = scales_of(weight, bits, clips).repeat_interleave(BLOCK, 1)
    return (weight / scale).round().clamp(-most - 1, most) * scale


def gptq(weight, hessian, bits, damp=0.01):
    """Frantar et al. 2022: column by column, what rounding leaves is made good by the columns behind it."""
    most = 2 ** (bits - 1) - 1
    hessian = hessian.double().clone()
    hessian += damp * hessian.diagonal().mean() * torch.eye(len(hessian), dtype=torch.float64)
    inverse = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(hessian)), upper=True)
    left, made = weight.double().clone(), torch.zeros_like(weight, dtype=torch.float64)
    for column in range(weight.shape[1]):
        if column % BLOCK == 0:
            scale = scales_of(left[:, column:column + BLOCK].float(), bits, CLIPS)[:, 0].double()
        made[:, column] = (left[:, column] / scale).round().clamp(-most - 1, most) * scale
        error = (left[:, column] - made[:, column]) / inverse[column, column]
        left[:, column + 1:] -= error[:, None] * inverse[column, column + 1:][None]
    return made.float()


def awq(weight, rows, bits):
    """Lin et al. 2023: inputs that are large get weights that are finer, by the power of their mean that loses least in the output."""
    mean, best, least = rows.abs().mean(0).clamp(min=1e-6), None, None
    for step in range(11):
        scale = mean ** (step / 10)
        scale = scale / (scale.max() * scale.min()).sqrt()
        made = rounded(weight * scale, bits, CLIPS) / scale
        wrong = float(((made - weight) @ rows.T).square().sum())
        if least is None or wrong < least:
            best, least = made, wrong
    return best


def linear_layers(model):
    for index, layer in enumerate(model.model.language_model.layers):
        yield index, [(name, module) for name, module in layer.named_modules() if isinstance(module, torch.nn.Linear)]


def inputs_of(model, modules, sequences, skipped):
    seen, hooks = {name: [] for name, _ in modules}, []
    for name, module in modules:
        hooks.append(module.register_forward_hook(lambda _, given, __, name=name: seen[name].append(given[0][0, skipped:].clone())))
    for embeds, _ in sequences:
        model.model.language_model(inputs_embeds=embeds, use_cache=False)
    for hook in hooks:
        hook.remove()
    return {name: torch.cat(rows) for name, rows in seen.items()}


def quantise(model, way, sequences, head_bits):
    """Layer by layer, each on what the rounded layers before give."""
    for _, modules in linear_layers(model):
        seen = inputs_of(model, modules, sequences, 1 if way.endswith("without position 0") else 0) if way.startswith(("GPTQ", "AWQ")) else {}
        for name, module in modules:
            weight, bits = module.weight.data, 8 if name.endswith(EIGHT_BITS) else 4
            if bits == 8 or way == "largest magnitude":
                module.weight.data = rounded(weight, bits, (1.0,))
            elif way == "best of six clips":
                module.weight.data = rounded(weight, bits, CLIPS)
            elif way.startswith("GPTQ"):
                module.weight.data = gptq(weight, seen[name].T @ seen[name], bits)
            else:
                module.weight.data = awq(weight, seen[name], bits)
    model.lm_head.weight = torch.nn.Parameter(rounded(model.lm_head.weight.data, head_bits, (1.0,) if head_bits == 8 else CLIPS))


def main():
    root = pathlib.Path(__file__).resolve().parent.parent / "tests/data/trained"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, default=root / "checkpoint")
    parser.add_argument("--eval", type=pathlib.Path, default=root / "eval")
    parser.add_argument("--calibrate", type=int, default=40, help="questions at the end of the set")
    parser.add_argument("--threads", type=int, default=1)
    o = parser.parse_args()
    torch.set_num_threads(o.threads)
    torch.set_grad_enabled(False)
    model = AutoModelForImageTextToText.from_pretrained(o.model, dtype=torch.float32, attn_implementation="eager").eval()
    sequences = read_questions(o, model, AutoTokenizer.from_pretrained(o.model))
    expected = [logits_of(model, sequence) for sequence in sequences]
    print("| rounding | head | KL per token | worst token | questions not calibrated with | seconds |\n|---|---|---|---|---|---|")
    for head_bits in (8, 4):
        for way in ("largest magnitude", "best of six clips", "GPTQ", "GPTQ without position 0", "AWQ"):
            other = copy.deepcopy(model)
            begin = time.process_time()
            quantise(other, way, sequences[-o.calibrate:], head_bits)
            spent = time.process_time() - begin
            tokens, questions = judge(other, sequences, expected)
            print(f"| {way} | {head_bits} bits | {np.mean(tokens):.2g} | {max(tokens):.2g} | {np.mean(questions[:-o.calibrate]):.2g} | {spent:.1f} |", flush=True)


if __name__ == "__main__":
    main()
