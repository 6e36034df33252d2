r"""Trains models/tiny-assistant from scratch: corpus -> tokenizer -> Qwen3 -> Hugging Face directory.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
    python3 train_assistant.py --work DIR --minutes 90 --export models/tiny-assistant

--work holds what is between steps (tokenizer, samples, checkpoint); a second call with the same --work goes on
from the last checkpoint. The learning rate follows wall time: warm-up, constant, then linear decay to zero over
the last --decay share of --minutes, so that the run ends on time on any machine. Loss is taken on the assistant's
tokens only. Needs torch, transformers, tokenizers, safetensors, jinja2 and a real BLAS (OpenBLAS).
"""
import argparse
import json
import math
import pathlib
import random
import re
import time

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import distributed, multiprocessing, nn

import assistant_data as data

CONFIG = {
    "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "vocab_size": 2048,
    "hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 5, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 64, "hidden_act": "silu", "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "rope_scaling": None, "attention_bias": False,
    "attention_dropout": 0.0, "tie_word_embeddings": True, "initializer_range": 0.02, "use_cache": True,
    "use_sliding_window": False, "sliding_window": None, "max_window_layers": 5, "torch_dtype": "bfloat16",
}


class RMSNorm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight, CONFIG["rms_norm_eps"])


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.kv, self.dim = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
        self.q_proj = nn.Linear(c["hidden_size"], self.heads * self.dim, bias=False)
        self.k_proj = nn.Linear(c["hidden_size"], self.kv * self.dim, bias=False)
        self.v_proj = nn.Linear(c["hidden_size"], self.kv * self.dim, bias=False)
        self.o_proj = nn.Linear(self.heads * self.dim, c["hidden_size"], bias=False)
        self.q_norm, self.k_norm = RMSNorm(self.dim), RMSNorm(self.dim)

    def forward(self, x, cos, sin):
        b, t, _ = x.shape
        q = self.q_norm(self.q_proj(x).view(b, t, self.heads, self.dim)).transpose(1, 2)
        k = self.k_norm(self.k_proj(x).view(b, t, self.kv, self.dim)).transpose(1, 2)
        v = self.v_proj(x).view(b, t, self.kv, self.dim).transpose(1, 2)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        n = self.heads // self.kv
        k, v = k.repeat_interleave(n, 1), v.repeat_interleave(n, 1)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o_proj(y.transpose(1, 2).reshape(b, t, -1))


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class MLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_proj = nn.Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.up_proj = nn.Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.down_proj = nn.Linear(c["intermediate_size"], c["hidden_size"], bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.self_attn, self.mlp = Attention(c), MLP(c)
        self.input_layernorm = RMSNorm(c["hidden_size"])
        self.post_attention_layernorm = RMSNorm(c["hidden_size"])

    def forward(self, x, cos, sin):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Qwen3(nn.Module):
    """Qwen3ForCausalLM with its parameter names, for training only (transformers is the judge: eval_assistant.py)."""

    def __init__(self, c):
        super().__init__()
        self.embed_tokens = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.layers = nn.ModuleList(Layer(c) for _ in range(c["num_hidden_layers"]))
        self.norm = RMSNorm(c["hidden_size"])
        freq = c["rope_theta"] ** (-torch.arange(0, c["head_dim"], 2).float() / c["head_dim"])
        angle = torch.arange(c["max_position_embeddings"]).float()[:, None] * freq
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                out = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(p, std=0.02 / (math.sqrt(2 * c["num_hidden_layers"]) if out else 1))

    def forward(self, ids):
        x = self.embed_tokens(ids)
        cos, sin = self.cos[: ids.shape[1]], self.sin[: ids.shape[1]]
        for layer in self.layers:
            x = layer(x, cos, sin)
        return self.norm(x)

    def loss(self, ids, targets):
        """targets: -100 where there is no loss. Logits are computed only where there is one."""
        hidden = self(ids).flatten(0, 1)
        targets = targets.flatten()
        where = (targets >= 0).nonzero().squeeze(1)
        logits = hidden[where] @ self.embed_tokens.weight.T
        return F.cross_entropy(logits, targets[where])


# ---- tokenizer ------------------------------------------------------------------------------------------------------

QWEN_SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MARKS = ["<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>"]


def load_template(path):
    """The template as transformers sets jinja2 up for it."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    env.filters["tojson"] = lambda x: json.dumps(x, ensure_ascii=False)
    return env.from_string(path.read_text())


def render(template, sample):
    return template.render(messages=sample["messages"], tools=sample["tools"])


def train_tokenizer(template, seed, n_samples):
    from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN_SPLIT), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False,
        use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    rng = random.Random(seed)

    def corpus():
        for _ in range(n_samples):
            yield from re.split("|".join(map(re.escape, SPECIAL + MARKS)), render(template, data.make_sample(rng)))
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=CONFIG["vocab_size"] - len(SPECIAL + MARKS), initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False))
    tokenizer.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIAL])
    tokenizer.add_tokens([AddedToken(s, special=False, normalized=False) for s in MARKS])
    assert tokenizer.get_vocab_size() == CONFIG["vocab_size"]
    return tokenizer


# ---- batches --------------------------------------------------------------------------------------------------------

class Batches:
    """Endless batches of at most n_tokens tokens: padded samples of like length, targets on the assistant's tokens."""

    copying = 0.0  # the share of short copying samples, see data.make_sample()

    def __init__(self, template, tokenizer, seed, n_tokens, chunk=1024):
        self.template, self.tokenizer, self.rng = template, tokenizer, random.Random(seed)
        self.n_tokens, self.chunk = n_tokens, chunk
        self.start, self.end = tokenizer.encode("<|im_start|>assistant\n").ids, tokenizer.token_to_id("<|im_end|>")
        self.no_think = tokenizer.encode("<think>\n\n</think>\n\n").ids

    def encode(self, text):
        ids = self.tokenizer.encode(text).ids[:-1]  # without the newline behind the last <|im_end|>
        targets, i, n = [-100] * len(ids), 0, len(self.start)
        while i < len(ids):
            if ids[i:i + n] != self.start:
                i += 1
                continue
            i += n
            if ids[i:i + len(self.no_think)] == self.no_think:
                i += len(self.no_think)  # part of the prompt
            elif self.tokenizer.token_to_id("<think>") != ids[i]:
                i += 1  # an earlier turn: whether to think is not learnt here
            while i < len(ids):
                targets[i] = ids[i]
                i += 1
                if ids[i - 1] == self.end:
                    break
        return ids[:-1], targets[1:]

    def __iter__(self):
        while True:
            made = [self.encode(render(self.template, data.make_sample(self.rng, copying=self.copying)))
                for _ in range(self.chunk)]
            made = [m for m in made if len(m[0]) <= 1000]
            made.sort(key=lambda m: len(m[0]) + self.rng.random())
            batches, batch = [], []
            for m in made:
                if batch and (len(batch) + 1) * len(m[0]) > self.n_tokens:
                    batches.append(batch)
                    batch = []
                batch.append(m)
            self.rng.shuffle(batches)
            for batch in batches:
                width = max(len(ids) for ids, _ in batch)
                ids = np.zeros((len(batch), width), np.int64)
                targets = np.full((len(batch), width), -100, np.int64)
                for row, (a, b) in enumerate(batch):
                    ids[row, :len(a)], targets[row, :len(b)] = a, b
                yield torch.from_numpy(ids), torch.from_numpy(targets)


# ---- training -------------------------------------------------------------------------------------------------------

class Muon(torch.optim.Optimizer):
    """Momentum whose update is orthogonalised (Jordan et al. 2024), for the matrices inside the layers.
    The processes share the work: each orthogonalises every n-th matrix."""

    def __init__(self, params, lr, momentum=0.95, weight_decay=0.02):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        rank, world = distributed.get_rank(), distributed.get_world_size()
        for group in self.param_groups:
            params = group["params"]
            updates = [torch.zeros_like(p) for p in params]
            for i, p in enumerate(params):
                momentum = self.state[p].setdefault("momentum", torch.zeros_like(p))
                momentum.lerp_(p.grad, 1 - group["momentum"])
                if i % world == rank:
                    updates[i] = newton_schulz(p.grad.lerp(momentum, group["momentum"])) * max(1,
                        p.shape[0] / p.shape[1]) ** 0.5
            for p, u in zip(params, sum_over_processes(updates)):
                p.mul_(1 - group["lr"] * group["weight_decay"]).add_(u, alpha=-group["lr"])


def sum_over_processes(tensors):
    flat = torch.cat([t.flatten() for t in tensors])
    distributed.all_reduce(flat)
    return [f.view_as(t) for f, t in zip(flat.split([t.numel() for t in tensors]), tensors)]


def newton_schulz(g):
    tall = g.shape[-2] > g.shape[-1]
    x = g.mT if tall else g
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.mT if tall else x


def schedule(share, step, decay):
    """Learning rate factor after this share of the time."""
    warm = min(1.0, (step + 1) / 60)
    return warm * min(1.0, max(0.0, (1 - share) / decay))


def train(rank, args):
    """One of args.processes processes of one thread each: on a busy machine that is far faster than threads."""
    distributed.init_process_group("gloo", init_method=f"file://{args.work.resolve()}/rendezvous", rank=rank,
        world_size=args.processes)
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    template, tokenizer = load_template(args.template), Tokenizer.from_file(str(args.work / "tokenizer.json"))
    model = Qwen3(CONFIG)
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and "embed" not in n]
    rest = [p for n, p in model.named_parameters() if p.dim() != 2 or "embed" in n]
    params = matrices + rest
    optimizers = [Muon(matrices, 0.02), torch.optim.AdamW(rest, 0.004, betas=(0.9, 0.98), weight_decay=0.0, fused=True)]
    base = [0.02, 0.004]
    ema = {n: p.detach().clone() for n, p in model.named_parameters()}
    step = tokens = 0
    spent, file = 0.0, args.work / "checkpoint.pt"
    if file.exists():
        saved = torch.load(file)
        model.load_state_dict(saved["model"])
        ema, step, tokens, spent = saved["ema"], saved["step"], saved["tokens"], saved["spent"]
        for o, state in zip(optimizers, saved["optimizers"]):
            o.load_state_dict(state)
    source = Batches(template, tokenizer, args.seed + 1000 * (rank + 1) + step, args.micro)
    batches, began, last_save, losses = iter(source), time.monotonic() - spent, time.monotonic(), []
    while spent < args.minutes * 60:
        factor = schedule(spent / (args.minutes * 60), step, args.decay)
        for o, lr in zip(optimizers, base):
            o.param_groups[0]["lr"] = lr * factor
        source.copying = max(0.0, 0.95 - step / args.copy_steps)
        ids, targets = next(batches)
        loss = model.loss(ids, targets)
        loss.backward()
        said = torch.tensor([loss.item(), ids.numel(), (time.monotonic() - began) if rank == 0 else 0.0])
        *grads, (mean_loss, n, spent) = sum_over_processes([p.grad for p in params] + [said])
        for p, g in zip(params, grads):
            p.grad = g / args.processes
        nn.utils.clip_grad_norm_(rest, 1.0)
        for o in optimizers:
            o.step()
            o.zero_grad()
        losses.append(mean_loss.item() / args.processes)
        step, tokens, spent = step + 1, tokens + int(n), spent.item()
        with torch.no_grad():
            for name, p in model.named_parameters():
                ema[name].lerp_(p, 0.004)
        if rank == 0 and step % 25 == 0:
            print(f"step {step} loss {np.mean(losses):.4f} lr {factor:.3f} tokens {tokens / 1e6:.2f}M "
                  f"minutes {spent / 60:.1f} tokens/s {tokens / spent:.0f}", flush=True)
            losses = []
        if rank == 0 and time.monotonic() - last_save > 120:
            last_save = time.monotonic()
            save(file, model, ema, optimizers, step, tokens, spent)
    if rank == 0:
        save(file, model, ema, optimizers, step, tokens, spent)


