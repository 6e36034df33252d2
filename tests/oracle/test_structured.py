#!/usr/bin/python3
"""Structured output of the whole server: test_structured.py --build BUILD [--schemas N]

Random schemas, three answers each of the built-in assistant at temperature 1.5: every whole answer must be valid under
python3-jsonschema, or the request refused before anything is generated. An answer that max_tokens cuts must say "length".
"""
import argparse
import concurrent.futures
import json
import pathlib
import random
import sys
import urllib.error

import jsonschema

import test_llama_server
import test_schema

N_ANSWERS = 3


def ask(server, number, schema):
    body = {"model": "tiny-assistant", "messages": [{"role": "user", "content": "Give me an example."}], "n": N_ANSWERS,
            "temperature": 1.5, "seed": number, "max_tokens": 250,
            "response_format": {"type": "json_schema", "json_schema": {"name": "example", "schema": schema}}}
    try:
        return server.ask("/v1/chat/completions", body)["choices"], None
    except urllib.error.HTTPError as error:
        return None, json.load(error)["error"]


def judge(schema, choices, counts):
    """What is wrong, or None."""
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    for choice in choices:
        text = choice["message"]["content"]
        if choice["finish_reason"] == "length":
            counts["cut by max_tokens"] += 1
            continue
        if choice["finish_reason"] != "stop":
            return f"finish_reason {choice['finish_reason']}"
        try:
            validator.validate(json.loads(text))
        except (ValueError, jsonschema.ValidationError) as error:
            return f"{text!r}: {str(error)[:300]}"
        counts["valid"] += 1
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--schemas", type=int, default=500)
    args = parser.parse_args()
    rng = random.Random(7)
    schemas = [test_schema.Maker(rng).root()[0] for _ in range(args.schemas)]
    counts, problems = {"valid": 0, "cut by max_tokens": 0, "refused": 0}, []
    with test_llama_server.Ours(args.build.resolve(), args.build.resolve()) as server:
        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            answers = pool.map(lambda item: ask(server, *item), enumerate(schemas))
            for schema, (choices, error) in zip(schemas, answers):
                if choices is None and (error["code"] == "INTERNAL" or not (error["param"] or "").startswith(
                        "response_format.json_schema.schema")):
                    problems.append((schema, f"refused without a place: {error}"))
                elif choices is None:
                    counts["refused"] += 1
                elif wrong := judge(schema, choices, counts):
                    problems.append((schema, wrong))
    print(f"{len(schemas)} schemas, {N_ANSWERS} answers each: " + ", ".join(f"{n} {what}" for what, n in counts.items()) +
          f", {len(problems)} wrong")
    for schema, wrong in problems[:5]:
        print(f"  {json.dumps(schema)[:600]}\n    {wrong}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
