"""Word error rates of a Whisper directory on sentences and voices that training never had, by transformers and whisper-cli.

    python3 eval_whisper.py models/tiny-whisper [--n 100] [--cli] [--long 3] [--silence] [--sentences OUT.json]

Every set has n utterances of eSpeak NG, one sentence each, made from a fixed seed. --cli asks whisper-cli as well (with the
ggml twin, written for the occasion); --long adds so many recordings of two minutes; --sentences writes a list of sentences that are
heard without a mistake in eSpeak NG's plain en-us voice.
"""
import argparse
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import wave

import numpy as np
import torch

import speech_text
import whisper_to_ggml
from speech_voice import RATE, Noise, Speaker, random_voice

# name: language, held-out voice, held-out sentence, signal to noise in dB or None, task
SETS = {
    "voices of the training, their sentences": ("en", False, False, None, "transcribe"),
    "voices of the training, new sentences": ("en", False, True, None, "transcribe"),
    "new voices, new sentences": ("en", "variant", True, None, "transcribe"),
    "new accent, new sentences": ("en", "accent", True, None, "transcribe"),
    "new voices, new sentences, noise 20 dB": ("en", "variant", True, 20, "transcribe"),
    "new voices, new sentences, noise 10 dB": ("en", "variant", True, 10, "transcribe"),
    "German, new voices, new sentences": ("de", "variant", True, None, "transcribe"),
    "German to English, new voices, new sentences": ("de", "variant", True, None, "translate"),
}


class Case:
    def __init__(self, samples, text, english, language, kind=""):
        self.samples, self.text, self.english, self.language, self.kind = samples, text, english, language, kind


def make_set(speaker, noises, name, n):
    language, new_voice, new_sentence, snr, task = SETS[name]
    rng, gen = random.Random(name), np.random.default_rng(7)
    cases = []
    while len(cases) < n:
        s = speech_text.draw(rng, language, new_sentence)
        if s.english is None and task == "translate":
            continue
        voice, how = random_voice(rng, language, new_voice)
        try:
            clip = speaker.say(voice, s.text, point=rng.random() < 0.5, **how)
        except ValueError:
            continue
        samples = np.pad(clip.samples, (int(RATE * rng.uniform(0, 0.5)), int(RATE * rng.uniform(0.1, 1))))
        samples *= 0.5 / (np.abs(samples).max() + 1e-9)
        if snr:
            level = np.sqrt(np.mean(clip.samples ** 2)) * 0.5 / (np.abs(clip.samples).max() + 1e-9)
            samples = samples + noises.cut(gen, len(samples)) * np.float32(level * 10 ** (-snr / 20))
        cases.append(Case(samples.astype(np.float32), s.text, s.english, language, s.kind))
    return cases, language, task


def words(text):
    return re.sub(r"[^\w ]", " ", text.lower()).split()


def errors(said, heard):
    """Substituted, missing and added words."""
    row = list(range(len(heard) + 1))
    for i, a in enumerate(said):
        last, row[0] = row[0], i + 1
        for j, b in enumerate(heard):
            last, row[j + 1] = row[j + 1], min(row[j + 1] + 1, row[j] + 1, last + (a != b))
    return row[-1]


def rate(cases, texts, task):
    wanted = [words(c.english if task == "translate" else c.text) for c in cases]
    wrong = [errors(w, words(t)) for w, t in zip(wanted, texts)]
    return 100 * sum(wrong) / max(1, sum(map(len, wanted))), 100 * sum(w == 0 for w in wrong) / len(wrong)


def by_kind(cases, texts, task):
    parts = []
    for kind in ("command", "numbers", "words"):
        chosen = [(c, t) for c, t in zip(cases, texts) if c.kind == kind]
        if chosen:
            parts.append(f"{kind} {rate(*map(list, zip(*chosen)), task)[0]:.1f} %")
    return ", ".join(parts)


