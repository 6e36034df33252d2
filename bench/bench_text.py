#!/usr/bin/env python3
"""Tokens per second and time to first token of one stream and of many, aLLM against llama-server: same file, same
threads, same run, in turns. Prints a table and the ratio (above 1: aLLM is better).

bench_text.py --build build [--model FILE.gguf] [--preset 0.6b --quant Q4_K] [--rounds 2]"""
import argparse
import http.client
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import servers  # noqa: E402


# Random weights may well prefer a token without text, and then nothing would show on the stream.
FORCED_TOKEN = 33


def prompt_of(n_words, seed):
    rng = random.Random(seed)
    return " ".join("".join(rng.choice("abcdefghij") for _ in range(2)) for _ in range(n_words))


def stream(url, model, prompt, n_tokens, result):
    """One streamed chat completion; fills in first-token time, end time and token counts."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=600)
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], "max_tokens": n_tokens, "stream": True,
            "temperature": 0, "ignore_eos": True, "stream_options": {"include_usage": True},
            "logit_bias": {str(FORCED_TOKEN): 100}}
    began = time.monotonic()
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"{answer.status} {answer.read()[:300]}")
    first, times = None, []
    for line in answer:
        if not line.startswith(b"data: ") or line.startswith(b"data: [DONE]"):
            continue
        event = json.loads(line[6:])
        if event.get("choices") and event["choices"][0]["delta"].get("content"):
            times.append(time.monotonic())
            first = first or times[-1]
        if event.get("usage"):
            result["usage"] = event["usage"]
    connection.close()
    result.update(began=began, first=first, end=time.monotonic(), gaps=[b - a for a, b in zip(times, times[1:])])


def run_streams(url, model, n_streams, n_prompt_words, n_tokens, seed):
    results = [{} for _ in range(n_streams)]
    threads = [threading.Thread(target=stream, args=(url, model, prompt_of(n_prompt_words, seed + i), n_tokens, r))
               for i, r in enumerate(results)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    n_out = sum(r["usage"]["completion_tokens"] for r in results)
    span = max(r["end"] for r in results) - min(r["began"] for r in results)
    ttft = statistics.median(r["first"] - r["began"] for r in results if r["first"])
    decode = [(r["usage"]["completion_tokens"] - 1) / (r["end"] - r["first"]) for r in results if r["first"]]
    return {"total tokens/s": n_out / span, "tokens/s of a stream": statistics.median(decode), "first token s": ttft,
            "prompt tokens": results[0]["usage"]["prompt_tokens"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--model", type=pathlib.Path)
    parser.add_argument("--preset", default="0.6b")
    parser.add_argument("--quant", default="Q4_K")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        model = arguments.model
        if model is None:
            model = pathlib.Path(scratch) / "random.gguf"
            subprocess.run([sys.executable, servers.ROOT / "tools/random_gguf.py", model, "--preset", arguments.preset,
                            "--quant", arguments.quant], check=True)
        figures = {}
        threads = str(arguments.threads)
        for round_number in range(arguments.rounds):
            with servers.allm(arguments.build, "--model", model, "--threads", threads, "--ctx", "16384") as (url, _, _):
                stream(url, model.stem, "warm up", 4, {})
                for n in (1, 16):
                    figures.setdefault(("allm", n), []).append(
                        run_streams(url, model.stem, n, 60, arguments.tokens, 1000 * round_number))
            with servers.llama_server(model, arguments.threads, 16, 16384) as (url, _, _):
                stream(url, "x", "warm up", 4, {})
                for n in (1, 16):
                    figures.setdefault(("llama-server", n), []).append(
                        run_streams(url, "x", n, 60, arguments.tokens, 1000 * round_number))
        print(f"{model.name} {arguments.preset} {arguments.quant}, {threads} threads, {arguments.rounds} rounds (medians)")
        for n in (1, 16):
            for key in ("total tokens/s", "tokens/s of a stream", "first token s"):
                ours, theirs = (statistics.median(f[key] for f in figures[(who, n)]) for who in ("allm", "llama-server"))
                ratio = theirs / ours if key == "first token s" else ours / theirs
                print(f"  {n:2d} streams  {key:22s} aLLM {ours:8.3f}  llama-server {theirs:8.3f}  ratio {ratio:5.2f}")


main()
