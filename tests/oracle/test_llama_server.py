#!/usr/bin/python3
"""The whole server against llama-server with the same GGUF files, greedy: test_llama_server.py --build BUILD

Both keep an F32 cache. A table tells for each question how many answers agree: tokens, text, usage, reasons, and the
logarithms of probabilities (at most 1e-3 apart). Where both may differ for a reason, the reason stands in the table.
"""
import argparse
import json
import math
import pathlib
import random
import subprocess
import sys
import tempfile
import unicodedata

import hard_strings
import models_encoders
import test_gguf

ROOT = pathlib.Path(__file__).resolve().parents[2]
N_TOKENS = 32
TOLERANCE = 1e-3


class Ours:
    """build/allm with a models directory of its own."""

    def __init__(self, build, models):
        self.home = tempfile.TemporaryDirectory()
        self.log = open(pathlib.Path(self.home.name) / "log", "w+")
        self.process = subprocess.Popen(
            [build / "allm", "serve", "--port", "0", "--models", models, "--kv-type", "f32", "--threads", "2"],
            stdout=subprocess.PIPE, stderr=self.log, text=True, env={"HOME": self.home.name, "PATH": "/usr/bin:/bin"})
        line = self.process.stdout.readline()
        self.port = int(line.rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()
        self.home.cleanup()

    ask = test_gguf.Server.ask


class Table:
    def __init__(self):
        self.rows, self.differences = {}, []

    def add(self, what, agrees, detail, reason=None):
        """reason: why a difference is right; such a one does not fail the test."""
        right, total, reasons = self.rows.setdefault(what, [0, 0, {}])
        self.rows[what][0:2] = [right + bool(agrees), total + 1]
        if agrees:
            return
        if reason:
            reasons[reason] = reasons.get(reason, 0) + 1
        else:
            self.differences.append(f"{what}: {detail}")

    def show(self):
        for what, (right, total, reasons) in self.rows.items():
            print(f"  {what:34} {right:5}/{total:<5} {'; '.join(f'{n} {r}' for r, n in reasons.items())}")
        for line in self.differences[:10]:
            print("    " + line[:600])


def tokens(table, ours, theirs, model, strings):
    for special in (False, True):
        for text in strings:
            body = {"content": text, "add_special": special, "parse_special": special}
            want = theirs.ask("/tokenize", body)["tokens"]
            got = ours.ask("/tokenize", {**body, "model": model})["tokens"]
            normal = unicodedata.normalize("NFC", text)
            nfc = normal != text and got == theirs.ask("/tokenize", {**body, "content": normal})["tokens"]
            table.add(f"tokenize{', special' if special else ''}", got == want, f"{text!r}: {got}, llama-server {want}",
                      "texts are brought to NFC first, as the model's tokenizer.json says" if nfc else None)
            if special or not want:
                continue
            a = theirs.ask("/detokenize", {"tokens": want})["content"]
            b = ours.ask("/detokenize", {"tokens": want, "model": model})["content"]
            table.add("detokenize", a == b, f"{want}: {b!r}, llama-server {a!r}")


def near_tie(entry):
    """Two candidates that close to each other may change places with the order of additions."""
    top = entry.get("top_logprobs") or []
    return len(top) > 1 and abs(top[0]["logprob"] - top[1]["logprob"]) < TOLERANCE


def worst(got, want):
    """Up to where the tokens part: the largest difference between candidates that both list."""
    largest = 0.0
    for a, b in zip(got, want):
        if a["bytes"] != b["bytes"]:
            break
        theirs = {bytes(x["bytes"] or []): x["logprob"] for x in b["top_logprobs"]}
        pairs = [(x["logprob"], theirs[bytes(x["bytes"])]) for x in a["top_logprobs"] if bytes(x["bytes"]) in theirs]
        largest = max([largest, abs(a["logprob"] - b["logprob"]), *(abs(x - y) for x, y in pairs)])
    return largest


def parts_at_tie(got, want):
    for a, b in zip(got, want):
        if a["bytes"] != b["bytes"]:
            return near_tie(b)
    return False


def chats(table, ours, theirs, model, conversations):
    for messages in conversations:
        # llama-server turns thinking on by itself where the template knows it; here the template's own default holds
        kwargs = {"chat_template_kwargs": {"enable_thinking": False}}
        body = {"messages": messages, "temperature": 0, "max_tokens": N_TOKENS, "logprobs": True, "top_logprobs": 5, **kwargs}
        want = theirs.ask("/v1/chat/completions", {**body, "cache_prompt": False})
        got = ours.ask("/v1/chat/completions", {**body, "model": model})
        a, b = got["choices"][0], want["choices"][0]
        tie = "after a near tie" if parts_at_tie(a["logprobs"]["content"], b["logprobs"]["content"]) else None
        where = f"{messages[-1]['content']!r}: "
        for key in ("content", "reasoning_content"):
            mine, other = a["message"].get(key) or "", b["message"].get(key) or ""
            cut = mine.rstrip("\ufffd") == other.rstrip("\ufffd")
            table.add("chat: " + key, mine == other, where + f"{mine!r}, llama-server {other!r}",
                      tie or ("end within a character: U+FFFD here, nothing there" if cut else None))
        table.add("chat: finish_reason", a["finish_reason"] == b["finish_reason"],
                  where + f"{a['finish_reason']}, llama-server {b['finish_reason']}", tie)
        for key in ("prompt_tokens", "completion_tokens"):
            table.add("chat: usage." + key, got["usage"][key] == want["usage"][key],
                      where + f"{got['usage'][key]}, llama-server {want['usage'][key]}", tie)
        distance = worst(a["logprobs"]["content"], b["logprobs"]["content"])
        table.add("chat: logprobs within 1e-3", distance <= TOLERANCE, where + f"apart by {distance}", tie)
        rendered = theirs.ask("/apply-template", {"messages": messages, **kwargs})["prompt"]
        mine = ours.ask("/apply-template", {"messages": messages, "model": model, **kwargs})["prompt"]
        table.add("apply-template", rendered == mine, where + f"{mine!r}, llama-server {rendered!r}")


def completions(table, ours, theirs, model, prompts):
    for prompt in prompts:
        body = {"prompt": prompt, "temperature": 0, "max_tokens": N_TOKENS}
        want = theirs.ask("/v1/completions", {**body, "cache_prompt": False})
        got = ours.ask("/v1/completions", {**body, "model": model})
        a, b = got["choices"][0], want["choices"][0]
        kind = "of tokens" if isinstance(prompt, list) else "of text"
        where = f"{prompt!r}: "
        table.add(f"completion {kind}: text", a["text"] == b["text"],
                  where + f"{a['text']!r}, llama-server {b['text']!r}")
        table.add(f"completion {kind}: finish_reason", a["finish_reason"] == b["finish_reason"],
                  where + f"{a['finish_reason']}, llama-server {b['finish_reason']}")
        for key in ("prompt_tokens", "completion_tokens"):
            table.add(f"completion {kind}: usage", got["usage"][key] == want["usage"][key],
                      where + f"{key} {got['usage'][key]}, llama-server {want['usage'][key]}")


def embeddings(table, ours, theirs, model, strings):
    for text in strings:
        body = {"input": text, "encoding_format": "float", "model": model}
        want = theirs.ask("/v1/embeddings", body)
        got = ours.ask("/v1/embeddings", body)
        a, b = got["data"][0]["embedding"], want["data"][0]["embedding"]
        cosine = sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
        table.add("embedding: cosine over 0.9999", len(a) == len(b) and cosine > 0.9999, f"{text!r}: {cosine}")
        table.add("embedding: usage", got["usage"]["prompt_tokens"] == want["usage"]["prompt_tokens"],
                  f"{text!r}: {got['usage']}, llama-server {want['usage']}")


def conversations(rng):
    questions = ["Who are you?", "What is 12 + 30?", "Tell me a story about a fox.", "My name is Ada. Say hello.",
                 "Repeat: blue apples", "What is the capital of France?", "Count from 3 to 9.", "What day comes after Monday?"]
    out = [[{"role": "user", "content": q}] for q in questions]
    for _ in range(12):
        chosen = rng.sample(questions, 2)
        out.append([{"role": "system", "content": rng.choice(["You are a pirate.", "Answer briefly.", "Be kind."])},
                    {"role": "user", "content": chosen[0]}, {"role": "assistant", "content": "I see."},
                    {"role": "user", "content": chosen[1]}])
    return out


def as_f32(source, target):
    """In F32 both compute the same: BF16 and quantised weights round the activations too, and each rounding makes more of
    the tiny differences between two ways of cutting a prompt into batches."""
    subprocess.run(["llama-quantize", "--allow-requantize", source, target, "F32"], check=True, capture_output=True)


def plain_texts(rng, count):
    """On which libllama's WordPiece and Hugging Face's agree; where they do not, test_embeddings.py judges ours."""
    words = pathlib.Path("/usr/share/common-licenses/GPL-3").read_text().split()
    starts = (rng.randrange(len(words) - 60) for _ in range(count))
    return [" ".join(words[start:start + rng.randrange(1, 60)]) for start in starts]


def make_encoder(build, name, work):
    """A random model of the family, written as GGUF by our own exporter."""
    directory, _, _ = models_encoders.make(name, work)
    file = pathlib.Path(work) / f"{name}.gguf"
    subprocess.run([build / "src/engine/safetensors/allm-export", directory, file], check=True, capture_output=True)
    return file


def compare(build, model, is_embedding):
    rng = random.Random(model.name)
    table = Table()
    strings = [s for s in hard_strings.hard_strings(model.name, 120) if "\0" not in s]
    if is_embedding:
        strings = plain_texts(rng, 60)
    with tempfile.TemporaryDirectory() as directory:
        as_f32(model, pathlib.Path(directory) / model.name)
        model = pathlib.Path(directory) / model.name
        options = ["--embeddings"] if is_embedding else []
        with test_gguf.Server(model, options) as theirs, Ours(build, directory) as ours:
            tokens(table, ours, theirs, model.stem, strings)
            if is_embedding:
                embeddings(table, ours, theirs, model.stem, strings)
            else:
                chats(table, ours, theirs, model.stem, conversations(rng))
                prompts = rng.sample([s for s in strings if s.strip()], 12)
                ids = [theirs.ask("/tokenize", {"content": p, "add_special": True})["tokens"][:200] for p in prompts]
                completions(table, ours, theirs, model.stem, [p[:400] for p in prompts] + [i for i in ids if i])
    print(f"{model.name}: {'all agree' if not table.differences else f'{len(table.differences)} differ'}")
    table.show()
    return not table.differences


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--encoders", nargs="*", default=["bert", "nomic", "qwen3-embedding"])
    parser.add_argument("models", nargs="*", type=pathlib.Path)
    args = parser.parse_args()
    assistant = args.build / "models" / "tiny-assistant-gguf.gguf"
    models = args.models or [assistant, test_gguf.MODELS[0]]
    good = [compare(args.build.resolve(), m, False) for m in models]
    with tempfile.TemporaryDirectory() as work:
        good += [compare(args.build.resolve(), make_encoder(args.build, name, work), True) for name in args.encoders]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