def save(file, model, ema, optimizers, step, tokens, spent):
    torch.save({"model": model.state_dict(), "ema": ema, "optimizers": [o.state_dict() for o in optimizers],
                "step": step, "tokens": tokens, "spent": spent}, file.with_suffix(".new"))
    file.with_suffix(".new").rename(file)


# ---- the Hugging Face directory -------------------------------------------------------------------------------------

def export(out, weights, tokenizer):
    from safetensors.torch import save_file
    out.mkdir(parents=True, exist_ok=True)
    ids = {s: tokenizer.token_to_id(s) for s in SPECIAL}
    config = CONFIG | {"bos_token_id": ids["<|endoftext|>"], "eos_token_id": ids["<|im_end|>"],
        "pad_token_id": ids["<|endoftext|>"]}
    generation = {"do_sample": True, "temperature": 0.3, "top_p": 0.9, "top_k": 20,
        "bos_token_id": ids["<|endoftext|>"],
                  "eos_token_id": [ids["<|im_end|>"], ids["<|endoftext|>"]], "pad_token_id": ids["<|endoftext|>"]}
    added = {str(tokenizer.token_to_id(s)): {"content": s, "lstrip": False, "normalized": False, "rstrip": False,
        "single_word": False,
                                             "special": s in SPECIAL} for s in SPECIAL + MARKS}
    tokenizer_config = {"add_bos_token": False, "add_prefix_space": False, "added_tokens_decoder": added,
        "bos_token": None,
                        "clean_up_tokenization_spaces": False, "eos_token": "<|im_end|>", "errors": "replace",
                        "model_max_length": CONFIG["max_position_embeddings"], "pad_token": "<|endoftext|>",
                        "split_special_tokens": False,
                        "tokenizer_class": "Qwen2Tokenizer", "unk_token": None}
    for name, value in (("config", config), ("generation_config", generation), ("tokenizer_config", tokenizer_config)):
        (out / f"{name}.json").write_text(json.dumps(value, indent=2) + "\n")
    tokenizer.save(str(out / "tokenizer.json"))
    tensors = {f"model.{n}": t.to(torch.bfloat16).contiguous() for n, t in weights.items()}
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="directory for the tokenizer and the "
        "checkpoint")
    parser.add_argument("--template", type=pathlib.Path,
        default=pathlib.Path(__file__).resolve().parents[2] / "models/tiny-assistant/chat_template.jinja")
    parser.add_argument("--export", type=pathlib.Path, help="write the Hugging Face directory here")
    parser.add_argument("--export-only", action="store_true", help="export the running average of the last checkpoint "
        "and stop")
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--decay", type=float, default=0.45)
    parser.add_argument("--processes", type=int, default=2, help="one a core")
    parser.add_argument("--micro", type=int, default=2048, help="tokens of a process in a step")
    parser.add_argument("--copy-steps", type=int, default=1200, help="steps over which the share of mere copying "
        "falls from 0.95 to 0")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    file = args.work / "tokenizer.json"
    if not file.exists():
        train_tokenizer(load_template(args.template), args.seed, 20000).save(str(file))
    tokenizer = Tokenizer.from_file(str(file))
    if not args.export_only:
        (args.work / "rendezvous").unlink(missing_ok=True)
        multiprocessing.start_processes(train, (args,), args.processes, start_method="spawn")
    if args.export:
        saved = torch.load(args.work / "checkpoint.pt")
        export(args.export, saved["ema" if args.export_only else "model"], tokenizer)


if __name__ == "__main__":
    main()
