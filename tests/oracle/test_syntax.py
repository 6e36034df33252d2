#!/usr/bin/env python3
"""Tool calls there and back: what a family's template writes for a call, our parser reads as the same call.

    test_syntax.py PROBE [--seed N] [--calls N] [--show N]

PROBE is the program built from syntax_probe.c. jinja2 under transformers' settings renders assistant messages with
random calls (nested JSON, Unicode, quotes, line breaks, angle brackets) through tests/data/templates; the assistant's
part is cut out and parsed in random pieces. Name, arguments, reasoning and answer must come back, and the grammar of a
required call must admit the text."""
import argparse
import json
import pathlib
import random
import subprocess
import sys

from transformers.utils.chat_template_utils import _compile_jinja_template

DATA = pathlib.Path(__file__).resolve().parent.parent / "data/templates"

PROPERTIES = {
    "city": {"type": "string"}, "note": {"type": ["string"]}, "n": {"type": "integer"}, "x": {"type": "number"}, "ok": {"type": "boolean"},
    "list": {"type": "array", "items": {}}, "deep": {"type": "object"}, "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    "unit": {"type": "string", "enum": ["c", "f"]}, "ref": {"$ref": "#/$defs/word"}}
TOOLS = [{"type": "function", "function": {"name": name, "description": "d", "parameters": {
    "type": "object", "properties": PROPERTIES, "required": [], "$defs": {"word": {"type": "string"}}}}} for name in ("get_weather", "a-b_c9", "f")]

# family -> template, what begins the assistant's part, what ends it, parallel calls, has reasoning, arguments in schema order only
FAMILIES = {
    "hermes": ("qwen3.jinja", "<|im_start|>assistant\n", "<|im_end|>\n", True, True),
    "qwen25": ("qwen25.jinja", "<|im_start|>assistant\n", "<|im_end|>\n", True, False),
    "qwen3_coder": ("qwen3_coder.jinja", "<|im_start|>assistant\n", "<|im_end|>\n", True, False),
    "nemotron3": ("nemotron3.jinja", "<|im_start|>assistant\n", "\n<|im_end|>\n", True, True),
    "glm45": ("glm45.jinja", "<|assistant|>", "", True, True),
    "glm4": ("glm4.jinja", "<|assistant|>", "", False, False),
    "harmony": ("gpt_oss.jinja", "<|start|>assistant", "<|call|>", False, True),
    "nemotron2": ("nemotron2.jinja", "<SPECIAL_11>Assistant\n", "\n<SPECIAL_12>\n", True, False),
    "mistral": ("mistral.jinja", "[/INST]", "</s>", True, False),
    "mistral_v11": ("mistral_v11.jinja", "[/INST]", "</s>", True, True),
    "llama3": ("llama32.jinja", "<|end_header_id|>\n\n", "<|eot_id|>", False, False),
    "phi4_mini": ("phi4_mini.jinja", "<|assistant|>", "<|end|></s>", True, False),
    "deepseek_v31": ("deepseek_v31.jinja", "</think>", "<｜end▁of▁sentence｜>", True, False),
}


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def text(self):
        pieces = ["Köln", "日本", "🙂", "a b", "\"q\"", "'", "\\", "\\n", "\n", "\n\n", "\t", "<b>", "</b>", "<tool", "</", "<|", "{", "}", "[", "]", ",", ":", "true", "5",
                  " ", "null", "</think>"[:4], "&", "<parameter", "\u2028", "x=1;"]
        return "".join(self.r.choice(pieces) for _ in range(self.r.randrange(6)))

    def value(self, depth=2):
        kind = self.r.randrange(8 if depth > 0 else 6)
        if kind < 2:
            return self.text()
        if kind < 4:
            return self.r.choice([0, -3, 42, 2.5, 1e-7, 1e22, 10**12])
        if kind < 6:
            return self.r.choice([True, False, None])
        if kind < 7:
            return [self.value(depth - 1) for _ in range(self.r.randrange(4))]
        return {self.text() or "k": self.value(depth - 1) for _ in range(self.r.randrange(4))}

    def arguments(self):
        makers = {"city": self.text, "note": self.text, "n": lambda: self.r.randrange(-5, 10**9), "x": lambda: self.r.choice([0.5, 3, -1e-9, 2.5e10]),
                  "ok": lambda: self.r.random() < 0.5, "list": lambda: [self.value() for _ in range(self.r.randrange(4))],
                  "deep": lambda: {self.text() or "k": self.value() for _ in range(self.r.randrange(4))}, "maybe": lambda: self.r.choice([None, 7]),
                  "unit": lambda: self.r.choice(["c", "f"]), "ref": self.text}
        return {key: make() for key, make in makers.items() if self.r.random() < 0.4}

    def message(self, parallel, reasons):
        calls = [{"id": "abcdef12%d" % i, "type": "function", "function": {"name": self.r.choice(TOOLS)["function"]["name"], "arguments": self.arguments()}}
                 for i in range(self.r.choice([1, 1, 2, 3]) if parallel else 1)]
        message = {"role": "assistant", "content": "", "tool_calls": calls}
        if reasons and self.r.random() < 0.6:
            message["reasoning_content"] = self.r.choice(["I look it up.", "First this,\n\nthen <that>.", "Überlegen & tun"])
        return message


def cut(family, message):
    name, begin, end, _, _ = FAMILIES[family]
    template = (DATA / name).read_text()
    messages = [{"role": "system", "content": "S"}, {"role": "user", "content": "QUESTION"}, message]
    whole = _compile_jinja_template(template).render(messages=messages, tools=TOOLS, bos_token="<s>", eos_token="</s>", add_generation_prompt=False)
    at = whole.index(begin, whole.index("QUESTION")) + len(begin)
    text = whole[at:]
    assert text.endswith(end), (family, text)
    return template, text[:len(text) - len(end)]


def as_json(family, message):
    """Two templates print True and None, which no grammar should ask for."""
    return family not in ("qwen3_coder", "nemotron3") or not any(value is None or isinstance(value, bool) for call in message["tool_calls"]
                                                                 for value in call["function"]["arguments"].values())


def cases(seed, count):
    maker = Maker(seed)
    for family, (_, _, _, parallel, reasons) in FAMILIES.items():
        for number in range(count):
            message = maker.message(parallel, reasons)
            template, text = cut(family, message)
            yield family, message, {"template": template, "tools": TOOLS, "prompt_tail": "<|start|>assistant" if family == "harmony" else "", "text": text, "seed": maker.r.randrange(2**31), "grammar": as_json(family, message)}


def same(a, b):
    """Equal as JSON: 3 and 3.0 are, True and 1 are not."""
    if isinstance(a, bool) or isinstance(b, bool) or a is None or b is None:
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return a == b


def wrong(message, answer):
    if "error" in answer:
        return answer["error"]
    wanted = [call["function"] for call in message["tool_calls"]]
    if [call["name"] for call in answer["calls"]] != [call["name"] for call in wanted]:
        return "names"
    for call, want in zip(answer["calls"], wanted):
        if not call["complete"] or not same(json.loads(call["arguments"]), want["arguments"]):
            return "arguments"
    if answer["text"]:
        return "text"
    if answer["reasoning"] != message.get("reasoning_content", ""):
        return "reasoning"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("probe")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--calls", type=int, default=150)
    parser.add_argument("--show", type=int, default=3)
    args = parser.parse_args()
    made = list(cases(args.seed, args.calls))
    lines = "".join(json.dumps(line) + "\n" for _, _, line in made)
    run = subprocess.run([args.probe], input=lines.encode(), stdout=subprocess.PIPE, check=True)
    answers = [json.loads(line) for line in run.stdout.decode().split("\n")[:-1]]
    assert len(answers) == len(made)
    failed = 0
    for family in FAMILIES:
        shown = equal = refused = 0
        for (name, message, line), answer in zip(made, answers):
            if name != family:
                continue
            why = wrong(message, answer)
            equal += not why
            refused += not answer.get("accepted", True)
            if (why or not answer.get("accepted", True)) and shown < args.show:
                shown += 1
                print(f"--- {family}: {why or 'grammar'}\n{line['text']!r}\n  {message['tool_calls']}\n  {answer}")
        syntax = next(a.get("syntax") for (n, _, _), a in zip(made, answers) if n == family)
        print(f"{family} ({syntax}): {equal} of {args.calls} come back, the grammar refuses {refused}")
        failed += args.calls - equal + refused
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
