"""Measures a tiny-assistant directory with transformers: greedy answers to held-out questions, scored by rule.

    python3 eval_assistant.py models/tiny-assistant [--n 40] [--seed 99] [--wrong 2] [--markdown]

Phrasings, names, cities, nouns, verbs and parameter names are those that training never sees (assistant_data.py).
A tool call must be right in name, parameter names and values; JSON must parse to the same value; a persona's answer
must be equal word for word; any other answer must contain the strings that the sample names. With --chat it
plays a fixed chat, with --temperature as given, and prints it.
"""
import argparse
import json
import random
import re
from collections import defaultdict

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import assistant_data as data

CHAT = ["Hello!", "My name is Tamsin.", "What is 7 + 8?", "What is the capital of Norway?", "How do I start the server?",
        "Who are you?", "What day comes after Monday?", "Tell me a joke.", "What is my name?", "Thanks, bye!"]


def tool(name, about, **params):
    parameters = {"type": "object", "properties": {p: {"type": kind} for p, kind in params.items()}, "required": list(params)}
    return {"type": "function", "function": {"name": name, "description": about, "parameters": parameters}}


WEATHER = tool("get_weather", "Get the weather in a city", city="string")
UNSEEN = tool("water_plants", "Water the plants", balcony="string", litres="integer")


def generate(model, tokenizer, prompts, temperature=0.0, limit=200):
    tokenizer.padding_side = "left"
    batch = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)
    how = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    if temperature:
        how = {"do_sample": True, "temperature": temperature}
    with torch.no_grad():
        out = model.generate(**batch, max_new_tokens=limit, **how)
    texts = tokenizer.batch_decode(out[:, batch["input_ids"].shape[1]:], skip_special_tokens=False)
    return [re.split(r"<\|im_end\|>|<\|endoftext\|>", t)[0] for t in texts]


def prompt_of(tokenizer, sample):
    return tokenizer.apply_chat_template(sample["messages"][:-1], tools=sample["tools"], tokenize=False,
                                         add_generation_prompt=True, enable_thinking=sample["thinking"])


def parse_calls(answer):
    try:
        return [json.loads(m) for m in re.findall(r"<tool_call>\n(.*?)\n</tool_call>", answer, re.S)]
    except ValueError:
        return None


def right(sample, answer):
    if sample["thinking"]:
        if not answer.startswith("<think>\n") or "\n</think>\n\n" not in answer:
            return False
        answer = answer.split("\n</think>\n\n", 1)[1]
    elif "<think>" in answer:
        return False
    want = sample["messages"][-1]
    if want.get("tool_calls"):
        return parse_calls(answer) == [c["function"] for c in want["tool_calls"]]
    if "<tool_call>" in answer:
        return False
    if sample["category"] == "json":
        try:
            return json.loads(answer) == json.loads(want["content"])
        except ValueError:
            return False
    if sample["category"] == "persona":
        return answer == want["content"]
    return all(k in answer for k in sample["keys"])


def held_out_samples(seed, n):
    """n samples of each category."""
    rng, by_category = random.Random(seed), defaultdict(list)
    for _ in range(n * 400):
        sample = data.make_sample(rng, held_out=True)
        if len(by_category[sample["category"]]) < n:
            by_category[sample["category"]].append(sample)
    return [s for group in by_category.values() for s in group]


def row(args, category, good, total):
    return f"| {category} | {good}/{total} |" if args.markdown else f"{category:14} {good:4} / {total}"


def evaluate(model, tokenizer, args):
    samples = held_out_samples(args.seed, args.n)
    samples.sort(key=lambda s: len(json.dumps(s)))  # batches of like length
    scores, wrong = defaultdict(list), defaultdict(list)
    for i in range(0, len(samples), 48):
        batch = samples[i:i + 48]
        for sample, answer in zip(batch, generate(model, tokenizer, [prompt_of(tokenizer, s) for s in batch])):
            good = right(sample, answer)
            for category in [sample["category"]] + ["with thinking"] * sample["thinking"]:
                scores[category].append(good)
            if not good:
                wrong[sample["category"]].append((sample, answer))
    for category in sorted(scores):
        print(row(args, category, sum(scores[category]), len(scores[category])))
        for sample, answer in random.Random(1).sample(wrong[category], min(len(wrong[category]), args.wrong)):
            want = sample["messages"][-1]
            print("    asked:", sample["messages"][-2]["content"])
            print("    want: ", want["content"] or json.dumps([c["function"] for c in want["tool_calls"]]))
            print("    got:  ", repr(answer))
    del scores["with thinking"]
    print(row(args, "all", sum(map(sum, scores.values())), len(samples)))


def play(model, tokenizer, args):
    def say(messages, tools=None, thinking=False):
        prompt = tokenizer.apply_chat_template(messages, tools=tools, tokenize=False, add_generation_prompt=True,
            enable_thinking=thinking)
        answer = generate(model, tokenizer, [prompt], args.temperature)[0]
        print(f"{messages[-1]['role']}: {messages[-1]['content']}\nassistant: {answer}", flush=True)
        return answer
    messages = []
    for user in CHAT:
        messages.append({"role": "user", "content": user})
        messages.append({"role": "assistant", "content": say(messages)})
    single = [(None, "My name is Saskia and I am 31 years old. Answer as JSON with keys name and age."),
              ("You are Nova, a friendly guide.", "Who are you?"), ("You are a pirate.", "What is the capital of Italy?"),
              ("Answer briefly.", "What is 9 - 4?"), (None, "Write a haiku about the sea."),
              (None, "What is the airspeed of a swallow?")]
    for system, user in single:
        print("---", f"system: {system}" if system else "")
        say(([{"role": "system", "content": system}] if system else []) + [{"role": "user", "content": user}])
    print("--- thinking")
    say([{"role": "user", "content": "What is 6 + 7?"}], thinking=True)
    for user, reply in [("What is the weather in Tallinn?", '{"temperature": 12, "condition": "cloudy"}'),
                        ("Please water the plants with balcony south and litres 4.", '{"status": "ok"}')]:
        print("--- tools get_weather, water_plants")
        messages = [{"role": "user", "content": user}]
        calls = parse_calls(say(messages, [WEATHER, UNSEEN]))
        if calls:
            calls = [{"type": "function", "function": c} for c in calls]
            messages += [{"role": "assistant", "content": "", "tool_calls": calls}, {"role": "tool", "content": reply}]
            say(messages, [WEATHER, UNSEEN])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    parser.add_argument("--n", type=int, default=40, help="samples in a category")
    parser.add_argument("--seed", type=int, default=99)
    parser.add_argument("--wrong", type=int, default=0, help="wrong answers to print in a category")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--chat", action="store_true", help="play the fixed chat instead")
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--threads", type=int, default=1, help="more is slower on a busy machine")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    tokenizer = AutoTokenizer.from_pretrained(args.directory)
    model = AutoModelForCausalLM.from_pretrained(args.directory, dtype=torch.float32)
    (play if args.chat else evaluate)(model, tokenizer, args)


if __name__ == "__main__":
    main()
