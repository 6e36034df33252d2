"""Tiny random diffusion models, and the PyTorch networks that say what they compute. The networks are written here from
the published architecture; their parameters have the names that Diffusers gives them, so that a state dict is a model
file. Text encoders are transformers' own."""
import json
import math
import pathlib

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file


def sinusoid(values, dim):
    half = dim // 2
    angles = values[:, None].float() * torch.exp(-math.log(10000) * torch.arange(half).float() / half)
    return torch.cat([angles.cos(), angles.sin()], -1)


class ResnetBlock(nn.Module):
    def __init__(self, n_in, n_out, time, groups, eps):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, n_in, eps)
        self.conv1 = nn.Conv2d(n_in, n_out, 3, 1, 1)
        if time:
            self.time_emb_proj = nn.Linear(time, n_out)
        self.norm2 = nn.GroupNorm(groups, n_out, eps)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, 1, 1)
        if n_in != n_out:
            self.conv_shortcut = nn.Conv2d(n_in, n_out, 1)

    def forward(self, x, time=None):
        h = self.conv1(F.silu(self.norm1(x)))
        if time is not None:
            h = h + self.time_emb_proj(F.silu(time))[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x)


class Attention(nn.Module):
    def __init__(self, width, other, heads, bias=False, groups=0):
        super().__init__()
        if groups:
            self.group_norm = nn.GroupNorm(groups, width, 1e-6)
        self.heads = heads
        self.to_q, self.to_k, self.to_v = (nn.Linear(n, width, bias=bias) for n in (width, other, other))
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x, other=None):
        other = x if other is None else other
        split = lambda t: t.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        q, k, v = split(self.to_q(x)), split(self.to_k(other)), split(self.to_v(other))
        weights = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(-1)
        return self.to_out[0]((weights @ v).transpose(1, 2).flatten(2))


class GatedUp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.proj = nn.Linear(width, 8 * width)

    def forward(self, x):
        value, gate = self.proj(x).chunk(2, -1)
        return value * F.gelu(gate)


class TransformerBlock(nn.Module):
    def __init__(self, width, text, heads):
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.attn1 = Attention(width, width, heads)
        self.attn2 = Attention(width, text, heads)
        self.ff = nn.Module()
        self.ff.net = nn.ModuleList([GatedUp(width), nn.Identity(), nn.Linear(4 * width, width)])

    def forward(self, x, text):
        x = x + self.attn1(self.norm1(x))
        x = x + self.attn2(self.norm2(x), text)
        return x + self.ff.net[2](self.ff.net[0](self.norm3(x)))


class Transformer(nn.Module):
    def __init__(self, width, text, heads, depth, groups, linear):
        super().__init__()
        self.norm = nn.GroupNorm(groups, width, 1e-6)
        make = (lambda: nn.Linear(width, width)) if linear else (lambda: nn.Conv2d(width, width, 1))
        self.linear, self.proj_in, self.proj_out = linear, make(), make()
        self.transformer_blocks = nn.ModuleList([TransformerBlock(width, text, heads) for _ in range(depth)])

    def forward(self, x, text):
        n, c, h, w = x.shape
        rows = lambda t: t.flatten(2).transpose(1, 2)
        picture = lambda t: t.transpose(1, 2).unflatten(2, (h, w))
        y = self.norm(x)
        y = self.proj_in(rows(y)) if self.linear else rows(self.proj_in(y))
        for block in self.transformer_blocks:
            y = block(y, text)
        y = picture(self.proj_out(y)) if self.linear else self.proj_out(picture(y))
        return x + y


def sampler(conv):
    """A down- or upsampler: a convolution by the name of conv."""
    module = nn.Module()
    module.conv = conv
    return nn.ModuleList([module])


def per_level(value, n):
    return list(value) if isinstance(value, (list, tuple)) else [value] * n


