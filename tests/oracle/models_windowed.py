"""Tiny random models whose attention looks at a window, or whose rotation has factors of its own: Mistral, Gemma, Phi."""
import transformers as T

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
