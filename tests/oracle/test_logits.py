#!/usr/bin/python3
"""Logits and greedy text of tiny random models, ours against transformers: test_logits.py --probe PROBE [NAME...]

transformers computes in F32 whatever the weights are stored in. So do we for F32 models, and for others when they are
loaded with --quant f32: the logits must agree within 1e-4 and the 32 greedy tokens must be the same. As they are, BF16
and F16 weights are multiplied with activations rounded to that type (ggml), and quantised ones differ by what they lose:
these are held to a wide bound, which a wrong layout would still break.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

import make_models
import numpy as np
import torch
import transformers as T

warnings.filterwarnings("ignore")
T.logging.set_verbosity_error()
T.logging.disable_progress_bar()
torch.set_num_threads(1)

N_GREEDY = 32
COARSE_GELU_LIMIT = 1e-2
LIMIT = {"f32": 1e-4, "": 0.1, "q8_0": 0.2, "q4_0": 2.0}
RNG = np.random.default_rng(5)
PROMPTS = [[int(x) for x in RNG.integers(0, 640, n)] for n in (1, 7, 33, 96, 300)]


def prompts_of(name):
    """Those at least as long as the model is told apart by."""
    return [p for p in PROMPTS if len(p) >= make_models.MODELS[name][2].get("least_prompt", 0)]


def coarse_gelu(x):
    """ggml's GELU on a CPU: a table of F16 values for F16 arguments."""
    y = torch.nn.functional.gelu(x.half().float(), approximate="tanh").half().float()
    return torch.where(x <= -10, torch.zeros_like(x), torch.where(x >= 10, x, y))


def continued(model, prompt, cached):
    """The ids chosen greedily after the prompt, one by one; all is computed anew for each unless `cached`."""
    ids = list(prompt)
    state = None
    for _ in range(N_GREEDY):
        if cached:
            out = model(torch.tensor([ids if state is None else ids[-1:]]), past_key_values=state, use_cache=True)
            state = out.past_key_values
        else:
            out = model(torch.tensor([ids]), use_cache=False)
        ids.append(int(out.logits[0, -1].argmax()))
    return ids[len(prompt):]


def reference(directory, prompts, coarse=False, cached=False):
    beside = directory.with_name(directory.name + ".reference")  # the same weights, as transformers takes them
    directory = beside if beside.exists() else directory
    model = T.AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()
    for module in model.modules() if coarse else ():
        if hasattr(module, "act_fn"):
            module.__dict__["act_fn"] = coarse_gelu  # before the submodule of that name
    logits, greedy = [], []
    with torch.inference_mode():
        for prompt in prompts:
            logits.append(model(torch.tensor([prompt]), use_cache=False).logits[0].numpy())
            greedy.append(continued(model, prompt, cached))
    return logits, greedy


def ours(probe, model, work, prompts, options=()):
    out = pathlib.Path(work) / "logits.bin"
    lines = "".join(json.dumps(p) + "\n" for p in prompts)
    run = subprocess.run([probe, str(model), "logits", str(out), str(N_GREEDY), *options], input=lines, text=True,
                         capture_output=True, timeout=300)
    if run.returncode != 0:
        raise RuntimeError(run.stderr.strip())
    flat = np.fromfile(out, np.float32).reshape(-1, make_models.V)
    ends = np.cumsum([len(p) for p in prompts])
    return np.split(flat, ends[:-1]), [[int(x) for x in line.split()] for line in run.stdout.splitlines()]


def same_prefix(a, b):
    return next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))


def is_rounded(name):
    """Whether weights are stored in less than F32: then activations are rounded too, unless they are loaded as F32."""
    return bool({"dtype", "after"} & make_models.MODELS[name][2].keys())


def count_agreeing(a, b):
    return sum(int((x.argmax(-1) == y.argmax(-1)).sum()) for x, y in zip(a, b))


def compare(name, quant, directory, want, probe):
    want_logits, want_greedy = want
    exact = quant == "f32" or (quant == "" and not is_rounded(name))
    logits, greedy = ours(probe, directory, directory, prompts_of(name), ("--quant", quant) if quant else ())
    diff = max(float(np.abs(a - b).max()) for a, b in zip(want_logits, logits))
    scale = max(float(np.abs(a).max()) for a in want_logits)
    same = [same_prefix(a, b) for a, b in zip(want_greedy, greedy)]
    alike, total = count_agreeing(want_logits, logits), sum(len(x) for x in logits)
    limit = COARSE_GELU_LIMIT if make_models.MODELS[name][2].get("coarse_gelu") else LIMIT["f32" if exact else quant]
    good = diff <= limit and (not exact or min(same) == N_GREEDY)
    if not exact and make_models.MODELS[name][2].get("experts"):
        good = alike >= 0.9 * total  # where two experts are nearly as good, rounding chooses another
    print(f"{'ok  ' if good else 'FAIL'} {name:18s} {quant or 'as it is':8s} max difference {diff:.2e} "
          f"(logits up to {scale:.1f}), greedy tokens alike {same}"
          f"{'' if exact else ', best token alike %d of %d' % (alike, total)}", flush=True)
    return good


def check(name, probe, work):
    directory = make_models.make(name, work)
    options = make_models.MODELS[name][2]
    want = reference(directory, prompts_of(name), options.get("coarse_gelu", False), options.get("cached", False))
    quants = [""]
    if is_rounded(name):
        quants.append("f32")
    if name in ("llama", "qwen3"):
        quants += ["q8_0", "q4_0"]
    if name in ("qwen3moe", "gpt-oss", "glm4moe"):
        quants += ["q8_0"]
    return sum(not compare(name, quant, directory, want, probe) for quant in quants)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--probe", required=True)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    failures = 0
    with tempfile.TemporaryDirectory() as work:
        for name in args.names or [n for n in make_models.MODELS if not n.startswith("tokens-")]:
            try:
                failures += check(name, args.probe, work)
            except (RuntimeError, subprocess.TimeoutExpired) as problem:
                print(f"FAIL {name:20s} {problem}")
                failures += 1
    print(f"{failures} failures")
    sys.exit(failures != 0)


if __name__ == "__main__":
    main()
