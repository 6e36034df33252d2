"""Trains models/tiny-painter from scratch: a VAE, then a UNet with its text encoder, as a diffusers directory.

    OMP_NUM_THREADS=1 python3 train_painter.py vae  --work DIR --minutes 45
    OMP_NUM_THREADS=1 python3 train_painter.py unet --work DIR --minutes 90
    python3 train_painter.py export --work DIR --to models/tiny-painter

A second call of a stage goes on from its checkpoint for so many more minutes. The learning rate follows wall time: a
short warm-up, then a cosine to nearly zero at the end. Needs torch, transformers and safetensors.
"""
import argparse
import json
import math
import pathlib
import random
import time

import torch
import torch.nn.functional as F
from transformers import CLIPTextConfig, CLIPTextModel

import painter_data as data
import painter_model as model

N_STEPS, BETAS = 1000, (0.00085, 0.012)
ALPHAS = torch.cumprod(1 - torch.linspace(BETAS[0] ** 0.5, BETAS[1] ** 0.5, N_STEPS, dtype=torch.float64) ** 2, 0).float()
SNR_MOST = 5  # min-SNR weighting, Hang et al. 2023
CROPPED = 0.6  # so long the VAE sees parts of pictures
DROP = 0.1  # of the captions, for classifier-free guidance


def text_encoder():
    return CLIPTextModel(CLIPTextConfig(
        vocab_size=len(data.VOCABULARY), hidden_size=model.CONTEXT, intermediate_size=4 * model.CONTEXT,
        num_hidden_layers=2, num_attention_heads=model.HEADS, max_position_embeddings=data.LENGTH,
        bos_token_id=data.BEGIN, eos_token_id=data.END, pad_token_id=data.END, hidden_act="quick_gelu"))


class Clock:
    """The share of the minutes that has passed, and the learning rate that goes with it."""

    def __init__(self, minutes, peak):
        self.start, self.seconds, self.peak = time.monotonic(), minutes * 60, peak

    def share(self):
        return (time.monotonic() - self.start) / self.seconds

    def rate(self):
        share = self.share()
        return self.peak * min(1, share / 0.01 + 0.05) * (0.5 + 0.5 * math.cos(math.pi * min(1, share))) + self.peak / 100


def steps(optimiser, clock, log):
    """Yields until the time is over; takes the loss of each step by send()."""
    n, sums = 0, 0.0
    while clock.share() < 1:
        for group in optimiser.param_groups:
            group["lr"] = clock.rate()
        loss = yield n
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for g in optimiser.param_groups for p in g["params"]], 1.0)
        optimiser.step()
        n, sums = n + 1, sums + loss.item()
        if n % 100 == 0:
            print(f"{log} step {n}, {100 * clock.share():.1f} % of the time, loss {sums / 100:.5f}", flush=True)
            sums = 0.0


class Average:
    """An exponential moving average of parameters."""

    def __init__(self, parameters, decay):
        self.live, self.decay, self.n = list(parameters), decay, 0
        self.kept = [p.detach().clone() for p in self.live]

    def update(self):
        self.n += 1
        with torch.no_grad():
            torch._foreach_lerp_(self.kept, self.live, 1 - min(self.decay, (self.n + 1) / (self.n + 20)))

    def swap(self):
        with torch.no_grad():
            for live, kept in zip(self.live, self.kept):
                held = live.clone()
                live.copy_(kept)
                kept.copy_(held)


def edges(x):
    return torch.cat([(x[..., 1:, :] - x[..., :-1, :]).flatten(1), (x[..., :, 1:] - x[..., :, :-1]).flatten(1)], 1)


