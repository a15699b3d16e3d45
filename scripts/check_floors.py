#!/usr/bin/env python3
"""Checks that includes point down only, and that the USES and TESTS rows of CMakeLists.txt are exactly what is included.

Prints one line per violation and ends with 1 if there is one. Files and functions over their budget are warnings.
"""

import argparse
import pathlib
import re
import sys

FLOORS = [
    ["base"],
    ["tensor", "process", "text", "image"],
    ["run", "checkpoint", "graph", "report"],
    ["ops", "rewrite", "onnx", "bundle", "synthetic"],
    ["models"],
    ["session", "targets"],
    ["author", "verify", "compile", "quant", "chat", "diff"],
    ["inspect", "evaluate"],
    ["export", "datasheet"],
    ["clients", "sensitivity"],
    ["device"],
    ["api"],
    ["cli"],
]

# Headers from outside that only one folder may see, and the kind of file that may.
CONFINED = [
    (re.compile(r"^(onnx/|google/protobuf/)"), "onnx", (".h", ".cc")),
    (re.compile(r"^onnxruntime_"), "run", (".cc",)),
]

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]')
FOLDER_ROW = re.compile(r"^fastvlm_folder\((\w+)([^)]*)\)", re.MULTILINE)


def floor_of():
    return {folder: number for number, folders in enumerate(FLOORS) for folder in folders}


def rows_of_cmake(text):
    """folder -> (USES, TESTS) of its fastvlm_folder row."""
    def words(keyword, rest):
        row = re.search(rf"\b{keyword}\s+(.*?)(?:\b(?:USES|TESTS|LINK)\b|$)", rest, re.DOTALL)
        return set(row.group(1).split()) if row else set()
    return {name: (words("USES", rest), words("TESTS", rest)) for name, rest in FOLDER_ROW.findall(text)}


def is_test(path):
    return path.stem.endswith(("_test", "_for_tests"))


def check_file(root, path, floors, used):
    """Sentences about the includes of one file; notes in `used` which folders its own folder needs."""
    relative = path.relative_to(root)
    source = relative.parts[1] if relative.parts[0] == "fastvlm" else None
    problems = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        header, problem = match.group(1), None
        if header.startswith("fastvlm/"):
            target = header.split("/")[1]
            if not (root / header).is_file():
                problem = f"{header} does not exist"
            elif source and target not in floors:
                problem = f"there is no floor for the folder {target}; add it to scripts/check_floors.py"
            elif source and target != source:
                used.setdefault(source, (set(), set()))[is_test(path)].add(target)
                if floors[target] >= floors[source]:
                    where = "the same floor" if floors[target] == floors[source] else "a floor above"
                    problem = f"{source} includes {target}, which is on {where}"
        for pattern, home, suffixes in CONFINED:
            if source and pattern.match(header) and (source != home or path.suffix not in suffixes):
                problem = f"<{header}> belongs into {home}/*{{{','.join(suffixes)}}} only"
        if header == "fastvlm/base/try.h" and path.suffix == ".h" and not is_test(path):
            problem = "a header must not bring the macros of base/try.h to whoever includes it"
        if problem:
            problems.append(f"{relative}:{number}: {problem}")
    return problems


def check_rows(rows, used):
    """Sentences about rows that name too much or too little. The program links everything below it and has no row."""
    for name, (uses, tests) in sorted(rows.items()):
        needed, needed_by_tests = used.get(name, (set(), set()))
        wanted = {"USES": (uses, needed), "TESTS": (tests, needed_by_tests - needed)}
        for keyword, (said, true) in wanted.items():
            for other in sorted(said - true):
                yield f"CMakeLists.txt: {name} {keyword} {other}, but includes nothing of it"
            for other in sorted(true - said):
                yield f"CMakeLists.txt: {name} includes {other}, but its {keyword} does not say so"


STARTS_FUNCTION = re.compile(r"^( {0,2})(?!(?:if|for|while|switch|else|do|try|return|namespace|class|struct|enum)\b)"
                             r"[A-Za-z\[~][^;=]*\(")


def long_functions(lines):
    """(line, text, length) of each function over the budget. Relies on the layout: the head stands at an indent of at most 2,
    ends with a brace within a few lines, and the closing brace stands at the indent of the head."""
    index = 0
    while index < len(lines):
        head = STARTS_FUNCTION.match(lines[index])
        opening = index
        while head and opening < min(index + 6, len(lines)) and not lines[opening].endswith((";", "{", "}")):
            opening += 1
        if head and opening < len(lines) and lines[opening].endswith("{"):
            end = opening + 1
            while end < len(lines) and not lines[end].startswith(head.group(1) + "}"):
                end += 1
            if end - index + 1 > MAX_FUNCTION_LINES:
                yield index + 1, lines[index].strip(), end - index + 1
            index = end
        index += 1


def warnings_of(root, path):
    relative, lines = path.relative_to(root), path.read_text().splitlines()
    if len(lines) > MAX_FILE_LINES:
        yield f"{relative}: {len(lines)} lines, the budget is {MAX_FILE_LINES}"
    for number, name, length in long_functions(lines):
        yield f"{relative}:{number}: {length} lines in one function, the budget is {MAX_FUNCTION_LINES}: {name}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    root = parser.parse_args().root
    floors, rows = floor_of(), rows_of_cmake((root / "CMakeLists.txt").read_text())
    problems, used = [], {}
    files = sorted(path for folder in ("fastvlm", "bench", "fuzz") for path in (root / folder).rglob("*")
                   if path.suffix in (".h", ".cc"))
    for path in files:
        problems += check_file(root, path, floors, used)
        for warning in warnings_of(root, path):
            print(f"warning: {warning}")
    problems += check_rows(rows, used)
    for problem in problems:
        print(problem)
    print(f"floors: {len(files)} files, {len(problems)} problems" if problems
          else f"floors: {len(files)} files, every include points down")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
