#!/usr/bin/python3
"""Makes tiny random models in the Hugging Face layout: make_models.py OUT [NAME...]

Weights are random, tokenizers are trained here on text that every Debian machine has plus lines in many scripts. Each
name below is one architecture with the variations that the loader must get right.
"""
import collections
import os
import pathlib
import random
import re
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
import models_experts
import torch
import models_nemotron
import models_windowed
import transformers as T
from hard_strings import hard_strings
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

torch.set_num_threads(1)
T.logging.disable_progress_bar()
V = 700  # rows of the embedding matrix, unless said otherwise; tokens are fewer

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"


def cased(ending):
    return (rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{ending}" + rf"|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{ending}")


CASED_TAIL = TAIL.replace(r"[\r\n]*|", r"[\r\n/]*|", 1)
SPLITS = {
    "qwen2": CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + TAIL,
    "llama3": CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + TAIL,
    "glm4": CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + TAIL,
    "gpt-4o": cased(CONTRACTIONS + "?") + r"|\p{N}{1,3}" + CASED_TAIL,
    "tekken": cased("") + r"|\p{N}" + CASED_TAIL,
}
MANY_SCRIPTS = [
    "Привет, мир! Как дела?", "你好，世界。天气很好", "こんにちは世界 カタカナ", "한국어 텍스트 입니다", "ไทยภาษา กำลัง น้ำ",
    "مرحبا بالعالم كيف الحال", "שלום עולם", "हिन्दी भाषा में", "Ελληνικά γλώσσα", "naïve café résumé", "🚀 😶‍🌫️ 👨‍👩‍👧‍👦 🇫🇷🇩🇪",
    "1234567 3.14159 1,000,000 2024-11-20", "don't I'M we'RE they'll you'd it's", "x = 1;\n\ty = 22;\r\n\r\n    return x**2\n",
    "def f(x):\n    return {'a': [1, 2, 3]}\n", "http://a.b/c?d=e&f=%20 <div class=\"x\">", "!!! ??? ... --- ___ ''' \"\"\"",
]

Size = collections.namedtuple("Size", "rows hard")


def corpus(hard):
    lines = []
    for path in ("/usr/share/common-licenses/GPL-3", "/usr/share/common-licenses/Apache-2.0"):
        lines += open(path, errors="ignore").read().split("\n\n")
    if hard:
        lines += hard_strings(seed=99, count=6000)
    return lines + MANY_SCRIPTS * 20


def byte_level(size, kind, specials, inverted=False):
    tokenizer = Tokenizer(models.BPE(ignore_merges=kind in ("llama3", "tekken", "gpt-4o/whole")))
    if kind == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    if kind == "smollm":
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                           pre_tokenizers.ByteLevel(add_prefix_space=False)])
    elif kind == "gpt2":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(SPLITS[kind.removesuffix("/whole")]), "removed" if inverted else "isolated", invert=inverted),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size.rows - 20, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  show_progress=False)
    tokenizer.train_from_iterator(corpus(size.hard), trainer)
    tokenizer.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in specials])
    return tokenizer


def qwen2_tokenizer(size):
    tokenizer = byte_level(size, "qwen2", ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in
                          ("<think>", "</think>", "<tool_call>", "</tool_call>")])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer, dict(eos_token="<|im_end|>", pad_token="<|endoftext|>")


def llama3_tokenizer(size):
    tokenizer = byte_level(size, "llama3", ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|start_header_id|>",
                                      "<|end_header_id|>"])
    bos = tokenizer.token_to_id("<|begin_of_text|>")
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A $B",
                                      special_tokens=[("<|begin_of_text|>", bos)]),
    ])
    return tokenizer, dict(bos_token="<|begin_of_text|>", eos_token="<|eot_id|>")


def gpt2_tokenizer(size):
    return byte_level(size, "gpt2", ["<|endoftext|>"]), dict(bos_token="<|endoftext|>", eos_token="<|endoftext|>")


def split_tokenizer(kind, more=(), before=()):
    """more: special tokens; before: those of them that stand before every text."""
    def make_tokenizer(size):
        tokenizer = byte_level(size, kind, ["<|endoftext|>", *more])
        if before:
            tokenizer.post_processor = processors.TemplateProcessing(
                single=" ".join([*before, "$A"]), pair=" ".join([*before, "$A $B"]),
                special_tokens=[(name, tokenizer.token_to_id(name)) for name in before])
        return tokenizer, dict(eos_token="<|endoftext|>")
    return make_tokenizer