class UNet(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        chans, n, groups, eps = c["block_out_channels"], c["layers_per_block"], c["norm_num_groups"], c["norm_eps"]
        heads, depth = per_level(c["attention_head_dim"], len(chans)), per_level(c.get("transformer_layers_per_block", 1), len(chans))
        time = 4 * chans[0]
        two = lambda a, b: nn.ModuleDict({"linear_1": nn.Linear(a, b), "linear_2": nn.Linear(b, b)})
        self.time_embedding = two(chans[0], time)
        if c.get("time_cond_proj_dim"):
            self.time_embedding["cond_proj"] = nn.Linear(c["time_cond_proj_dim"], chans[0], bias=False)
        if c.get("addition_embed_type"):
            self.add_embedding = two(c["projection_class_embeddings_input_dim"], time)
        attention = lambda i: Transformer(chans[i], c["cross_attention_dim"], heads[i], depth[i], groups, c.get("use_linear_projection", False))
        res = lambda a, b: ResnetBlock(a, b, time, groups, eps)
        self.conv_in = nn.Conv2d(c["in_channels"], chans[0], 3, 1, 1)
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        came = [chans[0]]
        for i, width in enumerate(chans):
            block = nn.Module()
            block.resnets = nn.ModuleList([res(came[-1] if k == 0 else width, width) for k in range(n)])
            if "Cross" in c["down_block_types"][i]:
                block.attentions = nn.ModuleList([attention(i) for _ in range(n)])
            came += [width] * n
            if i < len(chans) - 1:
                block.downsamplers = sampler(nn.Conv2d(width, width, 3, 2, 1))
                came.append(width)
            self.down_blocks.append(block)
        last = len(chans) - 1
        self.mid_block = nn.Module()
        self.mid_block.resnets = nn.ModuleList([res(chans[last], chans[last]) for _ in range(2)])
        self.mid_block.attentions = nn.ModuleList([attention(last)])
        below = chans[last]
        for j in range(len(chans)):
            i = last - j
            block = nn.Module()
            block.resnets = nn.ModuleList()
            for _ in range(n + 1):
                block.resnets.append(res(below + came.pop(), chans[i]))
                below = chans[i]
            if "Cross" in c["up_block_types"][j]:
                block.attentions = nn.ModuleList([attention(i) for _ in range(n + 1)])
            if i > 0:
                block.upsamplers = sampler(nn.Conv2d(chans[i], chans[i], 3, 1, 1))
            self.up_blocks.append(block)
        self.conv_norm_out = nn.GroupNorm(groups, chans[0], eps)
        self.conv_out = nn.Conv2d(chans[0], c["out_channels"], 3, 1, 1)

    def embed(self, t, batch, added, guidance):
        e = sinusoid(torch.tensor([t]), self.c["block_out_channels"][0])
        two = lambda m, x: m["linear_2"](F.silu(m["linear_1"](x)))
        if self.c.get("time_cond_proj_dim"):
            half = self.c["time_cond_proj_dim"] // 2
            angles = (guidance - 1) * 1000.0 * torch.exp(-math.log(10000.0) * torch.arange(half, dtype=torch.float64) / (half - 1))
            e = e + self.time_embedding["cond_proj"](torch.cat([angles.sin(), angles.cos()])[None].float())
        e = two(self.time_embedding, e).expand(batch, -1)
        return e + two(self.add_embedding, added) if added is not None else e

    def forward(self, x, t, text, added=None, guidance=0.0):
        e = self.embed(t, x.shape[0], added, guidance)
        x = self.conv_in(x)
        skips = [x]
        for block in self.down_blocks:
            for k, res in enumerate(block.resnets):
                x = res(x, e)
                if hasattr(block, "attentions"):
                    x = block.attentions[k](x, text)
                skips.append(x)
            if hasattr(block, "downsamplers"):
                x = block.downsamplers[0].conv(x)
                skips.append(x)
        x = self.mid_block.resnets[0](x, e)
        x = self.mid_block.resnets[1](self.mid_block.attentions[0](x, text), e)
        for block in self.up_blocks:
            for k, res in enumerate(block.resnets):
                x = res(torch.cat([x, skips.pop()], 1), e)
                if hasattr(block, "attentions"):
                    x = block.attentions[k](x, text)
            if hasattr(block, "upsamplers"):
                x = block.upsamplers[0].conv(F.interpolate(x, size=skips[-1].shape[2:], mode="nearest"))
        return self.conv_out(F.silu(self.conv_norm_out(x)))


class VaeMiddle(nn.Module):
    def __init__(self, width, groups):
        super().__init__()
        self.resnets = nn.ModuleList([ResnetBlock(width, width, 0, groups, 1e-6) for _ in range(2)])
        self.attentions = nn.ModuleList([Attention(width, width, 1, True, groups)])

    def forward(self, x):
        x = self.resnets[0](x)
        y = self.attentions[0].group_norm(x).flatten(2).transpose(1, 2)
        x = x + self.attentions[0](y).transpose(1, 2).unflatten(2, x.shape[2:])
        return self.resnets[1](x)


class VaeSide(nn.Module):
    def __init__(self, c, decodes):
        super().__init__()
        chans, n, groups, latents = c["block_out_channels"], c["layers_per_block"], c["norm_num_groups"], c["latent_channels"]
        self.decodes = decodes
        order = chans[::-1] if decodes else chans
        self.conv_in = nn.Conv2d(latents if decodes else 3, order[0], 3, 1, 1)
        blocks, before = nn.ModuleList(), order[0]
        for i, width in enumerate(order):
            block = nn.Module()
            block.resnets = nn.ModuleList([ResnetBlock(before if k == 0 else width, width, 0, groups, 1e-6) for k in range(n + decodes)])
            before = width
            if i < len(order) - 1:
                setattr(block, "upsamplers" if decodes else "downsamplers",
                        sampler(nn.Conv2d(width, width, 3, 1 if decodes else 2, 1 if decodes else 0)))
            blocks.append(block)
        setattr(self, "up_blocks" if decodes else "down_blocks", blocks)
        self.mid_block = VaeMiddle(chans[-1], groups)
        self.conv_norm_out = nn.GroupNorm(groups, order[-1], 1e-6)
        self.conv_out = nn.Conv2d(order[-1], 3 if decodes else 2 * latents, 3, 1, 1)

    def forward(self, x):
        x = self.conv_in(x)
        if self.decodes:
            x = self.mid_block(x)
        for block in self.up_blocks if self.decodes else self.down_blocks:
            for res in block.resnets:
                x = res(x)
            if hasattr(block, "upsamplers"):
                x = block.upsamplers[0].conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
            if hasattr(block, "downsamplers"):
                x = block.downsamplers[0].conv(F.pad(x, (0, 1, 0, 1)))
        if not self.decodes:
            x = self.mid_block(x)
        return self.conv_out(F.silu(self.conv_norm_out(x)))


class Vae(nn.Module):
    def __init__(self, c):
        super().__init__()
        n = c["latent_channels"]
        self.encoder, self.decoder = VaeSide(c, False), VaeSide(c, True)
        self.quant_conv, self.post_quant_conv = nn.Conv2d(2 * n, 2 * n, 1), nn.Conv2d(n, n, 1)

    def encode(self, x):
        return self.quant_conv(self.encoder(x))

    def decode(self, z):
        return self.decoder(self.post_quant_conv(z))


def shake(module, generator):
    """Random weights under which every part of the network matters, and nothing explodes."""
    for name, p in module.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        if p.dim() == 1:
            p.data = noise * 0.2 + (1.0 if name.endswith("weight") else 0.0)
        else:
            p.data = noise * (0.8 / math.sqrt(p[0].numel()))
    return module.eval()


UNET = {"_class_name": "UNet2DConditionModel", "act_fn": "silu", "center_input_sample": False, "downsample_padding": 1,
        "flip_sin_to_cos": True, "freq_shift": 0, "mid_block_scale_factor": 1, "norm_eps": 1e-5, "norm_num_groups": 8,
        "in_channels": 4, "out_channels": 4, "layers_per_block": 2, "sample_size": 8}
VAE = {"_class_name": "AutoencoderKL", "act_fn": "silu", "block_out_channels": [16, 16, 32, 32], "in_channels": 3,
       "down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4, "latent_channels": 4,
       "layers_per_block": 1, "norm_num_groups": 8, "out_channels": 3, "sample_size": 64, "scaling_factor": 0.18215}
SCHEDULE = {"_class_name": "DDIMScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
            "num_train_timesteps": 1000, "set_alpha_to_one": False, "steps_offset": 1, "clip_sample": False}
CROSS = lambda pattern, way: [("CrossAttn" if p == "x" else "") + way + "Block2D" for p in pattern]


def text_config(width, layers, act, projection=0, vocab=600):
    return dict(vocab_size=vocab, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=layers, num_attention_heads=4,
                max_position_embeddings=77, hidden_act=act, projection_dim=projection or width, bos_token_id=0, eos_token_id=1, pad_token_id=1)


MODELS = {
    "sd1": {"pipeline": "StableDiffusionPipeline", "vae": VAE, "schedule": SCHEDULE,
            "unet": UNET | {"block_out_channels": [16, 32, 32], "down_block_types": CROSS("xx-", "Down"), "up_block_types": CROSS("-xx", "Up"),
                            "attention_head_dim": 4, "cross_attention_dim": 32},
            "texts": [(text_config(32, 3, "quick_gelu"), False)]},
    "sd2": {"pipeline": "StableDiffusionPipeline", "vae": VAE, "schedule": SCHEDULE | {"prediction_type": "v_prediction"},
            "unet": UNET | {"block_out_channels": [16, 32, 32, 32], "down_block_types": CROSS("xxx-", "Down"), "up_block_types": CROSS("-xxx", "Up"),
                            "attention_head_dim": [2, 4, 4, 4], "cross_attention_dim": 48, "use_linear_projection": True, "layers_per_block": 1},
            "texts": [(text_config(48, 2, "gelu"), False)]},
    "sdxl": {"pipeline": "StableDiffusionXLPipeline", "vae": VAE | {"scaling_factor": 0.13025, "force_upcast": True}, "schedule": SCHEDULE,
             "unet": UNET | {"block_out_channels": [16, 32, 64], "down_block_types": CROSS("-xx", "Down"), "up_block_types": CROSS("xx-", "Up"),
                             "attention_head_dim": [2, 4, 8], "cross_attention_dim": 80, "use_linear_projection": True,
                             "transformer_layers_per_block": [1, 2, 3], "addition_embed_type": "text_time", "addition_time_embed_dim": 8,
                             "projection_class_embeddings_input_dim": 24 + 48},
             "texts": [(text_config(32, 3, "quick_gelu"), False), (text_config(48, 4, "gelu", 24), True)]},
    "lcm": {"pipeline": "LatentConsistencyModelPipeline", "vae": VAE, "schedule": SCHEDULE | {"_class_name": "LCMScheduler"},
            "unet": UNET | {"block_out_channels": [16, 32], "down_block_types": CROSS("x-", "Down"), "up_block_types": CROSS("-x", "Up"),
                            "attention_head_dim": 4, "cross_attention_dim": 32, "time_cond_proj_dim": 16, "in_channels": 9},
            "texts": [(text_config(32, 2, "quick_gelu"), False)]},
}
CORPUS = ["a photo of a cat", "an astronaut riding a horse on mars, trending on artstation", "don't stop the world's painters",
          "a small red circle on a blue background", "the quick brown fox jumps over the lazy dog 1234567890"] * 4


def make_tokenizer(directory, pad):
    """A small CLIP vocabulary: all bytes, all bytes that end a word, merges learnt from a few lines."""
    from collections import Counter
    directory.mkdir(parents=True, exist_ok=True)
    plain = list(range(0x21, 0x7F)) + list(range(0xA1, 0xAD)) + list(range(0xAE, 0x100))
    letters = [chr(b) for b in plain] + [chr(0x100 + i) for i in range(256 - len(plain))]
    words = [tuple(w[:-1]) + (w[-1] + "</w>",) for line in CORPUS for w in line.lower().replace("'", " '").split()]
    merges = []
    while len(merges) < 80:
        pairs = Counter(p for w in words for p in zip(w, w[1:]))
        if not pairs:
            break
        best = max(pairs, key=lambda p: (pairs[p], p))
        merges.append(best)
        joined = []
        for w in words:
            out, i = [], 0
            while i < len(w):
                two = w[i:i + 2] == best
                out.append(w[i] + w[i + 1] if two else w[i])
                i += 2 if two else 1
            joined.append(tuple(out))
        words = joined
    tokens = ["<|startoftext|>", "<|endoftext|>"] + letters + [c + "</w>" for c in letters] + list(dict.fromkeys("".join(m) for m in merges))
    assert len(tokens) <= 600
    (directory / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}, ensure_ascii=False), encoding="utf-8")
    (directory / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges), encoding="utf-8")
    (directory / "special_tokens_map.json").write_text(json.dumps(
        {"bos_token": "<|startoftext|>", "eos_token": {"content": "<|endoftext|>"}, "pad_token": pad}))


