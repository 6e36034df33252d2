"""The networks of the diffusion engine against PyTorch: tiny random models of every family, at odd sizes and in batches.

usage: test_diffusion.py --probe PROBE"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import models_diffusion as models
from hard_strings import hard_strings

torch.set_num_threads(1)
torch.set_grad_enabled(False)
failures = []
worst = {}


class Probe:
    def __init__(self, binary, model, quant):
        self.dir = pathlib.Path(model)
        self.process = subprocess.Popen([binary, model, quant], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answer()

    def answer(self):
        line = self.process.stdout.readline().strip()
        if not line.startswith("ok"):
            raise RuntimeError(f"the probe says {line!r}")
        return line[3:]

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.answer()

    def run(self, command, *arrays):
        with open(self.dir / "in.bin", "wb") as file:
            for array in arrays:
                file.write(np.ascontiguousarray(array).tobytes())
        self.ask(f"{command} {self.dir}/in.bin {self.dir}/out.bin")
        return np.fromfile(self.dir / "out.bin", np.float32)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def compare(what, ours, theirs, limit):
    theirs = np.asarray(theirs, np.float32).ravel()
    error = float(np.abs(ours - theirs).max() / max(1.0, np.abs(theirs).max())) if ours.shape == theirs.shape else float("inf")
    kind = what.split()[-1]
    worst[kind] = max(worst.get(kind, 0), error)
    if not error <= limit:
        failures.append(f"{what}: {error:.2e} > {limit:.0e}")


def check_unet(label, probe, name, unet, limit):
    c = models.MODELS[name]["unet"]
    for w, h, batch, tokens in ((8, 8, 2, 77), (9, 7, 1, 154), (5, 11, 2, 77), (40, 33, 1, 77)):
        rng = torch.Generator().manual_seed(w * h)
        x = torch.randn(batch, c["in_channels"], h, w, generator=rng)
        text = torch.randn(batch, tokens, c["cross_attention_dim"], generator=rng)
        size = c.get("projection_class_embeddings_input_dim", 0)
        added = torch.randn(batch, size, generator=rng) if size else None
        for t in (981.0, 17.5) if w == 8 else (981.0,):
            ours = probe.run(f"unet {w} {h} {batch} {tokens} {t} 7.5", x, text, *([added] if size else []))
            compare(f"{label} {w}x{h} unet", ours, unet(x, t, text, added, 7.5), limit)


def check_vae(label, probe, vae, limit):
    for w, h in ((8, 8), (5, 9)):
        z = torch.randn(1, 4, h, w, generator=torch.Generator().manual_seed(h))
        x = torch.rand(1, 3, 8 * h, 8 * w, generator=torch.Generator().manual_seed(w)) * 2 - 1
        compare(f"{label} {w}x{h} decoder", probe.run(f"decode {w} {h} 0 0", z), vae.decode(z), limit)
        compare(f"{label} {w}x{h} encoder", probe.run(f"encode {8 * w} {8 * h} 0 0", x), vae.encode(x), limit)


def tiled(whole, size, out_size, tile, overlap, scale, n_out):
    """What tiling means: overlapping tiles, each faded towards its neighbours, divided by what has come to a pixel."""
    def starts(length):
        at, found = 0, [0]
        while at + tile < length:
            at = min(at + tile - overlap, length - tile)
            found.append(at)
        return found
    def fade(start, length):
        a = np.ones(int(tile * scale))
        ramp = (np.arange(int(overlap * scale)) + 0.5) / (overlap * scale)
        if start > 0:
            a[:len(ramp)] *= ramp
        if start + tile < length:
            a[-len(ramp):] *= ramp[::-1]
        return a
    total, weight = np.zeros((n_out, *out_size)), np.zeros(out_size)
    for y in starts(size[0]):
        for x in starts(size[1]):
            w = fade(y, size[0])[:, None] * fade(x, size[1])[None]
            at = (slice(int(y * scale), int((y + tile) * scale)), slice(int(x * scale), int((x + tile) * scale)))
            total[(slice(None), *at)] += w * whole(y, x)
            weight[at] += w
    return total / weight


def check_tiles(label, probe, vae, limit):
    z = torch.randn(1, 4, 11, 14, generator=torch.Generator().manual_seed(3))
    part = lambda y, x: vae.decode(z[:, :, y:y + 6, x:x + 6])[0].numpy()
    compare(f"{label} tiles", probe.run("decode 14 11 6 2", z), tiled(part, (11, 14), (88, 112), 6, 2, 8, 3), limit)
    x = torch.rand(1, 3, 88, 112, generator=torch.Generator().manual_seed(4)) * 2 - 1
    part = lambda y, c: vae.encode(x[:, :, y:y + 48, c:c + 48])[0].numpy()
    compare(f"{label} tiles", probe.run("encode 112 88 6 2", x), tiled(part, (88, 112), (11, 14), 48, 16, 1 / 8, 8), limit)


def check_text(label, probe, texts, limit):
    for i, text in enumerate(texts):
        ids = torch.randint(2, 590, (3, 77), generator=torch.Generator().manual_seed(i))
        ends = [5, 40, 76]
        for row, end in enumerate(ends):
            ids[row, 0], ids[row, end:] = 0, 1
        where = np.array([77 * row + end for row, end in enumerate(ends)], np.int32)
        out = text(input_ids=ids, output_hidden_states=True)
        pooled = [out.text_embeds.numpy().ravel()] if hasattr(out, "text_embeds") else []
        for penultimate in (0, 1):
            rows = out.hidden_states[-2] if penultimate else out.last_hidden_state
            ours = probe.run(f"text {i} 3 {penultimate}", ids.int().numpy(), where)
            compare(f"{label} {i} text", ours, np.concatenate([rows.numpy().ravel(), *pooled]), limit)


def clip_tokenizer(folder):
    """What transformers' CLIPTokenizer sets up (which does not load with every version of tokenizers)."""
    from tokenizers import Regex, Tokenizer, models as kinds, normalizers, pre_tokenizers
    merges = [tuple(line.split(" ")) for line in pathlib.Path(folder, "merges.txt").read_text().splitlines()[1:]]
    vocab = json.loads(pathlib.Path(folder, "vocab.json").read_text())
    made = Tokenizer(kinds.BPE(vocab=vocab, merges=merges, continuing_subword_prefix="", end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
    made.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    words = r"""<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(words), behavior="removed", invert=True),
                                                  pre_tokenizers.ByteLevel(add_prefix_space=False)])
    return made


def check_tokens(label, probe, root):
    theirs = clip_tokenizer(f"{root}/tokenizer")
    # Special tokens are ordinary text here; and tokenizers' regular expressions know Unicode up to version 14.
    newer = lambda c: 0x13460 <= ord(c) <= 0x143FF or 0x31350 <= ord(c) <= 0x33FFF
    strings = [s for s in hard_strings(11, 540) if "<|endoftext|>" not in s and not any(map(newer, s))]
    wrong = 0
    for s in strings:
        ours = [int(i) for i in probe.ask(f"tokens 0 {s.encode().hex()}").split()]
        if ours != theirs.encode(s).ids:
            wrong += 1
            if wrong <= 3:
                failures.append(f"{label}: tokens of {s!r}")
    print(f"  {label}: {len(strings) - wrong} of {len(strings)} strings give transformers' tokens")


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--probe", required=True)
    binary = args.parse_args().probe
    for name in models.MODELS:
        for dtype, quant, limit in ((torch.float32, "f32", 1e-4), (torch.float16, "", 1e-2), (torch.bfloat16, "", 5e-2)):
            if dtype == torch.bfloat16 and name != "sd1":
                continue
            with tempfile.TemporaryDirectory() as root:
                unet, vae, texts = models.make_model(name, root, dtype)
                label = f"{name} {str(dtype)[6:]}->{quant or 'kept'}"
                worst.clear()
                probe = Probe(binary, root, quant)
                check_unet(label, probe, name, unet, limit)
                check_vae(label, probe, vae, limit)
                check_tiles(label, probe, vae, limit)
                check_text(label, probe, texts, limit)
                if name == "sd1" and quant == "f32":
                    check_tokens(label, probe, root)
                probe.close()
                print(f"  {label}: " + ", ".join(f"{k} {v:.1e}" for k, v in worst.items()))
    for failure in failures:
        print("FAILED", failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
