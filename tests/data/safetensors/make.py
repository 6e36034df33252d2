#!/usr/bin/python3
"""Makes the models of this folder again, and what transformers computes with them: make.py [NAME...]. Weights are random;
for tests that load real files without Python."""
import json
import pathlib
import shutil
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent / "oracle"))
import make_models
import torch
import transformers as T

make_models.BASE.update(hidden_size=32, intermediate_size=64, num_attention_heads=2, num_key_value_heads=1,
                        max_position_embeddings=512)
make_models.MODELS["qwen3-shards"][2]["shard"] = "30KB"
for name in ("llama", "gpt-oss-mxfp4"):
    make_models.MODELS[name][2]["dtype"] = torch.bfloat16
for name in ("mistral-window", "nemotron-latent"):
    config, _, options = make_models.MODELS[name]
    make_models.MODELS[name] = (config, make_models.qwen2_tokenizer, {**options, "dtype": torch.bfloat16})
PROMPT = [5, 260, 17, 33, 99, 200, 1, 2, 150, 42]


def expected(directory):
    """The greedy continuation, and the first logits behind the prompt."""
    model = T.AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()
    ids = list(PROMPT)
    with torch.inference_mode():
        logits = model(torch.tensor([ids]), use_cache=False).logits[0, -1, :8].tolist()
        for _ in range(24):
            ids.append(int(model(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
    return dict(prompt=PROMPT, greedy=ids[len(PROMPT):], logits=[round(x, 6) for x in logits])


def main():
    file = HERE / "expected.json"
    outcome = json.loads(file.read_text()) if file.exists() else {}
    vocabularies = {"qwen3-shards": 288, "llama": 420, "mistral-window": 288, "nemotron-latent": 288,
                    "gpt-oss-mxfp4": 288}
    for name, vocab in vocabularies.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        directory = make_models.make(name, HERE, vocab=vocab)
        for path in directory.iterdir():
            path.chmod(0o644)
        reference = directory.with_name(name + ".reference")  # where transformers cannot read the weights as they are
        outcome[name] = expected(reference if reference.exists() else directory)
        shutil.rmtree(reference, ignore_errors=True)
    file.write_text(json.dumps(outcome, indent=1) + "\n")


if __name__ == "__main__":
    main()
