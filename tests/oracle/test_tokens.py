#!/usr/bin/python3
"""Our tokens against Hugging Face tokenizers on hard strings: test_tokens.py --probe PROBE [--seed N] [--count N]

Every kind of tokenizer that the loader knows gets the same strings: some chosen, most made at random from pieces that
are hard in different ways. The tokenizers are trained on such strings too (with another seed), so that a wrong cut
shows as another token. Strings are never dropped because they differ: one known cause is counted. Characters that are
new in Unicode are letters for one side and nothing yet for the other.
"""
import argparse
import json
import subprocess
import sys
import tempfile
import unicodedata

import make_models
from hard_strings import hard_strings
from tokenizers import Regex, Tokenizer, normalizers

KINDS = {"qwen2 (byte-level, NFC)": "qwen3-tied", "llama3 (byte-level, ignore_merges)": "llama3",
         "gpt2 (byte-level)": "llama-bias", "spm legacy (Prepend)": "llama", "spm metaspace always": "llama-shards",
         "glm4 (byte-level, two before)": "glm4", "gpt-oss (byte-level)": "gpt-oss",
         "gpt-4o (byte-level, ignore_merges)": "tokens-gpt-4o-whole",
         "tekken (byte-level, ignore_merges)": "tokens-tekken", "smollm (Digits, byte-level)": "tokens-smollm",
         "gemma (spm, added plain tokens)": "gemma3", "phi3 (spm, tokens that strip)": "phi3",
         "phi4 (byte-level, inverted split)": "phi4", "phi4-mini (gpt-4o, tokens that strip)": "phi4-mini",
         "mistral-nemo (tekken)": "mistral-nemo", "nemotron (tekken)": "nemotron-mamba",
         "spm metaspace first": "llama-tied-bf16", "spm metaspace never": "llama-mha"}

def ours(probe, directory, lines, *options):
    run = subprocess.run([probe, str(directory), "tokens", *options], input="".join(l + "\n" for l in lines), text=True,
                         capture_output=True, timeout=300)
    if run.returncode != 0:
        raise RuntimeError(run.stderr.strip())
    return [[int(t) for t in line.split()] for line in run.stdout.splitlines()]


# Bytes that are no UTF-8: tokenizers cannot be asked. They must be taken without harm, and each byte must count.
INVALID = [[0xFF], [0xC3], [0xE2, 0x82], [0xF0, 0x9F, 0x9A], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80],
           [0x61, 0xFF, 0x62], [0x80] * 50, [0xE2, 0x28, 0xA1], list(range(128, 256))]


def check_invalid(probe, directory):
    rows = ours(probe, directory, [json.dumps({"bytes": b}) for b in INVALID])
    return [b for b, row in zip(INVALID, rows) if not row]


def check(kind, name, probe, work, strings):
    directory = make_models.make(name, work, vocab=VOCAB, hard=True)
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    want = [e.ids for e in tokenizer.encode_batch(strings, add_special_tokens=True)]
    got = ours(probe, directory, [json.dumps(s) for s in strings], "--bos")
    differ = [(s, a, b) for s, a, b in zip(strings, want, got) if a != b]
    wrong = [row for row in differ if not has_new_character(row[0])]
    empty = check_invalid(probe, directory)
    good = not wrong and not empty and len(got) == len(strings)
    print(f"{'ok  ' if good else 'FAIL'} {kind:36s} {len(strings) - len(differ)} of {len(strings)} strings alike"
          f"{', %d with characters new in Unicode' % (len(differ) - len(wrong)) if len(differ) > len(wrong) else ''}"
          f"{', bytes lost: %r' % empty if empty else ''}", flush=True)
    if good:
        return True
    for s, a, b in wrong[:SHOWN]:
        i = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
        print(f"       {s[:60]!r} at {i}: {[tokenizer.id_to_token(t) for t in a[i:i + 6]]}, "
              f"ours {[tokenizer.id_to_token(t) for t in b[i:i + 6]]}")
    return good


SHOWN = 8
LETTER = normalizers.Replace(Regex(r"\p{L}"), "")


def has_new_character(text):
    """Whether Python's Unicode and that of tokenizers disagree about a character of it."""
    return any(unicodedata.category(c).startswith("L") != (LETTER.normalize_str(c) == "") for c in text)


VOCAB = 6000


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--probe", required=True)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--count", type=int, default=1500)
    parser.add_argument("kinds", nargs="*", help="part of a kind's name")
    args = parser.parse_args()
    strings = hard_strings(args.seed, args.count)
    failures = 0
    with tempfile.TemporaryDirectory() as work:
        for kind, name in KINDS.items():
            if args.kinds and not any(part in kind for part in args.kinds):
                continue
            try:
                failures += not check(kind, name, args.probe, work, strings)
            except (RuntimeError, subprocess.TimeoutExpired) as problem:
                print(f"FAIL {kind}: {problem}")
                failures += 1
    print(f"{failures} failures")
    sys.exit(failures != 0)


if __name__ == "__main__":
    main()