def save_sheet(images, path, columns=8):
    from PIL import Image

    rows = [torch.cat(list(images[i:i + columns]), 2) for i in range(0, len(images), columns)]
    sheet = torch.cat(rows, 1).clamp(-1, 1)
    Image.fromarray(((sheet + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()).save(path)


def pieces(x, cropped, rng):
    """Whole pictures, or a quarter of each, somewhere about the middle: a VAE learns colours and edges from them."""
    if cropped:
        half = data.SIZE // 2
        top, left = rng.randrange(8, half - 8), rng.randrange(8, half - 8)
        x = x[:, :, top:top + half, left:left + half]
    return x.contiguous(memory_format=torch.channels_last)


def train_vae(work, minutes):
    vae = model.Vae()
    path = work / "vae.pt"
    if path.exists():
        vae.load_state_dict(torch.load(path)["vae"])
    else:
        vae.quant_conv.bias.data[model.LATENTS:] = -6  # little noise to begin with
    vae = vae.to(memory_format=torch.channels_last)
    print("VAE", sum(p.numel() for p in vae.parameters()), "parameters", flush=True)
    rng, clock = random.Random(time.time()), Clock(minutes, 1.5e-3)
    optimiser = torch.optim.AdamW(vae.parameters(), 1e-3, betas=(0.9, 0.98), weight_decay=1e-4)
    average = Average(vae.parameters(), 0.998)
    running = steps(optimiser, clock, "vae")
    saved = time.monotonic()
    n = next(running)
    try:
        while True:
            x = pieces(data.batch(8, rng, 0.35)[0], clock.share() < CROPPED, rng)
            mean, log_variance = vae.encode(x)
            log_variance = log_variance.clamp(-20, 10)
            y = vae.decode(mean + torch.randn_like(mean) * (0.5 * log_variance).exp())
            kl = 0.5 * (mean * mean + log_variance.exp() - 1 - log_variance).mean()
            loss = F.l1_loss(y, x) + 2 * F.mse_loss(y, x) + F.l1_loss(edges(y), edges(x)) + 2e-6 * kl
            n = running.send(loss)
            average.update()
            if time.monotonic() - saved > 120:
                saved = time.monotonic()
                average.swap()
                save_vae(vae, path, work)
                average.swap()
    except StopIteration:
        pass
    average.swap()
    save_vae(vae, path, work)
    print("VAE steps", n, flush=True)


def save_vae(vae, path, work):
    torch.manual_seed(1)
    x, _ = data.batch(16, random.Random(1), 0.35)
    vae.eval()
    with torch.no_grad():
        mean, log_variance = vae.encode(x)
        y = vae.decode(mean)
    print(f"VAE: mean square error {F.mse_loss(y, x):.6f}, latents' deviation {mean.std():.3f}, "
          f"noise {(0.5 * log_variance).exp().mean():.4f}", flush=True)
    torch.save({"vae": vae.state_dict()}, path)
    save_sheet(torch.cat([x[:8], y[:8], x[8:], y[8:]]), work / "vae.png")
    vae.train()
    torch.seed()


def load_vae(work):
    vae = model.Vae()
    vae.load_state_dict(torch.load(work / "vae.pt")["vae"])
    return vae.eval().to(memory_format=torch.channels_last)


def latents(work, n):
    """Pictures encoded once: latents (not scaled) and the tokens of their captions; kept in the work directory."""
    path = work / "latents.pt"
    if path.exists() and path.stat().st_mtime > (work / "vae.pt").stat().st_mtime:
        return torch.load(path)
    vae, rng, found, ids = load_vae(work), random.Random(time.time()), [], []
    with torch.no_grad():
        while len(ids) < n:
            x, captions = data.batch(64, rng)
            found.append(vae.encode(x.contiguous(memory_format=torch.channels_last))[0].half())
            ids += [data.tokens(c) for c in captions]
    result = {"latents": torch.cat(found), "tokens": torch.tensor(ids, dtype=torch.int16)}
    torch.save(result, path)
    print("latents", len(ids), "deviation", result["latents"].float().std().item(), flush=True)
    return result


def sample(unet, encoder, vae, scale, captions, seed, n_steps=25, guidance=4.0):
    """DDIM, Song et al. 2020, eta 0."""
    generator = torch.Generator().manual_seed(seed)
    context = encoder(torch.tensor([data.tokens(c) for c in [""] * len(captions) + captions])).last_hidden_state
    x = torch.randn(len(captions), model.LATENTS, data.SIZE // 8, data.SIZE // 8, generator=generator)
    times = torch.linspace(N_STEPS - 1, 0, n_steps + 1).long()
    for i in range(n_steps):
        without, with_text = unet(torch.cat([x, x]), times[i].expand(2 * len(x)), context).chunk(2)
        noise = without + guidance * (with_text - without)
        a, b = ALPHAS[times[i]], ALPHAS[times[i + 1]] if i + 1 < n_steps else torch.tensor(1.0)
        x = b.sqrt() * (x - (1 - a).sqrt() * noise) / a.sqrt() + (1 - b).sqrt() * noise
    return vae.decode(x / scale)


def train_unet(work, minutes, n_latents):
    kept = latents(work, n_latents)
    scale = 1 / kept["latents"].float().std().item()
    unet, encoder = model.Unet(), text_encoder()
    path = work / "unet.pt"
    if path.exists():
        before = torch.load(path)
        unet.load_state_dict(before["unet"])
        encoder.load_state_dict(before["encoder"])
        scale = before["scale"]
    unet = unet.to(memory_format=torch.channels_last)
    parameters = list(unet.parameters()) + list(encoder.parameters())
    print("UNet", sum(p.numel() for p in unet.parameters()), "text encoder", sum(p.numel() for p in encoder.parameters()),
          "parameters", flush=True)
    optimiser = torch.optim.AdamW(parameters, 1e-3, betas=(0.9, 0.98), weight_decay=1e-3)
    average = Average(parameters, 0.999)
    clock = Clock(minutes, 1.2e-3)
    running, saved, size = steps(optimiser, clock, "unet"), time.monotonic(), 64
    empty = torch.tensor(data.tokens(""))
    n = next(running)
    try:
        while True:
            at = torch.randint(len(kept["tokens"]), (size,))
            z = (kept["latents"][at].float() * scale).contiguous(memory_format=torch.channels_last)
            ids = torch.where(torch.rand(size, 1) < DROP, empty, kept["tokens"][at].long())
            t = (N_STEPS * torch.rand(size).sqrt()).long().clamp(max=N_STEPS - 1)
            noise, a = torch.randn_like(z), ALPHAS[t][:, None, None, None]
            guess = unet(a.sqrt() * z + (1 - a).sqrt() * noise, t, encoder(ids).last_hidden_state)
            snr = ALPHAS[t] / (1 - ALPHAS[t])
            n = running.send((((guess - noise) ** 2).mean((1, 2, 3)) * snr.clamp(max=SNR_MOST) / snr).mean())
            average.update()
            if time.monotonic() - saved > 300:
                saved = time.monotonic()
                average.swap()
                save_unet(unet, encoder, scale, work)
                average.swap()
    except StopIteration:
        pass
    average.swap()
    save_unet(unet, encoder, scale, work)
    print("UNet steps", n, flush=True)


SHOWN = ["a large red circle on a blue background", "a small green square on yellow", "a star on the left on white",
         "a large yellow triangle on a purple background", "a white ring on black", "a small orange cross at the top on white",
         "a red circle and a blue square on a white background", "a green star and a yellow ring on black"]
SHOWN[2] = "a purple star on the left on white"


def save_unet(unet, encoder, scale, work):
    torch.save({"unet": unet.state_dict(), "encoder": encoder.state_dict(), "scale": scale}, work / "unet.new")
    (work / "unet.new").replace(work / "unet.pt")
    unet.eval()
    with torch.no_grad():
        vae = load_vae(work)
        save_sheet(torch.cat([sample(unet, encoder, vae, scale, SHOWN, seed) for seed in (1, 2)]), work / "unet.png")
    unet.train()


# --- the diffusers directory --------------------------------------------------------------------------------------------


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n")


def save_weights(module, path):
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    state = {k: v.half().contiguous() for k, v in module.state_dict().items() if not k.endswith("position_ids")}
    save_file(state, path, metadata={"format": "pt"})


def export(work, to):
    weights = torch.load(work / "unet.pt")
    unet, encoder, vae = model.Unet(), text_encoder(), load_vae(work)
    unet.load_state_dict(weights["unet"])
    encoder.load_state_dict(weights["encoder"])
    n = len(model.UNET_CHANNELS)
    write_json(to / "model_index.json", {
        "_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.30.0", "feature_extractor": [None, None],
        "requires_safety_checker": False, "safety_checker": [None, None],
        "scheduler": ["diffusers", "DDIMScheduler"], "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"], "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"]})
    write_json(to / "scheduler/scheduler_config.json", {
        "_class_name": "DDIMScheduler", "beta_start": BETAS[0], "beta_end": BETAS[1], "beta_schedule": "scaled_linear",
        "num_train_timesteps": N_STEPS, "prediction_type": "epsilon", "clip_sample": False, "set_alpha_to_one": False,
        "steps_offset": 1, "timestep_spacing": "leading", "trained_betas": None})
    write_json(to / "unet/config.json", {
        "_class_name": "UNet2DConditionModel", "act_fn": "silu", "attention_head_dim": model.HEADS,
        "block_out_channels": list(model.UNET_CHANNELS), "center_input_sample": False,
        "cross_attention_dim": model.CONTEXT, "downsample_padding": 1, "flip_sin_to_cos": True, "freq_shift": 0,
        "down_block_types": ["CrossAttnDownBlock2D"] * (n - 1) + ["DownBlock2D"], "in_channels": model.LATENTS,
        "layers_per_block": 1, "mid_block_scale_factor": 1, "norm_eps": 1e-5, "norm_num_groups": model.GROUPS,
        "out_channels": model.LATENTS, "sample_size": data.SIZE // 8,
        "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * (n - 1)})
    n = len(model.VAE_CHANNELS)
    write_json(to / "vae/config.json", {
        "_class_name": "AutoencoderKL", "act_fn": "silu", "block_out_channels": list(model.VAE_CHANNELS),
        "down_block_types": ["DownEncoderBlock2D"] * n, "up_block_types": ["UpDecoderBlock2D"] * n, "in_channels": 3,
        "latent_channels": model.LATENTS, "layers_per_block": 1, "norm_num_groups": model.GROUPS, "out_channels": 3,
        "sample_size": data.SIZE, "scaling_factor": weights["scale"]})
    save_weights(unet, to / "unet/diffusion_pytorch_model.safetensors")
    save_weights(vae, to / "vae/diffusion_pytorch_model.safetensors")
    save_weights(encoder, to / "text_encoder/model.safetensors")
    encoder.config.architectures = ["CLIPTextModel"]
    encoder.config.dtype = "float16"
    write_json(to / "text_encoder/config.json", encoder.config.to_dict())
    write_json(to / "tokenizer/vocab.json", data.VOCABULARY)
    merges = "".join(f"{a} {b}\n" for a, b in data.MERGES)
    (to / "tokenizer/merges.txt").write_text("#version: 0.2\n" + merges)
    write_json(to / "tokenizer/special_tokens_map.json", {
        "bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>"})
    write_json(to / "tokenizer/tokenizer_config.json", {
        "tokenizer_class": "CLIPTokenizer", "do_lower_case": True, "model_max_length": data.LENGTH,
        "bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>", "errors": "replace", "add_prefix_space": False})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stage", choices=["vae", "unet", "export"])
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--latents", type=int, default=40000)
    parser.add_argument("--to", type=pathlib.Path)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if options.stage == "vae":
        train_vae(options.work, options.minutes)
    elif options.stage == "unet":
        train_unet(options.work, options.minutes, options.latents)
    else:
        export(options.work, options.to)


if __name__ == "__main__":
    main()
