"""Whisper as it is trained here: the parameters have the names of Hugging Face's WhisperForConditionalGeneration.

Three things differ from it while training and are gone in the exported weights: the encoder takes a piece of a window at any
of its positions; the rows of the vocabulary that nothing uses are zero and enter the softmax as a constant; and the rows of
the 1,501 timestamps are a linear function of the encoder's sinusoids, so that a few windows teach all of them.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

import whisper_tokens as tokens

# whisper.cpp takes two decoder layers for a distilled model without timestamps: three.
SIZES = {"d_model": 64, "encoder_layers": 4, "encoder_attention_heads": 2, "encoder_ffn_dim": 256, "decoder_layers": 3,
    "decoder_attention_heads": 2, "decoder_ffn_dim": 256, "max_target_positions": 448, "num_hidden_layers": 4}
ALIGNMENT_HEADS = [[2, 0]]


def sinusoids(length, channels):
    scales = torch.exp(-math.log(10000) / (channels // 2 - 1) * torch.arange(channels // 2))
    angles = torch.arange(length)[:, None] * scales[None]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class Attention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.k_proj = nn.Linear(d, d, bias=False)
        self.v_proj, self.q_proj, self.out_proj = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)

    def split(self, x):
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, x, source=None, causal=False, log_weights=False):
        """log_weights: also the logarithm of head 0's attention, [batch, queries, keys]."""
        source = x if source is None else source
        q, k, v = self.split(self.q_proj(x)), self.split(self.k_proj(source)), self.split(self.v_proj(source))
        if not log_weights:
            out = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
            return self.out_proj(out.transpose(1, 2).flatten(2))
        log = (q @ k.mT * q.shape[-1] ** -0.5).log_softmax(-1)
        return self.out_proj((log.exp() @ v).transpose(1, 2).flatten(2)), log[:, 0]


class EncoderLayer(nn.Module):
    def __init__(self, d, heads, ffn):
        super().__init__()
        self.self_attn = Attention(d, heads)
        self.self_attn_layer_norm, self.final_layer_norm = nn.LayerNorm(d), nn.LayerNorm(d)
        self.fc1, self.fc2 = nn.Linear(d, ffn), nn.Linear(ffn, d)

    def forward(self, x):
        x = x + self.self_attn(self.self_attn_layer_norm(x))
        return x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x))))


class DecoderLayer(nn.Module):
    def __init__(self, d, heads, ffn):
        super().__init__()
        self.self_attn, self.encoder_attn = Attention(d, heads), Attention(d, heads)
        self.self_attn_layer_norm, self.encoder_attn_layer_norm = nn.LayerNorm(d), nn.LayerNorm(d)
        self.final_layer_norm = nn.LayerNorm(d)
        self.fc1, self.fc2 = nn.Linear(d, ffn), nn.Linear(ffn, d)

    def forward(self, x, source):
        x = x + self.self_attn(self.self_attn_layer_norm(x), causal=True)
        heard, log = self.encoder_attn(self.encoder_attn_layer_norm(x), source, log_weights=True)
        x = x + heard
        return x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x)))), log


class Encoder(nn.Module):
    def __init__(self, s):
        super().__init__()
        d = s["d_model"]
        self.conv1, self.conv2 = nn.Conv1d(80, d, 3, padding=1), nn.Conv1d(d, d, 3, stride=2, padding=1)
        self.register_buffer("positions", sinusoids(1500, d), persistent=False)
        self.layers = nn.ModuleList(EncoderLayer(d, s["encoder_attention_heads"], s["encoder_ffn_dim"])
            for _ in range(s["encoder_layers"]))
        self.layer_norm = nn.LayerNorm(d)

    def forward(self, mel, at):
        """mel [batch, 80, 2 n], at [batch]: the position of the first frame. Also the state after half of the layers."""
        x = F.gelu(self.conv2(F.gelu(self.conv1(mel)))).mT
        x = x + self.positions[at[:, None] + torch.arange(x.shape[1])]
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i == len(self.layers) // 2:
                middle = x
        return self.layer_norm(x), middle


