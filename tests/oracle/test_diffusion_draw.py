"""Whole drawings by the diffusion engine against the same pipeline in Python: encoders, guidance, sampler, noise, VAE.

usage: test_diffusion_draw.py --probe PROBE"""
import argparse
import pathlib
import sys
import tempfile

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import models_diffusion as models
from diffusion_reference import Sampler, philox_normal
from test_diffusion import Probe, clip_tokenizer

torch.set_num_threads(1)
torch.set_grad_enabled(False)
failures = []


class Pipeline:
    def __init__(self, name, root):
        self.spec = models.MODELS[name]
        self.unet, self.vae, self.texts = models.make_model(name, root)
        folders = ["tokenizer", "tokenizer_2"][:len(self.texts)]
        self.tokenizers = [clip_tokenizer(pathlib.Path(root) / f) for f in folders]
        self.pads = [1, self.tokenizers[-1].token_to_id("!")]
        self.xl = len(self.texts) == 2

    def chunks(self, which, runs):
        found, ids, weights = [], [], []
        def end():
            found.append(([0] + ids + [1] + [self.pads[which]] * (75 - len(ids)), [1.0] + weights + [1.0] * (76 - len(weights)), 1 + len(ids)))
            ids.clear(), weights.clear()
        for text, weight in runs:
            if text == "BREAK":
                end()
                continue
            for i in self.tokenizers[which].encode(text).ids:
                if len(ids) == 75:
                    end()
                ids.append(i), weights.append(weight)
        end()
        return found

    def encode(self, runs, n_chunks):
        if self.xl and not runs:
            return torch.zeros(1, 77 * n_chunks, self.spec["unet"]["cross_attention_dim"]), torch.zeros(1, 24)
        parts, pooled = [], None
        for which, text in enumerate(self.texts):
            chunks = self.chunks(which, runs)
            while len(chunks) < n_chunks:
                chunks.append(([0, 1] + [self.pads[which]] * 75, [1.0] * 77, 1))
            out = text(input_ids=torch.tensor([c[0] for c in chunks]), output_hidden_states=True)
            rows = out.hidden_states[-2] if self.xl else out.last_hidden_state
            if any(w != 1 for c in chunks for w in c[1]):
                weighted = rows * torch.tensor([c[1] for c in chunks])[..., None]
                ratio = rows.mean((1, 2), keepdim=True) / weighted.mean((1, 2), keepdim=True)
                ratio = torch.where((ratio.abs() >= 0.1) & (ratio.abs() <= 10), ratio, torch.ones(()))
                rows = weighted * ratio
            parts.append(rows.flatten(0, 1)[None])
            if self.xl and which == 1:
                last = out.last_hidden_state
                pooled = text.text_projection(last[0, chunks[0][2]])[None]
        return torch.cat(parts, -1), pooled

    def draw(self, job):
        w, h = job["width"] // 8, job["height"] // 8
        n = max(len(self.chunks(i, runs)) for i in range(len(self.texts)) for runs in (job["prompt"], job["negative"]))
        cond, uncond = self.encode(job["prompt"], n), self.encode(job["negative"], n)
        c, scaling = self.spec["unet"], self.spec["vae"]["scaling_factor"]
        lcm = "time_cond_proj_dim" in c
        guided = job["guidance"] > 1 and not lcm
        text, added = (torch.cat([uncond[0], cond[0]]), None) if guided else (cond[0], None)
        if self.xl:
            sizes = models.sinusoid(torch.tensor([job["height"], job["width"], 0, 0, job["height"], job["width"]]).float(), c["addition_time_embed_dim"])
            pooled = torch.cat([uncond[1], cond[1]]) if guided else cond[1]
            added = torch.cat([pooled, sizes.flatten()[None].expand(len(pooled), -1)], 1)
        sampler = Sampler(job["sampler"], job["steps"], "leading", 1, self.spec["schedule"].get("prediction_type", "epsilon"))
        shape, calls = (4, h, w), 0
        def noise():
            nonlocal calls
            calls += 1
            return philox_normal(job["seed"], calls, 4 * h * w).astype(np.float64).reshape(shape)
        first_noise, clean, first, mask, extra = noise(), None, 0, None, None
        latents = lambda image: self.vae.encode(image[None])[0, :4].double().numpy() * scaling
        if job.get("image") is not None:
            image = torch.tensor(job["image"]).permute(2, 0, 1).float() / 127.5 - 1
            clean = latents(image)
            first = job["steps"] - max(1, int(job["steps"] * job["strength"]))
        if job.get("mask") is not None:
            mask = (job["mask"][::8, ::8] >= 128)[None].astype(np.float64)
            if c["in_channels"] == 9:
                hidden = torch.tensor(job["mask"] >= 128)[None]
                extra = np.concatenate([mask, latents(torch.where(hidden, torch.zeros(()), image))])
        inpainter = extra is not None
        sampler.begin(first_noise, clean if first > 0 or not inpainter else None, first)
        for i in range(first, job["steps"]):
            x = sampler.input(i)
            x = torch.tensor(np.concatenate([x, extra]) if inpainter else x).float()[None].expand(len(text), -1, -1, -1)
            out = self.unet(x, float(sampler.times[i]), text, added, job["guidance"]).double().numpy()
            if guided:
                both, out = out, out[0] + job["guidance"] * (out[1] - out[0])
                if job["rescale"]:
                    out = job["rescale"] * out * both[1].std() / out.std() + (1 - job["rescale"]) * out
            else:
                out = out[0]
            fresh = noise() if job["sampler"] in ("euler_a", "lcm") and i + 1 < job["steps"] else np.zeros(shape)
            sampler.step(i, out, fresh)
            if mask is not None and not inpainter:
                sampler.x = np.where(mask > 0, sampler.x, sampler.noised(i + 1, clean, first_noise))
        pixels = self.vae.decode(torch.tensor(sampler.x / scaling).float()[None])[0].permute(1, 2, 0).numpy()
        rgb = np.floor(np.clip(pixels * 127.5 + 127.5, 0, 255) + 0.5)
        return rgb if job.get("mask") is None else np.where((job["mask"] >= 128)[..., None], rgb, job["image"])


