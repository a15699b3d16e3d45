#!/usr/bin/env python3
"""Checks that includes point down only: against the floors below, and against the USES rows of CMakeLists.txt.

Prints one line per violation and ends with 1 if there is one. Files and functions over their budget are warnings.
"""

import argparse
import pathlib
import re
import sys

FLOORS = [
    ["base"],
    ["tensor"],
    ["graph", "checkpoint", "bundle"],
    ["ops", "onnx", "text", "image"],
    ["models", "run", "rewrite"],
    ["targets", "quant", "verify"],
    ["export", "chat"],
    ["cli"],
]

# Includes within one floor that are meant, with the reason.
EXCEPTIONS = {
    ("verify", "targets"): "the proof of an NPU graph compiles it",
}

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


def reachable_by_cmake(text):
    """folder -> every folder that its USES row reaches, itself included."""
    uses = {}
    for name, rest in FOLDER_ROW.findall(text):
        row = re.search(r"\bUSES\s+(.*?)(?:\bLINK\b|$)", rest, re.DOTALL)
        uses[name] = row.group(1).split() if row else []
    reach = {}
    for name in uses:
        seen, todo = set(), [name]
        while todo:
            folder = todo.pop()
            if folder not in seen:
                seen.add(folder)
                todo += uses.get(folder, [])
        reach[name] = seen
    return reach


def check_folder_include(source, target, floors, reach):
    """The sentence about a wrong include of one folder from another, or None."""
    if target == source:
        return None
    if target not in floors:
        return f"there is no floor for the folder {target}; add it to scripts/check_floors.py"
    if floors[target] >= floors[source] and (source, target) not in EXCEPTIONS:
        where = "the same floor" if floors[target] == floors[source] else "a floor above"
        return f"{source} includes {target}, which is on {where}"
    # The program links everything below it; all others need a row.
    if source != "cli" and target not in reach.get(source, set()):
        return f"{source} includes {target}, but its row in CMakeLists.txt does not reach it"
    return None


def check_file(root, path, floors, reach):
    relative = path.relative_to(root)
    source = relative.parts[1] if relative.parts[0] == "fastvlm" else None
    problems = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        header, problem = match.group(1), None
        if header.startswith("fastvlm/"):
            if not (root / header).is_file():
                problem = f"{header} does not exist"
            elif source:
                problem = check_folder_include(source, header.split("/")[1], floors, reach)
        for pattern, home, suffixes in CONFINED:
            if source and pattern.match(header) and (source != home or path.suffix not in suffixes):
                problem = f"<{header}> belongs into {home}/*{{{','.join(suffixes)}}} only"
        if problem:
            problems.append(f"{relative}:{number}: {problem}")
    return problems


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
    floors, reach = floor_of(), reachable_by_cmake((root / "CMakeLists.txt").read_text())

    problems = [f"CMakeLists.txt: {name} reaches {other}, which is not below it"
                for name, others in sorted(reach.items()) for other in sorted(others - {name})
                if floors.get(other, 99) >= floors.get(name, -1) and (name, other) not in EXCEPTIONS]
    files = sorted(path for folder in ("fastvlm", "bench", "fuzz") for path in (root / folder).rglob("*")
                   if path.suffix in (".h", ".cc"))
    for path in files:
        problems += check_file(root, path, floors, reach)
        for warning in warnings_of(root, path):
            print(f"warning: {warning}")
    for problem in problems:
        print(problem)
    print(f"floors: {len(files)} files, {len(problems)} includes point the wrong way" if problems
          else f"floors: {len(files)} files, every include points down")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
