"""Tiny random Whisper models in the Hugging Face layout, and their twins for whisper.cpp, converted here on their own.

Shapes are those of real checkpoints but for the width: multilingual, English alone, and large-v3's 128 mel bands. The
vocabulary is the 256 bytes and words of our own; the other ids have no token, as in real checkpoints some have none.
"""
import json
import os
import struct

os.environ["HF_HUB_OFFLINE"] = "1"
import numpy as np
import torch
import transformers as T

torch.set_num_threads(1)
N_BINS = 201
F32, F16 = 0, 1
SHAPES = {  # vocab, mels, d_model, heads, encoder layers, decoder layers, dtype, shards
    "multilingual": (51865, 80, 64, 4, 4, 4, torch.float32, False),
    "english": (51864, 80, 48, 3, 2, 3, torch.float16, False),
    "large-v3": (51866, 128, 64, 2, 3, 3, torch.bfloat16, True),
}
WORDS = (" the and one two three four five six seven eight nine ten zero light on off turn set timer play next song in of"
         " to is it that you he was for with as his they be at this have from or had by word but what some we can out").split(" ")


def bytes_to_unicode():
    own = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    out, extra = {}, 0
    for b in range(256):
        out[b] = chr(b) if b in own else chr(256 + extra)
        extra += b not in own
    return out


BYTES = bytes_to_unicode()


def vocabulary(n_ordinary):
    """Tokens spread over the ids, with gaps; the bytes come first."""
    tokens = {bytes([b]): b for b in range(256)}
    for i, word in enumerate(WORDS):
        if word:
            tokens[(" " + word).encode()] = 300 + 7 * i
            tokens.setdefault(word.encode(), n_ordinary - 1 - i)
    return tokens


def write_tokenizer(directory, vocab_size):
    n = 50257 if vocab_size > 51864 else 50256
    vocab = {"".join(BYTES[b] for b in token): i for token, i in vocabulary(n).items()}
    vocab["<|endoftext|>"] = n
    (directory / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False))
    tokenizer = {"version": "1.0", "truncation": None, "padding": None,
                 "added_tokens": [{"id": n, "content": "<|endoftext|>", "special": True, "single_word": False,
                                   "lstrip": False, "rstrip": False, "normalized": False}],
                 "normalizer": None,
                 "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
                 "post_processor": None, "decoder": {"type": "ByteLevel"},
                 "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
                           "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False, "vocab": vocab, "merges": []}}
    (directory / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False))


def make(directory, name, seed=7):
    """Random, but with embeddings whose tokens are mostly ASCII, so that what it writes is text now and then."""
    vocab, mels, width, heads, n_encoder, n_decoder, dtype, shards = SHAPES[name]
    directory.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    config = T.WhisperConfig(
        vocab_size=vocab, num_mel_bins=mels, d_model=width, encoder_attention_heads=heads, decoder_attention_heads=heads,
        encoder_layers=n_encoder, decoder_layers=n_decoder, encoder_ffn_dim=4 * width, decoder_ffn_dim=4 * width,
        max_source_positions=1500, max_target_positions=448)
    model = T.WhisperForConditionalGeneration(config).eval()
    end = 50257 if vocab > 51864 else 50256
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if parameter.dim() > 1 and parameter.shape[0] != vocab:
                position = 1 if "decoder" in key else 0.3
                parameter.normal_(0, position if "positions" in key else 1 / parameter[0].numel() ** 0.5)
        for layer in [m for m in model.modules() if isinstance(m, torch.nn.LayerNorm)]:
            layer.weight.normal_(1, 0.2)
            layer.bias.normal_(0, 0.2)
        table = model.model.decoder.embed_tokens.weight
        table.normal_(0, 0.02)
        plain = [i for t, i in vocabulary(end).items() if t.isascii() and t.decode().isprintable()]
        table[plain] = torch.randn(len(plain), width) * 0.25
        table[end:] = torch.randn(vocab - end, width) * 0.2
    model = model.to(dtype)
    model.save_pretrained(directory, max_shard_size="2MB" if shards else "5GB")
    write_tokenizer(directory, vocab)
    T.WhisperFeatureExtractor(feature_size=mels).save_pretrained(directory)
    return T.WhisperForConditionalGeneration.from_pretrained(directory, dtype=torch.float32).eval()