def written(runs):
    """The prompt as text: weights in brackets."""
    return " ".join(t if w == 1 else f"({t}:{w})" for t, w in runs)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--probe", required=True)
    binary = args.parse_args().probe
    rng = np.random.default_rng(5)
    picture = lambda w, h: (rng.random((h // 8, w // 8, 3)).repeat(8, 0).repeat(8, 1) * 255).astype(np.uint8)
    plain = {"width": 64, "height": 64, "steps": 6, "guidance": 4.0, "rescale": 0.0, "seed": 7, "sampler": "ddim", "strength": 1.0,
             "prompt": [("a small red circle on a blue background", 1)], "negative": []}
    half = np.zeros((56, 72), np.uint8)
    half[:, 40:] = 255
    weighted = [("the quick brown", 1), ("fox", 1.3), ("jumps over " * 40, 1), ("lazy", 0.6), ("BREAK", 1), ("dog", 1)]
    wide = {"width": 72, "height": 56}
    jobs = [("sd1", plain), ("sd1", plain | {"prompt": weighted, "negative": [("ugly", 1)], "sampler": "euler_a", "seed": 2 ** 40 + 3}),
            ("sd1", plain | wide | {"image": picture(72, 56), "strength": 0.5, "sampler": "dpmpp_2m", "steps": 8}),
            ("sd1", plain | wide | {"image": picture(72, 56), "mask": half, "strength": 0.8, "sampler": "euler"}),
            ("sd1", plain | {"guidance": 1.0}),
            ("sd2", plain | {"rescale": 0.7, "sampler": "euler_karras"}), ("sd2", plain | wide | {"sampler": "dpmpp_2m_karras"}),
            ("sdxl", plain | {"sampler": "euler"}), ("sdxl", plain | wide | {"prompt": weighted, "negative": [("ugly", 1.2)]}),
            ("lcm", plain | wide | {"image": picture(72, 56), "mask": half, "sampler": "lcm", "steps": 4})]
    text = lambda runs: written(runs).encode().hex() or "-"
    for name in dict.fromkeys(n for n, _ in jobs):
        with tempfile.TemporaryDirectory() as root:
            pipeline = Pipeline(name, root)
            probe = Probe(binary, root, "f32")
            for job in (j for n, j in jobs if n == name):
                image, mask = job.get("image"), job.get("mask")
                probe.run(f"draw {job['width']} {job['height']} {job['steps']} {job['guidance']} {job['rescale']} {job['seed']} {job['sampler']} "
                          f"{job['strength']} {int(image is not None)} {int(mask is not None)} {text(job['prompt'])} {text(job['negative'])}",
                          *[a for a in (image, mask) if a is not None])
                ours = np.fromfile(pathlib.Path(root) / "out.bin", np.uint8).reshape(job["height"], job["width"], 3).astype(float)
                theirs = pipeline.draw(job)
                most, mean = np.abs(ours - theirs).max(), np.abs(ours - theirs).mean()
                label = f"{name} {job['sampler']} {'image ' if image is not None else ''}{'mask' if mask is not None else ''}"
                print(f"  {label}: differs by at most {most:.0f} of 255, {mean:.4f} on average; deviation of the picture {theirs.std():.0f}")
                if not (most <= 1 and mean < 0.01):
                    failures.append(label)
            probe.close()
    for failure in failures:
        print("FAILED", failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
