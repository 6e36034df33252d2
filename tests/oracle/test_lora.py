#!/usr/bin/python3
"""LoRA adapters on tiny random models, ours against torch: test_lora.py --probe PROBE [NAME...]

An adapter is drawn for many matrices of the model, in PEFT's layout and, for one model, as a GGUF. The reference adds
scale x alpha / rank x B x A to the weights. Logits must agree within 1e-4, and without the adapter be those of the bare
model again.
"""
import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import warnings

import gguf
import make_models
import numpy as np
import safetensors.torch
import torch
import transformers as T

warnings.filterwarnings("ignore")
T.logging.set_verbosity_error()
T.logging.disable_progress_bar()
torch.set_num_threads(1)

RNG = np.random.default_rng(11)
PROMPTS = [[int(x) for x in RNG.integers(0, 640, n)] for n in (1, 9, 40)]
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
ALL = [*ATTENTION, "gate_proj", "up_proj", "down_proj"]


class Adapter:
    """modules: endings of the modules' names. settings: of adapter_config.json."""

    def __init__(self, modules, scale, dtype=torch.float32, **settings):
        self.modules, self.scale, self.dtype = modules, scale, dtype
        self.settings = dict(peft_type="LORA", r=8, lora_alpha=16, target_modules=list(modules), bias="none") | settings

    def rank(self, name):
        patterns = self.settings.get("rank_pattern", {})
        return next((r for key, r in patterns.items() if name.endswith(key)), self.settings["r"])

    def strength(self, name):
        alpha = next((a for key, a in self.settings.get("alpha_pattern", {}).items() if name.endswith(key)),
                     self.settings["lora_alpha"])
        rank = self.rank(name)
        return alpha / (math.sqrt(rank) if self.settings.get("use_rslora") else rank)

    def draw(self, model, seed):
        generator = torch.Generator().manual_seed(seed)
        self.pairs = {}
        for name, module in model.named_modules():
            if not isinstance(module, torch.nn.Linear) or name.split(".")[-1] not in self.modules:
                continue
            rank, (n_out, n_in) = self.rank(name), module.weight.shape
            a = (torch.randn(rank, n_in, generator=generator) * 0.1).to(self.dtype)
            b = (torch.randn(n_out, rank, generator=generator) * 0.1).to(self.dtype)
            self.pairs[name] = a, b

    def write(self, directory):
        directory.mkdir()
        tensors = {}
        for name, (a, b) in self.pairs.items():
            tensors[f"base_model.model.{name}.lora_A.weight"] = a
            tensors[f"base_model.model.{name}.lora_B.weight"] = b
        safetensors.torch.save_file(tensors, directory / "adapter_model.safetensors")
        (directory / "adapter_config.json").write_text(json.dumps(self.settings))
        return directory

    def write_gguf(self, path, architecture):
        names = dict(q_proj="attn_q", k_proj="attn_k", v_proj="attn_v", o_proj="attn_output", gate_proj="ffn_gate",
                     up_proj="ffn_up", down_proj="ffn_down")
        writer = gguf.GGUFWriter(path, architecture)
        writer.add_string("general.type", "adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", float(self.settings["lora_alpha"]))
        for name, (a, b) in self.pairs.items():
            target = f"blk.{name.split('.')[2]}.{names[name.split('.')[-1]]}.weight"
            writer.add_tensor(target + ".lora_a", a.float().numpy())
            writer.add_tensor(target + ".lora_b", b.float().numpy())
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    def apply(self, model):
        with torch.no_grad():
            for name, (a, b) in self.pairs.items():
                weight = model.get_submodule(name).weight
                weight += (self.scale * self.strength(name) * (b.double() @ a.double())).float()


CASES = {
    "qwen3": [Adapter(ALL, 1.0), Adapter(["q_proj", "down_proj"], -0.5, r=4, lora_alpha=4)],
    "qwen2": [Adapter(ATTENTION, 0.7, use_rslora=True)],
    "llama": [Adapter(ALL, 1.0, dtype=torch.bfloat16)],
    "llama-shards": [Adapter(["q_proj", "k_proj"], 2.0, r=16, rank_pattern={"k_proj": 3},
                             alpha_pattern={"layers.1.self_attn.q_proj": 5, "k_proj": 7})],
    "llama-mha": [Adapter(ATTENTION, 1.0, dtype=torch.float16)],
    "mistral-window": [Adapter(ALL, 1.0)],
    "phi3": [Adapter(["qkv_proj", "o_proj", "down_proj"], 1.0)],
    "mistral": [Adapter(["gate_proj", "up_proj", "down_proj"], 1.0)],
    "mistral-window": [Adapter(ALL, 1.0)],
    "gemma3": [Adapter(ALL, 1.0)],
    "phi3": [Adapter(["qkv_proj", "o_proj", "gate_up_proj", "down_proj"], 1.0)],
    "nemotron": [Adapter(["in_proj", "out_proj", *ATTENTION, "up_proj", "down_proj"], 1.0)],
}


def logits_of(model):
    with torch.inference_mode():
        return np.concatenate([model(torch.tensor([p])).logits[0].numpy() for p in PROMPTS])


def ours(probe, model, work, options):
    lines = pathlib.Path(work) / "prompts"
    lines.write_text("".join(json.dumps(p) + "\n" for p in PROMPTS))
    out = pathlib.Path(work) / "logits.bin"
    with lines.open() as stdin:
        run = subprocess.run([probe, str(model), "logits", str(out), "1", *options], stdin=stdin, text=True,
                             capture_output=True, timeout=300)
    if run.returncode != 0:
        raise RuntimeError(run.stderr.strip())
    read = lambda path: np.fromfile(path, np.float32).reshape(-1, make_models.V)
    return read(out), read(f"{out}.bare")


def compare(name, kind, want, bare, got):
    changed = float(np.abs(want - bare).max())
    diff = float(np.abs(got[0] - want).max())
    after = float(np.abs(got[1] - bare).max())
    good = diff <= 1e-4 and after <= 1e-4 and changed > 0.1
    print(f"{'ok  ' if good else 'FAIL'} {name:14s} {kind:5s} the adapter moves logits by {changed:.2f}, difference {diff:.2e}, "
          f"without it {after:.2e}", flush=True)
    return not good


def check(name, probe, work):
    directory = make_models.make(name, work)
    model = T.AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()
    bare = logits_of(model)
    options, gguf_options = [], []
    for i, adapter in enumerate(CASES[name]):
        adapter.draw(model, i + 1)
        options += ["--adapter", f"{adapter.write(directory.with_name(f'{name}-adapter-{i}'))}={adapter.scale}"]
        if name == "qwen3":
            path = adapter.write_gguf(f"{work}/{name}-{i}.gguf", "qwen3")
            gguf_options += ["--adapter", f"{path}={adapter.scale}"]
    for adapter in CASES[name]:
        adapter.apply(model)
    want = logits_of(model)
    failures = compare(name, "PEFT", want, bare, ours(probe, directory, work, options))
    if gguf_options:
        failures += compare(name, "GGUF", want, bare, ours(probe, directory, work, gguf_options))
    return failures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--probe", required=True)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    failures = 0
    with tempfile.TemporaryDirectory() as work:
        for name in args.names or CASES:
            try:
                failures += check(name, args.probe, work)
            except (RuntimeError, subprocess.TimeoutExpired) as problem:
                print(f"FAIL {name:14s} {problem}")
                failures += 1
    print(f"{failures} failures")
    sys.exit(failures != 0)


if __name__ == "__main__":
    main()
