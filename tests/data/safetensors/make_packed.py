#!/usr/bin/python3
"""Makes the models "fp8" and "bert-rank" of this folder again, and what transformers computes with them (expected.json).
Weights are random; for tests that load real files without Python."""
import json
import pathlib
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
import make
import make_models
import models_encoders
import test_fp8
import torch
import transformers as T

PAIRS = [["what is it", "it is a test"], ["a", "the the the"]]


def fp8():
    """Blocks of 24 x 20, which divide no matrix."""
    directory = make_models.make("qwen3-bf16", HERE, vocab=288)
    target = HERE / "fp8"
    shutil.rmtree(target, ignore_errors=True)
    directory.rename(target)
    settings = {"quant_method": "fp8", "weight_block_size": [24, 20]}
    test_fp8.pack(target, (24, 20), torch.float8_e4m3fn, torch.float32, "weight_scale_inv", settings)
    reference = target.with_name("fp8.reference")
    outcome = make.expected(reference)
    shutil.rmtree(reference)
    return outcome


def bert_rank():
    models_encoders.SIZES.update(vocab_size=160, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
                                 num_attention_heads=2)
    config = lambda: T.BertConfig(**models_encoders.SIZES, max_position_embeddings=64, num_labels=1)
    models_encoders.MODELS["bert-rank"] = (config, T.BertForSequenceClassification,
                                           lambda: models_encoders.wordpiece(vocabulary=150, alphabet=50), "rank")
    with tempfile.TemporaryDirectory() as work:
        directory, model, tok = models_encoders.make("bert-rank", work)
        shutil.rmtree(HERE / "bert-rank", ignore_errors=True)
        shutil.copytree(directory, HERE / "bert-rank")
    outcome = dict(pairs=PAIRS, tokens=[], scores=[])
    for query, document in PAIRS:
        e = tok.encode(query, document)
        outcome["tokens"].append([i + 160 * t for i, t in zip(e.ids, e.type_ids)])
        with torch.inference_mode():
            score = model(input_ids=torch.tensor([e.ids]), token_type_ids=torch.tensor([e.type_ids])).logits[0, 0]
        outcome["scores"].append(round(float(score), 6))
    return outcome


def main():
    file = HERE / "expected.json"
    outcome = json.loads(file.read_text())
    outcome["fp8"] = fp8()
    outcome["bert-rank"] = bert_rank()
    for name in ("fp8", "bert-rank"):
        for path in (HERE / name).iterdir():
            path.chmod(0o644)
    file.write_text(json.dumps(outcome, indent=1) + "\n")


if __name__ == "__main__":
    main()
