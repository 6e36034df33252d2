"""Tiny random Parakeet models as files of libparakeet: a FastConformer encoder and a TDT transducer of the genuine
architecture, narrow. Layout: ggml-org/whisper.cpp, models/convert-parakeet-to-ggml.py."""
import struct

import numpy as np

MAGIC = 0x67676D6C
PIECES = ["<unk>", "\u2581the", "\u2581a", "s", "\u2581of", "ing", "e", "n", ".", "?", ",", "\u2581\u00fcber", "\u2581S",
          "o", "\u2581and", "t"]


class Shape:
    def __init__(self, n_vocab=64, n_audio_ctx=5000, state=32, heads=4, layers=2, n_mels=80, n_fft=512, channels=16,
                 kernel=9, pred=32, pred_layers=2, durations=(0, 1, 2, 3, 4), max_tokens=10, half=True):
        self.__dict__.update(locals())

    def numbers(self):
        return [self.n_vocab, self.n_audio_ctx, self.state, self.heads, self.layers, self.n_mels, int(self.half),
                self.n_fft, 8, self.channels, self.kernel, self.pred, self.pred_layers, len(self.durations),
                self.max_tokens]


def vocabulary(n):
    return (PIECES + [f"\u2581w{i}" if i % 3 == 0 else f"x{i}" for i in range(n)])[:n]


def mel_filters(n_mels, n_fft):
    """Triangles, evenly on the mel scale."""
    top = 2595 * np.log10(1 + 8000 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, n_mels + 2) / 2595) - 1)
    f = np.linspace(0, 8000, n_fft // 2 + 1)
    up = (f - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    down = (edges[2:, None] - f) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(up, down)).astype("<f4")


def tensors(s, rng):
    def weight(*shape):
        return rng.standard_normal(shape) / np.sqrt(shape[-1])

    def small(*shape):
        return 0.1 * rng.standard_normal(shape)

    def norm(n):
        return 1 + small(n)

    yield "encoder.pre_encode.out.weight", weight(s.state, s.n_mels // 8 * s.channels), True
    yield "encoder.pre_encode.out.bias", small(s.state), False
    for i, (inputs, k) in {0: (1, 3), 2: (1, 3), 3: (s.channels, 1), 5: (1, 3), 6: (s.channels, 1)}.items():
        yield f"encoder.pre_encode.conv.{i}.weight", rng.standard_normal((s.channels, inputs, k, k)) * 0.5, False
        yield f"encoder.pre_encode.conv.{i}.bias", small(1, s.channels, 1, 1), False
    for i in range(s.layers):
        p = f"encoder.layers.{i}."
        for name in ("norm_feed_forward1", "norm_conv", "norm_self_att", "norm_feed_forward2", "norm_out"):
            yield f"{p}{name}.weight", norm(s.state), False
            yield f"{p}{name}.bias", small(s.state), False
        for name in ("feed_forward1", "feed_forward2"):
            yield f"{p}{name}.linear1.weight", weight(4 * s.state, s.state), True
            yield f"{p}{name}.linear2.weight", weight(s.state, 4 * s.state), True
        yield p + "conv.pointwise_conv1.weight", weight(2 * s.state, s.state), True
        yield p + "conv.depthwise_conv.weight", weight(s.state, s.kernel), False
        yield p + "conv.batch_norm.weight", norm(s.state), False
        yield p + "conv.batch_norm.bias", small(s.state), False
        yield p + "conv.batch_norm.running_mean", small(s.state), False
        yield p + "conv.batch_norm.running_var", 1 + np.abs(small(s.state)), False
        yield p + "conv.batch_norm.num_batches_tracked", np.array(7.0), False
        yield p + "conv.pointwise_conv2.weight", weight(s.state, s.state), True
        for name in ("pos_bias_u", "pos_bias_v"):
            yield f"{p}self_attn.{name}", small(s.heads, s.state // s.heads), False
        for name in ("q", "k", "v", "out", "pos"):
            yield f"{p}self_attn.linear_{name}.weight", weight(s.state, s.state), True
    yield "decoder.prediction.embed.weight", rng.standard_normal((s.n_vocab + 1, s.pred)), True
    for i in range(s.pred_layers):
        p = "decoder.prediction.dec_rnn.lstm."
        yield f"{p}weight_ih_l{i}", 2 * weight(4 * s.pred, s.pred), True
        yield f"{p}weight_hh_l{i}", weight(4 * s.pred, s.pred), True
        yield f"{p}bias_h_l{i}", small(4 * s.pred), False
    yield "joint.pred.weight", 2 * weight(s.pred, s.pred), True
    yield "joint.pred.bias", small(s.pred), False
    yield "joint.enc.weight", 2 * weight(s.pred, s.state), True
    yield "joint.enc.bias", small(s.pred), False
    out = s.n_vocab + 1 + len(s.durations)
    yield "joint.joint_net.2.weight", 2 * weight(out, s.pred), True
    bias = small(out)
    bias[s.n_vocab] += 1.5  # mostly nothing is said
    yield "joint.joint_net.2.bias", bias, False


def write(path, s, seed=1):
    rng = np.random.default_rng(seed)
    with open(path, "wb") as out:
        out.write(struct.pack("<I15i", MAGIC, *s.numbers()))
        filters = mel_filters(s.n_mels, s.n_fft)
        out.write(struct.pack("<2i", *filters.shape) + filters.tobytes())
        out.write(struct.pack("<i", 400) + np.hanning(400).astype("<f4").tobytes())
        out.write(struct.pack(f"<{len(s.durations)}I", *s.durations))
        out.write(struct.pack("<i", s.n_vocab))
        for piece in vocabulary(s.n_vocab):
            raw = piece.encode()
            out.write(struct.pack("<i", len(raw)) + raw)
        for name, data, is_matrix in tensors(s, rng):
            kind = 1 if is_matrix and s.half else 0
            raw = name.encode()
            out.write(struct.pack(f"<3i{data.ndim}i", data.ndim, len(raw), kind, *data.shape[::-1]) + raw)
            out.write(data.astype("<f2" if kind else "<f4").tobytes())
