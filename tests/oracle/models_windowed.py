"""Tiny random models whose attention looks at a window, or whose rotation has factors of its own: Mistral, Gemma, Phi."""
import json

import transformers as T
from safetensors.torch import load_file, save_file

WINDOW = 24  # shorter than most prompts
PHI_FACTORS = dict(short_factor=[1.0 + 0.01 * i for i in range(8)], long_factor=[1.5 + 0.4 * i for i in range(8)])


def longrope(original, n=8, **more):
    return dict(rope_type="longrope", rope_theta=10000.0, original_max_position_embeddings=original,
                short_factor=PHI_FACTORS["short_factor"][:n], long_factor=PHI_FACTORS["long_factor"][:n], **more)


def phi3(base, original=None, **more):
    if original is not None:
        more["original_max_position_embeddings"] = original
    return T.Phi3Config(**{**base, "pad_token_id": None, **more})


def gemma2(base, **more):
    settings = dict(head_dim=32, query_pre_attn_scalar=32, sliding_window=WINDOW, num_hidden_layers=4)
    return T.Gemma2Config(**{**base, **settings, **more})


def gemma3(base, **more):
    settings = dict(head_dim=16, query_pre_attn_scalar=16, sliding_window=WINDOW, num_hidden_layers=7)
    return T.Gemma3TextConfig(**{**base, **settings, **more})


def gemma3_seeing(base):
    """The model that also sees, of which we read the text part."""
    text = gemma3(base).to_dict()
    text.pop("model_type")
    eyes = dict(hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14)
    return T.Gemma3Config(text_config=text, vision_config=eyes, mm_tokens_per_image=1, image_token_index=1,
                          boi_token_index=2, eoi_token_index=3)


def as_first_published(directory):
    """The root of the first files, and a config that leaves out what is usual."""
    file = directory / "model.safetensors"
    names = {"model.language_model.": "language_model.model.", "model.vision_tower.": "vision_tower.",
             "model.multi_modal_projector.": "multi_modal_projector."}
    tensors = {}
    for name, tensor in load_file(file).items():
        for new, old in names.items():
            name = name.replace(new, old)
        tensors[name] = tensor
    save_file(tensors, file, {"format": "pt"})
    path = directory / "config.json"
    config = json.loads(path.read_text())
    text = config["text_config"]
    for key in ("layer_types", "rms_norm_eps", "rope_parameters", "tie_word_embeddings", "_sliding_window_pattern"):
        text.pop(key, None)
    path.write_text(json.dumps(config, indent=1))


def models(base, spm, split, phi4):
    """spm: makes a SentencePiece-style tokenizer of a scheme; split and phi4: byte-level ones of a kind."""
    gemma = lambda size: spm(size, "gemma")
    # ggml's GELU on a CPU is a table of F16 values, exact beyond +-10 only. "sharp" gates are nearly always there; of
    # the model whose are not, the logits agree as far as that table lets them.
    sharp = dict(sharp_gates=True)
    phi = lambda size: spm(size, "phi")
    return {
        "mistral": (lambda: T.MistralConfig(**base, head_dim=16, sliding_window=None), lambda size: spm(size, "first"), {}),
        "mistral-window": (lambda: T.MistralConfig(**base, sliding_window=WINDOW), lambda size: spm(size, "legacy"),
                           dict(shard="100KB")),
        "mistral-nemo": (lambda: T.MistralConfig(**base, head_dim=32, sliding_window=None), split("tekken"), {}),
        "gemma2": (lambda: gemma2(base), gemma, sharp),
        "gemma2-shards": (lambda: gemma2(base, sliding_window=400, final_logit_softcapping=3.0,
                                         attn_logit_softcapping=2.0), gemma, dict(sharp, shard="100KB")),
        "gemma3": (lambda: gemma3(base), gemma, sharp),
        "gemma3-soft": (lambda: gemma3(base), gemma, dict(coarse_gelu=True)),
        "gemma3-linear": (lambda: gemma3(base, rope_parameters={
            "full_attention": dict(rope_type="linear", rope_theta=1e6, factor=8.0),
            "sliding_attention": dict(rope_type="default", rope_theta=2e4)}), gemma, dict(sharp, shard="100KB")),
        "gemma3-seeing": (lambda: gemma3_seeing(base), gemma, sharp),
        "gemma3-seeing-first": (lambda: gemma3_seeing(base), gemma, dict(sharp, respell=as_first_published)),
        "gemma3-pattern": (lambda: gemma3(base, num_hidden_layers=4, layer_types=[
            "sliding_attention", "full_attention"] * 2), gemma, sharp),
        "phi3": (lambda: phi3(base, num_key_value_heads=4), phi, {}),
        "phi3-window": (lambda: phi3(base, sliding_window=WINDOW), phi, dict(shard="100KB")),
        "phi3-short": (lambda: phi3(base, 4096, rope_parameters=longrope(4096), max_position_embeddings=8192), phi, {}),
        "phi3-long": (lambda: phi3(base, 64, rope_parameters=longrope(64), max_position_embeddings=4096), phi,
                      dict(least_prompt=65)),
        "phi3-long-window": (lambda: phi3(base, 64, rope_parameters=longrope(64), max_position_embeddings=4096,
                                          sliding_window=WINDOW), phi, dict(least_prompt=65)),
        "phi4": (lambda: phi3(base, rope_parameters=dict(rope_type="default", rope_theta=250000.0)), phi4("glm4"), {}),
        "phi4-mini": (lambda: phi3(base, 64, rope_parameters=longrope(64, 6, partial_rotary_factor=0.75),
                                   partial_rotary_factor=0.75, tie_word_embeddings=True, max_position_embeddings=4096),
                      phi4("gpt-4o"), dict(least_prompt=65)),
    }
