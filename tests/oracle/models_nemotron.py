"""Tiny random Nemotron-H: Mamba 2, attention and feed-forward layers in different patterns, dense and with experts."""
import json

import torch
import transformers as T
from safetensors.torch import load_file, save_file

LETTERS = {"M": "mamba", "*": "attention", "-": "mlp", "E": "moe"}


def nemotron(base, pattern, **more):
    settings = {k: v for k, v in base.items() if k not in ("num_hidden_layers", "rms_norm_eps")}
    settings.update(layers_block_type=[LETTERS[c] for c in pattern], head_dim=16, ssm_state_size=16, mamba_num_heads=8,
                    mamba_head_dim=16, n_groups=2, use_mamba_kernels=False, chunk_size=256, n_routed_experts=8,
                    moe_intermediate_size=32, moe_shared_expert_intermediate_size=48, num_experts_per_tok=3,
                    routed_scaling_factor=2.5)
    return T.NemotronHConfig(**{**settings, **more})


def liven(model):
    """Parameters of Mamba and the router that are not matrices, in the range of trained ones."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith(("A_log", ".D", "dt_bias")):
                p.uniform_(0.1, 1.0)
        for name, b in model.named_buffers():
            if "e_score" in name:
                b.normal_(0, 0.2)


def as_first_published(directory):
    """The spellings of the first files: a pattern string, "embeddings", a bare Infinity."""
    path = directory / "config.json"
    config = json.loads(path.read_text())
    letters = {v: k for k, v in LETTERS.items()}
    config["hybrid_override_pattern"] = "".join(letters[t] for t in config.pop("layers_block_type"))
    config["num_hidden_layers"] = len(config["hybrid_override_pattern"])
    config["time_step_limit"] = [0.0, float("inf")]
    path.write_text(json.dumps(config, indent=1))
    file = directory / "model.safetensors"
    tensors = {n.replace("backbone.embedding.", "backbone.embeddings."): t for n, t in load_file(file).items()}
    save_file(tensors, file, {"format": "pt"})


def as_model(directory):
    """The root that transformers gives the modules."""
    file = directory / "model.safetensors"
    tensors = {n.replace("backbone.embedding.", "model.embeddings.").replace("backbone.", "model."): t
               for n, t in load_file(file).items()}
    save_file(tensors, file, {"format": "pt"})


def models(base, split):
    tekken = split("tekken")
    live = dict(liven=liven, cached=True)  # without its cache, transformers is slow here
    return {
        "nemotron": (lambda: nemotron(base, "M-M*-"), tekken, live),
        "nemotron-first": (lambda: nemotron(base, "MM*-M-", n_groups=1), tekken, dict(live, respell=as_first_published)),
        "nemotron-shards": (lambda: nemotron(base, "*-MM", num_key_value_heads=4), tekken, dict(live, shard="60KB")),
        "nemotron-mamba": (lambda: nemotron(base, "MM*", conv_kernel=2), tekken, dict(live, respell=as_model)),
        "nemotron-bf16": (lambda: nemotron(base, "M-*-"), tekken, dict(live, dtype=torch.bfloat16)),
        "nemotron-experts": (lambda: nemotron(base, "ME*ME"), tekken, live),
        "nemotron-latent": (lambda: nemotron(base, "ME*ME", moe_latent_size=32), tekken, dict(live, shard="60KB")),
        "nemotron-groups": (lambda: nemotron(base, "MEM*E", n_group=4, topk_group=2, norm_topk_prob=False), tekken,
                            dict(live, respell=as_first_published)),
    }
