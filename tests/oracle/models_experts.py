"""Tiny random models with experts, and GLM-4: Qwen3-MoE, gpt-oss (BF16 and MXFP4 experts), GLM-4 and GLM-4-MoE."""
import json
import shutil

import torch
import transformers as T
from safetensors.torch import load_file, save_file

FP4 = torch.tensor([0, .5, 1, 1.5, 2, 3, 4, 6, -0., -.5, -1, -1.5, -2, -3, -4, -6])
WINDOW = 24  # shorter than most prompts
YARN = dict(rope_type="yarn", rope_theta=150000.0, factor=32.0, beta_fast=32.0, beta_slow=1.0, truncate=False)


def dequantised(blocks, scales):
    """As the OCP Microscaling formats have it: byte i of a block holds elements 2i and 2i+1."""
    values = torch.stack([FP4[(blocks & 15).long()], FP4[(blocks >> 4).long()]], -1).flatten(-2)
    return (values * torch.exp2(scales.float() - 127)[..., None]).flatten(-2)


def into_mxfp4(directory):
    """Replaces the experts' matrices by random blocks in MXFP4; what they stand for is kept beside, as reference."""
    reference = directory.parent / (directory.name + ".reference")
    shutil.copytree(directory, reference, dirs_exist_ok=True)
    generator = torch.Generator().manual_seed(3)
    packed, plain = {}, {}
    for name, tensor in load_file(directory / "model.safetensors").items():
        if not name.endswith(("experts.gate_up_proj", "experts.down_proj")):
            packed[name] = plain[name] = tensor
            continue
        n_experts, n_in, n_out = tensor.shape
        blocks = torch.randint(0, 256, (n_experts, n_out, n_in // 32, 16), dtype=torch.uint8, generator=generator)
        scales = torch.randint(120, 125, (n_experts, n_out, n_in // 32), dtype=torch.uint8, generator=generator)
        packed[name + "_blocks"], packed[name + "_scales"] = blocks, scales
        plain[name] = dequantised(blocks, scales).transpose(1, 2).contiguous()
    save_file(packed, directory / "model.safetensors", {"format": "pt"})
    save_file(plain, reference / "model.safetensors", {"format": "pt"})
    config = json.loads((directory / "config.json").read_text())
    config["quantization_config"] = dict(quant_method="mxfp4", modules_to_not_convert=["model.layers.*.self_attn"])
    (directory / "config.json").write_text(json.dumps(config, indent=1))


def gpt_oss(base, **more):
    settings = dict(num_hidden_layers=4, head_dim=32, num_local_experts=4, num_experts_per_tok=2, sliding_window=WINDOW,
                    rope_parameters=dict(YARN, original_max_position_embeddings=64))
    return T.GptOssConfig(**{**base, **settings, **more})


def glm4moe(base, **more):
    settings = dict(num_hidden_layers=3, head_dim=16, partial_rotary_factor=0.5, n_routed_experts=8, n_shared_experts=1,
                    num_experts_per_tok=2, moe_intermediate_size=32, first_k_dense_replace=1)
    return T.Glm4MoeConfig(**{**base, **settings, **more})


def qwen3moe(base, **more):
    settings = dict(head_dim=16, num_experts=8, num_experts_per_tok=2, moe_intermediate_size=32, norm_topk_prob=True)
    return T.Qwen3MoeConfig(**{**base, **settings, **more})


def models(base, qwen2, split):
    """qwen2: makes that family's tokenizer; split: a byte-level one of a kind."""
    glm = split("glm4", ("<|user|>", "<|observation|>", "[gMASK]", "<sop>"), ("[gMASK]", "<sop>"))
    oss = split("gpt-4o", ("<|return|>", "<|call|>", "<|channel|>"))
    made = {
        "qwen3moe": (lambda: qwen3moe(base), qwen2, {}),
        "qwen3moe-tied-shards": (lambda: qwen3moe(base, tie_word_embeddings=True), qwen2, dict(shard="100KB")),
        "qwen3moe-bf16": (lambda: qwen3moe(base), qwen2, dict(dtype=torch.bfloat16)),
        "gpt-oss": (lambda: gpt_oss(base), oss, {}),
        "gpt-oss-shards": (lambda: gpt_oss(base, rope_parameters=dict(rope_type="default", rope_theta=150000.0),
                                           tie_word_embeddings=True), oss, dict(shard="200KB")),
        "gpt-oss-bf16": (lambda: gpt_oss(base, rope_parameters=dict(YARN, original_max_position_embeddings=64, truncate=True)),
                         oss, dict(dtype=torch.bfloat16)),
        "gpt-oss-mxfp4": (lambda: gpt_oss(base), oss, dict(after=into_mxfp4)),
        "glm4": (lambda: T.Glm4Config(**base, head_dim=32, partial_rotary_factor=0.5, attention_bias=True), glm, {}),
        "glm4-tied-shards": (lambda: T.Glm4Config(**base, head_dim=16, partial_rotary_factor=0.5, attention_bias=False,
                                                  tie_word_embeddings=True), glm, dict(shard="100KB")),
        "glm4moe": (lambda: glm4moe(base, attention_bias=True, use_qk_norm=True, routed_scaling_factor=1.5), glm, {}),
        "glm4moe-groups": (lambda: glm4moe(base, n_group=4, topk_group=2, n_shared_experts=2), glm, dict(shard="100KB")),
        "glm4moe-bf16": (lambda: glm4moe(base, norm_topk_prob=False, first_k_dense_replace=2), glm,
                         dict(dtype=torch.bfloat16)),
    }
    for name, (_, _, options) in made.items():
        options["experts"] = "moe" in name or "oss" in name
    return made
