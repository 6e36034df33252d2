#!/usr/bin/env python3
"""Holds the #include lines under src/ against tools/layers.txt: a folder includes itself, what stands in its row,
and only the third-party headers that are its own. The table must have no cycle."""
import fnmatch
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.M)


def read_table():
    allowed, owners = {}, []
    for line in (ROOT / "tools/layers.txt").read_text().splitlines():
        line = line.split("#", 1)[0].strip()
        if not line:
            continue
        folder, includes, headers = (part.strip() for part in line.split("|"))
        allowed[folder] = set(includes.split()) - {"-"}
        owners += [(pattern, folder) for pattern in headers.split() if pattern != "-"]
    return allowed, owners


def find_cycle(allowed):
    done, path = set(), []

    def visit(folder):
        if folder in path:
            return path[path.index(folder):] + [folder]
        if folder in done:
            return None
        path.append(folder)
        for other in sorted(allowed.get(folder, ())):
            cycle = visit(other)
            if cycle:
                return cycle
        path.pop()
        done.add(folder)
        return None

    for folder in allowed:
        cycle = visit(folder)
        if cycle:
            return cycle
    return None


def layer_of(folder, allowed):
    """The folder itself or the nearest one above it that has a row: a folder without a row belongs to its parent."""
    while folder and folder not in allowed:
        folder = folder.rpartition("/")[0]
    return folder


def matches(header, pattern):
    return header.startswith(pattern) if pattern.endswith("/") else fnmatch.fnmatch(header, pattern)


def main():
    allowed, owners = read_table()
    problems = []
    for folder, includes in allowed.items():
        problems += [f"layers.txt: {folder} names unknown folder {other}" for other in includes - set(allowed)]
    cycle = find_cycle(allowed)
    if cycle:
        problems.append("layers.txt: cycle " + " -> ".join(cycle))
    n_files = 0
    for path in sorted((ROOT / "src").rglob("*.[ch]")):
        n_files += 1
        name = path.relative_to(ROOT)
        folder = layer_of(str(path.parent.relative_to(ROOT / "src")), allowed)
        if not folder:
            problems.append(f"{name}: its folder is not in layers.txt")
            continue
        for own, third_party in INCLUDE.findall(path.read_text()):
            if own:
                target = layer_of(own.rpartition("/")[0], allowed)
                if target != folder and target not in allowed[folder]:
                    problems.append(f'{name}: {folder} may not include "{own}"')
                elif not (ROOT / "src" / own).exists():
                    problems.append(f'{name}: "{own}" does not exist')
                continue
            who = {owner for pattern, owner in owners if matches(third_party, pattern)}
            if who and folder not in who:
                problems.append(f"{name}: <{third_party}> belongs to {', '.join(sorted(who))}")
    print("\n".join(problems), file=sys.stderr, end="\n" if problems else "")
    print(f"layers: {n_files} files, {len(problems)} problems")
    return 1 if problems else 0


sys.exit(main())