class Decoder(nn.Module):
    def __init__(self, s, n_used):
        super().__init__()
        d = s["d_model"]
        self.used = nn.Parameter(torch.randn(n_used, d) * 0.15)
        self.time, self.time_bias = nn.Parameter(torch.eye(d) * 0.15), nn.Parameter(torch.zeros(d))
        self.register_buffer("ticks", sinusoids(1501, d), persistent=False)
        self.embed_positions = nn.Parameter(sinusoids(s["max_target_positions"], d) * 0.15)
        self.layers = nn.ModuleList(DecoderLayer(d, s["decoder_attention_heads"], s["decoder_ffn_dim"])
            for _ in range(s["decoder_layers"]))
        self.layer_norm = nn.LayerNorm(d)
        nn.init.constant_(self.layer_norm.weight, 2.0)

    def table(self):
        return torch.cat([self.used, self.ticks @ self.time + self.time_bias])

    def forward(self, ids, source):
        table = self.table()
        x = F.embedding(ids, table) + self.embed_positions[:ids.shape[1]]
        logs = []
        for layer in self.layers:
            x, log = layer(x, source)
            logs.append(log)
        return self.layer_norm(x) @ table.T, logs


class Whisper(nn.Module):
    """ids are compact here: the used tokens in the order of Tokens.used, then the timestamps."""

    def __init__(self, n_used, n_phonemes=128, sizes=SIZES):
        super().__init__()
        self.sizes, self.n_used = sizes, n_used
        self.encoder, self.decoder = Encoder(sizes), Decoder(sizes, n_used)
        self.phonemes = nn.ModuleList([nn.Linear(sizes["d_model"], n_phonemes) for _ in range(2)])
        self.log_unused = math.log(tokens.N_VOCAB - n_used - 1501)

    def log_probabilities(self, logits):
        """The zeros of all unused rows are in the normaliser."""
        total = torch.logaddexp(logits.logsumexp(-1), torch.tensor(self.log_unused))
        return logits - total[..., None]

    def loss(self, batch):
        source, middle = self.encoder(batch["mel"], batch["at"])
        logits, attention = self.decoder(batch["ids"], source)
        log = self.log_probabilities(logits)
        text = -log.gather(-1, batch["targets"].clamp(min=0)[..., None])[..., 0]
        times = self.time_loss(log, batch["targets"])
        known, is_time = batch["targets"] >= 0, batch["targets"] >= self.n_used
        losses = {"text": text[known & ~is_time].mean(), "time": times[is_time].sum() / max(1, int(is_time.sum()))}
        labels = batch["labels"].flatten()
        losses["phone"] = sum(F.cross_entropy(head(x).flatten(0, 1), labels)
            for head, x in zip(self.phonemes, (middle, source))) / 2
        losses["align"] = self.align_loss(attention[-1], batch["spans"]) + 0.5 * self.align_loss(attention[0], batch["own_spans"])
        losses["right"] = (log.argmax(-1) == batch["targets"])[known & ~is_time].float().mean().detach()
        return losses

    def time_loss(self, log, targets):
        tick = (targets - self.n_used).clamp(min=0)
        loss = 0
        for by, weight in ((-2, 0.06), (-1, 0.22), (0, 0.44), (1, 0.22), (2, 0.06)):
            at = self.n_used + (tick + by).clamp(0, 1500)
            loss = loss - weight * log.gather(-1, at[..., None])[..., 0]
        return loss

    @staticmethod
    def align_loss(log, spans):
        """Head 0 of the last layer hears the word that it predicts; of the first, the word that came in."""
        frames = torch.arange(log.shape[-1])
        inside = (frames >= spans[..., :1]) & (frames < spans[..., 1:])
        known = spans[..., 1] > spans[..., 0]
        mass = log.masked_fill(~inside, -1e4).logsumexp(-1)
        return -(mass * known).clamp(min=-20).sum() / max(1, int(known.sum()))


def exported(model, used):
    """The tensors of a Hugging Face checkpoint."""
    table = model.decoder.table().detach()
    full = torch.zeros(tokens.N_VOCAB, table.shape[1])
    full[torch.tensor(used)] = table[:len(used)]
    full[tokens.TIMESTAMP:] = table[len(used):]
    out = {"model.decoder.embed_tokens.weight": full,
        "model.decoder.embed_positions.weight": model.decoder.embed_positions.detach(),
        "model.encoder.embed_positions.weight": model.encoder.positions}
    skip = ("decoder.used", "decoder.time", "decoder.embed_positions", "phonemes")
    out |= {f"model.{n}": p.detach() for n, p in model.named_parameters() if not n.startswith(skip)}
    return {n: t.to(torch.float16).contiguous() for n, t in out.items()}
