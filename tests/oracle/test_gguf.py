#!/usr/bin/python3
"""GGUF files, ours against llama-server on this machine: test_gguf.py --probe PROBE [FILE...]

The same file, the same prompts, both greedy with an F32 cache and without flash attention: the 32 tokens must be the
same up to where the server stops at an end token, and so must the tokens of every text. Prompts are drawn, not chosen.
"""
import argparse
import json
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent / "data" / "gguf"
MODELS = [DATA / "tiny-qwen3.gguf", DATA / "tiny-llama-00001-of-00002.gguf"]
N_GREEDY = 32


def texts(rng):
    """Pieces of licences, and characters from everywhere."""
    licence = pathlib.Path("/usr/share/common-licenses/GPL-3").read_text(errors="ignore")
    out = []
    for _ in range(150):
        start = rng.randrange(len(licence) - 200)
        out.append(licence[start:start + rng.randrange(1, 200)])
    ranges = [(0x20, 0x7E), (0xA0, 0x24F), (0x370, 0x52F), (0x4E00, 0x4FFF), (0x1F300, 0x1F6FF), (9, 13), (32, 32)]
    for _ in range(150):
        low, high = rng.choice(ranges)
        out.append("".join(chr(rng.randint(low, high)) for _ in range(rng.randrange(1, 40))))
    return out


class Server:
    def __init__(self, model, options=()):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            ["llama-server", "-m", str(model), "--host", "127.0.0.1", "--port", str(self.port), "-c", "2048", "-np", "1",
             "-t", "2", "-ctk", "f32", "-ctv", "f32", "-fa", "off", "--no-warmup", "-ngl", "0",
             *options],
            stdout=self.log, stderr=self.log)

    def __enter__(self):
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5).read()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.log.seek(0)
                    raise RuntimeError("llama-server does not start: " + self.log.read()[-2000:].decode())
                time.sleep(0.1)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def ask(self, path, body):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        return json.load(urllib.request.urlopen(request, timeout=60))

    def tokens(self, text):
        return self.ask("/tokenize", {"content": text, "add_special": False, "parse_special": False})["tokens"]

    def greedy(self, prompt):
        answer = self.ask("/completion", {"prompt": prompt, "n_predict": N_GREEDY, "temperature": 0, "top_k": 1,
                                          "repeat_penalty": 1, "cache_prompt": False, "return_tokens": True})
        return answer["tokens"]


def run_probe(probe, model, arguments, lines):
    run = subprocess.run([probe, str(model), *arguments], input="".join(json.dumps(line) + "\n" for line in lines), text=True,
                         capture_output=True, timeout=120)
    if run.returncode != 0:
        raise RuntimeError(run.stderr.strip())
    return [[int(x) for x in line.split()] for line in run.stdout.split("\n")[:len(lines)]]


def compare(probe, model):
    rng = random.Random(model.name)
    strings = texts(rng)
    problems = []
    with Server(model) as server, tempfile.TemporaryDirectory() as work:
        for text, got in zip(strings, run_probe(probe, model, ["tokens", "--no-special"], strings)):
            want = server.tokens(text)
            if got != want:
                problems.append(f"tokens of {text!r}: {got}, llama-server {want}")
        prompts = [server.tokens(text)[:200] or [5] for text in rng.sample(strings, 16)]
        answers = run_probe(probe, model, ["logits", f"{work}/logits", str(N_GREEDY)], prompts)
        compared = 0
        for prompt, got in zip(prompts, answers):
            want = server.greedy(prompt)
            compared += len(want)
            if not want or got[:len(want)] != want:
                problems.append(f"after {prompt}: {got}, llama-server {want}")
    print(f"{model.name}: {len(strings)} texts, {compared} greedy tokens after {len(prompts)} prompts: "
          f"{'the same' if not problems else f'{len(problems)} differ'}")
    for problem in problems[:5]:
        print("  " + problem)
    return not problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--probe", required=True)
    parser.add_argument("models", nargs="*", type=pathlib.Path, default=MODELS)
    args = parser.parse_args()
    return 0 if all([compare(args.probe, model) for model in args.models]) else 1


if __name__ == "__main__":
    sys.exit(main())
