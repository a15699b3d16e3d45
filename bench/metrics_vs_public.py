#!/usr/bin/env python3
"""Our scores against public implementations, on made-up answers.

usage: metrics_vs_public.py PATH/TO/bench_metrics [CASES]

Fetches the wheels of lmms-eval and anls with pip, without what they depend on, and runs only the functions that score. Needs NumPy. No word
has a sharp s: anls counts the letters of capitals, where that is two.
Prints how many cases were compared for each metric and ends with 1 if a score differs.
"""

import ast
import json
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile
import types
import zipfile

import numpy

WHEELS = ["lmms-eval==0.7.3", "anls==0.0.2"]

WORDS = ("the a an one two ten none zero cat cats dog man's dont isnt youre somebodys it's red Blue BLUE green black/white well-known "
         "3 3.5 1,000 12% 0.12 100 105 95.0 -7 (left) right. yes! no? \"quoted\" a;b [x] e=mc+2 x_y <b> o`clock Grün ÄPFEL café 2.0. .5").split()
JOINS = [" ", " ", " ", "  ", ", ", "\n", "\t", ". ", " - ", "; "]
LETTERS = "ABCD"


def fetch(folder):
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, *WHEELS], check=True)
    for wheel in pathlib.Path(folder).glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(folder)
    return pathlib.Path(folder)


def functions(path, names, **more):
    """The named functions and classes of a file, without its imports."""
    tree = ast.parse(path.read_text())
    tree.body = [node for node in tree.body if getattr(node, "name", None) in names]
    found = {"re": re, "np": numpy, "numpy": numpy, "statistics": statistics, "random": random, "List": list, **more}
    exec(compile(tree, str(path), "exec"), found)
    return types.SimpleNamespace(**{name: found[name] for name in names})


class Public:
    def __init__(self, root):
        tasks = root / "lmms_eval/tasks"
        self.processor = functions(tasks / "_task_utils/vqa_eval_metric.py", ["EvalAIAnswerProcessor"]).EvalAIAnswerProcessor
        self.textvqa = functions(tasks / "textvqa/utils.py", ["textvqa_process_results"], EvalAIAnswerProcessor=self.processor)
        self.chartqa = functions(tasks / "chartqa/utils.py", ["relaxed_correctness"])
        self.ocrbench = functions(tasks / "ocrbench/utils.py", ["_fold_fullwidth_ascii", "ocrbench_process_results"])
        self.mmmu = functions(tasks / "_task_utils/mmmu_mcq_utils.py", ["parse_mmmu_multi_choice_response"])
        self.harness = functions(root / "lmms_eval/api/metrics.py", ["exact_match_hf_evaluate"])
        distance = functions(root / "anls/metrics/dist.py", ["levenshtein_distance", "normalized_levenshtein_distance"])
        self.anls = functions(root / "anls/metrics/score.py", ["similatiry_function", "anls_score"],
                              NL=distance.normalized_levenshtein_distance)

    def exact(self, case):
        return max(float(self.harness.exact_match_hf_evaluate([case["answer"].strip()], [one.strip()], ignore_case=True)["exact_match"])
                   for one in case["answers"])

    def contains(self, case):
        doc = {"answer": case["answers"], "dataset": "", "question_type": ""}
        return self.ocrbench.ocrbench_process_results(doc, [case["answer"]])["ocrbench_accuracy"]["score"]

    def vqa(self, case):
        doc = {"answers": list(case["answers"]), "question_id": 0}
        return self.textvqa.textvqa_process_results(doc, [case["answer"]])["exact_match"] if len(case["answers"]) > 1 else None

    def normalised(self, case):
        return self.processor()(case["answer"])

    def relaxed(self, case):
        return float(any(self.chartqa.relaxed_correctness(case["answer"].strip(), one.strip()) for one in case["answers"]))

    def letter(self, case):
        """Nothing where the public one draws a letter, or takes the last letter of a word for a choice, which MMMU's own code does not."""
        choices, answer = LETTERS[:len(case["choices"])], case["answer"]
        if re.search(r"[^ ][%s] |[^ ][%s]$" % (choices, choices), " " + answer.strip(",.!?;:'") + " "):
            return None
        drawn = set()
        for pick in (0, -1):
            random.choice, kept = (lambda letters: letters[pick]), random.choice
            drawn.add(self.mmmu.parse_mmmu_multi_choice_response(answer, list(choices), dict(zip(choices, case["choices"]))))
            random.choice = kept
        return drawn.pop() if len(drawn) == 1 else None

    def score(self, metric, case):
        return self.anls.anls_score(case["answer"], case["answers"]) if metric == "anls" else getattr(self, metric)(case)


