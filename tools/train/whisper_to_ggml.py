"""Writes the ggml twin (what whisper.cpp reads) of a Hugging Face Whisper directory.

    python3 whisper_to_ggml.py DIRECTORY OUT.bin [--f32]

The file: magic and eleven numbers, the mel filters, the vocabulary as byte strings (special tokens are left out: whisper.cpp
knows them by number), then each tensor with its dimensions reversed. Matrices are F16; vectors, positions and the biases of
the convolutions F32. Works for any size, in one safetensors file or several; needs numpy only.
"""
import argparse
import json
import pathlib
import re
import struct

import numpy as np

MAGIC, F32, F16 = 0x67676d6c, 0, 1
RENAMED = [(r"^model\.", ""), ("encoder.embed_positions.weight", "encoder.positional_embedding"),
    ("decoder.embed_positions.weight", "decoder.positional_embedding"), ("decoder.embed_tokens", "decoder.token_embedding"),
    (r"\.layers\.", ".blocks."), (r"\.self_attn_layer_norm\.", ".attn_ln."), (r"\.encoder_attn_layer_norm\.", ".cross_attn_ln."),
    (r"\.final_layer_norm\.", ".mlp_ln."), (r"encoder\.layer_norm\.", "encoder.ln_post."), (r"decoder\.layer_norm\.", "decoder.ln."),
    (r"\.self_attn\.", ".attn."), (r"\.encoder_attn\.", ".cross_attn."), (r"\.q_proj\.", ".query."), (r"\.k_proj\.", ".key."),
    (r"\.v_proj\.", ".value."), (r"\.out_proj\.", ".out."), (r"\.fc1\.", ".mlp.0."), (r"\.fc2\.", ".mlp.2.")]


def renamed(name):
    for pattern, to in RENAMED:
        name = re.sub(pattern, to, name)
    return name


def tensors(directory):
    """(name, F32 array) of every tensor of every safetensors file; reads them itself, so that numpy is all it needs."""
    for path in sorted(directory.glob("*.safetensors")):
        with open(path, "rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
            start = file.tell()
            for name, entry in header.items():
                if name in ("__metadata__", "proj_out.weight"):
                    continue
                begin, end = entry["data_offsets"]
                file.seek(start + begin)
                yield renamed(name), decoded(file.read(end - begin), entry["dtype"]).reshape(entry["shape"])


def decoded(raw, dtype):
    if dtype == "BF16":
        return (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(raw, {"F32": "<f4", "F16": "<f2"}[dtype]).astype(np.float32)


def mel_filters(n_mels, n_fft=400, rate=16000):
    """Slaney's: linear below 1 kHz, logarithmic above, triangles of equal area; [n_mels, n_fft / 2 + 1]."""
    step = np.log(6.4) / 27

    def to_mel(hz):
        return hz * 3 / 200 if hz < 1000 else 15 + np.log(hz / 1000) / step
    mel = np.linspace(to_mel(0), to_mel(rate / 2), n_mels + 2)
    edges = np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * step))
    bins = np.linspace(0, rate / 2, n_fft // 2 + 1)
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return (np.maximum(0, np.minimum(rise, fall)) + 0.0) * (2 / (edges[2:] - edges[:-2]))[:, None]


def byte_strings(directory):
    """The vocabulary below <|endoftext|>, without holes."""
    from whisper_tokens import LETTERS
    byte_of = {letter: b for b, letter in LETTERS.items()}
    by_id = {i: token for token, i in json.loads((directory / "vocab.json").read_text(encoding="utf-8")).items()}
    eot = json.loads((directory / "config.json").read_text())["eos_token_id"]
    words = [by_id.get(i, "") for i in range(min(eot, max(by_id) + 1))]
    words += [""] * (eot - len(words))
    return [b"" if w.startswith("<|") else bytes(byte_of[letter] for letter in w) for w in words]


def write(directory, out, ftype):
    config = json.loads((directory / "config.json").read_text())
    numbers = [config["vocab_size"], config["max_source_positions"], config["d_model"], config["encoder_attention_heads"],
        config["encoder_layers"], config["max_target_positions"], config["d_model"], config["decoder_attention_heads"],
        config["decoder_layers"], config["num_mel_bins"], ftype]
    filters = mel_filters(config["num_mel_bins"]).astype("<f4")
    with open(out, "wb") as file:
        file.write(struct.pack("<I11i", MAGIC, *numbers))
        file.write(struct.pack("<2i", *filters.shape) + filters.tobytes())
        words = byte_strings(directory)
        file.write(struct.pack("<i", len(words)))
        for word in words:
            file.write(struct.pack("<I", len(word)) + word)
        for name, data in tensors(directory):
            if re.fullmatch(r"encoder\.conv\d\.bias", name):
                data = data[:, None]
            vector = data.ndim < 2 or name.endswith(("positional_embedding", "bias"))
            kind = F32 if vector or ftype == F32 else F16
            file.write(struct.pack(f"<3i{data.ndim}i", data.ndim, len(name), kind, *reversed(data.shape)) + name.encode())
            file.write(np.ascontiguousarray(data, "<f4" if kind == F32 else "<f2").tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--f32", action="store_true", help="all tensors in F32")
    args = parser.parse_args()
    write(args.directory, args.out, F32 if args.f32 else F16)


if __name__ == "__main__":
    main()
