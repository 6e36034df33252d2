#!/usr/bin/env python3
"""What a JSON schema costs: tokens per second of one stream with it and without it, aLLM against llama-server on the same
file, in turns. Random weights like nearly no token that JSON allows, so this is the dearest a grammar gets.

bench_grammar.py --build build --model FILE.gguf [--rounds 3] [--tokens 48]"""
import argparse
import http.client
import json
import os
import pathlib
import statistics
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import servers  # noqa: E402

SCHEMA = {"type": "object", "additionalProperties": False, "required": ["name", "tags", "n"], "properties": {
    "name": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}, "n": {"type": "integer"}}}


def speed(url, model, n_tokens, schema, seed):
    """Tokens a second of one answer; its length is what came. None: the server refuses its own answer."""
    parts = urllib.parse.urlsplit(url)
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": n_tokens, "temperature": 1,
            "seed": seed}
    if schema:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}}
    else:
        body["ignore_eos"] = True
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=600)
    began = time.monotonic()
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    if "does not match the expected" in answer.get("error", {}).get("message", ""):
        return None  # llama-server's own parser does not take what its grammar let through
    connection.close()
    return answer["usage"]["completion_tokens"] / (time.monotonic() - began)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    figures = {}
    with servers.allm(args.build, "--model", str(args.model), "--threads", str(args.threads), "--ctx", "2048") as (ours, _, _), \
            servers.llama_server(str(args.model), args.threads, 1, 2048) as (theirs, _, _):
        for round_ in range(args.rounds + 1):
            for name, url in (("aLLM", ours), ("llama-server", theirs)):
                for schema in (False, True):
                    value = speed(url, args.model.stem, args.tokens, schema, round_)
                    if round_ > 0 and value is not None:  # the first warms up
                        figures.setdefault((name, schema), []).append(value)
    for name in ("aLLM", "llama-server"):
        without, with_it = (statistics.median(figures[name, schema]) for schema in (False, True))
        print(f"{name:13s} one stream {without:6.2f} tokens/s, with a JSON schema {with_it:6.2f} ({with_it / without:.2f})")


if __name__ == "__main__":
    main()
