#!/usr/bin/python3
"""Checkpoints in FP8, ours against transformers on the same weights made F32: test_fp8.py --probe PROBE [NAME...]

The linear layers of a tiny random model are stored in FP8 with scales: for each block (of a size that does not divide
the matrices), each row, or the whole tensor. The logits must agree within 1e-4 when we load it as F32; as it is (BF16)
they are held to a wide bound. What other methods have packed must be refused by name.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

import make_models
import safetensors.torch
import test_logits
import torch
import transformers as T

warnings.filterwarnings("ignore")
T.logging.set_verbosity_error()
T.logging.disable_progress_bar()

FP8 = {"quant_method": "fp8", "activation_scheme": "dynamic"}
TENSORS = {"quant_method": "compressed-tensors", "format": "float-quantized",
           "config_groups": {"group_0": {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "float"}}}}
E4M3, E5M2 = torch.float8_e4m3fn, torch.float8_e5m2

# name: (model, block or None for the whole tensor, type, type of the scales, ending, quantization_config)
CASES = {
    "blocks": ("qwen3", (40, 24), E4M3, torch.float32, "weight_scale_inv", FP8 | {"weight_block_size": [40, 24]}),
    "paired": ("llama", (24, 40), E4M3, torch.bfloat16, "weight_scale_inv", FP8 | {"weight_block_size": [24, 40]}),
    "large blocks": ("qwen2", (128, 128), E4M3, torch.float32, "weight_scale_inv",
                     FP8 | {"weight_block_size": [128, 128]}),
    "rows": ("llama", (1, None), E4M3, torch.bfloat16, "weight_scale", TENSORS),
    "tensor": ("qwen2", None, E4M3, torch.float32, "weight_scale", TENSORS),
    "e5m2": ("qwen3-shards", (64, 32), E5M2, torch.float32, "weight_scale_inv", FP8 | {"weight_block_size": [64, 32]}),
    "powers": ("mistral", (32, 32), E4M3, torch.float8_e8m0fnu, "weight_scale_inv",
               FP8 | {"weight_block_size": [32, 32]}),
    "experts": ("qwen3moe", (24, 40), E4M3, torch.float32, "weight_scale_inv", FP8 | {"weight_block_size": [24, 40]}),
}
REFUSED = ["gptq", "awq", "bitsandbytes", "hqq"]


def scales_of(weight, block, kind, scale_type):
    """Scales as stored, and as they act on each weight."""
    rows, cols = weight.shape
    height, width = (rows, cols) if block is None else (block[0], block[1] or cols)
    n, m = -(-rows // height), -(-cols // width)
    scales = torch.empty(n, m)
    for i in range(n):
        for j in range(m):
            part = weight[i * height:(i + 1) * height, j * width:(j + 1) * width]
            scales[i, j] = part.abs().max() / torch.finfo(kind).max
    if scale_type == torch.float8_e8m0fnu:
        scales = torch.exp2(torch.ceil(torch.log2(scales)))
    scales = scales.to(scale_type)
    acting = scales.float().repeat_interleave(height, 0).repeat_interleave(width, 1)[:rows, :cols]
    return scales.reshape(1) if block is None else scales, acting


def pack(directory, block, kind, scale_type, ending, settings):
    """Rewrites the model's files; what transformers is to compute with goes to <directory>.reference."""
    tensors = {}
    for path in sorted(directory.glob("*.safetensors")):
        tensors |= safetensors.torch.load_file(path)
        path.unlink()
    (directory / "model.safetensors.index.json").unlink(missing_ok=True)
    packed, plain = {}, {}
    for name, weight in tensors.items():
        packed[name] = plain[name] = weight
        if not name.endswith("_proj.weight"):
            continue
        scales, acting = scales_of(weight.float(), block, kind, scale_type)
        packed[name] = (weight.float() / acting).to(kind)
        plain[name] = packed[name].float() * acting
        packed[name.removesuffix("weight") + ending] = scales
        if ending == "weight_scale":
            packed[name.removesuffix("weight") + "input_scale"] = torch.ones(1)
    reference = directory.with_name(directory.name + ".reference")
    reference.mkdir(exist_ok=True)
    config = json.loads((directory / "config.json").read_text())
    (reference / "config.json").write_text(json.dumps(config))
    safetensors.torch.save_file(plain, reference / "model.safetensors", {"format": "pt"})
    config["quantization_config"] = settings
    (directory / "config.json").write_text(json.dumps(config))
    safetensors.torch.save_file(packed, directory / "model.safetensors", {"format": "pt"})


def check(name, probe, work):
    model, *rest = CASES[name]
    directory = make_models.make(model, pathlib.Path(work) / name)
    pack(directory, *rest)
    want = test_logits.reference(directory, test_logits.PROMPTS, False)
    failures = 0
    for quant, limit in (("f32", 1e-4), ("", 0.1)):
        if name == "experts" and not quant:
            continue  # a router that is rounded otherwise takes other experts
        options = ("--quant", quant) if quant else ()
        logits, greedy = test_logits.ours(probe, directory, directory, test_logits.PROMPTS, options)
        diff = max(float(abs(a - b).max()) for a, b in zip(want[0], logits))
        same = quant != "f32" or greedy == want[1]
        good = diff <= limit and same
        failures += not good
        print(f"{'ok  ' if good else 'FAIL'} {name:12s} {model:12s} {quant or 'as it is':8s} max difference {diff:.2e}",
              flush=True)
    return failures


def check_refused(method, probe, work):
    directory = make_models.make("qwen2", pathlib.Path(work) / method)
    config = json.loads((directory / "config.json").read_text())
    config["quantization_config"] = {"quant_method": method, "bits": 4}
    (directory / "config.json").write_text(json.dumps(config))
    run = subprocess.run([probe, str(directory), "time"], text=True, capture_output=True, timeout=60)
    good = run.returncode != 0 and "UNSUPPORTED" in run.stderr and f'"{method}"' in run.stderr
    print(f"{'ok  ' if good else 'FAIL'} {method:12s} {run.stderr.strip()[:120]}")
    return not good


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
                print(f"FAIL {name:12s} {problem}")
                failures += 1
        for method in () if args.names else REFUSED:
            failures += check_refused(method, args.probe, work)
    print(f"{failures} failures")
    sys.exit(failures != 0)


if __name__ == "__main__":
    main()
