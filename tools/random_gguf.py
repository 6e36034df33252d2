#!/usr/bin/python3
"""Writes a GGUF with random weights in a genuine architecture: for measurements and tests, where the shape matters and
the text does not. The same arguments give the same file. Needs python3-gguf and python3-numpy.

    tools/random_gguf.py --preset 0.6b --quant Q4_K out.gguf
"""
import argparse
import dataclasses
import sys

import gguf
import numpy as np

CHATML = ("{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
          "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")


@dataclasses.dataclass
class Shape:
    n_layers: int
    width: int
    feed_forward: int
    n_heads: int
    n_kv_heads: int
    head_width: int
    n_vocab: int
    n_ctx: int = 32768


PRESETS = {
    "tiny": Shape(2, 64, 128, 4, 2, 32, 512, 2048),
    "mini": Shape(8, 512, 1536, 8, 4, 64, 32000),
    "0.6b": Shape(28, 1024, 3072, 16, 8, 128, 151936),  # Qwen3-0.6B
}

# Where the half-precision scales stand in a block, each with its share, and the standard deviation of what random bytes
# mean at scale 1. Q4_K subtracts a minimum: 7.5 times as large, it makes the mean zero.
RANDOM_BLOCKS = {
    "Q8_0": ([(0, 1)], 73.9),
    "Q4_0": ([(0, 1)], 4.6),
    "Q6_K": ([(208, 1)], 18.5 * 73.9),
    "Q4_K": ([(0, 1), (2, 7.5)], 258.3),
}


class Weights:
    """Random tensors of one type, with a standard deviation that keeps activations in range."""

    def __init__(self, quant, seed):
        self.type = getattr(gguf.GGMLQuantizationType, quant)
        self.name = quant
        self.rng = np.random.default_rng(seed)

    def matrix(self, rows, columns, std):
        if self.name in RANDOM_BLOCKS:
            return self._blocks(rows, columns, std)
        values = self.rng.standard_normal((rows, columns), dtype=np.float32) * np.float32(std)
        return gguf.quants.quantize(values, self.type)

    def _blocks(self, rows, columns, std):
        block, size = gguf.GGML_QUANT_SIZES[self.type]
        scales, unit = RANDOM_BLOCKS[self.name]
        data = self.rng.integers(0, 256, size=(rows * columns // block, size), dtype=np.uint8)
        for offset, share in scales:
            data[:, offset:offset + 2] = np.array([share * std / unit], dtype=np.float16).view(np.uint8)
        return data.reshape(rows, columns // block * size)


def byte_letters():
    """GPT-2's printable letter for each byte."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    return {**{b: chr(b) for b in printable}, **{b: chr(256 + i) for i, b in enumerate(others)}}


def fill(tokens, n_vocab, n_special):
    """Pads with tokens that no text produces."""
    assert len(tokens) + n_special <= n_vocab, "the vocabulary is too small"
    return tokens + [f"[unused{i}]" for i in range(n_vocab - n_special - len(tokens))]


def add_byte_level_vocabulary(writer, n_vocab):
    """As Qwen's: byte-level BPE with a few merges, ChatML's special tokens at the end."""
    letter = byte_letters()
    space = letter[ord(" ")]
    frequent = "etaoinshrdlu"
    merges = [(a, b) for a in frequent for b in frequent] + [(space, a) for a in frequent]
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    words = fill([letter[b] for b in range(256)] + [a + b for a, b in merges], n_vocab, len(specials))
    normal, control, unused = gguf.TokenType.NORMAL, gguf.TokenType.CONTROL, gguf.TokenType.UNUSED
    types = [unused if w.startswith("[unused") else normal for w in words] + [control] * len(specials)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(words + specials)
    writer.add_token_types(types)
    writer.add_token_merges([f"{a} {b}" for a, b in merges])
    writer.add_eos_token_id(n_vocab - 1)
    writer.add_bos_token_id(n_vocab - 3)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHATML)


def add_sentencepiece_vocabulary(writer, n_vocab):
    """As Llama 2's: pieces with scores, and bytes for what has no piece."""
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)] + ["\u2581"]
    pairs = [a + b for a in letters for b in "etaoin"]
    words = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + letters + pairs
    n_real = len(words)
    words = fill(words, n_vocab, 0)
    kinds = gguf.TokenType
    types = [kinds.UNKNOWN, kinds.CONTROL, kinds.CONTROL] + [kinds.BYTE] * 256
    types += [kinds.NORMAL] * (n_real - len(types)) + [kinds.UNUSED] * (n_vocab - n_real)
    scores = [0.0] * 259 + [-1000.0 - i for i in range(len(letters))] + [-float(i) for i in range(len(pairs))]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(words)
    writer.add_token_types(types)
    writer.add_token_scores(scores + [-1e6] * (n_vocab - n_real))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)