def phi4_tokenizer(kind):
    """The split says what is to be removed between the matches; some special tokens take white space with them."""
    def make_it(size):
        tokenizer = byte_level(size, kind, ["<|endoftext|>"], inverted=True)
        tokenizer.add_special_tokens([AddedToken(t, lstrip=left, rstrip=True, normalized=False) for t, left in
                                      (("<|im_start|>", True), ("<|im_end|>", True), ("<|user|>", False))])
        return tokenizer, dict(eos_token="<|im_end|>")
    return make_it


RUNS = ["▁" * n for n in range(2, 13)] + ["\n" * n for n in range(2, 7)] + ["\t" * n for n in range(2, 5)]


def spm_tokenizer(size, scheme):
    """A SentencePiece-style BPE: pieces are learnt, then every way to split a piece becomes a merge, in the order of the
    pieces, as the conversion from SentencePiece models does it."""
    learner = Tokenizer(models.BPE())
    learner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    learner.pre_tokenizer = pre_tokenizers.Split(Regex("▁*[^▁\n]*|\n"), "isolated")
    # A NUL is <0x00>, never a piece. Special tokens are cut out of text before it is merged, and libllama takes the
    # well-known names of ends ("<|im_end|>") for special even in a vocabulary where they are plain.
    text = [re.sub(r"\0|</?s>|<unk>|\[/?INST\]|<0x..>|<\|[a-z_]+\|>", "", line) for line in corpus(size.hard)]
    learner.train_from_iterator(text, trainers.BpeTrainer(vocab_size=size.rows - 275, limit_alphabet=size.rows // 3,
                                                             show_progress=False))
    specials = ["<unk>", "<s>", "</s>"]
    fixed = specials + [f"<0x{b:02X}>" for b in range(256)]
    if scheme == "gemma":  # has a tab for its byte, and runs of white space, whose merges come first
        fixed = ["\t" if name == "<0x09>" else name for name in fixed] + RUNS
    pieces = sorted((item for item in learner.get_vocab().items() if item[0] not in fixed), key=lambda item: item[1])
    names = fixed + [p for p, _ in pieces]
    vocab = {name: i for i, name in enumerate(names)}
    plain = set(p for p, _ in pieces) | set(name for name in fixed[259:] + ["\t"] if name in vocab)
    merges = []
    for piece in names[259:]:
        splits = [(piece[:i], piece[i:]) for i in range(1, len(piece)) if piece[:i] in plain and piece[i:] in plain]
        merges += sorted(splits, key=lambda pair: (vocab[pair[0]], vocab[pair[1]]))
    if scheme == "gemma":
        score = {name: 0 if name in RUNS else -vocab[name] for name in names}
        merges.sort(key=lambda pair: (score[pair[0] + pair[1]], len(pair[0]), len(pair[1])), reverse=True)
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    if scheme == "gemma":
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    elif scheme in ("legacy", "phi"):
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=scheme, split=False)
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in specials])
    tokenizer.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in ("[INST]", "[/INST]")])
    if scheme == "gemma":
        tokenizer.add_tokens([AddedToken(t, normalized=False) for t in RUNS + ["<table>"]])
    if scheme == "phi":
        tokenizer.add_special_tokens([AddedToken(t, rstrip=True, normalized=False) for t in ("<|user|>", "<|end|>")])
        tokenizer.add_tokens([AddedToken("<|both|>", lstrip=True, rstrip=True, normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B",
                                                             special_tokens=[("<s>", 1)])
    return tokenizer, dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>")


TEMPLATE = ("{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")

BASE = dict(vocab_size=V, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=1024, rms_norm_eps=1e-6)
LLAMA3_ROPE = dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                   original_max_position_embeddings=64)

# name: (config, tokenizer, options). Options: dtype, shard (most bytes of a file), after (a function of the
# directory that rounds weights), respell (one that only names things otherwise), liven (of the model, before it is saved).
MODELS = {
    "qwen3": (lambda: T.Qwen3Config(**BASE, head_dim=32, tie_word_embeddings=False), qwen2_tokenizer, {}),
    "qwen3-tied": (lambda: T.Qwen3Config(**BASE, head_dim=16, tie_word_embeddings=True), qwen2_tokenizer, {}),
    "qwen3-shards": (lambda: T.Qwen3Config(**BASE, head_dim=16, tie_word_embeddings=False), qwen2_tokenizer,
                     dict(shard="100KB")),
    "qwen3-bf16": (lambda: T.Qwen3Config(**BASE, head_dim=16, tie_word_embeddings=True), qwen2_tokenizer,
                   dict(dtype=torch.bfloat16)),
    "qwen2": (lambda: T.Qwen2Config(**BASE, tie_word_embeddings=False), qwen2_tokenizer, {}),
    "qwen2-tied-shards": (lambda: T.Qwen2Config(**BASE, tie_word_embeddings=True), qwen2_tokenizer,
                          dict(shard="100KB")),
    "qwen2-f16": (lambda: T.Qwen2Config(**BASE, tie_word_embeddings=True), qwen2_tokenizer, dict(dtype=torch.float16)),
    "qwen2-yarn": (lambda: T.Qwen2Config(**BASE, rope_parameters=dict(rope_type="yarn", rope_theta=10000.0, factor=4.0,
                                         original_max_position_embeddings=64)), qwen2_tokenizer, {}),
    "llama": (lambda: T.LlamaConfig(**BASE, tie_word_embeddings=False), lambda size: spm_tokenizer(size, "legacy"), {}),
    "llama-tied-bf16": (lambda: T.LlamaConfig(**BASE, tie_word_embeddings=True), lambda size: spm_tokenizer(size, "first"),
                        dict(dtype=torch.bfloat16)),
    "llama-shards": (lambda: T.LlamaConfig(**BASE, head_dim=32, tie_word_embeddings=False),
                     lambda size: spm_tokenizer(size, "always"), dict(shard="100KB")),
    "llama-bias": (lambda: T.LlamaConfig(**BASE, attention_bias=True, mlp_bias=True), gpt2_tokenizer, {}),
    "llama-mha": (lambda: T.LlamaConfig(**{**BASE, "num_key_value_heads": 4}), lambda size: spm_tokenizer(size, "never"), {}),
    "llama3": (lambda: T.LlamaConfig(**BASE, rope_parameters=LLAMA3_ROPE, tie_word_embeddings=True),
               llama3_tokenizer, {}),
    "llama-linear": (lambda: T.LlamaConfig(**BASE, rope_parameters=dict(rope_type="linear", rope_theta=10000.0,
                                           factor=2.0)), gpt2_tokenizer, {}),
}
MODELS.update(models_nemotron.models(BASE, split_tokenizer))
MODELS.update(models_windowed.models(BASE, spm_tokenizer, split_tokenizer, phi4_tokenizer))

MODELS |= models_experts.models(BASE, qwen2_tokenizer, split_tokenizer)

# For their tokenizers alone: rules that only other families use so far.
for kind in ("gpt-4o/whole", "tekken", "smollm"):
    MODELS["tokens-" + kind.replace("/", "-")] = (lambda: T.Qwen2Config(**BASE, tie_word_embeddings=True), split_tokenizer(kind), {})


def randomise(model):
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() >= 2:
                p.normal_(0, 0.08)
            elif "norm" in name:
                p.uniform_(0.6, 1.4)
            else:
                p.normal_(0, 0.3)
        for name, b in model.named_buffers():
            if "e_score_correction" in name:
                b.normal_(0, 0.2)


def make(name, out, vocab=V, hard=False):
    """hard: the tokenizer learns from hard strings too."""
    directory = pathlib.Path(out) / name
    config, tokenizer, options = MODELS[name]
    torch.manual_seed(1)
    random.seed(1)
    tok, special = tokenizer(Size(vocab, hard))
    config = config()
    config.vocab_size = vocab
    config.eos_token_id = tok.token_to_id(special["eos_token"])
    config.bos_token_id = tok.token_to_id(special["bos_token"]) if "bos_token" in special else None
    config.pad_token_id = None
    model = T.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    randomise(model)
    if "liven" in options:
        options["liven"](model)
    for parameter, p in model.named_parameters():
        if "gate_proj" in parameter and options.get("sharp_gates"):
            p.data *= 1e8
        if "norm" in parameter and config.model_type.startswith("gemma"):
            p.data -= 1  # stored less one
    model = model.to(options.get("dtype", torch.float32))
    kw = {"max_shard_size": options["shard"]} if "shard" in options else {}
    model.save_pretrained(directory, **kw)
    fast = T.PreTrainedTokenizerFast(tokenizer_object=tok, clean_up_tokenization_spaces=False, **special)
    fast.chat_template = TEMPLATE
    fast.save_pretrained(directory)
    if "respell" in options:
        options["respell"](directory)
    if "after" in options:
        options["after"](directory)
    return directory


def main():
    out = sys.argv[1]
    for name in sys.argv[2:] or MODELS:
        print(make(name, out))


if __name__ == "__main__":
    main()