class Transformers:
    def __init__(self, directory):
        from transformers import WhisperForConditionalGeneration, WhisperProcessor
        self.processor = WhisperProcessor.from_pretrained(directory)
        self.model = WhisperForConditionalGeneration.from_pretrained(directory, dtype=torch.float32).eval()

    def texts(self, cases, language, task, times):
        texts = []
        for i in range(0, len(cases), 10):
            x = self.processor([c.samples for c in cases[i:i + 10]], sampling_rate=RATE, return_tensors="pt").input_features
            with torch.no_grad():
                ids = self.model.generate(x, language=language, task=task, return_timestamps=times, num_beams=1, do_sample=False)
            texts += self.processor.batch_decode(ids, skip_special_tokens=True)
        return texts

    def languages(self, cases):
        found = []
        for i in range(0, len(cases), 10):
            x = self.processor([c.samples for c in cases[i:i + 10]], sampling_rate=RATE, return_tensors="pt").input_features
            with torch.no_grad():
                found += self.model.detect_language(x).flatten().tolist()
        return found


class Cli:
    """whisper-cli, greedy, with timestamps as is its way."""

    def __init__(self, directory, work):
        self.twin, self.work = work / "twin.bin", work
        whisper_to_ggml.write(directory, self.twin, whisper_to_ggml.F16)

    def results(self, cases, language, task, more=()):
        names = []
        for i, c in enumerate(cases):
            names.append(str(self.work / f"case{i}.wav"))
            write_wav(names[-1], c.samples)
        out = []
        for i in range(0, len(names), 25):
            subprocess.run(["whisper-cli", "-m", str(self.twin), "-bs", "1", "-bo", "1", "-nf", "-l", language, "-t", "1", "-ng", "-np",
                "-oj", *(["-tr"] if task == "translate" else []), *more, *names[i:i + 25]], check=True, capture_output=True)
        for name in names:
            out.append(json.loads(pathlib.Path(name + ".json").read_text(encoding="utf-8", errors="replace")))
        return out

    def texts(self, cases, language, task):
        return ["".join(s["text"] for s in r["transcription"]) for r in self.results(cases, language, task)]