def add_shape(writer, shape):
    writer.add_block_count(shape.n_layers)
    writer.add_context_length(shape.n_ctx)
    writer.add_embedding_length(shape.width)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.n_heads)
    writer.add_head_count_kv(shape.n_kv_heads)
    writer.add_key_length(shape.head_width)
    writer.add_value_length(shape.head_width)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(1e6)
    writer.add_layer_norm_rms_eps(1e-6)


def add_tensors(writer, arch, shape, weights):
    def matrix(name, rows, columns, std):
        writer.add_tensor(name, weights.matrix(rows, columns, std), raw_dtype=weights.type)

    def ones(name, n):
        writer.add_tensor(name, np.ones(n, np.float32))

    s = shape
    matrix("token_embd.weight", s.n_vocab, s.width, 3 / np.sqrt(s.width))  # tied: logits spread by 3
    ones("output_norm.weight", s.width)
    for layer in range(s.n_layers):
        p = f"blk.{layer}."
        ones(p + "attn_norm.weight", s.width)
        ones(p + "ffn_norm.weight", s.width)
        if arch == "qwen3":
            ones(p + "attn_q_norm.weight", s.head_width)
            ones(p + "attn_k_norm.weight", s.head_width)
        for name, rows, columns in (
                ("attn_q", s.n_heads * s.head_width, s.width),
                ("attn_k", s.n_kv_heads * s.head_width, s.width),
                ("attn_v", s.n_kv_heads * s.head_width, s.width),
                ("attn_output", s.width, s.n_heads * s.head_width),
                ("ffn_gate", s.feed_forward, s.width),
                ("ffn_up", s.feed_forward, s.width),
                ("ffn_down", s.width, s.feed_forward)):
            matrix(f"{p}{name}.weight", rows, columns, 1 / np.sqrt(columns))


def write(path, arch, shape, quant, seed, sampling=None, split_tensors=0):
    writer = gguf.GGUFWriter(path, arch, split_max_tensors=split_tensors)
    writer.add_name(f"random {arch}")
    writer.add_file_type(getattr(gguf.LlamaFileType, "MOSTLY_" + quant, gguf.LlamaFileType.GUESSED))
    add_shape(writer, shape)
    if arch == "llama":
        add_sentencepiece_vocabulary(writer, shape.n_vocab)
    else:
        add_byte_level_vocabulary(writer, shape.n_vocab)
    for key, value in (sampling or {}).items():
        add = writer.add_int32 if isinstance(value, int) else writer.add_float32
        add(f"general.sampling.{key}", value)
    add_tensors(writer, arch, shape, Weights(quant, seed))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path")
    parser.add_argument("--preset", choices=PRESETS, default="mini")
    parser.add_argument("--arch", choices=("qwen3", "llama"), default="qwen3")
    parser.add_argument("--quant", default="Q8_0", help="Q8_0, Q4_0, Q4_K, Q6_K, F32, F16, BF16, ...")
    parser.add_argument("--seed", type=int, default=0)
    for field in dataclasses.fields(Shape):
        parser.add_argument("--" + field.name.replace("_", "-"), type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    given = {f.name: getattr(args, f.name) for f in dataclasses.fields(Shape)}
    shape = dataclasses.replace(PRESETS[args.preset], **{k: v for k, v in given.items() if v is not None})
    write(args.path, args.arch, shape, args.quant.upper(), args.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