def phrase(rng):
    text = rng.choice(WORDS)
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2, 4])):
        text += rng.choice(JOINS) + rng.choice(WORDS)
    return rng.choice(["", "", " "]) + text + rng.choice(["", "", "", ".", "?", "\n"])


def changed(rng, text):
    """A little wrong, so that scores are neither all 0 nor all 1."""
    kind = rng.randrange(6)
    at = rng.randrange(len(text))
    if kind == 0:
        return text.upper().lower() if rng.random() < .5 else text.lower()
    if kind == 1:
        return text[:at] + rng.choice("abc. ") + text[at:]
    if kind == 2 and len(text) > 1:
        return text[:at] + text[at + 1:]
    if kind == 3:
        return "It is " + text
    return text


def chosen(rng, choices):
    letter = rng.choice(LETTERS[:len(choices)])
    text = choices[LETTERS.index(letter)]
    return rng.choice([letter, letter + ".", f"({letter})", f"The answer is {letter}", f"{letter}. {text}", text, "I do not know",
                       f"I think that the right one must be {text}", f"({letter}) or ({rng.choice(LETTERS)})", f"Not {letter} but B"])


def cases(count):
    rng = random.Random(20)
    for _ in range(count):
        answers = [phrase(rng) for _ in range(rng.choice([1, 2, 10, 10]))]
        if len(answers) == 10:
            answers = [rng.choice(answers[:3]) for _ in range(10)]
        yield {"answer": changed(rng, rng.choice(answers)) or "x", "answers": answers, "choices": []}
        choices = [f"{rng.choice(WORDS)} {rng.choice(WORDS)}" for _ in range(rng.choice([2, 3, 4]))]
        yield {"answer": chosen(rng, choices), "answers": [rng.choice(LETTERS)], "choices": choices}


def main():
    program, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    asked = list(cases(count))
    lines = subprocess.run([program], input="".join(json.dumps(case) + "\n" for case in asked), text=True, capture_output=True, check=True)
    ours = [json.loads(line) for line in lines.stdout.splitlines()]
    compared, differing = {}, 0
    with tempfile.TemporaryDirectory() as folder:
        public = Public(fetch(folder))
        for case, scores in zip(asked, ours, strict=True):
            for metric in ["letter"] if case["choices"] else ["exact", "contains", "vqa", "normalised", "relaxed", "anls"]:
                expected = public.score(metric, case)
                if expected is None:
                    continue
                compared.setdefault(metric, []).append(scores[metric])
                same = scores[metric] == expected if isinstance(expected, str) else abs(scores[metric] - expected) < 1e-9
                if not same:
                    differing += 1
                    print(f"{metric}: ours {scores[metric]!r}, public {expected!r}: {json.dumps(case, ensure_ascii=False)}")
    for metric, values in compared.items():
        kinds = "" if isinstance(values[0], str) else f", mean {sum(values) / len(values):.3f}"
        print(f"{metric}: {len(values)} cases{kinds}")
    print("no score differs" if differing == 0 else f"{differing} scores differ")
    return 1 if differing or min(map(len, compared.values())) < 200 else 0


if __name__ == "__main__":
    sys.exit(main())
