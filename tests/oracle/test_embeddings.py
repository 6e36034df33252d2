#!/usr/bin/python3
"""Embeddings, relevance scores and their tokenizers, ours against transformers: test_embeddings.py --probe PROBE [NAME...]

Vectors must have a cosine above 0.99999 (libllama computes GELU from a table of F16 values), scores agree within 1e-2,
and the tokens of hard strings and of pairs be the same.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

import models_encoders
import numpy as np
import torch
import transformers as T
from hard_strings import hard_strings

warnings.filterwarnings("ignore")
T.logging.set_verbosity_error()
T.logging.disable_progress_bar()
torch.set_num_threads(1)

TEXTS = ["a", "The licensee may copy and distribute the work.", "Привет, мир! naïve café", "日本語のテキスト 한국어", "x " * 150,
         "Permission is hereby granted, free of charge, to any person obtaining a copy"]
PAIRS = [("what is a licence", "A licence grants permission."), ("warranty", "There is no warranty."),
         ("Wie heißt das?", "naïve café"), ("a b c", "word " * 60)]


def run(probe, model, task, lines, *options):
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run([probe, str(model), task, *options], input=text, text=True, capture_output=True, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return done.stdout


def ids_of(output):
    return [[int(x) for x in line.split()] for line in output.splitlines()]


def report(good, name, what):
    print(f"{'ok  ' if good else 'FAIL'} {name:22s} {what}", flush=True)
    return not good


def check_tokens(name, probe, directory, tok):
    texts = hard_strings(seed=7, count=500)
    got = ids_of(run(probe, directory, "tokens", texts, "--bos"))
    differ = [(t, g, tok.encode(t).ids) for t, g in zip(texts, got) if g != tok.encode(t).ids]
    failed = report(not differ, name, f"{len(texts) - len(differ)} of {len(texts)} hard strings give the same tokens")
    for text, ours, theirs in differ[:3]:
        print(f"       {text!r}\n         ours   {ours}\n         theirs {theirs}")
    return failed


def pooled(model, ids, pooling):
    base = getattr(model, getattr(model, "base_model_prefix", ""), model)
    states = base(input_ids=torch.tensor([ids])).last_hidden_state[0]
    return (states[0] if pooling == "cls" else states[-1] if pooling == "lasttoken" else states.mean(0)).numpy()


def cosine(a, b):
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def check_vectors(name, probe, directory, model, tok, pooling):
    ids = [tok.encode(t).ids for t in TEXTS]
    with torch.inference_mode():
        want = np.stack([pooled(model, i, pooling) for i in ids])
    failures = 0
    for how, batches in (("alone", [[i] for i in ids]), ("together", [ids])):
        out = pathlib.Path(directory) / "vectors.bin"
        run(probe, directory, "embed", batches, str(out))
        got = np.fromfile(out, np.float32).reshape(len(ids), -1)
        worst = min(cosine(a, b) for a, b in zip(want, got))
        apart = max(cosine(want[i], want[j]) for i in range(len(ids)) for j in range(i))
        failures += report(worst > 0.99999, name, f"{how:8s} least cosine {worst:.8f} (texts differ: {apart:.3f}), "
                                                  f"difference {np.abs(want - got).max():.1e}")
    return failures


def check_scores(name, probe, directory, model, tok):
    pairs = [tok.encode(a, b) for a, b in PAIRS]
    got = ids_of(run(probe, directory, "pairs", PAIRS))
    n_vocab = model.config.vocab_size
    want = [[i + n_vocab * t for i, t in zip(e.ids, e.type_ids)] for e in pairs]
    # The separator that ends the second text is of the second type too.
    failures = report(got == want, name, f"{sum(a == b for a, b in zip(got, want))} of {len(want)} pairs give the same tokens")
    with torch.inference_mode():
        scores = np.array([model(input_ids=torch.tensor([e.ids]), token_type_ids=torch.tensor([e.type_ids])).logits[0, 0]
                           for e in pairs])
    out = pathlib.Path(directory) / "scores.bin"
    run(probe, directory, "embed", [got], str(out))
    ours = np.fromfile(out, np.float32)
    diff = float(np.abs(ours - scores).max())
    return failures + report(diff < 1e-2, name, f"scores from {scores.min():.3f} to {scores.max():.3f}, difference {diff:.1e}")


def check(name, probe, work):
    directory, model, tok = models_encoders.make(name, work)
    pooling = models_encoders.MODELS[name][3]
    failures = check_tokens(name, probe, directory, tok)
    if pooling == "rank":
        return failures + check_scores(name, probe, directory, model, tok)
    return failures + check_vectors(name, probe, directory, model, tok, pooling)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--probe", required=True)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    failures = 0
    with tempfile.TemporaryDirectory() as work:
        for name in args.names or models_encoders.MODELS:
            try:
                failures += check(name, args.probe, work)
            except (RuntimeError, subprocess.TimeoutExpired) as problem:
                failures += report(False, name, problem)
    print(f"{failures} failures")
    sys.exit(failures != 0)


if __name__ == "__main__":
    main()