def write_wav(name, samples):
    with wave.open(name, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def make_long(speaker, rng, seconds=120):
    """Sentences with pauses: the samples, the text and each sentence's begin and end."""
    voice, how = random_voice(rng, "en", "variant")
    pieces, texts, spans, at = [], [], [], 0.0
    while at < seconds:
        s = speech_text.draw(rng, "en", True)
        clip = speaker.say(voice, s.text, point=True, **how)
        pause = rng.uniform(0.3, 1.2) if rng.random() < 0.9 else rng.uniform(2, 6)
        samples = clip.samples * (0.5 / np.abs(clip.samples).max())
        pieces.append(np.pad(samples, (0, int(pause * RATE))))
        texts.append(s.text)
        spans.append((at, at + clip.end))
        at += len(pieces[-1]) / RATE
    return Case(np.concatenate(pieces).astype(np.float32), " ".join(texts), None, "en"), spans


def long_audio(speaker, cli, hf, n):
    rng = random.Random(5)
    made = [make_long(speaker, rng) for _ in range(n)]
    cases, off = [c for c, _ in made], []
    if cli:
        results = cli.results(cases, "en", "transcribe")
        texts = ["".join(s["text"] for s in r["transcription"]) for r in results]
        for (_, spans), r in zip(made, results):
            ends = np.array([s["offsets"]["to"] / 1000 for s in r["transcription"]] or [0])
            off += [np.abs(ends - b).min() for _, b in spans]
            if len(r["transcription"]) != len(spans):
                print(f"    {len(r['transcription'])} segments for {len(spans)} sentences")
        print(f"long, whisper-cli: word error rate {rate(cases, texts, 'transcribe')[0]:.1f} %, a sentence's end is off by "
              f"{1000 * np.median(off):.0f} ms in the middle, {1000 * np.quantile(off, 0.95):.0f} ms at most for 95 of 100")
    texts = []
    for c in cases:
        x = hf.processor(c.samples, sampling_rate=RATE, return_tensors="pt", truncation=False, padding="longest",
            return_attention_mask=True)
        with torch.no_grad():
            ids = hf.model.generate(**x, language="en", task="transcribe", return_timestamps=True, num_beams=1)
        texts.append(hf.processor.batch_decode(ids, skip_special_tokens=True)[0])
    print(f"long, transformers: word error rate {rate(cases, texts, 'transcribe')[0]:.1f} %")


def silence(cli, hf):
    gen = np.random.default_rng(3)
    kinds = {"zeros": np.zeros(5 * RATE), "a second of zeros": np.zeros(RATE), "faint noise": gen.normal(0, 0.001, 10 * RATE),
        "noise": gen.normal(0, 0.05, 20 * RATE), "long zeros": np.zeros(70 * RATE)}
    cases = [Case(s.astype(np.float32), "", "", "en") for s in kinds.values()]
    for name, c in zip(kinds, cases):
        texts = [hf.texts([c], "en", "transcribe", times)[0] for times in (False, True)]
        texts += cli.texts([c], "en", "transcribe") if cli else []
        print(f"silence, {name}: {texts}")


def plain_sentences(speaker, hf, cli, out, n=30):
    """Sentences heard right through every way, in eSpeak NG's plain voice at its normal rate."""
    rng, cases = random.Random(11), []
    seen = set()
    while len(cases) < 120:
        s = speech_text.draw(rng, "en", rng.random() < 0.5)
        if not 3 <= len(s.text.split()) <= 10 or s.text in seen:
            continue
        if not any(s.text.startswith(w) for w in ("turn", "set", "call", "play", "what", "open", "switch", "wake", "send", "add",
                "remind", "close", "go", "make", "one", "two", "three", "four", "stop", "seven")):
            continue
        seen.add(s.text)
        clip = speaker.say("en-us", s.text)
        cases.append(Case(np.pad(clip.samples, (0, RATE // 2)), s.text, s.text, "en"))
    ways = [hf.texts(cases, "en", "transcribe", False), hf.texts(cases, "en", "transcribe", True)]
    ways += [cli.texts(cases, "en", "transcribe")] if cli else []
    good = [c.text for i, c in enumerate(cases) if all(words(w[i]) == c.text.split() for w in ways)]
    print(f"{len(good)} of {len(cases)} plain sentences are right in every way")
    out.write_text(json.dumps({"voice": "en-us", "rate": 175, "text_of": "lower case, a point at the end",
        "sentences": good[:n]}, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--sets", type=int, default=len(SETS), help="only the first of them")
    parser.add_argument("--cli", action="store_true")
    parser.add_argument("--long", type=int, default=0)
    parser.add_argument("--silence", action="store_true")
    parser.add_argument("--show", action="store_true", help="print what was heard wrong")
    parser.add_argument("--sentences", type=pathlib.Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    speaker, noises, hf = Speaker(), Noise(np.random.default_rng(1)), Transformers(args.directory)
    with tempfile.TemporaryDirectory() as work:
        cli = Cli(args.directory, pathlib.Path(work)) if args.cli else None
        for name in list(SETS)[:args.sets]:
            cases, language, task = make_set(speaker, noises, name, args.n)
            ways = {"transformers": hf.texts(cases, language, task, False), "with times": hf.texts(cases, language, task, True)}
            if cli:
                ways["whisper-cli"] = cli.texts(cases, language, task)
            lang = hf.languages(cases)
            right = sum(i == (50259 if language == "en" else 50261) for i in lang)
            print(f"{name}: " + ", ".join(f"{way} {r:.1f} % ({s:.0f} % of sentences right)"
                for way, (r, s) in ((way, rate(cases, t, task)) for way, t in ways.items())) + f", language {right}/{len(lang)}; by kind: {by_kind(cases, ways['with times'], task)}", flush=True)
            if args.show:
                for i, c in enumerate(cases):
                    want = words(c.english if task == "translate" else c.text)
                    if any(words(t[i]) != want for t in ways.values()):
                        print("   ", " ".join(want), "|", " | ".join(t[i] for t in ways.values()))
        if args.long:
            long_audio(speaker, cli, hf, args.long)
        if args.silence:
            silence(cli, hf)
        if args.sentences:
            plain_sentences(speaker, hf, cli, args.sentences)
    return 0


if __name__ == "__main__":
    sys.exit(main())