RENAMES = [("encoder_attn_layer_norm", "cross_attn_ln"), ("self_attn_layer_norm", "attn_ln"), ("final_layer_norm", "mlp_ln"),
           ("encoder_attn", "cross_attn"), ("self_attn", "attn"), ("q_proj", "query"), ("k_proj", "key"), ("v_proj", "value"),
           ("out_proj", "out"), ("fc1", "mlp.0"), ("fc2", "mlp.2"), ("layers", "blocks"),
           ("encoder.layer_norm", "encoder.ln_post"), ("decoder.layer_norm", "decoder.ln"),
           ("embed_positions.weight", "positional_embedding"), ("embed_tokens", "token_embedding")]


def ggml_name(name):
    name = name.removeprefix("model.")
    for old, new in RENAMES:
        name = name.replace(old, new)
    return name


def ggml_tensors(state, f32):
    """name -> array as it stands in the file (outermost first)."""
    out = {}
    for key, tensor in state.items():
        if key == "proj_out.weight":
            continue
        name, data = ggml_name(key), tensor.float().numpy()
        if name in ("encoder.conv1.bias", "encoder.conv2.bias"):
            data = data.reshape(-1, 1)
        small = data.ndim < 2 or name.endswith(("positional_embedding", "conv1.bias", "conv2.bias"))
        out[name] = data.astype(np.float32 if small or f32 else np.float16)
    return out


def write_ggml(model, filters, path, f32=False):
    c = model.config
    end = 50257 if c.vocab_size > 51864 else 50256
    with open(path, "wb") as out:
        out.write(struct.pack("<12i", 0x67676D6C, c.vocab_size, c.max_source_positions, c.d_model,
                              c.encoder_attention_heads, c.encoder_layers, c.max_target_positions, c.d_model,
                              c.decoder_attention_heads, c.decoder_layers, c.num_mel_bins, F32 if f32 else F16))
        out.write(struct.pack("<2i", c.num_mel_bins, N_BINS) + filters.astype("<f4").tobytes())
        by_id = {i: t for t, i in vocabulary(end).items()}
        out.write(struct.pack("<i", end))
        for i in range(end):
            token = by_id.get(i, b"")
            out.write(struct.pack("<i", len(token)) + token)
        for name, data in ggml_tensors(model.state_dict(), f32).items():
            out.write(struct.pack("<3i", data.ndim, len(name), F32 if data.dtype == np.float32 else F16))
            out.write(struct.pack(f"<{data.ndim}i", *reversed(data.shape)) + name.encode() + data.tobytes())


def read_ggml(path):
    """(numbers, filters, tokens, name -> (type, shape, bytes)) of a file of whisper.cpp in F32 or F16."""
    data = path.read_bytes()
    numbers = struct.unpack_from("<12i", data)
    n_mels, n_bins = struct.unpack_from("<2i", data, 48)
    at = 56 + 4 * n_mels * n_bins
    filters = np.frombuffer(data, "<f4", n_mels * n_bins, 56).reshape(n_mels, n_bins)
    n_tokens, = struct.unpack_from("<i", data, at)
    at, tokens = at + 4, []
    for _ in range(n_tokens):
        size, = struct.unpack_from("<i", data, at)
        tokens.append(data[at + 4:at + 4 + size])
        at += 4 + size
    tensors = {}
    while at < len(data):
        n_dims, size, kind = struct.unpack_from("<3i", data, at)
        shape = struct.unpack_from(f"<{n_dims}i", data, at + 12)
        at += 12 + 4 * n_dims
        name = data[at:at + size].decode()
        n_bytes = int(np.prod(shape)) * (4 if kind == F32 else 2)
        assert name not in tensors
        tensors[name] = (kind, shape, data[at + size:at + size + n_bytes])
        at += size + n_bytes
    return numbers, filters, tokens, tensors
