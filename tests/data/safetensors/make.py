#!/usr/bin/python3
"""Makes the models of this folder again: make.py. Random weights, for tests that load real files without Python."""
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent / "oracle"))
import make_models
import torch

make_models.BASE.update(hidden_size=32, intermediate_size=64, num_attention_heads=2, num_key_value_heads=1,
                        max_position_embeddings=512)
make_models.MODELS["qwen3-shards"][2]["shard"] = "30KB"
make_models.MODELS["llama"][2]["dtype"] = torch.bfloat16
for name, vocab in (("qwen3-shards", 288), ("llama", 420)):
    for path in make_models.make(name, HERE, vocab=vocab).iterdir():
        path.chmod(0o644)
