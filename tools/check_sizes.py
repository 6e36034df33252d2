#!/usr/bin/env python3
"""Small files, small functions: .c files below 800 lines, headers below 200, functions below 70 lines."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIMITS = {".c": 800, ".h": 200, ".py": 800, ".sh": 300}
FUNCTION_LINES = 70


def functions(text):
    """(name, lines) of every function in clang-formatted C: from a `{` in the first column to its `}`."""
    lines = text.splitlines()
    start = None
    for number, line in enumerate(lines):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            head = " ".join(lines[max(0, start - 4):start])
            names = re.findall(r"(\w+)\s*\(", head)
            yield (names[-1] if names else "?"), number - start - 1
            start = None


def main():
    problems = []
    names = subprocess.run(["git", "ls-files", "src", "tests", "tools", "fuzz", "bench"], cwd=ROOT, check=True,
                           capture_output=True, text=True).stdout.split()
    for name in names:
        path = ROOT / name
        limit = LIMITS.get(path.suffix)
        if limit is None or not path.is_file():
            continue
        text = path.read_text()
        n_lines = text.count("\n")
        if n_lines > limit:
            problems.append(f"{name}: {n_lines} lines (at most {limit})")
        if path.suffix == ".c" and name.startswith("src/"):
            problems += [f"{name}: function of {n} lines near {function}() (at most {FUNCTION_LINES})"
                         for function, n in functions(text) if n > FUNCTION_LINES]
    print("\n".join(problems), file=sys.stderr, end="\n" if problems else "")
    print(f"sizes: {len(names)} files, {len(problems)} problems")
    return 1 if problems else 0


sys.exit(main())