def make_model(name, root, dtype=torch.float32):
    """Writes a Diffusers directory; returns (unet, vae, text encoders)."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection
    spec, root = MODELS[name], pathlib.Path(root)
    generator = torch.Generator().manual_seed(sum(map(ord, name)))
    unet, vae = shake(UNet(spec["unet"]), generator), shake(Vae(spec["vae"]), generator)
    save = lambda module, path: save_file({k: v.contiguous().to(dtype) for k, v in module.state_dict().items() if "position_ids" not in k}, path)
    for part, module, config in (("unet", unet, spec["unet"]), ("vae", vae, spec["vae"])):
        (root / part).mkdir(parents=True)
        (root / part / "config.json").write_text(json.dumps(config))
        save(module, root / part / "diffusion_pytorch_model.safetensors")
    texts = []
    for i, (config, projects) in enumerate(spec["texts"]):
        kind = CLIPTextModelWithProjection if projects else CLIPTextModel
        text = shake(kind(CLIPTextConfig(**config)), generator)
        folder = root / ("text_encoder" if i == 0 else "text_encoder_2")
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(config | {"architectures": [kind.__name__], "model_type": "clip_text_model"}))
        save(text, folder / "model.safetensors")
        make_tokenizer(root / ("tokenizer" if i == 0 else "tokenizer_2"), "<|endoftext|>" if i == 0 else "!")
        texts.append(text)
    (root / "scheduler").mkdir()
    (root / "scheduler/scheduler_config.json").write_text(json.dumps(spec["schedule"]))
    (root / "model_index.json").write_text(json.dumps({"_class_name": spec["pipeline"]}))
    return unet, vae, texts
