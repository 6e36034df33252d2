"""Trains tiny-whisper from scratch on the CPU, on eSpeak NG speech that is made as it is needed.

    python3 train_whisper.py --work /some/directory --minutes 75 --export models/tiny-whisper

First pieces of a few seconds, then longer ones, and at the end whole windows of 30 s as programs present them. Matrices are
trained with Muon, the rest with Adam; the running average of the weights is what is exported. A checkpoint every two
minutes; the same command goes on from it. Needs torch, numpy, safetensors, transformers (mel filters) and libespeak-ng.
"""
import argparse
import pathlib
import random
import time

import torch

import whisper_model
from speech_windows import N_PHONEMES, Windows

LEARNT_PART = ("text", "time", "phone", "align", "right")


class Muon(torch.optim.Optimizer):
    """Momentum whose update is orthogonalised (Jordan et al. 2024); matrices of one shape go together."""

    def __init__(self, params, lr, momentum=0.95, weight_decay=0.01):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            shapes = {}
            for p in group["params"]:
                momentum = self.state[p].setdefault("momentum", torch.zeros_like(p))
                momentum.lerp_(p.grad, 1 - group["momentum"])
                shapes.setdefault(p.shape, []).append((p, p.grad.lerp(momentum, group["momentum"])))
            for shape, pairs in shapes.items():
                updates = newton_schulz(torch.stack([u for _, u in pairs])) * max(1, shape[0] / shape[1]) ** 0.5
                for (p, _), u in zip(pairs, updates):
                    p.mul_(1 - group["lr"] * group["weight_decay"]).add_(u, alpha=-group["lr"])


def newton_schulz(g):
    tall = g.shape[-2] > g.shape[-1]
    x = g.mT if tall else g
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.mT if tall else x


def curriculum(share, rng, budget):
    """(positions, rows, few sentences, long prompts) of the next batch after this share of the time."""
    if share < 0.1:
        n = rng.randint(75, 180)
        return n, budget // n, True, False
    if rng.random() < min(0.5, max(0.0, 2 * share - 1)):
        return 1500, max(2, budget // 1500), False, rng.random() < 0.4
    if rng.random() < 0.1 and share > 0.3:
        n = rng.randint(600, 1200)
        return n, max(3, budget // n), False, False
    n = rng.randint(125, 350)
    return n, budget // n, rng.random() < 0.5, share > 0.4 and rng.random() < 0.15


class Run:
    def __init__(self, args):
        self.args, self.rng = args, random.Random(args.seed)
        self.file = args.work / "checkpoint.pt"
        torch.manual_seed(args.seed)
        self.step, self.spent, self.heard, self.batches = 0, 0.0, 0.0, iter(())
        saved = torch.load(self.file) if self.file.exists() else None
        self.windows = Windows(args.seed + (saved["step"] if saved else 0))
        self.model = whisper_model.Whisper(self.windows.first_tick, N_PHONEMES)
        named = dict(self.model.named_parameters())
        inner = {n: p for n, p in named.items() if p.dim() == 2 and ".layers." in n}
        matrices, rest = list(inner.values()), [p for n, p in named.items() if n not in inner]
        self.rest = rest
        self.optimizers = [Muon(matrices, args.muon), torch.optim.AdamW(rest, args.adam, betas=(0.9, 0.98), weight_decay=0.0,
            fused=True)]
        self.base = [args.muon, args.adam]
        self.average = {n: p.detach().clone() for n, p in named.items()}
        if saved:
            self.resume(saved)

    def resume(self, saved):
        self.model.load_state_dict(saved["model"])
        self.average, self.step, self.spent, self.heard = saved["average"], saved["step"], saved["spent"], saved["heard"]
        self.windows.phonemes = saved["phonemes"]
        for o, state in zip(self.optimizers, saved["optimizers"]):
            o.load_state_dict(state)

    def save(self):
        torch.save({"model": self.model.state_dict(), "average": self.average, "step": self.step, "spent": self.spent,
            "heard": self.heard, "phonemes": self.windows.phonemes, "optimizers": [o.state_dict() for o in self.optimizers]},
            self.file.with_suffix(".new"))
        self.file.with_suffix(".new").rename(self.file)

    def one(self):
        share = self.spent / (self.args.minutes * 60)
        factor = min(1.0, (self.step + 1) / 100) * min(1.0, max(0.0, (1 - share) / self.args.decay))
        for o, lr in zip(self.optimizers, self.base):
            o.param_groups[0]["lr"] = lr * factor
        made = time.monotonic()
        batch = next(self.batches, None)
        if batch is None:
            self.batches = self.windows.batches(*curriculum(share, self.rng, self.args.budget))
            batch = next(self.batches)
        made = time.monotonic() - made
        rows, n = batch["labels"].shape
        losses = self.model.loss(batch)
        fade = max(0.1, 1 - 2 * share)
        (losses["text"] + 0.3 * losses["time"] + 0.4 * fade * losses["phone"] + 0.2 * fade * losses["align"]).backward()
        torch.nn.utils.clip_grad_norm_([p for p in self.rest if p.grad is not None], 1.0)
        for o in self.optimizers:
            o.step()
            o.zero_grad()
        with torch.no_grad():
            keep = min(0.996, (self.step + 1) / (self.step + 20))
            for name, p in self.model.named_parameters():
                self.average[name].lerp_(p, 1 - keep)
        self.step, self.heard = self.step + 1, self.heard + n * rows / 50
        return [losses[k].item() for k in LEARNT_PART] + [made]

    def loop(self):
        began, saved, told = time.monotonic() - self.spent, time.monotonic(), []
        while self.spent < self.args.minutes * 60:
            before = time.monotonic()
            told.append(self.one() + [time.monotonic() - before])
            self.spent = time.monotonic() - began
            if self.step % 50 == 0:
                means = torch.tensor(told).nanmean(0).tolist()
                print(f"step {self.step} " + " ".join(f"{k} {v:.3f}" for k, v in zip((*LEARNT_PART, "making", "all"), means))
                    + f" hours {self.heard / 3600:.2f} minutes {self.spent / 60:.1f}", flush=True)
                told = []
            if time.monotonic() - saved > 120:
                saved = time.monotonic()
                self.save()
        self.save()


def export(args, which):
    from safetensors.torch import save_file
    saved = torch.load(args.work / "checkpoint.pt")
    from whisper_tokens import Tokens
    tokens = Tokens()
    model = whisper_model.Whisper(len(tokens.used), N_PHONEMES)
    model.load_state_dict(saved["model"] | (saved["average"] if which == "average" else {}))
    args.export.mkdir(parents=True, exist_ok=True)
    tokens.write(args.export, whisper_model.SIZES, whisper_model.ALIGNMENT_HEADS)
    file = args.export / "model.safetensors"
    save_file(whisper_model.exported(model, tokens.used), file, metadata={"format": "pt"})
    file.chmod(0o644)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="directory for the checkpoint")
    parser.add_argument("--export", type=pathlib.Path, help="write the Hugging Face directory here")
    parser.add_argument("--export-only", action="store_true", help="export the last checkpoint and stop")
    parser.add_argument("--minutes", type=float, default=75)
    parser.add_argument("--decay", type=float, default=0.65, help="share of the time over which the rate falls to zero")
    parser.add_argument("--budget", type=int, default=3000, help="positions of 20 ms in a step")
    parser.add_argument("--muon", type=float, default=0.006)
    parser.add_argument("--adam", type=float, default=0.001)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    if not args.export_only:
        Run(args).loop()
    if args.export:
        export(args, "average")


if __name__ == "__main__":
    main()
