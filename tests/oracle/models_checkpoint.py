"""Single-file checkpoints with the names of CompVis' latent-diffusion code, made of the networks in models_diffusion.py."""
import json
import pathlib
import re

import torch
from safetensors.torch import save_file

import models_diffusion as models

VAE = models.VAE | {"block_out_channels": [32, 32, 64], "norm_num_groups": 32}
UNET = models.UNET | {"norm_num_groups": 32, "sample_size": 64}
CROSS = models.CROSS


def text(width, layers, act, projection=0):
    return models.text_config(width, layers, act, projection) | {"num_attention_heads": width // 64}


MODELS = {
    "sd1": {"pipeline": "StableDiffusionPipeline", "vae": VAE, "schedule": models.SCHEDULE,
            "unet": UNET | {"block_out_channels": [32, 64], "down_block_types": CROSS("x-", "Down"), "up_block_types": CROSS("-x", "Up"),
                            "attention_head_dim": 8, "cross_attention_dim": 64},
            "texts": [(text(64, 2, "quick_gelu"), False)]},
    "sd2": {"pipeline": "StableDiffusionPipeline", "vae": VAE, "schedule": models.SCHEDULE,
            "unet": UNET | {"block_out_channels": [64, 128], "down_block_types": CROSS("x-", "Down"), "up_block_types": CROSS("-x", "Up"),
                            "attention_head_dim": [1, 2], "cross_attention_dim": 128, "use_linear_projection": True},
            "texts": [(text(128, 2, "gelu"), False)]},
    "sdxl": {"pipeline": "StableDiffusionXLPipeline", "vae": VAE | {"scaling_factor": 0.13025, "force_upcast": True}, "schedule": models.SCHEDULE,
             "unet": UNET | {"block_out_channels": [64, 128], "down_block_types": CROSS("-x", "Down"), "up_block_types": CROSS("x-", "Up"),
                             "attention_head_dim": [1, 2], "cross_attention_dim": 192, "use_linear_projection": True, "sample_size": 128,
                             "transformer_layers_per_block": [1, 2], "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
                             "projection_class_embeddings_input_dim": 64 + 6 * 256},
             "texts": [(text(64, 3, "quick_gelu"), False), (text(128, 3, "gelu", 64), True)]},
}

RESNET = [("in_layers.0", "norm1"), ("in_layers.2", "conv1"), ("emb_layers.1", "time_emb_proj"), ("out_layers.0", "norm2"),
          ("out_layers.3", "conv2"), ("skip_connection", "conv_shortcut")]


def unet_names(c):
    """ldm prefix -> Diffusers' prefix, block by block as ldm builds its lists."""
    n, levels = c["layers_per_block"], len(c["block_out_channels"])
    names = {"time_embed.0": "time_embedding.linear_1", "time_embed.2": "time_embedding.linear_2", "label_emb.0.0": "add_embedding.linear_1",
             "label_emb.0.2": "add_embedding.linear_2", "input_blocks.0.0": "conv_in", "out.0": "conv_norm_out", "out.2": "conv_out",
             "middle_block.1": "mid_block.attentions.0"}
    res = lambda there, here: names.update({f"{there}.{a}": f"{here}.{b}" for a, b in RESNET})
    res("middle_block.0", "mid_block.resnets.0")
    res("middle_block.2", "mid_block.resnets.1")
    at = 1
    for i in range(levels):
        for k in range(n):
            res(f"input_blocks.{at}.0", f"down_blocks.{i}.resnets.{k}")
            names[f"input_blocks.{at}.1"] = f"down_blocks.{i}.attentions.{k}"
            at += 1
        if i < levels - 1:
            names[f"input_blocks.{at}.0.op"] = f"down_blocks.{i}.downsamplers.0.conv"
            at += 1
    at = 0
    for j in range(levels):
        attention = "Cross" in c["up_block_types"][j]
        for k in range(n + 1):
            res(f"output_blocks.{at}.0", f"up_blocks.{j}.resnets.{k}")
            if attention:
                names[f"output_blocks.{at}.1"] = f"up_blocks.{j}.attentions.{k}"
            if k == n and j < levels - 1:
                names[f"output_blocks.{at}.{2 if attention else 1}.conv"] = f"up_blocks.{j}.upsamplers.0.conv"
            at += 1
    return names


def renamed(state, names, prefix):
    """The state dict under its other names; every tensor must get one."""
    out = {}
    for key, value in state.items():
        for there, here in names.items():
            if key.startswith(here + "."):
                out[prefix + there + key[len(here):]] = value
                break
        else:
            raise KeyError(key)
    return out


def vae_state(state, levels):
    out = {}
    for key, value in state.items():
        k = re.sub(r"^encoder\.down_blocks\.(\d+)\.resnets\.(\d+)", r"encoder.down.\1.block.\2", key)
        k = re.sub(r"^encoder\.down_blocks\.(\d+)\.downsamplers\.0", r"encoder.down.\1.downsample", k)
        k = re.sub(r"^decoder\.up_blocks\.(\d+)\.resnets\.(\d+)", lambda m: f"decoder.up.{levels - 1 - int(m[1])}.block.{m[2]}", k)
        k = re.sub(r"^decoder\.up_blocks\.(\d+)\.upsamplers\.0", lambda m: f"decoder.up.{levels - 1 - int(m[1])}.upsample", k)
        k = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", k).replace("mid_block.attentions.0", "mid.attn_1")
        if "attn_1" in k:
            for a, b in (("group_norm", "norm"), ("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out")):
                k = k.replace(f"attn_1.{a}.", f"attn_1.{b}.")
            value = value[:, :, None, None] if value.dim() == 2 else value
        out["first_stage_model." + k.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")] = value
    return out


def openclip_state(state, root, more_layers):
    out = {}
    get = lambda key: state[key]
    out["token_embedding.weight"] = get("text_model.embeddings.token_embedding.weight")
    out["positional_embedding"] = get("text_model.embeddings.position_embedding.weight")
    n = 1 + max(int(k.split(".")[3]) for k in state if ".layers." in k)
    for i in range(n + more_layers):
        here, there = f"text_model.encoder.layers.{min(i, n - 1)}.", f"transformer.resblocks.{i}."
        for kind in ("weight", "bias"):
            out[f"{there}attn.in_proj_{kind}"] = torch.cat([get(f"{here}self_attn.{x}_proj.{kind}") for x in "qkv"])
            for a, b in (("attn.out_proj", "self_attn.out_proj"), ("ln_1", "layer_norm1"), ("ln_2", "layer_norm2"), ("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2")):
                out[f"{there}{a}.{kind}"] = get(f"{here}{b}.{kind}")
    for kind in ("weight", "bias"):
        out[f"ln_final.{kind}"] = get(f"text_model.final_layer_norm.{kind}")
    if "text_projection.weight" in state:
        out["text_projection"] = get("text_projection.weight").T
    return {root + k: v.clone() for k, v in out.items()}


def whole_state(name, root):
    """All parts of a model under one roof; (state dict, unet, vae, text encoders)."""
    saved, models.MODELS[name] = models.MODELS.get(name), MODELS[name]
    try:
        unet, vae, texts = models.make_model(name, root)
    finally:
        models.MODELS[name] = saved
    state = renamed(unet.state_dict(), unet_names(MODELS[name]["unet"]), "model.diffusion_model.")
    state |= vae_state(vae.state_dict(), len(VAE["block_out_channels"]))
    clip = {k if k.startswith("text_") else "text_model." + k: v for k, v in texts[0].state_dict().items() if "position_ids" not in k}
    if name == "sd1":
        state |= {"cond_stage_model.transformer." + k: v for k, v in clip.items()}
    if name == "sd2":
        state |= openclip_state(clip, "cond_stage_model.model.", 1)
    if name == "sdxl":
        state |= {"conditioner.embedders.0.transformer." + k: v for k, v in clip.items()}
        state |= openclip_state({k: v for k, v in texts[1].state_dict().items() if "position_ids" not in k}, "conditioner.embedders.1.model.", 0)
    return {k: v.clone().contiguous() for k, v in state.items()}, unet, vae, texts


def make_checkpoint(name, root, kind):
    """Writes root/model.safetensors or .gguf with the tokenizers beside it; returns (path, unet, vae, text encoders)."""
    root = pathlib.Path(root)
    state, unet, vae, texts = whole_state(name, root / "parts")
    for folder in ("tokenizer", "tokenizer_2"):
        if (root / "parts" / folder).exists():
            (root / "parts" / folder).rename(root / folder)
    if kind == "safetensors":
        save_file(state, root / "model.safetensors")
        return root / "model.safetensors", unet, vae, texts
    import gguf
    writer = gguf.GGUFWriter(root / "model.gguf", "sd")
    for key, value in state.items():
        rows = value.dim() == 2 and value.shape[1] % 32 == 0 and "embedding" not in key
        if kind == "q8_0" and rows:
            quantised = gguf.quants.quantize(value.numpy(), gguf.GGMLQuantizationType.Q8_0)
            writer.add_tensor(key, quantised, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        else:
            writer.add_tensor(key, value.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return root / "model.gguf", unet, vae, texts
