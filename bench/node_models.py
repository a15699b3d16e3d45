#!/usr/bin/env python3
"""Holds the rules table of check-ops against the backend, on the node models of the ONNX project.

    python3 -m venv VENV && VENV/bin/pip install onnx==1.19.1
    VENV/bin/python bench/node_models.py --program build/release/fastvlm-npu --targets sm8750,sm8450 --cache CACHE

Every model with static numeric inputs and opset 7 or newer is judged by the table and compiled by the backend; other files or folders
can be named instead. The backend's answers are kept in --cache (JSON lines), so a run after a change of the table asks it nothing.
Prints what differs, then one row for each operator: models, accepted by the backend, and how often the table said ok or refused against it.
"""

import argparse
import collections
import concurrent.futures
import hashlib
import json
import pathlib
import subprocess
import sys

import onnx


def node_models():
    return sorted((pathlib.Path(onnx.__file__).parent / "backend/test/data").glob("*/*/model.onnx"))


def named_models(names):
    for name in map(pathlib.Path, names):
        yield from sorted(name.rglob("*.onnx")) if name.is_dir() else [name]


def is_static_and_numeric(model):
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 99)
    constants = {i.name for i in model.graph.initializer}
    for value in model.graph.input:
        if value.name in constants:
            continue
        tensor = value.type.tensor_type
        if not value.type.HasField("tensor_type") or tensor.elem_type in (0, onnx.TensorProto.STRING) or not tensor.HasField("shape"):
            return False
        if any(not dim.HasField("dim_value") for dim in tensor.shape.dim):
            return False
    return opset >= 7


def operator_of(path, model):
    """The operator that the model is about: its only one, or that of the test's name ("test_add_bcast_expanded" is about Add)."""
    ops = {node.op_type for node in model.graph.node if node.op_type != "Constant"}
    return ops.pop() if len(ops) == 1 else "several"


def check(program, path, target, compile_too, freeze):
    command = [program, "check-ops", str(path), "--target", target, "--json"] + (["--compile"] if compile_too else [])
    if freeze:
        command += ["--freeze", freeze]
    run = subprocess.run(command, capture_output=True, text=True)
    try:
        return json.loads(run.stdout)
    except json.JSONDecodeError:
        return {"error": run.stderr.strip() or f"exit code {run.returncode}"}


class Answers:
    """What the backend said, kept in a file."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.known = {}
        if self.path.exists():
            for line in self.path.read_text().splitlines():
                row = json.loads(line)
                self.known[row["target"], row["sha256"]] = row
        self.file = self.path.open("a")

    def keep(self, target, sha256, backend):
        row = {"target": target, "sha256": sha256, "accepted": backend["accepted"], "sentence": backend["sentence"]}
        self.known[target, sha256] = row
        self.file.write(json.dumps(row) + "\n")
        self.file.flush()


def word(report):
    if "error" in report:
        return "error"
    if not report["accepted"]:
        return "refused"
    return "warning" if report["warnings"] else "ok"


def judge(arguments, answers, path, target):
    sha256 = hashlib.sha256(path.read_bytes() + arguments.freeze.encode()).hexdigest()
    known = answers.known.get((target, sha256))
    report = check(arguments.program, path, target, known is None, arguments.freeze)
    if known is None and "backend" in report:
        answers.keep(target, sha256, report["backend"])
        known = answers.known[target, sha256]
    return path, word(report), known, report


def print_matrix(rows, operators, target):
    cells = collections.Counter((verdict, answer["accepted"]) for _, verdict, answer, _ in rows if answer)
    print(f"\n{target}: {sum(cells.values())} models")
    print("| table says | backend accepts | backend refuses |\n|---|---|---|")
    for verdict in ("ok", "warning", "refused", "error"):
        print(f"| {verdict} | {cells[verdict, True]} | {cells[verdict, False]} |")
    per = collections.defaultdict(collections.Counter)
    for path, verdict, answer, _ in rows:
        if answer:
            per[operators[path]][verdict, answer["accepted"]] += 1
    print("\n| operator | models | accepted | ok but refused | refused but accepted | warning |\n|---|---|---|---|---|---|")
    for operator, counts in sorted(per.items()):
        accepted = sum(n for (_, taken), n in counts.items() if taken)
        warnings = counts["warning", True] + counts["warning", False]
        print(f"| {operator} | {sum(counts.values())} | {accepted} | {counts['ok', False]} | {counts['refused', True]} | {warnings} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--targets", default="sm8750")
    parser.add_argument("--cache", required=True, help="file for the backend's answers, outside of the source tree")
    parser.add_argument("--freeze", default="", help="as for check-ops")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("models", nargs="*", help="ONNX files or folders; default: the node models of the installed package onnx")
    arguments = parser.parse_args()
    models, operators = [], {}
    for path in named_models(arguments.models) if arguments.models else node_models():
        model = onnx.load(path, load_external_data=False)
        if arguments.models or is_static_and_numeric(model):
            models.append(path)
            operators[path] = operator_of(path, model)
    answers = Answers(arguments.cache)
    wrong = 0
    for target in arguments.targets.split(","):
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            rows = list(pool.map(lambda path: judge(arguments, answers, path, target), models))
        for path, verdict, answer, report in rows:
            accepted = answer["accepted"] if answer else None
            if verdict == "error" or (verdict == "ok") != accepted:
                wrong += 1
                reasons = [i["reason"] for n in report.get("nodes", []) for i in n["issues"]] + [m["message"] for m in report.get("model", [])]
                said = report.get("error") or "; ".join(reasons[:2])
                print(f"{target}: {path.parent.name}/{path.name}: table {verdict} ({said}), backend {answer and (answer['sentence'] or 'accepts')}")
        print_matrix(rows, operators, target)
    return 1 if wrong > 10 else 0


if __name__ == "__main__":
    sys.exit(main())
